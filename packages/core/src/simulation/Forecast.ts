/**
 * What some stacks would do with a load, side by side, and which settings follow.
 *
 * Give the load (a rate or the times of a log), how long a request takes, and what the service has: deployments, capacity, quota, errors, an
 * outage. {@link run} runs the load through no policy, retries alone, `Pipelines.makeStandard`, the same with a limit of an attempt that fits
 * the times, and what else makes a difference to such a load, over several seeds. {@link advice} says in sentences what follows.
 *
 * **Example** (An API that is down for half a minute)
 *
 * ```ts import.meta.vitest
 * import { Forecast, Times } from "@effect-resilience/core/simulation"
 *
 * const forecast = Forecast.run({
 *   perSecond: 20,
 *   times: Times.fromPercentiles([[50, "80 millis"], [99, "400 millis"]]),
 *   errors: 0.02,
 *   outage: { lasts: "30 seconds" },
 *   seeds: 3
 * })
 *
 * forecast.rows.map(({ name }) => name) // => ["no policy", "retry, timeout", "standard", "fitted", "+ probing", "+ hedging"]
 * forecast.rows.map(({ sent }) => sent > 1.2) // => [false, true, false, false, false, false]
 * ```
 *
 * **Details**
 *
 * A call succeeds if it is answered well while its caller waits (`patience`). The same seed gives every stack the same load.
 *
 * A run is as long as the outage and the times of the calls ask for. A quiet load has more runs instead of longer ones. A load of too many calls
 * is simulated in part, with as much less of the capacity and the quota; `setting.share` tells. If no part would be like the whole, a
 * `RangeError` says so.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import {
  callable,
  checkedOptions,
  finite,
  integer,
  invalid,
  oneOf,
  positiveMillis,
  ratio
} from "../internal/options.ts"
import { baseOf, helpfulParts } from "./forecast/compare.ts"
import { Measurement } from "./forecast/measure.ts"
import type { Forecast, Row, Setting } from "./forecast/model.ts"
import { percentilesOf, planOf } from "./forecast/plan.ts"
import { type Candidate, candidates, names, partsFor, pipelineWith } from "./forecast/stacks.ts"
import type { Through } from "./internal/stack.ts"
import type { Quota, Tokens } from "./Server.ts"
import type { Times } from "./Times.ts"

export { advice, best } from "./forecast/advice.ts"
export type { Forecast, Row, Seen, Setting } from "./forecast/model.ts"
export { picture, table } from "./forecast/show.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many calls come in a second, independent of each other. Either this or `trace`. */
  readonly perSecond?: number | undefined
  /** The times at which calls came once, in milliseconds since the first. */
  readonly trace?: ReadonlyArray<number> | undefined
  /** How long a request takes. */
  readonly times: Times
  /**
   * How many deployments share the calls, each behind a stack of its own.
   *
   * @default 1
   */
  readonly deployments?: number | undefined
  /**
   * How many requests a deployment serves at once; others wait there.
   *
   * @default as many as come
   */
  readonly capacity?: number | undefined
  /**
   * The share of the answers that are failures.
   *
   * @default 0
   */
  readonly errors?: number | undefined
  /**
   * What a minute of a deployment has room for.
   *
   * @default no end
   */
  readonly quota?: Quota | undefined
  /**
   * The tokens of a request.
   *
   * @default none
   */
  readonly tokens?: Tokens | undefined
  /** @default none */
  readonly outage?: {
    readonly lasts: Duration.Input
    /**
     * Requests fail, get no answer, or take ten times as long.
     *
     * @default "down"
     */
    readonly kind?: "down" | "silent" | "slow" | undefined
    /**
     * How many deployments have it.
     *
     * @default 1
     */
    readonly deployments?: number | undefined
  } | undefined
  /**
   * How many processes call; each has breakers, budgets and limits of its own.
   *
   * @default 1
   */
  readonly processes?: number | undefined
  /**
   * How long a caller waits for an answer.
   *
   * @default 30 seconds, or three attempts if that is longer
   */
  readonly patience?: Duration.Input | undefined
  /**
   * Stacks of your own, which are compared as well.
   *
   * @default none
   */
  readonly stacks?: Readonly<Record<string, Through>> | undefined
  /**
   * How many runs each stack has.
   *
   * @default 5, or more where that costs little; 3 or 4 where it would cost too much
   */
  readonly seeds?: number | undefined
  /**
   * The calls of all runs of all stacks together: what the forecast may cost. A million take some ten seconds.
   *
   * @default 2_000_000
   */
  readonly maxCalls?: number | undefined
  /**
   * Is told after each run how many of them have been made.
   *
   * @default nobody
   */
  readonly onRun?: ((made: number, all: number) => void) | undefined
}

const where = "Forecast.run"

const rateOf = ({ perSecond, trace }: Options): { readonly perSecond: number; readonly length: number | undefined } => {
  if ((perSecond === undefined) === (trace === undefined)) {
    throw invalid(where, "perSecond", perSecond, "given where trace is not, and not beside it")
  }
  if (trace === undefined) return { perSecond: finite(where, "perSecond", perSecond!, 0), length: undefined }
  const length = trace.at(-1) ?? 0
  if (trace.length < 2 || !(length > 0)) throw invalid(where, "trace", trace.length, "the times of two calls or more")
  return { perSecond: trace.length * 1000 / length, length }
}

const outageOf = ({ deployments = 1, outage }: Options) => {
  if (outage === undefined) return undefined
  checkedOptions(where, outage, "outage")
  const hit = integer(where, "outage.deployments", outage.deployments ?? 1, 1)
  if (hit > deployments) throw invalid(where, "outage.deployments", hit, `at most deployments (${deployments})`)
  return {
    kind: oneOf(where, "outage.kind", outage.kind ?? "down", ["down", "silent", "slow"]),
    lasts: positiveMillis(where, "outage.lasts", outage.lasts),
    deployments: hit
  }
}

const settingOf = (options: Options): Setting => {
  const { capacity, errors = 0, patience, quota = {}, tokens } = options
  return planOf(where, {
    ...rateOf(options),
    times: percentilesOf(where, options.times),
    deployments: integer(where, "deployments", options.deployments ?? 1, 1, 100),
    processes: integer(where, "processes", options.processes ?? 1, 1, 1000),
    capacity: capacity === undefined ? null : integer(where, "capacity", capacity, 1),
    errors: errors === 0 ? 0 : ratio(where, "errors", errors),
    requestsPerMinute: quota.requestsPerMinute === undefined
      ? null
      : integer(where, "quota.requestsPerMinute", quota.requestsPerMinute, 1),
    tokensPerMinute: quota.tokensPerMinute === undefined
      ? null
      : integer(where, "quota.tokensPerMinute", quota.tokensPerMinute, 1),
    charge: tokens === undefined ? 0 : tokens.prompt.mean + tokens.maxCompletion,
    priced: tokens?.price !== undefined,
    outage: outageOf(options),
    patience: patience === undefined ? undefined : positiveMillis(where, "patience", patience),
    seeds: options.seeds === undefined ? undefined : integer(where, "seeds", options.seeds, 2, 1000),
    maxCalls: integer(where, "maxCalls", options.maxCalls ?? 2_000_000, 1000),
    stacks: 10 + Object.keys(options.stacks ?? {}).length
  })
}

/**
 * Runs the load through each stack, and gives what was seen. It is pure: the same options give the same forecast. A bad option throws
 * a `RangeError`.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (options: Options): Forecast => {
  const { onRun, stacks = {}, times, tokens, trace } = checkedOptions(where, options)
  callable(where, "onRun", onRun)
  const setting = settingOf(options)
  const every = Math.round(1 / setting.share)
  const world = { times, tokens, trace: trace?.filter((_, i) => i % every === 0) }
  const first = candidates(setting)
  const own = Object.entries(stacks).map(([name, through]) => ({ name, through, perServer: undefined, code: name }))
  const parts = partsFor(setting)
  const runs = (first.length + parts.length + 1 + own.length) * setting.seeds
  let made = 0
  const rowOf = (candidate: Candidate): Row => {
    const measurement = new Measurement(candidate, setting, world)
    for (let seed = 1; seed <= setting.seeds; seed++) {
      measurement.run(seed)
      onRun?.(++made, runs)
    }
    return measurement.row()
  }
  const rows = first.map(rowOf)
  // the parts are put to the pipeline that does better
  const base = baseOf(rows)
  const attempt = base === names.fitted ? setting.attempt : undefined
  rows.push(...parts.map((part) => rowOf(pipelineWith(names[part], setting, attempt, [part]))))
  const helpful = helpfulParts(rows, parts)
  if (helpful.length > 1) rows.push(rowOf(pipelineWith(names.together, setting, attempt, helpful)))
  rows.push(...own.map(rowOf))
  onRun?.(runs, runs)
  return { setting, base, rows }
}
