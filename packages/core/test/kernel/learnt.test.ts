import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Histogram } from "../../src/kernel/histogram.ts"
import { Learnt } from "../../src/kernel/learnt.ts"

const p90 = (histogram: Histogram) => histogram.quantile(0.9)
const times = (n: number, f: (i: number) => void): void => {
  for (let i = 0; i < n; i++) f(i)
}

describe("kernel/learnt", () => {
  it("without anything there is nothing", () => {
    const learnt = new Learnt({ millis: 100 }, p90)
    assert.deepStrictEqual([learnt.answers(0), learnt.count(0), learnt.value(0)], [0, 0, undefined])
  })

  it("counts answers apart from what was cut off", () => {
    const learnt = new Learnt({ millis: 100 }, p90)
    learnt.add(1, true, 0)
    learnt.add(2, false, 0)
    assert.deepStrictEqual([learnt.answers(0), learnt.count(0)], [1, 2])
  })

  it("a memory of time is of the last one to two spans, also after a silence", () => {
    const learnt = new Learnt({ millis: 100 }, p90)
    learnt.add(50, true, 1000)
    assert.strictEqual(learnt.count(1099), 1)
    learnt.add(50, true, 1150)
    assert.deepStrictEqual([1199, 1200, 1299, 1300].map((at) => learnt.count(at)), [2, 1, 1, 0])
    learnt.add(50, true, 9000)
    assert.deepStrictEqual([9099, 9199, 9200].map((at) => learnt.count(at)), [1, 1, 0])
  })

  it("a memory of values is of the last so many to twice as many, at whatever time", () => {
    const learnt = new Learnt({ values: 10 }, p90)
    times(100, (i) => {
      learnt.add(i, true, i * 1e9)
      assert.isTrue(i < 10 || (learnt.count(i) > 10 && learnt.count(i) <= 20), String(learnt.count(i)))
    })
    assert.isAtLeast(learnt.value(0)!, 80)
  })

  it("a quantile is told anew after sixteen values, when a call outlasts it, and when something is forgotten", () => {
    const learnt = new Learnt({ millis: 1000 }, p90)
    times(10, () => learnt.add(10, true, 0))
    const before = learnt.value(0)!
    times(15, () => learnt.add(1000, true, 0))
    assert.strictEqual(learnt.value(0), before)
    learnt.add(1000, true, 0)
    assert.isAbove(learnt.value(0)!, 900)

    const cut = new Learnt({ millis: 1000 }, p90)
    times(20, () => cut.add(10, true, 0))
    cut.value(0)
    times(10, () => cut.add(5, false, 0))
    assert.isBelow(cut.value(0)!, 11)
    times(5, () => cut.add(20, false, 0))
    assert.strictEqual(cut.value(0), 20, "the end of what is known")

    learnt.add(3, true, 1500)
    learnt.value(1500)
    assert.strictEqual(learnt.value(2000), 3, "alone in its span")
  })

  const Step = Schema.Struct({
    wait: Schema.Literals([0, 1, 30, 99, 100, 250]),
    millis: Schema.Literals([0, 0.5, 1, 2, 17, 400, 401, 60_000]),
    answered: Schema.Boolean
  })

  it.prop("is what a histogram of the values that are not forgotten says", [
    Schema.Array(Step)
  ], ([steps]) => {
    const learnt = new Learnt({ millis: 100 }, p90)
    let now = 0
    let since: number | undefined
    let seen: ReadonlyArray<{ readonly millis: number; readonly answered: boolean; readonly span: number }> = []
    for (const { answered, millis, wait } of steps) {
      now += wait
      const span = since === undefined ? 0 : Math.floor((now - since) / 100)
      seen = seen.filter((each) => each.span >= span - 1)
      if (seen.length === 0) {
        since = since !== undefined && span < 1 ? since : now
        seen = [{ millis, answered, span: 0 }]
      } else seen = [...seen, { millis, answered, span }]
      learnt.add(millis, answered, now)
      const all = new Histogram()
      for (const each of seen) all.add(each.millis, { censored: !each.answered })
      assert.deepStrictEqual([learnt.answers(now), learnt.count(now)], [all.observed, seen.length])
    }
    const all = new Histogram()
    for (const each of seen) all.add(each.millis, { censored: !each.answered })
    assert.strictEqual(learnt.value(now), p90(all)?.value)
  })
})
