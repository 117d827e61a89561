import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { during, fork, now, outcome, recorder, timed } from "./support/harness.ts"

const perSecond = (limit: number): RateLimiter.Limit => RateLimiter.tokenBucket({ limit, within: "1 second" })

/** One every 100 ms. */
const spaced = (options: RateLimiter.Options = {}): RateLimiter.RateLimiter =>
  RateLimiter.makeUnsafe({
    limit: RateLimiter.gcra({ limit: 10, within: "1 second" }),
    maxWait: "1 minute",
    ...options
  })

const perMinute = (limit: number): RateLimiter.Limit => RateLimiter.tokenBucket({ limit, within: "1 minute" })

const both = (options: RateLimiter.Options = {}) =>
  RateLimiter.makeUnsafe({ limits: { requests: perMinute(60), tokens: perMinute(6000) }, ...options })

const times = <A>(n: number, f: (i: number) => Effect.Effect<A>): Effect.Effect<Array<A>> =>
  Effect.forEach(Array.from({ length: n }, (_, i) => i), f)

/** Callers of the limiter that come in this order; each tells when it was let through, or why it was not. */
const callers = (n: number, policy: Policy.Policy<unknown, unknown>) => times(n, () => fork(timed(policy(Effect.void))))

const waiting = <D extends string>(limiter: RateLimiter.RateLimiter<D>): Effect.Effect<number> =>
  Effect.map(limiter.state, ({ waiting }) => waiting)

const atOf = (pairs: ReadonlyArray<readonly [string, number]>): ReadonlyArray<number> => pairs.map(([, at]) => at)

const runs = { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 25) }, timeout: 600_000 }

describe("RateLimiter", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(
      () => RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 1, within: 1 }), maxWait: Number.NaN }),
      "RateLimiter.make: maxWait must be a duration >= 0, got NaN"
    )
    assert.throws(() => perSecond(0), "RateLimiter.tokenBucket: limit must be an integer >= 1, got 0")
    assert.throws(
      () => RateLimiter.tokenBucket({ limit: 1, within: 0 }),
      "RateLimiter.tokenBucket: within must be a finite duration > 0, got 0"
    )
    assert.throws(
      () => RateLimiter.tokenBucket({ limit: 1, within: 1, capacity: 0.5 }),
      "RateLimiter.tokenBucket: capacity must be an integer >= 1, got 0.5"
    )
    assert.throws(
      () => RateLimiter.gcra({ limit: 1, within: 1, burst: 0 }),
      "RateLimiter.gcra: burst must be an integer >= 1, got 0"
    )
    assert.throws(() => spaced({ maxWait: -1 }), "RateLimiter.make: maxWait must be a duration >= 0, got -1")
    assert.throws(
      () => spaced({ maxWait: 0, maxQueue: 5 }),
      "RateLimiter.make: maxQueue must be left out where no call waits (maxWait is 0), got 5"
    )
    assert.throws(() => spaced({ maxQueue: -1 }), "RateLimiter.make: maxQueue must be an integer >= 1, got -1")
    assert.throws(
      () => RateLimiter.makeUnsafe({ limits: {} }),
      "RateLimiter.make: limits must be given by either limit or limits, got \"none\""
    )
    assert.throws(() => spaced().cost(-1), "RateLimiter.cost: calls must be a number >= 0, got -1")
    assert.throws(() => spaced().cost(Number.NaN), "RateLimiter.cost: calls must be a number >= 0, got NaN")
    assert.throws(
      () => both().cost({ token: 1 } as {}),
      "RateLimiter.cost: dimension must be one of requests, tokens, got \"token\""
    )
    assert.throws(
      () => both().cost(1 as unknown as { tokens: number }),
      "RateLimiter.cost: cost must be given by dimension: requests, tokens, got 1"
    )
    assert.throws(
      () => spaced().reconfigure(RateLimiter.fixedWindow({ limit: 1, within: 1 })),
      "RateLimiter.reconfigure: calls must be of the kind that it is, gcra, got \"fixed-window\""
    )
  })

  it("explains itself", () => {
    assert.strictEqual(
      Policy.explain(both({ name: "openai", maxWait: "10 seconds" })),
      "rate-limiter \"openai\" (requests: 60 per 1m (token bucket of 60), tokens: 6000 per 1m (token bucket of 6000), "
        + "maxWait: 10s, maxQueue: 1000)"
    )
    assert.strictEqual(
      Policy.explain(RateLimiter.makeUnsafe({ limit: RateLimiter.slidingWindow({ limit: 5, within: 100 }) }).cost(2)),
      "rate-limiter (cost: 2 calls, calls: 5 per 100ms (sliding-window))"
    )
  })

  const limits: ReadonlyArray<RateLimiter.Limit> = [
    perSecond(10),
    RateLimiter.gcra({ limit: 10, within: "1 second", burst: 10 }),
    RateLimiter.slidingWindow({ limit: 10, within: "1 second" }),
    RateLimiter.fixedWindow({ limit: 10, within: "1 second" })
  ]
  for (const limit of limits) {
    describe(limit.kind, () => {
      it.effect("of a thousand callers at once exactly as many run as there is room for", () =>
        Effect.gen(function*() {
          const limiter = yield* RateLimiter.make({ limit })
          let ran = 0
          const call = limiter(Effect.sync(() => ran++))
          const exits = yield* Effect.forEach(
            Array.from({ length: 1000 }),
            () => Effect.exit(Effect.andThen(Effect.yieldNow, call)),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(ran, 10)
          assert.strictEqual(exits.map(outcome).filter((word) => word === "RateLimiterRejected").length, 990)
          assert.deepStrictEqual(yield* limiter.available, { calls: 0 })
        }))

      it.effect("of those who may wait, as many in every second as the rate says, in order", () =>
        Effect.gen(function*() {
          const limiter = yield* RateLimiter.make({ limit, maxWait: "1 hour" })
          const ran: Array<readonly [number, number]> = []
          const fibers = yield* times(200, (i) => fork(limiter(Effect.map(now, (at) => ran.push([i, at])))))
          yield* TestClock.adjust("2 minutes")
          yield* Fiber.joinAll(fibers)
          assert.deepStrictEqual(ran.map(([i]) => i), Array.from({ length: 200 }, (_, i) => i))
          const second = (n: number) => ran.filter(([, at]) => n - 1 < at / 1000 && at / 1000 <= n).length
          assert.deepStrictEqual(Array.from({ length: 20 }, (_, n) => second(n)), Array.from({ length: 20 }, () => 10))
          assert.strictEqual(ran.at(-1)![1], 19_000)
          assert.strictEqual(yield* waiting(limiter), 0)
        }))

      it.effect("retryAfter is when it is let through, not before", () =>
        Effect.gen(function*() {
          const limiter = yield* RateLimiter.make({ limit })
          yield* limiter.cost(10)(Effect.void)
          const { retryAfter } = yield* Effect.flip(limiter.cost(7)(Effect.void))
          yield* TestClock.adjust(Duration.subtract(retryAfter, Duration.millis(1)))
          assert.strictEqual(outcome(yield* Effect.exit(limiter.cost(7)(Effect.void))), "RateLimiterRejected")
          yield* TestClock.adjust(1)
          yield* limiter.cost(7)(Effect.void)
        }))
    })
  }

  it.effect("with a burst of 2, timers of whole milliseconds cost nothing of the rate", () =>
    Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({
        limit: RateLimiter.gcra({ limit: 3, within: "1 second", burst: 2 }),
        maxWait: "1 minute"
      })
      const fibers = yield* callers(62, limiter)
      yield* TestClock.adjust("1 minute")
      const at = atOf(yield* Fiber.joinAll(fibers))
      assert.deepStrictEqual([at[2], at[3], at[4], at[61]], [334, 667, 1000, 20_000])
    }))

  describe("rejection", () => {
    it.effect("says in which dimension there is no room, and when there will be", () =>
      Effect.gen(function*() {
        const limiter = both({ name: "openai" })
        yield* limiter.cost({ tokens: 5500 })(Effect.void)
        const error = yield* Effect.flip(limiter.cost({ tokens: 600 })(Effect.die("called")))
        assert.deepInclude(error, {
          _tag: "RateLimiterRejected",
          policyName: "openai",
          reason: "wait",
          dimension: "tokens",
          retryAfter: Duration.seconds(1)
        })
        assert.strictEqual(error.message, "rate limit \"openai\": no room for more tokens, try again in 1s")
        assert.isTrue(RateLimiter.isRateLimiterRejected(error))
        assert.deepStrictEqual(Fault.ofError(error), Fault.rejected({ retryAfter: "1 second" }))
      }))

    it.effect("takes nothing from any dimension", () =>
      Effect.gen(function*() {
        const limiter = both()
        yield* limiter.cost({ tokens: 5500 })(Effect.void)
        yield* times(10, () => Effect.exit(limiter.cost({ tokens: 600 })(Effect.void)))
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: 500 })
        yield* limiter.cost({ requests: 0, tokens: 500 })(Effect.void)
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: 0 })
      }))

    it.effect("at once and for good when it costs more than there ever is room for", () =>
      Effect.gen(function*() {
        for (const limiter of [both(), both({ maxWait: "Infinity" })]) {
          const error = yield* Effect.flip(limiter.cost({ tokens: 6001 })(Effect.void))
          assert.deepInclude(error, { reason: "cost", dimension: "tokens", retryAfter: Duration.infinity })
          assert.strictEqual(error.message, "rate limit: more tokens in one call than there ever is room for")
          assert.deepStrictEqual(yield* limiter.available, { requests: 60, tokens: 6000 })
        }
        let calls = 0
        const counted = Effect.andThen(Effect.sync(() => calls++), spaced().cost(2)(Effect.void))
        yield* Effect.exit(Retry.make({ rejected: true, times: 5 })(counted))
        assert.strictEqual(calls, 1, "not even a retry of rejections tries again")
      }))

    it.effect("never counts against the callee", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxWait: 0 })
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        yield* times(10, () => Effect.exit(Effect.void.pipe(limiter, breaker)))
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
      }))

    it.effect("a retry that is told to waits as long as the limiter says", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxWait: 0 })
        yield* limiter(Effect.void)
        const [word, at] = yield* during("1 second", timed(Retry.make({ rejected: true })(limiter(Effect.succeed(1)))))
        assert.strictEqual(word, "ok:1")
        assert.isAtLeast(at, 100)
      }))
  })

  describe("waiting", () => {
    it.effect("is bounded: who would wait longer than maxWait is refused at once", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxWait: "250 millis" })
        const fibers = yield* callers(5, limiter)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.joinAll(fibers), [
          ["ok:undefined", 0],
          ["ok:undefined", 100],
          ["ok:undefined", 200],
          ["RateLimiterRejected", 0],
          ["RateLimiterRejected", 0]
        ])
      }))

    it.effect("exactly maxWait is not too long", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxWait: "200 millis" })
        const fibers = yield* callers(4, limiter)
        yield* TestClock.adjust("1 second")
        const words = (yield* Fiber.joinAll(fibers)).map(([word]) => word)
        assert.deepStrictEqual(words, ["ok:undefined", "ok:undefined", "ok:undefined", "RateLimiterRejected"])
      }))

    it.effect("so is the number of those who wait", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxQueue: 2 })
        yield* callers(3, limiter)
        const error = yield* Effect.flip(limiter(Effect.void))
        assert.deepInclude(error, { reason: "queue", retryAfter: Duration.millis(300) })
        yield* TestClock.adjust("100 millis")
        yield* callers(1, limiter)
        assert.strictEqual(yield* waiting(limiter), 2)
      }))

    it.effect("does not begin when it cannot end before the deadline", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        yield* limiter(Effect.void)
        const inTime = yield* fork(timed(Timeout.total("102 millis")(limiter(Effect.void))))
        const late = yield* Effect.flip(Timeout.total("200 millis")(limiter(Effect.die("called"))))
        assert.deepInclude(late, { _tag: "RateLimiterRejected", reason: "deadline", retryAfter: Duration.millis(200) })
        assert.strictEqual(yield* now, 0)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(inTime), ["ok:undefined", 100])
      }))

    it.effect("a large cost is not starved by small ones (Effect's Semaphore: it is)", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: perSecond(10), maxWait: "1 minute" })
        yield* limiter.cost(10)(Effect.void)
        const large = yield* fork(timed(limiter.cost(10)(Effect.void)))
        const small = yield* times(20, (i) => fork(timed(Effect.andThen(Effect.sleep(i * 50), limiter(Effect.void)))))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(large), ["ok:undefined", 1000])
        assert.isAbove(Math.min(...atOf(yield* Fiber.joinAll(small))), 1000)
      }))

    it.effect("a newcomer does not overtake in the instant in which there is room (cockatiel #112)", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        const log: Array<string> = []
        yield* limiter(Effect.void)
        yield* fork(Effect.andThen(Effect.sleep("100 millis"), limiter(Effect.sync(() => log.push("newcomer")))))
        yield* fork(limiter(Effect.sync(() => log.push("waiter"))))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(log, ["waiter", "newcomer"])
      }))

    it.effect("who goes away takes nothing; the others keep their order and move up (effect's own: they wait for it)", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        const fibers = yield* callers(6, limiter)
        for (const gone of [1, 3]) yield* Fiber.interrupt(fibers[gone]!)
        assert.strictEqual(yield* waiting(limiter), 3)
        yield* TestClock.adjust("1 second")
        const stayed = fibers.filter((_, i) => i !== 1 && i !== 3)
        assert.deepStrictEqual(atOf(yield* Fiber.joinAll(stayed)), [0, 100, 200, 300])
      }))

    it.effect("five who went away do not make the next one wait (effect's own: 6 s)", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: perSecond(1), maxWait: "1 minute" })
        yield* limiter(Effect.void)
        yield* Fiber.interruptAll(yield* callers(5, limiter))
        assert.deepStrictEqual(yield* during("1 minute", timed(limiter(Effect.void))), ["ok:undefined", 1000])
      }))

    it.effect("the last one goes away: nothing is left", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        const fibers = yield* callers(50, limiter)
        yield* Fiber.interruptAll(fibers)
        assert.deepStrictEqual(yield* limiter.state, { waiting: 0, limits: { calls: { available: 0, capacity: 1 } } })
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(yield* limiter.available, { calls: 1 })
      }))

    it.effect("one that is let through in the instant in which it goes away gives back", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        const charge = yield* limiter.take()
        const leaving = yield* fork(
          // its clean-up then waits for the scheduler, and the queue does not know yet that nobody is there
          limiter(Effect.die("called")).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, 4))
        )
        yield* Effect.yieldNow
        assert.strictEqual(yield* waiting(limiter), 1)
        leaving.interruptUnsafe()
        yield* charge.settle(0)
        assert.deepStrictEqual(yield* limiter.state, { waiting: 0, limits: { calls: { available: 0, capacity: 1 } } })
        assert.strictEqual(outcome(yield* Fiber.await(leaving)), "Interrupt")
        assert.deepStrictEqual(yield* limiter.available, { calls: 1 })
      }))

    it.effect("one that is interrupted by whoever is told of it gives back as well", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({
          limit: RateLimiter.fixedWindow({ limit: 1, within: "1 second" }),
          maxWait: "1 minute"
        })
        yield* Effect.void.pipe(limiter)
        const waiter: Fiber.Fiber<void, unknown> = yield* fork(
          Effect.void.pipe(limiter, Telemetry.listen(() => waiter.interruptUnsafe()))
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outcome(waiter.pollUnsafe()!), "Interrupt")
        assert.deepStrictEqual(yield* limiter.available, { calls: 1 })
      }))

    it.effect("one that takes the next along when it is let through does not break the queue", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        yield* limiter(Effect.void)
        let ran = 0
        yield* fork(limiter(Effect.sync(() => second.interruptUnsafe())))
        const second = yield* fork(limiter(Effect.sync(() => void ran++)))
        const third = yield* fork(timed(limiter(Effect.void)))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(third), ["ok:undefined", 200])
        assert.strictEqual(ran, 0)
      }))

    it.effect("a callee that interrupts itself has been let through, and stays charged", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        assert.strictEqual(outcome(yield* Effect.exit(limiter(Effect.interrupt))), "Interrupt")
        assert.deepStrictEqual(yield* limiter.available, { calls: 0 })
      }))

    it.effect("a chain of 20,000 callers who let each other through does not grow the stack", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: perMinute(1), maxWait: "Infinity", maxQueue: 20_000 })
        const free = limiter.settle(1, () => 0)
        yield* limiter(Effect.void)
        let ran = 0
        const fibers = yield* times(20_000, () => fork(free(Effect.sync(() => void ran++))))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.joinAll(fibers)
        assert.strictEqual(ran, 20_000)
      }))
  })

  describe("settle", () => {
    const estimated = (limiter: ReturnType<typeof both>) =>
      limiter.settle({ tokens: 1000 }, (used: number) => used < 0 ? undefined : { tokens: used })

    it.effect("gives back what an estimate was too high", () =>
      Effect.gen(function*() {
        const limiter = both()
        assert.strictEqual(yield* estimated(limiter)(Effect.succeed(400)), 400)
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: 5600 })
      }))

    it.effect("charges what it was too low; those who come later pay", () =>
      Effect.gen(function*() {
        const limiter = both()
        yield* estimated(limiter)(Effect.succeed(6100))
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: -100 })
        const error = yield* Effect.flip(limiter(Effect.void))
        assert.deepInclude(error, { dimension: "tokens", retryAfter: Duration.millis(1010) })
      }))

    it.effect("a failure, and a result that does not say, stay charged", () =>
      Effect.gen(function*() {
        const limiter = both()
        yield* Effect.exit(estimated(limiter)(Effect.fail("down")))
        yield* estimated(limiter)(Effect.succeed(-1))
        assert.deepStrictEqual(yield* limiter.available, { requests: 58, tokens: 4000 })
      }))

    it.effect("what time has given back is not given back twice", () =>
      Effect.gen(function*() {
        const limiter = both()
        yield* during("1 minute", estimated(limiter)(Effect.as(Effect.sleep("1 minute"), 0)))
        assert.deepStrictEqual(yield* limiter.available, { requests: 60, tokens: 6000 })
        yield* limiter.cost({ tokens: 6000 })(Effect.void)
        const charge = yield* Effect.flip(limiter.take({ tokens: 1 }))
        assert.strictEqual(charge.dimension, "tokens")
      }))

    it.effect("lets those through who waited for the room, and refuses those who now would wait too long", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: perSecond(10), maxWait: "1 second" })
        const [cheap, dear] = [yield* limiter.take(5), yield* limiter.take(5)]
        const first = yield* fork(timed(limiter.cost(5)(Effect.void)))
        const second = yield* fork(timed(limiter.cost(5)(Effect.void)))
        yield* TestClock.adjust("100 millis")
        yield* cheap.settle(1)
        assert.deepStrictEqual(
          outcome(yield* Fiber.join(first).pipe(Effect.map(([, at]) => at), Effect.exit)),
          "ok:100"
        )
        yield* dear.settle(11)
        assert.deepStrictEqual(yield* Fiber.join(second), ["RateLimiterRejected", 100])
      }))

    it.effect("once: a second time changes nothing", () =>
      Effect.gen(function*() {
        const limiter = both()
        const charge = yield* limiter.take({ tokens: 1000 })
        yield* charge.settle({ tokens: 400 })
        yield* charge.settle({ tokens: 0 })
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: 5600 })
      }))

    it.effect("waits like any call", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        yield* limiter.take()
        const settled = limiter.settle(1, () => 0)
        assert.deepStrictEqual(yield* during("1 second", timed(settled(Effect.succeed("done")))), ["ok:done", 100])
        assert.deepStrictEqual(yield* limiter.available, { calls: 1 })
      }))

    it.effect("a stream is settled with what it said last, however it ends", () =>
      Effect.gen(function*() {
        const limiter = both()
        const elements = Stream.make(100, 300, -1)
        yield* Stream.runDrain(elements.pipe(estimated(limiter).stream))
        assert.deepStrictEqual(yield* limiter.available, { requests: 59, tokens: 5700 })
        yield* Effect.exit(
          Stream.runDrain(Stream.concat(elements, Stream.fail("reset")).pipe(estimated(limiter).stream))
        )
        assert.deepStrictEqual(yield* limiter.available, { requests: 58, tokens: 5400 })
        yield* Stream.runDrain(Stream.concat(elements, Stream.never).pipe(estimated(limiter).stream, Stream.take(1)))
        assert.deepStrictEqual(yield* limiter.available, { requests: 57, tokens: 5100 })
        yield* Stream.runDrain(Stream.never.pipe(estimated(limiter).stream, Stream.interruptWhen(Effect.void)))
        assert.deepStrictEqual(yield* limiter.available, { requests: 56, tokens: 4100 })
      }))

    it.effect("a stream at its end, although the scope that it was pulled in stays open", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limit: RateLimiter.fixedWindow({ limit: 10, within: "1 hour" }) })
        const pull = yield* Stream.toPull(Stream.make(3).pipe(limiter.settle(5, (n: number) => n).stream))
        assert.deepStrictEqual(yield* pull, [3])
        assert.deepStrictEqual(yield* limiter.available, { calls: 5 })
        yield* Effect.exit(pull)
        assert.deepStrictEqual(yield* limiter.available, { calls: 7 })
      }))
  })

  describe("stream", () => {
    it.effect("is charged when it is opened, once; the wait is before the first element", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        let opened = 0
        const stream = Stream.unwrap(Effect.sync(() => {
          opened++
          return Stream.make(1, 2, 3)
        })).pipe(limiter.stream)
        yield* limiter(Effect.void)
        const fiber = yield* fork(Effect.zip(Stream.runCollect(stream), now))
        yield* TestClock.adjust("99 millis")
        assert.strictEqual(opened, 0)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(fiber), [[1, 2, 3], 100])
        assert.strictEqual(opened, 1)
      }))

    it.effect("is refused before it is opened", () =>
      Effect.gen(function*() {
        const limiter = spaced({ maxWait: 0 })
        yield* Stream.runDrain(Stream.make(1).pipe(limiter.cost(1).stream))
        const error = yield* Effect.flip(Stream.runDrain(Stream.die("opened").pipe(limiter.stream)))
        assert.deepInclude(error, { _tag: "RateLimiterRejected", retryAfter: Duration.millis(100) })
      }))

    it.effect("a consumer that goes away while waiting takes nothing", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        yield* limiter(Effect.void)
        const fiber = yield* fork(Stream.runDrain(Stream.make(1).pipe(limiter.stream)))
        assert.strictEqual(yield* waiting(limiter), 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* waiting(limiter), 0)
      }))

    it.effect("knows the deadline as well", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        yield* limiter(Effect.void)
        const stream = Stream.make(1).pipe(limiter.stream, Timeout.total("50 millis").stream)
        assert.deepInclude(yield* Effect.flip(Stream.runDrain(stream)), { reason: "deadline" })
      }))
  })

  describe("reconfigure", () => {
    it.effect("keeps what was used, and lets those who wait through earlier (resilience4j: R3)", () =>
      Effect.gen(function*() {
        const limiter = spaced()
        const fibers = yield* callers(3, limiter)
        yield* TestClock.adjust("50 millis")
        yield* limiter.reconfigure(RateLimiter.gcra({ limit: 20, within: "1 second" }))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(atOf(yield* Fiber.joinAll(fibers)), [0, 75, 125])
        assert.include(Policy.explain(limiter), "calls: 20 per 1s")
      }))

    it.effect("refuses those whose turn now comes too late, or never", () =>
      Effect.gen(function*() {
        const limiter = RateLimiter.makeUnsafe({ limits: { requests: perSecond(10) }, maxWait: "500 millis" })
        yield* limiter.cost(10)(Effect.void)
        const fibers = yield* Effect.forEach(
          [2, 6, 2],
          (cost) => fork(Effect.map(Effect.flip(limiter.cost(cost)(Effect.void)), ({ reason }) => reason))
        )
        assert.strictEqual(outcome(yield* Fiber.await(fibers[1]!)), "ok:wait")
        yield* limiter.reconfigure({ requests: RateLimiter.tokenBucket({ limit: 4, within: "1 second", capacity: 1 }) })
        assert.strictEqual(outcome(yield* Fiber.await(fibers[0]!)), "ok:cost")
        assert.strictEqual(outcome(yield* Fiber.await(fibers[2]!)), "ok:cost")
        assert.strictEqual(yield* waiting(limiter), 0)
      }))
  })

  it.effect("one who is refused and takes the next one along does not break the queue", () =>
    Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({ limit: perSecond(10), maxWait: "1 second" })
      const charge = yield* limiter.take(10)
      yield* fork(Effect.onExit(limiter.cost(6)(Effect.void), () => Effect.sync(() => second.interruptUnsafe())))
      const second = yield* fork(limiter.cost(2)(Effect.void))
      const third = yield* fork(Effect.flip(limiter.cost(1)(Effect.void)))
      yield* charge.settle(20)
      assert.deepInclude(yield* Fiber.join(third), { reason: "wait", retryAfter: Duration.millis(1100) })
      assert.strictEqual(yield* waiting(limiter), 0)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* during("1 second", timed(limiter(Effect.void))), ["ok:undefined", 1100])
    }))

  it.effect("tells who was refused and who waited", () =>
    Effect.gen(function*() {
      const limiter = spaced({ name: "l", maxWait: "100 millis" })
      const { events, policy } = recorder()
      const fibers = yield* callers(3, Policy.compose(policy, limiter))
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll(fibers)
      const source = { policy: "rate-limiter", name: "l", criticality: "critical" }
      assert.deepStrictEqual(events, [
        {
          _tag: "RejectedByRateLimiter",
          ...source,
          reason: "wait",
          dimension: "calls",
          retryAfter: Duration.millis(200)
        },
        { _tag: "WaitedForRateLimiter", ...source, waited: Duration.millis(100) }
      ] as ReadonlyArray<unknown>)
    }))

  const Step = Schema.Struct({
    gap: Schema.Literals([0, 0, 1, 30, 100, 450]),
    cost: Schema.Literals([1, 1, 2, 5]),
    /** the time after which the caller goes away, if it is not negative */
    leaves: Schema.Literals([-1, -1, 0, 50, 300])
  })

  for (const limit of limits) {
    it.effect.prop(
      `${limit.kind}: whoever goes away, never more is let through than the rate allows, and nobody is forgotten`,
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function*() {
          const limiter = RateLimiter.makeUnsafe({ limit, maxWait: "700 millis", maxQueue: 5 })
          const ran: Array<{ readonly at: number; readonly cost: number }> = []
          const caller = ({ cost, leaves }: typeof Step.Type) =>
            Effect.gen(function*() {
              const call = limiter.cost(cost)(Effect.map(now, (at) => ran.push({ at, cost })))
              const fiber = yield* fork(call)
              if (leaves >= 0) {
                yield* Effect.sleep(leaves)
                yield* Fiber.interrupt(fiber)
              }
              return yield* Fiber.await(fiber)
            })
          const all: Array<Fiber.Fiber<Exit.Exit<unknown, unknown>>> = []
          for (const step of steps) {
            yield* TestClock.adjust(step.gap)
            all.push(yield* fork(caller(step)))
          }
          yield* TestClock.adjust("1 minute")
          const exits = yield* Fiber.joinAll(all)
          assert.strictEqual(exits.filter(Exit.isSuccess).length, ran.length)
          const most = limit.kind === "fixed-window" ? 20 : limit.kind === "sliding-window" ? 10 : undefined
          for (const { at: from } of ran) {
            for (const { at: to } of ran.filter(({ at }) => at >= from)) {
              const admitted = ran.filter(({ at }) => from <= at && at <= to)
                .reduce((sum, { cost }) => sum + cost, 0)
              if (most === undefined) assert.isAtMost(admitted, 10 + (to - from) / 100 + 1e-6)
              else if (to - from < 1000) assert.isAtMost(admitted, most)
            }
          }
          assert.deepStrictEqual(yield* limiter.state, {
            waiting: 0,
            limits: { calls: { available: 10, capacity: 10 } }
          })
        }).pipe(Effect.provide(TestClock.layer())),
      runs
    )
  }

  it.live("on the live clock, an interruption at any step of the scheduler leaves nobody in the queue", () =>
    Effect.gen(function*() {
      const limiter = RateLimiter.makeUnsafe({ limit: perSecond(1000), maxWait: "1 minute", maxQueue: 10_000 })
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 2000; i++) {
        const steps = Effect.forEach(Array.from({ length: 1950 + (i % 100) }), () => Effect.void, { discard: true })
        const fiber = Effect.runFork(Effect.andThen(steps, limiter(Effect.never)))
        fiber.interruptUnsafe()
        fibers.push(fiber)
      }
      yield* Fiber.awaitAll(fibers)
      assert.strictEqual(yield* waiting(limiter), 0)
      const last = yield* Effect.forEach([1, 2, 3], () => limiter.cost(1000)(Effect.void), { concurrency: 3 })
      assert.strictEqual(last.length, 3)
    }))
})
