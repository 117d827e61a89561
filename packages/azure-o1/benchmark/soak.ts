// 10,000 calls of every kind at 20 % random faults of servers, and of what is between. The last line is the verdict; the exit
// code is 1 if a call was neither right nor typed, or if a connection was left open. See `--help`.
import * as Effect from "effect/Effect"
import process from "node:process"
import { soak, verdict } from "../test/support/soak.ts"
import { numberOf, read } from "./arguments.ts"

const values = read(
  `npm run soak [-- OPTION...]

Makes calls of every kind to servers that fail on purpose. Each call must end
with its own answer or with a typed error, and no connection may stay open.
10,000 calls take about a minute.

  --calls N          so many calls (10000)
  --rate R           the share of requests that fail, from 0 to 1 (0.2)
  --seed N           the same seed makes the same choices (1)
  --concurrency N    so many calls at once (100)`,
  {
    calls: { type: "string", default: "10000" },
    rate: { type: "string", default: "0.2" },
    seed: { type: "string", default: "1" },
    concurrency: { type: "string", default: "100" }
  }
)
const calls = numberOf("calls", values.calls, 1)
const tenth = Math.ceil(calls / 10)

const report = await Effect.runPromise(soak({
  calls,
  rate: numberOf("rate", values.rate, 0, 1),
  seed: numberOf("seed", values.seed, 0),
  concurrency: numberOf("concurrency", values.concurrency, 1),
  tell: (ended) => {
    if (ended % tenth === 0) console.error(`${ended} of ${calls} calls have ended ...`)
  }
}))

const rows: ReadonlyArray<readonly [string, string | number]> = [
  ["calls", report.calls],
  ["requests", report.requests],
  ["faults of the servers", report.faults],
  ...Object.entries(report.proxied).map(([kind, n]) => [`on the way: ${kind}`, n] as const),
  ["right", report.right],
  ["left by their callers", report.left],
  ...Object.entries(report.typed).map(([label, n]) => [label, n] as const),
  ["neither right nor typed", report.wrong.length],
  ["connections left open", report.leaked]
]
const width = Math.max(...rows.map(([name]) => name.length))
for (const [name, value] of rows) console.log(name.padEnd(width), String(value).padStart(8))
for (const line of report.wrong.slice(0, 20)) console.error(line)
console.log(verdict(report))
process.exitCode = report.wrong.length + report.leaked === 0 ? 0 : 1
