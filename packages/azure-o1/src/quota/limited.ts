import type * as RateLimiter from "@effect-resilience/core/RateLimiter"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Cost, MinuteLimits } from "./cost.ts"
import { limitsOf, type QuotaDimension } from "./limits.ts"
import { type Sent, Word } from "./word.ts"

type Charge = RateLimiter.Charge<QuotaDimension>

const minute = 60_000

export type Limiter = RateLimiter.RateLimiter<QuotaDimension>

type Rules = ReturnType<typeof limitsOf>

const windowOf = ({ window }: Rules): number => Duration.toMillis(window.within)

export interface LimitedSettings {
  readonly name: string
  readonly configured: MinuteLimits
  readonly makeLimiter: (name: string, limits: Rules) => Effect.Effect<Limiter>
  /** The limiter counts what other processes use. */
  readonly isShared: boolean
  /** What the limiter needs, and nothing of a caller. */
  readonly context: Context.Context<never>
}

/** A cost, in the dimensions of a limiter. */
export const takenFor = ({ requests, tokens }: Cost): { readonly [D in QuotaDimension]: number } => ({
  requests,
  window: requests,
  tokens
})

/** Takes with or without room: nobody refuses what costs nothing, and what it is settled with is charged in any case. */
const charged = (limiter: Limiter, cost: Record<QuotaDimension, number>): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.orDie(limiter.take(takenFor({ requests: 0, tokens: 0 }))),
    (charge) => charge.settle(cost)
  )

/** What limits a deployment: this side's count, and the service's word. */
export class Limited {
  readonly name: string
  readonly context: Context.Context<never>
  readonly word: Word
  private readonly settings: LimitedSettings
  private limiter: Limiter | undefined = undefined
  /** The charges of the last minute. */
  private readonly charges: Array<{ readonly at: number; readonly charge: Charge }> = []
  private making: Fiber.Fiber<Limiter> | undefined = undefined
  /** The span of the short window, in milliseconds. */
  private window = 0
  private inForce: string | undefined = undefined
  private seen = -Infinity
  private setBack = 0

  constructor(settings: LimitedSettings) {
    this.settings = settings
    this.name = settings.name
    this.context = settings.context
    this.word = new Word(!settings.isShared)
  }

  /** Milliseconds. For a clock that was set back no time has passed. */
  time(clock: Clock.Clock): number {
    const now = Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
    if (now < this.seen) this.setBack += this.seen - now
    this.seen = now
    return now + this.setBack
  }

  readonly now: Effect.Effect<number> = Effect.map(Clock.Clock, (clock) => this.time(clock))

  /** The limits that hold, by the configuration and by the service. */
  get limits(): MinuteLimits {
    return this.word.limits(this.seen + this.setBack, this.settings.configured)
  }

  /** The limiter with the limits that hold now. */
  readonly current: Effect.Effect<Limiter> = Effect.suspend(() => {
    const { limiter, limits } = this
    const even = this.word.isEven(this.seen + this.setBack)
    const inForce = `${limits.requests} ${limits.tokens} ${even}`
    if (limiter !== undefined && this.inForce === inForce) return Effect.succeed(limiter)
    const rules = limitsOf(limits, even)
    if (limiter === undefined) return this.made(rules, inForce)
    this.inForce = inForce
    return Effect.as(this.adopted(limiter, rules), limiter)
  })

  /** One limiter, though several calls may ask for it while it is made, and the first of them may go away. */
  private made(rules: Rules, inForce: string): Effect.Effect<Limiter> {
    return Effect.withFiber((fiber) => {
      const { making = this.make(fiber.getRef(Clock.Clock), rules, inForce) } = this
      return Fiber.join(making)
    })
  }

  private make(clock: Clock.Clock, rules: Rules, inForce: string): Fiber.Fiber<Limiter> {
    const context = Context.add(this.context, Clock.Clock, clock)
    const making = Effect.runForkWith(context)(this.settings.makeLimiter(this.name, rules))
    this.making = making
    making.addObserver((exit) => {
      this.making = undefined
      if (Exit.isFailure(exit)) return
      this.limiter = exit.value
      this.inForce = inForce
      this.window = windowOf(rules)
    })
    return making
  }

  /** A window that is longer than before has calls in it that the shorter one has forgotten. */
  private adopted(limiter: Limiter, rules: Rules): Effect.Effect<void> {
    const now = this.seen + this.setBack
    const known = this.window
    this.window = windowOf(rules)
    const forgotten = this.word.requestsSince(now - this.window) - this.word.requestsSince(now - known)
    return Effect.andThen(
      limiter.reconfigure(rules),
      forgotten <= 0 ? Effect.void : charged(limiter, { requests: 0, window: forgotten, tokens: 0 })
    )
  }

  /** A call was let through. */
  charged(now: number, charge: Charge): void {
    this.charges.push({ at: now, charge })
  }

  /**
   * Gives back what the service counts no more, which this side would count until a minute has gone by. Gives how much that was, and when
   * there will be more of it.
   */
  readonly renewed: Effect.Effect<{ readonly count: number; readonly next: number }> = Effect.suspend(() => {
    const now = this.seen + this.setBack
    const { before, next } = this.word.renewal(now)
    const first = this.charges.findIndex(({ at }) => at >= before && at >= now - minute)
    const old = this.charges.splice(0, first === -1 ? this.charges.length : first).filter(({ at }) => at < before)
    const settled = Effect.forEach(old, ({ charge }) => charge.settle({ requests: 0, tokens: 0 }), { discard: true })
    return Effect.as(settled, { count: old.length, next })
  })

  /** How long the service's word keeps a call of that cost from going. */
  told(now: number, cost: Cost): number {
    const { requests, tokens } = this.settings.configured
    return this.word.wait(now, cost, requests !== undefined || tokens !== undefined)
  }

  /** The rest of the minute: the smaller of what this side has counted and what the service says. */
  readonly remaining: Effect.Effect<MinuteLimits> = Effect.gen({ self: this }, function*() {
    const now = yield* this.now
    const available = yield* Effect.flatMap(this.current, (limiter) => limiter.available)
    const limits = this.limits
    const left = (dimension: "requests" | "tokens"): number | undefined =>
      limits[dimension] === undefined
        ? undefined
        : Math.max(0, Math.min(available[dimension], this.word.rest(dimension, now)))
    return { requests: left("requests"), tokens: left("tokens") }
  })

  /** The service counts a request that goes out, with or without room for it. */
  chargeAnyway(cost: Cost): Effect.Effect<Sent> {
    return Effect.gen({ self: this }, function*() {
      const limiter = yield* this.current
      yield* charged(limiter, takenFor(cost))
      const sent = { cost, at: yield* this.now }
      this.word.sent(sent)
      return sent
    })
  }
}
