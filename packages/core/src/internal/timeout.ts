import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/phases.ts"
import * as Telemetry from "../Telemetry.ts"
import { Deadline, OutlivedDeadline } from "./deadline.ts"
import { emit } from "./emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import { awaitAndKeepDefects, diesOf } from "./interrupt.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import { Timer, type TimerQueue } from "./timers.ts"

/** The caller gets the timeout, so a defect of the clean-up has nowhere else to go. */
const reportCleanup = (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void => {
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
const leaveBehind = (fiber: AnyFiber, left: Left, child: AnyFiber, scope: Scope.Closeable | undefined): void => {
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
  readonly exceeded: (fiber: AnyFiber, phase: kernel.Phase, limit: number, elapsed: number) => AnyEffect
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
  private readonly phase: kernel.Phase
  private readonly limit: number
  private readonly startedAt: number
  private child: AnyFiber | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private expired = false
  private left = false

  constructor(parent: AnyFiber, settings: Settings, phase: kernel.Phase, limit: number, startedAt: number) {
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

/** The only timer of a stream. It is set again only when the phase that it stands for turns out to end later. */
class StreamTimer extends Timer {
  private readonly phases: kernel.Phases
  private readonly settings: Settings
  private readonly scope: Scope.Closeable
  private readonly begin: AnyPull
  private upstream: AnyPull | undefined = undefined
  /** the pull under way */
  private fiber: AnyFiber | undefined = undefined
  private child: AnyFiber | undefined = undefined
  private armedFor = Infinity
  private expired: kernel.Phase | undefined = undefined
  private context: Context.Context<never> | undefined = undefined
  private contextWithDeadline: Context.Context<never> | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private left = false

  constructor(self: AnyStream, settings: Settings, fiber: AnyFiber, streamScope: Scope.Scope) {
    super()
    this.settings = settings
    // what may be left behind must be able to outlive the stream
    this.scope = settings.left !== undefined ? Scope.makeUnsafe() : Scope.forkUnsafe(streamScope)
    this.begin = Effect.flatMap(open(self, this.scope), (pull) => {
      this.upstream = pull
      return pull
    })
    const startedAt = now(fiber)
    const deadline = fiber.getRef(Deadline)
    const remaining = deadline === fiber.getRef(OutlivedDeadline) ? Infinity : deadline - startedAt
    // as for an effect: what does not end before the ambient deadline is left to whoever published that
    const earlier = (limit: number): number => limit < remaining ? limit : Infinity
    this.phases = new kernel.Phases({
      first: earlier(settings.first(startedAt)),
      idle: settings.idle(startedAt),
      total: earlier(settings.total(startedAt))
    }, startedAt)
  }

  readonly pull: AnyPull = Effect.withFiber((fiber) => {
    if (this.phases.unlimited) return this.upstream ?? this.begin
    const start = now(fiber)
    this.phases.pulled(start)
    return this.phases.due <= start
      ? this.fail(fiber, this.phases.phase, Exit.void)
      : Effect.callback((resume) => this.start(fiber, start, resume))
  })

  private start(fiber: AnyFiber, at: number, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    const child = fork(this.contextOf(fiber), this.upstream ?? this.begin)
    const exit = child.pollUnsafe()
    if (exit !== undefined) return resume(this.produced(fiber, exit))
    this.fiber = fiber
    this.child = child
    this.resume = resume
    this.armUntilDue(fiber, at)
    child.addObserver((exit) => {
      if (!this.left) resume(this.produced(fiber, exit))
    })
    return this.cleanup
  }

  private produced(fiber: AnyFiber, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): AnyEffect {
    this.child = undefined
    if (this.expired !== undefined) {
      reportCleanup(fiber, exit)
      return this.fail(fiber, this.expired, exit)
    }
    if (Exit.isFailure(exit)) {
      this.disarm()
      return exit
    }
    const { progress } = this.settings
    try {
      this.phases.produced(now(fiber), progress === undefined || exit.value.some(progress))
    } catch (bug) {
      // nobody catches what an observer of a fiber throws
      this.disarm()
      return Exit.die(bug)
    }
    return exit
  }

  private fail(fiber: AnyFiber, phase: kernel.Phase, exit: Exit.Exit<unknown, unknown>): AnyEffect {
    this.disarm()
    const closing = Scope.close(this.scope, exit)
    const { left } = this.settings
    if (left === undefined) {
      return Effect.flatMap(Effect.exit(closing), (closed) => {
        reportCleanup(fiber, closed)
        return this.exceeded(fiber, phase)
      })
    }
    const child = fork(fiber.context, closing)
    const closed = child.pollUnsafe()
    if (closed === undefined) leaveBehind(fiber, left, child, undefined)
    else reportCleanup(fiber, closed)
    return this.exceeded(fiber, phase)
  }

  private exceeded(fiber: AnyFiber, phase: kernel.Phase): AnyEffect {
    return this.settings.exceeded(fiber, phase, this.phases.limits[phase], this.phases.elapsed(phase, now(fiber)))
  }

  private leave(fiber: AnyFiber, child: AnyFiber): void {
    this.left = true
    this.child = undefined
    leaveBehind(fiber, this.settings.left!, child, this.scope)
  }

  /** The stream has ended, however it did. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    this.disarm()
    return this.settings.left !== undefined && !this.left ? Scope.close(this.scope, exit) : Effect.void
  }

  private contextOf(fiber: AnyFiber): Context.Context<never> {
    const { limits: { total }, startedAt } = this.phases
    if (total === Infinity) return fiber.context
    if (fiber.context !== this.context) {
      this.context = fiber.context
      this.contextWithDeadline = Context.add(
        fiber.context,
        Deadline,
        Math.min(fiber.getRef(Deadline), startedAt + total)
      )
    }
    return this.contextWithDeadline!
  }

  private armUntilDue(fiber: AnyFiber, at: number): void {
    const { due } = this.phases
    if (due >= this.armedFor) return // an earlier timer is set, and will look again
    this.disarm()
    this.armedFor = due
    this.arm(fiber, at, due - at)
  }

  override disarm(): void {
    this.armedFor = Infinity
    super.disarm()
  }

  expire(): void {
    this.armedFor = Infinity
    const { child } = this
    if (child === undefined) return // the consumer's time: the next pull sets it again
    const fiber = this.fiber!
    const at = now(fiber)
    if (this.phases.due - at >= timerResolution) return this.armUntilDue(fiber, at)
    const phase = this.phases.phase
    this.expired = phase
    child.interruptUnsafe(fiber.id)
    if (this.settings.left !== undefined && child.pollUnsafe() === undefined) {
      this.leave(fiber, child)
      this.resume!(this.exceeded(fiber, phase))
    }
  }

  /** As for an effect: there is no child when it was the stream that interrupted itself. */
  run(fiber: AnyFiber): Effect.Effect<void> {
    this.disarm()
    const child = this.child
    if (child === undefined) return Effect.void
    child.interruptUnsafe(fiber.id)
    if (this.settings.left !== undefined && child.pollUnsafe() === undefined) {
      this.leave(fiber, child)
      return Effect.void
    }
    this.child = undefined
    return awaitAndKeepDefects(fiber, child)
  }
}

export const timeoutStream = (self: AnyStream, settings: Settings): AnyStream =>
  fromPull((scope) =>
    Effect.withFiber((fiber) => {
      if (settings.refused !== undefined) {
        const startedAt = now(fiber)
        const overrun = startedAt - Math.min(fiber.getRef(Deadline), startedAt + settings.total(startedAt))
        if (overrun >= 0) return Effect.succeed(settings.refused(fiber, overrun))
      }
      const timer = new StreamTimer(self, settings, fiber, scope)
      return Effect.as(Scope.addFinalizerExit(scope, (exit) => timer.close(exit)), timer.pull)
    })
  )
