// 10,000 calls of every kind at 20 % random faults of servers, and of what is between: `--calls N`, `--rate R`, `--seed N`,
// `--concurrency N`. The last line is the verdict. Exit code 1 if a call was neither right nor typed, or if a connection was
// left open.
import * as Effect from "effect/Effect"
import process from "node:process"
import { parseArgs } from "node:util"
import { soak, verdict } from "../test/support/soak.ts"

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "10000" },
    rate: { type: "string", default: "0.2" },
    seed: { type: "string", default: "1" },
    concurrency: { type: "string", default: "100" }
  }
})

const report = await Effect.runPromise(soak({
  calls: Number(values.calls),
  rate: Number(values.rate),
  seed: Number(values.seed),
  concurrency: Number(values.concurrency)
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
for (const [name, value] of rows) console.log(name.padEnd(32), String(value).padStart(8))
for (const line of report.wrong.slice(0, 20)) console.error(line)
console.log(verdict(report))
process.exitCode = report.wrong.length + report.leaked === 0 ? 0 : 1
