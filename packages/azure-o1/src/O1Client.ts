/**
 * What a client can be asked, and how one call can differ from the others.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { O1Completion, ResumeToken } from "./O1Completion.ts"
import type { O1Error } from "./O1Error.ts"
import type { O1Event } from "./O1Event.ts"
import type { Fact } from "./O1Fact.ts"
import type { O1Request } from "./O1Request.ts"

/**
 * What one call can have otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  /** The limit of the first attempt, to its first content. It does not limit a response that the service keeps. */
  readonly timeout?: Duration.Input | undefined
  /**
   * The longest silence within the answer. If the service does not keep the answer, such a silence ends the attempt. If the
   * service keeps it and no byte comes for so long, the client opens another connection.
   *
   * @default that of the policy
   */
  readonly idle?: Duration.Input | undefined
  /** The limit of the whole call, retries and waits included. At least `timeout`, if only that is given. */
  readonly total?: Duration.Input | undefined
  /** How many times a failed attempt is followed by another one. */
  readonly retries?: number | undefined
  /**
   * How many questions in a row for a response that the service keeps may bring nothing before the call fails, with the token to
   * resume it.
   *
   * @default 8
   */
  readonly fruitless?: number | undefined
  /** What follows an attempt that took too long: one with twice the limit, one with the same, or none. */
  readonly onTimeout?: "escalate" | "same" | "never" | undefined
  /**
   * What follows if a stream breaks after its first content and the service has not kept it. `continue`: the error; only a
   * kept answer continues. `restart`: the answer once more from the beginning, which a `Restarted` event announces.
   *
   * @default "continue"
   */
  readonly onBreak?: "continue" | "restart" | undefined
  /**
   * If reasoning used up all output tokens and left no answer, the client makes the call once more with this many
   * (`maxCompletionTokens`).
   *
   * @default never
   */
  readonly moreTokens?: number | undefined
  /**
   * What becomes of a response in the background when nobody here waits for it any more. `cancel`: the client tells the
   * service to stop. `keep`: the service goes on, and `AzureO1.resume` gives the answer later.
   *
   * @default `cancel` when the caller is interrupted or stops to read; `keep` when the call fails, for the error has the token
   */
  readonly onLeave?: "cancel" | "keep" | undefined
}

/**
 * The options that make sense for reading a kept response. `retries`, if given, is one less than `fruitless`. `onLeave` is
 * `keep` by default.
 *
 * @category models
 * @since 0.1.0
 */
export type ResumeOptions = Pick<CallOptions, "fruitless" | "idle" | "onLeave" | "retries" | "total">

/**
 * The answer as a value, and the completion that it came in.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Object<A> {
  readonly value: A
  readonly completion: O1Completion
}

/**
 * What a call for an object can have otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface ObjectOptions extends CallOptions {
  /**
   * The name of the object that the client tells the service.
   *
   * @default "answer"
   */
  readonly name?: string | undefined
}

/**
 * The client: what `AzureO1` is.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Client {
  /** The whole answer. Interrupting it cancels the request on the wire, and what the service does for it. */
  readonly complete: (request: O1Request, options?: CallOptions) => Effect.Effect<O1Completion, O1Error>
  /** The answer as it is made, with the progress meanwhile; it ends with `Finished`. */
  readonly stream: (request: O1Request, options?: CallOptions) => Stream.Stream<O1Event, O1Error>
  /**
   * The text of the answer as it is made, and nothing else. It fails where `stream` would tell that the answer begins anew.
   */
  readonly tokens: (request: O1Request, options?: CallOptions) => Stream.Stream<string, O1Error>
  /**
   * An answer of the form that a schema describes, decoded. A refusal is an `O1RefusalError`, an answer that was cut off at
   * the limit of tokens an `O1OutputLimitError` of kind `cut-off`, and one that does not match an `O1ProtocolError` of kind
   * `schema-mismatch`. These errors have what came, as `completion` and `usage`.
   */
  readonly object: <A>(
    schema: Schema.ConstraintCodec<A, unknown>,
    request: Omit<O1Request, "responseFormat">,
    options?: ObjectOptions
  ) => Effect.Effect<O1Object<A>, O1Error>
  /**
   * The events of a response that the service keeps, from where the token says. `Accepted` events have a token, and so do
   * errors after which the service may still go on.
   */
  readonly resume: (token: ResumeToken, options?: ResumeOptions) => Stream.Stream<O1Event, O1Error>
  /** Tells the service to stop making a response. Succeeds if the response has already ended. */
  readonly cancel: (token: ResumeToken) => Effect.Effect<void, O1Error>
  /** What the client has learnt about its deployments, and goes by. */
  readonly learned: Effect.Effect<ReadonlyArray<Fact>>
}
