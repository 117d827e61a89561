import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as AdaptiveThrottle from "../../src/AdaptiveThrottle.ts"
import * as Balancer from "../../src/Balancer.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fault from "../../src/Fault.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Codecs from "../../src/schema/index.ts"
import * as Timeout from "../../src/Timeout.ts"

const { infinity, millis } = Duration

/** Every class of errors, with every word that a field of it can hold, with a name and without. */
const named = (policyName: string | undefined): ReadonlyArray<typeof Codecs.PolicyError.Type> => [
  ...(["attempt", "total", "first", "idle"] as const).map((phase) =>
    new Timeout.TimeoutExceeded({ policyName, phase, limit: millis(1500), elapsed: millis(1500.25) })
  ),
  new Timeout.TimeoutExceeded({ policyName, phase: "total", limit: Duration.zero, elapsed: Duration.zero }),
  ...[true, false].map((began) => new Deadline.DeadlineExceeded({ policyName, began, overrun: millis(3) })),
  new CircuitBreaker.CircuitOpen({ policyName, state: "Open", retryAfter: millis(5000) }),
  new CircuitBreaker.CircuitOpen({ policyName, state: "HalfOpen", retryAfter: Duration.zero }),
  new CircuitBreaker.CircuitOpen({ policyName, state: "Isolated", retryAfter: infinity }),
  ...(["full", "waited"] as const).map((reason) =>
    new Bulkhead.BulkheadRejected({ policyName, reason, waited: millis(7) })
  ),
  ...(["cost", "wait", "deadline", "queue"] as const).map((reason) =>
    new RateLimiter.RateLimiterRejected({ policyName, reason, dimension: "tokens", retryAfter: infinity })
  ),
  new Keyed.KeyedRejected({ policyName }),
  new AdaptiveThrottle.ThrottleRejected({ policyName, ratio: 0.25 }),
  ...(["empty", "excluded", "cooling"] as const).map((reason) =>
    new Balancer.NoEndpoint({ policyName, reason, retryAfter: reason === "cooling" ? millis(7) : infinity })
  )
]

const errors = [...named(undefined), ...named("payments")]

const codecs = {
  TimeoutExceeded: Codecs.TimeoutExceeded,
  DeadlineExceeded: Codecs.DeadlineExceeded,
  CircuitOpen: Codecs.CircuitOpen,
  BulkheadRejected: Codecs.BulkheadRejected,
  RateLimiterRejected: Codecs.RateLimiterRejected,
  KeyedRejected: Codecs.KeyedRejected,
  ThrottleRejected: Codecs.ThrottleRejected,
  NoEndpoint: Codecs.NoEndpoint
}

const classes = {
  TimeoutExceeded: Timeout.TimeoutExceeded,
  DeadlineExceeded: Deadline.DeadlineExceeded,
  CircuitOpen: CircuitBreaker.CircuitOpen,
  BulkheadRejected: Bulkhead.BulkheadRejected,
  RateLimiterRejected: RateLimiter.RateLimiterRejected,
  KeyedRejected: Keyed.KeyedRejected,
  ThrottleRejected: AdaptiveThrottle.ThrottleRejected,
  NoEndpoint: Balancer.NoEndpoint
}

const statusOf = {
  TimeoutExceeded: 504,
  DeadlineExceeded: 504,
  CircuitOpen: 503,
  BulkheadRejected: 503,
  RateLimiterRejected: 429,
  KeyedRejected: 503,
  ThrottleRejected: 503,
  NoEndpoint: 503
}

const assertAsItWas = (decoded: unknown, error: typeof Codecs.PolicyError.Type) => {
  assert.isTrue(decoded instanceof classes[error._tag])
  assert.deepStrictEqual(decoded, error)
  assert.strictEqual((decoded as Error).message, error.message)
  assert.deepStrictEqual(Fault.ofError(decoded), error[Fault.TypeId])
}

const Which = Schema.Struct({ which: Schema.Int })

/** Both sides of a wire, each with serialization of its own; nothing but text goes between them. */
const loopback = (
  routes: Layer.Layer<never, never, HttpRouter.HttpRouter | Layer.Success<typeof HttpServer.layerServices>>
) =>
  Effect.gen(function*() {
    const { handler } = yield* Effect.acquireRelease(
      Effect.sync(() =>
        HttpRouter.toWebHandler(Layer.provide(routes, HttpServer.layerServices), { disableLogger: true })
      ),
      ({ dispose }) => Effect.promise(dispose)
    )
    const statuses: Array<number> = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await handler(new Request(input, init))
      statuses.push(response.status)
      return response
    }
    return { statuses, client: Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch)) }
  })

describe("codecs of errors", () => {
  it("every public error has one", () => {
    assert.deepStrictEqual(new Set(errors.map(({ _tag }) => _tag)), new Set(Object.keys(classes)))
    assert.sameMembers(Object.keys(codecs), Object.keys(classes))
  })

  it.each(errors)("through JSON and back: $message", (error) => {
    for (const codec of [codecs[error._tag] as Schema.Codec<typeof error, unknown>, Codecs.PolicyError]) {
      const text = JSON.stringify(Schema.encodeSync(codec)(error))
      const decoded = Schema.decodeUnknownSync(codec)(JSON.parse(text))
      assert.strictEqual(decoded._tag, error._tag)
      assertAsItWas(decoded, error)
    }
  })

  it("durations are milliseconds, a name that is not there is left out", () => {
    const text = JSON.stringify(Schema.encodeSync(Codecs.PolicyError)(errors[0]!))
    assert.deepStrictEqual(JSON.parse(text), {
      _tag: "TimeoutExceeded",
      phase: "attempt",
      limit: 1500,
      elapsed: 1500.25
    })
  })

  it("what is no such error is refused", () => {
    for (const wrong of [{ _tag: "CircuitOpen" }, { _tag: "CircuitOpen", state: "Open", retryAfter: "soon" }, null]) {
      assert.throws(() => Schema.decodeUnknownSync(Codecs.CircuitOpen)(wrong))
    }
    assert.throws(() => Schema.encodeUnknownSync(Codecs.CircuitOpen)(errors[0]))
  })

  it.live("through an HttpApi, with a status", () =>
    Effect.gen(function*() {
      const call = HttpApiEndpoint.get("call", "/call/:which", {
        params: { which: Schema.FiniteFromString },
        success: Schema.String,
        error: [
          Codecs.TimeoutExceeded,
          Codecs.DeadlineExceeded,
          Codecs.CircuitOpen,
          Codecs.BulkheadRejected,
          Codecs.RateLimiterRejected,
          Codecs.KeyedRejected,
          Codecs.ThrottleRejected,
          Codecs.NoEndpoint
        ]
      })
      const api = HttpApi.make("api").add(HttpApiGroup.make("calls").add(call))
      const handlers = HttpApiBuilder.group(api, "calls", (handlers) =>
        handlers.handle("call", ({ params }) =>
          Effect.fail(errors[params.which]!)))
      const { client, statuses } = yield* loopback(HttpApiBuilder.layer(api).pipe(Layer.provide(handlers)))
      const { calls } = yield* Effect.provide(HttpApiClient.make(api, { baseUrl: "http://service.test" }), client)
      for (const [which, error] of errors.entries()) {
        assertAsItWas(yield* Effect.flip(calls.call({ params: { which } })), error)
        assert.strictEqual(statuses.at(-1), statusOf[error._tag])
      }
    }))

  it.live("through an Rpc", () =>
    Effect.gen(function*() {
      const call = Rpc.make("call", { payload: Which.fields, success: Schema.String, error: Codecs.PolicyError })
      const group = RpcGroup.make(call)
      const server = RpcServer.layerHttp({ group, path: "/rpc", protocol: "http" }).pipe(
        Layer.provide(group.toLayer({ call: ({ which }) => Effect.fail(errors[which]!) })),
        Layer.provide(RpcSerialization.layerJson)
      )
      const protocol = RpcClient.layerProtocolHttp({ url: "http://service.test/rpc" }).pipe(
        Layer.provide((yield* loopback(server)).client),
        Layer.provide(RpcSerialization.layerJson)
      )
      const context = yield* Layer.build(protocol)
      const client = yield* Effect.provide(RpcClient.make(group), context)
      for (const [which, error] of errors.entries()) assertAsItWas(yield* Effect.flip(client.call({ which })), error)
    }))
})
