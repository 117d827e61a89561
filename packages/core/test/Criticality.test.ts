import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Criticality from "../src/Criticality.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { during, fork, recorder } from "./support/harness.ts"

/** What is served when, of calls that take so long. */
const server = (millis: number) => {
  const served: Array<string> = []
  return {
    served,
    call: (name: string): Effect.Effect<string> =>
      Effect.suspend(() => {
        served.push(name)
        return Effect.as(Effect.sleep(millis), name)
      })
  }
}

interface Limiter extends Policy.Policy<unknown, Bulkhead.BulkheadRejected> {
  readonly state: Effect.Effect<{ readonly inUse: number; readonly queued: number }>
}

const limiters: { readonly [kind: string]: (maxQueue: number) => Limiter } = {
  Bulkhead: (maxQueue: number) => Bulkhead.makeUnsafe({ name: "x", concurrency: 1, maxQueue }),
  AdaptiveLimit: (maxQueue: number) =>
    AdaptiveLimit.makeUnsafe({ name: "x", initialConcurrency: 1, maxConcurrency: 1, maxQueue })
}

describe("Criticality", () => {
  it.effect("is critical until something else is said, which holds inside and nowhere else", () =>
    Effect.gen(function*() {
      const { as, atMost, current } = Criticality
      const inside = (policy: Policy.Policy) => policy(current)
      assert.strictEqual(yield* current, "critical")
      assert.strictEqual(yield* inside(as("sheddable")), "sheddable")
      assert.strictEqual(yield* inside(Policy.compose(as("sheddable"), as("critical-plus"))), "critical-plus")
      assert.strictEqual(yield* inside(Policy.compose(as("sheddable"), atMost("critical"))), "sheddable")
      assert.strictEqual(yield* inside(Policy.compose(as("critical-plus"), atMost("sheddable"))), "sheddable")
      assert.strictEqual(yield* inside(atMost("critical-plus")), "critical")
      yield* Effect.exit(as("sheddable")(Effect.fail("no")))
      assert.strictEqual(yield* current, "critical")
    }))

  it.effect("a stream has it whenever it is pulled, opened or closed; its consumer has its own", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const note = (what: string) =>
        Effect.map(Criticality.current, (criticality) => void seen.push(`${what} ${criticality}`))
      const stream = Stream.unwrap(Effect.as(
        Effect.acquireRelease(note("open"), () => Effect.void),
        Stream.fromIterable([1, 2]).pipe(Stream.rechunk(1), Stream.mapEffect((n) => Effect.as(note(`pull ${n}`), n)))
      ))
      yield* Criticality.as("sheddable").stream(stream).pipe(Stream.runForEach((n) => note(`take ${n}`)))
      assert.deepStrictEqual(seen, [
        "open sheddable",
        "pull 1 sheddable",
        "take 1 critical",
        "pull 2 sheddable",
        "take 2 critical"
      ])
    }))

  it.effect("attempts of retries, hedges and timeouts have it", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const call = Effect.flatMap(Criticality.current, (criticality) => {
        seen.push(criticality)
        return Effect.andThen(Effect.sleep(20), Effect.fail("no"))
      })
      const stack = Policy.compose(
        Criticality.as("sheddable-plus"),
        Retry.make({ times: 1 }),
        Hedge.makeUnsafe({ after: "10 millis" }),
        Timeout.attempt("15 millis", { detach: true })
      )
      yield* during("1 minute", Effect.exit(stack(call)))
      assert.deepStrictEqual(seen, Array.from({ length: 4 }, () => "sheddable-plus"))
    }))

  it("is described", () => {
    const stack = Policy.compose(Criticality.as("sheddable"), Criticality.atMost("critical"))
    assert.strictEqual(Policy.explain(stack), "criticality (as: sheddable)\n└─ criticality (atMost: critical)")
    assert.isTrue(Criticality.all.every(Criticality.isCriticality))
    assert.isFalse(Criticality.isCriticality("CRITICAL"))
  })

  for (const [kind, make] of Object.entries(limiters)) {
    describe(kind, () => {
      it.effect("serves who matters more first, and of those who matter as much who has waited longest", () =>
        Effect.gen(function*() {
          const { call, served } = server(10)
          const limiter = make(10)
          const ask = (name: string, criticality: Criticality.Criticality) =>
            fork(call(name).pipe(limiter, Criticality.as(criticality)))
          yield* ask("first", "sheddable")
          for (const n of [1, 2]) {
            yield* ask(`s${n}`, "sheddable")
            yield* ask(`c${n}`, "critical")
            yield* ask(`sp${n}`, "sheddable-plus")
            yield* ask(`cp${n}`, "critical-plus")
          }
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(served, ["first", "cp1", "cp2", "c1", "c2", "sp1", "sp2", "s1", "s2"])
        }))

      // failsafe-go's prioritylimiter_test: what matters less is turned away, what matters more is let in
      it.effect("L7: a full queue turns away who matters less, and makes room for who matters more", () =>
        Effect.gen(function*() {
          const { events, policy } = recorder()
          const { call, served } = server(10)
          const limiter = make(2)
          const ask = (name: string, criticality: Criticality.Criticality) =>
            fork(Effect.result(call(name).pipe(limiter, policy, Criticality.as(criticality))))
          yield* ask("first", "sheddable")
          const waiting = [yield* ask("s1", "sheddable"), yield* ask("s2", "sheddable")]
          const low = yield* Fiber.join(yield* ask("s3", "sheddable"))
          assert.strictEqual(low._tag, "Failure")
          yield* TestClock.adjust("3 millis")
          yield* ask("c", "critical")
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(served, ["first", "c", "s1"])
          const results = yield* Fiber.joinAll(waiting)
          assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Success", "Failure"])
          assert.deepStrictEqual(
            events.flatMap((event) => event._tag === "RejectedByBulkhead" ? [[event.criticality, event.reason]] : []),
            [["sheddable", "full"], ["sheddable", "full"]]
          )
        }))

      it.effect("L10: one that comes in the tick of the release overtakes nobody who has the permit already", () =>
        Effect.gen(function*() {
          const { call, served } = server(10)
          const limiter = make(5)
          const first = yield* fork(limiter(call("first")))
          const low = yield* fork(call("low").pipe(limiter, Criticality.as("sheddable")))
          const high = yield* fork(
            Fiber.await(first).pipe(Effect.andThen(call("high").pipe(limiter, Criticality.as("critical-plus"))))
          )
          yield* TestClock.adjust("1 second")
          yield* Fiber.joinAll([low, high])
          assert.deepStrictEqual(served, ["first", "low", "high"])
        }))

      it.effect("streams and calls wait in one queue", () =>
        Effect.gen(function*() {
          const { call, served } = server(10)
          const limiter = make(5)
          yield* fork(limiter(call("first")))
          const stream = limiter.stream(Stream.fromEffect(call("stream"))).pipe(Criticality.as("sheddable").stream)
          yield* fork(Stream.runDrain(stream))
          yield* fork(call("call").pipe(limiter))
          yield* fork(
            Stream.runDrain(
              Stream.fromEffect(call("high stream")).pipe(limiter.stream, Criticality.as("critical-plus").stream)
            )
          )
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(served, ["first", "high stream", "call", "stream"])
        }))

      it.effect("one that was turned away for another, and is interrupted in the same instant, is gone once", () =>
        Effect.gen(function*() {
          const { call, served } = server(10)
          const limiter = make(1)
          const first = yield* fork(limiter(call("first")))
          const low = yield* fork(call("low").pipe(limiter, Criticality.as("sheddable")))
          const high = yield* fork(call("high").pipe(limiter))
          yield* Fiber.interrupt(low)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(low)))
          yield* TestClock.adjust("1 second")
          yield* Fiber.joinAll([first, high])
          assert.deepStrictEqual(served, ["first", "high"])
          assert.deepInclude(yield* limiter.state, { inUse: 0, queued: 0 })
        }))

      it.effect("one that is given the permit, and is interrupted before it goes on, passes it to who is then first", () =>
        Effect.gen(function*() {
          const { call, served } = server(10)
          const limiter = make(5)
          const running = yield* fork(limiter(call("first")))
          const high = yield* fork(call("high").pipe(limiter, Criticality.as("critical-plus")))
          const low = yield* fork(call("low").pipe(limiter, Criticality.as("sheddable")))
          const middle = yield* fork(call("middle").pipe(limiter))
          // the permit is the high one's as the first one ends, and the high one has not gone on yet
          yield* Effect.sync(() => {
            running.interruptUnsafe()
            high.interruptUnsafe()
          })
          yield* TestClock.adjust("1 second")
          yield* Fiber.joinAll([low, middle])
          assert.deepStrictEqual(served, ["first", "middle", "low"])
          assert.deepInclude(yield* limiter.state, { inUse: 0, queued: 0 })
        }))
    })
  }

  describe("RateLimiter", () => {
    const every = (millis: number, options: { readonly maxWait: Duration.Input; readonly maxQueue?: number }) =>
      RateLimiter.makeUnsafe({ name: "x", limit: RateLimiter.gcra({ limit: 1, within: millis }), ...options })
    const asking = (limiter: RateLimiter.RateLimiter) => {
      const served: Array<string> = []
      const { events, policy } = recorder()
      const ask = (name: string, criticality: Criticality.Criticality) =>
        fork(Effect.sync(() => void served.push(name)).pipe(limiter, policy, Effect.exit, Criticality.as(criticality)))
      const rejected = () =>
        events.flatMap((event) =>
          event._tag === "RejectedByRateLimiter" ? [`${event.criticality} ${event.reason}`] : []
        )
      return { ask, served, rejected }
    }

    it.effect("lets who matters more go first, and of those who matter as much who has waited longest", () =>
      Effect.gen(function*() {
        const { ask, served } = asking(every(10, { maxWait: "1 minute" }))
        yield* ask("first", "sheddable")
        for (const n of [1, 2]) {
          for (const criticality of Criticality.all.toReversed()) yield* ask(`${criticality} ${n}`, criticality)
        }
        yield* TestClock.adjust("1 second")
        const order = Criticality.all.flatMap((criticality) => [`${criticality} 1`, `${criticality} 2`])
        assert.deepStrictEqual(served, ["first", ...order])
      }))

    it.effect("tells one at once whose turn comes too late for another that matters more", () =>
      Effect.gen(function*() {
        const { ask, rejected, served } = asking(every(10, { maxWait: "25 millis" }))
        yield* ask("first", "critical")
        yield* ask("low 1", "sheddable")
        const last = yield* ask("low 2", "sheddable")
        assert.deepStrictEqual(rejected(), [])
        yield* ask("high", "critical")
        assert.isDefined(last.pollUnsafe())
        assert.deepStrictEqual(rejected(), ["sheddable wait"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(served, ["first", "high", "low 1"])
      }))

    it.effect("takes nobody's place where one that matters more need not wait", () =>
      Effect.gen(function*() {
        const limit = RateLimiter.gcra({ limit: 1, within: 10, burst: 3 })
        const limiter = RateLimiter.makeUnsafe({ name: "x", limit, maxWait: "1 minute", maxQueue: 1 })
        const { events, policy } = recorder()
        const gone: Array<string> = []
        const ask = (name: string, cost: number, criticality: Criticality.Criticality) =>
          fork(
            Effect.sync(() => void gone.push(name)).pipe(
              limiter.cost(cost),
              policy,
              Effect.exit,
              Criticality.as(criticality)
            )
          )
        yield* ask("first", 2, "critical")
        yield* ask("large", 3, "sheddable")
        yield* ask("high", 1, "critical")
        assert.deepStrictEqual(gone, ["first", "high"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(gone, ["first", "high", "large"])
        assert.isEmpty(events.filter(({ _tag }) => _tag === "RejectedByRateLimiter"))
      }))

    it.effect("gives the place of the newest of the lowest to one that matters more", () =>
      Effect.gen(function*() {
        const limiter = every(10, { maxWait: "1 minute", maxQueue: 2 })
        const { ask, rejected, served } = asking(limiter)
        yield* ask("first", "critical")
        yield* ask("low", "sheddable-plus")
        yield* ask("lowest", "sheddable")
        yield* ask("no room", "sheddable")
        yield* ask("high", "critical")
        assert.deepStrictEqual(rejected(), ["sheddable queue", "sheddable queue"])
        assert.strictEqual((yield* limiter.state).waiting, 2)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(served, ["first", "high", "low"])
      }))

    it.effect("one that asks again in the instant in which it is turned away takes nobody's place", () =>
      Effect.gen(function*() {
        const limiter = every(10, { maxWait: "1 minute", maxQueue: 1 })
        const { ask } = asking(limiter)
        yield* ask("first", "critical")
        let asked = 0
        const again = Effect.suspend(() => {
          asked++
          return limiter(Effect.void)
        })
        const stubborn = yield* fork(Effect.exit(Criticality.as("sheddable")(Effect.catch(again, () => again))))
        yield* ask("high", "critical")
        assert.deepStrictEqual([asked, (yield* limiter.state).waiting], [2, 1])
        assert.isTrue(Exit.isFailure(yield* Fiber.join(stubborn)))
      }))

    it.effect("one that goes away moves up those that matter less", () =>
      Effect.gen(function*() {
        const { ask, served } = asking(every(10, { maxWait: "1 minute" }))
        yield* ask("first", "critical")
        yield* ask("low", "sheddable")
        const high = yield* ask("high", "critical-plus")
        yield* TestClock.adjust("9 millis")
        yield* Fiber.interrupt(high)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(served, ["first", "low"])
      }))
  })

  describe("an adaptive queue", () => {
    const overloaded = { target: "20 millis", interval: "100 millis" } as const

    it.effect("serves half of twice the load within the target, where a fair queue serves nobody in time", () =>
      Effect.gen(function*() {
        const served = (order: "fifo" | "adaptive") =>
          Effect.gen(function*() {
            const bulkhead = Bulkhead.makeUnsafe({
              concurrency: 1,
              maxQueue: 1000,
              order,
              overload: order === "adaptive" ? overloaded : undefined
            })
            const calls: Array<Fiber.Fiber<boolean>> = []
            for (let i = 0; i < 400; i++) {
              const call = Effect.sleep(10).pipe(
                bulkhead,
                Timeout.attempt("40 millis"),
                Effect.exit,
                Effect.map(Exit.isSuccess)
              )
              calls.push(yield* fork(call))
              yield* TestClock.adjust("5 millis")
            }
            yield* TestClock.adjust("10 seconds")
            assert.deepStrictEqual(yield* bulkhead.state, { inUse: 0, queued: 0, concurrency: 1 })
            return (yield* Fiber.joinAll(calls)).filter(Boolean).length
          })
        const fair = yield* served("fifo")
        const adaptive = yield* served("adaptive")
        assert.isAbove(adaptive, 190)
        assert.isAbove(adaptive, fair)
      }))

    it.effect("says why a call was given up, and counts its wait", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const bulkhead = Bulkhead.makeUnsafe({
          name: "x",
          concurrency: 1,
          maxQueue: 10,
          order: "adaptive",
          overload: overloaded
        })
        const first = yield* fork(bulkhead(Effect.sleep("150 millis")))
        const stale = yield* fork(Effect.flip(policy(bulkhead(Effect.void))))
        yield* TestClock.adjust("149 millis")
        yield* fork(policy(bulkhead(Effect.sleep("1 millis"))))
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(first)
        const error = yield* Fiber.join(stale)
        assert.strictEqual(error.message, "bulkhead \"x\" had no permit within 150ms, and is overloaded")
        assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["WaitedForBulkhead", "RejectedByBulkhead"])
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* bulkhead.state, { inUse: 0, queued: 0 })
      }))

    it.effect("one that is given up and interrupted in the same instant is gone once, and no permit with it", () =>
      Effect.gen(function*() {
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10, order: "adaptive", overload: overloaded })
        const first = yield* fork(bulkhead(Effect.sleep("150 millis")))
        const stale = yield* fork(bulkhead(Effect.void))
        yield* TestClock.adjust("140 millis")
        const fresh = yield* fork(bulkhead(Effect.never))
        yield* Effect.sync(() => {
          first.interruptUnsafe()
          stale.interruptUnsafe()
          fresh.interruptUnsafe()
        })
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(stale)))
        yield* Fiber.await(fresh)
        assert.deepInclude(yield* bulkhead.state, { inUse: 0, queued: 0 })
        yield* bulkhead(Effect.void)
      }))
  })
})
