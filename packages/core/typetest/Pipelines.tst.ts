import { HedgingPipeline, Pipelines, Policy, Retry, Timeout } from "@effect-resilience/core"
import type { Bulkhead, CircuitBreaker, RateLimiter } from "@effect-resilience/core"
import { standardConfig } from "@effect-resilience/core/config"
import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import { describe, expect, it } from "tstyche"

declare const call: Effect.Effect<number, "down">
declare const other: Effect.Effect<number, "other">
declare const limiter: RateLimiter.RateLimiter

type Added = Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen

describe("Pipelines", () => {
  it("adds the errors of its parts", () => {
    expect(call.pipe(Pipelines.makeStandardUnsafe())).type.toBe<
      Effect.Effect<number, "down" | Added | Bulkhead.BulkheadRejected>
    >()
    expect(call.pipe(HedgingPipeline.makeUnsafe({ limiter }))).type.toBe<
      Effect.Effect<number, "down" | Added | RateLimiter.RateLimiterRejected>
    >()
    expect(call.pipe(Pipelines.makeStandardUnsafe({ limiter: Policy.identity }))).type.toBe<
      Effect.Effect<number, "down" | Added>
    >()
  })

  it("asks while of the errors of the call only", () => {
    const pipeline = Pipelines.makeStandardUnsafe({ retry: { while: (error: "down") => error === "down" } })
    expect(pipeline).type.toBe<Pipelines.Pipeline<"down">>()
    expect(call).type.toBeAssignableTo<Parameters<typeof pipeline>[0]>()
    expect(pipeline).type.not.toBeCallableWith(other)
  })

  it("takes the options of a bulkhead", () => {
    expect(Pipelines.makeStandardUnsafe({ limiter: { concurrency: 3 } })).type.toBe<Pipelines.Pipeline>()
  })

  it("has its options as a Config, for the errors of the call", () => {
    expect(standardConfig("PAYMENTS", { retry: { while: (error: "down") => error === "down" } })).type.toBe<
      Config.Config<Pipelines.StandardOptions<"down">>
    >()
  })

  it("stands in a stack", () => {
    expect(call.pipe(Policy.compose(Retry.make({ tags: ["CircuitOpen"] }), Pipelines.makeStandardUnsafe()))).type.toBe<
      Effect.Effect<number, "down" | Added | Bulkhead.BulkheadRejected>
    >()
    expect(Timeout.total("1 second")).type.toBeAssignableTo<Policy.Any>()
  })
})
