import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Policy from "../src/Policy.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { currentDeadline, deadlineAt } from "./support/deadline.ts"
import { after, Bad, Boom, Busy, during, fork, logged, now, outcome, recorder, timed } from "./support/harness.ts"

/** What each attempt takes and how it ends, and when each was begun. */
const callee = <A, E>(script: ReadonlyArray<readonly [millis: number, end: Effect.Effect<A, E>]>) => {
  const begun: Array<number> = []
  const effect: Effect.Effect<A, E> = Effect.flatMap(now, (at) => {
    const [millis, end] = script[begun.push(at) - 1]!
    return millis === 0 ? end : Effect.delay(end, millis)
  })
  return { begun, effect }
}

const ok = Effect.succeed
const boom = (n: number) => Effect.fail(new Boom({ n }))
const hang = [3_600_000, ok("late")] as const

const race = <A, E>(
  options: Hedge.Options,
  script: ReadonlyArray<readonly [number, Effect.Effect<A, E>]>
) =>
  Effect.gen(function*() {
    const { begun, effect } = callee(script)
    const start = yield* now
    const [exit, at] = yield* during("2 hours", timed(effect.pipe(Hedge.makeUnsafe(options))))
    return { begun: begun.map((time) => time - start), exit, at: at - start }
  })

describe("Hedge", () => {
  describe("make", () => {
    it("names the bad option, the value and what is allowed", () => {
      const table: ReadonlyArray<readonly [Hedge.Options, string]> = [
        [{ after: -1 }, "Hedge.make: after must be a duration >= 0, got -1"],
        [{ after: Number.NaN }, "Hedge.make: after must be a duration >= 0, got NaN"],
        [{ after: "soon" as "1 second" }, "Hedge.make: after must be a duration >= 0, got \"soon\""],
        [{ after: 1, maxHedges: 0 }, "Hedge.make: maxHedges must be an integer from 1 to 10, got 0"],
        [{ after: 1, maxHedges: 11 }, "Hedge.make: maxHedges must be an integer from 1 to 10, got 11"],
        [{ after: { quantile: 95 } }, "Hedge.make: after.quantile must be a number > 0 and < 1, got 95"],
        [
          { after: { quantile: 0.9, minCalls: 0 } },
          "Hedge.make: after.minCalls must be an integer from 1 to 500, got 0"
        ],
        [
          { after: { quantile: 0.9, minDelay: "2 seconds", maxDelay: "1 second" } },
          "Hedge.make: after.minDelay must be at most after.maxDelay, got \"2s\""
        ]
      ]
      for (const [options, message] of table) assert.throws(() => Hedge.makeUnsafe(options), message)
    })

    it("tells what it is", () => {
      const hedge = Hedge.makeUnsafe({ name: "reads", after: "1 second", budget: RetryBudget.makeUnsafe() })
      assert.strictEqual(Policy.explain(hedge), "hedge \"reads\" (after: 1s, maxHedges: 1, budget: unnamed)")
      assert.strictEqual(
        Policy.explain(Hedge.makeUnsafe({ after: { quantile: 0.95 } })),
        "hedge (after: 95th percentile, maxHedges: 1)"
      )
      assert.strictEqual(
        Policy.explain(Hedge.makeUnsafe({ after: { quantile: 0.57 } })),
        "hedge (after: 57th percentile, maxHedges: 1)"
      )
    })
  })

  // Polly, HedgingResilienceStrategyTests; gRFC A6
  describe("when attempts begin", () => {
    it.effect("a call that answers in time is made once", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* race({ after: 500, maxHedges: 3 }, [[0, ok(1)]]), {
          begun: [0],
          exit: "ok:1",
          at: 0
        })
        assert.deepStrictEqual(yield* race({ after: 500, maxHedges: 3 }, [[499, ok(1)]]), {
          begun: [0],
          exit: "ok:1",
          at: 499
        })
      }))

    it.effect("each a delay after the one before, up to max", () =>
      Effect.gen(function*() {
        const result = yield* race({ after: 500, maxHedges: 3 }, [hang, hang, hang, [100, ok("4th")]])
        assert.deepStrictEqual(result, { begun: [0, 500, 1000, 1500], exit: "ok:4th", at: 1600 })
      }))

    it.effect("with no delay, all at once", () =>
      Effect.gen(function*() {
        const result = yield* race({ after: 0, maxHedges: 2 }, [hang, [10_000, ok("2nd")], [2000, ok("3rd")]])
        assert.deepStrictEqual(result, { begun: [0, 0, 0], exit: "ok:3rd", at: 2000 })
      }))

    it.effect("with no delay, none beside one that answers at once", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* race({ after: 0, maxHedges: 9 }, [[0, ok(1)]]), {
          begun: [0],
          exit: "ok:1",
          at: 0
        })
      }))

    it.effect("with an infinite delay, only after a failure, and never two at once", () =>
      Effect.gen(function*() {
        const result = yield* race({ after: "Infinity", maxHedges: 3 }, [[2000, boom(1)], [3000, boom(2)], [
          100,
          ok("3rd")
        ]])
        assert.deepStrictEqual(result, { begun: [0, 2000, 5000], exit: "ok:3rd", at: 5100 })
      }))

    it.effect("at once when one fails transiently, and the delay counts anew from there", () =>
      Effect.gen(function*() {
        const result = yield* race({ after: 500, maxHedges: 2 }, [[200, boom(1)], hang, [10, ok("3rd")]])
        assert.deepStrictEqual(result, { begun: [0, 200, 700], exit: "ok:3rd", at: 710 })
      }))

    it.effect("one that fails as it begins sets no second timer, and none is left after the result", () =>
      Effect.gen(function*() {
        for (const script of [[[0, boom(1)], hang, hang], [hang, [0, boom(2)], hang]] as const) {
          const { begun, effect } = callee([...script, [0, ok("4th")] as const])
          const fiber = yield* fork(effect.pipe(Hedge.makeUnsafe({ after: 500, maxHedges: 3 })))
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(outcome(fiber.pollUnsafe()!), "ok:4th")
          const start = begun[0]!
          assert.deepStrictEqual(
            begun.map((at) => at - start),
            script[0][0] === 0 ? [0, 0, 500, 1000] : [0, 500, 500, 1000]
          )
        }
        const few = callee([[0, boom(1)], [10, ok("2nd")]])
        yield* during("1 hour", few.effect.pipe(Hedge.makeUnsafe({ after: 500, maxHedges: 3 })))
        assert.strictEqual(few.begun.length, 2)
      }))

    it.effect("none that could only begin after the deadline", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([hang, hang])
        const stack = Policy.compose(Timeout.total("1 second"), Hedge.makeUnsafe({ after: "1 second" }))
        const result = yield* during("2 seconds", timed(effect.pipe(stack)))
        assert.deepStrictEqual([result, begun], [["TimeoutExceeded:total", 1000], [0]])
      }))

    it.effect("none after the deadline, although there is no delay", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([[500, ok("1st")], hang])
        yield* TestClock.adjust("2 seconds")
        const late = effect.pipe(
          Hedge.makeUnsafe({ after: 0, maxHedges: 3 }),
          deadlineAt(1000)
        )
        assert.deepStrictEqual(yield* during("2 seconds", timed(late)), ["ok:1st", 2500])
        assert.deepStrictEqual(begun, [2000])
      }))

    it.effect("none after the deadline, although the timer was set for a time before it", () =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        const late = Object.assign(Object.create(clock) as Clock.Clock, {
          sleep: (duration: Duration.Duration) => clock.sleep(Duration.sum(duration, Duration.millis(100)))
        })
        const { begun, effect } = callee([[1500, ok("1st")], hang])
        const call = effect.pipe(
          Hedge.makeUnsafe({ after: 950 }),
          deadlineAt(1000),
          Effect.provideService(Clock.Clock, late)
        )
        yield* during("2 seconds", call)
        assert.deepStrictEqual(begun, [0])
      }))

    it.effect("none after the deadline when one fails there", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([[1500, boom(1)], [0, ok("late")]])
        const late = effect.pipe(
          Hedge.makeUnsafe({ after: "Infinity" }),
          deadlineAt(1000)
        )
        assert.deepStrictEqual(yield* during("2 seconds", timed(late)), ["Boom", 1500])
        assert.strictEqual(begun.length, 1)
      }))
  })

  describe("what comes out", () => {
    const none = { after: 500, maxHedges: 2 }
    const table: ReadonlyArray<
      readonly [
        string,
        Hedge.Options,
        ReadonlyArray<readonly [number, Effect.Effect<unknown, unknown>]>,
        readonly [string, number, number]
      ]
    > = [
      ["the first success, whoever it is", none, [[1200, ok(1)], [2000, ok(2)], hang], ["ok:1", 1200, 3]],
      ["a permanent failure of the first ends it", none, [[100, Effect.fail(new Bad())]], ["Bad", 100, 1]],
      [
        "a permanent failure of another ends it",
        none,
        [hang, [100, Effect.fail(new Bad())]],
        ["Bad", 600, 2]
      ],
      ["a defect ends it", none, [hang, [100, Effect.die("bug")]], ["Die", 600, 2]],
      ["an attempt that interrupts itself ends it", none, [[100, Effect.interrupt]], ["Interrupt", 100, 1]],
      [
        "a throttled one starts no other, and the one under way wins",
        none,
        [[900, ok(1)], [100, Effect.fail(new Busy({ retryAfter: 0 }))]],
        ["ok:1", 900, 2]
      ],
      [
        "a throttled one alone is the result",
        none,
        [[100, Effect.fail(new Busy({ retryAfter: 0 }))]],
        ["Busy", 100, 1]
      ],
      [
        "gRFC A6: a pause that the callee asks for starts no other, and the one under way wins",
        none,
        [[900, ok(1)], [100, Effect.fail({ isRetryable: true, retryAfter: Duration.seconds(1) })]],
        ["ok:1", 900, 2]
      ],
      [
        "`classify` says otherwise",
        { ...none, classify: () => Fault.permanent },
        [[100, boom(1)]],
        ["Boom", 100, 1]
      ],
      [
        "`classify` may refuse a success",
        { ...none, classify: (exit) => Exit.isSuccess(exit) && exit.value === "" ? Fault.transient() : undefined },
        [[100, ok("")], [100, ok("full")]],
        ["ok:full", 200, 2]
      ]
    ]
    for (const [name, options, script, [exit, at, begun]] of table) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const result = yield* race(options, script)
          assert.deepStrictEqual([result.exit, result.at, result.begun.length], [exit, at, begun])
        }))
    }

    it.effect("if all fail, the error of the one that began first, as it was", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([[1000, boom(1)], [10, boom(2)], [10, boom(3)]])
        const error = yield* during(
          "1 minute",
          Effect.flip(effect.pipe(Hedge.makeUnsafe({ after: 500, maxHedges: 2 })))
        )
        assert.deepStrictEqual([error.n, begun], [1, [0, 500, 510]])
      }))

    it.effect("failures that come at once need no more than the attempts there are", () =>
      Effect.gen(function*() {
        const result = yield* race({ after: 0, maxHedges: 10 }, Array.from({ length: 11 }, (_, n) => [0, boom(n)]))
        assert.deepStrictEqual([result.exit, result.begun.length], ["Boom", 11])
      }))

    it.effect("a rejection by another policy inside does not end the race of the one under way", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe()
        const { begun, effect } = callee([[900, ok(1)]])
        const fiber = yield* fork(
          timed(effect.pipe(Policy.compose(Hedge.makeUnsafe({ after: 500, maxHedges: 2 }), breaker)))
        )
        yield* breaker.isolate
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(fiber), ["ok:1", 900])
        assert.strictEqual(begun.length, 1)
      }))
  })

  describe("losers", () => {
    it.effect("are interrupted, and the winner does not wait for their clean-up", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        let n = 0
        const call = Effect.suspend(() => {
          const attempt = ++n
          return (attempt === 1 ? Effect.never : Effect.as(Effect.sleep(10), attempt)).pipe(
            Effect.onInterrupt(() => Effect.andThen(Effect.sleep("1 minute"), Effect.sync(() => log.push("clean"))))
          )
        })
        const result = yield* during("1 second", timed(call.pipe(Hedge.makeUnsafe({ after: 100 }))))
        assert.deepStrictEqual([result, log], [["ok:2", 110], []])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(log, ["clean"])
      }))

    it.effect("a defect of their clean-up goes to telemetry, not to the caller", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        let n = 0
        const call = Effect.suspend(() => ++n === 1 ? Effect.ensuring(Effect.never, Effect.die("clean-up")) : ok("2nd"))
        const stack = Policy.compose(policy, Hedge.makeUnsafe({ name: "h", after: 100 }))
        assert.strictEqual(yield* during("1 second", call.pipe(stack)), "2nd")
        const died = events.find((event) => event._tag === "CleanupDied")!
        assert.deepInclude(died, { policy: "hedge", name: "h" })
        assert.strictEqual(Cause.squash(died.cause), "clean-up")
      }))

    it.effect("a success that comes too late is dropped", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        const call = effect((n) => n === 1 ? Effect.uninterruptible(Effect.as(Effect.sleep(500), 1)) : Effect.never)
        const both = effect((n) => n === 3 ? Effect.uninterruptible(Effect.as(Effect.sleep(500), 3)) : ok(n))
        assert.strictEqual(yield* during("1 second", call.pipe(Hedge.makeUnsafe({ after: 100 }))), 1)
        assert.deepStrictEqual(log, ["open1", "open2", "close1", "close2"])
        const fiber = yield* fork(timed(both.pipe(Hedge.makeUnsafe({ after: 100 }))))
        yield* TestClock.adjust(100)
        assert.strictEqual(outcome(fiber.pollUnsafe()!).startsWith("ok:ok:4"), true)
        assert.deepStrictEqual(log.slice(4), ["open3", "open4", "close4"])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(log.slice(4), ["open3", "open4", "close4", "close3"])
      }))

    it.effect("failsafe-go #65, #123: what the winner holds in the caller's scope lives on, a loser's is released", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        let n = 0
        const acquire = Effect.suspend(() => {
          const attempt = ++n
          return Effect.acquireRelease(Effect.succeed(attempt), () => Effect.sync(() => log.push(`close${attempt}`)))
            .pipe(Effect.delay(10), Effect.tap(attempt === 2 ? Effect.void : Effect.sleep(500)))
        })
        const hedge = Hedge.makeUnsafe({ after: 100 })
        const program = Effect.scoped(Effect.gen(function*() {
          log.push(`got${yield* hedge(acquire)}`)
          yield* Effect.sleep("1 second")
          log.push("done")
        }))
        yield* during("1 minute", program)
        assert.deepStrictEqual(log, ["close1", "got2", "done", "close2"])
      }))

    it.effect("failsafe-go #122, #134, #136: a scope that lives long keeps nothing of calls that hold nothing", () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const hedge = Hedge.makeUnsafe({ after: 100, maxHedges: 2 })
        const calls = Effect.gen(function*() {
          yield* hedge(Effect.void)
          yield* Effect.exit(hedge(boom(1)))
          yield* hedge(callee<string, never>([hang, [10, ok("2nd")]]).effect)
        })
        yield* during("1 minute", Scope.provide(calls, scope))
        assert.isTrue(
          scope.state._tag === "Empty" || (scope.state._tag === "Open" && !scope.state.finalizers?.size),
          "nothing is registered"
        )
      }))
  })

  describe("interruption", () => {
    it.effect("of the caller interrupts all attempts and waits for them", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second"))
        const fiber = yield* fork(effect(() => slow).pipe(Hedge.makeUnsafe({ after: 100, maxHedges: 2 })))
        yield* TestClock.adjust("1 second")
        const interrupting = yield* fork(Fiber.interrupt(fiber))
        yield* TestClock.adjust(999)
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "Interrupt")
        assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "close3", "open1", "open2", "open3"])
        yield* Fiber.await(interrupting)
      }))

    it.effect("during the delay begins no other attempt", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([hang, hang])
        const fiber = yield* fork(effect.pipe(Hedge.makeUnsafe({ after: 100 })))
        yield* TestClock.adjust(50)
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(begun.length, 1)
      }))

    it.effect("keeps the defects of the clean-up", () =>
      Effect.gen(function*() {
        const call = Effect.ensuring(Effect.never, Effect.die("clean-up"))
        const fiber = yield* fork(call.pipe(Hedge.makeUnsafe({ after: 100 })))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        const exit = fiber.pollUnsafe()!
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), outcome(exit))
      }))

    it.effect("of a caller by the attempt that it begins leaves none behind", () =>
      Effect.gen(function*() {
        const { effect, log } = logged()
        let caller: Fiber.Fiber<unknown, unknown> | undefined
        const call = effect((n) =>
          Effect.suspend(() => {
            if (n === 2) caller!.interruptUnsafe()
            return Effect.never
          })
        )
        caller = yield* fork(call.pipe(Hedge.makeUnsafe({ after: 100 })))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outcome(caller.pollUnsafe()!), "Interrupt")
        assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "open1", "open2"])
      }))

    it.effect("of the caller by a loser that ends, or by a listener, ends the call once", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight() })
        const hedge = Hedge.makeUnsafe({ after: "1 second", budget })
        for (const by of ["loser", "HedgeStarted", "HedgeSettled"]) {
          let caller: Fiber.Fiber<unknown, unknown> | undefined
          const leave = (who: string): void => {
            if (who === by) caller!.interruptUnsafe()
          }
          let n = 0
          const call = Effect.suspend(() =>
            ++n === 1
              ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => leave("loser")))
              : Effect.delay(ok(n), "1 second")
          )
          caller = yield* fork(call.pipe(hedge, Telemetry.listen((event) => leave(event._tag))))
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(outcome(caller.pollUnsafe()!), "Interrupt")
          assert.deepInclude(yield* budget.state, { calls: 0, held: 0 })
        }
      }))

    it.effect("of an attempt by the caller's timeout ends in time and leaves no fiber", () =>
      Effect.gen(function*() {
        let fibers = 0
        const counting: Metric.FiberRuntimeMetricsService = {
          recordFiberStart: () => void fibers++,
          recordFiberEnd: () => void fibers--
        }
        const stack = Policy.compose(Timeout.total("1 second"), Hedge.makeUnsafe({ after: 100, maxHedges: 5 }))
        const call = Effect.provideService(stack(Effect.never), Metric.FiberRuntimeMetrics, counting)
        assert.deepStrictEqual(yield* during("1 minute", timed(call)), ["TimeoutExceeded:total", 1000])
        assert.strictEqual(fibers, 0)
      }))
  })

  it.effect("an attempt that decides the race while another is being started leaves none behind", () =>
    Effect.gen(function*() {
      const { effect, log } = logged()
      const answer = yield* Deferred.make<string>()
      const call = effect((n) =>
        n === 1 ? Deferred.await(answer) : Effect.andThen(Deferred.succeed(answer, "1st"), Effect.never)
      )
      const result = yield* during("1 second", timed(call.pipe(Hedge.makeUnsafe({ after: 100 }))))
      assert.deepStrictEqual(result, ["ok:1st", 100])
      assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "open1", "open2"])
    }))

  it.effect("attempts see the caller's services, the deadline among them", () =>
    Effect.gen(function*() {
      const Tenant = Context.Reference<string>("test/Tenant", { defaultValue: () => "none" })
      const seen: Array<unknown> = []
      const call = Effect.gen(function*() {
        seen.push([yield* Tenant, yield* currentDeadline])
        return yield* Effect.never
      })
      const stack = Policy.compose(Timeout.total("5 seconds"), Hedge.makeUnsafe({ after: "1 second" }))
      yield* during("1 minute", Effect.exit(call.pipe(stack, Effect.provideService(Tenant, "a"))))
      assert.deepStrictEqual(seen, [["a", 5000], ["a", 5000]])
    }))

  describe("budget", () => {
    it.effect("failsafe-go #141: an exhausted budget begins nothing, and stops nothing that is under way", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const budget = RetryBudget.makeUnsafe({
          name: "b",
          funding: RetryBudget.inFlight({ minAttempts: 1, ratio: 0.01 })
        })
        const hedge = Hedge.makeUnsafe({ name: "h", after: 100, maxHedges: 5, budget })
        const { begun, effect } = callee([hang, hang, [0, ok("never")]])
        const first = yield* fork(effect.pipe(hedge))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(begun.length, 2)
        const other = callee([[500, ok("1st")]])
        assert.strictEqual(yield* during("1 second", other.effect.pipe(hedge, policy)), "1st")
        assert.deepStrictEqual(events, [
          { _tag: "BudgetExhausted", policy: "hedge", name: "h", budget: "b", attempt: 1 }
        ])
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual(yield* budget.state, { available: 1, calls: 0, held: 0 })
      }))

    it.effect("a failure with the budget used up is the result", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 2 }) })
        const { begun, effect } = callee([[10, boom(1)], [10, ok("2nd")]])
        const result = yield* during("1 second", timed(effect.pipe(Hedge.makeUnsafe({ after: 100, budget }))))
        assert.deepStrictEqual([result, begun.length], [["Boom", 10], 1])
      }))

    it.effect("a loser holds its part until it has really ended", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1 }) })
        let n = 0
        const call = Effect.suspend(() =>
          ++n === 1 ? Effect.as(Effect.sleep(200), 1) : Effect.uninterruptible(Effect.sleep("1 second"))
        )
        yield* during(200, call.pipe(Hedge.makeUnsafe({ after: 100, budget })))
        assert.deepStrictEqual(yield* budget.state, { available: 0, calls: 0, held: 1 })
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* budget.state, { available: 1, calls: 0, held: 0 })
      }))

    it.effect("a call that interrupts itself ends once, and waits for no loser", () =>
      Effect.gen(function*() {
        const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1 }) })
        let n = 0
        const call = Effect.suspend(() =>
          ++n === 1 ? Effect.delay(Effect.interrupt, 150) : Effect.uninterruptible(Effect.sleep("1 second"))
        )
        const result = yield* during("1 minute", timed(call.pipe(Hedge.makeUnsafe({ after: 100, budget }))))
        assert.deepStrictEqual(result, ["Interrupt", 150])
        assert.deepStrictEqual(yield* budget.state, { available: 1, calls: 0, held: 0 })
      }))

    it.effect("a callee that becomes slow is not called twice as often", () =>
      Effect.gen(function*() {
        const attempts = (budget: RetryBudget.RetryBudget | undefined) =>
          Effect.gen(function*() {
            let n = 0
            const call = Effect.suspend(() => {
              n++
              return Effect.sleep("1 second")
            })
            const hedge = Hedge.makeUnsafe({ after: 100, budget })
            yield* during(
              "1 minute",
              Effect.all(Array.from({ length: 1000 }, () => hedge(call)), { concurrency: "unbounded" })
            )
            return n
          })
        assert.strictEqual(yield* attempts(undefined), 2000)
        assert.strictEqual(
          yield* attempts(RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ ratio: 0.05, minPerSecond: 0 }) })),
          1050
        )
        assert.strictEqual(yield* attempts(RetryBudget.makeUnsafe()), 1049)
      }))
  })

  // failsafe-go, test/hedgepolicy_test.go
  describe("a delay that is learnt", () => {
    it.effect("hedges nothing by time before the warm-up, then what is slower than the others", () =>
      Effect.gen(function*() {
        const hedge = yield* Hedge.make({ after: { quantile: 0.95 } })
        let attempts = 0
        const call = (millis: number) =>
          during(
            "1 hour",
            hedge(Effect.suspend(() => {
              attempts++
              return Effect.sleep(millis)
            }))
          )
        for (let i = 0; i < 19; i++) yield* call(10)
        assert.deepStrictEqual(yield* hedge.state, { delay: Duration.infinity, answers: 19 })
        yield* call(200)
        assert.strictEqual(attempts, 20)
        for (let i = 0; i < 5; i++) yield* call(10)
        yield* call(200)
        assert.isAtLeast(attempts, 27)
        assert.isTrue(Duration.toMillis((yield* hedge.state).delay) < 15)
      }))

    it.effect("a first attempt that is beaten, fails or is interrupted is known only to take longer", () =>
      Effect.gen(function*() {
        const hedge = Hedge.makeUnsafe({ after: { quantile: 0.5, minCalls: 1, initialDelay: 100 } })
        yield* during("1 minute", hedge(callee<string, never>([hang, [10, ok("2nd")]]).effect))
        yield* during("1 minute", Effect.exit(hedge(Effect.fail(new Bad()))))
        const fiber = yield* fork(hedge(Effect.never))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* hedge.state, { delay: Duration.millis(100), answers: 0 })
        yield* during("1 minute", hedge(Effect.sleep(50)))
        assert.strictEqual((yield* hedge.state).answers, 1)
      }))
  })

  it.effect("tells of hedges and who won, and nothing of calls without one", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const stack = Policy.compose(policy, Hedge.makeUnsafe({ name: "h", after: 500, maxHedges: 2 }))
      yield* stack(Effect.void)
      assert.deepStrictEqual(events, [])
      yield* during("1 minute", stack(callee([[600, boom(1)], hang, [10, ok("3rd")]]).effect))
      const source = { policy: "hedge", name: "h" }
      assert.deepStrictEqual<unknown>(events, [
        { _tag: "HedgeStarted", ...source, attempt: 2, because: "delay", elapsed: Duration.millis(500) },
        { _tag: "HedgeStarted", ...source, attempt: 3, because: "failure", elapsed: Duration.millis(600) },
        { _tag: "HedgeSettled", ...source, attempts: 3, winner: 3, duration: Duration.millis(610) }
      ])
      events.length = 0
      yield* during("1 minute", Effect.exit(stack(callee([[10, boom(1)], [10, boom(2)], [10, boom(3)]]).effect)))
      assert.deepInclude(events.at(-1), { _tag: "HedgeSettled", attempts: 3, winner: undefined })
    }))

  it.effect("a listener that throws changes nothing", () =>
    Effect.gen(function*() {
      const throwing = Telemetry.listen(() => {
        throw new Error("listener")
      })
      const stack = Policy.compose(throwing, Hedge.makeUnsafe({ after: 100 }))
      const call = callee<string, never>([hang, [10, ok("2nd")]]).effect
      assert.strictEqual(yield* during("1 minute", stack(call)), "2nd")
    }))

  describe("streams", () => {
    it.effect("are raced to the first element; the loser is closed, the winner goes on", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream((n) =>
          n === 1 ? after("1 minute", "a1") : Stream.concat(after(10, `a${n}`), after("1 second", `b${n}`))
        )
        const seen: Array<string> = []
        const fiber = yield* fork(Stream.runForEach(
          source.pipe(Hedge.makeUnsafe({ after: 100 }).stream),
          (element) => Effect.sync(() => seen.push(element))
        ))
        yield* TestClock.adjust(110)
        assert.deepStrictEqual([seen, log], [["a2"], ["open1", "open2", "close1"]])
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual([seen, log], [["a2", "b2"], ["open1", "open2", "close1", "close2"]])
        assert.strictEqual(outcome(fiber.pollUnsafe()!), "ok:undefined")
      }))

    it.effect("a loser whose clean-up hangs does not hold up the winner", () =>
      Effect.gen(function*() {
        let n = 0
        const source = Stream.suspend(() =>
          ++n === 1 ? Stream.ensuring(Stream.never, Effect.sleep("1 minute")) : after(10, "b")
        )
        const result = yield* during(
          "1 second",
          Stream.runCollect(source.pipe(Hedge.makeUnsafe({ after: 100 }).stream))
        )
        assert.deepStrictEqual(result, ["b"])
      }))

    it.effect("a failure after the first element is the consumer's", () =>
      Effect.gen(function*() {
        let n = 0
        const source = Stream.suspend(() => {
          n++
          return Stream.concat(Stream.make(1), Stream.fail(new Boom({})))
        })
        const exit = yield* Effect.exit(Stream.runDrain(source.pipe(Hedge.makeUnsafe({ after: 0 }).stream)))
        assert.deepStrictEqual([outcome(exit), n], ["Boom", 1])
      }))

    it.effect("a stream that is empty has won", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(
          yield* Stream.runCollect(Stream.empty.pipe(Hedge.makeUnsafe({ after: 100 }).stream)),
          []
        )
      }))

    it.effect("a consumer that goes away closes all of them", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream(() => Stream.never).pipe(Hedge.makeUnsafe({ after: 100, maxHedges: 2 }).stream)
        const fiber = yield* fork(Stream.runDrain(source))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "close3", "open1", "open2", "open3"])
      }))

    it.effect("one that loses in the instant of winning is closed as well", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const source = stream((n) => after(n === 1 ? 200 : 100, n)).pipe(Hedge.makeUnsafe({ after: 100 }).stream)
        yield* during("1 second", Stream.runDrain(source))
        assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "open1", "open2"])
      }))
  })

  describe("alternatives", () => {
    const hedge = Hedge.makeUnsafe({ after: 100 })

    it.effect("the n-th attempt is the n-th of them", () =>
      Effect.gen(function*() {
        const call = Effect.never.pipe(Hedge.alternatives(hedge, [Effect.never, ok("c")]))
        assert.deepStrictEqual(yield* during("1 second", timed(call)), ["ok:c", 200])
      }))

    it.effect("the first answer, also if it is not theirs", () =>
      Effect.gen(function*() {
        const call = Effect.as(Effect.sleep(150), "a").pipe(Hedge.alternatives(hedge, [Effect.never]))
        assert.deepStrictEqual(yield* during("1 second", timed(call)), ["ok:a", 150])
      }))

    it.effect("what one endpoint cannot do now, the next one is asked at once", () =>
      Effect.gen(function*() {
        const open = CircuitBreaker.makeUnsafe()
        yield* open.isolate
        const call = Effect.fail(new Busy({ retryAfter: "1 hour" })).pipe(
          Hedge.alternatives(hedge, [open(Effect.never), boom(3), ok("d")])
        )
        assert.deepStrictEqual(yield* timed(call), ["ok:d", 0])
      }))

    it.effect("a permanent failure ends it, and if all fail the error is the first one's", () =>
      Effect.gen(function*() {
        const { begun, effect } = callee([[0, ok("b")]])
        const bad = Effect.fail(new Bad()).pipe(Hedge.alternatives(hedge, [effect]))
        assert.deepStrictEqual([yield* timed(bad), begun.length], [["Bad", 0], 0])
        const all = boom(1).pipe(Hedge.alternatives(hedge, [boom(2), Effect.fail(new Busy({ retryAfter: 1 }))]))
        assert.deepStrictEqual(yield* Effect.flip(all), new Boom({ n: 1 }))
      }))

    it.effect("streams, to the first element", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const east = stream(() => Stream.concat(after(10, "e1"), after(10, "e2")))
        const west = stream(() => Stream.never)
        const raced = west.pipe(Hedge.alternatives(hedge, [east]).stream)
        assert.deepStrictEqual(yield* during("1 second", Stream.runCollect(raced)), ["e1", "e2"])
        assert.deepStrictEqual(log.toSorted(), ["close1", "close2", "open1", "open2"])
      }))

    it("tell what they are", () => {
      assert.deepInclude(Hedge.alternatives(hedge, [ok(1), ok(2)]).info, {
        kind: "hedge alternatives",
        settings: { after: Duration.millis(100), maxHedges: 2, budget: undefined }
      })
    })
  })
})
