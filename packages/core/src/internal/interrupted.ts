import * as frame from "./frame.ts"
import type { AnyFiber } from "./primitive.ts"

/** Without frames a fiber does not show whether it is being interrupted: the policy that interrupts it says so here. */
const marked = new WeakSet<AnyFiber>()

export const isInterrupted = (fiber: AnyFiber): boolean =>
  frame.supported() ? frame.hasInterruption(fiber) : marked.has(fiber)

/** Interrupts a fiber that a policy has forked. */
export const interrupt = (fiber: AnyFiber, by: AnyFiber): void => {
  if (!frame.supported()) marked.add(fiber)
  fiber.interruptUnsafe(by.id)
}
