/**
 * Lets no more calls through than a rate allows; the others wait for their turn, or are refused.
 *
 * A limit is one of four algorithms: {@link tokenBucket} allows bursts and refills steadily, {@link gcra} spaces calls
 * evenly, {@link slidingWindow} never allows more than so much in any span, {@link fixedWindow} counts from the first call
 * on. A limiter has one limit, or several in dimensions of their own (requests *and* tokens): a call takes from all of them
 * at once or from none.
 *
 * **Details**
 *
 * A call costs 1 in each dimension, or what {@link RateLimiter.cost} says. When there is no room it waits, if `maxWait`, the
 * ambient `Deadline` and the queue allow it; when it is known from the start that the wait cannot fit, it is refused at once
 * with {@link RateLimiterRejected}. A cost larger than there ever is room for is refused with an infinite `retryAfter`.
 *
 * Those who wait are served in order. Nobody overtakes, whatever the cost, so that small calls do not starve large ones.
 * They have taken nothing yet: when one goes away, those behind it move up.
 *
 * What a call really cost may be known only afterwards: {@link RateLimiter.settle} charges an estimate and gives back or
 * charges the difference.
 *
 * A stream is charged when it is opened; the wait is before its first element.
 *
 * **Gotchas**
 *
 * A call that was let through stays charged, whatever becomes of it. Outside a retry a limiter is charged once per logical
 * call, inside a retry once per attempt, and the attempts are what the callee counts.
 *
 * What this adds to `effect/persistence`'s `RateLimiter`: several dimensions at once, a bounded wait that costs those behind
 * nothing when the caller goes away, settling, GCRA and sliding windows, deadlines, streams; what that one has and this one
 * has not is state shared through Redis.
 *
 * **Example** (Requests and tokens)
 *
 * ```ts import.meta.vitest
 * import { RateLimiter } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const limiter = RateLimiter.makeUnsafe({
 *   limits: {
 *     requests: RateLimiter.tokenBucket({ limit: 60, per: "1 minute" }),
 *     tokens: RateLimiter.tokenBucket({ limit: 6000, per: "1 minute" })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 5000 }))
 *   const error = yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 5000 }), Effect.flip)
 *   const tooLarge = yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 7000 }), Effect.flip)
 *   return [error.dimension, error.reason, tooLarge.reason]
 * })
 *
 * await Effect.runPromise(program) // => ["tokens", "wait", "cost"]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import * as Fault from "./Fault.ts"
import { emit } from "./internal/emit.ts"
import { type AnyStream, fromPull, open } from "./internal/establish.ts"
import { duration, integer, invalid, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./internal/primitive.ts"
import { Rejection } from "./internal/rejection.ts"
import { now, timerResolution } from "./internal/time.ts"
import { Timer } from "./internal/timers.ts"
import * as meter from "./kernel/meter.ts"
import * as kernel from "./kernel/rateLimiter.ts"
import type * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/**
 * Why a call was refused: it costs more than there ever is room for; its turn would come later than `maxWait` allows, or
 * not before the ambient deadline; the queue is full.
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
  readonly limiter: string | undefined
  readonly reason: Reason
  /** The dimension in which there is no room, `calls` for a limiter that has one limit. */
  readonly dimension: string
  /** When there will be room, behind those who wait already; infinite if never. */
  readonly retryAfter: Duration.Duration

  constructor(options: {
    readonly limiter: string | undefined
    readonly reason: Reason
    readonly dimension: string
    readonly retryAfter: Duration.Duration
  }) {
    super()
    this.limiter = options.limiter
    this.reason = options.reason
    this.dimension = options.dimension
    this.retryAfter = options.retryAfter
  }

  override get message(): string {
    const limiter = this.limiter === undefined ? "rate limit" : `rate limit "${this.limiter}"`
    return Duration.isFinite(this.retryAfter)
      ? `${limiter}: no room for more ${this.dimension}, try again in ${Duration.format(this.retryAfter)}`
      : `${limiter}: more ${this.dimension} in one call than there ever is room for`
  }

  get [Fault.TypeId](): Fault.Fault {
    return Fault.rejected(this)
  }
}

/**
 * @category guards
 * @since 0.1.0
 */
export const isRateLimiterRejected = (u: unknown): u is RateLimiterRejected => u instanceof RateLimiterRejected

/**
 * How much is let through: {@link tokenBucket}, {@link gcra}, {@link slidingWindow} or {@link fixedWindow}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limit {
  readonly kind: "token-bucket" | "gcra" | "sliding-window" | "fixed-window"
  readonly limit: number
  readonly per: Duration.Duration
  /** What can go through at once. */
  readonly burst: number
}

/** @since 0.1.0 */
export interface Rate {
  /** So much ... An integer, at least 1. */
  readonly limit: number
  /** ... in this time. */
  readonly per: Duration.Input
}

const limitOf = (kind: Limit["kind"], where: string, { limit, per }: Rate, burst = limit, option = "limit"): Limit => ({
  kind,
  limit: integer(where, "limit", limit, 1),
  per: Duration.millis(positiveMillis(where, "per", per)),
  burst: integer(where, option, burst, 1)
})

/**
 * A bucket that starts full, from which calls take, and which `limit` refills every `per`, steadily.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokenBucket = (
  options: Rate & {
    /**
     * What the bucket holds, and so what can go through at once after a pause.
     *
     * @default limit
     */
    readonly capacity?: number | undefined
  }
): Limit => limitOf("token-bucket", "RateLimiter.tokenBucket", options, options.capacity, "capacity")

/**
 * Spaces calls evenly, one every `per / limit`: the generic cell rate algorithm of ITU-T I.371. It is the token bucket with
 * another default: `burst` may go through at once after a pause. Timers wake late, and with a burst of 1 what they are late
 * is lost; a burst of 2 or more makes up for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const gcra = (
  options: Rate & {
    /** @default 1 */
    readonly burst?: number | undefined
  }
): Limit => limitOf("gcra", "RateLimiter.gcra", options, options.burst ?? 1, "burst")

/**
 * At most `limit` in any span of `per`. Calls are kept in slices of a hundredth of `per`, so one may count a hundredth
 * longer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const slidingWindow = (options: Rate): Limit => limitOf("sliding-window", "RateLimiter.slidingWindow", options)

/**
 * At most `limit` in a window of `per`, which opens with the first call after the last one has closed. Around the end of a
 * window twice as much may go through in a short time: it is for callees that count that way.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fixedWindow = (options: Rate): Limit => limitOf("fixed-window", "RateLimiter.fixedWindow", options)

const ruleOf = ({ burst, kind, limit, per }: Limit): meter.Rule =>
  kind === "token-bucket" || kind === "gcra"
    ? { kind: "spaced", interval: Duration.toMillis(per) / limit, burst }
    : { kind, limit, span: Duration.toMillis(per) }

const describe = ({ burst, kind, limit, per }: Limit): string => {
  const how = kind === "token-bucket" ? `token bucket of ${burst}` : kind === "gcra" ? `gcra, burst ${burst}` : kind
  return `${limit} per ${Duration.format(per)} (${how})`
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry and {@link Policy.explain}. */
  readonly name?: string | undefined
  /**
   * How long a call may wait for its turn. One whose turn comes later is refused at once.
   *
   * @default 0: no call waits
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * How many calls may wait.
   *
   * @default 1000
   */
  readonly queue?: number | undefined
}

/** `true` for a single name, `false` for several. */
type Single<D extends string> = (D extends unknown ? (_: D) => void : never) extends (_: infer All) => void
  ? [D] extends [All] ? true : false
  : never

/**
 * What a call costs: for each dimension a number that is not negative, 1 where it says nothing. For a limiter that has one
 * limit, the number alone will do.
 *
 * @category models
 * @since 0.1.0
 */
export type Cost<D extends string> = { readonly [K in D]?: number } | (Single<D> extends true ? number : never)

/**
 * What was charged for a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Charge<D extends string = "calls"> {
  /**
   * Gives back or charges the difference to what the call really cost; a dimension that is not named stays as it was
   * charged. Time gives back as well, so what it has given back already is not given back twice, and there is never more
   * room than without any call. To be settled once: a second time changes nothing.
   */
  settle(actual: Cost<D>): Effect.Effect<void>
}

/**
 * A limiter that learns from the result what the call cost.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settle<in A> {
  <A1 extends A, E, R>(self: Effect.Effect<A1, E, R>): Effect.Effect<A1, E | RateLimiterRejected, R>
  readonly stream: <A1 extends A, E, R>(
    self: Stream.Stream<A1, E, R>
  ) => Stream.Stream<A1, E | RateLimiterRejected, R>
  readonly info: Policy.PolicyInfo
}

/**
 * What a rate limiter is doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface State<D extends string = "calls"> {
  /** How many calls wait. */
  readonly waiting: number
  readonly limits: {
    readonly [K in D]: {
      /** Less than nothing when calls turned out to cost more than there was room for. */
      readonly available: number
      readonly capacity: number
    }
  }
}

/**
 * A rate limiter is a policy, and makes policies for calls that cost more than 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiter<D extends string = "calls"> extends Policy.Policy<unknown, RateLimiterRejected> {
  /** The policy for a call of that cost. A bad cost throws a `RangeError`. */
  cost(cost: Cost<D>): Policy.Policy<unknown, RateLimiterRejected>
  /**
   * For a call whose cost is known only afterwards: charges the estimate, and when the call has succeeded gives back or
   * charges the difference to what `actual` says. A call that fails, or of which `actual` says nothing, stays charged with the
   * estimate. For a stream, `actual` is asked of every element; what it said last is settled when the stream ends, in
   * whichever way.
   */
  settle<A>(estimate: Cost<D>, actual: (value: A) => Cost<D> | undefined): Settle<A>
  /** Waits and charges without a call, for a program that makes the call, and settles, elsewhere. */
  take(cost?: Cost<D>): Effect.Effect<Charge<D>, RateLimiterRejected>
  /** The room that there is now, by dimension. */
  readonly available: Effect.Effect<{ readonly [K in D]: number }>
  readonly state: Effect.Effect<State<D>>
  /**
   * Changes limits while calls are made and wait. What was used stays used; whose turn then comes too late is refused.
   * `tokenBucket` and `gcra` may take each other's place, otherwise a limit stays of its kind: anything else throws a
   * `RangeError`.
   */
  reconfigure(
    limits: { readonly [K in D]?: Limit } | (Single<D> extends true ? Limit : never)
  ): Effect.Effect<void>
}

const where = "RateLimiter.make"

class Limits implements internal.Implementation {
  readonly kernel: kernel.Limiter<Waiter>
  readonly names: ReadonlyArray<string>
  readonly maxWait: number
  private readonly limits: Array<Limit>
  private readonly options: Options
  private readonly queue: number
  private readonly once: kernel.Costs
  private pumping = false

  constructor(options: Options, limits: Readonly<Record<string, Limit>>) {
    this.options = options
    this.names = Object.keys(limits)
    this.limits = Object.values(limits)
    this.kernel = new kernel.Limiter(this.limits.map((limit) => meter.make(ruleOf(limit))))
    this.maxWait = duration(where, "maxWait", options.maxWait ?? 0)
    this.queue = integer(where, "queue", options.queue ?? 1000, 0)
    this.once = this.limits.map(() => 1)
  }

  get info(): Policy.PolicyInfo {
    return {
      kind: "rate-limiter",
      name: this.options.name,
      settings: {
        ...this.record((i) => describe(this.limits[i]!)),
        maxWait: this.maxWait === 0 ? undefined : Duration.millis(this.maxWait),
        queue: this.maxWait === 0 ? undefined : this.queue
      },
      children: []
    }
  }

  effect(self: AnyEffect, costs: kernel.Costs = this.once): AnyEffect {
    return new LimitedEffect(self, this, costs)
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
      if (Number.isFinite(n) && n >= 0) return n
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
      : wait > timeLeft(fiber)
      ? "deadline"
      : this.kernel.waiting >= this.queue
      ? "queue"
      : undefined
    return reason === undefined ? undefined : this.reject(fiber, reason, forecast)
  }

  private reject(fiber: AnyFiber, reason: Reason, { dimension, wait }: kernel.Forecast): RateLimiterRejected {
    const { name } = this.options
    const error = new RateLimiterRejected({
      limiter: name,
      reason,
      dimension: this.names[dimension]!,
      retryAfter: Duration.millis(meter.wholeMillis(wait))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(listener, {
        _tag: "Rejected",
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
    const waiter = new Waiter(this, fiber, costs, at, at + Math.min(this.maxWait, timeLeft(fiber)), resume)
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
      this.waited(first, at)
      first.admit()
    }
    this.pumping = false
  }

  private waited({ fiber, since }: Waiter, at: number): void {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return
    emit(listener, {
      _tag: "LimiterWaited",
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

const isLimit = (change: Readonly<Record<string, Limit>> | Limit): change is Limit => typeof change.kind === "string"

/** A wait that ends with the deadline has been in vain. */
const timeLeft = (fiber: AnyFiber): number => {
  const deadline = fiber.getRef(Deadline.Deadline)
  return deadline === Infinity ? Infinity : deadline - now(fiber) - timerResolution
}

/** Without a callee of its own it gives the charge. */
class LimitedEffect extends Primitive {
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

  admit(): void {
    this.admitted = true
    this.disarm()
    this.resume(Effect.succeed(new Charged(this.limits, this.costs, this.marks)))
  }

  refuse(error: RateLimiterRejected): void {
    this.disarm()
    this.resume(error)
  }

  /** The caller has gone away, perhaps in the instant in which it was let through. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    const { kernel } = this.limits
    this.disarm()
    if (this.admitted) kernel.refund(this.limits.time(fiber), this)
    else kernel.remove(this)
    this.limits.pump()
    return Effect.void
  }
}

class Charged implements Charge<string>, kernel.Ticket {
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

const settle = (
  limits: Limits,
  estimate: kernel.Costs,
  actual: (value: any) => Cost<string> | undefined
): Settle<any> => {
  const take: Effect.Effect<Charged, any, any> = new LimitedEffect(undefined, limits, estimate)
  const effect = (self: AnyEffect): AnyEffect =>
    Effect.flatMap(take, (charged) =>
      Effect.onExitPrimitive(self, (exit) => {
        const cost = Exit.isSuccess(exit) ? actual(exit.value) : undefined
        if (cost !== undefined) charged.settleUnsafe(Fiber.getCurrent()!, charged.costsOf(cost))
        return undefined
      }))
  const stream = (self: AnyStream): AnyStream =>
    fromPull((scope) =>
      Effect.flatMap(take, (charged) => {
        let said: kernel.Costs | undefined
        const end = Effect.withFiber((fiber) => {
          if (said !== undefined) charged.settleUnsafe(fiber, said)
          return Effect.void
        })
        const listen = (exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): undefined => {
          for (const element of Exit.isSuccess(exit) ? exit.value : []) {
            const cost = actual(element)
            if (cost !== undefined) said = charged.costsOf(cost)
          }
        }
        return Effect.andThen(
          Scope.addFinalizer(scope, end),
          Effect.map(open(self, scope), (pull) => Effect.onExitPrimitive(pull, listen))
        )
      })
    )
  return Object.assign(effect, { stream, info: limits.info })
}

const RateLimiterProto = Object.create(internal.PolicyProto, {
  cost: {
    value(this: RateLimiter, cost: Cost<string>): Policy.Policy<unknown, RateLimiterRejected> {
      const limits = internal.implementationOf<Limits>(this)
      const costs = limits.costsOf(cost)
      return internal.make({
        get info() {
          return { ...limits.info, settings: { cost: limits.describe(costs), ...limits.info.settings } }
        },
        effect: (self: AnyEffect) => limits.effect(self, costs),
        stream: (self: AnyStream) => limits.stream(self, costs)
      })
    }
  },
  settle: {
    value(this: RateLimiter, estimate: Cost<string>, actual: (value: any) => Cost<string> | undefined): Settle<any> {
      const limits = internal.implementationOf<Limits>(this)
      return settle(limits, limits.costsOf(estimate), actual)
    }
  },
  take: {
    value(this: RateLimiter, cost: Cost<string> = {}): AnyEffect {
      const limits = internal.implementationOf<Limits>(this)
      return new LimitedEffect(undefined, limits, limits.costsOf(cost))
    }
  },
  available: {
    get(this: RateLimiter): Effect.Effect<Readonly<Record<string, number>>> {
      const limits = internal.implementationOf<Limits>(this)
      return Effect.withFiber((fiber) => {
        const at = limits.time(fiber)
        return Effect.succeed(limits.record((i) => limits.kernel.meters[i]!.available(at)))
      })
    }
  },
  state: {
    get(this: RateLimiter): Effect.Effect<State<string>> {
      const limits = internal.implementationOf<Limits>(this)
      return Effect.withFiber((fiber) => {
        const at = limits.time(fiber)
        return Effect.succeed({
          waiting: limits.kernel.waiting,
          limits: limits.record((i) => {
            const { capacity } = limits.kernel.meters[i]!
            return { available: limits.kernel.meters[i]!.available(at), capacity }
          })
        })
      })
    }
  },
  reconfigure: {
    value(this: RateLimiter, change: Readonly<Record<string, Limit>> | Limit): Effect.Effect<void> {
      return internal.implementationOf<Limits>(this).reconfigure(change)
    }
  }
})

/**
 * Makes a rate limiter without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe: {
  (options: Options & { readonly limit: Limit }): RateLimiter
  <D extends string>(options: Options & { readonly limits: { readonly [K in D]: Limit } }): RateLimiter<D>
} = (options: Options & { readonly limit?: Limit; readonly limits?: Readonly<Record<string, Limit>> }): any => {
  const { limit, limits } = options
  const all = limits ?? (limit === undefined ? {} : { calls: limit })
  if ((limit !== undefined && limits !== undefined) || Object.keys(all).length === 0) {
    throw invalid(where, "limits", limit === undefined ? "none" : "both", "given by either limit or limits")
  }
  return internal.make(new Limits(options, all), RateLimiterProto)
}

/**
 * Makes a rate limiter.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  (options: Options & { readonly limit: Limit }): Effect.Effect<RateLimiter>
  <D extends string>(
    options: Options & { readonly limits: { readonly [K in D]: Limit } }
  ): Effect.Effect<RateLimiter<D>>
} = (options: any): any => Effect.sync(() => makeUnsafe(options))
