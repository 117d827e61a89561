import * as Effect from "effect/Effect"
import { CurrentDeadline, Deadline, timeLeft } from "../../src/internal/deadline.ts"
import { now } from "../../src/internal/time.ts"

/** A deadline at a time, in the fiber that runs the effect, without the policy that would enforce it. */
export const deadlineAt = (millis: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    Effect.provideService(self, CurrentDeadline, new Deadline(millis, fiber.getRef(CurrentDeadline), fiber))
  )

/** The time on the monotonic clock at which what this fiber runs has to end. */
export const currentDeadline: Effect.Effect<number> = Effect.withFiber((fiber) => {
  const at = now(fiber)
  return Effect.succeed(at + timeLeft(fiber, at))
})
