/** A fleet through a bad minute: `npm run fleet -- --help` tells what happens to it. */
import { Balancer } from "@effect-resilience/core"
import { available, start as startRedis } from "@effect-resilience/redis-server"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Effect, Fiber, Random, Result, Runtime, Schedule, Scope } from "effect"
import { mkdtemp, open, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { teardownOnSignals } from "../support/signals.ts"
import * as answers from "./answers.ts"
import { check } from "./checks.ts"
import * as crew from "./crew.ts"
import * as load from "./load.ts"
import { help, type Options, parse } from "./options.ts"
import { start as startRegion } from "./regions.ts"
import { picture, promises, rowsOf, table } from "./report.ts"
import type { Look, Run } from "./run.ts"
import { phasesOf, processes, regions, type Step } from "./scenario.ts"
import { look } from "./watch.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "effect-resilience-fleet-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const play = ({ rate, seconds, seed }: Options) =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const redis = yield* startRedis
    const deployments = yield* Effect.forEach(regions, startRegion)
    const [east, west] = deployments as [typeof deployments[0], typeof deployments[0]]
    const told = {
      redis: redis.url,
      answers: yield* folder,
      members: deployments.map(({ name, url }) => ({ name, url, key: "fake-key" }))
    }
    const startWorker = Scope.provide(crew.start(told), scope)
    const workers = yield* Effect.all(Array.from({ length: processes }, () => startWorker), { concurrency: processes })
    const serving = yield* Balancer.make({ name: "processes", endpoints: workers.map(({ url }) => url) })
    const calls = yield* load.plan(seconds, rate, seed)
    const phases = phasesOf(seconds)
    yield* Console.log(
      `${calls.length} calls in ${seconds} seconds, to ${processes} processes and ${deployments.length} deployments.`
    )

    const begun = yield* Clock.currentTimeMillis
    const now = Effect.map(Clock.currentTimeMillis, (millis) => (millis - begun) / 1000)
    const until = (second: number) => Effect.flatMap(now, (at) => Effect.sleep(Math.max(0, second - at) * 1000))
    const outcomes: Array<load.Outcome> = []
    const looks: Array<Look> = []
    const moments = { storeGone: 0, storeBack: 0, killed: 0, replaced: 0 }
    let victim = 0

    const lookNow = Effect.gen(function*() {
      const at = yield* now
      const seen = yield* Effect.forEach(workers, look, { concurrency: "unbounded" })
      const counted = yield* Effect.forEach(deployments, ({ counted, name }) =>
        Effect.map(counted, (each) => [name, each] as const))
      return { at, processes: seen, regions: Object.fromEntries(counted) as Look["regions"] }
    })

    /** What a step does when it begins, and when it ends. */
    const does: {
      readonly [S in Step]?: readonly [begin: Effect.Effect<void, unknown>, end: Effect.Effect<void, unknown>]
    } = {
      outage: [east.fail, east.recover],
      squeeze: [west.squeeze, west.release],
      restart: [
        Effect.gen(function*() {
          yield* redis.kill
          moments.storeGone = yield* now
          yield* Effect.sleep(seconds * 50)
          yield* redis.restart
          moments.storeBack = yield* now
        }),
        Effect.void
      ],
      kill: [
        Effect.gen(function*() {
          const at = Math.floor((yield* Random.next) * workers.length)
          const worker = workers[at]!
          victim = worker.pid
          yield* worker.kill
          moments.killed = yield* now
          yield* Effect.sleep(seconds * 50)
          workers[at] = yield* startWorker
          yield* serving.update(workers.map(({ url }) =>
            url
          ))
          moments.replaced = yield* now
        }).pipe(Random.withSeed(seed)),
        Effect.void
      ]
    }

    const scenario = Effect.forEach(phases, ({ from, step, title, to }) =>
      Effect.gen(function*() {
        yield* until(from)
        yield* Console.log(`${`${from.toFixed(0)} s`.padStart(5)}  ${title}`)
        const [begin, end] = does[step] ?? [Effect.void, Effect.void]
        yield* begin
        yield* until(to)
        yield* end
      }), { discard: true })

    const watching = yield* Effect.forkScoped(
      Effect.repeat(Effect.map(lookNow, (each) => void looks.push(each)), Schedule.fixed("500 millis"))
    )
    yield* Effect.all([load.run(calls, serving, (outcome) => void outcomes.push(outcome)), scenario], {
      concurrency: 2,
      discard: true
    })
    yield* Fiber.interrupt(watching)
    // a circuit that has opened late closes with the next calls, and there are none
    const last = yield* lookNow
    const written = yield* answers.count(told.answers)
    return { seconds, phases, outcomes, looks, last, moments, victim, written } satisfies Run
  }).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layerUndici))

/** A file that cannot be written is known before the minute begins. */
const canWrite = (file: string | undefined) =>
  file === undefined ? Effect.void : Effect.tryPromise({
    try: async () => (await open(file, "a")).close(),
    catch: (error) => `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`
  })

const write = (file: string | undefined, text: () => string) =>
  file === undefined ? Effect.void : Effect.promise(() => writeFile(file, text()))

const report = (run: Run, { json, plot }: Options) =>
  Effect.gen(function*() {
    const rows = rowsOf(run)
    const checks = check(run)
    yield* Console.log(`\n${table(rows)}\n\n${promises(checks)}\n`)
    yield* write(json, () => `${JSON.stringify({ rows, checks, run }, undefined, 2)}\n`)
    yield* write(plot, () => picture(run))
    const broken = checks.filter(({ holds }) => !holds).length
    yield* Console.log(
      broken === 0
        ? `fleet: all ${checks.length} promises kept`
        : `fleet: ${broken} of ${checks.length} promises broken`
    )
    process.exitCode = broken === 0 ? 0 : 1
  })

const stop = (message: string) =>
  Effect.sync(() => {
    process.stderr.write(`${message}\n`)
    process.exitCode = 2
  })

const program = Result.match(parse(process.argv.slice(2), process.env), {
  onFailure: (message) => stop(`${message} npm run fleet -- --help tells more.`),
  onSuccess: (options) =>
    options.help
      ? Console.log(help)
      : available
      ? Effect.all([canWrite(options.json), canWrite(options.plot)]).pipe(
        Effect.andThen(play(options)),
        Effect.flatMap((run) => report(run, options))
      )
      : stop("There is no redis-server on the PATH: apt-get install redis-server, or brew install redis.")
})

NodeRuntime.runMain(Effect.catch(program, (error) => stop(String(error))), {
  teardown: teardownOnSignals(Runtime.defaultTeardown)
})
