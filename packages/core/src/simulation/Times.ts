/**
 * How long something takes: the service of a server, a network, a person who thinks. Each is a distribution from which a run draws.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { checkedOptions, duration, finite, invalid, positiveMillis } from "../internal/options.ts"
import { exponential as drawExponential, normal as drawNormal, type Random } from "./internal/random.ts"

/**
 * Numbers in [0, 1), the same ones for the same seed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Draws {
  readonly next: () => number
}

/**
 * A distribution of times in milliseconds. One of your own needs a mean, which is for reports, and a way to draw. `number` is that
 * of the draw, from 1: of a server, the number of the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Times {
  readonly mean: number
  readonly draw: (random: Draws, number: number) => number
}

// a run hands its own generator to its own distributions
const generatorOf = (random: Draws): Random => random as Random

const times = (mean: number, draw: (random: Random, number: number) => number): Times => ({
  mean,
  draw: (random, number) => draw(generatorOf(random), number)
})

/**
 * Always the same. An infinite time never ends.
 *
 * @category constructors
 * @since 0.1.0
 */
export const constant = (time: Duration.Input): Times => {
  const millis = duration("Times.constant", "time", time)
  return times(millis, () => millis)
}

/**
 * Without a memory: what M/M/c queues assume.
 *
 * @category constructors
 * @since 0.1.0
 */
export const exponential = (mean: Duration.Input): Times => {
  const millis = positiveMillis("Times.exponential", "mean", mean)
  return times(millis, (random) => millis * drawExponential(random))
}

/**
 * Equally likely from one to the other.
 *
 * @category constructors
 * @since 0.1.0
 */
export const uniform = (options: { readonly from: Duration.Input; readonly to: Duration.Input }): Times => {
  const where = "Times.uniform"
  checkedOptions(where, options)
  const from = duration(where, "from", options.from)
  const to = duration(where, "to", options.to)
  if (to < from) throw invalid(where, "to", to, `at least from (${from})`)
  return times((from + to) / 2, (random) => from + (to - from) * random.next())
}

/**
 * Normal, with what is below zero mirrored.
 *
 * @category constructors
 * @since 0.1.0
 */
export const normal = (options: { readonly mean: Duration.Input; readonly deviation: Duration.Input }): Times => {
  const where = "Times.normal"
  checkedOptions(where, options)
  const mean = duration(where, "mean", options.mean)
  const deviation = duration(where, "deviation", options.deviation)
  return times(mean, (random) => Math.abs(mean + deviation * drawNormal(random)))
}

/** The standard normal quantile of 0.99. */
const z99 = 2.3263478740408408

/**
 * Log-normal, as the response times of many services are: by its median and either its 99th percentile or `sigma`, the deviation
 * of the logarithm.
 *
 * @category constructors
 * @since 0.1.0
 */
export const logNormal = (
  options:
    & { readonly median: Duration.Input }
    & ({ readonly p99: Duration.Input } | { readonly sigma: number })
): Times => {
  const where = "Times.logNormal"
  checkedOptions(where, options)
  const median = positiveMillis(where, "median", options.median)
  const sigma = "sigma" in options
    ? finite(where, "sigma", options.sigma, 0, { inclusive: true })
    : Math.log(positiveMillis(where, "p99", options.p99) / median) / z99
  if (sigma < 0) throw invalid(where, "p99", "p99" in options ? options.p99 : sigma, "at least the median")
  return times(median * Math.exp(sigma ** 2 / 2), (random) => median * Math.exp(sigma * drawNormal(random)))
}

/**
 * Pareto: a tail so heavy that the mean says little. Of the shape, 1.1 is very heavy and 3 light; the mean is infinite up to 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pareto = (
  options: {
    readonly min: Duration.Input
    readonly shape: number
    /** @default no bound */
    readonly max?: Duration.Input | undefined
  }
): Times => {
  const where = "Times.pareto"
  checkedOptions(where, options)
  const min = positiveMillis(where, "min", options.min)
  const shape = finite(where, "shape", options.shape, 0)
  const max = options.max === undefined ? Infinity : positiveMillis(where, "max", options.max)
  const mean = shape > 1 ? Math.min(max, min * shape / (shape - 1)) : max
  return times(mean, (random) => Math.min(max, min * (1 - random.next()) ** (-1 / shape)))
}

/**
 * Times that were measured, drawn again: a row of response times, as a history has them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromHistory = (measured: ReadonlyArray<Duration.Input>): Times => {
  const where = "Times.fromHistory"
  const all = measured.map((time, i) => duration(where, `measured[${i}]`, time))
  if (all.length === 0) throw invalid(where, "measured", "none", "at least one time")
  const mean = all.reduce((sum, time) => sum + time, 0) / all.length
  return times(mean, (random) => all[Math.floor(random.next() * all.length)]!)
}

/**
 * Through percentiles that somebody knows, with straight lines between them on a logarithmic axis. Below the first one all times are
 * the first, above the last one all are the last.
 *
 * **Example** (From a dashboard)
 *
 * ```ts import.meta.vitest
 * import { Times } from "@effect-resilience/core/simulation"
 *
 * const times = Times.fromPercentiles([[50, "20 millis"], [95, "80 millis"], [99.9, "2 seconds"]])
 * Math.round(times.draw({ next: () => 0.95 }, 1)) // => 80
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPercentiles = (
  percentiles: ReadonlyArray<readonly [percentile: number, time: Duration.Input]>
): Times => {
  const where = "Times.fromPercentiles"
  const points = percentiles.map(([percentile, time]) => {
    if (!(percentile >= 0 && percentile <= 100)) throw invalid(where, "percentile", percentile, "from 0 to 100")
    return { share: percentile / 100, log: Math.log(positiveMillis(where, `p${percentile}`, time)) }
  })
  points.forEach(({ log, share }, i) => {
    const before = points[i - 1]
    if (before !== undefined && (share <= before.share || log < before.log)) {
      throw invalid(where, "percentiles", `p${share * 100}`, "percentiles and times that rise")
    }
  })
  const [first] = points
  if (first === undefined) throw invalid(where, "percentiles", "none", "at least one percentile")
  const at = (share: number): number => {
    const above = points.findIndex((point) => point.share >= share)
    const to = points[above]
    const from = points[above - 1]
    if (to === undefined) return Math.exp(points[points.length - 1]!.log)
    if (from === undefined) return Math.exp(to.log)
    return Math.exp(from.log + (to.log - from.log) * (share - from.share) / (to.share - from.share))
  }
  const steps = 1000
  const mean = Array.from({ length: steps }, (_, i) => at((i + 0.5) / steps)).reduce((a, b) => a + b, 0) / steps
  return times(mean, (random) => at(random.next()))
}

/**
 * One of several, each with its share: a fast answer nearly always, and now and then a very slow one.
 *
 * **Example** (Two in a hundred are slow)
 *
 * ```ts import.meta.vitest
 * import { Times } from "@effect-resilience/core/simulation"
 *
 * const times = Times.mix([[0.98, Times.constant("10 millis")], [0.02, Times.uniform({ from: "300 millis", to: "2 seconds" })]])
 * times.mean // => 32.8
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const mix = (parts: ReadonlyArray<readonly [share: number, times: Times]>): Times => {
  const where = "Times.mix"
  for (const [share] of parts) finite(where, "share", share, 0, { inclusive: true })
  const whole = parts.reduce((sum, [share]) => sum + share, 0)
  if (!(whole > 0)) throw invalid(where, "parts", "none", "at least one part with a share > 0")
  const mean = parts.reduce((sum, [share, part]) => sum + share * part.mean, 0) / whole
  return times(mean, (random, number) => {
    let left = random.next() * whole
    for (const [share, part] of parts) {
      left -= share
      if (left < 0) return part.draw(random, number)
    }
    return parts[parts.length - 1]![1].draw(random, number)
  })
}

/**
 * One after the other, as a script has them; the last one for all that come after.
 *
 * @category constructors
 * @since 0.1.0
 */
export const script = (all: ReadonlyArray<Duration.Input>): Times => {
  const where = "Times.script"
  const millis = all.map((time, i) => duration(where, `all[${i}]`, time))
  if (millis.length === 0) throw invalid(where, "all", "none", "at least one time")
  const last = millis.length - 1
  return times(millis[last]!, (_, number) => millis[Math.min(number - 1, last)]!)
}

/**
 * The sum of several, each drawn on its own: a request that makes several hops.
 *
 * @category combinators
 * @since 0.1.0
 */
export const sum = (...parts: ReadonlyArray<Times>): Times =>
  times(
    parts.reduce((mean, part) => mean + part.mean, 0),
    (random, number) => parts.reduce((total, part) => total + part.draw(random, number), 0)
  )
