import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AzureO1Config, hasBackground } from "../AzureO1Config.ts"
import type { O1Completion, ResumeToken } from "../O1Completion.ts"
import { O1Error, O1ProtocolError, O1TimeoutError } from "../O1Error.ts"
import type { AttemptEvent, ProgressEvent } from "../O1Event.ts"
import type { O1Request } from "../O1Request.ts"
import { AnswerStream } from "../wire/answer.ts"
import type * as wire from "../wire/responses.ts"
import { type Call, CurrentCall } from "./call.ts"
import { type Connection, type Received, started } from "./connection.ts"
import { events, isOnTheWay, type Resume } from "./events.ts"
import { held } from "./held.ts"
import { CurrentProgress } from "./progress.ts"
import * as readings from "./reading.ts"
import type { Questions } from "./responses.ts"
import { stop, stopQuietly } from "./stopping.ts"
import { checked } from "./token.ts"
import { CurrentWatch, unlimited } from "./watch.ts"

/** A question for a response is awaited no longer than this: to ask again costs nothing. */
const questionLimit = Duration.seconds(10)

const soon = <A, R>(self: Effect.Effect<A, O1Error, R>): Effect.Effect<A, O1Error, R> =>
  Effect.timeoutOrElse(self, {
    duration: questionLimit,
    orElse: () => Effect.fail(new O1TimeoutError({ kind: "byte-idle", limit: questionLimit }))
  })

const report = (event: ProgressEvent): Effect.Effect<void> => Effect.map(CurrentProgress, (tell) => tell?.(event))

const monotonic: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000)

/** From now on nothing that we wait for is too long. */
const unhurried: Effect.Effect<void> = Effect.map(CurrentWatch, (watch) => watch?.kept())

/** Whether a response that is not found here is looked for elsewhere. */
export const Elsewhere = Context.Reference<boolean>("@effect-resilience/azure-o1/Elsewhere", {
  defaultValue: () => false
})

type Asked = Effect.Effect<Received | undefined, O1Error, Scope.Scope>

/** What the Responses API makes and keeps, whether we are connected or not: asked for until it has ended. */
export const make = (
  config: AzureO1Config,
  connection: Connection,
  { answerOf, begin: beginWith, cancel, create, read, retrieve }: Questions,
  seal: (completion: O1Completion) => O1Completion
) => {
  const { clocks = {}, deployment, pollInterval = "2 seconds" } = config
  const interval = Duration.toMillis(Duration.fromInputUnsafe(pollInterval))

  const tokenOf = (answer: wire.ResponsesAnswer): ResumeToken => ({
    responseId: answer.id,
    deployment,
    after: answer.sequence
  })

  const withToken = (answer: wire.ResponsesAnswer, error: O1Error): O1Error => {
    const { details } = answer
    return O1Error.with(error, {
      ...details,
      // what is told of another HTTP answer than that of the text
      status: error.status ?? details.status,
      requestId: error.requestId ?? details.requestId,
      region: error.region ?? details.region,
      resume: tokenOf(answer)
    })
  }

  const stopped = (answer: wire.ResponsesAnswer): Effect.Effect<boolean> =>
    Effect.suspend(() => stopQuietly(cancel(answer.id), () => tokenOf(answer)))

  /** From now on the service works for this call, whether we are connected or not. */
  const open = (call: Call | undefined, answer: wire.ResponsesAnswer, streams: boolean): void => {
    if (call !== undefined && !answer.finished) {
      call.open = {
        id: answer.id,
        streams,
        token: () => tokenOf(answer),
        text: () => answer.details.partialText ?? "",
        cancel: stopped(answer)
      }
    }
  }

  const accepted = (answer: wire.ResponsesAnswer): Effect.Effect<void> =>
    Effect.andThen(unhurried, report({ _tag: "Accepted", resume: { ...tokenOf(answer), after: -1 } }))

  /**
   * Asks for a response as {@link readings.read} decides on what was heard of it last, until there is a stream of its events, or it has
   * ended and `added` holds what was said meanwhile. `tell` is told of the way in which it is asked for.
   */
  const asker = (answer: wire.ResponsesAnswer, by: readings.Reading["by"]) => {
    let reading = readings.begun(by)
    let found = false
    return (
      heard: readings.Heard | undefined,
      added: Array<AttemptEvent>,
      tell?: (by: readings.Reading["by"]) => Effect.Effect<void>
    ): Asked =>
      Effect.gen(function*() {
        const fruitless = (yield* CurrentWatch)?.fruitless ?? unlimited.fruitless
        const away = yield* Elsewhere
        let last = heard
        let told: readings.Reading["by"] | undefined
        while (!answer.finished) {
          if (last !== undefined) {
            const [next, then] = readings.read(reading, last, yield* monotonic, {
              fruitless,
              interval,
              elsewhere: away && !found
            })
            reading = next
            if (then._tag === "Fail") return yield* withToken(answer, then.error)
            if (told !== reading.by) yield* tell?.(reading.by) ?? Effect.void
            told = reading.by
            if (then.pause > 0) yield* Effect.sleep(Duration.millis(then.pause))
          }
          const asked: Asked = reading.by === "stream"
            ? read(answer.id, answer.sequence)
            : Effect.as(retrieve(answer, added), undefined)
          const answered = yield* Effect.result(soon(asked))
          if (Result.isFailure(answered)) last = { _tag: "Failed", error: answered.failure }
          else {
            found = true
            if (answered.success !== undefined) return answered.success
            last = { _tag: "Pending" }
          }
        }
        return undefined
      })
  }

  /** Made in the background, and asked for. An attempt goes on with what one before it has begun. */
  const background = (request: O1Request): Effect.Effect<O1Completion, O1Error> =>
    Effect.gen(function*() {
      const call = yield* CurrentCall
      const answer = answerOf(call?.open?.id ?? "")
      const known = answer.id !== ""
      if (known) {
        yield* Effect.andThen(unhurried, started("background"))
      } else {
        const created = Effect.flatMap(
          create(request, { stream: false, background: true }),
          (received) => beginWith(received, answer, [])
        )
        const { rest } = yield* held(created, () => answer.id === "" || answer.finished ? Effect.void : stopped(answer))
        if (answer.id === "" && !answer.finished) {
          return yield* new O1ProtocolError({ kind: "malformed", ...answer.details })
        }
        open(call, answer, false)
        yield* accepted(answer)
        yield* Effect.mapError(rest, (error) => answer.finished ? error : withToken(answer, error))
      }
      yield* asker(answer, "poll")(known ? undefined : { _tag: "Pending" }, [])
      if (call !== undefined) call.open = undefined
      const outcome = answer.end()
      return O1Error.is(outcome) ? yield* outcome : seal(outcome)
    }).pipe(Effect.scoped)

  /** The events of a response that the service keeps, over as many connections as it takes. */
  const followed = (
    answer: wire.ResponsesAnswer,
    call: Call | undefined,
    begin: (ask: ReturnType<typeof asker>, added: Array<AttemptEvent>) => Asked
  ): Stream.Stream<AttemptEvent, O1Error> => {
    const ask = asker(answer, "stream")
    const added: Array<AttemptEvent> = []
    const isNew = answer.id === ""
    let last = answer.sequence
    /** Goes on after a broken connection: with the events after the last one, and where that does not work, by asking. */
    const resume: Resume = (error, stream) =>
      Effect.gen(function*() {
        const broken = O1Error.with(error, answer.details)
        if (answer.id === "") return yield* broken
        const heard: readings.Heard = {
          _tag: "Broken",
          silent: error._tag === "O1TimeoutError",
          news: answer.sequence > last,
          // events without numbers would be said twice
          resumable: answer.numbered && (answer.sequence >= 0 || !isNew)
        }
        last = answer.sequence
        const next = yield* ask(heard, added, (by) =>
          report({ _tag: "Resumed", error: broken, transport: by === "stream" ? "stream" : "background" }))
        if (next === undefined) {
          stream.settle(answer.end(), added)
        } else {
          answer.continuedFrom(next.origin)
          stream.continuedFrom(next.origin)
        }
        return next
      })
    return events({
      open: begin(ask, added),
      answer: ({ origin }) => {
        answer.continuedFrom(origin)
        return new AnswerStream(answer, origin, seal)
      },
      kept: {
        resume,
        known: () => answer.id !== "",
        taken: Effect.suspend(() => {
          open(call, answer, true)
          return isNew ? accepted(answer) : unhurried
        }),
        ended: () => {
          const stream = new AnswerStream(answer, answer.origin, seal)
          stream.settle(answer.end(), added)
          return stream
        },
        late: Effect.suspend(() => answer.finished ? Effect.void : stopped(answer))
      },
      clocks,
      connection
    }).pipe(
      Stream.mapError((error) =>
        answer.id !== "" && !answer.finished && isOnTheWay(error) ? withToken(answer, error) : error
      ),
      // nobody goes on with it, but the service might
      Stream.tapError((error) =>
        call === undefined || answer.finished || error.resume !== undefined ? Effect.void : call.leave
      ),
      Stream.onExit(() =>
        Effect.sync(() => {
          if (answer.finished && call !== undefined) call.open = undefined
        })
      )
    )
  }

  /** A stream of what the service keeps. An attempt begins anew with the events of what one before it has begun. */
  const kept = (request: O1Request): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.map(CurrentCall, (call) => {
      const id = call?.open?.id ?? ""
      return followed(answerOf(id), call, (ask, added) =>
        id === ""
          ? create(request, { stream: true, background: true })
          : Effect.andThen(started("stream"), ask(undefined, added)))
    }))

  const known = (token: ResumeToken) => checked(token, { deployment, keeps: hasBackground(config) })

  /** Goes on where somebody, here or elsewhere, has stopped to read. */
  const resume = (token: ResumeToken): Stream.Stream<AttemptEvent, O1Error> =>
    Stream.unwrap(Effect.gen(function*() {
      const { after, responseId } = yield* known(token)
      const call = yield* CurrentCall
      const answer = answerOf(responseId, { after })
      // the service may work for this call before it has said a word of it
      open(call, answer, true)
      return followed(answer, call, (ask, added) => ask(undefined, added))
    }))

  return {
    background,
    kept,
    resume,
    /** Stops what somebody, here or elsewhere, has begun. */
    cancel: (token: ResumeToken): Effect.Effect<void, O1Error> =>
      Effect.flatMap(known(token), ({ responseId }) => stop(cancel(responseId)))
  }
}
