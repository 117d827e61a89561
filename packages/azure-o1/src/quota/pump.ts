import * as Telemetry from "@effect-resilience/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import { type MinuteLimits, shareOf } from "./cost.ts"
import { type Limited, type Limiter, takenFor } from "./limited.ts"
import { Queue } from "./queue.ts"
import { noTurn, tooLarge } from "./refusals.ts"
import type { Waiter } from "./waiter.ts"

/** A limiter that others share may have room sooner than it said. */
const longestPause = 5_000

const nothing = takenFor({ requests: 0, tokens: 0 })

/** Lets the calls of a deployment through, in the order of their queue, as its limits allow. */
export class Pump {
  readonly queue = new Queue<Waiter>()
  private readonly limited: Limited
  private isRunning = false
  private hasNews = false
  private wake: () => void = constVoid
  /** The limits by which the calls that wait are priced. */
  private priced: MinuteLimits | undefined = undefined
  /** The call for which there is no room before then. */
  private blocked: { readonly waiter: Waiter; readonly until: number } | undefined = undefined

  constructor(limited: Limited) {
    this.limited = limited
  }

  /** There may be room that was not there, or less, or another call. */
  news(clock: Clock.Clock, isFreed: boolean): void {
    if (isFreed) this.blocked = undefined
    this.hasNews = true
    if (this.isRunning) return this.wake()
    if (this.queue.size === 0) return
    this.isRunning = true
    // a fiber that is nobody's: it outlives the call that began it, and tells nobody what the limiter refuses
    const context = this.limited.context.pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Telemetry.CurrentListener, undefined)
    )
    Effect.runForkWith(context)(this.running)
  }

  private readonly running: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (;;) {
      // nothing comes between the look at the queue and the end
      if (this.queue.size === 0) {
        this.isRunning = false
        return
      }
      this.hasNews = false
      const wait = yield* this.step
      if (wait > 0) yield* this.pause(wait)
    }
  }).pipe(Effect.onExit((exit) =>
    Effect.sync(() => {
      if (Exit.isSuccess(exit)) return
      // a limiter of somebody else's has died: nobody waits for it
      this.isRunning = false
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
    const { limited, queue } = this
    const now = yield* limited.now
    const limiter = yield* limited.current
    const renewed = yield* limited.renewed
    if (renewed.count > 0) this.blocked = undefined
    this.price(limited.limits)
    const first = queue.first()
    if (first === undefined) return 0
    const wait = Math.min(yield* this.tried(limiter, first, now), Math.max(1, renewed.next - now))
    if (wait === 0 || queue.size < 2) return wait
    const available = yield* limiter.available
    // every call takes a request
    if (Math.min(available.requests, available.window) < 1) return wait
    const other = queue.passing(({ cost }) => cost.tokens <= available.tokens && limited.told(now, cost) === 0)
    return other !== undefined && (yield* this.tried(limiter, other, now)) === 0 ? 0 : wait
  })

  /** Calls that came under other limits, or before any was known, would pay more or less for their turn than those that come now. */
  private price(limits: MinuteLimits): void {
    const { priced } = this
    if (priced !== undefined && priced.requests === limits.requests && priced.tokens === limits.tokens) return
    this.priced = limits
    this.queue.reprice(({ cost }) => shareOf(cost, limits))
  }

  /** Gives 0 if the call waits no longer. */
  private tried(limiter: Limiter, waiter: Waiter, now: number): Effect.Effect<number> {
    const { cost } = waiter
    // the service has lowered its limit since
    if (cost.tokens > (this.limited.limits.tokens ?? Infinity)) {
      return Effect.sync(() => this.refused(waiter, now, Infinity))
    }
    const told = this.limited.told(now, cost)
    if (told > 0) return Effect.succeed(told)
    if (this.blocked?.waiter === waiter && this.blocked.until > now) return Effect.succeed(this.blocked.until - now)
    return Effect.matchEffect(limiter.take(takenFor(cost)), {
      onFailure: ({ retryAfter }) => Effect.sync(() => this.refused(waiter, now, Duration.toMillis(retryAfter))),
      onSuccess: (charge) => {
        // it has left while a limiter elsewhere was asked
        if (!waiter.waits) return Effect.as(charge.settle(nothing), 0)
        const sent = { cost, at: now }
        this.limited.word.sent(sent)
        this.limited.charged(now, charge)
        this.queue.admit(waiter)
        waiter.admit({ charge, sent })
        return Effect.succeed(0)
      }
    })
  }

  private refused(waiter: Waiter, now: number, wait: number): number {
    const { limits, name } = this.limited
    if (wait < Infinity && now + wait <= waiter.latest) {
      this.blocked = { waiter, until: now + wait }
      return Math.max(1, wait)
    }
    this.queue.remove(waiter)
    waiter.refuse(Effect.fail(wait < Infinity ? noTurn(name, wait) : tooLarge(name, waiter.cost, limits.tokens)))
    return 0
  }
}
