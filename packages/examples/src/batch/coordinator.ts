/** The parent: gives the prompts out, writes the answers down, and says how it stands. */
import { AzureO1Config } from "@effect-resilience/azure-o1"
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import process from "node:process"
import { Hopeless } from "./answer.ts"
import { crew } from "./crew.ts"
import { fakeDeployment, sample } from "./fake.ts"
import * as journal from "./journal.ts"
import { type Reader, StoreError } from "./Ledger.ts"
import type { Options } from "./options.ts"
import { type Output, output } from "./output.ts"
import { count, type Screen, type Standing } from "./progress.ts"
import { type Bad, parsePrompts, type Prompt } from "./prompts.ts"
import * as redis from "./redis.ts"
import type { Settings, Store } from "./settings.ts"
import { queue } from "./worker.ts"

/** How it ended. */
export interface Verdict {
  readonly standing: Standing
  readonly bad: number
  readonly replaced: number
  readonly stopped: boolean
  readonly output: string
}

const read = (file: string): Effect.Effect<string, StoreError> =>
  Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: (error) =>
      new StoreError({
        message: error instanceof Error && "code" in error && error.code === "ENOENT"
          ? `There is no file ${file}.`
          : `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`
      })
  })

/** The first of them by their lines. */
const shownBad = 10

const nameBad = (input: string, bad: ReadonlyArray<Bad>): void => {
  for (const { line, problem } of bad.slice(0, shownBad)) process.stderr.write(`${input}:${line}: ${problem}\n`)
  if (bad.length > shownBad) process.stderr.write(`${input}: and ${count(bad.length - shownBad, "more bad line")}\n`)
}

const storeOf = ({ leaseMillis, store }: Options, input: string, output: string): Store =>
  store._tag === "Redis"
    ? {
      _tag: "Redis",
      place: { url: store.url, run: store.run ?? createHash("sha256").update(output).digest("hex").slice(0, 16) },
      leaseMillis
    }
    : { _tag: "Journal", file: resolve(store.file ?? `${output}.journal`), input, output }

/** Puts what has no answer yet into the queue, and gives what reads the answers. */
const begin = (
  store: Store,
  prompts: ReadonlyArray<Prompt>,
  { written }: Output
): Effect.Effect<Reader, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    if (store._tag === "Journal") return yield* journal.reader(store.file)
    const services = yield* Layer.build(
      Layer.provideMerge(PersistedQueue.layer, redis.queueStore(store.place, store.leaseMillis)).pipe(
        Layer.provideMerge(redis.connection(store.place))
      )
    )
    const waiting = yield* Effect.provide(queue, services)
    // what is there already stays as it is
    yield* Effect.forEach(
      prompts.filter(({ id }) => !written.has(id)),
      (prompt) => waiting.offer(prompt, { id: prompt.id }),
      { concurrency: 32, discard: true }
    ).pipe(Effect.mapError(({ message }) => new StoreError({ message })))
    return yield* Effect.provide(redis.reader(store.place), services)
  })

/** The environment of the workers: that of this process, or of a fake deployment. */
const deployment = (
  { fake }: Options
): Effect.Effect<NodeJS.ProcessEnv, Hopeless, Scope.Scope> =>
  fake
    ? Effect.map(fakeDeployment, (env) => ({ ...process.env, ...env }))
    : Effect.as(AzureO1Config.config, process.env).pipe(
      Effect.mapError(({ message }: Config.ConfigError) =>
        new Hopeless({ message: `${message.replace(/\.?$/u, ".")} With --fake nothing leaves this machine.` })
      )
    )

/** Until all is answered, or `stop`. */
export const run = (
  options: Options,
  workerFile: string,
  screen: Screen,
  stop: Deferred.Deferred<void>
): Effect.Effect<Verdict, Hopeless | StoreError> =>
  Effect.gen(function*() {
    const files = options.input === undefined ? yield* sample : { input: options.input, output: options.output! }
    const inputFile = resolve(files.input)
    const outputFile = resolve(files.output)
    const { bad, prompts } = parsePrompts(yield* read(inputFile))
    nameBad(files.input, bad)
    const out = yield* output(outputFile)
    const env = yield* deployment(options)
    const { concurrency, effort, maxTokens, workers } = options
    const store = storeOf(options, inputFile, outputFile)
    const reader = yield* begin(store, prompts, out)
    const ids = new Set(prompts.map(({ id }) => id))
    const start = yield* Clock.monotonicTimeNanos
    const failures = () => Array.from(out.written).filter(([id, failed]) => failed && ids.has(id)).length
    const lines = () => Array.from(out.written.keys()).filter((id) => ids.has(id)).length
    const before = lines()
    let twice = 0
    let inFlight = 0
    const standing = Effect.map(Clock.monotonicTimeNanos, (now): Standing => {
      const failed = failures()
      const answered = lines() - failed
      const elapsedMillis = Number(now - start) / 1_000_000
      return { total: ids.size, answered, failed, inFlight, twice, before, elapsedMillis }
    })
    const take = Effect.gen(function*() {
      const news = yield* reader.news
      twice = news.twice
      const fresh = news.results.filter(([id]) => ids.has(id) && !out.written.has(id))
      yield* out.write(fresh)
      return fresh.length
    })
    const settled = Effect.sync(() => lines() === ids.size)

    const settings: Settings = { store, workers, concurrency, effort, maxTokens }
    const replaced = yield* Effect.scoped(Effect.gen(function*() {
      yield* take
      if (yield* settled) return 0
      if (before > 0) {
        screen.say(`Going on: ${count(lines(), "of", "of")} ${ids.size.toLocaleString("en")} have a line already.`)
      }
      const { failed, inFlight: flying, lives, replaced } = yield* crew(workerFile, settings, env)
      const step = Effect.gen(function*() {
        if ((yield* patiently(take)) > 0) lives()
        inFlight = flying()
        screen.show(yield* standing)
        return yield* settled
      })
      yield* Effect.repeat(step, { until: (settled) => settled, schedule: Schedule.spaced("100 millis") }).pipe(
        Effect.raceFirst(Deferred.await(stop)),
        Effect.raceFirst(failed),
        Effect.ensuring(Effect.sync(screen.clear))
      )
      return replaced()
    }))
    // the workers have ended, and may have stored more on their way
    inFlight = 0
    yield* take
    const stopped = !(yield* settled)
    return { standing: yield* standing, bad: bad.length, replaced, stopped, output: files.output }
  }).pipe(Effect.scoped)

/** A store that is away for a moment comes back. */
const patiently = <A>(self: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
  Effect.retry(self, Schedule.spaced("1 second").pipe(Schedule.upTo({ duration: "30 seconds" })))
