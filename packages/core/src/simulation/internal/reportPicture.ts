import { evenTicks, namedTicks, show } from "../../plot/internal/durations.ts"
import type { Mark, Options as Picture, Point } from "../../plot/internal/model.ts"
import type { ClientReport, Comparison, Report, Spread } from "./reportModel.ts"

interface Line {
  readonly name: string
  readonly points: ReadonlyArray<Point>
}

const line = (one: Line): Mark => ({ _tag: "Line", ...one })

const middle = (i: number, interval: number): number => (i + 0.5) * interval

const points = (values: ReadonlyArray<number | null>, interval: number, factor = 1): ReadonlyArray<Point> =>
  values.map((value, i) => [middle(i, interval), value === null ? Number.NaN : value * factor])

/** Two panels over the time of a run. `marks` stand in both, and their names in the upper one. */
const panels = (
  title: string,
  marks: ReadonlyArray<Mark>,
  above: { readonly label: string; readonly marks: ReadonlyArray<Mark> },
  below: { readonly label: string; readonly marks: ReadonlyArray<Mark>; readonly scale: "linear" | "logarithmic" }
): Picture => {
  const { label, scale } = below
  return {
    title,
    x: { label: "time since the start", ticks: evenTicks, format: show },
    panels: [
      { y: { label: above.label }, marks: [...marks, ...above.marks] },
      {
        y: { label, scale, ticks: scale === "linear" ? evenTicks : namedTicks, format: show },
        marks: [...marks.map((mark): Mark => ({ ...mark, name: "" })), ...below.marks]
      }
    ]
  }
}

export const reportPicture = (
  { interval }: Report,
  client: ClientReport | undefined,
  title: string,
  marks: ReadonlyArray<Mark>
): Picture => {
  const perSecond = (name: string, counts: ReadonlyArray<number>): Mark =>
    line({ name, points: points(counts, interval, 1000 / interval) })
  const latency = (name: string, values: ReadonlyArray<number | null>): Mark =>
    line({ name, points: points(values, interval) })
  const calls = client === undefined ? [] : [
    perSecond("offered", client.series.offered),
    perSecond("sent", client.series.attempts),
    perSecond("succeeded", client.series.succeeded)
  ]
  const latencies = client === undefined
    ? []
    : [latency("p50", client.series.p50), latency("p99", client.series.p99)]
  return panels(
    title,
    marks,
    { label: "calls per second", marks: calls },
    { label: "latency of what succeeded", marks: latencies, scale: "linear" }
  )
}

/** A line for the mean; where there are several seeds, a band from the lowest to the highest. */
const spread = (
  name: string,
  { high, low, mean }: Spread,
  interval: number,
  seeds: number,
  factor = 1
): Array<Mark> => [
  line({ name, points: points(mean, interval, factor) }),
  ...seeds > 1
    ? [{
      _tag: "Band" as const,
      name,
      points: low.map((value, i) =>
        [middle(i, interval), (value ?? Number.NaN) * factor, (high[i] ?? Number.NaN) * factor] as const
      )
    }]
    : []
]

export const comparisonPicture = (
  { interval, stacks }: Comparison,
  title: string,
  marks: ReadonlyArray<Mark>
): Picture => {
  const factor = 1000 / interval
  const goodput = stacks.flatMap(({ name, seeds, series }) =>
    spread(name, series.succeeded, interval, seeds.length, factor)
  )
  const p99 = stacks.flatMap(({ name, seeds, series }) => spread(name, series.p99, interval, seeds.length))
  const offered = line({ name: "offered", points: points(stacks[0]!.series.offered.mean, interval, factor) })
  return panels(
    title,
    marks,
    { label: "goodput, calls per second", marks: [offered, ...goodput] },
    { label: "p99 of what succeeded", marks: p99, scale: "logarithmic" }
  )
}
