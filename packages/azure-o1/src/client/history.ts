import type * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ResumeToken } from "../O1Completion.ts"
import { type Attempt, O1Error } from "../O1Error.ts"
import type { Turn } from "./turns.ts"

/** How something ended, in one word. */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return O1Error.label(error.value)
  return Cause.hasDies(exit.cause) ? "defect" : "interrupted"
}

/** Writes down the attempts of one call. */
export class History {
  readonly attempts: Array<Attempt> = []

  readonly ended = ({ attempt, deployment, duration, exit }: Turn): void => {
    this.attempts.push({ attempt, deployment, duration, outcome: outcomeOf(exit), delay: undefined })
  }

  /** What the last one has begun may go on. */
  readonly leftOpen = (resume: ResumeToken): void => {
    const last = this.attempts.pop()
    if (last !== undefined) this.attempts.push({ ...last, resume })
  }

  /** The attempts of a call that failed. To the policy an attempt has succeeded when its first content came. */
  readonly failed = (error: O1Error): ReadonlyArray<Attempt> => {
    const last = this.attempts.at(-1)
    return last?.outcome === "success"
      ? [...this.attempts.slice(0, -1), { ...last, outcome: O1Error.label(error) }]
      : this.attempts
  }

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag !== "RetryScheduled") return
    const last = this.attempts.pop()
    if (last !== undefined) this.attempts.push({ ...last, delay: event.delay })
  }
}
