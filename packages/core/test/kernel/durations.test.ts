import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { accuracy, Durations, limit, type Rules } from "../../src/kernel/durations.ts"

const rules: Rules = { quantile: 0.99, factor: 1.5, min: 10, max: 10_000, warmup: 20 }

describe("kernel/durations", () => {
  it("quantiles of a known distribution", () => {
    const durations = new Durations(1000)
    for (let i = 1; i <= 1000; i++) durations.record(i, 0)
    for (const [q, expected] of [[0, 1], [0.001, 1], [0.5, 500], [0.9, 900], [0.99, 990], [1, 1000]] as const) {
      assert.closeTo(durations.quantile(q, 0)!, expected, expected * accuracy + 1e-9, `q${q}`)
    }
    assert.isUndefined(new Durations(1000).quantile(0.5, 0))
  })

  it("what is shorter than a millisecond or longer than a day is kept within bounds", () => {
    const durations = new Durations(1000)
    durations.record(0, 0)
    durations.record(-1, 0)
    assert.strictEqual(durations.quantile(1, 0), 1)
    durations.record(Infinity, 0)
    assert.closeTo(durations.quantile(1, 0)!, 86_400_000, 86_400_000 * accuracy)
  })

  it("ages on read: of the last one to two windows, also after a silence", () => {
    const durations = new Durations(100)
    durations.record(50, 1000)
    assert.strictEqual(durations.count(1099), 1)
    durations.record(50, 1150)
    assert.strictEqual(durations.count(1199), 2)
    assert.strictEqual(durations.count(1200), 1)
    assert.strictEqual(durations.count(1299), 1)
    assert.strictEqual(durations.count(1300), 0)
    durations.record(50, 9000)
    assert.strictEqual(durations.count(9099), 1)
  })

  const Step = Schema.Struct({
    wait: Schema.Literals([0, 1, 30, 99, 100, 250]),
    millis: Schema.Literals([0, 0.5, 1, 2, 17, 400, 401, 60_000, 5_000_000])
  })

  it.prop(
    "agrees with a sorted list, to within its accuracy",
    [Schema.Array(Step), Schema.Literals([0.1, 0.5, 0.9, 0.99, 1])],
    ([steps, q]) => {
      const window = 100
      const durations = new Durations(window)
      let now = 0
      let since: number | undefined
      let seen: ReadonlyArray<{ readonly millis: number; readonly generation: number }> = []
      for (const { millis, wait } of steps) {
        now += wait
        const current = since === undefined ? 0 : Math.floor((now - since) / window)
        seen = seen.filter(({ generation }) => generation >= current - 1)
        if (seen.length === 0) {
          since = since !== undefined && current < 1 ? since : now
          seen = [{ millis, generation: 0 }]
        } else seen = [...seen, { millis, generation: current }]
        durations.record(millis, now)
        assert.strictEqual(durations.count(now), seen.length)
        const sorted = seen.map(({ millis }) => Math.max(1, millis)).toSorted((a, b) => a - b)
        const expected = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!
        assert.closeTo(durations.quantile(q, now)!, expected, expected * accuracy + 1e-6)
      }
    }
  )

  const Asked = Schema.Struct({
    wait: Step.fields.wait,
    millis: Schema.Literals([1, 1.03, 1.07, 1.1, 400, 415]), // neighbours
    q: Schema.Literals([0.01, 0.3, 0.5, 0.9, 1])
  })

  it.prop(
    "a quantile does not depend on what was asked before",
    [Schema.Array(Asked)],
    ([steps]) => {
      const asked = new Durations(100)
      let now = 0
      steps.forEach(({ millis, q, wait }, i) => {
        const before = asked.quantile(q, now += wait)
        asked.record(millis, now)
        const unasked = new Durations(100)
        let at = 0
        for (const { millis, wait } of steps.slice(0, i)) unasked.record(millis, at += wait)
        assert.strictEqual(before, unasked.quantile(q, now))
      })
    }
  )

  describe("limit", () => {
    const observed = (...millis: ReadonlyArray<number>): number => {
      const durations = new Durations(1000)
      for (const duration of millis) durations.record(duration, 0)
      return limit(durations, rules, 0)
    }
    const times = (n: number, millis: number) => Array.from({ length: n }, () => millis)

    it("is the greatest until there are enough observations", () => {
      assert.strictEqual(observed(), rules.max)
      assert.strictEqual(observed(...times(19, 100)), rules.max)
      assert.closeTo(observed(...times(20, 100)), 150, 150 * accuracy)
    })

    it("stays within its bounds", () => {
      assert.strictEqual(observed(...times(50, 1)), rules.min)
      assert.strictEqual(observed(...times(50, 9000)), rules.max)
    })

    it("a callee that has become slower is found again: calls that time out count with their limit", () => {
      const durations = new Durations(10_000)
      for (let i = 0; i < 200; i++) durations.record(100, i)
      let now = 1000
      let timeouts = 0
      // every call takes 2 s now; it is observed up to the limit
      while (limit(durations, rules, now) < 2000) {
        const allowed = limit(durations, rules, now)
        durations.record(Math.min(2000, allowed), now++)
        timeouts++
        assert.isBelow(timeouts, 40)
      }
      assert.isAbove(timeouts, 0)
    })
  })
})
