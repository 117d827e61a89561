/**
 * Keeps what a monitor has seen in a file, and reads it back when the program starts again.
 *
 * Put it upon `O1Monitor.layer`. Each observation is a line of JSON. The layer writes in batches, and the rest when its scope closes.
 *
 * **Example** (What was seen before a restart)
 *
 * ```ts import.meta.vitest
 * import { O1Monitor, O1Observer } from "@effect-resilience/azure-o1"
 * import { O1History } from "@effect-resilience/azure-o1/history"
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Duration, Effect, FileSystem, Layer } from "effect"
 *
 * const observed = (path: string) =>
 *   O1History.layer({ path }).pipe(Layer.provideMerge(O1Monitor.layer()))
 *
 * const before = Effect.gen(function*() {
 *   const observe = yield* O1Observer
 *   observe?.({ _tag: "Connection", origin: "https://o1.example", duration: Duration.millis(30), failed: false })
 * })
 * const after = Effect.gen(function*() {
 *   const { origins } = yield* (yield* O1Monitor).snapshot
 *   return origins.map(({ origin }) => origin)
 * })
 *
 * const program = Effect.gen(function*() {
 *   const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
 *   yield* Effect.provide(before, observed(`${folder}/o1.jsonl`))
 *   return yield* Effect.provide(after, observed(`${folder}/o1.jsonl`))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(NodeFileSystem.layer))) // => ["https://o1.example"]
 * ```
 *
 * **Details**
 *
 * - A file that would become larger than `maxBytes` is renamed to `path.1`, that one to `path.2`, and the last of `maxFiles` goes.
 * - A line that is no observation, or was written only in part when the process died, is left out.
 * - The monitor takes in what is younger than `keep` as if it had just been seen, and forgets it as it forgets the rest.
 * - A file that cannot be written hurts no call: up to `maxPending` observations wait in memory, one line in the log tells, and one more when it is written again.
 * - A line has times, numbers of tokens, the names of deployment, model and origin, and the class of an error. It has no prompt, no answer and no key.
 *
 * **Gotchas**
 *
 * Each process needs a path of its own: two that write one file would put each other's lines aside.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { millisOf } from "../monitor/limit.ts"
import { both } from "../monitor/observers.ts"
import { Registry } from "../monitor/registry.ts"
import type { MonitorSnapshot } from "../monitor/snapshot.ts"
import { O1Monitor } from "../O1Monitor.ts"
import { type O1Observation, O1Observer } from "../O1Observation.ts"
import { fromLine, type Kept, toLine } from "./lines.ts"
import { filesOf, Writer } from "./writer.ts"

export type { Kept } from "./lines.ts"

/**
 * Where a history is, and what is read of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReadOptions {
  /** The latest file. Its folder has to be there. */
  readonly path: string
  /**
   * How many files there are: the latest and those that were put aside.
   *
   * @default 5
   */
  readonly maxFiles?: number | undefined
  /**
   * Observations that are older are not read.
   *
   * @default "1 day"
   */
  readonly keep?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends ReadOptions {
  /**
   * A file that would become larger is put aside.
   *
   * @default 5_000_000
   */
  readonly maxBytes?: number | undefined
  /**
   * How often new observations are written.
   *
   * @default "1 second"
   */
  readonly every?: Duration.Input | undefined
  /**
   * The most observations that wait to be written. Beyond it the oldest are dropped, and a line in the log says how many.
   *
   * @default 10_000
   */
  readonly maxPending?: number | undefined
}

const integer = (where: string, option: string, value: number, least: number): number => {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new RangeError(`${where}: ${option} must be an integer >= ${least}, got ${String(value)}`)
}

const readingOf = (where: string, { keep, maxFiles, path }: ReadOptions) => {
  if (typeof path !== "string" || path === "") {
    throw new RangeError(`${where}: path must be the path of a file, got ${JSON.stringify(path) ?? "undefined"}`)
  }
  return {
    path,
    maxFiles: integer(where, "maxFiles", maxFiles ?? 5, 1),
    keep: millisOf(where, "keep", keep ?? "1 day")
  }
}

type Reading = ReturnType<typeof readingOf>

/** The lines that are observations, the oldest first, and how many are none. */
const linesOf = ({ keep, maxFiles, path }: Reading) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const since = (yield* Clock.currentTimeMillis) - keep
    let unreadable = 0
    const files = yield* Effect.filter(filesOf(path, maxFiles).toReversed(), (file) => fs.exists(file))
    const kept = Stream.fromIterable(files).pipe(
      Stream.flatMap((file) => fs.stream(file).pipe(Stream.decodeText, Stream.splitLines)),
      Stream.map((line) => {
        const found = line === "" ? undefined : fromLine(line)
        if (found === undefined && line !== "") unreadable++
        return found
      }),
      Stream.filter((found): found is Kept => found !== undefined && found.at >= since)
    )
    return { kept, unreadable: Effect.sync(() => unreadable) }
  })

/**
 * The observations that are kept, the oldest first.
 *
 * @category reading
 * @since 0.1.0
 */
export const read = (options: ReadOptions): Stream.Stream<Kept, PlatformError, FileSystem.FileSystem> => {
  const reading = readingOf("O1History.read", options)
  return Stream.unwrap(Effect.map(linesOf(reading), ({ kept }) => kept))
}

const snapshotOf = (reading: Reading, maxSeries: number) =>
  Effect.gen(function*() {
    // all of it is of one generation
    const registry = new Registry(Number.MAX_SAFE_INTEGER, maxSeries)
    const { kept, unreadable } = yield* linesOf(reading)
    let count = 0
    yield* Stream.runForEachArray(kept, (some) =>
      Effect.sync(() => {
        count += some.length
        for (const { observation } of some) {
          if (observation._tag === "Attempt") registry.attempt(observation, 0)
          else if (observation._tag === "Call") registry.call(observation, 0)
          else registry.connection(observation, 0)
        }
      }))
    const snapshot: MonitorSnapshot = { version: 1, at: yield* Clock.currentTimeMillis, ...registry.snapshot(0) }
    return { snapshot, count, unreadable: yield* unreadable }
  })

/**
 * A history as a monitor would have seen it, for `recommend` or a table.
 *
 * @category reading
 * @since 0.1.0
 */
export const snapshot = (
  options: ReadOptions & {
    /**
     * As of `O1Monitor.layer`.
     *
     * @default 100
     */
    readonly maxSeries?: number | undefined
  }
): Effect.Effect<MonitorSnapshot, PlatformError, FileSystem.FileSystem> => {
  const where = "O1History.snapshot"
  const reading = readingOf(where, options)
  const maxSeries = integer(where, "maxSeries", options.maxSeries ?? 100, 1)
  return Effect.map(snapshotOf(reading, maxSeries), (read) => read.snapshot)
}

/** Writes what is pending, and tells once that it cannot, and once that it can again. */
const flushing = (writer: Writer, path: string): Effect.Effect<void> => {
  let failing = false
  return Effect.matchEffect(Effect.suspend(() => writer.flush), {
    onFailure: (error) => {
      if (failing) return Effect.void
      failing = true
      return Effect.logWarning(
        `O1History: ${path} cannot be written, and new observations wait in memory: ${error.message}`
      )
    },
    onSuccess: (dropped) => {
      const again = failing
      failing = false
      return again || dropped > 0
        ? Effect.logWarning(`O1History: ${path} is written again; ${dropped} observations did not fit into memory`)
        : Effect.void
    }
  })
}

/**
 * Reads the history into the monitor, and writes every observation from then on. The layer fails if a file cannot be read or written when it is
 * built. A bad option throws a `RangeError` that names it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, PlatformError, FileSystem.FileSystem | O1Monitor> => {
  const where = "O1History.layer"
  const reading = readingOf(where, options)
  const { maxFiles, path } = reading
  const every = millisOf(where, "every", options.every ?? "1 second")
  const writing = {
    path,
    maxFiles,
    maxBytes: integer(where, "maxBytes", options.maxBytes ?? 5_000_000, 1),
    maxPending: integer(where, "maxPending", options.maxPending ?? 10_000, 1)
  }
  return Layer.effect(
    O1Observer,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const monitor = yield* O1Monitor
      const clock = yield* Clock.Clock
      const { count, snapshot, unreadable } = yield* snapshotOf(reading, 100)
      yield* monitor.merge(snapshot)
      yield* Effect.logDebug(`O1History: ${count} observations of ${path}, ${unreadable} lines left out`)

      const writer = yield* Writer.open(fs, writing)
      const flush = flushing(writer, path)
      yield* Effect.addFinalizer(() => flush)
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), flush)))

      const keep = (observation: O1Observation): void =>
        writer.add(toLine({ at: clock.currentTimeMillisUnsafe(), observation }))
      const other = yield* O1Observer
      return other === undefined ? keep : both([keep, other])
    })
  )
}
