import { assert, describe, it } from "@effect/vitest"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure, type Reply } from "../../src/testing/index.ts"
import { commented, example } from "../support/effect-examples.ts"

/** What the examples call services: classes with a layer. */
interface Served<Service> extends Context.Service<Service, Service> {
  readonly layer: Layer.Layer<Service>
}

const bodies = Effect.map(
  Effect.flatMap(FakeAzure, ({ requests }) => requests),
  (requests) =>
    requests.flatMap(({ body, operation }) =>
      operation === "chat" || operation === "responses" ? [body as Record<string, any>] : []
    )
)

/** Runs an example against a server with these replies, on both APIs. */
const runs = <Exports, A>(
  file: string,
  replies: ReadonlyArray<Reply>,
  use: (exports: Exports, api: ModelProfile.Api) => Effect.Effect<A, unknown, FakeAzure>
) => {
  for (const api of ["chat", "responses"] as const) {
    it.live(`${file} on ${api}`, () =>
      Effect.gen(function*() {
        const azure = yield* FakeAzure
        yield* azure.enqueue(...replies)
        const o1 = yield* AzureO1.make({
          ...azure.config,
          api,
          profile: ModelProfile.gpt51,
          pollInterval: "5 millis"
        })
        yield* use(yield* example<Exports>(file, o1), api)
      }).pipe(
        Effect.scoped,
        Effect.provide([FakeAzure.layer({ model: "gpt-5.1-2025-11-13" }), AzureO1Node.layerHttpClient])
      ))
  }
}

describe("the examples of effect/ai", () => {
  interface AiWriter {
    readonly draftAnnouncement: (product: string) => Effect.Effect<{ readonly provider: string; readonly text: string }>
    readonly extractLaunchPlan: (notes: string) => Effect.Effect<{ readonly audience: string }>
    readonly streamReleaseHighlights: (version: string) => Stream.Stream<string>
  }

  const plan = { audience: "operators", channels: ["mail"], launchDate: "soon", summary: "it", keyRisks: [] }

  runs<{ readonly AiWriter: Served<AiWriter>; readonly program: Effect.Effect<void, never, AiWriter> }, void>(
    "10_language-model.ts",
    [
      FakeAzure.answer("Effect Cloud is here."),
      FakeAzure.answer("Effect Cloud is here again."),
      FakeAzure.answer(JSON.stringify(plan)),
      FakeAzure.answer(["- it ", "is fast"])
    ],
    ({ AiWriter, program }) =>
      Effect.gen(function*() {
        yield* program
        const writer = yield* AiWriter
        assert.deepStrictEqual(yield* writer.draftAnnouncement("Effect Cloud"), {
          provider: "azure.ai.openai",
          text: "Effect Cloud is here again."
        })
        assert.strictEqual((yield* writer.extractLaunchPlan("notes")).audience, "operators")
        assert.strictEqual((yield* Stream.runCollect(writer.streamReleaseHighlights("1"))).join(""), "- it is fast")
      }).pipe(Effect.provide(AiWriter.layer))
  )

  interface ProductAssistant {
    readonly answer: (question: string) => Effect.Effect<{ readonly text: string; readonly toolCallCount: number }>
  }

  runs<{ readonly ProductAssistant: Served<ProductAssistant> }, void>(
    "20_tools.ts",
    [
      FakeAzure.toolCalls([
        { name: "SearchProducts", arguments: { query: "lamp", maxResults: null } },
        { name: "GetInventory", arguments: { productId: "p-1" } }
      ])
    ],
    ({ ProductAssistant }, api) =>
      Effect.gen(function*() {
        const assistant = yield* ProductAssistant
        assert.deepStrictEqual(yield* assistant.answer("Which lamps are there?"), { text: "", toolCallCount: 2 })
        const [body] = yield* bodies
        assert.strictEqual(body!["tool_choice"], "required")
        const tool = api === "chat" ? body!["tools"][0].function : body!["tools"][0]
        assert.deepInclude(tool, { name: "SearchProducts", strict: true })
        assert.deepStrictEqual(tool.parameters.required, ["query", "maxResults"])
      }).pipe(Effect.provide(ProductAssistant.layer))
  )

  interface AiAssistant {
    readonly chat: (message: string) => Effect.Effect<string>
    readonly agent: (question: string) => Effect.Effect<string>
  }

  runs<{ readonly AiAssistant: Served<AiAssistant> }, void>(
    "30_chat.ts",
    [
      FakeAzure.answer("Hello Ada."),
      FakeAzure.answer("You are Ada."),
      FakeAzure.toolCalls([{ name: "getCurrentTime", arguments: { id: "now" }, id: "call_1" }]),
      FakeAzure.answer("It is late.")
    ],
    ({ AiAssistant }, api) =>
      Effect.gen(function*() {
        const assistant = yield* AiAssistant
        assert.strictEqual(yield* assistant.chat("I am Ada."), "Hello Ada.")
        assert.strictEqual(yield* assistant.chat("Who am I?"), "You are Ada.")
        assert.strictEqual(yield* assistant.agent("How late is it?"), "It is late.")
        const all = yield* bodies
        const said = all.map((body) => (body[api === "chat" ? "messages" : "input"] as ReadonlyArray<any>))
        const kinds = said.map((messages) => messages.map(({ role, type }) => role ?? type))
        const result = api === "chat" ? ["assistant", "tool"] : ["reasoning", "function_call", "function_call_output"]
        assert.deepStrictEqual(kinds, [
          ["developer", "user"],
          ["developer", "user", ...api === "chat" ? [] : ["reasoning"], "assistant", "user"],
          ["developer", "user"],
          ["developer", "user", ...result]
        ])
      }).pipe(Effect.provide(AiAssistant.layer))
  )

  for (const module of ["LanguageModel", "Chat"]) {
    for (const { line, run } of commented(module)) {
      it.live(`${module}.ts:${line}, with this provider instead of a fake`, () => Effect.promise(run))
    }
  }
})
