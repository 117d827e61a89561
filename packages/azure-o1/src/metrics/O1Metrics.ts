/**
 * Counts and times the calls of the client, in the words of OpenTelemetry's conventions for generative AI where it has them.
 *
 * Provide `O1Metrics.layer()` around a program, with an exporter of `effect/observability`. `Observability.layer` of core tells what the policies
 * decide; this layer tells what calls cost.
 *
 * **Example** (What a scrape of Prometheus reads)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, user } from "@effect-resilience/azure-o1"
 * import { O1Metrics } from "@effect-resilience/azure-o1/metrics"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect, Layer, Metric } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   yield* o1.complete({ messages: [user("Hello")] })
 *   const text = yield* PrometheusMetrics.format({ metricNameMapper: O1Metrics.prometheusName })
 *   return text.split("\n").filter((line) => line.startsWith("o1_calls_total"))
 * })
 *
 * const test = Layer.mergeAll(AzureO1Test.layerTransport([AzureO1Test.answer("42")]), O1Metrics.layer())
 * const lines = await Effect.runPromise(
 *   program.pipe(Effect.provide(test), Effect.provideService(Metric.MetricRegistry, new Map()))
 * )
 * lines[0] // => "o1_calls_total{deployment=\"o1\",outcome=\"success\"} 1"
 * lines[1] // => "o1_calls_total{deployment=\"o1\",outcome=\"interrupted\"} 0"
 * ```
 *
 * **Details**
 *
 * | metric | kind | labels |
 * | --- | --- | --- |
 * | `gen_ai.client.operation.duration` | histogram of calls, seconds | those of the conventions (below), `error.type` |
 * | `gen_ai.client.operation.time_to_first_chunk` | histogram of streams, seconds | the same |
 * | `gen_ai.client.token.usage` | histogram of calls, tokens | those of the conventions, `gen_ai.token.type`: `input` or `output` |
 * | `o1.calls` | counter | deployment, outcome |
 * | `o1.attempts` | counter | deployment, outcome, transport |
 * | `o1.attempt.duration` | histogram, seconds | deployment, outcome |
 * | `o1.tokens` | counter | deployment, type: `input` with `cached` in it, `output` with `reasoning` in it |
 * | `o1.connections` | counter | origin, outcome: `made` or `failed` |
 * | `o1.connection.duration` | histogram, seconds | origin |
 *
 * The labels of the conventions are `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model` (the deployment) and
 * `gen_ai.response.model`. An outcome is `success`, `interrupted`, `defect` or the class of the error; `error.type` has its kind as well. Labels
 * never hold a part of a prompt or an answer.
 *
 * The conventions end the buckets of a duration at 82 seconds; these go on to 22 minutes, for a reasoning model takes its time.
 *
 * **Gotchas**
 *
 * The layer adds to the observer that it finds beneath it. With `O1Monitor.layer` put one upon the other by `Layer.provideMerge`: side by side in
 * `Layer.mergeAll` only the last one observes.
 *
 * @since 0.1.0
 */
import * as Observability from "@effect-resilience/core/Observability"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { both } from "../monitor/observers.ts"
import { O1Observer } from "../O1Observation.ts"
import { catalogue, type Id } from "./catalogue.ts"
import { Meter } from "./meter.ts"

/**
 * The layer that measures. A bad option throws a `RangeError` that names it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  /**
   * The most deployments, models, origins and kinds of errors that are labels of their own; the others share the label `other`.
   *
   * @default 100
   */
  readonly maxNames?: number | undefined
  /**
   * The deployments that are there before their first call: their counters begin with zero.
   *
   * @default none
   */
  readonly deployments?: ReadonlyArray<string> | undefined
} = {}): Layer.Layer<never> => {
  const { deployments = [], maxNames = 100 } = options
  if (!Number.isSafeInteger(maxNames) || maxNames < 1) {
    throw new RangeError(`O1Metrics.layer: maxNames must be an integer >= 1, got ${String(maxNames)}`)
  }
  return Layer.effect(
    O1Observer,
    Effect.gen(function*() {
      const meter = new Meter(yield* Effect.context(), maxNames)
      for (const deployment of deployments) meter.begin(deployment)
      const other = yield* O1Observer
      return other === undefined ? meter.observe : both([meter.observe, other])
    })
  )
}

/**
 * The name of a metric in Prometheus, as OpenTelemetry's rules make it: give it to `PrometheusMetrics` as `metricNameMapper`. It knows the metrics of
 * the client and those of the policies, and leaves others alone.
 *
 * @category accessors
 * @since 0.1.0
 */
export const prometheusName = (id: string): string =>
  Observability.prometheusName(id, Object.hasOwn(catalogue, id) ? catalogue[id as Id] : undefined)
