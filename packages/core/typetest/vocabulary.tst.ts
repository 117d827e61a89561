import type {
  Backoff,
  Bulkhead,
  CircuitBreaker,
  Coalesce,
  Deadline,
  Fallback,
  Hedge,
  Keyed,
  Observability,
  Pipelines,
  RateLimiter,
  Retry,
  RetryBudget,
  Telemetry,
  Timeout
} from "@effect-resilience/core"
import type { ResilientHttpClient, ServerPolicy } from "@effect-resilience/core/http"
import { describe, expect, it } from "tstyche"

/** The words of docs/vocabulary.md. */
type Word =
  // bounds
  | "maxWait"
  | "maxQueue"
  | "maxHedges"
  | "maxInstances"
  | "maxElements"
  | "maxDelay"
  | "minDelay"
  | "maxLimit"
  | "minLimit"
  | "maxTokens"
  | "minAttempts"
  | "minPerSecond"
  | "minPerMinute"
  | "minCalls"
  | "maxRemaining"
  | "minRemaining"
  | "maxBytes"
  | "maxNames"
  // times
  | "within"
  | "after"
  | "open"
  | "hangsAfter"
  | "lease"
  | "timeToLive"
  | "idleTimeToLive"
  | "initialDelay"
  | "first"
  | "idle"
  | "attempt"
  | "total"
  | "base"
  | "increment"
  // amounts
  | "concurrency"
  | "limit"
  | "burst"
  | "capacity"
  | "ratio"
  | "quantile"
  | "factor"
  | "times"
  | "calls"
  | "probes"
  // choices
  | "name"
  | "classify"
  | "result"
  | "while"
  | "tags"
  | "rejected"
  | "when"
  | "as"
  | "schedule"
  | "schedules"
  | "jitter"
  | "retryAfter"
  | "beyond"
  | "budget"
  | "funding"
  | "commit"
  | "progress"
  | "trip"
  | "halfOpen"
  | "initial"
  | "order"
  | "detach"
  | "whenFull"
  | "lookup"
  | "limits"
  | "limiter"
  | "breaker"
  | "retry"
  | "hedge"

type Keys<T> = T extends unknown ? keyof T : never
type Inside<T, K extends string> = T extends { readonly [Key in K]?: infer V } ? Keys<Extract<V, object>> : never
/** The options that functions take as their argument of that number. */
type Given<Functions extends ReadonlyArray<(...args: ReadonlyArray<never>) => unknown>, N extends number> = {
  readonly [I in keyof Functions]: Keys<Exclude<Parameters<Functions[I]>[N], undefined>>
}[number]

type OptionsFirst = [
  typeof Bulkhead.make,
  typeof RateLimiter.tokenBucket,
  typeof RateLimiter.gcra,
  typeof RateLimiter.slidingWindow,
  typeof RateLimiter.fixedWindow,
  typeof RateLimiter.make,
  typeof CircuitBreaker.make,
  typeof CircuitBreaker.failureRate,
  typeof CircuitBreaker.slowRate,
  typeof Hedge.make,
  typeof RetryBudget.make,
  typeof RetryBudget.tokens,
  typeof RetryBudget.traffic,
  typeof RetryBudget.inFlight,
  typeof Timeout.phases,
  typeof Timeout.makeAdaptive,
  typeof Backoff.exponential,
  typeof Backoff.linear,
  typeof Backoff.constant,
  typeof Backoff.decorrelated,
  typeof Backoff.decorrelatedV2,
  typeof Observability.layerMetrics,
  typeof Observability.Events.layer
]
type OptionsSecond = [typeof Timeout.attempt, typeof Timeout.total, typeof Deadline.within, typeof Deadline.fromHeader]

type Policies =
  | Given<OptionsFirst, 0>
  | Given<OptionsSecond, 1>
  | Keys<CircuitBreaker.HalfOpen>
  | Inside<CircuitBreaker.Options, "retryAfter">
  | Keys<Hedge.Learnt>
  | Keys<Keyed.Options<string, Bulkhead.Bulkhead>>
  | Keys<Fallback.Options>
  | Keys<Fallback.StaleOptions<unknown>>
  | Keys<Coalesce.Options>
  | Keys<Retry.Options>
  | Inside<Retry.Options, "retryAfter">
  | Keys<Pipelines.StandardOptions>
  | Keys<Pipelines.HedgingOptions>

type Errors =
  | Bulkhead.BulkheadRejected
  | CircuitBreaker.CircuitOpen
  | RateLimiter.RateLimiterRejected
  | Timeout.TimeoutExceeded
  | Deadline.DeadlineExceeded
  | Keyed.KeyedRejected

describe("the vocabulary", () => {
  it("has the options of all policies, and each of its words is one", () => {
    expect<Exclude<Policies, Word>>().type.toBe<never>()
    expect<Exclude<Word, Policies | "maxRemaining" | "minRemaining" | "maxBytes">>().type.toBe<never>()
  })

  it("has the bounds of the modules for HTTP", () => {
    type Bounds = Extract<
      Keys<ServerPolicy.Options | ResilientHttpClient.Options>,
      `max${string}` | `min${string}`
    >
    expect<Bounds>().type.toBe<"maxRemaining" | "minRemaining" | "maxBytes">()
  })

  it("every error says which policy it is from", () => {
    expect<Errors["policyName"]>().type.toBe<string | undefined>()
  })

  it("an event that means another thing has another tag", () => {
    type Several<T, All = T> = T extends unknown ? [All] extends [T] ? never : T : never
    type Shared = {
      readonly [Tag in Telemetry.Event["_tag"]]: Several<Extract<Telemetry.Event, { readonly _tag: Tag }>>
    }[Telemetry.Event["_tag"]]
    expect<Shared>().type.toBe<never>()
  })
})
