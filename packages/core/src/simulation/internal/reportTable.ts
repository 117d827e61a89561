import { show } from "../../plot/internal/durations.ts"
import type { ClientReport, Compared, Comparison, Estimate, Report, ServerReport } from "./reportModel.ts"
import { meanOf } from "./statistics.ts"

type Columns<A, Of> = ReadonlyArray<readonly [title: string, cell: (one: A, of: Of) => string]>

/** How a number is written: a half of an interval with as many digits as the number that it belongs to. */
type Show = (value: number, of?: number) => string

const decimals = (value: number, digits: number): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

const count: Show = (n) => decimals(n, 0)
const two: Show = (n) => decimals(n, 2)
const rate: Show = (n, of = n) => decimals(n, of < 10 ? 2 : 0)
const time: Show = (millis, of) => show(of === undefined ? millis : Number(millis.toPrecision(2)))
const share: Show = (part, of = part) => decimals(part * 100, of > 0.9 && of < 1 ? 2 : 1)

const percent = (part: number): string => `${share(part)} %`
const perSecond = (n: number): string => `${rate(n)}/s`

const clientColumns: Columns<ClientReport, Report> = [
  ["client", ({ name }) => name],
  ["calls", ({ offered }) => count(offered)],
  ["success", ({ success }) => percent(success)],
  ["goodput", ({ succeeded }, { duration }) => perSecond(succeeded * 1000 / duration)],
  ["sent per call", ({ amplification }) => two(amplification)],
  ["p50", ({ latency }) => show(latency.p50)],
  ["p99", ({ latency }) => show(latency.p99)]
]

const serverColumns: Columns<ServerReport, Report> = [
  ["server", ({ name }) => name],
  ["requests", ({ arrived }) => count(arrived)],
  ["served", ({ served }) => count(served)],
  ["wasted", ({ wasted }) => count(wasted)],
  ["refused", ({ refused }) => count(Object.values(refused).reduce((sum, n) => sum + n, 0))],
  ["busy", ({ utilization }) => utilization === null ? "" : percent(utilization)],
  ["waited p99", ({ waited }) => show(waited.p99)]
]

/** With what it may be off by, where several seeds tell that. */
const within = (show: Show, unit = "") => ({ high, mean }: Estimate): string =>
  (high === mean ? show(mean) : `${show(mean)} ±${show(high - mean, mean)}`) + unit

/** The mean of those that came back, and how many that were. */
const recovered = ({ recovery = [] }: Compared): string => {
  const times = recovery.filter((time) => time !== null)
  if (times.length === 0) return "never"
  return times.length === recovery.length
    ? show(meanOf(times))
    : `${show(meanOf(times))} (${times.length} of ${recovery.length})`
}

const stack: Columns<Compared, Comparison>[number] = ["stack", ({ name }) => name]

const callColumns: Columns<Compared, Comparison> = [
  stack,
  ["success", ({ success }) => within(share, " %")(success)],
  ["goodput", ({ goodput }) => within(rate, "/s")(goodput)],
  ["sent per call", ({ amplification }) => two(amplification.mean)],
  ["p50", ({ p50 }) => show(p50.mean)],
  ["p99", ({ p99 }) => within(time)(p99)]
]

const workColumns: Columns<Compared, Comparison> = [
  stack,
  ["requests", ({ requests }) => within(count)(requests)],
  ["wasted", ({ wasted }) => within(count)(wasted)],
  ["refused", ({ refused }) => within(count)(refused)]
]

const costColumns: Columns<Compared, Comparison> = [
  ["tokens", ({ tokens }) => within(count)(tokens)],
  ["money", ({ money }) => within(two)(money)]
]

const align = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) => row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "))
    .join("\n")
}

const rowsOf = <A, Of>(columns: Columns<A, Of>, all: ReadonlyArray<A>, of: Of): string =>
  align([columns.map(([title]) => title), ...all.map((one) => columns.map(([, cell]) => cell(one, of)))])

export const reportTable = (report: Report): string =>
  [rowsOf(clientColumns, report.clients, report), rowsOf(serverColumns, report.servers, report)].join("\n\n")

export const comparisonTable = (comparison: Comparison): string => {
  const { stacks } = comparison
  const tells = stacks.some(({ recovery }) => recovery !== undefined)
  const calls = tells ? [...callColumns, ["recovers", recovered] as const] : callColumns
  const work = stacks.some(({ tokens }) => tokens.mean > 0) ? [...workColumns, ...costColumns] : workColumns
  return [rowsOf(calls, stacks, comparison), rowsOf(work, stacks, comparison)].join("\n\n")
}
