import type { AnyFiber } from "./primitive.ts"

const left = new WeakSet<AnyFiber>()

/** The fiber has been interrupted while it waited for its turn: the call was not made, whoever did it and why. */
export const leaveQueue = (fiber: AnyFiber): void => void left.add(fiber)

/** An interruption at the deadline speaks against a callee, but not if this is so. */
export const hasLeftQueue = (fiber: AnyFiber): boolean => left.has(fiber)
