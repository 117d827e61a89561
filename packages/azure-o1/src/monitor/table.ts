import { columns as defaultColumns, showMillis, showNumber, showQuantile, showShare } from "./format.ts"
import { countOf, isTimeout } from "./outcomes.ts"
import type { Distribution, MonitorSnapshot, OriginSnapshot, SeriesSnapshot } from "./snapshot.ts"

type Row = ReadonlyArray<string>
type Rows = ReadonlyArray<Row>

const widthsOf = (rows: Rows): ReadonlyArray<number> =>
  rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))

const lengthOf = (rows: Rows): number => widthsOf(rows).reduce((sum, width) => sum + width + 2, -2)

/** A column to the left, where `isText` says so, and numbers to the right. */
const align = (rows: Rows, isText: (column: number) => boolean): string => {
  const widths = widthsOf(rows)
  const cell = (value: string, column: number): string =>
    isText(column) ? value.padEnd(widths[column]!) : value.padStart(widths[column]!)
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n")
}

const shorten = (text: string, most: number): string => text.length <= most ? text : `${text.slice(0, most - 1)}…`

/** Columns become rows, and as many rows beside each other as there is room for. */
const turn = ([head, ...rows]: Rows, columns: number): string => {
  const label = Math.max(...head!.map((name) => name.length))
  const cells = rows.map((row) => row.map((value) => shorten(value, columns - label - 2)))
  const tables: Array<Array<Row>> = []
  for (const row of cells) {
    const table = tables.at(-1)
    const wider = table?.map((line, at) => line.concat(row[at]!))
    if (wider !== undefined && lengthOf(wider) <= columns) tables[tables.length - 1] = wider
    else tables.push(head!.map((name, at) => [name, row[at]!]))
  }
  return tables.map((table) => align(table, (column) => column === 0)).join("\n\n")
}

const text = new Set(["deployment", "model", "effort", "outcome", "origin"])

/** A table as it is, or turned where there is no room for it. */
const fit = (rows: Rows, columns: number): string =>
  lengthOf(rows) <= columns ? align(rows, (column) => text.has(rows[0]![column]!)) : turn(rows, columns)

const millis = (distribution: Distribution, ...quantiles: ReadonlyArray<number>): Row =>
  quantiles.map((q) => showQuantile(distribution, q, showMillis))

const seriesHead = [
  "deployment",
  "model",
  "effort",
  "attempts",
  "retries",
  "timeouts",
  "p50",
  "p95",
  "p99",
  "first p95",
  "calls",
  "call p95",
  "tokens/s",
  "reasoning"
]

const seriesRow = ({ attempts, calls, deployment, effort, model }: SeriesSnapshot): Row => [
  deployment,
  model ?? "-",
  effort ?? "-",
  String(countOf(attempts.outcomes)),
  String(attempts.retries),
  String(countOf(attempts.outcomes, isTimeout)),
  ...millis(attempts.total, 0.5, 0.95, 0.99),
  ...millis(attempts.firstOutput, 0.95),
  String(countOf(calls.outcomes)),
  ...millis(calls.total, 0.95),
  showQuantile(calls.tokensPerSecond, 0.5, showNumber),
  showQuantile(calls.reasoningShare, 0.5, showShare)
]

const outcomeRows = ({ attempts, calls }: SeriesSnapshot): Rows => [
  ["outcome", "attempts", "calls"],
  ...[...new Set([...Object.keys(attempts.outcomes), ...Object.keys(calls.outcomes)])]
    .toSorted((a, b) => (attempts.outcomes[b] ?? 0) - (attempts.outcomes[a] ?? 0) || (a < b ? -1 : 1))
    .map((outcome) => [outcome, String(attempts.outcomes[outcome] ?? 0), String(calls.outcomes[outcome] ?? 0)])
]

const outcomeTable = (series: SeriesSnapshot, columns: number): string => {
  const title = [series.deployment, series.model ?? "-", series.effort ?? "-"].join(", ")
  return `${shorten(title, columns)}\n${fit(outcomeRows(series), columns)}`
}

const originRow = ({ connect, failed, origin }: OriginSnapshot): Row => [
  origin,
  String(connect.buckets.reduce((sum, [, observed]) => sum + observed, 0)),
  String(failed),
  ...millis(connect, 0.5, 0.95, 0.99)
]

/**
 * Everything in three tables: times, outcomes, connections. A table that is wider than `columns` is turned.
 */
export const format = (
  { origins, series }: MonitorSnapshot,
  { columns = defaultColumns }: { readonly columns?: number | undefined } = {}
): string => {
  if (!Number.isSafeInteger(columns) || columns < 40) {
    throw new RangeError(`O1Monitor.format: columns must be an integer >= 40, got ${String(columns)}`)
  }
  const connections = [["origin", "connections", "failed", "p50", "p95", "p99"], ...origins.map(originRow)]
  const tables = [
    ...series.length === 0 ? [] : [fit([seriesHead, ...series.map(seriesRow)], columns)],
    ...series.map((one) => outcomeTable(one, columns)),
    ...origins.length === 0 ? [] : [fit(connections, columns)]
  ]
  return tables.length === 0 ? "Nothing was observed." : tables.join("\n\n")
}
