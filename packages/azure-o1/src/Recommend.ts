/**
 * Derives settings from what the monitor saw, and says why: every value comes with the figures it is made of.
 *
 * **Example** (A deployment that answers within 30 seconds)
 *
 * ```ts import.meta.vitest
 * import { O1Monitor, recommend } from "@effect-resilience/azure-o1"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const monitor = yield* O1Monitor
 *   for (let call = 1; call <= 200; call++) {
 *     monitor.observe({
 *       _tag: "Attempt",
 *       deployment: "o1",
 *       model: "o1-2024-12-17",
 *       effort: "high",
 *       attempt: 1,
 *       transport: "plain",
 *       outcome: "success",
 *       headers: undefined,
 *       firstOutput: undefined,
 *       total: Duration.seconds(30)
 *     })
 *   }
 *   return recommend(yield* monitor.snapshot)
 * })
 *
 * const [advice] = await Effect.runPromise(Effect.provide(program, O1Monitor.layer()))
 * Duration.toSeconds(advice!.timeout.value) // => 45
 * advice!.timeout.because // => "p99 of 200 answers is 30s; x 1.5"
 * advice!.timeout.confidence // => "good"
 * ```
 *
 * @since 0.1.0
 */
import * as Histogram from "@effect-resilience/core/Histogram"
import * as Duration from "effect/Duration"
import {
  type Advice,
  type AdviceWarning,
  type Current,
  limitAdvice,
  onTimeoutAdvice,
  retriesAdvice,
  totalAdvice,
  warningsOf
} from "./monitor/advice.ts"
import { showMillis, wrap } from "./monitor/format.ts"
import { type LimitOptions, limitRules } from "./monitor/limit.ts"
import { concurrencyAdvice, hedgeAdvice } from "./monitor/load.ts"
import type { MonitorSnapshot, SeriesSnapshot } from "./monitor/snapshot.ts"
import { O1Policy, type O1PolicySettings } from "./O1Policy.ts"
import type { ReasoningEffort } from "./O1Request.ts"

export type { Advice, AdviceWarning } from "./monitor/advice.ts"
export type { LimitOptions } from "./monitor/limit.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface RecommendOptions extends LimitOptions {
  /**
   * The limits that are configured now.
   *
   * @default O1Policy.defaults
   */
  readonly settings?: O1PolicySettings | undefined
  /**
   * A warning tells of a limit that cuts off a larger share of the attempts than this.
   *
   * @default 0.05
   */
  readonly cutOff?: number | undefined
  /**
   * How many calls of each deployment, model and effort come in a second: what the concurrency is for.
   *
   * @default as many as were seen
   */
  readonly callsPerSecond?: number | undefined
}

/**
 * What the settings should be for one deployment, model and effort.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recommendation {
  readonly deployment: string
  readonly model: string | undefined
  readonly effort: ReasoningEffort | undefined
  /** The limit of the first attempt. */
  readonly timeout: Advice<Duration.Duration>
  /** If content streams: how long to wait for the first of it. */
  readonly firstOutput: Advice<Duration.Duration>
  readonly idle: Advice<Duration.Duration>
  readonly onTimeout: Advice<"escalate" | "same" | "never">
  readonly retries: Advice<number>
  readonly total: Advice<Duration.Duration>
  /** When a second request beside the first would pay, and what it costs. For the `hedge` of a pool; no setting uses it. */
  readonly hedgeDelay: Advice<Duration.Duration | undefined>
  /**
   * How many calls should be able to run at once, by Little's law: the rate times the mean time of a call. For a `Bulkhead`, or the number of
   * workers of a batch. No setting uses it. Of a deployment with several models or efforts it is at most their sum.
   */
  readonly concurrency: Advice<number | undefined>
  readonly warnings: ReadonlyArray<AdviceWarning>
}

const currentOf = (settings: O1PolicySettings, effort: ReasoningEffort | undefined): Current => {
  const { defaults } = O1Policy
  const asked = effort ?? "medium"
  return {
    timeout: Duration.toMillis(settings.timeout?.[asked] ?? defaults.timeout[asked]),
    total: Duration.toMillis(settings.total ?? defaults.total),
    idle: Duration.toMillis(settings.idle ?? defaults.idle),
    retries: settings.retries ?? defaults.retries,
    onTimeout: settings.onTimeout ?? defaults.onTimeout
  }
}

/**
 * The recommended settings, for every deployment, model and effort that was seen. With too few samples they stay as they are.
 * Bad options throw and name the option.
 *
 * @category recommendations
 * @since 0.1.0
 */
export const recommend = (
  snapshot: MonitorSnapshot,
  options: RecommendOptions = {}
): ReadonlyArray<Recommendation> => {
  const rules = limitRules("recommend", options)
  const cutOff = options.cutOff ?? 0.05
  if (!(cutOff >= 0 && cutOff <= 1)) throw new RangeError(`recommend: cutOff must be from 0 to 1, got ${cutOff}`)
  const { callsPerSecond } = options
  if (callsPerSecond !== undefined && !(callsPerSecond > 0 && callsPerSecond < Infinity)) {
    throw new RangeError(`recommend: callsPerSecond must be a finite number > 0, got ${String(callsPerSecond)}`)
  }

  const forSeries = (series: SeriesSnapshot): Recommendation => {
    const { attempts, deployment, effort, model } = series
    const current = currentOf(options.settings ?? {}, effort)
    const sketch = Histogram.fromData(attempts.total)
    const timeout = limitAdvice(sketch, current.timeout, "answers", rules)
    const onTimeout = onTimeoutAdvice(sketch, current, rules)
    return {
      deployment,
      model,
      effort,
      timeout,
      firstOutput: limitAdvice(Histogram.fromData(attempts.firstOutput), current.timeout, "first outputs", rules),
      idle: {
        value: Duration.millis(current.idle),
        because: "the pauses within answers are not observed, so it stays as it is",
        samples: 0,
        confidence: "too few"
      },
      onTimeout,
      retries: retriesAdvice(series, current, rules),
      total: totalAdvice(series, timeout, onTimeout.value, current, rules),
      hedgeDelay: hedgeAdvice(sketch, rules.minSamples),
      concurrency: concurrencyAdvice(series, rules.minSamples, callsPerSecond),
      warnings: warningsOf(series, timeout, current, cutOff, rules)
    }
  }

  return snapshot.series.map(forSeries)
}

const largest = (values: ReadonlyArray<Duration.Duration>): Duration.Duration =>
  values.reduce((a, b) => Duration.max(a, b))

/**
 * The settings of a policy as recommended for one deployment. A setting that has to hold for several efforts is the largest.
 * Without a recommendation for the deployment there is nothing to set.
 *
 * @category recommendations
 * @since 0.1.0
 */
export const recommendedSettings = (
  recommendations: ReadonlyArray<Recommendation>,
  deployment: string
): O1PolicySettings => {
  const own = recommendations.filter((recommendation) => recommendation.deployment === deployment)
  if (own.length === 0) return {}
  const timeouts = new Map<ReasoningEffort, Duration.Duration>()
  for (const { effort = "medium", timeout } of own) {
    timeouts.set(effort, Duration.max(timeouts.get(effort) ?? Duration.zero, timeout.value))
  }
  return {
    timeout: Object.fromEntries(timeouts),
    onTimeout: own.some(({ onTimeout }) => onTimeout.value === "escalate") ? "escalate" : own[0]!.onTimeout.value,
    retries: Math.max(...own.map(({ retries }) => retries.value)),
    total: largest(own.map(({ total }) => total.value))
  }
}

const settingRows = (recommendation: Recommendation): ReadonlyArray<readonly [string, string, Advice<unknown>]> => {
  const { concurrency, firstOutput, hedgeDelay, idle, onTimeout, retries, timeout, total } = recommendation
  const time = (duration: Duration.Duration): string => showMillis(Duration.toMillis(duration))
  return [
    ["timeout", time(timeout.value), timeout],
    ["first output", time(firstOutput.value), firstOutput],
    ["idle", time(idle.value), idle],
    ["onTimeout", onTimeout.value, onTimeout],
    ["retries", String(retries.value), retries],
    ["total", time(total.value), total],
    ["hedge after", hedgeDelay.value === undefined ? "-" : time(hedgeDelay.value), hedgeDelay],
    ["concurrency", concurrency.value === undefined ? "-" : String(concurrency.value), concurrency]
  ]
}

/**
 * Recommendations as text for a terminal of 80 columns, each with its reason.
 *
 * @category recommendations
 * @since 0.1.0
 */
export const formatRecommendations = (recommendations: ReadonlyArray<Recommendation>): string =>
  recommendations.map((recommendation) => {
    const { deployment, effort, model, warnings } = recommendation
    const title = [deployment, model ?? "model unknown", effort ?? "effort unset"].join(", ")
    const rows = settingRows(recommendation).flatMap(([name, value, { because, confidence }]) =>
      wrap(`  ${name.padEnd(12)}  ${value.padEnd(8)}  ${confidence.padEnd(7)}  `, because)
    )
    return [title, ...rows, ...warnings.flatMap(({ message }) => wrap("  ! ", message))].join("\n")
  }).join("\n\n")
