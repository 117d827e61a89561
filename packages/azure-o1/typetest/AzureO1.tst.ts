import type { AccessToken, TokenCredential } from "@azure/core-auth"
import { AzureO1, type Credential, developer, ModelProfile, user } from "@effect-resilience/azure-o1"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "tstyche"

declare const credential: TokenCredential
declare const token: AccessToken

describe("AzureO1.forProfile", () => {
  it("takes what the model takes, and nothing else", () => {
    void Effect.map(AzureO1.forProfile(ModelProfile.o1Mini), (client) => {
      expect(client.complete).type.toBeCallableWith({ messages: [user("x")] })
      expect(client.complete).type.not.toBeCallableWith({ messages: [developer("x"), user("y")] })
      expect(client.stream).type.not.toBeCallableWith({ messages: [user("x")], reasoningEffort: "low" as const })
      expect(client.object).type.toBe<never>()
    })
    void Effect.map(AzureO1.forProfile(ModelProfile.o1), (client) => {
      expect(client.tokens).type.toBeCallableWith({ messages: [developer("x")], reasoningEffort: "low" as const })
      expect(client.tokens).type.not.toBeCallableWith({ messages: [user("x")], reasoningEffort: "none" as const })
      expect(client.object).type.toBeCallableWith(Schema.Struct({ a: Schema.String }), { messages: [user("x")] })
    })
  })
})

describe("Credential", () => {
  it("is what @azure/identity gives", () => {
    expect(credential).type.toBeAssignableTo<Credential.TokenCredential>()
    expect(token).type.toBeAssignableTo<Credential.AccessToken>()
  })
})
