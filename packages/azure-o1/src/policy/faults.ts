import type * as CircuitBreaker from "@effect-resilience/core/CircuitBreaker"
import * as Fault from "@effect-resilience/core/Fault"
import type * as Timeout from "@effect-resilience/core/Timeout"
import type * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type O1Error, O1RejectedError, O1TimeoutError } from "../O1Error.ts"

/** Permanent once there is content; but not for the breaker, nor where the answer may begin anew. A page is no answer at all. */
const isBrokenAnswer = (error: O1Error): boolean =>
  error._tag === "O1ProtocolError" && (error.kind === "truncated" || error.kind === "malformed") &&
  error.shouldRetry === undefined

export const toTotalError = ({ limit }: Timeout.TimeoutExceeded): O1TimeoutError =>
  new O1TimeoutError({ kind: "total", limit })

export const toRejectedError = ({ retryAfter }: CircuitBreaker.CircuitOpen): O1RejectedError =>
  new O1RejectedError({ kind: "circuit-open", retryAfter })

/** What failed on this side of the wire: nobody at the other end is to blame. */
const isOurs = (error: O1Error): boolean =>
  (error._tag === "O1AuthError" && error.kind === "credential") ||
  (error._tag === "O1ConnectionError" && error.kind === "unusable")

/** What a circuit breaker makes of a failure; `isOfThePrompt` knows those that tell of a long prompt. */
export const breakerFault = (isOfThePrompt: (error: O1Error) => boolean): Fault.Classify<O1Error> => (exit, now) => {
  const error = Exit.findErrorOption(exit)
  if (Option.isNone(error)) return Fault.of(exit, now)
  if (isOfThePrompt(error.value) || isOurs(error.value)) return Fault.interrupted
  if (isBrokenAnswer(error.value)) return Fault.transient()
  // the service has answered, even where another attempt is worth it
  return error.value._tag === "O1OutputLimitError" ? Fault.permanent : Fault.of(exit, now)
}

/** What a retry makes of it. */
export const retryFault =
  (restart: boolean, throttledWait: Duration.Duration): Fault.Classify<O1Error> => (exit, now) => {
    const fault = restart && Option.exists(Exit.findErrorOption(exit), isBrokenAnswer)
      ? Fault.transient()
      : Fault.of(exit, now)
    return fault?._tag === "Throttled" && fault.retryAfter === undefined
      ? Fault.throttled({ retryAfter: throttledWait })
      : fault
  }

/** How long a deployment asks to be left alone. A used-up quota is as good as throttling, where it says how long. */
export const cooldownWith =
  (throttledWait: Duration.Duration | undefined) => (error: O1Error): Duration.Duration | undefined => {
    if (error._tag === "O1RateLimitError" && error.kind === "quota") return error.retryAfter
    const fault = error[Fault.TypeId]
    switch (fault._tag) {
      case "Throttled":
        return fault.retryAfter ?? throttledWait
      case "Transient":
        return fault.retryAfter
      default:
        return undefined
    }
  }
