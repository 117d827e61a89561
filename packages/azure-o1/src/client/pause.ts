import * as Fault from "@effect-resilience/core/Fault"
import * as Duration from "effect/Duration"
import { O1Error } from "../O1Error.ts"
import type { Fact } from "../O1Fact.ts"

/** Timers count whole milliseconds: a caller that was woken so little before the end has waited long enough. */
const resolution = 1

/** A pause that is longer is no reason not to ask. */
const longestHold = Duration.toMillis(Duration.minutes(10))

/** A deployment has asked to be left alone. */
export interface Refusal {
  /** When it was asked, what it refused. */
  readonly begun: number
  readonly until: number
  readonly reason: O1Error
}

/** The error that says how long the wait is, in milliseconds; `undefined` where its class cannot say so. */
export const waiting = (error: O1Error, wait: number): O1Error | undefined => {
  switch (error._tag) {
    case "O1RateLimitError":
    case "O1ServerError":
    case "O1TimeoutError":
    case "O1RejectedError":
      return O1Error.with(error, { retryAfter: Duration.millis(wait) })
    default:
      return undefined
  }
}

/** What other calls may know of a failure of this one. */
const anonymous = (error: O1Error): O1Error => O1Error.with(error, { partialText: "", attempts: [], resume: undefined })

/**
 * Until when one deployment is left alone by all calls of a client, and why. Times in milliseconds on a monotonic clock; `begun` is
 * when something was asked.
 */
export class Pause {
  private refusal: Refusal | undefined = undefined

  /** Of several refusals the one that lasts longest counts: each says the least wait. */
  refused(error: O1Error, pause: Duration.Duration, { begun, now }: Times): void {
    const known = this.refusal
    const refusal = { begun, until: now + Duration.toMillis(pause), reason: anonymous(error) }
    const { reason, until } = known === undefined || refusal.until > known.until ? refusal : known
    this.refusal = { begun: Math.max(known?.begun ?? begun, begun), until, reason }
  }

  /** Only what was asked later than what was refused speaks against the refusal. */
  answered(begun: number): void {
    if (this.refusal !== undefined && begun > this.refusal.begun) this.refusal = undefined
  }

  /** The refusal that still counts; `undefined` where the deployment may be asked. */
  at(now: number): Refusal | undefined {
    return this.refusal !== undefined && this.refusal.until - now >= resolution ? this.refusal : undefined
  }

  /** Why a call waits before it asks: another one was told to; `undefined` where it need not, or waiting would not help. */
  held(now: number): O1Error | undefined {
    const refusal = this.at(now)
    if (refusal === undefined) return undefined
    const { reason, until } = refusal
    return until - now > longestHold || reason[Fault.TypeId]._tag === "Permanent"
      ? undefined
      : waiting(reason, until - now) ?? reason
  }

  fact(deployment: string, now: number): Fact | undefined {
    const refusal = this.at(now)
    return refusal && {
      deployment,
      about: "pause",
      parameter: undefined,
      value: undefined,
      text: `"${deployment}" has asked to be left alone: ${O1Error.label(refusal.reason)}.`,
      expiresIn: Duration.millis(refusal.until - now)
    }
  }
}

/** When something was asked, and when its answer came. */
export interface Times {
  readonly begun: number
  readonly now: number
}
