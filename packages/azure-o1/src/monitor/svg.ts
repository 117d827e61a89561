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
const height = 400
const left = 16
const right = width - 16
const bottom = height - 44
const columns = 40
const rowHeight = 18
const top = 64

const style = `
svg { color-scheme: light dark }
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 }
.ground { fill: #ffffff }
.axis { stroke: #8c959f }
.grid { stroke: #d0d7de }
.seen { fill: #3b76b0 }
.cut { fill: #d9822b }
.quantile { stroke: #24292f }
.limit { stroke: #b3261e; stroke-width: 2; stroke-dasharray: 6 4 }
.limit-label { fill: #b3261e; font-weight: 600 }
.mark { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117 }
.axis { stroke: #7d8590 }
.grid { stroke: #30363d }
.seen { fill: #6ca4dc }
.cut { fill: #f0a04b }
.quantile { stroke: #e6edf3 }
.limit { stroke: #ff8a80 }
.limit-label { fill: #ff8a80 }
.mark { stroke: #0d1117 }
}`

const escape = (text: string): string =>
  text
    // characters that XML does not have
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\"", "&quot;")

const round = (value: number): string => String(Math.round(value * 10) / 10)

const element = (name: string, attributes: Readonly<Record<string, string | number>>, content = ""): string => {
  const shown = Object.entries(attributes).map(([key, value]) =>
    ` ${key}="${typeof value === "number" ? round(value) : escape(value)}"`
  )
  return content === "" ? `<${name}${shown.join("")}/>` : `<${name}${shown.join("")}>${content}</${name}>`
}

const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  element("line", { x1, y1, x2, y2, class: kind })

const label = (x: number, y: number, text: string, attributes: Readonly<Record<string, string>> = {}): string =>
  element("text", { x, y, ...attributes }, escape(text))

/** From a time to its place; both ends are beyond everything that is drawn. */
interface Scale {
  readonly from: number
  readonly to: number
  readonly x: (millis: number) => number
}

const scaleOf = (values: ReadonlyArray<number>): Scale => {
  const positive = values.filter((value) => value > 0)
  const from = Math.min(...positive) / 1.3
  const to = Math.max(...positive) * 1.6
  const x = (millis: number): number =>
    left + (right - left) * Math.log(Math.max(millis, from) / from) / Math.log(to / from)
  return { from, to, x }
}

const seconds = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200, 18_000]
const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, ...seconds.map((value) => value * 1000)]

const axis = ({ from, to, x }: Scale): ReadonlyArray<string> => [
  ...ticks.filter((tick) => tick > from * 1.05 && tick < to / 1.05).map((tick) =>
    line(x(tick), top, x(tick), bottom, "grid") +
    label(x(tick), bottom + 16, showMillis(tick).replace(".0", ""), { "text-anchor": "middle" })
  ),
  line(left, bottom, right, bottom, "axis")
]

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

interface Mark {
  readonly at: number
  readonly text: string
  readonly kind: "quantile" | "limit"
}

const marksOf = (
  sketch: Histogram.Histogram,
  limits: ReadonlyArray<readonly [string, number]>
): ReadonlyArray<Mark> => {
  const quantiles = [0.5, 0.95, 0.99].flatMap((q): ReadonlyArray<Mark> => {
    const estimate = sketch.quantile(q)
    return estimate?._tag === "Known"
      ? [{ at: estimate.value, text: `p${q * 100} ${showMillis(estimate.value)}`, kind: "quantile" }]
      : []
  })
  const drawn = limits.map(([name, at]): Mark => ({ at, text: `${name} ${showMillis(at)}`, kind: "limit" }))
  return [...quantiles, ...drawn].toSorted((a, b) => a.at - b.at)
}

interface PlacedMark extends Mark {
  readonly x: number
  readonly row: number
  /** The label is to the left of its line. */
  readonly turned: boolean
}

/** Each label beside its line, in the first row where there is room for it. */
const place = (marks: ReadonlyArray<Mark>, { x: placeOf }: Scale): ReadonlyArray<PlacedMark> => {
  const ends: Array<number> = []
  return marks.map((mark) => {
    const x = placeOf(mark.at)
    const length = mark.text.length * 7.2 + 10
    const turned = x + length > right
    const start = turned ? x - length : x
    const free = ends.findIndex((end) => end <= start)
    const row = free === -1 ? ends.length : free
    ends[row] = start + length
    return { ...mark, x, row, turned }
  })
}

const drawMarks = (marks: ReadonlyArray<PlacedMark>): ReadonlyArray<string> => [
  ...marks.map(({ kind, row, x }) => line(x, top + 3 + row * rowHeight, x, bottom, kind)),
  ...marks.map(({ kind, row, text, turned, x }) =>
    label(turned ? x - 6 : x + 6, top + 14 + row * rowHeight, text, {
      class: kind === "limit" ? "mark limit-label" : "mark",
      "text-anchor": turned ? "end" : "start"
    })
  )
]

/** A bar of nothing is none. */
const bar = (x: number, y: number, barHeight: number, kind: string): string =>
  barHeight < 0.05
    ? ""
    : element("rect", { x: x + 0.5, y, width: (right - left) / columns - 1, height: barHeight, class: kind })

const bars = (sketch: Histogram.Histogram, scale: Scale, highestY: number): ReadonlyArray<string> => {
  const sums = columnsOf(sketch, scale)
  const unit = (bottom - highestY) / Math.max(...sums.map(([seen, cutOff]) => seen + cutOff))
  return sums.map(([seen, cutOff], column) => {
    const x = left + column * (right - left) / columns
    const y = bottom - seen * unit
    return bar(x, y, seen * unit, "seen") + bar(x, y - cutOff * unit, cutOff * unit, "cut")
  }).filter((drawn) => drawn !== "")
}

const legend = (sketch: Histogram.Histogram): ReadonlyArray<string> => {
  const entry = (x: number, kind: string, text: string): ReadonlyArray<string> => [
    element("rect", { x, y: 40, width: 10, height: 10, class: kind }),
    label(x + 16, 49, text)
  ]
  return [
    ...entry(left, "seen", `${round(sketch.observed)} answers`),
    ...entry(left + 160, "cut", `${round(sketch.censored)} attempts cut off`)
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
 * How long attempts take, as an SVG document: a histogram over a logarithmic axis, what was cut off in another colour, the
 * median, the 95th and the 99th percentile where they are known, and the limits that are given. For light and dark; nothing
 * in it is loaded from elsewhere.
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
  const title = ["Time of an attempt", ...filter].join(", ")
  const empty = sketch.observed + sketch.censored === 0
  const scale = scaleOf([
    ...sketch.bars().flatMap(({ from, to }) => [from, to]),
    ...limits.map(([, at]) => at),
    ...empty ? [1000, 100_000] : []
  ])
  const marks = place(marksOf(sketch, limits), scale)
  // the bars begin below the labels
  const highestY = top + rowHeight * (1 + Math.max(0, ...marks.map(({ row }) => row)))
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title
    },
    [
      `<title>${escape(title)}</title>`,
      `<style>${style}</style>`,
      element("rect", { width, height, class: "ground" }),
      label(left, 26, title, { class: "title" }),
      ...legend(sketch),
      ...axis(scale),
      ...empty
        ? [label(width / 2, height / 2, "Nothing was observed.", { "text-anchor": "middle" })]
        : bars(sketch, scale, highestY),
      ...drawMarks(marks)
    ].join("\n")
  ) + "\n"
}
