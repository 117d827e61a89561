import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Given, type Times, timesOf } from "../../src/kernel/pipelines.ts"

const nothing: Given = {
  total: undefined,
  attempt: undefined,
  window: undefined,
  wait: 0,
  after: undefined,
  hedges: 0
}

const table: ReadonlyArray<readonly [name: string, given: Partial<Given>, times: Partial<Times>]> = [
  ["nothing is given", {}, { total: 30_000, attempt: 10_000, window: 30_000, after: 2_000 }],
  ["a short total: three attempts fit", { total: 5_000 }, { total: 5_000, attempt: 1_666, window: 30_000 }],
  ["a long total: an attempt is no longer for it", { total: 3_600_000 }, { attempt: 10_000 }],
  ["a total of a millisecond", { total: 1 }, { attempt: 1, after: 1 }],
  ["a long attempt: the total has time for three", { attempt: 60_000 }, { total: 180_000, window: 120_000 }],
  ["both: neither is touched", { attempt: 60_000, total: 300_000 }, {
    attempt: 60_000,
    total: 300_000,
    window: 120_000
  }],
  ["both, and they contradict: that is for others to say", { attempt: 9, total: 5 }, { attempt: 9, total: 5 }],
  ["a short window: two attempts are in it", { window: 8_000 }, { attempt: 4_000, total: 30_000, window: 8_000 }],
  ["a window and an attempt", { window: 8_000, attempt: 5_000 }, { window: 8_000, attempt: 5_000 }],
  ["a window that is not of time", { window: Infinity }, { attempt: 10_000 }],
  ["a total that varies", { total: Infinity }, { attempt: 10_000, after: 2_000 }],
  ["a wait: the total has time for it", { wait: 60_000 }, { total: 70_000 }],
  ["a wait in a total that is given", { wait: 60_000, total: 5_000 }, { total: 5_000 }],
  ["a hedge in a short total", { total: 1_000, hedges: 1 }, { attempt: 333, after: 166 }],
  ["many hedges in a short total", { total: 3_000, hedges: 9 }, { attempt: 1_000, after: 300 }],
  ["a late hedge: the total has time for it", { after: 20_000, hedges: 2 }, { total: 60_000, after: 20_000 }],
  ["a hedge only after a failure", { after: Infinity, hedges: 2 }, { total: 30_000, after: Infinity }]
]

describe("the times of a pipeline", () => {
  for (const [name, given, times] of table) {
    it(name, () => assert.deepInclude(timesOf({ ...nothing, ...given }), times))
  }

  const Time = Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })))
  const Hedges = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 }))

  it.prop(
    "what was given stays, and what follows contradicts nothing",
    [Schema.Struct({ total: Time, attempt: Time, window: Time, after: Time, hedges: Hedges })],
    ([said]) => {
      const given: Given = { ...said, wait: 0 }
      const { after, attempt, total, window } = timesOf(given)
      if (given.total === undefined || given.attempt === undefined) assert.isAtMost(attempt, total)
      // a window of a millisecond has no half
      if ((given.window === undefined || given.attempt === undefined) && given.window !== 1) {
        assert.isAtLeast(window, 2 * attempt)
      }
      if (given.total === undefined || given.after === undefined) {
        assert.isAtMost(given.hedges * after, Math.max(total, given.hedges))
      }
      for (const [key, value] of Object.entries({ total, attempt, window, after })) {
        assert.isAbove(value, 0, key)
        assert.isTrue(given[key as keyof Times] === undefined || given[key as keyof Times] === value, key)
      }
    }
  )
})
