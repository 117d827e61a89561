import { spawnSync } from "node:child_process"
import { closeSync, openSync, writeFileSync } from "node:fs"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Retry from "../src/Retry.ts"
import { Client, Load, Server, Simulation, Times } from "../src/simulation/index.ts"
import * as Timeout from "../src/Timeout.ts"
import { plain, type Table, wrap } from "./table.ts"

const help = `npm run bench:simulation [-- OPTION...]

Measures what a simulated call costs: users who think and call, each call
through a total limit, a retry, a breaker, a bulkhead and an attempt limit.
Each number of calls runs in a process of its own. It takes about two minutes.

  --quick      up to 100,000 calls, to see that it runs
  --most N     up to so many calls, from 10,000 in steps of ten (10000000)
  --json FILE  the results as JSON`

const usage = "options: --quick, --most N, --json FILE, --help"

const least = 10_000
const callsPerUser = 10
/** a process runs so many calls at least, after as many to warm up */
const enough = 200_000

interface Measured {
  readonly calls: number
  readonly users: number
  readonly events: number
  /** of the processor, of one run */
  readonly seconds: number
  readonly microsPerEvent: number
  readonly megabytes: number
}

const runOnce = (calls: number): number => {
  const users = calls / callsPerUser
  const client = Client.make({
    load: Load.closed({ users, think: Times.exponential("10 seconds"), calls: callsPerUser }),
    to: Server.make({ name: "server", times: Times.exponential("5 millis"), errors: 0.01 }),
    through: [
      Timeout.total("30 seconds"),
      Retry.make({ times: 3 }),
      CircuitBreaker.makeUnsafe(),
      Bulkhead.makeUnsafe({ concurrency: Math.ceil(users / 100), maxQueue: users }),
      Timeout.attempt("10 seconds")
    ]
  })
  const { clients: [report], events } = Simulation.run({ clients: [client], duration: "30 minutes" })
  if (report!.unfinished > 0) throw new Error(`${report!.unfinished} calls have not ended`)
  if (report!.offered < 0.99 * calls) throw new Error(`${report!.offered} calls instead of ${calls}`)
  return events
}

/** In a process of its own. */
const measure = (calls: number): Measured => {
  for (let warm = 0; warm < enough; warm += least) runOnce(least)
  const runs = Math.max(1, Math.round(enough / calls))
  const cpu = process.cpuUsage()
  let events = 0
  for (let i = 0; i < runs; i++) events += runOnce(calls)
  const { system, user } = process.cpuUsage(cpu)
  return {
    calls,
    users: calls / callsPerUser,
    events: events / runs,
    seconds: (user + system) / 1e6 / runs,
    microsPerEvent: (user + system) / events,
    megabytes: process.resourceUsage().maxRSS / 1024
  }
}

const apart = (calls: number): Measured => {
  process.stderr.write(`${calls.toLocaleString("en-US")} calls ...\n`)
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), "--one", String(calls)],
    { encoding: "utf8", timeout: 600_000 }
  )
  if (status !== 0) throw new Error(`a run with ${calls} calls has failed: ${stderr.trim().split("\n").at(-1) ?? ""}`)
  return JSON.parse(stdout) as Measured
}

const tableOf = (all: ReadonlyArray<Measured>): Table => ({
  title: "What a simulated call through five policies costs",
  head: ["calls", "events", "CPU s", "us per call", "us per event", "MB"],
  words: [],
  rows: all.map(({ calls, events, megabytes, microsPerEvent, seconds }) =>
    [
      calls.toLocaleString("en-US"),
      Math.round(events).toLocaleString("en-US"),
      seconds.toFixed(seconds < 1 ? 2 : 1),
      (seconds * 1e6 / calls).toFixed(1),
      microsPerEvent.toFixed(2),
      megabytes.toFixed(0)
    ].map((text) => ({ text }))
  )
})

/** the promises, for the largest number */
const longest = 120
const largest = 2048
/** what a cache that is too small for a larger heap may add to n log n */
const leeway = 1.5

/** Each promise that does not hold. */
const complaints = (all: ReadonlyArray<Measured>): ReadonlyArray<string> => {
  const [first] = all
  return all.flatMap(({ calls, megabytes, microsPerEvent, seconds }) => {
    const n = calls.toLocaleString("en-US")
    const most = first!.microsPerEvent * Math.log(calls) / Math.log(first!.calls) * leeway
    return [
      ...microsPerEvent > most ? [`${n} calls: ${microsPerEvent.toFixed(2)} us per event, more than n log n`] : [],
      ...seconds > longest ? [`${n} calls: ${seconds.toFixed(0)} s of the processor, more than ${longest}`] : [],
      ...megabytes > largest ? [`${n} calls: ${megabytes.toFixed(0)} MB, more than ${largest}`] : []
    ]
  })
}

interface Arguments {
  readonly most: number
  readonly json: string | undefined
  readonly one: number | undefined
}

const integer = (option: string, text: string): number => {
  const n = Number(text)
  if (Number.isSafeInteger(n) && n >= least) return n
  throw new Error(`--${option} must be an integer >= ${least}, got "${text}"`)
}

const parse = (args: ReadonlyArray<string>): Arguments => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        most: { type: "string" },
        json: { type: "string" },
        one: { type: "string" }
      }
    })
    // found out before the measuring, not after
    if (values.json !== undefined) closeSync(openSync(values.json, "a"))
    return {
      most: integer("most", values.most ?? (values.quick ? "100000" : "10000000")),
      json: values.json,
      one: values.one === undefined ? undefined : integer("one", values.one)
    }
  } catch (error) {
    const [reason] = (error as Error).message.split(". ", 1)
    throw new Error(`${reason} (${usage})`, { cause: error })
  }
}

const main = (args: ReadonlyArray<string>): number => {
  if (args.includes("--help")) {
    process.stdout.write(`${help}\n`)
    return 0
  }
  const { json, most, one } = parse(args)
  if (one !== undefined) {
    process.stdout.write(JSON.stringify(measure(one)))
    return 0
  }
  const all: Array<Measured> = []
  for (let calls = least; calls <= most; calls *= 10) all.push(apart(calls))
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`)
  process.stdout.write(`${plain(tableOf(all), Math.max(process.stdout.columns || 80, 40))}\n\n`)
  const wrong = complaints(all)
  const last = all.at(-1)!
  const verdict = wrong.length > 0
    ? `bench:simulation: not as promised: ${wrong.join("; ")}`
    : `bench:simulation: ${last.calls.toLocaleString("en-US")} calls of ${
      last.users.toLocaleString("en-US")
    } users in ${last.seconds.toFixed(1)} s and ${last.megabytes.toFixed(0)} MB, and no more than n log n`
  process.stdout.write(`${wrap(verdict, 80)}\n`)
  return wrong.length > 0 ? 1 : 0
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`bench:simulation: ${(error as Error).message}\n`)
  process.exitCode = 1
}
