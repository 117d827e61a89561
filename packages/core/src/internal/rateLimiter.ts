import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { make, wholeMillis } from "../kernel/allowance.ts"
import { type Knowledge, nothing, owed } from "../kernel/keyed.ts"
import * as kernel from "../kernel/rateLimiter.ts"
import { CurrentCriticality, currentRank } from "./criticality.ts"
import { timeToWait } from "./deadline.ts"
import { emit } from "./emit.ts"
import { RateLimiterRejected } from "./errors.ts"
import { CurrentListener } from "./events.ts"
import { guarded } from "./foreign.ts"
import type { PolicyInfo } from "./model.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import type * as calls from "./rateLimiterCalls.ts"
import type { Settings } from "./rateLimiterOptions.ts"
import { type Change, type Cost, Dimensions } from "./rateLimiterRules.ts"
import { now, timerResolution } from "./time.ts"
import { Timer } from "./timers.ts"
import { leaveQueue, Turn, waiting } from "./turn.ts"

/** Says no, and tells why. */
export const reject = (
  fiber: AnyFiber,
  { dimensions, name }: Pick<calls.Limiter, "dimensions" | "name">,
  reason: RateLimiterRejected["reason"],
  { dimension, wait }: kernel.Forecast
): RateLimiterRejected => {
  const error = new RateLimiterRejected({
    policyName: name,
    reason,
    dimension: dimensions.names[dimension]!,
    retryAfter: Duration.millis(wholeMillis(wait))
  })
  const listener = fiber.getRef(CurrentListener)
  if (listener !== undefined) {
    emit(fiber, listener, {
      _tag: "RejectedByRateLimiter",
      policy: "rate-limiter",
      name,
      criticality: fiber.getRef(CurrentCriticality),
      reason,
      dimension: error.dimension,
      retryAfter: error.retryAfter
    })
  }
  return error
}

/** Tells that a call had to wait. */
export const tellWaited = (fiber: AnyFiber, name: string | undefined, millis: number): void => {
  const listener = fiber.getRef(CurrentListener)
  if (listener === undefined) return
  const waited = Duration.millis(Math.round(millis))
  const criticality = fiber.getRef(CurrentCriticality)
  emit(fiber, listener, { _tag: "WaitedForRateLimiter", policy: "rate-limiter", name, criticality, waited })
}

/** What a rate limiter is: the kernel with fibers, timers and names. */
export class Limiter implements calls.Limiter {
  readonly kernel: kernel.Limiter<Waiter>
  readonly dimensions: Dimensions
  readonly maxWait: number
  readonly name: string | undefined
  readonly maxQueue: number
  private pumping = false

  constructor({ limits, maxQueue, maxWait, name }: Settings) {
    this.name = name
    this.dimensions = new Dimensions(limits)
    this.kernel = new kernel.Limiter(this.dimensions.rules.map(make))
    this.maxWait = maxWait
    this.maxQueue = maxQueue
  }

  get settings(): PolicyInfo["settings"] {
    return {
      ...this.dimensions.settings,
      maxWait: this.maxWait === 0 ? undefined : Duration.millis(this.maxWait),
      maxQueue: this.maxWait === 0 ? undefined : this.maxQueue
    }
  }

  /** A new limiter would give used permits out again. */
  knowledge(at: number): Knowledge {
    const time = this.kernel.time(at)
    return this.kernel.allowances.some((allowance) => allowance.available(time) < allowance.capacity) ? owed : nothing
  }

  time(fiber: AnyFiber): number {
    return this.kernel.time(now(fiber))
  }

  stateOf(fiber: AnyFiber): calls.State {
    const at = this.time(fiber)
    const { allowances, waiting } = this.kernel
    const limits = this.dimensions.record((i) => {
      const { capacity } = allowances[i]!
      return { available: allowances[i]!.available(at), capacity }
    })
    return { waiting, limits }
  }

  get state(): Effect.Effect<calls.State> {
    return Effect.withFiber((fiber) => Effect.succeed(this.stateOf(fiber)))
  }

  change(changes: ReadonlyArray<Change>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.adopt(fiber, changes)
      return Effect.void
    })
  }

  enter(fiber: AnyFiber, costs: kernel.Costs, self: AnyEffect | undefined): AnyEffect {
    const at = this.time(fiber)
    const marks: Array<number> | undefined = self === undefined ? [] : undefined
    if (this.kernel.take(at, costs, marks)) return self ?? Effect.succeed(new Charged(this, costs, marks!))
    if (this.maxWait === 0) return this.refuse(fiber, at, costs)!
    const turn: AnyEffect = waiting(fiber, Effect.callback((resume) => this.join(fiber, costs, resume)))
    return self === undefined ? turn : Effect.andThen(turn, self)
  }

  /** Why a call cannot go now and may not wait either, if so. */
  private refuse(fiber: AnyFiber, at: number, costs: kernel.Costs): RateLimiterRejected | undefined {
    const rank = currentRank(fiber)
    const forecast = this.kernel.forecast(at, costs, rank)
    const wait = wholeMillis(forecast.wait)
    const reason: RateLimiterRejected["reason"] | undefined = wait === Infinity
      ? "cost"
      : wait > this.maxWait
      ? "wait"
      : wait > timeToWait(fiber, now(fiber))
      ? "deadline"
      : this.kernel.isFull(this.maxQueue, rank)
      ? "queue"
      : undefined
    return reason === undefined ? undefined : reject(fiber, this, reason, forecast)
  }

  /**
   * Everything is decided again inside the register of the callback: between the look that found no room and here, the
   * fiber may have yielded, and who is in the queue has to have a clean-up.
   */
  private join(fiber: AnyFiber, costs: kernel.Costs, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    this.pump()
    const at = this.time(fiber)
    const marks: Array<number> = []
    if (this.kernel.take(at, costs, marks)) return resume(Effect.succeed(new Charged(this, costs, marks)))
    const refusal = this.refuse(fiber, at, costs)
    if (refusal !== undefined) return resume(refusal)
    const waiter = new Waiter(
      this,
      fiber,
      costs,
      at,
      at + Math.min(this.maxWait, timeToWait(fiber, now(fiber))),
      resume
    )
    const needsPlace = this.kernel.waiting >= this.maxQueue && !this.kernel.goesAtOnce(at, waiter)
    const last = needsPlace ? this.kernel.displace(waiter.rank) : undefined
    const overtakes = this.kernel.enqueue(at, waiter)
    last?.refuse(reject(last.fiber, this, "queue", this.kernel.forecast(at, last.costs, last.rank)))
    if (overtakes) this.dismiss(at)
    this.pump()
    return waiter.cleanup
  }

  /**
   * Lets through every waiter that can go, and sets the timer of the one who is then first. A caller that goes on may well change the
   * limiter again; a loop that is under way sees to that, so that callers do not pile up on the stack.
   */
  pump(): void {
    if (this.pumping) return
    this.pumping = true
    for (let { first } = this.kernel; first !== undefined; first = this.kernel.first) {
      const at = this.time(first.fiber)
      const wait = this.kernel.next(at)
      if (wait > 0) {
        first.wakeAfter(at, wait)
        break
      }
      this.kernel.shift(at, first.marks)
      first.admit(at)
    }
    this.pumping = false
  }

  settle(fiber: AnyFiber, ticket: kernel.Ticket, actual: kernel.Costs): void {
    const at = this.time(fiber)
    const more = actual.some((cost, i) => cost > ticket.costs[i]!)
    this.kernel.settle(at, ticket, actual)
    if (more) this.dismiss(at)
    this.pump()
  }

  private adopt(fiber: AnyFiber, changes: ReadonlyArray<Change>): void {
    const at = this.time(fiber)
    for (const change of changes) {
      this.dimensions.adopt(change)
      this.kernel.adopt(at, change.dimension, change.rule)
    }
    this.dismiss(at)
    this.pump()
  }

  /** There is less room than there was: whose turn now comes too late is told so. */
  private dismiss(at: number): void {
    for (const { forecast, waiting } of this.kernel.overdue(at)) {
      const reason = forecast.wait === Infinity ? "cost" : at + forecast.wait > waiting.until ? "wait" : "deadline"
      waiting.refuse(reject(waiting.fiber, this, reason, forecast))
    }
  }
}

/** A caller in the queue: place, timer and clean-up in one object. Only the first one's timer is set. */
class Waiter extends Timer implements kernel.Waiting {
  readonly fiber: AnyFiber
  readonly costs: kernel.Costs
  readonly rank: number
  readonly since: number
  readonly latest: number
  readonly marks: Array<number> = []
  before: Waiter | undefined = undefined
  behind: Waiter | undefined = undefined
  private readonly limiter: Limiter
  private readonly resume: (effect: AnyEffect) => void
  queued = false
  private readonly turn: Turn
  private admitted = false
  private wakesAt = Infinity

  constructor(
    limiter: Limiter,
    fiber: AnyFiber,
    costs: kernel.Costs,
    since: number,
    latest: number,
    resume: (effect: AnyEffect) => void
  ) {
    super()
    this.limiter = limiter
    this.fiber = fiber
    this.costs = costs
    this.rank = currentRank(fiber)
    this.since = since
    this.latest = latest
    this.resume = resume
    this.turn = new Turn(fiber, now(fiber))
  }

  /** When `maxWait` ends. */
  get until(): number {
    return this.since + this.limiter.maxWait
  }

  /** A timer that is set too early looks again, so only one that is set too late is set anew. */
  wakeAfter(at: number, wait: number): void {
    if (at + wait > this.wakesAt - timerResolution) return
    this.disarm()
    this.wakesAt = at + wait
    this.arm(this.fiber, at, wholeMillis(wait))
  }

  expire(): void {
    this.wakesAt = Infinity
    this.limiter.pump()
  }

  admit(at: number): void {
    this.admitted = true
    this.leave()
    tellWaited(this.fiber, this.limiter.name, at - this.since)
    guarded(this.resume, Effect.succeed(new Charged(this.limiter, this.costs, this.marks)))
  }

  refuse(error: RateLimiterRejected): void {
    this.leave()
    guarded(this.resume, error)
  }

  private leave(): void {
    this.disarm()
    this.turn.end()
  }

  /** The caller has gone away, perhaps in the instant in which it was let through. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    const { kernel } = this.limiter
    leaveQueue(fiber)
    this.leave()
    if (this.admitted) kernel.refund(this.limiter.time(fiber), this)
    else kernel.remove(this)
    this.limiter.pump()
    return Effect.void
  }
}

class Charged implements kernel.Ticket, calls.Charge {
  readonly costs: kernel.Costs
  readonly marks: ReadonlyArray<number>
  private readonly limiter: Limiter
  private settled = false

  constructor(limiter: Limiter, costs: kernel.Costs, marks: ReadonlyArray<number>) {
    this.limiter = limiter
    this.costs = costs
    this.marks = marks
  }

  settle(actual: Cost): Effect.Effect<void> {
    const costs = this.limiter.dimensions.costsOf(actual, this.costs)
    return Effect.withFiber((fiber) => {
      this.settleUnsafe(fiber, costs)
      return Effect.void
    })
  }

  settleUnsafe(fiber: AnyFiber, actual: kernel.Costs): void {
    if (this.settled) return
    this.settled = true
    this.limiter.settle(fiber, this, actual)
  }

  costsOf(actual: Cost): kernel.Costs {
    return this.limiter.dimensions.costsOf(actual, this.costs)
  }
}
