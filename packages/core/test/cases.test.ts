import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Backoff from "../src/Backoff.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import { Callee, PolicyTest, Recorder } from "../src/testing/index.ts"
import { Bad, Boom, fork } from "./support/harness.ts"

/**
 * Cases that the tests of other libraries have, or should have, and where ours are, if they do not name the case themselves.
 * Not here: algorithms that there are not (L4 of Envoy, L5 of failsafe-go, T4 of Finagle), a queue that turns calls away at random
 * while it fills (L6, of which only the bounds are left: ours turns nobody away before it is full), a rank of users within a criticality
 * and by what they have used (the rest of L7: that is what partitions and limiters by key are for), a server's share of late
 * requests (D1), the header of gRPC's pushback (J8), and going from closed to half-open by hand, for which there is no operation (B6o).
 */
const elsewhere: ReadonlyArray<readonly [id: string, file: string, title: string]> = [
  ["W5f", "kernel/window", "an hour of silence empties it"],
  ["B9d", "CircuitBreaker", "B9d: of a thousand callers"],
  ["B9e", "Bulkhead", "a rejection is never counted by a breaker outside"],
  ["B9f", "CircuitBreaker", "an inner circuit's rejections never open an outer one"],
  ["J9", "cases", "J9 and J4"],
  ["G2", "kernel/retryBudget", "without traffic there is nothing"],
  ["G2", "kernel/retryBudget", "half of two calls is one attempt, as long as both are in the window"],
  ["G3", "kernel/retryBudget", "is compared with what is under way, the floor first"],
  ["G4", "kernel/retryBudget", "there are never fewer than none: 51 successes"],
  ["G7", "RetryBudget", "of two callers one waits; interrupted, it gives back what it holds"],
  ["R5", "Keyed", "ten thousand keys leave `max`"],
  ["L1", "kernel/adaptiveLimit", "Netflix's AIMD"],
  ["L7", "Criticality", "L7: a full queue turns away who matters less, and makes room for who matters more"],
  ["L8", "kernel/partitions", "AbstractPartitionedLimiterTest"],
  ["T2", "kernel/adaptiveThrottle", "failsafe-go, adaptivethrottler_test.go"],
  ["T3", "kernel/adaptiveThrottle", "Envoy, admission control"],
  ["L10", "Criticality", "L10: one that comes in the tick of the release"],
  ["L10", "Bulkhead", "a newcomer in the tick of the release does not overtake a waiter"],
  ["L10", "Bulkhead", "maxWait 100 ms rejects at 100 ms"],
  ["L10", "Bulkhead", "leaves the queue and frees its place"],
  [
    "H7",
    "kernel/hedge",
    "the share of hedged calls stays within half a percent of what was asked for, over 200,000 calls"
  ],
  ["H1n", "Hedge", "a listener that throws changes nothing"],
  ["C1", "CircuitBreaker", "inside a retry it sees every attempt, and its rejection ends the retry"],
  ["C3", "Pipelines", "an attempt longer than the total (MEHR: TotalRequestTimeout)"],
  ["C3", "Pipelines", "a window shorter than two attempts (MEHR: SamplingDuration)"],
  ["C3", "Pipelines", "hedges that begin after the total (MEHR: Delay)"],
  ["C6", "CircuitBreaker", "what is open stays open, what has been counted stays counted"],
  ["C7", "Retry", "is started again only while nothing has come out"],
  ["C7", "Hedge", "are raced to the first element; the loser is closed, the winner goes on"],
  ["C7", "Bulkhead", "holds its permit until it has ended, and closed what it opened"],
  ["C8", "shells", "a caller that goes away while it waits"],
  ["C9", "composition/determinism", "the same seed gives the same log"]
]

const { during, outcome, timed } = PolicyTest
const ok = (value: unknown, after: Duration.Input) => Callee.succeed(value, { after })
const boom = (n: number, after: Duration.Input) => Callee.fail(new Boom({ n }), { after })
const { hang } = Callee

type Script = ReadonlyArray<Callee.Step<unknown, unknown>>

describe("cases of other libraries", () => {
  for (const [id, file, title] of elsewhere) {
    it(`${id}: ${title}`, () => {
      assert.include(Fs.readFileSync(new URL(`${file}.test.ts`, import.meta.url), "utf8"), title)
    })
  }

  describe("hedges", () => {
    const everything = { classify: () => Fault.transient() }
    const table: Readonly<Record<string, readonly [Hedge.Options, Script, string, number, ReadonlyArray<number>]>> = {
      "H1a: without a delay, all begin at once": [
        { after: 0, maxHedges: 3 },
        [hang, hang, hang, ok(4, 10)],
        "ok:4",
        10,
        [
          0,
          0,
          0,
          0
        ]
      ],
      "H1b: with an infinite delay, one after the other fails": [
        { after: "Infinity", maxHedges: 2 },
        [boom(1, 100), boom(2, 100), ok(3, 100)],
        "ok:3",
        300,
        [0, 100, 200]
      ],
      "H1c: the one that ends first wins, whichever began first": [
        { after: 1000, maxHedges: 3 },
        [hang, ok(2, 10_000), ok(3, 2000), ok(4, 3000)],
        "ok:3",
        4000,
        [0, 1000, 2000, 3000]
      ],
      "H1d: all four fail: the first one's error, three hedges": [
        { after: 10, maxHedges: 3 },
        [Callee.fail("first", { after: 100 }), boom(2, 20), boom(3, 20), boom(4, 20)],
        "first",
        100,
        [0, 10, 20, 30]
      ],
      "H1e: the third fails for good: that failure, at once": [
        { after: 10, maxHedges: 2 },
        [hang, hang, Callee.fail(new Bad(), { after: 30 })],
        "Bad",
        50,
        [0, 10, 20]
      ],
      "H1f: the first fails for good: no hedge": [
        { after: 10, maxHedges: 2 },
        [Callee.fail(new Bad(), { after: 5 })],
        "Bad",
        5,
        [0]
      ],
      "H1g: two hedges fail, the third succeeds": [
        { after: 10, maxHedges: 3 },
        [hang, boom(2, 100), boom(3, 100), ok(4, 100)],
        "ok:4",
        130,
        [0, 10, 20, 30]
      ],
      "H1h: every outcome is a failure, the first is the slowest: the first one's": [
        { after: 10, maxHedges: 2, ...everything },
        [ok("first", 500), ok(2, 10), ok(3, 10)],
        "ok:first",
        500,
        [0, 10, 20]
      ],
      "H1o: a delay of exactly 12 345 ms": [{ after: 12_345 }, [hang, ok(2, 0)], "ok:2", 12_345, [0, 12_345]],
      "H3 (failsafe-go): a slow first and two hedges": [
        { after: 10, maxHedges: 2 },
        [ok(1, 100), ok(2, 1000), ok(3, 1000)],
        "ok:1",
        100,
        [0, 10, 20]
      ],
      "H3: without a delay the third one's result": [
        { after: 0, maxHedges: 2 },
        [hang, hang, ok(3, 1)],
        "ok:3",
        1,
        [0, 0, 0]
      ],
      "H6 (gRFC A6): every half a second one more": [
        { after: 500, maxHedges: 3 },
        [hang, hang, hang, ok(4, 100)],
        "ok:4",
        1600,
        [0, 500, 1000, 1500]
      ],
      "H6: a failure that is not fatal begins the next at once": [
        { after: 500, maxHedges: 3 },
        [boom(1, 200), hang, ok(3, 100)],
        "ok:3",
        800,
        [0, 200, 700]
      ],
      "H6: a pushback begins nothing more, and those under way go on": [
        { after: 500, maxHedges: 3 },
        [ok(1, 900), Callee.throttled(300, { after: 100 })],
        "ok:1",
        900,
        [0, 500]
      ]
    }
    for (const [name, [options, script, exit, at, begun]] of Object.entries(table)) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const callee = Callee.script(script)
          const call = timed(callee.effect.pipe(Hedge.makeUnsafe(options)))
          assert.deepStrictEqual(yield* during(call, "10 minutes"), [exit, at])
          assert.deepStrictEqual(callee.startedAt, begun)
          // H1i, H1j: whoever won, the others are cancelled and cleaned up
          assert.strictEqual(callee.running, 0)
        }))
    }

    it.effect("H1k: as many alternatives as there are, and then those under way are waited for", () =>
      Effect.gen(function*() {
        const first = Effect.delay(Effect.succeed("first"), "1 second")
        const other = Effect.delay(Effect.fail(new Boom({ n: 2 })), "1 millis")
        const raced = first.pipe(Hedge.alternatives(Hedge.makeUnsafe({ after: 10, maxHedges: 9 }), [other]))
        assert.deepStrictEqual(yield* during(timed(raced), "1 minute"), ["ok:first", 1000])
      }))

    it.effect("H1l: the caller goes away: all of them are cancelled", () =>
      Effect.gen(function*() {
        const callee = Callee.script([Callee.times(hang, 3)])
        const fiber = yield* fork(callee.effect.pipe(Hedge.makeUnsafe({ after: 10, maxHedges: 2 })))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt")
        assert.deepStrictEqual(callee.outcomes, ["Interrupted", "Interrupted", "Interrupted"])
      }))

    it.effect("H1m: hedges are told in order, one event each", () =>
      Effect.gen(function*() {
        const events = yield* Recorder.make
        const callee = Callee.script([Callee.times(ok(1, "1 second"), 4)])
        const hedge = Hedge.makeUnsafe({ after: 10, maxHedges: 3 })
        yield* during(callee.effect.pipe(hedge, events.policy), "1 minute")
        assert.deepStrictEqual(events.ofTag("HedgeStarted").map(({ attempt }) => attempt), [2, 3, 4])
      }))
  })

  it.effect("C2: outside a retry a breaker records one outcome for each call", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(3) })
      const stack = Policy.compose(breaker, Retry.make({ schedule: Schedule.recurs(3) }))
      for (let calls = 1; calls <= 2; calls++) {
        yield* Effect.exit(stack(Effect.fail(new Boom({ n: calls }))))
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutiveFailures: calls })
      }
    }))

  it.effect("B6s (resilience4j): the same state twice is one change", () =>
    Effect.gen(function*() {
      const events = yield* Recorder.make
      const breaker = CircuitBreaker.makeUnsafe()
      const operations = [breaker.close, breaker.isolate, breaker.isolate, breaker.close, breaker.close, breaker.reset]
      yield* Effect.all(operations).pipe(events.policy)
      const changes = events.ofTag("CircuitChanged").map(({ from, to }) => `${from} ${to}`)
      assert.deepStrictEqual(changes, ["Closed Isolated", "Isolated Closed"])
    }))

  it("J9 and J4 (tower backoff, resilience4j IntervalFunctionTest): bad numbers are found when it is made", () => {
    for (const proportional of [Infinity, -Infinity, NaN, -0.5, 1.5]) {
      assert.throws(() => Backoff.exponential({ base: 100, jitter: { proportional } }), RangeError)
    }
    for (const cap of [0, -1, NaN]) assert.throws(() => Backoff.exponential({ base: 100, maxDelay: cap }), RangeError)
    for (const factor of [0, 0.5, NaN, Infinity]) {
      assert.throws(() => Backoff.exponential({ base: 100, factor }), RangeError)
    }
  })
})
