import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Phase } from "../kernel/phases.ts"
import * as Telemetry from "../Telemetry.ts"
import { Deadline } from "./deadline.ts"
import { emit } from "./emit.ts"
import { awaitAndKeepDefects, diesOf } from "./interrupt.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { now } from "./time.ts"
import { Timer, type TimerQueue } from "./timers.ts"

/** The caller gets the timeout, so a defect of the clean-up has nowhere else to go. */
export const reportCleanup = (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void => {
  const listener = fiber.getRef(Telemetry.CurrentListener)
  const cause = diesOf(exit)
  if (listener !== undefined && cause !== undefined) {
    emit(listener, { _tag: "CleanupDied", policy: "timeout", name: undefined, cause })
  }
}

let leftInProcess = 0

/** How many calls have been interrupted and left behind, and are still running. */
export const leftBehind = (): number => leftInProcess

/** What one policy has left behind. */
interface Left {
  running: number
}

/** Nobody waits any more for the end of a call that has been interrupted: it is counted, and cleaned up after. */
export const leaveBehind = (fiber: AnyFiber, left: Left, child: AnyFiber, scope: Scope.Closeable | undefined): void => {
  leftInProcess++
  left.running++
  const listener = fiber.getRef(Telemetry.CurrentListener)
  if (listener !== undefined) {
    emit(listener, { _tag: "CallDetached", policy: "timeout", name: undefined, running: left.running })
  }
  // what has ended no longer knows its clock and its listener, so this fiber tells of the end
  fork(
    fiber.context,
    Effect.withFiber((background) => {
      const at = now(background)
      const cleanup = Effect.flatMap(Fiber.await(child), (exit) => {
        reportCleanup(background, exit)
        return scope === undefined ? Effect.void : Scope.close(scope, exit)
      })
      return Effect.onExitPrimitive(cleanup, (exit) => {
        leftInProcess--
        left.running--
        reportCleanup(background, exit)
        if (listener !== undefined) {
          const after = Duration.millis(now(background) - at)
          emit(listener, { _tag: "DetachedEnded", policy: "timeout", name: undefined, running: left.running, after })
        }
        return undefined
      })
    })
  )
}

export interface Settings {
  /** The limits in milliseconds, asked when a call begins, `now`. */
  readonly first: (now: number) => number
  readonly idle: (now: number) => number
  readonly total: (now: number) => number
  readonly progress: ((element: unknown) => boolean) | undefined
  /** for an effect whose limit does not vary */
  readonly queue: TimerQueue | undefined
  /** Where calls are counted that ignore their interruption and are left behind. Without it, they are waited for. */
  readonly left: Left | undefined
  /** The failure of a call that took too long; it has been told of. */
  readonly exceeded: (fiber: AnyFiber, phase: Phase, limit: number, elapsed: number) => AnyEffect
  /** The failure of a call that comes after its deadline. Without it, the call is begun, and left to the deadline's owner. */
  readonly refused: ((fiber: AnyFiber, overrun: number) => AnyEffect) | undefined
}

/** What a timeout is made of. */
export interface Limiting extends Implementation {
  readonly settings: Settings
}

export class TimeoutEffect extends Primitive {
  protected readonly self: AnyEffect
  protected readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  run(fiber: AnyFiber): AnyEffect {
    const at = now(fiber)
    return this.limited(fiber, at, at)
  }

  /** Limits what counts as begun at `startedAt`; `at` is now. */
  protected limited(fiber: AnyFiber, startedAt: number, at: number): AnyEffect {
    const { self, settings } = this
    const first = settings.first(startedAt)
    const total = settings.total(startedAt)
    const limit = Math.min(first, total)
    const end = startedAt + limit
    const deadline = fiber.getRef(Deadline)
    if (settings.refused !== undefined && Math.min(deadline, end) <= startedAt) {
      return settings.refused(fiber, startedAt - Math.min(deadline, end))
    }
    // whoever published an earlier deadline enforces it: no second timer, no second fiber
    if (deadline <= end) return self
    const phase = total <= first ? "total" : "first"
    const run = new TimeoutRun(fiber, settings, phase, limit, startedAt)
    const context: Context.Context<never> = total < Infinity
      ? Context.add(fiber.context, Deadline, Math.min(deadline, startedAt + total))
      : fiber.context
    const left = at === startedAt ? limit : end - at
    return Effect.callback((resume) => run.start(self, context, left, resume))
  }
}

/** A call in flight: timer, state and clean-up in one object. */
class TimeoutRun extends Timer {
  private readonly parent: AnyFiber
  private readonly settings: Settings
  private readonly phase: Phase
  private readonly limit: number
  private readonly startedAt: number
  private child: AnyFiber | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private expired = false
  private left = false

  constructor(parent: AnyFiber, settings: Settings, phase: Phase, limit: number, startedAt: number) {
    super()
    this.parent = parent
    this.settings = settings
    this.phase = phase
    this.limit = limit
    this.startedAt = startedAt
  }

  /**
   * The call is started inside the callback's register. Started before it, it would be orphaned by an interruption of the
   * caller at a scheduler yield between the fork and the callback.
   */
  start(
    self: AnyEffect,
    context: Context.Context<never>,
    left: number,
    resume: (effect: AnyEffect) => void
  ): Effect.Effect<void> | void {
    const child = fork(context, self)
    const exit = child.pollUnsafe()
    if (exit !== undefined) return resume(exit)
    this.child = child
    this.resume = resume
    this.arm(this.parent, this.startedAt, left, this.settings.queue)
    child.addObserver((exit) => this.settle(exit))
    return this.cleanup
  }

  expire(): void {
    const child = this.child!
    this.expired = true
    child.interruptUnsafe(this.parent.id)
    if (this.settings.left !== undefined && child.pollUnsafe() === undefined) {
      this.leave(this.parent)
      this.resume!(this.exceeded())
    }
  }

  private settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.left) return
    if (!this.expired) {
      this.disarm()
      return this.resume!(exit)
    }
    reportCleanup(this.parent, exit)
    this.resume!(this.exceeded())
  }

  private exceeded(): AnyEffect {
    const { limit, parent, phase, settings, startedAt } = this
    return settings.exceeded(parent, phase, limit, now(parent) - startedAt)
  }

  private leave(fiber: AnyFiber): void {
    this.left = true
    leaveBehind(fiber, this.settings.left!, this.child!, undefined)
  }

  /** `Effect.callback` asks for its clean-up also when it was resumed with the exit of a call that interrupted itself. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    this.disarm()
    const child = this.child!
    if (child.pollUnsafe() !== undefined) return Effect.void
    child.interruptUnsafe(fiber.id)
    if (this.settings.left === undefined || child.pollUnsafe() !== undefined) return awaitAndKeepDefects(fiber, child)
    this.leave(fiber)
    return Effect.void
  }
}
