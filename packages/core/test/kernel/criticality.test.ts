import { assert, describe, it } from "@effect/vitest"
import { criticalities, type Criticality, lower, parse, rankOf } from "../../src/kernel/criticality.ts"

describe("kernel/criticality", () => {
  it("ranks the four, and what no type has checked as the usual one", () => {
    assert.deepStrictEqual(criticalities.map(rankOf), [0, 1, 2, 3])
    assert.strictEqual(rankOf("urgent" as Criticality), 1)
    assert.strictEqual(rankOf(undefined as unknown as Criticality), 1) // what a program without types may give
  })

  it("the lower one of two, in either order", () => {
    for (const [i, one] of criticalities.entries()) {
      for (const [j, other] of criticalities.entries()) {
        assert.strictEqual(lower(one, other), criticalities[Math.max(i, j)])
      }
    }
  })

  for (
    const [header, expected] of [
      ["critical-plus", "critical-plus"],
      ["CRITICAL_PLUS", "critical-plus"],
      [" Sheddable ", "sheddable"],
      ["sheddable-plus", "sheddable-plus"],
      ["SHEDDABLE_plus", "sheddable-plus"],
      ["critical, sheddable", "sheddable"],
      ["sheddable,CRITICAL_PLUS", "sheddable"],
      ["urgent, sheddable-plus", "sheddable-plus"],
      ["critical-plus, ", "critical-plus"],
      ["critical-plus, critical-plus", "critical-plus"],
      [",,", undefined],
      ["urgent, now", undefined],
      ["critical; q=1", undefined],
      ["critical plus", undefined],
      ["", undefined],
      ["0", undefined],
      ["constructor", undefined],
      ["criticaL\u0130", undefined]
    ] as const
  ) {
    it(`reads ${JSON.stringify(header)}`, () => {
      assert.strictEqual(parse(header), expected)
    })
  }
})
