import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as allowance from "../../src/kernel/allowance.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Gaps and costs: calls that come in bursts, regularly, and after pauses. */
const Calls = Schema.Array(Schema.Struct({
  gap: Schema.Literals([0, 0, 0, 1, 7, 50, 99, 100, 101, 333, 1000, 5000]),
  cost: between(1, 4)
}))
const limit = between(4, 12)

interface Admitted {
  readonly at: number
  readonly cost: number
}

/** Offers every call, and takes those for which there is room. */
const admitted = (m: allowance.Allowance, calls: typeof Calls.Type): ReadonlyArray<Admitted> => {
  let at = 0
  return calls.flatMap(({ cost, gap }) => {
    at += gap
    if (m.wait(at, cost) > 0) return []
    m.take(at, cost)
    return [{ at, cost }]
  })
}

const sum = (calls: ReadonlyArray<Admitted>): number => calls.reduce((total, { cost }) => total + cost, 0)

/** The most that was admitted in any window that begins with a call, both ends included, less what `allowed` says. */
const excess = (calls: ReadonlyArray<Admitted>, allowed: (span: number) => number): number =>
  Math.max(
    0,
    ...calls.flatMap(({ at: from }, i) =>
      calls.slice(i).map(({ at: to }) => sum(calls.filter(({ at }) => from <= at && at <= to)) - allowed(to - from))
    )
  )

const spaced = (interval: number, burst: number): allowance.Allowance =>
  allowance.make({ kind: "spaced", interval, burst })
const fixed = (limit: number, span: number): allowance.Allowance =>
  allowance.make({ kind: "fixed-window", limit, span })
const sliding = (limit: number, span: number): allowance.Allowance =>
  allowance.make({ kind: "sliding-window", limit, span })

const offer = (m: allowance.Allowance, at: number, cost = 1): number => {
  const wait = m.wait(at, cost)
  if (wait === 0) m.take(at, cost)
  return wait
}

describe("kernel/allowance", () => {
  it("a wait is never cut short by a timer of whole milliseconds, never none, and no longer for an error of rounding", () => {
    const table = [[0, 0], [1e-9, 1], [0.5, 1], [1, 1], [1.0005, 1], [1.5, 2], [99.2, 100], [
      Infinity,
      Infinity
    ]] as const
    for (const [wait, expected] of table) assert.strictEqual(allowance.wholeMillis(wait), expected, String(wait))
  })

  describe("spaced", () => {
    it("GCRA with an interval of 500 and a tolerance of 1000, R4", () => {
      const m = spaced(500, 3)
      assert.deepStrictEqual([0, 0, 0, 0, 499, 500, 500, 1500].map((at) => offer(m, at)), [0, 0, 0, 500, 1, 0, 500, 0])
      assert.deepStrictEqual([5000, 5000, 5000, 5000].map((at) => offer(m, at)), [0, 0, 0, 500])
    })

    it("a burst of 1 spaces evenly", () => {
      const m = spaced(100, 1)
      assert.deepStrictEqual([0, 0, 99, 100, 150, 250].map((at) => offer(m, at)), [0, 100, 1, 0, 50, 0])
    })

    it.prop("is the naive token bucket", [limit, limit, Calls], ([burst, perSecond, calls]) => {
      let tokens = burst
      let last = 0
      let at = 0
      const naive = calls.flatMap(({ cost, gap }) => {
        at += gap
        tokens = Math.min(burst, tokens + (at - last) * perSecond / 1000)
        last = at
        if (tokens + 1e-6 < cost) return []
        tokens -= cost
        return [{ at, cost }]
      })
      assert.deepStrictEqual(admitted(spaced(1000 / perSecond, burst), calls), naive)
    })

    it.prop("never more than rate and burst in any span", [limit, limit, Calls], ([burst, perSecond, calls]) => {
      const seen = admitted(spaced(1000 / perSecond, burst), calls)
      assert.isAtMost(excess(seen, (span) => burst + span * perSecond / 1000), 1e-6)
    })

    it("what time has paid for is not given back as well", () => {
      const m = spaced(1, 1000)
      const mark = m.take(0, 1000)
      assert.strictEqual(m.available(300), 300)
      m.giveBack(300, mark, 600)
      assert.strictEqual(m.available(300), 900)
      const late = m.take(2000, 1000)
      m.take(3000, 1000)
      m.giveBack(3000, late, 600)
      assert.strictEqual(m.available(3000), 0, "the bucket was full again before the other call came")
    })
  })

  describe("fixed window", () => {
    it("opens with the first call after the last one has closed", () => {
      const m = fixed(2, 100)
      assert.deepStrictEqual([10, 20, 30, 109, 110, 110, 110, 350, 350, 350].map((at) => offer(m, at)), [
        0,
        0,
        80,
        1,
        0,
        0,
        100,
        0,
        0,
        100
      ])
    })

    it.prop("never more than the limit in a window", [limit, Calls], ([limit, calls]) => {
      let openedAt = -Infinity
      let used = 0
      for (const { at, cost } of admitted(fixed(limit, 1000), calls)) {
        if (at - openedAt >= 1000) {
          openedAt = at
          used = 0
        }
        used += cost
        assert.isAtMost(used, limit)
      }
    })

    it("gives back only to the window that was charged", () => {
      const m = fixed(10, 100)
      const mark = m.take(0, 8)
      m.giveBack(50, mark, 5)
      assert.strictEqual(m.available(50), 7)
      m.take(100, 8)
      m.giveBack(100, mark, 3)
      assert.strictEqual(m.available(100), 2)
    })

    it("a longer one does not bring back what was used in a window that has closed", () => {
      const m = allowance.make({ kind: "fixed-window", limit: 10, span: 1000 })
      m.take(0, 10)
      m.adopt(5000, { kind: "fixed-window", limit: 10, span: 3_600_000 })
      assert.deepStrictEqual([m.available(5000), m.wait(5000, 10)], [10, 0])
      m.take(5000, 4)
      m.adopt(6000, { kind: "fixed-window", limit: 10, span: 7_200_000 })
      assert.strictEqual(m.available(6000), 6)
    })
  })

  describe("sliding window", () => {
    it("forgets a call after the span, not all of them at once", () => {
      const m = sliding(2, 100)
      assert.deepStrictEqual([0, 50, 50, 99, 100, 100, 150].map((at) => offer(m, at)), [0, 0, 50, 1, 0, 50, 0])
    })

    it("ages on read (cockatiel #64)", () => {
      const m = sliding(5, 1000)
      m.take(0, 5)
      assert.deepStrictEqual([0, 999, 1000].map((at) => m.available(at)), [0, 0, 5])
      m.take(2000, 5)
      assert.strictEqual(m.wait(9000, 5), 0)
    })

    it("gives back to the call that was charged: what an earlier one used counts as long as it did", () => {
      const m = sliding(10, 1000)
      m.take(0, 4)
      const mark = m.take(500, 4)
      m.giveBack(600, mark, 4)
      assert.deepStrictEqual([600, 999, 1000].map((at) => m.available(at)), [6, 6, 10])
      const forgotten = m.take(2000, 4)
      m.take(2600, 4)
      m.giveBack(3000, forgotten, 4)
      assert.strictEqual(m.available(3000), 6)
    })

    it("a longer one does not bring back what was forgotten", () => {
      const m = sliding(10, 1000)
      m.take(0, 10)
      m.adopt(5000, { kind: "sliding-window", limit: 10, span: 3_600_000 })
      assert.deepStrictEqual([m.available(5000), m.wait(5000, 10)], [10, 0])
    })

    it.prop("never more than the limit in any span", [limit, Calls], ([limit, calls]) => {
      const seen = admitted(sliding(limit, 1000), calls)
      for (const { at: from } of seen) {
        assert.isAtMost(sum(seen.filter(({ at }) => from <= at && at < from + 1000)), limit)
      }
    })

    it.prop("counts no call longer than a hundredth more than the span", [limit, Calls], ([limit, calls]) => {
      const m = sliding(limit, 1000)
      const seen: Array<Admitted> = []
      let at = 0
      for (const { cost, gap } of calls) {
        at += gap
        const refused = m.wait(at, cost) > 0
        const counted = sum(seen.filter((call) => at - call.at < 1010))
        if (refused) assert.isAbove(counted + cost, limit)
        else {
          m.take(at, cost)
          seen.push({ at, cost })
        }
      }
    })

    it("keeps no more than its slices, however many calls there are", () => {
      const m = sliding(1e9, 1000)
      for (let at = 0; at < 5000; at += 0.25) m.take(at, 1)
      assert.isAtMost(Reflect.get(m, "slices").length, 101)
      assert.closeTo(1e9 - m.available(5000), 4000, 40)
    })

    it("costs in fractions are not off by more and more; a call that needs the whole window waits for it", () => {
      const m = sliding(100_000, 1000)
      let at = 0
      for (let i = 0; i < 500_000; i++) m.take(at += 0.05, 0.1)
      assert.closeTo(m.available(at), 100_000 - 2000, 20)
      assert.closeTo(m.wait(at, 100_000), 1000, 1)
      assert.strictEqual(m.available(at + 1000), 100_000)

      const large = sliding(1e11, 60_000)
      for (let i = 0; i < 10_000; i++) large.take(i * 6, 1e6 + 0.1 * (i % 7))
      assert.closeTo(large.wait(60_000, 1e11), 60_000, 10)
    })
  })

  const rules: ReadonlyArray<allowance.Rule> = [
    { kind: "spaced", interval: 100, burst: 10 },
    { kind: "fixed-window", limit: 10, span: 1000 },
    { kind: "sliding-window", limit: 10, span: 1000 }
  ]
  for (const rule of rules) {
    describe(rule.kind, () => {
      it("there is never room for more than the capacity", () => {
        const m = allowance.make(rule)
        assert.deepStrictEqual([m.capacity, m.wait(0, 10), m.wait(0, 11)], [10, 0, Infinity])
      })

      it.prop("what is told to wait fits after the wait, and not a millisecond before", [Calls], ([calls]) => {
        const m = allowance.make(rule)
        let at = 0
        for (const { cost, gap } of calls) {
          at += gap
          const wait = m.wait(at, cost)
          if (wait > 0) {
            assert.isAbove(m.copy().wait(at + wait - 1, cost), 0)
            assert.strictEqual(m.copy().wait(at + wait, cost), 0)
            at += wait
          }
          m.take(at, cost)
        }
      })

      it.prop("giving back never makes more room than there was before", [Calls, Schema.Array(between(0, 4))], ([
        calls,
        backs
      ]) => {
        const m = allowance.make(rule)
        let at = 0
        const marks: Array<number> = []
        calls.forEach(({ cost, gap }, i) => {
          at += gap
          marks.push(m.take(at, cost))
          const mark = marks[(i * 7) % marks.length]!
          const back = backs[i % Math.max(1, backs.length)] ?? 1
          const before = m.available(at)
          m.giveBack(at, mark, back)
          assert.isAtMost(m.available(at), Math.min(m.capacity, before + back) + 1e-6)
          assert.isAtLeast(m.available(at), before)
        })
      })

      it.prop("given back at once, a cost was never taken", [Calls, between(1, 4)], ([calls, extra]) => {
        const [plain, settled] = [allowance.make(rule), allowance.make(rule)]
        let at = 0
        for (const { cost, gap } of calls) {
          at += gap
          plain.take(at, cost)
          settled.giveBack(at, settled.take(at, cost + extra), extra)
          assert.closeTo(settled.available(at), plain.available(at), 1e-5)
        }
      })

      it("a change keeps what was used, R5", () => {
        const m = allowance.make(rule)
        m.take(0, 8)
        m.adopt(0, rule.kind === "spaced" ? { ...rule, burst: 5, interval: 200 } : { ...rule, limit: 5 })
        assert.strictEqual(m.available(0), -3)
        assert.strictEqual(m.capacity, 5)
      })

      it("a copy goes its own way", () => {
        const m = allowance.make(rule)
        m.take(0, 3)
        const copy = m.copy()
        copy.take(0, 4)
        assert.deepStrictEqual([m.available(0), copy.available(0)], [7, 3])
      })
    })
  }
})
