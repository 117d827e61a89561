import type {
  AdaptiveThrottle,
  Balancer,
  Bulkhead,
  CircuitBreaker,
  Deadline,
  Keyed,
  RateLimiter,
  Timeout
} from "@effect-resilience/core"
import * as Codecs from "@effect-resilience/core/schema"
import type * as Effect from "effect/Effect"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcClientError from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "tstyche"

describe("core/schema", () => {
  it("decodes to the classes of the policies, and needs no services", () => {
    expect(Codecs.CircuitOpen).type.toBeAssignableTo<Schema.Codec<CircuitBreaker.CircuitOpen, unknown>>()
    expect<typeof Codecs.PolicyError.Type>().type.toBe<
      | Timeout.TimeoutExceeded
      | Deadline.DeadlineExceeded
      | CircuitBreaker.CircuitOpen
      | Bulkhead.BulkheadRejected
      | RateLimiter.RateLimiterRejected
      | Keyed.KeyedRejected
      | AdaptiveThrottle.ThrottleRejected
      | Balancer.NoEndpoint
    >()
  })

  it("encodes durations as milliseconds", () => {
    const encoded = Schema.encodeSync(Codecs.CircuitOpen)(null as unknown as CircuitBreaker.CircuitOpen)
    expect(encoded.retryAfter).type.toBe<number | "infinity">()
  })

  it("stands in the error channel of an Rpc and of an endpoint", () => {
    const group = RpcGroup.make(Rpc.make("pay", { success: Schema.String, error: Codecs.CircuitOpen }))
    type Client = RpcClient.FromGroup<typeof group, RpcClientError.RpcClientError>
    expect<ReturnType<Client["pay"]>>().type.toBeAssignableTo<
      Effect.Effect<string, CircuitBreaker.CircuitOpen | RpcClientError.RpcClientError>
    >()
    expect(HttpApiEndpoint.get("pay", "/pay", { error: [Codecs.CircuitOpen, Codecs.TimeoutExceeded] })).type.not.toBe<
      never
    >()
  })
})
