import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Generations, Sketch, type SketchData } from "../../src/monitor/quantiles.ts"
import { lognormal } from "../support/random.ts"

const Value = Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1_000_000 }))
const Q = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Weight = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))

const nearestRank = (values: ReadonlyArray<number>, q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * values.length - 1e-6) - 1)]!
}

const sketchOf = (values: Iterable<number>): Sketch => {
  const sketch = new Sketch()
  for (const value of values) sketch.add(value)
  return sketch
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

describe("monitor/quantiles", () => {
  describe("Sketch", () => {
    it("is empty at first", () => {
      const sketch = new Sketch()
      assert.isUndefined(sketch.quantile(0.5))
      assert.isUndefined(sketch.observedQuantile(0.5))
      assert.isUndefined(sketch.exceeding(1))
      assert.deepStrictEqual(sketch.toData(), { accuracy: 0.02, min: 0, max: 0, longest: 0, buckets: [] })
    })

    it.prop("no quantile is wrong by more than the accuracy", [Schema.NonEmptyArray(Value), Q], ([values, q]) => {
      const sketch = sketchOf(values)
      const estimate = sketch.quantile(q)!
      assert.strictEqual(estimate._tag, "Known")
      const expected = nearestRank(values, q)
      assertNear(estimate.value, expected, 0.02 + 1e-9)
      assertNear(sketch.observedQuantile(q), expected, 0.02 + 1e-9)
      assert.strictEqual(sketch.min, Math.min(...values))
      assert.strictEqual(sketch.max, Math.max(...values))
    })

    it.prop("a finer one is finer", [Schema.NonEmptyArray(Value), Q], ([values, q]) => {
      const sketch = new Sketch(0.001, 20_000)
      for (const value of values) sketch.add(value)
      assertNear(sketch.quantile(q)!.value, nearestRank(values, q), 0.001 + 1e-9)
    })

    it.prop("a weight is as many values", [Schema.NonEmptyArray(Schema.Tuple([Value, Weight])), Q], ([entries, q]) => {
      const weighted = new Sketch()
      for (const [value, weight] of entries) weighted.add(value, { weight })
      const repeated = sketchOf(entries.flatMap(([value, weight]) => Array.from({ length: weight }, () => value)))
      assert.deepStrictEqual(weighted.toData(), repeated.toData())
      assert.deepStrictEqual(weighted.quantile(q), repeated.quantile(q))
    })

    it("takes nothing that is not a value", () => {
      const sketch = new Sketch()
      for (const value of [-1, Number.NaN, Infinity]) sketch.add(value)
      for (const weight of [0, -1, Number.NaN, Infinity]) sketch.add(1, { weight })
      assert.isUndefined(sketch.quantile(0.5))
      sketch.add(0)
      assert.deepStrictEqual(sketch.quantile(1), { _tag: "Known", value: 0 })
    })

    it.prop(
      "never has more buckets than it may, and the highest stay exact",
      [Schema.NonEmptyArray(Schema.Finite.check(Schema.isBetween({ minimum: 1e-6, maximum: 1e9 })))],
      ([values]) => {
        const sketch = new Sketch(0.02, 32)
        for (const value of values) sketch.add(value)
        const { buckets } = sketch.toData()
        assert.isTrue(buckets.length <= 32 && buckets.at(-1)![0] - buckets[0]![0] < 32)
        assert.strictEqual(sketch.observed, values.length)
        assertNear(sketch.quantile(1)!.value, Math.max(...values), 0.02 + 1e-9)
      }
    )

    it("holds a microsecond and ten minutes", () => {
      const sketch = sketchOf([0.001, 600_000])
      assert.closeTo(sketch.quantile(0.5)!.value, 0.001, 0.000_02)
      assert.closeTo(sketch.quantile(1)!.value, 600_000, 12_000)
    })

    it.prop(
      "merging is associative and commutative, and the same as adding",
      [Schema.Array(Schema.Tuple([Value, Schema.Boolean])), Schema.Array(Value), Schema.Array(Value)],
      ([first, second, third]) => {
        for (const maxBuckets of [512, 16]) {
          const a = new Sketch(0.02, maxBuckets)
          for (const [value, censored] of first) a.add(value, { censored })
          const b = new Sketch(0.02, maxBuckets)
          for (const value of second) b.add(value, { from: value / 3 })
          const c = new Sketch(0.02, maxBuckets)
          for (const value of third) c.add(value)
          const merged = (...parts: ReadonlyArray<SketchData>): SketchData => {
            const sum = new Sketch(0.02, maxBuckets)
            for (const part of parts) sum.merge(part)
            return sum.toData()
          }
          const [x, y, w] = [a.toData(), b.toData(), c.toData()]
          const whole = new Sketch(0.02, maxBuckets)
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
      const coarse = new Sketch(0.1)
      for (let value = 1; value <= 1000; value++) coarse.add(value)
      const fine = new Sketch(0.01)
      fine.merge(coarse.toData())
      assert.closeTo(fine.quantile(0.9)!.value, 900, 100)
    })

    it("merges whatever data comes from outside within its bound", () => {
      const sketch = new Sketch()
      sketch.merge({ accuracy: 0.5, min: 1, max: 2, longest: 3, buckets: [[100_000, 1, 0, 0], [-100_000, 1, 1, 1]] })
      const { buckets } = sketch.toData()
      assert.isTrue(buckets.at(-1)![0] - buckets[0]![0] < 512)
      assert.isTrue(Number.isFinite(sketch.quantile(0.5)!.value))
    })

    it("has a histogram of what was seen and cut off", () => {
      const sketch = sketchOf([10, 10, 20])
      sketch.add(20, { censored: true })
      const [ten, twenty, ...more] = sketch.histogram()
      assert.isEmpty(more)
      assert.deepInclude(ten, { observed: 2, censored: 0 })
      assert.deepInclude(twenty, { observed: 1, censored: 1 })
      assert.isTrue(ten!.from < 10 && 10 <= ten!.to && twenty!.from < 20 && 20 <= twenty!.to)
    })
  })

  describe("what is cut off", () => {
    it("is the estimator of Kaplan and Meier: 6-MP, Freireich and others, Blood 21, 1963", () => {
      const seen = [6, 6, 6, 7, 10, 13, 16, 22, 23]
      const cut = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
      const sketch = new Sketch(0.001, 10_000)
      for (const value of seen) sketch.add(value)
      for (const value of cut) sketch.add(value, { censored: true })
      const published = [[6, 0.857], [7, 0.807], [10, 0.753], [13, 0.690], [16, 0.627], [22, 0.538], [23, 0.448]]
      for (const [week, survival] of published) {
        assert.closeTo(sketch.exceeding(week!)!, survival!, 0.0006, `week ${week}`)
      }
      assertNear(sketch.quantile(0.5)!.value, 23, 0.001)
      assert.deepStrictEqual(sketch.quantile(0.6), { _tag: "Above", value: 35 })
      assert.strictEqual(sketch.exceeding(1), 1)
      assert.isUndefined(sketch.exceeding(36))
    })

    const median = 20_000
    const sigma = 0.8
    const p = (q: keyof typeof z): number => median * Math.exp(sigma * z[q])

    it("a lognormal cut at its p80: p50 is right, where leaving out or counting in is wrong; p95 is above", () => {
      const sample = lognormal(1, median, sigma)
      const limit = p(0.8)
      const sketch = new Sketch()
      const leftOut = new Sketch()
      for (let i = 0; i < 20_000; i++) {
        const value = sample()
        const censored = value > limit
        sketch.add(Math.min(value, limit), { censored })
        if (!censored) leftOut.add(value)
      }
      assertNear(sketch.quantile(0.5)!.value, median, 0.04)
      assert.isBelow(leftOut.quantile(0.5)!.value, median * 0.85)
      assert.deepStrictEqual(sketch.quantile(0.95), { _tag: "Above", value: limit })
      assert.closeTo(sketch.exceeding(limit)!, 0.2, 0.01)
      assert.isUndefined(sketch.exceeding(limit * 2))
    })

    it("some cut at p80 and some not: p95 is recovered", () => {
      const sample = lognormal(2, median, sigma)
      const limits = [p(0.8), p(0.99) * 3]
      const sketch = new Sketch()
      const counted = new Sketch()
      for (let i = 0; i < 40_000; i++) {
        const value = sample()
        const limit = limits[i % 2]!
        sketch.add(Math.min(value, limit), { censored: value > limit })
        counted.add(Math.min(value, limit))
      }
      assertNear(sketch.quantile(0.95)!.value, p(0.95), 0.05)
      assertNear(sketch.quantile(0.99)!.value, p(0.99), 0.08)
      assert.isBelow(counted.quantile(0.95)!.value, p(0.95) * 0.9)
    })

    it("second attempts of the hard ones: what they survived does not count twice, and p95 is recovered", () => {
      const sample = lognormal(3, median, sigma)
      const limit = p(0.8)
      const sketch = new Sketch()
      const naive = new Sketch()
      for (let i = 0; i < 40_000; i++) {
        const value = sample()
        const censored = value > limit
        for (const each of [sketch, naive]) each.add(Math.min(value, limit), { censored })
        if (!censored) continue
        const second = { censored: value > 4 * limit }
        naive.add(Math.min(value, 4 * limit), second)
        sketch.add(Math.min(value, 4 * limit), { ...second, from: limit })
      }
      assertNear(sketch.quantile(0.5)!.value, median, 0.04)
      assertNear(sketch.quantile(0.95)!.value, p(0.95), 0.05)
      assert.isAbove(naive.quantile(0.95)!.value, p(0.95) * 1.15)
    })

    it("the last one that is watched is not the last one, if others join later", () => {
      const sketch = new Sketch()
      sketch.add(10)
      for (let i = 0; i < 9; i++) sketch.add(100, { from: 50 })
      assert.isTrue(sketch.exceeding(20)! > 0)
      assertNear(sketch.quantile(0.99)!.value, 100, 0.02)
      assert.strictEqual(sketch.exceeding(100), 0)
    })

    it("what had not survived where it joins is left out", () => {
      const sketch = new Sketch()
      sketch.add(40, { from: 50 })
      assert.isUndefined(sketch.quantile(0.5))
    })

    it("everything cut off says nothing but that", () => {
      const sketch = new Sketch()
      for (let i = 0; i < 10; i++) sketch.add(60_000, { censored: true })
      assert.deepStrictEqual(sketch.quantile(0), { _tag: "Above", value: 60_000 })
      assert.isUndefined(sketch.observedQuantile(0.5))
      assert.strictEqual(sketch.exceeding(60_000), 1)
      assert.isUndefined(sketch.exceeding(70_000))
    })

    it.prop(
      "no quantile is smaller than without the cutting, and none is past what was seen",
      [Schema.NonEmptyArray(Schema.Tuple([Value, Schema.Boolean])), Q],
      ([entries, q]) => {
        const sketch = new Sketch()
        for (const [value, censored] of entries) sketch.add(value, { censored })
        const estimate = sketch.quantile(q)!
        assert.isTrue(estimate.value >= nearestRank(entries.map(([value]) => value), q) * 0.96)
        assert.isTrue(estimate.value <= Math.max(...entries.map(([value]) => value)))
      }
    )
  })

  describe("Generations", () => {
    const steps = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 })))

    it.prop("forgets after one to two spans, and keeps no more than two", [steps], ([gaps]) => {
      const generations = new Generations(100, 2, () => new Array<number>())
      const log: Array<number> = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        generations.current(now).push(now)
        log.push(now)
        const kept = generations.all(now)
        assert.isAtMost(kept.length, 2)
        const remembered = kept.flat()
        for (const at of log) {
          if (now - at < 100) assert.include(remembered, at)
          if (now - at >= 200) assert.notInclude(remembered, at)
        }
      }
    })

    it("after a long silence there is nothing, without anything being written", () => {
      const generations = new Generations(100, 2, () => new Array<number>())
      generations.current(50).push(1)
      assert.deepStrictEqual(generations.all(199), [[1]])
      assert.deepStrictEqual(generations.all(200), [])
    })

    it("a time that goes back loses nothing", () => {
      const generations = new Generations(100, 2, () => new Array<number>())
      generations.current(500).push(1)
      generations.current(400).push(2)
      assert.deepStrictEqual(generations.all(400), [[1, 2]])
    })

    it("a new load shows: the quantile follows within two spans", () => {
      const generations = new Generations(3_600_000, 2, () => new Sketch())
      const p95 = (now: number): number => {
        const sum = new Sketch()
        for (const sketch of generations.all(now)) sum.merge(sketch.toData())
        return sum.quantile(0.95)!.value
      }
      for (let minute = 0; minute < 60; minute++) generations.current(minute * 60_000).add(20_000)
      for (let minute = 60; minute < 90; minute++) generations.current(minute * 60_000).add(5000)
      assert.closeTo(p95(89 * 60_000), 20_000, 400)
      for (let minute = 90; minute < 125; minute++) generations.current(minute * 60_000).add(5000)
      assert.closeTo(p95(124 * 60_000), 5000, 100)
    })
  })
})
