import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Otlp, OtlpExporter } from "effect/observability"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import { collect, type Collector } from "../../../../tools/collector/src/collector.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import { catalogue, type Id } from "../../src/kernel/catalogue.ts"
import * as Observability from "../../src/Observability.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"

/** Everything that a program tells, sent to a collector; what is left is sent when the layer ends. */
const layerOf = (form: typeof Otlp.layerJson, { url }: Collector) =>
  Observability.layer().pipe(
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

const program = Effect.gen(function*() {
  const breaker = yield* CircuitBreaker.make({ name: "orders", trip: CircuitBreaker.consecutive(3) })
  const policy = Policy.compose(
    Observability.call("orders"),
    Retry.make({ name: "orders", schedule: Schedule.max([Schedule.spaced("1 millis"), Schedule.recurs(2)]) }),
    breaker
  )
  let calls = 0
  const flaky = Effect.suspend(() => ++calls % 2 === 1 ? Effect.fail("busy") : Effect.succeed("done")).pipe(
    Effect.withSpan("request")
  )
  yield* flaky.pipe(policy, Effect.withSpan("call 1"))
  yield* Effect.exit(Effect.fail("down").pipe(policy, Effect.withSpan("call 2")))
})

describe("OTLP", () => {
  for (
    const [form, type] of [[Otlp.layerJson, "application/json"], [
      Otlp.layerProtobuf,
      "application/x-protobuf"
    ]] as const
  ) {
    it.live(`${type}: metrics, logs, and a span for each call and attempt`, () =>
      Effect.gen(function*() {
        const collector = yield* collect
        // gauges end with their layer, which is before the last export
        const flushed = Effect.flatMap(OtlpExporter.Flusher, ({ flush }) => flush)
        yield* Effect.provide(Effect.ensuring(program, flushed), layerOf(form, collector))

        assert.deepStrictEqual(collector.refused, [])
        assert.sameMembers(Array.from(new Set(collector.requests)), [
          `POST /v1/traces ${type}`,
          `POST /v1/metrics ${type}`,
          `POST /v1/logs ${type}`
        ])

        const points = collector.points()
        for (const { description, kind, name, service, unit, isMonotonic } of points) {
          const expected = catalogue[name as Id]
          assert.deepStrictEqual(
            { service, unit, description, kind, isMonotonic },
            {
              service: "shop",
              unit: expected.unit,
              description: expected.description,
              kind: expected.kind === "counter" ? "sum" : expected.kind,
              isMonotonic: expected.kind === "counter"
            },
            name
          )
        }
        const valueOf = (name: Id, labels: Readonly<Record<string, string>>) =>
          points.find((point) =>
            point.name === name && Object.entries(labels).every(([key, value]) => point.attributes[key] === value)
          )
        assert.strictEqual(valueOf("resilience.calls", { name: "orders", outcome: "success" })?.value, 1)
        assert.strictEqual(valueOf("resilience.calls", { name: "orders", outcome: "transient" })?.value, 1)
        assert.strictEqual(valueOf("resilience.calls", { name: "orders", outcome: "defect" })?.value, 0)
        assert.strictEqual(valueOf("resilience.attempts", { attempt: "1", outcome: "transient" })?.value, 2)
        assert.strictEqual(valueOf("resilience.breaker.state", { name: "orders", state: "Open" })?.value, 1)
        assert.strictEqual(valueOf("resilience.breaker.changes", { to: "Open" })?.value, 1)
        const durations = valueOf("resilience.attempt.duration", { outcome: "transient" })!
        assert.strictEqual(durations.count, 4)
        assert.strictEqual(durations.buckets!.reduce((sum, count) => sum + count), 4)
        assert.strictEqual(durations.buckets!.length, durations.bounds!.length + 1)
        assert.deepStrictEqual(durations.bounds!.slice(0, 3), [0.001, 0.002, 0.004])

        const { spans } = collector
        const named = (name: string) => spans.filter((span) => span.name === name)
        const call = named("call 1")[0]!
        const attempts = named("resilience.attempt").filter(({ parentSpanId }) => parentSpanId === call.spanId)
        assert.deepStrictEqual(
          attempts.map(({ attributes: { attempt, name, outcome } }) => [attempt, name, outcome]),
          [[1, "orders", "transient"], [2, "orders", "success"]]
        )
        assert.isTrue(attempts.every(({ traceId }) => traceId === call.traceId))
        assert.sameMembers(
          named("request").map(({ parentSpanId }) => parentSpanId),
          attempts.map(({ spanId }) => spanId)
        )

        const opened = collector.logs.find(({ body }) => body === "resilience: CircuitChanged")!
        assert.deepInclude(opened.attributes, { policy: "circuit-breaker", name: "orders", from: "Closed", to: "Open" })
        assert.strictEqual(opened.severity, "Warn")
        assert.strictEqual(opened.traceId, named("call 2")[0]!.traceId)
      }))
  }
})
