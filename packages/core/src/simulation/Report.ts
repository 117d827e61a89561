/**
 * What a run has counted: plain data, which JSON keeps.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { checkedOptions, integer, positiveMillis, ratio } from "../internal/options.ts"
import { evenTicks, show } from "../plot/internal/durations.ts"
import type { Mark, Options as Picture, Point } from "../plot/internal/model.ts"

/**
 * Times in milliseconds, exact to within 2 %; 0 where there are none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Latency {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/**
 * What a client has offered, and what it got. A row of `series` has one number for each interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientReport {
  readonly name: string
  /** Calls that have begun. Each of them succeeds, fails or is unfinished. */
  readonly offered: number
  readonly succeeded: number
  readonly failed: number
  /** Calls that had not ended when the run did: nobody ever answered them. */
  readonly unfinished: number
  /** Requests that were sent, of all attempts. */
  readonly attempts: number
  /** Requests for each call. */
  readonly amplification: number
  /** The share of the calls that succeeded. */
  readonly success: number
  /** The calls that failed, by the tag of the error, or by the reason that the server gave. */
  readonly failures: Readonly<Record<string, number>>
  /** Of the calls that succeeded, waits and all attempts included. */
  readonly latency: Latency
  /** When the last call ended, in milliseconds since the start. */
  readonly finishedAt: number
  readonly series: {
    readonly offered: ReadonlyArray<number>
    readonly attempts: ReadonlyArray<number>
    /** Goodput: calls that succeeded in the interval. */
    readonly succeeded: ReadonlyArray<number>
    readonly failed: ReadonlyArray<number>
    /** Latencies of what succeeded in the interval, `null` where nothing did. */
    readonly p50: ReadonlyArray<number | null>
    readonly p95: ReadonlyArray<number | null>
    readonly p99: ReadonlyArray<number | null>
  }
}

/**
 * What a server has had to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerReport {
  readonly name: string
  /** Requests that came. */
  readonly arrived: number
  /** Requests that were answered after they were served, failures included. */
  readonly served: number
  /** Requests that were served, or begun, and whose caller had gone. */
  readonly wasted: number
  /** Of the requests that were served or wasted, those that failed. */
  readonly failed: number
  /** Requests that were not served, by reason: `full`, `expired`, `crashed`, `quota`, `abandoned`. */
  readonly refused: Readonly<Record<string, number>>
  /** Requests for each call of all clients. */
  readonly amplification: number
  /** The share of its places that was busy; `null` where there is no end of them. */
  readonly utilization: number | null
  /** The time in the queue, of all requests that were served. */
  readonly waited: Latency
  readonly tokens: { readonly prompt: number; readonly completion: number }
  /** What the tokens cost. */
  readonly money: number
  readonly series: {
    readonly arrived: ReadonlyArray<number>
    readonly served: ReadonlyArray<number>
    readonly wasted: ReadonlyArray<number>
    readonly refused: ReadonlyArray<number>
    /** The longest that the queue was. */
    readonly queue: ReadonlyArray<number>
    /** The most that were served at once. */
    readonly inService: ReadonlyArray<number>
  }
}

/**
 * The report of a run. Times in milliseconds since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly seed: number
  readonly duration: number
  /** What the series count together. */
  readonly interval: number
  /** How many events the run had: a measure of its work, and of its being the same. */
  readonly events: number
  /** In the order in which they were given. */
  readonly clients: ReadonlyArray<ClientReport>
  /** In the order in which they were found. */
  readonly servers: ReadonlyArray<ServerReport>
}

/**
 * The milliseconds from `after` until a client is well again: until the first of so many intervals in a row in which the goodput is
 * at least `share` of what was offered. `undefined` if that does not happen.
 *
 * @category accessors
 * @since 0.1.0
 */
export const timeToRecover = (
  report: Report,
  options: {
    /** The end of what went wrong. */
    readonly after: Duration.Input
    /** @default the first client */
    readonly client?: string | undefined
    /** @default 0.9 */
    readonly share?: number | undefined
    /** @default 5 */
    readonly intervals?: number | undefined
  }
): number | undefined => {
  const where = "Report.timeToRecover"
  checkedOptions(where, options)
  const after = positiveMillis(where, "after", options.after)
  const share = ratio(where, "share", options.share ?? 0.9)
  const intervals = integer(where, "intervals", options.intervals ?? 5, 1)
  const client = options.client === undefined
    ? report.clients[0]
    : report.clients.find(({ name }) => name === options.client)
  if (client === undefined) return undefined
  const { offered, succeeded } = client.series
  const first = Math.ceil(after / report.interval)
  for (let i = first, row = 0; i < offered.length; i++) {
    row = succeeded[i]! >= share * offered[i]! ? row + 1 : 0
    if (row === intervals) return (i - intervals + 1) * report.interval - after
  }
  return undefined
}

const count = (n: number): string => Math.round(n).toLocaleString("en-US")
const percent = (share: number): string => `${(share * 100).toFixed(share > 0.9 && share < 1 ? 2 : 1)} %`

const clientColumns: ReadonlyArray<readonly [string, (client: ClientReport, report: Report) => string]> = [
  ["client", ({ name }) => name],
  ["calls", ({ offered }) => count(offered)],
  ["success", ({ success }) => percent(success)],
  ["goodput", ({ succeeded }, { duration }) => `${count(succeeded * 1000 / duration)}/s`],
  ["sent per call", ({ amplification }) => amplification.toFixed(2)],
  ["p50", ({ latency }) => show(latency.p50)],
  ["p99", ({ latency }) => show(latency.p99)]
]

const serverColumns: ReadonlyArray<readonly [string, (server: ServerReport, report: Report) => string]> = [
  ["server", ({ name }) => name],
  ["requests", ({ arrived }) => count(arrived)],
  ["served", ({ served }) => count(served)],
  ["wasted", ({ wasted }) => count(wasted)],
  ["refused", ({ refused }) => count(Object.values(refused).reduce((sum, n) => sum + n, 0))],
  ["busy", ({ utilization }) => utilization === null ? "" : percent(utilization)],
  ["waited p99", ({ waited }) => show(waited.p99)]
]

const align = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) => row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "))
    .join("\n")
}

const rowsOf = <A>(
  columns: ReadonlyArray<readonly [string, (one: A, report: Report) => string]>,
  all: ReadonlyArray<A>,
  report: Report
): string => align([columns.map(([title]) => title), ...all.map((one) => columns.map(([, show]) => show(one, report)))])

/**
 * What matters of a report, for a terminal.
 *
 * @category printing
 * @since 0.1.0
 */
export const table = (report: Report): string =>
  [rowsOf(clientColumns, report.clients, report), rowsOf(serverColumns, report.servers, report)].join("\n\n")

const perSecond = (counts: ReadonlyArray<number>, { interval }: Report): ReadonlyArray<Point> =>
  counts.map((n, i) => [(i + 0.5) * interval, n * 1000 / interval])

const over = (values: ReadonlyArray<number | null>, { interval }: Report): ReadonlyArray<Point> =>
  values.map((value, i) => [(i + 0.5) * interval, value ?? Number.NaN])

/**
 * A picture of a client over time, for `Plot.svg`: calls per second above, latencies below. `marks` are drawn in both, as spans of what
 * went wrong.
 *
 * @category printing
 * @since 0.1.0
 */
export const picture = (
  report: Report,
  options: {
    readonly title: string
    /** @default the first client */
    readonly client?: string | undefined
    /** @default none */
    readonly marks?: ReadonlyArray<Mark> | undefined
  }
): Picture => {
  const { client: name, marks = [], title } = checkedOptions("Report.picture", options)
  const client = report.clients.find((client) => name === undefined || client.name === name)
  const lines = client === undefined ? [] : [
    { name: "offered", points: perSecond(client.series.offered, report) },
    { name: "sent", points: perSecond(client.series.attempts, report) },
    { name: "succeeded", points: perSecond(client.series.succeeded, report) }
  ]
  const latencies = client === undefined ? [] : [
    { name: "p50", points: over(client.series.p50, report) },
    { name: "p99", points: over(client.series.p99, report) }
  ]
  const line = (one: { readonly name: string; readonly points: ReadonlyArray<Point> }): Mark => ({
    _tag: "Line",
    ...one
  })
  const silent = marks.map((mark): Mark => ({ ...mark, name: "" }))
  const times = { ticks: evenTicks, format: show }
  return {
    title,
    x: { label: "time since the start", ...times },
    panels: [
      { y: { label: "calls per second" }, marks: [...marks, ...lines.map(line)] },
      { y: { label: "latency of what succeeded", ...times }, marks: [...silent, ...latencies.map(line)] }
    ]
  }
}
