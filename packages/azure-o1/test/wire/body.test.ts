import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import { O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { type Answer, AnswerStream, decode, takeBody } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"
import { isEvents } from "../../src/wire/sse.ts"
import { chat, responses } from "../support/wire-says.ts"

const origin = { headers: Headers.empty, status: 200, deployment: "o1", now: 0, redact: identity }

const chatAnswer = (): Answer => new ChatAnswer(origin)
const responsesAnswer = (): Answer => new ResponsesAnswer(origin)

/** What comes of a body that was asked for in one piece, that came as bytes, and that was taken as a whole. */
const outcomes = (answer: () => Answer, body: string): ReadonlyArray<string> => {
  const told = (outcome: unknown): string =>
    O1Error.is(outcome) ? O1Error.label(outcome) : (outcome as { readonly text: string }).text
  const fed = [1, 5, 1 << 20].map((size) => {
    const stream = new AnswerStream(answer(), origin, identity)
    const bytes = Buffer.from(body)
    for (let at = 0; at < bytes.length && stream.outcome === undefined; at += size) {
      stream.feed(bytes.subarray(at, at + size))
    }
    if (stream.outcome === undefined) stream.end()
    return stream.outcome
  })
  const whole = new AnswerStream(answer(), origin, identity)
  whole.whole(body)
  return [
    decode(answer(), body, origin),
    ...[...fed, whole.outcome].map((outcome) => outcome?._tag === "Finished" ? outcome.completion : outcome)
  ].map(told)
}

const same = (label: string): ReadonlyArray<string> => [label, label, label, label, label]

describe("a body is what it looks like", () => {
  const page = "<html>proxy</html>"
  const table: ReadonlyArray<readonly [string, () => Answer, string, string]> = [
    ["JSON of Chat", chatAnswer, JSON.stringify(chat.plain("Hello")), "Hello"],
    ["indented JSON after blanks", chatAnswer, `\n\n  ${JSON.stringify(chat.plain("Hello"), undefined, 2)}\n`, "Hello"],
    ["JSON after a byte order mark", chatAnswer, `\uFEFF${JSON.stringify(chat.plain("Hello"))}`, "Hello"],
    ["long JSON", chatAnswer, JSON.stringify(chat.plain("x".repeat(200_000))), "x".repeat(200_000)],
    ["events of Chat", chatAnswer, chat.whole("Hel", "lo"), "Hello"],
    ["events after a comment", chatAnswer, `: hi\n\n${chat.whole("Hel", "lo")}`, "Hello"],
    ["events after a retry and an id", chatAnswer, `retry: 10\nid: 1\n\n${chat.whole("Hel", "lo")}`, "Hello"],
    ["events after a byte order mark", chatAnswer, `\uFEFF${chat.whole("Hel", "lo")}`, "Hello"],
    ["events with the other line end", chatAnswer, chat.whole("Hel", "lo").replaceAll("\n", "\r\n"), "Hello"],
    ["events that were cut", chatAnswer, chat.delta("Hel"), "O1ProtocolError/truncated"],
    ["half an event", chatAnswer, "data: {\"choices", "O1ProtocolError/truncated"],
    ["comments", chatAnswer, ": hi\n\n: hi\n\n", "O1ProtocolError/truncated"],
    ["a page", chatAnswer, page, "O1ProtocolError/unexpected-content-type"],
    ["a long page", chatAnswer, `<!DOCTYPE html>${"x".repeat(100_000)}`, "O1ProtocolError/unexpected-content-type"],
    ["words", chatAnswer, "upstream connect error", "O1ProtocolError/malformed"],
    ["half of JSON", chatAnswer, "{\"choices\":", "O1ProtocolError/malformed"],
    ["an error", chatAnswer, "{\"error\":{\"code\":\"429\",\"message\":\"\"}}", "O1RateLimitError/requests"],
    [
      "an error among events",
      chatAnswer,
      `event: error\ndata: {"code":"server_error","message":""}\n\n`,
      "O1ServerError/internal"
    ],
    ["a response", responsesAnswer, JSON.stringify(responses.body("completed", "Hello")), "Hello"],
    ["events of a response", responsesAnswer, responses.whole("Hel", "lo"), "Hello"],
    ["a response that failed", responsesAnswer, JSON.stringify(responses.body("failed")), "O1ServerError/internal"],
    ["JSON that is no response", responsesAnswer, "{\"ok\":true}", "O1ProtocolError/malformed"],
    ["a page for a response", responsesAnswer, page, "O1ProtocolError/unexpected-content-type"]
  ]
  for (const [name, answer, body, expected] of table) {
    it(name, () => {
      assert.deepStrictEqual(outcomes(answer, body), same(expected))
    })
  }

  it("no JSON, page or words look like events, though they may hold some", () => {
    for (const body of ["{\"a\":\"\\ndata: x\"}", "<p>\ndata: x", "words\ndata: x", "", ":", "retry: 1", "data"]) {
      assert.isFalse(isEvents(body), body)
    }
  })

  it("a page that does not end is not kept for ever", () => {
    const stream = new AnswerStream(chatAnswer(), origin, identity)
    const megabyte = Buffer.from("{\"a\":\"" + "x".repeat(1024 * 1024))
    for (let i = 0; i < 20 && stream.outcome === undefined; i++) stream.feed(megabyte)
    assert.deepInclude(stream.outcome, { _tag: "O1ProtocolError", kind: "malformed" })
  })

  it("of a poll that came as events, what it adds is told", () => {
    const events: Array<AttemptEvent> = []
    const answer = new ResponsesAnswer(origin)
    assert.isUndefined(takeBody(answer, responses.whole("Hel", "lo"), origin, events))
    assert.isTrue(answer.finished)
    assert.deepStrictEqual(events, [{ _tag: "TextDelta", text: "Hel" }, { _tag: "TextDelta", text: "lo" }])
  })
})
