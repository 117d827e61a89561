import * as Context from "effect/Context"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { CurrentDeadline } from "./deadline.ts"
import { waitsOf } from "./fiberWaits.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"
import { mayBeCut } from "./turn.ts"
import { CurrentWaits, Waits } from "./waits.ts"

export type Resume = (effect: AnyEffect) => void

/** The shared calls that a fiber is part of, the innermost first. */
interface Inside {
  readonly of: SharedCall
  readonly outer: Inside | undefined
}

const CurrentCall = Context.Reference<Inside | undefined>("@effect-resilience/core/Coalesce/CurrentCall", {
  defaultValue: () => undefined
})

/** Whether a call that the fiber makes would wait for itself. */
export const isInside = (fiber: AnyFiber, shared: SharedCall): boolean => {
  for (let at = fiber.getRef(CurrentCall); at !== undefined; at = at.outer) if (at.of === shared) return true
  return false
}

const ofCallerAlone = [CurrentDeadline, Schedule.CurrentMetadata, Scope.Scope] as const
const withoutThem = Context.omit(...ofCallerAlone)

interface Caller {
  readonly fiber: AnyFiber
  waits: Waits | undefined
}

/** The waits of a call that several callers share. Each of them is told for as long as it takes part. */
class SharedWaits extends Waits {
  private readonly callers = new Map<object, Caller>()

  constructor() {
    super(undefined)
  }

  /** `key` names the caller to {@link leave}. */
  join(key: object, fiber: AnyFiber): void {
    const caller: Caller = { fiber, waits: undefined }
    this.callers.set(key, caller)
    if (this.isWaiting) this.pause(caller, now(fiber))
  }

  leave(key: object): void {
    const caller = this.callers.get(key)
    if (caller === undefined) return
    this.callers.delete(key)
    if (this.isWaiting) caller.waits!.end(now(caller.fiber))
  }

  /** The call has ended. What it has left behind may still wait; that is no longer a wait of its callers. */
  dissolve(): void {
    for (const key of Array.from(this.callers.keys())) this.leave(key)
  }

  protected override paused(at: number): void {
    for (const caller of this.callers.values()) this.pause(caller, at)
  }

  protected override resumed(at: number): void {
    for (const { waits } of this.callers.values()) waits!.end(at)
  }

  private pause(caller: Caller, at: number): void {
    caller.waits = waitsOf(caller.fiber)
    caller.waits.begin(at)
  }
}

/** A call that several callers share. */
export abstract class SharedCall {
  /** where the call waits, all of its callers do; made for a caller whom somebody measures or may cut off */
  protected readonly waits: SharedWaits | undefined = undefined

  protected readonly context: Context.Context<never>

  constructor(fiber: AnyFiber) {
    let { context } = fiber
    // a context from which something is left out is a copy of the whole
    if (ofCallerAlone.some((key: Context.Key<any, unknown>) => Context.getOrUndefined(context, key) !== undefined)) {
      context = withoutThem(context as Context.Context<Scope.Scope>)
    }
    if (fiber.getRef(CurrentWaits) !== undefined || mayBeCut(fiber)) {
      this.waits = new SharedWaits()
      context = Context.add(context, CurrentWaits, this.waits)
    }
    this.context = Context.add(context, CurrentCall, { of: this, outer: fiber.getRef(CurrentCall) })
  }
}
