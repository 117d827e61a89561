import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { Bad, Boom, Busy, during, fork, outcome, recorder } from "./support/harness.ts"

const idle = { calls: 0, held: 0 }
const spaced = Schedule.spaced("1 second")

const counted = <A, E>(effect: Effect.Effect<A, E>) => {
  const calls = { count: 0 }
  return {
    calls,
    effect: Effect.suspend(() => {
      calls.count++
      return effect
    })
  }
}

describe("RetryBudget", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(
      () => RetryBudget.tokens({ maxTokens: 1 }),
      "RetryBudget.tokens: maxTokens must be an integer from 2 to 1000, got 1"
    )
    assert.throws(
      () => RetryBudget.tokens({ ratio: 0 }),
      "RetryBudget.tokens: ratio must be a number from 0.001 to 1, got 0"
    )
    assert.throws(
      () => RetryBudget.tokens({ minPerMinute: Infinity }),
      "RetryBudget.tokens: minPerMinute must be a finite number >= 0, got Infinity"
    )
    assert.throws(
      () => RetryBudget.makeUnsafe({ funding: "traffic" as never }),
      "RetryBudget.make: funding must be tokens, traffic or inFlight, got \"traffic\""
    )
    assert.throws(
      () => RetryBudget.traffic({ ratio: 2 }),
      "RetryBudget.traffic: ratio must be a number > 0 and <= 1, got 2"
    )
    assert.throws(
      () => RetryBudget.traffic({ within: 0 }),
      "RetryBudget.traffic: within must be a finite duration > 0, got 0"
    )
    assert.throws(
      () => RetryBudget.traffic({ minPerSecond: -1 }),
      "RetryBudget.traffic: minPerSecond must be a finite number >= 0, got -1"
    )
    assert.throws(
      () => RetryBudget.inFlight({ minAttempts: 0 }),
      "RetryBudget.inFlight: minAttempts must be an integer >= 1, got 0"
    )
  })

  it.effect("Polly #2348, failsafe-go #67: a thousand calls to a callee that is down are not four thousand", () =>
    Effect.gen(function*() {
      const attempts = (funding: RetryBudget.Funding) =>
        Effect.gen(function*() {
          const budget = yield* RetryBudget.make({ funding })
          const { calls, effect } = counted(Effect.fail(new Boom({})))
          const call = effect.pipe(Retry.make({ schedule: spaced, times: 3, budget }), Effect.exit)
          yield* during("1 minute", Effect.all(Array.from({ length: 1000 }, () => call), { concurrency: "unbounded" }))
          assert.deepInclude(yield* budget.state, idle)
          return calls.count
        })
      assert.strictEqual(yield* attempts(RetryBudget.tokens({ maxTokens: 20 })), 1009)
      assert.strictEqual(yield* attempts(RetryBudget.traffic({ minPerSecond: 0 })), 1200)
      // a share of what is in flight: the calls that wait are not
      assert.isAtMost(yield* attempts(RetryBudget.inFlight()), 1300)
    }))

  it.effect("successes pay in: a callee that recovers is retried again", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 4, ratio: 0.5 }) })
      const retry = Retry.make({ schedule: Schedule.recurs(1), budget })
      const bad = counted(Effect.fail(new Boom({})))
      yield* Effect.replicateEffect(Effect.exit(retry(bad.effect)), 3)
      assert.strictEqual(bad.calls.count, 4)
      yield* Effect.replicateEffect(retry(Effect.void), 8)
      yield* Effect.exit(retry(bad.effect))
      assert.strictEqual(bad.calls.count, 6)
    }))

  it.effect("time pays in: after an outage, a callee with one call a minute is retried again within minutes", () =>
    Effect.gen(function*() {
      let up = false
      let attempts = 0
      const call = Effect.suspend(() => up && attempts++ % 2 === 1 ? Effect.void : Effect.fail(new Boom({})))
      const retry = Retry.make({ schedule: Schedule.recurs(3), budget: RetryBudget.makeUnsafe() })
      yield* Effect.replicateEffect(Effect.exit(retry(call)), 200)
      up = true
      const outcomes: Array<string> = []
      for (let minute = 0; minute < 5; minute++) {
        yield* TestClock.adjust("1 minute")
        outcomes.push(outcome(yield* Effect.exit(retry(call))))
      }
      assert.deepStrictEqual(outcomes, Array.from({ length: 5 }, () => "ok:undefined"))
    }))

  it.effect("and through a pipeline whose budget is the default", () =>
    Effect.gen(function*() {
      let failing = 1000
      let calls = 0
      const call = Effect.suspend(() => {
        calls++
        return failing-- > 0 ? Effect.fail(new Boom({})) : Effect.void
      })
      const breaker = { trip: CircuitBreaker.consecutive(100_000) }
      const standard = Pipelines.makeStandardUnsafe({ retry: { schedule: Schedule.recurs(3) }, breaker })
      yield* Effect.replicateEffect(Effect.exit(standard(call)), 200)
      assert.isBelow(calls, 250)
      failing = 1
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(outcome(yield* Effect.exit(standard(call))), "ok:undefined")
    }))

  it.effect("only what speaks against the callee takes tokens", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10 }) })
      const retry = Retry.make({ times: 0, budget })
      for (const exit of [Effect.fail(new Bad()), Effect.die("bug"), Effect.interrupt]) {
        yield* Effect.exit(retry(exit))
      }
      assert.strictEqual((yield* budget.state).available, 4)
      yield* Effect.exit(retry(Effect.fail(new Boom({}))))
      yield* Effect.exit(retry(Effect.fail(new Busy({ retryAfter: "1 second" }))))
      assert.strictEqual((yield* budget.state).available, 2)
    }))

  it.effect("when it is used up, the last failure is the result, and telemetry tells why", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const budget = RetryBudget.makeUnsafe({ name: "b", funding: RetryBudget.tokens({ maxTokens: 4 }) })
      const retry = Retry.make({ name: "r", schedule: Schedule.recurs(3), budget })
      let n = 0
      const call = Effect.suspend(() => Effect.fail(new Boom({ n: ++n })))
      const error = yield* call.pipe(retry, policy, Effect.flip)
      assert.strictEqual(error.n, 2)
      const [exhausted, stopped] = events.slice(-2)
      assert.deepStrictEqual<unknown>(exhausted, {
        _tag: "BudgetExhausted",
        policy: "retry",
        name: "r",
        budget: "b",
        attempt: 2
      })
      assert.deepInclude(stopped, { _tag: "RetryStopped", name: "r", attempt: 2, reason: "budget" })
    }))

  describe("is reserved before the wait", () => {
    const one: ReadonlyArray<readonly [string, RetryBudget.Funding]> = [
      ["traffic", RetryBudget.traffic({ minPerSecond: 0.1 })],
      ["in-flight", RetryBudget.inFlight({ minAttempts: 1 })],
      ["tokens", RetryBudget.tokens({ maxTokens: 4 })]
    ]
    for (const [name, funding] of one) {
      it.effect(`${name}: of two callers one waits; interrupted, it gives back what it holds`, () =>
        Effect.gen(function*() {
          const budget = RetryBudget.makeUnsafe({ funding })
          const call = Effect.fail(new Boom({})).pipe(Retry.make({ schedule: spaced, budget }))
          const [waiting, refused] = [yield* fork(call), yield* fork(call)]
          assert.isUndefined(waiting.pollUnsafe())
          assert.strictEqual(outcome(refused.pollUnsafe()!), "Boom")
          assert.deepStrictEqual(yield* budget.state, { available: 0, calls: 0, held: 1 })
          yield* Fiber.interrupt(waiting)
          // in-flight and traffic have it back; with tokens, the failure of the other one stays
          assert.deepStrictEqual(yield* budget.state, { available: name === "tokens" ? 0 : 1, ...idle })
        }))
    }

    it.effect("traffic: it comes back although other calls have moved the window on", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ minPerSecond: 0.1 }) })
        const retry = Retry.make({ schedule: Schedule.spaced("1 minute"), budget })
        const waiting = yield* fork(retry(Effect.fail(new Boom({}))))
        yield* TestClock.adjust("5 seconds")
        yield* retry(Effect.void)
        assert.strictEqual((yield* budget.state).available, 0)
        yield* Fiber.interrupt(waiting)
        assert.strictEqual((yield* budget.state).available, 1)
      }))
  })

  it.effect("envoy #30205: a call that waits is not in flight, its attempt is counted until it has ended", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1 }) })
      let n = 0
      const call = Effect.suspend(() => ++n === 1 ? Effect.fail(new Boom({})) : Effect.sleep("1 second"))
      const fiber = yield* fork(call.pipe(Retry.make({ schedule: spaced, budget })))
      assert.deepStrictEqual(yield* budget.state, { available: 0, calls: 0, held: 1 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* budget.state, { available: 0, calls: 1, held: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(outcome(fiber.pollUnsafe()!), "ok:undefined")
      assert.deepStrictEqual(yield* budget.state, { available: 1, ...idle })
    }))

  it.effect("it ages when it is looked at", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ minPerSecond: 0.3 }) })
      const retry = Retry.make({ schedule: Schedule.recurs(3), budget })
      yield* Effect.exit(retry(Effect.fail(new Boom({}))))
      assert.strictEqual((yield* budget.state).available, 0)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* budget.state).available, 3)
    }))

  it.effect("retries and hedges draw on the same one", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ minPerSecond: 0.2 }) })
      const hedge = Hedge.makeUnsafe({ after: "1 second", budget })
      const slow = yield* fork(hedge(Effect.never))
      yield* TestClock.adjust("1 second")
      const { calls, effect } = counted(Effect.fail(new Boom({})))
      yield* Effect.exit(effect.pipe(Retry.make({ schedule: Schedule.recurs(3), budget })))
      assert.strictEqual(calls.count, 2)
      yield* Fiber.interrupt(slow)
      assert.deepInclude(yield* budget.state, idle)
    }))

  describe("streams", () => {
    const opened = <A, E>(f: (n: number) => Stream.Stream<A, E>) => {
      let n = 0
      return Stream.suspend(() => f(++n))
    }

    it.effect("are calls until they end; the first element pays in", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10, ratio: 1 }) })
        const retry = Retry.make({ schedule: spaced, budget })
        const source = opened((n) =>
          n === 1 ? Stream.fail(new Boom({})) : Stream.concat(Stream.make("a"), Stream.never)
        )
        const fiber = yield* fork(Stream.runDrain(retry.stream(source)))
        assert.deepStrictEqual(yield* budget.state, { available: 3, calls: 0, held: 1 })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* budget.state, { available: 4, calls: 1, held: 1 })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* budget.state, { available: 4, ...idle })
      }))

    it.effect("a consumer that goes away during the wait gets it back", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1 }) })
        const stream = Stream.fail(new Boom({})).pipe(Retry.make({ schedule: spaced, budget }).stream)
        const fiber = yield* fork(Stream.runDrain(stream))
        assert.strictEqual((yield* budget.state).held, 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* budget.state, { available: 1, ...idle })
      }))

    it.effect("each part of a resumed stream is paid for", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ minPerSecond: 0.2 }) })
        const part = (n: number): Stream.Stream<number, Boom> =>
          Stream.concat(Stream.make(n), Stream.fail(new Boom({})))
        const resume = Retry.resume({
          schedule: Schedule.recurs(9),
          budget,
          from: (last: number, _: Boom) => part(last + 1)
        })
        const seen: Array<number> = []
        const exit = yield* part(1).pipe(
          resume.stream,
          Stream.runForEach((n) => Effect.sync(() => seen.push(n))),
          Effect.exit
        )
        assert.strictEqual(outcome(exit), "Boom")
        assert.deepStrictEqual(seen, [1, 2, 3])
        assert.deepInclude(yield* budget.state, idle)
      }))
  })

  const Funding = Schema.Literals(["traffic", "inFlight", "tokens"])
  const fundings = {
    traffic: RetryBudget.traffic(),
    inFlight: RetryBudget.inFlight(),
    tokens: RetryBudget.tokens()
  }
  const Step = Schema.Literals(["ok", "boom", "boom", "busy", "bad", "die", "hang", "slow"])

  it.effect.prop(
    "whoever fails, hangs or goes away: nothing is left over, and it is never negative",
    [Funding, Schema.Array(Step).check(Schema.isMinLength(1)), Schema.Literals(["effect", "stream"])],
    ([funding, script, face]) =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: fundings[funding] })
        let n = 0
        const call = Effect.suspend((): Effect.Effect<string, Boom | Busy | Bad> => {
          switch (script[n++ % script.length]!) {
            case "ok":
              return Effect.succeed("ok")
            case "boom":
              return Effect.fail(new Boom({}))
            case "busy":
              return Effect.fail(new Busy({ retryAfter: "1 second" }))
            case "bad":
              return Effect.fail(new Bad())
            case "die":
              return Effect.die("bug")
            case "hang":
              return Effect.never
            case "slow":
              return Effect.delay(Effect.fail(new Boom({})), "300 millis")
          }
        })
        const stack = Policy.compose(
          Timeout.total("3 seconds"),
          Retry.make({ schedule: Schedule.exponential("100 millis"), times: 4, budget }),
          Timeout.attempt("500 millis"),
          Hedge.makeUnsafe({ after: "200 millis", maxHedges: 2, budget })
        )
        const wrapped: Effect.Effect<unknown, unknown> = face === "effect"
          ? stack(call)
          : Stream.runDrain(stack.stream(Stream.fromEffect(call)))
        for (let i = 0; i < 8; i++) {
          const fiber = yield* fork(wrapped)
          yield* TestClock.adjust(i * 37)
          assert.isAtLeast((yield* budget.state).available, 0)
          if (i % 3 === 0) yield* Fiber.interrupt(fiber)
        }
        yield* TestClock.adjust("1 minute")
        assert.deepInclude(yield* budget.state, idle)
      }),
    { arbitrary: { runs: 100 } }
  )
})
