import { assistant, developer, type O1Request, user } from "@effect-resilience/azure-o1"
import { assert, describe, it } from "@effect/vitest"
import { costOf, estimateByCharacters, shareOf } from "../../src/quota/cost.ts"
import { estimate } from "../../src/testing/internal/fakeLimits.ts"

const settings = { estimate: estimateByCharacters, outputTokens: 0 }

describe("what a request is charged", () => {
  const texts = ["", "a", "abcd", "Why is the sky blue?", "x".repeat(4_001), "空はなぜ青いのですか。"]
  for (const text of texts) {
    it(`is what the service charges for ${text.length} characters`, () => {
      const request = { messages: [developer("Be brief."), user(text)], maxCompletionTokens: 500 }
      assert.strictEqual(costOf(request, settings).tokens, estimate(9 + text.length, 500))
    })
  }

  it("has all that is sent, and the price of a picture", () => {
    const tools = [{ name: "count", description: "Counts.", parameters: { type: "object" } }]
    const picture: O1Request = {
      messages: [
        user([{ type: "text", text: "What is it?" }, { type: "image", url: "https://x.example/a.png", detail: "low" }])
      ]
    }
    const plain: O1Request = { messages: [user("What is it?")] }
    assert.strictEqual(costOf(picture, settings).tokens - costOf(plain, settings).tokens, 85)
    assert.isAbove(costOf({ ...plain, tools }, settings).tokens, costOf(plain, settings).tokens + 10)
    const turn: O1Request = { messages: [user("What is it?"), assistant("A lamp."), user("Are you sure?")] }
    assert.strictEqual(costOf(turn, settings).tokens, Math.ceil(31 / 4))
  })

  it("without a limit of the output is what the options say", () => {
    const request = { messages: [user("abcd")] }
    assert.strictEqual(costOf(request, settings).tokens, 1)
    assert.strictEqual(costOf(request, { ...settings, outputTokens: 4_096 }).tokens, 4_097)
  })

  it("is a share of the limit that it takes most of", () => {
    const cost = { requests: 1, tokens: 6_000 }
    assert.strictEqual(shareOf(cost, { requests: 60, tokens: 60_000 }), 0.1)
    assert.strictEqual(shareOf(cost, { requests: 5, tokens: 60_000 }), 0.2)
    assert.strictEqual(shareOf(cost, { requests: undefined, tokens: 60_000 }), 0.1)
    assert.strictEqual(shareOf(cost, { requests: undefined, tokens: undefined }), 1)
  })
})
