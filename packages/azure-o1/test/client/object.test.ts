import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { O1Completion } from "../../src/O1Completion.ts"
import { O1Error } from "../../src/O1Error.ts"
import { user } from "../../src/O1Request.ts"
import { AzureO1Test } from "../../src/testing/index.ts"

const City = Schema.Struct({
  name: Schema.String,
  river: Schema.optional(Schema.String),
  mayor: Schema.optional(Schema.Struct({ name: Schema.String, party: Schema.optional(Schema.String) }))
})
const request = { messages: [user("The largest city on the Danube?")] }
const usage = { input: 10, cachedInput: 0, output: 20, reasoning: 15 }

const asked = (text: string, completion: Partial<O1Completion>, schema: Schema.Codec<unknown, unknown> = City) =>
  Effect.gen(function*() {
    return yield* (yield* AzureO1).object(schema, request)
  }).pipe(Effect.provide(AzureO1Test.layerTransport([AzureO1Test.answer(text, { completion })])))

describe("object", () => {
  const values: ReadonlyArray<
    readonly [name: string, text: string, value: unknown, completion?: Partial<O1Completion>]
  > = [
    ["all there", `{"name":"Vienna","river":"Danube","mayor":{"name":"M","party":"P"}}`, {
      name: "Vienna",
      river: "Danube",
      mayor: { name: "M", party: "P" }
    }],
    ["null for what need not be there", `{"name":"Vienna","river":null,"mayor":{"name":"M","party":null}}`, {
      name: "Vienna",
      mayor: { name: "M" }
    }],
    ["left out what need not be there", `{"name":"Vienna"}`, { name: "Vienna" }],
    ["complete at the very limit", `{"name":"Vienna"}`, { name: "Vienna" }, { finishReason: "length" }]
  ]
  for (const [name, text, value, completion = {}] of values) {
    it.effect(`is decoded: ${name}`, () =>
      Effect.gen(function*() {
        const object = yield* asked(text, completion)
        assert.deepStrictEqual(object.value, value)
        assert.strictEqual(object.completion.text, text)
      }))
  }

  const failures: ReadonlyArray<
    readonly [name: string, text: string, completion: Partial<O1Completion>, label: string, message: RegExp]
  > = [
    [
      "cut by length",
      `{"name":"Vie`,
      { finishReason: "length" },
      "O1OutputLimitError/cut-off",
      /cut off.*maxCompletionTokens/
    ],
    ["cut before its first word", "", { finishReason: "length" }, "O1OutputLimitError/cut-off", /cut off/],
    ["refused", "", { refusal: "I cannot." }, "O1RefusalError/refused", /refused/],
    ["refused after some words", `{"na`, { refusal: "No." }, "O1RefusalError/refused", /refused/],
    ["of another form", `{"town":"Vienna"}`, {}, "O1ProtocolError/schema-mismatch", /name/],
    ["of another form further in", `{"name":"V","mayor":{"name":1}}`, {}, "O1ProtocolError/schema-mismatch", /mayor/],
    ["prose", "It is Vienna.", {}, "O1ProtocolError/schema-mismatch", /not JSON/],
    ["nothing", "", {}, "O1ProtocolError/schema-mismatch", /no text/],
    ["nothing, with an unknown end", "", { finishReason: "unknown" }, "O1ProtocolError/schema-mismatch", /no text/],
    [
      "a call of a tool",
      "",
      { finishReason: "tool_calls", toolCalls: [{ id: "call_1", name: "f", arguments: "{}" }] },
      "O1ProtocolError/schema-mismatch",
      /asks for tools/
    ]
  ]
  for (const [name, text, completion, label, message] of failures) {
    it.effect(`is a typed error, with what was paid for: ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(asked(text, completion))
        assert.strictEqual(O1Error.label(error), label)
        assert.match(error.message, message)
        assert.notMatch(error.message, /between here and the service/)
        assert.deepStrictEqual(error.usage, usage)
        assert.deepInclude(error.completion, { text, ...completion })
        if (error._tag === "O1RefusalError") assert.strictEqual(error.refusal, completion.refusal)
        assert.strictEqual(error.partialText, text)
        assert.strictEqual(O1Error.isTransient(error), false)
      }))
  }

  it.effect("of only optional fields is not made of an empty answer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(asked("", {}, Schema.Struct({ a: Schema.optional(Schema.String) })))
      assert.strictEqual(O1Error.label(error), "O1ProtocolError/schema-mismatch")
    }))

  it.effect("of a schema that is no object's is refused before anything is sent", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(asked("1", {}, Schema.Number))
      assert.deepInclude(error, { _tag: "O1RequestError", param: "schema" })
    }))
})
