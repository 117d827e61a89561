import { assert, describe, it } from "@effect/vitest"
import { LearntLimit, type Rules } from "../../src/kernel/adaptive.ts"

const rules: Rules = { quantile: 0.99, factor: 1.5, min: 10, max: 10_000, warmup: 20 }
const accuracy = 0.02

describe("kernel/adaptive", () => {
  const observed = (...millis: ReadonlyArray<number>): number => {
    const learnt = new LearntLimit(rules, 1000)
    for (const each of millis) learnt.record(each, true, 0)
    return learnt.limit(0)
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

  it("a callee that has become slower is found again: calls that time out are known to take longer", () => {
    const learnt = new LearntLimit(rules, 10_000)
    for (let i = 0; i < 200; i++) learnt.record(100, true, i)
    let now = 1000
    let timeouts = 0
    while (learnt.limit(now) < 2000) {
      learnt.record(learnt.limit(now), false, now++)
      timeouts++
      assert.isBelow(timeouts, 40)
    }
    assert.isAbove(timeouts, 0)
  })

  it("calls that were cut off under an earlier, shorter limit do not hold it down: Kaplan and Meier", () => {
    const learnt = new LearntLimit(rules, 10_000)
    for (let i = 0; i < 50; i++) learnt.record(150, false, i)
    for (let i = 0; i < 50; i++) learnt.record(2000, true, i)
    assert.closeTo(learnt.limit(60), 3000, 3000 * accuracy)
  })
})
