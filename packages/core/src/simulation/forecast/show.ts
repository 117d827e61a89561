import { evenTicks, namedTicks, show } from "../../plot/internal/durations.ts"
import type { Mark, Options as Picture, Point } from "../../plot/internal/model.ts"
import { bestOf, guarded } from "./compare.ts"
import type { Forecast, Row } from "./model.ts"

/** Never all where one is missing, nor none where there is one. */
export const percentOf = (share: number, digits: number): string => {
  const unit = 10 ** digits
  const percent = share * 100 * unit
  const whole = share > 0.5 ? Math.floor(percent + 1e-9) : Math.ceil(percent - 1e-9)
  return `${(whole / unit).toFixed(digits)} %`
}

/** With more digits the nearer it is to none or all. */
export const showShare = (share: number): string => {
  const near = Math.min(share, 1 - share)
  return percentOf(share, near <= 0 || near > 0.0999 ? 0 : near >= 0.001 ? 1 : 2)
}

/** With three digits at most: 0.12, 34, 5.6k, 1.2M. */
export const showAmount = (n: number): string => {
  for (const [size, unit] of [[1e6, "M"], [1e4, "k"]] as const) {
    if (n >= 0.9995 * size) return `${Number((n / (unit === "k" ? 1000 : size)).toPrecision(3))}${unit}`
  }
  return n >= 1000 ? String(Math.round(n)) : String(Number(n.toPrecision(3)))
}

type Column = readonly [title: string, cell: (row: Row) => string]

const column = (...column: Column): Column => column

const recoversOf = ({ recovers, seen }: Row): string => {
  if (recovers !== null) return show(recovers)
  return seen.every(({ outage }) => outage === null || outage.after === 0) ? "-" : "never"
}

const columnsOf = ({ setting: { charge, outage, priced } }: Forecast): ReadonlyArray<Column> => [
  ["stack", ({ name }) => name],
  ["success", ({ success }) => showShare(success)],
  ["p50", ({ p50, success }) => success === 0 ? "-" : show(p50)],
  ["p99", ({ p99, success }) => success === 0 ? "-" : show(p99)],
  ["sent", ({ sent }) => sent.toFixed(2)],
  ...charge === 0 ? [] : [column("tokens", ({ tokens }) => tokens === 0 ? "-" : showAmount(tokens))],
  ...priced ? [column("money", ({ money }) => money === 0 ? "-" : showAmount(money))] : [],
  ...outage === null ? [] : [column("recovers", recoversOf)]
]

/**
 * The stacks side by side, for a terminal of 80 columns: the share of the calls that succeed, how long those take, requests sent for each
 * call, tokens for each that succeeds, money for a thousand of them, and the time from the end of the outage until calls succeed again.
 *
 * @category printing
 * @since 0.1.0
 */
export const table = (forecast: Forecast): string => {
  const columns = columnsOf(forecast)
  const rows = [columns.map(([title]) => title), ...forecast.rows.map((row) => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) => row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  "))
    .join("\n")
}

const outages = { down: "down", silent: "silent", slow: "slow" }

/**
 * A picture of the stacks over time, for `Plot.svg`: the calls that succeed by when they came, the requests that are sent, and the p99 of the
 * calls that succeed. Of the parts, it shows the one that does best.
 *
 * @category printing
 * @since 0.1.0
 */
export const picture = (
  { base, rows, setting: { deployments, duration, outage } }: Forecast,
  options: { readonly title: string }
): Picture => {
  const best = bestOf(guarded(rows))
  const shown = rows.filter((row) => row === best || row.name === base || !row.name.startsWith("+ "))
  const lines = (of: (row: Row) => ReadonlyArray<number | null>, factor = 1): ReadonlyArray<Mark> =>
    shown.map((row) => {
      const values = of(row)
      const width = duration / values.length
      const points = values.map((value, i): Point => [(i + 0.5) * width, value === null ? Number.NaN : value * factor])
      return { _tag: "Line", name: row.name, points }
    })
  const span = (labelled: boolean): ReadonlyArray<Mark> => {
    if (outage === null) return []
    const who = deployments === 1 ? "the service" : `${outage.deployments} of ${deployments}`
    const name = labelled ? `${who} ${outage.deployments === 1 ? "is" : "are"} ${outages[outage.kind]}` : ""
    return [{ _tag: "Span", name, from: outage.from, to: outage.until }]
  }
  return {
    title: options.title,
    x: { label: "time at which calls come", from: 0, to: duration, ticks: evenTicks, format: show },
    panels: [
      {
        y: { label: "calls that succeed (%)", from: 0, to: 100 },
        marks: [...span(true), ...lines(({ series }) => series.success, 100)]
      },
      { y: { label: "requests per second" }, marks: [...span(false), ...lines(({ series }) => series.sent)] },
      {
        y: { label: "p99 of those that succeed", scale: "logarithmic", ticks: namedTicks, format: show },
        marks: [...span(false), ...lines(({ series }) => series.p99)]
      }
    ]
  }
}
