/**
 * One process of the fleet: it takes calls over HTTP and answers them from the pool of deployments, within the quota that all
 * processes share. It also answers how it is doing (`/health`) and what it has counted (`/metrics`).
 */
import { AzureO1, type AzureO1Config, ModelProfile, O1Error, user } from "@effect-resilience/azure-o1"
import { O1Metrics } from "@effect-resilience/azure-o1/metrics"
import * as AzureO1Node from "@effect-resilience/azure-o1/node"
import { AzureO1Pool, type PoolMember } from "@effect-resilience/azure-o1/pool"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import { Deadline, Fault, Observability, Policy, PolicyRegistry } from "@effect-resilience/core"
import { Health, ServerPolicy } from "@effect-resilience/core/http"
import { Shared } from "@effect-resilience/core/shared"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Duration, Effect, Layer, Logger, Option, Redacted, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import process from "node:process"
import * as answers from "./answers.ts"
import { patience, processes, requestsPerMinute, tokensPerMinute } from "./scenario.ts"

/** What a process is told when it is started. */
export interface Told {
  readonly redis: string
  readonly answers: string
  readonly members: ReadonlyArray<{ readonly name: string; readonly url: string; readonly key: string }>
}

const memberOf = ({ key, name, url }: Told["members"][number]): PoolMember => {
  const config: AzureO1Config.AzureO1Config = {
    endpoint: url,
    apiKey: Redacted.make(key),
    deployment: name,
    profile: ModelProfile.make({ ...ModelProfile.o1, streaming: "try" })
  }
  return { ...config, name, region: name }
}

/** The pool, within a quota whose state is in Redis. */
const client = (told: Told) => {
  const [first, ...others] = told.members.map(memberOf)
  const quota = O1Quota.layer({
    requestsPerMinute,
    tokensPerMinute,
    limiter: (name, limits) =>
      Shared.rateLimiter({
        name: `o1 ${name}`,
        limits,
        processes,
        ahead: "20 millis",
        // a machine that plays all parts at once is slow
        attempt: "500 millis",
        // the deployments are as new as the store: before the first call nothing was used
        initial: "full"
      }),
    // as long as the balancer rests an endpoint, so that a short run sees a circuit close again
    policy: { retries: 5, backoff: "200 millis", breaker: { open: "5 seconds" } }
  })
  return AzureO1Pool.layerServices([first!, ...others], {
    name: "deployments",
    ejection: { failures: 2, duration: "5 seconds" }
  }).pipe(
    Layer.provideMerge(quota),
    Layer.provide(AzureO1Node.layerHttpClient),
    Layer.provide(Shared.layerRedis(
      NodeRedis.layer({ url: told.redis, disableOfflineQueue: true, socket: { connectTimeout: 1000 } })
    ))
  )
}

const Ask = Schema.Struct({ id: Schema.String, prompt: Schema.String, maxTokens: Schema.Int })

/** What a caller is told of an error: its name, and whether asking again may help. */
const refused = (error: O1Error) =>
  HttpServerResponse.jsonUnsafe(
    { error: O1Error.label(error), detail: error.message },
    { status: error[Fault.TypeId]._tag === "Permanent" ? 422 : 503 }
  )

/** An answer that is there is not asked for again, and one that another process wrote meanwhile counts. */
const answer = (told: Told) =>
  Effect.gen(function*() {
    const { id, maxTokens, prompt } = yield* HttpServerRequest.schemaBodyJson(Ask)
    const known = yield* answers.read(told.answers, id)
    if (known !== undefined) return HttpServerResponse.jsonUnsafe(known)
    const o1 = yield* AzureO1
    const total = Option.getOrElse(yield* Deadline.remaining, () => Duration.millis(patience))
    const { metadata, text } = yield* o1.complete(
      { messages: [user(prompt)], maxCompletionTokens: maxTokens },
      { timeout: Duration.min(total, Duration.seconds(8)), total }
    ).pipe(Observability.call("ask"))
    const deployment = metadata.deployment ?? "unknown"
    yield* answers.write(told.answers, { id, text, deployment, pid: process.pid })
    return HttpServerResponse.jsonUnsafe(yield* answers.read(told.answers, id))
  }).pipe(Effect.catchIf(O1Error.is, (error) => Effect.succeed(refused(error))))

const app = (told: Told) =>
  Layer.mergeAll(
    HttpRouter.add("POST", "/ask", answer(told)),
    Health.layerHttp(),
    PrometheusMetrics.layerHttp({ metricNameMapper: O1Metrics.prometheusName }),
    HttpRouter.middleware(ServerPolicy.make(Policy.identity), { global: true })
  )

const told = JSON.parse(process.argv[2] ?? "{}") as Told

const ready = Layer.effectDiscard(Effect.map(HttpServer.HttpServer, ({ address }) => {
  process.send?.({ url: HttpServer.formatAddress(address) })
}))

const live = HttpRouter.serve(app(told), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.merge(ready),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provide(client(told)),
  Layer.provide(O1Metrics.layer()),
  Layer.provide(Observability.layerMetrics()),
  Layer.provide(PolicyRegistry.layer),
  Layer.provide(Logger.layer([Logger.defaultLogger]))
)

NodeRuntime.runMain(Layer.launch(live), { disableErrorReporting: true })
