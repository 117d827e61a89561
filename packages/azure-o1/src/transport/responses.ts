import { Backoff, Retry, Telemetry } from "@effect-resilience/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AzureO1Config, hasBackground } from "../AzureO1Config.ts"
import type { O1Completion, ResumeToken } from "../O1Completion.ts"
import { O1Error, O1RequestError } from "../O1Error.ts"
import type { AttemptEvent, ProgressEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { AnswerStream, takeBody as bodyInto } from "../wire/answer.ts"
import * as wire from "../wire/responses.ts"
import { encode } from "../wire/responsesRequest.ts"
import { type Call, CurrentCall } from "./call.ts"
import { type Connection, type Received, started } from "./connection.ts"
import { events, isOnTheWay, type Resume } from "./events.ts"
import { responsesUrls } from "./paths.ts"
import { CurrentProgress } from "./progress.ts"

/** How often in a row a response that goes on without us is asked for in vain before we give up, or ask in another way. */
const patience = 5

/**
 * The service keeps the response, so that asking for it again costs nothing but the question. It is no attempt of the call, and
 * is not told as one.
 */
const patiently = <A, R>(self: Effect.Effect<A, O1Error, R>): Effect.Effect<A, O1Error, R> =>
  Effect.provideService(again(self), Telemetry.CurrentListener, undefined)

/** A response that is made in the background is asked for after this, then after twice as long, up to the configured interval. */
const firstPoll = Duration.millis(250)

/** The service is told that nobody waits any more; longer than this it is not tried. */
const cancelLimit = "10 seconds"

const report = (event: ProgressEvent): Effect.Effect<void> => Effect.map(CurrentProgress, (tell) => tell?.(event))

const again = Retry.make<O1Error>({
  schedule: Schedule.max([
    Backoff.exponential({ base: "500 millis", maxDelay: "8 seconds" }),
    Schedule.recurs(patience)
  ])
})

/** The Responses API: the ways in which one attempt is made. */
export const make = (
  config: AzureO1Config,
  connection: Connection,
  seal: (completion: O1Completion) => O1Completion
) => {
  const { clocks = {}, deployment, pollInterval = "2 seconds", store = true } = config
  const interval = Duration.fromInputUnsafe(pollInterval)

  const url = responsesUrls(config)

  const urlOf = (id: string, action: string, query?: Readonly<Record<string, string>>): string =>
    url(id === "" ? "" : `/${encodeURIComponent(id)}${action}`, query)

  const create = (
    request: O1Request,
    { background, stream }: { readonly stream: boolean; readonly background: boolean }
  ): Effect.Effect<Received, O1Error, Scope.Scope> => {
    const transport = stream ? "stream" : background ? "background" : "plain"
    return Effect.andThen(
      started(transport),
      connection.send({
        method: "POST",
        url: urlOf("", ""),
        body: encode(request, { model: deployment, stream, background, store }),
        accept: stream ? "text/event-stream" : "application/json",
        transport
      })
    )
  }

  const read = (id: string, after: number): Effect.Effect<Received, O1Error, Scope.Scope> =>
    connection.send({
      method: "GET",
      url: urlOf(id, "", { stream: "true", ...after < 0 ? {} : { starting_after: String(after) } }),
      accept: "text/event-stream",
      transport: "stream"
    })

  const cancelled = (id: string): Effect.Effect<void, O1Error> =>
    connection.send({
      method: "POST",
      url: urlOf(id, "/cancel"),
      body: "{}",
      accept: "application/json",
      transport: "background"
    }).pipe(Effect.scoped, Effect.asVoid)

  const cancel = (id: string): Effect.Effect<void> =>
    cancelled(id).pipe(Effect.timeoutOption(cancelLimit), Effect.ignore)

  /** Takes in an answer in one piece. */
  const takeBody = (
    received: Received,
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<void, O1Error> =>
    Effect.flatMap(connection.text(received), (body) => {
      answer.continuedFrom(received.origin)
      const error = bodyInto(answer, body, received.origin, added)
      return error === undefined ? Effect.void : Effect.fail(error)
    })

  const retrieve = (
    answer: wire.ResponsesAnswer,
    added: Array<AttemptEvent>
  ): Effect.Effect<void, O1Error> =>
    connection.send({ method: "GET", url: urlOf(answer.id, ""), accept: "application/json", transport: "background" })
      .pipe(Effect.flatMap((received) => takeBody(received, answer, added)), Effect.scoped)

  const tokenOf = (answer: wire.ResponsesAnswer): ResumeToken => ({
    responseId: answer.id,
    deployment,
    after: answer.sequence
  })

  const withToken = (answer: wire.ResponsesAnswer) => (error: O1Error): O1Error => {
    const { details } = answer
    return O1Error.with(error, {
      ...details,
      // what is told of another HTTP answer than that of the text
      status: error.status ?? details.status,
      requestId: error.requestId ?? details.requestId,
      region: error.region ?? details.region,
      resume: error._tag === "O1RequestError" ? undefined : tokenOf(answer)
    })
  }

  /**
   * Asks until the response does not change any more, and gives what was added since we knew it last. What this attempt has not
   * `heard` of yet is asked for at once: with attempts that are shorter than the pause it would never be.
   */
  const untilEnded = (answer: wire.ResponsesAnswer, heard = 0): Effect.Effect<ReadonlyArray<AttemptEvent>, O1Error> =>
    Effect.gen(function*() {
      const added: Array<AttemptEvent> = []
      for (let times = heard; !answer.finished; times++) {
        // what is soon ready is soon seen
        if (times > 0) yield* Effect.sleep(Duration.min(interval, Duration.times(firstPoll, 2 ** (times - 1))))
        yield* patiently(retrieve(answer, added))
      }
      return added
    }).pipe(Effect.mapError(withToken(answer)))

  const finish = (outcome: O1Completion | O1Error): Effect.Effect<O1Completion, O1Error> =>
    O1Error.is(outcome) ? Effect.fail(outcome) : Effect.succeed(seal(outcome))

  /** From now on the service works for this call, whether we are connected or not. */
  const open = (call: Call | undefined, answer: wire.ResponsesAnswer, streams: boolean) => {
    if (call !== undefined) {
      call.open = { id: answer.id, streams, token: () => tokenOf(answer), cancel: cancel(answer.id) }
    }
  }

  const accepted = (answer: wire.ResponsesAnswer): ProgressEvent => ({
    _tag: "Accepted",
    resume: { ...tokenOf(answer), after: -1 }
  })

  /** An answer of nothing yet, for a response that is known by its id. */
  const answerOf = (
    id: string,
    options?: ConstructorParameters<typeof wire.ResponsesAnswer>[1]
  ): wire.ResponsesAnswer => {
    const origin = { headers: Headers.empty, status: 200, deployment, now: 0, redact: (text: string) => text }
    const answer = new wire.ResponsesAnswer(origin, options)
    answer.id = id
    return answer
  }

  /** The whole answer at the end of one request. */
  const plain = (request: O1Request): Effect.Effect<O1Completion, O1Error> =>
    Effect.gen(function*() {
      const answer = answerOf("")
      yield* takeBody(yield* create(request, { stream: false, background: false }), answer, [])
      return yield* finish(answer.end())
    }).pipe(Effect.scoped)

  /** Made in the background, and asked for. An attempt goes on with what one before it has begun. */
  const background = (request: O1Request): Effect.Effect<O1Completion, O1Error> =>
    Effect.gen(function*() {
      const call = yield* CurrentCall
      const answer = answerOf(call?.open?.id ?? "")
      const known = answer.id !== ""
      if (known) {
        yield* started("background")
      } else {
        const received = yield* create(request, { stream: false, background: true })
        yield* takeBody(received, answer, [])
        open(call, answer, false)
        yield* report(accepted(answer))
      }
      yield* untilEnded(answer, known ? 0 : 1)
      if (call !== undefined) call.open = undefined
      return yield* finish(answer.end())
    }).pipe(Effect.scoped)

  /** A stream that lives with its connection. */
  const stream = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    events({
      open: create(request, { stream: true, background: false }),
      answer: (origin) => new AnswerStream(new wire.ResponsesAnswer(origin), origin, seal),
      clocks,
      connection
    })

  /** Goes on after a broken connection: with the events after the last one, and where that does not work, by asking. */
  const resumed = (answer: wire.ResponsesAnswer): Resume => {
    let last = -1
    let inVain = 0
    return (error, stream) =>
      Effect.gen(function*() {
        const broken = O1Error.with(error, answer.details)
        if (answer.id === "") return yield* broken
        inVain = answer.sequence > last ? 0 : inVain + 1
        last = answer.sequence
        // events without numbers would be said twice
        if (answer.numbered && answer.sequence >= 0 && inVain < patience) {
          yield* report({ _tag: "Resumed", error: broken, transport: "stream" })
          if (inVain > 0) yield* Effect.sleep(Duration.times(firstPoll, 2 ** (inVain - 1)))
          const next = yield* read(answer.id, answer.sequence).pipe(
            patiently,
            Effect.asSome,
            Effect.catchIf(
              (error) => error._tag === "O1RequestError" && error.kind !== "response-not-found",
              () => Effect.succeedNone
            ),
            Effect.mapError(withToken(answer))
          )
          if (Option.isSome(next)) {
            answer.continuedFrom(next.value.origin)
            stream.continuedFrom(next.value.origin)
            return next.value
          }
        }
        yield* report({ _tag: "Resumed", error: broken, transport: "background" })
        const added = yield* untilEnded(answer)
        stream.settle(answer.end(), added)
        return undefined
      })
  }

  /** The events of a response that the service keeps, over as many connections as it takes. */
  const followed = (
    connect: Effect.Effect<Received, O1Error, Scope.Scope>,
    answer: wire.ResponsesAnswer,
    call: Call | undefined
  ): Stream.Stream<AttemptEvent, O1Error> =>
    events({
      open: connect,
      answer: (origin) => {
        answer.continuedFrom(origin)
        return new AnswerStream(answer, origin, seal)
      },
      resume: resumed(answer),
      clocks,
      connection
    }).pipe(
      Stream.mapError((error) =>
        answer.id !== "" && !answer.finished && isOnTheWay(error) ? withToken(answer)(error) : error
      ),
      // nobody goes on with it, but the service might
      Stream.tapError((error) =>
        call === undefined || answer.finished || error.resume !== undefined ? Effect.void : call.abandon
      ),
      Stream.onExit(() =>
        Effect.sync(() => {
          if (answer.finished && call !== undefined) call.open = undefined
        })
      )
    )

  /** A stream of what the service keeps. An attempt begins anew with the events of what one before it has begun. */
  const kept = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.gen(function*() {
      const call = yield* CurrentCall
      const tell = yield* CurrentProgress
      const known = call?.open?.id
      if (known !== undefined) {
        const answer = answerOf(known)
        const reading = Effect.mapError(patiently(read(known, -1)), withToken(answer))
        return followed(Effect.andThen(started("stream"), reading), answer, call)
      }
      const answer: wire.ResponsesAnswer = answerOf("", {
        identified: () => {
          open(call, answer, true)
          tell?.(accepted(answer))
        }
      })
      return followed(create(request, { stream: true, background: true }), answer, call)
    }))

  /** Goes on where somebody, here or elsewhere, has stopped to read. */
  const resume = (token: ResumeToken): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.suspend(() => {
      if (token.deployment !== deployment || !hasBackground(config)) {
        return Stream.fail(
          new O1RequestError({
            kind: "invalid",
            param: "token",
            deployment,
            detail: `The token is of the deployment ${JSON.stringify(token.deployment)}, with what it keeps`
          })
        )
      }
      const answer = answerOf(token.responseId, { after: token.after })
      const reading = Effect.mapError(patiently(read(token.responseId, token.after)), withToken(answer))
      return followed(reading, answer, undefined)
    })

  /** Stops what somebody, here or elsewhere, has begun. */
  const stop = (token: ResumeToken): Effect.Effect<void, O1Error> => cancelled(token.responseId)

  return { plain, background, stream, kept, resume, stop }
}
