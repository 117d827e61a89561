import * as Histogram from "@effect-resilience/core/Histogram"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { hedgeAdvice, poissonTail } from "../../src/monitor/load.ts"
import { Registry } from "../../src/monitor/registry.ts"
import { formatRecommendations, recommend, type RecommendOptions } from "../../src/Recommend.ts"
import { attempt, call, cut } from "../support/observations.ts"
import { lognormal } from "../support/random.ts"

const hour = 3_600_000

const sketchOf = (seconds: ReadonlyArray<number>): Histogram.Histogram => {
  const sketch = Histogram.empty()
  for (const value of seconds) sketch.add(value * 1000)
  return sketch
}

/** The p99 of the first of two answers, tried out with every pair. */
const triedOut = (seconds: ReadonlyArray<number>, delay: number): number => {
  const firsts = seconds.flatMap((a) => seconds.map((b) => Math.min(a, delay + b))).toSorted((a, b) => a - b)
  return firsts[Math.ceil(firsts.length * 0.99) - 1]!
}

const secondsIn = (text: string, before: string): number => {
  const [, number, unit] = new RegExp(`${before} ([0-9.]+)(s|min)`, "u").exec(text)!
  return Number(number) * (unit === "min" ? 60 : 1)
}

/** Calls that take so many seconds, one each `every` milliseconds. */
const watched = (
  calls: ReadonlyArray<number>,
  every: number,
  options?: RecommendOptions,
  end = calls.length * every
) => {
  const registry = new Registry(hour, 10)
  calls.forEach((seconds, i) => registry.call(call(seconds), i * every))
  return recommend({ version: 1, at: 0, ...registry.snapshot(end) }, options)[0]!.concurrency
}

describe("the delay of a hedge", () => {
  for (
    const [name, seconds] of Object.entries({
      "a few hang": [...Array.from({ length: 960 }, (_, i) => 10 + i / 96), ...Array.from({ length: 40 }, () => 300)],
      "a long tail": Array.from({ length: 1000 }, lognormal(1, 20, 0.8))
    })
  ) {
    it(`${name}: p95, what it costs, and what p99 becomes`, () => {
      const sorted = seconds.toSorted((a, b) => a - b)
      const { because, confidence, value } = hedgeAdvice(sketchOf(seconds), 20)
      const delay = Duration.toSeconds(value!)
      assert.strictEqual(confidence, "good")
      assert.approximately(delay, sorted[949]!, sorted[949]! * 0.03 + 1)
      const extra = Number(/for ([0-9.]+) % of the calls/u.exec(because)![1])
      assert.approximately(extra, 100 * seconds.filter((each) => each > delay).length / seconds.length, 0.7)
      const expected = triedOut(sorted, delay)
      assert.approximately(secondsIn(because, "p99 falls from"), sorted[989]!, sorted[989]! * 0.05)
      assert.approximately(secondsIn(because, "to"), expected, expected * 0.05)
    })
  }

  it("says nothing of a p99 that would not fall", () => {
    const { because } = hedgeAdvice(sketchOf(Array.from({ length: 100 }, () => 20)), 20)
    assert.notInclude(because, "falls")
  })

  it("is not known with too few answers, or where more than 5 % were cut off", () => {
    assert.deepInclude(hedgeAdvice(sketchOf([1]), 20), { value: undefined, confidence: "too few" })
    const cut = sketchOf(Array.from({ length: 90 }, () => 20))
    for (let i = 0; i < 10; i++) cut.add(60_000, { censored: true })
    assert.deepInclude(hedgeAdvice(cut, 20), { value: undefined, confidence: "fair" })
  })
})

describe("concurrency", () => {
  // tables of the Poisson distribution: the smallest n with P(X <= n) >= 0.99
  for (const [mean, most] of [[0, 0], [0.01, 0], [0.1, 1], [1, 4], [2, 6], [5, 11], [10, 18], [100, 124]] as const) {
    it(`with ${mean} at once, ${most} are enough 99 % of the time`, () => assert.strictEqual(poissonTail(mean), most))
  }

  it("is as large with the sum and with the approximation", () => {
    assert.approximately(poissonTail(401) - poissonTail(399), 2, 1)
    assert.isTrue(Number.isFinite(poissonTail(1e6)))
  })

  it("is the rate times the mean time, and says so", () => {
    const calls = Array.from({ length: 600 }, (_, i) => i % 2 === 0 ? 10 : 30)
    const { because, confidence, value } = watched(calls, 2000)
    assert.strictEqual(value, 18)
    assert.strictEqual(confidence, "good")
    assert.match(because, /^30 calls\/min were seen, of 20s on average: 10 at once \(Little's law\); .*18 are enough/u)
  })

  it("counts what was cut off with the time that it took", () => {
    const registry = new Registry(hour, 10)
    for (let i = 0; i < 100; i++) {
      registry.call(call(60, { outcome: "O1TimeoutError/total" }), i * 6000)
    }
    const [{ concurrency }] = recommend({ version: 1, at: 0, ...registry.snapshot(600_000) }) as any
    assert.strictEqual(concurrency.value, 18)
  })

  it("plans for the rate that is given", () => {
    const calls = Array.from({ length: 50 }, () => 20)
    const { because, value } = watched(calls, 10, { callsPerSecond: 5 })
    assert.strictEqual(value, 124)
    assert.include(because, "5.0 calls/s are planned")
  })

  it("forgets how many came, as it forgets the calls", () => {
    const calls = Array.from({ length: 100 }, () => 20)
    const early = watched(calls, 1000)
    assert.strictEqual(early.value, 31)
    // an hour later the same calls are spread over more time
    assert.isBelow(watched(calls, 1000, undefined, hour).value!, 5)
    assert.include(watched(Array.from({ length: 5 }, () => 20), 1000).because, "5 calls are fewer than 20")
  })

  it("has no rate of what another monitor saw", () => {
    const here = new Registry(hour, 10)
    const there = new Registry(hour, 10)
    for (let i = 0; i < 100; i++) there.call(call(20), i * 1000)
    here.merge({ version: 1, at: 0, ...there.snapshot(100_000) }, 0)
    const [{ concurrency }] = recommend({ version: 1, at: 0, ...here.snapshot(100_000) }) as any
    assert.deepInclude(concurrency, { value: undefined, confidence: "too few" })
    assert.include(concurrency.because, "callsPerSecond")
  })

  it("refuses a bad rate", () => {
    for (const callsPerSecond of [0, -1, NaN, Infinity]) {
      assert.throws(() => recommend({ version: 1, at: 0, series: [], origins: [] }, { callsPerSecond }), RangeError)
    }
  })
})

describe("the text of recommendations", () => {
  it("fits 80 columns, and has every reason", () => {
    const registry = new Registry(hour, 10)
    for (let i = 0; i < 200; i++) {
      registry.attempt(i % 10 === 0 ? cut(60) : attempt(20 + i / 10), i * 1000)
      registry.call(call(20 + i / 10), i * 1000)
    }
    const recommendations = recommend({ version: 1, at: 0, ...registry.snapshot(200_000) })
    const text = formatRecommendations(recommendations)
    assert.isAtMost(Math.max(...text.split("\n").map((line) => line.length)), 80)
    const words = text.replaceAll(/\s+/gu, " ")
    const [advice] = recommendations
    for (const { because } of [advice!.timeout, advice!.hedgeDelay, advice!.concurrency, advice!.retries]) {
      assert.include(words, because)
    }
  })
})
