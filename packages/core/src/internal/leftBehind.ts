import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { emit, emitDefect } from "./emit.ts"
import * as Telemetry from "./events.ts"
import { diesOf } from "./interrupt.ts"
import { type AnyFiber, fork } from "./primitive.ts"
import { now } from "./time.ts"

/** The caller gets the timeout, so a defect of the clean-up has nowhere else to go. */
export const reportCleanup = (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void => {
  const cause = diesOf(exit)
  if (cause !== undefined) emitDefect(fiber.context, "timeout", undefined, cause)
}

let leftInProcess = 0

/** How many calls have been interrupted and left behind, and are still running. */
export const leftBehind = (): number => leftInProcess

/** What one policy has left behind. */
export interface Left {
  running: number
}

/** Nobody waits any more for the end of a call that has been interrupted: it is counted, and cleaned up after. */
export const leaveBehind = (fiber: AnyFiber, left: Left, child: AnyFiber, scope: Scope.Closeable | undefined): void => {
  leftInProcess++
  left.running++
  const listener = fiber.getRef(Telemetry.CurrentListener)
  if (listener !== undefined) {
    emit(fiber, listener, { _tag: "CallDetached", policy: "timeout", name: undefined, running: left.running })
  }
  // what has ended no longer knows its clock and its listener, so this fiber tells of the end
  fork(
    fiber.context,
    Effect.withFiber((background) => {
      const at = now(background)
      const cleanup = Effect.flatMap(Fiber.await(child), (exit) => {
        reportCleanup(background, exit)
        return scope === undefined ? Effect.void : Scope.close(scope, exit)
      })
      return Effect.onExitPrimitive(cleanup, (exit) => {
        leftInProcess--
        left.running--
        reportCleanup(background, exit)
        if (listener !== undefined) {
          const after = Duration.millis(now(background) - at)
          emit(background, listener, {
            _tag: "DetachedEnded",
            policy: "timeout",
            name: undefined,
            running: left.running,
            after
          })
        }
        return undefined
      })
    })
  )
}
