/**
 * A picture of how long attempts take.
 *
 * @since 0.1.0
 */
import { Histogram } from "@effect-resilience/core"
import * as Duration from "effect/Duration"
import type { ReasoningEffort } from "../O1Request.ts"
import { showMillis } from "./format.ts"
import type { MonitorSnapshot, SeriesSnapshot } from "./snapshot.ts"
import { element, escape, label, line, round, shorten, style, widthOf } from "./svgElements.ts"
import { drawMarks, type Mark, markOf, place, rowHeight, type Scale, scaleOf } from "./svgMarks.ts"

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

const width = 800
const left = 72
const right = width - 16
const columns = 40
/** Of the bars. */
const height = 240
/** Where the first label of a line may begin, below the title and the legend. */
const top = 64

const seconds = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200, 18_000]
const times = [1, 2, 5, 10, 20, 50, 100, 200, 500, ...seconds.map((value) => value * 1000)]

const timeAxis = ({ from, to, x }: Scale, start: number, end: number): ReadonlyArray<string> => {
  let free = -Infinity
  const drawn: Array<string> = []
  for (const time of times.filter((each) => each > from && each < to)) {
    const text = showMillis(time).replace(".0", "")
    const half = widthOf(text) / 2
    if (x(time) - half < free || x(time) + half > right) continue
    free = x(time) + half + 6
    drawn.push(
      line(x(time), start, x(time), end + 4, "grid"),
      label(x(time), end + 18, text, { "text-anchor": "middle" })
    )
  }
  return [
    ...drawn,
    line(left, end, right, end, "axis"),
    label((left + right) / 2, end + 40, "time of an attempt (logarithmic scale)", { "text-anchor": "middle" })
  ]
}

/** The least of 1, 2, 5, 10, ... with at most five steps up to the highest bar. */
const stepOf = (highest: number): number => {
  const power = 10 ** Math.floor(Math.log10(highest / 5))
  return power * ([1, 2, 5].find((each) => each * power * 5 >= highest) ?? 10)
}

const numberAxis = (highest: number, start: number, end: number): ReadonlyArray<string> => {
  const compact = new Intl.NumberFormat("en", { notation: "compact" })
  const step = stepOf(highest)
  const numbers = Array.from({ length: Math.floor(highest / step) + 1 }, (_, index) => index * step)
  const y = (number: number): number => end - (end - start) * number / highest
  return numbers.flatMap((number) => [
    line(left - 4, y(number), right, y(number), "grid"),
    label(left - 8, y(number) + 4, compact.format(number), { "text-anchor": "end" })
  ])
}

const numberTitle = (y: number): string =>
  label(24, y, "number of attempts", { "text-anchor": "middle", transform: `rotate(-90 24 ${round(y)})` })

/** How much of what was seen and cut off falls into each column; a bucket that lies in two is shared between them. */
const columnsOf = (
  sketch: Histogram.Histogram,
  { x }: Scale
): ReadonlyArray<readonly [seen: number, cutOff: number]> => {
  const size = (right - left) / columns
  const sums = Array.from({ length: columns }, (): [number, number] => [0, 0])
  for (const { censored, from, observed, to } of sketch.bars()) {
    const [start, end] = [x(from), x(to)]
    for (let column = Math.floor((start - left) / size); column < columns; column++) {
      const edge = left + column * size
      const share = (Math.min(end, edge + size) - Math.max(start, edge)) / (end - start)
      const sum = sums[column]
      if (!(share > 0) || sum === undefined) break
      sum[0] += observed * share
      sum[1] += censored * share
    }
  }
  return sums
}

const marksOf = (
  sketch: Histogram.Histogram,
  limits: ReadonlyArray<readonly [string, number]>
): ReadonlyArray<Mark> => {
  const quantiles = [0.5, 0.95, 0.99].flatMap((q): ReadonlyArray<Mark> => {
    const estimate = sketch.quantile(q)
    return estimate?._tag === "Known"
      ? [markOf(`p${q * 100}`, showMillis(estimate.value), estimate.value, "quantile")]
      : []
  })
  return [...quantiles, ...limits.map(([name, at]) => markOf(name, showMillis(at), at, "limit"))]
}

/** A bar of nothing is none. */
const bar = (x: number, y: number, barHeight: number, kind: string): string =>
  barHeight < 0.05
    ? ""
    : element("rect", { x: x + 0.5, y, width: (right - left) / columns - 1, height: barHeight, class: kind })

const bars = (sketch: Histogram.Histogram, scale: Scale, start: number, end: number): ReadonlyArray<string> => {
  const sums = columnsOf(sketch, scale)
  const highest = Math.max(...sums.map(([seen, cutOff]) => seen + cutOff))
  const unit = (end - start) / highest
  return [
    ...numberAxis(highest, start, end),
    ...sums.map(([seen, cutOff], column) => {
      const x = left + column * (right - left) / columns
      const y = end - seen * unit
      return bar(x, y, seen * unit, "seen") + bar(x, y - cutOff * unit, cutOff * unit, "cut")
    }).filter((drawn) => drawn !== "")
  ]
}

const legend = (sketch: Histogram.Histogram): ReadonlyArray<string> => {
  const entry = (x: number, kind: string, text: string): ReadonlyArray<string> => [
    element("rect", { x, y: 40, width: 10, height: 10, class: kind }),
    label(x + 16, 49, text)
  ]
  const answers = `${round(sketch.observed)} answers`
  return [
    ...entry(left, "seen", answers),
    ...entry(left + widthOf(answers) + 40, "cut", `${round(sketch.censored)} attempts cut off`)
  ]
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
 * import { latencySvg, O1Monitor } from "@effect-resilience/azure-o1"
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
  const title = ["How long attempts take", ...filter].join(", ")
  const empty = sketch.observed + sketch.censored === 0
  const marks = marksOf(sketch, limits)
  const scale = scaleOf(
    [
      ...sketch.bars().flatMap(({ from, to }) => [from, to]),
      ...limits.map(([, at]) => at),
      ...empty ? [1000, 100_000] : []
    ],
    marks,
    left,
    right
  )
  const placed = place(marks, scale)
  // the bars begin below the labels
  const start = top + rowHeight * (1 + Math.max(0, ...placed.map(({ row }) => row)))
  const end = start + height
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${end + 54}`,
      width,
      height: end + 54,
      role: "img",
      "aria-label": title
    },
    [
      `<title>${escape(title)}</title>`,
      `<style>${style}</style>`,
      element("rect", { width, height: end + 54, class: "ground" }),
      label(16, 26, shorten(title, 880), { class: "title" }),
      ...empty ? [label(left, 49, "Nothing was observed.")] : legend(sketch),
      ...timeAxis(scale, start, end),
      numberTitle((start + end) / 2),
      ...empty ? [] : bars(sketch, scale, start, end),
      ...drawMarks(placed, top, end)
    ].join("\n")
  ) + "\n"
}
