import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { O1History } from "../../src/history/index.ts"
import { fromLine, toLine } from "../../src/history/lines.ts"
import { O1Monitor } from "../../src/O1Monitor.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"
import { recommend } from "../../src/Recommend.ts"
import { attempt, call, cut } from "../support/observations.ts"

const connection: O1Observation = {
  _tag: "Connection",
  origin: "https://a",
  duration: Duration.millis(30),
  failed: false
}
const day = 86_400_000

const history = (options: O1History.Options) =>
  O1History.layer(options).pipe(Layer.provideMerge(O1Monitor.layer({ window: "1 hour" })))

/** A program that tells these, and ends. */
const telling = (options: O1History.Options, observations: ReadonlyArray<O1Observation>) =>
  Effect.gen(function*() {
    const observe = yield* O1Observer
    for (const observation of observations) observe!(observation)
    return yield* (yield* O1Monitor).snapshot
  }).pipe(Effect.provide(history(options)))

const inFolder = <A, E>(f: (path: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    return yield* f(`${yield* fs.makeTempDirectoryScoped()}/o1.jsonl`, fs)
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const totals = (path: string, options: Partial<O1History.ReadOptions> = {}) =>
  Stream.runCollect(O1History.read({ path, ...options })).pipe(
    Effect.map((all) =>
      all.map(({ observation }) => observation._tag === "Attempt" ? Duration.toSeconds(observation.total) : 0)
    )
  )

/** A file system in memory whose writes can be made to fail, and their sizes. */
const memory = ({ cuts = true } = {}) => {
  const files = new Map<string, string>()
  const writes: Array<string> = []
  let full = false
  const failure = (method: string) =>
    PlatformError.systemError({
      _tag: "WriteZero",
      module: "FileSystem",
      method,
      description: "no space left on device"
    })
  return {
    files,
    writes,
    fill: (value: boolean) => {
      full = value
    },
    layer: FileSystem.layerNoop({
      exists: (path) => Effect.sync(() => files.has(path)),
      stat: (path) => Effect.sync(() => ({ size: BigInt(files.get(path)?.length ?? 0) }) as any),
      remove: (path) => Effect.sync(() => void files.delete(path)),
      rename: (from, to) =>
        Effect.sync(() => {
          files.set(to, files.get(from)!)
          files.delete(from)
        }),
      stream: (path) => Stream.make(new TextEncoder().encode(files.get(path) ?? "")),
      truncate: (path, length) =>
        cuts
          ? Effect.sync(() => void files.set(path, files.get(path)!.slice(0, Number(length))))
          : Effect.fail(failure("truncate")),
      writeFile: (path, data) =>
        Effect.suspend(() => {
          const text = new TextDecoder().decode(data)
          const half = text.slice(0, text.length / 2)
          files.set(path, (files.get(path) ?? "") + (full ? half : text))
          if (text !== "" && !full) writes.push(text)
          return full ? Effect.fail(failure("writeFile")) : Effect.void
        })
    })
  }
}

const logged = () => {
  const lines: Array<string> = []
  return {
    lines,
    layer: Logger.layer([Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))])
  }
}

describe("a line", () => {
  const all: ReadonlyArray<O1Observation> = [
    attempt(20, { headers: Duration.millis(120), firstOutput: Duration.seconds(3), transport: "stream" }),
    cut(60, { attempt: 3, transport: undefined, effort: undefined }),
    call(30, { firstOutput: Duration.seconds(4) }),
    call(3, { outcome: "O1ServerError/unavailable", model: undefined, usage: undefined, attempts: 0 }),
    connection,
    { ...connection, failed: true }
  ]
  for (const observation of all) {
    it(`${observation._tag} comes back as it was`, () => {
      const line = toLine({ at: 5, observation })
      assert.strictEqual(line.indexOf("\n"), line.length - 1)
      assert.deepStrictEqual(fromLine(line), { at: 5, observation })
    })
  }

  it("that is none, or was cut anywhere, is none", () => {
    const line = toLine({ at: 5, observation: all[0]! }).trimEnd()
    for (let length = 0; length < line.length; length++) assert.isUndefined(fromLine(line.slice(0, length)))
    const others = [
      "null",
      "[]",
      "{}",
      "\0\0\0",
      "{\"at\":1,\"_tag\":\"Other\"}",
      line.replace("20000", "-1"),
      line.replace("20000", "\"x\"")
    ]
    for (const other of others) assert.isUndefined(fromLine(other), other)
  })
})

describe("O1History", () => {
  it.live("gives a new process what the one before has seen, and recommends the same", () =>
    inFolder((path) =>
      Effect.gen(function*() {
        const seen = [...Array.from({ length: 60 }, (_, i) => attempt(10 + i)), cut(60), call(30), connection]
        const before = yield* telling({ path }, seen)
        const after = yield* telling({ path }, [])
        // how many came in a second is a matter of the process that saw them
        const withoutRates = (snapshot: typeof before) => ({
          origins: snapshot.origins,
          series: snapshot.series.map(({ calls: { perSecond: _, ...calls }, ...series }) => ({ ...series, calls }))
        })
        assert.deepStrictEqual(withoutRates(after), withoutRates(before))
        const kept = yield* O1History.snapshot({ path })
        assert.deepStrictEqual(recommend(kept)[0]!.timeout, recommend(before)[0]!.timeout)
        assert.lengthOf(yield* totals(path), seen.length)
      })
    ))

  it.live("goes on after a line that was torn, and keeps the next one whole", () =>
    inFolder((path, fs) =>
      Effect.gen(function*() {
        yield* telling({ path }, [attempt(1), attempt(2)])
        const text = yield* fs.readFileString(path)
        yield* fs.writeFileString(path, text.slice(0, -15))
        yield* telling({ path }, [attempt(3)])
        assert.deepStrictEqual(yield* totals(path), [1, 3])
      })
    ))

  it.live("puts files aside by size, keeps so many, and reads them in order", () =>
    inFolder((path, fs) =>
      Effect.gen(function*() {
        const line = toLine({ at: Date.now(), observation: attempt(10) }).length
        const options = { path, maxBytes: line * 2 + 10, maxFiles: 3, every: "1 hour" as const }
        for (let i = 10; i < 20; i++) yield* telling(options, [attempt(i)])
        assert.deepStrictEqual(
          (yield* fs.readDirectory(path.slice(0, path.lastIndexOf("/")))).toSorted(),
          ["o1.jsonl", "o1.jsonl.1", "o1.jsonl.2"]
        )
        const read = yield* totals(path, { maxFiles: 3 })
        assert.deepStrictEqual(read, read.toSorted((a, b) => a - b))
        assert.strictEqual(read.at(-1), 19)
        assert.isAtMost(read.length, 6)
        assert.isAtLeast(read.length, 4)
        for (const name of ["", ".1", ".2"]) {
          assert.isAtMost(Number((yield* fs.stat(`${path}${name}`)).size), options.maxBytes)
        }
      })
    ))

  it.live("fails where the folder is missing, before the program runs", () =>
    inFolder((path) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(telling({ path: `${path}/none/o1.jsonl` }, []))
        assert.isTrue(Exit.isFailure(exit))
      })
    ))

  it.effect("writes in batches, not more often than `every`, and the rest when it ends", () =>
    Effect.gen(function*() {
      const { layer, writes } = memory()
      yield* Effect.gen(function*() {
        const observe = yield* O1Observer
        for (let i = 0; i < 100; i++) {
          observe!(attempt(i))
          yield* TestClock.adjust("100 millis")
        }
        assert.lengthOf(writes, 10)
        observe!(attempt(100))
      }).pipe(Effect.provide(Layer.provide(history({ path: "o1.jsonl" }), layer)))
      assert.lengthOf(writes, 11)
      assert.lengthOf(writes.join("").trim().split("\n"), 101)
    }))

  it.effect("reads what is young enough", () =>
    Effect.gen(function*() {
      const { files, layer } = memory()
      yield* TestClock.setTime(10 * day)
      const lines = [1, 30, 9 * 24, 10 * 24].map((hours) =>
        toLine({ at: 10 * day - hours * 3_600_000, observation: attempt(hours) })
      )
      files.set("o1.jsonl", lines.toReversed().join(""))
      const read = (keep?: Duration.Input) => Effect.provide(totals("o1.jsonl", { keep }), layer)
      assert.deepStrictEqual(yield* read(), [1])
      assert.deepStrictEqual(yield* read("2 days"), [30, 1])
      assert.lengthOf(yield* read("20 days"), 4)
    }))

  for (const cuts of [true, false]) {
    it.effect(`hurts no call while the disk is full, and what waits is bounded, told once, and written later (${cuts ? "cut back" : "torn"})`, () =>
      Effect.gen(function*() {
        const { files, fill, layer } = memory({ cuts })
        const log = logged()
        yield* Effect.gen(function*() {
          const observe = yield* O1Observer
          observe!(attempt(0))
          yield* TestClock.adjust("1 second")
          fill(true)
          for (let i = 1; i <= 30; i++) {
            observe!(attempt(i))
            yield* TestClock.adjust("1 second")
          }
          fill(false)
          yield* TestClock.adjust("1 second")
          observe!(attempt(31))
        }).pipe(
          Effect.provide(
            history({ path: "o1.jsonl", maxPending: 10 }).pipe(Layer.provide(layer), Layer.provideMerge(log.layer))
          )
        )
        const read = yield* Effect.provide(totals("o1.jsonl"), memoryOf(files))
        const expected = [0, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]
        // a file that cannot be cut back either has some lines twice, and loses none
        assert.deepStrictEqual(cuts ? read : [0, ...Array.from(new Set(read)).slice(-11)], expected)
        const warnings = log.lines.filter((line) => line.startsWith("Warn"))
        assert.lengthOf(warnings, 2)
        assert.include(warnings[0], "cannot be written")
        assert.match(warnings[1]!, /written again; 20 observations did not fit/u)
      }))
  }

  it("refuses bad options", () => {
    const bad: ReadonlyArray<readonly [object, string]> = [
      [{}, "path must be the path of a file, got undefined"],
      [{ path: "" }, "path must be"],
      [{ path: "x", maxFiles: 0 }, "maxFiles must be an integer >= 1, got 0"],
      [{ path: "x", maxBytes: 1.5 }, "maxBytes must be an integer >= 1, got 1.5"],
      [{ path: "x", maxPending: -1 }, "maxPending must be"],
      [{ path: "x", every: 0 }, "every must be a finite duration > 0"],
      [{ path: "x", keep: "Infinity" }, "keep must be a finite duration > 0"]
    ]
    for (const [options, message] of bad) {
      assert.throws(() => O1History.layer(options as any), RangeError, `O1History.layer: ${message}`)
    }
    assert.throws(() => O1History.read({ path: "" }), RangeError, "O1History.read: path")
    assert.throws(() => O1History.snapshot({ path: "x", maxSeries: 0 }), RangeError, "O1History.snapshot: maxSeries")
  })
})

const memoryOf = (files: ReadonlyMap<string, string>) =>
  FileSystem.layerNoop({
    exists: (path) => Effect.sync(() => files.has(path)),
    stream: (path) => Stream.make(new TextEncoder().encode(files.get(path) ?? ""))
  })
