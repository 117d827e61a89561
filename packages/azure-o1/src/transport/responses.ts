import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Headers from "effect/http/Headers"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { AnswerStream, takeBody as bodyInto } from "../wire/answer.ts"
import * as wire from "../wire/responses.ts"
import * as requests from "../wire/responsesRequest.ts"
import { type Connection, type Received, started } from "./connection.ts"
import { events, isOnTheWay } from "./events.ts"
import { responsesUrls } from "./paths.ts"

/** What can be asked of the Responses API. */
export const questions = (config: AzureO1Config, connection: Connection) => {
  const { deployment, profile = ModelProfile.o1, store = true } = config
  const { host } = new URL(config.endpoint)
  const encrypted = profile.encryptedReasoning

  const url = responsesUrls(config)

  const urlOf = (id: string, action: string, query?: Readonly<Record<string, string>>): string =>
    url(id === "" ? "" : `/${encodeURIComponent(id)}${action}`, query)

  /** Takes in events that were not asked for. Of a response that is known by its id, what they leave out can be asked for. */
  const takeEvents = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<void, O1Error> =>
    Effect.suspend(() => {
      answer.continuedFrom(received.origin)
      const stream = new AnswerStream(answer, received.origin, identity)
      return connection.bytes(received).pipe(
        Stream.takeUntil((chunk) => {
          stream.feed(chunk)
          return stream.outcome !== undefined
        }),
        Stream.runDrain,
        Effect.match({ onFailure: (error) => stream.fail(error), onSuccess: () => stream.end() }),
        Effect.flatMap(() => {
          const { outcome } = stream
          added.push(...stream.taken().filter(({ _tag }) => _tag !== "Finished"))
          return O1Error.is(outcome) && (answer.id === "" || !isOnTheWay(outcome)) ? Effect.fail(outcome) : Effect.void
        })
      )
    })

  /** Takes in an answer in one piece. */
  const takeBody = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<void, O1Error> =>
    /event-stream/i.test(received.origin.headers["content-type"] ?? "") ?
      takeEvents(received, answer, added) :
      Effect.flatMap(connection.text(received), (body) => {
        answer.continuedFrom(received.origin)
        const error = bodyInto(answer, body, received.origin, added)
        return error === undefined ? Effect.void : Effect.fail(error)
      })

  return {
    takeBody,

    create: (
      request: O1Request,
      { background, stream }: { readonly stream: boolean; readonly background: boolean }
    ): Effect.Effect<Received, O1Error, Scope.Scope> => {
      const transport = stream ? "stream" : background ? "background" : "plain"
      return Effect.andThen(
        started(transport),
        connection.send({
          method: "POST",
          url: urlOf("", ""),
          body: requests.encode(request, { model: deployment, stream, background, store, host, encrypted }),
          accept: stream ? "text/event-stream" : "application/json",
          transport
        })
      )
    },

    /** The events of a response, those after a certain one. */
    read: (id: string, after: number): Effect.Effect<Received, O1Error, Scope.Scope> =>
      connection.send({
        method: "GET",
        url: urlOf(id, "", { stream: "true", ...after < 0 ? {} : { starting_after: String(after) } }),
        accept: "text/event-stream",
        transport: "stream"
      }),

    /** The response as it is now. */
    retrieve: (answer: wire.ResponsesAnswer, added: Array<AttemptEvent>): Effect.Effect<void, O1Error> =>
      connection.send({ method: "GET", url: urlOf(answer.id, ""), accept: "application/json", transport: "background" })
        .pipe(Effect.flatMap((received) => takeBody(received, answer, added)), Effect.scoped),

    cancel: (id: string): Effect.Effect<void, O1Error> =>
      connection.send({
        method: "POST",
        url: urlOf(id, "/cancel"),
        body: "{}",
        accept: "application/json",
        transport: "background"
      }).pipe(Effect.scoped, Effect.asVoid),

    /** An answer of nothing yet, for a response that is known by its id. */
    answerOf: (id: string, options?: ConstructorParameters<typeof wire.ResponsesAnswer>[1]): wire.ResponsesAnswer => {
      const origin = { headers: Headers.empty, status: 200, deployment, now: 0, redact: (text: string) => text }
      const answer = new wire.ResponsesAnswer(origin, options)
      answer.id = id
      return answer
    }
  }
}

export type Questions = ReturnType<typeof questions>

/** The Responses API, as it is used where the service keeps nothing. */
export const make = (
  { clocks = {} }: AzureO1Config,
  connection: Connection,
  { answerOf, create, takeBody }: Questions,
  seal: (completion: O1Completion) => O1Completion
) => ({
  /** The whole answer at the end of one request. */
  plain: (request: O1Request): Effect.Effect<O1Completion, O1Error> =>
    Effect.gen(function*() {
      const answer = answerOf("")
      yield* takeBody(yield* create(request, { stream: false, background: false }), answer, [])
      const outcome = answer.end()
      return O1Error.is(outcome) ? yield* outcome : seal(outcome)
    }).pipe(Effect.scoped),

  /** A stream that lives with its connection. */
  stream: (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    events({
      open: create(request, { stream: true, background: false }),
      answer: ({ origin }) => new AnswerStream(new wire.ResponsesAnswer(origin), origin, seal),
      clocks,
      connection
    })
})
