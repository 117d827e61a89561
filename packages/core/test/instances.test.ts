import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Hedge from "../src/Hedge.ts"
import * as HedgingPipeline from "../src/HedgingPipeline.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"

/** What a program without types, or one that forgot a `yield*`, may give in the place of an instance. */
const wrong: ReadonlyArray<any> = [3, "3", Effect.void, RetryBudget.make()]

const makeLimiter = () => RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 1, within: 1 }) })

const options: ReadonlyArray<readonly [string, string, (value: any) => unknown]> = [
  ["Retry.make: schedule", "a Schedule", (schedule) => Retry.make({ schedule })],
  ["Retry.make: budget", "a RetryBudget", (budget) => Retry.make({ budget })],
  ["Hedge.make: budget", "a RetryBudget", (budget) => Hedge.makeUnsafe({ after: 1, budget })],
  ["Keyed.make: lookup", "a function", (lookup) => Keyed.makeUnsafe({ lookup })],
  ["CircuitBreaker.make: trip", "a rule", (trip) => CircuitBreaker.makeUnsafe({ trip: [trip] })],
  ["RateLimiter.make: limit", "a limit", (limit) => RateLimiter.makeUnsafe({ limit })],
  ["RateLimiter.make: tokens", "a limit", (tokens) => RateLimiter.makeUnsafe({ limits: { tokens } })],
  ["RateLimiter.settle: actual", "a function", (actual) => makeLimiter().settle(1, actual)],
  ["Fallback.to: f", "a function", (f) => Fallback.to(f)],
  ["Fallback.to: when", "a function", (when) => Fallback.to(() => Effect.void, { when })],
  ["Fallback.to: tags", "an array of at least one string", (tags) => Fallback.to(() => Effect.void, { tags })],
  ["Fallback.toStream: f", "a function", (f) => Fallback.toStream(f)],
  [
    "Fallback.toStream: tags",
    "an array of at least one string",
    (tags) => Fallback.toStream(() => Stream.empty, { tags })
  ],
  ["Fallback.makeStale: as", "a function", (as) => Fallback.makeStaleUnsafe({ timeToLive: 1, as })],
  ["Fallback.makeStale: classify", "a function", (classify) => Fallback.makeStaleUnsafe({ timeToLive: 1, classify })],
  ["Pipelines.makeStandard: limiter", "a policy", (limiter) => Pipelines.makeStandardUnsafe({ limiter })],
  ["Pipelines.makeStandard: budget", "a RetryBudget", (budget) => Pipelines.makeStandardUnsafe({ budget: budget ?? 3 })]
]

describe("an option that is to be an instance of something", () => {
  for (const [option, allowed, make] of options) {
    it(`${option} must be ${allowed}`, () => {
      for (const value of wrong) assert.throws(() => make(value), RangeError, `${option} must be ${allowed}`)
    })
  }

  it("a breaker of a pipeline is one, or options for one", () => {
    const message = "HedgingPipeline.make: breaker must be a circuit breaker or options for one, got"
    for (const breaker of wrong) assert.throws(() => HedgingPipeline.makeUnsafe({ breaker }), RangeError, message)
  })
})
