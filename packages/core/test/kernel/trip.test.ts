import { assert, describe, it } from "@effect/vitest"
import { type Gauge, gauge, type Trip } from "../../src/kernel/trip.ts"
import { UnderWay } from "../../src/kernel/underWay.ts"
import { lastCalls, lastMillis, type Span } from "../../src/kernel/window.ts"

const row: Trip = { kind: "consecutive", failures: 9 }
const share = (kind: "failure-rate" | "slow-rate", over: Span, ratio = 1): Trip => ({
  kind,
  ratio,
  after: 100,
  minCalls: 9,
  over,
  watch: () => new UnderWay()
})
const failures = (over: Span, ratio?: number): Trip => share("failure-rate", over, ratio)
const slow = (over: Span): Trip => share("slow-rate", over)

type Call = "well" | "failed" | "slow"

const counted = (trips: ReadonlyArray<Trip>, calls: ReadonlyArray<Call>): Gauge => {
  const counting = gauge(trips)
  for (const call of calls) counting.record(0, call === "failed", call === "slow")
  return counting
}

describe("kernel/trip", () => {
  describe("a success needs the time at which it ended", () => {
    const table: ReadonlyArray<readonly [string, ReadonlyArray<Trip>, ReadonlyArray<Call>, boolean]> = [
      ["not for a row", [row], ["failed"], false],
      ["not for the last calls as long as all were well: it opens nothing", [failures(lastCalls(9))], ["well"], false],
      ["for the last calls after a failure: it may be the one that opens", [failures(lastCalls(9))], ["failed"], true],
      ["for the last calls after a slow one", [slow(lastCalls(9))], ["slow"], true],
      ["for a window of time", [failures(lastMillis(1000))], [], true],
      ["if a later rule needs it", [row, failures(lastCalls(9)), failures(lastMillis(1000))], [], true],
      ["not if no rule does", [failures(lastCalls(9)), row], ["well"], false]
    ]
    for (const [name, trips, calls, timed] of table) {
      it(name, () => assert.strictEqual(counted(trips, calls).timed, timed))
    }
  })

  describe("other rules", () => {
    const twenty = lastCalls(20)
    const table: ReadonlyArray<readonly [string, ReadonlyArray<Trip>, ReadonlyArray<Trip>, number]> = [
      ["over as many calls go on with them", [failures(twenty)], [failures(twenty, 0.5)], 2],
      ["over more calls begin anew", [failures(twenty)], [failures(lastCalls(21))], 0],
      ["over as much time go on with it", [failures(lastMillis(20))], [failures(lastMillis(20), 0.5)], 2],
      ["over more time begin anew", [failures(lastMillis(20))], [failures(lastMillis(21))], 0],
      ["over time do not go on with calls", [failures(twenty)], [failures(lastMillis(20))], 0],
      ["over calls do not go on with time", [failures(lastMillis(20))], [failures(twenty)], 0],
      ["find what was counted, wherever its rule stood", [row, failures(twenty)], [failures(twenty), row], 2],
      ["find the right one of two", [failures(twenty), failures(lastMillis(20))], [failures(lastMillis(20))], 2],
      ["after a row begin anew", [row], [failures(twenty)], 0]
    ]
    for (const [name, before, after, calls] of table) {
      it(name, () => assert.strictEqual(gauge(after, counted(before, ["well", "failed"])).shown?.calls, calls))
    }

    it("over the same calls, two of them count apart: nothing twice", () => {
      const before = counted([failures(twenty), slow(twenty)], ["well", "failed"])
      const after = gauge([slow(twenty), failures(twenty, 0.5)], before)
      after.record(0, false, false)
      assert.strictEqual(after.shown?.calls, 3)
    })

    it("two over the same calls, after one, do not share what it has counted", () => {
      const after = gauge([failures(twenty), slow(twenty)], counted([failures(twenty)], ["well", "failed"]))
      after.record(0, false, false)
      assert.strictEqual(after.shown?.calls, 3)
    })
  })
})
