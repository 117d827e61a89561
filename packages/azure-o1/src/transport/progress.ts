import * as Context from "effect/Context"
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
