import * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import type { Advice } from "./advice.ts"
import { showMillis, showNumber, showShare } from "./format.ts"
import { countOf } from "./outcomes.ts"
import type { SeriesSnapshot } from "./snapshot.ts"

/** When a second request pays, and what it costs. */

const hedgeQuantile = 0.95
const tail = 0.99

/** The p99 of the first of two independent answers, of which the second is asked for after a delay. */
const hedgedTail = (sketch: Histogram.Histogram, delay: number): number | undefined => {
  const exceeding = (millis: number): number => millis <= 0 ? 1 : sketch.exceeding(millis) ?? 0
  for (let at = delay; at < sketch.longest; at *= 1 + sketch.accuracy) {
    // both are still out: the product of the shares that take longer
    if (exceeding(at) * exceeding(at - delay) <= 1 - tail) return at
  }
  return undefined
}

export const hedgeAdvice = (
  sketch: Histogram.Histogram,
  minSamples: number
): Advice<Duration.Duration | undefined> => {
  const samples = sketch.observed
  const estimate = sketch.quantile(hedgeQuantile)
  if (samples < minSamples || estimate === undefined) {
    const because = `${samples} answers are fewer than ${minSamples}`
    return { value: undefined, because, samples, confidence: "too few" }
  }
  if (estimate._tag === "Above") {
    const because = `p95 is not known: more than 5 % were cut off, the last after ${showMillis(estimate.value)}`
    return { value: undefined, because, samples, confidence: "fair" }
  }
  const delay = Math.ceil(estimate.value / 1000) * 1000
  const extra = sketch.exceeding(delay) ?? 0
  const before = sketch.quantile(tail)
  const after = hedgedTail(sketch, delay)
  const gain = before?._tag === "Known" && after !== undefined && after < before.value
    ? `; where a slow answer is chance and no hard prompt, p99 falls from ${showMillis(before.value)} to ${
      showMillis(after)
    }`
    : ""
  return {
    value: Duration.millis(delay),
    because: `p95 of ${samples} answers is ${showMillis(estimate.value)}: a second request would be sent for ${
      showShare(extra)
    } of the calls, which is as much more load${gain}`,
    samples,
    confidence: "good"
  }
}

/** How many run at once, and how many that are at times. */

/** The smallest number that a Poisson variable exceeds in less than one case of a hundred. */
export const poissonTail = (mean: number): number => {
  // the normal approximation is good to a fraction of one here, and the sum would underflow
  if (mean > 400) return Math.ceil(mean + 2.326 * Math.sqrt(mean))
  let probability = Math.exp(-mean)
  let sum = probability
  let most = 0
  while (sum < tail) sum += probability *= mean / ++most
  return most
}

/** What calls take, whether they have answered or were given up: all of them are under way for as long. */
const meanOf = (sketch: Histogram.Histogram): number => {
  let time = 0
  let count = 0
  for (const { censored, from, observed, to } of sketch.bars()) {
    time += (observed + censored) * (from + to) / 2
    count += observed + censored
  }
  return time / count
}

const showRate = (perSecond: number): string =>
  perSecond >= 1 ? `${showNumber(perSecond)} calls/s` : `${showNumber(perSecond * 60)} calls/min`

export const concurrencyAdvice = (
  { calls }: SeriesSnapshot,
  minSamples: number,
  planned: number | undefined
): Advice<number | undefined> => {
  const sketch = Histogram.fromData(calls.total)
  const samples = sketch.observed + sketch.censored
  const unknown = (because: string): Advice<undefined> => ({
    value: undefined,
    because,
    samples,
    confidence: "too few"
  })
  if (samples < minSamples) return unknown(`${samples} calls are fewer than ${minSamples}`)
  const rate = planned ?? calls.perSecond
  if (rate === undefined) return unknown("how many calls come in a second was not seen: give callsPerSecond")
  const mean = meanOf(sketch)
  const atOnce = rate * mean / 1000
  const value = Math.max(1, poissonTail(atOnce))
  const failed = countOf(calls.outcomes) - samples
  return {
    value,
    because: `${showRate(rate)}${planned === undefined ? " were seen" : " are planned"}, of ${
      showMillis(mean)
    } on average: ${
      showNumber(atOnce)
    } at once (Little's law); if they come by chance, ${value} are enough 99 % of the time`,
    samples,
    confidence: failed > samples ? "fair" : "good"
  }
}
