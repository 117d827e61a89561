import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type * as Fault from "../Fault.ts"

/** What gives attempts their spans. */
export interface AttemptSpans {
  /** Opens the span of an attempt, a child of the call's. */
  readonly open: (
    call: Context.Context<never>,
    policy: "retry" | "hedge",
    name: string | undefined,
    attempt: number
  ) => AttemptSpan
}

export interface AttemptSpan {
  readonly span: Tracer.Span
  /** Ends it as the attempt has ended. */
  readonly end: (exit: Exit.Exit<unknown, unknown>, fault: Fault.Fault | undefined) => void
}

/** None, unless each attempt has a span. It is looked at only where somebody listens, so that nobody else pays for the look. */
export const CurrentAttemptSpans = Context.Reference<AttemptSpans | undefined>(
  "@effect-resilience/core/Observability/CurrentAttemptSpans",
  { defaultValue: () => undefined }
)
