import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import { RaceWaits } from "../../src/internal/raceWaits.ts"
import { CurrentWaits, Waits } from "../../src/internal/waits.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { fork } from "../support/harness.ts"

describe("waits", () => {
  it("add up, and count the one that is under way", () => {
    const waits = new Waits(undefined)
    assert.strictEqual(waits.waited(5), 0)
    waits.begin(10)
    assert.strictEqual(waits.waited(15), 5)
    waits.end(30)
    assert.strictEqual(waits.waited(100), 20)
    waits.begin(100)
    assert.strictEqual(waits.waited(101), 21)
    waits.end(102)
    assert.strictEqual(waits.waited(1000), 22)
  })

  it("of several attempts count while all of them wait", () => {
    const outer = new Waits(undefined)
    const race = new RaceWaits(() => outer)
    race.began(0)
    race.paused(0)
    assert.isTrue(outer.isWaiting, "the only one waits")
    race.began(10)
    assert.isFalse(outer.isWaiting, "another one has begun")
    race.paused(20)
    assert.isTrue(outer.isWaiting)
    race.resumed(30)
    assert.isFalse(outer.isWaiting, "one has its turn")
    race.ended(40)
    assert.isTrue(outer.isWaiting, "that one has ended, and the other one still waits")
    race.settled(50)
    race.resumed(60)
    race.ended(60)
    assert.isFalse(outer.isWaiting)
    assert.strictEqual(outer.waited(100), 30)
  })

  it("count once where several overlap", () => {
    const waits = new Waits(undefined)
    waits.begin(0)
    waits.begin(10)
    waits.end(20)
    assert.strictEqual(waits.waited(25), 25)
    waits.end(30)
    assert.strictEqual(waits.waited(50), 30)
  })

  it("are known to everybody who measures, each from where it began", () => {
    const outer = new Waits(undefined)
    outer.begin(0)
    outer.end(7)
    const inner = new Waits(outer)
    inner.begin(10)
    inner.end(12)
    assert.deepStrictEqual([outer.waited(20), inner.waited(20)], [9, 2])
  })

  it("pause a call once, and resume it once, with all that it has waited", () => {
    const log: Array<string> = []
    class Logged extends Waits {
      protected override paused(at: number): void {
        log.push(`paused@${at}`)
      }
      protected override resumed(at: number): void {
        log.push(`resumed@${at} ${this.waited(at)}`)
      }
    }
    const waits = new Logged(undefined)
    waits.begin(1)
    waits.begin(2)
    waits.end(3)
    waits.end(4)
    waits.begin(10)
    waits.end(15)
    assert.deepStrictEqual(log, ["paused@1", "resumed@4 3", "paused@10", "resumed@15 8"])
  })
})

type Wrap = (self: Effect.Effect<unknown>) => Effect.Effect<unknown, unknown>

/** A queue of one's own in which a call that comes now waits for 100 milliseconds. */
const queues: Readonly<Record<string, () => Effect.Effect<Wrap, unknown>>> = {
  bulkhead: () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
      yield* fork(bulkhead(Effect.sleep("100 millis")))
      return bulkhead
    }),
  "bulkhead, stream": () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
      yield* fork(bulkhead(Effect.sleep("100 millis")))
      return (self) => Stream.runDrain(bulkhead.stream(Stream.fromEffect(self)))
    }),
  limiter: () =>
    Effect.gen(function*() {
      const limit = RateLimiter.tokenBucket({ limit: 1, within: "100 millis" })
      const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "1 minute" })
      yield* limiter(Effect.void)
      return limiter
    }),
  "limiter, stream": () =>
    Effect.gen(function*() {
      const limit = RateLimiter.tokenBucket({ limit: 1, within: "100 millis" })
      const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "1 minute" })
      yield* limiter(Effect.void)
      return (self) => Stream.runDrain(limiter.stream(Stream.fromEffect(self)))
    }),
  "limiter, by hand": () =>
    Effect.gen(function*() {
      const limit = RateLimiter.tokenBucket({ limit: 1, within: "100 millis" })
      const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "1 minute" })
      yield* limiter(Effect.void)
      return (self) => Effect.andThen(limiter.take(), self)
    })
}

const measured = (self: Effect.Effect<unknown, unknown>) => {
  const waits = new Waits(undefined)
  return Effect.map(fork(Effect.provideService(self, CurrentWaits, waits)), (fiber) => [waits, fiber] as const)
}

describe("a queue of one's own", () => {
  for (const [name, make] of Object.entries(queues)) {
    it.effect(`tells who measures: ${name}`, () =>
      Effect.gen(function*() {
        const wrap = yield* make()
        const [waits, fiber] = yield* measured(wrap(Effect.sleep("50 millis")))
        yield* TestClock.adjust("60 millis")
        assert.strictEqual(waits.waited(60), 60)
        yield* TestClock.adjust("90 millis")
        yield* Fiber.join(fiber)
        assert.strictEqual(waits.waited(1000), 100)
      }))

    it.effect(`ends the wait of a caller that is interrupted: ${name}`, () =>
      Effect.gen(function*() {
        const wrap = yield* make()
        const [waits, fiber] = yield* measured(wrap(Effect.void))
        yield* TestClock.adjust("30 millis")
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(waits.waited(300_030), 30)
      }))

    it.effect(`does not tell of a call that need not wait: ${name}`, () =>
      Effect.gen(function*() {
        const wrap = yield* make()
        yield* TestClock.adjust("100 millis")
        const [waits, fiber] = yield* measured(wrap(Effect.sleep("50 millis")))
        yield* TestClock.adjust("50 millis")
        yield* Fiber.join(fiber)
        assert.strictEqual(waits.waited(200), 0)
      }))
  }

  it.effect("ends the wait of a caller that is refused", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5, maxWait: "40 millis" })
      yield* fork(bulkhead(Effect.never))
      const [timedOut] = yield* measured(bulkhead(Effect.void))
      const lifo = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, order: "lifo" })
      yield* fork(lifo(Effect.never))
      const [displaced] = yield* measured(lifo(Effect.void))
      const limit = RateLimiter.tokenBucket({ limit: 1, within: "1 second" })
      const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "1 second" })
      yield* limiter(Effect.void)
      const [tooLate] = yield* measured(limiter(Effect.void))
      yield* TestClock.adjust("20 millis")
      yield* fork(lifo(Effect.void))
      yield* limiter.reconfigure(RateLimiter.tokenBucket({ limit: 1, within: "1 minute" }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([timedOut, displaced, tooLate].map((waits) => waits.waited(100_000)), [40, 20, 20])
    }))

  it.effect("counts callers that wait beside each other for one call once", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
      const release = yield* Deferred.make<void>()
      yield* fork(bulkhead(Deferred.await(release)))
      const fanOut = Effect.forEach([1, 2, 3], () => bulkhead(Effect.void), { concurrency: "unbounded" })
      const [waits, fiber] = yield* measured(fanOut)
      yield* TestClock.adjust("30 millis")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(fiber)
      assert.strictEqual(waits.waited(30), 30)
    }))

  const both = (bulkhead: Bulkhead.Bulkhead) => {
    const coalesce = Coalesce.makeUnsafe<string, Bulkhead.BulkheadRejected>()
    const call = Effect.as(bulkhead(Effect.sleep("50 millis")), "answer")
    return [coalesce(call), Stream.mkString(coalesce.stream(Stream.fromEffect(call)))] as const
  }

  for (const face of [0, 1] as const) {
    it.effect(`inside of a shared ${face === 0 ? "call" : "stream"} is a wait of all who share it, while they do`, () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
        yield* fork(bulkhead(Effect.sleep("100 millis")))
        const call = both(bulkhead)[face]
        const [first, fiber] = yield* measured(call)
        yield* TestClock.adjust("20 millis")
        const [second] = yield* measured(call)
        yield* TestClock.adjust("20 millis")
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("60 millis")
        const [third] = yield* measured(call)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([first, second, third].map((waits) => waits.waited(5000)), [40, 80, 0])
      }))
  }

  it.effect("that outlives a shared call is no wait of those who shared it", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
      yield* fork(bulkhead(Effect.sleep("100 millis")))
      const coalesce = Coalesce.makeUnsafe<void>()
      const call = Effect.andThen(Effect.forkDetach(bulkhead(Effect.void)), Effect.sleep("30 millis"))
      const [waits, fiber] = yield* measured(coalesce(call))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(waits.waited(5000), 30)
    }))
})
