import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { O1Monitor, type O1MonitorOptions } from "../../src/O1Monitor.ts"
import { type O1Observation, O1Observer } from "../../src/O1Observation.ts"
import { attempt, call, cut } from "../support/observations.ts"

const connection = (origin: string, millis: number, failed = false): O1Observation => ({
  _tag: "Connection",
  origin,
  duration: Duration.millis(millis),
  failed
})

const watching = (observations: ReadonlyArray<O1Observation>, options?: O1MonitorOptions) =>
  Effect.gen(function*() {
    const monitor = yield* O1Monitor
    for (const observation of observations) monitor.observe(observation)
    return yield* monitor.snapshot
  }).pipe(Effect.provide(O1Monitor.layer(options)))

const many = <A>(count: number, of: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, i) => of(i))

describe("O1Monitor", () => {
  it.effect("has the phases of attempts and calls, by deployment, model and effort", () =>
    Effect.gen(function*() {
      const { origins, series } = yield* watching([
        attempt(20, { transport: "stream", headers: Duration.seconds(1), firstOutput: Duration.seconds(12) }),
        call(20),
        attempt(5, { effort: "low" }),
        call(30, { effort: "low", attempts: 2, usage: undefined }),
        connection("https://a", 30),
        connection("https://a", 10_000, true)
      ])
      assert.deepStrictEqual(series.map(({ deployment, effort, model }) => [deployment, model, effort]), [
        ["o1", "o1-2024-12-17", "medium"],
        ["o1", "o1-2024-12-17", "low"]
      ])
      const { attempts, calls } = series[0]!
      const p50 = (distribution: typeof attempts.total): number => O1Monitor.quantile(distribution, 0.5)!.value
      assert.deepStrictEqual(
        [attempts.headers, attempts.firstOutput, attempts.total, calls.total].map(p50),
        [1000, 12_000, 20_000, 20_000]
      )
      assert.deepStrictEqual([calls.tokensPerSecond, calls.outputTokens, calls.reasoningShare].map(p50), [
        50,
        1000,
        0.8
      ])
      assert.deepStrictEqual(attempts.outcomes, { success: 1 })
      assert.deepStrictEqual(O1Monitor.count(series[1]!.calls.tokensPerSecond), { seen: 0, cutOff: 0 })
      assert.deepStrictEqual(origins.map(({ connect, failed, origin }) => [origin, p50(connect), failed]), [
        ["https://a", 30, 1]
      ])
    }))

  it.effect("a failure says nothing of how long an answer takes; whoever gives up does", () =>
    Effect.gen(function*() {
      const outcomes = [
        "success",
        "O1ServerError/unavailable",
        "O1TimeoutError/idle",
        "O1TimeoutError/attempt",
        "O1TimeoutError/service",
        "interrupted",
        "defect"
      ]
      const { series: [series] } = yield* watching(outcomes.map((outcome) => attempt(10, { outcome })))
      assert.deepStrictEqual(O1Monitor.count(series!.attempts.total), { seen: 1, cutOff: 3 })
      assert.deepStrictEqual(series!.attempts.outcomes, Object.fromEntries(outcomes.map((outcome) => [outcome, 1])))
    }))

  it.effect("what was cut off before the first content tells of the first content only where it streams", () =>
    Effect.gen(function*() {
      const { series: [series] } = yield* watching([
        cut(60, { transport: "stream", headers: Duration.seconds(2) }),
        cut(60),
        cut(60, { transport: undefined })
      ])
      assert.deepStrictEqual(O1Monitor.count(series!.attempts.firstOutput), { seen: 0, cutOff: 1 })
      assert.deepStrictEqual(O1Monitor.count(series!.attempts.headers), { seen: 1, cutOff: 1 })
    }))

  it.effect("what was cut off counts for the model that answers: the last one, or the first to come", () =>
    Effect.gen(function*() {
      const { series } = yield* watching([
        cut(60),
        attempt(20),
        cut(60),
        attempt(10, { model: "o3-2025-04-16" }),
        cut(60),
        cut(60, { effort: "high" })
      ])
      assert.deepStrictEqual(
        series.map(({ attempts, effort, model }) => [effort, model, O1Monitor.count(attempts.total)]),
        [
          ["medium", "o1-2024-12-17", { seen: 1, cutOff: 2 }],
          ["medium", "o3-2025-04-16", { seen: 1, cutOff: 1 }],
          ["high", undefined, { seen: 0, cutOff: 1 }]
        ]
      )
    }))

  it.effect("a second attempt counts for what lies beyond the limit of the first", () =>
    Effect.gen(function*() {
      const { series: [series] } = yield* watching([
        ...many(9, () => attempt(20)),
        cut(60),
        attempt(15, { attempt: 2 }),
        attempt(90, { attempt: 2 })
      ])
      const { retries, total } = series!.attempts
      assert.strictEqual(retries, 2)
      assert.deepStrictEqual(O1Monitor.count(total), { seen: 10, cutOff: 1 })
      assert.closeTo(O1Monitor.exceeding(total, 60_000)!, 0.1, 1e-9)
      assert.deepStrictEqual(O1Monitor.quantile(total, 0.99), { _tag: "Known", value: 90_000 })
    }))

  it.effect("forgets after one to two windows", () =>
    Effect.gen(function*() {
      const monitor = yield* O1Monitor
      monitor.observe(attempt(20))
      monitor.observe(connection("https://a", 30))
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual((yield* monitor.snapshot).series.length, 1)
      yield* TestClock.adjust("61 minutes")
      const { origins, series } = yield* monitor.snapshot
      assert.deepStrictEqual({ series, origins }, { series: [], origins: [] })
    }).pipe(Effect.provide(O1Monitor.layer())))

  it.effect("keeps as many series as it may: the one that was not used for longest makes room", () =>
    Effect.gen(function*() {
      const to = (deployment: string): O1Observation => attempt(1, { deployment })
      const { origins, series } = yield* watching([
        to("a"),
        to("b"),
        to("a"),
        to("c"),
        attempt(1, { deployment: "c", model: undefined, outcome: "interrupted" }),
        ...many(5, (i) => connection(`https://${i}`, 1))
      ], { maxSeries: 2 })
      assert.deepStrictEqual(series.map(({ deployment }) => deployment), ["a", "c"])
      assert.deepStrictEqual(origins.map(({ origin }) => origin), ["https://3", "https://4"])
    }))

  it.effect("keeps a bounded number of outcomes", () =>
    Effect.gen(function*() {
      const { series: [series] } = yield* watching(many(100, (i) => attempt(1, { outcome: `outcome ${i}` })))
      const { outcomes } = series!.attempts
      assert.strictEqual(Object.keys(outcomes).length, 65)
      assert.strictEqual(outcomes.other, 36)
    }))

  it.effect("survives a restart: a snapshot is its own JSON, and merging adds it", () =>
    Effect.gen(function*() {
      const before = yield* watching([
        ...many(50, (i) => attempt(i + 1)),
        cut(60),
        call(10),
        connection("https://a", 30),
        attempt(1, { effort: undefined, model: undefined, outcome: "interrupted" })
      ])
      const stored = O1Monitor.toJson(before)
      assert.deepStrictEqual(JSON.parse(stored), before)
      const read = yield* O1Monitor.fromJson(stored)
      assert.deepStrictEqual(read, before)

      const monitor = yield* O1Monitor
      yield* monitor.merge(read)
      assert.deepStrictEqual(yield* monitor.snapshot, before)
      yield* monitor.merge(read)
      const [series] = (yield* monitor.snapshot).series
      assert.deepStrictEqual(O1Monitor.count(series!.attempts.total), { seen: 100, cutOff: 2 })
      assert.deepStrictEqual(series!.attempts.outcomes, { success: 100, "O1TimeoutError/attempt": 2 })
      yield* monitor.reset
      assert.deepStrictEqual((yield* monitor.snapshot).series, [])
    }).pipe(Effect.provide(O1Monitor.layer())))

  it.effect("does not read what is no snapshot", () =>
    Effect.gen(function*() {
      for (const json of ["", "{}", "{\"version\":2,\"at\":0,\"series\":[],\"origins\":[]}"]) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(O1Monitor.fromJson(json))), json)
      }
    }))

  it.effect("bad options are named", () =>
    Effect.gen(function*() {
      const message = (options: O1MonitorOptions) =>
        Effect.map(Effect.exit(Effect.provide(Effect.void, O1Monitor.layer(options))), String)
      assert.include(yield* message({ window: 0 }), "window must be a finite duration > 0")
      assert.include(yield* message({ window: "Infinity" }), "window must be a finite duration > 0")
      assert.include(yield* message({ maxSeries: 0.5 }), "maxSeries must be an integer >= 1, got 0.5")
    }))

  describe("as the observer", () => {
    it.effect("is set by the layer, and tells the one that was there", () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        const other = (observation: O1Observation): void => void heard.push(observation._tag)
        const program = Effect.gen(function*() {
          const observe = yield* O1Observer
          observe?.(attempt(20))
          return (yield* (yield* O1Monitor).snapshot).series.length
        })
        assert.strictEqual(
          yield* Effect.provide(program, Layer.provide(O1Monitor.layer(), Layer.succeed(O1Observer, other))),
          1
        )
        assert.deepStrictEqual(heard, ["Attempt"])
        assert.strictEqual(
          yield* program.pipe(Effect.provide(O1Monitor.layer()), Effect.provideService(O1Observer, other)),
          1
        )
        assert.deepStrictEqual(heard, ["Attempt", "Attempt"])
      }))

    it.effect("never throws", () =>
      Effect.gen(function*() {
        const broken = Layer.succeed(O1Observer, (): void => {
          throw new Error("broken")
        })
        const program = Effect.gen(function*() {
          const observe = yield* O1Observer
          observe?.(attempt(20))
          observe?.({ _tag: "Attempt" } as unknown as O1Observation)
          return (yield* (yield* O1Monitor).snapshot).series.length
        })
        assert.strictEqual(yield* Effect.provide(program, Layer.provide(O1Monitor.layer(), broken)), 1)
      }))
  })

  it.effect("format: fits, however many series there are and however long their names", () =>
    Effect.gen(function*() {
      const snapshot = yield* watching([
        ...many(9, (i) => attempt(20, { deployment: `deployment ${"x".repeat(i * 12)}` })),
        connection(`https://${"x".repeat(90)}.example`, 30)
      ])
      for (const columns of [40, 80, 120, 200]) {
        const lines = O1Monitor.format(snapshot, { columns }).split("\n")
        assert.isAtMost(Math.max(...lines.map((line) => line.length)), columns)
        assert.lengthOf(lines.filter((line) => line.startsWith("outcome")), 9)
      }
    }))

  it.effect("format: aligned tables", () =>
    Effect.gen(function*() {
      const snapshot = yield* watching([
        ...many(3, () => attempt(20)),
        cut(60),
        call(20),
        attempt(2, { effort: "low", outcome: "O1ServerError/unavailable" }),
        connection("https://a.example", 30)
      ])
      const rest = `
o1, o1-2024-12-17, medium
outcome                 attempts  calls
success                        3      1
O1TimeoutError/attempt         1      0

o1, o1-2024-12-17, low
outcome                    attempts  calls
O1ServerError/unavailable         1      0

origin             connections  failed   p50   p95   p99
https://a.example            1       0  30ms  30ms  30ms
`.trim()
      assert.strictEqual(
        O1Monitor.format(snapshot, { columns: 140 }),
        `
deployment  model          effort  attempts  retries  timeouts  p50   p95   p99  first p95  calls  call p95  tokens/s  reasoning
o1          o1-2024-12-17  medium         4        0         1  20s  >60s  >60s          -      1       20s        50       80 %
o1          o1-2024-12-17  low            1        0         0    -     -     -          -      0         -         -          -

${rest}
`.trim()
      )
      assert.strictEqual(
        O1Monitor.format(snapshot),
        `
deployment             o1             o1
model       o1-2024-12-17  o1-2024-12-17
effort             medium            low
attempts                4              1
retries                 0              0
timeouts                1              0
p50                   20s              -
p95                  >60s              -
p99                  >60s              -
first p95               -              -
calls                   1              0
call p95              20s              -
tokens/s               50              -
reasoning            80 %              -

${rest}
`.trim()
      )
      assert.strictEqual(O1Monitor.format({ ...snapshot, series: [], origins: [] }), "Nothing was observed.")
      for (const columns of [39, 80.5, NaN]) assert.throws(() => O1Monitor.format(snapshot, { columns }), RangeError)
    }))
})
