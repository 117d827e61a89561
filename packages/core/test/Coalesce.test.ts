import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { after, Boom, during, fork, logged, outcome, recorder } from "./support/harness.ts"

const forkAll = <A, E>(n: number, self: Effect.Effect<A, E>) =>
  Effect.forEach(Array.from({ length: n }), () => fork(self))
const outcomes = (fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
  fibers.map((fiber) => {
    const exit = fiber.pollUnsafe()
    return exit === undefined ? "running" : outcome(exit)
  })

describe("Coalesce", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => Coalesce.makeUnsafe({ capacity: 0 }), "Coalesce.make: capacity must be an integer >= 1, got 0")
  })

  describe("effect", () => {
    it.effect("all who wait share one call, and the next one is new (cockatiel #63, #88)", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        const shared = yield* Coalesce.make<number>()
        const call = effect((n) => Effect.as(Effect.sleep("100 millis"), n)).pipe(shared.for("a"))
        const fibers = yield* forkAll(3, call)
        assert.strictEqual(yield* shared.inFlight, 1)
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(outcomes(fibers), ["ok:1", "ok:1", "ok:1"])
        assert.deepStrictEqual(log, ["open1", "close1"])
        assert.strictEqual(yield* shared.inFlight, 0)
        const next = yield* fork(call)
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(outcomes([next]), ["ok:2"])
      }))

    it.effect("keys that are equal are one key, objects as well", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number, never, { readonly tenant: string; readonly id: number }>()
        let calls = 0
        const call = Effect.suspend(() => Effect.delay(Effect.succeed(++calls), "1 second"))
        const ids = [1, 1, 2]
        const fibers = yield* Effect.forEach(ids, (id) => fork(call.pipe(shared.for({ tenant: "a", id }))))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [1, 1, 2])
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("keys are apart, and the operator itself has one of its own", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        const shared = Coalesce.makeUnsafe<number>()
        const call = effect((n) => Effect.as(Effect.sleep("100 millis"), n))
        const fibers = yield* Effect.forEach([shared.for("a"), shared.for("b"), shared, shared], (op) => fork(op(call)))
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(outcomes(fibers), ["ok:1", "ok:2", "ok:3", "ok:3"])
        assert.strictEqual(log.length, 6)
      }))

    it.effect("a call that does not suspend", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number, Boom>()
        assert.strictEqual(yield* shared(Effect.succeed(1)), 1)
        assert.strictEqual(outcome(yield* Effect.exit(shared(new Boom({})))), "Boom")
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("errors, defects and the call's own interruption are shared", () =>
      Effect.gen(function*() {
        for (
          const [end, expected] of [
            [new Boom({}), "Boom"],
            [Effect.die("bug"), "Die"],
            [Effect.interrupt, "Interrupt"]
          ] as const
        ) {
          const shared = Coalesce.makeUnsafe<never, Boom>()
          const fibers = yield* forkAll(2, shared(Effect.andThen(Effect.sleep("10 millis"), end)))
          yield* TestClock.adjust("10 millis")
          assert.deepStrictEqual(outcomes(fibers), [expected, expected])
        }
      }))

    it.effect("one that waits goes away, the first or another: the call goes on (opossum #780)", () =>
      Effect.gen(function*() {
        for (const leaver of [0, 1]) {
          const { effect, log } = logged()
          const shared = Coalesce.makeUnsafe<number>()
          const fibers = yield* forkAll(2, shared(effect((n) => Effect.as(Effect.sleep("100 millis"), n))))
          yield* Fiber.interrupt(fibers[leaver]!)
          assert.deepStrictEqual(log, ["open1"])
          yield* TestClock.adjust("100 millis")
          assert.deepStrictEqual(outcomes([fibers[1 - leaver]!]), ["ok:1"])
          assert.deepStrictEqual(log, ["open1", "close1"])
        }
      }))

    it.effect("the last one goes away: the call is interrupted, its clean-up awaited, a new one may begin meanwhile", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        let calls = 0
        const call = shared(Effect.suspend(() =>
          ++calls === 1
            ? Effect.onInterrupt(Effect.as(Effect.sleep("1 hour"), 0), () => Effect.sleep("50 millis"))
            : Effect.as(Effect.sleep("10 millis"), calls)
        ))
        const fibers = yield* forkAll(2, call)
        for (const fiber of fibers) fiber.interruptUnsafe()
        assert.deepStrictEqual(outcomes(fibers), ["Interrupt", "running"])
        assert.strictEqual(yield* shared.inFlight, 0)
        const next = yield* fork(call)
        yield* TestClock.adjust("10 millis")
        assert.deepStrictEqual(outcomes([next, fibers[1]!]), ["ok:2", "running"])
        yield* TestClock.adjust("40 millis")
        assert.deepStrictEqual(outcomes(fibers), ["Interrupt", "Interrupt"])
      }))

    it.effect("a defect of that clean-up is not lost", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<never>()
        const fiber = yield* fork(shared(Effect.onInterrupt(Effect.never, () => Effect.die("clean-up"))))
        fiber.interruptUnsafe()
        assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt+Die")
      }))

    it.effect("a timeout of one caller is not the others'", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const call = shared(Effect.as(Effect.sleep("100 millis"), 1))
        const hurried = yield* fork(call.pipe(Timeout.total("50 millis")))
        const patient = yield* fork(call)
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(outcomes([hurried, patient]), ["TimeoutExceeded:total", "ok:1"])
      }))

    it.effect("what waits in a queue inside speaks against the callee of none who share it, when their time is up", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<string, Bulkhead.BulkheadRejected>()
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 5 })
        yield* fork(bulkhead(Effect.never))
        const failures = yield* Effect.forEach([
          shared(bulkhead(Effect.succeed("answer"))),
          Stream.mkString(shared.stream(Stream.fromEffect(bulkhead(Effect.succeed("answer"))))),
          shared(Effect.never)
        ], (call) =>
          Effect.gen(function*() {
            const breakers = [CircuitBreaker.makeUnsafe(), CircuitBreaker.makeUnsafe()]
            const cut = (breaker: CircuitBreaker.CircuitBreaker) =>
              Effect.exit(call.pipe(breaker, Timeout.total("5 seconds")))
            yield* during("1 minute", Effect.forEach(breakers, cut, { concurrency: "unbounded" }))
            return yield* Effect.forEach(breakers, ({ state }) =>
              Effect.map(state, (now) => "consecutiveFailures" in now ? now.consecutiveFailures : "open"))
          }))
        assert.deepStrictEqual(failures, [[0, 0], [0, 0], [1, 1]])
      }))

    it.effect("the call does not have what is its first caller's alone", () =>
      Effect.gen(function*() {
        class Tenant extends Context.Service<Tenant, string>()("test/Coalesce/Tenant") {}
        const shared = Coalesce.makeUnsafe<unknown, Boom>()
        const inside = Effect.gen(function*() {
          return {
            tenant: yield* Tenant,
            left: yield* Deadline.remaining,
            attempt: (yield* Schedule.CurrentMetadata).attempt,
            scope: yield* Effect.serviceOption(Scope.Scope)
          }
        })
        let attempts = 0
        const seen = yield* Effect.suspend(() => ++attempts === 1 ? Effect.fail(new Boom({})) : shared(inside)).pipe(
          Retry.make({ schedule: Schedule.recurs(1) }),
          Deadline.within("1 second"),
          Effect.provideService(Tenant, "acme")
        )
        assert.deepStrictEqual(seen, { tenant: "acme", left: Option.none(), attempt: 0, scope: Option.none() })
      }))

    it.effect("a call that asks for its own key does not wait for itself", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const inner = shared.for("a")(Effect.succeed(1))
        const viaOther = shared.for("b")(inner)
        const outer = shared.for("a")(Effect.andThen(Effect.sleep("1 millis"), viaOther))
        const fiber = yield* fork(outer)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(outcomes([fiber]), ["ok:1"])
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("who gets a result may ask again at once, ten thousand of them", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        let calls = 0
        const call = shared(Effect.andThen(Effect.sleep("1 millis"), Effect.sync(() => ++calls)))
        const fibers = yield* forkAll(10_000, Effect.andThen(call, call))
        yield* TestClock.adjust("1 millis")
        yield* TestClock.adjust("1 millis")
        assert.isTrue(outcomes(fibers).every((end) => end === "ok:2"))
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.live("an interruption at any step of the scheduler orphans no call", () =>
      Effect.gen(function*() {
        let open = 0
        const shared = Coalesce.makeUnsafe<never>()
        const call = shared(Effect.acquireUseRelease(
          Effect.sync(() => open++),
          () => Effect.never,
          () => Effect.sync(() => open--)
        ))
        const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let i = 0; i < 2000; i++) {
          const steps = Effect.forEach(Array.from({ length: 1950 + (i % 100) }), () => Effect.void, { discard: true })
          const program = Effect.andThen(
            steps,
            i % 2 === 0 ? call : Stream.runDrain(shared.stream(Stream.fromEffect(call)))
          )
          const fiber = Effect.runFork(program)
          fiber.interruptUnsafe()
          fibers.push(fiber)
        }
        yield* Fiber.awaitAll(fibers)
        assert.strictEqual(open, 0)
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("tells of every call that was not made", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const shared = Coalesce.makeUnsafe<void>({ name: "users" })
        const fibers = yield* forkAll(3, shared(Effect.sleep("1 millis")).pipe(policy))
        yield* TestClock.adjust("1 millis")
        yield* Fiber.joinAll(fibers)
        const joined = { _tag: "Coalesced", policy: "coalesce", name: "users" } as const
        assert.deepStrictEqual(events, [joined, joined])
      }))
  })

  describe("stream", () => {
    const read = <A, E>(stream: Stream.Stream<A, E>, busy = 0) => {
      const seen: Array<A> = []
      const run = Stream.runForEach(stream, (a) => Effect.andThen(Effect.sync(() => seen.push(a)), Effect.sleep(busy)))
      return Effect.map(fork(run), (fiber) => ({ seen, fiber }))
    }
    const numbers = Stream.mapEffect(
      Stream.range(1, 4).pipe(Stream.rechunk(1)),
      (n) => Effect.as(Effect.sleep("10 millis"), n)
    )

    it.effect("those who come before the first element see all of it; later ones begin their own", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const shared = Coalesce.makeUnsafe<number>()
        const source = shared.for("a").stream(stream(() => numbers))
        const first = yield* read(source)
        yield* TestClock.adjust("9 millis")
        const second = yield* read(source)
        assert.strictEqual(yield* shared.inFlight, 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* shared.inFlight, 0)
        const late = yield* read(source)
        assert.strictEqual(yield* shared.inFlight, 1)
        yield* TestClock.adjust("30 millis")
        assert.deepStrictEqual([first.seen, second.seen, late.seen], [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3]])
        assert.deepStrictEqual(outcomes([first.fiber, second.fiber, late.fiber]), [
          "ok:undefined",
          "ok:undefined",
          "running"
        ])
        yield* TestClock.adjust("10 millis")
        assert.deepStrictEqual(late.seen, [1, 2, 3, 4])
        assert.deepStrictEqual(log, ["open1", "open2", "close1", "close2"])
      }))

    it.effect("a failure comes to all, after what they have not read yet, and when it is closed", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const shared = Coalesce.makeUnsafe<number, Boom>()
        const source = shared.stream(stream(() => Stream.concat(after("10 millis", 1), Stream.fail(new Boom({})))))
        const fast = yield* read(source)
        const slow = yield* read(source, 100)
        yield* TestClock.adjust("10 millis")
        assert.deepStrictEqual(log, ["open1", "close1"])
        assert.deepStrictEqual(outcomes([fast.fiber, slow.fiber]), ["Boom", "running"])
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(outcomes([slow.fiber]), ["Boom"])
        assert.deepStrictEqual(slow.seen, [1])
      }))

    it.effect("an empty stream, and one that fails at once", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number, Boom>()
        assert.deepStrictEqual(yield* Stream.runCollect(shared.stream(Stream.empty)), [])
        assert.strictEqual(
          outcome(yield* Effect.exit(Stream.runDrain(shared.stream(Stream.fail(new Boom({})))))),
          "Boom"
        )
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("the fastest reader is no further ahead of the slowest than allowed", () =>
      Effect.gen(function*() {
        let pulled = 0
        const shared = Coalesce.makeUnsafe<number>({ capacity: 2 })
        const source = shared.stream(
          Stream.range(1, 10).pipe(
            Stream.rechunk(1),
            Stream.tap(() => Effect.sync(() => pulled++)),
            Stream.onStart(Effect.sleep("1 millis"))
          )
        )
        const fast = yield* read(source)
        const slow = yield* read(source, 100)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual([fast.seen.length, slow.seen.length, pulled], [3, 1, 3])
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual([fast.seen.length, slow.seen.length, pulled], [4, 2, 4])
        yield* Fiber.interrupt(slow.fiber)
        assert.deepStrictEqual(outcomes([fast.fiber]), ["ok:undefined"])
        assert.strictEqual(fast.seen.length, 10)
      }))

    it.effect("a reader leaves, the others go on; the last one leaves, the stream is closed", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const shared = Coalesce.makeUnsafe<number>()
        const source = shared.stream(stream(() => Stream.concat(numbers, Stream.never)))
        const [first, second] = [yield* read(source), yield* read(source)]
        yield* TestClock.adjust("15 millis")
        yield* Fiber.interrupt(first.fiber)
        yield* TestClock.adjust("15 millis")
        assert.deepStrictEqual([first.seen, second.seen], [[1], [1, 2, 3]])
        assert.deepStrictEqual(log, ["open1"])
        yield* Fiber.interrupt(second.fiber)
        assert.deepStrictEqual(log, ["open1", "close1"])
      }))

    it.effect("all leave before the first element: the next one begins anew", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const shared = Coalesce.makeUnsafe<number>()
        const source = shared.stream(stream(() => numbers))
        const first = yield* read(source)
        yield* Fiber.interrupt(first.fiber)
        assert.deepStrictEqual(log, ["open1", "close1"])
        assert.strictEqual(yield* shared.inFlight, 0)
        const next = yield* read(source.pipe(Stream.take(2)))
        yield* TestClock.adjust("20 millis")
        assert.deepStrictEqual(next.seen, [1, 2])
        assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2"])
      }))

    it.effect("a reader that another one wakes gets at once what is there for it", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const queue = yield* Queue.make<number>()
        const source = shared.stream(Stream.fromQueue(queue))
        const gate = yield* Deferred.make<void>()
        const slow: Array<number> = []
        const fast: Array<number> = []
        const readers = yield* Effect.all([
          fork(Stream.runForEach(source, (n) => Effect.andThen(Effect.sync(() => slow.push(n)), Deferred.await(gate)))),
          fork(Stream.runForEach(source, (n) =>
            Effect.andThen(
              Effect.sync(() => fast.push(n)),
              n < 3 ? Effect.void : Deferred.succeed(gate, undefined)
            )))
        ])
        for (const n of [1, 2, 3]) {
          yield* Queue.offer(queue, n)
          yield* TestClock.adjust(1)
        }
        assert.deepStrictEqual([fast, slow], [[1, 2, 3], [1, 2, 3]])
        yield* Fiber.interruptAll(readers)
      }))

    it.effect("readers that take their time, hundreds of them, get every element, in order", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>({ capacity: 2 })
        const source = shared.stream(
          Stream.range(1, 20).pipe(Stream.rechunk(1), Stream.mapEffect((n) => Effect.as(Effect.sleep("1 millis"), n)))
        )
        const readers = yield* Effect.forEach(
          Array.from({ length: 300 }, (_, i) => i % 3),
          (busy) => read(source, busy)
        )
        yield* TestClock.adjust("1 second")
        const all = Array.from({ length: 20 }, (_, i) => i + 1)
        for (const { seen } of readers) assert.deepStrictEqual(seen, all)
        assert.strictEqual(yield* shared.inFlight, 0)
      }))

    it.effect("a synchronous stream and many readers do not pile up on the stack", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const source = shared.stream(
          Stream.range(1, 300).pipe(Stream.rechunk(1), Stream.onStart(Effect.sleep("1 millis")))
        )
        const fibers = yield* forkAll(300, Stream.runFold(source, () => 0, (sum, n) => sum + n))
        yield* TestClock.adjust("1 millis")
        yield* Fiber.joinAll(fibers)
        assert.isTrue(outcomes(fibers).every((end) => end === "ok:45150"))
      }))

    it.live("all of it runs in the async context of its first caller", () =>
      Effect.gen(function*() {
        const store = new AsyncLocalStorage<string>()
        const shared = Coalesce.makeUnsafe<string>()
        const element = Effect.map(Effect.sleep("1 millis"), () => store.getStore() ?? "none")
        const three = Stream.take(Stream.fromEffectRepeat(element), 3)
        const read = (caller: string, pace: number) =>
          Effect.promise(() =>
            store.run(caller, () =>
              Effect.runPromise(
                Stream.runCollect(Stream.mapEffect(shared.stream(three), (seen) => Effect.as(Effect.sleep(pace), seen)))
              ))
          )
        // the second reader is the one that asks for the later elements
        const all = yield* Effect.all([read("first", 20), read("second", 0)], { concurrency: "unbounded" })
        assert.deepStrictEqual(all, [["first", "first", "first"], ["first", "first", "first"]])
      }))

    it.effect("what the source forks lives as long as the source", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const source = Stream.unwrap(Effect.gen(function*() {
          const queue = yield* Queue.make<number>()
          const feed = Effect.forEach(
            [1, 2, 3],
            (n) => Effect.andThen(Effect.sleep("10 millis"), Queue.offer(queue, n))
          )
          yield* Effect.forkChild(feed)
          return Stream.take(Stream.fromQueue(queue), 3)
        }))
        const read = Stream.runCollect(shared.stream(source))
        const all = yield* during("1 minute", Effect.all([read, read], { concurrency: "unbounded" }))
        assert.deepStrictEqual(all, [[1, 2, 3], [1, 2, 3]])
      }))

    it.effect("the source hears how its last reader has left: as the reader did between elements, interrupted within one", () =>
      Effect.gen(function*() {
        const shared = Coalesce.makeUnsafe<number>()
        const ends: Array<string> = []
        const opened = Stream.unwrap(Effect.as(
          Effect.acquireRelease(Effect.void, (_, exit) => Effect.sync(() => ends.push(exit._tag))),
          Stream.concat(Stream.make(1), Stream.never)
        ))
        yield* during("1 second", Stream.runDrain(Stream.take(shared.stream(opened), 1)))
        const reader = yield* fork(Stream.runDrain(shared.stream(opened)))
        yield* Fiber.interrupt(reader)
        assert.deepStrictEqual(ends, ["Success", "Failure"])
      }))
  })
})
