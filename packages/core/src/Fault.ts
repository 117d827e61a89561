/**
 * One classification of failures for all policies.
 *
 * Every policy asks the same question of an `Exit`: is it worth another try, does it speak against the callee, did the callee
 * ask for a pause? This module answers once, and every policy takes `classify` to answer differently.
 *
 * | fault | retried | circuit breaker | examples |
 * | --- | --- | --- | --- |
 * | `Transient` | yes | failure | timeout, connection reset, 5xx |
 * | `Throttled` | yes, not before `retryAfter` | ignored | 429 |
 * | `Permanent` | no | success: the callee answered | 400, 401, 404 |
 * | `Rejected` | no, unless asked | ignored | circuit open, bulkhead full |
 * | `Defect` | no | failure | a thrown bug |
 * | `Interrupted` | no | ignored, frees a probe | the caller went away |
 *
 * **Example** (An error that says what it is)
 *
 * ```ts import.meta.vitest
 * import { Fault } from "@effect-resilience/core"
 * import { Data, Exit } from "effect"
 *
 * class Busy extends Data.TaggedError("Busy")<{}> {
 *   readonly [Fault.TypeId] = Fault.throttled({ retryAfter: "5 seconds" })
 * }
 *
 * Fault.of(Exit.fail(new Busy()))?._tag // => "Throttled"
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import type * as Headers from "effect/http/Headers"
import * as Predicate from "effect/Predicate"
import { retryAfterOf } from "./internal/retryAfter.ts"
import * as grpc from "./kernel/grpc.ts"

/**
 * The property by which an error states its own fault.
 *
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~effect-resilience/core/Fault"

/**
 * The next attempt may succeed. `retryAfter` is the pause that the callee asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transient {
  readonly _tag: "Transient"
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * The callee is well and has asked for less. `retryAfter` is the pause that it asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Throttled {
  readonly _tag: "Throttled"
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * The callee answered, and will answer the same again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Permanent {
  readonly _tag: "Permanent"
}

/**
 * A policy of this process refused the call; the callee never saw it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * The call died: a bug, not an outcome.
 *
 * @category models
 * @since 0.1.0
 */
export interface Defect {
  readonly _tag: "Defect"
}

/**
 * Nobody waits for the answer any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Interrupted {
  readonly _tag: "Interrupted"
}

/**
 * What a failure means to a policy.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = Transient | Throttled | Permanent | Rejected | Defect | Interrupted

/**
 * An error that states its own fault.
 *
 * @category models
 * @since 0.1.0
 */
export interface Classified {
  readonly [TypeId]: Fault
}

/**
 * Says what the exit of a call means; `undefined` is a success. `now` is the time in milliseconds since the epoch, needed for
 * a pause that is a date.
 *
 * @category models
 * @since 0.1.0
 */
export type Classify<in E = unknown> = (exit: Exit.Exit<unknown, E>, now: number) => Fault | undefined

/**
 * What the callee has said beside its refusal.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hint {
  /** The pause that the callee asked for. */
  readonly retryAfter?: Duration.Input | undefined
}

const hintOf = (hint: Hint | undefined): Duration.Duration | undefined =>
  hint?.retryAfter === undefined ? undefined : Duration.fromInputUnsafe(hint.retryAfter)

/**
 * A failure that may pass, see {@link Transient}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const transient = (hint?: Hint): Transient => ({ _tag: "Transient", retryAfter: hintOf(hint) })

/**
 * A failure of a callee that asks for less, see {@link Throttled}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const throttled = (hint?: Hint): Throttled => ({ _tag: "Throttled", retryAfter: hintOf(hint) })

/**
 * A failure that is an answer, see {@link Permanent}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const permanent: Permanent = { _tag: "Permanent" }

/**
 * A call that was not made, see {@link Rejected}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rejected = (hint?: Hint): Rejected => ({ _tag: "Rejected", retryAfter: hintOf(hint) })

/**
 * A bug, see {@link Defect}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defect: Defect = { _tag: "Defect" }

/**
 * A call that nobody waits for, see {@link Interrupted}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const interrupted: Interrupted = { _tag: "Interrupted" }

/**
 * The pause that the callee asked for, if the fault carries one.
 *
 * @category accessors
 * @since 0.1.0
 */
export const retryAfter = (fault: Fault): Duration.Duration | undefined =>
  "retryAfter" in fault ? fault.retryAfter : undefined

const plainTransient = transient()
const severity: { readonly [Tag in Fault["_tag"]]: number } = {
  Interrupted: 0,
  Rejected: 1,
  Transient: 2,
  Throttled: 3,
  Permanent: 4,
  Defect: 5
}

/**
 * The fault of an HTTP status: 429 is `Throttled`; 408, 425 and 5xx but for 501 and 505 are `Transient`; the rest is
 * `Permanent` (RFC 9110 sections 15.5 and 15.6, RFC 6585 section 4, RFC 8470 section 5.2).
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofStatus = (status: number, hint?: Hint): Fault => {
  if (status === 429) return throttled(hint)
  if (status === 408 || status === 425) return transient(hint)
  return status >= 500 && status !== 501 && status !== 505 ? transient(hint) : permanent
}

/**
 * The fault of a gRPC status code, `undefined` for `OK` (0). `RESOURCE_EXHAUSTED` is `Throttled`; `UNAVAILABLE`,
 * `DEADLINE_EXCEEDED`, `INTERNAL`, `UNKNOWN` and codes that gRPC does not know are `Transient`; `CANCELLED` is `Interrupted`;
 * the rest is `Permanent`. That includes `ABORTED`: the caller retries it from the start of the transaction (gRPC status
 * codes; gRFC A6 leaves the choice of what is retried to the service).
 *
 * **Example** (A service that is not there, and one that asks for less)
 *
 * ```ts import.meta.vitest
 * import { Fault } from "@effect-resilience/core"
 * import { Duration } from "effect"
 *
 * Fault.ofGrpcStatus(14)?._tag // => "Transient"
 * Fault.ofGrpcStatus(8, { retryAfter: "2 seconds" }) // => Fault.throttled({ retryAfter: "2 seconds" })
 * Fault.ofGrpcStatus(0) // => undefined
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofGrpcStatus = (code: number, hint?: Hint): Fault | undefined => {
  switch (grpc.kindOfStatus(code)) {
    case "Success":
      return undefined
    case "Interrupted":
      return interrupted
    case "Permanent":
      return permanent
    case "Throttled":
      return throttled(hint)
    case "Transient":
      return transient(hint)
  }
}

const ofHttpReason = (reason: unknown, now: number | undefined): Fault => {
  if (Predicate.isTagged(reason, "TransportError")) return plainTransient
  if (!Predicate.isTagged(reason, "StatusCodeError") || !Predicate.hasProperty(reason, "response")) return permanent
  const { headers, status } = reason.response as { readonly status: number; readonly headers: Headers.Headers }
  const retryAfter = retryAfterOf(headers, now)
  const grpcStatus = headers["grpc-status"]
  const said = grpcStatus === undefined ? undefined : ofGrpcStatus(grpc.codeOf(grpcStatus), { retryAfter })
  return said ?? ofStatus(status, { retryAfter })
}

/** The transport error of an `RpcGroup`'s client. Its cause is the HTTP error, unless that was lost on the way. */
const ofRpcReason = (reason: unknown, now: number | undefined): Fault => {
  if (Predicate.isTagged(reason, "RpcClientDefect")) return permanent
  if (!Predicate.isTagged(reason, "HttpError") || !Predicate.hasProperty(reason, "kind")) return plainTransient
  if (reason.kind === "TransportError") return plainTransient
  return ofHttpReason(Predicate.hasProperty(reason, "cause") ? reason.cause : undefined, now)
}

const permanentTags = new Set(["SchemaError", "ConfigError", "NoSuchElementError", "IllegalArgumentError"])

/**
 * The fault of a typed failure. In this order: the error's own fault under {@link TypeId}; Effect's convention `isRetryable`
 * and `retryAfter` (`AiError`, `SqlError`, ...); an `HttpClientError` by its `grpc-status` header or else its status, with
 * the pause of `grpc-retry-pushback-ms` (negative: no other attempt, as gRFC A6 has it), `retry-after-ms`,
 * `x-ms-retry-after-ms` or `Retry-After`, in this order; an `RpcClientError` over HTTP likewise; `SchemaError`,
 * `ConfigError`, `NoSuchElementError`, `IllegalArgumentError` and an `RpcClientError` about malformed data are permanent;
 * anything else is transient.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofError = (error: unknown, now?: number): Fault => {
  if (!Predicate.isObject(error)) return plainTransient
  if (TypeId in error) return error[TypeId] as Fault
  if (Predicate.hasProperty(error, "isRetryable") && Predicate.isBoolean(error.isRetryable)) {
    if (!error.isRetryable) return permanent
    const hint = Predicate.hasProperty(error, "retryAfter") && Duration.isDuration(error.retryAfter)
      ? { retryAfter: error.retryAfter }
      : undefined
    const rateLimited = Predicate.hasProperty(error, "reason") && Predicate.isTagged(error.reason, "RateLimitError")
    return rateLimited ? throttled(hint) : transient(hint)
  }
  if (!Predicate.hasProperty(error, "_tag")) return plainTransient
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  if (error._tag === "HttpClientError") return ofHttpReason(reason, now)
  if (error._tag === "RpcClientError") return ofRpcReason(reason, now)
  return permanentTags.has(error._tag as string) ? permanent : plainTransient
}

/**
 * The fault of a cause: the worst of its reasons, in the order `Defect`, `Permanent`, `Throttled`, `Transient`, `Rejected`,
 * `Interrupted`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofCause = (cause: Cause.Cause<unknown>, now?: number): Fault => {
  let worst: Fault = interrupted
  for (const reason of cause.reasons) {
    const fault = reason._tag === "Fail" ? ofError(reason.error, now) : reason._tag === "Die" ? defect : interrupted
    if (severity[fault._tag] > severity[worst._tag]) worst = fault
  }
  return worst
}

/**
 * The fault of an exit, `undefined` for a success. It is the default of every policy's `classify`.
 *
 * `now`, in milliseconds since the epoch, is needed only for a `Retry-After` that is a date; without `now`, such a date is
 * ignored.
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (exit: Exit.Exit<unknown, unknown>, now?: number): Fault | undefined =>
  exit._tag === "Success" ? undefined : ofCause(exit.cause, now)
