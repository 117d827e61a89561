import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { constVoid, identity } from "effect/Function"
import { Headers, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { O1ConnectionError } from "../../src/O1Error.ts"
import type { Connection } from "../../src/transport/connection.ts"
import { events } from "../../src/transport/events.ts"
import { AnswerStream, type Origin } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const answered = [chunk({ content: "all of it" }), chunk({}, "stop")].join("")

/** The tags of the events of a body that arrives in these pieces. */
const tags = (pieces: Stream.Stream<string>, headers: Readonly<Record<string, string>>) => {
  const origin: Origin = {
    headers: Headers.fromInput(headers),
    status: 200,
    deployment: "o1",
    now: 0,
    redact: identity
  }
  const readable = Stream.toReadableStream(Stream.encodeText(pieces))
  const response = HttpClientResponse.fromWeb(
    HttpClientRequest.get("http://localhost"),
    new Response(readable, { headers })
  )
  const fromClient = () => new O1ConnectionError({ kind: "closed" })
  const connection: Connection = {
    admitted: undefined,
    send: () => Effect.die("nothing is sent"),
    text: ({ response }) => Effect.mapError(response.text, fromClient),
    bytes: ({ response }) => Stream.mapError(response.stream, fromClient)
  }
  return events({
    open: Effect.succeed({ response, origin, ended: constVoid }),
    answer: ({ origin }) => new AnswerStream(new ChatAnswer(origin), origin, identity),
    clocks: {},
    connection
  }).pipe(Stream.runCollect, Effect.map((all) => all.map(({ _tag }) => _tag)))
}

describe("events", () => {
  it.live("comments after the end of an answer do not keep it back", () =>
    Effect.gen(function*() {
      const comments = Stream.fromSchedule(Schedule.spaced("100 millis")).pipe(Stream.map(() => ": keep-alive\n\n"))
      const seen = yield* tags(Stream.concat(Stream.make(answered), comments), { "content-type": "text/event-stream" })
      assert.deepStrictEqual(seen, ["TextDelta", "Finished"])
    }), 20_000)

  const types: ReadonlyArray<Readonly<Record<string, string>>> = [
    { "content-type": "text/event-stream" },
    { "content-type": "Text/Event-Stream; Charset=UTF-8" },
    { "content-type": "application/octet-stream" },
    { "content-type": "text/plain" },
    {}
  ]
  for (const headers of types) {
    it.live(`a stream of the type ${headers["content-type"]} is one`, () =>
      Effect.map(
        tags(Stream.make(`${answered}data: [DONE]\n\n`), headers),
        (seen) => assert.deepStrictEqual(seen, ["TextDelta", "Finished"])
      ))
  }
})
