import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { noArguments } from "../wire/body.ts"
import { clean } from "../wire/words.ts"

type JsonSchema = Readonly<Record<string, unknown>>

/** A form that the service is asked to keep to, and what reads an answer of that form. */
export interface Structured<A> {
  readonly jsonSchema: JsonSchema
  /** Of JSON as the model wrote it. The failure says what does not match. */
  readonly decode: (text: string) => Result.Result<A, string>
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** Reads a value by the schema that the model was shown. */
class Reader {
  private readonly root: JsonSchema

  constructor(root: JsonSchema) {
    this.root = root
  }

  private resolve(schema: unknown): JsonSchema {
    const ref = isObject(schema) ? schema["$ref"] : undefined
    if (typeof ref !== "string") return isObject(schema) ? schema : {}
    const definitions = this.root["$defs"]
    const name = ref.slice(ref.lastIndexOf("/") + 1)
    return isObject(definitions) && Object.hasOwn(definitions, name) ? this.resolve(definitions[name]) : {}
  }

  private takesNull(schema: unknown): boolean {
    const { anyOf, type } = this.resolve(schema)
    return type === "null" || list(anyOf).some((member) => this.takesNull(member))
  }

  /** Whether a value may be of a member of a union, by what tells members apart: the type, and the properties with one value. */
  private fits(schema: unknown, value: unknown): boolean {
    const { anyOf, enum: values, properties, type } = this.resolve(schema)
    if (anyOf !== undefined) return list(anyOf).some((member) => this.fits(member, value))
    if (Array.isArray(values)) return values.includes(value)
    if (type === "array") return Array.isArray(value)
    if (type !== "object") return !isObject(value) && !Array.isArray(value)
    return isObject(value) && isObject(properties) &&
      Object.entries(properties).every(([name, property]) =>
        Object.hasOwn(value, name)
          ? !("enum" in this.resolve(property)) || this.fits(property, value[name])
          : this.takesNull(property)
      )
  }

  /** A model that need not keep to the schema leaves out what it has nothing to say of, where a strict one writes `null`. */
  complete(schema: unknown, value: unknown): unknown {
    const { anyOf, items, properties } = this.resolve(schema)
    if (anyOf !== undefined) {
      const member = list(anyOf).find((member) => this.fits(member, value))
      return member === undefined ? value : this.complete(member, value)
    }
    if (Array.isArray(value)) return value.map((item) => this.complete(items, item))
    if (!isObject(value) || !isObject(properties)) return value
    const completed: Array<[string, unknown]> = Object.entries(value).map(([name, property]) => [
      name,
      Object.hasOwn(properties, name) ? this.complete(properties[name], property) : property
    ])
    for (const [name, property] of Object.entries(properties)) {
      if (!Object.hasOwn(value, name) && this.takesNull(property)) completed.push([name, null])
    }
    return Object.fromEntries(completed)
  }
}

const isEmpty = ({ ast }: Schema.Constraint): boolean =>
  SchemaAST.isObjects(ast) && ast.propertySignatures.length === 0 && ast.indexSignatures.length === 0 &&
  ast.encoding === undefined

/**
 * What the service is told of a schema, and what reads its answers. In what the model writes, `null` for a field that need not
 * be there means that it is absent, at every depth. Throws where the schema is not that of an object.
 */
export const structured = <A>(schema: Schema.ConstraintCodec<A, unknown>): Structured<A> => {
  // Effect takes a struct without fields for anything but null
  const empty = isEmpty(schema)
  const { codec, jsonSchema } = empty
    ? { codec: schema, jsonSchema: noArguments }
    : OpenAiStructuredOutput.toCodecOpenAI(schema)
  const reader = new Reader(jsonSchema)
  const decodeValue = Schema.decodeUnknownResult(codec)
  return {
    jsonSchema,
    decode: (text) =>
      Result.flatMap(
        Result.try({
          try: (): unknown => JSON.parse(text),
          catch: () => text.trim() === "" ? "there is no text" : "it is not JSON"
        }),
        (value) =>
          empty && !isObject(value)
            ? Result.fail("an object was expected")
            : Result.mapError(decodeValue(reader.complete(jsonSchema, value)), ({ message }) => clean(message))
      )
  }
}

/** {@link structured}, with what it throws as a failure. */
export const structuredOf = <A>(schema: Schema.ConstraintCodec<A, unknown>): Effect.Effect<Structured<A>, string> =>
  Effect.try({
    try: () => structured(schema),
    catch: (cause) => cause instanceof Error ? cause.message : String(cause)
  })
