import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AzureO1Config } from "../AzureO1Config.ts"
import * as ModelProfile from "../ModelProfile.ts"
import type { O1Completion } from "../O1Completion.ts"
import { O1Error, O1TimeoutError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { AnswerStream, takeBody as bodyInto } from "../wire/answer.ts"
import * as wire from "../wire/responses.ts"
import * as requests from "../wire/responsesRequest.ts"
import { type Connection, type Received, started } from "./connection.ts"
import { events, isOnTheWay } from "./events.ts"
import { responsesUrls } from "./paths.ts"
import { longestSilence } from "./route.ts"

const keptSilence = Duration.millis(longestSilence.kept)

/** The beginning of an answer is known, and `rest` takes in the rest. */
interface Beginning {
  readonly rest: Effect.Effect<void, O1Error>
}

/** What can be asked of the Responses API. */
export const questions = (config: AzureO1Config, connection: Connection) => {
  const { deployment, profile = ModelProfile.o1, store = true } = config
  const { host } = new URL(config.endpoint)
  const encrypted = profile.encryptedReasoning

  const url = responsesUrls(config)

  const urlOf = (id: string, action: string, query?: Readonly<Record<string, string>>): string =>
    url(id === "" ? "" : `/${encodeURIComponent(id)}${action}`, query)

  const isEvents = ({ origin }: Received): boolean => /event-stream/i.test(origin.headers["content-type"] ?? "")

  /**
   * Takes in events that were not asked for, up to the id of their response, and gives what takes in the rest. What they leave out can
   * be asked for, and so a silence is their end.
   */
  const takeEvents = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<Beginning, never, Scope.Scope> =>
    Effect.gen(function*() {
      answer.continuedFrom(received.origin)
      const stream = new AnswerStream(answer, received.origin, identity)
      const bytes = yield* Channel.toPullScoped(Stream.toChannel(connection.bytes(received)), yield* Effect.scope)
      const step = Pull.matchEffect(bytes, {
        onSuccess: (chunks) => Effect.sync(() => chunks.forEach((chunk) => stream.feed(chunk))),
        onDone: () => Effect.sync(() => stream.end()),
        onFailure: (cause) => {
          const failure = cause.reasons.find(Cause.isFailReason)
          return failure === undefined
            ? Effect.failCause(cause as Cause.Cause<never>) // it has no failure
            : Effect.sync(() => stream.fail(failure.error))
        }
      })
      const inTime = Effect.timeoutOrElse(step, {
        duration: keptSilence,
        orElse: () => Effect.sync(() => stream.fail(new O1TimeoutError({ kind: "byte-idle", limit: keptSilence })))
      })
      while (answer.id === "" && stream.outcome === undefined) yield* step
      const rest = Effect.gen(function*() {
        while (stream.outcome === undefined) yield* inTime
        const { outcome } = stream
        added.push(...stream.taken().filter(({ _tag }) => _tag !== "Finished"))
        if (O1Error.is(outcome) && (answer.id === "" || !isOnTheWay(outcome))) return yield* outcome
      })
      return { rest }
    })

  /** Takes in an answer in one piece, or what has to be known of it to ask for it, and gives what takes in the rest. */
  const begin = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<Beginning, O1Error, Scope.Scope> =>
    isEvents(received) ?
      takeEvents(received, answer, added) :
      Effect.flatMap(connection.text(received), (body) => {
        answer.continuedFrom(received.origin)
        const error = bodyInto(answer, body, received.origin, added)
        return error === undefined ? Effect.succeed({ rest: Effect.void }) : Effect.fail(error)
      })

  /** Takes in an answer in one piece. */
  const takeBody = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<void, O1Error> => Effect.scoped(Effect.flatMap(begin(received, answer, added), ({ rest }) => rest))

  return {
    begin,
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
          transport,
          charged: true
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
