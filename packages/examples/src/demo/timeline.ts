/** What policies tell, as lines of a timeline. */
import { O1Error } from "@effect-resilience/azure-o1"
import type { Telemetry } from "@effect-resilience/core"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** One line: which policy acted, and what happened. */
export interface Line {
  readonly mark: "→" | "✓" | "✗" | "…" | "!"
  readonly attempt: number | undefined
  readonly policy: string
  readonly text: string
}

/** A duration as people say it. */
export const seconds = (duration: Duration.Input): string => `${Duration.toSeconds(duration).toFixed(2)} s`

/** The first sentence of the message, and what the service asked for. */
const describe = (error: unknown): string => {
  if (!O1Error.is(error)) return String(error)
  const [happened] = error.message.split(/\.( |$)/)
  const status = error.status === undefined || error.status < 400 ? "" : `${error.status}: `
  const asked = "retryAfter" in error && Duration.isDuration(error.retryAfter)
    ? `, "come back in ${seconds(error.retryAfter)}"`
    : ""
  return `${status}${happened}${asked}`
}

const errorOf = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.findErrorOption(cause), { onNone: () => "interrupted", onSome: describe })

const phases = { attempt: "an answer", first: "an answer", idle: "another piece", total: "an end" }

const timedOut = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.findErrorOption(cause), (error) => O1Error.label(error) === "O1TimeoutError/attempt")

const stops: { readonly [Reason in Telemetry.StopReason]: string } = {
  "not-retryable": "another attempt would not help",
  exhausted: "no attempts left",
  "retry-after-beyond-max": "that is too long to wait",
  deadline: "there is no time left for another attempt",
  budget: "too much was spent on further attempts"
}

/** The line of an event, if it has one. */
export const lineOf = (event: Telemetry.Event): Line | undefined => {
  switch (event._tag) {
    case "AttemptStarted":
      return { mark: "→", attempt: event.attempt, policy: "", text: "asks" }
    case "AttemptEnded":
      return event.exit._tag === "Success"
        ? { mark: "✓", attempt: event.attempt, policy: "", text: `answered after ${seconds(event.duration)}` }
        : { mark: "✗", attempt: event.attempt, policy: "", text: errorOf(event.exit.cause) }
    case "TimedOut":
      return {
        mark: "!",
        attempt: undefined,
        policy: "timeout",
        text: `time is up: ${seconds(event.limit)} without ${phases[event.phase]}`
      }
    case "RetryScheduled":
      return {
        mark: "…",
        attempt: undefined,
        policy: "retry",
        text: `waits ${seconds(event.delay)}, then tries again${timedOut(event.cause) ? " with twice the time" : ""}`
      }
    case "RetryStopped":
      return { mark: "!", attempt: undefined, policy: "retry", text: `gives up: ${stops[event.reason]}` }
    case "CircuitChanged":
      return { mark: "!", attempt: undefined, policy: "breaker", text: `${event.from} → ${event.to}` }
    case "RejectedByCircuit":
      return { mark: "!", attempt: undefined, policy: "breaker", text: `rejects for ${seconds(event.retryAfter)}` }
    case "CleanupDied":
      return { mark: "!", attempt: undefined, policy: event.policy, text: "the clean-up died" }
    case "HedgeStarted":
      return { mark: "→", attempt: event.attempt, policy: "hedge", text: "asks beside the one before" }
    case "BudgetExhausted":
    case "HedgeSettled":
      return undefined
  }
}
