import * as Deadline from "@effect-resilience/core/Deadline"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { O1Error } from "../O1Error.ts"
import { type Beginning, CurrentWatch, type Overdue, Watch } from "./watch.ts"

const started = (beginning: () => Beginning): Effect.Effect<Watch> =>
  Effect.flatMap(Clock.Clock, (clock) =>
    Effect.map(Deadline.remaining, (remaining) => {
      const left = Option.match(remaining, { onNone: () => Infinity, onSome: Duration.toMillis })
      return new Watch(clock, left, beginning())
    }))

/** An attempt, as long as it is not silent for too long. `failed` is told of every failure. */
export const watched = <A, E extends O1Error, R>(
  self: Effect.Effect<A, E, R>,
  beginning: () => Beginning,
  failed: (error: O1Error, watch: Watch) => void = constVoid
): Effect.Effect<A, E | Overdue, R> =>
  Effect.flatMap(started(beginning), (watch) => {
    return watch.guard(Effect.provideService(self, CurrentWatch, watch)).pipe(
      Effect.tapError((error) => Effect.sync(() => failed(error, watch))),
      Effect.ensuring(watch.stop)
    )
  })

/** The same for a stream. To open it is part of the first pull. */
export const watchedStream = <A, E extends O1Error, R>(
  self: Stream.Stream<A, E, R>,
  beginning: () => Beginning,
  failed: (error: O1Error, watch: Watch) => void = constVoid
): Stream.Stream<A, E | Overdue, R> =>
  Stream.unwrap(Effect.map(started(beginning), (watch) => {
    const watching = Stream.provideService(self, CurrentWatch, watch)
    const guarded = Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
      Effect.sync(() => {
        type Pieces = Pull.Pull<NonEmptyReadonlyArray<A>, E, void, R>
        let upstream: Pieces | undefined
        const opened: Pieces = Effect.flatMap(Channel.toPullScoped(Stream.toChannel(watching), scope), (pull) => {
          upstream = pull
          return pull
        })
        return watch.guardPull(Effect.suspend(() => upstream ?? opened))
      })
    ))
    return guarded.pipe(
      Stream.tapError((error) => Effect.sync(() => failed(error, watch))),
      Stream.ensuring(watch.stop)
    )
  }))
