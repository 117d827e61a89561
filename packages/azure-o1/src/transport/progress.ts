import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AnswerHeaders } from "../O1Completion.ts"
import type { ProgressEvent } from "../O1Event.ts"

/**
 * Where an attempt reports its progress, which is shown to the caller but is no part of the attempt's stream: an element of
 * that would commit the call.
 */
export const CurrentProgress = Context.Reference<((event: ProgressEvent) => void) | undefined>(
  "@effect-resilience/azure-o1/CurrentProgress",
  { defaultValue: () => undefined }
)

/** The facts that have shaped the attempt, in sentences. */
export const CurrentlyKnown = Context.Reference<ReadonlyArray<string>>(
  "@effect-resilience/azure-o1/CurrentlyKnown",
  { defaultValue: () => [] }
)

/** Called when the service has begun to answer, and so has not refused what was asked. */
export const CurrentQuestion = Context.Reference<(() => void) | undefined>(
  "@effect-resilience/azure-o1/CurrentQuestion",
  { defaultValue: () => undefined }
)

/** Counts the requests that the service charges to a deployment. */
export interface Meter {
  /** A request for an answer goes out. */
  readonly sent: Effect.Effect<void>
  /** The headers of its answer, whatever its status. */
  readonly heard: (limits: AnswerHeaders["rateLimits"]) => Effect.Effect<void>
}

/** The meter of the attempt; none by default. */
export const CurrentMeter = Context.Reference<Meter | undefined>(
  "@effect-resilience/azure-o1/CurrentMeter",
  { defaultValue: () => undefined }
)
