/**
 * What can go wrong, one class each, and in each a `kind`.
 *
 * Every error carries what support asks for (`requestId`, `region`), the history of the attempts, the text that had arrived,
 * and a message that says what to do next. `Fault.TypeId` tells policies what it means to them.
 *
 * **Example** (Telling timeout, rate limit and server error apart)
 *
 * ```ts import.meta.vitest
 * import { type O1Error, O1RateLimitError } from "@effect-resilience/azure-o1"
 * import { Duration, Effect } from "effect"
 *
 * const call: Effect.Effect<string, O1Error> = Effect.fail(
 *   new O1RateLimitError({ kind: "tokens", retryAfter: Duration.seconds(20) })
 * )
 * const handled = call.pipe(
 *   Effect.catchTags({
 *     O1TimeoutError: (error) => Effect.succeed(`too slow: ${error.kind}`),
 *     O1RateLimitError: (error) => Effect.succeed(`too much: ${error.kind}`),
 *     O1ServerError: (error) => Effect.succeed(`down: ${error.kind}`)
 *   })
 * )
 *
 * await Effect.runPromise(handled) // => "too much: tokens"
 * ```
 *
 * @since 0.1.0
 */
import { Fault } from "@effect-resilience/core"
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Attempt, Details } from "./errors/details.ts"
import { messageOf, toJson } from "./errors/wording.ts"

export type { Attempt, Details }

type Complete<Fields> =
  & Readonly<Fields>
  & { readonly [K in keyof Details]-?: Details[K] }
  & { readonly partialText: string; readonly attempts: ReadonlyArray<Attempt> }

/** A tagged error whose details all have a value, so that nobody has to ask whether the history is there. */
const O1ErrorBase = <Tag extends string>(tag: Tag): new<Fields extends object>(
  fields: Fields & Details
) => Cause.YieldableError & { readonly _tag: Tag } & Complete<Fields> => {
  class Base extends Data.TaggedError(tag)<Details> {
    constructor(fields: Details) {
      super({ partialText: "", attempts: [], ...fields })
      // the stack begins with the message, which the fields make
      Error.captureStackTrace?.(this, new.target)
    }

    override toJSON(): object {
      return toJson(this)
    }
  }
  return Base as any // the fields are those of the class that extends it, which TypeScript cannot express here
}

const faultOf = (error: Details, fault: Fault.Fault): Fault.Fault => {
  switch (error.shouldRetry) {
    case undefined:
      return fault
    case true:
      return fault._tag === "Throttled" || fault._tag === "Transient" ? fault : Fault.transient()
    case false:
      return Fault.permanent
  }
}

const format = (duration: Duration.Duration | undefined): string =>
  duration === undefined ? "the limit" : Duration.format(duration)

const textSoFar = ({ partialText }: Details): string => partialText ? "The text so far is in partialText." : ""

/**
 * This client's own limits: `connect`, `headers` (from the request to the headers of the answer), `first-byte` (from there to
 * the first byte), `first` (to the first content), `byte-idle` (between bytes, keep-alives included), `idle` (between pieces
 * of content), `attempt` and `total`. Azure's: `service` (408) and `gateway` (504).
 *
 * @category errors
 * @since 0.1.0
 */
export class O1TimeoutError extends O1ErrorBase("O1TimeoutError")<{
  readonly kind:
    | "connect"
    | "headers"
    | "first-byte"
    | "first"
    | "byte-idle"
    | "idle"
    | "attempt"
    | "total"
    | "service"
    | "gateway"
  readonly limit?: Duration.Duration | undefined
  readonly retryAfter?: Duration.Duration | undefined
}> {
  /** One attempt took longer than `limit`. */
  static attempt(limit: Duration.Input): O1TimeoutError {
    return new O1TimeoutError({ kind: "attempt", limit: Duration.fromInputUnsafe(limit) })
  }

  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, this.kind === "total" ? Fault.permanent : Fault.transient(this))
  }

  override get message(): string {
    const limit = format(this.limit)
    switch (this.kind) {
      case "connect":
        return messageOf(
          this,
          "No connection to the endpoint in time",
          "Check the endpoint and the network in between."
        )
      case "headers":
        return messageOf(this, `The service did not begin to answer within ${limit}`, "Raise the timeout of the call.")
      case "first-byte":
        return messageOf(this, `The service sent headers and then nothing for ${limit}`, "")
      case "first":
        return messageOf(
          this,
          `No output within ${limit}`,
          "Raise the timeout of the call, or lower the reasoning effort."
        )
      case "byte-idle":
        return messageOf(this, `The connection was silent for ${limit}`, textSoFar(this))
      case "idle":
        return messageOf(this, `The answer stopped for ${limit}`, textSoFar(this))
      case "attempt":
        return messageOf(
          this,
          `No answer within ${limit}`,
          "Reasoning can take minutes: raise the timeout of the call, or lower the reasoning effort."
        )
      case "total":
        return messageOf(
          this,
          `The call took longer than ${limit}, retries included`,
          "Raise the total of the call, or lower the reasoning effort."
        )
      case "service":
        return messageOf(
          this,
          "The service gave up on the call (408)",
          "Lower the reasoning effort or shorten the prompt."
        )
      case "gateway":
        return messageOf(this, "A gateway gave up waiting for the service (504)", "Raise the gateway's own timeout.")
    }
  }
}

/**
 * 429 in its kinds. `requests`, `tokens` and `capacity` pass; `request-exceeds-limit` (this one request is larger than the
 * minute's budget) and `quota` do not.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RateLimitError extends O1ErrorBase("O1RateLimitError")<{
  readonly kind: "requests" | "tokens" | "capacity" | "request-exceeds-limit" | "quota"
  readonly retryAfter?: Duration.Duration | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    const passes = this.kind === "requests" || this.kind === "tokens" || this.kind === "capacity"
    return faultOf(this, passes ? Fault.throttled(this) : Fault.permanent)
  }

  override get message(): string {
    const wait = this.retryAfter === undefined ? "" : ` Try again in ${Duration.format(this.retryAfter)}.`
    switch (this.kind) {
      case "requests":
        return messageOf(this, "Too many requests for the deployment", `Spread the calls, or raise its limit.${wait}`)
      case "tokens":
        return messageOf(
          this,
          "Too many tokens per minute for the deployment",
          `Azure counts prompt and maxCompletionTokens when it admits a call: lower them, or raise the limit.${wait}`
        )
      case "capacity":
        return messageOf(this, "The service has no capacity at the moment", `Try another region or later.${wait}`)
      case "request-exceeds-limit":
        return messageOf(
          this,
          "This request alone is larger than the deployment's limit per minute",
          "Lower maxCompletionTokens or the prompt, or raise the limit: waiting does not help."
        )
      case "quota":
        return messageOf(this, "The quota is used up", "Raise the quota or the spending limit: waiting does not help.")
    }
  }
}

/**
 * The service failed. `upstream` is 424, `conflict` 409, `not-implemented` 501 and 505.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ServerError extends O1ErrorBase("O1ServerError")<{
  readonly kind: "internal" | "unavailable" | "upstream" | "conflict" | "not-implemented"
  readonly retryAfter?: Duration.Duration | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, this.kind === "not-implemented" ? Fault.permanent : Fault.transient(this))
  }

  override get message(): string {
    const later = "Try again later; if it stays, give the request id to Azure's support."
    switch (this.kind) {
      case "internal":
        return messageOf(this, "The service failed", later)
      case "unavailable":
        return messageOf(this, "The service is not available", later)
      case "upstream":
        return messageOf(this, "Something that the service depends on failed", later)
      case "conflict":
        return messageOf(this, "The request collided with another one", "Try again.")
      case "not-implemented":
        return messageOf(this, "The service cannot do this", "Check the API version and the model of the deployment.")
    }
  }
}

/**
 * The connection failed. `closed` is an end that nobody announced, `client-closed` (499) a gateway that believes that we
 * left, `unusable` an HTTP client of this process that is closed or broken: no request goes out, and none will.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ConnectionError extends O1ErrorBase("O1ConnectionError")<{
  readonly kind: "refused" | "reset" | "dns" | "tls" | "closed" | "client-closed" | "unusable"
  /** The code of the platform, for example `ECONNRESET`. */
  readonly code?: string | undefined
  /** The name of the error that broke the client, for example `TypeError`; its words may hold the request, and stay out. */
  readonly reason?: string | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    const stays = this.kind === "tls" || this.kind === "client-closed" || this.kind === "unusable"
    return faultOf(this, stays ? Fault.permanent : Fault.transient())
  }

  override get message(): string {
    switch (this.kind) {
      case "refused":
        return messageOf(
          this,
          "The endpoint refused the connection",
          "Check the endpoint and that something listens there."
        )
      case "reset":
        return messageOf(this, "The connection was reset", textSoFar(this))
      case "dns":
        return messageOf(
          this,
          "The host of the endpoint is not known",
          "Check the endpoint for a misspelt resource name."
        )
      case "tls":
        return messageOf(
          this,
          "No secure connection to the endpoint",
          "Check its certificate, and any proxy in between."
        )
      case "closed":
        return messageOf(this, "The connection was closed before the answer was complete", textSoFar(this))
      case "client-closed":
        return messageOf(this, "A gateway closed the request (499)", "Check the timeouts of what is in between.")
      case "unusable": {
        const because = [this.reason, this.code].filter((word) => word !== undefined).join(", ")
        return messageOf(
          this,
          `The HTTP client of this process cannot send${because === "" ? "" : ` (${because})`}`,
          this.code?.startsWith("PROXY_") === true
            ? "Check the address of the proxy, and whether it lets this process through."
            : "Check that its scope is still open: it has to live as long as the calls."
        )
      }
    }
  }
}

/**
 * The request is not one that the service accepts. The same request will fail again.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RequestError extends O1ErrorBase("O1RequestError")<{
  readonly kind:
    | "invalid"
    | "unsupported-parameter"
    | "streaming-unsupported"
    | "context-length"
    | "too-large"
    | "operation-not-supported"
    | "response-not-found"
    | "cancelled"
  /** The parameter at fault, where it is known. */
  readonly param?: string | undefined
  /** The most tokens that the model takes, where the service told. */
  readonly limit?: number | undefined
  /** The tokens that were asked for, where the service told. */
  readonly requested?: number | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const parameter = this.param === undefined ? "a parameter" : `"${this.param}"`
    switch (this.kind) {
      case "invalid":
        return messageOf(
          this,
          this.param === undefined ? "The request is invalid" : `The request is invalid at ${parameter}`,
          ""
        )
      case "unsupported-parameter":
        return messageOf(
          this,
          `The model does not support ${parameter}`,
          "Leave it out, or use another model or API version."
        )
      case "streaming-unsupported":
        return messageOf(this, "The model does not stream", "")
      case "context-length":
        return messageOf(this, "The prompt is longer than the model's context", "Shorten it.")
      case "too-large":
        return messageOf(this, "The request is too large", "Shorten it.")
      case "operation-not-supported":
        return messageOf(this, "The model does not support this operation", "Check the model of the deployment.")
      case "response-not-found":
        return messageOf(this, "The stored response does not exist", "It may have expired.")
      case "cancelled":
        return messageOf(this, "Somebody cancelled the response", "")
    }
  }
}

/**
 * Not let in. `credential` is a failure before the deployment was asked: this process could not get a token.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1AuthError extends O1ErrorBase("O1AuthError")<{
  readonly kind: "unauthorized" | "forbidden" | "token-expired" | "credential"
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    switch (this.kind) {
      case "unauthorized":
        return messageOf(
          this,
          "The key or role was not accepted",
          "Check that the key belongs to this endpoint, or that the role Cognitive Services OpenAI User is assigned."
        )
      case "forbidden":
        return messageOf(this, "Access is forbidden", "Check the resource's network rules and whether it allows keys.")
      case "token-expired":
        return messageOf(this, "The token has expired", "")
      case "credential":
        return messageOf(this, "The credential gave no token", "Check how this process signs in.")
    }
  }
}

/**
 * There is no such deployment, or no such path, or its model is gone.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1DeploymentError extends O1ErrorBase("O1DeploymentError")<{
  readonly kind: "deployment-not-found" | "endpoint-not-found" | "model-retired"
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const name = this.deployment === undefined ? "The deployment" : `The deployment "${this.deployment}"`
    switch (this.kind) {
      case "deployment-not-found":
        return messageOf(
          this,
          `${name} does not exist`,
          "Check its name, which need not be the model's; one made in the last five minutes may need a moment."
        )
      case "endpoint-not-found":
        return messageOf(this, "The endpoint has no such path", "Check the endpoint and the API version.")
      case "model-retired":
        return messageOf(this, `${name} has a model that is retired`, "Deploy a current model.")
    }
  }
}

/**
 * The content filter refused the prompt, or cut off the completion.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ContentFilterError extends O1ErrorBase("O1ContentFilterError")<{
  readonly kind: "prompt" | "completion"
  /** The categories that were filtered, for example `violence`. */
  readonly categories: ReadonlyArray<string>
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const categories = this.categories.length === 0 ? "" : ` (${this.categories.join(", ")})`
    return messageOf(this, `The content filter stopped the ${this.kind}${categories}`, "Change the prompt.")
  }
}

/**
 * The model refused, where an object was asked for. (A refusal in words is an answer: it is in the completion's `refusal`.)
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RefusalError extends O1ErrorBase("O1RefusalError")<{
  readonly kind: "refused"
  /** The model's words. */
  readonly refusal: string
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    return messageOf(this, "The model refused to answer", "Its words are in refusal. Change the prompt.")
  }
}

/**
 * What came was not an answer. `truncated`: it ended without saying that it was the end. `unexpected-content-type`: a page, for
 * example of a proxy. `schema-mismatch`: an answer that is not of the schema that `object` asked for.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1ProtocolError extends O1ErrorBase("O1ProtocolError")<{
  readonly kind: "truncated" | "malformed" | "unexpected-content-type" | "schema-mismatch"
}> {
  get [Fault.TypeId](): Fault.Fault {
    // what has been shown, what has been paid for, and the page of a proxy are not better the next time
    const again = this.partialText === "" && (this.kind === "truncated" || this.kind === "malformed")
    return faultOf(this, again ? Fault.transient() : Fault.permanent)
  }

  override get message(): string {
    switch (this.kind) {
      case "truncated":
        return messageOf(this, "The answer ended before it was complete", textSoFar(this))
      case "malformed":
        return messageOf(this, "The answer was not in the expected form", "Check what is between here and the service.")
      case "unexpected-content-type":
        return messageOf(this, "The answer was of another kind", "Check the endpoint: this may be the page of a proxy.")
      case "schema-mismatch":
        return messageOf(
          this,
          "The answer does not fit the schema",
          this.completion === undefined ? "" : "The answer is in completion."
        )
    }
  }
}

/**
 * The budget of output tokens did not suffice. `reasoning-exhausted`: reasoning used up all of it, so that there is no answer.
 * `cut-off`: the answer ends in the middle, where an object was asked for.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1OutputLimitError extends O1ErrorBase("O1OutputLimitError")<{
  readonly kind: "reasoning-exhausted" | "cut-off"
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.permanent)
  }

  override get message(): string {
    const { kind, usage } = this
    const advice = "Raise maxCompletionTokens, 25,000 to begin with, or lower the reasoning effort."
    switch (kind) {
      case "reasoning-exhausted": {
        const spent = usage === undefined ? "" : ` (${usage.reasoning} tokens)`
        return messageOf(this, `Reasoning used up all output tokens${spent}`, advice)
      }
      case "cut-off":
        return messageOf(this, "The answer was cut off at the limit of output tokens", advice)
    }
  }
}

/**
 * A policy of this process refused the call; the service never saw it.
 *
 * @category errors
 * @since 0.1.0
 */
export class O1RejectedError extends O1ErrorBase("O1RejectedError")<{
  readonly kind: "circuit-open" | "bulkhead" | "limiter" | "budget"
  readonly retryAfter?: Duration.Duration | undefined
}> {
  get [Fault.TypeId](): Fault.Fault {
    return faultOf(this, Fault.rejected(this))
  }

  override get message(): string {
    const wait = this.retryAfter === undefined || !Duration.isFinite(this.retryAfter)
      ? ""
      : `Try again in ${Duration.format(this.retryAfter)}.`
    switch (this.kind) {
      case "circuit-open":
        return messageOf(this, "The service has failed too often, so that it is not being called", wait)
      case "bulkhead":
        return messageOf(this, "Too many calls are under way", wait)
      case "limiter":
        return messageOf(this, "The rate limit of this process is used up", wait)
      case "budget":
        return messageOf(this, "The retry budget is used up", wait)
    }
  }
}

/**
 * Everything that can go wrong.
 *
 * @category errors
 * @since 0.1.0
 */
export type O1Error =
  | O1TimeoutError
  | O1RateLimitError
  | O1ServerError
  | O1ConnectionError
  | O1RequestError
  | O1AuthError
  | O1DeploymentError
  | O1ContentFilterError
  | O1RefusalError
  | O1ProtocolError
  | O1OutputLimitError
  | O1RejectedError

const classes: ReadonlyArray<abstract new(fields: never) => O1Error> = [
  O1TimeoutError,
  O1RateLimitError,
  O1ServerError,
  O1ConnectionError,
  O1RequestError,
  O1AuthError,
  O1DeploymentError,
  O1ContentFilterError,
  O1RefusalError,
  O1ProtocolError,
  O1OutputLimitError,
  O1RejectedError
]

/**
 * What is common to all of them.
 *
 * @category guards
 * @since 0.1.0
 */
export const O1Error = {
  /** Whether it is one of them. */
  is: (u: unknown): u is O1Error => classes.some((constructor) => u instanceof constructor),

  /** Whether another attempt may go better: transient failures, and throttling that passes. */
  isTransient: (error: O1Error): boolean => {
    const { _tag } = error[Fault.TypeId]
    return _tag === "Transient" || _tag === "Throttled"
  },

  /** The same error with more details; the original is left as it is. */
  with: <E extends O1Error>(
    error: E,
    details: Details & { readonly retryAfter?: Duration.Duration | undefined }
  ): E => {
    const fields = Object.fromEntries(Object.entries(error).filter(([key]) => key !== "_tag"))
    const copy = new (error.constructor as new(fields: object) => E)({ ...fields, ...details })
    // it failed where the original did, for what the copy says
    const stack = error.stack?.replace(error.message, () => copy.message)
    return Object.defineProperty(copy, "stack", { value: stack, configurable: true, writable: true })
  },

  /** Class and kind in one word, for example `O1ServerError/unavailable`. */
  label: (error: unknown): string =>
    O1Error.is(error)
      ? `${error._tag}/${error.kind}`
      : Predicate.hasProperty(error, "_tag")
      ? String(error._tag)
      : String(error)
} as const
