/** The report of a run: a table of its phases, the promises, and a plot. */
import * as Plot from "@effect-resilience/core/plot"
import type { Check } from "./checks.ts"
import type { Outcome } from "./load.ts"
import type { Look, Run } from "./run.ts"
import { type Phase, phaseAt, type Region, regions, requestsPerMinute, squeezed } from "./scenario.ts"

export interface Row {
  readonly title: string
  readonly calls: number
  readonly answered: number
  readonly lost: number
  /** In milliseconds; absent where nothing was answered. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  readonly by: Readonly<Record<string, number>>
}

const quantile = (sorted: ReadonlyArray<number>, q: number): number | undefined =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]

const rowOf = (title: string, outcomes: ReadonlyArray<Outcome>): Row => {
  const answered = outcomes.filter(({ answer }) => answer !== undefined)
  const times = answered.map(({ from, to }) => to - from).toSorted((a, b) => a - b)
  return {
    title,
    calls: outcomes.length,
    answered: answered.length,
    lost: outcomes.length - answered.length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    by: Object.fromEntries(
      regions.map((region) => [region, answered.filter(({ answer }) => answer!.deployment === region).length])
    )
  }
}

/** What became of the calls of each phase, by the moment at which they came, and of all of them. */
export const rowsOf = ({ outcomes, phases }: Run): ReadonlyArray<Row> => [
  ...phases.map((phase) => rowOf(phase.title, outcomes.filter(({ from }) => phaseAt(phases, from / 1000) === phase))),
  rowOf("all calls", outcomes)
]

const time = (millis: number | undefined): string => millis === undefined ? "-" : Plot.showDuration(millis)

/** The rows as a table of 78 columns. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const line = (title: string, ...cells: ReadonlyArray<string>): string =>
    `${title.padEnd(36)}${cells.map((cell) => cell.padStart(6)).join("")}`
  return [
    line("calls that came while", "calls", "lost", "p50", "p99", ...regions),
    ...rows.map(({ by, calls, lost, p50, p99, title }) =>
      line(title, String(calls), String(lost), time(p50), time(p99), ...regions.map((region) => String(by[region])))
    )
  ].join("\n")
}

/** The promises, each with what was seen. */
export const promises = (checks: ReadonlyArray<Check>): string =>
  checks.map(({ holds, promise, seen }) => `${holds ? "kept  " : "BROKEN"}  ${promise}\n        ${seen}`).join("\n")

const perSecond = (outcomes: ReadonlyArray<Outcome>, seconds: number): ReadonlyArray<Plot.Point> =>
  Array.from(
    { length: Math.ceil(seconds) },
    (_, second) => [second * 1000, outcomes.filter(({ to }) => Math.floor(to / 1000) === second).length] as const
  )

const latencies = (outcomes: ReadonlyArray<Outcome>, seconds: number) =>
  Array.from({ length: Math.ceil(seconds / 2) }, (_, i) => {
    const times = outcomes.filter(({ answer, from }) => answer !== undefined && Math.floor(from / 2000) === i)
      .map(({ from, to }) => to - from).toSorted((a, b) => a - b)
    return [i * 2000, quantile(times, 0.5) ?? Number.NaN, quantile(times, 0.99) ?? Number.NaN] as const
  })

/** The requests that a region was asked in each ten seconds, at each look. */
const asked = (looks: ReadonlyArray<Look>, region: Region): ReadonlyArray<Plot.Point> =>
  looks.map(({ at, regions }) => {
    const before = looks.findLast((look) => look.at <= at - 10)
    return [at * 1000, regions[region].asked - (before?.regions[region].asked ?? 0)] as const
  })

const spansOf = (phases: ReadonlyArray<Phase>, labelled: boolean): ReadonlyArray<Plot.Mark> =>
  phases.filter(({ step }) => step !== "steady" && step !== "recovery" && step !== "kill").map(({ from, title, to }) =>
    Plot.span({ name: labelled ? title : "", from: from * 1000, to: to * 1000 })
  )

/** A picture of the run: answers, times, and what each deployment was asked against what it admits. */
export const picture = (run: Run): string => {
  const { looks, moments, outcomes, phases, seconds } = run
  const squeeze = phases.find(({ step }) => step === "squeeze")!
  return Plot.svg({
    title: `${seconds} seconds of a fleet: three processes, three deployments, one quota`,
    x: Plot.duration({ label: "time since the load began", from: 0 }),
    panels: [
      {
        y: { label: "answers per second" },
        marks: [
          ...spansOf(phases, true),
          Plot.rule({ name: "a process is killed", at: moments.killed * 1000, kind: "limit" }),
          ...regions.map((region) =>
            Plot.line({
              name: region,
              points: perSecond(outcomes.filter(({ answer }) => answer?.deployment === region), seconds)
            })
          )
        ]
      },
      {
        y: Plot.duration({ label: "time of a call", scale: "logarithmic" }),
        marks: [
          ...spansOf(phases, false),
          Plot.band({ name: "median to p99", points: latencies(outcomes, seconds) })
        ]
      },
      {
        y: { label: "requests in 10 s" },
        marks: [
          ...spansOf(phases, false),
          ...regions.map((region) => Plot.line({ name: region, points: asked(looks, region) })),
          Plot.line({
            name: "what a deployment admits (west)",
            steps: true,
            points: [
              [0, requestsPerMinute / 6],
              [squeeze.from * 1000, squeezed / 6],
              [squeeze.to * 1000, requestsPerMinute / 6],
              [seconds * 1000, requestsPerMinute / 6]
            ]
          })
        ]
      }
    ]
  })
}
