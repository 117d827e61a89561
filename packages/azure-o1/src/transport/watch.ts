import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Clocks } from "../AzureO1Config.ts"
import { late } from "../credential/token.ts"
import { type O1AuthError, O1TimeoutError } from "../O1Error.ts"
import * as route from "./route.ts"

/** What an attempt begins with. */
export interface Beginning {
  /** The limit until there is something to show, in milliseconds. */
  readonly attempt: number
  /** The longest silence within the answer. */
  readonly idle: number
  /** The longest silence on the connection of a response that the service keeps, if the caller has an opinion. */
  readonly silence: number
  /** Questions in a row for a response that the service keeps that may be in vain. */
  readonly fruitless: number
  readonly route: route.Route
  /** How many times their length the configured clocks have. */
  readonly stretch: number
}

/** An attempt outside of any policy. */
export const unlimited: Beginning = {
  attempt: Infinity,
  idle: Infinity,
  silence: Infinity,
  fruitless: 8,
  route: route.unknown,
  stretch: 1
}

const millisOf = (input: Duration.Input | undefined, stretch: number): number =>
  input === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(input)) * stretch

/** Times that differ by less, in milliseconds, differ in how numbers are rounded. */
const instant = 0.001

/** How an attempt ends that takes too long; with a token that does not come, the deployment was not asked at all. */
export type Overdue = O1TimeoutError | O1AuthError

/** A piece of work that is waited for. */
interface Pending {
  readonly expire: (due: route.Due) => void
}

/**
 * Watches one attempt, and ends it when {@link route.due} says that it has been silent for too long. The transport tells it what it
 * hears. One timer serves all of its clocks, and is set anew only when it has rung, or would ring too late.
 */
export class Watch {
  readonly fruitless: number
  readonly silence: number
  readonly route: route.Route
  private readonly clock: Clock.Clock
  private readonly stretch: number
  private readonly startedAt: number
  private readonly deadline: number
  private limits: route.Limits
  private sent: number | undefined = undefined
  private opened: number | undefined = undefined
  private heardAt: number | undefined = undefined
  private saidAt: number | undefined = undefined
  private thinking = false
  private isKept = false
  /** A token is waited for. */
  signsIn = false
  /** Another call was told to wait, so that nothing was asked for this one. */
  isHeld = false
  /** A limit has ended it. */
  isCut = false
  private pending: Pending | undefined = undefined
  private timer: Fiber.Fiber<void> | undefined = undefined
  private ringsAt = Infinity

  /** `left` is the time that the whole call has: what would end with it, its owner ends. */
  constructor(clock: Clock.Clock, left: number, { attempt, fruitless, idle, route, silence, stretch }: Beginning) {
    this.clock = clock
    this.fruitless = fruitless
    this.silence = silence
    this.route = route
    this.stretch = stretch
    this.limits = { attempt, idle, headers: Infinity, first: Infinity, firstByte: Infinity, byteIdle: Infinity }
    this.startedAt = this.now
    this.deadline = this.startedAt + left
  }

  /** The limit of an attempt that says nothing, in milliseconds. */
  get limit(): number {
    return this.limits.attempt
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }

  /** How long the attempt has taken so far. */
  get elapsed(): number {
    return this.now - this.startedAt
  }

  /** What goes out is to be answered in one piece, which has no phases. */
  whole(): void {
    this.sent = this.opened = this.heardAt = undefined
  }

  /** What goes out is a stream, with these clocks. */
  streams({ byteIdle = route.longestSilence.stream, first, firstByte, headers }: Clocks): void {
    const { stretch } = this
    this.sent = this.now
    this.opened = this.heardAt = undefined
    this.limits = {
      ...this.limits,
      headers: millisOf(headers, stretch),
      first: millisOf(first, stretch),
      firstByte: millisOf(firstByte, stretch),
      byteIdle: millisOf(byteIdle, stretch)
    }
    this.changed()
  }

  /** The headers of a stream are here. */
  begins(): void {
    this.opened = this.now
    this.changed()
  }

  /** Something came over the connection. */
  heard(): void {
    this.heardAt = this.now
    this.changed()
  }

  /** Something to show came. */
  said(tag: string): void {
    this.saidAt = this.now
    if (this.opened !== undefined) this.heardAt = this.saidAt
    this.thinking = route.isThought(tag)
    this.changed()
  }

  /** The service makes the response whether anybody listens or not: from now on nothing here is too long. */
  kept(): void {
    this.isKept = true
  }

  /** The work, until it is done or too late. */
  guard<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Overdue, R> {
    return Effect.withFiber((fiber) =>
      this.isKept
        ? self
        : Effect.callback<A, E | Overdue, R>((resume) => {
          const child = Effect.runForkWith(fiber.context as Context.Context<R>)(self)
          const exit = child.pollUnsafe()
          if (exit !== undefined) return resume(exit)
          const pending: Pending = {
            expire: ({ kind, limit }) => {
              this.isCut = true
              const duration = Duration.millis(limit)
              const error = this.signsIn ? late(duration) : new O1TimeoutError({ kind, limit: duration })
              resume(Effect.andThen(Fiber.interrupt(child), Effect.fail(error)))
            }
          }
          this.pending = pending
          this.arm()
          child.addObserver((exit) => {
            if (this.pending !== pending) return
            this.pending = undefined
            resume(exit)
          })
          return Effect.suspend(() => {
            this.pending = undefined
            return Fiber.interrupt(child)
          })
        })
    )
  }

  /** One pull of a stream. The time that its consumer takes between two of them is not silence. */
  guardPull<A, E, R>(pull: Effect.Effect<NonEmptyReadonlyArray<A>, E, R>) {
    return Effect.suspend(() => {
      if (this.isKept) return pull
      if (this.saidAt !== undefined) {
        this.saidAt = this.now
        if (this.opened !== undefined) this.heardAt = this.saidAt
      }
      return Effect.map(this.guard(pull), (pieces) => {
        const { _tag } = pieces[pieces.length - 1] as { readonly _tag?: string }
        this.saidAt ??= this.startedAt
        this.thinking = _tag !== undefined && route.isThought(_tag)
        return pieces
      })
    })
  }

  /** The attempt is over. */
  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.pending = undefined
    this.timer?.interruptUnsafe()
  })

  private get due(): route.Due {
    const due = route.due({
      startedAt: this.startedAt,
      sent: this.sent,
      opened: this.opened,
      heard: this.heardAt,
      said: this.saidAt,
      thinking: this.thinking,
      kept: this.isKept
    }, this.limits)
    return due.at < this.deadline - instant ? due : route.never
  }

  /** A clock may end sooner than the timer rings. */
  private changed(): void {
    if (this.pending !== undefined && this.due.at < this.ringsAt) this.arm()
  }

  private arm(): void {
    const { at } = this.due
    if (at === Infinity || this.ringsAt <= at) return
    this.timer?.interruptUnsafe()
    this.ringsAt = at
    // a clock that stands still must not have it ring at once, again and again
    const pause = Duration.millis(Math.max(1, Math.ceil(at - this.now - instant)))
    this.timer = Effect.runFork(Effect.andThen(this.clock.sleep(pause), Effect.sync(() => this.ring())))
  }

  private ring(): void {
    this.ringsAt = Infinity
    const { pending } = this
    // the reader is busy, and sets it again when the next piece is waited for
    if (pending === undefined) return
    const { due } = this
    if (due.at - this.now > instant) return this.arm()
    this.pending = undefined
    pending.expire(due)
  }
}

/** The watch over the attempt that is under way. */
export const CurrentWatch = Context.Reference<Watch | undefined>("@effect-resilience/azure-o1/CurrentWatch", {
  defaultValue: () => undefined
})
