/**
 * The client for programs without Effect: promises and async iterables, an `AbortSignal` for each call, and one `close`.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type { CallOptions, O1Object, ObjectOptions, ResumeOptions } from "./O1Client.ts"
import type { O1Completion, ResumeToken } from "./O1Completion.ts"
import type { O1Event } from "./O1Event.ts"
import type { O1Request } from "./O1Request.ts"

/**
 * What ends a call from outside. The call fails with the signal's reason, once the service has been told to stop.
 *
 * @category models
 * @since 0.1.0
 */
export interface Abortable {
  readonly signal?: AbortSignal | undefined
}

/**
 * The result of `AzureO1Promise.make`: the same calls as those of `AzureO1`, under the same policy. A failure is thrown as the
 * `O1Error` that it is, with its `_tag` and `kind`.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1Promise {
  /** The whole answer. */
  readonly complete: (request: O1Request, options?: CallOptions & Abortable) => Promise<O1Completion>
  /** The answer as it is made, with the progress meanwhile; it ends with `Finished`. If you leave the loop, the call ends. */
  readonly stream: (request: O1Request, options?: CallOptions & Abortable) => AsyncIterable<O1Event>
  /** The text of the answer as it is made, and nothing else. */
  readonly tokens: (request: O1Request, options?: CallOptions & Abortable) => AsyncIterable<string>
  /** An answer of the form that a schema describes, decoded. */
  readonly object: <A>(
    schema: Schema.ConstraintCodec<A, unknown>,
    request: Omit<O1Request, "responseFormat">,
    options?: ObjectOptions & Abortable
  ) => Promise<O1Object<A>>
  /** The events of a response that the service keeps, from where the token says. */
  readonly resume: (token: ResumeToken, options?: ResumeOptions & Abortable) => AsyncIterable<O1Event>
  /** Tells the service to stop making a response. */
  readonly cancel: (token: ResumeToken) => Promise<void>
  /** Ends the calls in flight, and closes the sockets. A later call fails with an `O1ConnectionError`. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
