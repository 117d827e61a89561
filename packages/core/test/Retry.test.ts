import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Bad, Boom, Busy, during, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

const seed = Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(3)])

/** Fails with these, one after the other, then succeeds; keeps the times at which it was called. */
const calls = <E>(failures: ReadonlyArray<E>) => {
  const times: Array<number> = []
  const effect: Effect.Effect<string, E> = Effect.flatMap(now, (at) => {
    const n = times.push(at) - 1
    return n < failures.length ? Effect.fail(failures[n]!) : Effect.succeed("done")
  })
  return { effect, times }
}

const always = <E>(error: E) => calls(Array.from({ length: 1000 }, () => error))

describe("Retry", () => {
  describe("make", () => {
    it("names the bad option, the value and what is allowed", () => {
      assert.throws(() => Retry.make({ times: -1 }), "Retry.make: times must be an integer >= 0, got -1")
      assert.throws(() => Retry.make({ times: 1.5 }), "Retry.make: times must be an integer >= 0, got 1.5")
      assert.throws(
        () => Retry.make({ retryAfter: { maxDelay: 0 } }),
        "Retry.make: retryAfter.maxDelay must be a duration > 0, got 0"
      )
      assert.throws(
        () => Retry.make({ retryAfter: { beyond: "wait" as "fail" } }),
        "Retry.make: retryAfter.beyond must be \"fail\" or \"clip\", got \"wait\""
      )
      assert.throws(
        () => Retry.resume({ times: -1, from: () => Stream.empty }),
        "Retry.resume: times must be an integer >= 0, got -1"
      )
    })

    it.effect("without options: three retries, the delays growing and jittered", () =>
      Effect.gen(function*() {
        const call = always(new Boom({}))
        const exit = yield* during("1 minute", Effect.exit(call.effect.pipe(Retry.make())))
        assert.strictEqual(outcome(exit), "Boom")
        assert.strictEqual(call.times.length, 4)
        call.times.slice(1).forEach((at, i) => assert.isAtMost(at - call.times[i]!, 200 * 2 ** i))
      }))

    it.effect("the schedule of the seed: exponential and recurs(3)", () =>
      Effect.gen(function*() {
        const call = calls([1, 2, 3, 4, 5].map((n) => new Boom({ n })))
        const error = yield* during("1 minute", Effect.flip(call.effect.pipe(Retry.make({ schedule: seed }))))
        assert.deepStrictEqual(call.times, [0, 100, 300, 700])
        assert.strictEqual(error.n, 4)
      }))

    it.effect("times bounds a schedule that does not end", () =>
      Effect.gen(function*() {
        const call = always(new Boom({}))
        yield* during(
          "1 hour",
          Effect.exit(call.effect.pipe(Retry.make({ schedule: Schedule.spaced("1 second"), times: 2 })))
        )
        assert.deepStrictEqual(call.times, [0, 1000, 2000])
        const none = always(new Boom({}))
        yield* Effect.exit(none.effect.pipe(Retry.make({ times: 0 })))
        assert.strictEqual(none.times.length, 1)
      }))
  })

  describe("what is retried", () => {
    const table: ReadonlyArray<readonly [string, Effect.Effect<never, unknown>, Retry.Options<any>, number]> = [
      ["a transient failure", Effect.fail(new Boom({})), {}, 3],
      ["a throttled call", Effect.fail(new Busy({ retryAfter: "1 second" })), {}, 3],
      ["not a permanent failure", Effect.fail(new Bad()), {}, 1],
      ["not a defect", Effect.die("bug"), {}, 1],
      ["not a callee that interrupts itself", Effect.interrupt, {}, 1],
      [
        "not a failure together with a defect",
        Effect.failCause(Cause.combine(Cause.fail(new Boom({})), Cause.die("bug"))),
        {},
        1
      ],
      [
        "a failure together with an interruption",
        Effect.failCause(Cause.combine(Cause.fail(new Boom({})), Cause.interrupt(1))),
        {},
        3
      ],
      ["not a rejection by another policy", Effect.fail(rejection()), {}, 1],
      ["a rejection, when asked", Effect.fail(rejection()), { rejected: true }, 3],
      ["only what `while` accepts", Effect.fail(new Boom({ n: 2 })), { while: (error: Boom) => error.n === 1 }, 1],
      ["`while` cannot admit what the classification refuses", Effect.fail(new Bad()), { while: () => true }, 1],
      ["only these tags", Effect.fail(new Boom({})), { tags: ["Other"] }, 1],
      ["one of these tags", Effect.fail(new Boom({})), { tags: ["Other", "Boom"] }, 3],
      ["what `classify` says", Effect.fail(new Bad()), { classify: () => Fault.transient() }, 3],
      ["nothing that `classify` calls a success", Effect.fail(new Boom({})), { classify: () => undefined }, 1],
      ["never a defect, whatever `classify` says", Effect.die("bug"), { classify: () => Fault.transient() }, 1]
    ]
    for (const [name, failure, options, expected] of table) {
      it.effect(name, () =>
        Effect.gen(function*() {
          let count = 0
          const call = Effect.suspend(() => {
            count++
            return failure
          })
          const exit = yield* during("1 minute", Effect.exit(call.pipe(Retry.make({ times: 2, ...options }))))
          assert.strictEqual(count, expected)
          assert.strictEqual(outcome(exit), outcome(yield* Effect.exit(failure)), "the last cause comes out unchanged")
        }))
    }
  })

  describe("Retry-After", () => {
    it.effect("is the least delay, and up to a tenth is added", () =>
      Effect.gen(function*() {
        const call = calls([new Busy({ retryAfter: "5 seconds" })])
        yield* during("1 minute", call.effect.pipe(Retry.make({ schedule: seed }), Random.withSeed("a")))
        const delay = call.times[1]!
        assert.isTrue(delay >= 5000 && delay <= 5500, String(delay))

        const other = calls([new Busy({ retryAfter: "5 seconds" })])
        yield* during("1 minute", other.effect.pipe(Retry.make({ schedule: seed }), Random.withSeed("b")))
        assert.notStrictEqual(
          other.times[1]! - other.times[0]!,
          delay,
          "two callers told the same do not return together"
        )
      }))

    it.effect("a callee that says never is not called again after some pause", () =>
      Effect.gen(function*() {
        for (const beyond of ["fail", "clip"] as const) {
          const never = calls([new Busy({ retryAfter: Duration.infinity })])
          const retry = Retry.make({ schedule: seed, retryAfter: { beyond } })
          yield* during("1 hour", Effect.exit(never.effect.pipe(retry)))
          assert.strictEqual(never.times.length, 1)
        }
      }))

    it.effect("beyond the cap fails at once, or is clipped", () =>
      Effect.gen(function*() {
        const day = new Busy({ retryAfter: "86400 seconds" })
        assert.deepStrictEqual(yield* timed(Effect.fail(day).pipe(Retry.make({ schedule: seed }))), ["Busy", 0])
        const clipped = calls([day])
        const retry = Retry.make({ schedule: seed, retryAfter: { maxDelay: "2 seconds", beyond: "clip" } })
        yield* during("1 minute", clipped.effect.pipe(retry))
        assert.isTrue(clipped.times[1]! >= 2000 && clipped.times[1]! <= 2200)
      }))
  })

  describe("the deadline", () => {
    it.effect("no wait is begun that cannot end in time: the last error comes, not a timeout", () =>
      Effect.gen(function*() {
        const call = always(new Boom({}))
        const retry = Retry.make({ schedule: Schedule.exponential("400 millis") })
        const result = yield* during(
          "5 seconds",
          timed(call.effect.pipe(Policy.compose(Timeout.total("1 second"), retry)))
        )
        assert.deepStrictEqual(result, ["Boom", 400])
        assert.deepStrictEqual(call.times, [0, 400])
      }))

    it.effect("a hint that ends after it fails at once", () =>
      Effect.gen(function*() {
        const call = Effect.fail(new Busy({ retryAfter: "30 seconds" }))
        const result = yield* during(
          "5 seconds",
          timed(call.pipe(Policy.compose(Timeout.total("10 seconds"), Retry.make())))
        )
        assert.deepStrictEqual(result, ["Busy", 0])
      }))
  })

  describe("interruption", () => {
    it.effect("in the backoff ends at once, and nothing is called again", () =>
      Effect.gen(function*() {
        const call = always(new Boom({}))
        const fiber = yield* fork(call.effect.pipe(Retry.make({ schedule: Schedule.spaced("1 second") })))
        yield* TestClock.adjust("10 millis")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "Interrupt")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(call.times.length, 1)
      }))

    it.effect("in an attempt runs its clean-up and is not retried", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        const fiber = yield* fork(effect(() => Effect.never).pipe(Retry.make({ schedule: seed })))
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(log, ["open1", "close1"])
      }))
  })

  it.effect("attempts after the first see what the schedule said", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [number, number, number]> = []
      const call = Effect.flatMap(Schedule.CurrentMetadata, (metadata) => {
        seen.push([metadata.attempt, Duration.toMillis(metadata.duration), metadata.elapsed])
        return Effect.fail(new Boom({}))
      })
      yield* during("1 minute", Effect.exit(call.pipe(Retry.make({ schedule: seed }))))
      assert.deepStrictEqual(seen, [[0, 0, 0], [1, 100, 0], [2, 200, 100], [3, 400, 300]])
    }))

  it.effect("and so does a stream, also one that goes on where another broke", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [number, number]> = []
      const source = Stream.unwrap(Effect.map(Schedule.CurrentMetadata, ({ attempt, duration }) => {
        seen.push([attempt, Duration.toMillis(duration)])
        return attempt < 2 ? Stream.fail(new Boom({})) : Stream.concat(Stream.make(1), Stream.fail(new Boom({})))
      }))
      const resume = Retry.resume({ schedule: seed, from: (_: number, __: Boom) => source })
      yield* during("1 minute", Effect.exit(Stream.runDrain(source.pipe(resume.stream))))
      assert.deepStrictEqual(seen, [[0, 0], [1, 100], [2, 200], [3, 400]])
    }))

  it.effect("errors and services of the schedule are the policy's own", () =>
    Effect.gen(function*() {
      const broken = Schedule.recurs(3).pipe(Schedule.while(() => Effect.fail("schedule broken")))
      const error = yield* Effect.fail(new Boom({})).pipe(Retry.make({ schedule: broken }), Effect.flip)
      assert.strictEqual(error, "schedule broken")
    }))

  it.effect("two calls through one policy do not share their schedule", () =>
    Effect.gen(function*() {
      const retry = Retry.make({ schedule: seed })
      const [one, two] = [always(new Boom({})), always(new Boom({}))]
      yield* during(
        "1 minute",
        Effect.all([Effect.exit(one.effect.pipe(retry)), Effect.exit(two.effect.pipe(retry))], { concurrency: 2 })
      )
      assert.deepStrictEqual([one.times, two.times], [[0, 100, 300, 700], [0, 100, 300, 700]])
    }))

  it.effect("a hundred thousand retries need no stack", () =>
    Effect.gen(function*() {
      let count = 0
      const call = Effect.suspend(() => ++count < 100_000 ? Effect.fail(new Boom({})) : Effect.succeed(count))
      assert.strictEqual(yield* call.pipe(Retry.make({ schedule: Schedule.forever })), 100_000)
    }))

  it.effect("tells of attempts, waits and the end", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const call = calls([new Boom({}), new Bad()])
      const stack = Policy.compose(policy, Retry.make({ name: "r", schedule: seed }))
      yield* during("1 minute", Effect.exit(call.effect.pipe(Effect.delay("10 millis"), stack)))
      const short = events.map((event) => {
        assert.deepInclude(event, { policy: "retry", name: "r" })
        switch (event._tag) {
          case "AttemptStarted":
            return ["started", event.attempt]
          case "AttemptEnded":
            return ["ended", event.attempt, event.fault?._tag, Duration.toMillis(event.duration)]
          case "RetryScheduled":
            return ["scheduled", event.attempt, Duration.toMillis(event.delay)]
          case "RetryStopped":
            return ["stopped", event.attempt, event.reason]
          default:
            return [event._tag]
        }
      })
      assert.deepStrictEqual(short, [
        ["started", 1],
        ["ended", 1, "Transient", 10],
        ["scheduled", 1, 100],
        ["started", 2],
        ["ended", 2, "Permanent", 10],
        ["stopped", 2, "not-retryable"]
      ])
    }))

  it.effect("who listens changes nothing about a `classify` that throws", () =>
    Effect.gen(function*() {
      const retry = Retry.make({
        classify: () => {
          throw new Error("bug in classify")
        }
      })
      for (const listen of [Policy.identity, Telemetry.listen(() => {})]) {
        assert.strictEqual(outcome(yield* Effect.exit(Effect.succeed(1).pipe(retry, listen))), "ok:1")
        assert.strictEqual(outcome(yield* Effect.exit(Effect.fail("x").pipe(retry, listen))), "Die")
      }
    }))

  it.effect("nor where a stream is left or a call interrupted, and the budget is settled with", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight() })
      const retry = Retry.make({
        budget,
        commit: () => false,
        classify: () => {
          throw new Error("bug in classify")
        }
      })
      for (const listen of [Policy.identity, Telemetry.listen(() => {})]) {
        const left = Stream.make(1, 2).pipe(retry.stream, listen.stream, Stream.take(1), Stream.runDrain)
        assert.strictEqual(outcome(yield* Effect.exit(left)), "ok:undefined")
        const call = yield* fork(Effect.never.pipe(retry, listen))
        yield* Fiber.interrupt(call)
        assert.strictEqual(outcome(yield* Fiber.await(call)), "Interrupt")
        assert.deepInclude(yield* budget.state, { calls: 0, held: 0 })
      }
    }))

  describe("stream", () => {
    it.effect("is started again only while nothing has come out; each attempt is closed before the next", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream((n) =>
          n < 3 ? Stream.fail(new Boom({ n })) : Stream.concat(Stream.make(1, 2), Stream.fail(new Boom({ n })))
        )
        const seen: Array<number> = []
        const collect = Stream.runForEach((n: number) => Effect.sync(() => void seen.push(n)))
        const exit = yield* during("1 minute", source.pipe(Retry.make({ schedule: seed }).stream, collect, Effect.exit))
        assert.strictEqual(outcome(exit), "Boom")
        assert.deepStrictEqual(seen, [1, 2])
        assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2", "open3", "close3"])
      }))

    it.effect("an empty stream is a success", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Stream.empty.pipe(Retry.make().stream, Stream.runCollect), [])
      }))

    it.effect("elements before `commit` may be seen twice, nothing after it", () =>
      Effect.gen(function*() {
        const { stream } = logged()
        const source = stream((n) =>
          Stream.concat(
            Stream.make("progress", ...n === 1 ? [] : ["content"]),
            n < 3 ? Stream.fail(new Boom({ n })) : Stream.empty
          )
        )
        const retry = Retry.make({ schedule: seed, commit: (element) => element === "content" })
        const seen: Array<string> = []
        const collect = Stream.runForEach((element: string) => Effect.sync(() => void seen.push(element)))
        const exit = yield* during("1 minute", source.pipe(retry.stream, collect, Effect.exit))
        assert.deepStrictEqual(seen, ["progress", "progress", "content"])
        assert.strictEqual(outcome(exit), "Boom")
      }))

    it.effect("interrupted in the backoff, the attempt is already closed", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const fiber = yield* fork(
          stream(() => Stream.fail(new Boom({}))).pipe(Retry.make({ schedule: seed }).stream, Stream.runDrain)
        )
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(log, ["open1", "close1"])
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(log, ["open1", "close1"])
      }))

    it.effect("one wrapped stream can be run by several consumers", () =>
      Effect.gen(function*() {
        let n = 0
        const source = Stream.suspend(() => ++n % 2 === 1 ? Stream.fail(new Boom({})) : Stream.make(n)).pipe(
          Retry.make({ schedule: Schedule.recurs(3) }).stream
        )
        const collected = yield* Effect.all([Stream.runCollect(source), Stream.runCollect(source)])
        assert.deepStrictEqual(collected, [[2], [4]])
      }))

    it.effect("tells of attempts up to the element that commits", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        let n = 0
        const source = Stream.suspend(() =>
          ++n === 1 ? Stream.fail(new Boom({})) : Stream.concat(Stream.make(1), Stream.fail(new Boom({})))
        )
        const stack = Policy.compose(policy, Retry.make({ schedule: Schedule.recurs(3) }))
        yield* Effect.exit(Stream.runDrain(source.pipe(stack.stream)))
        assert.deepStrictEqual(
          events.map((event) => event._tag === "AttemptEnded" ? `ended ${event.fault?._tag ?? "well"}` : event._tag),
          ["AttemptStarted", "ended Transient", "RetryScheduled", "AttemptStarted", "ended well"]
        )
      }))
  })

  it.effect("a consumer that stops before an element that commits ends the attempt, once", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const commit = (element: unknown) => element === "text"
      const stack = Policy.compose(policy, Retry.make({ schedule: Schedule.recurs(3), commit }))
      const source = Stream.rechunk(Stream.make("ping", "ping", "text", "text"), 1)
      for (const n of [2, 3, 4]) yield* Stream.runDrain(Stream.take(stack.stream(source), n))
      yield* during("1 second", Effect.exit(Effect.timeout(Stream.runDrain(stack.stream(Stream.never)), "1 second")))
      assert.deepStrictEqual(
        events.map((event) => event._tag === "AttemptEnded" ? event.fault?._tag ?? "well" : "started"),
        ["started", "Interrupted", "started", "well", "started", "well", "started", "Interrupted"]
      )
    }))

  describe("resume", () => {
    const pages = (from: number, log: Array<number>): Stream.Stream<number, Boom> =>
      Stream.suspend(() => {
        log.push(from)
        const page = Stream.range(from, Math.min(from + 1, 6))
        return from >= 5 ? page : Stream.concat(page, Stream.fail(new Boom({ n: from })))
      })

    it.effect("goes on after the last element that came out", () =>
      Effect.gen(function*() {
        const log: Array<number> = []
        const resume = Retry.resume({ schedule: seed, from: (last: number, _: Boom) => pages(last + 1, log) })
        assert.deepStrictEqual(yield* during("1 minute", Stream.runCollect(resume.stream(pages(1, log)))), [
          1,
          2,
          3,
          4,
          5,
          6
        ])
        assert.deepStrictEqual(log, [1, 3, 5])
      }))

    it.effect("counts attempts over the whole stream, so that it ends", () =>
      Effect.gen(function*() {
        const resume = Retry.resume({
          schedule: Schedule.recurs(2),
          from: (last: number, _: Boom) => Stream.concat(Stream.make(last + 1), Stream.fail(new Boom({})))
        })
        const seen: Array<number> = []
        const exit = yield* resume.stream(Stream.concat(Stream.make(1), Stream.fail(new Boom({})))).pipe(
          Stream.runForEach((n) => Effect.sync(() => void seen.push(n))),
          Effect.exit
        )
        assert.deepStrictEqual([seen, outcome(exit)], [[1, 2, 3], "Boom"])
      }))

    it.effect("before the first element it starts again from the beginning", () =>
      Effect.gen(function*() {
        let n = 0
        const resume = Retry.resume({
          schedule: Schedule.recurs(2),
          from: (last: number, _: Boom) => Stream.make(-last)
        })
        const source = Stream.suspend((): Stream.Stream<number, Boom> =>
          ++n === 1 ? Stream.fail(new Boom({})) : Stream.make(7)
        )
        assert.deepStrictEqual(yield* Stream.runCollect(resume.stream(source)), [7])
      }))

    it.effect("does not go on after a permanent failure", () =>
      Effect.gen(function*() {
        const resume = Retry.resume({ from: (last: number, _: Bad) => Stream.make(-last) })
        const exit = yield* Effect.exit(
          Stream.runDrain(resume.stream(Stream.concat(Stream.make(1), Stream.fail(new Bad()))))
        )
        assert.strictEqual(outcome(exit), "Bad")
      }))

    it.effect("its effect face is the retry", () =>
      Effect.gen(function*() {
        const call = calls([new Boom({})])
        const resume = Retry.resume({ schedule: seed, from: (_last: number, _: Boom) => Stream.empty })
        assert.strictEqual(yield* during("1 second", resume(call.effect)), "done")
      }))
  })
})

function rejection(): CircuitBreaker.CircuitOpen {
  return new CircuitBreaker.CircuitOpen({ policyName: "c", retryAfter: Duration.millis(1) })
}
