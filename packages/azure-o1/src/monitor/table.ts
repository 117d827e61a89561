import { showMillis, showNumber, showQuantile, showShare } from "./format.ts"
import { countOf, isTimeout } from "./outcomes.ts"
import type { Distribution, MonitorSnapshot, OriginSnapshot, SeriesSnapshot } from "./snapshot.ts"

type Row = ReadonlyArray<string>

/** Text to the left, where `text` says so, and numbers to the right. */
const align = (rows: ReadonlyArray<Row>, text: ReadonlySet<string>): string => {
  const [head] = rows
  if (head === undefined) return ""
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const cell = (value: string, column: number): string =>
    text.has(head[column]!) ? value.padEnd(widths[column]!) : value.padStart(widths[column]!)
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n")
}

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

const outcomeRows = ({ attempts, calls, deployment, effort, model }: SeriesSnapshot): ReadonlyArray<Row> =>
  [...new Set([...Object.keys(attempts.outcomes), ...Object.keys(calls.outcomes)])]
    .toSorted((a, b) => (attempts.outcomes[b] ?? 0) - (attempts.outcomes[a] ?? 0) || (a < b ? -1 : 1))
    .map((outcome) => [
      deployment,
      model ?? "-",
      effort ?? "-",
      outcome,
      String(attempts.outcomes[outcome] ?? 0),
      String(calls.outcomes[outcome] ?? 0)
    ])

const originRow = ({ connect, failed, origin }: OriginSnapshot): Row => [
  origin,
  String(connect.buckets.reduce((sum, [, observed]) => sum + observed, 0)),
  String(failed),
  ...millis(connect, 0.5, 0.95, 0.99)
]

const text = new Set(["deployment", "model", "effort", "outcome", "origin"])

/** Everything in three tables: times, outcomes, connections. */
export const format = ({ origins, series }: MonitorSnapshot): string => {
  if (series.length + origins.length === 0) return "Nothing was observed."
  const tables: ReadonlyArray<ReadonlyArray<Row>> = [
    series.length === 0 ? [] : [seriesHead, ...series.map(seriesRow)],
    series.length === 0
      ? []
      : [["deployment", "model", "effort", "outcome", "attempts", "calls"], ...series.flatMap(outcomeRows)],
    origins.length === 0 ? [] : [["origin", "connections", "failed", "p50", "p95", "p99"], ...origins.map(originRow)]
  ]
  return tables.filter((rows) => rows.length > 0).map((rows) => align(rows, text)).join("\n\n")
}
