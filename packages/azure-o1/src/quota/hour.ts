import * as RateLimiter from "@effect-resilience/core/RateLimiter"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { O1RejectedError } from "../O1Error.ts"
import { overCeiling } from "./refusals.ts"

/** The tokens of an hour as a limit: the ceiling, or more than anybody spends. */
const uncounted = 1_000_000_000_000

/** The name of its limiter, which no deployment can have. */
export const hourName = "per hour"

export const hourLimit = (ceiling: number | undefined): { readonly tokens: RateLimiter.Limit } => ({
  tokens: RateLimiter.slidingWindow({ limit: ceiling ?? uncounted, within: "1 hour" })
})

/** What a call may take of the hour, until its true usage is known. */
export interface Reservation {
  readonly settle: (tokens: number) => Effect.Effect<void>
}

/** What all deployments together have spent in the last hour, and may spend. */
export class Hour {
  readonly ceiling: number | undefined
  private readonly limiter: RateLimiter.RateLimiter<"tokens">

  constructor(limiter: RateLimiter.RateLimiter<"tokens">, ceiling: number | undefined) {
    this.limiter = limiter
    this.ceiling = ceiling
  }

  /** The tokens of the last hour; those of calls that are under way as they were estimated. */
  get spent(): Effect.Effect<number> {
    return Effect.map(this.limiter.available, ({ tokens }) => Math.round((this.ceiling ?? uncounted) - tokens))
  }

  reserve(deployment: string, tokens: number): Effect.Effect<Reservation, O1RejectedError> {
    return Effect.mapBoth(this.limiter.take({ tokens }), {
      onFailure: ({ retryAfter }) =>
        overCeiling(deployment, tokens, this.ceiling ?? uncounted, Duration.toMillis(retryAfter)),
      onSuccess: (charge) => ({ settle: (actual) => charge.settle({ tokens: actual }) })
    })
  }
}
