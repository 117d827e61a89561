/**
 * Functions of the caller's that the model may ask for.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ToolCall } from "../O1Completion.ts"
import { O1ProtocolError } from "../O1Error.ts"
import { clean } from "../wire/words.ts"
import { structured } from "./structured.ts"

/**
 * A JSON Schema, as plain data.
 *
 * @category models
 * @since 0.1.0
 */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

export const JsonSchema: Schema.Codec<JsonSchema> = Schema.Record(Schema.String, Schema.Unknown)

export const Name = Schema.String.check(
  Schema.makeFilter((name) => /^[\w-]{1,64}$/.test(name) ? undefined : "must be 1 to 64 letters, digits, _ or -")
)

/**
 * A function of yours that the model may ask for. `tool` makes one from a schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tool {
  readonly name: string
  readonly description?: string | undefined
  /**
   * A JSON Schema of the arguments.
   *
   * @default that of no arguments
   */
  readonly parameters?: JsonSchema | undefined
  /**
   * Whether the arguments must match the schema exactly.
   *
   * @default true
   */
  readonly strict?: boolean | undefined
}

/**
 * The schema of {@link Tool}.
 *
 * @category models
 * @since 0.1.0
 */
export const Tool: Schema.ConstraintCodec<Tool> = Schema.Struct({
  name: Name,
  description: Schema.optional(Schema.String),
  parameters: Schema.optional(JsonSchema),
  strict: Schema.optional(Schema.Boolean)
})

/**
 * A tool that knows the type of its arguments.
 *
 * @category models
 * @since 0.1.0
 */
export interface TypedTool<out A> extends Tool {
  readonly parameters: JsonSchema
  /**
   * The arguments of a call. `null` for an optional field means that the field is absent. A call of another tool, and
   * arguments that do not match, are an `O1ProtocolError` of kind `schema-mismatch`; its `partialText` has the model's words.
   */
  readonly decode: (call: ToolCall) => Effect.Effect<A, O1ProtocolError>
}

/**
 * A tool whose arguments a schema describes; without `parameters` it has none. Throws if the schema is not that of an object.
 *
 * **Example** (A tool, and a call of it)
 *
 * ```ts import.meta.vitest
 * import { tool } from "@effect-resilience/azure-o1"
 * import { Effect, Schema } from "effect"
 *
 * const weather = tool("weather", {
 *   description: "The weather of a city, now.",
 *   parameters: Schema.Struct({ city: Schema.String, unit: Schema.optional(Schema.String) })
 * })
 *
 * const call = { id: "call_1", name: "weather", arguments: '{"city":"Oslo","unit":null}' }
 * await Effect.runPromise(weather.decode(call)) // => { city: "Oslo" }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const tool = <A = {}>(
  name: string,
  options: {
    readonly description?: string | undefined
    /** @default Schema.Struct({}) */
    readonly parameters?: Schema.ConstraintCodec<A, unknown> | undefined
    /** @default true */
    readonly strict?: boolean | undefined
  } = {}
): TypedTool<A> => {
  // where no schema says otherwise, A is {}
  const schema = options.parameters ?? Schema.Struct({}) as unknown as Schema.ConstraintCodec<A, unknown>
  const { decode, jsonSchema } = structured(schema)
  const mismatch = (call: ToolCall, what: string): O1ProtocolError =>
    new O1ProtocolError({ kind: "schema-mismatch", detail: what, partialText: call.arguments, shouldRetry: false })
  return {
    name,
    description: options.description,
    parameters: jsonSchema,
    strict: options.strict,
    decode: (call) =>
      Effect.suspend(() => {
        if (call.name !== name) return Effect.fail(mismatch(call, `The call is of ${clean(call.name)}, not of ${name}`))
        return Effect.mapError(
          // a call without arguments has an empty text at times
          Effect.fromResult(decode(call.arguments.trim() === "" ? "{}" : call.arguments)),
          (problem) => mismatch(call, `The arguments of ${name} do not match its parameters: ${problem}`)
        )
      })
  }
}
