import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Runs an effect on a clock that goes so many times as fast as the real one, and goes by itself: a minute of growing pauses
 * takes a second, with real sockets, where the test clock stands still. Only for what a late timer cannot turn around.
 */
export const faster = (times: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const begun = Date.now()
  const start = performance.now()
  const millis = (): number => begun + (performance.now() - start) * times
  const nanos = (): bigint => BigInt(Math.round(millis() * 1e6))
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback((resume) => {
        const timer = setTimeout(() => resume(Effect.void), Math.min(Duration.toMillis(duration) / times, 2 ** 31 - 1))
        return Effect.sync(() => clearTimeout(timer))
      })
  }
  return Effect.provideService(effect, Clock.Clock, clock)
}
