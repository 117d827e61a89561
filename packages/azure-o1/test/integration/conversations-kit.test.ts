import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Conversation, converse, said, told } from "../support/conversations.ts"
import { faster } from "../support/fast-clock.ts"
import { chat, responses } from "../support/wire-says.ts"

const sse = { "content-type": "text/event-stream" }

const table: ReadonlyArray<Conversation> = [
  {
    name: "an answer",
    api: "chat",
    exchanges: [{ on: "POST", status: 200, headers: sse, body: chat.whole("Hel", "lo") }],
    expect: { outcome: "success", text: "Hello", finish: "stop", usage: { input: 5, output: 7, reasoning: 0 } }
  },
  {
    name: "a cut, and the rest",
    api: "responses",
    exchanges: [
      { on: "POST", status: 200, headers: sse, body: responses.created() + responses.delta(1, "Hel"), cut: true },
      { on: "GET", status: 200, headers: sse, body: responses.delta(2, "lo") + responses.completed(3, "Hello") }
    ],
    expect: { outcome: "success", text: "Hello", finish: "stop" }
  },
  {
    name: "an error",
    api: "chat",
    exchanges: [{ on: "POST", status: 413, headers: {}, body: "" }],
    expect: { outcome: "error:RequestTooLarge", text: "" }
  }
]

describe("a conversation", () => {
  for (const conversation of table) {
    for (const face of ["complete", "stream"] as const) {
      it.live(`${conversation.name}, through ${face}`, () =>
        Effect.gen(function*() {
          const outcome = yield* converse(conversation, face)
          assert.deepStrictEqual(told(outcome, conversation.expect), conversation.expect)
          if (face === "stream") assert.strictEqual(said(outcome.events), conversation.expect.text)
          assert.lengthOf(outcome.asked, conversation.exchanges.length)
        }))
    }
  }

  it.live("on a clock that goes faster", () =>
    faster(1000)(Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      yield* Effect.sleep("20 seconds")
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, 19_000)
    })))
})
