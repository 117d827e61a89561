import {
  type AzureO1,
  AzureO1Promise,
  type O1Completion,
  type O1Error,
  type O1Promise,
  user
} from "@effect-resilience/azure-o1"
import { AzureO1LanguageModel } from "@effect-resilience/azure-o1/ai"
import { type AiError, LanguageModel, Tool, Toolkit } from "effect/ai"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "tstyche"

const tools = Toolkit.make(Tool.make("f", { parameters: Schema.Struct({ a: Schema.String }), success: Schema.Number }))

declare const o1: O1Promise
declare const complete: Layer.Layer<AzureO1>
declare const incomplete: ReturnType<typeof AzureO1.layer>

describe("AzureO1LanguageModel", () => {
  it("is made of whatever client there is", () => {
    expect(AzureO1LanguageModel.layer()).type.toBe<Layer.Layer<LanguageModel.LanguageModel, never, AzureO1>>()
  })

  it("has settings for requests and calls, but none that a turn decides", () => {
    expect(AzureO1LanguageModel.layer).type.toBeCallableWith({ reasoningEffort: "low", call: { timeout: "1 minute" } })
    expect(AzureO1LanguageModel.layer).type.not.toBeCallableWith({ messages: [user("x")] })
    expect(AzureO1LanguageModel.layer).type.not.toBeCallableWith({ call: { onBreak: "restart" } })
  })

  it("changes nothing of the type of a turn", () => {
    const turn = LanguageModel.generateText({ prompt: "x", toolkit: tools })
    expect(turn.pipe(AzureO1LanguageModel.withSettings({ reasoningEffort: "low" }))).type.toBe<typeof turn>()
  })

  it("gives the error of the client for one of effect/ai", () => {
    expect(AzureO1LanguageModel.errorOf).type.toBe<(error: AiError.AiError) => O1Error | undefined>()
  })
})

describe("AzureO1Promise.make", () => {
  it("has the calls of the client, as promises and iterables", () => {
    expect(o1.complete({ messages: [user("x")] })).type.toBe<Promise<O1Completion>>()
    expect(o1.tokens({ messages: [user("x")] }, { signal: new AbortController().signal })).type.toBe<
      AsyncIterable<string>
    >()
    expect<keyof O1Promise>().type.toBe<
      "complete" | "stream" | "tokens" | "object" | "resume" | "cancel" | "close" | typeof Symbol.asyncDispose
    >()
  })

  it("takes a layer that is complete", () => {
    expect(AzureO1Promise.make).type.toBeCallableWith(complete)
    expect(AzureO1Promise.make).type.not.toBeCallableWith(incomplete)
    expect<Effect.Success<typeof AzureO1>>().type.not.toBeAssignableTo<O1Promise>()
  })
})
