import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"

class Busy extends Data.TaggedError("Busy")<{}> {
  readonly [Fault.TypeId] = Fault.throttled()
}

class NotFound extends Data.TaggedError("NotFound")<{}> {
  readonly [Fault.TypeId] = Fault.permanent
}

const full = new Bulkhead.BulkheadRejected({ reason: "full", waited: Duration.zero })

const concurrency = ({ state }: { readonly state: Effect.Effect<{ readonly concurrency: number }> }) =>
  Effect.map(state, ({ concurrency }) => concurrency)

/** So many calls at once, and until they have ended. */
const burst = <E>(policy: Policy.Policy<unknown, unknown>, call: Effect.Effect<unknown, E>, calls: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: calls }), () => Effect.exit(policy(call)), { concurrency: "unbounded" }),
      { startImmediately: true }
    )
    yield* TestClock.adjust("1 second")
    return yield* Fiber.join(fiber)
  })

const answer = Effect.sleep("100 millis")
const quick = { initialConcurrency: 10, within: "100 millis", minCalls: 4 } as const

const tags = (exits: ReadonlyArray<{ readonly _tag: string }>) => exits.map(({ _tag }) => _tag)

describe("AdaptiveLimit", () => {
  it.effect("grows by one a window while it is used, and not while it is not", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe(quick)
      for (let i = 0; i < 4; i++) yield* burst(limit, answer, 10)
      // its first call ends the window of the others
      yield* burst(limit, answer, 4)
      const used = yield* concurrency(limit)
      assert.isAbove(used, 10)
      for (let i = 0; i < 5; i++) yield* burst(limit, answer, 4)
      assert.strictEqual(yield* concurrency(limit), used)
    }))

  const dropped = Effect.andThen(answer, Effect.fail(new Busy()))
  const wrong = Effect.andThen(answer, Effect.fail(new NotFound()))
  const outcomes: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>, "shrinks" | "stays"]> = [
    ["a callee that asks for less", dropped, "shrinks"],
    ["a timeout inside", Effect.never.pipe(Timeout.attempt("200 millis")), "shrinks"],
    ["a request that is wrong", wrong, "stays"],
    ["a bug", Effect.andThen(answer, Effect.die("bug")), "stays"],
    ["a full bulkhead inside", Effect.andThen(answer, Effect.fail(full)), "stays"],
    ["callers who go away", Effect.andThen(answer, Effect.interrupt), "stays"]
  ]
  for (const [name, call, expected] of outcomes) {
    it.effect(`${name}: it ${expected}`, () =>
      Effect.gen(function*() {
        const limit = AdaptiveLimit.makeUnsafe(quick)
        for (let i = 0; i < 3; i++) yield* burst(limit, call, 10)
        const after = yield* concurrency(limit)
        if (expected === "stays") assert.strictEqual(after, 10)
        else assert.isBelow(after, 10)
        assert.strictEqual((yield* limit.state).inUse, 0)
      }))
  }

  it.effect("a total timeout outside that cuts calls off after their time is a drop, and one before it is not", () =>
    Effect.gen(function*() {
      const after = (total: number) =>
        Effect.gen(function*() {
          const limit = AdaptiveLimit.makeUnsafe({ ...quick, maxConcurrency: 10 })
          for (let i = 0; i < 3; i++) yield* burst(limit, answer, 10)
          for (let i = 0; i < 3; i++) yield* burst(Policy.compose(Timeout.total(total), limit), Effect.never, 10)
          return yield* concurrency(limit)
        })
      assert.isBelow(yield* after(500), 10)
      assert.strictEqual(yield* after(50), 10)
    }))

  it.effect("the floor and the ceiling hold", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({ ...quick, minConcurrency: 8, maxConcurrency: 11 })
      for (let i = 0; i < 6; i++) yield* burst(limit, dropped, 10)
      assert.strictEqual(yield* concurrency(limit), 8)
      for (let i = 0; i < 9; i++) yield* burst(limit, answer, 11)
      assert.strictEqual(yield* concurrency(limit), 11)
    }))

  it.effect("a limit that grows while calls wait lets them in, and one that shrinks turns nobody away", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({ ...quick, initialConcurrency: 2, minCalls: 1, maxQueue: 20 })
      const exits = yield* burst(limit, answer, 12)
      assert.isTrue(tags(exits).every((tag) => tag === "Success"))
      assert.isAbove(yield* concurrency(limit), 2)
      const shrinking = AdaptiveLimit.makeUnsafe({ ...quick, initialConcurrency: 4, minCalls: 1, maxQueue: 20 })
      const all = yield* burst(shrinking, dropped, 12)
      assert.lengthOf(all, 12)
      assert.isBelow(yield* concurrency(shrinking), 4)
      assert.deepInclude(yield* shrinking.state, { inUse: 0, queued: 0 })
    }))

  it.effect("a time in the queue is not the callee's", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({
        ...quick,
        algorithm: AdaptiveLimit.aimd({ after: "150 millis" }),
        initialConcurrency: 2,
        maxConcurrency: 2,
        maxQueue: 20
      })
      yield* burst(limit, answer, 12)
      assert.strictEqual(yield* concurrency(limit), 2)
    }))

  it.effect("a stream holds its permit to the end, and its first element is its answer", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({
        ...quick,
        algorithm: AdaptiveLimit.aimd({ after: "150 millis" }),
        minCalls: 1
      })
      const stream = Stream.concat(Stream.fromEffect(answer), Stream.fromEffect(Effect.sleep("10 seconds")))
      const run = Effect.forEach(Array.from({ length: 10 }), () => Stream.runDrain(limit.stream(stream)), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.forkChild(Effect.andThen(run, run), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* limit.state).inUse, 10)
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(fiber)
      assert.deepInclude(yield* limit.state, { inUse: 0 })
      assert.isAtLeast(yield* concurrency(limit), 10)
    }))

  it.effect("a stream that breaks off after its first element is a drop", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({ ...quick, maxConcurrency: 10 })
      const stream = Stream.concat(Stream.make(1), Stream.fromEffect(Effect.andThen(answer, Effect.fail(new Busy()))))
      for (let i = 0; i < 3; i++) {
        const fiber = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 10 }), () => Effect.exit(Stream.runDrain(limit.stream(stream))), {
            concurrency: "unbounded"
          })
        )
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      }
      assert.isBelow(yield* concurrency(limit), 10)
    }))

  it.effect("partitions have their shares, and lend them", () =>
    Effect.gen(function*() {
      const limit = AdaptiveLimit.makeUnsafe({
        initialConcurrency: 10,
        maxQueue: 2,
        partitions: { batch: 0.3, live: 0.7 }
      })
      const batch = yield* Effect.forkChild(burst(limit.partition("batch"), Effect.sleep("10 seconds"), 12), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* limit.state, {
        concurrency: 10,
        inUse: 10,
        queued: 2,
        partitions: { batch: { guaranteed: 3, inUse: 10, queued: 2 }, live: { guaranteed: 7, inUse: 0, queued: 0 } }
      })
      const live = yield* burst(limit.partition("live"), Effect.sleep("500 millis"), 7)
      assert.isTrue(tags(live).every((tag) => tag === "Success"), "live has its share at once")
      assert.strictEqual((yield* limit.state).partitions.batch.queued, 2, "what live gives back is not batch's")
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(tags(yield* Fiber.join(batch)).every((tag) => tag === "Success"))
      assert.deepInclude(yield* limit.state, { inUse: 0, queued: 0 })
    }))

  it("a partition that is not there is a RangeError", () => {
    const limit = AdaptiveLimit.makeUnsafe({ partitions: { batch: 0.3, live: 0.7 } })
    assert.throws(
      () => limit.partition("other" as "live"),
      "AdaptiveLimit.partition: name must be \"batch\" or \"live\", got \"other\""
    )
    assert.throws(() => AdaptiveLimit.makeUnsafe({ partitions: { a: 0.6, b: 0.6 } }), RangeError)
    assert.throws(() => AdaptiveLimit.makeUnsafe({ maxConcurrency: 5, initialConcurrency: 6 }), RangeError)
    assert.throws(() => AdaptiveLimit.makeUnsafe({ maxConcurrency: 5, minConcurrency: 6 }), RangeError)
    assert.throws(() => AdaptiveLimit.makeUnsafe({ maxWait: 5, maxQueue: 0 }), RangeError)
    assert.throws(() => AdaptiveLimit.makeUnsafe({ order: "lifo" }), RangeError)
    for (const ratio of [0.4, 1, Number.NaN]) assert.throws(() => AdaptiveLimit.aimd({ ratio }), RangeError)
    assert.throws(() => AdaptiveLimit.vegas({ alpha: 5, beta: 4 }), RangeError)
  })

  it.effect("tells when the limit changes, with its name", () =>
    Effect.gen(function*() {
      const seen: Array<Telemetry.Event> = []
      const limit = AdaptiveLimit.makeUnsafe({ ...quick, name: "search" })
      yield* burst(limit, dropped, 10)
      yield* burst(limit, dropped, 10).pipe(Telemetry.listen((event) => void seen.push(event)))
      assert.deepInclude(seen[0], { _tag: "LimitChanged", policy: "adaptive-limit", name: "search" })
    }))

  it("an instance that holds what it has learnt is described, and a call that goes through it twice is warned of", () => {
    const limit = AdaptiveLimit.makeUnsafe({ name: "search", algorithm: AdaptiveLimit.vegas(), maxQueue: 2 })
    assert.strictEqual(
      Policy.explain(limit),
      "adaptive-limit \"search\" (algorithm: vegas, minConcurrency: 1, maxConcurrency: 1000, maxQueue: 2)"
    )
    assert.lengthOf(Policy.warnings(Policy.compose(limit, limit)), 1)
  })

  for (
    const [name, algorithm] of Object.entries({
      vegas: AdaptiveLimit.vegas(),
      gradient2: AdaptiveLimit.gradient2()
    })
  ) {
    it.effect(`${name}: calls that take no time at all let it grow`, () =>
      Effect.gen(function*() {
        const limit = AdaptiveLimit.makeUnsafe({ ...quick, algorithm, minCalls: 1, within: 1 })
        const many = Effect.forEach(Array.from({ length: 10 }), () => limit(Effect.yieldNow), { concurrency: 10 })
        for (let i = 0; i < 40; i++) {
          yield* many
          yield* TestClock.adjust(1)
        }
        assert.isAbove(yield* concurrency(limit), 10)
      }))
  }
})
