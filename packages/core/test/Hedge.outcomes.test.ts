import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Policy from "../src/Policy.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, during, fork, logged, outcome, recorder } from "./support/harness.ts"

const ofAnswer = ({ status }: { readonly status: number }): Fault.Fault | undefined =>
  status < 400 ? undefined : Fault.ofStatus(status)

/** The status that each attempt answers with, or none, and the time that it takes. */
type Script = ReadonlyArray<readonly [status: number | "boom", millis: number]>

const attempt = (script: Script, n: number) => {
  const [status, millis] = script[n - 1]!
  return Effect.delay(status === "boom" ? Effect.fail(new Boom({ n })) : Effect.succeed({ status, n }), millis)
}

const options = { after: 100, maxHedges: 2, result: ofAnswer } as const

describe("Hedge of results", () => {
  const table: ReadonlyArray<readonly [string, Script, expected: string, log: ReadonlyArray<string>]> = [
    ["a value that is well wins", [[200, 10]], "ok:1", ["open1", "close1"]],
    [
      "a transient one is hedged at once, and lets another one win",
      [[503, 10], [200, 10]],
      "ok:2",
      ["open1", "open2", "close1", "close2"]
    ],
    [
      "those under way go on",
      [[503, 150], [200, 100]],
      "ok:2",
      ["open1", "open2", "open3", "close3", "close1", "close2"]
    ],
    ["a permanent one is an answer", [[404, 10]], "ok:1", ["open1", "close1"]],
    ["after a throttled one nothing is begun", [[429, 10]], "ok:1", ["open1", "close1"]],
    [
      "when all are faults, the value of the first one is returned as it is",
      [[503, 10], [500, 10], [502, 10]],
      "ok:1",
      ["open1", "open2", "close2", "open3", "close3", "close1"]
    ],
    [
      "and the failure of the first one, where that has failed",
      [["boom", 10], [500, 10], [502, 10]],
      "Boom",
      ["open1", "close1", "open2", "close2", "open3", "close3"]
    ]
  ]
  for (const [name, script, expected, log] of table) {
    const endless: Script = [...script, [200, 1_000_000], [200, 1_000_000]]
    it.effect(name, () =>
      Effect.gen(function*() {
        const hedge = Hedge.makeUnsafe(options)
        let n = 0
        const opened: Array<string> = []
        const call = Effect.gen(function*() {
          const mine = ++n
          opened.push(`open${mine}`)
          yield* Effect.addFinalizer(() => Effect.sync(() => opened.push(`close${mine}`)))
          return yield* attempt(endless, mine)
        })
        const used = Effect.scoped(Effect.map(hedge(call), (answer) => {
          opened.push("used")
          return answer.n
        }))
        assert.strictEqual(outcome(yield* during("1 minute", Effect.exit(used))), expected)
        const kept = opened.filter((entry) => entry !== "used")
        assert.sameMembers(kept, [...log])
        if (expected.startsWith("ok")) {
          assert.isBelow(opened.indexOf("used"), opened.indexOf(`close${expected.slice(3)}`), "open while it is used")
        }
      }))

    it.effect(`${name}, of a stream's first element`, () =>
      Effect.gen(function*() {
        const hedge = Hedge.makeUnsafe(options)
        const { log: opened, stream } = logged()
        const source = stream((n) =>
          Stream.concat(Stream.fromEffect(attempt(endless, n)), Stream.make({ status: 503, n: 100 + n }))
        )
        const read = Effect.map(Stream.runCollect(hedge.stream(source)), (all) => {
          assert.deepStrictEqual(all.map(({ n }) => n), [all[0]!.n, 100 + all[0]!.n])
          return all[0]!.n
        })
        assert.strictEqual(outcome(yield* during("1 minute", Effect.exit(read))), expected)
        assert.sameMembers(opened, [...log])
      }))
  }

  it.effect("it funds no budget, takes what a failure takes, and teaches nothing", () =>
    Effect.gen(function*() {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10, ratio: 1 }) })
      const hedge = Hedge.makeUnsafe({ ...options, after: { quantile: 0.5, minCalls: 1 }, maxHedges: 1, budget })
      const call = (...script: Script) => {
        let n = 0
        return during("1 minute", hedge(Effect.suspend(() => attempt(script, ++n))))
      }
      yield* call([503, 10], [503, 10])
      assert.deepStrictEqual(yield* budget.state, { available: 2, calls: 0, held: 0 })
      assert.strictEqual((yield* hedge.state).answers, 0)
      yield* call([200, 10])
      assert.strictEqual((yield* budget.state).available, 3)
      assert.strictEqual((yield* hedge.state).answers, 1)
    }))

  it.effect("tells that nobody has won", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const hedge = Policy.compose(policy, Hedge.makeUnsafe({ ...options, maxHedges: 1 }))
      let n = 0
      yield* during("1 minute", hedge(Effect.suspend(() => attempt([[503, 10], [500, 10]], ++n))))
      assert.deepInclude(events.at(-1), { _tag: "HedgeSettled", attempts: 2, winner: undefined })
    }))

  it.effect("an interruption closes a value that was kept, and waits for it", () =>
    Effect.gen(function*() {
      const hedge = Hedge.makeUnsafe({ ...options, maxHedges: 1 })
      let n = 0
      let closed = 0
      const call = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => closed++))
        return yield* attempt([[503, 10], [200, 100_000]], ++n)
      })
      const scopeClosed = yield* fork(Effect.scoped(hedge(call)))
      yield* TestClock.adjust(50)
      assert.strictEqual(closed, 0)
      yield* Fiber.interrupt(scopeClosed)
      assert.strictEqual(closed, 2)
    }))

  it("names the bad option, the value and what is allowed, and explains itself", () => {
    const bad = (more: object) => () => Hedge.makeUnsafe({ ...options, ...more })
    assert.throws(bad({ result: 1 }), "Hedge.make: result must be a function, got 1")
    assert.throws(bad({ classify: 1 }), "Hedge.make: classify must be a function, got 1")
    assert.throws(bad({ after: null }), "Hedge.make: after must be left out or given, got null")
    assert.throws(
      bad({ after: { quantile: "0.5" } }),
      "Hedge.make: after.quantile must be a number > 0 and < 1, got \"0.5\""
    )
    assert.throws(
      () => Hedge.alternatives(Policy.identity as Hedge.Hedge, [Effect.void]),
      "Hedge.alternatives: hedge must be a Hedge, got a function"
    )
    assert.throws(
      () => Hedge.alternatives(Hedge.makeUnsafe(options), [] as never),
      "Hedge.alternatives: others must be at least one effect or stream, got an array"
    )
    assert.strictEqual(
      Policy.explain(Hedge.makeUnsafe(options)),
      "hedge (after: 100ms, maxHedges: 2, result: custom)"
    )
  })
})

describe("a learnt delay and a queue inside", () => {
  it.effect("learns from calls that have their turn", () =>
    Effect.gen(function*() {
      for (const face of ["effect", "stream"] as const) {
        const hedge = Hedge.makeUnsafe({ after: { quantile: 0.95, minCalls: 20 } })
        const stack = Policy.compose(hedge, Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 100 }))
        const call = face === "effect"
          ? Effect.sleep(100).pipe(stack)
          : Stream.runDrain(Stream.fromEffect(Effect.sleep(100)).pipe(stack.stream))
        yield* during("1 minute", Effect.all(Array.from({ length: 40 }, () => call), { concurrency: "unbounded" }))
        assert.closeTo(Duration.toMillis((yield* hedge.state).delay), 100, 4, face)
      }
    }))

  it.effect("a hedge that waits for its turn takes nothing off the time that the first attempt takes", () =>
    Effect.gen(function*() {
      for (const face of ["effect", "stream"] as const) {
        for (const deadline of [false, true]) {
          const hedge = Hedge.makeUnsafe({ after: 10 })
          const slowness = CircuitBreaker.makeUnsafe({
            trip: CircuitBreaker.slowRate({ after: 50, calls: 1, ratio: 1 })
          })
          const limit = AdaptiveLimit.makeUnsafe({
            algorithm: AdaptiveLimit.aimd({ after: 50 }),
            initialConcurrency: 10,
            minCalls: 1,
            within: 1
          })
          const inner = Policy.compose(slowness, limit, hedge, Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1 }))
          const stack = deadline ? Policy.compose(Timeout.total("1 minute"), inner) : inner
          const call = face === "effect"
            ? Effect.sleep(100).pipe(stack)
            : Stream.runDrain(Stream.fromEffect(Effect.sleep(100)).pipe(stack.stream))
          yield* during("1 second", call)
          assert.strictEqual((yield* slowness.state)._tag, "Open", `${face}, ${deadline}`)
          yield* slowness.close
          for (let i = 0; i < 3; i++) {
            yield* during("1 second", Effect.ignore(call))
            yield* slowness.close
          }
          assert.isBelow((yield* limit.state).concurrency, 10, `${face}, ${deadline}`)
        }
      }
    }))

  it.effect("begins no other attempt of a call that only waits for its turn", () =>
    Effect.gen(function*() {
      const queue = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 100 })
      const hedge = Hedge.makeUnsafe({ after: { quantile: 0.5, initialDelay: 100 } })
      let begun = 0
      const slow = Effect.suspend(() => {
        begun++
        return Effect.sleep("1 minute")
      })
      const busy = yield* fork(Effect.sleep("10 seconds").pipe(queue))
      let attempts = 0
      const counted = Effect.suspend(() => {
        attempts++
        return queue(slow)
      })
      const waiting = yield* fork(hedge(counted))
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual([attempts, begun], [1, 0])
      yield* TestClock.adjust(1)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual([attempts, begun], [1, 1])
      yield* TestClock.adjust(2)
      assert.strictEqual(attempts, 2, "the delay after its turn came")
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(busy)
    }))
})
