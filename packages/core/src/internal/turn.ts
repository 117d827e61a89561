import { deadlinePassed } from "./deadline.ts"
import type { AnyFiber } from "./primitive.ts"

const left = new WeakSet<AnyFiber>()

/** The fiber has been interrupted while it waited for its turn: the call was not made, whoever did it and why. */
export const leaveQueue = (fiber: AnyFiber): void => void left.add(fiber)

export const hasLeftQueue = (fiber: AnyFiber): boolean => left.has(fiber)

/** The interruption has been taken back: the fiber goes on, and may wait for another turn. */
export const cameBack = (fiber: AnyFiber): void => void left.delete(fiber)

/** Of a call that is interrupted now: it has been made, and has not answered by the deadline. That speaks against the callee. */
export const hangs = (fiber: AnyFiber, now: number): boolean => deadlinePassed(fiber, now) && !hasLeftQueue(fiber)
