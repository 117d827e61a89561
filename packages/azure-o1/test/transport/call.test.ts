import { assert, describe, it } from "@effect/vitest"
import { Call } from "../../src/transport/call.ts"

describe("transport/call", () => {
  /** What happens, attempt by attempt, and the text that an error has then. */
  const cases: ReadonlyArray<readonly [ReadonlyArray<ReadonlyArray<string>>, string]> = [
    [[], ""],
    [[["one ", "two"]], "one two"],
    [[["one "], []], "one "],
    [[["one "], [], []], "one "],
    [[["one "], ["two ", "three"]], "two three"],
    [[["one "], [], ["two "]], "two "],
    [[[], ["two "]], "two "]
  ]
  for (const [attempts, partialText] of cases) {
    it(`the text of ${JSON.stringify(attempts)} is ${JSON.stringify(partialText)}`, () => {
      const call = new Call()
      attempts.forEach((texts, i) => {
        if (i > 0) call.again()
        for (const text of texts) call.heard({ _tag: "TextDelta", text })
      })
      assert.strictEqual(call.partialText, partialText)
    })
  }
})
