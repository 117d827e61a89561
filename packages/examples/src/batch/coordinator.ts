/** The parent: gives the prompts out, writes the answers down, and says how it stands. */
import { AzureO1Config } from "@effect-resilience/azure-o1"
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import process from "node:process"
import { Hopeless } from "./answer.ts"
import { crew } from "./crew.ts"
import { fakeDeployment, sample } from "./fake.ts"
import { type Memory, type News, StoreError } from "./Ledger.ts"
import { regular } from "./Lock.ts"
import type { Options } from "./options.ts"
import { output } from "./output.ts"
import { count, type Screen, type Standing } from "./progress.ts"
import { type Bad, keyOf, parsePrompts, type Prompt } from "./prompts.ts"
import { rescue, rescued } from "./rescue.ts"
import { isFailed, type Result } from "./Result.ts"
import type { Settings, Store } from "./settings.ts"
import { supply } from "./supply.ts"

/** How it ended. */
export interface Verdict {
  readonly standing: Standing
  readonly bad: number
  readonly replaced: number
  readonly stopped: boolean
  readonly output: string
}

const read = (file: string): Effect.Effect<string, StoreError> =>
  Effect.andThen(
    regular(file),
    Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: (error) =>
        new StoreError({
          message: error instanceof Error && "code" in error && error.code === "ENOENT"
            ? `There is no file ${file}.`
            : `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`
        })
    })
  )

/** The first of them by their lines. */
const shownBad = 10

const nameBad = (input: string, bad: ReadonlyArray<Bad>): void => {
  for (const { line, problem } of bad.slice(0, shownBad)) process.stderr.write(`${input}:${line}: ${problem}\n`)
  if (bad.length > shownBad) process.stderr.write(`${input}: and ${count(bad.length - shownBad, "more bad line")}\n`)
}

const storeOf = ({ leaseMillis, store }: Options, output: string): Store =>
  store._tag === "Redis"
    ? {
      _tag: "Redis",
      place: { url: store.url, run: store.run ?? createHash("sha256").update(output).digest("hex").slice(0, 16) },
      leaseMillis
    }
    : { _tag: "Journal", file: resolve(store.file ?? `${output}.journal`) }

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
    const store = storeOf(options, outputFile)
    const used = [inputFile, outputFile, ...store._tag === "Journal" ? [store.file] : []]
    if (new Set(used).size < used.length) {
      return yield* new StoreError({ message: "PROMPTS, ANSWERS and the journal must be different files." })
    }
    const text = yield* read(inputFile)
    const out = yield* output(outputFile)
    const { bad, prompts } = parsePrompts(text, out.written)
    nameBad(files.input, bad)
    const env = yield* deployment(options)
    const { concurrency, effort, maxTokens, workers } = options
    const { news, offer, restore, retire } = yield* supply(store, prompts, out)
    const byKey = new Map(prompts.map((prompt) => [keyOf(prompt), prompt]))
    const total = prompts.length
    const start = yield* Clock.monotonicTimeNanos
    const before = prompts.filter(({ id }) => out.written.has(id)).length
    let failed = prompts.filter(({ id }) => out.written.get(id)?.failed === true).length
    let answered = before - failed
    let twice = 0
    /** What a store counted before it lost its memory. */
    let forgotten = 0
    let inFlight = 0
    const standing = Effect.map(Clock.monotonicTimeNanos, (now): Standing => {
      const elapsedMillis = Number(now - start) / 1_000_000
      return { total, answered, failed, inFlight, twice, before, elapsedMillis }
    })
    const write = Effect.fnUntraced(function*(results: News["results"]) {
      const fresh = results.flatMap(([key, result]): ReadonlyArray<readonly [Prompt, Result]> => {
        const prompt = byKey.get(key)
        return prompt === undefined || out.written.has(prompt.id) ? [] : [[prompt, result]]
      })
      yield* out.write(fresh)
      const worse = fresh.filter(([, result]) => isFailed(result)).length
      failed += worse
      answered += fresh.length - worse
      return fresh.length
      // a stop leaves nothing half written, or uncounted
    }, Effect.uninterruptible)
    const open = (memory: Memory): Memory =>
      new Map(Array.from(memory).filter(([key]) => !out.written.has(byKey.get(key)?.id ?? "")))
    /** Writes all that there is, and gives how much that was. */
    const take = Effect.fnUntraced(function*(memory: Memory) {
      let lines = 0
      while (true) {
        const { emptied, results, twice: now } = yield* news
        if (emptied) {
          forgotten = twice
          yield* Effect.andThen(restore(open(memory)), offer)
        }
        twice = forgotten + now
        lines += yield* write(results)
        if (results.length === 0 && !emptied) return lines
      }
    })
    const settled = () => answered + failed === total

    let heard: Memory = nothing
    if (store._tag === "Redis") {
      yield* Effect.addFinalizer((exit) => Exit.isFailure(exit) ? rescue(outputFile, open(heard)) : Effect.void)
    }

    const settings: Settings = { store, workers, concurrency, effort, maxTokens }
    const replaced = yield* Effect.scoped(Effect.gen(function*() {
      yield* take(nothing)
      if (settled()) return 0
      if (before > 0) {
        screen.say(`Going on: ${before.toLocaleString("en")} of ${count(total, "prompt")} have a line already.`)
      }
      yield* rescued(outputFile, restore)
      yield* offer
      const workers = yield* crew(workerFile, settings, env, () => prompts.filter(({ id }) => !out.written.has(id)))
      heard = workers.memory
      let busy = yield* Clock.monotonicTimeNanos
      const step = Effect.gen(function*() {
        const lines = yield* take(workers.memory)
        if (lines > 0) workers.lives()
        inFlight = workers.inFlight()
        const now = yield* Clock.monotonicTimeNanos
        if (lines > 0 || inFlight > 0) busy = now
        if (now - busy > longestIdle) return yield* new Hopeless({ message: idle(total - answered - failed) })
        screen.show(yield* standing)
        return settled()
      })
      yield* Effect.repeat(step, { until: (settled) => settled, schedule: Schedule.spaced("100 millis") }).pipe(
        Effect.raceFirst(Deferred.await(stop)),
        Effect.raceFirst(workers.failed),
        Effect.ensuring(Effect.sync(screen.clear))
      )
      return workers.replaced()
    }))
    // the workers have ended, and may have stored more on their way
    inFlight = 0
    yield* take(nothing)
    if (settled()) yield* retire
    return { standing: yield* standing, bad: bad.length, replaced, stopped: !settled(), output: files.output }
  }).pipe(Effect.scoped)

/** The queue keeps a prompt back for two minutes at most. */
const longestIdle = 300_000_000_000n

const idle = (left: number): string =>
  `Nothing has happened for five minutes, although ${
    count(left, "prompt")
  } wait for an answer. Start the same command again.`

const nothing: Memory = new Map()
