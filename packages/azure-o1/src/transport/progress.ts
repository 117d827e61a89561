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
