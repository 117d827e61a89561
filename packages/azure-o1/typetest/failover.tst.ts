import { AzureO1, type AzureO1Config, type FailoverMember, type O1Transport } from "@effect-resilience/azure-o1"
import type { Effect } from "effect"
import type { HttpClient } from "effect/http"
import { describe, expect, it } from "tstyche"

declare const config: AzureO1Config.AzureO1Config
declare const transport: O1Transport["Service"]
declare const member: FailoverMember

describe("AzureO1.failover", () => {
  it("needs an HttpClient where a member is a configuration, named or not", () => {
    expect(AzureO1.failover([config, transport])).type.toBe<
      Effect.Effect<AzureO1["Service"], never, HttpClient.HttpClient>
    >()
    expect(AzureO1.failover([config, { ...config, name: "west" }])).type.toBe<
      Effect.Effect<AzureO1["Service"], never, HttpClient.HttpClient>
    >()
    expect(AzureO1.failover([member])).type.toBe<Effect.Effect<AzureO1["Service"], never, HttpClient.HttpClient>>()
  })

  it("needs nothing where all are transports", () => {
    expect(AzureO1.failover([transport, { ...transport, name: "west" }])).type.toBe<
      Effect.Effect<AzureO1["Service"]>
    >()
  })

  it("needs somebody", () => {
    expect(AzureO1.failover).type.not.toBeCallableWith([])
  })
})
