import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/phases.ts"
import * as boundary from "./boundary.ts"
import { CurrentDeadline, Deadline, forkForCall, liveDeadline, timeLeft, timeToEnd } from "./deadline.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import * as frame from "./frame.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { leaveBehind, reportCleanup } from "./leftBehind.ts"
import { type AnyEffect, type AnyFiber, fork } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import type { Settings } from "./timeout.ts"
import { Timer } from "./timers.ts"
import { cameBack } from "./turn.ts"

/**
 * What limits a stream: its only timer, and the frame of the pull under way. The timer is set again only when the phase that
 * it stands for turns out to end later.
 */
class StreamTimer extends Timer implements boundary.Boundary {
  firstTurn = false
  followedBy: AnyEffect | undefined = undefined
  private readonly phases: kernel.Phases
  private readonly settings: Settings
  /** closed by {@link close}: a scope with one finalizer closes at a fraction of what one with two does */
  private readonly scope = Scope.makeUnsafe()
  private readonly begin: AnyPull
  private readonly deadline: Deadline | undefined
  private upstream: AnyPull | undefined = undefined
  /** the fiber of the pull under way */
  private puller: AnyFiber | undefined = undefined
  /** the pull under way, where it has a fiber of its own */
  private child: AnyFiber | undefined = undefined
  /** for the pull under way, which an earlier deadline may end */
  private ownLimit = true
  private armedFor = Infinity
  private expired: kernel.Phase | undefined = undefined
  /** of the puller, to be put back, and the same with the deadline */
  private context: Context.Context<never> | undefined = undefined
  private contextWithDeadline: Context.Context<never> | undefined = undefined
  private children: Set<AnyFiber> | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private left = false

  constructor(self: AnyStream, settings: Settings, fiber: AnyFiber) {
    super()
    this.settings = settings
    this.begin = Effect.flatMap(open(self, this.scope), (pull) => {
      this.upstream = pull
      return pull
    })
    const startedAt = now(fiber)
    const total = settings.total(startedAt)
    this.phases = new kernel.Phases(
      { first: settings.first(startedAt), idle: settings.idle(startedAt), total },
      startedAt
    )
    this.deadline = total < Infinity ? new Deadline(startedAt + total, liveDeadline(fiber), undefined) : undefined
  }

  readonly pull: AnyPull = Effect.withFiber((fiber) => {
    if (this.phases.unlimited) return this.upstream ?? this.begin
    const start = now(fiber)
    this.phases.pulled(start)
    const { due } = this.phases
    if (due <= start) return this.fail(fiber, this.phases.phase, Exit.void)
    this.ownLimit = due - start < timeToEnd(fiber, start)
    if (this.settings.left !== undefined || !boundary.usable(fiber)) {
      return Effect.callback((resume) => this.start(fiber, start, resume))
    }
    return this.around(fiber, start)
  })

  private around(fiber: frame.Internals, at: number): AnyEffect {
    const context = this.contextOf(fiber)
    this.puller = fiber
    this.followedBy = undefined
    this.children = boundary.beginChildren(fiber)
    if (context !== fiber.context) fiber.setContext(context)
    this.deadline?.runsIn(fiber)
    return boundary.surround(fiber, this, this.upstream ?? this.begin, at)
  }

  suspended(): void {
    const fiber = this.puller!
    this.armUntilDue(fiber, now(fiber))
  }

  [frame.contAll](fiber: frame.Internals): void {
    this.puller = undefined
    if (fiber.context !== this.context) fiber.setContext(this.context!)
    this.children = boundary.endChildren(fiber, this.children)
    frame.shield(fiber)
  }

  [frame.contA](value: ReadonlyArray<unknown>, fiber: frame.Internals): AnyEffect {
    return this.ended(fiber, Exit.succeed(value))
  }

  [frame.contE](
    cause: Cause.Cause<unknown>,
    fiber: frame.Internals,
    exit: Exit.Exit<never, unknown> | undefined
  ): AnyEffect {
    return this.ended(fiber, exit ?? Exit.failCause(cause))
  }

  private ended(fiber: frame.Internals, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): AnyEffect {
    const { children } = this
    const next = this.expired === undefined
      ? this.produced(fiber, exit)
      : Effect.suspend(() => this.takenBack(fiber, exit))
    return boundary.handOver(fiber, this, children === undefined ? next : boundary.endAll(fiber, children, next))
  }

  private takenBack(fiber: frame.Internals, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): AnyEffect {
    const other = boundary.takeBack(fiber, this)
    if (other !== undefined) {
      return Effect.failCause(Exit.isSuccess(exit) ? other : boundary.without(exit.cause, this))
    }
    cameBack(fiber)
    return this.produced(fiber, exit)
  }

  private start(fiber: AnyFiber, at: number, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    const child = forkForCall(fiber, this.contextOf(fiber), this.owned)
    const exit = child.pollUnsafe()
    if (exit !== undefined) return resume(this.produced(fiber, exit))
    this.puller = fiber
    this.child = child
    this.resume = resume
    this.armUntilDue(fiber, at)
    child.addObserver((exit) => {
      if (!this.left) resume(this.produced(fiber, exit))
    })
    return this.cleanup
  }

  private readonly owned: AnyPull = Effect.withFiber((fiber) => {
    this.deadline?.runsIn(fiber)
    return this.upstream ?? this.begin
  })

  private produced(fiber: AnyFiber, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): AnyEffect {
    this.child = this.puller = undefined
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
    this.deadline?.fire()
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
    this.deadline?.end()
    return this.left ? Effect.void : Scope.close(this.scope, exit)
  }

  private contextOf(fiber: AnyFiber): Context.Context<never> {
    if (fiber.context === this.context) return this.contextWithDeadline!
    this.context = fiber.context
    return this.contextWithDeadline = this.deadline === undefined
      ? fiber.context
      : Context.add(fiber.context, CurrentDeadline, this.deadline)
  }

  private armUntilDue(fiber: AnyFiber, at: number): void {
    const { due } = this.phases
    // an earlier timer is set and will look again, or an earlier deadline ends this pull
    if (due >= this.armedFor || !this.ownLimit) return
    this.disarm()
    this.armedFor = due
    const { queue } = this.settings
    const isFirst = queue !== undefined && due === this.phases.startedAt + queue.delay
    this.arm(fiber, at, due - at, isFirst ? queue : undefined)
  }

  override disarm(): void {
    this.armedFor = Infinity
    super.disarm()
  }

  expire(): void {
    this.armedFor = Infinity
    const fiber = this.puller
    if (fiber === undefined) return // the consumer's time: the next pull sets it again
    const at = now(fiber)
    if (this.phases.due - at >= timerResolution) return this.armUntilDue(fiber, at)
    if (!this.ownLimit || timeToEnd(fiber, at, this.context) <= 0) return
    const phase = this.phases.phase
    this.expired = phase
    if (phase === "total") this.deadline?.fire()
    const { child } = this
    if (child === undefined) return boundary.interruptAs(fiber, this)
    interrupt(child, fiber)
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
    interrupt(child, fiber)
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
        const left = Math.min(timeLeft(fiber, startedAt), settings.total(startedAt))
        if (left <= 0) return Effect.succeed(settings.refused(fiber, -left))
      }
      const timer = new StreamTimer(self, settings, fiber)
      return Effect.as(Scope.addFinalizerExit(scope, (exit) => timer.close(exit)), timer.pull)
    })
  )
