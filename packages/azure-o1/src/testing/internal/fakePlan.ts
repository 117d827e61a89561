/** The decisions about a request, and carrying them out. */
import * as Effect from "effect/Effect"
import type * as http from "node:http"
import * as json from "../../wire/json.ts"
import { millis, type Reply } from "../FakeReply.ts"
import * as chat from "./fakeChat.ts"
import { finalStatus, response } from "./fakeResponseBody.ts"
import * as responses from "./fakeResponses.ts"
import { StoredResponse } from "./fakeStore.ts"
import type { FakeAnswer } from "./fakeTranscript.ts"
import * as wire from "./fakeWire.ts"

/** How a request is answered: with a reply as it stands, with an answer that an API writes, or with stored events. */
export type Plan =
  | { readonly _tag: "Said"; readonly reply: Reply; readonly limit?: "requests" | "tokens" | undefined }
  | { readonly _tag: "Answer"; readonly api: "chat" | "responses"; readonly reply: Reply }
  | { readonly _tag: "Events"; readonly stored: StoredResponse; readonly from: number; readonly reply: Reply }

/** What a plan needs to know of the server and of the request. */
export interface Context {
  readonly model: string
  readonly filterMode: FakeAnswer["filterMode"]
  readonly stored: Map<string, StoredResponse>
  /** The id of the request. */
  readonly id: string
  readonly body: unknown
}

/** Whether a reply is sent as it stands. */
export const isSaid = ({ body, status }: Reply): boolean => status !== 200 || body !== undefined

/** The time that an answer takes which is sent in one piece. */
const making = ({ reply }: FakeAnswer): Effect.Effect<void> => {
  const took = millis(reply.think) + millis(reply.every) * reply.tokens.length
  return took > 0 ? Effect.sleep(took) : Effect.void
}

const sayJson = (exchange: wire.Exchange, status: number, body: unknown): Effect.Effect<void> => {
  exchange.response.statusCode = status
  exchange.response.setHeader("content-type", "application/json")
  return wire.sendPlain(exchange, JSON.stringify(body))
}

const say = (exchange: wire.Exchange, { body: asked }: Context): Effect.Effect<void> => {
  const { reply, response } = exchange
  const text = typeof reply.body === "string" ? reply.body : undefined
  response.statusCode = reply.status
  if (!response.hasHeader("content-type")) {
    const ofText = text === "" && json.at(asked, "stream") === true ? "text/event-stream" : "text/plain"
    response.setHeader("content-type", text === undefined ? "application/json" : ofText)
  }
  return wire.sendPlain(exchange, text ?? JSON.stringify(reply.body))
}

const ofChat = (exchange: wire.Exchange, answer: FakeAnswer): Effect.Effect<void> => {
  if (json.at(answer.body, "stream") === true) {
    exchange.response.setHeader("content-type", "text/event-stream")
    return wire.sendStream(exchange, chat.streamed(answer))
  }
  const { body, status } = chat.plain(answer)
  return Effect.andThen(making(answer), Effect.suspend(() => sayJson(exchange, status, body)))
}

const ofResponses = (
  exchange: wire.Exchange,
  answer: FakeAnswer,
  all: Map<string, StoredResponse>
): Effect.Effect<void> => {
  const stream = json.at(answer.body, "stream") === true
  if (stream) exchange.response.setHeader("content-type", "text/event-stream")
  if (json.at(answer.body, "background") === true) {
    const stored = new StoredResponse(answer)
    all.set(answer.id, stored)
    stored.start()
    const creating = millis(answer.reply.creating)
    const told = stream
      ? wire.follow(exchange, stored, 0)
      : sayJson(exchange, 200, response(answer, "queued"))
    return creating > 0 ? Effect.andThen(Effect.sleep(creating), told) : told
  }
  // what is made in the foreground is stored once it is complete
  const keep = (): void => {
    if (json.at(answer.body, "store") !== false) all.set(answer.id, StoredResponse.completed(answer))
  }
  if (stream) return wire.sendStream(exchange, responses.streamed(answer), keep)
  const body = response(answer, finalStatus(answer))
  return Effect.andThen(
    making(answer),
    Effect.suspend(() => {
      keep()
      return sayJson(exchange, 200, body)
    })
  )
}

const begin = (plan: Plan, exchange: wire.Exchange, context: Context): Effect.Effect<void> => {
  const { reply, response } = exchange
  for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value)
  if (reply.fault?.kind === "null-error" && !response.hasHeader("retry-after")) response.setHeader("retry-after", "1")
  switch (plan._tag) {
    case "Said":
      return say(exchange, context)
    case "Events":
      response.setHeader("content-type", "text/event-stream")
      return wire.follow(exchange, plan.stored, plan.from)
    case "Answer": {
      const { body, filterMode, id, model } = context
      const answer = { reply, body, model, created: 1_700_000_000, filterMode }
      return plan.api === "chat"
        ? ofChat(exchange, { ...answer, id: `chatcmpl-${id}` })
        : ofResponses(exchange, { ...answer, id: `resp_${id}` }, context.stored)
    }
  }
}

const beforeHeaders = new Set<string>(["stall", "reset", "truncate"])

/** Carries a plan out, after the wait of its reply. */
export const perform = (plan: Plan, response: http.ServerResponse, context: Context): Effect.Effect<void> => {
  const { reply } = plan
  const exchange = { response, reply }
  const work = reply.fault?.after === "nothing" && beforeHeaders.has(reply.fault.kind)
    ? wire.end(exchange, () => "")
    : Effect.suspend(() => begin(plan, exchange, context))
  // a background response waits in its queue, and not before it is answered
  const queued = plan._tag === "Answer" && plan.api === "responses" && json.at(context.body, "background") === true
  const after = queued ? 0 : millis(reply.after)
  return after === 0 ? work : Effect.andThen(Effect.sleep(after), work)
}
