import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Boom, Busy, during, logged, now, outcome, recorder } from "./support/harness.ts"

interface Answer {
  readonly status: number
  readonly retryAfter?: Duration.Input
}

const ofAnswer = ({ retryAfter, status }: Answer): Fault.Fault | undefined =>
  status < 400 ? undefined : Fault.ofStatus(status, { retryAfter })

/** Gives these, one after the other, and then the last one again; keeps the times at which it was asked. */
const callee = <A, E>(outcomes: ReadonlyArray<Effect.Effect<A, E>>) => {
  const times: Array<number> = []
  const effect = Effect.flatMap(now, (at) => outcomes[Math.min(times.push(at), outcomes.length) - 1]!)
  return { times, effect }
}

const answers = (...statuses: ReadonlyArray<number>) => callee(statuses.map((status) => Effect.succeed({ status })))
const spaced = Schedule.spaced("1 second")

describe("Retry of results", () => {
  const table: ReadonlyArray<readonly [string, ReadonlyArray<number>, number, number]> = [
    ["a value that is well is returned at once", [200], 1, 200],
    ["a transient one is retried until it is well", [503, 503, 200], 3, 200],
    ["a throttled one too", [429, 200], 2, 200],
    ["a permanent one is an answer", [404, 200], 1, 404],
    ["when the attempts are over, the last one is returned as it is", [500, 502, 503, 504], 3, 503]
  ]
  for (const [name, statuses, attempts, last] of table) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const retry = Retry.make({ schedule: spaced, times: 2, result: ofAnswer })
        const call = answers(...statuses)
        const answer = yield* during("1 minute", call.effect.pipe(retry))
        assert.deepStrictEqual([call.times.length, answer.status], [attempts, last])

        const { log, stream } = logged()
        const source = stream((n) =>
          Stream.make({ status: statuses[Math.min(n, statuses.length) - 1]! }, { status: 999 })
        )
        const read = yield* during("1 minute", Stream.runCollect(source.pipe(retry.stream)))
        assert.deepStrictEqual(read, [{ status: last }, { status: 999 }])
        const each = Array.from({ length: attempts }, (_, i) => [`open${i + 1}`, `close${i + 1}`]).flat()
        assert.deepStrictEqual(log, each)
      }))
  }

  it.effect("failures and values count in one row", () =>
    Effect.gen(function*() {
      const retry = Retry.make({ schedule: spaced, times: 3, result: ofAnswer })
      const call = callee<Answer, Boom>([
        Effect.fail(new Boom({})),
        Effect.succeed({ status: 503 }),
        Effect.fail(new Boom({})),
        Effect.succeed({ status: 500 })
      ])
      assert.deepStrictEqual(yield* during("1 minute", call.effect.pipe(retry)), { status: 500 })
      assert.deepStrictEqual(call.times, [0, 1000, 2000, 3000])
    }))

  it.effect("a pause that the callee asks for is heeded", () =>
    Effect.gen(function*() {
      const retry = Retry.make({ schedule: Schedule.recurs(3), result: ofAnswer })
      const call = callee<Answer, never>([
        Effect.succeed({ status: 429, retryAfter: "10 seconds" }),
        Effect.succeed({ status: 200 })
      ])
      yield* during("1 minute", call.effect.pipe(retry))
      assert.isAtLeast(call.times[1]!, 10_000)
      const patient = callee<Answer, never>([Effect.succeed({ status: 429, retryAfter: "10 minutes" })])
      assert.strictEqual((yield* during("1 hour", patient.effect.pipe(retry))).status, 429)
      assert.strictEqual(patient.times.length, 1, "longer than what is waited for")
    }))

  it.effect("it funds no budget, and takes what a failure takes", () =>
    Effect.gen(function*() {
      for (const face of ["effect", "stream"] as const) {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10, ratio: 1 }) })
        const retry = Retry.make({ schedule: Schedule.recurs(1), result: ofAnswer, budget })
        const ask = (status: number) =>
          face === "effect"
            ? Effect.succeed({ status }).pipe(retry)
            : Stream.runDrain(Stream.make({ status }).pipe(retry.stream))
        yield* ask(503)
        assert.deepStrictEqual(yield* budget.state, { available: 2, calls: 0, held: 0 }, face)
        yield* ask(200)
        assert.strictEqual((yield* budget.state).available, 3, face)
        yield* ask(404)
        assert.strictEqual((yield* budget.state).available, 3, `${face}: an answer, and not one that is well`)
      }
    }))

  it.effect("`classify` is for failures, `while` and `tags` are for errors", () =>
    Effect.gen(function*() {
      const call = answers(503, 200)
      const retry = Retry.make<Boom>({
        schedule: Schedule.recurs(1),
        result: ofAnswer,
        classify: () => Fault.permanent,
        while: () => false,
        tags: ["Boom"]
      })
      assert.strictEqual((yield* call.effect.pipe(retry)).status, 200)
    }))

  it.effect("of a stream, the first element that commits is asked, once", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const { log, stream } = logged()
      const retry = Retry.make({
        schedule: Schedule.recurs(3),
        commit: (element) => typeof element === "number",
        result: (element: number) => {
          asked.push(element)
          return element < 0 ? Fault.transient() : undefined
        }
      })
      const source = stream((n) => Stream.make<ReadonlyArray<string | number>>("header", n === 1 ? -1 : 1, -2, "end"))
      const read = yield* Stream.runCollect(source.pipe(Stream.rechunk(1), retry.stream))
      assert.deepStrictEqual(read, ["header", "header", 1, -2, "end"])
      assert.deepStrictEqual(asked, [-1, 1])
      assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2"])
    }))

  it.effect("a stream that is resumed is asked at its beginning only", () =>
    Effect.gen(function*() {
      const opened: Array<number> = []
      const part = (from: number): Stream.Stream<number, Boom> => {
        opened.push(from)
        return Stream.concat(Stream.make(from), from < 3 ? Stream.fail(new Boom({})) : Stream.empty)
      }
      let begun = 0
      const retry = Retry.resume({
        schedule: Schedule.recurs(5),
        from: (last: number, _: Boom) => part(last + 1),
        result: () => begun++ === 0 ? Fault.transient() : undefined
      })
      assert.deepStrictEqual(yield* Stream.runCollect(retry.stream(Stream.suspend(() => part(1)))), [1, 2, 3])
      assert.deepStrictEqual([opened, begun], [[1, 1, 2, 3], 2])
    }))

  it.effect("an empty stream is well", () =>
    Effect.gen(function*() {
      const retry = Retry.make({ result: () => Fault.transient() })
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.empty.pipe(retry.stream)), [])
    }))

  it.effect("a `result` that throws is a defect, and nothing is held", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe()
      const retry = Retry.make({
        budget,
        result: () => {
          throw new Error("bug in result")
        }
      })
      assert.strictEqual(outcome(yield* Effect.exit(Effect.succeed(1).pipe(retry))), "Die")
      assert.strictEqual(outcome(yield* Effect.exit(Stream.runDrain(Stream.make(1).pipe(retry.stream)))), "Die")
      assert.deepInclude(yield* budget.state, { calls: 0, held: 0 })
    }))

  it.effect("tells of the fault, and of no cause", () =>
    Effect.gen(function*() {
      for (const face of ["effect", "stream"] as const) {
        const { events, policy } = recorder()
        const stack = Policy.compose(policy, Retry.make({ schedule: Schedule.recurs(1), result: ofAnswer }))
        yield* face === "effect"
          ? Effect.succeed({ status: 503 }).pipe(stack)
          : Stream.runDrain(Stream.make({ status: 503 }).pipe(stack.stream))
        const short = events.map((event) =>
          event._tag === "AttemptEnded" || event._tag === "RetryScheduled" || event._tag === "RetryStopped"
            ? [event._tag, event.fault?._tag, "cause" in event ? event.cause.reasons.length : event.exit._tag]
            : [event._tag]
        )
        assert.deepStrictEqual(short, [
          ["AttemptStarted"],
          ["AttemptEnded", "Transient", "Success"],
          ["RetryScheduled", "Transient", 0],
          ["AttemptStarted"],
          ["AttemptEnded", "Transient", "Success"],
          ["RetryStopped", "Transient", 0]
        ], face)
      }
    }))
})

describe("Retry's schedules", () => {
  const failures = (...errors: ReadonlyArray<Boom | Busy>) => callee(errors.map((error) => Effect.fail(error)))
  const boom = new Boom({})
  const busy = new Busy({ retryAfter: 1 })

  it.effect("are chosen by the error's tag, then by the fault's, and go on where they were", () =>
    Effect.gen(function*() {
      const retry = Retry.make<Boom | Busy>({
        schedule: spaced,
        schedules: { Throttled: Schedule.exponential("10 seconds"), Boom: Schedule.exponential("100 millis") },
        times: 5
      })
      const call = failures(boom, busy, boom, busy, boom, boom)
      yield* during("10 minutes", Effect.exit(call.effect.pipe(retry)))
      const waits = call.times.slice(1).map((at, i) => at - call.times[i]!)
      assert.deepStrictEqual(waits, [100, 10_000, 200, 20_000, 400])
    }))

  it.effect("`schedule` is for the others, and each gives up for itself", () =>
    Effect.gen(function*() {
      const retry = Retry.make<Boom | Busy>({ schedule: Schedule.recurs(2), schedules: { Busy: Schedule.recurs(1) } })
      const other = failures(boom, boom, busy, boom, boom)
      yield* during("1 minute", Effect.exit(other.effect.pipe(retry)))
      assert.strictEqual(other.times.length, 4, "two of the first kind, one of the other")
    }))

  it.effect("without a `schedule`, the others have the three retries of the default", () =>
    Effect.gen(function*() {
      const retry = Retry.make<Boom | Busy>({ schedules: { Busy: Schedule.recurs(9) } })
      const [others, nine] = [failures(boom), failures(busy)]
      yield* during("1 hour", Effect.exit(others.effect.pipe(retry)))
      yield* during("1 hour", Effect.exit(nine.effect.pipe(retry)))
      assert.deepStrictEqual([others.times.length, nine.times.length], [4, 10])
    }))

  it.effect("choose by the fault of a value as well", () =>
    Effect.gen(function*() {
      const retry = Retry.make({
        schedule: spaced,
        schedules: { Throttled: Schedule.spaced("10 seconds") },
        result: ofAnswer
      })
      const call = answers(503, 429, 503, 200)
      yield* during("1 minute", call.effect.pipe(retry))
      assert.deepStrictEqual(call.times, [0, 1000, 11_000, 12_000])
    }))

  describe("after", () => {
    it.effect("computes the delay from what has happened, the schedule ends the row", () =>
      Effect.gen(function*() {
        const seen: Array<Retry.Failed<Boom>> = []
        const retry = Retry.make<Boom>({
          schedule: Schedule.max([spaced, Schedule.recurs(3)]),
          after: (failed) => {
            seen.push(failed)
            return failed.attempt === 2 ? undefined : Duration.times(failed.delay, failed.attempt * 5)
          }
        })
        const call = callee([Effect.fail(new Boom({ n: 7 }))])
        yield* during("1 minute", Effect.exit(call.effect.pipe(retry)))
        assert.deepStrictEqual(call.times, [0, 5000, 6000, 21_000])
        assert.deepStrictEqual(seen[0], {
          attempt: 1,
          fault: Fault.transient(),
          exit: Exit.fail(new Boom({ n: 7 })),
          delay: Duration.seconds(1)
        })
      }))

    it.effect("is told of values too", () =>
      Effect.gen(function*() {
        const retry = Retry.make({
          schedule: Schedule.recurs(1),
          result: ofAnswer,
          after: ({ exit }) => Exit.isSuccess(exit) ? "3 seconds" : undefined
        })
        const call = answers(503, 200)
        yield* during("1 minute", call.effect.pipe(retry))
        assert.deepStrictEqual(call.times, [0, 3000])
      }))

    it.effect("cannot make it shorter than what the callee asks for", () =>
      Effect.gen(function*() {
        const retry = Retry.make({ schedule: Schedule.recurs(1), after: () => 1 })
        const call = callee([Effect.fail(new Busy({ retryAfter: "5 seconds" }))])
        yield* during("1 minute", Effect.exit(call.effect.pipe(retry)))
        assert.isAtLeast(call.times[1]!, 5000)
      }))

    it.effect("what is no duration is a defect", () =>
      Effect.gen(function*() {
        const retry = Retry.make({ schedule: Schedule.recurs(1), after: () => -1 })
        assert.strictEqual(outcome(yield* Effect.exit(Effect.fail(new Boom({})).pipe(retry))), "Die")
      }))
  })

  it("name the bad option, the value and what is allowed", () => {
    const bad = (options: object) => () => Retry.make(options)
    assert.throws(bad({ schedule: 1 }), "Retry.make: schedule must be a Schedule, got 1")
    assert.throws(bad({ schedules: { Boom: 1 } }), "Retry.make: schedules.Boom must be a Schedule, got 1")
    assert.throws(bad({ schedules: 1 }), "Retry.make: schedules must be schedules by tags, got 1")
    assert.throws(bad({ tags: [] }), "Retry.make: tags must be an array of at least one string, got an array")
    assert.throws(bad({ tags: "Boom" }), "Retry.make: tags must be an array of at least one string, got \"Boom\"")
    assert.throws(bad({ rejected: "yes" }), "Retry.make: rejected must be true or false, got \"yes\"")
    assert.throws(bad({ retryAfter: 5 }), "Retry.make: retryAfter must be an object, got 5")
    assert.throws(bad({ name: 5 }), "Retry.make: name must be a string, got 5")
    assert.throws(
      () => Retry.resume({ from: undefined as never }),
      "Retry.resume: from must be a function, got undefined"
    )
    for (const option of ["while", "classify", "result", "after", "commit"]) {
      assert.throws(bad({ [option]: "x" }), `Retry.make: ${option} must be a function, got "x"`)
    }
  })

  it("explain themselves", () => {
    const retry = Retry.make({
      schedules: { Throttled: spaced },
      after: () => undefined,
      result: () => undefined
    })
    assert.strictEqual(
      Policy.explain(retry),
      "retry (schedule: exponential from 200ms, schedules: Throttled, after: custom, result: custom, retryAfter: 1m)"
    )
  })
})
