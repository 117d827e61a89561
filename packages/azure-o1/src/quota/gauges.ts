import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type { Deployment } from "./deployment.ts"

const remaining = Metric.gauge("o1.quota.remaining", {
  description: "The rest of the minute of a deployment, in requests or tokens",
  attributes: { unit: "{unit}" }
})

const limit = Metric.gauge("o1.quota.limit", {
  description: "How much a deployment allows in a minute, in requests or tokens",
  attributes: { unit: "{unit}" }
})

const waiting = Metric.gauge("o1.quota.waiting", {
  description: "Calls that wait for the quota of a deployment",
  attributes: { unit: "{call}" }
})

const dimensions = ["requests", "tokens"] as const

/**
 * Shows a deployment in the metrics. A snapshot reads it, so that a call pays nothing. A snapshot does not wait for a store: with a shared limiter it shows
 * what was known last. Gives what ends it.
 */
export const measure = (deployment: Deployment, context: Context.Context<never>): () => void => {
  const known = { requests: Number.NaN, tokens: Number.NaN }
  const left = (dimension: typeof dimensions[number]): number => {
    const now = Effect.runSyncExitWith(context)(deployment.limited.remaining)
    if (Exit.isSuccess(now)) { for (const each of dimensions) known[each] = now.value[each] ?? Number.NaN }
    return known[dimension]
  }
  const series: Array<Metric.Registration> = []
  const show = (metric: Metric.Gauge<number>, labels: Readonly<Record<string, string>>, get: () => number): void => {
    const attributes = {
      ...Context.get(context, Metric.CurrentMetricAttributes),
      deployment: deployment.name,
      ...labels
    }
    const there = Context.add(context, Metric.CurrentMetricAttributes, attributes)
    series.push(
      Metric.registerUnsafe(metric, there, { get: () => ({ value: get() }), update: constVoid, modify: constVoid })
    )
  }
  for (const dimension of dimensions) {
    show(remaining, { dimension }, () => left(dimension))
    show(limit, { dimension }, () => deployment.limited.limits[dimension] ?? Number.NaN)
  }
  show(waiting, {}, () => deployment.queue.size)
  return () => series.forEach((each) => each.remove())
}
