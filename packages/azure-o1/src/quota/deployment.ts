import * as Deadline from "@effect-resilience/core/Deadline"
import type * as RateLimiter from "@effect-resilience/core/RateLimiter"
import * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import type { O1Error } from "../O1Error.ts"
import { CurrentProgress } from "../transport/progress.ts"
import { type Cost, type MinuteLimits, shareOf } from "./cost.ts"
import { limitsOf, type QuotaDimension, smaller } from "./limits.ts"
import { type Caller, Queue } from "./queue.ts"
import { noTurn, tooLarge } from "./refusals.ts"
import { type Admission, Waiter } from "./waiter.ts"
import { type Sent, Word } from "./word.ts"

type Limiter = RateLimiter.RateLimiter<QuotaDimension>

export interface DeploymentSettings {
  readonly name: string
  readonly configured: MinuteLimits
  /** in milliseconds */
  readonly maxWait: number
  readonly maxQueue: number
  readonly makeLimiter: (name: string, limits: ReturnType<typeof limitsOf>) => Effect.Effect<Limiter>
  /** What the limiter needs, and nothing of a caller. */
  readonly context: Context.Context<never>
}

const minute = 60_000
/** A limiter that others share may have room sooner than it said. */
const longestPause = 5_000

/** A cost, in the dimensions of a limiter. */
export const takenFor = ({ requests, tokens }: Cost): { readonly [D in QuotaDimension]: number } => ({
  requests,
  window: requests,
  tokens
})

/** The quota of one deployment: who waits for it, what this side counts, and what the service says. */
export class Deployment {
  readonly name: string
  readonly queue = new Queue<Waiter>()
  readonly word = new Word()
  /** The transport tells what it sends. */
  isMetered = false
  private readonly settings: DeploymentSettings
  private limiter: Limiter | undefined = undefined
  private inForce: string | undefined = undefined
  private isPumping = false
  private hasNews = false
  private wake: () => void = constVoid
  /** The first call, for which there is no room before then. */
  private blocked: { readonly waiter: Waiter; readonly until: number } | undefined = undefined
  private seen = -Infinity
  private setBack = 0

  constructor(settings: DeploymentSettings) {
    this.settings = settings
    this.name = settings.name
  }

  /** The limits that hold: configured, told, or the smaller of both. */
  get limits(): MinuteLimits {
    return smaller(this.settings.configured, this.word.told)
  }

  /** Milliseconds. For a clock that was set back no time has passed. */
  time(clock: Clock.Clock): number {
    const now = Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
    if (now < this.seen) this.setBack += this.seen - now
    this.seen = now
    return now + this.setBack
  }

  readonly now: Effect.Effect<number> = Effect.map(Clock.Clock, (clock) => this.time(clock))

  /** The limiter with the limits that hold now. */
  readonly current: Effect.Effect<Limiter> = Effect.suspend(() => {
    const limits = this.limits
    const even = this.word.isEven(this.seen)
    const inForce = `${limits.requests} ${limits.tokens} ${even}`
    if (this.limiter !== undefined && this.inForce === inForce) return Effect.succeed(this.limiter)
    const rules = limitsOf(limits, even)
    this.inForce = inForce
    this.blocked = undefined
    const { limiter } = this
    return limiter === undefined
      ? Effect.tap(this.settings.makeLimiter(this.name, rules), (made) => Effect.sync(() => this.limiter = made))
      : Effect.as(limiter.reconfigure(rules), limiter)
  })

  /** The rest of the minute: the smaller of what this side has counted and what the service says. */
  readonly remaining: Effect.Effect<MinuteLimits> = Effect.gen({ self: this }, function*() {
    const now = yield* this.now
    const available = yield* Effect.flatMap(this.current, (limiter) => limiter.available)
    const limits = this.limits
    const left = (dimension: "requests" | "tokens"): number | undefined =>
      limits[dimension] === undefined
        ? undefined
        : Math.max(0, Math.min(available[dimension], this.word.room(dimension, now)))
    return { requests: left("requests"), tokens: left("tokens") }
  })

  /** How long a call would wait for its turn: an estimate. */
  forecast(caller: Caller, cost: Cost): Effect.Effect<number> {
    return Effect.gen({ self: this }, function*() {
      const { requests, tokens } = this.limits
      if (tokens !== undefined && cost.tokens > tokens) return Infinity
      const available = yield* Effect.flatMap(this.current, (limiter) => limiter.available)
      const ahead = this.queue.ahead(caller, shareOf(cost, this.limits))
      const waitFor = (limit: number | undefined, work: number, room: number): number =>
        limit === undefined ? 0 : Math.max(0, (work - room) / limit * minute)
      return Math.max(
        this.word.wait(yield* this.now, cost, this.isConfigured),
        waitFor(requests, ahead.requests + cost.requests, Math.min(available.requests, available.window)),
        waitFor(tokens, ahead.tokens + cost.tokens, available.tokens)
      )
    })
  }

  private get isConfigured(): boolean {
    const { requests, tokens } = this.settings.configured
    return requests !== undefined || tokens !== undefined
  }

  /** The least wait: as if nothing of this minute were used. */
  private leastWait(caller: Caller, cost: Cost): number {
    const { requests, tokens } = this.limits
    const ahead = this.queue.ahead(caller, shareOf(cost, this.limits))
    const minutes = (limit: number | undefined, work: number): number =>
      limit === undefined ? 0 : Math.ceil(work / limit) - 1
    return minute *
      Math.max(minutes(requests, ahead.requests + cost.requests), minutes(tokens, ahead.tokens + cost.tokens))
  }

  /** Why a call may not even wait, if so. */
  private refusal(caller: Caller, cost: Cost, left: number): Effect.Effect<O1Error | undefined> {
    const { tokens } = this.limits
    if (tokens !== undefined && cost.tokens > tokens) {
      return Effect.as(this.tell("cost", "tokens", Infinity), tooLarge(this.name, cost, tokens))
    }
    const most = Math.min(left, this.settings.maxWait)
    const reason = this.leastWait(caller, cost) > most
      ? left < this.settings.maxWait ? "deadline" : "wait"
      : this.queue.size >= this.settings.maxQueue
      ? "queue"
      : undefined
    return reason === undefined ? Effect.undefined : this.turnedAway(reason, caller, cost)
  }

  private turnedAway(reason: "deadline" | "queue" | "wait", caller: Caller, cost: Cost): Effect.Effect<O1Error> {
    return Effect.flatMap(
      this.forecast(caller, cost),
      (wait) => Effect.as(this.tell(reason, "tokens", wait), noTurn(this.name, wait))
    )
  }

  /**
   * Waits until a call of that cost may go. A call that leaves before has cost nothing. To be run where nothing can interrupt it but
   * what is inside of `restore`.
   */
  admitted(
    caller: Caller,
    cost: Cost,
    restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ): Effect.Effect<Waiter & { readonly admission: Admission }, O1Error> {
    return Effect.gen({ self: this }, function*() {
      const left = Option.match(yield* Deadline.remaining, { onNone: () => Infinity, onSome: Duration.toMillis })
      const refusal = yield* this.refusal(caller, cost, left)
      if (refusal !== undefined) return yield* refusal
      const clock = yield* Clock.Clock
      const waiter = new Waiter(caller, cost, shareOf(cost, this.limits), this.time(clock))
      this.queue.add(waiter)
      this.pump(clock)
      if (waiter.waits) {
        const report = yield* CurrentProgress
        report?.({ _tag: "Waiting", phase: "quota", elapsed: Duration.zero })
      }
      const { maxWait } = this.settings
      const admitted = maxWait === Infinity || !waiter.waits ? waiter.admitted : Effect.timeoutOrElse(waiter.admitted, {
        duration: maxWait,
        orElse: () => Effect.flatMap(this.turnedAway("wait", caller, cost), Effect.fail)
      })
      const exit = yield* Effect.exit(restore(admitted))
      if (Exit.isSuccess(exit)) {
        const waited = this.time(clock) - waiter.since
        if (waited >= 1) yield* this.tellWaited(waited)
        return waiter as Waiter & { readonly admission: Admission }
      }
      yield* this.left(waiter)
      return yield* Effect.failCause(exit.cause)
    })
  }

  /** A call has gone away, perhaps in the instant in which it was let through. */
  private left(waiter: Waiter): Effect.Effect<void> {
    const { admission } = waiter
    if (admission !== undefined) return this.refund(waiter, admission)
    waiter.waits = false
    this.queue.remove(waiter)
    return this.news
  }

  /** A call that was let through never went out, and has cost nothing. */
  refund(waiter: Waiter, { charge, sent }: Admission): Effect.Effect<void> {
    this.word.unsent(sent)
    this.queue.refund(waiter)
    return Effect.andThen(charge.settle(takenFor({ requests: 0, tokens: 0 })), this.news)
  }

  /** The request goes out once more, in another form: the service counts it, whatever this side thinks of it. */
  again(cost: Cost): Effect.Effect<Sent> {
    return Effect.gen({ self: this }, function*() {
      const limiter = yield* this.current
      const charge = yield* Effect.option(limiter.take({ requests: 0, window: 0, tokens: 0 }))
      if (Option.isSome(charge)) yield* charge.value.settle(takenFor(cost))
      const sent = { cost, at: yield* this.now }
      this.word.sent(sent)
      return sent
    })
  }

  /** There may be room that was not there, or less. */
  readonly news: Effect.Effect<void> = Effect.map(Clock.Clock, (clock) => {
    this.blocked = undefined
    this.pump(clock)
  })

  /** Lets through who can go, in a fiber that is nobody's, for as long as somebody waits. */
  private pump(clock: Clock.Clock): void {
    this.hasNews = true
    if (this.isPumping) return this.wake()
    if (this.queue.size === 0) return
    this.isPumping = true
    const context = this.settings.context.pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Telemetry.CurrentListener, undefined)
    )
    Effect.runForkWith(context)(this.pumping)
  }

  private readonly pumping: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (;;) {
      // nothing comes between the look at the queue and the end
      if (this.queue.size === 0) {
        this.isPumping = false
        return
      }
      this.hasNews = false
      const wait = yield* this.step
      if (wait > 0) yield* this.pause(wait)
    }
  }).pipe(Effect.onExit((exit) =>
    Effect.sync(() => {
      if (Exit.isSuccess(exit)) return
      // a limiter of somebody else's that dies takes no caller's answer away
      this.isPumping = false
      for (const waiter of this.queue.calls()) {
        this.queue.remove(waiter)
        waiter.refuse(Effect.failCause(exit.cause))
      }
    })
  ))

  private pause(wait: number): Effect.Effect<unknown> {
    const woken = Effect.callback<void>((resume) => {
      if (this.hasNews) return resume(Effect.void)
      this.wake = () => resume(Effect.void)
      return Effect.sync(() => {
        this.wake = constVoid
      })
    })
    return Effect.timeoutOption(woken, Duration.millis(Math.max(1, Math.ceil(Math.min(wait, longestPause)))))
  }

  /** Lets the next call through, or one that may pass it. Gives how long nothing more will happen. */
  private readonly step: Effect.Effect<number> = Effect.gen({ self: this }, function*() {
    const now = yield* this.now
    const limiter = yield* this.current
    const first = this.queue.first()
    if (first === undefined) return 0
    const wait = yield* this.tried(limiter, first, now)
    if (wait === 0 || this.queue.size < 2) return wait
    const available = yield* limiter.available
    const other = this.queue.passing(({ cost }) =>
      cost.requests <= Math.min(available.requests, available.window) && cost.tokens <= available.tokens &&
      this.word.wait(now, cost, this.isConfigured) === 0
    )
    return other !== undefined && (yield* this.tried(limiter, other, now)) === 0 ? 0 : wait
  })

  /** Gives 0 if the call waits no longer. */
  private tried(limiter: Limiter, waiter: Waiter, now: number): Effect.Effect<number> {
    const { cost } = waiter
    const told = this.word.wait(now, cost, this.isConfigured)
    if (told > 0) return Effect.succeed(told)
    if (this.blocked?.waiter === waiter && this.blocked.until > now) return Effect.succeed(this.blocked.until - now)
    return Effect.matchEffect(limiter.take(takenFor(cost)), {
      onFailure: ({ retryAfter }) =>
        Effect.sync(() => {
          const wait = Duration.toMillis(retryAfter)
          if (wait < Infinity) {
            this.blocked = { waiter, until: now + wait }
            return Math.max(1, wait)
          }
          this.queue.remove(waiter)
          waiter.refuse(Effect.fail(tooLarge(this.name, cost, this.limits.tokens)))
          return 0
        }),
      onSuccess: (charge) => {
        if (!waiter.waits) return Effect.as(charge.settle(takenFor({ requests: 0, tokens: 0 })), 0)
        const sent = { cost, at: now }
        this.word.sent(sent)
        this.queue.admit(waiter)
        waiter.admit({ charge, sent })
        return Effect.succeed(0)
      }
    })
  }

  private tellWaited(waited: number): Effect.Effect<void> {
    return this.emit({
      _tag: "WaitedForRateLimiter",
      policy: "rate-limiter",
      name: this.name,
      waited: Duration.millis(Math.round(waited))
    })
  }

  private tell(
    reason: "cost" | "deadline" | "queue" | "wait",
    dimension: QuotaDimension,
    wait: number
  ): Effect.Effect<void> {
    return this.emit({
      _tag: "RejectedByRateLimiter",
      policy: "rate-limiter",
      name: this.name,
      reason,
      dimension,
      retryAfter: Duration.millis(wait)
    })
  }

  /** Nothing that a listener throws can hurt a call. */
  private emit(event: Telemetry.Event): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const listener = fiber.getRef(Telemetry.CurrentListener)
      return listener === undefined
        ? Effect.void
        : Effect.ignoreCause(Effect.sync(() => listener(event, fiber.context)))
    })
  }
}
