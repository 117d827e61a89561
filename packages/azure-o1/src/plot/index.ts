/**
 * A picture of how long attempts take, drawn by `@effect-resilience/core/plot`: a program that draws installs `d3-scale` and `d3-shape`.
 *
 * @since 0.1.0
 */
import * as Histogram from "@effect-resilience/core/Histogram"
import * as Plot from "@effect-resilience/core/plot"
import * as Duration from "effect/Duration"
import { showMillis } from "../monitor/format.ts"
import type { MonitorSnapshot, SeriesSnapshot } from "../monitor/snapshot.ts"
import type { ReasoningEffort } from "../O1Request.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface LatencySvgOptions {
  /** Limits to be drawn in, by the name that stands beside each. One that is zero or infinite has no place and is left out. */
  readonly limits?: Readonly<Record<string, Duration.Input>> | undefined
  /** Only what belongs to this deployment, model or effort; together by default. */
  readonly deployment?: string | undefined
  readonly model?: string | undefined
  readonly effort?: ReasoningEffort | undefined
}

const columns = 40

type Bar = readonly [from: number, to: number, value: number]

/** How much of what was seen and cut off falls into each column; a bucket that lies in two is shared between them. */
const columnsOf = (
  sketch: Histogram.Histogram
): { readonly seen: ReadonlyArray<Bar>; readonly cutOff: ReadonlyArray<Bar> } => {
  const buckets = sketch.bars()
  if (buckets.length === 0) return { seen: [], cutOff: [] }
  const first = Math.log(Math.min(...buckets.map(({ from }) => from)))
  const size = (Math.log(Math.max(...buckets.map(({ to }) => to))) - first) / columns
  const sums = Array.from({ length: columns }, (): [number, number] => [0, 0])
  for (const { censored, from, observed, to } of buckets) {
    const [start, end] = [(Math.log(from) - first) / size, (Math.log(to) - first) / size]
    for (let column = Math.floor(start); column < columns; column++) {
      const share = (Math.min(end, column + 1) - Math.max(start, column)) / (end - start)
      const sum = sums[column]
      if (!(share > 0) || sum === undefined) break
      sum[0] += observed * share
      sum[1] += censored * share
    }
  }
  const edge = (column: number): number => Math.exp(first + column * size)
  const barsOf = (which: 0 | 1): ReadonlyArray<Bar> =>
    sums.map((sum, column) => [edge(column), edge(column + 1), sum[which]] as const)
  return { seen: barsOf(0), cutOff: barsOf(1) }
}

const quantilesOf = (sketch: Histogram.Histogram): ReadonlyArray<Plot.Rule> =>
  [0.5, 0.95, 0.99].flatMap((q) => {
    const estimate = sketch.quantile(q)
    return estimate?._tag === "Known"
      ? [Plot.rule({ name: `p${q * 100} ${showMillis(estimate.value)}`, at: estimate.value })]
      : []
  })

const longest = 24

/** Names may be of any length; the time that follows one stays. */
const limitOf = ([name, at]: readonly [string, number]): Plot.Rule => {
  const letters = Array.from(name)
  const short = letters.length > longest ? `${letters.slice(0, longest).join("")}…` : name
  return Plot.rule({ name: `${short} ${showMillis(at)}`, at, kind: "limit" })
}

const chosen = (
  { deployment, effort, model }: LatencySvgOptions
): (series: SeriesSnapshot) => boolean =>
(series) =>
  (deployment === undefined || series.deployment === deployment) &&
  (model === undefined || series.model === model) &&
  (effort === undefined || series.effort === effort)

/**
 * Draws how long attempts take, as an SVG document: a histogram of their number over logarithmic time. A cut-off attempt has a colour
 * of its own. Solid lines are the median, the 95th and the 99th percentile where they are known, dashed ones the limits that are given.
 * The picture follows the colour scheme of the reader, light or dark, and loads nothing from elsewhere.
 *
 * **Example** (A picture with two limits)
 *
 * ```ts
 * import { O1Monitor } from "@effect-resilience/azure-o1"
 * import { latencySvg } from "@effect-resilience/azure-o1/plot"
 * import { Effect } from "effect"
 *
 * const picture = Effect.gen(function*() {
 *   const monitor = yield* O1Monitor
 *   const snapshot = yield* monitor.snapshot
 *   return latencySvg(snapshot, { effort: "high", limits: { now: "60 seconds", recommended: "95 seconds" } })
 * })
 * ```
 *
 * @category pictures
 * @since 0.1.0
 */
export const latencySvg = (snapshot: MonitorSnapshot, options: LatencySvgOptions = {}): string => {
  const limits = Object.entries(options.limits ?? {})
    .map(([name, at]) => [name, Duration.toMillis(at)] as const)
    .filter(([, at]) => at > 0 && at < Infinity)
  const sketch = Histogram.empty()
  for (const series of snapshot.series.filter(chosen(options))) sketch.merge(series.attempts.total)
  const filter = [options.deployment, options.model, options.effort].filter((part) => part !== undefined)
  const { cutOff, seen } = columnsOf(sketch)
  const count = (number: number): string => String(Math.round(number))
  const axis = { label: "time of an attempt (logarithmic scale)", scale: "logarithmic" } as const
  return Plot.svg({
    title: ["How long attempts take", ...filter].join(", "),
    empty: "Nothing was observed.",
    // a scale of nothing and no limit
    x: Plot.duration(seen.length + limits.length === 0 ? { ...axis, from: 1000, to: 100_000 } : axis),
    panels: [{
      y: { label: "number of attempts" },
      marks: [
        Plot.bars({ name: `${count(sketch.observed)} answers`, bars: seen }),
        Plot.bars({ name: `${count(sketch.censored)} attempts cut off`, bars: cutOff }),
        ...quantilesOf(sketch),
        ...limits.map(limitOf)
      ]
    }]
  })
}
