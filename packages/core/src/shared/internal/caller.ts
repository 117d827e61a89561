import * as Effect from "effect/Effect"
import { currentRank } from "../../internal/criticality.ts"
import { timeToWait } from "../../internal/deadline.ts"
import type { RateLimiterRejected } from "../../internal/errors.ts"
import { guarded } from "../../internal/foreign.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "../../internal/primitive.ts"
import { reject, tellWaited } from "../../internal/rateLimiter.ts"
import type { Charge } from "../../internal/rateLimiterCalls.ts"
import type { Cost, Dimensions } from "../../internal/rateLimiterRules.ts"
import { now } from "../../internal/time.ts"
import { leaveQueue, Turn } from "../../internal/turn.ts"
import type { Costs, Forecast, Ticket, Waiting } from "../../kernel/rateLimiter.ts"

/** The store lets a call through, or this process by itself, which has then lost the store so many times. */
export type Grantor = "store" | number

/** What a caller needs of its limiter. */
export interface Host {
  readonly name: string
  readonly dimensions: Dimensions
  readonly maxWait: number
  time(fiber: AnyFiber): number
  remove(caller: Caller): void
  settle(fiber: AnyFiber, charged: Charged, actual: Costs): void
}

/** A caller that asks, or waits for its turn. As an effect it is its own clean-up. */
export class Caller extends Primitive implements Waiting {
  readonly fiber: AnyFiber
  readonly costs: Costs
  readonly rank: number
  readonly latest: number
  before: Caller | undefined = undefined
  behind: Caller | undefined = undefined
  queued = false
  waited = false
  /** The caller has gone away, or has its answer. */
  done = false
  private readonly limiter: Host
  private readonly resume: (effect: AnyEffect) => void
  private readonly since: number
  private readonly turn: Turn
  private charge: Charged | undefined = undefined

  constructor(limiter: Host, fiber: AnyFiber, costs: Costs, at: number, resume: (effect: AnyEffect) => void) {
    super()
    this.limiter = limiter
    this.fiber = fiber
    this.costs = costs
    this.rank = currentRank(fiber)
    this.since = at
    this.latest = at + Math.min(limiter.maxWait, Math.max(0, timeToWait(fiber, now(fiber))))
    this.resume = resume
    this.turn = new Turn(fiber, now(fiber))
  }

  grant(at: number, marks: Ticket["marks"], by: Grantor): void {
    this.leave()
    this.charge = new Charged(this.limiter, this.costs, marks, by)
    if (this.waited) tellWaited(this.fiber, this.limiter.name, at - this.since)
    guarded(this.resume, Effect.succeed(this.charge))
  }

  /** There is no room, and no wait that is short enough. */
  refuse(forecast: Forecast): void {
    const reason: RateLimiterRejected["reason"] = forecast.wait === Infinity
      ? "cost"
      : forecast.wait > this.since + this.limiter.maxWait - this.limiter.time(this.fiber)
      ? "wait"
      : "deadline"
    this.refuseBecause(reason, forecast)
  }

  refuseBecause(reason: RateLimiterRejected["reason"], forecast: Forecast): void {
    this.leave()
    guarded(this.resume, reject(this.fiber, this.limiter, reason, forecast))
  }

  private leave(): void {
    this.done = true
    this.turn.end()
  }

  get cleanup(): Effect.Effect<void> {
    return this as AnyEffect as Effect.Effect<void> // what `run` says, which the type of a primitive does not
  }

  /** The caller goes away, perhaps in the instant in which it was let through. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    leaveQueue(fiber)
    this.leave()
    if (this.charge === undefined) this.limiter.remove(this)
    else this.charge.refund(fiber)
    return Effect.void
  }
}

/** What a call was charged. */
export class Charged implements Ticket, Charge {
  readonly costs: Costs
  readonly marks: Ticket["marks"]
  readonly by: Grantor
  private readonly limiter: Host
  private settled = false

  constructor(limiter: Host, costs: Costs, marks: Ticket["marks"], by: Grantor) {
    this.limiter = limiter
    this.costs = costs
    this.marks = marks
    this.by = by
  }

  settle(actual: Cost): Effect.Effect<void> {
    const costs = this.costsOf(actual)
    return Effect.withFiber((fiber) => {
      this.settleUnsafe(fiber, costs)
      return Effect.void
    })
  }

  settleUnsafe(fiber: AnyFiber, actual: Costs): void {
    if (this.settled) return
    this.settled = true
    this.limiter.settle(fiber, this, actual)
  }

  refund(fiber: AnyFiber): void {
    this.settleUnsafe(fiber, this.costs.map(() => 0))
  }

  costsOf(actual: Cost): Costs {
    return this.limiter.dimensions.costsOf(actual, this.costs)
  }
}
