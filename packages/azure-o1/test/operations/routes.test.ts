import { Health } from "@effect-resilience/core/http"
import * as Observability from "@effect-resilience/core/Observability"
import * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Otlp, OtlpExporter, PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { collect } from "../../../../tools/collector/src/collector.ts"
import { parse } from "../../../../tools/collector/src/prometheus.ts"
import { AzureO1 } from "../../src/AzureO1.ts"
import { O1Metrics } from "../../src/metrics/index.ts"
import { O1RateLimitError } from "../../src/O1Error.ts"
import { AzureO1Pool } from "../../src/pool/AzureO1Pool.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"

const busy = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.minutes(2) }))

const pool = AzureO1Pool.layer(AzureO1Pool.inOrder([
  AzureO1Test.transport([AzureO1Test.answer("42"), busy], { deployment: "o1-east" }),
  AzureO1Test.transport([busy], { deployment: "o1-west" })
]))

describe("the program of docs/operations.md", () => {
  it.live("answers over sockets how it is doing and what it has counted, and tells a collector the same", () =>
    Effect.gen(function*() {
      const collector = yield* collect
      const operated = Layer.mergeAll(O1Metrics.layer(), Observability.layer(), PolicyRegistry.layer).pipe(
        Layer.provideMerge(Otlp.layerJson({
          baseUrl: collector.url,
          resource: { serviceName: "shop" },
          loggerMergeWithExisting: false
        })),
        Layer.provideMerge(FetchHttpClient.layer),
        Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))
      )
      const routes = Layer.merge(
        Health.layerHttp({ path: "/health" }),
        PrometheusMetrics.layerHttp({ path: "/metrics", metricNameMapper: O1Metrics.prometheusName })
      )
      const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
      yield* Effect.gen(function*() {
        const http = yield* HttpClient.HttpClient
        const address = yield* HttpServer.addressFormattedWith(Effect.succeed)
        const ask = (path: string) =>
          Effect.flatMap(
            http.get(`${address}${path}`),
            (response) =>
              Effect.map(
                response.text,
                (text) => ({ status: response.status, type: response.headers["content-type"], text })
              )
          )

        const o1 = yield* AzureO1
        yield* o1.complete(request)
        assert.deepInclude(yield* ask("/health"), { status: 200, text: "{\"status\":\"up\",\"reasons\":[]}" })

        const error = yield* Effect.flip(o1.complete(request, { timeout: "3 seconds", total: "3 seconds", retries: 0 }))
        assert.strictEqual(error._tag, "O1RateLimitError")
        const { status, text } = yield* ask("/health")
        assert.strictEqual(status, 503)
        assert.deepInclude(JSON.parse(text).reasons[0], {
          kind: "balancer",
          name: "azure-o1",
          status: "down",
          reason: "2 of 2 endpoints rest: 2 cooling"
        })

        const metrics = yield* ask("/metrics")
        assert.include(metrics.type, "text/plain; version=0.0.4")
        const told = new Map(
          parse(metrics.text).flatMap(({ samples }) => samples).map(({ labels, name, value }) => [
            `${name} ${Object.values(labels).join(" ")}`,
            value
          ])
        )
        assert.strictEqual(told.get("o1_calls_total o1-east success"), 1)
        assert.strictEqual(told.get("resilience_balancer_endpoints azure-o1 cooling"), 2)

        yield* Effect.flatMap(OtlpExporter.Flusher, ({ flush }) => flush)
        assert.deepStrictEqual(collector.refused, [])
        const point = collector.points().find(({ attributes, name }) =>
          name === "resilience.balancer.endpoints" && attributes["state"] === "cooling"
        )
        assert.deepInclude(point, { service: "shop", value: 2, kind: "gauge" })
      }).pipe(Effect.provide(Layer.merge(pool, server).pipe(Layer.provideMerge(operated))))
    }))
})
