import { Observability } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Otlp, OtlpExporter } from "effect/observability"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { collect, type Collector } from "../../../../tools/collector/src/collector.ts"
import { catalogue, type Definition, type Id } from "../../src/metrics/catalogue.ts"
import { O1Metrics } from "../../src/metrics/index.ts"
import { user } from "../../src/O1Request.ts"
import { FakeAzure } from "../../src/testing/index.ts"
import { against } from "../support/azure.ts"

const operated = (form: typeof Otlp.layerJson, { url }: Collector) =>
  Layer.merge(Observability.layer(), O1Metrics.layer()).pipe(
    Layer.provideMerge(form({
      baseUrl: url,
      resource: { serviceName: "shop" },
      loggerMergeWithExisting: false,
      metricsExportInterval: "1 hour"
    })),
    Layer.provide(FetchHttpClient.layer),
    Layer.provideMerge(Layer.succeed(Metric.MetricRegistry, new Map())),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Debug"))
  )

const prompt = "the secret of the prompt"

describe("OTLP of the client", () => {
  for (const [form, type] of [[Otlp.layerJson, "json"], [Otlp.layerProtobuf, "x-protobuf"]] as const) {
    it.live(`${type}: a span per call and attempt, what calls cost, and what policies decide`, () =>
      Effect.gen(function*() {
        const collector = yield* collect
        const script = [
          FakeAzure.status(503),
          FakeAzure.answer("42"),
          FakeAzure.answer(["4", "3"]),
          FakeAzure.status(401)
        ]
        const apiKey = yield* against({ script, background: false }, (o1, azure) =>
          Effect.gen(function*() {
            const request = { messages: [user(prompt)] }
            yield* o1.complete(request)
            yield* Stream.runDrain(o1.stream(request))
            yield* Effect.exit(o1.complete(request))
            yield* Effect.flatMap(OtlpExporter.Flusher, ({ flush }) => flush)
            return Redacted.value(azure.config.apiKey!)
          }).pipe(Effect.provide(operated(form, collector))))
        assert.deepStrictEqual(collector.refused, [])
        assert.include(collector.requests, `POST /v1/metrics application/${type}`)

        const { spans } = collector
        const calls = spans.filter(({ name }) => name === "chat o1")
        assert.deepStrictEqual(calls.map(({ attributes }) => attributes["azure_o1.outcome"]), [
          "success",
          "success",
          "O1AuthError/unauthorized"
        ])
        const attempts = spans.filter(({ name }) => name === "AzureO1.attempt")
        assert.deepStrictEqual(
          calls.map(({ spanId, traceId }) =>
            attempts.filter((attempt) => attempt.parentSpanId === spanId && attempt.traceId === traceId).length
          ),
          [2, 1, 1]
        )

        const points = collector.points()
        const told = (name: string, labels: Readonly<Record<string, string>>) =>
          points.filter((point) =>
            point.name === name && Object.entries(labels).every(([key, value]) => point.attributes[key] === value)
          )
        for (const { description, kind, name, unit } of points.filter(({ name }) => Object.hasOwn(catalogue, name))) {
          const { kind: expected, ...rest }: Definition = catalogue[name as Id]
          assert.deepStrictEqual(
            { kind, unit, description },
            { kind: expected === "counter" ? "sum" : expected, unit: rest.unit, description: rest.description }
          )
        }
        const chat = {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "azure.ai.openai",
          "gen_ai.request.model": "o1",
          "gen_ai.response.model": "o1-2024-12-17"
        }
        const [durations] = told("gen_ai.client.operation.duration", chat)
        assert.deepStrictEqual([durations!.unit, durations!.count], ["s", 2])
        assert.deepStrictEqual([durations!.bounds![0], durations!.bounds![13]], [0.01, 81.92])
        assert.strictEqual(
          told("gen_ai.client.operation.duration", { "error.type": "O1AuthError/unauthorized" })[0]!.count,
          1
        )
        assert.deepStrictEqual(
          told("gen_ai.client.token.usage", chat).map((
            { attributes, count, unit }
          ) => [attributes["gen_ai.token.type"], count, unit]),
          [["input", 2, "{token}"], ["output", 2, "{token}"]]
        )
        assert.strictEqual(told("gen_ai.client.operation.time_to_first_chunk", chat)[0]!.count, 1)
        assert.strictEqual(told("o1.calls", { deployment: "o1", outcome: "success" })[0]!.value, 2)
        assert.strictEqual(told("o1.calls", { deployment: "o1", outcome: "O1TimeoutError" })[0]!.value, 0)
        assert.strictEqual(told("o1.attempts", { outcome: "O1ServerError" })[0]!.value, 1)
        assert.strictEqual(told("o1.tokens", { type: "reasoning" })[0]!.value, 128)
        assert.strictEqual(told("resilience.attempts", { attempt: "2", outcome: "success" })[0]!.value, 1)
        assert.strictEqual(told("resilience.breaker.state", { name: "o1", state: "Closed" })[0]!.value, 1)

        const everything = JSON.stringify([spans, points, collector.logs])
        for (const secret of [prompt, "the secret of the answer", apiKey]) assert.notInclude(everything, secret)
      }))
  }
})
