import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import {
  Aimd,
  type Algorithm,
  Average,
  type Bounds,
  Gradient2,
  netflixQueue,
  type Sample,
  Vegas,
  Window
} from "../../src/kernel/adaptiveLimit.ts"
import { type Model, run, seeded } from "../support/queueing.ts"

const bounds = (initial: number, { max = 1000, min = 1 }: Partial<Bounds> = {}): Bounds => ({ initial, min, max })
const sample = (time: number | undefined, inUse: number, dropped = false): Sample => ({ time, inUse, dropped })
const half = () => 0.5

/** The limit after each sample. */
const limits = (algorithm: Algorithm, ...samples: ReadonlyArray<Sample>): ReadonlyArray<number> =>
  samples.map((sample) => {
    algorithm.update(sample, half)
    return algorithm.limit
  })

const aimd = (bounds: Bounds, after = Infinity) => new Aimd(bounds, { ratio: 0.9, after })

const vegas = (bounds: Bounds, queue = netflixQueue) => new Vegas(bounds, { queue, average: 1 })

const gradient2 = (bounds: Bounds, tolerance = 1) =>
  new Gradient2(bounds, { tolerance, smoothing: 0.2, queue: 4, windows: 600 })

/** Netflix, concurrency-limits-core, AIMDLimitTest. */
describe("Netflix's AIMD", () => {
  const table: ReadonlyArray<readonly [string, Algorithm, Sample, number]> = [
    ["increaseOnSuccess", aimd(bounds(20)), sample(1, 10), 21],
    ["decreaseOnDrops", aimd(bounds(30)), sample(undefined, 0, true), 27],
    ["successOverflow", aimd(bounds(21, { max: 21 })), sample(1, 10), 21],
    ["timeout exceeded (Helidon's AimdLimitTest)", aimd(bounds(30), 1000), sample(1001, 0), 27],
    ["less than half is used", aimd(bounds(20)), sample(1, 9), 20],
    ["one less at least", aimd(bounds(5)), sample(undefined, 5, true), 4],
    ["never below one", aimd(bounds(1)), sample(undefined, 1, true), 1],
    ["never below the floor", aimd(bounds(20, { min: 19 })), sample(undefined, 1, true), 19]
  ]
  for (const [name, algorithm, sample, expected] of table) {
    it(name, () => assert.deepStrictEqual(limits(algorithm, sample), [expected]))
  }
})

/** Netflix, concurrency-limits-core, VegasLimitTest: `alpha(3).beta(6)`, and the defaults for a large limit. */
describe("Netflix's Vegas", () => {
  const table: ReadonlyArray<readonly [string, Algorithm, ReadonlyArray<Sample>, ReadonlyArray<number>]> = [
    ["largeLimitIncrease", vegas(bounds(10_000, { max: 20_000 })), [sample(10_000, 5000), sample(10_000, 6000)], [
      10_000,
      10_024
    ]],
    ["increaseLimit", vegas(bounds(10, { max: 20 })), [sample(10, 10), sample(10, 11)], [10, 16]],
    ["decreaseLimit", vegas(bounds(10, { max: 20 })), [sample(10, 10), sample(50, 11)], [10, 9]],
    ["noChangeIfWithinThresholds", vegas(bounds(10, { max: 20 })), [sample(10, 10), sample(14, 14)], [10, 10]],
    ["a drop, with nothing known of times", vegas(bounds(10)), [sample(undefined, 10, true)], [9]],
    ["less than half is used", vegas(bounds(10)), [sample(10, 10), sample(10, 4)], [10, 10]],
    ["times of no length", vegas(bounds(10)), [sample(0, 10), sample(0, 10), sample(0, 10)], [10, 16, 22]]
  ]
  for (const [name, algorithm, samples, expected] of table) {
    it(name, () => assert.deepStrictEqual(limits(algorithm, ...samples), expected))
  }

  it("one window in which nothing seems to wait is no reason for a large step, several are", () => {
    const limit = new Vegas(bounds(50), { queue: netflixQueue, average: 10 })
    const windows = (n: number, time: number) => limits(limit, ...Array.from({ length: n }, () => sample(time, 50)))
    windows(10, 100)
    assert.strictEqual(windows(20, 110).at(-1), 50)
    assert.deepStrictEqual(windows(1, 100), [51])
    assert.deepStrictEqual(windows(5, 100).slice(-2), [70, 76])
  })

  it("a callee that has become slower for good is known after a probe", () => {
    const limit = vegas(bounds(10, { max: 10 }))
    const slow = Array.from({ length: 10 * 30 }, () => sample(50, 10))
    assert.strictEqual(limits(limit, sample(10, 10), ...slow).at(-1), 10)
    assert.isAbove(limits(limit, ...Array.from({ length: 30 * 10 }, () => sample(50, 10))).at(-1)!, 6)
  })
})

/** Netflix, concurrency-limits-core, Gradient2Limit: the formula with a queue of 4, a smoothing of 0.2 and 600 windows. */
describe("Netflix's Gradient2", () => {
  const table: ReadonlyArray<readonly [string, Algorithm, ReadonlyArray<Sample>, ReadonlyArray<number>]> = [
    // 20 * 0.8 + (20 + 4) * 0.2 = 20.8, then 21.6
    ["no waiting", gradient2(bounds(20)), [sample(10, 20), sample(10, 20)], [20, 21]],
    // the long time is (10 + 30) / 2 = 20: 20.8 * 0.8 + (20.8 * 20 / 30 + 4) * 0.2 = 20.213
    ["waiting", gradient2(bounds(20)), [sample(10, 20), sample(30, 20)], [20, 20]],
    // 1.5 * 20 / 30 = 1: 21.6
    ["waiting that is tolerated", gradient2(bounds(20), 1.5), [sample(10, 20), sample(30, 20)], [20, 21]],
    // the long time is (10 + 90) / 2 = 50, a gradient of 0.55 and no less than 0.5: 104 by 100 * 0.8 + ...
    ["never less than half", gradient2(bounds(100)), [sample(10, 100), sample(1000, 100)], [100, 91]],
    ["less than half is used", gradient2(bounds(20)), [sample(10, 9)], [20]],
    // a gradient of a half: 20 * 0.8 + (10 + 4) * 0.2 = 18.8
    ["a drop", gradient2(bounds(20)), [sample(undefined, 1, true)], [18]],
    ["times of no length", gradient2(bounds(20)), [sample(0, 20), sample(0, 20)], [20, 21]]
  ]
  for (const [name, algorithm, samples, expected] of table) {
    it(name, () => assert.deepStrictEqual(limits(algorithm, ...samples), expected))
  }

  it("the long time comes down faster when calls are quick again", () => {
    const limit = gradient2(bounds(20, { max: 20 }))
    limits(limit, ...Array.from({ length: 10 }, () => sample(100, 20)))
    // without it, the average of 600 windows would call twice the time of an idle callee quick for minutes
    limits(limit, ...Array.from({ length: 30 }, () => sample(10, 20)))
    assert.isBelow(limits(limit, sample(30, 20), sample(30, 20))[1]!, 20)
  })
})

/** Netflix, concurrency-limits-core, ExpAvgMeasurementTest. */
describe("the average", () => {
  it("warms up, and then forgets", () => {
    const average = new Average(100, 10)
    const values = Array.from({ length: 10 }, (_, i) => {
      average.add(i + 10)
      return average.value
    })
    assert.deepStrictEqual(values, [10, 10.5, 11, 11.5, 12, 12.5, 13, 13.5, 14, 14.5])
    average.add(100)
    assert.closeTo(average.value, 16.2, 0.1)
  })
})

describe("a window", () => {
  const window = (dropRatio = 0.1) => new Window({ within: 100, minCalls: 3, dropRatio })
  const answers = (time: number, inUse = 1) => ({ time, inUse })
  const drop = { time: undefined, inUse: 1 }

  it("ends after its time and its calls; the first one only tells how long calls take", () => {
    const it = window()
    assert.strictEqual(it.add(0, answers(10), 10), undefined)
    assert.strictEqual(it.add(200, answers(20), 10), undefined, "two calls")
    assert.deepStrictEqual(it.add(201, answers(30, 7), 10), { time: undefined, inUse: 7, dropped: false })
    assert.strictEqual(it.average, 20)
    assert.strictEqual(it.add(202, answers(10), 10), undefined)
    assert.strictEqual(it.add(203, answers(20), 10), undefined)
    assert.strictEqual(it.add(204, answers(30), 10), undefined, "two milliseconds")
    assert.deepStrictEqual(it.add(302, answers(40), 10), { time: 25, inUse: 1, dropped: false })
  })

  it("lasts twice as long as calls take", () => {
    const it = window()
    for (const at of [0, 100, 200]) it.add(at, answers(500), 10)
    for (const at of [1000, 1500, 1999]) assert.strictEqual(it.add(at, answers(500), 10), undefined)
    assert.deepStrictEqual(it.add(2000, answers(500), 10), { time: 500, inUse: 1, dropped: false })
  })

  it("needs no more calls than may run at once", () => {
    assert.isDefined(window().add(0, answers(1), 1) ?? window().add(0, drop, 1) ?? "not yet")
    const it = window()
    it.add(0, drop, 1)
    assert.deepStrictEqual(it.add(100, drop, 1), { time: undefined, inUse: 1, dropped: true })
  })

  it("how long a call took that was dropped is no time of an answer", () => {
    const it = window()
    for (const at of [0, 50, 100]) it.add(at, answers(10), 10)
    for (const at of [200, 250]) it.add(at, answers(10), 10)
    assert.deepStrictEqual(it.add(300, drop, 10), { time: 10, inUse: 1, dropped: true })
  })

  it("a few drops among many calls are no overload", () => {
    const it = window(0.5)
    for (const at of [0, 50, 100]) it.add(at, answers(10), 10)
    for (const at of [200, 250]) it.add(at, answers(10), 10)
    assert.deepStrictEqual(it.add(300, drop, 10), { time: 10, inUse: 1, dropped: false })
  })
})

const algorithms: Readonly<Record<string, (bounds: Bounds) => Algorithm>> = {
  aimd: (bounds) => aimd(bounds, 500),
  vegas: (bounds) => new Vegas(bounds, { queue: netflixQueue, average: 10 }),
  gradient2
}

describe("a limit", () => {
  const Time = Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
  const InUse = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))
  const Samples = Schema.Array(Schema.Tuple([Time, InUse, Schema.Boolean]))

  for (const [name, make] of Object.entries(algorithms)) {
    it.prop(`${name} stays between its bounds, and grows only while half of it is used`, [Samples], ([samples]) => {
      const random = seeded(1)
      const limit = make(bounds(20, { min: 3, max: 50 }))
      for (const [time, inUse, dropped] of samples) {
        const before = limit.limit
        limit.update(sample(time ?? undefined, inUse, dropped), random)
        assert.isTrue(Number.isInteger(limit.limit) && limit.limit >= 3 && limit.limit <= 50)
        if (inUse * 2 < before || dropped) assert.isAtMost(limit.limit, Math.max(before, 8))
      }
    })
  }
})

describe("a limit finds the capacity of a callee with so many workers (M/M/c)", () => {
  const model = (workers: Model["workers"], full: Model["full"]): Model => ({
    workers,
    full,
    service: 100,
    arrivals: () => 1200
  })
  const average = (seconds: ReadonlyArray<{ readonly limit: number }>) =>
    seconds.reduce((sum, { limit }) => sum + limit, 0) / seconds.length

  for (const name of ["vegas", "gradient2"] as const) {
    it(`${name}: the calls that may wait weigh more where there are few workers`, () => {
      for (const seed of [1, 2, 3]) {
        const seconds = run(algorithms[name]!(bounds(20)), model(() => 20, "waits"), 100, seed)
        const ratio = average(seconds.slice(80)) / 20
        assert.isTrue(ratio > 1.1 && ratio < 1.4, `seed ${seed}: ${ratio}`)
      }
    })
  }

  for (const [name, make] of Object.entries(algorithms)) {
    for (const [before, after] of [[50, 80], [80, 50], [100, 60]] as const) {
      it(`${name}: within 15 % in the minute after a step from ${before} to ${after}`, () => {
        for (const seed of [1, 2, 3]) {
          const callee = model((second) => second < 80 ? before : after, name === "aimd" ? "drops" : "waits")
          const seconds = run(make(bounds(20)), callee, 145, seed)
          assert.closeTo(average(seconds.slice(135, 145)), after, after * 0.15, `seed ${seed}`)
        }
      })
    }
  }
})
