/**
 * What can go wrong, one class each, and in each a `kind`.
 *
 * Every error carries what support asks for (`requestId`, `region`), the history of the attempts, the text that had arrived,
 * and a message that says what to do next. `Fault.TypeId` tells policies what it means to them.
 *
 * **Example** (Telling timeout, rate limit and server error apart)
 *
 * ```ts import.meta.vitest
 * import { type O1Error, O1RateLimitError } from "@effect-resilience/azure-o1"
 * import { Duration, Effect } from "effect"
 *
 * const call: Effect.Effect<string, O1Error> = Effect.fail(
 *   new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })
 * )
 * const handled = call.pipe(
 *   Effect.catchTags({
 *     O1TimeoutError: (error) => Effect.succeed(`too slow: ${error.kind}`),
 *     O1RateLimitError: (error) => Effect.succeed(`too much: ${error.kind}`),
 *     O1ServerError: (error) => Effect.succeed(`down: ${error.kind}`)
 *   })
 * )
 *
 * await Effect.runPromise(handled) // => "too much: tokens"
 * ```
 *
 * @since 0.1.0
 */
import * as Fault from "@effect-resilience/core/Fault"
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Details } from "./errors/details.ts"
import { O1ConnectionError, O1ProtocolError, O1ServerError } from "./errors/failures.ts"
import { O1OutputLimitError, O1RateLimitError, O1RejectedError, O1TimeoutError } from "./errors/limits.ts"
import {
  O1AuthError,
  O1ContentFilterError,
  O1DeploymentError,
  O1RefusalError,
  O1RequestError
} from "./errors/refusals.ts"

export type { Attempt, Details } from "./errors/details.ts"
export { O1ConnectionError, O1ProtocolError, O1ServerError } from "./errors/failures.ts"
export { O1OutputLimitError, O1RateLimitError, O1RejectedError, O1TimeoutError } from "./errors/limits.ts"
export {
  O1AuthError,
  O1ContentFilterError,
  O1DeploymentError,
  O1RefusalError,
  O1RequestError
} from "./errors/refusals.ts"

/**
 * Everything that can go wrong.
 *
 * @category errors
 * @since 0.1.0
 */
export type O1Error =
  | O1TimeoutError
  | O1RateLimitError
  | O1ServerError
  | O1ConnectionError
  | O1RequestError
  | O1AuthError
  | O1DeploymentError
  | O1ContentFilterError
  | O1RefusalError
  | O1ProtocolError
  | O1OutputLimitError
  | O1RejectedError

const classes: ReadonlyArray<abstract new(fields: never) => O1Error> = [
  O1TimeoutError,
  O1RateLimitError,
  O1ServerError,
  O1ConnectionError,
  O1RequestError,
  O1AuthError,
  O1DeploymentError,
  O1ContentFilterError,
  O1RefusalError,
  O1ProtocolError,
  O1OutputLimitError,
  O1RejectedError
]

/**
 * Functions for all of them.
 *
 * @category guards
 * @since 0.1.0
 */
export const O1Error = {
  /** Whether it is one of them. */
  is: (u: unknown): u is O1Error => u instanceof Error && classes.some((constructor) => u instanceof constructor),

  /** Whether another attempt may go better: transient failures, and throttling that passes. */
  isTransient: (error: O1Error): boolean => {
    const { _tag } = error[Fault.TypeId]
    return _tag === "Transient" || _tag === "Throttled"
  },

  /** The same error with more details; the original is left as it is. */
  with: <E extends O1Error>(
    error: E,
    details: Details & { readonly retryAfter?: Duration.Duration | undefined }
  ): E => {
    const fields = Object.fromEntries(Object.entries(error).filter(([key]) => key !== "_tag"))
    const copy = new (error.constructor as new(fields: object) => E)({ ...fields, ...details })
    // it failed where the original did, for what the copy says
    const stack = error.stack?.replace(error.message, () => copy.message)
    return Object.defineProperty(copy, "stack", { value: stack, configurable: true, writable: true })
  },

  /** Class and kind in one word, for example `O1ServerError/unavailable`. */
  label: (error: unknown): string =>
    O1Error.is(error)
      ? `${error._tag}/${error.kind}`
      : Predicate.hasProperty(error, "_tag")
      ? String(error._tag)
      : String(error)
} as const
