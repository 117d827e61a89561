import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { Registry } from "../../src/monitor/registry.ts"
import type { MonitorSnapshot } from "../../src/monitor/snapshot.ts"
import type { O1Observation } from "../../src/O1Observation.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import {
  formatRecommendations,
  recommend,
  type Recommendation,
  recommendedSettings,
  type RecommendOptions
} from "../../src/Recommend.ts"
import { attempt, call, cut } from "../support/observations.ts"
import { lognormal } from "../support/random.ts"

const snapshotOf = (observations: ReadonlyArray<O1Observation>): MonitorSnapshot => {
  const registry = new Registry(3_600_000, 100)
  for (const observation of observations) {
    if (observation._tag === "Attempt") registry.attempt(observation, 0)
    if (observation._tag === "Call") registry.call(observation, 0)
  }
  return { version: 1, at: 0, ...registry.snapshot(0) }
}

const advise = (observations: ReadonlyArray<O1Observation>, options?: RecommendOptions): Recommendation =>
  recommend(snapshotOf(observations), options)[0]!

const many = <A>(count: number, of: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, i) => of(i))

const spread = (count: number, from: number, to: number): ReadonlyArray<O1Observation> =>
  many(count, (i) => attempt(from + (to - from) * i / (count - 1)))

const seconds = Duration.toSeconds

const ids = ({ warnings }: Recommendation): ReadonlyArray<string> => warnings.map(({ id }) => id)

describe("recommend", () => {
  it("nothing was seen: nothing is recommended", () => {
    assert.deepStrictEqual(recommend(snapshotOf([])), [])
    assert.deepStrictEqual(recommendedSettings([], "o1"), {})
  })

  it("too few: everything stays as it is, and says so", () => {
    const settings = { timeout: { medium: "90 seconds" }, retries: 2, total: "5 minutes", onTimeout: "never" } as const
    const advice = advise(spread(19, 1, 2), { settings })
    assert.deepStrictEqual(advice.timeout, {
      value: Duration.seconds(90),
      because: "19 answers are fewer than 20, so it stays as it is",
      samples: 19,
      confidence: "too few"
    })
    assert.deepInclude(advice.retries, { value: 2, confidence: "too few" })
    assert.deepInclude(advice.onTimeout, { value: "never", confidence: "too few" })
    assert.deepInclude(advice.total, { value: Duration.minutes(5), confidence: "too few" })
    assert.deepInclude(advice.firstOutput, { value: Duration.seconds(90), confidence: "too few" })
    assert.deepInclude(advice.hedgeDelay, { value: undefined, confidence: "too few" })
    assert.deepStrictEqual(ids(advice), ["short-timeout"])
  })

  it("the defaults are what a recommendation starts from", () => {
    const { effort, timeout, total } = advise([attempt(1, { effort: "high" })])
    assert.strictEqual(effort, "high")
    assert.deepStrictEqual([timeout.value, total.value].map(Duration.format), [
      Duration.format(Duration.fromInputUnsafe(O1Policy.defaults.timeout.high)),
      Duration.format(Duration.fromInputUnsafe(O1Policy.defaults.total))
    ])
  })

  describe("timeout", () => {
    it("p99 x 1.5", () => {
      const { timeout } = advise(spread(200, 20, 40))
      assert.isTrue(seconds(timeout.value) >= 59 && seconds(timeout.value) <= 61)
      assert.deepInclude(timeout, { because: "p99 of 200 answers is 39s; x 1.5", samples: 200, confidence: "good" })
      assert.strictEqual(advise(spread(50, 20, 40)).timeout.confidence, "fair")
    })

    it("with a quantile and a factor of one's own", () => {
      const { timeout } = advise(spread(200, 100, 200), { quantile: 0.5, factor: 2 })
      assert.isTrue(seconds(timeout.value) >= 294 && seconds(timeout.value) <= 306)
      assert.include(timeout.because, "p50 of 200 answers")
    })

    it("not under the floor, not over the ceiling", () => {
      const low = advise(spread(200, 1, 2)).timeout
      assert.deepStrictEqual([seconds(low.value), low.because], [
        30,
        "p99 of 200 answers is 2.0s; x 1.5, raised to the floor of 30s"
      ])
      const high = advise(spread(200, 100, 900)).timeout
      assert.strictEqual(seconds(high.value), 600)
      assert.match(high.because, /lowered to the ceiling of 10min$/)
      assert.isAbove(seconds(advise(spread(200, 100, 900), { ceiling: "1 hour" }).timeout.value), 1200)
    })

    it("cut off where answers still come: longer, by steps", () => {
      const sample = lognormal(7, 45, 0.5)
      const cutAt = (limit: number): ReadonlyArray<O1Observation> =>
        many(300, () => sample()).map((value) => value > limit ? cut(limit) : attempt(value))
      const advice = advise([attempt(1), ...cutAt(60)])
      assert.strictEqual(seconds(advice.timeout.value), 90)
      assert.match(advice.timeout.because, /of 301 attempts were cut off, so that p99 is not known; answers come up to/)
      assert.deepInclude(advice.timeout, { confidence: "fair" })
      assert.deepInclude(advice.onTimeout, { value: "escalate" })
      assert.strictEqual(advice.hedgeDelay.value, undefined)
      assert.include(ids(advice), "cut-off")
      // with longer limits it becomes known: the true p99 is 144 s
      const later = advise(cutAt(240), { settings: { timeout: { medium: "4 minutes" } } })
      assert.strictEqual(later.timeout.confidence, "good")
      assert.closeTo(seconds(later.timeout.value), 216, 50)
      assert.deepStrictEqual(ids(later), [])
    })

    it("what hangs does not make the limit longer", () => {
      const advice = advise([...spread(200, 10, 25), ...many(20, () => cut(60))])
      assert.isTrue(seconds(advice.timeout.value) <= 39)
      assert.match(advice.timeout.because, /20 of 220 attempts were cut off.* they hang rather than think; x 1.5/)
      assert.deepStrictEqual(ids(advice), ["hanging"])
      assert.match(advice.warnings[0]!.message, /^the limit of 60s cuts off about 9.1 % of the attempts/)
      assert.strictEqual(advice.onTimeout.value, "same")
    })

    it("nothing ever answered: nothing is made of it but warnings", () => {
      const advice = advise(many(100, () => cut(60)))
      assert.strictEqual(advice.timeout.confidence, "too few")
      assert.includeMembers([...ids(advice)], ["cut-off", "short-timeout", "failure-rate"])
      assert.match(advice.warnings[0]!.message, /cuts off about 100 % .*none of 100/)
    })

    it("first output has its own data", () => {
      const streamed = many(
        100,
        (i) => attempt(200, { transport: "stream", firstOutput: Duration.seconds(20 + i / 5) })
      )
      const advice = advise(streamed)
      assert.isTrue(seconds(advice.firstOutput.value) >= 58 && seconds(advice.firstOutput.value) <= 61)
      assert.isTrue(seconds(advice.timeout.value) >= 294)
    })
  })

  describe("onTimeout", () => {
    it("escalate with a long tail, same with a short one", () => {
      const long = [...spread(180, 10, 12), ...spread(20, 60, 110)]
      assert.deepInclude(advise(long).onTimeout, { value: "escalate", confidence: "good" })
      assert.match(advise(long).onTimeout.because, /times the median of 11s: a long tail/)
      assert.deepInclude(advise(spread(200, 20, 40)).onTimeout, { value: "same", confidence: "good" })
    })
  })

  describe("retries", () => {
    const failing = (failed: number, of: number): Recommendation =>
      advise([
        ...spread(of - failed, 20, 30),
        ...many(failed, () => attempt(1, { outcome: "O1ServerError/unavailable" }))
      ])

    it("as many as the failure rate asks for", () => {
      assert.deepStrictEqual([0, 10, 60, 150].map((failed) => failing(failed, 1000).retries.value), [1, 1, 2, 3])
      assert.strictEqual(
        failing(60, 1000).retries.because,
        "60 of 1000 attempts failed in a way that may pass; if failures are independent, 2 retries leave about one call in " +
          "4,432 without an answer"
      )
    })

    it("not more where they would add load", () => {
      const advice = failing(400, 1000)
      assert.deepInclude(advice.retries, { value: 3, confidence: "fair" })
      assert.match(advice.retries.because, /more than 20 %/)
      assert.deepStrictEqual(ids(advice), ["failure-rate"])
    })

    it("what does not pass, and whoever goes away, is no reason to retry", () => {
      const advice = advise([
        ...spread(100, 20, 30),
        ...many(100, () => attempt(1, { outcome: "O1AuthError/forbidden" })),
        ...many(900, () => attempt(1, { outcome: "interrupted" }))
      ])
      assert.deepInclude(advice.retries, { value: 1, samples: 200 })
    })
  })

  it("total: two attempts and the waiting, or what calls take", () => {
    const advice = advise(spread(200, 20, 40))
    assert.deepInclude(advice.total, {
      value: Duration.minutes(4),
      because: "an attempt of 60s, one more of 60s and 2min of waiting are 4min"
    })
    const slow = advise([...spread(200, 20, 40), ...many(100, () => call(400))])
    assert.deepStrictEqual(slow.total.value, Duration.minutes(10))
    assert.match(slow.total.because, /p99 of 100 calls with their retries, x 1.5, is/)
  })

  it("hedging: at p95, as a note", () => {
    const { hedgeDelay } = advise(spread(200, 20, 40))
    assert.isTrue(seconds(hedgeDelay.value!) >= 38 && seconds(hedgeDelay.value!) <= 40)
  })

  describe("warnings", () => {
    it("a short timeout is fine where the data shows that it is enough", () => {
      assert.deepStrictEqual(ids(advise(spread(200, 10, 20))), [])
      assert.deepStrictEqual(ids(advise(spread(200, 20, 50))), ["short-timeout"])
      const settings = { timeout: { medium: "2 minutes" } } as const
      assert.deepStrictEqual(ids(advise(spread(2, 20, 50), { settings })), [])
    })

    it("reasoning that leaves nothing for the answer", () => {
      const thinking = many(
        20,
        () => call(20, { usage: { input: 1, cachedInput: 0, output: 30_000, reasoning: 29_000 } })
      )
      const high = advise([...spread(200, 10, 20), ...thinking])
      assert.deepStrictEqual(ids(high), ["reasoning-share"])
      assert.match(high.warnings[0]!.message, /^reasoning takes 97 % .* at 45000 or more$/)
      const exhausted = advise([
        ...spread(200, 10, 20),
        call(20, { outcome: "O1OutputLimitError/reasoning-exhausted" })
      ])
      assert.match(exhausted.warnings[0]!.message, /^1 call had no answer .* at 25000 or more$/)
      assert.deepStrictEqual(ids(advise([...spread(200, 10, 20), ...many(20, () => call(20))])), [])
    })
  })

  it("as settings: by effort, and the largest where there is one for all", () => {
    const snapshot = snapshotOf([
      ...spread(200, 20, 40),
      ...many(200, () => attempt(100, { effort: "high" })),
      ...many(200, () => attempt(300, { deployment: "other" }))
    ])
    const settings = recommendedSettings(recommend(snapshot), "o1")
    assert.deepStrictEqual(Object.keys(settings.timeout!), ["medium", "high"])
    assert.strictEqual(Duration.toSeconds(settings.timeout!.high!), 150)
    assert.deepInclude(settings, { onTimeout: "same", retries: 1, total: Duration.minutes(7) })
  })

  it("as text, with the reasons", () => {
    const text = formatRecommendations([advise(spread(200, 10, 50))])
    assert.include(
      text,
      "o1, o1-2024-12-17, medium\n  timeout       75s       good     p99 of 200 answers is 50s; x 1.5\n"
    )
    assert.match(text, /\n  ! a limit of 60s is under the 2min below which Microsoft/)
  })

  it("bad options are named", () => {
    const bad: ReadonlyArray<readonly [RecommendOptions, string]> = [
      [{ quantile: 1 }, "recommend: quantile must be a number > 0 and < 1, got 1"],
      [{ factor: 0.5 }, "recommend: factor must be a finite number >= 1, got 0.5"],
      [{ floor: 0 }, "recommend: floor must be a finite duration > 0, got 0"],
      [{ ceiling: "Infinity" }, "recommend: ceiling must be a finite duration > 0, got Infinity"],
      [{ ceiling: "10 seconds" }, "recommend: ceiling must be at least the floor, got 10s"],
      [{ minSamples: 0 }, "recommend: minSamples must be an integer >= 1, got 0"],
      [{ cutOff: 2 }, "recommend: cutOff must be from 0 to 1, got 2"]
    ]
    for (const [options, message] of bad) {
      assert.throws(() => recommend(snapshotOf([]), options), RangeError, message)
    }
  })
})
