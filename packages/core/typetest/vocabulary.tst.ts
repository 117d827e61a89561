import type {
  AdaptiveLimit,
  AdaptiveThrottle,
  Backoff,
  Balancer,
  Bulkhead,
  Chaos,
  CircuitBreaker,
  Coalesce,
  Criticality,
  Deadline,
  Fallback,
  Hedge,
  HedgingPipeline,
  Histogram,
  Keyed,
  Observability,
  Pipelines,
  Policy,
  RateLimiter,
  Retry,
  RetryBudget,
  Telemetry,
  Timeout
} from "@effect-resilience/core"
import type { Health, ResilientHttpClient, ServerPolicy } from "@effect-resilience/core/http"
import type { Shared } from "@effect-resilience/core/shared"
import type { Callee } from "@effect-resilience/core/testing"
import { describe, expect, it } from "tstyche"
import type { words } from "./vocabulary.ts"

/** The names of options, whichever member of a union has them. */
type Names<O> = O extends unknown ? Extract<keyof O, string> : never

type First<F extends (...all: Array<any>) => unknown> = NonNullable<Parameters<F>[0]>
type Second<F extends (...all: Array<any>) => unknown> = NonNullable<Parameters<F>[1]>

/** Every type of options that is public, and the options of a constructor whose type has no name. */
type Options =
  | AdaptiveLimit.AimdOptions
  | AdaptiveLimit.Gradient2Options
  | AdaptiveLimit.Options
  | AdaptiveLimit.VegasOptions
  | First<typeof Backoff.constant>
  | First<typeof Backoff.decorrelated>
  | First<typeof Backoff.decorrelatedV2>
  | First<typeof Backoff.exponential>
  | First<typeof Backoff.fibonacci>
  | First<typeof Backoff.linear>
  | Exclude<Backoff.Jitter, string>
  | AdaptiveThrottle.Options
  | Balancer.Ejection
  | Balancer.Filter<string>
  | Balancer.Options<string>
  | Bulkhead.Limits
  | Bulkhead.Options
  | Callee.Options
  | Second<typeof Callee.emit>
  | Chaos.Options
  | Chaos.StreamOptions
  | First<typeof Chaos.layer>
  | First<typeof Chaos.ramp>
  | First<typeof Chaos.window>
  | Bulkhead.Overload
  | CircuitBreaker.HalfOpen
  | CircuitBreaker.Options
  | CircuitBreaker.Share
  | NonNullable<CircuitBreaker.Options["retryAfter"]>
  | First<typeof CircuitBreaker.slowRate>
  | Coalesce.Options
  | Second<typeof Criticality.fromHeader>
  | Deadline.Options
  | Second<typeof Deadline.fromHeader>
  | Fallback.Options
  | Fallback.StaleOptions<unknown>
  | First<typeof Health.layerHttp>
  | Health.Options
  | Hedge.Learnt
  | Hedge.Options
  | Histogram.Options
  | Keyed.Options<string, Policy.Any>
  | First<typeof Observability.layerMetrics>
  | First<typeof Observability.Events.layer>
  | HedgingPipeline.Options
  | Pipelines.Options
  | Pipelines.StandardOptions
  | First<typeof RateLimiter.gcra>
  | RateLimiter.Options
  | RateLimiter.Rate
  | First<typeof RateLimiter.tokenBucket>
  | First<typeof RateLimiter.makeUnsafe>
  | { readonly limit: RateLimiter.Limit }
  | ResilientHttpClient.Options
  | ResilientHttpClient.PolicyFor
  | Retry.Options
  | NonNullable<Retry.Options["retryAfter"]>
  | Shared.BreakerOptions
  | Shared.RateLimiterOptions
  | First<typeof Retry.resume>
  | First<typeof RetryBudget.inFlight>
  | First<typeof RetryBudget.tokens>
  | First<typeof RetryBudget.traffic>
  | RetryBudget.Options
  | ServerPolicy.Options
  | Timeout.AdaptiveOptions
  | Timeout.Options
  | First<typeof Timeout.phases>

type Word = (typeof words)[number]

type Errors =
  | Bulkhead.BulkheadRejected
  | CircuitBreaker.CircuitOpen
  | RateLimiter.RateLimiterRejected
  | Timeout.TimeoutExceeded
  | Deadline.DeadlineExceeded
  | Keyed.KeyedRejected
  | AdaptiveThrottle.ThrottleRejected
  | Balancer.NoEndpoint

describe("the vocabulary", () => {
  it("has every option", () => {
    expect<Exclude<Names<Options>, Word>>().type.toBe<never>()
  })

  it("has no word that no option has", () => {
    expect<Exclude<Word, Names<Options>>>().type.toBe<never>()
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
