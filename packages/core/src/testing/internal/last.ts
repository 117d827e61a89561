import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** The last element of a stream; without one it dies and says so. */
export const last = <A, E, R>(stream: Stream.Stream<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Stream.runLast(stream),
    Option.match({
      onNone: () => Effect.die(new Error("a stream that has no element was asked for its last one")),
      onSome: Effect.succeed
    })
  )
