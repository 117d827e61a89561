import {
  assistant,
  developer,
  filePart,
  imagePart,
  type Message,
  type ModelProfile,
  type O1Request,
  textPart,
  user
} from "@effect-resilience/azure-o1"
import { describe, expect, it } from "tstyche"

type For<P extends ModelProfile.ModelProfile> = ModelProfile.RequestFor<P>

declare const o1: For<typeof ModelProfile.o1>
declare const o1Mini: For<typeof ModelProfile.o1Mini>
declare const someProfile: For<ModelProfile.ModelProfile>

describe("RequestFor", () => {
  it("is a request", () => {
    expect(o1).type.toBeAssignableTo<O1Request>()
    expect(o1Mini).type.toBeAssignableTo<O1Request>()
  })

  it("is any request where the profile is not known", () => {
    expect(someProfile).type.toBe<O1Request>()
  })

  it("has the roles of the profile", () => {
    const asked = { messages: [developer("x"), user("y")] } as const
    expect(asked).type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(asked).type.not.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
    const plain = { messages: [user("x"), assistant("y"), user("z")] } as const
    expect(plain).type.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
  })

  it("has the efforts of the profile", () => {
    const asked = { messages: [user("x")], reasoningEffort: "minimal" } as const
    expect(asked).type.toBeAssignableTo<For<typeof ModelProfile.gpt5>>()
    expect(asked).type.not.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(asked).type.not.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
  })

  it("has images, tools, structured output and summaries only where the model has", () => {
    const picture = { messages: [user([textPart("what?"), imagePart("https://example.com/x.png")])] } as const
    expect(picture).type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(picture).type.not.toBeAssignableTo<For<typeof ModelProfile.o3Mini>>()
    const tools = { messages: [user("x")], tools: [{ name: "now", parameters: {} }] } as const
    expect(tools).type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(tools).type.not.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
    const json = { messages: [user("x")], responseFormat: "json" } as const
    expect(json).type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(json).type.not.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
    const summary = { messages: [user("x")], reasoningSummary: "auto" } as const
    expect(summary).type.toBeAssignableTo<For<typeof ModelProfile.o4Mini>>()
    expect(summary).type.not.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    const parallel = { messages: [user("x")], parallelToolCalls: true } as const
    expect(parallel).type.toBeAssignableTo<For<typeof ModelProfile.gpt5>>()
    expect(parallel).type.not.toBeAssignableTo<For<typeof ModelProfile.o1>>()
  })

  it("has sampling, verbosity and files only where the model has", () => {
    const warm = { messages: [user("x")], temperature: 0.5 } as const
    expect(warm).type.toBeAssignableTo<For<typeof ModelProfile.gpt51>>()
    expect(warm).type.not.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(warm).type.not.toBeAssignableTo<For<typeof ModelProfile.gpt6>>()
    const brief = { messages: [user("x")], verbosity: "low" } as const
    expect(brief).type.toBeAssignableTo<For<typeof ModelProfile.gpt5>>()
    expect(brief).type.not.toBeAssignableTo<For<typeof ModelProfile.o4Mini>>()
    const paper = { messages: [user([filePart("data:application/pdf;base64,AAAA")])] } as const
    expect(paper).type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect(paper).type.not.toBeAssignableTo<For<typeof ModelProfile.o3Mini>>()
  })

  it("takes the messages of a list", () => {
    expect<{ readonly messages: ReadonlyArray<Message> }>().type.toBeAssignableTo<For<typeof ModelProfile.o1>>()
    expect<{ readonly messages: ReadonlyArray<Message> }>().type.not.toBeAssignableTo<For<typeof ModelProfile.o1Mini>>()
  })
})
