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
import type { DeadlineMiddleware, ResilientHttpClient } from "@effect-resilience/core/http"
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
  | "minCalls"
  | "maxRemaining"
  | "minRemaining"
  | "maxBytes"
  | "maxNames"
  // times
  | "within"
  | "after"
  | "open"
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
  | "lookup"
  | "limits"
  | "limiter"
  | "breaker"
  | "retry"
  | "hedge"

type Keys<T> = T extends unknown ? keyof T : never
/** The options of a constructor: of each of its arguments that is an object with options. */
type Given<F extends (...args: ReadonlyArray<never>) => unknown, N extends number = 0> = Keys<
  Exclude<Parameters<F>[N], undefined>
>
type Inside<T, K extends string> = T extends { readonly [Key in K]?: infer V } ? Keys<Extract<V, object>> : never

type Policies =
  | Given<typeof Bulkhead.make>
  | Given<typeof RateLimiter.tokenBucket>
  | Given<typeof RateLimiter.gcra>
  | Given<typeof RateLimiter.slidingWindow>
  | Given<typeof RateLimiter.fixedWindow>
  | Given<typeof RateLimiter.make>
  | Given<typeof CircuitBreaker.make>
  | Given<typeof CircuitBreaker.failureRate>
  | Given<typeof CircuitBreaker.slowRate>
  | Keys<CircuitBreaker.HalfOpen>
  | Inside<CircuitBreaker.Options, "retryAfter">
  | Given<typeof Hedge.make>
  | Keys<Hedge.Learnt>
  | Keys<Keyed.Options<string, Bulkhead.Bulkhead>>
  | Keys<Fallback.Options>
  | Keys<Fallback.StaleOptions<unknown>>
  | Keys<Coalesce.Options>
  | Given<typeof RetryBudget.make>
  | Given<typeof RetryBudget.tokens>
  | Given<typeof RetryBudget.traffic>
  | Given<typeof RetryBudget.inFlight>
  | Given<typeof Timeout.attempt, 1>
  | Given<typeof Timeout.total, 1>
  | Given<typeof Timeout.phases>
  | Given<typeof Timeout.makeAdaptive>
  | Given<typeof Backoff.exponential>
  | Given<typeof Backoff.linear>
  | Given<typeof Backoff.constant>
  | Given<typeof Backoff.decorrelated>
  | Given<typeof Backoff.decorrelatedV2>
  | Keys<Retry.Options>
  | Inside<Retry.Options, "retryAfter">
  | Given<typeof Deadline.within, 1>
  | Given<typeof Deadline.fromHeader, 1>
  | Keys<Pipelines.StandardOptions>
  | Keys<Pipelines.HedgingOptions>
  | Given<typeof Observability.layerMetrics>
  | Given<typeof Observability.Events.layer>

type Errors =
  | Bulkhead.BulkheadRejected
  | CircuitBreaker.CircuitOpen
  | RateLimiter.RateLimiterRejected
  | Timeout.TimeoutExceeded
  | Deadline.DeadlineExceeded

describe("the vocabulary", () => {
  it("has the options of all policies, and each of its words is one", () => {
    expect<Exclude<Policies, Word>>().type.toBe<never>()
    expect<Exclude<Word, Policies | "maxRemaining" | "minRemaining" | "maxBytes" | "result">>().type.toBe<never>()
  })

  it("has the bounds of the modules for HTTP", () => {
    type Bounds = Extract<
      Keys<DeadlineMiddleware.Options | ResilientHttpClient.Options>,
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
