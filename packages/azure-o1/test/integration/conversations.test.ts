import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { O1Error } from "../../src/O1Error.ts"
import more from "../fixtures/conversations-more.json" with { type: "json" }
import recorded from "../fixtures/conversations.json" with { type: "json" }
import {
  type Conversation,
  converse,
  exchangeOf,
  type Expected,
  said,
  talking,
  told
} from "../support/conversations.ts"
import { request } from "../support/harness.ts"
import { chat, responses } from "../support/wire-says.ts"

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

describe("conversations with a client that asks for no stream, and is answered with one", () => {
  for (const conversation of conversations) {
    it.live(conversation.name, () =>
      Effect.gen(function*() {
        // the text before an error is lost where it was not read as what it is
        const unseen = conversation.expect.outcome.startsWith("error:") ? ["said", "text"] : ["said"]
        const fields = Object.entries(conversation.expect).filter(([field]) => !unseen.includes(field))
        const outcome = Object.fromEntries(fields) as unknown as Expected // it has its outcome
        const config = { profile: ModelProfile.o1, ...conversation.config }
        const came = yield* converse({ ...conversation, config }, "complete")
        assert.deepStrictEqual(told(came, outcome), outcome)
      }))
  }
})

describe("a stream under another name", () => {
  for (const type of ["application/json", "text/html", "text/plain", "application/octet-stream"]) {
    it.live(`is told as it comes, and not at its end: ${type}`, () =>
      Effect.gen(function*() {
        let hear = (): void => {}
        const heard = new Promise<void>((resolve) => {
          hear = resolve
        })
        const told = yield* talking([{
          on: "POST",
          does: [async (turn) => {
            await turn.head(200, { "content-type": type })
            await turn.body(chat.delta("Hel"))
            // the rest comes only to a reader who has seen the beginning
            await heard
            await turn.body(`${chat.delta("lo")}${chat.stop()}${chat.done}`)
            await turn.end()
          }]
        }], (o1) =>
          Stream.runFold(o1.tokens(request), () => "", (text, token) => {
            hear()
            return text + token
          }), { config: { api: "chat" } })
        assert.strictEqual(told, "Hello")
      }))
  }

  for (const api of ["chat", "responses"] as const) {
    for (const type of ["application/json", "text/event-stream"]) {
      it.live(`is an answer where none was asked for, by ${api}, as ${type}`, () =>
        Effect.gen(function*() {
          const body = api === "chat" ? chat.whole("Hel", "lo") : responses.whole("Hel", "lo")
          const asked = yield* talking(
            [exchangeOf({ on: "POST", status: 200, headers: { "content-type": type }, body })],
            (o1, server) =>
              Effect.map(o1.complete(request), ({ text }) => {
                assert.strictEqual(text, "Hello")
                return server.requests.map((asked) => asked.body)
              }),
            { config: { api, profile: ModelProfile.o1, store: false } }
          )
          assert.lengthOf(asked, 1)
          assert.notInclude(asked[0], "\"stream\":true")
        }))
    }
  }
})
