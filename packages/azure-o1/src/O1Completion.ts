/**
 * What comes of a call: the answer, what it has cost, and what it can be continued by.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A call of one of the caller's functions that the model asks for.
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
 * A complete answer: the service has said that it is the end.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Completion {
  readonly id: string
  /** The model that really answered; a deployment can be upgraded under the same name. */
  readonly model: string
  readonly text: string
  /** The summary of the reasoning, if there is one. */
  readonly reasoning: string | undefined
  /** What the model said in the place of an answer, if it refused. */
  readonly refusal: string | undefined
  readonly finishReason: FinishReason
  readonly toolCalls: ReadonlyArray<ToolCall>
  /** Absent where the service does not tell. */
  readonly usage: Usage | undefined
  /** What was not as configured, though there is an answer: another model under the same name, a parameter left out. */
  readonly warnings: ReadonlyArray<string>
  /** For Azure's support. */
  readonly requestId: string | undefined
  /** The Azure region that answered. */
  readonly region: string | undefined
}

/**
 * A response that the service makes and keeps, up to which event its stream was read. It is plain data: it can be written
 * down, and used by another process.
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
