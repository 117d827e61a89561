import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Circuit, type Outcome, type Permit, type Rules } from "../../src/kernel/circuitBreaker.ts"
import { counted, forced, type Knowledge, nothing, owed } from "../../src/kernel/keyed.ts"
import type { Trip } from "../../src/kernel/trip.ts"
import { UnderWay } from "../../src/kernel/underWay.ts"
import { lastCalls, lastMillis, type Span } from "../../src/kernel/window.ts"

const rules = (overrides: Partial<Rules>): Rules => ({
  trips: [{ kind: "consecutive", failures: 3 }],
  openFor: () => 1000,
  hintCap: 0,
  probes: 1,
  required: 1,
  lease: 30_000,
  ...overrides
})

const rate = (ratio: number, minCalls: number, calls: number): Trip => ({
  kind: "failure-rate",
  ratio,
  minCalls,
  over: lastCalls(calls)
})

const F: Outcome = "failure"
const S: Outcome = "success"
const I: Outcome = "ignored"
const T: Outcome = "throttled"

/** One call after the other, each admitted and recorded at once. */
const run = (circuit: Circuit, outcomes: ReadonlyArray<Outcome>, now = 0): Circuit => {
  for (const outcome of outcomes) {
    const permit = circuit.admit(now)
    if (permit !== undefined) circuit.record(permit, outcome, now)
  }
  return circuit
}

const opened = (overrides: Partial<Rules>): Circuit =>
  run(new Circuit(rules({ trips: [{ kind: "consecutive", failures: 1 }], ...overrides })), [F])

const admitted = (circuit: Circuit, now: number): Permit => {
  const permit = circuit.admit(now)
  assert.isDefined(permit)
  return permit
}

describe("kernel/circuitBreaker", () => {
  describe("closed", () => {
    const table: ReadonlyArray<readonly [string, Trip, ReadonlyArray<Outcome>, "Closed" | "Open"]> = [
      ["consecutive 3: a success in between starts again (failsafe-go B3b)", { kind: "consecutive", failures: 3 }, [
        F,
        S,
        F,
        F
      ], "Closed"],
      ["consecutive 3: the third in a row opens (B3b)", { kind: "consecutive", failures: 3 }, [F, S, F, F, F], "Open"],
      [
        "consecutive 2: alternating never opens (B3e)",
        { kind: "consecutive", failures: 2 },
        Array.from({ length: 20 }, () => [S, F]).flat(),
        "Closed"
      ],
      [
        "ignored outcomes neither count nor interrupt a row",
        { kind: "consecutive", failures: 2 },
        [F, I, I, F],
        "Open"
      ],
      ["2 of 3 (B3c): not yet", rate(2 / 3, 3, 3), [F, S], "Closed"],
      ["2 of 3 (B3c)", rate(2 / 3, 3, 3), [F, S, F], "Open"],
      [
        "3 of 4: alternating never opens (B3d)",
        rate(0.75, 4, 4),
        Array.from({ length: 20 }, () => [S, F]).flat(),
        "Closed"
      ],
      ["5 failures of 10 at 50 % open: >= (B8)", rate(0.5, 10, 10), [S, S, S, S, S, F, F, F, F, F], "Open"],
      [
        "below the minimum throughput nothing opens (Polly B1)",
        rate(0.1, 10, 10),
        [F, F, F, F, F, F, F, F, F],
        "Closed"
      ],
      ["at the minimum throughput it opens (Polly B1)", rate(0.1, 10, 10), [F, S, S, S, S, S, S, S, S, S], "Open"],
      ["no failure never opens, whatever the ratio", rate(0.001, 1, 10), [S, S, S], "Closed"],
      [
        "a success that completes the throughput can open (resilience4j B6a)",
        rate(0.5, 5, 10),
        [F, F, F, S, S],
        "Open"
      ],
      ["only the last 4 count", rate(0.75, 4, 4), [S, S, S, S, S, S, S, S, F, F, F], "Open"],
      ["a first failure alone never opens (opossum #288)", rate(0.5, 20, 100), [F], "Closed"]
    ]
    for (const [name, trip, outcomes, expected] of table) {
      it(name, () => {
        assert.strictEqual(run(new Circuit(rules({ trips: [trip] })), outcomes).state, expected)
      })
    }

    it("a rate over time forgets: resilience4j B6d, cockatiel #64", () => {
      const trip: Trip = { kind: "failure-rate", ratio: 0.5, minCalls: 5, over: lastMillis(20_000) }
      const circuit = new Circuit(rules({ trips: [trip] }))
      ;[S, S, S, F, F].forEach((outcome, i) => run(circuit, [outcome], i * 1000))
      assert.strictEqual(circuit.state, "Closed")
      run(circuit, [F], 6000)
      assert.strictEqual(circuit.state, "Open")

      const quiet = new Circuit(rules({ trips: [trip] }))
      run(quiet, [F, F, F, F], 0)
      run(quiet, [F], 3_600_000)
      assert.strictEqual(quiet.state, "Closed")
    })
  })

  for (const over of [lastCalls(4), lastMillis(60_000)] as const) {
    it(`a circuit that has closed again begins with an empty window: ${Object.keys(over)[0]}`, () => {
      const circuit = new Circuit(rules({ trips: [{ kind: "failure-rate", ratio: 0.5, minCalls: 4, over }] }))
      run(circuit, [F, F, F, F])
      assert.strictEqual(circuit.state, "Open")
      run(circuit, [S, F], 1000)
      assert.deepInclude(circuit.snapshot(1000), { state: "Closed", calls: 1, failures: 1, retryAfter: 0 })
    })
  }

  it("a new one has counted nothing", () => {
    assert.deepStrictEqual(new Circuit(rules({})).snapshot(0), {
      state: "Closed",
      consecutiveFailures: 0,
      calls: 0,
      failures: 0,
      slow: undefined,
      overdue: 0,
      retryAfter: 0,
      openings: 0,
      probing: 0,
      succeeded: 0,
      exceeded: false
    })
  })

  it("an opening begins with a call: when successes are forgotten, the failures that remain open nothing", () => {
    const over = lastMillis(10_000)
    const circuit = new Circuit(rules({
      trips: [
        { kind: "failure-rate", ratio: 0.9, minCalls: 2, over },
        { kind: "slow-rate", watch: () => new UnderWay(), after: 60_000, ratio: 1, minCalls: 100, over }
      ]
    }))
    run(circuit, [S, S])
    run(circuit, [F, F], 5000)
    admitted(circuit, 5000)
    assert.deepInclude(circuit.snapshot(10_000), { state: "Closed", calls: 2, failures: 2 })
    assert.strictEqual(circuit.look(10_000), "Closed")
    run(circuit, [F], 10_000)
    assert.strictEqual(circuit.state, "Open")
  })

  it("a circuit that nobody asks forgets as well: cockatiel #64", () => {
    const circuit = new Circuit(
      rules({ trips: [{ kind: "failure-rate", ratio: 1, minCalls: 9, over: lastMillis(1000) }] })
    )
    run(circuit, [F, F])
    assert.deepInclude(circuit.snapshot(999), { calls: 2, failures: 2 })
    assert.deepInclude(circuit.snapshot(1000), { calls: 0, failures: 0 })
  })

  it("a call that goes on after it has answered counts once, when it ends", () => {
    const circuit = new Circuit(rules({ trips: [rate(0.5, 10, 10)] }))
    const held = circuit.pass(admitted(circuit, 0), 100)
    assert.deepInclude(circuit.snapshot(100), { calls: 0, failures: 0 })
    circuit.record(held, F, 200)
    assert.deepInclude(circuit.snapshot(200), { calls: 1, failures: 1 })
  })

  describe("open", () => {
    it("rejects until its time and is half-open at it, without a timer: failsafe-go B5, resilience4j B6e", () => {
      const circuit = opened({})
      assert.strictEqual(circuit.admit(999), undefined)
      assert.strictEqual(circuit.retryAfter(999), 1)
      assert.strictEqual(circuit.state, "Open")
      assert.isDefined(circuit.admit(1000))
      assert.strictEqual(circuit.state, "HalfOpen")
    })

    it("a delay that cannot be worked out opens nothing, and is asked for again with the next failure", () => {
      let broken = true
      const circuit = new Circuit(rules({
        trips: [{ kind: "consecutive", failures: 1 }],
        openFor: () => {
          if (broken) throw new Error("bug")
          return 1000
        }
      }))
      assert.throws(() => run(circuit, [F], 50), "bug")
      assert.strictEqual(circuit.look(50), "Closed")
      broken = false
      run(circuit, [F], 60)
      assert.strictEqual(circuit.look(1059), "Open")
      assert.strictEqual(circuit.look(1060), "HalfOpen")
    })

    it("opens longer each time in a row, and starts again once it has closed: Polly B2, resilience4j B6h", () => {
      const openings: Array<number> = []
      const circuit = opened({ openFor: (opening) => openings.push(opening) && opening * 1000 })
      run(circuit, [F], 1000)
      assert.strictEqual(circuit.retryAfter(1000), 2000)
      run(circuit, [F], 3000)
      assert.strictEqual(circuit.retryAfter(3000), 3000)
      run(circuit, [S, F], 6000)
      assert.strictEqual(circuit.retryAfter(6000), 1000)
      assert.deepStrictEqual(openings, [1, 2, 3, 1])
    })

    it("a suspended process finds it half-open, never with a negative wait: B9h", () => {
      const circuit = opened({})
      assert.strictEqual(circuit.retryAfter(3_600_000), 0)
      assert.strictEqual(circuit.look(3_600_000), "HalfOpen")
    })
  })

  describe("half-open", () => {
    it("lets exactly the probes through: resilience4j B6l", () => {
      const circuit = opened({ probes: 4, required: 4 })
      const permits = Array.from({ length: 4 }, () => admitted(circuit, 1000))
      assert.strictEqual(circuit.admit(1000), undefined)
      circuit.record(permits[0]!, I, 1000)
      assert.isDefined(circuit.admit(1000))
      assert.strictEqual(circuit.admit(1000), undefined)
    })

    it("closes when the required probes have succeeded, and forgets: resilience4j B6k, B6n", () => {
      const circuit = opened({ probes: 4, required: 2 })
      run(circuit, [I, I, I, I, F, S], 1000)
      assert.strictEqual(circuit.state, "HalfOpen")
      run(circuit, [S], 1000)
      assert.strictEqual(circuit.state, "Closed")
      assert.strictEqual(circuit.snapshot(1000).consecutiveFailures, 0)
    })

    it("opens as soon as the required number cannot be reached: resilience4j B6i", () => {
      const circuit = opened({ probes: 4, required: 2 })
      run(circuit, [F, F, S], 1000)
      assert.strictEqual(circuit.state, "HalfOpen")
      run(circuit, [F], 1000)
      assert.strictEqual(circuit.state, "Open")
    })

    it("what probes have answered takes up their slots, well or not", () => {
      const circuit = opened({ probes: 4, required: 3 })
      run(circuit, [F, S], 1000)
      admitted(circuit, 1000)
      admitted(circuit, 1000)
      assert.strictEqual(circuit.admit(1000), undefined)
    })

    it("outcomes of probes from before the last opening change nothing", () => {
      const circuit = opened({ probes: 3, required: 3 })
      const [failing, late, passing] = [admitted(circuit, 1000), admitted(circuit, 1000), admitted(circuit, 1000)]
      circuit.record(failing, F, 1000)
      admitted(circuit, 2000)
      circuit.record(late, F, 2000)
      circuit.record(circuit.pass(passing, 2000), F, 2000)
      assert.deepInclude(circuit.snapshot(2000), { state: "HalfOpen", probing: 1, succeeded: 0 })
    })

    it("an ignored probe frees its slot and decides nothing: Polly #1979, resilience4j B6m", () => {
      const circuit = opened({})
      circuit.record(admitted(circuit, 1000), I, 1000)
      assert.strictEqual(circuit.state, "HalfOpen")
      run(circuit, [S], 1000)
      assert.strictEqual(circuit.state, "Closed")
    })

    it("a probe that never answers gives its slot back after the lease: B9c", () => {
      const circuit = opened({ lease: 5000 })
      const lost = admitted(circuit, 1000)
      assert.strictEqual(circuit.admit(5999), undefined)
      assert.strictEqual(circuit.retryAfter(5999), 0, "when a probe answers, nobody knows")
      assert.isDefined(circuit.admit(6000))
      circuit.record(lost, S, 9000)
      assert.strictEqual(circuit.state, "Closed", "an answer after the lease still counts")
    })

    it("outcomes of calls from before the trip change nothing: Polly #217, cockatiel B9a", () => {
      const circuit = new Circuit(rules({ trips: [{ kind: "consecutive", failures: 1 }] }))
      const slow = admitted(circuit, 0)
      const alsoSlow = admitted(circuit, 0)
      run(circuit, [F], 0)
      admitted(circuit, 1000)
      circuit.record(slow, F, 1500)
      assert.strictEqual(circuit.state, "HalfOpen")
      circuit.record(alsoSlow, S, 1500)
      assert.strictEqual(circuit.state, "HalfOpen")
    })

    it("a probe that goes on after it has passed counts once, and its failure still counts", () => {
      const circuit = opened({ probes: 3, required: 3 })
      const held = circuit.pass(admitted(circuit, 1000), 1000)
      assert.deepInclude(circuit.snapshot(1000), { probing: 0, succeeded: 1 })
      circuit.record(held, S, 1500)
      assert.deepInclude(circuit.snapshot(1500), { state: "HalfOpen", succeeded: 1 })
      circuit.record(circuit.pass(admitted(circuit, 1500), 1500), F, 1600)
      assert.strictEqual(circuit.state, "Open")
    })

    it("the last probe that passes closes; the end of its call is recorded as any other", () => {
      const circuit = opened({})
      const held = circuit.pass(admitted(circuit, 1000), 1000)
      assert.strictEqual(circuit.state, "Closed")
      circuit.record(held, F, 1500)
      assert.strictEqual(circuit.state, "Open")
    })
  })

  describe("by hand", () => {
    it("isolated, it rejects until it is closed: Polly B2, resilience4j B6p", () => {
      const circuit = new Circuit(rules({}))
      const underway = admitted(circuit, 0)
      circuit.force("Isolated")
      assert.strictEqual(circuit.admit(1_000_000), undefined)
      assert.strictEqual(circuit.retryAfter(0), Infinity)
      circuit.record(underway, F, 0)
      assert.strictEqual(circuit.state, "Isolated")
      circuit.close()
      assert.isDefined(circuit.admit(0))
    })

    it("opened for no time in particular, it stays so for as long as by its rules", () => {
      const circuit = new Circuit(rules({}))
      circuit.openNow(0, undefined)
      assert.strictEqual(circuit.look(999), "Open")
      assert.strictEqual(circuit.look(1000), "HalfOpen")
    })

    it("disabled, it lets everything through and counts nothing: resilience4j B6q", () => {
      const circuit = new Circuit(rules({ trips: [rate(0.5, 1, 10)] }), "Disabled")
      run(circuit, [F, F, F])
      assert.isDefined(circuit.admit(0))
      assert.deepInclude(circuit.snapshot(0), { state: "Disabled", calls: 0 })
    })

    it("what it would have done is no longer said when it counts for real", () => {
      const circuit = run(new Circuit(rules({}), "MetricsOnly"), [F, F, F])
      assert.isTrue(circuit.exceeded)
      circuit.close()
      assert.isFalse(circuit.exceeded)
    })

    it("what it knows that a new one would not", () => {
      const forcedStates = ["Isolated", "MetricsOnly", "Disabled"] as const
      for (const initial of ["Closed", ...forcedStates] as const) {
        const circuit = new Circuit(rules({}), initial)
        assert.strictEqual(circuit.knowledge(0), nothing, `made ${initial}`)
        for (const state of forcedStates) {
          circuit.force(state)
          assert.strictEqual(circuit.knowledge(0), state === initial ? nothing : forced, `${state}, made ${initial}`)
        }
        circuit.openNow(0, 1000)
        assert.strictEqual(circuit.knowledge(999), owed, "open, it ends by itself")
        assert.strictEqual(circuit.knowledge(1000), counted, "how often it has opened")
        circuit.look(1000)
        assert.strictEqual(circuit.knowledge(1000), counted, "half-open as well")
        circuit.close()
        assert.strictEqual(circuit.knowledge(1000), counted, "closed by hand, it goes on with its openings")
        circuit.reset()
        assert.strictEqual(circuit.knowledge(1000), nothing)
      }
    })

    it("what it has counted is known, until a window forgets it", () => {
      const table: ReadonlyArray<readonly [string, Trip, ReadonlyArray<Outcome>, Knowledge, Knowledge]> = [
        ["successes", rate(0.9, 9, 9), [S, S], nothing, nothing],
        ["a failure in a row", { kind: "consecutive", failures: 3 }, [S, F], counted, counted],
        ["none in a row", { kind: "consecutive", failures: 3 }, [F, S], nothing, nothing],
        ["a failure in a window of calls", rate(0.9, 9, 9), [F, S], counted, counted],
        [
          "a failure in a window of time",
          { ...rate(0.9, 9, 9), over: lastMillis(1000) } as Trip,
          [F, S],
          counted,
          nothing
        ],
        ["what is ignored", { kind: "consecutive", failures: 3 }, [I, T], nothing, nothing]
      ]
      for (const [name, trip, outcomes, now, later] of table) {
        const circuit = run(new Circuit(rules({ trips: trip })), outcomes)
        assert.deepStrictEqual([circuit.knowledge(0), circuit.knowledge(10_000)], [now, later], name)
      }
    })

    it("made open, it is so for its first opening, from the first look on; made half-open, it probes at once", () => {
      const openFor = (opening: number): number => opening * 1000
      const open = new Circuit(rules({ openFor }), "Open")
      assert.strictEqual(open.knowledge(0), nothing)
      assert.deepInclude(open.snapshot(500), { state: "Open", retryAfter: 1000, openings: 1 })
      assert.strictEqual(open.admit(1499), undefined)
      run(open, [F], 1500)
      assert.strictEqual(open.retryAfter(1500), 2000, "a probe that fails opens it for the second time")
      open.reset()
      assert.deepInclude(open.snapshot(9000), { state: "Open", retryAfter: 1000, openings: 1 })

      const half = new Circuit(rules({ openFor }), "HalfOpen")
      assert.isDefined(half.admit(0))
      assert.isUndefined(half.admit(0), "one probe at a time")
      const failing = run(new Circuit(rules({ openFor }), "HalfOpen"), [F])
      assert.strictEqual(failing.retryAfter(0), 1000)
      failing.reset()
      assert.strictEqual(run(failing, [S]).state, "Closed")
      assert.strictEqual(failing.knowledge(0), counted, "that the callee is well")
    })

    it("close keeps the length of the next opening, reset does not: resilience4j B6u", () => {
      for (const [operation, length] of [["close", 2000], ["reset", 1000]] as const) {
        const circuit = opened({ openFor: (opening) => opening * 1000 })
        circuit[operation]()
        assert.strictEqual(circuit.state, "Closed")
        run(circuit, [F], 0)
        assert.strictEqual(circuit.retryAfter(0), length)
      }
    })
  })

  describe("slow calls", () => {
    const slow = (ratio: number, minCalls: number, over: Span): Trip => ({
      kind: "slow-rate",
      watch: () => new UnderWay(),
      after: 4000,
      ratio,
      minCalls,
      over
    })
    const one = (circuit: Circuit, at: number, took: number, outcome: Outcome): void =>
      circuit.record(admitted(circuit, at), outcome, at + took)

    it("the share of slow ones opens, whatever came of them: resilience4j B6b", () => {
      const circuit = new Circuit(rules({ trips: [slow(0.5, 5, lastMillis(20_000))] }))
      one(circuit, 0, 5000, F)
      one(circuit, 0, 5000, S)
      one(circuit, 5000, 100, F)
      one(circuit, 5000, 100, S)
      assert.deepInclude(circuit.snapshot(5100), { state: "Closed", calls: 4, slow: 2, failures: 2 })
      one(circuit, 5100, 5000, S)
      assert.strictEqual(circuit.state, "Open")
    })

    it("at its limit a call is slow; ten under way and none ended may open: B9g", () => {
      const circuit = new Circuit(rules({ trips: [slow(1, 10, lastCalls(100))] }))
      for (let i = 0; i < 10; i++) admitted(circuit, i)
      assert.strictEqual(circuit.look(4008), "Closed")
      assert.deepInclude(circuit.snapshot(4008), { overdue: 9 })
      assert.strictEqual(circuit.admit(4009), undefined)
      assert.strictEqual(circuit.state, "Open")
    })

    it("each rule has its own minimum: resilience4j #1477, #1394", () => {
      const trips = [rate(0.5, 10, 10), slow(0.5, 2, lastCalls(10))]
      const failing = run(new Circuit(rules({ trips })), [F, F, F])
      assert.strictEqual(failing.state, "Closed")
      one(failing, 0, 4000, S)
      one(failing, 0, 4000, S)
      one(failing, 0, 4000, S)
      assert.strictEqual(failing.state, "Open")
    })

    it("what the window has forgotten does not open together with what is slow now", () => {
      const circuit = new Circuit(rules({ trips: [slow(1, 2, lastMillis(10_000))] }))
      one(circuit, 0, 5000, S)
      admitted(circuit, 20_000)
      assert.strictEqual(circuit.look(24_000), "Closed")
      admitted(circuit, 24_000)
      assert.strictEqual(circuit.look(28_000), "Open")
    })

    it("a wait for its turn makes no call slow, and one that goes on becomes slow later by it", () => {
      const circuit = new Circuit(rules({ trips: [slow(1, 3, lastCalls(10))] }))
      const [waiting, ended, going] = [admitted(circuit, 0), admitted(circuit, 0), admitted(circuit, 0)]
      for (const permit of [waiting, ended, going]) circuit.suspend(permit)
      assert.strictEqual(circuit.snapshot(60_000).overdue, 0)
      circuit.resume(ended, 60_000)
      circuit.record(ended, S, 63_999)
      assert.strictEqual(circuit.snapshot(63_999).slow, 0)
      circuit.resume(going, 60_000)
      const newer = admitted(circuit, 60_001)
      assert.strictEqual(circuit.snapshot(63_999).overdue, 0)
      assert.strictEqual(
        circuit.snapshot(64_000).overdue,
        1,
        "before the newer one, though it is in time again after it"
      )
      assert.strictEqual(circuit.snapshot(64_001).overdue, 2)
      circuit.record(newer, S, 64_001)
      circuit.record(going, S, 64_001)
      assert.strictEqual(circuit.snapshot(64_001).slow, 2)
      circuit.record(waiting, I, 70_000)
      circuit.resume(waiting, 70_000)
      assert.strictEqual(circuit.snapshot(1e9).overdue, 0, "what has ended does not come back")
    })

    it("a probe that waited for its turn is no slow one; its lease goes on", () => {
      const circuit = opened({ trips: [{ kind: "consecutive", failures: 1 }, slow(1, 3, lastCalls(10))], lease: 5000 })
      const probe = admitted(circuit, 1000)
      circuit.suspend(probe)
      circuit.resume(probe, 4000)
      assert.isDefined(circuit.admit(6000), "the slot")
      circuit.record(probe, S, 8999)
      assert.strictEqual(circuit.state, "Closed")
    })

    it("a wait is over after the state, the rules or the answer have moved on", () => {
      const trips = [slow(1, 9, lastCalls(10))]
      for (
        const change of [
          (circuit: Circuit) => circuit.close(),
          (circuit: Circuit) => circuit.reconfigure(rules({})),
          (circuit: Circuit, permit: Permit) => circuit.pass(permit, 0)
        ]
      ) {
        const circuit = new Circuit(rules({ trips }))
        const permit = admitted(circuit, 0)
        circuit.suspend(permit)
        change(circuit, permit)
        circuit.resume(permit, 10)
        assert.strictEqual(circuit.snapshot(1e9).overdue, 0)
      }
    })

    it.prop("whoever waits for how long, calls become slow in the order of the time that they have had", [
      Schema.Array(Schema.Struct({
        gap: Schema.Literals([0, 1, 500, 1500]),
        act: Schema.Literals(["admit", "suspend", "resume", "end"]),
        which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
      }))
    ], ([history]) => {
      const circuit = new Circuit(rules({ trips: [slow(1, 1000, lastCalls(1000))] }))
      const calls: Array<{ readonly permit: Permit; had: number; since: number | undefined; waitedSince: number }> = []
      let now = 0
      for (const { act, gap, which } of history) {
        for (const call of calls) if (call.since !== undefined) call.had += gap
        now += gap
        // a look between two waits: one that is slow already stays so
        const overdue = circuit.snapshot(now).overdue
        assert.strictEqual(overdue, calls.filter(({ had }) => had >= 4000).length)
        const call = calls[which]
        if (act === "admit") calls.push({ permit: admitted(circuit, now), had: 0, since: now, waitedSince: 0 })
        else if (call === undefined) continue
        else if (act === "suspend" && call.since !== undefined) {
          circuit.suspend(call.permit)
          call.since = undefined
          call.waitedSince = now
        } else if (act === "resume" && call.since === undefined) {
          circuit.resume(call.permit, now - call.waitedSince)
          call.since = now
        } else if (act === "end") {
          circuit.record(call.permit, I, now)
          calls.splice(which, 1)
        }
      }
    })

    it("one that ends for nothing is not remembered", () => {
      const circuit = new Circuit(rules({ trips: [slow(0.1, 1, lastCalls(10))] }))
      one(circuit, 0, 5000, I)
      assert.deepInclude(circuit.snapshot(5000), { state: "Closed", slow: 0, overdue: 0 })
    })
  })

  describe("throttled", () => {
    const after = (circuit: Circuit, now: number, hint: number): readonly [string, number, number] => {
      circuit.record(admitted(circuit, now), T, now, hint)
      const { openings, retryAfter, state } = circuit.snapshot(now)
      return [state, retryAfter, openings]
    }

    // the circuit has opened once, for a second; hints beyond 5 seconds are not believed
    const table: ReadonlyArray<readonly [string, number, number, string, number]> = [
      ["closed, no hint", 5000, 0, "Closed", 0],
      ["closed, a hint that nobody asks for", 0, 3000, "Closed", 0],
      ["closed, a hint", 5000, 3000, "Open", 3000],
      ["closed, a hint beyond the cap", 5000, 9000, "Open", 5000],
      ["closed, a hint that names no time", 5000, Infinity, "Open", 1000],
      ["half-open, no hint", 5000, 0, "Open", 1000],
      ["half-open, a hint that nobody asks for", 0, 3000, "Open", 1000],
      ["half-open, a hint", 5000, 3000, "Open", 3000],
      ["half-open, a hint that names no time", 5000, Infinity, "Open", 1000]
    ]
    for (const [name, hintCap, hint, state, retryAfter] of table) {
      it(`${name}: ${state}, and the next opening is no longer for it`, () => {
        const closed = name.startsWith("closed")
        const openFor = (opening: number): number => opening * 1000
        const circuit = closed ? new Circuit(rules({ hintCap, openFor })) : opened({ hintCap, openFor })
        assert.deepStrictEqual(after(circuit, 1000, hint), [state, retryAfter, closed ? 0 : 1])
      })
    }

    it("counting only, it is not opened", () => {
      const circuit = new Circuit(rules({ hintCap: 5000 }), "MetricsOnly")
      assert.strictEqual(after(circuit, 0, 3000)[0], "MetricsOnly")
    })

    it("a callee that throttles is probed once per pause, not by everybody", () => {
      const circuit = opened({ probes: 2, required: 2 })
      let reached = 0
      for (let now = 0; now < 10_000; now += 10) {
        const permit = circuit.admit(now)
        if (permit === undefined) continue
        reached++
        circuit.record(permit, T, now)
      }
      assert.strictEqual(reached, 9)
    })
  })

  it("all calls share a permit where nothing has to be remembered of one, and none is shared that holds a slot", () => {
    const slow: Trip = {
      kind: "slow-rate",
      watch: () => new UnderWay(),
      after: 1,
      ratio: 1,
      minCalls: 1,
      over: lastCalls(1)
    }
    const shared = (trip: Trip, change: (circuit: Circuit) => void): boolean => {
      const circuit = new Circuit(rules({ trips: trip }))
      change(circuit)
      const shares = circuit.admit(0) === circuit.permit
      assert.strictEqual(circuit.shared, shares, circuit.state)
      return shares
    }
    const table: ReadonlyArray<readonly [string, (circuit: Circuit) => void, boolean, boolean]> = [
      ["closed", () => {}, true, false],
      ["only counting", (circuit) => circuit.force("MetricsOnly"), true, false],
      ["disabled", (circuit) => circuit.force("Disabled"), true, true],
      ["isolated", (circuit) => circuit.force("Isolated"), false, false],
      ["open", (circuit) => circuit.openNow(0, 1), false, false],
      ["half-open", (circuit) => circuit.openNow(-1, 1), false, false]
    ]
    for (const [name, change, counted, watched] of table) {
      assert.deepStrictEqual([shared(rate(1, 1, 1), change), shared(slow, change)], [counted, watched], name)
    }
  })

  it("after other rules, calls under way become slow as before, or no longer if no rule is about them", () => {
    const slow = (calls: number): Trip => ({
      kind: "slow-rate",
      watch: () => new UnderWay(),
      after: 100,
      ratio: 1,
      minCalls: 9,
      over: lastCalls(calls)
    })
    const circuit = new Circuit(rules({ trips: slow(20) }))
    admitted(circuit, 0)
    assert.isTrue(circuit.timed, "its end may be that of a slow call")
    circuit.reconfigure(rules({ trips: slow(9) }))
    assert.strictEqual(circuit.snapshot(100).overdue, 1)
    circuit.reconfigure(rules({ trips: rate(1, 9, 9) }))
    assert.strictEqual(circuit.snapshot(100).overdue, 0)
    assert.isFalse(circuit.timed)
  })

  /** stands for an infinite hint, which is no literal */
  const never = -1
  const asked = (hint: number): number => hint === never ? 0 : Math.min(hint, 2000)

  const Step = Schema.Struct({
    gap: Schema.Literals([0, 0, 0, 10, 250, 900, 1100]),
    // operators interfere now and then
    act: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 79 })),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    outcome: Schema.Literals(["success", "success", "failure", "failure", "ignored", "throttled"]),
    hint: Schema.Literals([0, 0, 0, 3000, never])
  })

  const actOf = (act: number): "admit" | "end" | "isolate" | "close" | "open" | "observe" =>
    act < 4 ? (["isolate", "close", "open", "observe"] as const)[act]! : act % 2 === 0 ? "admit" : "end"

  /** The rules as one would write them down: everything is remembered, and counted anew at every look. */
  class Naive {
    state = "Closed"
    epoch = 0
    until = 0
    openings = 0
    calls: Array<{
      readonly id: number
      readonly epoch: number
      readonly at: number
      readonly probe: boolean
      ended: number | undefined
      outcome: Outcome | undefined
    }> = []
    /** the ids in the order in which they ended */
    order: Array<number> = []

    enter(state: string): void {
      this.state = state
      this.epoch++
      this.order = []
    }
    open(now: number, millis: number, counts = true): void {
      this.enter("Open")
      if (counts) this.openings++
      this.until = now + millis
    }
    get current() {
      return this.calls.filter(({ epoch }) => epoch === this.epoch)
    }
    get ended() {
      return this.order.map((id) => this.calls[id]!).filter(({ outcome }) => outcome === S || outcome === F)
    }
    met(now: number): boolean {
      const overdue = this.current.filter(({ at, ended }) => ended === undefined && now - at >= 800).length
      const last = this.ended.slice(-4)
      const failures = last.filter(({ outcome }) => outcome === F).length
      const slow = this.ended.slice(-3).filter(({ at, ended }) => ended! - at >= 800).length + overdue
      const seen = this.ended.slice(-3).length + overdue
      return (last.length >= 3 && failures >= 0.75 * last.length) || (seen >= 2 && slow >= 0.9 * seen)
    }
    look(now: number): void {
      if (this.state === "Open" && now >= this.until) this.enter("HalfOpen")
      else if (
        this.state === "Closed" && this.current.some(({ at, ended }) => ended === undefined && now - at >= 800) &&
        this.met(now)
      ) this.open(now, 1000 * (this.openings + 1))
    }
    admit(now: number): boolean {
      this.look(now)
      if (this.state === "Open" || this.state === "Isolated") return false
      const probe = this.state === "HalfOpen"
      if (probe) {
        const held = this.current.filter(({ at, ended, outcome }) =>
          ended === undefined ? now - at < 2000 : outcome !== "ignored"
        )
        if (held.length >= 3) return false
      }
      this.calls.push({
        id: this.calls.length,
        epoch: this.epoch,
        at: now,
        probe,
        ended: undefined,
        outcome: undefined
      })
      return true
    }
    end(id: number, now: number, outcome: Outcome, hint: number): void {
      const call = this.calls[id]!
      call.ended = now
      call.outcome = outcome
      if (call.epoch !== this.epoch) return
      this.order.push(id)
      if (outcome === "ignored") return
      if (outcome === "throttled") {
        if ((hint === 0 && this.state === "Closed") || this.state === "MetricsOnly") return
        this.open(now, asked(hint) || 1000 * Math.max(1, this.openings), false)
      } else if (call.probe) {
        const failed = this.ended.filter(({ at, ended, outcome }) => outcome === F || ended! - at >= 800).length
        if (failed > 1) this.open(now, Math.max(1000 * (this.openings + 1), asked(hint)))
        else if (this.ended.length - failed >= 2) {
          this.enter("Closed")
          this.openings = 0
        }
      } else if (this.state === "Closed" && this.met(now)) {
        this.open(now, Math.max(1000 * (this.openings + 1), asked(hint)))
      }
    }
  }

  it.prop(
    "agrees with a naive model over random histories: two rules, three probes of which two, hints, operators",
    [Schema.Array(Step).check(Schema.isMinLength(40), Schema.isMaxLength(120))],
    ([history]) => {
      const circuit = new Circuit(rules({
        trips: [
          { kind: "failure-rate", ratio: 0.75, minCalls: 3, over: lastCalls(4) },
          { kind: "slow-rate", watch: () => new UnderWay(), after: 800, ratio: 0.9, minCalls: 2, over: lastCalls(3) }
        ],
        openFor: (opening) => opening * 1000,
        hintCap: 2000,
        probes: 3,
        required: 2,
        lease: 2000
      }))
      const model = new Naive()
      const underWay: Array<{ readonly id: number; readonly permit: Permit }> = []
      let now = 0
      for (const { act: number, gap, hint, outcome, which } of history) {
        const act = actOf(number)
        now += gap
        if (act === "admit") {
          const admitted = model.admit(now)
          const permit = circuit.admit(now)
          assert.strictEqual(permit !== undefined, admitted)
          if (permit !== undefined) underWay.push({ id: model.calls.length - 1, permit })
        } else if (act === "end") {
          const [call] = underWay.splice(which % Math.max(1, underWay.length), 1)
          if (call === undefined) continue
          model.end(call.id, now, outcome, hint)
          circuit.record(call.permit, outcome, now, hint === never ? Infinity : hint)
        } else if (act === "isolate") {
          model.enter("Isolated")
          circuit.force("Isolated")
        } else if (act === "observe") {
          model.enter("MetricsOnly")
          circuit.force("MetricsOnly")
        } else if (act === "open") {
          model.open(now, 500)
          circuit.openNow(now, 500)
        } else {
          model.enter("Closed")
          circuit.close()
        }
        assert.strictEqual(circuit.state, model.state, `at ${now} after ${act}`)
        if (model.state === "Open") assert.strictEqual(circuit.retryAfter(now), Math.max(0, model.until - now))
        if (model.state === "MetricsOnly") assert.strictEqual(circuit.snapshot(now).exceeded, model.met(now))
      }
    },
    { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 400) }, timeout: 600_000 }
  )

  it.prop(
    "agrees with a naive model over random histories: failures in a row, one probe",
    [Schema.Array(Schema.Struct({
      gap: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 900 })),
      outcome: Schema.Literals(["success", "failure", "ignored"]),
      late: Schema.Boolean
    }))],
    ([history]) => {
      const circuit = new Circuit(rules({ trips: [{ kind: "consecutive", failures: 2 }], lease: 2000 }))
      const model = { state: "Closed", row: 0, openUntil: 0, epoch: 0, probeUntil: -1 }
      const pending: Array<
        { readonly permit: Permit; readonly epoch: number; readonly outcome: Outcome; readonly probe: boolean }
      > = []
      const settle = (now: number, { epoch, outcome, permit, probe }: (typeof pending)[number]): void => {
        circuit.record(permit, outcome, now)
        if (epoch !== model.epoch) return
        const to = (state: string): void =>
          void Object.assign(model, { state, row: 0, epoch: model.epoch + 1, probeUntil: -1 })
        if (probe) {
          model.probeUntil = -1
          if (outcome === F) {
            to("Open")
            model.openUntil = now + 1000
          } else if (outcome === S) to("Closed")
        } else if (outcome === S) model.row = 0
        else if (outcome === F && ++model.row >= 2) {
          to("Open")
          model.openUntil = now + 1000
        }
      }
      let now = 0
      for (const { gap, late, outcome } of history) {
        now += gap
        if (model.state === "Open" && now >= model.openUntil) {
          Object.assign(model, { state: "HalfOpen", epoch: model.epoch + 1 })
        }
        const probe = model.state === "HalfOpen"
        const expected = model.state === "Closed" || (probe && model.probeUntil <= now)
        const permit = circuit.admit(now)
        assert.strictEqual(permit !== undefined, expected)
        if (permit !== undefined) {
          if (probe) model.probeUntil = now + 2000
          const call = { permit, epoch: model.epoch, outcome, probe }
          if (late && !probe) pending.push(call)
          else settle(now, call)
        }
        if (!late) pending.splice(0).forEach((call) => settle(now, call))
        assert.strictEqual(circuit.state, model.state)
      }
    }
  )
})
