import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { O1Error } from "../../src/O1Error.ts"
import { type O1Request, user } from "../../src/O1Request.ts"

export const request: O1Request = { messages: [user("hello")] }

/** Runs an effect while the test clock advances by `duration`, and gives its exit. */
export const during = <A, E, R>(
  duration: Duration.Input,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(duration)
    return fiber.pollUnsafe() ?? Exit.die("still running")
  })

/** How it ends, in one word, and how many seconds after the start. */
export const timed = <A, R>(
  effect: Effect.Effect<A, O1Error, R>
): Effect.Effect<readonly [string, number], never, R> =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const outcome = yield* Effect.match(effect, { onFailure: O1Error.label, onSuccess: () => "success" })
    return [outcome, ((yield* Clock.currentTimeMillis) - start) / 1000] as const
  })

export const value = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw new Error(`expected a success, got ${String(exit.cause)}`)
}
