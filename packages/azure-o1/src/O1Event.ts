/**
 * What a streamed call tells: the content as it arrives, the progress meanwhile, and the whole at the end.
 *
 * Content and `Finished` come from the service. Progress comes from this client: it is there to be shown, and says nothing
 * about the answer.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { O1Completion, ResumeToken } from "./O1Completion.ts"
import type { O1Error } from "./O1Error.ts"
import type { Fact } from "./O1Fact.ts"

/**
 * How an attempt gets its answer: tokens as they come; a response that the service makes in the background and the client
 * polls; or the whole answer at the end of one request.
 *
 * @category models
 * @since 0.1.0
 */
export type Transport = "stream" | "background" | "plain"

/** @since 0.1.0 */
export interface TextDelta {
  readonly _tag: "TextDelta"
  readonly text: string
}

/** @since 0.1.0 */
export interface ReasoningDelta {
  readonly _tag: "ReasoningDelta"
  readonly text: string
}

/**
 * What the model says on its way to the answer, for example before it calls a tool. It is no part of the answer's text.
 *
 * @since 0.1.0
 */
export interface CommentaryDelta {
  readonly _tag: "CommentaryDelta"
  readonly text: string
}

/** @since 0.1.0 */
export interface RefusalDelta {
  readonly _tag: "RefusalDelta"
  readonly text: string
}

/**
 * A piece of a tool call. The pieces with the same `index` make one call.
 *
 * @since 0.1.0
 */
export interface ToolCallDelta {
  readonly _tag: "ToolCallDelta"
  readonly index: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
}

/**
 * The end, with the whole answer.
 *
 * @since 0.1.0
 */
export interface Finished {
  readonly _tag: "Finished"
  readonly completion: O1Completion
}

/**
 * An attempt has been sent.
 *
 * @since 0.1.0
 */
export interface Started {
  readonly _tag: "Started"
  readonly transport: Transport
  /** The facts about the deployment that have shaped this attempt, in sentences. */
  readonly learned: ReadonlyArray<string>
}

/**
 * There is nothing to show yet: an attempt is in flight (`attempt`), the client waits before the next one (`backoff`), or the
 * call waits until the quota of the deployment has room for it (`quota`). `elapsed` is the time since the call began.
 *
 * @since 0.1.0
 */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly phase: "attempt" | "backoff" | "quota"
  readonly elapsed: Duration.Duration
}

/**
 * An attempt has failed, and another one follows after `delay`.
 *
 * @since 0.1.0
 */
export interface Retrying {
  readonly _tag: "Retrying"
  /** The attempt that failed, from 1. */
  readonly attempt: number
  readonly error: O1Error
  readonly delay: Duration.Duration
}

/**
 * A deployment has failed, and the client asks another one at once. Only with a pool.
 *
 * @since 0.1.0
 */
export interface FailedOver {
  readonly _tag: "FailedOver"
  /** The name of the one that failed. */
  readonly from: string
  /** The name of the one that is asked now. */
  readonly to: string
  readonly error: O1Error
}

/**
 * A deployment has given no content so far, and the client asks another one as well: the first content wins. Only with a pool that
 * hedges.
 *
 * @since 0.1.0
 */
export interface Hedged {
  readonly _tag: "Hedged"
  /** The name of the one that is silent. */
  readonly from: string
  /** The name of the one that is asked as well. */
  readonly to: string
  /** How long the first one was silent. */
  readonly after: Duration.Duration
}

/**
 * The service has taken the response on and keeps it. With the token, `AzureO1.resume` gives its events from the beginning,
 * in this process or another.
 *
 * @since 0.1.0
 */
export interface Accepted {
  readonly _tag: "Accepted"
  readonly resume: ResumeToken
}

/**
 * Three cancels of a response that nobody waits for any more were refused: it may go on. The log has the same as a warning.
 *
 * @since 0.1.0
 */
export interface CancelFailed {
  readonly _tag: "CancelFailed"
  /** What the answer can still be read with. */
  readonly resume: ResumeToken
  readonly error: O1Error
}

/**
 * The connection broke, and the answer goes on where it was, without loss or repetition.
 *
 * @since 0.1.0
 */
export interface Resumed {
  readonly _tag: "Resumed"
  /** What broke it. */
  readonly error: O1Error
  /** How it goes on: as a stream, or as a response that the client polls. */
  readonly transport: "stream" | "background"
}

/**
 * The answer begins anew: the content so far is void, and other content follows. Only if the call has asked for it with
 * `onBreak: "restart"`.
 *
 * @since 0.1.0
 */
export interface Restarted {
  readonly _tag: "Restarted"
  readonly error: O1Error
}

/**
 * The client has learnt something about a deployment, and goes on accordingly.
 *
 * @since 0.1.0
 */
export interface Learned {
  readonly _tag: "Learned"
  readonly fact: Fact
  /** The fact in one sentence. */
  readonly text: string
}

/**
 * A piece of the answer. The first one commits the call: after it, nothing is started again.
 *
 * @category models
 * @since 0.1.0
 */
export type ContentEvent = TextDelta | ReasoningDelta | CommentaryDelta | RefusalDelta | ToolCallDelta

/**
 * Something to show meanwhile.
 *
 * @category models
 * @since 0.1.0
 */
export type ProgressEvent =
  | Started
  | Waiting
  | Retrying
  | FailedOver
  | Hedged
  | Accepted
  | CancelFailed
  | Resumed
  | Restarted
  | Learned

/**
 * What the service sends in one attempt.
 *
 * @category models
 * @since 0.1.0
 */
export type AttemptEvent = ContentEvent | Finished

/**
 * Everything that a streamed call tells.
 *
 * @category models
 * @since 0.1.0
 */
export type O1Event = AttemptEvent | ProgressEvent
