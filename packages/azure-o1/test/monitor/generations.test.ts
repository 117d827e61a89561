import { Histogram } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Generations } from "../../src/monitor/generations.ts"

describe("monitor/generations", () => {
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
    const generations = new Generations(3_600_000, 2, () => Histogram.empty())
    const p95 = (now: number): number => {
      const sum = Histogram.empty()
      for (const histogram of generations.all(now)) sum.merge(histogram.toData())
      return sum.quantile(0.95)!.value
    }
    for (let minute = 0; minute < 60; minute++) generations.current(minute * 60_000).add(20_000)
    for (let minute = 60; minute < 90; minute++) generations.current(minute * 60_000).add(5000)
    assert.closeTo(p95(89 * 60_000), 20_000, 400)
    for (let minute = 90; minute < 125; minute++) generations.current(minute * 60_000).add(5000)
    assert.closeTo(p95(124 * 60_000), 5000, 100)
  })
})
