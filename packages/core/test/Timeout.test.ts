import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import * as util from "node:util"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { currentDeadline } from "./support/deadline.ts"
import { after, Boom, during, explained, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

const hang = (cleanup: Effect.Effect<unknown>): Effect.Effect<never> => Effect.onInterrupt(Effect.never, () => cleanup)

describe("Timeout", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => Timeout.attempt(0), "Timeout.attempt: limit must be a finite duration > 0, got 0")
    assert.throws(
      () => Timeout.total("-1 second"),
      "Timeout.total: limit must be a finite duration > 0, got \"-1 second\""
    )
    assert.throws(
      () => Timeout.attempt("Infinity"),
      "Timeout.attempt: limit must be a finite duration > 0, got \"Infinity\""
    )
    assert.throws(
      () => Timeout.attempt("soon" as "1 second"),
      "Timeout.attempt: limit must be a finite duration > 0, got \"soon\""
    )
    assert.throws(() => Timeout.attempt(Number.NaN), "Timeout.attempt: limit must be a finite duration > 0, got NaN")
    assert.throws(() => Timeout.phases({ idle: 0 }), "Timeout.phases: idle must be a finite duration > 0, got 0")
    assert.throws(() => Timeout.phases({}), "Timeout.phases: options must be at least one of first, idle and total")
  })

  it("its error tells what happened and what the limit was", () => {
    const error = new Timeout.TimeoutExceeded({
      phase: "idle",
      limit: Duration.seconds(90),
      elapsed: Duration.seconds(91)
    })
    assert.instanceOf(error, Error)
    assert.strictEqual(error.name, "TimeoutExceeded")
    assert.strictEqual(String(error), "TimeoutExceeded: Timed out: idle for 1m 30s")
    assert.strictEqual(error.stack, String(error))
    assert.include(util.inspect(error), "1m 30s")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(error))._tag, "TimeoutExceeded")
    assert.isTrue(Timeout.isTimeoutExceeded(error))
  })

  describe("effect", () => {
    it.effect("in time: the result, and no timer is left", () =>
      Effect.gen(function*() {
        const result = yield* during(
          "1 second",
          timed(Effect.as(Effect.sleep("50 millis"), 1).pipe(Timeout.attempt("100 millis")))
        )
        assert.deepStrictEqual(result, ["ok:1", 50])
      }))

    it.effect("failures, defects and self-interruption come through", () =>
      Effect.gen(function*() {
        const timeout = Timeout.attempt("1 second")
        assert.strictEqual(outcome(yield* Effect.exit(timeout(Effect.fail(new Boom({}))))), "Boom")
        assert.strictEqual(
          outcome(yield* Effect.exit(timeout(Effect.andThen(Effect.yieldNow, Effect.die("bug"))))),
          "Die"
        )
        assert.strictEqual(outcome(yield* Effect.exit(timeout(Effect.interrupt))), "Interrupt")
      }))

    it.effect("a call that interrupts itself later ends as it ends without a timeout, once", () =>
      Effect.gen(function*() {
        const leave = Effect.delay(Effect.onExit(Effect.interrupt, () => Effect.die("bug")), "10 millis")
        const stream = Stream.concat(Stream.make(1), Stream.fromEffect(leave))
        const plain = outcome(yield* during("1 second", Effect.exit(leave)))
        for (
          const timeout of [
            Timeout.attempt("1 second"),
            Timeout.total("1 second", { detach: true }),
            Timeout.phases({ idle: "1 second", total: "2 seconds" }),
            Timeout.makeAdaptiveUnsafe({ minLimit: "1 second", maxLimit: "2 seconds" })
          ]
        ) {
          assert.strictEqual(outcome(yield* during("1 second", Effect.exit(timeout(leave)))), plain)
          const drained = Stream.runDrain(timeout.stream(stream))
          assert.strictEqual(outcome(yield* during("1 second", Effect.exit(drained))), plain)
        }
      }))

    it.effect("too late: the error, after the clean-up", () =>
      Effect.gen(function*() {
        const error = yield* during(
          "1 second",
          Effect.flip(hang(Effect.sleep("300 millis")).pipe(Timeout.attempt("100 millis")))
        )
        assert.deepInclude(error, { phase: "attempt", limit: Duration.millis(100), elapsed: Duration.millis(400) })
      }))

    it.effect("a callee that cannot be interrupted makes the timeout late, and its result is dropped", () =>
      Effect.gen(function*() {
        const stubborn = Effect.uninterruptible(Effect.as(Effect.sleep("400 millis"), 1))
        assert.deepStrictEqual(
          yield* during("1 second", timed(stubborn.pipe(Timeout.attempt("100 millis")))),
          ["TimeoutExceeded:attempt", 400]
        )
      }))

    it.effect("on a tie whichever wakes first wins", () =>
      Effect.gen(function*() {
        const timeout = Timeout.attempt("100 millis")
        const first = Effect.as(Effect.sleep("100 millis"), 1)
        const second = Effect.andThen(Effect.sleep("50 millis"), Effect.sleep("50 millis"))
        assert.deepStrictEqual(yield* during("1 second", timed(timeout(first))), ["ok:1", 100])
        assert.strictEqual((yield* during("1 second", timed(timeout(second))))[0], "TimeoutExceeded:attempt")
      }))

    it.effect("the caller goes away: the call is interrupted, and its clean-up awaited", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const cleanup = Effect.andThen(Effect.sleep("300 millis"), Effect.sync(() => log.push("cleaned")))
        const fiber = yield* fork(hang(cleanup).pipe(Timeout.attempt("1 second")))
        const interruption = yield* fork(
          Effect.andThen(Fiber.interrupt(fiber), Effect.sync(() => log.push("interrupted")))
        )
        yield* TestClock.adjust("299 millis")
        assert.deepStrictEqual(log, [])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(log, ["cleaned", "interrupted"])
        yield* Fiber.join(interruption)
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "Interrupt")
      }))

    it.effect("a defect of that clean-up is not lost", () =>
      Effect.gen(function*() {
        const fiber = yield* fork(hang(Effect.die("clean-up")).pipe(Timeout.attempt("1 second")))
        fiber.interruptUnsafe()
        assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt+Die")
      }))

    it.effect("a defect of the clean-up of a call that timed out goes to telemetry", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const call = hang(Effect.die("clean-up")).pipe(Timeout.attempt("100 millis"), policy)
        assert.strictEqual((yield* during("1 second", timed(call)))[0], "TimeoutExceeded:attempt")
        assert.deepStrictEqual(events.map((event) => event._tag), ["CleanupDied", "TimedOut"])
      }))

    it.effect("the caller goes away while the timeout waits for the clean-up", () =>
      Effect.gen(function*() {
        const fiber = yield* fork(hang(Effect.sleep("1 second")).pipe(Timeout.attempt("100 millis")))
        yield* TestClock.adjust("200 millis")
        fiber.interruptUnsafe()
        yield* TestClock.adjust("899 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "Interrupt")
      }))

    it.effect("in an uninterruptible region it still fires", () =>
      Effect.gen(function*() {
        const fiber = yield* fork(Effect.uninterruptible(timed(Effect.never.pipe(Timeout.attempt("100 millis")))))
        yield* TestClock.adjust("50 millis")
        fiber.interruptUnsafe()
        yield* TestClock.adjust("49 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.isDefined(fiber.pollUnsafe())
      }))

    it.effect("restore(policy(x)) obeys the mask; policy(restore(x)) does not, as with Effect.timeout", () =>
      Effect.gen(function*() {
        const sleep = Effect.sleep("1 second")
        const timeout = Timeout.attempt("10 seconds")
        const interrupted = (masked: Effect.Effect<unknown, unknown>) =>
          Effect.gen(function*() {
            const fiber = yield* fork(masked)
            yield* TestClock.adjust("10 millis")
            fiber.interruptUnsafe()
            yield* TestClock.adjust("1 millis")
            const prompt = fiber.pollUnsafe() !== undefined
            yield* TestClock.adjust("20 seconds")
            return prompt
          })
        assert.isTrue(yield* interrupted(Effect.uninterruptibleMask((restore) => restore(timeout(sleep)))))
        assert.isFalse(yield* interrupted(Effect.uninterruptibleMask((restore) => timeout(restore(sleep)))))
        assert.isFalse(
          yield* interrupted(Effect.uninterruptibleMask((restore) => Effect.timeout(restore(sleep), "10 seconds")))
        )
      }))

    it.effect("a dynamic limit is asked at every call, and checked", () =>
      Effect.gen(function*() {
        let limit = 100
        const timeout = Timeout.attempt(() => limit)
        assert.strictEqual(
          (yield* during("1 second", timed(timeout(Effect.sleep("150 millis")))))[0],
          "TimeoutExceeded:attempt"
        )
        limit = 200
        assert.strictEqual((yield* during("1 second", timed(timeout(Effect.sleep("150 millis")))))[0], "ok:undefined")
        limit = 0
        assert.strictEqual(outcome(yield* Effect.exit(timeout(Effect.void))), "Die")
      }))

    it.effect("a dynamic limit is asked once per call and once per stream", () =>
      Effect.gen(function*() {
        for (const make of [Timeout.attempt, Timeout.total]) {
          let asked = 0
          const timeout = make(() => `${++asked} minutes`)
          yield* timeout(Effect.void)
          yield* Stream.runDrain(timeout.stream(Stream.make(1, 2)))
          assert.strictEqual(asked, 2)
        }
      }))
  })

  describe("deadline", () => {
    it.effect("total publishes it, and nested ones only shrink", () =>
      Effect.gen(function*() {
        const inside = yield* currentDeadline.pipe(Timeout.total("10 seconds"), Timeout.total("1 second"))
        const alone = yield* currentDeadline.pipe(Timeout.total("1 second"), Timeout.total("10 seconds"))
        assert.deepStrictEqual([inside, alone], [1000, 1000])
        assert.strictEqual(yield* currentDeadline, Infinity)
        assert.strictEqual(yield* currentDeadline.pipe(Timeout.attempt("1 second")), Infinity)
      }))

    it.effect("the owner of the earlier end is the one that reports", () =>
      Effect.gen(function*() {
        const cases = [["50 millis", "100 millis", "TimeoutExceeded:attempt", 50], [
          "100 millis",
          "50 millis",
          "TimeoutExceeded:total",
          50
        ], ["100 millis", "100 millis", "TimeoutExceeded:total", 100]] as const
        for (const [attempt, total, expected, elapsed] of cases) {
          const start = yield* now
          const [result, at] = yield* during(
            "1 second",
            timed(Effect.never.pipe(Timeout.attempt(attempt), Timeout.total(total)))
          )
          assert.deepStrictEqual([result, at - start], [expected, elapsed])
        }
      }))

    it.effect("an inner timeout that cannot be earlier adds no fiber", () =>
      Effect.gen(function*() {
        const id = Effect.fiberId
        const inside = Effect.gen(function*() {
          return [yield* id, yield* id.pipe(Timeout.attempt("2 seconds"))] as const
        })
        const [outer, inner] = yield* inside.pipe(Timeout.total("1 second"))
        assert.strictEqual(inner, outer)
      }))
  })

  describe("context", () => {
    class Tenant extends Context.Service<Tenant, string>()("test/Tenant") {}
    const Locale = Context.Reference<string>("test/Locale", { defaultValue: () => "none" })

    it.live("services, references, spans and AsyncLocalStorage reach the call through every policy", () =>
      Effect.gen(function*() {
        const storage = new AsyncLocalStorage<string>()
        const stack = Policy.compose(Timeout.total("1 minute"), Retry.make(), Timeout.attempt("10 seconds"))
        const call = Effect.gen(function*() {
          yield* Effect.promise(() => Promise.resolve())
          const span = yield* Effect.currentSpan
          return [yield* Tenant, yield* Locale, span.name, storage.getStore()]
        })
        const program = stack(call).pipe(
          Effect.provideService(Tenant, "acme"),
          Effect.provideService(Locale, "nl"),
          Effect.withSpan("outer")
        )
        const seen = yield* Effect.promise(() => storage.run("stored", () => Effect.runPromise(program)))
        assert.deepStrictEqual(seen, ["acme", "nl", "outer", "stored"])
      }))

    it.effect("what the call acquires belongs to the caller's scope", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const acquire = Effect.acquireRelease(Effect.sync(() => log.push("acquire")), () =>
          Effect.sync(() => log.push("release")))
        yield* Effect.scoped(Effect.andThen(
          acquire.pipe(Timeout.attempt("1 second")),
          Effect.sync(() =>
            log.push("use")
          )
        ))
        assert.deepStrictEqual(log, ["acquire", "use", "release"])
      }))
  })

  describe("stream", () => {
    /** What came out, how it ended, and after how long; the consumer takes `busy` for each element. */
    const run = (
      self: Stream.Stream<number, unknown>,
      policy: Policy.Policy<unknown, unknown>,
      busy: Duration.Input = 0
    ) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        const start = yield* now
        const consume = Stream.runForEach((n: number) =>
          Effect.andThen(Effect.sync(() => seen.push(n)), Effect.sleep(busy))
        )
        const [end, at] = yield* during("1 minute", timed(consume(policy.stream(self))))
        return [seen, end, at - start] as const
      })
    const gaps = (...gaps: ReadonlyArray<number>): Stream.Stream<number> =>
      Stream.flatMap(Stream.fromIterable(gaps.entries()), ([i, gap]) => after(gap, i + 1))

    it.effect("attempt ends with the first element", () =>
      Effect.gen(function*() {
        const attempt = Timeout.attempt("100 millis")
        assert.deepStrictEqual(yield* run(gaps(200), attempt), [[], "TimeoutExceeded:attempt", 100])
        assert.deepStrictEqual(yield* run(gaps(50, 500), attempt), [[1, 2], "ok:undefined", 550])
      }))

    it.effect("total ends with the last element", () =>
      Effect.gen(function*() {
        const total = Timeout.total("100 millis")
        assert.deepStrictEqual(yield* run(gaps(30, 30, 30, 30), total), [[1, 2, 3], "TimeoutExceeded:total", 100])
        assert.deepStrictEqual(yield* run(gaps(30, 30), total), [[1, 2], "ok:undefined", 60])
      }))

    it.effect("total counts the consumer's time, and is delivered at the next pull", () =>
      Effect.gen(function*() {
        const total = Timeout.total("100 millis")
        assert.deepStrictEqual(yield* run(gaps(10, 10), total, 500), [[1], "TimeoutExceeded:total", 510])
      }))

    it.effect("first: every kind of start that is too slow", () =>
      Effect.gen(function*() {
        const first = Timeout.phases({ first: "100 millis" })
        assert.deepStrictEqual(yield* run(gaps(101), first), [[], "TimeoutExceeded:first", 100])
        assert.deepStrictEqual(yield* run(gaps(99, 500), first), [[1, 2], "ok:undefined", 599])
        const opening = Stream.unwrap(Effect.as(Effect.sleep("200 millis"), Stream.make(1)))
        assert.deepStrictEqual(yield* run(opening, first), [[], "TimeoutExceeded:first", 100])
      }))

    it.effect("idle: the silence between two elements, without the consumer's time", () =>
      Effect.gen(function*() {
        const idle = Timeout.phases({ idle: "100 millis" })
        assert.deepStrictEqual(yield* run(gaps(500, 40, 300), idle), [[1, 2], "TimeoutExceeded:idle", 640])
        assert.deepStrictEqual(yield* run(gaps(40, 80, 80), idle, 500), [[1, 2, 3], "ok:undefined", 1700])
      }))

    it.effect("idle is measured between elements that are progress", () =>
      Effect.gen(function*() {
        const idle = Timeout.phases({ idle: "100 millis", progress: (element) => element !== 0 })
        const source = Stream.concat(
          gaps(10),
          Stream.mapEffect(Stream.make(0, 0, 0), (n) => Effect.as(Effect.sleep("60 millis"), n))
        )
        assert.deepStrictEqual(yield* run(source, idle), [[1, 0], "TimeoutExceeded:idle", 110])
      }))

    it.effect("a stream that never was late is left alone, whatever it is", () =>
      Effect.gen(function*() {
        const all = Timeout.phases({ first: "1 second", idle: "1 second", total: "1 minute" })
        assert.deepStrictEqual(yield* run(Stream.empty, all), [[], "ok:undefined", 0])
        assert.deepStrictEqual(yield* run(Stream.make(1, 2, 3), all), [[1, 2, 3], "ok:undefined", 0])
        assert.deepStrictEqual(yield* run(Stream.fail(new Boom({})), all), [[], "Boom", 0])
        const concurrent = Stream.range(1, 20).pipe(
          Stream.mapEffect((n) => Effect.as(Effect.sleep("1 millis"), n), { concurrency: 4 }),
          Stream.buffer({ capacity: 2 })
        )
        assert.strictEqual((yield* run(concurrent, all))[0].length, 20)
      }))

    it.effect("what the stream holds is closed before the error comes out", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream(() => Stream.never).pipe(
          Timeout.attempt("100 millis").stream,
          Stream.catch(() => Stream.sync(() => void log.push("caught")))
        )
        yield* during("1 second", Stream.runDrain(source))
        assert.deepStrictEqual(log, ["open1", "close1", "caught"])
      }))

    it.effect("a defect of what the stream holds goes to telemetry, as that of a call does", () =>
      Effect.gen(function*() {
        for (const detach of [false, true]) {
          const { events, policy } = recorder()
          const source = Stream.unwrap(
            Effect.as(Effect.acquireRelease(Effect.void, () => Effect.die("clean-up")), Stream.never)
          )
          const timeout = Timeout.phases({ first: "100 millis", detach })
          assert.deepStrictEqual(yield* run(source.pipe(timeout.stream, policy.stream), Policy.identity), [
            [],
            "TimeoutExceeded:first",
            100
          ])
          assert.deepStrictEqual(events.map((event) => event._tag), ["CleanupDied", "TimedOut"])
        }
      }))

    it.effect("the consumer goes away while what the stream holds is closed: it is closed to the end", () =>
      Effect.gen(function*() {
        let closed = 0
        const release = Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => closed++))
        const source = Stream.unwrap(Effect.as(Effect.acquireRelease(Effect.void, () => release), Stream.never))
        const fiber = yield* fork(Stream.runDrain(source.pipe(Timeout.phases({ first: "100 millis" }).stream)))
        yield* TestClock.adjust("200 millis")
        fiber.interruptUnsafe()
        yield* TestClock.adjust("200 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.isDefined(fiber.pollUnsafe())
        assert.strictEqual(closed, 1)
      }))

    it.effect("the consumer goes away in a pull: the stream is closed", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const fiber = yield* fork(Stream.runDrain(stream(() => Stream.never).pipe(Timeout.total("1 minute").stream)))
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(log, ["open1", "close1"])
      }))

    it.effect("total publishes the deadline to what is inside", () =>
      Effect.gen(function*() {
        const source = Stream.fail(new Boom({})).pipe(
          Policy.compose(Timeout.total("1 second"), Retry.make({ schedule: Schedule.exponential("400 millis") })).stream
        )
        assert.deepStrictEqual(yield* during("5 seconds", timed(Stream.runDrain(source))), ["Boom", 400])
      }))

    it.effect("attempt times out, the retry starts again, in its own scope", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream((n): Stream.Stream<number> => n === 1 ? Stream.never : Stream.make(7))
        const stack = Policy.compose(Retry.make({ schedule: Schedule.recurs(1) }), Timeout.attempt("100 millis"))
        assert.deepStrictEqual(yield* during("1 second", Stream.runCollect(source.pipe(stack.stream))), [7])
        assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2"])
      }))

    it.effect("phases around an effect: first and total limit it", () =>
      Effect.gen(function*() {
        const slow = Effect.sleep("200 millis")
        assert.deepStrictEqual(
          yield* during("1 second", timed(slow.pipe(Timeout.phases({ first: 100, total: 150 })))),
          ["TimeoutExceeded:first", 100]
        )
        assert.strictEqual(
          (yield* during("1 second", timed(slow.pipe(Timeout.phases({ idle: 1 })))))[0],
          "ok:undefined"
        )
      }))
  })

  // the gauge is the process's, so these do not run beside one another
  describe("detach (Polly #1133: work that ignores cancellation is never abandoned)", { concurrent: false }, () => {
    const stubborn = Effect.uninterruptible(Effect.as(Effect.sleep("400 millis"), 1))
    const timeout = Timeout.attempt("100 millis", { detach: true })

    it.effect("answers on time, and counts what it has left behind until that has ended", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const fiber = yield* fork(timed(stubborn.pipe(timeout, policy)))
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed(["TimeoutExceeded:attempt", 100] as const))
        assert.strictEqual(yield* Timeout.detached, 1)
        yield* TestClock.adjust("300 millis")
        assert.strictEqual(yield* Timeout.detached, 0)
        assert.deepStrictEqual(events.map((event) => event._tag), ["CallDetached", "TimedOut", "DetachedEnded"])
        assert.deepInclude(events[2], { running: 0, after: Duration.millis(300) })
      }))

    it.effect("what ends at once when it is interrupted is not left behind", () =>
      Effect.gen(function*() {
        const { log, effect } = logged()
        const { events, policy } = recorder()
        const result = yield* during("1 second", timed(effect(() => Effect.never).pipe(timeout, policy)))
        assert.strictEqual(result[0], "TimeoutExceeded:attempt")
        assert.deepStrictEqual(log, ["open1", "close1"])
        assert.deepStrictEqual(events.map((event) => event._tag), ["TimedOut"])
      }))

    it.effect("a caller that goes away does not wait either", () =>
      Effect.gen(function*() {
        const fiber = yield* fork(stubborn.pipe(timeout))
        yield* TestClock.adjust("50 millis")
        fiber.interruptUnsafe()
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "Interrupt")
        assert.strictEqual(yield* Timeout.detached, 1)
        yield* TestClock.adjust("350 millis")
        assert.strictEqual(yield* Timeout.detached, 0)
      }))

    it.effect("a defect of a clean-up that nobody waits for goes to telemetry", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const cleanup = Effect.andThen(Effect.sleep("10 millis"), Effect.die("clean-up"))
        yield* during("1 second", timed(hang(cleanup).pipe(timeout, policy)))
        assert.deepStrictEqual(events.map((event) => event._tag), [
          "CallDetached",
          "TimedOut",
          "CleanupDied",
          "DetachedEnded"
        ])
      }))

    it.effect("a stream: its resources are closed when the pull has ended, not under its feet", () =>
      Effect.gen(function*() {
        for (const goAway of [false, true]) {
          const { log, stream } = logged()
          const source = stream(() => Stream.fromEffect(stubborn))
          const fiber = yield* fork(timed(Stream.runDrain(source.pipe(timeout.stream))))
          yield* TestClock.adjust("50 millis")
          if (goAway) fiber.interruptUnsafe()
          yield* TestClock.adjust("50 millis")
          assert.isDefined(fiber.pollUnsafe())
          assert.deepStrictEqual(log, ["open1"])
          assert.strictEqual(yield* Timeout.detached, 1)
          yield* TestClock.adjust("300 millis")
          assert.deepStrictEqual(log, ["open1", "close1"])
          assert.strictEqual(yield* Timeout.detached, 0)
        }
      }))

    it.effect("a stream whose resources take time to close, late in a pull or between two", () =>
      Effect.gen(function*() {
        for (const [source, busy] of [[Stream.never, 0], [Stream.make(1, 2), 200]] as const) {
          const release = Effect.sleep("1 second")
          const held = Stream.unwrap(
            Effect.as(Effect.acquireRelease(Effect.void, () => release), Stream.rechunk(source, 1))
          )
          const total = Timeout.total("100 millis", { detach: true })
          const fiber = yield* fork(timed(Stream.runForEach(held.pipe(total.stream), () => Effect.sleep(busy))))
          const start = yield* now
          yield* TestClock.adjust("500 millis")
          const exit = fiber.pollUnsafe()
          assert.deepStrictEqual(exit, Exit.succeed(["TimeoutExceeded:total", start + Math.max(100, busy)] as const))
          assert.strictEqual(yield* Timeout.detached, 1)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* Timeout.detached, 0)
        }
      }))

    it.effect("an adaptive limit does the same", () =>
      Effect.gen(function*() {
        const timeout = Timeout.makeAdaptiveUnsafe({ minLimit: 10, maxLimit: 100, detach: true })
        const fiber = yield* fork(timed(stubborn.pipe(timeout)))
        yield* TestClock.adjust("100 millis")
        assert.isDefined(fiber.pollUnsafe())
        assert.strictEqual(yield* Timeout.detached, 1)
        yield* TestClock.adjust("300 millis")
        assert.strictEqual(yield* Timeout.detached, 0)
      }))

    it.effect("a stream that is in time closes what it holds when it ends", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        assert.deepStrictEqual(
          yield* Stream.runCollect(stream(() => Stream.make(1, 2)).pipe(timeout.stream, Stream.take(1))),
          [1]
        )
        assert.deepStrictEqual(log, ["open1", "close1"])
      }))
  })

  describe("adaptive", () => {
    const make = (options: Partial<Timeout.AdaptiveOptions> = {}) =>
      Timeout.makeAdaptiveUnsafe({ minLimit: 10, maxLimit: "10 seconds", minCalls: 5, ...options })
    const call = (timeout: Timeout.Adaptive, millis: number) =>
      during(millis, Effect.exit(Effect.sleep(millis).pipe(timeout)))
    const limitOf = (timeout: Timeout.Adaptive) => Effect.map(timeout.limit, Duration.toMillis)

    it("names the bad option, the value and what is allowed", () => {
      assert.throws(
        () => make({ minLimit: "1 minute" }),
        "Timeout.makeAdaptive: minLimit must be at most maxLimit, got \"1m\""
      )
      assert.throws(() => make({ maxLimit: 0 }), "Timeout.makeAdaptive: maxLimit must be a finite duration > 0, got 0")
      assert.throws(
        () => make({ quantile: 1.1 }),
        "Timeout.makeAdaptive: quantile must be a number > 0 and <= 1, got 1.1"
      )
      assert.throws(() => make({ factor: 1 }), "Timeout.makeAdaptive: factor must be a finite number > 1, got 1")
      assert.throws(() => make({ minCalls: 0 }), "Timeout.makeAdaptive: minCalls must be an integer >= 1, got 0")
      assert.throws(() => make({ within: 0 }), "Timeout.makeAdaptive: within must be a finite duration > 0, got 0")
    })

    it.effect("is max at first, then a multiple of what was seen, and forgets", () =>
      Effect.gen(function*() {
        const timeout = make()
        for (let i = 0; i < 4; i++) yield* call(timeout, 100)
        assert.strictEqual(yield* limitOf(timeout), 10_000)
        yield* call(timeout, 100)
        assert.closeTo(yield* limitOf(timeout), 150, 3)
        assert.strictEqual(yield* timeout.observed, 5)
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(yield* limitOf(timeout), 10_000)
        assert.strictEqual(yield* timeout.observed, 0)
      }))

    it.effect("a call that is too late fails with the limit of the moment, and counts with it", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const timeout = make({ name: "search" })
        for (let i = 0; i < 5; i++) yield* call(timeout, 100)
        const limit = yield* limitOf(timeout)
        const error = yield* during("1 second", Effect.flip(Effect.never.pipe(timeout, policy)))
        assert.deepInclude(error, { phase: "attempt", limit: Duration.millis(limit) })
        assert.deepInclude(events[0], { _tag: "TimedOut", name: "search" })
        assert.closeTo(yield* limitOf(timeout), limit * 1.5, limit * 0.06)
        assert.strictEqual(yield* timeout.observed, 6)
      }))

    it.effect("a callee that has become slow is given time again", () =>
      Effect.gen(function*() {
        const timeout = make()
        for (let i = 0; i < 100; i++) yield* call(timeout, 100)
        const ends: Array<string> = []
        for (let i = 0; i < 20; i++) {
          ends.push(outcome(yield* during("2 seconds", Effect.exit(Effect.sleep("1 second").pipe(timeout)))))
        }
        assert.strictEqual(ends[0], "TimeoutExceeded:attempt")
        assert.strictEqual(ends.at(-1), "ok:undefined")
      }))

    it.effect("failures and callers that go away count for nothing, the ambient deadline does", () =>
      Effect.gen(function*() {
        const timeout = make({ minCalls: 1 })
        yield* Effect.exit(timeout(new Boom({})))
        yield* Effect.exit(timeout(Effect.die("bug")))
        const fiber = yield* fork(timeout(Effect.never))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* timeout.observed, 0)
        const hurried = Effect.never.pipe(timeout, Timeout.total("2 seconds"))
        assert.strictEqual((yield* during("2 seconds", timed(hurried)))[0], "TimeoutExceeded:total")
        assert.strictEqual(yield* timeout.observed, 1)
        assert.closeTo(yield* limitOf(timeout), 3000, 60)
      }))

    it.effect("what a call waits for its turn in a queue inside is nobody's slowness", () =>
      Effect.gen(function*() {
        for (const face of ["effect", "stream"] as const) {
          const timeout = make()
          const queue = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 100 })
          const stack = Policy.compose(timeout, queue)
          const call = face === "effect"
            ? Effect.sleep(100).pipe(stack)
            : Stream.runDrain(Stream.fromEffect(Effect.sleep(100)).pipe(stack.stream))
          yield* during("1 minute", Effect.all(Array.from({ length: 20 }, () => call), { concurrency: "unbounded" }))
          assert.closeTo(yield* limitOf(timeout), 150, 3, face)
        }
      }))

    it.effect("a call that is cut off in a queue inside has shown nothing", () =>
      Effect.gen(function*() {
        const timeout = make({ maxLimit: 500, minCalls: 1 })
        const queue = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 100 })
        const busy = yield* fork(Effect.never.pipe(queue))
        yield* during("1 minute", Effect.exit(Effect.void.pipe(queue, timeout)))
        assert.strictEqual(yield* timeout.observed, 0)
        yield* Fiber.interrupt(busy)
      }))

    it.effect("nor has one whose turn came so late that no timer tells the time it had", () =>
      Effect.gen(function*() {
        const timeout = make({ maxLimit: 500, minCalls: 1 })
        const queue = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 100 })
        const cut = (busy: number) =>
          Effect.andThen(
            fork(Effect.sleep(busy).pipe(queue)),
            during("1 minute", Effect.exit(Effect.never.pipe(queue, timeout)))
          )
        yield* cut(499.5)
        assert.strictEqual(yield* timeout.observed, 0)
        yield* cut(498)
        assert.strictEqual(yield* timeout.observed, 1)
      }))

    it.effect("an inner timeout that is earlier is a failure like any other", () =>
      Effect.gen(function*() {
        const timeout = make({ minCalls: 1 })
        const inner = Effect.never.pipe(Timeout.attempt("10 millis"), timeout)
        yield* during("1 second", Effect.exit(inner))
        assert.strictEqual(yield* timeout.observed, 0)
      }))

    it.effect("of a stream, the time to the first element", () =>
      Effect.gen(function*() {
        const timeout = make({ minCalls: 1 })
        const source = Stream.concat(after("100 millis", 1), after("5 seconds", 2)).pipe(timeout.stream)
        assert.deepStrictEqual(yield* during("6 seconds", Stream.runCollect(source)), [1, 2])
        assert.closeTo(yield* limitOf(timeout), 150, 3)
        const { log, stream } = logged()
        const hung = stream(() => Stream.never).pipe(timeout.stream)
        assert.strictEqual((yield* during("1 second", timed(Stream.runDrain(hung))))[0], "TimeoutExceeded:attempt")
        assert.deepStrictEqual(log, ["open1", "close1"])
        assert.closeTo(yield* limitOf(timeout), 225, 9)
      }))

    it("explains itself", () => {
      assert.strictEqual(
        explained(make({ name: "search" })),
        "timeout adaptive \"search\" (quantile: 0.99, factor: 1.5, minLimit: 10ms, maxLimit: 10s, minCalls: 5, within: 5m)"
      )
    })
  })
})
