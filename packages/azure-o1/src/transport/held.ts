import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"

/** How long the service may take to say what it has begun, when nobody waits for that any more. */
const longest = "10 seconds"

/**
 * Begins something that has a name only when the service has answered. If the caller goes away before, the beginning goes on for a
 * while, and `late` is told of what it brings.
 */
export const held = <A, E, R>(
  self: Effect.Effect<A, E, R | Scope.Scope>,
  late: (brought: A) => Effect.Effect<unknown>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const own = Scope.makeUnsafe()
      let left = false
      yield* Effect.addFinalizer((exit) => left ? Effect.void : Scope.close(own, exit))
      const fiber = yield* Effect.forkDetach(Scope.provide(self, own), { startImmediately: true })
      const afterwards = Effect.timeoutOption(Fiber.await(fiber), longest).pipe(
        Effect.flatMap((exit) =>
          Option.isSome(exit) && Exit.isSuccess(exit.value) ? late(exit.value.value) : Fiber.interrupt(fiber)
        ),
        Effect.ensuring(Scope.close(own, Exit.void))
      )
      return yield* Effect.onInterrupt(restore(Fiber.join(fiber)), () => {
        left = true
        return Effect.asVoid(Effect.forkDetach(afterwards, { startImmediately: true }))
      })
    })
  )
