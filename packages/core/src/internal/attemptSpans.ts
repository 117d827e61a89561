import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as Fault from "../Fault.ts"
import { outcomeLabel } from "../kernel/labels.ts"

/** Whether each attempt has a span. It is looked at only where somebody listens, so that nobody else pays for the look. */
export const CurrentAttemptSpans = Context.Reference<boolean>(
  "@effect-resilience/core/Observability/CurrentAttemptSpans",
  { defaultValue: () => false }
)

/** Opens the span of an attempt, a child of the call's, where there is to be one. */
export const openSpan = (
  call: Context.Context<never>,
  policy: "retry" | "hedge",
  name: string | undefined,
  attempt: number
): Tracer.Span | undefined => {
  if (!Context.get(call, CurrentAttemptSpans)) return undefined
  const attributes = { policy, attempt, ...name === undefined ? {} : { name } }
  return Effect.runSyncWith(call)(Effect.makeSpan("resilience.attempt", { attributes }))
}

/** Ends it as the attempt has ended. */
export const endSpan = (
  call: Context.Context<never>,
  span: Tracer.Span,
  exit: Exit.Exit<unknown, unknown>,
  fault: Fault.Fault | undefined
): void => {
  // a tracer is not ours, and this is told from inside of timers and finalizers
  try {
    span.attribute("outcome", outcomeLabel(fault))
    span.end(Context.get(call, Clock.Clock).currentTimeNanosUnsafe(), exit)
  } catch {
    // watching a call cannot change its outcome
  }
}
