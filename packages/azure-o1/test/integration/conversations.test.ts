import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { O1Error } from "../../src/O1Error.ts"
import more from "../fixtures/conversations-more.json" with { type: "json" }
import recorded from "../fixtures/conversations.json" with { type: "json" }
import { type Conversation, converse, said, told } from "../support/conversations.ts"

const conversations = [...recorded.cases, ...more.cases] as ReadonlyArray<
  Conversation
>

describe("conversations", () => {
  it("there are some, of both APIs", () => {
    for (const api of ["chat", "responses"]) {
      assert.isAtLeast(conversations.filter((conversation) => conversation.api === api).length, 20)
    }
  })

  for (const conversation of conversations) {
    const { exchanges, expect, name } = conversation
    const { said: shown = expect.text, ...outcome } = expect
    for (const face of ["complete", "stream"] as const) {
      it.live(`${name}, through ${face}`, () =>
        Effect.gen(function*() {
          const came = yield* converse(conversation, face)
          assert.deepStrictEqual(told(came, outcome), outcome)
          // an error that may pass is asked for again; what the conversation has is asked for once
          if (came.error === undefined || O1Error.label(came.error) !== "O1ProtocolError/truncated") {
            assert.lengthOf(came.asked.filter((asked) => !asked.includes("/cancel")), exchanges.length)
          }
          if (face === "complete" || came.error !== undefined) return
          assert.strictEqual(said(came.events), shown ?? "")
          if (expect.commentary !== undefined && shown === expect.text) {
            const commentary = came.events.map((event) => event._tag === "CommentaryDelta" ? event.text : "")
            assert.strictEqual(commentary.join(""), expect.commentary)
          }
          const calls = new Map<number, string>()
          for (const event of came.events) {
            if (event._tag !== "ToolCallDelta") continue
            calls.set(event.index, (calls.get(event.index) ?? "") + event.arguments)
          }
          assert.deepStrictEqual(Array.from(calls.values()), came.completion!.toolCalls.map((call) => call.arguments))
        }))
    }
  }
})
