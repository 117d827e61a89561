import * as Criticality from "@effect-resilience/core/Criticality"
import * as Deadline from "@effect-resilience/core/Deadline"
import * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { O1Error } from "../O1Error.ts"
import { CurrentProgress } from "../transport/progress.ts"
import { type Cost, shareOf } from "./cost.ts"
import { Limited, type LimitedSettings, takenFor } from "./limited.ts"
import { Pump } from "./pump.ts"
import type { Caller, Queue } from "./queue.ts"
import { noTurn, tooLarge } from "./refusals.ts"
import { type Admission, Waiter } from "./waiter.ts"

export interface DeploymentSettings extends LimitedSettings {
  /** in milliseconds */
  readonly maxWait: number
  readonly maxQueue: number
}

/** A call that was let through. */
export type Admitted = Waiter & { readonly admission: Admission }

const minute = 60_000

/** The quota of one deployment: its limits, and the calls that wait for their turn. */
export class Deployment {
  readonly name: string
  readonly limited: Limited
  /** The transport tells what it sends. */
  isMetered = false
  private readonly pump: Pump
  private readonly maxWait: number
  private readonly maxQueue: number

  constructor(settings: DeploymentSettings) {
    this.name = settings.name
    this.maxWait = settings.maxWait
    this.maxQueue = settings.maxQueue
    this.limited = new Limited(settings)
    this.pump = new Pump(this.limited)
  }

  get queue(): Queue<Waiter> {
    return this.pump.queue
  }

  /** How long a call would wait for its turn: an estimate, in milliseconds. */
  forecast(caller: Caller, cost: Cost): Effect.Effect<number> {
    return Effect.gen({ self: this }, function*() {
      const { limited } = this
      const { requests, tokens } = limited.limits
      if (tokens !== undefined && cost.tokens > tokens) return Infinity
      const available = yield* Effect.flatMap(limited.current, (limiter) => limiter.available)
      const ahead = this.queue.ahead(caller, shareOf(cost, limited.limits))
      const waitFor = (limit: number | undefined, work: number, room: number): number =>
        limit === undefined ? 0 : Math.max(0, (work - room) / limit * minute)
      return Math.max(
        limited.told(yield* limited.now, cost),
        waitFor(requests, ahead.requests + cost.requests, Math.min(available.requests, available.window)),
        waitFor(tokens, ahead.tokens + cost.tokens, available.tokens)
      )
    })
  }

  /** The least wait, in milliseconds: as if nothing of this minute were used. */
  private leastWait(caller: Caller, cost: Cost): number {
    const { limits } = this.limited
    const ahead = this.queue.ahead(caller, shareOf(cost, limits))
    const minutes = (limit: number | undefined, work: number): number =>
      limit === undefined ? 0 : Math.ceil(work / limit) - 1
    return minute * Math.max(
      minutes(limits.requests, ahead.requests + cost.requests),
      minutes(limits.tokens, ahead.tokens + cost.tokens)
    )
  }

  /** Why no call of that cost can be let through, if so. */
  problem(cost: Cost): O1Error | undefined {
    const { tokens } = this.limited.limits
    return tokens !== undefined && cost.tokens > tokens ? tooLarge(this.name, cost, tokens) : undefined
  }

  /** Why a call may not even wait, if so; `left` is the time until its deadline. */
  private refusal(caller: Caller, cost: Cost, left: number): Effect.Effect<O1Error | undefined> {
    const isLate = this.leastWait(caller, cost) > Math.min(left, this.maxWait)
    return isLate || this.queue.size >= this.maxQueue
      ? Effect.map(this.forecast(caller, cost), (wait) => noTurn(this.name, wait))
      : Effect.undefined
  }

  /**
   * Waits until a call of that cost may go. A call that leaves before has cost nothing. To be run where nothing can interrupt it but
   * what is inside of `restore`.
   */
  admitted(
    caller: Caller,
    cost: Cost,
    restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ): Effect.Effect<Admitted, O1Error> {
    return Effect.gen({ self: this }, function*() {
      const left = Option.match(yield* Deadline.remaining, { onNone: () => Infinity, onSome: Duration.toMillis })
      const clock = yield* Clock.Clock
      const since = this.limited.time(clock)
      const refusal = yield* this.refusal(caller, cost, left)
      if (refusal !== undefined) return yield* refusal
      const latest = since + Math.min(left, this.maxWait)
      const waiter = new Waiter({ caller, cost, share: shareOf(cost, this.limited.limits), since, latest })
      this.queue.add(waiter)
      this.pump.news(clock, false)
      if (waiter.waits) {
        const report = yield* CurrentProgress
        report?.({ _tag: "Waiting", phase: "quota", elapsed: Duration.zero })
      }
      const exit = yield* Effect.exit(restore(this.within(waiter)))
      if (Exit.isFailure(exit)) {
        yield* this.left(waiter)
        return yield* Effect.failCause(exit.cause)
      }
      const waited = this.limited.time(clock) - since
      if (waited >= 1) yield* this.tellWaited(waited)
      return waiter as Admitted
    }).pipe(Effect.tapError((error) => this.tellRefused(error)))
  }

  private within(waiter: Waiter): Effect.Effect<unknown, O1Error> {
    return this.maxWait === Infinity || !waiter.waits ? waiter.admitted : Effect.timeoutOrElse(waiter.admitted, {
      duration: this.maxWait,
      orElse: () =>
        Effect.flatMap(this.forecast(waiter.caller, waiter.cost), (wait) => Effect.fail(noTurn(this.name, wait)))
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
    this.limited.word.unsent(sent)
    this.queue.refund(waiter)
    return Effect.andThen(charge.settle(takenFor({ requests: 0, tokens: 0 })), this.news)
  }

  /** There may be room that was not there, or less. */
  readonly news: Effect.Effect<void> = Effect.map(Clock.Clock, (clock) => this.pump.news(clock, true))

  private tellWaited(waited: number): Effect.Effect<void> {
    return emit((criticality) => ({
      _tag: "WaitedForRateLimiter",
      policy: "rate-limiter",
      name: this.name,
      criticality,
      waited: Duration.millis(Math.round(waited))
    }))
  }

  tellRefused(error: O1Error): Effect.Effect<void> {
    const retryAfter = error._tag === "O1RejectedError" ? error.retryAfter : undefined
    return emit((criticality) => ({
      _tag: "RejectedByRateLimiter",
      policy: "rate-limiter",
      name: this.name,
      criticality,
      reason: error._tag === "O1RateLimitError" ? "cost" : this.queue.size >= this.maxQueue ? "queue" : "wait",
      dimension: "tokens",
      retryAfter: retryAfter ?? Duration.infinity
    }))
  }
}

/** A listener cannot hurt a call. */
const emit = (eventOf: (criticality: Criticality.Criticality) => Telemetry.Event): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined) return Effect.void
    const event = eventOf(fiber.getRef(Criticality.CurrentCriticality))
    return Effect.ignoreCause(Effect.sync(() => listener(event, fiber.context)))
  })
