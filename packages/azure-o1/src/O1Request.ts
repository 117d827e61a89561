/**
 * A request to a reasoning model.
 *
 * One request serves both of Azure's APIs, Chat Completions and Responses. The deployment's configuration chooses the API.
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
import * as Schema from "effect/Schema"
import { Message } from "./request/Message.ts"
import { JsonSchema, Name, Tool } from "./request/Tool.ts"

export {
  type AssistantMessage,
  type DeveloperMessage,
  type FilePart,
  type ImagePart,
  Message,
  type OutputItem,
  Part,
  type Phase,
  Role,
  type SystemMessage,
  type TextPart,
  type ToolMessage,
  type UserContent,
  type UserMessage
} from "./request/Message.ts"
export {
  assistant,
  developer,
  filePart,
  imagePart,
  messageText,
  system,
  textPart,
  toolResult,
  user
} from "./request/parts.ts"
export { type JsonSchema, Tool, tool, type TypedTool } from "./request/Tool.ts"

/**
 * How long the model may think: the price and the time of an answer grow with it. The model's `ModelProfile` says which
 * values it knows; o1 has `low`, `medium` and `high`.
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

/**
 * The form of the answer: `text`, `json` (some JSON object), or JSON that matches a schema. `AzureO1.object` makes the last
 * one from a schema and decodes the answer.
 *
 * @category models
 * @since 0.1.0
 */
export type ResponseFormat = "text" | "json" | {
  readonly name: string
  readonly description?: string | undefined
  readonly schema: JsonSchema
  /**
   * Whether the answer must match the schema exactly.
   *
   * @default true
   */
  readonly strict?: boolean | undefined
}

/**
 * The schema of {@link ResponseFormat}.
 *
 * @category models
 * @since 0.1.0
 */
export const ResponseFormat: Schema.Codec<ResponseFormat> = Schema.Union([
  Schema.Literals(["text", "json"]),
  Schema.Struct({
    name: Name,
    description: Schema.optional(Schema.String),
    schema: JsonSchema,
    strict: Schema.optional(Schema.Boolean)
  })
])

/**
 * A request for one completion. The model's `ModelProfile` says which of its fields the model takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Request {
  /** The conversation so far, at least one message. */
  readonly messages: ReadonlyArray<Message>
  /** The service's default is `medium`, from gpt-5.1 on `none` or what the model has. */
  readonly reasoningEffort?: ReasoningEffort | undefined
  /**
   * The most tokens that reasoning and answer together may take. Reasoning is not shown but counts: if the budget is too
   * small, there is no answer at all. Azure charges the budget against the tokens-per-minute limit when it admits the call.
   * `complete` makes one plain request, the cheapest way, if the budget is at most 500.
   */
  readonly maxCompletionTokens?: number | undefined
  readonly tools?: ReadonlyArray<Tool> | undefined
  /** Whether tools may, must or must not be used, or the name of the one that must. The service's default is `auto`. */
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
  /** Whether the model may ask for several tools at once. */
  readonly parallelToolCalls?: boolean | undefined
  /** The service's default is `text`. */
  readonly responseFormat?: ResponseFormat | undefined
  /** Asks for a summary of the reasoning, which arrives as `ReasoningDelta`. Never guaranteed. Responses API only. */
  readonly reasoningSummary?: "auto" | "concise" | "detailed" | undefined
  /** How much the model says. The service's default is `medium`. */
  readonly verbosity?: "low" | "medium" | "high" | undefined
  /**
   * The stored response that this request continues; `messages` are then only what is new. The Responses API carries such a
   * request.
   */
  readonly previousResponseId?: string | undefined
  /** What else the answer is to contain, for example `reasoning.encrypted_content`. Responses API only. */
  readonly include?: ReadonlyArray<string> | undefined
  /** Requests with the same key share the service's cache of prompts more often. */
  readonly promptCacheKey?: string | undefined
  /** An opaque name of the end user, for the service's monitoring of abuse; at most 64 characters of no personal data. */
  readonly safetyIdentifier?: string | undefined
  /** The earlier name of `safetyIdentifier`, which all API versions know. */
  readonly user?: string | undefined
  /** Up to 16 pairs that are kept with a stored response. */
  readonly metadata?: { readonly [key: string]: string } | undefined
  /** Which capacity serves the request, for example `priority`. */
  readonly serviceTier?: "auto" | "default" | "flex" | "priority" | (string & {}) | undefined
  /**
   * From 0 to 2. Reasoning models do not take it, or only with the effort `none`. The same is true of all fields below but
   * `seed`.
   */
  readonly temperature?: number | undefined
  /** From 0 to 1. */
  readonly topP?: number | undefined
  /** How many alternatives each token is told with, from 0 to 20. */
  readonly topLogprobs?: number | undefined
  /** From -2 to 2. Chat Completions only. */
  readonly presencePenalty?: number | undefined
  /** From -2 to 2. Chat Completions only. */
  readonly frequencyPenalty?: number | undefined
  /** By token, from -100 to 100. Chat Completions only. */
  readonly logitBias?: { readonly [token: string]: number } | undefined
  /** Up to four texts at which the answer ends. Chat Completions only. */
  readonly stop?: string | ReadonlyArray<string> | undefined
  /** Equal requests with equal seeds have similar answers, as far as the service can. Left out with the Responses API. */
  readonly seed?: number | undefined
  /**
   * Fields of the service that have no name here. The client merges an object with what it sends under that name, adds a list
   * to its own, and replaces anything else. It refuses what it must decide itself (`model`, `messages`, `input`, `stream`,
   * `background`, and `store` where it is a setting).
   */
  readonly extra?: { readonly [field: string]: unknown } | undefined
}

const between = (minimum: number, maximum: number) =>
  Schema.optional(Schema.Finite.check(Schema.isBetween({ minimum, maximum })))

/**
 * The schema of {@link O1Request}.
 *
 * @category models
 * @since 0.1.0
 */
export const O1Request: Schema.ConstraintCodec<O1Request> = Schema.Struct({
  messages: Schema.Array(Message).check(
    Schema.makeFilter((messages) => messages.length > 0 ? undefined : "must have at least one message")
  ),
  reasoningEffort: Schema.optional(ReasoningEffort),
  maxCompletionTokens: Schema.optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  tools: Schema.optional(Schema.Array(Tool)),
  toolChoice: Schema.optional(
    Schema.Union([Schema.Literals(["auto", "none", "required"]), Schema.Struct({ name: Schema.String })])
  ),
  parallelToolCalls: Schema.optional(Schema.Boolean),
  responseFormat: Schema.optional(ResponseFormat),
  reasoningSummary: Schema.optional(Schema.Literals(["auto", "concise", "detailed"])),
  verbosity: Schema.optional(Schema.Literals(["low", "medium", "high"])),
  previousResponseId: Schema.optional(Schema.NonEmptyString),
  include: Schema.optional(Schema.Array(Schema.String)),
  promptCacheKey: Schema.optional(Schema.String),
  safetyIdentifier: Schema.optional(Schema.String),
  user: Schema.optional(Schema.String),
  metadata: Schema.optional(Schema.Record(Schema.String, Schema.String).check(Schema.isMaxProperties(16))),
  serviceTier: Schema.optional(Schema.String),
  temperature: between(0, 2),
  topP: between(0, 1),
  topLogprobs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))),
  presencePenalty: between(-2, 2),
  frequencyPenalty: between(-2, 2),
  logitBias: Schema.optional(
    Schema.Record(Schema.String, Schema.Finite.check(Schema.isBetween({ minimum: -100, maximum: 100 })))
  ),
  stop: Schema.optional(
    Schema.Union([Schema.String, Schema.Array(Schema.String).check(Schema.isBetweenLength(1, 4))])
  ),
  seed: Schema.optional(Schema.Int),
  extra: Schema.optional(JsonSchema)
})
