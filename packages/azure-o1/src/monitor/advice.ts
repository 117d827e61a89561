import * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import type { O1PolicySettings } from "../O1Policy.ts"
import { showMillis, showShare } from "./format.ts"
import { type Limit, limitFrom, type LimitRules } from "./limit.ts"
import { countOf, isPassing, isReasoningExhausted, isUndecided } from "./outcomes.ts"
import type { SeriesSnapshot } from "./snapshot.ts"

/**
 * What a setting should be, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Advice<A> {
  readonly value: A
  /** The figures that it is made of, in words. */
  readonly because: string
  /** How many values it is made of. */
  readonly samples: number
  /**
   * `too few`: there is not enough data, and the setting stays as it is. `fair`: the quantile is at the very end of the data,
   * or beyond it. `good`: it lies within.
   */
  readonly confidence: "too few" | "fair" | "good"
}

/**
 * Something that somebody should look at.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdviceWarning {
  /**
   * - `cut-off`: the limit as configured cuts off answers that would have come.
   * - `hanging`: attempts that do not answer, where the others answer soon.
   * - `short-timeout`: under two minutes, and nothing shows that it is enough.
   * - `failure-rate`: so many attempts fail that retries would add to the trouble.
   * - `reasoning-share`: reasoning uses up the budget of output tokens.
   */
  readonly id: "cut-off" | "hanging" | "short-timeout" | "failure-rate" | "reasoning-share"
  readonly message: string
}

/** The limits that are configured now for a series. Times in milliseconds. */
export interface Current {
  readonly timeout: number
  readonly total: number
  readonly idle: number
  readonly retries: number
  readonly onTimeout: NonNullable<O1PolicySettings["onTimeout"]>
}

const counted = (sketch: Histogram.Histogram): number => sketch.observed + sketch.censored

const percentile = (quantile: number): string => `p${Number((quantile * 100).toFixed(2))}`

const tooFew = <A>(value: A, what: string, samples: number, { minSamples }: LimitRules): Advice<A> => ({
  value,
  because: `${samples} ${what} are fewer than ${minSamples}, so it stays as it is`,
  samples,
  confidence: "too few"
})

const bounded = ({ basis, millis, value }: Limit, { ceiling, factor, floor }: LimitRules): string => {
  const raw = value * factor
  if (raw < floor && millis === floor) return `, raised to the floor of ${showMillis(floor)}`
  if (raw > ceiling) return `, lowered to the ceiling of ${showMillis(ceiling)}`
  return basis === "CutOff" ? ", to be looked at again when there is more data" : ""
}

const basisOf = ({ basis, value }: Limit, sketch: Histogram.Histogram, rules: LimitRules): string => {
  const p = percentile(rules.quantile)
  const cut = `${sketch.censored} of ${counted(sketch)} attempts were cut off, so that ${p} is not known`
  switch (basis) {
    case "Known":
      return `${p} of ${sketch.observed} answers is ${showMillis(value)}`
    case "Hanging":
      return `${cut}; but of the ${sketch.observed} answers ${p} is ${
        showMillis(value)
      }, so they hang rather than think`
    case "CutOff":
      return `${cut}; answers come up to the longest wait of ${showMillis(value)}`
  }
}

/** A limit of one phase. */
export const limitAdvice = (
  sketch: Histogram.Histogram,
  current: number,
  what: string,
  rules: LimitRules
): Advice<Duration.Duration> => {
  const limit = limitFrom(sketch, rules)
  if (limit === undefined) return tooFew(Duration.millis(current), what, sketch.observed, rules)
  return {
    value: Duration.millis(limit.millis),
    because: `${basisOf(limit, sketch, rules)}; x ${rules.factor}${bounded(limit, rules)}`,
    samples: sketch.observed,
    confidence: limit.basis === "Known" && sketch.observed * (1 - rules.quantile) >= 1 ? "good" : "fair"
  }
}

/** From this ratio of the high quantile to the median on, some prompts are simply harder than others. */
const longTail = 3

export const onTimeoutAdvice = (
  sketch: Histogram.Histogram,
  current: Current,
  rules: LimitRules
): Advice<Current["onTimeout"]> => {
  const limit = limitFrom(sketch, rules)
  const median = sketch.observedQuantile(0.5)
  if (limit === undefined || median === undefined) return tooFew(current.onTimeout, "answers", sketch.observed, rules)
  const ratio = limit.value / median
  const p = percentile(rules.quantile)
  const times = `${p} is ${ratio.toFixed(1)} times the median of ${showMillis(median)}`
  const advice = (value: Current["onTimeout"], because: string): Advice<Current["onTimeout"]> => ({
    value,
    because,
    samples: sketch.observed,
    confidence: limit.basis === "CutOff" ? "fair" : "good"
  })
  if (limit.basis === "CutOff") {
    return advice("escalate", "answers come right up to the limit, so the next attempt needs more time")
  }
  return ratio >= longTail
    ? advice("escalate", `${times}: a long tail, so what was cut off may be a hard prompt that needs more time`)
    : advice("same", `${times}: a short tail, so what takes longer hangs, and the same limit will do`)
}

/** A call should fail for want of another attempt less often than this. */
const acceptable = 0.001

/** More retries per attempt than this make trouble worse. */
const budget = 0.2

const maxRetries = 5

interface Failures {
  readonly failed: number
  readonly decided: number
  /** as if one more had failed and one more not, for nothing is certain not to happen */
  readonly rate: number
}

const failuresOf = ({ attempts }: SeriesSnapshot): Failures => {
  const decided = countOf(attempts.outcomes, (outcome) => !isUndecided(outcome))
  const failed = countOf(attempts.outcomes, isPassing)
  return { failed, decided, rate: (failed + 1) / (decided + 2) }
}

export const retriesAdvice = (series: SeriesSnapshot, current: Current, rules: LimitRules): Advice<number> => {
  const { decided, failed, rate } = failuresOf(series)
  if (decided < rules.minSamples) return tooFew(current.retries, "attempts", decided, rules)
  const seen = `${failed} of ${decided} attempts failed in a way that may pass`
  if (rate > budget) {
    return {
      value: current.retries,
      because: `${seen}: more than ${
        showShare(budget)
      }, so more retries would add load and not help; it stays as it is`,
      samples: decided,
      confidence: "fair"
    }
  }
  const needed = Math.min(Math.max(Math.ceil(Math.log(acceptable) / Math.log(rate)) - 1, 1), maxRetries)
  const left = rate ** (needed + 1)
  return {
    value: needed,
    because: `${seen}; if failures are independent, ${needed === 1 ? "1 retry leaves" : `${needed} retries leave`} ` +
      `about one call in ${Math.round(1 / left).toLocaleString("en-US")} without an answer`,
    samples: decided,
    confidence: "good"
  }
}

/** What the service may ask a call to wait. */
const waiting = 120_000

export const totalAdvice = (
  { calls }: SeriesSnapshot,
  timeout: Advice<Duration.Duration>,
  onTimeout: Current["onTimeout"],
  current: Current,
  rules: LimitRules
): Advice<Duration.Duration> => {
  const sketch = Histogram.fromData(calls.total)
  if (timeout.confidence === "too few") {
    return tooFew(Duration.millis(current.total), "answers", timeout.samples, rules)
  }
  const first = Duration.toMillis(timeout.value)
  const second = onTimeout === "never" ? 0 : onTimeout === "same" ? first : first * 2
  const estimate = sketch.quantile(rules.quantile)
  const seen = estimate?._tag === "Known" ? estimate.value * rules.factor : 0
  const attempts = first + second + waiting
  const millis = Math.ceil(Math.max(attempts, seen) / 60_000) * 60_000
  return {
    value: Duration.millis(millis),
    because: seen > attempts
      ? `${percentile(rules.quantile)} of ${sketch.observed} calls with their retries, x ${rules.factor}, is ${
        showMillis(seen)
      }`
      : `an attempt of ${showMillis(first)}${second === 0 ? "" : `, one more of ${showMillis(second)}`} and ` +
        `${showMillis(waiting)} of waiting are ${showMillis(attempts)}`,
    samples: timeout.samples,
    confidence: timeout.confidence
  }
}

/** Under this Microsoft wants clients for reasoning models to warn. */
const short = 120_000

const highShare = 0.9

/** What OpenAI advises to leave for reasoning and answer at first. */
const minBudget = 25_000

export const warningsOf = (
  series: SeriesSnapshot,
  timeout: Advice<Duration.Duration>,
  current: Current,
  cutOff: number,
  rules: LimitRules
): ReadonlyArray<AdviceWarning> => {
  const warnings: Array<AdviceWarning> = []
  const sketch = Histogram.fromData(series.attempts.total)
  const beyond = sketch.exceeding(current.timeout)
  const limit = limitFrom(sketch, rules)
  const hangs = limit?.basis === "Hanging"
  if (beyond !== undefined && beyond > cutOff) {
    const share = `the limit of ${showMillis(current.timeout)} cuts off about ${showShare(beyond)} of the attempts`
    warnings.push(
      hangs
        ? { id: "hanging", message: `${share}, but answers come much sooner: what does not answer by then hangs` }
        : sketch.observed === 0
        ? { id: "cut-off", message: `${share}: none of ${sketch.censored} has answered by then` }
        : { id: "cut-off", message: `${share}, and answers come right up to it and beyond` }
    )
  }
  const enough = timeout.confidence === "good" && Duration.toMillis(timeout.value) <= current.timeout
  if (current.timeout < short && !enough && !hangs) {
    warnings.push({
      id: "short-timeout",
      message: `a limit of ${showMillis(current.timeout)} is under the ${
        showMillis(short)
      } below which Microsoft wants clients to warn, and ${
        timeout.confidence === "good"
          ? "it is shorter than what was seen asks for"
          : "too little was seen to show that it is enough"
      }`
    })
  }
  const { decided, failed, rate } = failuresOf(series)
  if (decided >= rules.minSamples && rate > budget) {
    warnings.push({
      id: "failure-rate",
      message:
        `${failed} of ${decided} attempts failed in a way that may pass: look for the cause, retries will not cure it`
    })
  }
  const share = Histogram.fromData(series.calls.reasoningShare)
  const output = Histogram.fromData(series.calls.outputTokens).quantile(rules.quantile)
  const exhausted = countOf(series.calls.outcomes, isReasoningExhausted)
  const high = share.quantile(0.95)?.value ?? 0
  if (exhausted > 0 || (share.observed >= rules.minSamples && high >= highShare)) {
    const tokens = Math.max(minBudget, Math.ceil((output?.value ?? 0) * rules.factor / 1000) * 1000)
    warnings.push({
      id: "reasoning-share",
      message: (exhausted > 0
        ? `${
          exhausted === 1 ? "1 call" : `${exhausted} calls`
        } had no answer because reasoning took all of maxCompletionTokens`
        : `reasoning takes ${showShare(high)} of the output tokens in one call of twenty`) +
        `: leave maxCompletionTokens unset, or at ${tokens} or more`
    })
  }
  return warnings
}
