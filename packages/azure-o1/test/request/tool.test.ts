import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { AzureO1 } from "../../src/AzureO1.ts"
import { tool, user } from "../../src/O1Request.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { encode as encodeChat } from "../../src/wire/chatRequest.ts"
import { encode as encodeResponses } from "../../src/wire/responsesRequest.ts"

const Place = Schema.Struct({
  city: Schema.String,
  country: Schema.optional(Schema.String),
  near: Schema.optionalKey(Schema.Struct({ km: Schema.Number, of: Schema.optional(Schema.String) }))
})

interface Tree {
  readonly value: number
  readonly left?: Tree | undefined
  readonly right?: Tree | undefined
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  value: Schema.Number,
  left: Schema.optional(Schema.suspend((): Schema.Codec<Tree> => Tree)),
  right: Schema.optional(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const Shape = Schema.Struct({
  shape: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Number, label: Schema.optional(Schema.String) }),
    Schema.Struct({ kind: Schema.Literal("box"), width: Schema.Number, label: Schema.optional(Schema.String) })
  ])
})

class Person extends Schema.Class<Person>("Person")({
  name: Schema.String,
  age: Schema.optional(Schema.Number)
}) {}

const call = (args: string, name = "f") => ({ id: "call_1", name, arguments: args })

describe("the arguments of a tool", () => {
  const decoded: ReadonlyArray<readonly [name: string, schema: Schema.Codec<unknown, unknown>, args: string, unknown]> =
    [
      ["all there", Place, `{"city":"Oslo","country":"NO","near":{"km":2,"of":"sea"}}`, {
        city: "Oslo",
        country: "NO",
        near: { km: 2, of: "sea" }
      }],
      ["null for optional fields", Place, `{"city":"Oslo","country":null,"near":null}`, { city: "Oslo" }],
      ["absent optional fields", Place, `{"city":"Oslo"}`, { city: "Oslo" }],
      ["null beside absent", Place, `{"city":"Oslo","near":null}`, { city: "Oslo" }],
      ["null further in", Place, `{"city":"Oslo","near":{"km":2,"of":null}}`, { city: "Oslo", near: { km: 2 } }],
      ["absent further in", Place, `{"city":"Oslo","near":{"km":2}}`, { city: "Oslo", near: { km: 2 } }],
      [
        "null in a list",
        Schema.Struct({ places: Schema.Array(Place) }),
        `{"places":[{"city":"a","country":null},{"city":"b"}]}`,
        {
          places: [{ city: "a" }, { city: "b" }]
        }
      ],
      ["null in a union", Shape, `{"shape":{"kind":"box","width":1,"label":null}}`, {
        shape: { kind: "box", width: 1 }
      }],
      ["absent in a union", Shape, `{"shape":{"kind":"box","width":1}}`, { shape: { kind: "box", width: 1 } }],
      ["null in a schema of itself", Tree, `{"value":1,"left":{"value":2,"left":null,"right":null},"right":null}`, {
        value: 1,
        left: { value: 2 }
      }],
      ["absent in a schema of itself", Tree, `{"value":1,"left":{"value":2}}`, { value: 1, left: { value: 2 } }],
      ["a field that may be null", Schema.Struct({ a: Schema.NullOr(Schema.String) }), `{"a":null}`, { a: null }],
      ["a tuple", Schema.Struct({ at: Schema.Tuple([Schema.Number, Schema.Number]) }), `{"at":{"0":1,"1":2}}`, {
        at: [1, 2]
      }],
      ["a record", Schema.Struct({ tags: Schema.Record(Schema.String, Schema.Number) }), `{"tags":[{"0":"a","1":1}]}`, {
        tags: { a: 1 }
      }],
      ["a class", Person, `{"name":"Ada","age":null}`, new Person({ name: "Ada" })],
      ["a transformation", Schema.Struct({ at: Schema.optional(Schema.OptionFromNullOr(Schema.String)) }), `{}`, {}],
      ["an option", Schema.Struct({ at: Schema.OptionFromNullOr(Schema.String) }), `{"at":null}`, {
        at: Option.none()
      }],
      ["only optional fields, and an empty text", Schema.Struct({ a: Schema.optional(Schema.String) }), "", {}],
      ["no fields", Schema.Struct({}), "{}", {}],
      ["no fields, and an empty text", Schema.Struct({}), "", {}]
    ]
  for (const [name, parameters, args, expected] of decoded) {
    it.effect(`decodes ${name}`, () =>
      Effect.gen(function*() {
        const f = tool("f", { parameters })
        assert.deepStrictEqual(yield* f.decode(call(args)), expected)
      }))
  }

  const refused: ReadonlyArray<
    readonly [name: string, schema: Schema.Codec<unknown, unknown>, args: string, says: RegExp]
  > = [
    ["text that is no JSON", Place, `{"city":"Os`, /not JSON/],
    ["a list", Place, "[]", /Expected object/i],
    ["null", Place, "null", /Expected object/i],
    ["a field of another type", Place, `{"city":1}`, /city/],
    ["a field that is missing", Place, `{"country":"NO"}`, /city/],
    ["null where a field has to be", Place, `{"city":null}`, /city/],
    ["an error further in", Place, `{"city":"a","near":{"km":"x"}}`, /km/],
    ["an unknown member of a union", Shape, `{"shape":{"kind":"line"}}`, /shape/],
    ["a list where there are no fields", Schema.Struct({}), "[]", /object/]
  ]
  for (const [name, parameters, args, says] of refused) {
    it.effect(`are refused for ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(tool("f", { parameters }).decode(call(args)))
        assert.strictEqual(error._tag, "O1ProtocolError")
        assert.match(error.message, says)
        assert.strictEqual(error.partialText, args)
      }))
  }

  it.effect("that are wrong move no cursor of whoever reads the log", () =>
    Effect.gen(function*() {
      const f = tool("f", { parameters: Schema.Struct({ tags: Schema.Record(Schema.String, Schema.Number) }) })
      const args = JSON.stringify({ tags: [{ 0: "a\u001b[2J\nfake line", 1: "x" }] })
      const error = yield* Effect.flip(f.decode(call(args)))
      const other = yield* Effect.flip(f.decode(call("{}", "g\r\n\u001b[2J")))
      for (const { message } of [error, other]) assert.isTrue(Array.from(message).every((char) => char >= " "))
    }))

  it.effect("of another tool are refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(tool("f").decode(call("{}", "g")))
      assert.include(error.message, "of g, not of f")
    }))
})

describe("a tool", () => {
  const none = { type: "object", properties: {}, required: [], additionalProperties: false }

  for (
    const [name, made] of [
      ["without options", tool("f")],
      ["without parameters", tool("f", { description: "d" })],
      ["with an empty struct", tool("f", { parameters: Schema.Struct({}) })],
      ["by hand, without parameters", { name: "f" }]
    ] as const
  ) {
    it(`${name} takes nothing, on both APIs`, () => {
      const request = { messages: [user("x")], tools: [made] }
      const chat = JSON.parse(encodeChat(request, { model: "d", stream: false }))
      assert.deepInclude(chat.tools[0].function, { name: "f", strict: true, parameters: none })
      const responses = JSON.parse(
        encodeResponses(request, { model: "d", stream: false, background: false, store: true })
      )
      assert.deepInclude(responses.tools[0], { type: "function", name: "f", strict: true, parameters: none })
    })
  }

  it("of which the schema is no object is a mistake of the program", () => {
    assert.throws(() => tool("f", { parameters: Schema.String }), /object/)
  })

  it.effect("goes through a loop", () =>
    Effect.gen(function*() {
      const weather = tool("weather", { parameters: Place })
      const o1 = yield* AzureO1
      const { toolCalls } = yield* o1.complete({ messages: [user("?")], tools: [weather] })
      assert.deepStrictEqual(yield* Effect.forEach(toolCalls, weather.decode), [{ city: "Oslo" }])
    }).pipe(Effect.provide(AzureO1Test.layer([
      AzureO1Test.answer("", {
        completion: { toolCalls: [call(`{"city":"Oslo","country":null,"near":null}`, "weather")] }
      })
    ]))))
})
