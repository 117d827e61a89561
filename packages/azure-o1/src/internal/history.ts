import type { Telemetry } from "@effect-resilience/core"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Attempt, O1Error } from "../O1Error.ts"

/** How something ended, in one word. */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return O1Error.label(error.value)
  return Cause.hasDies(exit.cause) ? "defect" : "interrupted"
}

/** Writes down the attempts of one call, as the retry in its policy tells of them. */
export class History {
  readonly attempts: Array<Attempt> = []

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag === "AttemptEnded") {
      const { attempt, duration, exit } = event
      this.attempts.push({ attempt, duration, outcome: outcomeOf(exit), delay: undefined })
    } else if (event._tag === "RetryScheduled") {
      const last = this.attempts.pop()
      if (last !== undefined) this.attempts.push({ ...last, delay: event.delay })
    }
  }
}
