import * as Duration from "effect/Duration"
import * as Fault from "../Fault.ts"
import { Rejection } from "./rejection.ts"

const transient = Fault.transient()
const rejected = Fault.rejected()

const named = (what: string, name: string | undefined): string => name === undefined ? what : `${what} "${name}"`

/**
 * Which limit was exceeded.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "attempt" | "total" | "first" | "idle"

const sentences: { readonly [P in Phase]: (limit: string) => string } = {
  attempt: (limit) => `attempt took longer than ${limit}`,
  total: (limit) => `the whole took longer than ${limit}`,
  first: (limit) => `no first element within ${limit}`,
  idle: (limit) => `idle for ${limit}`
}

/**
 * A time limit was exceeded. Its fault is `Transient`: whether there is time for another attempt is for the deadline to say.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimeoutExceeded extends Rejection {
  readonly _tag = "TimeoutExceeded"
  /** The name of the timeout, if it has one. */
  readonly policyName: string | undefined
  /** Which limit it was. */
  readonly phase: Phase
  /** The limit. */
  readonly limit: Duration.Duration
  /** The time until the error, a clean-up that was waited for included. */
  readonly elapsed: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    readonly phase: Phase
    readonly limit: Duration.Duration
    readonly elapsed: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.phase = options.phase
    this.limit = options.limit
    this.elapsed = options.elapsed
  }

  override get message(): string {
    const timeout = this.policyName === undefined ? "" : ` (timeout "${this.policyName}")`
    return `Timed out: ${sentences[this.phase](Duration.format(this.limit))}${timeout}`
  }

  protected get fault(): Fault.Fault {
    return transient
  }
}

/**
 * Whether something is a {@link TimeoutExceeded}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTimeoutExceeded = (u: unknown): u is TimeoutExceeded => u instanceof TimeoutExceeded

/**
 * The deadline has passed: before the work ended, or before it began. Work that had begun is a `Transient` fault, as with
 * any timeout; work that was not begun is `Rejected`, for no callee is to blame.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadlineExceeded extends Rejection {
  readonly _tag = "DeadlineExceeded"
  /** The name that was given to `Deadline.within`, if any. */
  readonly policyName: string | undefined
  /** Whether the work had begun. */
  readonly began: boolean
  /** How long ago the deadline was, clean-up included. */
  readonly overrun: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    readonly began: boolean
    readonly overrun: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.began = options.began
    this.overrun = options.overrun
  }

  override get message(): string {
    const deadline = this.policyName === undefined ? "the deadline" : `the deadline "${this.policyName}"`
    const what = this.began ? `not done by ${deadline}` : `not begun, ${deadline} has passed`
    return Duration.isZero(this.overrun) ? what : `${what} (${Duration.format(this.overrun)} ago)`
  }

  protected get fault(): Fault.Fault {
    return this.began ? transient : rejected
  }
}

/**
 * Whether something is a {@link DeadlineExceeded}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isDeadlineExceeded = (u: unknown): u is DeadlineExceeded => u instanceof DeadlineExceeded

/**
 * The circuit is open, or isolated, or half-open with all of its probes in flight. The callee was not called. Its fault is
 * `Rejected`: no policy counts it against the callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class CircuitOpen extends Rejection {
  readonly _tag = "CircuitOpen"
  /** The name of the circuit breaker, if it has one. */
  readonly policyName: string | undefined
  /** The state that rejected the call. */
  readonly state: "Open" | "HalfOpen" | "Isolated"
  /**
   * When it is worth trying again; infinite while the circuit is isolated. Zero while it is half-open: a probe answers when it
   * does, and nobody can say more.
   */
  readonly retryAfter: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    /** @default "Open" */
    readonly state?: "Open" | "HalfOpen" | "Isolated" | undefined
    readonly retryAfter: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.state = options.state ?? "Open"
    this.retryAfter = options.retryAfter
  }

  override get message(): string {
    const circuit = named("circuit", this.policyName)
    switch (this.state) {
      case "Open":
        return `${circuit} is open, try again in ${Duration.format(this.retryAfter)}`
      case "HalfOpen":
        return `${circuit} is half-open, and all of its probes are in flight`
      case "Isolated":
        return `${circuit} is isolated`
    }
  }

  protected get fault(): Fault.Fault {
    return Fault.rejected(this)
  }
}

/**
 * Whether something is a {@link CircuitOpen}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isCircuitOpen = (u: unknown): u is CircuitOpen => u instanceof CircuitOpen

/**
 * There was no permit: the queue was `full`, or the call has `waited` for as long as it may. The callee was not called. Its
 * fault is `Rejected`: no policy counts it against the callee, and a retry repeats it only when told to.
 *
 * @category errors
 * @since 0.1.0
 */
export class BulkheadRejected extends Rejection {
  readonly _tag = "BulkheadRejected"
  /** The name of the bulkhead, if it has one. */
  readonly policyName: string | undefined
  /** No room in the queue, no more time in it, or too much time in one that is overloaded. */
  readonly reason: "full" | "waited" | "overload"
  /** The time in the queue, zero for a call that was not let in. */
  readonly waited: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    readonly reason: "full" | "waited" | "overload"
    readonly waited: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.reason = options.reason
    this.waited = options.waited
  }

  override get message(): string {
    const bulkhead = this.policyName === undefined ? "bulkhead" : `bulkhead "${this.policyName}"`
    if (this.reason === "full") return `${bulkhead} is full`
    const overloaded = this.reason === "overload" ? ", and is overloaded" : ""
    return `${bulkhead} had no permit within ${Duration.format(this.waited)}${overloaded}`
  }

  protected get fault(): Fault.Fault {
    return rejected
  }
}

/**
 * Whether something is a {@link BulkheadRejected}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isBulkheadRejected = (u: unknown): u is BulkheadRejected => u instanceof BulkheadRejected

/**
 * Why a call was refused: it costs more than there ever is room for; its turn would come later than `maxWait` allows, or
 * not before its deadline; the queue is full.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = "cost" | "wait" | "deadline" | "queue"

/**
 * There is no room for the call, which was not made. Its fault is `Rejected`: no policy counts it against the callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class RateLimiterRejected extends Rejection {
  readonly _tag = "RateLimiterRejected"
  /** The name of the rate limiter, if it has one. */
  readonly policyName: string | undefined
  /** Why it could not wait either. */
  readonly reason: Reason
  /** The dimension in which there is no room, `calls` for a limiter that has one limit. */
  readonly dimension: string
  /** When there will be room, behind those who wait already; infinite if never. */
  readonly retryAfter: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    readonly reason: Reason
    readonly dimension: string
    readonly retryAfter: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.reason = options.reason
    this.dimension = options.dimension
    this.retryAfter = options.retryAfter
  }

  override get message(): string {
    const limiter = this.policyName === undefined ? "rate limit" : `rate limit "${this.policyName}"`
    return Duration.isFinite(this.retryAfter)
      ? `${limiter}: no room for more ${this.dimension}, try again in ${Duration.format(this.retryAfter)}`
      : `${limiter}: more ${this.dimension} in one call than there ever is room for`
  }

  protected get fault(): Fault.Fault {
    return Fault.rejected(this)
  }
}

/**
 * Whether something is a {@link RateLimiterRejected}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isRateLimiterRejected = (u: unknown): u is RateLimiterRejected => u instanceof RateLimiterRejected

/**
 * There is no room for the instance of another key: all that there are know something which must not be forgotten. The callee
 * was not called. Its fault is `Rejected`: no policy counts it against the callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class KeyedRejected extends Rejection {
  readonly _tag = "KeyedRejected"
  /** The name of the `Keyed`, if it has one. */
  readonly policyName: string | undefined

  constructor(options: { readonly policyName?: string | undefined }) {
    super()
    this.policyName = options.policyName
  }

  override get message(): string {
    return `${named("keyed", this.policyName)} has no room for another key`
  }

  protected get fault(): Fault.Fault {
    return rejected
  }
}

/**
 * Whether something is a {@link KeyedRejected}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isKeyedRejected = (u: unknown): u is KeyedRejected => u instanceof KeyedRejected

/**
 * The callee refuses so many calls that this one was turned away on this side. The callee was not called. Its fault is
 * `Rejected`: no policy counts it against the callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class ThrottleRejected extends Rejection {
  readonly _tag = "ThrottleRejected"
  /** The name of the throttle, if it has one. */
  readonly policyName: string | undefined
  /** The share of calls that is turned away at this moment. */
  readonly ratio: number

  constructor(options: { readonly policyName?: string | undefined; readonly ratio: number }) {
    super()
    this.policyName = options.policyName
    this.ratio = options.ratio
  }

  override get message(): string {
    return `${named("throttle", this.policyName)} turns away ${Math.round(100 * this.ratio)} % of all calls`
  }

  protected get fault(): Fault.Fault {
    return rejected
  }
}

/**
 * Whether something is a {@link ThrottleRejected}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isThrottleRejected = (u: unknown): u is ThrottleRejected => u instanceof ThrottleRejected

/**
 * There is no endpoint for the call: the set is `empty`; all of it is `excluded` from this call; or what is left is `cooling`,
 * for it has asked for a rest. No endpoint was called. Its fault is `Rejected`: no policy counts it against a callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoEndpoint extends Rejection {
  readonly _tag = "NoEndpoint"
  /** The name of the balancer, if it has one. */
  readonly policyName: string | undefined
  /** Why there is none. */
  readonly reason: "empty" | "excluded" | "cooling"
  /** When the first endpoint is back; infinite where time alone brings none. */
  readonly retryAfter: Duration.Duration

  constructor(options: {
    readonly policyName?: string | undefined
    readonly reason: "empty" | "excluded" | "cooling"
    readonly retryAfter: Duration.Duration
  }) {
    super()
    this.policyName = options.policyName
    this.reason = options.reason
    this.retryAfter = options.retryAfter
  }

  override get message(): string {
    const balancer = named("balancer", this.policyName)
    switch (this.reason) {
      case "empty":
        return `${balancer} has no endpoints`
      case "excluded":
        return `${balancer} has no endpoint that this call may use`
      case "cooling":
        return `${balancer} has no endpoint that is not cooling down, try again in ${Duration.format(this.retryAfter)}`
    }
  }

  protected get fault(): Fault.Fault {
    return Fault.rejected(this)
  }
}

/**
 * Whether something is a {@link NoEndpoint}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isNoEndpoint = (u: unknown): u is NoEndpoint => u instanceof NoEndpoint
