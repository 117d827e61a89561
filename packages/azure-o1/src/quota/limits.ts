import * as RateLimiter from "@effect-resilience/core/RateLimiter"
import type { MinuteLimits } from "./cost.ts"

/**
 * What a deployment is limited in: requests and tokens per minute, and requests in the short spans in which Azure looks at them.
 *
 * @category models
 * @since 0.1.0
 */
export type QuotaDimension = "requests" | "window" | "tokens"

/** For a limit that nobody knows. */
const unknown = 1_000_000_000

/** What differs in the time that two requests take to the service must not bring the second into the span of the first. */
const margin = 100
const minute = 60_000
/** The longest of Azure's short spans, and how many of them a minute has. */
const span = 10_000
const spansPerMinute = minute / span
/** So many requests a minute, 5 a second, are spaced evenly from the beginning: nobody waits long for a turn, and Azure may look at spans of a second. */
const manyPerMinute = 300

const whole = (limit: number | undefined): number => limit === undefined ? unknown : Math.max(1, Math.floor(limit))

/**
 * The limits of a limiter that never lets more through than the service admits, whenever the service begins to count anew: in any
 * span as much as Azure takes in a span of that length. `even` for a service that looks at spans of a second.
 */
export const limitsOf = (
  limits: MinuteLimits,
  even: boolean
): { readonly [D in QuotaDimension]: RateLimiter.Limit } => {
  const requests = whole(limits.requests)
  // one at a time; with many, so many at once that a timer that wakes late costs little
  const atOnce = Math.max(1, Math.floor(requests / 600))
  return {
    requests: RateLimiter.slidingWindow({ limit: requests, within: minute + margin }),
    window: even || (limits.requests !== undefined && requests >= manyPerMinute)
      ? RateLimiter.slidingWindow({ limit: atOnce, within: atOnce * minute / requests })
      : RateLimiter.slidingWindow({ limit: Math.ceil(requests / spansPerMinute), within: span + margin }),
    tokens: RateLimiter.slidingWindow({ limit: whole(limits.tokens), within: minute + margin })
  }
}
