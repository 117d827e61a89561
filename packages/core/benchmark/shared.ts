import { NodeRedis } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as EffectRateLimiter from "effect/persistence/RateLimiter"
import { Redis } from "effect/persistence/Redis"
import { closeSync, openSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { RateLimiterRedis } from "rate-limiter-flexible"
import { createClient } from "redis"
import { available, start } from "../../../tools/redis/src/index.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import { Shared } from "../src/shared/index.ts"
import { type Cell, plain, type Table, wrap } from "./table.ts"

const help = `npm run bench:shared [-- OPTION...]

Measures what one permit of a limit costs that is shared in Redis: this
library's limiter, with and without permits taken ahead, beside
rate-limiter-flexible and Effect's own. It starts a redis-server on loopback,
and takes about half a minute.

  --quick      few calls, to see that it runs: only round trips are judged
  --calls N    so many calls of each limiter, alone and together (20000)
  --callers N  so many callers at once (64)
  --json FILE  the results as JSON`

const usage = "options: --quick, --calls N, --callers N, --json FILE, --help"

interface Arguments {
  readonly quick: boolean
  readonly calls: number
  readonly callers: number
  readonly json: string | undefined
}

const integer = (option: string, text: string, least: number): number => {
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
        calls: { type: "string" },
        callers: { type: "string", default: "64" },
        json: { type: "string" }
      }
    })
    // found out before the measuring, not after
    if (values.json !== undefined) closeSync(openSync(values.json, "a"))
    return {
      quick: values.quick,
      calls: integer("calls", values.calls ?? (values.quick ? "2000" : "20000"), 100),
      callers: integer("callers", values.callers, 2),
      json: values.json
    }
  } catch (error) {
    const [reason] = (error as Error).message.split(". ", 1)
    throw new Error(`${reason} (${usage})`, { cause: error })
  }
}

/** nobody is ever refused: what is measured is the way to the answer */
const limit = 1_000_000_000

interface Contender {
  readonly name: string
  readonly take: Effect.Effect<unknown, unknown>
}

const contenders = Effect.fnUntraced(function*(url: string) {
  const client = createClient({ url })
  yield* Effect.acquireRelease(Effect.promise(() => client.connect()), () => Effect.promise(() => client.close()))
  const flexible = new RateLimiterRedis({ storeClient: client, useRedisPackage: true, points: limit, duration: 1 })
  const own = yield* EffectRateLimiter.RateLimiter
  const ours = (name: string, ahead: number) =>
    Effect.map(
      Shared.rateLimiter({
        name,
        ahead,
        initial: "full",
        attempt: "5 seconds",
        limit: RateLimiter.tokenBucket({ limit, within: "1 second" })
      }),
      (limiter): Contender => ({ name, take: limiter.take() })
    )
  return [
    { name: "rate-limiter-flexible", take: Effect.promise(() => flexible.consume("key")) },
    {
      name: "Effect's own",
      take: own.consume({ algorithm: "token-bucket", window: "1 second", limit, key: "key" })
    },
    yield* ours("Shared.rateLimiter", 0),
    yield* ours("Shared, 5 ms ahead", 5)
  ] satisfies ReadonlyArray<Contender>
})

interface Measured {
  /** in milliseconds */
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
  /** round trips per call */
  readonly trips: number
}

/** The commands that a client sent; what scripts call is not among them. */
const sent = Effect.gen(function*() {
  const info = yield* Effect.flatMap(Redis, ({ send }) => send<string>("INFO", "commandstats"))
  const calls = (command: string): number =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`, "u").exec(info)?.[1] ?? 0)
  return ["eval", "evalsha", "exec"].reduce((sum, command) => sum + calls(command), 0)
})

const quantile = (sorted: Float64Array, q: number): number => sorted[Math.ceil(sorted.length * q) - 1]!

const measure = Effect.fnUntraced(function*({ take }: Contender, callers: number, calls: number) {
  const each = Math.ceil(calls / callers)
  const times = new Float64Array(each * callers)
  let at = 0
  const caller = Effect.gen(function*() {
    for (let i = 0; i < each; i++) {
      const begun = performance.now()
      yield* take
      times[at++] = performance.now() - begun
    }
  })
  const before = yield* sent
  const begun = performance.now()
  yield* Effect.all(Array.from({ length: callers }, () => caller), { concurrency: "unbounded", discard: true })
  const seconds = (performance.now() - begun) / 1000
  const trips = ((yield* sent) - before) / times.length
  const sorted = times.toSorted()
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), perSecond: times.length / seconds, trips }
})

interface Row {
  readonly name: string
  readonly alone: Measured
  readonly together: Measured
}

const run = Effect.fnUntraced(function*({ callers, calls }: Arguments, url: string) {
  const all = yield* contenders(url)
  for (const contender of all) yield* measure(contender, 1, Math.min(calls, 2000))
  const rows: Array<Row> = []
  for (const contender of all) {
    console.error(`${contender.name} ...`)
    const alone = yield* measure(contender, 1, Math.ceil(calls / 5))
    rows.push({ name: contender.name, alone, together: yield* measure(contender, callers, calls) })
  }
  return rows
})

const millis = (n: number): Cell => ({ text: n.toFixed(3) })

const tableOf = (title: string, rows: ReadonlyArray<Row>, of: (row: Row) => Measured): Table => ({
  title,
  head: ["", "p50 ms", "p99 ms", "calls/s", "round trips per call"],
  words: [0],
  rows: rows.map((row) => {
    const { p50, p99, perSecond, trips } = of(row)
    return [
      { text: row.name },
      millis(p50),
      millis(p99),
      { text: Math.round(perSecond).toLocaleString("en") },
      { text: trips.toFixed(3) }
    ]
  })
})

/** What the page promises, and whether it was so in this run. */
const judge = (
  [flexible, own, shared, ahead]: ReadonlyArray<Row>,
  quick: boolean
): ReadonlyArray<readonly [string, boolean]> => {
  const trips: ReadonlyArray<readonly [string, boolean]> = [
    ["many callers share round trips: at most 0.2 per call", shared!.together.trips <= 0.2],
    ["with permits taken ahead at most 0.05 per call", ahead!.together.trips <= 0.05]
  ]
  if (quick) return trips
  const best = (of: (row: Row) => number): number => Math.min(of(flexible!), of(own!))
  return [
    [
      "one caller waits at most 5 times as long as with the best of the others (p50)",
      shared!.alone.p50 <= 5 * best((row) => row.alone.p50)
    ],
    [
      "many callers wait no longer than with the best of the others (p50)",
      shared!.together.p50 <= best((row) => row.together.p50)
    ],
    ...trips
  ]
}

const main = Effect.fnUntraced(function*(args: Arguments) {
  const server = yield* start
  const redis = NodeRedis.layer({ url: server.url })
  const limiters = EffectRateLimiter.layer.pipe(Layer.provide(EffectRateLimiter.layerStoreRedis()))
  const rows = yield* Effect.scoped(run(args, server.url)).pipe(
    Effect.provide(Layer.provideMerge(limiters, redis))
  )
  const columns = Math.max(process.stdout.columns || 80, 40)
  const judged = judge(rows, args.quick)
  const failed = judged.filter(([, holds]) => !holds)
  console.log([
    plain(tableOf("one caller", rows, ({ alone }) => alone), columns),
    plain(tableOf(`${args.callers} callers`, rows, ({ together }) => together), columns),
    judged.map(([promise, holds]) => wrap(`${holds ? "yes" : "NO "} ${promise}`, columns)).join("\n"),
    failed.length === 0
      ? "bench:shared: all as promised"
      : `bench:shared: ${failed.length} of ${judged.length} not as promised`
  ].join("\n\n"))
  if (args.json !== undefined) {
    writeFileSync(args.json, `${JSON.stringify({ node: process.version, ...args, rows }, null, 2)}\n`)
  }
  if (failed.length > 0) process.exitCode = 1
})

const args = process.argv.slice(2)
if (args.includes("--help") || args.includes("-h")) console.log(help)
else {
  try {
    const parsed = parse(args)
    if (!available) throw new Error("bench:shared needs a redis-server on the PATH")
    await Effect.runPromise(Effect.scoped(main(parsed)))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
