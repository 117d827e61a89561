import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import { standardConfig } from "../src/config/index.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fault from "../src/Fault.ts"
import * as HedgingPipeline from "../src/HedgingPipeline.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { type Bad, Boom, during, ending, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

const Step = Schema.Struct({
  delay: Schema.Literals([0, 0, 1, 40, 99, 100, 101, 260]),
  outcome: Schema.Literals(["ok", "ok", "boom", "boom", "bad", "busy", "die", "hang", "leaves", "stubborn"])
})
type Step = typeof Step.Type
const Scripts = Schema.Array(Step).check(Schema.isMinLength(1))

interface Times {
  readonly total: number
  readonly attempt: number
}

const schedule = Schedule.max([Schedule.exponential("20 millis"), Schedule.recurs(2)])
const breakerOptions = { trip: CircuitBreaker.consecutive(3), open: "150 millis" } as const
const fundings = {
  tokens: RetryBudget.tokens({ maxTokens: 6 }),
  inFlight: RetryBudget.inFlight({ minAttempts: 2 }),
  traffic: RetryBudget.traffic({ minPerSecond: 1 })
}
const Funding = Schema.Literals(["tokens", "tokens", "inFlight", "traffic"])

const pipelineOf = ({ attempt, total }: Times, funding: typeof Funding.Type) =>
  Pipelines.makeStandardUnsafe({
    total,
    attempt,
    breaker: breakerOptions,
    retry: { schedule },
    budget: RetryBudget.makeUnsafe({ funding: fundings[funding] }),
    limiter: Bulkhead.makeUnsafe({ concurrency: 3 })
  })

/** The same stack of the same parts, put together by hand. */
const byHand = ({ attempt, total }: Times, funding: typeof Funding.Type) => {
  const breaker = CircuitBreaker.makeUnsafe({ ...breakerOptions, hangsAfter: attempt / 2 })
  const budget = RetryBudget.makeUnsafe({ funding: fundings[funding] })
  const limiter = Bulkhead.makeUnsafe({ concurrency: 3 })
  const policy = Policy.compose(
    limiter,
    Timeout.total(total),
    Retry.make({ schedule, budget }),
    breaker,
    Timeout.attempt(attempt)
  )
  return Object.assign(policy, { breaker, budget, limiter })
}

interface Stack extends Policy.Policy<unknown, unknown> {
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly budget: RetryBudget.RetryBudget
  readonly limiter: Policy.Policy<unknown, unknown>
}

/** Ten callers, 25 ms and a bit apart, so that no two do something at the same time, of whom some go away: what each got and when, what the callee saw, what the parts know. */
const seen = (stack: Stack, script: ReadonlyArray<Step>, leaveAfter: number, within: number) =>
  Effect.gen(function*() {
    const { effect, log } = logged()
    const step = (n: number): Step => script[(n - 1) % script.length]!
    const call = effect((n) => Effect.delay(ending(step(n).outcome, "120 millis"), step(n).delay)).pipe(
      stack,
      Deadline.within(within)
    )
    const states = Effect.all([stack.breaker.state, stack.budget.state])
    const start = yield* now
    const caller = (n: number) =>
      Effect.gen(function*() {
        yield* Effect.sleep(n * 25.0625)
        const fiber = yield* fork(call)
        if (n % 3 === 2) {
          yield* Effect.sleep(leaveAfter)
          yield* Fiber.interrupt(fiber)
        }
        const exit = yield* Fiber.await(fiber)
        return [n, outcome(exit), (yield* now) - start, yield* states]
      })
    const all = yield* fork(
      Random.withSeed(
        Effect.forEach(Array.from({ length: 10 }, (_, n) => n), caller, { concurrency: "unbounded" }),
        "pipelines"
      )
    )
    yield* TestClock.adjust("20 seconds")
    const exit = all.pollUnsafe()
    return {
      callers: exit !== undefined && Exit.isSuccess(exit) ? exit.value : outcome(exit!),
      log,
      states: yield* states
    }
  }).pipe(Effect.provide(TestClock.layer()))

const runs = { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 200) }, timeout: 600_000 }

describe("Pipelines", () => {
  describe("standard", () => {
    it.effect.prop(
      "does what its parts do when they are composed",
      [
        Scripts,
        Schema.Literals([0, 1, 30, 120]),
        Schema.Literals([50, 100, 130, 5000]),
        Schema.Literals([100, 250, 1000]),
        Funding
      ],
      ([script, leaveAfter, within, total, funding]) =>
        Effect.gen(function*() {
          const times = { total, attempt: 100 }
          const expected = yield* seen(byHand(times, funding), script, leaveAfter, within)
          const actual = yield* seen(pipelineOf(times, funding), script, leaveAfter, within)
          assert.deepStrictEqual(actual, expected)
          assert.deepInclude(actual.states[1], { calls: 0, held: 0 })
        }),
      runs
    )

    it.effect("makes four calls in the default settings, and gives the last failure", () =>
      Effect.gen(function*() {
        let calls = 0
        const call = Effect.suspend(() => Effect.fail(new Boom({ n: ++calls }))).pipe(
          Pipelines.makeStandardUnsafe(),
          Effect.flip
        )
        const error = yield* during("30 seconds", call)
        assert.deepInclude(error, { _tag: "Boom", n: 4 })
      }))

    it.effect("a callee that hangs is given up after an attempt, and everything after the total", () =>
      Effect.gen(function*() {
        const pipeline = Pipelines.makeStandardUnsafe({ retry: { schedule: Schedule.spaced("1 second") } })
        assert.deepStrictEqual(yield* during("31 seconds", timed(Effect.never.pipe(pipeline))), [
          "TimeoutExceeded:total",
          30_000
        ])
        assert.deepInclude(yield* pipeline.breaker.state, { calls: 3, failures: 3 })
      }))

    it.effect("what the callee sees of the deadline is the pipeline's, from the first attempt on", () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        let calls = 0
        const call = Effect.gen(function*() {
          seen.push(Duration.toMillis(Option.getOrThrow(yield* Deadline.remaining)))
          if (++calls < 3) return yield* new Boom({})
        })
        const retry = { schedule: Schedule.spaced("1 second") }
        yield* during("1 minute", Effect.exit(call.pipe(Pipelines.makeStandardUnsafe({ retry }))))
        assert.deepStrictEqual(seen, [30_000, 29_000, 28_000])
      }))

    it.effect("a listener is told of the first attempt as of every other, and of the end of the call", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const retry = { schedule: Schedule.recurs(1) }
        yield* Effect.exit(Effect.fail(new Boom({})).pipe(Pipelines.makeStandardUnsafe({ name: "it", retry }), policy))
        assert.deepStrictEqual(events.map(({ _tag, name }) => [_tag, name]), [
          ["AttemptStarted", "it"],
          ["AttemptEnded", "it"],
          ["RetryScheduled", "it"],
          ["AttemptStarted", "it"],
          ["AttemptEnded", "it"],
          ["RetryStopped", "it"],
          ["CallEnded", "it"]
        ])
      }))

    it.effect("a budget that has run out ends the retries, and successes fill it", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 4, ratio: 1 }) })
        const pipeline = Pipelines.makeStandardUnsafe({ budget, retry: { schedule: Schedule.recurs(3) } })
        let calls = 0
        const failing = Effect.suspend(() => Effect.fail(new Boom({ n: ++calls })))
        yield* Effect.exit(failing.pipe(pipeline))
        assert.strictEqual(calls, 2)
        yield* Effect.void.pipe(pipeline, Effect.repeat({ times: 2 }))
        assert.deepStrictEqual(yield* budget.state, { available: 1, calls: 0, held: 0 })
      }))

    it.effect("limits that are functions are asked at every call", () =>
      Effect.gen(function*() {
        let total = 5000
        const pipeline = Pipelines.makeStandardUnsafe({ total: () => total, attempt: () => 4000, retry: { times: 0 } })
        const hang = timed(Effect.never.pipe(pipeline))
        assert.deepStrictEqual(yield* during("1 minute", hang), ["TimeoutExceeded:attempt", 4000])
        total = 3000
        assert.deepStrictEqual((yield* during("1 minute", hang))[0], "TimeoutExceeded:total")
      }))

    it.effect("any limiter, or none", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: RateLimiter.fixedWindow({ limit: 1, within: "1 minute" }) })
        const limited = Pipelines.makeStandardUnsafe({ limiter })
        yield* limited(Effect.void)
        assert.strictEqual(outcome(yield* Effect.exit(limited(Effect.void))), "RateLimiterRejected")
        const free = Pipelines.makeStandardUnsafe({ limiter: Policy.identity })
        const all = yield* fork(Effect.forEach(Array.from({ length: 2000 }), () => free(Effect.sleep("1 second")), {
          concurrency: "unbounded",
          discard: true
        }))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outcome(all.pollUnsafe()!), "ok:undefined")
      }))

    it.effect("a stream: established within an attempt, whole within the total, never silently restarted", () =>
      Effect.gen(function*() {
        const pipeline = Pipelines.makeStandardUnsafe({ retry: { schedule: Schedule.recurs(3) } })
        const { log, stream } = logged()
        const elements: Array<number> = []
        const hangs = stream((n) => n < 3 ? Stream.fail(new Boom({ n })) : Stream.concat(Stream.make(1), Stream.never))
        const run = hangs.pipe(pipeline.stream, Stream.runForEach((n) => Effect.sync(() => elements.push(n))))
        assert.deepStrictEqual(yield* during("1 minute", timed(run)), ["TimeoutExceeded:total", 30_000])
        assert.deepStrictEqual(elements, [1])
        assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2", "open3", "close3"])
      }))

    // which of the two limits is the last one depends on what else the machine does
    it.live("on the live clock a call that hangs times out, and the next one is served", () =>
      Effect.gen(function*() {
        const pipeline = Pipelines.makeStandardUnsafe({
          total: "60 millis",
          attempt: "25 millis",
          retry: { schedule: Schedule.spaced(1) }
        })
        const error = yield* Effect.flip(Effect.never.pipe(pipeline))
        assert.deepInclude(error, { _tag: "TimeoutExceeded" })
        assert.strictEqual(yield* Effect.delay(Effect.succeed("quick"), 1).pipe(pipeline), "quick")
      }))

    it.live("an interruption at any step of the scheduler leaves nothing behind", () =>
      Effect.gen(function*() {
        const pipeline = Pipelines.makeStandardUnsafe()
        let open = 0
        const call = Effect.acquireUseRelease(
          Effect.sync(() => open++),
          () => Effect.never,
          () => Effect.sync(() => open--)
        )
        const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let i = 0; i < 2000; i++) {
          // the scheduler yields after some two thousand steps, and an interruption arrives there
          const steps = Effect.forEach(Array.from({ length: 1950 + (i % 100) }), () => Effect.void, { discard: true })
          const fiber = Effect.runFork(Effect.andThen(steps, pipeline(call)))
          fiber.interruptUnsafe()
          fibers.push(fiber)
        }
        yield* Fiber.awaitAll(fibers)
        assert.strictEqual(open, 0)
        assert.deepInclude(yield* pipeline.budget.state, { calls: 0, held: 0 })
      }))
  })

  describe("hedging", () => {
    it.effect("the second attempt wins, the first one is stopped", () =>
      Effect.gen(function*() {
        const pipeline = HedgingPipeline.makeUnsafe()
        const { effect, log } = logged()
        const call = effect((n) => n === 1 ? Effect.never : Effect.succeed(n)).pipe(pipeline)
        assert.deepStrictEqual(yield* during("1 minute", timed(call)), ["ok:2", 2000])
        assert.deepStrictEqual(log, ["open1", "open2", "close2", "close1"])
      }))

    it.effect("every attempt counts at the limiter and at the breaker", () =>
      Effect.gen(function*() {
        const limiter = Bulkhead.makeUnsafe({ concurrency: 1 })
        const pipeline = HedgingPipeline.makeUnsafe({ limiter, hedge: { after: "1 second" } })
        const fiber = yield* fork(Effect.never.pipe(pipeline))
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(yield* limiter.state, { inUse: 1, queued: 0 })
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "TimeoutExceeded:attempt")
        assert.deepInclude(yield* pipeline.breaker.state, { calls: 1, failures: 1 })
      }))

    it.effect("a budget without tokens allows no second attempt", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 2 }) })
        const pipeline = HedgingPipeline.makeUnsafe({ budget, attempt: "5 seconds" })
        let calls = 0
        const call = Effect.suspend(() => {
          calls++
          return Effect.never
        }).pipe(pipeline)
        yield* during("1 minute", timed(call))
        assert.strictEqual(calls, 1)
      }))

    it.effect("a stream is raced to its first element", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const tokens = stream((n) => n === 1 ? Stream.never : Stream.make(n, n)).pipe(
          HedgingPipeline.makeUnsafe().stream
        )
        assert.deepStrictEqual(yield* during("1 minute", Stream.runCollect(tokens)), [2, 2])
        assert.deepStrictEqual(log, ["open1", "open2", "close1", "close2"])
      }))
  })

  describe("times that follow from those that are given", () => {
    const standard = Pipelines.makeStandardUnsafe
    const hedging = HedgingPipeline.makeUnsafe
    const within = (within: Duration.Input) => ({ trip: CircuitBreaker.failureRate({ within }) })
    const table: ReadonlyArray<readonly [string, () => Policy.Any, ReadonlyArray<string>]> = [
      ["none", standard, ["total (limit: 30s)", "attempt (limit: 10s)", "within 30s"]],
      ["a total", () => standard({ total: "5 seconds" }), ["total (limit: 5s)", "attempt (limit: 1s 666ms)"]],
      ["an attempt", () => standard({ attempt: "1 minute" }), [
        "total (limit: 3m)",
        "attempt (limit: 1m)",
        "within 2m"
      ]],
      ["an attempt and a total", () => standard({ attempt: "1 minute", total: "5 minutes" }), [
        "(limit: 5m)",
        "within 2m"
      ]],
      ["a breaker's window", () => standard({ breaker: within("8 seconds") }), ["attempt (limit: 4s)", "within 8s"]],
      [
        "a breaker",
        () => hedging({ breaker: CircuitBreaker.makeUnsafe(within("8 seconds")) }),
        ["attempt (limit: 4s)", "within 8s", "after: 2s"]
      ],
      ["a breaker's other options", () => standard({ attempt: "1 minute", breaker: { open: 1 } }), [
        "within 2m, open: 1ms"
      ]],
      ["a total for hedges", () => hedging({ total: "1 second" }), ["attempt (limit: 333ms)", "after: 166ms"]],
      ["a number of hedges", () => hedging({ total: "3 seconds", hedge: { maxHedges: 9 } }), [
        "after: 300ms, maxHedges: 9"
      ]],
      ["a late hedge", () => hedging({ hedge: { after: "20 seconds", maxHedges: 2 } }), ["total (limit: 1m)"]],
      ["a hedge that learns", () => hedging({ hedge: { after: { quantile: 0.9 } } }), ["total (limit: 30s)"]],
      [
        "a wait inside the total",
        () => hedging({ limiter: Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, maxWait: "1 minute" }) }),
        ["total (limit: 1m 10s)"]
      ],
      ["a total that varies", () => standard({ total: () => "1 second" }), [
        "total (limit: dynamic)",
        "attempt (limit: 10s)"
      ]]
    ]
    for (const [name, make, parts] of table) {
      it(name, () => {
        for (const part of parts) assert.include(Policy.explain(make()), part)
      })
    }

    it.effect("made by an effect they are the same", () =>
      Effect.gen(function*() {
        const options = { total: "5 seconds" } as const
        assert.strictEqual(
          Policy.explain(yield* Pipelines.makeStandard(options)),
          Policy.explain(Pipelines.makeStandardUnsafe(options))
        )
        assert.strictEqual(
          Policy.explain(yield* HedgingPipeline.make(options)),
          Policy.explain(HedgingPipeline.makeUnsafe(options))
        )
      }))
  })

  describe("a callee that hangs opens the circuit, whatever the times", () => {
    const trip = CircuitBreaker.consecutive(1)
    const table: ReadonlyArray<readonly [string, Pipelines.Pipeline, Duration.Input, string]> = [
      ["a short total", Pipelines.makeStandardUnsafe({ total: "500 millis", breaker: { trip } }), "1 minute", "Open"],
      [
        "an attempt as long as a short total",
        Pipelines.makeStandardUnsafe({ total: "500 millis", attempt: "500 millis", breaker: { trip } }),
        "1 minute",
        "Open"
      ],
      ["the default times", Pipelines.makeStandardUnsafe({ breaker: { trip } }), "1 minute", "Open"],
      ["hedging", HedgingPipeline.makeUnsafe({ total: "500 millis", breaker: { trip } }), "1 minute", "Open"],
      ["a caller with a fair time", Pipelines.makeStandardUnsafe({ breaker: { trip } }), "1 second", "Open"],
      ["a caller with hardly any", Pipelines.makeStandardUnsafe({ breaker: { trip } }), "900 millis", "Closed"],
      [
        "an option that says what is fair",
        Pipelines.makeStandardUnsafe({ breaker: { trip, hangsAfter: "100 millis" } }),
        "100 millis",
        "Open"
      ],
      [
        "a classification that says what counts",
        Pipelines.makeStandardUnsafe({ total: "500 millis", breaker: { trip, classify: () => undefined } }),
        "1 minute",
        "Closed"
      ]
    ]
    for (const [name, pipeline, deadline, expected] of table) {
      it.effect(name, () =>
        Effect.gen(function*() {
          yield* during("1 hour", Effect.exit(Effect.never.pipe(pipeline, Deadline.within(deadline))))
          const { _tag } = yield* pipeline.breaker.state
          assert.strictEqual(_tag === "HalfOpen" ? "Open" : _tag, expected)
        }))
    }
  })

  describe("a retry with while or tags", () => {
    const schedule = Schedule.spaced("1 second")
    const narrow: Record<string, Pipelines.StandardRetry<Boom | Bad | string>> = {
      while: { while: (error) => typeof error !== "string" && error._tag === "Boom", schedule, times: 2 },
      tags: { tags: ["Boom"], schedule, times: 2 }
    }
    for (const [name, retry] of Object.entries(narrow)) {
      it.effect(`${name}: is asked of the errors of the call, and timeouts follow the classification`, () =>
        Effect.gen(function*() {
          const attemptsOf = (call: Effect.Effect<never, Boom | Bad | string>) =>
            Effect.gen(function*() {
              let attempts = 0
              const pipeline = Pipelines.makeStandardUnsafe({ attempt: "2 seconds", total: "1 minute", retry })
              const counted = Effect.suspend(() => {
                attempts++
                return call
              })
              yield* during("1 hour", Effect.exit(counted.pipe(pipeline)))
              return attempts
            })
          assert.strictEqual(yield* attemptsOf(Effect.fail(new Boom({}))), 3)
          assert.strictEqual(yield* attemptsOf(Effect.fail("other")), 1)
          assert.strictEqual(yield* attemptsOf(Effect.never), 3)
        }))

      it.effect(`${name}: a circuit that is open is not retried, unless rejections are`, () =>
        Effect.gen(function*() {
          for (const rejected of [false, true]) {
            const { events, policy } = recorder()
            const pipeline = Pipelines.makeStandardUnsafe({ retry: { ...retry, rejected } })
            yield* pipeline.breaker.open("1 second")
            yield* during("1 hour", Effect.exit(Effect.void.pipe(pipeline, policy)))
            assert.lengthOf(events.filter(({ _tag }) => _tag === "RetryScheduled"), rejected ? 1 : 0)
          }
        }))
    }
  })

  describe("values that are faults", () => {
    const result = (value: string) => value === "busy" ? Fault.transient() : undefined
    const schedule = Schedule.spaced("1 second")

    it.effect("are retried and counted, and returned as they are when the attempts are over", () =>
      Effect.gen(function*() {
        let calls = 0
        const pipeline = Pipelines.makeStandardUnsafe({
          result,
          retry: { schedule, times: 2 },
          breaker: { trip: CircuitBreaker.consecutive(3) }
        })
        const call = Effect.sync(() => {
          calls++
          return "busy"
        })
        assert.strictEqual(outcome(yield* during("1 minute", Effect.exit(call.pipe(pipeline)))), "ok:busy")
        assert.strictEqual(calls, 3)
        assert.notStrictEqual((yield* pipeline.breaker.state)._tag, "Closed")
      }))

    it.effect("a part's own word is the one that counts", () =>
      Effect.gen(function*() {
        let calls = 0
        const pipeline = Pipelines.makeStandardUnsafe({
          result,
          retry: { schedule, times: 2, result: () => undefined },
          breaker: { trip: CircuitBreaker.consecutive(1), result: () => undefined }
        })
        const call = Effect.sync(() => {
          calls++
          return "busy"
        })
        assert.strictEqual(outcome(yield* during("1 minute", Effect.exit(call.pipe(pipeline)))), "ok:busy")
        assert.strictEqual(calls, 1)
        assert.strictEqual((yield* pipeline.breaker.state)._tag, "Closed")
      }))

    it.effect("are counted by the breaker of a hedging pipeline", () =>
      Effect.gen(function*() {
        const pipeline = HedgingPipeline.makeUnsafe({ result, breaker: { trip: CircuitBreaker.consecutive(1) } })
        yield* during("1 minute", Effect.exit(Effect.succeed("busy").pipe(pipeline)))
        assert.notStrictEqual((yield* pipeline.breaker.state)._tag, "Closed")
      }))

    it("what is no function is refused", () => {
      assert.throws(() => Pipelines.makeStandardUnsafe({ result: 1 as any }), RangeError, "result")
    })
  })

  describe("the options of a bulkhead as the limiter", () => {
    it.effect("limit the calls of either pipeline", () =>
      Effect.gen(function*() {
        const limiter = { concurrency: 1 }
        const pipelines = [
          Pipelines.makeStandardUnsafe({ limiter }),
          HedgingPipeline.makeUnsafe({ limiter, hedge: { after: "1 hour" } }),
          yield* Pipelines.makeStandard({ limiter }),
          yield* HedgingPipeline.make({ limiter, hedge: { after: "1 hour" } })
        ]
        for (const pipeline of pipelines) {
          const first = yield* fork(Effect.never.pipe(pipeline))
          assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(pipeline))), "BulkheadRejected")
          yield* Fiber.interrupt(first)
        }
      }))

    it("a wait inside the total of a hedge is part of it", () => {
      const hedging = HedgingPipeline.makeUnsafe({ limiter: { concurrency: 1, maxWait: "1 minute" } })
      assert.include(Policy.explain(hedging), "total (limit: 1m 10s)")
    })

    it("something else is refused", () => {
      assert.throws(() => Pipelines.makeStandardUnsafe({ limiter: 1 as any }), RangeError, "limiter")
    })
  })

  describe("config", () => {
    const read = (env: Record<string, string>, defaults?: Pipelines.StandardOptions) =>
      standardConfig("PAYMENTS", defaults).parse(ConfigProvider.fromEnv({ env })).pipe(
        Effect.map((options) => Policy.explain(Pipelines.makeStandardUnsafe(options)))
      )

    it.effect("without anything it is the defaults", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* read({}), Policy.explain(Pipelines.makeStandardUnsafe()))
        const defaults = { name: "payments", total: "5 seconds", limiter: { concurrency: 3 } } as const
        assert.strictEqual(yield* read({}, defaults), Policy.explain(Pipelines.makeStandardUnsafe(defaults)))
      }))

    const table: ReadonlyArray<readonly [string, string, string]> = [
      ["PAYMENTS_TOTAL", "1 minute", "total (limit: 1m)"],
      ["PAYMENTS_ATTEMPT", "2 seconds", "attempt (limit: 2s)"],
      ["PAYMENTS_RETRIES", "0", "retry (times: 0, schedule: exponential from 200ms"],
      ["PAYMENTS_CONCURRENCY", "7", "concurrency: 7, maxQueue: 0"],
      ["PAYMENTS_MAX_QUEUE", "7", "concurrency: 1000, maxQueue: 7"],
      ["PAYMENTS_MAX_WAIT", "7 seconds", "maxWait: 7s"],
      ["PAYMENTS_FAILURE_RATIO", "0.2", "20% of at least 20 calls within 30s"],
      ["PAYMENTS_MIN_CALLS", "7", "50% of at least 7 calls within 30s"],
      ["PAYMENTS_WITHIN", "1 minute", "50% of at least 20 calls within 1m"],
      ["PAYMENTS_OPEN", "7 seconds", "open: 7s"]
    ]
    for (const [key, value, shown] of table) {
      it.effect(`${key} is read`, () =>
        Effect.gen(function*() {
          assert.include(yield* read({ [key]: value }), shown)
          // whatever the program says
          const defaults: Pipelines.StandardOptions = {
            total: "20 seconds",
            attempt: "3 seconds",
            retry: { times: 9 },
            limiter: { concurrency: 1000 },
            breaker: { open: "3 seconds" }
          }
          assert.include(yield* read({ [key]: value }, defaults), shown)
        }))

      it.effect(`${key} is named where it cannot be read`, () =>
        Effect.gen(function*() {
          for (const wrong of ["soon", "-1"]) {
            const error = yield* Effect.flip(read({ [key]: wrong }))
            assert.strictEqual(error._tag, "ConfigError")
            const [prefix, ...name] = key.split("_")
            assert.include(error.message, prefix!)
            assert.include(error.message, name.join("_"))
          }
        }))
    }

    it.effect("times that contradict each other are an error with their keys, those of the program are a bug", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read({ PAYMENTS_ATTEMPT: "1 minute", PAYMENTS_TOTAL: "30 seconds" }))
        assert.include(error.message, "timeout attempt (1m) is longer than timeout total (30s)")
        assert.include(error.message, "(PAYMENTS_TOTAL, PAYMENTS_ATTEMPT)")
        const one = yield* Effect.flip(read({ PAYMENTS_ATTEMPT: "1 minute" }, { total: "30 seconds" }))
        assert.include(one.message, "(PAYMENTS_ATTEMPT)")
        assert.throws(() => standardConfig("PAYMENTS", { total: 0 }), RangeError)
      }))

    it.effect("a breaker's window follows from the attempt, where nothing else is said", () =>
      Effect.gen(function*() {
        const shown = yield* read({ PAYMENTS_ATTEMPT: "1 minute", PAYMENTS_FAILURE_RATIO: "0.1" })
        assert.include(shown, "10% of at least 20 calls within 2m")
      }))

    it.effect("instances stay what they are", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ name: "shared" })
        const limiter = Bulkhead.makeUnsafe({ name: "shared", concurrency: 3 })
        const provider = ConfigProvider.fromEnv({ env: { PAYMENTS_OPEN: "7 seconds", PAYMENTS_CONCURRENCY: "7" } })
        const options = yield* standardConfig("PAYMENTS", { breaker, limiter }).parse(provider)
        assert.strictEqual(options.breaker, breaker)
        assert.strictEqual(options.limiter, limiter)
      }))

    it.effect("with a live policy, what is configured while the program runs holds from the next call on", () =>
      Effect.gen(function*() {
        const env: Record<string, string> = { PAYMENTS_ATTEMPT: "1 second", PAYMENTS_RETRIES: "0" }
        const provider = ConfigProvider.fromUnknown({}).pipe(
          ConfigProvider.orElse(ConfigProvider.fromEnv({ env }))
        )
        const make = Effect.flatMap(standardConfig("PAYMENTS"), Pipelines.makeStandard).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, provider)
        )
        const ref = yield* Ref.make(yield* make)
        yield* fork(Effect.repeat(Effect.flatMap(make, (next) => Ref.set(ref, next)), Schedule.spaced("10 seconds")))
        const call = Effect.delay(Effect.void, "5 seconds").pipe(Policy.live(ref), Effect.exit, Effect.map(outcome))
        assert.strictEqual(yield* during("9 seconds", call), "TimeoutExceeded:attempt")
        env["PAYMENTS_ATTEMPT"] = "8 seconds"
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(yield* during("9 seconds", call), "ok:undefined")
      }))
  })

  describe("times that contradict each other", () => {
    it("an attempt longer than the total (MEHR: TotalRequestTimeout)", () => {
      assert.throws(
        () => Pipelines.makeStandardUnsafe({ total: "5 seconds", attempt: "10 seconds" }),
        RangeError,
        "Pipelines.makeStandard: timeout attempt (10s) is longer than timeout total (5s)"
      )
      assert.throws(
        () => HedgingPipeline.makeUnsafe({ attempt: "31 seconds", total: "30 seconds" }),
        RangeError,
        "HedgingPipeline.make: timeout attempt (31s) is longer than timeout total (30s)"
      )
    })

    it("a window shorter than two attempts (MEHR: SamplingDuration)", () => {
      const trip = CircuitBreaker.failureRate({ within: "19 seconds" })
      const message = "window of circuit-breaker (19s) is shorter than twice timeout attempt (10s)"
      for (const breaker of [{ trip }, CircuitBreaker.makeUnsafe({ trip })]) {
        assert.throws(() => Pipelines.makeStandardUnsafe({ attempt: "10 seconds", breaker }), RangeError, message)
      }
      Pipelines.makeStandardUnsafe({ breaker: { trip: CircuitBreaker.failureRate({ within: "20 seconds" }) } })
      Pipelines.makeStandardUnsafe({ breaker: { trip: CircuitBreaker.consecutive(5) }, attempt: "30 seconds" })
    })

    it("hedges that begin after the total (MEHR: Delay)", () => {
      assert.throws(
        () => HedgingPipeline.makeUnsafe({ total: "30 seconds", hedge: { after: "11 seconds", maxHedges: 3 } }),
        RangeError,
        "HedgingPipeline.make: hedge (3 after 11s each) begins later than timeout total (30s) ends"
      )
      HedgingPipeline.makeUnsafe({ hedge: { after: "10 seconds", maxHedges: 3 } })
      HedgingPipeline.makeUnsafe({ hedge: { after: Infinity, maxHedges: 3 } })
    })

    it("options of the parts are checked as theirs", () => {
      assert.throws(
        () => Pipelines.makeStandardUnsafe({ total: 0 }),
        RangeError,
        "Pipelines.makeStandard: total must be a finite duration > 0"
      )
      assert.throws(
        () => Pipelines.makeStandardUnsafe({ retry: { times: -1 } }),
        RangeError,
        "times must be an integer >= 0"
      )
    })
  })

  it.effect("makeStandard and HedgingPipeline.make enter their parts in the registry", () =>
    Effect.gen(function*() {
      const standard = yield* Pipelines.makeStandard({ name: "a" })
      const hedging = yield* HedgingPipeline.make({ name: "b", breaker: standard.breaker })
      const kinds = (yield* PolicyRegistry.snapshot).map(({ kind, name }) => `${kind} ${name}`)
      assert.deepStrictEqual(kinds.toSorted(), [
        "bulkhead a",
        "bulkhead b",
        "circuit-breaker a",
        "hedge b",
        "retry-budget a",
        "retry-budget b"
      ])
      yield* hedging(standard(Effect.void))
    }).pipe(Effect.provide(PolicyRegistry.layer)))
})
