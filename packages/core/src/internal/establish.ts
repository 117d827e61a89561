import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnyEffect } from "./primitive.ts"

/** A stream whose type the code at hand does not look at. */
export type AnyStream = Stream.Stream<any, any, any>
export type AnyPull = Pull.Pull<NonEmptyReadonlyArray<any>, any, void, any>

/** A stream made from its pull; the scope is the stream's own. */
export const fromPull = (make: (scope: Scope.Scope) => Effect.Effect<AnyPull, any, any>): AnyStream =>
  Stream.fromChannel(Channel.fromTransform((_: AnyEffect, scope) => make(scope)))

/** Opens a stream in a scope; its resources live until the scope closes. */
export const open = (self: AnyStream, scope: Scope.Scope): Effect.Effect<AnyPull, never, any> =>
  Channel.toPullScoped(Stream.toChannel(self), scope)

/**
 * Closes a scope, and does one thing more after that: the only finalizer of a scope around it, which closes at a fraction of the
 * cost of one with two.
 */
export const closing =
  (inner: Scope.Closeable, last: Effect.Effect<void>) => (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    const close = Scope.closeUnsafe(inner, exit)
    return close === undefined ? last : Effect.ensuring(close, last)
  }

interface Established {
  readonly scope: Scope.Closeable
  readonly pull: AnyPull
  readonly first: Exit.Exit<NonEmptyReadonlyArray<any>, Cause.Done>
}

/**
 * The stream face of a policy that has only an effect face: the effect is everything up to and including the first
 * element (or the end, if the stream is empty), in a scope per attempt that is closed when the attempt loses.
 */
export const establish = (effectFace: (self: AnyEffect) => AnyEffect, self: AnyStream): AnyStream =>
  establishOneOf(([attempt]) => effectFace(attempt!), [self])

/** The same for an effect face that chooses between several. */
export const establishOneOf = (
  effectFace: (all: ReadonlyArray<AnyEffect>) => AnyEffect,
  streams: ReadonlyArray<AnyStream>
): AnyStream =>
  fromPull((streamScope) =>
    Effect.sync(() => {
      let winner: AnyPull | undefined
      let decided = false
      const established = new Set<Established>()

      const attempt = (self: AnyStream) =>
        Effect.suspend(() => {
          const scope = Scope.forkUnsafe(streamScope)
          const settle = (first: Established["first"]) => (pull: AnyPull): Established => ({ scope, pull, first })
          const settled = Effect.flatMap(open(self, scope), (pull) =>
            Pull.matchEffect(pull, {
              onSuccess: (chunk) => Effect.succeed(settle(Exit.succeed(chunk))(pull)),
              onDone: () => Effect.succeed(settle(Exit.fail(Cause.Done()))(pull)),
              onFailure: (cause) => Effect.failCause(cause)
            }))
          return Effect.onExit(settled, (exit) => {
            if (decided || Exit.isFailure(exit)) return Scope.close(scope, exit)
            established.add(exit.value)
            return Effect.void
          })
        })

      const first = Effect.onExit(effectFace(streams.map(attempt)) as Effect.Effect<Established, any, any>, (exit) => {
        decided = true
        if (Exit.isSuccess(exit)) established.delete(exit.value)
        const losers = Array.from(established)
        established.clear()
        // started at once, but the winner's first element does not wait for it
        const close = ({ scope }: Established) =>
          Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
        return Effect.forEach(losers, close, { discard: true })
      })
      const begin = Effect.flatMap(first, (established): AnyPull => {
        winner = established.pull
        return established.first
      })
      return Effect.suspend(() => winner ?? begin)
    })
  )
