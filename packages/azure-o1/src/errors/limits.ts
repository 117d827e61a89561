import * as Fault from "@effect-resilience/core/Fault"
import * as Duration from "effect/Duration"
import { faultOf, format, O1ErrorBase } from "./base.ts"
import { messageOf } from "./wording.ts"

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
        return messageOf(this, `The connection was silent for ${limit}`, "")
      case "idle":
        return messageOf(this, `The answer stopped for ${limit}`, "")
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
 * The budget of output tokens did not suffice. `reasoning-exhausted`: reasoning used up all of it and left no answer.
 * `cut-off`: an object was asked for, and the answer ends in the middle.
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
        return messageOf(
          this,
          "The answer was cut off at the limit of output tokens",
          this.completion === undefined ? advice : `${advice} The answer is in completion.`
        )
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
  readonly kind: "circuit-open" | "bulkhead" | "limiter" | "budget" | "ceiling"
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
        return messageOf(this, "Too many calls are in flight", wait)
      case "limiter":
        return messageOf(this, "The rate limit of this process is used up", wait)
      case "budget":
        return messageOf(this, "The retry budget is used up", wait)
      case "ceiling":
        return messageOf(this, "The ceiling of tokens per hour is reached", wait)
    }
  }
}
