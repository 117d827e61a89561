/**
 * Delays between attempts, as Effect schedules.
 *
 * A backoff is a `Schedule` that never ends: bound it with `Schedule.max([backoff, Schedule.recurs(3)])` or with `times`.
 * Randomness comes from Effect's `Random`, so a seed makes a run repeatable; arithmetic saturates, so an overflow is a
 * long delay and never a wrong one. A bad option throws a `RangeError`.
 *
 * What this adds to Effect's `Schedule.exponential` and `Schedule.jittered` (which is U(0.8, 1.2) and nothing else): the
 * full, equal, decorrelated and proportional jitters, and a longest delay that holds after jitter.
 *
 * **Example** (Exponential, 100 ms to 2 s, without jitter)
 *
 * ```ts import.meta.vitest
 * import { Backoff } from "@effect-resilience/core"
 * import { Duration, Effect, Schedule } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const step = yield* Schedule.toStep(Backoff.exponential({ base: "100 millis", maxDelay: "2 seconds", jitter: "none" }))
 *   const delays: Array<string> = []
 *   for (let attempt = 0; attempt < 6; attempt++) {
 *     const [delay] = yield* step(0, undefined)
 *     delays.push(Duration.format(delay))
 *   }
 *   return delays
 * })
 *
 * await Effect.runPromise(program) // => ["100ms", "200ms", "400ms", "800ms", "1s 600ms", "2s"]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"
import { scheduleOf } from "./internal/backoff.ts"
import { checkedOptions, finite, invalid, positiveMillis, ratio } from "./internal/options.ts"
import * as kernel from "./kernel/backoff.ts"

/**
 * How a delay `d` is spread: `"none"` keeps it, `"full"` takes U(0, d), `"equal"` takes d/2 + U(0, d/2) (both from AWS,
 * "Exponential Backoff and Jitter", 2015), `{ proportional: s }` takes d x U(1 - s, 1 + s).
 *
 * @category models
 * @since 0.1.0
 */
export type Jitter = "none" | "full" | "equal" | { readonly proportional: number }

/**
 * What the growing backoffs share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spread {
  /**
   * No delay is longer, jitter included.
   *
   * @default "30 seconds"
   */
  readonly maxDelay?: Duration.Input | undefined
  /**
   * How delays are spread.
   *
   * @default "full"
   */
  readonly jitter?: Jitter | undefined
}

/**
 * A schedule of delays that never ends; its output is the delay.
 *
 * @category models
 * @since 0.1.0
 */
export type Backoff = Schedule.Schedule<Duration.Duration>

const maxDelayOf = (where: string, maxDelay: Duration.Input | undefined): number =>
  positiveMillis(where, "maxDelay", maxDelay ?? "30 seconds", { infinite: true })

const jitterOf = (where: string, jitter: Jitter | undefined): kernel.Jitter => {
  switch (jitter) {
    case "none":
      return kernel.none
    case "equal":
      return kernel.equal
    case undefined:
    case "full":
      return kernel.full
  }
  if (typeof jitter === "object" && "proportional" in jitter) {
    return kernel.proportional(ratio(where, "jitter.proportional", jitter.proportional))
  }
  throw invalid(where, "jitter", jitter, "\"none\", \"full\", \"equal\" or { proportional }")
}

const growing = (where: string, growth: kernel.Growth, options: Spread): Backoff => {
  const maxDelay = maxDelayOf(where, options.maxDelay)
  const jitter = jitterOf(where, options.jitter)
  return scheduleOf(() => new kernel.Jittered(growth, jitter, maxDelay))
}

/**
 * base, base x factor, base x factor^2, ...
 *
 * @category constructors
 * @since 0.1.0
 */
export const exponential = (
  options: Spread & {
    readonly base: Duration.Input
    /** @default 2 */
    readonly factor?: number | undefined
  }
): Backoff => {
  const where = "Backoff.exponential"
  const { factor = 2 } = checkedOptions(where, options)
  finite(where, "factor", factor, 1, { inclusive: true })
  return growing(where, kernel.exponential(positiveMillis(where, "base", options.base), factor), options)
}

/**
 * base, base + increment, base + 2 x increment, ...
 *
 * @category constructors
 * @since 0.1.0
 */
export const linear = (
  options: Spread & {
    readonly base: Duration.Input
    /** The base, if absent. */
    readonly increment?: Duration.Input | undefined
  }
): Backoff => {
  const where = "Backoff.linear"
  checkedOptions(where, options)
  const base = positiveMillis(where, "base", options.base)
  const increment = options.increment === undefined ? base : positiveMillis(where, "increment", options.increment)
  return growing(where, kernel.linear(base, increment), options)
}

/**
 * base x 1, 1, 2, 3, 5, 8, ...
 *
 * @category constructors
 * @since 0.1.0
 */
export const fibonacci = (options: Spread & { readonly base: Duration.Input }): Backoff =>
  growing(
    "Backoff.fibonacci",
    kernel.fibonacci(positiveMillis("Backoff.fibonacci", "base", checkedOptions("Backoff.fibonacci", options).base)),
    options
  )

/**
 * The same delay every time, spread by `jitter`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const constant = (options: {
  readonly base: Duration.Input
  /** @default "full" */
  readonly jitter?: Jitter | undefined
}): Backoff => {
  const where = "Backoff.constant"
  return growing(where, kernel.constant(positiveMillis(where, "base", checkedOptions(where, options).base)), {
    jitter: options.jitter,
    maxDelay: Duration.infinity
  })
}

/**
 * min(maxDelay, U(base, 3 x previous delay)): "decorrelated jitter" of AWS, "Exponential Backoff and Jitter" (2015).
 *
 * @category constructors
 * @since 0.1.0
 */
export const decorrelated = (options: {
  readonly base: Duration.Input
  /** @default "30 seconds" */
  readonly maxDelay?: Duration.Input | undefined
}): Backoff => {
  const where = "Backoff.decorrelated"
  const base = positiveMillis(where, "base", checkedOptions(where, options).base)
  const maxDelay = maxDelayOf(where, options.maxDelay)
  return scheduleOf(() => new kernel.Decorrelated(base, maxDelay))
}

/**
 * Exponential growth with the smooth jitter of Polly (`DecorrelatedJitterBackoffV2`), which cockatiel also defaults to.
 *
 * @category constructors
 * @since 0.1.0
 */
export const decorrelatedV2 = (options: {
  readonly base: Duration.Input
  /** @default "30 seconds" */
  readonly maxDelay?: Duration.Input | undefined
}): Backoff => {
  const where = "Backoff.decorrelatedV2"
  const base = positiveMillis(where, "base", checkedOptions(where, options).base)
  const maxDelay = maxDelayOf(where, options.maxDelay)
  return scheduleOf(() => new kernel.DecorrelatedV2(base, maxDelay))
}
