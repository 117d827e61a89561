/**
 * The call, as plain Effect: readable in a minute, and the base of the production policy.
 *
 * One attempt has 60 seconds. Failures that may pass are tried again up to three times, after 1, 2 and 4 seconds. Types tell
 * timeout, rate limit and server errors apart. `O1Policy.layerPlain` is this call as a layer.
 *
 * **Example** (A service that is busy twice)
 *
 * ```ts import.meta.vitest
 * import { O1Call, O1ServerError } from "@effect-resilience/azure-o1"
 * import { Effect } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * let attempts = 0
 * const attempt = Effect.suspend(() =>
 *   ++attempts < 3 ? Effect.fail(new O1ServerError({ kind: "unavailable" })) : Effect.succeed("42")
 * )
 *
 * const program = Effect.gen(function*() {
 *   const fiber = yield* Effect.forkChild(O1Call.call(attempt))
 *   yield* TestClock.adjust("3 seconds")
 *   return fiber.pollUnsafe()?._tag
 * })
 *
 * await Effect.runPromise(Effect.provide(program, TestClock.layer())) // => "Success"
 * attempts // => 3
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { O1Error, O1TimeoutError } from "./O1Error.ts"

/**
 * Three retries: after 1, 2 and 4 seconds.
 *
 * @category schedules
 * @since 0.1.0
 */
export const schedule = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(3)])

/**
 * An attempt, made to survive.
 *
 * @category combinators
 * @since 0.1.0
 */
export const call = <A, R>(attempt: Effect.Effect<A, O1Error, R>): Effect.Effect<A, O1Error, R> =>
  attempt.pipe(
    Effect.timeout("60 seconds"),
    Effect.catchTag("TimeoutError", () => Effect.fail(O1TimeoutError.attempt("60 seconds"))),
    Effect.retry({ schedule, while: O1Error.isTransient })
  )
