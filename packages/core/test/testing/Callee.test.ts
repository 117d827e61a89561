import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Fault from "../../src/Fault.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as Retry from "../../src/Retry.ts"
import { Callee, PolicyTest } from "../../src/testing/index.ts"
import * as Timeout from "../../src/Timeout.ts"

const { during, outcome, timed } = PolicyTest
const throughStream = <A, E>(self: Callee.Faces<A, E>): Effect.Effect<unknown, E> =>
  Effect.map(Stream.runCollect(self.stream), (elements) => elements.join())

const faces = { effect: ({ effect }: Callee.Faces<unknown, unknown>) => effect, stream: throughStream }

describe("Callee", () => {
  describe("a step, through both faces", () => {
    const bug = new Error("bug")
    const table: Readonly<
      Record<string, readonly [Callee.Step<unknown, unknown>, string, number, Callee.Outcome]>
    > = {
      "succeed": [Callee.succeed("a"), "ok:a", 0, "Success"],
      "succeed after a time": [Callee.succeed("a", { after: "2 seconds" }), "ok:a", 2000, "Success"],
      "fail": [Callee.fail("down"), "down", 0, "Failure"],
      "fail after a time": [Callee.fail("down", { after: 10 }), "down", 10, "Failure"],
      "die": [Callee.die(bug), "Die", 0, "Defect"],
      "die after a time": [Callee.die(bug, { after: 10 }), "Die", 10, "Defect"],
      "an interruption of its own": [Callee.from(Effect.interrupt), "Interrupt", 0, "Interrupted"],
      "a fault": [Callee.fault(Fault.permanent, { after: 10 }), "CalleeFault", 10, "Failure"],
      "a 429": [Callee.throttled("30 seconds"), "CalleeFault", 0, "Failure"],
      "a stream of one element": [Callee.emit(["a"], { after: 5 }), "ok:a", 5, "Success"],
      "a stream that breaks": [
        Callee.emit(["a", "b"], { after: 5, every: 10, end: Callee.fail("reset", { after: 100 }) }),
        "reset",
        115,
        "Failure"
      ],
      "a stream that goes on": [Callee.emit([], { end: Callee.emit(["z"], { after: 7 }) }), "ok:z", 7, "Success"],
      "any effect": [Callee.from(Effect.delay(Effect.succeed("a"), 3)), "ok:a", 3, "Success"]
    }
    for (const [name, [step, end, at, ended]] of Object.entries(table)) {
      for (const [face, through] of Object.entries(faces)) {
        it.effect(`${name}, ${face}`, () =>
          Effect.gen(function*() {
            yield* TestClock.adjust(1000)
            const callee = Callee.script([step])
            assert.deepStrictEqual(yield* during(timed(through(callee)), "1 minute"), [end, 1000 + at])
            const [attempt] = callee.attempts
            assert.deepInclude(attempt, { startedAt: 1000, endedAt: 1000 + at, outcome: ended })
            assert.deepStrictEqual([callee.running, callee.peak, callee.left], [0, 1, 0])
          }))
      }
    }

    for (const [face, through] of Object.entries(faces)) {
      it.effect(`hangs until it is interrupted, ${face}`, () =>
        Effect.gen(function*() {
          const callee = Callee.script([Callee.hang])
          const fiber = yield* Effect.forkChild(through(callee), { startImmediately: true })
          yield* TestClock.adjust("1 hour")
          assert.deepStrictEqual([callee.outcomes, callee.running], [["Running"], 1])
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(callee.attempts, [
            { startedAt: 0, endedAt: 3_600_000, outcome: "Interrupted", elements: 0, input: undefined }
          ])
        }))

      it.effect(`takes its time to stop, ${face}`, () =>
        Effect.gen(function*() {
          const callee = Callee.script([Callee.stubborn("5 seconds")])
          const call = timed(Timeout.attempt("1 second")(through(callee)))
          assert.deepStrictEqual(yield* during(call, "1 minute"), ["TimeoutExceeded:attempt", 6000])
          assert.deepInclude(callee.attempts[0], { endedAt: 6000, outcome: "Interrupted" })
        }))
    }
  })

  it.effect("a stream tells how many elements came out, and gives its last one to an effect", () =>
    Effect.gen(function*() {
      const callee = Callee.script([Callee.times(Callee.emit(["a", "b", "c"], { every: "1 second" }), 3)])
      assert.strictEqual(yield* during(throughStream(callee), "2 seconds"), "a,b,c")
      assert.deepStrictEqual(yield* during(Stream.runCollect(Stream.take(callee.stream, 2)), "2 seconds"), ["a", "b"])
      assert.strictEqual(yield* during(callee.effect, "2 seconds"), "c")
      assert.deepStrictEqual(
        callee.attempts.map(({ elements, outcome }) => [elements, outcome]),
        [[3, "Success"], [2, "Interrupted"], [0, "Success"]]
      )
    }))

  it.effect("a stream that stalls after its elements", () =>
    Effect.gen(function*() {
      const callee = Callee.script([Callee.emit(["a", "b"], { every: 10, end: Callee.hang })])
      const read = Stream.runDrain(Timeout.phases({ idle: "1 second" }).stream(callee.stream))
      assert.deepStrictEqual(yield* during(timed(read), "1 minute"), ["TimeoutExceeded:idle", 1010])
      assert.deepInclude(callee.attempts[0], { elements: 2, outcome: "Interrupted" })
    }))

  it.effect("an effect that is asked for a stream of nothing says so", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Callee.script([Callee.emit<string>([])]).effect)
      assert.include(String(Exit.isFailure(exit) && exit.cause), "has no element")
    }))

  describe("a script", () => {
    it.effect("is followed step by step, and an attempt is told when it begins", () =>
      Effect.gen(function*() {
        const callee = Callee.script([
          Callee.fail("down", { after: 100 }),
          Callee.throttled("30 seconds"),
          Effect.succeed("plain")
        ])
        const retry = Retry.make({ schedule: Schedule.spaced("1 second") })
        const [end, at] = yield* during(timed(callee.effect.pipe(retry)), "5 minutes")
        assert.strictEqual(end, "ok:plain")
        assert.deepStrictEqual(callee.startedAt.slice(0, 2), [0, 1100])
        // the pause is the least, with jitter above it
        assert.isAtLeast(at, 31_100)
        assert.deepStrictEqual(callee.outcomes, ["Failure", "Failure", "Success"])
        assert.strictEqual(callee.left, 0)
      }))

    for (const [face, through] of Object.entries(faces)) {
      it.effect(`that is used up is a defect, ${face}`, () =>
        Effect.gen(function*() {
          const callee = Callee.script([Callee.times(Callee.succeed(1), 2)], { name: "payments" })
          yield* Effect.all([through(callee), through(callee)])
          const exit = yield* Effect.exit(through(callee))
          assert.deepStrictEqual(outcome(exit), "Die")
          const defect = Exit.isFailure(exit) && exit.cause.reasons[0]?._tag === "Die" && exit.cause.reasons[0].defect
          assert.instanceOf(defect, Callee.ScriptExhausted)
          assert.include(String(defect), "call 3 of \"payments\" has no step: its script has 2")
          assert.deepStrictEqual(callee.outcomes, ["Success", "Success", "Defect"])
          assert.strictEqual(callee.left, 0)
        }))
    }

    it.effect("that is empty is one of a callee that must not be called", () =>
      Effect.gen(function*() {
        assert.strictEqual(outcome(yield* Effect.exit(Callee.script([]).effect)), "Die")
      }))

    it.effect("can end with a step that is never used up", () =>
      Effect.gen(function*() {
        const callee = Callee.script([Callee.fail("down"), Callee.forever(Effect.succeed("up"))])
        const ends = yield* Effect.replicateEffect(Effect.exit(callee.effect), 5)
        assert.deepStrictEqual(ends.map(outcome), ["down", "ok:up", "ok:up", "ok:up", "ok:up"])
        assert.strictEqual(callee.left, Infinity)
      }))

    it("is checked when it is made", () => {
      assert.throws(() => Callee.script([Callee.forever(Callee.hang), Callee.succeed(1)]), RangeError, "got 2")
      for (const times of [0, -1, 1.5, NaN, Infinity]) {
        assert.throws(() => Callee.times(Callee.hang, times), RangeError, "Callee.times: times")
      }
      assert.throws(() => Callee.succeed(1, { after: NaN }), RangeError, "Callee.succeed: after")
      assert.throws(() => Callee.fail(1, { after: -1 }), RangeError, "Callee.fail: after")
      assert.throws(() => Callee.emit([1, 2], { every: NaN }), RangeError, "Callee.emit: every")
      assert.throws(() => Callee.stubborn(NaN), RangeError, "Callee.stubborn: cleanup")
    })
  })

  for (const [face, through] of Object.entries(faces)) {
    it.effect(`knows how many ran at once, and who was let go, ${face}`, () =>
      Effect.gen(function*() {
        const callee = Callee.script([
          Callee.succeed("slow", { after: "10 seconds" }),
          Callee.succeed("quick", { after: "1 second" })
        ])
        const hedge = Hedge.makeUnsafe({ after: "500 millis" })
        const raced = hedge(through(callee))
        assert.deepStrictEqual(yield* during(timed(raced), "1 minute"), ["ok:quick", 1500])
        assert.deepStrictEqual([callee.startedAt, callee.peak, callee.running], [[0, 500], 2, 0])
        assert.deepStrictEqual(callee.outcomes, ["Interrupted", "Success"])
      }))

    it.effect(`remembers what it was asked, ${face}`, () =>
      Effect.gen(function*() {
        const callee = Callee.script([Callee.forever(Callee.fail("down"))])
        const retry = Retry.make({ schedule: Schedule.recurs(1) })
        yield* Effect.exit(through(callee.for({ order: 1 })).pipe(retry))
        yield* Effect.exit(through(callee.for({ order: 2 })))
        assert.deepStrictEqual(callee.attempts.map(({ input }) => input), [{ order: 1 }, { order: 1 }, { order: 2 }])
      }))

    it.effect(`an interruption at any step of a call is recorded, ${face}`, () =>
      Effect.gen(function*() {
        const callee = Callee.script([Callee.forever(Callee.hang)])
        for (let n = 0; n < 10; n++) {
          const fiber = yield* Effect.forkChild(through(callee))
          for (let turn = 0; turn < n; turn++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
        }
        assert.strictEqual(callee.running, 0)
        assert.isTrue(callee.outcomes.every((ended) => ended === "Interrupted"))
      }))
  }
})
