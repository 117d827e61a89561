import * as AiError from "effect/ai/AiError"
import type { ProviderOptions, ToolChoice } from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import * as Tool from "effect/ai/Tool"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { JsonSchema, O1Request, Tool as RequestTool } from "../../O1Request.ts"
import { structured } from "../../request/structured.ts"

/** A tool as the service is told of it, and how its arguments are read. */
export interface Callable {
  readonly tool: RequestTool
  /**
   * The arguments in the form that the tool's own schema takes. Arguments that do not fit are given out as they came: the
   * toolkit says what is wrong with them, to the program or to the model.
   */
  readonly read: (args: string) => unknown
}

/** What the model wrote, if it is JSON without the keys that poison objects. A call without arguments may say nothing. */
export const parsed = (args: string): unknown => {
  if (args.trim() === "") return {}
  try {
    return Tool.unsafeSecureJsonParse(args)
  } catch {
    return args
  }
}

const strictly = (
  schema: Schema.Constraint
): Result.Result<{ readonly schema: JsonSchema; readonly read: Callable["read"] }, string> =>
  Result.try({
    try: () => {
      // of the encoded side, for the toolkit decodes the rest; that side needs no services
      const { decode, jsonSchema } = structured(Schema.toEncoded(schema) as Schema.ConstraintCodec<unknown, unknown>)
      return {
        schema: jsonSchema,
        read: (args: string) => Result.getOrElse(decode(args), () => parsed(args))
      }
    },
    catch: messageOf
  })

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const functionOf = (tool: Tool.Any, strictByDefault: boolean): Result.Result<Callable, AiError.AiErrorReason> => {
  if (Tool.isProviderDefined(tool)) {
    const description = "The service's own tools cannot be used: only tools with a schema can."
    return Result.fail(new AiError.ToolConfigurationError({ toolName: tool.name, description }))
  }
  const { name } = tool
  const description = Tool.getDescription(tool)
  // a JSON Schema of the user's need not be one that can be strict
  const own = Tool.isDynamic(tool) && tool.jsonSchema !== undefined
  const strict = Tool.getStrictMode(tool) ?? (strictByDefault && !own)
  if (own || !strict) {
    return Result.succeed({ tool: { name, description, parameters: Tool.getJsonSchema(tool), strict }, read: parsed })
  }
  return Result.mapBoth(strictly(tool.parametersSchema), {
    onSuccess: ({ read, schema }): Callable => ({ tool: { name, description, parameters: schema, strict }, read }),
    onFailure: (description): AiError.AiErrorReason =>
      new AiError.UnsupportedSchemaError({ description: `Tool "${name}": ${description}` })
  })
}

/** The tools by their names. */
export const functionsOf = (
  tools: ReadonlyArray<Tool.Any>,
  strict: boolean
): Result.Result<ReadonlyMap<string, Callable>, AiError.AiErrorReason> => {
  const functions = new Map<string, Callable>()
  for (const tool of tools) {
    const converted = functionOf(tool, strict)
    if (Result.isFailure(converted)) return Result.fail(converted.failure)
    functions.set(tool.name, converted.success)
  }
  return Result.succeed(functions)
}

/** The choice, in the words of the client; that only some tools may be called is said by naming only these. */
export const choiceOf = (choice: ToolChoice<string>): NonNullable<O1Request["toolChoice"]> =>
  typeof choice === "string" ? choice : "tool" in choice ? { name: choice.tool } : choice.mode ?? "auto"

/** The form of the answer that a request for an object asks for. */
export const formatOf = (
  format: Extract<ProviderOptions["responseFormat"], { readonly type: "json" }>
): Result.Result<NonNullable<O1Request["responseFormat"]>, AiError.AiErrorReason> =>
  Result.try({
    try: () => ({
      // the service takes fewer names than `effect/ai`
      name: format.objectName.replaceAll(/[^\w-]+/g, "_").slice(0, 64) || "answer",
      schema: toCodecOpenAI(format.schema).jsonSchema
    }),
    catch: (cause) => new AiError.UnsupportedSchemaError({ description: messageOf(cause) })
  })
