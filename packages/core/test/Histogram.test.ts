import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Histogram from "../src/Histogram.ts"
import * as kernel from "../src/kernel/histogram.ts"
import { lognormal } from "./support/random.ts"

const Value = Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1_000_000 }))
const Q = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Weight = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))

const nearestRank = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * values.length - 1e-6) - 1)]!
}

const histogramOf = (values: Iterable<number>): Histogram.Histogram => {
  const histogram = Histogram.empty()
  for (const value of values) histogram.add(value)
  return histogram
}

const assertNear = (actual: number | undefined, expected: number, tolerance: number): void => {
  assert.isDefined(actual)
  assert.isTrue(
    Math.abs(actual - expected) <= tolerance * expected,
    `${actual} is not within ${tolerance} of ${expected}`
  )
}

/** The standard normal quantiles that the tests use. */
const z = { 0.5: 0, 0.8: 0.8416, 0.9: 1.2816, 0.95: 1.6449, 0.99: 2.3263 } as const

describe("Histogram", () => {
  describe("what is seen", () => {
    it("names the bad option, the value and what is allowed", () => {
      for (const accuracy of [0, 1, Number.NaN]) {
        assert.throws(
          () => Histogram.empty({ accuracy }),
          `Histogram.empty: accuracy must be a number > 0 and < 1, got ${accuracy}`
        )
      }
      assert.throws(
        () => Histogram.empty({ maxBuckets: 0 }),
        "Histogram.empty: maxBuckets must be an integer >= 1, got 0"
      )
    })

    it("is empty at first", () => {
      const histogram = Histogram.empty()
      assert.isUndefined(histogram.quantile(0.5))
      assert.isUndefined(histogram.observedQuantile(0.5))
      assert.isUndefined(histogram.exceeding(1))
      assert.deepStrictEqual(histogram.toData(), { accuracy: 0.02, min: 0, max: 0, longest: 0, buckets: [] })
    })

    it.prop("no quantile is wrong by more than the accuracy", [Schema.NonEmptyArray(Value), Q], ([values, q]) => {
      const histogram = histogramOf(values)
      const estimate = histogram.quantile(q)!
      assert.strictEqual(estimate._tag, "Known")
      const expected = nearestRank(values, q)
      assertNear(estimate.value, expected, 0.02 + 1e-9)
      assertNear(histogram.observedQuantile(q), expected, 0.02 + 1e-9)
      assert.strictEqual(histogram.min, Math.min(...values))
      assert.strictEqual(histogram.max, Math.max(...values))
    })

    it.prop("a finer one is finer", [Schema.NonEmptyArray(Value), Q], ([values, q]) => {
      const histogram = Histogram.empty({ accuracy: 0.001, maxBuckets: 20_000 })
      for (const value of values) histogram.add(value)
      assertNear(histogram.quantile(q)!.value, nearestRank(values, q), 0.001 + 1e-9)
    })

    it.prop("a weight is as many values", [Schema.NonEmptyArray(Schema.Tuple([Value, Weight])), Q], ([entries, q]) => {
      const weighted = Histogram.empty()
      for (const [value, weight] of entries) weighted.add(value, { weight })
      const repeated = histogramOf(entries.flatMap(([value, weight]) => Array.from({ length: weight }, () => value)))
      assert.deepStrictEqual(weighted.toData(), repeated.toData())
      assert.deepStrictEqual(weighted.quantile(q), repeated.quantile(q))
    })

    it("takes nothing that is not a value", () => {
      const histogram = Histogram.empty()
      for (const value of [-1, Number.NaN, Infinity]) histogram.add(value)
      for (const weight of [0, -1, Number.NaN, Infinity]) histogram.add(1, { weight })
      assert.isUndefined(histogram.quantile(0.5))
      histogram.add(0)
      assert.deepStrictEqual(histogram.quantile(1), { _tag: "Known", value: 0 })
    })

    it.prop(
      "never has more buckets than it may, and the highest stay exact",
      [Schema.NonEmptyArray(Schema.Finite.check(Schema.isBetween({ minimum: 1e-6, maximum: 1e9 })))],
      ([values]) => {
        const histogram = Histogram.empty({ maxBuckets: 32 })
        for (const value of values) histogram.add(value)
        const { buckets } = histogram.toData()
        assert.isTrue(buckets.length <= 32 && buckets.at(-1)![0] - buckets[0]![0] < 32)
        assert.strictEqual(histogram.observed, values.length)
        assertNear(histogram.quantile(1)!.value, Math.max(...values), 0.02 + 1e-9)
      }
    )

    it("holds a microsecond and ten minutes", () => {
      const histogram = histogramOf([0.001, 600_000])
      assert.closeTo(histogram.quantile(0.5)!.value, 0.001, 0.000_02)
      assert.closeTo(histogram.quantile(1)!.value, 600_000, 12_000)
    })

    it.prop(
      "merging is associative and commutative, and the same as adding",
      [Schema.Array(Schema.Tuple([Value, Schema.Boolean])), Schema.Array(Value), Schema.Array(Value)],
      ([first, second, third]) => {
        for (const maxBuckets of [512, 16]) {
          const a = Histogram.empty({ maxBuckets })
          for (const [value, censored] of first) a.add(value, { censored })
          const b = Histogram.empty({ maxBuckets })
          for (const value of second) b.add(value, { from: value / 3 })
          const c = Histogram.empty({ maxBuckets })
          for (const value of third) c.add(value)
          const merged = (...parts: ReadonlyArray<Histogram.Data>): Histogram.Data => {
            const sum = Histogram.empty({ maxBuckets })
            for (const part of parts) sum.merge(part)
            return sum.toData()
          }
          const [x, y, w] = [a.toData(), b.toData(), c.toData()]
          const whole = Histogram.empty({ maxBuckets })
          for (const [value, censored] of first) whole.add(value, { censored })
          for (const value of second) whole.add(value, { from: value / 3 })
          for (const value of third) whole.add(value)
          assert.deepStrictEqual(merged(merged(x, y), w), whole.toData())
          assert.deepStrictEqual(merged(x, merged(y, w)), whole.toData())
          assert.deepStrictEqual(merged(w, x, y), whole.toData())
        }
      }
    )

    it("merges what was made with another accuracy, for the sum of the errors", () => {
      const coarse = Histogram.empty({ accuracy: 0.1 })
      for (let value = 1; value <= 1000; value++) coarse.add(value)
      const fine = Histogram.empty({ accuracy: 0.01 })
      fine.merge(coarse.toData())
      assert.closeTo(fine.quantile(0.9)!.value, 900, 100)
    })

    it("merges whatever data comes from outside within its bound", () => {
      const histogram = Histogram.empty()
      histogram.merge({ accuracy: 0.5, min: 1, max: 2, longest: 3, buckets: [[100_000, 1, 0, 0], [-100_000, 1, 1, 1]] })
      const { buckets } = histogram.toData()
      assert.isTrue(buckets.at(-1)![0] - buckets[0]![0] < 512)
      assert.isTrue(Number.isFinite(histogram.quantile(0.5)!.value))
    })

    it("has a histogram of what was seen and cut off", () => {
      const histogram = histogramOf([10, 10, 20])
      histogram.add(20, { censored: true })
      const [ten, twenty, ...more] = histogram.bars()
      assert.isEmpty(more)
      assert.deepInclude(ten, { observed: 2, censored: 0 })
      assert.deepInclude(twenty, { observed: 1, censored: 1 })
      assert.isTrue(ten!.from < 10 && 10 <= ten!.to && twenty!.from < 20 && 20 <= twenty!.to)
    })
  })

  it("a share of many values lies where it would inside of its bucket, and within what was seen", () => {
    const histogram = new kernel.Histogram(0.1)
    for (let value = 1; value <= 2000; value++) histogram.add(value)
    for (const q of [0.3, 0.5, 0.77, 0.9]) {
      assert.closeTo(histogram.interpolated(q)!.value, 2000 * q, 2000 * q * 0.01)
    }
    assert.deepStrictEqual(histogram.interpolated(1), { _tag: "Known", value: 2000 })
    assert.isAtLeast(histogram.interpolated(0)!.value, 1)
    for (let i = 0; i < 18_000; i++) histogram.add(3000, { censored: true })
    assert.deepStrictEqual(histogram.interpolated(0.95), { _tag: "Above", value: 3000 })
    assert.isUndefined(new kernel.Histogram().interpolated(0.5))
  })

  describe("what is cut off", () => {
    it("is the estimator of Kaplan and Meier: 6-MP, Freireich and others, Blood 21, 1963", () => {
      const seen = [6, 6, 6, 7, 10, 13, 16, 22, 23]
      const cut = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
      const histogram = Histogram.empty({ accuracy: 0.001, maxBuckets: 10_000 })
      for (const value of seen) histogram.add(value)
      for (const value of cut) histogram.add(value, { censored: true })
      const published = [[6, 0.857], [7, 0.807], [10, 0.753], [13, 0.690], [16, 0.627], [22, 0.538], [23, 0.448]]
      for (const [week, survival] of published) {
        assert.closeTo(histogram.exceeding(week!)!, survival!, 0.0006, `week ${week}`)
      }
      assertNear(histogram.quantile(0.5)!.value, 23, 0.001)
      assert.deepStrictEqual(histogram.quantile(0.6), { _tag: "Above", value: 35 })
      assert.strictEqual(histogram.exceeding(1), 1)
      assert.isUndefined(histogram.exceeding(36))
    })

    const median = 20_000
    const sigma = 0.8
    const p = (q: keyof typeof z): number => median * Math.exp(sigma * z[q])

    it("a lognormal cut at its p80: p50 is right, where leaving out or counting in is wrong; p95 is above", () => {
      const sample = lognormal(1, median, sigma)
      const limit = p(0.8)
      const histogram = Histogram.empty()
      const leftOut = Histogram.empty()
      for (let i = 0; i < 20_000; i++) {
        const value = sample()
        const censored = value > limit
        histogram.add(Math.min(value, limit), { censored })
        if (!censored) leftOut.add(value)
      }
      assertNear(histogram.quantile(0.5)!.value, median, 0.04)
      assert.isBelow(leftOut.quantile(0.5)!.value, median * 0.85)
      assert.deepStrictEqual(histogram.quantile(0.95), { _tag: "Above", value: limit })
      assert.closeTo(histogram.exceeding(limit)!, 0.2, 0.01)
      assert.isUndefined(histogram.exceeding(limit * 2))
    })

    it("some cut at p80 and some not: p95 is recovered", () => {
      const sample = lognormal(2, median, sigma)
      const limits = [p(0.8), p(0.99) * 3]
      const histogram = Histogram.empty()
      const counted = Histogram.empty()
      for (let i = 0; i < 40_000; i++) {
        const value = sample()
        const limit = limits[i % 2]!
        histogram.add(Math.min(value, limit), { censored: value > limit })
        counted.add(Math.min(value, limit))
      }
      assertNear(histogram.quantile(0.95)!.value, p(0.95), 0.05)
      assertNear(histogram.quantile(0.99)!.value, p(0.99), 0.08)
      assert.isBelow(counted.quantile(0.95)!.value, p(0.95) * 0.9)
    })

    it("second attempts of the hard ones: what they survived does not count twice, and p95 is recovered", () => {
      const sample = lognormal(3, median, sigma)
      const limit = p(0.8)
      const histogram = Histogram.empty()
      const naive = Histogram.empty()
      for (let i = 0; i < 40_000; i++) {
        const value = sample()
        const censored = value > limit
        for (const each of [histogram, naive]) each.add(Math.min(value, limit), { censored })
        if (!censored) continue
        const second = { censored: value > 4 * limit }
        naive.add(Math.min(value, 4 * limit), second)
        histogram.add(Math.min(value, 4 * limit), { ...second, from: limit })
      }
      assertNear(histogram.quantile(0.5)!.value, median, 0.04)
      assertNear(histogram.quantile(0.95)!.value, p(0.95), 0.05)
      assert.isAbove(naive.quantile(0.95)!.value, p(0.95) * 1.15)
    })

    it("the last one that is watched is not the last one, if others join later", () => {
      const histogram = Histogram.empty()
      histogram.add(10)
      for (let i = 0; i < 9; i++) histogram.add(100, { from: 50 })
      assert.isTrue(histogram.exceeding(20)! > 0)
      assertNear(histogram.quantile(0.99)!.value, 100, 0.02)
      assert.strictEqual(histogram.exceeding(100), 0)
    })

    it("what had not survived where it joins is left out", () => {
      const histogram = Histogram.empty()
      histogram.add(40, { from: 50 })
      assert.isUndefined(histogram.quantile(0.5))
    })

    it("everything cut off says nothing but that", () => {
      const histogram = Histogram.empty()
      for (let i = 0; i < 10; i++) histogram.add(60_000, { censored: true })
      assert.deepStrictEqual(histogram.quantile(0), { _tag: "Above", value: 60_000 })
      assert.isUndefined(histogram.observedQuantile(0.5))
      assert.strictEqual(histogram.exceeding(60_000), 1)
      assert.isUndefined(histogram.exceeding(70_000))
    })

    it.prop(
      "no quantile is smaller than without the cutting, and none is past what was seen",
      [Schema.NonEmptyArray(Schema.Tuple([Value, Schema.Boolean])), Q],
      ([entries, q]) => {
        const histogram = Histogram.empty()
        for (const [value, censored] of entries) histogram.add(value, { censored })
        const estimate = histogram.quantile(q)!
        assert.isTrue(estimate.value >= nearestRank(entries.map(([value]) => value), q) * 0.96)
        assert.isTrue(estimate.value <= Math.max(...entries.map(([value]) => value)))
      }
    )
  })
})
