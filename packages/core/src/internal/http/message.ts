import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { CurrentDeadline } from "../deadline.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "../establish.ts"
import type { AnyEffect } from "../primitive.ts"

/** A message whose head is there, while the rest is still to come. */
export interface Opened<Head> {
  readonly head: Head
  /** The part of the body that came together with the head. */
  readonly rest: ReadonlyArray<unknown>
  readonly pull: AnyPull
}

/**
 * Opens a message as a stream whose first element is the head: what a policy does about the establishment of a stream ends
 * with the head, and what it does about the rest is about the body. Without a head, the scope is closed.
 */
export const openMessage = <Head>(
  elements: AnyStream,
  scope: Scope.Closeable,
  use: (opened: Opened<Head>) => AnyEffect
): AnyEffect => {
  const opened = Effect.flatMap(open(elements, scope), (pull) =>
    Effect.flatMap(
      Pull.catchDone(pull, () => Effect.die("a policy has swallowed the head of a response")),
      ([head, ...rest]) => use({ head, rest, pull })
    ))
  return Effect.onExitPrimitive(opened, (exit) => Exit.isSuccess(exit) ? undefined : Scope.close(scope, exit))
}

const isBytes = (element: unknown): element is Uint8Array => element instanceof Uint8Array

/**
 * What follows the head, once, in the context in which it was opened. Its end closes the scope that holds whatever the policy
 * holds for the call.
 */
export const bodyOf = <E>(
  { pull, rest }: Opened<unknown>,
  scope: Scope.Closeable,
  context: Context.Context<never>,
  readTwice: () => E
): Stream.Stream<Uint8Array, E> => {
  let read = false
  // who has waited for the head has enforced the deadline up to there; from now on it is that of the reader
  const opened = Context.omit(CurrentDeadline)(context)
  const inContext: AnyPull = Effect.updateContext(
    pull,
    (current: Context.Context<any>): Context.Context<any> => Context.merge(opened, current)
  )
  // a policy that may start again after the head shows another one
  const next = (elements: ReadonlyArray<unknown>): AnyPull => {
    const [first, ...others] = elements.filter(isBytes)
    return first === undefined ? Effect.flatMap(inContext, next) : Effect.succeed([first, ...others])
  }
  const begin = next(rest)
  return fromPull((consumer) =>
    Effect.suspend(() => {
      if (read) return Effect.succeed(Effect.fail(readTwice()))
      read = true
      let pulled = false
      return Effect.as(
        Scope.addFinalizerExit(consumer, (exit) => Scope.close(scope, exit)),
        Effect.suspend(() => {
          if (pulled) return Effect.flatMap(inContext, next)
          pulled = true
          return begin
        })
      )
    })
  ) as Stream.Stream<Uint8Array, E> // a pull in the context that it was opened in
}
