/**
 * What is asked of a reasoning model.
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

/**
 * Who speaks. Reasoning models take instructions from `developer`, not from `system`.
 *
 * @category models
 * @since 0.1.0
 */
export const Role = Schema.Literals(["developer", "user", "assistant"])

/**
 * @category models
 * @since 0.1.0
 */
export type Role = typeof Role.Type

/**
 * One message of the conversation.
 *
 * @category models
 * @since 0.1.0
 */
export const Message = Schema.Struct({
  role: Role,
  content: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Message = typeof Message.Type

/**
 * How long the model may think: the price and the time of an answer grow with it.
 *
 * @category models
 * @since 0.1.0
 */
export const ReasoningEffort = Schema.Literals(["low", "medium", "high"])

/**
 * @category models
 * @since 0.1.0
 */
export type ReasoningEffort = typeof ReasoningEffort.Type

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
  user: Schema.optional(Schema.String)
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
export const developer = (content: string): Message => ({ role: "developer", content })

/**
 * @category constructors
 * @since 0.1.0
 */
export const user = (content: string): Message => ({ role: "user", content })

/**
 * @category constructors
 * @since 0.1.0
 */
export const assistant = (content: string): Message => ({ role: "assistant", content })
