import type { AzureO1Config, O1Transport } from "@effect-resilience/azure-o1"
import { AzureO1Pool, type PoolClient, type PoolMember } from "@effect-resilience/azure-o1/pool"
import type { Effect } from "effect"
import type { HttpClient } from "effect/http"
import { describe, expect, it } from "tstyche"

declare const config: AzureO1Config.AzureO1Config
declare const transport: O1Transport["Service"]
declare const member: PoolMember

describe("AzureO1Pool.make", () => {
  it("needs an HttpClient where a member is a configuration, named or not", () => {
    expect(AzureO1Pool.make(AzureO1Pool.inOrder([config, transport]))).type.toBe<
      Effect.Effect<PoolClient, never, HttpClient.HttpClient>
    >()
    expect(AzureO1Pool.make(AzureO1Pool.inOrder([config, { ...config, name: "west" }]))).type.toBe<
      Effect.Effect<PoolClient, never, HttpClient.HttpClient>
    >()
    expect(AzureO1Pool.make(AzureO1Pool.inOrder([member]))).type.toBe<
      Effect.Effect<PoolClient, never, HttpClient.HttpClient>
    >()
  })

  it("needs nothing where all are transports", () => {
    expect(AzureO1Pool.make(AzureO1Pool.inOrder([transport, { ...transport, name: "west" }]))).type.toBe<
      Effect.Effect<PoolClient>
    >()
  })

  it("needs somebody", () => {
    expect(AzureO1Pool.make).type.not.toBeCallableWith([])
  })
})
