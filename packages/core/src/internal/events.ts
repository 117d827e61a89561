import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import type * as Fault from "../Fault.ts"
import type { Criticality } from "../kernel/criticality.ts"

interface Source<Kind extends string> {
  /** The kind of policy that speaks. */
  readonly policy: Kind
  /** The name that the policy was given. */
  readonly name: string | undefined
}

/**
 * A retry begins an attempt. `attempt` is 1 for the first call.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptStarted extends Source<"retry"> {
  readonly _tag: "AttemptStarted"
  readonly attempt: number
}

/**
 * An attempt has ended, well or not. `duration` is the time of this attempt alone; for a stream it ends with the first
 * element that commits.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptEnded extends Source<"retry"> {
  readonly _tag: "AttemptEnded"
  readonly attempt: number
  readonly duration: Duration.Duration
  /** `undefined` for a success. */
  readonly fault: Fault.Fault | undefined
  readonly exit: Exit.Exit<unknown, unknown>
}

/**
 * A failed attempt will be followed by another one after `delay`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryScheduled extends Source<"retry"> {
  readonly _tag: "RetryScheduled"
  /** The attempt that failed. */
  readonly attempt: number
  readonly fault: Fault.Fault
  /** Empty, where the attempt ended with a value that `result` calls a fault. */
  readonly cause: Cause.Cause<unknown>
  readonly delay: Duration.Duration
}

/**
 * Why a failed attempt is not followed by another one: the fault is not one to retry, the schedule or `times` is used up,
 * the callee asked for a longer pause than `retryAfter.maxDelay`, the wait would end after the deadline, or the budget is used up.
 *
 * @category models
 * @since 0.1.0
 */
export type StopReason = "not-retryable" | "exhausted" | "retry-after-beyond-max" | "deadline" | "budget"

/**
 * A failed attempt was the last one.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryStopped extends Source<"retry"> {
  readonly _tag: "RetryStopped"
  readonly attempt: number
  readonly fault: Fault.Fault
  readonly cause: Cause.Cause<unknown>
  readonly reason: StopReason
}

/**
 * A time limit has ended a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimedOut extends Source<"timeout"> {
  readonly _tag: "TimedOut"
  readonly phase: "attempt" | "total" | "first" | "idle"
  readonly limit: Duration.Duration
  /** The time until the error, a clean-up that was waited for included. */
  readonly elapsed: Duration.Duration
}

/**
 * The clean-up of a call that timed out, or that lost to another attempt, has died. The caller gets the timeout, or the
 * winner's result; the defect shows here, and is logged as an error where nobody listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface CleanupDied extends Source<"timeout" | "hedge"> {
  readonly _tag: "CleanupDied"
  readonly cause: Cause.Cause<never>
}

/**
 * A circuit breaker has changed its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitChanged extends Source<"circuit-breaker"> {
  readonly _tag: "CircuitChanged"
  readonly from: CircuitState
  readonly to: CircuitState
}

/**
 * What a circuit breaker is doing.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitState = "Closed" | "Open" | "HalfOpen" | "Isolated" | "MetricsOnly" | "Disabled"

/**
 * A circuit breaker that only counts would have opened: told when a rule is met that was not met before.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitExceeded extends Source<"circuit-breaker"> {
  readonly _tag: "CircuitExceeded"
}

/**
 * A circuit breaker has refused a call; the callee never saw it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByCircuit extends Source<"circuit-breaker"> {
  readonly _tag: "RejectedByCircuit"
  /** The state that rejected the call. */
  readonly state: "Open" | "HalfOpen" | "Isolated"
  /** When it is worth trying again; infinite while the circuit is isolated, zero while it is half-open. */
  readonly retryAfter: Duration.Duration
}

/**
 * A whole call has ended, retries and waits included: what `Observability.call` is around.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallEnded extends Source<"call"> {
  readonly _tag: "CallEnded"
  readonly duration: Duration.Duration
  readonly exit: Exit.Exit<unknown, unknown>
}

/**
 * A call that was interrupted by a timeout with `detach` did not end at once, and nobody waits for it any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallDetached extends Source<"timeout"> {
  readonly _tag: "CallDetached"
  /** How many of them this policy has now. */
  readonly running: number
}

/**
 * Such a call has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface DetachedEnded extends Source<"timeout"> {
  readonly _tag: "DetachedEnded"
  /** How many this policy has left. */
  readonly running: number
  /** The time since its interruption. */
  readonly after: Duration.Duration
}

/**
 * Work has not ended at its deadline, or came to begin after it.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadlinePassed extends Source<"deadline"> {
  readonly _tag: "DeadlinePassed"
  /** Whether the work had begun. */
  readonly began: boolean
  /** How long ago the deadline was. */
  readonly overrun: Duration.Duration
}

/**
 * A call has failed, and something else is given in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackUsed extends Source<"fallback"> {
  readonly _tag: "FallbackUsed"
  readonly fault: Fault.Fault
  readonly cause: Cause.Cause<unknown>
}

/**
 * A call has failed, and the last good value is given in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleServed extends Source<"fallback"> {
  readonly _tag: "StaleServed"
  readonly fault: Fault.Fault
  readonly cause: Cause.Cause<unknown>
  /** The time since the value was asked for. */
  readonly age: Duration.Duration
}

/**
 * A call was not made, because one of the same key was in flight.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesced extends Source<"coalesce"> {
  readonly _tag: "Coalesced"
}

/**
 * There is no further attempt because the budget that many calls share is used up.
 *
 * @category models
 * @since 0.1.0
 */
export interface BudgetExhausted extends Source<"retry" | "hedge"> {
  readonly _tag: "BudgetExhausted"
  /** The name of the budget. */
  readonly budget: string | undefined
  /** The last attempt that there is. */
  readonly attempt: number
}

/**
 * A hedge begins another attempt beside those in flight. `attempt` is 2 for the first of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeStarted extends Source<"hedge"> {
  readonly _tag: "HedgeStarted"
  readonly attempt: number
  /** Whether it was time for it, or an attempt had failed. */
  readonly because: "delay" | "failure"
  /** Since the call began. */
  readonly elapsed: Duration.Duration
}

/**
 * A call for which there was more than one attempt has its result.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeSettled extends Source<"hedge"> {
  readonly _tag: "HedgeSettled"
  /** How many attempts were begun. */
  readonly attempts: number
  /** The attempt that succeeded, `undefined` if none has. */
  readonly winner: number | undefined
  /** Of the call. */
  readonly duration: Duration.Duration
}

/**
 * A bulkhead or an adaptive limit has refused a call: there was no permit, and no room in the queue or no more time to wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByBulkhead extends Source<"bulkhead" | "adaptive-limit"> {
  readonly _tag: "RejectedByBulkhead"
  /** How much the call matters. */
  readonly criticality: Criticality
  readonly reason: "full" | "waited" | "overload"
  /** The time in the queue. */
  readonly waited: Duration.Duration
}

/**
 * A call that had to wait for a permit of a bulkhead or an adaptive limit has got it.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaitedForBulkhead extends Source<"bulkhead" | "adaptive-limit"> {
  readonly _tag: "WaitedForBulkhead"
  /** How much the call matters. */
  readonly criticality: Criticality
  readonly waited: Duration.Duration
}

/**
 * An adaptive limit lets more calls run at once, or fewer.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitChanged extends Source<"adaptive-limit"> {
  readonly _tag: "LimitChanged"
  readonly from: number
  readonly to: number
}

/**
 * A `Keyed` has refused a call: it has no room for the instance of another key.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByKeyed extends Source<"keyed"> {
  readonly _tag: "RejectedByKeyed"
}

/**
 * An adaptive throttle has turned a call away, for the callee refuses too many.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByThrottle extends Source<"adaptive-throttle"> {
  readonly _tag: "RejectedByThrottle"
  /** How much the call matters. */
  readonly criticality: Criticality
  /** The share of calls that matter as much which is turned away at this moment. */
  readonly ratio: number
}

/**
 * A rate limiter has refused a call. `retryAfter` is infinite when the call costs more than there ever is room for.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByRateLimiter extends Source<"rate-limiter"> {
  readonly _tag: "RejectedByRateLimiter"
  /** How much the call matters. */
  readonly criticality: Criticality
  /** Why it could not wait either. */
  readonly reason: "cost" | "wait" | "deadline" | "queue"
  /** The dimension in which there was no room. */
  readonly dimension: string
  readonly retryAfter: Duration.Duration
}

/**
 * A rate limiter has let a call through that had to wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaitedForRateLimiter extends Source<"rate-limiter"> {
  readonly _tag: "WaitedForRateLimiter"
  /** How much the call matters. */
  readonly criticality: Criticality
  readonly waited: Duration.Duration
}

/**
 * A balancer has left an endpoint out for a while: it has failed so many times, in a row or of late.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointEjected extends Source<"balancer"> {
  readonly _tag: "EndpointEjected"
  /** The key of the endpoint. */
  readonly endpoint: string
  readonly failures: number
  readonly duration: Duration.Duration
}

/**
 * An endpoint gets no calls for a while, for it has asked for a rest.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointCooling extends Source<"balancer"> {
  readonly _tag: "EndpointCooling"
  /** The key of the endpoint. */
  readonly endpoint: string
  readonly duration: Duration.Duration
}

/**
 * An endpoint that was left out gets calls again. The balancer notices when somebody asks for an endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointReturned extends Source<"balancer"> {
  readonly _tag: "EndpointReturned"
  /** The key of the endpoint. */
  readonly endpoint: string
}

/**
 * A balancer had no endpoint for a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RejectedByBalancer extends Source<"balancer"> {
  readonly _tag: "RejectedByBalancer"
  readonly reason: "empty" | "excluded" | "cooling"
  /** Infinite where time alone brings none. */
  readonly retryAfter: Duration.Duration
}

/**
 * A rate limiter whose state is shared has lost its store, and goes by the share of its process; or the store is back.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimiterModeChanged extends Source<"rate-limiter"> {
  readonly _tag: "LimiterModeChanged"
  readonly mode: "shared" | "local"
  /** How many processes share the limits, as far as this one knows. */
  readonly processes: number
  /** The store has not answered in time, or has failed; `undefined` when it is back. */
  readonly reason: "slow" | "failed" | undefined
}

/**
 * A fault that was asked for has been injected into a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChaosInjected extends Source<"chaos"> {
  readonly _tag: "ChaosInjected"
  readonly injected: "latency" | "fault" | "defect" | "outcome" | "truncation" | "stall"
  /** The latency, `undefined` for everything else. */
  readonly delay: Duration.Duration | undefined
}

/**
 * Everything that policies tell.
 *
 * @category models
 * @since 0.1.0
 */
export type Event =
  | AttemptStarted
  | AttemptEnded
  | RetryScheduled
  | RetryStopped
  | TimedOut
  | CleanupDied
  | CircuitChanged
  | CircuitExceeded
  | RejectedByCircuit
  | CallEnded
  | CallDetached
  | DetachedEnded
  | DeadlinePassed
  | FallbackUsed
  | StaleServed
  | Coalesced
  | BudgetExhausted
  | HedgeStarted
  | HedgeSettled
  | RejectedByBulkhead
  | WaitedForBulkhead
  | LimitChanged
  | RejectedByRateLimiter
  | RejectedByKeyed
  | RejectedByThrottle
  | WaitedForRateLimiter
  | LimiterModeChanged
  | EndpointEjected
  | EndpointCooling
  | EndpointReturned
  | RejectedByBalancer
  | ChaosInjected

/**
 * Receives events, synchronously and in order. It must be quick and must not throw: what it throws is dropped, so that
 * watching a call cannot change its outcome.
 *
 * `context` is that of the call of which the event tells, also when a timer or work in the background tells: in it are the
 * call's log annotations, its span, and every service that the call was given.
 *
 * **Example** (Which request was it)
 *
 * ```ts import.meta.vitest
 * import { Retry, Telemetry } from "@effect-resilience/core"
 * import { Context, Effect, References } from "effect"
 *
 * const seen: Array<string> = []
 * const listener: Telemetry.Listener = (event, context) => {
 *   const { requestId } = Context.get(context, References.CurrentLogAnnotations)
 *   if (event._tag === "RetryStopped") seen.push(`${event.reason}: ${requestId}`)
 * }
 *
 * const call = Effect.fail("down").pipe(Retry.make({ times: 0 }), Effect.annotateLogs("requestId", "r1"))
 *
 * await Effect.runPromise(call.pipe(Telemetry.listen(listener), Effect.exit))
 * seen // => ["exhausted: r1"]
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (event: Event, context: Context.Context<never>) => void

/**
 * The listener of the fiber, none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentListener = Context.Reference<Listener | undefined>(
  "@effect-resilience/core/Telemetry/CurrentListener",
  { defaultValue: () => undefined }
)
