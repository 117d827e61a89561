/** What policies tell, as lines of a timeline. */
import { O1Error } from "@effect-resilience/azure-o1"
import type { Telemetry } from "@effect-resilience/core"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** What a line is about, and the colour that says the same. */
export const marks = { "→": "cyan", "✓": "green", "✗": "red", "…": "yellow", "!": "magenta" } as const

/** One line: who acted, and what happened. */
export interface Line {
  readonly mark: keyof typeof marks
  readonly who: string
  readonly text: string
}

/** A duration as people say it. */
export const seconds = (duration: Duration.Input): string => `${Duration.toSeconds(duration).toFixed(2)} s`

/** The first sentence of the message, and what the service asked for. */
export const describe = (error: unknown): string => {
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

const circuit: { readonly [State in Telemetry.CircuitState]: string } = {
  Closed: "closed",
  Open: "open",
  HalfOpen: "half-open",
  Isolated: "isolated",
  MetricsOnly: "metrics only",
  Disabled: "disabled"
}

/** The line of an event, if it has one. */
export const lineOf = (event: Telemetry.Event): Line | undefined => {
  switch (event._tag) {
    case "AttemptStarted":
      return { mark: "→", who: `attempt ${event.attempt}`, text: "asks" }
    case "AttemptEnded":
      return event.exit._tag === "Success"
        ? { mark: "✓", who: `attempt ${event.attempt}`, text: `answered after ${seconds(event.duration)}` }
        : { mark: "✗", who: `attempt ${event.attempt}`, text: errorOf(event.exit.cause) }
    case "TimedOut":
      return {
        mark: "!",
        who: "timeout",
        text: `time is up: ${seconds(event.limit)} without ${phases[event.phase]}`
      }
    case "RetryScheduled":
      return {
        mark: "…",
        who: "retry",
        text: `waits ${seconds(event.delay)}, then tries again${timedOut(event.cause) ? " with twice the time" : ""}`
      }
    case "RetryStopped":
      return { mark: "!", who: "retry", text: `gives up: ${stops[event.reason]}` }
    case "CircuitChanged":
      return { mark: "!", who: "breaker", text: `${circuit[event.from]} → ${circuit[event.to]}` }
    case "RejectedByCircuit":
      return { mark: "!", who: "breaker", text: `rejects for ${seconds(event.retryAfter)}` }
    default:
      return undefined
  }
}
