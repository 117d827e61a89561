import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Knowledge, nothing, owed } from "../kernel/keyed.ts"
import * as meter from "../kernel/meter.ts"
import * as kernel from "../kernel/rateLimiter.ts"
import type { Charge, Cost, Limit, Options } from "../RateLimiter.ts"
import { timeToWait } from "./deadline.ts"
import { emit } from "./emit.ts"
import { RateLimiterRejected, type Reason } from "./errors.ts"
import { type AnyStream, fromPull, open } from "./establish.ts"
import * as Telemetry from "./events.ts"
import { waitsOf } from "./fiberWaits.ts"
import { guarded } from "./foreign.ts"
import type * as Policy from "./model.ts"
import { duration, integer, invalid } from "./options.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import { Timer } from "./timers.ts"
import { leaveQueue } from "./turn.ts"
import type { Waits } from "./waits.ts"

const ruleOf = ({ burst, kind, limit, within }: Limit): meter.Rule =>
  kind === "token-bucket" || kind === "gcra"
    ? { kind: "spaced", interval: Duration.toMillis(within) / limit, burst }
    : { kind, limit, span: Duration.toMillis(within) }

const describe = ({ burst, kind, limit, within }: Limit): string => {
  const how = kind === "token-bucket" ? `token bucket of ${burst}` : kind === "gcra" ? `gcra, burst ${burst}` : kind
  return `${limit} per ${Duration.format(within)} (${how})`
}

/** What a rate limiter is: the kernel with fibers, timers and names. */
export class Limits implements Implementation {
  readonly kernel: kernel.Limiter<Waiter>
  readonly names: ReadonlyArray<string>
  readonly maxWait: number
  private readonly limits: Array<Limit>
  private readonly options: Options
  private readonly maxQueue: number
  private readonly once: kernel.Costs
  private pumping = false

  constructor(options: Options, limits: Readonly<Record<string, Limit>>) {
    const where = "RateLimiter.make"
    for (const [name, limit] of Object.entries(limits)) {
      if (!isLimit(limit)) throw invalid(where, name === "calls" ? "limit" : name, limit, "a limit, as of tokenBucket")
    }
    this.options = options
    this.names = Object.keys(limits)
    this.limits = Object.values(limits)
    this.kernel = new kernel.Limiter(this.limits.map((limit) => meter.make(ruleOf(limit))))
    this.maxWait = duration(where, "maxWait", options.maxWait ?? 0)
    this.maxQueue = integer(where, "maxQueue", options.maxQueue ?? 1000, 0)
    this.once = this.limits.map(() => 1)
  }

  get info(): Policy.PolicyInfo {
    return {
      kind: "rate-limiter",
      name: this.options.name,
      settings: {
        ...this.record((i) => describe(this.limits[i]!)),
        maxWait: this.maxWait === 0 ? undefined : Duration.millis(this.maxWait),
        maxQueue: this.maxWait === 0 ? undefined : this.maxQueue
      },
      children: []
    }
  }

  effect(self: AnyEffect, costs: kernel.Costs = this.once): AnyEffect {
    return new LimitedEffect(self, this, costs)
  }

  /** What was used would be there again in a new limiter. */
  knowledge(at: number): Knowledge {
    const time = this.kernel.time(at)
    return this.kernel.meters.some((meter) => meter.available(time) < meter.capacity) ? owed : nothing
  }

  stream(self: AnyStream, costs: kernel.Costs = this.once): AnyStream {
    return fromPull((scope) => this.effect(open(self, scope), costs))
  }

  describe(costs: kernel.Costs): string {
    return this.names.map((name, i) => `${costs[i]} ${name}`).join(", ")
  }

  record<A>(f: (dimension: number) => A): Readonly<Record<string, A>> {
    return Object.fromEntries(this.names.map((name, i) => [name, f(i)]))
  }

  costsOf(cost: Cost<string>, otherwise: kernel.Costs = this.once): kernel.Costs {
    const costs = typeof cost === "number" ? this.byName("cost", cost) : cost
    this.checkNames("cost", costs)
    return this.names.map((name, i) => {
      const n = costs[name] ?? otherwise[i]!
      if (n >= 0 && n < Infinity) return n
      throw invalid("RateLimiter.cost", name, n, "a number >= 0")
    })
  }

  private byName<A>(option: string, value: A): Readonly<Record<string, A>> {
    if (this.names.length === 1) return { [this.names[0]!]: value }
    throw invalid(`RateLimiter.${option}`, option, value, `given by dimension: ${this.names.join(", ")}`)
  }

  private checkNames(option: string, record: object): void {
    const unknown = Object.keys(record).find((name) => !this.names.includes(name))
    if (unknown === undefined) return
    throw invalid(`RateLimiter.${option}`, "dimension", unknown, `one of ${this.names.join(", ")}`)
  }

  time(fiber: AnyFiber): number {
    return this.kernel.time(now(fiber))
  }

  /** Why a call cannot go now and may not wait either, if so. */
  refuse(fiber: AnyFiber, at: number, costs: kernel.Costs): RateLimiterRejected | undefined {
    const forecast = this.kernel.forecast(at, costs)
    const wait = meter.wholeMillis(forecast.wait)
    const reason: Reason | undefined = wait === Infinity
      ? "cost"
      : wait > this.maxWait
      ? "wait"
      : wait > timeToWait(fiber, now(fiber))
      ? "deadline"
      : this.kernel.waiting >= this.maxQueue
      ? "queue"
      : undefined
    return reason === undefined ? undefined : this.reject(fiber, reason, forecast)
  }

  private reject(fiber: AnyFiber, reason: Reason, { dimension, wait }: kernel.Forecast): RateLimiterRejected {
    const { name } = this.options
    const error = new RateLimiterRejected({
      policyName: name,
      reason,
      dimension: this.names[dimension]!,
      retryAfter: Duration.millis(meter.wholeMillis(wait))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(fiber, listener, {
        _tag: "RejectedByRateLimiter",
        policy: "rate-limiter",
        name,
        reason,
        dimension: error.dimension,
        retryAfter: error.retryAfter
      })
    }
    return error
  }

  /**
   * Everything is decided again inside the register of the callback: between the look that found no room and here, the
   * fiber may have yielded, and who is in the queue has to have a clean-up.
   */
  join(fiber: AnyFiber, costs: kernel.Costs, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
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
    this.kernel.enqueue(at, waiter)
    this.pump()
    return waiter.cleanup
  }

  /**
   * Lets through whoever can go, and sets the timer of the one who is then first. A caller that goes on may well change the
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

  tellWaited({ fiber, since }: Waiter, at: number): void {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return
    emit(fiber, listener, {
      _tag: "WaitedForRateLimiter",
      policy: "rate-limiter",
      name: this.options.name,
      waited: Duration.millis(Math.round(at - since))
    })
  }

  settle(fiber: AnyFiber, ticket: kernel.Ticket, actual: kernel.Costs): void {
    const at = this.time(fiber)
    const more = actual.some((cost, i) => cost > ticket.costs[i]!)
    this.kernel.settle(at, ticket, actual)
    if (more) this.dismiss(at)
    this.pump()
  }

  reconfigure(change: Readonly<Record<string, Limit>> | Limit): Effect.Effect<void> {
    const named = isLimit(change) ? this.byName("reconfigure", change) : change
    this.checkNames("reconfigure", named)
    const changes = this.names.flatMap((name, dimension) => {
      const limit = named[name]
      if (limit === undefined) return []
      const rule = ruleOf(limit)
      const { kind } = this.limits[dimension]!
      if (ruleOf(this.limits[dimension]!).kind === rule.kind) return [{ dimension, limit, rule }]
      throw invalid("RateLimiter.reconfigure", name, limit.kind, `of the kind that it is, ${kind}`)
    })
    return Effect.withFiber((fiber) => {
      const at = this.time(fiber)
      for (const { dimension, limit, rule } of changes) {
        this.limits[dimension] = limit
        this.kernel.adopt(at, dimension, rule)
      }
      this.dismiss(at)
      this.pump()
      return Effect.void
    })
  }

  /** There is less room than there was: whose turn now comes too late is told so. */
  private dismiss(at: number): void {
    for (const { forecast, waiting } of this.kernel.overdue(at)) {
      const reason = forecast.wait === Infinity ? "cost" : at + forecast.wait > waiting.until ? "wait" : "deadline"
      waiting.refuse(this.reject(waiting.fiber, reason, forecast))
    }
  }
}

const isLimit = (change: unknown): change is Limit =>
  Predicate.hasProperty(change, "kind") && typeof change.kind === "string"

/** Without a callee of its own it gives the charge. */
export class LimitedEffect extends Primitive {
  private readonly self: AnyEffect | undefined
  private readonly limits: Limits
  private readonly costs: kernel.Costs

  constructor(self: AnyEffect | undefined, limits: Limits, costs: kernel.Costs) {
    super()
    this.self = self
    this.limits = limits
    this.costs = costs
  }

  run(fiber: AnyFiber): AnyEffect {
    const { costs, limits, self } = this
    const at = limits.time(fiber)
    const marks: Array<number> | undefined = self === undefined ? [] : undefined
    if (limits.kernel.take(at, costs, marks)) {
      return self ?? Effect.succeed(new Charged(limits, costs, marks!))
    }
    if (limits.maxWait === 0) return limits.refuse(fiber, at, costs)!
    const turn: AnyEffect = Effect.callback((resume) => limits.join(fiber, costs, resume))
    return self === undefined ? turn : Effect.andThen(turn, self)
  }
}

/** A caller in the queue: place, timer and clean-up in one object. Only the first one's timer is set. */
class Waiter extends Timer implements kernel.Waiting {
  readonly fiber: AnyFiber
  readonly costs: kernel.Costs
  readonly since: number
  readonly latest: number
  readonly marks: Array<number> = []
  before: Waiter | undefined = undefined
  behind: Waiter | undefined = undefined
  private readonly limits: Limits
  private readonly resume: (effect: AnyEffect) => void
  queued = false
  private waits: Waits | undefined
  private admitted = false
  private wakesAt = Infinity

  constructor(
    limits: Limits,
    fiber: AnyFiber,
    costs: kernel.Costs,
    since: number,
    latest: number,
    resume: (effect: AnyEffect) => void
  ) {
    super()
    this.limits = limits
    this.fiber = fiber
    this.costs = costs
    this.since = since
    this.latest = latest
    this.resume = resume
    this.waits = waitsOf(fiber)
    this.waits.begin(now(fiber))
  }

  /** When `maxWait` ends. */
  get until(): number {
    return this.since + this.limits.maxWait
  }

  /** A timer that is set too early looks again, so only one that is set too late is set anew. */
  wakeAfter(at: number, wait: number): void {
    if (at + wait > this.wakesAt - timerResolution) return
    this.disarm()
    this.wakesAt = at + wait
    this.arm(this.fiber, at, meter.wholeMillis(wait))
  }

  expire(): void {
    this.wakesAt = Infinity
    this.limits.pump()
  }

  admit(at: number): void {
    this.admitted = true
    this.leave()
    this.limits.tellWaited(this, at)
    guarded(this.resume, Effect.succeed(new Charged(this.limits, this.costs, this.marks)))
  }

  refuse(error: RateLimiterRejected): void {
    this.leave()
    guarded(this.resume, error)
  }

  private leave(): void {
    this.disarm()
    const { waits } = this
    if (waits === undefined) return
    this.waits = undefined
    waits.end(now(this.fiber))
  }

  /** The caller has gone away, perhaps in the instant in which it was let through. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    const { kernel } = this.limits
    leaveQueue(fiber)
    this.leave()
    if (this.admitted) kernel.refund(this.limits.time(fiber), this)
    else kernel.remove(this)
    this.limits.pump()
    return Effect.void
  }
}

export class Charged implements Charge<string>, kernel.Ticket {
  readonly costs: kernel.Costs
  readonly marks: ReadonlyArray<number>
  private readonly limits: Limits
  private settled = false

  constructor(limits: Limits, costs: kernel.Costs, marks: ReadonlyArray<number>) {
    this.limits = limits
    this.costs = costs
    this.marks = marks
  }

  settle(actual: Cost<string>): Effect.Effect<void> {
    const costs = this.limits.costsOf(actual, this.costs)
    return Effect.withFiber((fiber) => {
      this.settleUnsafe(fiber, costs)
      return Effect.void
    })
  }

  settleUnsafe(fiber: AnyFiber, actual: kernel.Costs): void {
    if (this.settled) return
    this.settled = true
    this.limits.settle(fiber, this, actual)
  }

  costsOf(actual: Cost<string>): kernel.Costs {
    return this.limits.costsOf(actual, this.costs)
  }
}
