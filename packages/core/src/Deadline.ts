/**
 * The moment after which nobody waits for the result.
 *
 * `Timeout.total` publishes it to everything inside: `Retry` begins no wait and no attempt that could not finish in time,
 * and a timeout whose own limit is not earlier neither forks nor arms a timer. A program reads it to decide whether a
 * piece of work is still worth starting.
 *
 * **Example** (How much time is left)
 *
 * ```ts import.meta.vitest
 * import { Deadline, Timeout } from "@effect-resilience/core"
 * import { Effect, Option } from "effect"
 *
 * const outside = await Effect.runPromise(Deadline.remaining)
 * const inside = await Effect.runPromise(Deadline.remaining.pipe(Timeout.total("10 seconds")))
 *
 * Option.isSome(outside) // => false
 * Option.isSome(inside) // => true
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { now } from "./internal/time.ts"

/**
 * The ambient deadline in milliseconds on the fiber's monotonic clock, `Infinity` where there is none. Child fibers
 * inherit it. The number means nothing in another process: what crosses a wire is what {@link remaining} tells.
 *
 * @category references
 * @since 0.1.0
 */
export const Deadline = Context.Reference<number>("@effect-resilience/core/Deadline", {
  defaultValue: () => Infinity
})

/**
 * The time left until the ambient deadline: zero when it has passed, none when there is no deadline.
 *
 * @category accessors
 * @since 0.1.0
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.withFiber((fiber) => {
  const deadline = fiber.getRef(Deadline)
  return Effect.succeed(
    deadline === Infinity ? Option.none() : Option.some(Duration.millis(Math.max(0, deadline - now(fiber))))
  )
})
