import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { PrometheusMetrics } from "effect/observability"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { parse } from "../../../../tools/collector/src/prometheus.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as HedgingPipeline from "../../src/HedgingPipeline.ts"
import { catalogue, type Definition, prometheusName } from "../../src/kernel/catalogue.ts"
import { zerosOf } from "../../src/kernel/zeros.ts"
import * as Observability from "../../src/Observability.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"

const scraped = Effect.map(
  PrometheusMetrics.format({ metricNameMapper: Observability.prometheusName }),
  (text) => ({ text, families: parse(text) })
)

const measured = <A, E>(program: Effect.Effect<A, E>, options?: { readonly maxNames: number }) =>
  program.pipe(
    Effect.provide(Observability.layerMetrics(options)),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

const awkward = "a\"b\\c\nd"

describe("Prometheus", () => {
  const names: ReadonlyArray<readonly [id: string, Pick<Definition, "kind" | "unit">, name: string]> = [
    ["a.calls", { kind: "counter", unit: "{call}" }, "a_calls_total"],
    ["a.time", { kind: "counter", unit: "s" }, "a_time_seconds_total"],
    ["a.call.duration", { kind: "histogram", unit: "s" }, "a_call_duration_seconds"],
    ["a.in_use", { kind: "gauge", unit: "{call}" }, "a_in_use"],
    ["a-b.c", { kind: "gauge", unit: "{call}" }, "a_b_c"]
  ]
  for (const [id, definition, name] of names) {
    it(`${id} of the unit ${definition.unit} is ${name}`, () =>
      assert.strictEqual(prometheusName(id, definition), name))
  }

  it("knows every metric, by a name of its own, and leaves others alone", () => {
    const ids = Object.keys(catalogue)
    assert.strictEqual(new Set(ids.map((id) => Observability.prometheusName(id))).size, ids.length)
    assert.strictEqual(Observability.prometheusName("orders.placed"), "orders.placed")
    assert.strictEqual(Observability.prometheusName("toString"), "toString")
  })

  it.effect("reads as a page: one family per name, with help and a type that its name fits, and whole histograms", () =>
    measured(Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({ name: "db" })
      yield* Bulkhead.make({ name: "db", concurrency: 2 })
      for (const name of ["db", awkward]) {
        const policy = Policy.compose(
          Observability.call(name),
          Retry.make({ name, schedule: Schedule.recurs(1) }),
          breaker
        )
        yield* Effect.exit(Effect.fail("down").pipe(policy))
        const slow = yield* Effect.forkChild(Effect.delay(Effect.void, "3 seconds").pipe(policy))
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(slow)
      }
      const { families, text } = yield* scraped

      assert.strictEqual(families.length, new Set(families.map(({ name }) => name)).size)
      for (const { help, name, samples, type } of families) {
        assert.match(name, /^[a-z][a-z_]*$/u)
        assert.isAbove(help.length, 10, name)
        assert.strictEqual(name.endsWith("_total"), type === "counter", name)
        assert.strictEqual(name.endsWith("_seconds"), type === "histogram", name)
        assert.isAbove(samples.length, 0)
        assert.isTrue(samples.every(({ labels }) => !("unit" in labels)))
      }
      const { samples } = families.find(({ name }) => name === "resilience_call_duration_seconds")!
      const slow = samples.filter(({ labels }) => labels["name"] === "db" && labels["outcome"] === "success")
      const buckets = slow.filter(({ name }) => name.endsWith("_bucket"))
      const counts = buckets.map(({ value }) => value)
      assert.deepStrictEqual(counts, counts.toSorted((a, b) => a - b))
      assert.deepStrictEqual(buckets.map(({ labels }) => labels["le"]).slice(-2), ["1048.576", "+Inf"])
      assert.strictEqual(buckets.find(({ labels }) => labels["le"] === "2.048")?.value, 0)
      assert.strictEqual(buckets.find(({ labels }) => labels["le"] === "4.096")?.value, 1)
      assert.deepStrictEqual(
        slow.filter(({ name }) => !name.endsWith("_bucket")).map(({ name, value }) => [name.split("_").at(-1), value]),
        [["sum", 3], ["count", 1]]
      )
      assert.include(text, `resilience_calls_total{name="a\\"b\\\\c\\nd",outcome="success"} 1\n`)
      assert.isTrue(samples.some(({ labels }) => labels["name"] === awkward))
    })))

  it.effect("has the series of a policy with zero when it is made, or with its first event", () =>
    measured(Effect.gen(function*() {
      const valuesOf = (family: string, label: string) =>
        Effect.map(
          scraped,
          ({ families }) =>
            families.find(({ name }) => name === family)?.samples.map(({ labels, value }) => [labels[label], value])
        )

      yield* Bulkhead.make({ name: "made", concurrency: 2 })
      assert.deepStrictEqual(yield* valuesOf("resilience_rejections_total", "reason"), [
        ["full", 0],
        ["overload", 0],
        ["waited", 0]
      ])

      yield* Effect.void.pipe(Observability.call("orders"))
      assert.deepStrictEqual(yield* valuesOf("resilience_calls_total", "outcome"), [
        ["success", 1],
        ...["transient", "throttled", "permanent", "rejected", "defect", "interrupted"].map((outcome) => [outcome, 0])
      ])
    })))

  const pipelines = {
    standard: (options?: { readonly name: string }) => Pipelines.makeStandard(options),
    hedging: (options?: { readonly name: string }) => HedgingPipeline.make(options)
  }
  for (const [name, make] of Object.entries(pipelines)) {
    it.effect(`has the calls of a pipeline with a name: ${name}`, () =>
      measured(Effect.gen(function*() {
        const pipeline = yield* make({ name: "orders" })
        const values = Effect.map(scraped, ({ families }) =>
          new Map(families.map(({ name, samples }) => [name, samples.map(({ value }) => value)])))
        const before = yield* values
        assert.includeMembers(Array.from(before.keys()), [
          "resilience_calls_total",
          "resilience_timeouts_total",
          "resilience_rejections_total",
          "resilience_breaker_state",
          name === "standard" ? "resilience_attempts_total" : "resilience_hedges_total"
        ])
        assert.deepStrictEqual(before.get("resilience_calls_total"), [0, 0, 0, 0, 0, 0, 0])
        yield* Effect.void.pipe(pipeline)
        yield* Stream.runDrain(Stream.make(1, 2).pipe(pipeline.stream))
        yield* Effect.exit(Effect.die("bug").pipe(pipeline))
        const after = yield* values
        assert.deepStrictEqual(after.get("resilience_calls_total"), [2, 0, 0, 0, 0, 1, 0])

        const unnamed = yield* make()
        yield* Effect.void.pipe(unnamed)
        assert.deepStrictEqual((yield* values).get("resilience_calls_total"), [2, 0, 0, 0, 0, 1, 0])
      })))
  }

  it("begins only what the catalogue has, with all of its labels", () => {
    const kinds = [
      "call",
      "retry",
      "timeout adaptive",
      "deadline",
      "circuit-breaker",
      "bulkhead",
      "rate-limiter",
      "keyed",
      "hedge",
      "fallback stale",
      "coalesce"
    ]
    for (const kind of kinds) {
      assert.isNotEmpty(zerosOf(kind), kind)
      for (const { id, labels } of zerosOf(kind)) {
        assert.sameMembers(["name", ...Object.keys(labels)], [...catalogue[id].labels], id)
        assert.notStrictEqual(catalogue[id].kind, "histogram")
      }
    }
    assert.isEmpty(zerosOf("retry-budget"))
  })

  it.effect("has no more series however many names, keys and attempts there are", () =>
    Effect.gen(function*() {
      const seriesOf = (names: number) =>
        measured(
          Effect.gen(function*() {
            for (let i = 0; i < names; i++) {
              const name = `tenant ${i}`
              const policy = Policy.compose(
                Observability.call(name),
                Retry.make({ name, schedule: Schedule.recurs(i % 30) })
              )
              yield* Effect.exit(Effect.fail("down").pipe(policy))
            }
            return (yield* Metric.snapshot).length
          }),
          { maxNames: 10 }
        )
      assert.strictEqual(yield* seriesOf(200), yield* seriesOf(60))
    }))
})
