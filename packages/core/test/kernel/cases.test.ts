import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as allowance from "../../src/kernel/allowance.ts"
import * as backoff from "../../src/kernel/backoff.ts"
import { Permits } from "../../src/kernel/bulkhead.ts"
import { Circuit, type Outcome, type Rules } from "../../src/kernel/circuitBreaker.ts"
import { wait } from "../../src/kernel/retry.ts"
import { tokens } from "../../src/kernel/retryBudget.ts"
import type { Trip } from "../../src/kernel/trip.ts"
import { UnderWay } from "../../src/kernel/underWay.ts"
import { CountWindow, lastCalls, lastMillis, TimeWindow } from "../../src/kernel/window.ts"

const F: Outcome = "failure"
const S: Outcome = "success"

/** Cases that the tests of other libraries have, by the file that has them, and that the test of no kernel is about. */
describe("cases of other libraries", () => {
  describe("windows", () => {
    it("W1d (Polly RollingHealthMetricsTests): one call a second is forgotten one at a time", () => {
      const window = new TimeWindow(10_000)
      for (let second = 0; second < 10; second++) window.record(second * 1000, false, false)
      window.age(10_000)
      assert.strictEqual(window.calls, 9)
      window.age(11_000)
      assert.strictEqual(window.calls, 8)
    })

    it("W1f (Polly HealthMetricsTests): a short window ages as a long one does; Polly has one bucket below 200 ms", () => {
      for (const span of [199, 200]) {
        const window = new TimeWindow(span)
        window.record(0, true, false)
        window.record(100, true, false)
        window.age(span)
        assert.strictEqual(window.calls, 1)
      }
    })

    it("W2c (resilience4j FixedSizeSlidingWindowMetricsTest): two slow of five, one of them failed", () => {
      const window = new CountWindow(5)
      window.record(0, false, true)
      window.record(0, true, true)
      for (let i = 0; i < 3; i++) window.record(0, false, false)
      assert.deepInclude(window, { calls: 5, slow: 2, failures: 1 })
    })

    it("W4 (resilience4j CircuitBreakerMetricsTest): 60 % of ten, then 30 %", () => {
      const window = new CountWindow(10)
      const record = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<number> => {
        for (const outcome of outcomes) window.record(0, outcome === F, false)
        return [window.calls, window.failures]
      }
      assert.deepStrictEqual(record([S, S, F, F]), [4, 2])
      assert.deepStrictEqual(record([F, F, F, F, S, S, S, S]), [10, 6])
      assert.deepStrictEqual(record([S, S, S]), [10, 3])
    })

    it("W5 (cockatiel SamplingBreaker.test): the calls of the last 5 s, of more every second", () => {
      const window = new TimeWindow(5000)
      for (let second = 0; second <= 6; second++) {
        for (let i = 0; i < second; i++) {
          for (const failed of [true, false, false]) window.record(second * 1000, failed, false)
        }
      }
      assert.deepInclude(window, { calls: 60, failures: 20 })
    })
  })

  describe("circuit breakers", () => {
    const circuitOf = (trip: Trip, overrides: Partial<Rules> = {}): Circuit =>
      new Circuit({ trips: trip, openFor: 5000, hintCap: 0, probes: 1, required: 1, lease: 30_000, ...overrides })
    const call = (circuit: Circuit, at: number, outcome: Outcome, took = 0): void => {
      const permit = circuit.admit(at)
      if (permit !== undefined) circuit.record(permit, outcome, at + took)
    }

    for (
      const [throughput, minimum, failures, threshold, opens] of [
        [10, 10, 0, 0.1, false],
        [10, 10, 1, 0.1, true],
        [10, 10, 2, 0.1, true],
        [11, 10, 3, 0.2, true],
        [9, 10, 1, 0.1, false]
      ] as const
    ) {
      it(`B1 (Polly AdvancedCircuitBehaviorTests): ${failures} of ${throughput} at ${threshold}, at least ${minimum}`, () => {
        const circuit = circuitOf({
          kind: "failure-rate",
          ratio: threshold,
          minCalls: minimum,
          over: lastCalls(100)
        })
        for (let i = 0; i < throughput; i++) call(circuit, 0, i < throughput - failures ? S : F)
        assert.strictEqual(circuit.state, opens ? "Open" : "Closed")
      })
    }

    it("B3a (failsafe-go closedstate_test): one failure in a row", () => {
      const circuit = circuitOf({ kind: "consecutive", failures: 1 })
      call(circuit, 0, F)
      assert.strictEqual(circuit.state, "Open")
    })

    it("B5 (failsafe-go openstate_test): what remains of a second after 110 ms", () => {
      const circuit = circuitOf({ kind: "consecutive", failures: 1 }, { openFor: 1000 })
      call(circuit, 0, F)
      assert.deepStrictEqual([circuit.retryAfter(0), circuit.retryAfter(110)], [1000, 890])
    })

    it("B6c (resilience4j CircuitBreakerStateMachineTest): three slow calls of five, told by the clock", () => {
      const circuit = circuitOf({
        kind: "slow-rate",
        watch: () => new UnderWay(),
        after: 4000,
        ratio: 0.5,
        minCalls: 5,
        over: lastMillis(20_000)
      })
      let at = 0
      for (const took of [5000, 5000, 1000, 1000]) {
        call(circuit, at, S, took)
        at += took
      }
      assert.deepInclude(circuit.snapshot(at), { state: "Closed", calls: 4, slow: 2 })
      call(circuit, at, S, 5000)
      assert.strictEqual(circuit.state, "Open")
    })

    it("B6g (resilience4j): opened by hand for half an hour", () => {
      const circuit = circuitOf({ kind: "consecutive", failures: 1 })
      circuit.openNow(0, 1_800_000)
      assert.isUndefined(circuit.admit(900_000))
      assert.isDefined(circuit.admit(1_800_000), "at the time itself, where resilience4j says: after it")
      assert.strictEqual(circuit.state, "HalfOpen")
    })

    it("B6j (resilience4j): half-open, slow successes are failures", () => {
      const circuit = circuitOf({
        kind: "slow-rate",
        watch: () => new UnderWay(),
        after: 4000,
        ratio: 1,
        minCalls: 100,
        over: lastCalls(100)
      }, {
        probes: 4,
        required: 2
      })
      circuit.openNow(0, undefined)
      assert.strictEqual(circuit.look(5000), "HalfOpen")
      for (let i = 0; i < 3; i++) call(circuit, 5000, S, 5000)
      assert.strictEqual(circuit.state, "Open")
    })

    it("B6t (resilience4j): probes that never come keep it half-open, whatever the time; there is nothing to lose", () => {
      const circuit = circuitOf({ kind: "consecutive", failures: 1 })
      circuit.openNow(0, 1000)
      assert.strictEqual(circuit.look(1000), "HalfOpen")
      assert.strictEqual(circuit.look(3_600_000), "HalfOpen")
      call(circuit, 3_600_000, S)
      assert.strictEqual(circuit.state, "Closed")
    })

    it("B9b: a probe that is interrupted has decided nothing", () => {
      const circuit = circuitOf({ kind: "consecutive", failures: 1 })
      circuit.openNow(0, 1000)
      call(circuit, 1000, "ignored")
      assert.deepInclude(circuit.snapshot(1000), { state: "HalfOpen", probing: 0, succeeded: 0 })
    })
  })

  describe("backoff", () => {
    it("J1c (Polly RetryHelperTests): the third of a linear backoff, spread by a quarter", () => {
      const delays = [0, 0.4, 0.5, 0.6, 1].map((random) =>
        backoff.proportional(0.25)(backoff.linear(1000, 1000)(2), random)
      )
      assert.deepStrictEqual(delays.map(Math.round), [2250, 2850, 3000, 3150, 3750])
    })

    it.prop(
      "J1h (Polly): a quarter more or less, and V2 below four times the doubled base",
      [
        Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })),
        Schema.Array(Schema.Finite.check(
          Schema.isBetween({ minimum: 0, maximum: 0.999_999 })
        ))
      ],
      ([base, randoms]) => {
        const v2 = new backoff.DecorrelatedV2(base, Infinity)
        randoms.forEach((random, attempt) => {
          const spread = backoff.proportional(0.25)(base, random)
          assert.isTrue(spread >= base * 0.75 && spread <= base * 1.25)
          const delay = v2.next(random)
          assert.isTrue(delay >= 0 && delay < base * 2 ** attempt * 4)
        })
      }
    )

    it("J4 (resilience4j IntervalFunctionTest): grows until the cap, and stays there", () => {
      const capped = new backoff.Jittered(backoff.exponential(100, 2), backoff.none, 100_000)
      const delays = Array.from({ length: 13 }, () => capped.next(0))
      for (let i = 1; i < 11; i++) assert.isAbove(delays[i]!, delays[i - 1]!)
      assert.deepStrictEqual(delays.slice(-3), [100_000, 100_000, 100_000])
      assert.deepStrictEqual([0, 1].map((random) => backoff.proportional(0.5)(100, random)), [50, 150])
    })

    it("J6 (AWS smithy retries.integ.spec): the longest delays of full jitter, up to 20 s", () => {
      const longest = (base: number): ReadonlyArray<number> => {
        const sequence = new backoff.Jittered(backoff.exponential(base, 2), backoff.full, 20_000)
        return Array.from({ length: 7 }, () => sequence.next(1))
      }
      assert.deepStrictEqual(longest(100), [100, 200, 400, 800, 1600, 3200, 6400])
      assert.deepStrictEqual(longest(500), [500, 1000, 2000, 4000, 8000, 16_000, 20_000])
    })

    it("J7 (AWS smithy): a hint is the least delay here, where AWS adds no more than 5 s to its own", () => {
      const hints = { maxDelay: 60_000, beyond: "fail" } as const
      const table = [[50, 0, 50], [50, 1500, 1500], [50, 60_000, 60_000], [1000, 200, 1000], [20_000, 60_000, 60_000]]
      for (const [scheduled, hint, expected] of table) {
        const failure = { scheduled: scheduled!, hint, left: Infinity, random: 0 }
        assert.strictEqual(wait(failure, hints), expected)
      }
    })
  })

  describe("budgets", () => {
    for (const [successes, drains] of [[9, true], [10, false], [11, false]] as const) {
      it(`G4 (gRFC A6): one failure to ${successes} successes ${drains ? "uses the tokens up" : "is borne for ever"}`, () => {
        const budget = tokens({ maxTokens: 10, ratio: 0.1 }).open()
        for (let round = 0; round < 1000; round++) {
          budget.fail()
          for (let i = 0; i < successes; i++) budget.succeed()
        }
        assert.strictEqual(budget.available(0) === 0, drains)
      })
    }
  })

  it("R5: another limit keeps what was used, however often it changes", () => {
    const m = allowance.make({ kind: "spaced", interval: 100, burst: 10 })
    m.take(0, 6)
    for (const burst of [20, 5, 10]) m.adopt(0, { kind: "spaced", interval: 100, burst })
    assert.strictEqual(m.available(0), 4)
  })

  for (const [queued, max, rejected] of [[3, 3, true], [2, 3, false], [5, 20, false], [100, 100, true]] as const) {
    it(`L6 (failsafe-go queueinglimiter_test), where rejection begins when the queue is full: ${queued} of ${max}`, () => {
      const permits = new Permits<number>({ concurrency: 1, maxQueue: max }, "fifo")
      permits.enter()
      for (let waiter = 0; waiter < queued; waiter++) permits.join(waiter, 1, 0)
      assert.strictEqual(permits.isFull(1, 0), rejected)
    })
  }

  describe("L9 (Netflix LifoBlockingLimiterTest)", () => {
    const four = (maxQueue: number): Permits<number> => {
      const permits = new Permits<number>({ concurrency: 4, maxQueue }, "lifo")
      for (let i = 0; i < 4; i++) permits.enter()
      return permits
    }
    const release = (permits: Permits<number>): number | undefined => permits.leave() ? permits.next(0) : undefined

    it("five who wait are served the last one first", () => {
      const permits = four(10)
      for (let waiter = 0; waiter < 5; waiter++) permits.join(waiter, 1, 0)
      assert.deepStrictEqual(Array.from({ length: 5 }, () => release(permits)), [4, 3, 2, 1, 0])
    })

    it("a full queue has room for no more; here the one that has waited longest goes, there the newcomer", () => {
      const permits = four(10)
      for (let waiter = 0; waiter < 10; waiter++) permits.join(waiter, 1, 0)
      assert.strictEqual(permits.displace(1, 0), 0)
      permits.join(10, 1, 0)
      assert.strictEqual(permits.queued, 10)
    })

    it("one more permit lets one in at once, one less lets none in at the next release", () => {
      const permits = four(10)
      permits.join(0, 1, 0)
      permits.join(1, 1, 0)
      permits.resize({ concurrency: 5 })
      assert.strictEqual(permits.next(0), 1)
      permits.resize({ concurrency: 4 })
      assert.isUndefined(release(permits))
      assert.strictEqual(release(permits), 0)
    })

    it("one that gives up just as a permit is handed to it loses none, in ten rounds of ten", () => {
      const permits = four(10)
      for (let round = 0; round < 10; round++) {
        const places = Array.from({ length: 10 }, (_, waiter) => permits.join(waiter, 1, 0))
        for (let i = 0; i < 10; i++) {
          const granted = release(permits)
          if (granted !== undefined) permits.cancel(places[granted]!)
          permits.cancel(places[i]!)
          if (granted === undefined) permits.enter()
        }
        assert.deepStrictEqual([permits.inUse, permits.queued], [4, 0])
      }
    })
  })
})
