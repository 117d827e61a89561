import { assert, describe, it } from "@effect/vitest"
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { AzureO1LanguageModel } from "../../src/ai/index.ts"
import { choiceOf, functionsOf } from "../../src/ai/internal/tools.ts"
import type { ToolCall } from "../../src/O1Completion.ts"
import { AzureO1Test } from "../../src/testing/index.ts"

const functionOf = (tool: Tool.Any) => Result.map(functionsOf([tool], true), (functions) => functions.get(tool.name)!)

/** What of its arguments a tool is given, where the service keeps to the schema, and where it does not. */
const parameters: ReadonlyArray<readonly [name: string, tool: Tool.Any, args: string, params: unknown]> = [
  ["none", Tool.make("f"), "{}", {}],
  ["none, and the model says nothing", Tool.make("f"), "", {}],
  ["a struct without fields", Tool.make("f", { parameters: Schema.Struct({}) }), "{}", {}],
  [
    "null for what need not be there",
    Tool.make("f", {
      parameters: Schema.Struct({ a: Schema.optional(Schema.String), b: Schema.optionalKey(Schema.Finite) })
    }),
    "{\"a\":null,\"b\":null}",
    {}
  ],
  [
    "what need not be there, left out",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.optional(Schema.String) }) }),
    "{}",
    {}
  ],
  [
    "null that means null",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.NullOr(Schema.String) }) }),
    "{\"a\":null}",
    { a: null }
  ],
  [
    "defaults, which the toolkit fills in",
    Tool.make("f", {
      parameters: Schema.Struct({ a: Schema.Natural.pipe(Schema.withDecodingDefault(Effect.succeed(10))) })
    }),
    "{\"a\":null}",
    {}
  ],
  [
    "what is decoded later stays encoded",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.NumberFromString, b: Schema.DateTimeUtcFromString }) }),
    "{\"a\":\"1\",\"b\":\"2026-01-01T00:00:00Z\"}",
    { a: "1", b: "2026-01-01T00:00:00Z" }
  ],
  [
    "records and tuples, which the service takes in another form",
    Tool.make("f", {
      parameters: Schema.Struct({
        a: Schema.Record(Schema.String, Schema.String),
        b: Schema.Tuple([Schema.String, Schema.Finite])
      })
    }),
    "{\"a\":[{\"0\":\"k\",\"1\":\"v\"}],\"b\":{\"0\":\"x\",\"1\":2}}",
    { a: { k: "v" }, b: ["x", 2] }
  ],
  [
    "nested",
    Tool.make("f", {
      parameters: Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.optional(Schema.String) })) })
    }),
    "{\"a\":[{\"b\":null},{\"b\":\"x\"},{}]}",
    { a: [{}, { b: "x" }, {}] }
  ],
  [
    "what does not fit is left to the toolkit",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.String }) }),
    "{\"a\":1}",
    { a: 1 }
  ],
  [
    "what is no JSON is left to the toolkit",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.String }) }),
    "{\"a\":",
    "{\"a\":"
  ],
  [
    "of a tool that is not strict, as they are",
    Tool.make("f", { parameters: Schema.Struct({ a: Schema.optional(Schema.String) }) }).annotate(Tool.Strict, false),
    "{\"a\":\"x\"}",
    { a: "x" }
  ],
  ["of a schema of one's own, as they are", Tool.dynamic("f", { parameters: { type: "object" } }), "{\"a\":1}", {
    a: 1
  }]
]

describe("the arguments of a tool", () => {
  for (const [name, tool, args, params] of parameters) {
    it(name, () => {
      assert.deepStrictEqual(Result.getOrThrow(functionOf(tool)).read(args), params)
    })
  }

  it("that would poison an object do not", () => {
    const { read } = Result.getOrThrow(functionOf(Tool.make("f", { parameters: Schema.Struct({ a: Schema.String }) })))
    const params = read("{\"a\":\"x\",\"__proto__\":{\"b\":1}}")
    assert.isUndefined((params as { readonly b?: unknown }).b)
  })
})

describe("what the service is told of a tool", () => {
  it("that it is strict, unless it says otherwise or has a schema of its own", () => {
    const strict = (tool: Tool.Any, byDefault = true) =>
      Array.from(Result.getOrThrow(functionsOf([tool], byDefault)).values())[0]!.tool.strict
    const tool = Tool.make("f", { parameters: Schema.Struct({ a: Schema.String }) })
    const dynamic = Tool.dynamic("f", { parameters: { type: "object" } })
    assert.isTrue(strict(tool))
    assert.isFalse(strict(tool, false))
    assert.isTrue(strict(tool.annotate(Tool.Strict, true), false))
    assert.isFalse(strict(tool.annotate(Tool.Strict, false)))
    assert.isFalse(strict(dynamic))
    assert.isTrue(strict(dynamic.annotate(Tool.Strict, true)))
  })

  it("where it cannot be told, the reason", () => {
    const reason = (tool: Tool.Any) =>
      Result.match(functionOf(tool), { onSuccess: () => "", onFailure: ({ _tag }) => _tag })
    const web = Tool.providerDefined({ id: "openai.web_search", customName: "Search", providerName: "web_search" })()
    assert.strictEqual(reason(web), "ToolConfigurationError")
    const union = Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })])
    assert.strictEqual(reason(Tool.make("f", { parameters: union })), "UnsupportedSchemaError")
  })

  it("which one is to be called", () => {
    assert.deepStrictEqual(
      (["auto", "none", "required", { tool: "f" }, { oneOf: ["f"] }, { mode: "required", oneOf: ["f"] }] as const)
        .map(choiceOf),
      ["auto", "none", "required", { name: "f" }, "auto", "required"]
    )
  })
})

const kit = Toolkit.make(
  Tool.make("f", { parameters: Schema.Struct({ a: Schema.optional(Schema.String) }), success: Schema.String }),
  Tool.make("danger", { success: Schema.String, needsApproval: true })
)
const handlers = kit.toLayer({ f: ({ a }) => Effect.succeed(a ?? "nothing"), danger: () => Effect.succeed("done") })

const calling = (...toolCalls: ReadonlyArray<ToolCall>) =>
  AzureO1Test.answer("", { completion: { toolCalls, finishReason: "tool_calls" } })
const f: ToolCall = { id: "c1", name: "f", arguments: "{\"a\":null}" }
const danger: ToolCall = { id: "c2", name: "danger", arguments: "{}" }
const unknown: ToolCall = { id: "c3", name: "unknown", arguments: "{\"x\":1}" }

const scripted = (...steps: ReadonlyArray<ReturnType<typeof calling>>) => {
  const o1 = AzureO1Test.layer(steps)
  return Layer.mergeAll(Layer.provideMerge(AzureO1LanguageModel.layer(), o1), handlers)
}

const requests = Effect.flatMap(AzureO1Test, ({ calls }) => calls)

describe("the ways of effect/ai with tools", () => {
  it.effect("an approval: asked for, given, and the conversation goes on without it", () =>
    Effect.gen(function*() {
      const chat = yield* Chat.fromPrompt("Do it.")
      const first = yield* chat.generateText({ prompt: [], toolkit: kit })
      const asked = first.content.find((part) => part.type === "tool-approval-request")!
      assert.lengthOf(first.toolResults, 0)
      const approval = Prompt.toolApprovalResponsePart({ approvalId: asked.approvalId, approved: true })
      const second = yield* chat.generateText({ prompt: [Prompt.toolMessage({ content: [approval] })], toolkit: kit })
      assert.strictEqual(second.text, "It is done.")
      const [, { request }] = yield* requests as Effect.Effect<any>
      assert.deepStrictEqual(
        request.messages.map(({ content, role }: any) => [role, content]),
        [["user", "Do it."], ["assistant", ""], ["tool", "done"]]
      )
    }).pipe(Effect.provide(scripted(calling(danger), AzureO1Test.answer("It is done.")))))

  it.effect("calls that the program resolves itself: encoded, or as they are", () =>
    Effect.gen(function*() {
      const off = { prompt: "x", toolkit: kit, disableToolCallResolution: true } as const
      const strict = yield* LanguageModel.generateText(off)
      assert.deepStrictEqual(strict.toolCalls.map(({ params }) => params), [{}])
      const deferred = yield* LanguageModel.generateText({ ...off, toolCallValidation: "deferred" })
      assert.deepStrictEqual(deferred.toolCalls.map(({ name, params }) => [name, params]), [
        ["f", {}],
        ["unknown", { x: 1 }]
      ])
      const { reason } = yield* Effect.flip(LanguageModel.generateText(off))
      assert.strictEqual(reason._tag, "ToolNotFoundError")
    }).pipe(Effect.provide(scripted(calling(f), calling(f, unknown), calling(f, unknown)))))

  it.effect("an answer that is cut off calls no tool, and leaves no call without a result", () =>
    Effect.gen(function*() {
      const cut = yield* LanguageModel.generateText({ prompt: "x", toolkit: kit })
      assert.deepStrictEqual(cut.toolResults.map(({ isFailure }) => isFailure), [true])
      assert.strictEqual(cut.finishReason, "length")
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "x", toolkit: kit }))
      assert.deepStrictEqual(
        parts.flatMap((part) => part.type === "tool-result" ? [part.isFailure] : []),
        [true]
      )
    }).pipe(
      Effect.provide(
        scripted(
          ...[1, 2].map(() => AzureO1Test.answer("", { completion: { toolCalls: [f], finishReason: "length" } }))
        )
      )
    ))

  it.effect("only some of the tools, or none of them", () =>
    Effect.gen(function*() {
      yield* LanguageModel.generateText({ prompt: "x", toolkit: kit, toolChoice: { oneOf: ["f"] } })
      yield* LanguageModel.generateText({ prompt: "x", toolkit: kit, toolChoice: "none" })
      yield* LanguageModel.generateText({ prompt: "x" })
      const sent = (yield* requests).map(({ request: { toolChoice, tools } }) => [
        toolChoice,
        tools?.map(({ name }) => name)
      ])
      assert.deepStrictEqual(sent, [["auto", ["f"]], ["none", ["f", "danger"]], [undefined, undefined]])
    }).pipe(Effect.provide(scripted(...["1", "2", "3"].map((text) => AzureO1Test.answer(text))))))

  it.effect("what is wrong with a request is told before anything is sent", () =>
    Effect.gen(function*() {
      const audio = { type: "file", mediaType: "audio/wav", data: new Uint8Array([1]) } as const
      const failed = yield* Effect.flip(LanguageModel.generateText({ prompt: [{ role: "user", content: [audio] }] }))
      assert.strictEqual(failed.reason._tag, "InvalidUserInputError")
      assert.deepStrictEqual(yield* requests, [])
    }).pipe(Effect.provide(scripted())))
})
