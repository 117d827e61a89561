import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { AnyFiber } from "./primitive.ts"
import { hasLeftQueue, leaveQueue } from "./turn.ts"

export const diesOf = (...exits: ReadonlyArray<Exit.Exit<unknown, unknown>>): Cause.Cause<never> | undefined => {
  const dies = exits.flatMap((exit) => Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason) : [])
  return dies.length === 0 ? undefined : Cause.fromReasons(dies)
}

/** The caller is being interrupted, and the call with it: wait for the call's clean-up and keep its defects. */
export const awaitAndKeepDefects = (fiber: AnyFiber, child: AnyFiber): Effect.Effect<void> =>
  Effect.flatMap(Fiber.await(child), (exit) => {
    if (hasLeftQueue(child)) leaveQueue(fiber)
    const cause = diesOf(exit)
    return cause === undefined ? Effect.void : Effect.failCause(cause)
  })
