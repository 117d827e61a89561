/**
 * The events of policies, and who listens to them.
 *
 * A listener is a plain function in a `Context.Reference`. There is none by default, and then a policy builds no event at
 * all. Logical calls and attempts are told apart: `AttemptEnded` comes once per attempt, the other events once per
 * decision of a policy.
 *
 * **Example** (Listening to a retry)
 *
 * ```ts import.meta.vitest
 * import { Retry, Telemetry } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const seen: Array<string> = []
 * const flaky = Effect.suspend(() => seen.length < 4 ? Effect.fail("busy") : Effect.succeed("done"))
 *
 * const program = flaky.pipe(
 *   Retry.make({ schedule: Schedule.recurs(3) }),
 *   Telemetry.listen((event) => {
 *     seen.push(event._tag)
 *   })
 * )
 *
 * await Effect.runPromise(program) // => "done"
 * seen.slice(0, 4) // => ["AttemptStarted", "AttemptEnded", "RetryScheduled", "AttemptStarted"]
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { both } from "./internal/emit.ts"
import { CurrentListener, type Listener } from "./internal/events.ts"
import { invalid } from "./internal/options.ts"
import * as Policy from "./Policy.ts"

export * from "./internal/events.ts"

/**
 * A policy that adds a listener for everything inside it. Listeners further out still hear everything.
 *
 * @category constructors
 * @since 0.1.0
 */
export const listen = (listener: Listener): Policy.Policy => {
  if (typeof listener !== "function") throw invalid("Telemetry.listen", "listener", listener, "a function")
  const join = (outer: Listener | undefined): Listener => outer === undefined ? listener : both(listener, outer)
  return Policy.make({
    info: { kind: "telemetry", settings: {}, children: [] },
    effect: Effect.updateService(CurrentListener, join),
    stream: Stream.updateService(CurrentListener, join)
  })
}
