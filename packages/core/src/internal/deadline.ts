import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { waitsFor } from "./fiberWaits.ts"
import { endsWhenInterrupted, proceed, Stage, unread } from "./frame.ts"
import { isInterrupted } from "./interrupted.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { timerResolution } from "./time.ts"

/**
 * The moment after which nobody waits for a call. It belongs to the policy that limits the call, binds the fibers that run the
 * call, and ends with the call.
 */
export class Deadline {
  /** in milliseconds on the monotonic clock */
  declare readonly at: number
  /** the one around it */
  declare readonly outer: Deadline | undefined
  /** It has interrupted what it limits. */
  declare fired: boolean
  /** What it limits has ended. */
  declare ended: boolean
  /** the fiber that runs the call, and those that policies have forked for the call */
  declare private fiber: AnyFiber | undefined
  declare private others: WeakSet<AnyFiber> | undefined

  constructor(at: number, outer: Deadline | undefined, fiber: AnyFiber | undefined) {
    this.at = at
    this.outer = outer
    this.fiber = fiber
    this.fired = false
    this.ended = false
    this.others = undefined
  }

  /** The fiber that runs the call, where it is not known before. For a stream, that of the pull under way. */
  runsIn(fiber: AnyFiber): void {
    this.fiber = fiber
  }

  admit(fiber: AnyFiber): void {
    this.others ??= new WeakSet()
    this.others.add(fiber)
  }

  dismiss(fiber: AnyFiber): void {
    this.others?.delete(fiber)
  }

  fire(): void {
    this.fired = true
  }

  end(): void {
    this.ended = true
    this.fiber = this.others = undefined
  }

  /** A call that is being interrupted is cleaned up in time of its own. */
  get live(): boolean {
    return !this.fired && !this.ended && (this.fiber === undefined || !isInterrupted(this.fiber))
  }

  binds(fiber: AnyFiber): boolean {
    return this.fiber === fiber || (this.others !== undefined && this.others.has(fiber))
  }
}

export const CurrentDeadline = Context.Reference<Deadline | undefined>("@effect-resilience/core/Deadline", {
  defaultValue: () => undefined
})

/** The nearest one that has not ended, for what begins now. A deadline that has ended need not be kept, and clean-up is bound by none. */
export const liveDeadline = (fiber: AnyFiber): Deadline | undefined => {
  if (isInterrupted(fiber)) return undefined
  let deadline = fiber.getRef(CurrentDeadline)
  while (deadline !== undefined && !deadline.live) deadline = deadline.outer
  return deadline
}

/**
 * The milliseconds until the deadline that this fiber has to obey, `Infinity` if there is none. Every policy that limits
 * something or gives up asks this. `context` is the one around the policy that asks, if that has published its own.
 */
export const timeLeft = (fiber: AnyFiber, at: number, context: Context.Context<never> = fiber.context): number => {
  let deadline = Context.get(context, CurrentDeadline)
  if (deadline === undefined || isInterrupted(fiber)) return Infinity
  let end = Infinity
  for (; deadline !== undefined; deadline = deadline.outer) {
    if (deadline.at < end && deadline.live && deadline.binds(fiber)) end = deadline.at
  }
  return end - at
}

/** {@link timeLeft} for a limit. Where the owner of the deadline cannot end a call, because it is uninterruptible, limits inside do. */
export const timeToEnd = (fiber: AnyFiber, at: number, context?: Context.Context<never>): number =>
  endsWhenInterrupted(fiber) ? timeLeft(fiber, at, context) : Infinity

/** {@link timeLeft} for a wait: it ends before the owner of the deadline would end it, so that its own reason is told. */
export const timeToWait = (fiber: AnyFiber, at: number): number => timeLeft(fiber, at) - timerResolution

/** The milliseconds until the deadline of the call that this fiber is part of, in whichever way. Only for what tells of it. */
export const remainingTime = (fiber: AnyFiber, at: number): number => {
  let deadline = fiber.getRef(CurrentDeadline)
  if (deadline === undefined || isInterrupted(fiber)) return Infinity
  let end = Infinity
  for (; deadline !== undefined; deadline = deadline.outer) {
    if (deadline.at < end && deadline.live) end = deadline.at
  }
  return end - at
}

/**
 * Whether a call that is interrupted now is interrupted because a deadline has passed, be it that of a caller far away. A deadline
 * of which the owner is done interrupts nothing any more.
 */
export const deadlinePassed = (fiber: AnyFiber, at: number): boolean => {
  for (let deadline = fiber.getRef(CurrentDeadline); deadline !== undefined; deadline = deadline.outer) {
    if (!deadline.ended && (deadline.fired || at + timerResolution >= deadline.at)) return true
  }
  return false
}

/** Makes the fiber obey the deadlines that it sees and does not obey yet. Gives those. */
const admit = (fiber: AnyFiber, which: (deadline: Deadline) => boolean): ReadonlyArray<Deadline> => {
  const admitted: Array<Deadline> = []
  for (let deadline = fiber.getRef(CurrentDeadline); deadline !== undefined; deadline = deadline.outer) {
    if (!deadline.live || deadline.binds(fiber) || !which(deadline)) continue
    deadline.admit(fiber)
    admitted.push(deadline)
  }
  return admitted
}

/** What a policy forks for a call obeys what the call's fiber obeys, and the call waits for its turn while it does. */
class Member extends Stage {
  private readonly parent: AnyFiber
  private readonly self: AnyEffect
  private readonly waits: boolean

  constructor(parent: AnyFiber, self: AnyEffect, waits: boolean) {
    super()
    this.parent = parent
    this.self = self
    this.waits = waits
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    admit(fiber, (deadline) => deadline.binds(this.parent))
    if (this.waits) waitsFor(this.parent, fiber)
    return proceed(this.self, fiber, at)
  }
}

/**
 * Starts a fiber that is part of the call which `parent` runs, or of its clean-up. Of one among several, the race says when the
 * call `waits` for its turn.
 */
export const forkForCall = (
  parent: AnyFiber,
  context: Context.Context<never>,
  self: AnyEffect,
  waits = true
): AnyFiber => {
  if (!isInterrupted(parent)) return fork(context, new Member(parent, self, waits))
  const inherited = parent.getRef(CurrentDeadline)
  if (inherited === undefined) return fork(context, self)
  return fork(
    Context.get(context, CurrentDeadline) === inherited ? Context.add(context, CurrentDeadline, undefined) : context,
    self
  )
}

const always = (): boolean => true

/** While it runs, the fiber is part of the call whose deadline it sees. */
export class Inherit extends Primitive {
  private readonly self: AnyEffect

  constructor(self: AnyEffect) {
    super()
    this.self = self
  }

  run(fiber: AnyFiber): AnyEffect {
    const admitted = admit(fiber, always)
    if (admitted.length === 0) return proceed(this.self, fiber, unread)
    return Effect.onExitPrimitive(this.self, () => {
      for (const deadline of admitted) deadline.dismiss(fiber)
      return undefined
    })
  }
}
