/**
 * What is asked of a reasoning model.
 *
 * One request for both of Azure's APIs, Chat Completions and Responses; which one carries it is a matter of the deployment.
 *
 * **Example** (A request)
 *
 * ```ts import.meta.vitest
 * import { developer, type O1Request, user } from "@effect-resilience/azure-o1"
 *
 * const request: O1Request = {
 *   messages: [developer("Answer in one sentence."), user("Why is the sky blue?")],
 *   reasoningEffort: "low",
 *   maxCompletionTokens: 25_000
 * }
 *
 * request.messages.map((message) => message.role) // => ["developer", "user"]
 * ```
 *
 * @since 0.1.0
 */
import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"
import * as Schema from "effect/Schema"
import { ToolCall } from "./O1Completion.ts"

/**
 * Who speaks. Reasoning models take instructions from `developer`; a `system` message is treated as one, and a conversation
 * has either the one or the other.
 *
 * @category models
 * @since 0.1.0
 */
export const Role = Schema.Literals(["developer", "system", "user", "assistant", "tool"])

/**
 * @category models
 * @since 0.1.0
 */
export type Role = typeof Role.Type

/**
 * A piece of what the user says: text, or an image by its `https:` or `data:` URL.
 *
 * @category models
 * @since 0.1.0
 */
export const Part = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("image"),
    url: Schema.String.check(
      Schema.makeFilter((url) => /^(https:\/\/|data:image\/)/i.test(url) ? undefined : "must be an https: or data: URL")
    ),
    /** How closely the model looks, and so what the image costs. The service's default is `auto`. */
    detail: Schema.optional(Schema.Literals(["auto", "low", "high"]))
  })
])

/**
 * @category models
 * @since 0.1.0
 */
export type Part = typeof Part.Type

/**
 * One message of the conversation.
 *
 * @category models
 * @since 0.1.0
 */
export const Message = Schema.Union([
  Schema.Struct({ role: Schema.Literals(["developer", "system"]), content: Schema.String }),
  Schema.Struct({
    role: Schema.Literal("user"),
    content: Schema.Union([Schema.String, Schema.NonEmptyArray(Part)])
  }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Schema.String,
    /** What the model asked for in this turn. */
    toolCalls: Schema.optional(Schema.Array(ToolCall))
  }),
  Schema.Struct({
    role: Schema.Literal("tool"),
    /** The call that this is the result of. */
    toolCallId: Schema.String,
    content: Schema.String
  })
])

/**
 * @category models
 * @since 0.1.0
 */
export type Message = typeof Message.Type

/**
 * How long the model may think: the price and the time of an answer grow with it. Which values a model knows is in its
 * `ModelProfile`; o1 has `low`, `medium` and `high`.
 *
 * @category models
 * @since 0.1.0
 */
export const ReasoningEffort = Schema.Literals(["none", "minimal", "low", "medium", "high", "xhigh", "max"])

/**
 * @category models
 * @since 0.1.0
 */
export type ReasoningEffort = typeof ReasoningEffort.Type

const JsonSchema = Schema.Record(Schema.String, Schema.Unknown)

const Name = Schema.String.check(
  Schema.makeFilter((name) => /^[\w-]{1,64}$/.test(name) ? undefined : "must be 1 to 64 letters, digits, _ or -")
)

/**
 * A function of the caller's that the model may ask for. `tool` makes one from a schema.
 *
 * @category models
 * @since 0.1.0
 */
export const Tool = Schema.Struct({
  name: Name,
  description: Schema.optional(Schema.String),
  /** A JSON Schema of the arguments. */
  parameters: JsonSchema,
  /** Whether the arguments must match the schema exactly. The default is `true`. */
  strict: Schema.optional(Schema.Boolean)
})

/**
 * @category models
 * @since 0.1.0
 */
export type Tool = typeof Tool.Type

/**
 * The form of the answer: `text`, `json` (some JSON object), or JSON that matches a schema. `AzureO1.object` makes the last
 * one from a schema and decodes the answer.
 *
 * @category models
 * @since 0.1.0
 */
export const ResponseFormat = Schema.Union([
  Schema.Literals(["text", "json"]),
  Schema.Struct({
    name: Name,
    description: Schema.optional(Schema.String),
    schema: JsonSchema,
    /** Whether the answer must match the schema exactly. The default is `true`. */
    strict: Schema.optional(Schema.Boolean)
  })
])

/**
 * @category models
 * @since 0.1.0
 */
export type ResponseFormat = typeof ResponseFormat.Type

/**
 * A request for one completion.
 *
 * Reasoning models on Azure refuse `temperature`, `top_p`, penalties, `logprobs` and `max_tokens`, so there are none here.
 *
 * @category models
 * @since 0.1.0
 */
export const O1Request = Schema.Struct({
  /** The conversation so far, at least one message. */
  messages: Schema.NonEmptyArray(Message),
  /** The service's default is `medium`. */
  reasoningEffort: Schema.optional(ReasoningEffort),
  /**
   * The most tokens that reasoning and answer together may take. Reasoning is not shown but counts: with too small a budget
   * there is no answer at all. Azure charges it against the tokens-per-minute limit when the call is admitted.
   */
  maxCompletionTokens: Schema.optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  /** An opaque name of the end user, for abuse monitoring. */
  user: Schema.optional(Schema.String),
  tools: Schema.optional(Schema.Array(Tool)),
  /** Whether tools may, must or must not be used, or the name of the one that must. The service's default is `auto`. */
  toolChoice: Schema.optional(
    Schema.Union([Schema.Literals(["auto", "none", "required"]), Schema.Struct({ name: Schema.String })])
  ),
  /** Whether the model may ask for several tools at once. */
  parallelToolCalls: Schema.optional(Schema.Boolean),
  /** The service's default is `text`. */
  responseFormat: Schema.optional(ResponseFormat),
  /** Asks for a summary of the reasoning, which arrives as `ReasoningDelta`. Never guaranteed. Responses API only. */
  reasoningSummary: Schema.optional(Schema.Literals(["auto", "concise", "detailed"])),
  /** Fields of the service that have no name here, put into the body as they are. */
  extra: Schema.optional(JsonSchema)
})

/**
 * @category models
 * @since 0.1.0
 */
export type O1Request = typeof O1Request.Type

/**
 * @category constructors
 * @since 0.1.0
 */
export const developer = (content: string): { readonly role: "developer"; readonly content: string } => ({
  role: "developer",
  content
})

/**
 * @category constructors
 * @since 0.1.0
 */
export const system = (content: string): { readonly role: "system"; readonly content: string } => ({
  role: "system",
  content
})

/**
 * What the user says: text, or pieces of text and images.
 *
 * @category constructors
 * @since 0.1.0
 */
export const user = <C extends Extract<Message, { readonly role: "user" }>["content"]>(
  content: C
): { readonly role: "user"; readonly content: C } => ({ role: "user", content })

/**
 * @category constructors
 * @since 0.1.0
 */
export const assistant = (
  content: string,
  toolCalls?: ReadonlyArray<ToolCall>
): Extract<Message, { readonly role: "assistant" }> => ({ role: "assistant", content, toolCalls })

/**
 * The result of a tool call.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toolResult = (toolCallId: string, content: string): Extract<Message, { readonly role: "tool" }> => ({
  role: "tool",
  toolCallId,
  content
})

/**
 * A piece of text within a message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const textPart = (text: string): Extract<Part, { readonly type: "text" }> => ({ type: "text", text })

/**
 * An image within a message, by its `https:` or `data:` URL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const imagePart = (
  url: string,
  detail?: "auto" | "low" | "high"
): Extract<Part, { readonly type: "image" }> => ({ type: "image", url, detail })

/**
 * A tool whose arguments a schema describes. Throws if the schema is not that of an object.
 *
 * **Example** (A tool)
 *
 * ```ts import.meta.vitest
 * import { tool } from "@effect-resilience/azure-o1"
 * import { Schema } from "effect"
 *
 * const weather = tool("weather", {
 *   description: "The weather of a city, now.",
 *   parameters: Schema.Struct({ city: Schema.String })
 * })
 *
 * weather.parameters["required"] // => ["city"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const tool = (
  name: string,
  options: {
    readonly description?: string | undefined
    readonly parameters: Schema.ConstraintCodec<unknown, unknown>
    /** @default true */
    readonly strict?: boolean | undefined
  }
): Tool => ({
  name,
  description: options.description,
  parameters: OpenAiStructuredOutput.toCodecOpenAI(options.parameters).jsonSchema,
  strict: options.strict
})

/**
 * The text of a message, images left out.
 *
 * @category getters
 * @since 0.1.0
 */
export const messageText = ({ content }: Message): string =>
  typeof content === "string" ? content : content.map((part) => part.type === "text" ? part.text : "").join("")
