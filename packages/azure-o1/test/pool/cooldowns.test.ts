import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Cooldowns } from "../../src/pool/cooldowns.ts"

const refusal = (begun: number, until: number, reason = `${begun} to ${until}`) => ({ begun, until, reason })

type Step =
  | { readonly refused: readonly [begun: number, until: number] }
  | { readonly succeeded: number }

describe("pool/cooldowns", () => {
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
    ["a success of what was asked later ends it", [{ refused: [0, 20_000] }, { succeeded: 1 }], 10, undefined],
    ["one of what was asked before does not", [{ refused: [5, 20_000] }, { succeeded: 1 }], 10, "5 to 20000"],
    ["nor one of what was asked with it", [{ refused: [5, 20_000] }, { succeeded: 5 }], 10, "5 to 20000"],
    [
      "it has to be later than all of the refusals",
      [{ refused: [0, 60_000] }, { refused: [8, 20_000] }, { succeeded: 4 }],
      10,
      "0 to 60000"
    ],
    ["a success changes nothing where there was no refusal", [{ succeeded: 1 }], 10, undefined],
    [
      "after a success a refusal counts again",
      [{ refused: [0, 20_000] }, { succeeded: 1 }, { refused: [2, 30_000] }],
      10,
      "2 to 30000"
    ]
  ]
  const play = (steps: ReadonlyArray<Step>): Cooldowns<string, string> => {
    const cooldowns = new Cooldowns<string, string>()
    for (const step of steps) {
      if ("refused" in step) cooldowns.refused("a", refusal(...step.refused))
      else cooldowns.succeeded("a", step.succeeded)
    }
    return cooldowns
  }

  for (const [name, steps, now, reason] of table) {
    it(name, () => assert.strictEqual(play(steps).of("a", now)?.reason, reason))
  }

  it("each member has its own", () => {
    const cooldowns = play([{ refused: [0, 20_000] }])
    cooldowns.refused("b", refusal(0, 5000))
    cooldowns.succeeded("b", 1)
    assert.strictEqual(cooldowns.of("a", 10)?.until, 20_000)
    assert.isUndefined(cooldowns.of("b", 10))
  })

  const Time = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
  const History = Schema.Array(Schema.Struct({
    member: Schema.Literals(["a", "b"]),
    begun: Time,
    /** a success, if absent */
    pause: Schema.optional(Time)
  }))

  it.prop("agrees with a naive model over random histories", [History, Time], ([history, now]) => {
    const cooldowns = new Cooldowns<string, string>()
    const model: Record<string, Array<{ readonly begun: number; readonly until: number }>> = { a: [], b: [] }
    for (const { begun, member, pause } of history) {
      if (pause === undefined) {
        cooldowns.succeeded(member, begun)
        if (model[member]!.every((known) => known.begun < begun)) model[member] = []
      } else {
        cooldowns.refused(member, refusal(begun, begun + pause))
        model[member]!.push({ begun, until: begun + pause })
      }
    }
    for (const member of ["a", "b"]) {
      const until = Math.max(...model[member]!.map(({ until }) => until))
      assert.strictEqual(cooldowns.of(member, now)?.until, until > now ? until : undefined)
    }
  })

  it.prop("a refusal alone never shortens a pause", [Time, Time, Time, Time], ([begun, first, second, now]) => {
    const before = new Cooldowns<string, string>()
    before.refused("a", refusal(begun, first))
    const known = before.of("a", now)?.until ?? 0
    before.refused("a", refusal(begun, second))
    assert.isAtLeast(before.of("a", now)?.until ?? 0, known)
  })
})
