import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { deadlineAt } from "./support/deadline.ts"
import { after, Boom, during, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

const one = (options: Partial<Bulkhead.Options> = {}): Bulkhead.Bulkhead =>
  Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10, ...options })

const idle = { inUse: 0, queued: 0, concurrency: 1 }

/** A call that takes a while and writes down when it began. */
const slow = (log: Array<string>, name: string, duration: Duration.Input = "100 millis") =>
  Effect.andThen(
    Effect.flatMap(now, (at) => Effect.sync(() => log.push(`${name}@${at}`))),
    Effect.as(Effect.sleep(duration), name)
  )

/** How many finalizers a scope has. */
const sizeOf = ({ state }: Scope.Scope): number =>
  state._tag === "Open" ? (state.finalizers?.size ?? 0) + (state.finalizer === undefined ? 0 : 1) : 0

describe("Bulkhead", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => one({ concurrency: 0 }), "Bulkhead.make: concurrency must be an integer >= 1, got 0")
    assert.throws(() => one({ concurrency: 1.5 }), "Bulkhead.make: concurrency must be an integer >= 1, got 1.5")
    assert.throws(() => one({ maxQueue: -1 }), "Bulkhead.make: maxQueue must be an integer >= 0, got -1")
    assert.throws(() => one({ maxWait: 0 }), "Bulkhead.make: maxWait must be a duration > 0, got 0")
    assert.throws(
      () => one({ order: "random" as "fifo" }),
      "Bulkhead.make: order must be \"fifo\", \"lifo\" or \"adaptive\", got \"random\""
    )
    assert.throws(
      () => one({ maxQueue: 0, maxWait: "1 second" }),
      "Bulkhead.make: maxQueue must be an integer >= 1 beside maxWait, got 0"
    )
    assert.throws(
      () => Bulkhead.makeUnsafe({ concurrency: 1, order: "lifo" }),
      "Bulkhead.make: maxQueue must be an integer >= 1 beside order \"lifo\", got 0"
    )
    assert.throws(() => one().resize({ concurrency: 0 }), "Bulkhead.resize: concurrency must be an integer >= 1, got 0")
    assert.throws(() => one().resize({ maxQueue: 0.5 }), "Bulkhead.resize: maxQueue must be an integer >= 0, got 0.5")
  })

  it.effect("runs so many at once, and by default nobody waits", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ name: "db", concurrency: 2 })
      const log: Array<string> = []
      const fibers = yield* Effect.forEach(["a", "b", "c"], (name) => fork(Effect.exit(bulkhead(slow(log, name)))))
      assert.deepStrictEqual(yield* bulkhead.state, { inUse: 2, queued: 0, concurrency: 2 })
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual((yield* Fiber.joinAll(fibers)).map(outcome), ["ok:a", "ok:b", "BulkheadRejected"])
      assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 2 })
    }))

  it.effect("the error says which bulkhead, why, and after how long", () =>
    Effect.gen(function*() {
      const bulkhead = one({ name: "db", maxQueue: 1, maxWait: "30 millis" })
      yield* fork(bulkhead(Effect.never))
      const waiter = yield* fork(Effect.flip(bulkhead(Effect.void)))
      const full = yield* Effect.flip(bulkhead(Effect.void))
      assert.deepInclude(full, { _tag: "BulkheadRejected", policyName: "db", reason: "full", waited: Duration.zero })
      assert.strictEqual(full.message, "bulkhead \"db\" is full")
      yield* TestClock.adjust("30 millis")
      const waited = yield* Fiber.join(waiter)
      assert.deepInclude(waited, { reason: "waited", waited: Duration.millis(30) })
      assert.strictEqual(waited.message, "bulkhead \"db\" had no permit within 30ms")
      assert.strictEqual(Fault.ofError(waited)._tag, "Rejected")
      assert.isTrue(Bulkhead.isBulkheadRejected(full))
      assert.isFalse(Bulkhead.isBulkheadRejected(new Boom({})))
    }))

  it.effect("a permit comes back whatever the call does", () =>
    Effect.gen(function*() {
      const bulkhead = one()
      const calls = [Effect.void, Effect.fail(new Boom({})), Effect.die("bug"), Effect.interrupt]
      for (const call of calls) {
        yield* Effect.exit(bulkhead(call))
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }
      const running = yield* fork(bulkhead(Effect.never))
      assert.deepInclude(yield* bulkhead.state, { inUse: 1 })
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(yield* bulkhead.state, idle)
    }))

  it.effect("one effect value may run several times at once", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 1 })
      const call = bulkhead(Effect.sleep("10 millis"))
      yield* during("1 second", Effect.all([call, call, call], { concurrency: "unbounded" }))
      assert.deepInclude(yield* bulkhead.state, { inUse: 0, queued: 0 })
    }))

  it.effect("the permit is held until the call has cleaned up", () =>
    Effect.gen(function*() {
      const bulkhead = one()
      const call = Effect.ensuring(Effect.sleep("1 hour"), Effect.sleep("50 millis"))
      const running = yield* fork(bulkhead(call))
      yield* fork(Fiber.interrupt(running))
      assert.deepInclude(yield* bulkhead.state, { inUse: 1 })
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual(yield* bulkhead.state, idle)
    }))

  describe("the queue", () => {
    for (const [order, expected] of [["fifo", "a b c d"], ["lifo", "a d c b"]] as const) {
      it.effect(`${order}: ${expected}`, () =>
        Effect.gen(function*() {
          const bulkhead = one({ order })
          const log: Array<string> = []
          const all = Effect.forEach(["a", "b", "c", "d"], (name) => bulkhead(slow(log, name)), {
            concurrency: "unbounded"
          })
          yield* during("1 second", all)
          assert.strictEqual(log.map((entry) => entry.split("@")[0]).join(" "), expected)
        }))
    }

    it.effect("a newcomer in the tick of the release does not overtake a waiter (cockatiel #112)", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const gate = yield* Deferred.make<void>()
        const log: Array<string> = []
        const note = (name: string) => bulkhead(Effect.sync(() => log.push(name)))
        const first = yield* fork(bulkhead(Deferred.await(gate)))
        const waiter = yield* fork(note("waiter"))
        // the newcomer asks on the very stack that gives the permit back
        const newcomer = yield* fork(Effect.andThen(Fiber.await(first), note("newcomer")))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll([waiter, newcomer])
        assert.deepStrictEqual(log, ["waiter", "newcomer"])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("lifo: a newcomer to a full queue takes the place of whoever has waited longest", () =>
      Effect.gen(function*() {
        const bulkhead = one({ order: "lifo", maxQueue: 2 })
        const log: Array<string> = []
        const fibers = yield* Effect.forEach(
          ["a", "b", "c", "d"],
          (name) => fork(timed(bulkhead(slow(log, name)).pipe(Effect.delay("1 millis"))))
        )
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(fibers[1]!.pollUnsafe()?._tag, "Success", "b is rejected when d comes")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [
          ["ok:a", 101],
          ["BulkheadRejected", 1],
          ["ok:c", 301],
          ["ok:d", 201]
        ])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("maxWait 100 ms rejects at 100 ms (resilience4j #1503)", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxWait: "100 millis" })
        yield* fork(bulkhead(Effect.never))
        const waiter = yield* fork(timed(bulkhead(Effect.die("called"))))
        yield* TestClock.adjust("99 millis")
        assert.deepInclude(yield* bulkhead.state, { queued: 1 })
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(waiter), ["BulkheadRejected", 100])
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 1, queued: 0, concurrency: 1 })
      }))

    it.effect("a wait that is over never ends the call", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxWait: "100 millis" })
        const log: Array<string> = []
        const both = Effect.all([bulkhead(slow(log, "a", 50)), bulkhead(slow(log, "b", "1 second"))], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(yield* during("2 seconds", both), ["a", "b"])
        assert.deepStrictEqual(log, ["a@0", "b@50"])
      }))

    it.effect("five thousand waiters pass one permit on without growing the stack", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 5000 })
        const gate = yield* Deferred.make<void>()
        const first = yield* fork(bulkhead(Deferred.await(gate)))
        const fibers = yield* Effect.forEach(Array.from({ length: 5000 }), () => fork(bulkhead(Effect.void)))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll([first, ...fibers])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))
  })

  describe("a waiter that goes away", () => {
    it.effect("leaves the queue and frees its place", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 1 })
        const running = yield* fork(bulkhead(Effect.never))
        const waiter = yield* fork(bulkhead(Effect.die("called")))
        yield* Fiber.interrupt(waiter)
        assert.deepInclude(yield* bulkhead.state, { queued: 0 })
        const next = yield* fork(bulkhead(Effect.succeed(1)))
        yield* Fiber.interrupt(running)
        assert.strictEqual(yield* Fiber.join(next), 1)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("with the permit already its own passes it on", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const gate = yield* Deferred.make<void>()
        const running = yield* fork(bulkhead(Deferred.await(gate)))
        const leaving = yield* fork(bulkhead(Effect.die("called")))
        const next = yield* fork(bulkhead(Effect.succeed("next")))
        // on one stack: the permit is given back, and its new owner is interrupted before it goes on
        running.addObserver(() => {
          assert.deepInclude(Effect.runSync(bulkhead.state), { inUse: 1, queued: 1 })
          leaving.interruptUnsafe()
        })
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(next), "next")
        assert.strictEqual(outcome(yield* Fiber.await(leaving)), "Interrupt")
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("at the instant of the release, before or after it, loses no permit", () =>
      Effect.gen(function*() {
        for (const leavesFirst of [true, false]) {
          const bulkhead = one()
          yield* fork(bulkhead(Effect.sleep("10 millis")))
          const leaving = yield* fork(bulkhead(Effect.never))
          yield* fork(
            Effect.andThen(leavesFirst ? Effect.void : Effect.sleep("10 millis"), Fiber.interrupt(leaving))
          )
          const next = yield* fork(bulkhead(Effect.succeed("next")))
          yield* TestClock.adjust("10 millis")
          assert.strictEqual(yield* Fiber.join(next), "next")
          assert.deepStrictEqual(yield* bulkhead.state, idle)
        }
      }))

    it.effect("after it was displaced tells nothing", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const bulkhead = one({ order: "lifo", maxQueue: 1 })
        const cleaned = yield* Deferred.make<void>()
        const running = yield* fork(bulkhead(Effect.never))
        const oldest = yield* fork(policy(Effect.ensuring(bulkhead(Effect.void), Deferred.await(cleaned))))
        const newest = Effect.runFork(bulkhead(Effect.void))
        oldest.interruptUnsafe()
        yield* Effect.promise(() => Promise.resolve())
        assert.isUndefined(oldest.pollUnsafe(), "it is cleaning up, and would still be heard")
        yield* Deferred.succeed(cleaned, undefined)
        assert.strictEqual(outcome(yield* Fiber.await(oldest)), "Interrupt")
        assert.deepStrictEqual(events, [])
        yield* Fiber.interrupt(running)
        yield* Fiber.join(newest)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))
  })

  describe("the deadline", () => {
    it.effect("a waiter gives up just before it, so that the wait is not taken for a callee that hangs", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        for (const maxWait of ["1 hour", undefined] as const) {
          const bulkhead = one({ maxWait })
          const running = yield* fork(bulkhead(Effect.never))
          const stack = Policy.compose(Timeout.total("100 millis"), Retry.make(), breaker, bulkhead)
          const start = yield* now
          const [result, at] = yield* during("1 second", timed(Effect.die("called").pipe(stack)))
          assert.deepStrictEqual([result, at - start], ["BulkheadRejected", 99])
          assert.strictEqual((yield* breaker.state)._tag, "Closed")
          assert.deepInclude(yield* bulkhead.state, { queued: 0 })
          yield* Fiber.interrupt(running)
        }
      }))

    it.effect("a shorter maxWait comes first", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxWait: "40 millis" })
        yield* fork(bulkhead(Effect.never))
        const exit = yield* during("1 second", timed(Effect.void.pipe(bulkhead, Timeout.total("100 millis"))))
        assert.deepStrictEqual(exit, ["BulkheadRejected", 40])
      }))

    it.effect("whoever comes after it does not wait at all, but takes a free permit", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const late = <A, E>(call: Effect.Effect<A, E>) => deadlineAt(-1)(bulkhead(call))
        assert.strictEqual(yield* late(Effect.succeed(1)), 1)
        yield* fork(bulkhead(Effect.never))
        const error = yield* Effect.flip(late(Effect.void))
        assert.deepInclude(error, { reason: "waited", waited: Duration.zero })
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 1, queued: 0, concurrency: 1 })
      }))

    it.effect("whoever comes after it takes nobody's place", () =>
      Effect.gen(function*() {
        const bulkhead = one({ order: "lifo", maxQueue: 1 })
        yield* fork(bulkhead(Effect.sleep("10 millis")))
        const waiter = yield* fork(bulkhead(Effect.succeed("waiter")))
        yield* Effect.flip(deadlineAt(-1)(bulkhead(Effect.void)))
        yield* TestClock.adjust("10 millis")
        assert.strictEqual(yield* Fiber.join(waiter), "waiter")
      }))
  })

  describe("resize", () => {
    it.effect("growing lets waiters in at once, in order", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const log: Array<string> = []
        yield* Effect.forEach(["a", "b", "c", "d"], (name) => fork(bulkhead(slow(log, name))))
        yield* TestClock.adjust("10 millis")
        yield* bulkhead.resize({ concurrency: 3 })
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 3, queued: 1, concurrency: 3 })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(log, ["a@0", "b@10", "c@10", "d@100"])
      }))

    it.effect("shrinking lets running calls finish and waiters wait", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 1 })
        const log: Array<string> = []
        const fibers = yield* Effect.forEach(
          ["a", "b", "c", "d"],
          (name, i) => fork(bulkhead(slow(log, name, (i + 1) * 10)))
        )
        yield* bulkhead.resize({ concurrency: 1, maxQueue: 0 })
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 3, queued: 1, concurrency: 1 })
        assert.strictEqual((yield* Effect.flip(bulkhead(Effect.void))).reason, "full")
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["a", "b", "c", "d"])
        assert.deepStrictEqual(log, ["a@0", "b@0", "c@0", "d@30"])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("of the queue alone", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 0 })
        yield* fork(bulkhead(Effect.sleep("10 millis")))
        yield* bulkhead.resize({ maxQueue: 1 })
        assert.strictEqual(yield* during("10 millis", bulkhead(Effect.succeed(1))), 1)
      }))
  })

  describe("stream", () => {
    it.effect("holds its permit until it has ended, and closed what it opened", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const { log, stream } = logged()
        const source = stream((n) => Stream.concat(Stream.make(n), after("10 millis", n))).pipe(bulkhead.stream)
        const both = Effect.all([Stream.runCollect(source), Stream.runCollect(source)], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* during("1 second", both), [[1, 1], [2, 2]])
        assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2"])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    type Consume = (source: Stream.Stream<number, unknown>) => Effect.Effect<unknown, unknown>
    const endings: ReadonlyArray<readonly [string, Consume]> = [
      ["it ends", Stream.runDrain],
      ["it fails", (source) => Stream.runDrain(Stream.concat(source, Stream.fail("late")))],
      ["its consumer stops early", (source) => Stream.runDrain(Stream.take(source, 1))],
      ["its consumer fails", (source) => Stream.runForEach(source, () => Effect.fail("consumer"))],
      ["its consumer dies", (source) => Stream.runForEach(source, () => Effect.die("consumer"))]
    ]
    for (const [name, run] of endings) {
      it.effect(`gives it back when ${name}`, () =>
        Effect.gen(function*() {
          const bulkhead = one()
          const { log, stream } = logged()
          yield* Effect.exit(run(stream(() => Stream.make(1, 2)).pipe(bulkhead.stream)))
          assert.deepStrictEqual(log, ["open1", "close1"])
          assert.deepStrictEqual(yield* bulkhead.state, idle)
        }))
    }

    it.effect("gives it back when it is interrupted, before, between and while it waits for a permit", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        for (const source of [Stream.never, Stream.concat(Stream.make(1), Stream.never)]) {
          const running = yield* fork(Stream.runDrain(source.pipe(bulkhead.stream)))
          const waiting = yield* fork(Stream.runDrain(Stream.die("called").pipe(bulkhead.stream)))
          assert.deepStrictEqual(yield* bulkhead.state, { inUse: 1, queued: 1, concurrency: 1 })
          yield* Fiber.interrupt(waiting)
          assert.deepInclude(yield* bulkhead.state, { queued: 0 })
          yield* Fiber.interrupt(running)
          assert.deepStrictEqual(yield* bulkhead.state, idle)
        }
      }))

    it.effect("a failure gives the permit to what takes the stream's place", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 0 })
        const broken = Stream.concat(Stream.make(1), Stream.fail(new Boom({}))).pipe(bulkhead.stream)
        const source = broken.pipe(Stream.catchTag("Boom", () => Stream.make(2).pipe(bulkhead.stream)))
        assert.deepStrictEqual(yield* Stream.runCollect(source), [1, 2])
        const twice = Stream.concat(Stream.make(1).pipe(bulkhead.stream), Stream.make(2).pipe(bulkhead.stream))
        assert.deepStrictEqual(yield* Stream.runCollect(twice), [1, 2])
      }))

    it.effect("holds its permit while what it opened is being closed", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        for (const take of [1, 2]) {
          const closed = yield* Deferred.make<void>()
          const resource = Effect.acquireRelease(Effect.succeed(1), () => Deferred.await(closed))
          const source = Stream.unwrap(Effect.map(resource, (n) => Stream.make(n))).pipe(bulkhead.stream)
          const fiber = yield* fork(Stream.runDrain(Stream.take(source, take)))
          assert.isUndefined(fiber.pollUnsafe())
          assert.deepInclude(yield* bulkhead.state, { inUse: 1 })
          yield* Deferred.succeed(closed, undefined)
          yield* Fiber.join(fiber)
          assert.deepStrictEqual(yield* bulkhead.state, idle)
        }
      }))

    it.effect("gives it back at its end, although the scope that it was pulled in stays open", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const pull = yield* Stream.toPull(Stream.make(1).pipe(bulkhead.stream))
        yield* pull
        assert.deepInclude(yield* bulkhead.state, { inUse: 1 })
        yield* Effect.exit(pull)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("is rejected before it is opened", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 0 })
        yield* fork(Stream.runDrain(Stream.never.pipe(bulkhead.stream)))
        const { log, stream } = logged()
        const exit = yield* Effect.exit(Stream.runDrain(stream(() => Stream.make(1)).pipe(bulkhead.stream)))
        assert.strictEqual(outcome(exit), "BulkheadRejected")
        assert.deepStrictEqual(log, [])
      }))
  })

  describe("with others", () => {
    it.effect("a rejection is retried only when told to", () =>
      Effect.gen(function*() {
        const cases: ReadonlyArray<readonly [boolean, string, number]> = [
          [false, "BulkheadRejected", 0],
          [true, "ok:1", 30]
        ]
        for (const [rejected, ...expected] of cases) {
          const bulkhead = one({ maxQueue: 0 })
          const start = yield* now
          yield* fork(bulkhead(Effect.sleep("25 millis")))
          const retry = Retry.make({ schedule: Schedule.spaced("10 millis"), times: 5, rejected })
          const [result, at] = yield* during("1 second", timed(Effect.succeed(1).pipe(Policy.compose(retry, bulkhead))))
          assert.deepStrictEqual([result, at - start], expected)
        }
      }))

    it.effect("a rejection is never counted by a breaker outside (opossum opens)", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        const bulkhead = one({ maxQueue: 1, maxWait: "10 millis" })
        const stack = Policy.compose(breaker, bulkhead)
        const running = yield* fork(bulkhead(Effect.never))
        const waiting = yield* fork(Effect.exit(Effect.void.pipe(stack)))
        assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(stack))), "BulkheadRejected")
        yield* TestClock.adjust("10 millis")
        assert.strictEqual(outcome(yield* Fiber.join(waiting)), "BulkheadRejected")
        const stream = Stream.runDrain(Stream.make(1).pipe(stack.stream))
        assert.strictEqual(outcome(yield* during("10 millis", Effect.exit(stream))), "BulkheadRejected")
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
        yield* Fiber.interrupt(running)
      }))

    it.effect("a probe that a bulkhead inside rejects frees its slot", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1 second" })
        const bulkhead = one({ maxQueue: 0 })
        const stack = Policy.compose(breaker, bulkhead)
        yield* Effect.exit(Effect.fail(new Boom({})).pipe(stack))
        yield* TestClock.adjust("1 second")
        const running = yield* fork(bulkhead(Effect.never))
        yield* Effect.exit(Effect.void.pipe(stack))
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0 })
        yield* Fiber.interrupt(running)
      }))
  })

  describe("observation", () => {
    it.effect("rejections and waits are told", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const bulkhead = one({ name: "db", maxQueue: 2, maxWait: "50 millis" })
        const call = policy(bulkhead(Effect.sleep("30 millis")))
        yield* during("1 second", Effect.forEach([1, 2, 3, 4], () => Effect.exit(call), { concurrency: "unbounded" }))
        const source = { policy: "bulkhead", name: "db" } as const
        const criticality = "critical"
        assert.deepStrictEqual(events, [
          { _tag: "RejectedByBulkhead", ...source, criticality, reason: "full", waited: Duration.zero },
          { _tag: "WaitedForBulkhead", ...source, criticality, waited: Duration.millis(30) },
          { _tag: "RejectedByBulkhead", ...source, criticality, reason: "waited", waited: Duration.millis(50) }
        ])
      }))

    it.effect("a waiter that was displaced is told of once", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const bulkhead = one({ order: "lifo", maxQueue: 1, maxWait: "50 millis" })
        yield* fork(bulkhead(Effect.never))
        yield* fork(policy(Effect.andThen(Effect.exit(bulkhead(Effect.void)), Effect.sleep("1 second"))))
        yield* fork(bulkhead(Effect.void))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(events.map((event) => event._tag), ["RejectedByBulkhead"])
      }))

    it.effect("tells its settings, as they are now", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ name: "db", concurrency: 2, maxWait: "1 second", order: "lifo" })
        yield* bulkhead.resize({ maxQueue: 5 })
        assert.strictEqual(
          Policy.explain(bulkhead),
          "bulkhead \"db\" (concurrency: 2, maxQueue: 5, maxWait: 1s, order: lifo)"
        )
      }))
  })

  it.effect.prop(
    "never more at once than allowed, and nothing is left over, whoever goes away when",
    [
      Schema.Literals([1, 2, 3]),
      Schema.Literals([0, 1, 3]),
      Schema.Literals(["fifo", "lifo"]),
      Schema.Array(Schema.Struct({
        face: Schema.Literals(["effect", "stream", "by hand"]),
        comes: Schema.Literals([0, 0, 5, 10, 20]),
        takes: Schema.Literals([0, 5, 10]),
        leaves: Schema.Literals([0, 5, 10, 15, 1000])
      })).check(Schema.isMaxLength(12))
    ],
    ([concurrency, maxQueue, order, callers]) =>
      Effect.gen(function*() {
        const bulkhead = maxQueue === 0
          ? Bulkhead.makeUnsafe({ concurrency })
          : Bulkhead.makeUnsafe({ concurrency, maxQueue, order, maxWait: "12 millis" })
        let running = 0
        let most = 0
        const use = <A, E, R>(self: Effect.Effect<A, E, R>) =>
          Effect.acquireUseRelease(
            Effect.sync(() => most = Math.max(most, ++running)),
            () => self,
            () => Effect.sync(() => running--)
          )
        const caller = ({ comes, face, leaves, takes }: (typeof callers)[number]) =>
          Effect.gen(function*() {
            yield* Effect.sleep(comes)
            const call = use(takes === 0 ? Effect.void : Effect.sleep(takes))
            const faces = {
              effect: call.pipe(bulkhead),
              stream: Stream.runDrain(Stream.fromEffect(call).pipe(bulkhead.stream)),
              "by hand": Effect.scoped(
                Effect.flatMap(bulkhead.acquire, ({ release }) => Effect.ensuring(call, release))
              )
            }
            const fiber = yield* fork(Effect.asVoid(faces[face]))
            yield* Effect.sleep(leaves)
            yield* Fiber.interrupt(fiber)
            return outcome(yield* Fiber.await(fiber))
          })
        const all = yield* during("1 minute", Effect.forEach(callers, caller, { concurrency: "unbounded" }))
        assert.isAtMost(most, concurrency)
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency })
        for (const result of all) assert.include(["ok:undefined", "BulkheadRejected", "Interrupt"], result)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.live("what changes between asking and joining the queue is not missed", () =>
    Effect.gen(function*() {
      // the scheduler yields after so many steps, and in one of those pauses the permit comes back or the queue fills up
      for (
        const [most, pause] of [5, 6, 7, 8, 9].flatMap((most) => [0, 1, 2, 3].map((pause) => [most, pause] as const))
      ) {
        for (const fills of [false, true]) {
          const bulkhead = one({ maxQueue: 1 })
          const gate = yield* Deferred.make<void>()
          const holder = yield* fork(bulkhead(Deferred.await(gate)))
          const caller = Effect.runFork(
            Effect.provideService(Effect.exit(bulkhead(Effect.void)), Scheduler.MaxOpsBeforeYield, most)
          )
          for (let tick = 0; tick < pause; tick++) yield* Effect.yieldNow
          const other = yield* fork(fills ? Effect.exit(bulkhead(Effect.void)) : Effect.void)
          if (fills) { for (let tick = 0; tick < 5; tick++) yield* Effect.yieldNow }
          assert.isAtMost((yield* bulkhead.state).queued, 1)
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.awaitAll([holder, caller, other])
          assert.deepStrictEqual(yield* bulkhead.state, idle)
        }
      }
    }))

  it.live("an interruption at any step of the scheduler loses no permit and no place", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 500 })
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 3000; i++) {
        // the scheduler yields after some two thousand steps, and an interruption arrives there
        const steps = Effect.forEach(Array.from({ length: 1950 + (i % 100) }), () => Effect.void, { discard: true })
        const call = i % 2 === 0 ? bulkhead(Effect.never) : Stream.runDrain(bulkhead.stream(Stream.never))
        const fiber = Effect.runFork(Effect.andThen(steps, call))
        fiber.interruptUnsafe()
        fibers.push(fiber)
      }
      yield* Fiber.awaitAll(fibers)
      assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 3 })
    }))

  describe("a permit by hand", () => {
    it.effect("is given back once, by the handle or at the end of the scope", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 3 })
        const scope = yield* Scope.make()
        const [first, second] = yield* Scope.provide(Effect.all([bulkhead.acquire, bulkhead.acquire]), scope)
        const inUse = Effect.map(bulkhead.state, ({ inUse }) => inUse)
        assert.strictEqual(yield* inUse, 2)
        yield* first.release
        yield* first.release
        assert.strictEqual(yield* inUse, 1)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* inUse, 0)
        yield* Effect.andThen(first.release, second.release)
        assert.strictEqual(yield* inUse, 0)
      }))

    it.effect("waits as a call does, in its turn, and hands on to calls", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const bulkhead = one({ name: "db", maxWait: "1 second" })
        const log: Array<string> = []
        const held = yield* bulkhead.acquire
        yield* fork(bulkhead(slow(log, "before")))
        const waiting = yield* fork(policy(Effect.scoped(Effect.andThen(bulkhead.acquire, slow(log, "by hand")))))
        yield* fork(bulkhead(slow(log, "after")))
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 1, queued: 3, concurrency: 1 })
        yield* TestClock.adjust("10 millis")
        yield* held.release
        yield* TestClock.adjust("300 millis")
        assert.deepStrictEqual(log, ["before@10", "by hand@110", "after@210"])
        yield* Fiber.join(waiting)
        assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["WaitedForBulkhead"])
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("is refused as a call is, and leaves nothing in the scope", () =>
      Effect.gen(function*() {
        const bulkhead = one({ maxQueue: 1, maxWait: "10 millis" })
        const scope = yield* Scope.make()
        const acquire = Scope.provide(bulkhead.acquire, scope)
        yield* fork(bulkhead(Effect.never))
        const waiter = yield* fork(Effect.flip(acquire))
        assert.strictEqual((yield* Effect.flip(acquire)).reason, "full")
        yield* TestClock.adjust("10 millis")
        assert.strictEqual((yield* Fiber.join(waiter)).reason, "waited")
        assert.strictEqual(sizeOf(scope), 0)
      }))

    it.effect("leaves nothing in a scope that lives long, once it is given back", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const scope = yield* Scope.make()
        const turn = Effect.flatMap(Scope.provide(bulkhead.acquire, scope), ({ release }) => release)
        yield* Effect.replicateEffect(turn, 10, { discard: true })
        assert.strictEqual(sizeOf(scope), 0)
      }))

    it.effect("is nobody's if the one who waits for it goes away, in the instant of its coming as well", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const scope = yield* Scope.make()
        for (const millis of [5, 10]) {
          yield* fork(bulkhead(Effect.sleep("10 millis")))
          const waiter = yield* fork(Scope.provide(bulkhead.acquire, scope))
          yield* fork(Effect.delay(Fiber.interrupt(waiter), millis))
          yield* TestClock.adjust("10 millis")
          yield* Fiber.interrupt(waiter)
        }
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("is nobody's if its scope is closed before or while it is waited for", () =>
      Effect.gen(function*() {
        const bulkhead = one()
        const closed = yield* Scope.make()
        yield* Scope.close(closed, Exit.void)
        yield* Scope.provide(bulkhead.acquire, closed)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
        const scope = yield* Scope.make()
        yield* fork(bulkhead(Effect.sleep("10 millis")))
        const waiter = yield* fork(Scope.provide(bulkhead.acquire, scope))
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust("10 millis")
        yield* Fiber.join(waiter)
        assert.deepStrictEqual(yield* bulkhead.state, idle)
      }))

    it.effect("keeps the bulkhead of a key, that nobody uses otherwise", () =>
      Effect.gen(function*() {
        const keyed = Keyed.makeUnsafe({ lookup: (_: string) => one(), idleTimeToLive: "1 minute", maxInstances: 1 })
        const bulkhead = yield* keyed.get("a")
        const permit = yield* bulkhead.acquire
        yield* keyed.for("b")(Effect.void)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* keyed.get("a"), bulkhead)
        yield* permit.release
        yield* TestClock.adjust("1 hour")
        assert.notStrictEqual(yield* keyed.get("a"), bulkhead)
      }))

    it.effect("counts when the bulkhead is resized", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 5 })
        const permits = yield* Effect.all([bulkhead.acquire, bulkhead.acquire])
        const waiter = yield* fork(bulkhead.acquire)
        yield* bulkhead.resize({ concurrency: 1 })
        yield* permits[0].release
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 1, queued: 1, concurrency: 1 })
        yield* bulkhead.resize({ concurrency: 2 })
        const third = yield* Fiber.join(waiter)
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 2, queued: 0, concurrency: 2 })
        yield* Effect.andThen(permits[1].release, third.release)
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 2 })
      }))
  })
})
