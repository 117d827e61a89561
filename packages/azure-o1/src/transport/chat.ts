import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { AzureO1Config } from "../AzureO1Config.ts"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { AnswerStream, decode } from "../wire/answer.ts"
import * as wire from "../wire/chat.ts"
import { encode } from "../wire/chatRequest.ts"
import { type Connection, started } from "./connection.ts"
import { events } from "./events.ts"
import { chatUrl } from "./paths.ts"

/** Chat Completions: the ways in which one attempt is made. */
export const make = (
  config: AzureO1Config,
  connection: Connection,
  seal: (completion: O1Completion) => O1Completion
) => {
  const { apiVersion, clocks = {}, deployment } = config
  const url = chatUrl(config)
  const model = apiVersion === undefined ? deployment : undefined

  const plain = Effect.fnUntraced(function*(request: O1Request) {
    yield* started("plain")
    const received = yield* connection.send({
      method: "POST",
      url,
      body: encode(request, { model, stream: false }),
      accept: "application/json",
      transport: "plain",
      charged: true
    })
    const { origin } = received
    const decoded = decode(new wire.ChatAnswer(origin), yield* connection.text(received), origin)
    return O1Error.is(decoded) ? yield* decoded : seal(decoded)
  }, Effect.scoped)

  const stream = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    events({
      open: Effect.andThen(
        started("stream"),
        connection.send({
          method: "POST",
          url,
          body: encode(request, { model, stream: true }),
          accept: "text/event-stream",
          transport: "stream",
          charged: true
        })
      ),
      answer: ({ origin }) => new AnswerStream(new wire.ChatAnswer(origin), origin, seal),
      clocks,
      connection
    })

  return { plain, stream }
}
