import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type { AnyFiber } from "./primitive.ts"

/** The runtime's own clock: the only one under which a raw timer keeps the time that the fiber sees. */
export const liveClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** Milliseconds on the fiber's monotonic clock: for kernels, deadlines and elapsed times, which a clock that is set must not move. */
export const now = (fiber: AnyFiber): number => nowOn(fiber.getRef(Clock.Clock))

export const nowOn = (clock: Clock.Clock): number =>
  clock === liveClock ? performance.now() : Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** Timers count whole milliseconds, so one may wake up to this much before its time. */
export const timerResolution = 1

/** Milliseconds since the epoch on the fiber's clock: only to be compared with a date that came from outside. */
export const wallNow = (fiber: AnyFiber): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
