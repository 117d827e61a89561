import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Policy from "../src/Policy.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, during, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

const on = Chaos.layer({ seed: "a seed" })
const boom = () => new Boom({})
const always = { ratio: 1 }

/** How so many calls end, a letter for each: `.` well, `x` not. */
const play = (policy: Policy.Policy<unknown, unknown>, calls: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: calls }), () => Effect.exit(policy(Effect.void))),
    (exits) => exits.map((exit) => Exit.isSuccess(exit) ? "." : "x").join("")
  )

const failures = (policy: Policy.Policy<unknown, unknown>, calls: number) =>
  Effect.map(play(policy, calls), (all) => all.replaceAll(".", "").length)

const read = <E>(stream: Stream.Stream<number, E>) => {
  const seen: Array<number> = []
  return Effect.map(
    Effect.exit(Stream.runForEach(stream, (n) => Effect.sync(() => void seen.push(n)))),
    (exit) => `${seen.join("")} ${Exit.isSuccess(exit) ? "end" : outcome(exit)}`
  )
}

describe("Chaos", () => {
  describe("without the layer", () => {
    const stack = Policy.compose(
      Chaos.latency("1 hour", always),
      Chaos.fault(boom, always),
      Chaos.defect(() => "bug", always),
      Chaos.truncate(always),
      Chaos.stall(always)
    )

    it.effect("nothing happens, and nothing is drawn", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const random: Random.Random = {
          nextDoubleUnsafe: () => assert.fail("drawn"),
          nextIntUnsafe: () => assert.fail("drawn")
        }
        const call = Effect.succeed(1).pipe(stack, Chaos.outcome(() => 2, always), policy)
        const stream = Stream.make(1, 2, 3).pipe(stack.stream, Chaos.outcome(() => 2, always).stream, policy.stream)
        assert.strictEqual(yield* Effect.provideService(call, Random.Random, random), 1)
        assert.strictEqual(yield* Effect.provideService(read(stream), Random.Random, random), "123 end")
        assert.deepStrictEqual(events, [])
      }))

    it.effect("that is so for whatever the layer is not provided to, and for what is taken out of it", () =>
      Effect.gen(function*() {
        const failing = Effect.exit(Effect.succeed("made").pipe(Chaos.fault(boom, always)))
        const out = Effect.provideService(failing, Chaos.CurrentSession, undefined)
        const inside = Effect.provide(Effect.all([failing, out]), on)
        assert.deepStrictEqual((yield* inside).map(outcome), ["Boom", "ok:made"])
        assert.strictEqual(outcome(yield* failing), "ok:made")
      }))
  })

  describe("who is hit", () => {
    it.effect("nobody at ratio 0, everybody at 1, the same number in every run at .5", () =>
      Effect.gen(function*() {
        const counts = Effect.forEach([0, 1, 0.5], (ratio) => failures(Chaos.fault(boom, { ratio }), 1000))
        const first = yield* Effect.provide(counts, Chaos.layer({ seed: "a seed" }))
        const again = yield* Effect.provide(counts, Chaos.layer({ seed: "a seed" }))
        const other = yield* Effect.provide(counts, Chaos.layer({ seed: 7 }))
        assert.deepStrictEqual(first, [0, 1000, 491])
        assert.deepStrictEqual(again, first)
        assert.deepStrictEqual(other, [0, 1000, 505])
        assert.deepStrictEqual(yield* Effect.provide(counts, Chaos.layer({ factor: 0 })), [0, 0, 0])
        assert.deepStrictEqual(yield* counts, [0, 0, 0])
      }))

    it.effect("without a seed, the Random of the call decides", () =>
      Effect.gen(function*() {
        const run = (seed: string) =>
          play(Chaos.fault(boom, { ratio: 0.5 }), 50).pipe(Random.withSeed(seed), Effect.provide(Chaos.layer()))
        assert.strictEqual(yield* run("x"), yield* run("x"))
        assert.notStrictEqual(yield* run("x"), yield* run("y"))
      }))

    it.effect("a policy hits the same calls, whatever another one of another name does", () =>
      Effect.gen(function*() {
        const fault = Chaos.fault(boom, { name: "a", ratio: 0.3 })
        const alone = yield* Effect.provide(play(fault, 100), on)
        const beside = Policy.compose(Chaos.fault(boom, { name: "b", ratio: 0 }), Chaos.latency(0, always), fault)
        assert.strictEqual(yield* Effect.provide(play(beside, 100), on), alone)
      }))

    it.effect("factor multiplies every ratio, and beyond 1 all are hit", () =>
      Effect.gen(function*() {
        const count = (factor: number) =>
          Effect.provide(failures(Chaos.fault(boom, { ratio: 0.4 }), 1000), Chaos.layer({ seed: 1, factor }))
        assert.closeTo(yield* count(0.5), 200, 40)
        assert.strictEqual(yield* count(2.5), 1000)
        assert.strictEqual(yield* count(100), 1000)
      }))

    it.effect("only calls whose context fits", () =>
      Effect.gen(function*() {
        const policy = Chaos.fault(boom, {
          ...always,
          when: (context) => Context.get(context, References.CurrentLogAnnotations)["tenant"] === "test"
        })
        const of = (tenant: string) => Effect.annotateLogs(play(policy, 2), { tenant })
        assert.deepStrictEqual(yield* Effect.provide(Effect.all([of("test"), of("acme")]), on), ["xx", ".."])
      }))

    it.effect("in windows, counted from the layer on", () =>
      Effect.gen(function*() {
        yield* TestClock.adjust("1 day")
        const policy = Chaos.fault(boom, {
          ...always,
          during: Chaos.window({ after: "2 seconds", duration: "1 second", every: "4 seconds" })
        })
        const everySecond = Effect.forEach(
          Array.from({ length: 10 }),
          () => Effect.andThen(play(policy, 1), (end) => Effect.as(TestClock.adjust("1 second"), end))
        )
        assert.strictEqual((yield* Effect.provide(everySecond, on)).join(""), "..x...x...")
      }))

    it.effect("more and more on a ramp", () =>
      Effect.gen(function*() {
        const policy = Chaos.fault(boom, { ratio: 0.5, during: Chaos.ramp({ after: 1000, duration: "10 seconds" }) })
        const counts = Effect.forEach(
          [0, 1, 5, 5, 5],
          (seconds) => Effect.andThen(TestClock.adjust(Duration.seconds(seconds)), failures(policy, 1000))
        )
        const [before, begin, half, whole, after] = yield* Effect.provide(counts, on)
        assert.deepStrictEqual([before, begin], [0, 0])
        assert.closeTo(half!, 250, 50)
        assert.closeTo(whole!, 500, 50)
        assert.closeTo(after!, 500, 50)
      }))

    it.effect("the clock that somebody sets moves no window", () =>
      Effect.gen(function*() {
        const policy = Chaos.fault(boom, { ...always, during: Chaos.window({ duration: "1 second" }) })
        const program = Effect.gen(function*() {
          yield* TestClock.adjust("900 millis")
          const inside = yield* play(policy, 1)
          yield* TestClock.adjust("200 millis")
          return inside + (yield* play(policy, 1))
        })
        assert.strictEqual(yield* Effect.provide(program, on), "x.")
      }))
  })

  describe("latency", () => {
    it.effect("delays the call, which is made after it, on both faces", () =>
      Effect.gen(function*() {
        const slow = Chaos.latency("2 seconds", always)
        const asked: Array<number> = []
        const call = Effect.succeed("answer").pipe(Effect.tap(() => Effect.map(now, (at) => void asked.push(at))))
        assert.deepStrictEqual(yield* during("1 minute", timed(slow(call))), ["ok:answer", 2000])
        const stream = slow.stream(Stream.fromEffect(call))
        assert.deepStrictEqual(yield* during("1 minute", timed(Stream.runDrain(stream))), ["ok:undefined", 62_000])
        assert.deepStrictEqual(asked, [2000, 62_000])
      }).pipe(Effect.provide(on)))

    it.effect("an interruption ends it at once, and the call is not made", () =>
      Effect.gen(function*() {
        const { effect, log, stream } = logged()
        const slow = Chaos.latency("1 hour", always)
        const calls = [
          slow(effect(() => Effect.void)),
          Stream.runDrain(slow.stream(stream(() => Stream.empty)))
        ]
        for (const call of calls) {
          const fiber = yield* fork(call)
          yield* TestClock.adjust("1 minute")
          assert.isUndefined(fiber.pollUnsafe())
          yield* Fiber.interrupt(fiber)
        }
        assert.deepStrictEqual(log, [])
      }).pipe(Effect.provide(on)))

    it.effect("is the callee's time: limits and slow rates see it", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({
          trip: CircuitBreaker.slowRate({ after: "1 second", calls: 2, minCalls: 2 }),
          open: "1 hour"
        })
        const call = Effect.void.pipe(
          Policy.compose(breaker, Timeout.attempt("3 seconds"), Chaos.latency("2 seconds", always))
        )
        yield* during("1 minute", Effect.replicateEffect(call, 2))
        assert.strictEqual((yield* breaker.state)._tag, "Open")
        const limited = Effect.void.pipe(Timeout.attempt("1 second"), Chaos.latency("2 seconds", always), Effect.exit)
        const inside = Effect.void.pipe(Chaos.latency("2 seconds", always), Timeout.attempt("1 second"), Effect.exit)
        const ends = yield* during("1 minute", Effect.all([limited, inside]))
        assert.deepStrictEqual(ends.map(outcome), ["ok:undefined", "TimeoutExceeded:attempt"])
      }).pipe(Effect.provide(on)))

    it.effect("differs by what is drawn, and is the same in every run", () =>
      Effect.gen(function*() {
        const slow = Chaos.latency((draw) => 1000 * draw, always)
        const run = Effect.gen(function*() {
          const { events, policy } = recorder()
          yield* during("1 minute", Effect.replicateEffect(policy(slow(Effect.void)), 3))
          return events.map((event) => event._tag === "ChaosInjected" ? Duration.toMillis(event.delay!) : Number.NaN)
        }).pipe(Effect.provide(Chaos.layer({ seed: "a seed" })))
        const first = yield* run
        assert.deepStrictEqual(yield* run, first)
        assert.strictEqual(new Set(first).size, 3)
        assert.isTrue(first.every((millis) => millis >= 0 && millis < 1000))
      }))

    it.effect("a function that gives no duration is a defect that says so", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.void.pipe(Chaos.latency(() => -1, always)))
        assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /Chaos.latency: .* got -1/)
      }).pipe(Effect.provide(on)))
  })

  describe("instead of a call", () => {
    const table: ReadonlyArray<readonly [string, Policy.Policy<unknown, unknown>, effect: string, stream: string]> = [
      ["fault", Chaos.fault(boom, always), "Boom", " Boom"],
      ["defect", Chaos.defect(() => "bug", always), "Die", " Die"],
      ["stall", Chaos.stall(always), "pending", "pending"],
      ["truncate", Chaos.truncate(always), "ok:made", " end"]
    ]
    for (const [name, policy, ofEffect, ofStream] of table) {
      it.effect(`${name}: the call is not made`, () =>
        Effect.gen(function*() {
          const { effect, log, stream } = logged()
          const seen = (fiber: Fiber.Fiber<string>) => {
            const exit = fiber.pollUnsafe()
            return exit === undefined ? "pending" : Exit.isSuccess(exit) ? exit.value : "?"
          }
          const call = Effect.map(Effect.exit(policy(effect(() => Effect.succeed("made")))), outcome)
          const one = yield* fork(call)
          const other = yield* fork(read(policy.stream(stream(() => Stream.make(1, 2)))))
          yield* TestClock.adjust("1 day")
          assert.strictEqual(seen(one), ofEffect)
          assert.strictEqual(seen(other), ofStream)
          assert.deepStrictEqual(log, name === "truncate" ? ["open1", "close1"] : [])
          yield* Fiber.interruptAll([one, other])
        }).pipe(Effect.provide(on)))
    }

    it.effect("outcome: another value, as the only element of a stream", () =>
      Effect.gen(function*() {
        const empty = Chaos.outcome(() => 7, always)
        assert.strictEqual(yield* Effect.succeed("made").pipe(empty), 7)
        assert.strictEqual(yield* read(empty.stream(Stream.make(1, 2))), "7 end")
        assert.strictEqual(empty.info.kind, "chaos outcome")
      }).pipe(Effect.provide(on)))
  })

  describe("in the middle of a stream", () => {
    const inChunks = Stream.concat(Stream.make(1, 2, 3), Stream.make(4, 5))
    const table: ReadonlyArray<readonly [elements: number, seen: string, whole: boolean]> = [
      [1, "1", false],
      [2, "12", false],
      [3, "123", false],
      [4, "1234", false],
      [5, "12345", false],
      [6, "12345", true],
      [99, "12345", true]
    ]
    for (const [elements, seen, whole] of table) {
      it.effect(`after ${elements} elements: ${seen}`, () =>
        Effect.gen(function*() {
          const { log, stream } = logged()
          const options = { ...always, elements }
          const { events, policy } = recorder()
          const run = (chaos: Policy.Policy<unknown, unknown>) =>
            read(stream(() => inChunks).pipe(chaos.stream, policy.stream))
          assert.strictEqual(yield* run(Chaos.fault(boom, options)), `${seen} ${whole ? "end" : "Boom"}`)
          assert.strictEqual(yield* run(Chaos.truncate(options)), `${seen} end`)
          const stalled = yield* fork(run(Chaos.stall(options)))
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(stalled.pollUnsafe() === undefined, !whole)
          yield* Fiber.interrupt(stalled)
          assert.strictEqual(events.length, whole ? 0 : 3)
          assert.strictEqual(log.length, 6)
        }).pipe(Effect.provide(on)))
    }

    it.effect("an idle limit ends a stream that has fallen silent", () =>
      Effect.gen(function*() {
        const stack = Policy.compose(Timeout.phases({ idle: "5 seconds" }), Chaos.stall({ ...always, elements: 2 }))
        const call = timed(read(Stream.make(1, 2, 3).pipe(stack.stream)))
        assert.deepStrictEqual(yield* during("1 minute", call), ["ok:12 TimeoutExceeded:idle", 5000])
      }).pipe(Effect.provide(on)))
  })

  it.effect("tells what it has injected", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const stack = Policy.compose(Chaos.latency("1 second", { ...always, name: "slow" }), Chaos.fault(boom, always))
      yield* during("1 minute", Effect.exit(Effect.void.pipe(stack, policy)))
      assert.deepStrictEqual(events, [
        { _tag: "ChaosInjected", policy: "chaos", name: "slow", injected: "latency", delay: Duration.seconds(1) },
        { _tag: "ChaosInjected", policy: "chaos", name: undefined, injected: "fault", delay: undefined }
      ])
    }).pipe(Effect.provide(on)))

  it("explains itself", () => {
    const slow = Chaos.latency("1 second", {
      name: "slow",
      ratio: 0.1,
      during: Chaos.window({ duration: "1 minute", after: "5 minutes", every: "10 minutes" }),
      when: () => true
    })
    assert.strictEqual(
      Policy.explain(slow).split("\n")[0],
      "chaos latency \"slow\" (duration: 1s, ratio: 0.1, during: window of 1m after 5m every 10m, when: custom)"
    )
  })

  it("a window is not longer than the time until the next", () => {
    assert.throws(() => Chaos.window({ duration: "2 minutes", every: "1 minute" }), /every must be no shorter .*2m/)
  })

  it.effect("a layer that is built twice begins twice", () =>
    Effect.gen(function*() {
      const fault = Chaos.fault(boom, { ...always, during: Chaos.window({ duration: "1 second" }) })
      const fresh = Layer.fresh(on)
      assert.strictEqual(yield* Effect.provide(play(fault, 1), fresh), "x")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Effect.provide(play(fault, 1), fresh), "x")
    }))
})
