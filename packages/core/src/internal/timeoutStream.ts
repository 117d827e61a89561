import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/phases.ts"
import { Deadline, OutlivedDeadline } from "./deadline.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { type AnyEffect, type AnyFiber, fork } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import { leaveBehind, reportCleanup, type Settings } from "./timeout.ts"
import { Timer } from "./timers.ts"

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
