import type * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * How a limit is made of what was seen.
 *
 * @category models
 * @since 0.1.0
 */
export interface LimitOptions {
  /**
   * The share of the answers that the limit is made of.
   *
   * @default 0.99
   */
  readonly quantile?: number | undefined
  /**
   * How much longer than that quantile an attempt may take.
   *
   * @default 1.5
   */
  readonly factor?: number | undefined
  /**
   * No limit is shorter.
   *
   * @default "30 seconds"
   */
  readonly floor?: Duration.Input | undefined
  /**
   * No limit is longer.
   *
   * @default "10 minutes"
   */
  readonly ceiling?: Duration.Input | undefined
  /**
   * With fewer answers than this the limit stays as it is.
   *
   * @default 20
   */
  readonly minSamples?: number | undefined
}

export interface LimitRules {
  readonly quantile: number
  readonly factor: number
  /** milliseconds, as the ceiling */
  readonly floor: number
  readonly ceiling: number
  readonly minSamples: number
}

const bad = (where: string, option: string, value: unknown, allowed: string): RangeError =>
  new RangeError(`${where}: ${option} must be ${allowed}, got ${String(value)}`)

/** A duration that has to be longer than zero, and to end. */
export const millisOf = (where: string, option: string, value: Duration.Input): number => {
  const millis = Option.match(Duration.fromInput(value), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (millis > 0 && millis < Infinity) return millis
  throw bad(where, option, Duration.isDuration(value) ? Duration.format(value) : value, "a finite duration > 0")
}

/** Bad options throw, and the message begins with `where`. */
export const limitRules = (where: string, options: LimitOptions): LimitRules => {
  const { factor = 1.5, minSamples = 20, quantile = 0.99 } = options
  if (!(quantile > 0 && quantile < 1)) throw bad(where, "quantile", quantile, "a number > 0 and < 1")
  if (!(factor >= 1 && factor < Infinity)) throw bad(where, "factor", factor, "a finite number >= 1")
  if (!Number.isSafeInteger(minSamples) || minSamples < 1) throw bad(where, "minSamples", minSamples, "an integer >= 1")
  const floor = millisOf(where, "floor", options.floor ?? "30 seconds")
  const ceiling = millisOf(where, "ceiling", options.ceiling ?? "10 minutes")
  if (ceiling < floor) {
    throw bad(where, "ceiling", Duration.format(Duration.millis(ceiling)), "at least the floor")
  }
  return { quantile, factor, floor, ceiling, minSamples }
}

/** What a limit is made of. Times in milliseconds. */
export interface Limit {
  readonly millis: number
  /**
   * - `Known`: the quantile.
   * - `Hanging`: too much was cut off to know it, but the answers are far quicker than that: what did not answer by then
   *   never would have. The quantile of the answers.
   * - `CutOff`: too much was cut off to know it, and answers come right up to there. The longest time that was waited.
   */
  readonly basis: "Known" | "Hanging" | "CutOff"
  readonly value: number
}

const clamp = (millis: number, { ceiling, floor }: LimitRules): number =>
  Math.min(Math.max(Math.ceil(millis / 1000) * 1000, floor), ceiling)

/** The limit of an attempt; `undefined` with too few answers. */
export const limitFrom = (sketch: Histogram.Histogram, rules: LimitRules): Limit | undefined => {
  const estimate = sketch.quantile(rules.quantile)
  const answered = sketch.observedQuantile(rules.quantile)
  if (estimate === undefined || answered === undefined || sketch.observed < rules.minSamples) return undefined
  const made = (basis: Limit["basis"], value: number): Limit => ({
    millis: clamp(value * rules.factor, rules),
    basis,
    value
  })
  if (estimate._tag === "Known") return made("Known", estimate.value)
  return answered * rules.factor <= estimate.value ? made("Hanging", answered) : made("CutOff", estimate.value)
}
