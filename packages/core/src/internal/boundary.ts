/*
 * A policy that limits a call surrounds it with a boundary: a frame that can end the call with an interruption of its own, and take
 * that back. It knows of the fiber what internal/frame.ts says.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { getCurrentVersion } from "effect/Version"
import {
  contA,
  contAll,
  contE,
  type Frame,
  type Internals,
  internals,
  proceed,
  protect,
  type Reason,
  reason,
  shield,
  supported,
  unread,
  Yield
} from "./frame.ts"
import { type AnyEffect, type AnyFiber, fork } from "./primitive.ts"

/** A frame that does something only if what it surrounds does not end in its first turn. */
export interface Boundary extends Frame {
  /** The first turn is under way: a continuation hands over what follows with {@link handOver}. */
  firstTurn: boolean
  followedBy: AnyEffect | undefined
  /** The first turn is over, and what is surrounded has not ended. */
  suspended(): void
}

/**
 * Runs the first turn of what a boundary surrounds in a loop of its own. A limit is armed after the first turn of its call, as
 * that of `Effect.timeout` is, and a call that ends at once arms none.
 */
export const surround = (fiber: AnyFiber, boundary: Boundary, self: AnyEffect, at: number): AnyEffect => {
  const inside = internals(fiber)
  inside._stack.push(boundary)
  const next = proceed(self, fiber, at)
  if (next !== Yield) {
    const before = inside.currentOpCount
    boundary.firstTurn = true
    const end = inside.runLoop(next)
    boundary.firstTurn = false
    if (end !== Yield) {
      inside.currentOpCount += before
      return boundary.followedBy ?? end
    }
  }
  boundary.suspended()
  return Yield as AnyEffect
}

/** How a {@link Boundary} goes on when it has ended: in its first turn in {@link surround}, later in the fiber's own loop. */
export const handOver = (fiber: Internals, boundary: Boundary, next: AnyEffect): AnyEffect => {
  if (!boundary.firstTurn) return next
  boundary.followedBy = next
  return fiber.yieldWith(Exit.void)
}

// -----------------------------------------------------------------------------
// interruptions of a policy's own
// -----------------------------------------------------------------------------

/** Tells a policy's interruption from another one. */
const Origin = Context.Service<object>("@effect-resilience/core/Interruption") as Context.Key<any, object>

export const interruptAs = (fiber: AnyFiber, origin: object): void =>
  fiber.interruptUnsafe(fiber.id, Context.make<any, object>(Origin, origin))

const isFrom = (origin: object) => (reason: Cause.Reason<unknown>): boolean =>
  Cause.isInterruptReason(reason) && reason.annotations.get(Origin.key) === origin

/** Takes an interruption back. Gives the cause of any other one that has come meanwhile. */
export const takeBack = (fiber: Internals, origin: object): Cause.Cause<never> | undefined => {
  const own = isFrom(origin)
  const others = fiber._interruptedCause?.reasons.filter((reason) => !own(reason)) ?? []
  return fiber._interruptedCause = others.length === 0 ? undefined : Cause.fromReasons(others)
}

export const without = (cause: Cause.Cause<unknown>, origin: object): Cause.Cause<unknown> => {
  const own = isFrom(origin)
  return Cause.fromReasons(cause.reasons.filter((reason) => !own(reason)))
}

// -----------------------------------------------------------------------------
// children
// -----------------------------------------------------------------------------

/** The children of a call, beside those that its fiber had before. */
class CallChildren extends Set<AnyFiber> {
  readonly before: Set<AnyFiber>

  constructor(before: Set<AnyFiber>) {
    super()
    this.before = before
  }

  // a fiber that ends takes itself out of what its parent has then
  override delete(fiber: AnyFiber): boolean {
    return super.delete(fiber) || this.before.delete(fiber)
  }
}

/** From now on the fiber's children are those of a call. Gives the others, for {@link endChildren}. */
export const beginChildren = (fiber: Internals): Set<AnyFiber> | undefined => {
  const before = fiber._children
  if (before === undefined || before.size === 0) return undefined
  fiber._children = new CallChildren(before)
  return before
}

/** Gives the fiber the children back that it had, and those of the call that have not ended. */
export const endChildren = (fiber: Internals, before: Set<AnyFiber> | undefined): Set<AnyFiber> | undefined => {
  const children = fiber._children
  if (children === undefined) return undefined
  fiber._children = before
  return children.size === 0 ? undefined : children
}

/** What a call has forked ends with it, and is waited for, before `next`. */
export const endAll = (fiber: Internals, children: Set<AnyFiber>, next: AnyEffect): AnyEffect => {
  // at once, for an interruption of the fiber may arrive before the next effect is evaluated
  protect(fiber)
  return Effect.andThen(Fiber.interruptAll(children), next)
}

// -----------------------------------------------------------------------------
// whether there are boundaries
// -----------------------------------------------------------------------------

let decided: boolean | undefined

/** Whether there are frames, and a boundary does what it should. Asked at the first use, never at import. */
const surrounds = (): boolean => decided ??= supported() && probe()

/** Where a call with a limit runs, and why, for a reader. */
const paths: Readonly<Record<Reason, string>> = {
  on: "the caller's fiber",
  off: "child fibers (EFFECT_RESILIENCE_FRAMES=off)",
  "unknown-version": `child fibers (Effect ${getCurrentVersion()} is not proven)`,
  "probe-failed": "child fibers (the probe failed)"
}

export const path = (): string => paths[supported() && !surrounds() ? "probe-failed" : reason()]

/** Whether a policy may put a frame on the stack of this fiber: what it surrounds must be able to be interrupted. */
export const usable = (fiber: AnyFiber): fiber is Internals => surrounds() && internals(fiber).interruptible

/** Plays a call that ends at once, one that suspends and one that is interrupted through a boundary. */
const probe = (): boolean => {
  try {
    return play(Effect.succeed(1), false) === "1" &&
      [Effect.andThen(Effect.yieldNow, Effect.fail(2)), Effect.onExitPrimitive(Effect.never, () => undefined)]
        .every((self) => play(self, true) === "suspended,interrupted,taken back")
  } catch {
    return false
  }
}

const play = (self: AnyEffect, interrupt: boolean): string => {
  const seen: Array<unknown> = []
  const origin: Boundary = {
    firstTurn: false,
    followedBy: undefined,
    suspended: () => seen.push("suspended"),
    [contAll]: shield,
    [contA]: (value, fiber) => handOver(fiber, origin, Exit.succeed(value)),
    [contE](cause, fiber) {
      seen.push(Cause.hasInterrupts(cause) ? "interrupted" : "failed")
      const others = takeBack(fiber, origin)
      return handOver(fiber, origin, others === undefined ? Effect.succeed("taken back") : Effect.failCause(others))
    }
  }
  const surrounded: AnyEffect = Effect.withFiber((fiber) => surround(fiber, origin, self, unread))
  const fiber = internals(fork(Context.empty(), Effect.map(surrounded, (value) => seen.push(value))))
  if (interrupt) interruptAs(fiber, origin)
  const hasFields = "_children" in fiber && "currentOpCount" in fiber && fiber.pollUnsafe()?._tag === "Success"
  return hasFields ? seen.join() : "other fields"
}
