import {
  assistant,
  type AssistantMessage,
  AzureO1,
  Message,
  type O1Completion,
  type O1ProtocolError,
  type O1Request,
  tool,
  type ToolCall,
  toolResult,
  user
} from "@effect-resilience/azure-o1"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "tstyche"

declare const history: ReadonlyArray<Message>
declare const stored: Array<Message>
declare const completion: O1Completion
declare const call: ToolCall

describe("messages", () => {
  it("are whatever list of messages a program has", () => {
    void Effect.map(AzureO1, (o1) => {
      expect(o1.complete).type.toBeCallableWith({ messages: [...history, user("next")] })
      expect(o1.complete).type.toBeCallableWith({ messages: history.concat(user("next")) })
      expect(o1.complete).type.toBeCallableWith({ messages: history.filter(({ role }) => role !== "tool") })
      expect(o1.complete).type.toBeCallableWith({ messages: stored })
      expect(o1.complete).type.toBeCallableWith({ messages: stored.map((message) => message) })
      expect(o1.complete).type.toBeCallableWith({
        messages: [...history, Message.fromCompletion(completion), toolResult("call_1", "sunny")]
      })
      expect(o1.complete).type.toBeCallableWith({ messages: [...history, assistant("a"), user([])] })
      expect(o1.complete).type.not.toBeCallableWith({ messages: [{ role: "nobody", content: "x" }] })
    })
  })

  it("grow by what a completion is", () => {
    expect(Message.fromCompletion(completion)).type.toBe<AssistantMessage>()
    expect(stored.push).type.toBeCallableWith(Message.fromCompletion(completion), user("next"))
  })

  it("are read from a database with the schema", () => {
    expect(Schema.decodeSync(Schema.Array(Message))([])).type.toBe<ReadonlyArray<Message>>()
    expect(stored).type.toBeAssignableTo<O1Request["messages"]>()
  })
})

describe("tool", () => {
  it("knows the type of its arguments", () => {
    const weather = tool("weather", {
      parameters: Schema.Struct({ city: Schema.String, unit: Schema.optional(Schema.String) })
    })
    expect(weather.decode(call)).type.toBe<
      Effect.Effect<{ readonly city: string; readonly unit?: string | undefined }, O1ProtocolError>
    >()
    expect(weather.parameters).type.not.toBeAssignableFrom(undefined)
  })

  it("needs no arguments", () => {
    expect(tool("now").decode(call)).type.toBe<Effect.Effect<{}, O1ProtocolError>>()
    expect(tool("now", { description: "The time." }).decode(call)).type.toBe<Effect.Effect<{}, O1ProtocolError>>()
    expect(tool("now", { parameters: Schema.Struct({}) }).decode(call)).type.toBe<Effect.Effect<{}, O1ProtocolError>>()
  })

  it("is one of the tools of a request", () => {
    const both = [tool("now"), tool("weather", { parameters: Schema.Struct({ city: Schema.String }) })]
    expect(both).type.toBeAssignableTo<NonNullable<O1Request["tools"]>>()
  })
})
