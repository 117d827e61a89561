import * as Policy from "@effect-resilience/core/Policy"
import * as Timeout from "@effect-resilience/core/Timeout"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Clocks } from "../AzureO1Config.ts"
import { O1Error, O1TimeoutError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { AnswerStream } from "../wire/answer.ts"
import type { Connection, Received } from "./connection.ts"
import { held } from "./held.ts"
import { longestSilence } from "./route.ts"
import { CurrentWatch, type Watch } from "./watch.ts"

/** After the model has said why it stopped, the rest (usage, the filter's last word) is awaited no longer than this. */
const graceAfterFinish = Duration.seconds(5)

/** After the end of the answer, the end of the connection is awaited this long, so that it can be used again. */
const graceAfterDone = "100 millis"

type Bytes = Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, O1Error>
type Events = Pull.Pull<NonEmptyReadonlyArray<AttemptEvent>, O1Error>

/** The bytes of a connection that another one can replace, as long as it is not silent. */
const unlessSilent = (
  bytes: Stream.Stream<Uint8Array, O1Error>,
  { byteIdle, firstByte = byteIdle }: Pick<Clocks, "byteIdle" | "firstByte">
): Stream.Stream<Uint8Array, O1Error> =>
  Policy.mapError(
    Timeout.phases({ first: firstByte, idle: byteIdle }),
    Timeout.isTimeoutExceeded,
    ({ limit, phase }) => new O1TimeoutError({ kind: phase === "first" ? "first-byte" : "byte-idle", limit })
  ).stream(bytes)

/** Our own limits, and what was lost on the way: it tells nothing of the answer, with which the service may go on. */
export const isOnTheWay = (error: O1Error): boolean =>
  error._tag === "O1ProtocolError" || error._tag === "O1ConnectionError" ||
  (error._tag === "O1TimeoutError" && error.kind !== "service" && error.kind !== "gateway")

/** How a stream goes on after its connection broke: another connection, or nothing more to read because the answer is there. */
export type Resume = (error: O1Error, answer: AnswerStream) => Effect.Effect<Received | undefined, O1Error, Scope.Scope>

/** What the service keeps: it goes on without us. */
export interface Kept {
  readonly resume: Resume
  /** Whether it has a name yet, by which it can be asked for and cancelled. */
  readonly known: () => boolean
  /** It has one, and we wait for it. */
  readonly taken: Effect.Effect<void>
  /** The answer where it was there before there was a stream of it. */
  readonly ended: () => AnswerStream
  /** It has one now, and nobody waits for it any more. */
  readonly late: Effect.Effect<unknown>
}

/**
 * The events of an answer, from the bytes of one connection, or of several where it is kept: the reader does not see where one
 * ends and the next begins.
 */
export const events = (options: {
  /** Of what is kept, nothing where the answer is there before a stream of it. */
  readonly open: Effect.Effect<Received | undefined, O1Error, Scope.Scope>
  readonly answer: (received: Received) => AnswerStream
  readonly kept?: Kept | undefined
  readonly clocks: Clocks
  readonly connection: Connection
}): Stream.Stream<AttemptEvent, O1Error> =>
  Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.gen(function*() {
      const { clocks, connection, kept } = options
      const watch: Watch | undefined = yield* CurrentWatch
      const byteIdle = clocks.byteIdle ?? Math.min(longestSilence.kept, watch?.silence ?? Infinity)
      const ofKept = { ...clocks, byteIdle }
      watch?.streams(kept === undefined ? clocks : ofKept)
      if (kept?.known() === true) watch?.kept()
      let connected = Scope.forkUnsafe(scope)
      let bytes: Bytes = Cause.done()
      let ready: ReadonlyArray<AttemptEvent> = []
      let finishedAt: bigint | undefined
      const lastWords: Bytes = Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
        finishedAt ??= now
        return Effect.timeoutOrElse(bytes, {
          duration: Duration.subtract(graceAfterFinish, Duration.nanos(now - finishedAt)),
          orElse: () => Cause.done()
        })
      })
      const pulled = (all: Stream.Stream<Uint8Array, O1Error>): Effect.Effect<void, never, Scope.Scope> =>
        Effect.flatMap(Effect.scope, (scope) =>
          Effect.map(Channel.toPullScoped(Stream.toChannel(all), scope), (pull) => {
            bytes = pull
          }))
      const read = (received: Received): Effect.Effect<void, never, Scope.Scope> => {
        const all = connection.bytes(received)
        return pulled(kept?.known() === true ? unlessSilent(all, ofKept) : all)
      }
      const takeIn = (answer: AnswerStream, chunks: ReadonlyArray<Uint8Array>): void => {
        for (const chunk of chunks) {
          answer.feed(chunk)
        }
        ready = answer.taken()
        if (ready.length === 0) {
          watch?.heard()
        }
      }
      const conclude = (answer: AnswerStream, cause: Cause.Cause<O1Error | Cause.Done>): Effect.Effect<void> => {
        const failure = cause.reasons.find(Cause.isFailReason)
        if (failure === undefined) {
          return Effect.failCause(cause as Cause.Cause<never>) // it has no failure
        }
        if (Cause.isDone(failure.error)) {
          answer.end()
        } else answer.fail(failure.error)
        ready = answer.taken()
        return Effect.void
      }
      /** Takes in what comes next. */
      const step = (answer: AnswerStream): Effect.Effect<void> =>
        Effect.suspend(() => answer.complete ? lastWords : bytes).pipe(
          Effect.matchCauseEffect({
            onSuccess: (chunks) => Effect.sync(() => takeIn(answer, chunks)),
            onFailure: (cause) => conclude(answer, cause)
          })
        )

      const beginning: Effect.Effect<AnswerStream, O1Error, Scope.Scope> = Effect.gen(function*() {
        const received = yield* options.open
        watch?.begins()
        const answer = received === undefined ? kept!.ended() : options.answer(received)
        if (received !== undefined) yield* read(received)
        ready = answer.taken()
        if (kept === undefined) return answer
        while (!kept.known() && ready.length === 0 && answer.outcome === undefined) yield* step(answer)
        return answer
      })
      const named = kept?.known() === true
      const answer = yield* Scope.provide(
        kept === undefined || named ? beginning : held(beginning, () => kept.known() ? kept.late : Effect.void),
        connected
      )
      if (kept?.known() === true) {
        yield* kept.taken
        // before it had a name, a silence was that of the attempt, and the connection was not to be closed by it
        const rest = Stream.fromPull(Effect.succeed(bytes))
        if (!named) yield* Scope.provide(pulled(unlessSilent(rest, ofKept)), connected)
      }

      const reconnect = (resume: Resume, error: O1Error): Events =>
        Effect.gen(function*() {
          yield* Scope.close(connected, Exit.void)
          connected = Scope.forkUnsafe(scope)
          const again = yield* Scope.provide(resume(error, answer), connected)
          if (again !== undefined) yield* Scope.provide(read(again), connected)
          ready = answer.taken()
          return yield* emit
        })
      const emit: Events = Effect.suspend((): Events => {
        if (Arr.isReadonlyArrayNonEmpty(ready)) {
          const events = ready
          ready = []
          return Effect.succeed(events)
        }
        const { outcome } = answer
        if (outcome === undefined) return Effect.flatMap(step(answer), () => emit)
        if (O1Error.is(outcome)) {
          return kept === undefined || answer.complete || !isOnTheWay(outcome)
            ? Effect.fail(outcome)
            : reconnect(kept.resume, outcome)
        }
        return Effect.andThen(
          Effect.ignore(Effect.timeoutOption(Effect.forever(bytes), graceAfterDone)),
          Cause.done()
        )
      })
      return emit
    })
  ))
