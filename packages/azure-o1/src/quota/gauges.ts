import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type { Deployment } from "./deployment.ts"
import type { Hour } from "./hour.ts"

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

const spent = Metric.gauge("o1.quota.spent", {
  description: "The tokens that all deployments took in the last hour",
  attributes: { unit: "{token}" }
})

const dimensions = ["requests", "tokens"] as const

/** The series of one thing that is measured, which all end together. */
const shown = (context: Context.Context<never>) => {
  const series: Array<Metric.Registration> = []
  return {
    show: (metric: Metric.Gauge<number>, labels: Readonly<Record<string, string>>, get: () => number): void => {
      const attributes = { ...Context.get(context, Metric.CurrentMetricAttributes), ...labels }
      const there = Context.add(context, Metric.CurrentMetricAttributes, attributes)
      series.push(
        Metric.registerUnsafe(metric, there, { get: () => ({ value: get() }), update: constVoid, modify: constVoid })
      )
    },
    end: (): void => series.forEach((each) => each.remove())
  }
}

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
  const { end, show } = shown(context)
  const labels = { deployment: deployment.name }
  for (const dimension of dimensions) {
    show(remaining, { ...labels, dimension }, () => left(dimension))
    show(limit, { ...labels, dimension }, () => deployment.limited.limits[dimension] ?? Number.NaN)
  }
  show(waiting, labels, () => deployment.queue.size)
  return end
}

/** The same for the hour. */
export const measureHour = (hour: Hour, context: Context.Context<never>): () => void => {
  const { end, show } = shown(context)
  let known = Number.NaN
  show(spent, {}, () => {
    const now = Effect.runSyncExitWith(context)(hour.spent)
    if (Exit.isSuccess(now)) known = now.value
    return known
  })
  return end
}
