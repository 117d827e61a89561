import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { LearntDelay } from "../../src/kernel/hedge.ts"
import { uniform } from "../support/random.ts"

const rules = { quantile: 0.95, warmup: 20, min: 0, max: Infinity, initial: Infinity }

const times = (n: number, f: (i: number) => void): void => {
  for (let i = 0; i < n; i++) f(i)
}

/** The workload of "The Tail at Scale": lognormal around 10 ms, and 2 % that take 300 ms to 2 s. */
const tail = (random: () => number) => (): number => {
  if (random() < 0.02) return 300 + 1700 * random()
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return 10 * Math.exp(0.4 * normal)
}

const percentile = (sorted: ReadonlyArray<number>, q: number): number => sorted[Math.ceil(q * sorted.length) - 1]!

describe("kernel/hedge", () => {
  it("nothing is known before the warm-up, and calls that were cut off do not count for it", () => {
    const delay = new LearntDelay({ ...rules, initial: 70 })
    times(19, () => delay.add(10, true))
    times(100, () => delay.add(10, false))
    assert.deepStrictEqual([delay.answers, delay.delay], [19, 70])
    delay.add(10, true)
    assert.notStrictEqual(delay.delay, 70)
  })

  it("min and max bound it", () => {
    const low = new LearntDelay({ ...rules, min: 50 })
    const high = new LearntDelay({ ...rules, max: 5 })
    times(20, () => {
      low.add(10, true)
      high.add(10, true)
    })
    assert.deepStrictEqual([low.delay, high.delay], [50, 5])
  })

  it("any time, also none and an absurd one, has a bucket", () => {
    const delay = new LearntDelay({ ...rules, warmup: 1 })
    for (const millis of [0, 1e-9, 1e12]) delay.add(millis, true)
    assert.isTrue(delay.delay > 0 && delay.delay < Infinity)
  })

  it("no time at all and an absurd one count as any other", () => {
    const half = (short: number, long: number): LearntDelay => {
      const delay = new LearntDelay({ ...rules, quantile: 0.5 })
      times(11, () => delay.add(short, true))
      times(10, () => delay.add(long, true))
      return delay
    }
    assert.isAtMost(half(0, 100).delay, 0.01)
    assert.isAbove(half(1e12, 100).delay, 3_600_000)
  })

  for (const [generations, rounds] of [["one generation", 1], ["two", 10]] as const) {
    it(`where too much was cut off, it is the end of what is known, of ${generations}`, () => {
      const delay = new LearntDelay(rules)
      times(rounds, () => {
        times(80, () => delay.add(10, true))
        times(20, () => delay.add(100, false))
      })
      assert.isTrue(delay.delay >= 100 && delay.delay <= 104, String(delay.delay))
    })
  }

  it("what was cut off earlier is not among those that had yet to answer: Kaplan and Meier", () => {
    const delay = new LearntDelay({ ...rules, quantile: 0.5, warmup: 10 })
    times(10, () => delay.add(1, false))
    times(5, () => delay.add(10, true))
    times(5, () => delay.add(1000, true))
    assert.isTrue(delay.delay >= 10 && delay.delay <= 10.4, String(delay.delay))
  })

  it("remembers the last 500 to 1000 calls", () => {
    const delay = new LearntDelay(rules)
    times(500, () => delay.add(10, true))
    times(2000, () => {
      delay.add(10, true)
      assert.isTrue(delay.answers > 500 && delay.answers <= 1000, String(delay.answers))
    })
  })

  it("forgets: after a thousand calls only the new times count", () => {
    const delay = new LearntDelay(rules)
    times(5000, () => delay.add(1000, true))
    times(1000, () => delay.add(10, true))
    assert.isTrue(delay.delay < 11, String(delay.delay))
    assert.isAtMost(delay.answers, 1000)
  })

  it.prop(
    "is the quantile of what answered, within a bucket",
    [
      Schema.Array(Schema.Number.check(Schema.isBetween({ minimum: 0.1, maximum: 1e6 }))).check(
        Schema.isMinLength(20),
        Schema.isMaxLength(400)
      )
    ],
    ([values]) => {
      const delay = new LearntDelay(rules)
      values.forEach((value) => delay.add(value, true))
      const exact = percentile(values.toSorted((a, b) => a - b), 0.95)
      assert.isTrue(delay.delay >= exact / 1.041 && delay.delay <= exact * 1.041, `${delay.delay}, not ${exact}`)
    }
  )

  it("the share of hedged calls stays within half a percent of what was asked for, over 200,000 calls", () => {
    const random = uniform(1)
    const time = tail(random)
    const delay = new LearntDelay(rules)
    const calls = 200_000
    let hedges = 0
    const hedged: Array<number> = []
    times(calls, () => {
      const primary = time()
      const after = delay.delay
      if (primary <= after) {
        delay.add(primary, true)
        hedged.push(primary)
        return
      }
      hedges++
      const answer = Math.min(primary, after + time())
      hedged.push(answer)
      delay.add(answer, answer === primary)
    })
    const rate = hedges / calls
    assert.isTrue(Math.abs(rate - 0.05) < 0.005, String(rate))
    const sorted = hedged.slice(calls / 2).toSorted((a, b) => a - b)
    assert.isBelow(percentile(sorted, 0.99), 40, "p99 without hedging is above a second")
    assert.isBelow(percentile(sorted, 0.999), 60)
  })
})
