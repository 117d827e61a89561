import { Policy, Timeout } from "@effect-resilience/core"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Clocks } from "../AzureO1Config.ts"
import { O1Error, O1TimeoutError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { AnswerStream, Origin } from "../wire/answer.ts"
import type { Connection, Received } from "./connection.ts"

/** After the model has said why it stopped, the rest (usage, the filter's last word) is awaited no longer than this. */
const graceAfterFinish = Duration.seconds(5)

/** After the end of the answer, the end of the connection is awaited this long, so that it can be used again. */
const graceAfterDone = "100 millis"

type Bytes = Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, O1Error>
type Events = Pull.Pull<NonEmptyReadonlyArray<AttemptEvent>, O1Error>

/** The bytes of an answer, with the limits of its phases. */
const bytesOf = (
  received: Received,
  { byteIdle, firstByte }: Clocks,
  connection: Connection
): Stream.Stream<Uint8Array, O1Error> => {
  const bytes = connection.bytes(received)
  if (byteIdle === undefined && firstByte === undefined) return bytes
  return Policy.mapError(
    Timeout.phases({ first: firstByte, idle: byteIdle }),
    Timeout.isTimeoutExceeded,
    ({ limit, phase }) =>
      new O1TimeoutError({
        kind: phase === "first" ? "first-byte" : "byte-idle",
        limit,
        deployment: received.origin.deployment
      })
  ).stream(bytes)
}

/** What does not say that it is something else is the stream that was asked for: not every gateway keeps the type. */
const isEventStream = ({ origin }: Received): boolean => !/json|html/i.test(origin.headers["content-type"] ?? "")

/** Our own limits, and what was lost on the way: it tells nothing of the answer, with which the service may go on. */
export const isOnTheWay = (error: O1Error): boolean =>
  error._tag === "O1ProtocolError" || error._tag === "O1ConnectionError" ||
  (error._tag === "O1TimeoutError" && error.kind !== "service" && error.kind !== "gateway")

/** How a stream goes on after its connection broke: another connection, or nothing more to read because the answer is there. */
export type Resume = (error: O1Error, answer: AnswerStream) => Effect.Effect<Received | undefined, O1Error, Scope.Scope>

/**
 * The events of an answer, from the bytes of one connection, or with `resume` of several: whoever reads does not see where
 * one ends and the next begins.
 */
export const events = (options: {
  readonly open: Effect.Effect<Received, O1Error, Scope.Scope>
  readonly answer: (origin: Origin) => AnswerStream
  readonly resume?: Resume | undefined
  readonly clocks: Clocks
  readonly connection: Connection
}): Stream.Stream<AttemptEvent, O1Error> => {
  const { first } = options.clocks
  const all = followed(options)
  return first === undefined ? all : Policy.mapError(
    Timeout.phases({ first }),
    Timeout.isTimeoutExceeded,
    ({ limit }) => new O1TimeoutError({ kind: "first", limit })
  ).stream(all)
}

const followed = (options: Parameters<typeof events>[0]): Stream.Stream<AttemptEvent, O1Error> =>
  Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.gen(function*() {
      const { clocks, connection, resume } = options
      let connected = Scope.forkUnsafe(scope)
      let bytes: Bytes = Cause.done()
      let finishedAt: bigint | undefined
      const lastWords: Bytes = Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
        finishedAt ??= now
        return Effect.timeoutOrElse(bytes, {
          duration: Duration.subtract(graceAfterFinish, Duration.nanos(now - finishedAt)),
          orElse: () => Cause.done()
        })
      })
      const read = (received: Received, answer: AnswerStream): Effect.Effect<void, O1Error> =>
        isEventStream(received)
          ? Effect.map(
            Channel.toPullScoped(Stream.toChannel(bytesOf(received, clocks, connection)), connected),
            (pull) => {
              bytes = pull
            }
          )
          // a stream was asked for, and something in one piece came
          : Effect.map(connection.text(received), (body) => {
            bytes = Cause.done()
            answer.whole(body)
          })

      const received = yield* Scope.provide(options.open, connected)
      const answer = options.answer(received.origin)
      yield* read(received, answer)

      const reconnect = (resume: Resume, error: O1Error): Events =>
        Effect.gen(function*() {
          yield* Scope.close(connected, Exit.void)
          connected = Scope.forkUnsafe(scope)
          const again = yield* Scope.provide(resume(error, answer), connected)
          if (again !== undefined) yield* read(again, answer)
          return yield* emit
        })
      const pull: Events = Effect.suspend(() =>
        Pull.matchEffect(
          answer.complete ? lastWords : bytes,
          {
            onSuccess: (chunks): Events => {
              for (const chunk of chunks) answer.feed(chunk)
              return emit
            },
            onDone: (): Events => {
              answer.end()
              return emit
            },
            onFailure: (cause): Events => {
              const failure = cause.reasons.find(Cause.isFailReason)
              if (failure === undefined) return Effect.failCause(cause)
              answer.fail(failure.error)
              return emit
            }
          }
        )
      )
      const emit: Events = Effect.suspend((): Events => {
        const ready = answer.taken()
        if (Arr.isReadonlyArrayNonEmpty(ready)) return Effect.succeed(ready)
        const { outcome } = answer
        if (outcome === undefined) return pull
        if (O1Error.is(outcome)) {
          return resume === undefined || answer.complete || !isOnTheWay(outcome)
            ? Effect.fail(outcome)
            : reconnect(resume, outcome)
        }
        return Effect.andThen(
          Effect.ignore(Effect.timeoutOption(Effect.forever(bytes), graceAfterDone)),
          Cause.done()
        )
      })
      return emit
    })
  ))
