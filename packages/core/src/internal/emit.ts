import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type CleanupDied, CurrentListener, type Event, type Listener } from "./events.ts"
import { type AnyFiber, fork } from "./primitive.ts"

/** Tells a listener. Most callers are inside a timer or between two states of a machine, where a throw would break the call. */
const tell = (
  listener: Listener,
  event: Event,
  context: Context.Context<never>
): void => {
  try {
    listener(event, context)
  } catch {
    // documented with `Listener`: watching a call cannot change its outcome
  }
}

/** One listener and the one around it. What the first throws does not keep the event from the other. */
export const both = (listener: Listener, outer: Listener): Listener => (event, context) => {
  tell(listener, event, context)
  tell(outer, event, context)
}

/** Tells of a call while its fiber is in the policy. A fiber that has ended, or gone on, has no longer the call's context. */
export const emit = (fiber: AnyFiber, listener: Listener, event: Event): void => tell(listener, event, fiber.context)

/**
 * A defect that no caller will see: told to the listener, else logged, as everything that the call logs. `context` is the
 * call's.
 */
export const emitDefect = (
  context: Context.Context<never>,
  policy: CleanupDied["policy"],
  name: string | undefined,
  cause: Cause.Cause<never>
): void => {
  const listener = Context.get(context, CurrentListener)
  if (listener !== undefined) return tell(listener, { _tag: "CleanupDied", policy, name, cause }, context)
  const log = Effect.logError("resilience: CleanupDied", cause)
  fork(context, Effect.annotateLogs(log, name === undefined ? { policy } : { policy, name }))
}
