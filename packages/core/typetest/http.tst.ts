import { type CircuitBreaker, Policy, Retry, Timeout } from "@effect-resilience/core"
import { ResilientHttpClient, ServerPolicy } from "@effect-resilience/core/http"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "tstyche"

class Mine extends Data.TaggedError("Mine")<{}> {}
class Other extends Data.TaggedError("Other")<{}> {}

declare const client: HttpClient.HttpClient
declare const ownClient: HttpClient.HttpClient.With<Mine>
declare const app: Effect.Effect<HttpServerResponse, Mine>
declare const other: Policy.Policy<unknown, Other>
declare const breaker: CircuitBreaker.CircuitBreaker

type Failure = HttpClientError.HttpClientError

describe("ResilientHttpClient", () => {
  it("adds exactly what the policy adds, and is a client as before where that is nothing", () => {
    expect(ResilientHttpClient.make(client, Retry.make())).type.toBe<HttpClient.HttpClient.With<Failure>>()
    const stack = Policy.compose(Retry.make(), breaker, Timeout.attempt("1 second"))
    expect(ResilientHttpClient.make(ownClient, stack)).type.toBe<
      HttpClient.HttpClient.With<Mine | Failure | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>
    >()
  })

  it("a streamed body needs a scope", () => {
    expect(ResilientHttpClient.make(client, Retry.make(), { body: "stream" })).type.toBe<
      HttpClient.HttpClient.With<Failure, Scope.Scope>
    >()
  })

  it("the policy must accept the errors of the client and those of HTTP", () => {
    const onlyMine = Retry.make({ while: (error: Mine) => error._tag === "Mine" })
    const both = Retry.make({ while: (error: Mine | Failure) => error._tag === "Mine" })
    expect(ResilientHttpClient.make).type.not.toBeCallableWith(ownClient, onlyMine)
    expect(ResilientHttpClient.make).type.toBeCallableWith(ownClient, both)
  })

  it("a policy per request adds its errors, which the policy around it must accept", () => {
    const policyFor = () => breaker
    expect(ResilientHttpClient.make(client, Retry.make(), { policyFor })).type.toBe<
      HttpClient.HttpClient.With<Failure | CircuitBreaker.CircuitOpen>
    >()
    const onlyHttp = Retry.make({ while: (error: Failure) => error._tag === "HttpClientError" })
    expect(ResilientHttpClient.make).type.toBeCallableWith(client, onlyHttp)
    expect(ResilientHttpClient.make).type.not.toBeCallableWith(client, onlyHttp, { policyFor })
  })
})

describe("ServerPolicy", () => {
  it("answers the errors of the policies here, and lets others and those of the app through", () => {
    const stack = Policy.compose(Timeout.total("1 second"), breaker)
    expect(ServerPolicy.make(stack)(app)).type.toBe<
      Effect.Effect<HttpServerResponse, Mine, HttpServerRequest | Scope.Scope>
    >()
    expect(ServerPolicy.make(other, { policyFor: () => breaker })(app)).type.toBe<
      Effect.Effect<HttpServerResponse, Mine | Other, HttpServerRequest | Scope.Scope>
    >()
  })

  it("a predicate may ask for the status of what has failed, and for no error of one app", () => {
    const status = Retry.make({ while: (error: ServerPolicy.RequestFailed) => error.status === 503 })
    const mine = Retry.make({ while: (error: Mine) => error._tag === "Mine" })
    expect(ServerPolicy.make).type.toBeCallableWith(status)
    expect(ServerPolicy.make).type.not.toBeCallableWith(mine)
  })
})
