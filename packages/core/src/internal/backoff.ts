import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { Sequence } from "../kernel/backoff.ts"

const sequences = new WeakMap<object, () => Sequence>()

/** The schedule of a row of delays, which starts anew for each call. */
export const scheduleOf = (sequence: () => Sequence): Schedule.Schedule<Duration.Duration> => {
  const schedule = Schedule.fromStep(Effect.sync(() => {
    const delays = sequence()
    return () =>
      Effect.map(Random.next, (random): [Duration.Duration, Duration.Duration] => {
        const delay = Duration.millis(delays.next(random))
        return [delay, delay]
      })
  }))
  sequences.set(schedule, sequence)
  return schedule
}

/** The row of delays itself, for one that needs no effect to step through it. */
export const sequenceOf = (schedule: object): (() => Sequence) | undefined => sequences.get(schedule)
