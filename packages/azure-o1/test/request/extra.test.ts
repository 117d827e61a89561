import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { AzureO1 } from "../../src/AzureO1.ts"
import { assistant, type Message, type O1Request, user } from "../../src/O1Request.ts"
import { problemOf } from "../../src/request/problem.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { encode as encodeChat } from "../../src/wire/chatRequest.ts"
import { encode as encodeResponses } from "../../src/wire/responsesRequest.ts"

const hello = { messages: [user("hello")] }
const format = { name: "answer", schema: { type: "object" } } as const

describe("the body of a request", () => {
  const fields: ReadonlyArray<readonly [request: Omit<O1Request, "messages">, chat: object, responses: object]> = [
    [{ reasoningEffort: "low" }, { reasoning_effort: "low" }, { reasoning: { effort: "low" } }],
    [{ reasoningSummary: "auto" }, {}, { reasoning: { summary: "auto" } }],
    [{ maxCompletionTokens: 5 }, { max_completion_tokens: 5 }, { max_output_tokens: 5 }],
    [{ verbosity: "low" }, { verbosity: "low" }, { text: { verbosity: "low" } }],
    [{ verbosity: "low", responseFormat: "json" }, { verbosity: "low", response_format: { type: "json_object" } }, {
      text: { verbosity: "low", format: { type: "json_object" } }
    }],
    [{ previousResponseId: "resp_1" }, {}, { previous_response_id: "resp_1" }],
    [{ include: ["a"] }, {}, { include: ["a"] }],
    [{ promptCacheKey: "k" }, { prompt_cache_key: "k" }, { prompt_cache_key: "k" }],
    [{ safetyIdentifier: "u" }, { safety_identifier: "u" }, { safety_identifier: "u" }],
    [{ user: "u" }, { user: "u" }, { user: "u" }],
    [{ metadata: { a: "b" } }, { metadata: { a: "b" } }, { metadata: { a: "b" } }],
    [{ serviceTier: "priority" }, { service_tier: "priority" }, { service_tier: "priority" }],
    [{ temperature: 0, topP: 1 }, { temperature: 0, top_p: 1 }, { temperature: 0, top_p: 1 }],
    [{ topLogprobs: 2, include: ["a"] }, { logprobs: true, top_logprobs: 2 }, {
      top_logprobs: 2,
      include: ["a", "message.output_text.logprobs"]
    }],
    [{ presencePenalty: 1, frequencyPenalty: -1 }, { presence_penalty: 1, frequency_penalty: -1 }, {}],
    [{ logitBias: { 1: -100 }, stop: ["x"], seed: 7 }, { logit_bias: { 1: -100 }, stop: ["x"], seed: 7 }, {}]
  ]
  for (const [fieldsOf, onChat, onResponses] of fields) {
    it(`has ${JSON.stringify(fieldsOf)}`, () => {
      const request = { ...hello, ...fieldsOf }
      assert.isUndefined(problemOf(request))
      assert.deepStrictEqual(JSON.parse(encodeChat(request, { model: "d", stream: false })), {
        model: "d",
        messages: [{ role: "user", content: "hello" }],
        ...onChat
      })
      assert.deepStrictEqual(
        JSON.parse(encodeResponses(request, { model: "d", stream: false, background: false, store: true })),
        { model: "d", input: [{ role: "user", content: "hello" }], store: true, ...onResponses }
      )
    })
  }

  it("asks for encrypted reasoning where nothing is stored", () => {
    const include = (store: boolean, more?: ReadonlyArray<string>) =>
      JSON.parse(
        encodeResponses({ ...hello, include: more }, {
          model: "d",
          stream: false,
          background: false,
          store,
          encrypted: true
        })
      ).include
    assert.deepStrictEqual(include(false), ["reasoning.encrypted_content"])
    assert.deepStrictEqual(include(false, ["reasoning.encrypted_content", "a"]), ["reasoning.encrypted_content", "a"])
    assert.isUndefined(include(true))
  })

  const outOfRange: ReadonlyArray<Omit<O1Request, "messages">> = [
    { temperature: 3 },
    { topP: -0.1 },
    { topLogprobs: 21 },
    { presencePenalty: 3 },
    { frequencyPenalty: Number.NaN },
    { stop: [] },
    { seed: 0.5 },
    { maxCompletionTokens: 0 },
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [String(i), ""])) },
    { previousResponseId: "" }
  ]
  for (const fieldsOf of outOfRange) {
    it(`never has ${JSON.stringify(fieldsOf)}`, () => {
      const problem = problemOf({ ...hello, ...fieldsOf })
      assert.strictEqual(problem?.kind, "invalid")
      assert.include(problem?.message, Object.keys(fieldsOf)[0])
    })
  }

  const many = Array.from({ length: 50 }, (_, i) => i % 2 === 0 ? user("a") : assistant("b"))
  const wrong: ReadonlyArray<readonly [name: string, message: unknown]> = [
    ["of nobody", { role: "nobody", content: "x" }],
    ["without content", { role: "user" }],
    ["with a number", { role: "user", content: 5 }],
    ["without parts", { role: "user", content: [] }],
    ["with a part of another kind", { role: "user", content: [{ type: "audio" }] }],
    ["with a file of two places", { role: "user", content: [{ type: "file", url: "data:,", id: "file-1" }] }],
    ["with a file of none", { role: "user", content: [{ type: "file" }] }],
    ["with an image from somewhere", { role: "user", content: [{ type: "image", url: "http://e.x/a.png" }] }],
    ["of a tool without a call", { role: "tool", content: "x" }],
    ["of the assistant with calls that are none", { role: "assistant", content: "x", toolCalls: [{ id: 1 }] }],
    ["of the assistant with items that are none", { role: "assistant", content: "x", items: ["x"] }],
    ["that is null", null],
    ["that is text", "hello"]
  ]
  for (const [name, message] of wrong) {
    it(`never has a message ${name}, alone or in a long conversation`, () => {
      for (const before of [[], many]) {
        const problem = problemOf({ messages: [...before, message as Message, ...before] })
        assert.strictEqual(problem?.kind, "invalid")
        assert.include(problem?.message, `["messages"][${before.length}]`)
      }
    })
  }

  it("has at least one message", () => {
    assert.deepInclude(problemOf({ messages: [] }), { kind: "invalid", param: "messages" })
    assert.include(problemOf({ messages: [] })?.message, "must have at least one message")
  })
})

describe("extra", () => {
  const merged: ReadonlyArray<readonly [request: Omit<O1Request, "messages">, chat: object, responses: object]> = [
    [{ extra: { new_field: 1 } }, { new_field: 1 }, { new_field: 1 }],
    [{ responseFormat: format, extra: { text: { verbosity: "low" } } }, { text: { verbosity: "low" } }, {
      text: { verbosity: "low", format: { type: "json_schema", strict: true, ...format } }
    }],
    [{ reasoningEffort: "high", extra: { reasoning: { summary: "auto" } } }, { reasoning_effort: "high" }, {
      reasoning: { effort: "high", summary: "auto" }
    }],
    [{ extra: { stream_options: { include_obfuscation: false } } }, {
      stream_options: { include_usage: true, include_obfuscation: false }
    }, { stream_options: { include_obfuscation: false } }],
    [{ include: ["a"], extra: { include: ["b", "a"] } }, {}, { include: ["a", "b"] }],
    [{ metadata: { a: "1" }, extra: { metadata: { b: "2" } } }, { metadata: { a: "1", b: "2" } }, {
      metadata: { a: "1", b: "2" }
    }],
    [{ maxCompletionTokens: 5, extra: { max_completion_tokens: 6 } }, { max_completion_tokens: 6 }, {
      max_output_tokens: 5
    }],
    [{ extra: { constructor: 1 } }, { constructor: 1 }, { constructor: 1 }]
  ]
  for (const [fields, onChat, onResponses] of merged) {
    it(`of ${JSON.stringify(fields)} is merged one level deep`, () => {
      const request = { ...hello, ...fields }
      assert.isUndefined(problemOf(request))
      assert.deepInclude(JSON.parse(encodeChat(request, { model: "d", stream: true })), onChat)
      assert.deepInclude(
        JSON.parse(encodeResponses(request, { model: "d", stream: true, background: false, store: true })),
        onResponses
      )
    })
  }

  it("adds tools of the service to those of the caller", () => {
    const body = encodeResponses({ ...hello, tools: [{ name: "f" }], extra: { tools: [{ type: "web_search" }] } }, {
      model: "d",
      stream: false,
      background: false,
      store: true
    })
    assert.deepStrictEqual(JSON.parse(body).tools.map(({ type }: { type: string }) => type), ["function", "web_search"])
  })

  const owned: ReadonlyArray<readonly [request: Omit<O1Request, "messages">, field: string]> = [
    [{ extra: { model: "other" } }, "model"],
    [{ extra: { stream: false } }, "stream"],
    [{ extra: { background: true } }, "background"],
    [{ extra: { messages: [] } }, "messages"],
    [{ extra: { input: "x" } }, "input"],
    [{ extra: { n: 2 } }, "n"],
    [{ extra: { model: undefined } }, "model"],
    [{ responseFormat: format, extra: { text: { format: { type: "text" } } } }, "text.format"],
    [{ responseFormat: format, extra: { text: null } }, "text.format"],
    [{ responseFormat: format, extra: { response_format: { type: "text" } } }, "response_format"]
  ]
  for (const [fields, field] of owned) {
    it(`must not have ${field}: ${JSON.stringify(fields.extra)}`, () => {
      assert.deepInclude(problemOf({ ...hello, ...fields }), { kind: "invalid", param: `extra.${field}` })
    })
  }

  it.effect("that is refused is a typed error of the call, and nothing is sent", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const error = yield* Effect.flip(o1.complete({ ...hello, extra: { stream: true } }))
      assert.deepInclude(error, { _tag: "O1RequestError", param: "extra.stream" })
      assert.include(error.message, "extra must not have stream")
      assert.deepStrictEqual(yield* (yield* AzureO1Test).calls, [])
    }).pipe(Effect.provide(AzureO1Test.layerTransport([]))))
})
