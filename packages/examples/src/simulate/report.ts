/** The report of a forecast, for a terminal of 80 columns. */
import * as Plot from "@effect-resilience/core/plot"
import { Forecast } from "@effect-resilience/core/simulation"

const count = (n: number): string => Math.round(n).toLocaleString("en-US")

const columns = 78

/** At words, but neither in "98 %" nor in "+ quota". Lines after the first are indented. */
export const wrap = (text: string, indent = ""): string => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/(?<!\+) (?!%)/u)) {
    if (line !== "" && line.length + word.length + 1 > columns) {
      lines.push(line)
      line = `${indent}${word}`
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].join("\n")
}

/** The load and the service that were simulated. */
const settingOf = ({ setting }: Forecast.Forecast): string => {
  const { calls, deployments, duration, outage, patience, seeds, times } = setting
  const who = deployments === 1
    ? "the service is"
    : `${outage?.deployments} of ${deployments} deployments ${outage?.deployments === 1 ? "is" : "are"}`
  const what = { down: "down", silent: "silent", slow: "ten times as slow" }
  const bad = outage === null
    ? ""
    : ` From ${Plot.showDuration(outage.from)} to ${Plot.showDuration(outage.until)} ${who} ${what[outage.kind]}.`
  const each = calls < 10
    ? `${Number(calls.toPrecision(2))} ${calls === 1 ? "call" : "calls"} each on average`
    : `${count(calls)} calls each`
  return `${seeds} runs of ${Plot.showDuration(duration)} with ${each}, for each stack. ` +
    `A request takes ${Plot.showDuration(times.p50)} (p50) to ${
      Plot.showDuration(times.p99)
    } (p99), and callers wait for ${Plot.showDuration(patience)}.${bad}`
}

const legendOf = ({ base, rows, setting: { charge, outage, priced } }: Forecast.Forecast): string =>
  [
    "success: answered well while the caller waits; sent: requests for each call",
    ...charge === 0 ? [] : ["tokens: for each call that succeeds"],
    ...priced ? ["money: for a thousand calls that succeed"] : [],
    ...outage === null ? [] : ["recovers: from the end of the outage until calls succeed as before it"],
    ...rows.some(({ name }) => name.startsWith("+ ")) ? [`+: ${base}, and this`] : []
  ].join("; ")

/** What a forecast shows, and the stack that does best as it is written. */
export const report = (forecast: Forecast.Forecast, notes: ReadonlyArray<string>): string => {
  const best = Forecast.best(forecast)
  return [
    ...notes.map((note) => wrap(note)),
    wrap(settingOf(forecast)),
    "",
    Forecast.table(forecast),
    "",
    wrap(legendOf(forecast)),
    "",
    ...Forecast.advice(forecast).map((line) => wrap(`- ${line}`, "  ")),
    "",
    ...best.success === 0 ? [] : [best.code, ""]
  ].join("\n")
}
