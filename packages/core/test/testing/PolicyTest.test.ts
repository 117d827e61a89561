import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import { Callee, PolicyTest } from "../../src/testing/index.ts"

const { during, outcome, timed } = PolicyTest

type Face = (policy: Policy.Policy<unknown, unknown>, self: Callee.Faces<unknown, unknown>) => Effect.Effect<string>

const faces: Readonly<Record<string, Face>> = {
  effect: (policy, self) => Effect.map(Effect.exit(policy(self.effect)), outcome),
  stream: (policy, self) => Effect.map(Effect.exit(Stream.runCollect(policy.stream(self.stream))), outcome)
}

const answering = () => Callee.script([Callee.forever(Callee.succeed("a"))])

for (const [face, through] of Object.entries(faces)) {
  describe(`PolicyTest, ${face}`, () => {
    it.effect("rejecting makes no call", () =>
      Effect.gen(function*() {
        const callee = Callee.script([])
        const policy = PolicyTest.rejecting("no")
        assert.deepStrictEqual([yield* through(policy, callee), yield* through(policy, callee)], ["no", "no"])
        assert.deepStrictEqual(callee.attempts, [])
      }))

    it.effect("failing fails as often as it is told, and then makes the calls", () =>
      Effect.gen(function*() {
        const callee = answering()
        const policy = PolicyTest.failing("first", "second")
        assert.deepStrictEqual(yield* Effect.replicateEffect(through(policy, callee), 4), [
          "first",
          "second",
          "ok:a",
          "ok:a"
        ])
        assert.strictEqual(callee.attempts.length, 2)
        const retried = Policy.compose(Retry.make({ schedule: Schedule.recurs(2) }), PolicyTest.failing("x", "y"))
        assert.strictEqual(yield* through(retried, callee), "ok:a")
      }))

    it.effect("an open circuit rejects, is half-open after its time, and closed when the test is over", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ open: "30 seconds" })
        const callee = answering()
        yield* Effect.scoped(Effect.gen(function*() {
          assert.strictEqual(yield* PolicyTest.open(breaker), breaker)
          assert.strictEqual(yield* through(breaker, callee), "CircuitOpen")
          assert.deepStrictEqual(callee.attempts, [])
          yield* TestClock.adjust("30 seconds")
          assert.strictEqual(yield* through(breaker, callee), "ok:a")
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.open(breaker, "1 hour")
          yield* TestClock.adjust("59 minutes")
          assert.strictEqual(yield* through(breaker, callee), "CircuitOpen")
        }))
        assert.strictEqual(yield* through(breaker, callee), "ok:a")
      }))

    it.effect("a half-open circuit lets its probes through", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ open: "30 seconds" })
        const callee = Callee.script([Callee.hang, Callee.fail("down")])
        yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.halfOpen(breaker)
          const probe = yield* Effect.forkChild(through(breaker, callee), { startImmediately: true })
          assert.strictEqual(yield* through(breaker, callee), "CircuitOpen")
          yield* Fiber.interrupt(probe)
          assert.strictEqual(yield* through(breaker, callee), "down")
          assert.strictEqual((yield* breaker.state)._tag, "Open")
        }))
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      }))

    it.effect("an isolated circuit rejects for as long as the test lasts", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe()
        yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.isolated(breaker)
          yield* TestClock.adjust("1 day")
          assert.strictEqual(yield* through(breaker, answering()), "CircuitOpen")
        }))
        assert.strictEqual(yield* through(breaker, answering()), "ok:a")
      }))

    for (const order of ["fifo", "lifo"] as const) {
      it.effect(`a full bulkhead rejects at once, with a queue as well (${order})`, () =>
        Effect.gen(function*() {
          const bulkhead = Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 5, order })
          yield* Effect.scoped(Effect.gen(function*() {
            yield* PolicyTest.full(bulkhead)
            assert.deepStrictEqual(yield* bulkhead.state, { inUse: 3, queued: 0, concurrency: 3 })
            for (let n = 0; n < 3; n++) {
              assert.strictEqual(yield* through(bulkhead, Callee.script([])), "BulkheadRejected")
            }
          }))
          assert.strictEqual(yield* through(bulkhead, answering()), "ok:a")
          assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 3 })
          assert.strictEqual(bulkhead.info.settings["maxQueue"], 5)
        }))
    }

    it.effect("a busy bulkhead lets calls wait, which go on when the test is over", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 2, maxWait: "10 seconds" })
        const callee = answering()
        yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.busy(bulkhead)
          assert.strictEqual(yield* during(through(bulkhead, callee), "10 seconds"), "BulkheadRejected")
          assert.strictEqual((yield* bulkhead.state).inUse, 2)
        }))
        const waiting = yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.busy(bulkhead)
          return yield* Effect.forkChild(through(bulkhead, callee), { startImmediately: true })
        }))
        assert.strictEqual(yield* Fiber.join(waiting), "ok:a")
      }))

    it.effect("a bulkhead with calls under way becomes full, and stays so when they end", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 2 })
        const callee = Callee.script([Callee.succeed("a", { after: "1 second" })])
        const under = yield* Effect.forkChild(through(bulkhead, callee), { startImmediately: true })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* PolicyTest.full(bulkhead)
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(yield* Fiber.join(under), "ok:a")
          assert.strictEqual(yield* through(bulkhead, Callee.script([])), "BulkheadRejected")
        }))
        assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 2 })
      }))

    for (
      const [kind, limit] of Object.entries({
        "token bucket": RateLimiter.tokenBucket({ limit: 10, within: "1 minute" }),
        "gcra": RateLimiter.gcra({ limit: 10, within: "1 minute", burst: 5 }),
        "sliding window": RateLimiter.slidingWindow({ limit: 10, within: "1 minute" }),
        "fixed window": RateLimiter.fixedWindow({ limit: 10, within: "1 minute" })
      })
    ) {
      it.effect(`an exhausted limiter has no room, and gets it back (${kind})`, () =>
        Effect.gen(function*() {
          const limiter = RateLimiter.makeUnsafe({ limit })
          yield* TestClock.adjust("2 minutes")
          const before = yield* limiter.available
          yield* Effect.scoped(Effect.gen(function*() {
            yield* PolicyTest.exhausted(limiter)
            assert.strictEqual(yield* through(limiter, Callee.script([])), "RateLimiterRejected")
          }))
          assert.deepStrictEqual(yield* limiter.available, before)
          yield* Effect.scoped(Effect.gen(function*() {
            yield* PolicyTest.exhausted(limiter)
            yield* TestClock.adjust("2 minutes")
            assert.strictEqual(yield* through(limiter, answering()), "ok:a")
          }))
          yield* TestClock.adjust("2 minutes")
          assert.deepStrictEqual(yield* limiter.available, before)
        }))
    }
  })
}

describe("PolicyTest", () => {
  it.effect("every dimension of a limiter is exhausted, also one that has no room", () =>
    Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({
        limits: {
          requests: RateLimiter.fixedWindow({ limit: 10, within: "1 minute" }),
          tokens: RateLimiter.tokenBucket({ limit: 1000, within: "1 minute" })
        }
      })
      yield* limiter.take({ requests: 10, tokens: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* PolicyTest.exhausted(limiter)
        assert.deepStrictEqual(yield* limiter.available, { requests: 0, tokens: 0 })
      }))
      assert.deepStrictEqual(yield* limiter.available, { requests: 0, tokens: 999 })
    }))

  describe("gives a breaker back as it was", () => {
    const opened = (times: number) => (breaker: CircuitBreaker.CircuitBreaker) =>
      Effect.replicateEffect(breaker.open(), times)
    const table: Readonly<
      Record<string, (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<unknown>>
    > = {
      closed: () => Effect.void,
      open: opened(1),
      "open for the third time": opened(3),
      "half-open": (breaker) => Effect.andThen(breaker.open("1 second"), TestClock.adjust("1 second")),
      isolated: (breaker) => breaker.isolate,
      "metrics only": (breaker) => breaker.observe,
      disabled: (breaker) => breaker.disable
    }
    const states: Readonly<
      Record<string, (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<unknown, never, Scope.Scope>>
    > = {
      open: PolicyTest.open,
      halfOpen: PolicyTest.halfOpen,
      isolated: PolicyTest.isolated
    }
    for (const initial of ["Closed", "Open", "HalfOpen", "Isolated"] as const) {
      for (const [before, put] of Object.entries(table)) {
        for (const [state, enter] of Object.entries(states)) {
          it.effect(`${before}, after ${state} (made ${initial})`, () =>
            Effect.gen(function*() {
              const breaker = CircuitBreaker.makeUnsafe({ open: "1 minute", initial })
              if (before === "closed") yield* breaker.close
              yield* put(breaker)
              const expected = yield* breaker.state
              yield* Effect.scoped(enter(breaker))
              assert.deepStrictEqual(yield* breaker.state, expected)
            }))
        }
      }
    }

    it.effect("the time that it is open goes on", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ open: "1 minute" })
        yield* breaker.open()
        yield* Effect.scoped(Effect.andThen(PolicyTest.isolated(breaker), TestClock.adjust("20 seconds")))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(40) })
        yield* Effect.scoped(Effect.andThen(PolicyTest.isolated(breaker), TestClock.adjust("41 seconds")))
        assert.strictEqual((yield* breaker.state)._tag, "HalfOpen")
      }))

    it.effect("the next opening lasts as long as if there had been no test", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe()
        yield* Effect.replicateEffect(Effect.scoped(PolicyTest.open(breaker)), 3)
        yield* breaker.open()
        assert.deepInclude(yield* breaker.state, { retryAfter: Duration.seconds(10), openings: 1 })
      }))

    it.effect("a test that fails or is interrupted leaves no state behind", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe()
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 2 })
        const both = Effect.andThen(PolicyTest.isolated(breaker), PolicyTest.full(bulkhead))
        yield* Effect.exit(Effect.scoped(Effect.andThen(both, Effect.die("bug"))))
        const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(both, Effect.never)), {
          startImmediately: true
        })
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
        assert.strictEqual((yield* bulkhead.state).inUse, 0)
      }))
  })

  class Breaker extends Context.Service<Breaker, CircuitBreaker.CircuitBreaker>()("test/Breaker") {}

  it.effect("takes a service, which may be made for the test", () =>
    Effect.gen(function*() {
      const call = Effect.flatMap(Breaker, (breaker) => breaker(Effect.succeed("a")))
      const fresh = Layer.effect(Breaker, PolicyTest.open(CircuitBreaker.make({ name: "fresh" })))
      const used = Layer.succeed(Breaker, CircuitBreaker.makeUnsafe())
      const put = Layer.provideMerge(Layer.effectDiscard(PolicyTest.isolated(Breaker)), used)
      for (const layer of [fresh, put]) {
        assert.strictEqual(outcome(yield* Effect.exit(Effect.provide(call, layer))), "CircuitOpen")
      }
    }))

  it.effect("takes an instance of a Keyed, and the breaker of a pipeline", () =>
    Effect.gen(function*() {
      const keyed = Keyed.makeUnsafe({ lookup: () => CircuitBreaker.makeUnsafe() })
      const pipeline = Pipelines.makeStandardUnsafe()
      yield* PolicyTest.open(keyed.get("a"))
      yield* PolicyTest.open(pipeline.breaker)
      const ends = [keyed.for("a"), keyed.for("b"), pipeline].map((policy) =>
        Effect.exit(PolicyTest.through("effect", policy, answering()))
      )
      assert.deepStrictEqual((yield* Effect.all(ends)).map(outcome), ["CircuitOpen", "ok:a", "CircuitOpen"])
    }))

  describe("during", () => {
    it.effect("gives the result, or the failure", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Effect.delay(Effect.succeed(1), "1 hour").pipe(during("1 hour")), 1)
        assert.strictEqual(yield* Effect.flip(during(Effect.delay(Effect.fail("down"), 10), 10)), "down")
        assert.deepStrictEqual(yield* timed(Effect.succeed("now")), ["ok:now", 3_600_010])
      }))

    it.effect("says so when it was not long enough", () =>
      Effect.gen(function*() {
        const callee = Callee.script([Callee.hang])
        const exit = yield* Effect.exit(Effect.scoped(during(callee.effect, "1 minute")))
        assert.include(String(Exit.isFailure(exit) && exit.cause), "after 1m it is still running")
        assert.deepStrictEqual(callee.outcomes, ["Interrupted"])
      }))
  })
})
