import { RateLimiter } from "@effect-resilience/core"
import type { Policy } from "@effect-resilience/core"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, it } from "tstyche"

declare const call: Effect.Effect<{ readonly usage: number }, "down">
declare const elements: Stream.Stream<string, "down">

const limit = RateLimiter.tokenBucket({ limit: 1, within: "1 second" })
const one = RateLimiter.makeUnsafe({ limit })
const tokens = RateLimiter.makeUnsafe({ limits: { tokens: limit } })
const both = RateLimiter.makeUnsafe({ limits: { requests: limit, tokens: limit } })

type Rejected = RateLimiter.RateLimiterRejected

describe("RateLimiter", () => {
  it("is a policy, and makes policies", () => {
    expect(call.pipe(one)).type.toBe<Effect.Effect<{ readonly usage: number }, "down" | Rejected>>()
    expect(both.cost({ tokens: 2 })).type.toBe<Policy.Policy<unknown, Rejected>>()
    expect(RateLimiter.make({ limits: { a: limit, b: limit } })).type.toBe<
      Effect.Effect<RateLimiter.RateLimiter<"a" | "b">>
    >()
  })

  it("takes a number as a cost where there is one dimension only", () => {
    expect<RateLimiter.Cost<"calls">>().type.toBeAssignableFrom<number>()
    expect<RateLimiter.Cost<"tokens">>().type.toBeAssignableFrom<number>()
    expect(tokens.cost({ tokens: 2 })).type.toBe<Policy.Policy<unknown, Rejected>>()
    expect<RateLimiter.Cost<"requests" | "tokens">>().type.not.toBeAssignableFrom<number>()
    expect<RateLimiter.Cost<"requests" | "tokens">>().type.not.toBeAssignableFrom<{ token: number }>()
  })

  it("settles by the result, and knows its type", () => {
    const settle = both.settle({ tokens: 10 }, (value: { readonly usage: number }) => ({ tokens: value.usage }))
    expect(call.pipe(settle)).type.toBe<Effect.Effect<{ readonly usage: number }, "down" | Rejected>>()
    expect(settle.stream).type.not.toBeCallableWith(elements)
  })

  it("has the dimensions in what it tells", () => {
    expect(both.available).type.toBe<Effect.Effect<{ readonly requests: number; readonly tokens: number }>>()
    type Both = Parameters<typeof both.reconfigure>[0]
    expect<Both>().type.toBeAssignableFrom<{ tokens: RateLimiter.Limit }>()
    expect<Both>().type.not.toBeAssignableFrom<RateLimiter.Limit>()
    expect<Parameters<typeof one.reconfigure>[0]>().type.toBeAssignableFrom<RateLimiter.Limit>()
  })
})
