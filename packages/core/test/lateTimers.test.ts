import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Deadline from "../src/Deadline.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { during, timed } from "./support/harness.ts"

/** A busy machine: a sleep of so many milliseconds takes so many. */
const busy = (sleeps: ReadonlyMap<number, number>) => <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.clockWith((clock) => {
    const late: Clock.Clock = Object.create(clock, {
      sleep: {
        value: (duration: Duration.Duration) => {
          const millis = Duration.toMillis(duration)
          return clock.sleep(Duration.millis(sleeps.get(millis) ?? millis))
        }
      }
    })
    return Effect.provideService(self, Clock.Clock, late)
  })

describe("timers that are late: the owner of a deadline that has passed says why the call ends", () => {
  const retry = Retry.make({ schedule: Schedule.spaced(1) })
  const attempt = Timeout.attempt("25 millis")
  const rows: ReadonlyArray<readonly [string, Policy.Policy<unknown, unknown>, number, string]> = [
    ["after the total's moment, before the total's own timer", Timeout.total("60 millis"), 65, "TimeoutExceeded:total"],
    ["the same, of a deadline", Deadline.within("60 millis"), 65, "DeadlineExceeded"]
  ]
  for (const [name, outer, attemptTakes, expected] of rows) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const sleeps = new Map([[25, attemptTakes], [60, 80]])
        const call = Effect.never.pipe(Policy.compose(outer, retry, attempt), busy(sleeps))
        assert.deepStrictEqual(yield* during("1 second", timed(call)), [expected, 80])
      }))
  }
})
