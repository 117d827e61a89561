import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import {
  O1AuthError,
  O1ConnectionError,
  type O1Error,
  O1RateLimitError,
  O1RejectedError,
  O1ServerError
} from "../../src/O1Error.ts"
import { soonest, standingOf } from "../../src/pool/standing.ts"

const retryAfter = Duration.seconds(20)

describe("pool/standing", () => {
  const limited = new O1RateLimitError({ kind: "tokens", retryAfter })
  const down = new O1ServerError({ kind: "unavailable" })
  const open = new O1RejectedError({ kind: "circuit-open", retryAfter })
  const unauthorized = new O1AuthError({ kind: "unauthorized" })

  const reset = new O1ConnectionError({ kind: "reset" })
  const quota = new O1RateLimitError({ kind: "quota", retryAfter })
  const table: ReadonlyArray<
    readonly [string, O1Error | undefined, { until: number; reason: O1Error } | undefined, O1Error, number]
  > = [
    ["failed, and may be asked again", down, undefined, down, 1000],
    ["failed for good", unauthorized, undefined, unauthorized, Infinity],
    ["asked for a pause", limited, { until: 21_000, reason: limited }, limited, 21_000],
    ["its circuit is open", open, undefined, open, 21_000],
    ["its circuit is open, and it is cooling for longer", open, { until: 50_000, reason: limited }, open, 50_000],
    ["its circuit is open for longer than it cools", open, { until: 5000, reason: limited }, open, 21_000],
    ["failed for good, and is cooling", unauthorized, { until: 5000, reason: limited }, unauthorized, Infinity],
    ["another call was refused", undefined, { until: 5000, reason: limited }, limited, 5000],
    ["another call was refused for good", undefined, { until: 5000, reason: quota }, quota, Infinity],
    ["another call was refused since it failed", down, { until: 5000, reason: limited }, down, 5000],
    ["the same, and its error cannot say how long", reset, { until: 5000, reason: limited }, limited, 5000]
  ]
  for (const [name, error, refusal, expected, from] of table) {
    it(name, () => {
      const standing = standingOf(error && { error, at: 1000 }, refusal && { ...refusal, begun: 0 })
      assert.strictEqual(standing?.error, expected)
      assert.strictEqual(standing?.from, from)
    })
  }

  it("nothing is known of it", () => assert.isUndefined(standingOf(undefined, undefined)))

  it("the soonest, with the wait that is left", () => {
    const standings = [
      { error: limited, at: 0, from: 20_000 },
      { error: open, at: 100, from: 9000 },
      { error: unauthorized, at: 200, from: Infinity }
    ] as const
    assert.deepInclude(soonest(standings, 1000), { _tag: "O1RejectedError", retryAfter: Duration.seconds(8) })
  })

  it("of several, the one that failed last; what this attempt has not asked comes after what it has", () => {
    const standings = [{ error: down, at: 5, from: 5 }, { error: reset, at: 9, from: 5 }] as const
    assert.strictEqual(soonest(standings, 10), reset)
    assert.strictEqual(soonest([{ error: limited, at: -Infinity, from: 5 }, ...standings], 10), reset)
  })

  it("where none of them is of any use, the last error as it is", () => {
    const standings = [{ error: down, at: 1, from: Infinity }, { error: unauthorized, at: 2, from: Infinity }] as const
    assert.strictEqual(soonest(standings, 10), unauthorized)
  })

  it("a class that has no place for the wait does without", () => {
    assert.strictEqual(soonest([{ error: reset, at: 0, from: 100 }], 10), reset)
  })
})
