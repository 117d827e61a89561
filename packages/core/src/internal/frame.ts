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
import type * as Fiber from "effect/Fiber"
import { getCurrentVersion } from "effect/Version"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"

/** The versions of Effect with which the whole suite has passed both ways. scripts/prove-frames.mjs adds one. */
const provenVersions: ReadonlySet<string> = new Set(["4.1.0"])

const evaluate = "~effect/Effect/evaluate"
export const contA = "~effect/Effect/successCont"
export const contE = "~effect/Effect/failureCont"
export const contAll = "~effect/Effect/ensureCont"

/** A fiber's loop gives this when the fiber has suspended. */
export const Yield: unknown = Symbol.for("effect/Effect/Yield")

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

export const internals = (fiber: AnyFiber): Internals => fiber as Internals

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
export const protect = (fiber: Internals): void => {
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

/** Whether a fiber is being interrupted. Only where frames are {@link supported}. */
export const hasInterruption = (fiber: AnyFiber): boolean => internals(fiber)._interruptedCause !== undefined

// -----------------------------------------------------------------------------
// whether there are frames
// -----------------------------------------------------------------------------

const environment =
  (globalThis as { readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> } })
    .process?.env

export type Reason = "on" | "off" | "unknown-version" | "probe-failed"

let decided: Reason | undefined

/** Why there are frames, or none. Asked at the first use, never at import. */
export const reason = (): Reason => decided ??= decide()

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

export const supported = (): boolean => reason() === "on"

/** Whether an interruption ends what the fiber runs now. Where nothing is known of that, it does. */
export const endsWhenInterrupted = (fiber: AnyFiber): boolean =>
  (internals(fiber) as Partial<Internals>).interruptible ?? true

/** Plays a call that ends at once and one that is interrupted, each with a frame. */
const probe = (): boolean => {
  try {
    const keys = Effectable.Prototype<AnyEffect>({ label: "Probe", evaluate: () => Effect.void })
    return [evaluate, contA, contE, contAll].every((key) => key in keys) &&
      play(Effect.succeed(1)) === 1 && play(Effect.never) === undefined
  } catch {
    return false
  }
}

/** What a frame hears: a value, nothing of an interruption, and no end of its own if anything is different. */
class Heard extends ExitFrame {
  value: unknown = this

  protected succeeded(_: AnyFiber, value: unknown): void {
    this.value = value
  }

  protected failed(fiber: AnyFiber): void {
    if (isShielded(internals(fiber))) this.value = undefined
  }
}

const play = (self: AnyEffect): unknown => {
  const heard = new Heard()
  const call = Effect.withFiber((fiber) => {
    push(fiber, heard)
    return self
  })
  const fiber = internals(fork(Context.empty(), call))
  fiber.interruptUnsafe()
  const hasFields = Array.isArray(fiber._stack) && fiber.interruptible && fiber.pollUnsafe() !== undefined
  return hasFields ? heard.value : heard
}
