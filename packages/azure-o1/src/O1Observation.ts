/**
 * The observations that calls make for those who want to learn from them: how long each phase took, what it cost, how it ended. `O1Monitor` makes
 * quantiles and recommendations of it; a program can have an observer of its own.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type { Usage } from "./O1Completion.ts"
import type { Transport } from "./O1Event.ts"
import type { ReasoningEffort } from "./O1Request.ts"

/**
 * What calls are compared by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly deployment: string
  /** The model that answered; `undefined` if none did. */
  readonly model: string | undefined
  /** `undefined` where the request leaves it to the service. */
  readonly effort: ReasoningEffort | undefined
}

/**
 * One attempt has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptObservation extends Subject {
  readonly _tag: "Attempt"
  /** From 1. */
  readonly attempt: number
  /** The last transport that it used; `undefined` if nothing was sent. */
  readonly transport: Transport | undefined
  /** `success`, `interrupted`, `defect`, or class and kind of the error, for example `O1TimeoutError/attempt`. */
  readonly outcome: string
  /** From the start of the attempt to the headers of the answer. */
  readonly headers: Duration.Duration | undefined
  /** From the start of the attempt to the first content. Only where content comes as it is made. */
  readonly firstOutput: Duration.Duration | undefined
  readonly total: Duration.Duration
}

/**
 * A call has ended, retries and waits included.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallObservation extends Subject {
  readonly _tag: "Call"
  readonly outcome: string
  readonly attempts: number
  /** From the start of the call to the first content of a stream. */
  readonly firstOutput: Duration.Duration | undefined
  readonly total: Duration.Duration
  readonly usage: Usage | undefined
}

/**
 * A connection was made, or was not (`failed`).
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectionObservation {
  readonly _tag: "Connection"
  /** Scheme, host and port. */
  readonly origin: string
  readonly duration: Duration.Duration
  readonly failed: boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export type O1Observation = AttemptObservation | CallObservation | ConnectionObservation

/**
 * The observer; none by default, and then nothing is measured.
 *
 * @category references
 * @since 0.1.0
 */
export const O1Observer = Context.Reference<((observation: O1Observation) => void) | undefined>(
  "@effect-resilience/azure-o1/O1Observer",
  { defaultValue: () => undefined }
)
