import { estimateOf } from "../internal/statistics.ts"
import type { Row, Seen } from "./model.ts"
import { names, type Part } from "./stacks.ts"

/** Which of two stacks is better, by their runs. Two runs of one seed had the same load, so that their difference is due to the stacks. */

/** By how much the second is more, if that is more than `least` and no chance; 0 if not. */
const beyond = (a: Row, b: Row, least: number, of: (seen: Seen) => number | undefined): number => {
  const pairs = a.seen.flatMap((seen, i) => {
    const from = of(seen)
    const to = of(b.seen[i]!)
    return from === undefined || to === undefined ? [] : [to - from]
  })
  if (pairs.length < 2) return 0
  const { high, low, mean } = estimateOf(pairs)
  return low * high > 0 && Math.abs(mean) >= least ? mean : 0
}

/** The rows that have a budget and a breaker. */
export const guarded = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> =>
  rows.filter(({ name }) => name !== names.none && name !== names.retry)

/** In shares of the calls: a tenth of a percent is worth a word. */
export const moreSuccess = (a: Row, b: Row): number =>
  beyond(a, b, 0.001, ({ offered, succeeded }) => offered === 0 ? undefined : succeeded / offered)

/** As a logarithm: a tenth is worth a word. */
export const longerTail = (a: Row, b: Row): number =>
  beyond(a, b, Math.log(1.1), ({ p99 }) => p99 === 0 ? undefined : Math.log(p99))

/** Requests for each call. */
export const moreSent = (a: Row, b: Row): number =>
  beyond(a, b, 0.02, ({ offered, sent }) => offered === 0 ? undefined : sent / offered)

/** So little success is worth a p99 of half. */
const little = 0.005

/**
 * What makes the second one better than the first, if something does: more calls that succeed, or as many in less time. Where one has a
 * little more success, and the other half of the p99, the latter is better. A shorter p99 is worth nothing where success may be less by more
 * than a little.
 */
export const better = (a: Row, b: Row): "success" | "p99" | undefined => {
  const success = moreSuccess(a, b)
  const tail = longerTail(a, b)
  if (success === 0 || (Math.abs(success) < little && Math.abs(tail) > Math.LN2)) {
    return tail < 0 && b.success - a.success > -little ? "p99" : undefined
  }
  return success > 0 ? "success" : undefined
}

/** The first of those than which none is better. */
export const bestOf = (rows: ReadonlyArray<Row>): Row =>
  rows.reduce((best, row) => better(best, row) === undefined ? best : row)

export const rowNamed = (rows: ReadonlyArray<Row>, name: string): Row | undefined =>
  rows.find((row) => row.name === name)

/** The better one of the two pipelines without parts: the one whose limit follows from the times, unless the default does better. */
export const baseOf = (rows: ReadonlyArray<Row>): string =>
  better(rowNamed(rows, names.fitted)!, rowNamed(rows, names.standard)!) === undefined ? names.fitted : names.standard

/** The parts that make the pipeline better, each alone. */
export const helpfulParts = (rows: ReadonlyArray<Row>, parts: ReadonlyArray<Part>): ReadonlyArray<Part> => {
  const base = rowNamed(rows, baseOf(rows))!
  const helpful = parts.filter((part) => better(base, rowNamed(rows, names[part])!) !== undefined)
  // a balancer leaves out a deployment that fails, and looks after it by itself
  return helpful.filter((part) => part !== "probing" || !helpful.includes("balancer"))
}
