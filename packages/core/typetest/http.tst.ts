import { type CircuitBreaker, Policy, Retry, Timeout } from "@effect-resilience/core"
import { ResilientHttpClient } from "@effect-resilience/core/http"
import * as Data from "effect/Data"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "tstyche"

class Mine extends Data.TaggedError("Mine")<{}> {}

declare const client: HttpClient.HttpClient
declare const ownClient: HttpClient.HttpClient.With<Mine>
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
})
