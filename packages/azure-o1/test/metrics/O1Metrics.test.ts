import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { PrometheusMetrics } from "effect/observability"
import { readFileSync } from "node:fs"
import { parse } from "../../../../tools/collector/src/prometheus.ts"
import { catalogue } from "../../src/metrics/catalogue.ts"
import { O1Metrics } from "../../src/metrics/index.ts"
import { O1Monitor } from "../../src/O1Monitor.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"

const seconds = Duration.seconds(2)
const call = (outcome: string, deployment = "o1"): O1Observation => ({
  _tag: "Call",
  deployment,
  model: "o1-2024-12-17",
  effort: "low",
  outcome,
  attempts: 1,
  firstOutput: seconds,
  total: seconds,
  usage: { input: 10, cachedInput: 4, output: 20, reasoning: 16 }
})
const attempt = (outcome: string, deployment = "o1"): O1Observation => ({
  _tag: "Attempt",
  deployment,
  model: undefined,
  effort: "low",
  attempt: 1,
  transport: undefined,
  outcome,
  headers: undefined,
  firstOutput: undefined,
  total: seconds
})
const connection = (origin: string, failed = false): O1Observation => ({
  _tag: "Connection",
  origin,
  duration: seconds,
  failed
})

const observed = (
  observations: ReadonlyArray<O1Observation>,
  layer: Layer.Layer<never> = O1Metrics.layer()
) =>
  Effect.gen(function*() {
    const observe = yield* O1Observer
    for (const observation of observations) observe!(observation)
    const text = yield* PrometheusMetrics.format({ metricNameMapper: O1Metrics.prometheusName })
    return text === "" ? [] : parse(text)
  }).pipe(Effect.provide(layer), Effect.provideService(Metric.MetricRegistry, new Map()))

const everything = [
  call("success"),
  attempt("O1ServerError/internal"),
  connection("https://a"),
  connection("https://a", true)
]

describe("O1Metrics", () => {
  it.effect("as a page of Prometheus: whole families, names that their types fit", () =>
    Effect.gen(function*() {
      const families = yield* observed(everything)
      assert.sameMembers(
        families.map(({ name }) => name),
        Object.keys(catalogue).map((id) => O1Metrics.prometheusName(id))
      )
      for (const { name, type } of families) {
        assert.strictEqual(name.endsWith("_total"), type === "counter", name)
        assert.match(name, /^(gen_ai|o1)_[a-z_]+$/u)
      }
      const valueOf = (name: string, labels: Readonly<Record<string, string>>) =>
        families.flatMap(({ samples }) => samples).find((sample) =>
          sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
        )?.value
      assert.strictEqual(valueOf("o1_tokens_total", { type: "cached" }), 4)
      assert.strictEqual(valueOf("o1_attempts_total", { outcome: "O1ServerError", transport: "none" }), 1)
      assert.strictEqual(valueOf("o1_connections_total", { origin: "https://a", outcome: "failed" }), 1)
      assert.strictEqual(valueOf("o1_connection_duration_seconds_sum", { origin: "https://a" }), 2)
      assert.strictEqual(valueOf("gen_ai_client_token_usage_sum", { gen_ai_token_type: "output" }), 20)
    }))

  it.effect("begins with zero: a deployment that is named, or that is first seen", () =>
    Effect.gen(function*() {
      const named = yield* observed([], O1Metrics.layer({ deployments: ["a", "b"] }))
      assert.deepStrictEqual(named.map(({ name }) => name), ["o1_calls_total", "o1_tokens_total"])
      assert.isTrue(named.flatMap(({ samples }) => samples).every(({ value }) => value === 0))
      assert.isEmpty(yield* observed([]))
    }))

  it.effect("has no more series however many deployments, models, origins and kinds of errors there are", () =>
    Effect.gen(function*() {
      const seriesOf = (count: number) =>
        Effect.map(
          observed(
            Array.from({ length: count }, (_, i) => [
              call(`O1ServerError/kind ${i}`, `deployment ${i}`),
              attempt("success", `deployment ${i}`),
              connection(`https://${i}`)
            ]).flat(),
            O1Metrics.layer({ maxNames: 5 })
          ),
          (families) => families.reduce((sum, { samples }) => sum + samples.length, 0)
        )
      assert.strictEqual(yield* seriesOf(300), yield* seriesOf(20))
    }))

  it.effect("adds to the monitor", () =>
    Effect.gen(function*() {
      const observe = yield* O1Observer
      observe!(call("success"))
      assert.isNotEmpty(yield* Metric.snapshot)
      assert.lengthOf((yield* (yield* O1Monitor).snapshot).series, 1)
    }).pipe(
      Effect.provide(Layer.provideMerge(O1Metrics.layer(), O1Monitor.layer())),
      Effect.provideService(Metric.MetricRegistry, new Map())
    ))

  it("refuses a bad option", () => {
    for (const maxNames of [0, 1.5, NaN, -1]) {
      assert.throws(
        () => O1Metrics.layer({ maxNames }),
        RangeError,
        "O1Metrics.layer: maxNames must be an integer >= 1"
      )
    }
  })

  it("is in the tables of the module and of the page", () => {
    for (const path of ["../../src/metrics/O1Metrics.ts", "../../../../docs/monitor.md"]) {
      const text = readFileSync(new URL(path, import.meta.url), "utf8")
      const listed = Array.from(text.matchAll(/^[ *]*\| `((?:gen_ai|o1)\.[a-z_.]+)` +\|/gmu), ([, id]) => id!)
      assert.sameMembers(listed, Object.keys(catalogue), path)
    }
  })
})
