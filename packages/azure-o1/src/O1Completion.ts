/**
 * The result of a call: the answer, its cost, and what continues it.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * A call of a function of yours that the model asks for.
 *
 * @category models
 * @since 0.1.0
 */
export const ToolCall = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  /** JSON, as the model wrote it. */
  arguments: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type ToolCall = typeof ToolCall.Type

/**
 * What a call has cost, in tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Usage {
  /** Of the prompt. */
  readonly input: number
  /** Of the prompt, read from the cache at a lower price. */
  readonly cachedInput: number
  /** Of the completion, reasoning included. */
  readonly output: number
  /** Of the completion, never shown. */
  readonly reasoning: number
}

/**
 * Why the model stopped. `length` means that the answer is cut off; the service may name further reasons.
 *
 * @category models
 * @since 0.1.0
 */
export type FinishReason = "stop" | "length" | "tool_calls" | (string & {})

/**
 * The rest of one limit, `undefined` where the service does not tell.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimit {
  /** Per minute. */
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** The time until the limit is whole again. */
  readonly reset: Duration.Duration | undefined
}

/**
 * What the headers of an answer tell.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnswerHeaders {
  /** For Azure's support. */
  readonly requestId: string | undefined
  /** The id that this client gave the request. */
  readonly clientRequestId: string | undefined
  /** The Azure region that answered. */
  readonly region: string | undefined
  readonly servedModel: string | undefined
  readonly rateLimits: { readonly requests: RateLimit; readonly tokens: RateLimit }
}

/**
 * What the content filter said of the prompt or of the completion.
 *
 * @category models
 * @since 0.1.0
 */
export interface FilterResult {
  readonly source: "prompt" | "completion"
  /** By category, for example `{ violence: { filtered: false, severity: "low" } }`, as the service sent it. */
  readonly categories: { readonly [category: string]: unknown }
}

/**
 * What an answer tells besides its content.
 *
 * @category models
 * @since 0.1.0
 */
export interface Metadata {
  readonly headers: AnswerHeaders
  /** The service tier that was used. */
  readonly serviceTier: string | undefined
  /** The fingerprint of the system that answered (Chat Completions only). */
  readonly fingerprint: string | undefined
  readonly filterResults: ReadonlyArray<FilterResult>
  /** Citations and the like, as the service sent them. */
  readonly annotations: ReadonlyArray<unknown>
  /** The items of the output, as the service sent them (Responses API only). */
  readonly output: ReadonlyArray<unknown>
  /** The host that answered: reasoning and the ids of items mean something only there. */
  readonly host?: string | undefined
  /** The deployment that answered, by its name in a pool. */
  readonly deployment?: string | undefined
}

/**
 * The metadata of an answer without any, for example one that a test makes up.
 *
 * @category models
 * @since 0.1.0
 */
export const noMetadata: Metadata = {
  headers: {
    requestId: undefined,
    clientRequestId: undefined,
    region: undefined,
    servedModel: undefined,
    rateLimits: {
      requests: { limit: undefined, remaining: undefined, reset: undefined },
      tokens: { limit: undefined, remaining: undefined, reset: undefined }
    }
  },
  serviceTier: undefined,
  fingerprint: undefined,
  filterResults: [],
  annotations: [],
  output: []
}

/**
 * A complete answer: the service has said that it is the end.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Completion {
  readonly id: string
  /** The model that really answered; a deployment can be upgraded under the same name. */
  readonly model: string
  /** The answer. If the model tells its final answer apart from what it said before, this is the final answer only. */
  readonly text: string
  /** What the model said on its way to the answer, if it tells that apart. */
  readonly commentary: string | undefined
  /** The summary of the reasoning, if there is one. */
  readonly reasoning: string | undefined
  /** What the model said instead of an answer, if it refused. */
  readonly refusal: string | undefined
  readonly finishReason: FinishReason
  readonly toolCalls: ReadonlyArray<ToolCall>
  /** Absent where the service does not tell. */
  readonly usage: Usage | undefined
  /** Differences from the configuration, though there is an answer: another model under the same name, a parameter left out. */
  readonly warnings: ReadonlyArray<string>
  /** For Azure's support. */
  readonly requestId: string | undefined
  /** The Azure region that answered. */
  readonly region: string | undefined
  /** What the answer tells besides. */
  readonly metadata: Metadata
}

/**
 * A response that the service makes and keeps, and the event up to which its stream was read. It is plain data: you can write
 * it down, and another process can use it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResumeToken {
  readonly responseId: string
  readonly deployment: string
  /** The number of the last event; -1 before the first. */
  readonly after: number
}
