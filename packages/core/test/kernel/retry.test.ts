import { assert, describe, it } from "@effect/vitest"
import { choose, type Failure, type Hints, wait } from "../../src/kernel/retry.ts"

const failure = (overrides: Partial<Failure>): Failure => ({
  scheduled: 1000,
  hint: undefined,
  left: Infinity,
  random: 0,
  ...overrides
})
const fail: Hints = { maxDelay: 60_000, beyond: "fail" }
const clip: Hints = { maxDelay: 60_000, beyond: "clip" }

describe("kernel/retry", () => {
  const table: ReadonlyArray<readonly [string, Partial<Failure>, Hints, ReturnType<typeof wait>]> = [
    ["no hint: what the schedule says", {}, fail, 1000],
    ["a shorter hint changes nothing", { hint: 200 }, fail, 1000],
    ["a longer hint is the least delay", { hint: 1500 }, fail, 1500],
    ["a hint of 0 is no delay of its own", { hint: 0, scheduled: 0 }, fail, 0],
    ["up to a tenth is added above a hint", { hint: 10_000, random: 0.5 }, fail, 10_500],
    ["nothing is added where the schedule says more", { hint: 900, random: 0.99 }, fail, 1000],
    ["a hint at the cap is obeyed", { hint: 60_000 }, fail, 60_000],
    ["a hint beyond the longest pause ends the call", { hint: 60_001 }, fail, "retry-after-beyond-max"],
    ["86,400 s, which Azure really sends, ends the call", { hint: 86_400_000 }, fail, "retry-after-beyond-max"],
    ["or is clipped to the cap", { hint: 86_400_000 }, clip, 60_000],
    ["an infinite hint ends the call", { hint: Infinity }, fail, "retry-after-beyond-max"],
    ["and cannot be clipped", { hint: Infinity }, clip, "retry-after-beyond-max"],
    ["nor is it within any bound", { hint: Infinity }, { ...fail, maxDelay: Infinity }, "retry-after-beyond-max"],
    ["a wait that ends before the deadline", { left: 1001 }, fail, 1000],
    [
      "a wait that ends at the deadline leaves no time for the attempt",
      { left: 1000 },
      fail,
      "deadline"
    ],
    ["a deadline that has passed", { scheduled: 0, left: 0 }, fail, "deadline"],
    ["the deadline counts the hint as well", { hint: 5000, left: 4000 }, fail, "deadline"]
  ]
  for (const [name, overrides, hints, expected] of table) {
    it(name, () => {
      assert.strictEqual(wait(failure(overrides), hints), expected)
    })
  }
})

describe("kernel/retry, a choice by tags", () => {
  const byTag = new Map([["Boom", 1], ["Throttled", 2], ["", 3]])
  const transient = { _tag: "Transient" }
  const throttled = { _tag: "Throttled" }
  const table: ReadonlyArray<readonly [string, unknown, { readonly _tag: string }, number | undefined]> = [
    ["the error's tag", { _tag: "Boom" }, transient, 1],
    ["before the fault's", { _tag: "Boom" }, throttled, 1],
    ["the fault's, where the error has another one", { _tag: "Other" }, throttled, 2],
    ["or none", {}, throttled, 2],
    ["or is no object", "Boom", throttled, 2],
    ["or nothing at all", null, throttled, 2],
    ["neither", { _tag: "Other" }, transient, undefined]
  ]
  for (const [name, error, fault, expected] of table) {
    it(name, () => {
      assert.strictEqual(choose(byTag, error, fault), expected)
    })
  }

  it("an error without a tag has none, and not an empty one", () => {
    assert.isUndefined(choose(byTag, {}, transient))
  })
})
