import type * as Duration from "effect/Duration"
import type { O1Completion, ResumeToken, Usage } from "../O1Completion.ts"

/**
 * One attempt of a failed call. With a pool, an attempt has one entry for each deployment that was asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  /** From 1. */
  readonly attempt: number
  /** The deployment that was asked; `undefined` if none was, because all had asked for a pause. */
  readonly deployment: string | undefined
  readonly duration: Duration.Duration
  /** How it ended, for example `O1ServerError/unavailable` or `interrupted`. */
  readonly outcome: string
  /** The wait before the next attempt, if there was one. */
  readonly delay: Duration.Duration | undefined
  /** The token for its answer, if another deployment was asked although this one may go on. */
  readonly resume?: ResumeToken | undefined
}

/**
 * What every error can carry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Details {
  /** For Azure's support. */
  readonly requestId?: string | undefined
  /** The id that this client gave the request, which is there even if no answer came. */
  readonly clientRequestId?: string | undefined
  /** The Azure region that answered. */
  readonly region?: string | undefined
  readonly deployment?: string | undefined
  /** The model that answered, where the service tells; a deployment can be upgraded under the same name. */
  readonly model?: string | undefined
  /** The HTTP status, where there was one. */
  readonly status?: number | undefined
  /** The service's own words, without control characters and not longer than 500 characters. */
  readonly said?: string | undefined
  /** What this client adds to it, for example which option has which limits. */
  readonly detail?: string | undefined
  /** `x-should-retry`: the service's own word on whether to try again. */
  readonly shouldRetry?: boolean | undefined
  /** The text that had arrived before the failure. */
  readonly partialText?: string | undefined
  /** The token with which `AzureO1.resume` continues the answer, if the service goes on with it. */
  readonly resume?: ResumeToken | undefined
  /** The history of the call, this failure included. */
  readonly attempts?: ReadonlyArray<Attempt> | undefined
  /** From the beginning of the call to this failure, waits included. */
  readonly elapsed?: Duration.Duration | undefined
  /** The answer, if one came and was paid for, but is not what was asked for. */
  readonly completion?: O1Completion | undefined
  /** What the service has billed, where it told. */
  readonly usage?: Usage | undefined
}
