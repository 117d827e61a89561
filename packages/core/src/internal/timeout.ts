import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Phase } from "../kernel/phases.ts"
import * as boundary from "./boundary.ts"
import { CurrentDeadline, Deadline, forkForCall, liveDeadline, timeLeft, timeToEnd } from "./deadline.ts"
import * as frame from "./frame.ts"
import { awaitAndKeepDefects } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { leaveBehind, type Left, reportCleanup } from "./leftBehind.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"
import { Alarm, Timer, type TimerQueue } from "./timers.ts"
import { cameBack } from "./turn.ts"

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

export class TimeoutEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { self, settings } = this
    const at = time === frame.unread ? now(fiber) : time
    const first = settings.first(at)
    const total = settings.total(at)
    const limit = Math.min(first, total)
    const left = timeLeft(fiber, at)
    if (settings.refused !== undefined && Math.min(left, limit) <= 0) {
      return settings.refused(fiber, -Math.min(left, limit))
    }
    const phase = total <= first ? "total" : "first"
    // the owner of an earlier deadline enforces that; what is left behind is to be left behind by then as well
    if (left <= limit && frame.endsWhenInterrupted(fiber)) {
      return settings.left === undefined
        ? frame.proceed(self, fiber, at)
        : new TimeoutRun(fiber, settings, phase, Infinity, at).around(self, undefined)
    }
    const deadline = total < Infinity ? new Deadline(at + total, liveDeadline(fiber), undefined) : undefined
    return settings.left === undefined && boundary.usable(fiber)
      ? new TimeoutFrame(fiber, settings, phase, limit, at, deadline).around(self)
      : new TimeoutRun(fiber, settings, phase, limit, at).around(self, deadline)
  }
}

/**
 * A call in flight in the fiber of its caller: timer, state and frame in one object. When time is up the fiber is interrupted,
 * and the frame takes the interruption back.
 */
class TimeoutFrame extends Alarm implements boundary.Boundary {
  declare firstTurn: boolean
  declare followedBy: AnyEffect | undefined
  declare private readonly fiber: frame.Internals
  declare private readonly settings: Settings
  declare private readonly phase: Phase
  declare private readonly limit: number
  declare private readonly startedAt: number
  declare private readonly deadline: Deadline | undefined
  /** of the fiber, to be put back */
  declare private readonly context: Context.Context<never>
  declare private children: Set<AnyFiber> | undefined
  declare private expired: boolean

  constructor(
    fiber: frame.Internals,
    settings: Settings,
    phase: Phase,
    limit: number,
    startedAt: number,
    deadline: Deadline | undefined
  ) {
    super()
    this.firstTurn = false
    this.followedBy = undefined
    this.fiber = fiber
    this.settings = settings
    this.phase = phase
    this.limit = limit
    this.startedAt = startedAt
    this.deadline = deadline
    this.context = fiber.context
    this.children = boundary.beginChildren(fiber)
    this.expired = false
  }

  around(self: AnyEffect): AnyEffect {
    const { deadline, fiber } = this
    if (deadline !== undefined) {
      deadline.runsIn(fiber)
      fiber.setContext(Context.add(fiber.context, CurrentDeadline, deadline))
    }
    return boundary.surround(fiber, this, self, this.startedAt)
  }

  suspended(): void {
    this.arm(this.fiber, this.startedAt, this.limit, this.settings.queue)
  }

  expire(): void {
    const { context, deadline, fiber, phase } = this
    if (isLate(fiber, context)) return
    this.expired = true
    expire(deadline, phase)
    boundary.interruptAs(fiber, this)
  }

  [frame.contAll](fiber: frame.Internals): void {
    this.disarm()
    if (fiber.context !== this.context) fiber.setContext(this.context)
    this.children = boundary.endChildren(fiber, this.children)
    // what the call has forked is part of it
    if (this.children === undefined) this.deadline?.end()
    frame.shield(fiber)
  }

  [frame.contA](value: unknown, fiber: frame.Internals, exit: Exit.Exit<unknown, unknown> | undefined): AnyEffect {
    if (!this.expired && this.children === undefined && !this.firstTurn) return fiber.succeedWith(value)
    return this.end(exit ?? Exit.succeed(value))
  }

  [frame.contE](
    cause: Cause.Cause<unknown>,
    _: frame.Internals,
    exit: Exit.Exit<unknown, unknown> | undefined
  ): AnyEffect {
    return this.end(exit ?? Exit.failCause(cause))
  }

  private end(exit: Exit.Exit<unknown, unknown>): AnyEffect {
    const { children, deadline, fiber } = this
    const end = this.expired ? Effect.suspend(() => this.timedOut(exit)) : exit
    if (children === undefined) return boundary.handOver(fiber, this, end)
    const afterChildren = Effect.suspend(() => {
      deadline?.end()
      return end
    })
    return boundary.handOver(fiber, this, boundary.endAll(fiber, children, afterChildren))
  }

  private timedOut(exit: Exit.Exit<unknown, unknown>): AnyEffect {
    const { fiber, limit, phase, settings, startedAt } = this
    const other = boundary.takeBack(fiber, this)
    if (other !== undefined) {
      return Effect.failCause(Exit.isSuccess(exit) ? other : boundary.without(exit.cause, this))
    }
    cameBack(fiber)
    reportCleanup(fiber, exit)
    return settings.exceeded(fiber, phase, limit, now(fiber) - startedAt)
  }
}

/** A call in flight in a fiber of its own: timer, state and clean-up in one object. */
class TimeoutRun extends Timer {
  private readonly parent: AnyFiber
  private readonly settings: Settings
  private readonly phase: Phase
  private readonly limit: number
  private readonly startedAt: number
  private deadline: Deadline | undefined = undefined
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

  around(self: AnyEffect, deadline: Deadline | undefined): AnyEffect {
    this.deadline = deadline
    const { context } = this.parent
    const inside = deadline === undefined ? context : Context.add(context, CurrentDeadline, deadline)
    return Effect.callback((resume) =>
      this.start(deadline === undefined ? self : owned(deadline, self), inside, resume)
    )
  }

  /**
   * The call is started inside the callback's register. Started before it, it would be orphaned by an interruption of the
   * caller at a scheduler yield between the fork and the callback.
   */
  private start(
    self: AnyEffect,
    context: Context.Context<never>,
    resume: (effect: AnyEffect) => void
  ): Effect.Effect<void> | void {
    const child = forkForCall(this.parent, context, self)
    const exit = child.pollUnsafe()
    if (exit !== undefined) {
      this.deadline?.end()
      return resume(exit)
    }
    this.child = child
    this.resume = resume
    this.arm(this.parent, this.startedAt, this.limit, this.settings.queue)
    child.addObserver((exit) => this.settle(exit))
    return this.cleanup
  }

  expire(): void {
    const child = this.child!
    if (isLate(this.parent, this.parent.context)) return
    this.expired = true
    expire(this.deadline, this.phase)
    interrupt(child, this.parent)
    if (this.settings.left !== undefined && child.pollUnsafe() === undefined) {
      this.leave(this.parent)
      this.resume!(this.exceeded())
    }
  }

  private settle(exit: Exit.Exit<unknown, unknown>): void {
    this.deadline?.end()
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
    interrupt(child, fiber)
    if (this.settings.left === undefined || child.pollUnsafe() !== undefined) return awaitAndKeepDefects(fiber, child)
    this.leave(fiber)
    return Effect.void
  }
}

/** The fiber in which it runs is the deadline's own. */
const owned = (deadline: Deadline, self: AnyEffect): AnyEffect =>
  Effect.withFiber((fiber) => {
    deadline.runsIn(fiber)
    return self
  })

/** The timer is late, and an earlier deadline has passed by now: the owner of that is about to end the call, and tells why. */
const isLate = (fiber: AnyFiber, context: Context.Context<never>): boolean => timeToEnd(fiber, now(fiber), context) <= 0

/** The deadline is that of the whole; a first phase that is over ends the call before it. */
const expire = (deadline: Deadline | undefined, phase: Phase): void =>
  phase === "total" ? deadline?.fire() : deadline?.end()
