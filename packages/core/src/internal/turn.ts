import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { CurrentDeadline, deadlinePassed } from "./deadline.ts"
import { waitedSince, waitsOf } from "./fiberWaits.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import type { Waits } from "./waits.ts"

const left = new WeakSet<AnyFiber>()

/** The fiber has been interrupted while it waited for its turn: the call was not made, whatever interrupted it. */
export const leaveQueue = (fiber: AnyFiber): void => void left.add(fiber)

export const hasLeftQueue = (fiber: AnyFiber): boolean => left.has(fiber)

/** The interruption has been taken back: the fiber goes on, and may wait for another turn. */
export const cameBack = (fiber: AnyFiber): void => void left.delete(fiber)

/** It is the server that makes this uninterruptible, and not the program: a caller that waits for its turn may still go away. */
export const MayLeave = Context.Reference<boolean>("@effect-resilience/core/MayLeave", { defaultValue: () => false })

/** A wait for a turn, of which all are told who measure the call. It ends once, however often it is said. */
export class Turn {
  private readonly fiber: AnyFiber
  private waits: Waits | undefined

  constructor(fiber: AnyFiber, at: number) {
    this.fiber = fiber
    this.waits = waitsOf(fiber)
    this.waits.begin(at)
  }

  end(): void {
    const { waits } = this
    if (waits === undefined) return
    this.waits = undefined
    waits.end(now(this.fiber))
  }
}

/** The caller may go away while it waits for its turn. */
export const waiting = <E extends AnyEffect>(fiber: AnyFiber, self: E): E =>
  fiber.getRef(MayLeave) ? Effect.interruptible(self) as E : self // whose type it has

/** Whether a deadline may end what this fiber does. */
export const mayBeCut = (fiber: AnyFiber): boolean => fiber.getRef(CurrentDeadline) !== undefined

/** How long an answer has been owed that was asked for at `began`: a callee that has not been called yet owes nothing. */
export const owedSince = (fiber: AnyFiber, began: number, at: number): number =>
  at - began - waitedSince(fiber, began, at)

/**
 * Whether a call that is interrupted now is interrupted by a deadline, wherever that comes from, after it has had its `fair`
 * time since `began`. Not, if it still waited for its turn: it was not made.
 */
export const interruptedByDeadline = (fiber: AnyFiber, at: number, began: number, fair: number): boolean =>
  hangs(fiber, at) && owedSince(fiber, began, at) + timerResolution >= fair

/** Of a call that is interrupted now: it has been made, and has not answered by the deadline. That speaks against the callee. */
export const hangs = (fiber: AnyFiber, at: number): boolean => deadlinePassed(fiber, at) && !hasLeftQueue(fiber)
