/*
 * A policy that limits a call puts a frame on the stack of the caller's fiber, where a child fiber would cost about as much as
 * everything else together. The protocol between a fiber and its frames is Effect's own and not public. This module alone
 * knows it; docs/decisions/frames.md has the terms.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { getCurrentVersion } from "effect/Version"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"

/** The versions of Effect with which the whole suite has passed both ways. scripts/prove-frames.mjs adds one. */
const provenVersions: ReadonlySet<string> = new Set(["4.1.0"])

const evaluate = "~effect/Effect/evaluate"
export const contA = "~effect/Effect/successCont"
export const contE = "~effect/Effect/failureCont"
export const contAll = "~effect/Effect/ensureCont"

/** A fiber's loop gives this when the fiber has suspended. */
const Yield: unknown = Symbol.for("effect/Effect/Yield")

/** The members of a fiber that are used beyond its interface. */
export interface Internals extends Fiber.Fiber<any, any> {
  interruptible: boolean
  currentOpCount: number
  readonly _stack: Array<unknown>
  _interruptedCause: Cause.Cause<never> | undefined
  _children: Set<AnyFiber> | undefined
  setContext(context: Context.Context<never>): void
  succeedWith(value: unknown): AnyEffect
  yieldWith(exit: Exit.Exit<unknown, unknown>): AnyEffect
  runLoop(effect: AnyEffect): AnyEffect
}

const internals = (fiber: AnyFiber): Internals => fiber as Internals

/** Stands above the continuation of a frame while that runs, so that an interruption does not skip it. */
const interruptibleAgain: object = Object.assign(
  Effectable.Prototype<AnyEffect>({ label: "InterruptibleAgain", evaluate: () => Effect.void }),
  {
    [contAll](fiber: Internals) {
      fiber.interruptible = true
      const cause = fiber._interruptedCause
      return cause === undefined ? undefined : () => Effect.failCause(cause)
    }
  }
)

/** From now until what comes next has ended, an interruption waits. */
const protect = (fiber: Internals): void => {
  if (!fiber.interruptible) return
  fiber._stack.push(interruptibleAgain)
  fiber.interruptible = false
}

/** An interruption skips every frame of an interruptible fiber. The frame that calls this at first is not skipped. */
export const shield = (fiber: Internals): void => {
  if (fiber._interruptedCause !== undefined) protect(fiber)
}

/** Whether a frame that has called {@link shield} would have been skipped. */
export const isShielded = (fiber: Internals): boolean => fiber._stack.at(-1) === interruptibleAgain

/** What a fiber finds on its stack when what is above has ended. */
export interface Frame {
  [contAll](fiber: Internals): void
  [contA](value: unknown, fiber: Internals, exit: Exit.Exit<unknown, unknown> | undefined): AnyEffect
  [contE](cause: Cause.Cause<unknown>, fiber: Internals, exit: Exit.Exit<unknown, unknown> | undefined): AnyEffect
}

/** What a policy does when a call has ended, in a frame that all calls can share. It changes nothing about the exit. */
export abstract class ExitFrame implements Frame {
  protected abstract succeeded(fiber: AnyFiber, value: unknown): void
  protected abstract failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void

  [contAll](fiber: Internals): void {
    shield(fiber)
  }

  [contA](value: unknown, fiber: Internals): AnyEffect {
    try {
      this.succeeded(fiber, value)
    } catch (bug) {
      return Effect.die(bug)
    }
    return fiber.succeedWith(value)
  }

  [contE](cause: Cause.Cause<unknown>, fiber: Internals, exit: Exit.Exit<never, unknown> | undefined): AnyEffect {
    const failure = exit ?? Exit.failCause(cause)
    try {
      this.failed(fiber, failure)
    } catch (bug) {
      return Effect.failCause(Cause.combine(cause, Cause.die(bug)))
    }
    return failure
  }
}

/** What a policy does when a call has failed, and nothing else: a {@link Stage} can be its own. An interruption skips it. */
export interface FailureFrame {
  [contE](cause: Cause.Cause<unknown>, fiber: Internals): AnyEffect
}

export const push = (fiber: AnyFiber, frame: Frame | FailureFrame): void => void internals(fiber)._stack.push(frame)

/** A policy that pushes a frame may change the context for what is above it. The frame gives the fiber back the one that it had. */
export const setContext = (fiber: AnyFiber, context: Context.Context<never>): void =>
  internals(fiber).setContext(context)

/** The time is read by the first policy of a stack that needs it. */
export const unread = -1

/** An effect of a policy that enters the one it surrounds at once, without the fiber's loop in between. */
export abstract class Stage extends Primitive {
  /** `at` is now, or {@link unread}. */
  abstract enter(fiber: AnyFiber, at: number): AnyEffect

  run(fiber: AnyFiber): AnyEffect {
    return this.enter(fiber, unread)
  }
}

/** Goes on with what a policy surrounds. */
export const proceed = (self: AnyEffect, fiber: AnyFiber, at: number): AnyEffect =>
  self instanceof Stage ? self.enter(fiber, at) : self

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

/** Whether a fiber is being interrupted. Only where frames are {@link supported}. */
export const hasInterruption = (fiber: AnyFiber): boolean => internals(fiber)._interruptedCause !== undefined

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
// whether there are frames
// -----------------------------------------------------------------------------

const environment =
  (globalThis as { readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> } })
    .process?.env

type Reason = "on" | "off" | "unknown-version" | "probe-failed"

/** Where a call with a limit runs, and why, for a reader. */
const paths: Readonly<Record<Reason, string>> = {
  on: "the caller's fiber",
  off: "child fibers (EFFECT_RESILIENCE_FRAMES=off)",
  "unknown-version": `child fibers (Effect ${getCurrentVersion()} is not proven)`,
  "probe-failed": "child fibers (the probe failed)"
}

let decided: Reason | undefined

/** Why there are frames, or none. Asked at the first use, never at import. */
const reason = (): Reason => decided ??= decide()

const decide = (): Reason => {
  const wanted = environment?.["EFFECT_RESILIENCE_FRAMES"]
  if (wanted === "off") return "off"
  if (wanted !== "on" && !provenVersions.has(getCurrentVersion())) return tell("unknown-version")
  return probe() ? "on" : tell("probe-failed")
}

const tell = (reason: Reason): Reason => {
  Effect.runFork(
    Effect.logDebug(
      `@effect-resilience/core: policies use child fibers with Effect ${getCurrentVersion()} (${reason}), see docs/decisions/frames.md`
    )
  )
  return reason
}

export const path = (): string => paths[reason()]

export const supported = (): boolean => reason() === "on"

/** Whether an interruption ends what the fiber runs now. Where nothing is known of that, it does. */
export const endsWhenInterrupted = (fiber: AnyFiber): boolean =>
  (internals(fiber) as Partial<Internals>).interruptible ?? true

/** Whether a policy may put a frame on the stack of this fiber: what it surrounds must be able to be interrupted. */
export const usable = (fiber: AnyFiber): fiber is Internals => supported() && internals(fiber).interruptible

/** Plays a call that ends at once, one that suspends and one that is interrupted through a frame. */
const probe = (): boolean => {
  try {
    const keys = Effectable.Prototype<AnyEffect>({ label: "Probe", evaluate: () => Effect.void })
    if (![evaluate, contA, contE, contAll].every((key) => key in keys)) return false
    return play((run) => run(Effect.succeed(1)), "1") &&
      play((run) => run(Effect.andThen(Effect.yieldNow, Effect.fail(2)), true), "suspended,interrupted,taken back") &&
      play(
        (run) => run(Effect.onExitPrimitive(Effect.never, () => undefined), true),
        "suspended,interrupted,taken back"
      )
  } catch {
    return false
  }
}

const taken = Effect.succeed("taken back")

const play = (script: (run: (self: AnyEffect, interrupt?: boolean) => void) => void, expected: string): boolean => {
  const seen: Array<string> = []
  script((self, interrupt = false) => {
    const origin: Boundary = {
      firstTurn: false,
      followedBy: undefined,
      suspended: () => seen.push("suspended"),
      [contAll]: shield,
      [contA]: (value, fiber) => handOver(fiber, origin, Exit.succeed(value)),
      [contE](cause, fiber) {
        seen.push(Cause.hasInterrupts(cause) ? "interrupted" : "failed")
        return handOver(fiber, origin, takeBack(fiber, origin) === undefined ? taken : Effect.failCause(cause))
      }
    }
    const surrounded: AnyEffect = Effect.withFiber((fiber) => surround(fiber, origin, self, unread))
    const fiber = internals(
      Effect.runForkWith(Context.empty() as Context.Context<any>)(
        Effect.map(surrounded, (value) => seen.push(String(value)))
      )
    )
    if (interrupt) interruptAs(fiber, origin)
    const hasFields = Array.isArray(fiber._stack) && "_children" in fiber && "currentOpCount" in fiber &&
      fiber.interruptible
    if (!hasFields || fiber.pollUnsafe()?._tag !== "Success") seen.push("other fields")
  })
  return seen.join() === expected
}
