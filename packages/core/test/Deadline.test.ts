import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { deadlineAt } from "./support/deadline.ts"
import { after, Boom, during, explained, fork, logged, outcome, recorder, timed } from "./support/harness.ts"

const left = Effect.map(Deadline.remaining, Option.map(Duration.toMillis))

describe("Deadline.within", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => Deadline.within(Number.NaN), "Deadline.within: duration must be a duration, got NaN")
    assert.throws(
      () => Deadline.within("soon" as "1 second"),
      "Deadline.within: duration must be a duration, got \"soon\""
    )
    assert.throws(
      () => Deadline.fromHeader("1", { maxRemaining: 0 }),
      "Deadline.fromHeader: maxRemaining must be a finite duration > 0"
    )
  })

  it.effect("is absolute: it does not move while time passes", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const before = yield* left
        yield* Effect.sleep("300 millis")
        return [before, yield* left]
      }).pipe(Deadline.within("1 second"))
      assert.deepStrictEqual(yield* during("1 second", program), [Option.some(1000), Option.some(700)])
      assert.deepStrictEqual(yield* left, Option.none())
    }))

  it.effect("a nested one only shrinks it, from either policy", () =>
    Effect.gen(function*() {
      const [short, long] = [Deadline.within("1 second"), Deadline.within("10 seconds")]
      assert.deepStrictEqual(yield* left.pipe(short, long), Option.some(1000))
      assert.deepStrictEqual(yield* left.pipe(long, short), Option.some(1000))
      assert.deepStrictEqual(yield* left.pipe(long, Timeout.total("1 second")), Option.some(1000))
      assert.deepStrictEqual(yield* left.pipe(short, Deadline.within("Infinity")), Option.some(1000))
      assert.deepStrictEqual(yield* left.pipe(Deadline.within("Infinity")), Option.none())
    }))

  it.effect("child fibers inherit it", () =>
    Effect.gen(function*() {
      const child = Effect.flatMap(fork(left), Fiber.join)
      assert.deepStrictEqual(yield* child.pipe(Deadline.within("1 second")), Option.some(1000))
    }))

  it.effect("is enforced, and its publisher reports", () =>
    Effect.gen(function*() {
      const { log, effect } = logged()
      const hang = effect(() => Effect.never)
      const error = yield* during("1 second", Effect.flip(hang.pipe(Deadline.within("100 millis"))))
      assert.deepInclude(error, { _tag: "DeadlineExceeded", began: true, overrun: Duration.zero })
      assert.deepStrictEqual(log, ["open1", "close1"])
      const inner = hang.pipe(Timeout.attempt("1 second"), Deadline.within("100 millis"))
      assert.strictEqual((yield* during("1 second", timed(inner)))[0], "DeadlineExceeded")
      const outer = hang.pipe(Deadline.within("1 second"), Timeout.total("100 millis"))
      assert.strictEqual((yield* during("1 second", timed(outer)))[0], "TimeoutExceeded:total")
    }))

  it.effect("a stream, to its last element", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const stream = Stream.concat(after("50 millis", 1), after("60 millis", 2)).pipe(
        Deadline.within("100 millis").stream
      )
      const drain = Stream.runForEach(stream, (n) => Effect.sync(() => seen.push(n)))
      assert.deepStrictEqual(yield* during("1 second", timed(drain)), ["DeadlineExceeded", 100])
      assert.deepStrictEqual(seen, [1])
    }))

  it.effect("nothing is begun after it", () =>
    Effect.gen(function*() {
      let begun = 0
      const work = Effect.sync(() => ++begun)
      for (
        const late of [
          Deadline.within(0),
          Deadline.within(-5),
          Policy.compose(Deadline.within("1 second"), Deadline.within(0))
        ]
      ) {
        const error = yield* Effect.flip(work.pipe(late))
        assert.deepInclude(error, { began: false, overrun: Duration.zero })
        assert.strictEqual(
          outcome(yield* Effect.exit(Stream.runDrain(Stream.fromEffect(work).pipe(late.stream)))),
          "DeadlineExceeded"
        )
      }
      assert.strictEqual(begun, 0)
    }))

  it.effect("work that was not begun is nobody's failure; work that was is, and may be tried again", () =>
    Effect.gen(function*() {
      const make = (began: boolean) => new Deadline.DeadlineExceeded({ began, overrun: Duration.seconds(2) })
      assert.strictEqual(Fault.of(Exit.fail(make(false)))?._tag, "Rejected")
      assert.strictEqual(Fault.of(Exit.fail(make(true)))?._tag, "Transient")
      assert.strictEqual(make(true).message, "not done by the deadline (2s ago)")
      assert.strictEqual(make(false).message, "not begun, the deadline has passed (2s ago)")
      assert.isTrue(Deadline.isDeadlineExceeded(make(true)))
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
      yield* Effect.exit(Effect.void.pipe(Deadline.within(0), breaker))
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
      yield* during("1 second", Effect.exit(Effect.never.pipe(Deadline.within("1 millis"), breaker)))
      assert.strictEqual((yield* breaker.state)._tag, "Open")
    }))

  it.effect("a retry begins nothing that could not finish (Deadlines D2)", () =>
    Effect.gen(function*() {
      const { effect, log } = logged()
      const call = effect(() => Effect.delay(new Boom({}), "600 millis")).pipe(
        Retry.make({ schedule: Schedule.spaced("500 millis") }),
        Deadline.within("1 second")
      )
      assert.deepStrictEqual(yield* during("5 seconds", timed(call)), ["Boom", 600])
      assert.deepStrictEqual(log, ["open1", "close1"])
    }))

  it.effect("tells telemetry", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      yield* during("1 second", Effect.exit(Effect.never.pipe(Deadline.within("10 millis"), policy)))
      yield* Effect.exit(Effect.never.pipe(Deadline.within(0), policy))
      assert.deepStrictEqual(
        events,
        [true, false].map((began) => ({
          _tag: "DeadlinePassed",
          policy: "deadline",
          name: undefined,
          began,
          overrun: Duration.zero
        }))
      )
    }))

  it("explains itself", () => {
    assert.strictEqual(explained(Deadline.within("10 seconds")), "deadline (within: 10s)")
  })
})

describe("Deadline", () => {
  it.effect("check and exceeded", () =>
    Effect.gen(function*() {
      assert.isFalse(yield* Deadline.exceeded)
      yield* Deadline.check
      // the deadline alone, without the policy that enforces it
      const at = deadlineAt
      yield* TestClock.adjust("100 millis")
      assert.isFalse(yield* Deadline.exceeded.pipe(at(101)))
      assert.isTrue(yield* Deadline.exceeded.pipe(at(100)))
      yield* Deadline.check.pipe(at(101))
      const error = yield* Deadline.check.pipe(at(70), Effect.flip)
      assert.deepInclude(error, { began: false, overrun: Duration.millis(30) })
    }))

  it.effect("without: detached work does not inherit it", () =>
    Effect.gen(function*() {
      const detach = (work: Effect.Effect<Option.Option<number>>) =>
        Effect.flatMap(Effect.forkDetach(work, { startImmediately: true }), Fiber.join).pipe(
          Deadline.within("1 second")
        )
      assert.deepStrictEqual(yield* detach(left), Option.some(1000))
      assert.deepStrictEqual(yield* detach(Deadline.without(left)), Option.none())
      const stream = Deadline.without.stream(Stream.fromEffect(left)).pipe(Deadline.within("1 second").stream)
      assert.deepStrictEqual(yield* Stream.runCollect(stream), [Option.none()])
    }))

  it.effect("the header carries what is left, not what there was (Deadlines D2)", () =>
    Effect.gen(function*() {
      const late = Effect.andThen(Effect.sleep("250 millis"), Deadline.toHeader).pipe(Deadline.within("1 second"))
      assert.deepStrictEqual(yield* during("1 second", late), Option.some("750"))
      assert.deepStrictEqual(yield* Deadline.toHeader, Option.none())
      assert.deepStrictEqual(Deadline.fromHeader("750"), Option.some(Duration.millis(750)))
      assert.deepStrictEqual(
        Deadline.fromHeader("7500S", { maxRemaining: "1 minute" }),
        Option.some(Duration.minutes(1))
      )
      assert.deepStrictEqual(Deadline.fromHeader(undefined), Option.none())
      assert.deepStrictEqual(Deadline.fromHeader("soon"), Option.none())
    }))

  it.effect("crosses two services", () =>
    Effect.gen(function*() {
      const server = (header: string | undefined) =>
        left.pipe(Deadline.within(Option.getOrElse(Deadline.fromHeader(header), () => Duration.infinity)))
      const client = Effect.flatMap(Deadline.toHeader, (header) => server(Option.getOrUndefined(header)))
      assert.deepStrictEqual(yield* client.pipe(Deadline.within("2 seconds")), Option.some(2000))
      assert.deepStrictEqual(yield* client, Option.none())
    }))
})
