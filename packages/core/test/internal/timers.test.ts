import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { vi } from "vitest"
import { Alarm, TimerQueue } from "../../src/internal/timers.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Timeout from "../../src/Timeout.ts"
import { outcome } from "../support/harness.ts"

/** Advances the platform's time, and lets fibers go on. */
const advance = (millis: number): Effect.Effect<void> =>
  Effect.promise(async () => {
    await vi.advanceTimersByTimeAsync(millis)
    await new Promise((resolve) => setImmediate(resolve))
  })

/** Starts an effect, and tells how it has ended so far. */
const start = (effect: Effect.Effect<unknown, unknown>): () => string => {
  const fiber = Effect.runFork(effect)
  return () => {
    const exit = fiber.pollUnsafe()
    return exit === undefined ? "running" : outcome(exit)
  }
}

// the platform's timers, which serve the live clock only; faked, so that a busy machine changes nothing
describe("timers of the live clock", { concurrent: false }, () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  it.live("those of one policy share one timer: each fires at its own time, or not at all", () =>
    Effect.gen(function*() {
      const timeout = Timeout.attempt("20 millis")
      const latch = yield* Deferred.make<void>()
      const first = start(timeout(Effect.never))
      const answered = start(timeout(Deferred.await(latch)))
      yield* advance(10)
      const second = start(timeout(Effect.never))
      yield* Deferred.succeed(latch, undefined)
      yield* advance(9)
      assert.strictEqual(vi.getTimerCount(), 1)
      assert.deepStrictEqual([first(), answered(), second()], ["running", "ok:undefined", "running"])
      yield* advance(1)
      assert.deepStrictEqual([first(), second()], ["TimeoutExceeded:attempt", "running"])
      yield* advance(9)
      assert.strictEqual(second(), "running")
      yield* advance(1)
      assert.strictEqual(second(), "TimeoutExceeded:attempt")
      assert.strictEqual(vi.getTimerCount(), 0)
    }))

  it.live("a queue that has emptied serves again", () =>
    Effect.gen(function*() {
      const timeout = Timeout.attempt("10 millis")
      for (let i = 0; i < 3; i++) {
        const answered = start(timeout(Effect.promise(() => Promise.resolve(i))))
        yield* advance(5)
        assert.strictEqual(answered(), `ok:${i}`)
        const hanging = start(timeout(Effect.never))
        yield* advance(9)
        assert.strictEqual(hanging(), "running")
        yield* advance(1)
        assert.strictEqual(hanging(), "TimeoutExceeded:attempt")
      }
    }))

  it.live("an expiry that arms itself again in the past lets the others have their turn", () =>
    Effect.gen(function*() {
      const fiber = Effect.runFork(Effect.never)
      const queue = new TimerQueue(10)
      let expiries = 0
      class Late extends Alarm {
        run() {
          return Effect.void
        }
        expire() {
          if (++expiries < 1_000) this.arm(fiber, performance.now() - 60, 10, queue)
        }
      }
      new Late().arm(fiber, performance.now(), 10, queue)
      yield* advance(10)
      assert.strictEqual(expiries, 1)
      yield* advance(10)
      assert.strictEqual(expiries, 2)
      yield* Fiber.interrupt(fiber)
    }))

  it.live("the timer keeps the process alive only while somebody waits", () =>
    Effect.gen(function*() {
      const made = vi.spyOn(globalThis, "setTimeout")
      const holds = () => made.mock.results.map(({ value }) => value.hasRef())
      const timeout = Timeout.attempt("20 millis")
      const latches = yield* Effect.all(Array.from({ length: 4 }, () => Deferred.make<void>()))
      const answer = (i: number) => Effect.andThen(Deferred.succeed(latches[i]!, undefined), advance(1))
      const calls = latches.slice(0, 2).map((latch) => start(timeout(Deferred.await(latch))))
      yield* advance(1)
      assert.deepStrictEqual(holds(), [true])
      yield* answer(0)
      assert.deepStrictEqual(holds(), [true], "another one waits")
      yield* answer(1)
      assert.deepStrictEqual(calls.map((call) => call()), ["ok:undefined", "ok:undefined"])
      assert.deepStrictEqual(holds(), [false])
      start(timeout(Deferred.await(latches[2]!)))
      yield* advance(1)
      assert.deepStrictEqual(holds(), [true], "the timer at hand serves whoever comes next")
      yield* answer(2)
      assert.deepStrictEqual(holds(), [false])
      const late = start(timeout(Deferred.await(latches[3]!)))
      // the first time is up for nobody; what waits now has its own
      yield* advance(16)
      assert.deepStrictEqual([late(), holds().length, holds().at(-1)], ["running", 2, true])
      yield* answer(3)
      assert.deepStrictEqual([late(), holds().at(-1)], ["ok:undefined", false])
    }))

  it.live("a caller with a timer of its own goes on at its time, and leaves none behind if it goes away before", () =>
    Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({
        limit: RateLimiter.tokenBucket({ limit: 1, within: "1 second" }),
        maxWait: "1 second"
      })
      yield* limiter(Effect.void)
      const waits = start(limiter(Effect.void))
      yield* advance(990)
      assert.deepStrictEqual([waits(), vi.getTimerCount()], ["running", 1])
      yield* advance(20)
      assert.deepStrictEqual([waits(), vi.getTimerCount()], ["ok:undefined", 0])

      const gone = Effect.runFork(limiter(Effect.void))
      yield* advance(1)
      assert.strictEqual(vi.getTimerCount(), 1)
      yield* Fiber.interrupt(gone)
      assert.strictEqual(vi.getTimerCount(), 0)
    }))

  for (const limit of ["60 days", () => "60 days"] satisfies ReadonlyArray<Timeout.Limit>) {
    it.live(`a limit longer than the longest timer of the platform fires at its time: ${typeof limit}`, () =>
      Effect.gen(function*() {
        const day = 24 * 60 * 60 * 1000
        const hanging = start(Effect.never.pipe(Timeout.attempt(limit)))
        yield* advance(59 * day)
        assert.strictEqual(hanging(), "running")
        yield* advance(day)
        assert.strictEqual(hanging(), "TimeoutExceeded:attempt")
      }))
  }
})
