/**
 * What a run has counted, and several runs side by side: plain data, which JSON keeps.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { checkedOptions, integer, invalid, positiveMillis, ratio } from "../internal/options.ts"
import type { Mark, Options as Picture } from "../plot/internal/model.ts"
import { comparedOf, type Recovery, recoveryOf } from "./internal/compare.ts"
import type { ClientReport, Comparison, Estimate, Report } from "./internal/reportModel.ts"
import { comparisonPicture, reportPicture } from "./internal/reportPicture.ts"
import { comparisonTable, reportTable } from "./internal/reportTable.ts"
import { estimateOf } from "./internal/statistics.ts"

export type {
  ClientReport,
  Compared,
  Comparison,
  Estimate,
  Latency,
  Report,
  ServerReport,
  Spread
} from "./internal/reportModel.ts"

/**
 * When a client is well again.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecoveryOptions {
  /** The end of what went wrong. */
  readonly after: Duration.Input
  /** @default the first client */
  readonly client?: string | undefined
  /**
   * Goodput of what was offered.
   *
   * @default 0.9
   */
  readonly share?: number | undefined
  /**
   * How many intervals in a row.
   *
   * @default 5
   */
  readonly intervals?: number | undefined
}

const clientOf = ({ clients }: Report, wanted: string | undefined): ClientReport | undefined =>
  clients.find(({ name }) => wanted === undefined || name === wanted)

const recovery = (where: string, { after, intervals, share }: RecoveryOptions): Recovery => ({
  after: positiveMillis(where, "after", after),
  share: ratio(where, "share", share ?? 0.9),
  intervals: integer(where, "intervals", intervals ?? 5, 1)
})

/**
 * The milliseconds from `after` until a client is well again: until the first of so many intervals in a row in which the goodput is
 * at least `share` of what was offered. `undefined` if that does not happen.
 *
 * @category accessors
 * @since 0.1.0
 */
export const timeToRecover = (report: Report, options: RecoveryOptions): number | undefined => {
  const where = "Report.timeToRecover"
  const rules = recovery(where, checkedOptions(where, options))
  const client = clientOf(report, options.client)
  return client && recoveryOf(client, report.interval, rules)
}

/**
 * The mean of a number that was measured with several seeds, and the interval that holds the true mean with 95 % confidence. Of no
 * number it throws a `RangeError`.
 *
 * **Example** (Three seeds)
 *
 * ```ts import.meta.vitest
 * import { Report } from "@effect-resilience/core/simulation"
 *
 * const { high, low, mean } = Report.estimate([9, 10, 11])
 * mean // => 10
 * Math.round(high - low) // => 5
 * ```
 *
 * @category comparing
 * @since 0.1.0
 */
export const estimate = (values: ReadonlyArray<number>): Estimate => {
  if (values.length === 0) throw invalid("Report.estimate", "values", "none", "at least one number")
  return estimateOf(values)
}

const all = (reports: Report | ReadonlyArray<Report>): ReadonlyArray<Report> => "seed" in reports ? [reports] : reports

/**
 * Puts stacks side by side, each with its report, or with one report for each of several seeds. {@link table} prints the comparison, and
 * {@link picture} draws it.
 *
 * **Example** (A retry, and no retry, with three seeds)
 *
 * ```ts import.meta.vitest
 * import { type Policy, Retry } from "@effect-resilience/core"
 * import { Client, Load, Report, Server, Simulation, Times } from "@effect-resilience/core/simulation"
 *
 * const to = Server.make({ name: "server", times: Times.constant("5 millis"), errors: 0.1 })
 * const load = Load.poisson({ perSecond: 50 })
 * const runs = (through: ReadonlyArray<Policy.Any>) =>
 *   [1, 2, 3].map((seed) =>
 *     Simulation.run({ clients: [Client.make({ load, to, through })], duration: "1 minute", seed })
 *   )
 *
 * const compared = Report.compare({ "no retry": runs([]), "a retry": runs([Retry.make({ times: 1 })]) })
 * compared.stacks.map(({ name, success }) => `${name}: ${success.mean.toFixed(2)}`) // => ["no retry: 0.90", "a retry: 0.99"]
 * ```
 *
 * @category comparing
 * @since 0.1.0
 */
export const compare = (
  reports: Readonly<Record<string, Report | ReadonlyArray<Report>>>,
  options: Partial<RecoveryOptions> = {}
): Comparison => {
  const where = "Report.compare"
  const { after, client } = checkedOptions(where, options)
  const rules = after === undefined ? undefined : recovery(where, { ...options, after })
  const given = Object.entries(reports).map(([name, of]) => [name, all(of)] as const)
  const first = given[0]?.[1][0]
  if (first === undefined) throw invalid(where, "reports", "none", "at least one report")
  const { duration, interval } = first
  const stacks = given.map(([name, reports]) => {
    const option = `reports[${JSON.stringify(name)}]`
    if (reports.length === 0) throw invalid(where, option, "none", "at least one report")
    const clients = reports.map((report) => {
      if (report.duration !== duration || report.interval !== interval) {
        const lasted = `${report.duration} ms in intervals of ${report.interval} ms`
        throw invalid(where, option, lasted, `as long as the first one (${duration} ms, ${interval} ms)`)
      }
      const found = clientOf(report, client)
      if (found !== undefined) return found
      throw invalid(
        where,
        "client",
        client,
        `a client of ${option}: ${report.clients.map(({ name }) => name).join(", ")}`
      )
    })
    return comparedOf(name, reports, clients, rules)
  })
  return { duration, interval, stacks }
}

const isComparison = (of: Report | Comparison): of is Comparison => "stacks" in of

/**
 * What matters of a report, or of a comparison, for a terminal. Behind `±` stands half of the interval of an {@link Estimate}.
 *
 * @category printing
 * @since 0.1.0
 */
export const table = (of: Report | Comparison): string => isComparison(of) ? comparisonTable(of) : reportTable(of)

/**
 * A picture over time, for `Plot.svg`: calls per second above, latencies below. `marks` are drawn in both, as spans of what
 * went wrong. Of a report, it shows one client. Of a comparison, it shows the goodput and the p99 of each stack: a line for the mean of
 * the seeds, and a band from the lowest to the highest.
 *
 * @category printing
 * @since 0.1.0
 */
export const picture = (
  of: Report | Comparison,
  options: {
    readonly title: string
    /** Of a report. @default the first client */
    readonly client?: string | undefined
    /** @default none */
    readonly marks?: ReadonlyArray<Mark> | undefined
  }
): Picture => {
  const { client, marks = [], title } = checkedOptions("Report.picture", options)
  return isComparison(of)
    ? comparisonPicture(of, title, marks)
    : reportPicture(of, clientOf(of, client), title, marks)
}
