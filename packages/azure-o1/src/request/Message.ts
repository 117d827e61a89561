/**
 * What a conversation is made of.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { type Metadata, type O1Completion, ToolCall } from "../O1Completion.ts"

/**
 * The speaker. Reasoning models take instructions from `developer`; a `system` message is treated as one, and a conversation
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
 * A piece of text within a message.
 *
 * @category models
 * @since 0.1.0
 */
export interface TextPart {
  readonly type: "text"
  readonly text: string
}

/**
 * An image within a message.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImagePart {
  readonly type: "image"
  /** An `https:` or `data:` URL. */
  readonly url: string
  /** How closely the model looks, and so what the image costs. The service's default is `auto`. */
  readonly detail?: "auto" | "low" | "high" | undefined
}

/**
 * A file within a message, for example a PDF, by its URL or by the id of an upload.
 *
 * @category models
 * @since 0.1.0
 */
export interface FilePart {
  readonly type: "file"
  /** A `data:` URL, or an `https:` URL, which only the Responses API takes. Either this or `id`. */
  readonly url?: string | undefined
  /** What the service called the file when it was uploaded. */
  readonly id?: string | undefined
  /** What the model is told that the file is called. */
  readonly filename?: string | undefined
}

/**
 * A piece of what the user says.
 *
 * @category models
 * @since 0.1.0
 */
export type Part = TextPart | ImagePart | FilePart

const urlOf = (pattern: RegExp, allowed: string) =>
  Schema.String.check(Schema.makeFilter((url) => pattern.test(url) ? undefined : `must be ${allowed}`))

const FileFields = Schema.Struct({
  type: Schema.Literal("file"),
  url: Schema.optional(urlOf(/^(https:\/\/|data:)/i, "an https: or data: URL")),
  id: Schema.optional(Schema.NonEmptyString),
  filename: Schema.optional(Schema.String)
})

/**
 * The schema of {@link Part}.
 *
 * @category models
 * @since 0.1.0
 */
export const Part: Schema.Codec<Part> = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("image"),
    url: urlOf(/^(https:\/\/|data:image\/)/i, "an https: or data: URL"),
    detail: Schema.optional(Schema.Literals(["auto", "low", "high"]))
  }),
  FileFields.check(
    Schema.makeFilter(({ id, url }) => (id === undefined) !== (url === undefined) ? undefined : "must have url or id")
  )
])

/**
 * Instructions to a reasoning model.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeveloperMessage {
  readonly role: "developer"
  readonly content: string
}

/**
 * Instructions, in the words of earlier models.
 *
 * @category models
 * @since 0.1.0
 */
export interface SystemMessage {
  readonly role: "system"
  readonly content: string
}

/**
 * Text, or pieces of text, images and files.
 *
 * @category models
 * @since 0.1.0
 */
export type UserContent = string | ReadonlyArray<Part>

/**
 * What the user says.
 *
 * @category models
 * @since 0.1.0
 */
export interface UserMessage<out Content extends UserContent = UserContent> {
  readonly role: "user"
  readonly content: Content
}

/**
 * What a message is for: `commentary` on the way, or the `final_answer`; the service may name further ones.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "commentary" | "final_answer" | (string & {})

/**
 * A piece of an answer as the Responses API gave it, for example reasoning. It is plain data that only the service has to
 * understand.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutputItem {
  readonly [field: string]: unknown
}

/**
 * An answer of the model. `Message.fromCompletion` makes one with all that the service wants back.
 *
 * @category models
 * @since 0.1.0
 */
export interface AssistantMessage {
  readonly role: "assistant"
  readonly content: string
  /** What the model asked for in this turn. */
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
  /** What the model said if it refused to answer. */
  readonly refusal?: string | undefined
  /** What `content` is in the turn. */
  readonly phase?: Phase | undefined
  /**
   * The answer as the Responses API gave it: reasoning, commentary, messages and calls in their order. It decides in which
   * order, and with which reasoning, `content` and `toolCalls` are sent back; anything that it does not mention comes last.
   * Chat Completions has no place for it.
   */
  readonly items?: ReadonlyArray<OutputItem> | undefined
  /**
   * The host that gave `items`. Another host, as after a failover, does not know their ids and cannot read their reasoning,
   * so it gets only the text and the calls.
   */
  readonly host?: string | undefined
}

/**
 * The result of a tool call.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolMessage {
  readonly role: "tool"
  /** The call that this is the result of. */
  readonly toolCallId: string
  readonly content: string
}

/**
 * One message of the conversation.
 *
 * @category models
 * @since 0.1.0
 */
export type Message = DeveloperMessage | SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** What of an answer is said back. */
interface Answered extends Pick<O1Completion, "text" | "toolCalls" | "refusal"> {
  readonly metadata: Pick<Metadata, "output" | "host">
}

const isItem = (item: unknown): item is OutputItem => typeof item === "object" && item !== null && !Array.isArray(item)

const fromCompletion = ({ metadata, refusal, text, toolCalls }: Answered): AssistantMessage => {
  const items = metadata.output.filter(isItem)
  const phase = items.findLast(({ phase, type }) => type === "message" && phase !== "commentary")?.["phase"]
  return {
    role: "assistant",
    content: text,
    ...toolCalls.length === 0 ? {} : { toolCalls },
    ...refusal === undefined ? {} : { refusal },
    ...typeof phase === "string" ? { phase } : {},
    ...items.length === 0 ? {} : { items },
    ...items.length === 0 || metadata.host === undefined ? {} : { host: metadata.host }
  }
}

const MessageSchema: Schema.Codec<Message> = Schema.Union([
  Schema.Struct({ role: Schema.Literal("developer"), content: Schema.String }),
  Schema.Struct({ role: Schema.Literal("system"), content: Schema.String }),
  Schema.Struct({
    role: Schema.Literal("user"),
    content: Schema.Union([Schema.String, Schema.Array(Part).check(Schema.isMinLength(1))])
  }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Schema.String,
    toolCalls: Schema.optional(Schema.Array(ToolCall)),
    refusal: Schema.optional(Schema.String),
    phase: Schema.optional(Schema.String),
    items: Schema.optional(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))),
    host: Schema.optional(Schema.String)
  }),
  Schema.Struct({ role: Schema.Literal("tool"), toolCallId: Schema.String, content: Schema.String })
])

/**
 * The schema of a message, and `fromCompletion`, which makes the next turn's message of an answer.
 *
 * **Example** (The next turn of a conversation)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, Message, user } from "@effect-resilience/azure-o1"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const history: Array<Message> = [user("My name is Ada.")]
 *   const first = yield* o1.complete({ messages: history })
 *   history.push(Message.fromCompletion(first), user("What is my name?"))
 *   const second = yield* o1.complete({ messages: history })
 *   return second.text
 * })
 *
 * const test = AzureO1Test.layer([AzureO1Test.answer("Hello Ada."), AzureO1Test.answer("Ada.")])
 * await Effect.runPromise(Effect.provide(program, test)) // => "Ada."
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const Message: Schema.Codec<Message> & {
  /**
   * An answer as a message of the conversation, with what the API wants back: tool calls, refusal, and from the Responses API
   * reasoning (encrypted if nothing is stored), commentary and phases. Both APIs take it.
   */
  readonly fromCompletion: (completion: Answered) => AssistantMessage
} = Object.assign(MessageSchema, { fromCompletion })
