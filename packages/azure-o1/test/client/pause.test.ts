import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { Pause } from "../../src/client/pause.ts"
import { type O1Error, O1RateLimitError, O1RequestError, O1ServerError } from "../../src/O1Error.ts"

const busy = (detail?: string): O1Error => new O1RateLimitError({ kind: "tokens", detail })

type Step =
  | { readonly refused: readonly [begun: number, until: number] }
  | { readonly answered: number }

/** Each was refused when it was asked. */
const play = (steps: ReadonlyArray<Step>): Pause => {
  const pause = new Pause()
  for (const step of steps) {
    if ("refused" in step) {
      const [begun, until] = step.refused
      pause.refused(busy(step.refused.join(" to ")), Duration.millis(until - begun), { begun, now: begun })
    } else pause.answered(step.answered)
  }
  return pause
}

describe("client/pause", () => {
  const table: ReadonlyArray<readonly [string, ReadonlyArray<Step>, number, string | undefined]> = [
    ["nobody has asked for anything", [], 0, undefined],
    ["until the end", [{ refused: [0, 20_000] }], 19_999, "0 to 20000"],
    ["and no longer", [{ refused: [0, 20_000] }], 20_000, undefined],
    [
      "a timer that wakes a fraction of a millisecond early has waited",
      [{ refused: [0, 20_000] }],
      19_999.5,
      undefined
    ],
    ["a pause of nothing is none", [{ refused: [5, 5] }], 5, undefined],
    ["a pause without end", [{ refused: [0, Infinity] }], 1e15, "0 to Infinity"],
    ["of two the longer counts", [{ refused: [0, 60_000] }, { refused: [1, 20_000] }], 30_000, "0 to 60000"],
    ["in any order", [{ refused: [1, 20_000] }, { refused: [0, 60_000] }], 30_000, "0 to 60000"],
    ["an answer to what was asked later ends it", [{ refused: [0, 20_000] }, { answered: 1 }], 10, undefined],
    ["one to what was asked before does not", [{ refused: [5, 20_000] }, { answered: 1 }], 10, "5 to 20000"],
    ["nor one to what was asked with it", [{ refused: [5, 20_000] }, { answered: 5 }], 10, "5 to 20000"],
    [
      "it has to be later than all of the refusals",
      [{ refused: [0, 60_000] }, { refused: [8, 20_000] }, { answered: 4 }],
      10,
      "0 to 60000"
    ],
    ["an answer changes nothing where there was no refusal", [{ answered: 1 }], 10, undefined],
    [
      "after an answer a refusal counts again",
      [{ refused: [0, 20_000] }, { answered: 1 }, { refused: [2, 30_000] }],
      10,
      "2 to 30000"
    ]
  ]
  for (const [name, steps, now, reason] of table) {
    it(name, () => assert.strictEqual(play(steps).at(now)?.reason.detail, reason))
  }

  const Time = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
  const History = Schema.Array(Schema.Struct({
    begun: Time,
    /** an answer, if absent */
    pause: Schema.optional(Time)
  }))

  it.prop("agrees with a naive model over random histories", [History, Time], ([history, now]) => {
    const pause = play(
      history.map(({ begun, pause }) => pause === undefined ? { answered: begun } : { refused: [begun, begun + pause] })
    )
    let model: Array<{ readonly begun: number; readonly until: number }> = []
    for (const { begun, pause } of history) {
      if (pause !== undefined) model.push({ begun, until: begun + pause })
      else if (model.every((known) => known.begun < begun)) model = []
    }
    const until = Math.max(...model.map(({ until }) => until))
    assert.strictEqual(pause.at(now)?.until, until > now ? until : undefined)
  })

  it.prop("a refusal alone never shortens a pause", [Time, Time, Time, Time], ([begun, first, second, now]) => {
    const pause = play([{ refused: [begun, begun + first] }])
    const known = pause.at(now)?.until ?? 0
    pause.refused(busy(), Duration.millis(second), { begun, now: begun })
    assert.isAtLeast(pause.at(now)?.until ?? 0, known)
  })

  const held: ReadonlyArray<readonly [string, O1Error, Duration.Duration, Duration.Duration | undefined]> = [
    ["callers wait for what is left of it", busy(), Duration.seconds(20), Duration.seconds(15)],
    [
      "a service that is down says so as well",
      new O1ServerError({ kind: "unavailable" }),
      Duration.seconds(6),
      Duration.seconds(1)
    ],
    ["nobody waits for more than ten minutes", busy(), Duration.minutes(11), undefined],
    ["nor where waiting does not help", new O1RequestError({ kind: "invalid" }), Duration.seconds(20), undefined]
  ]
  for (const [name, error, asked, left] of held) {
    it(name, () => {
      const pause = new Pause()
      pause.refused(error, asked, { begun: 0, now: 0 })
      const reason = pause.held(5000)
      assert.deepStrictEqual(reason && "retryAfter" in reason ? reason.retryAfter : undefined, left)
    })
  }
})
