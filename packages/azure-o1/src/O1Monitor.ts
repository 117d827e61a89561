/**
 * Watches the calls of a program and remembers how long they take: quantiles of every phase by deployment, model and
 * reasoning effort, and how attempts and calls end. In bounded memory, and old data fades.
 *
 * Provide `O1Monitor.layer()` around a program. `recommend` derives settings from what was seen, `O1Policy.layerAdaptive`
 * uses them live, `latencySvg` of `azure-o1/plot` draws it.
 *
 * **Example** (What was seen of an answer and of an attempt that was cut off)
 *
 * ```ts import.meta.vitest
 * import { O1Monitor, O1Observer } from "@effect-resilience/azure-o1"
 * import { Duration, Effect } from "effect"
 *
 * const subject = { deployment: "o1", model: "o1-2024-12-17", effort: "low" } as const
 *
 * const program = Effect.gen(function*() {
 *   const monitor = yield* O1Monitor
 *   const attempt = (outcome: string, seconds: number) =>
 *     monitor.observe({
 *       ...subject,
 *       _tag: "Attempt",
 *       attempt: 1,
 *       transport: "plain",
 *       outcome,
 *       headers: undefined,
 *       firstOutput: undefined,
 *       total: Duration.seconds(seconds)
 *     })
 *   attempt("success", 20)
 *   attempt("success", 30)
 *   attempt("O1TimeoutError/attempt", 60)
 *   const { series: [series] } = yield* monitor.snapshot
 *   return series!.attempts.total
 * })
 *
 * const total = await Effect.runPromise(Effect.provide(program, O1Monitor.layer()))
 * Math.round(O1Monitor.quantile(total, 0.5)!.value / 1000) // => 30
 * O1Monitor.quantile(total, 0.95) // => { _tag: "Above", value: 60_000 }
 * ```
 *
 * **Details**
 *
 * - A quantile is wrong by at most 2 % of its value.
 * - An attempt that was cut off, by a limit or by its caller, says only that it takes longer, and the monitor counts it so.
 *   A second attempt after a timeout belongs to a call that takes long, and counts only beyond the limit of the first. If all
 *   that is known of a quantile is that it is above a value, the monitor says that. Failures say nothing of how long an
 *   answer takes; the monitor counts them by outcome.
 * - Observations older than twice the `window` are forgotten.
 * - The number of series is bounded: the one that was not used for longest makes room.
 * - Watching cannot change a call: the client catches what an observer throws.
 *
 * @since 0.1.0
 */
import * as Histogram from "@effect-resilience/core/Histogram"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { limitFrom, type LimitOptions, limitRules, millisOf } from "./monitor/limit.ts"
import { both } from "./monitor/observers.ts"
import { Registry } from "./monitor/registry.ts"
import { type Distribution, MonitorSnapshot } from "./monitor/snapshot.ts"
import { format } from "./monitor/table.ts"
import { type O1Observation, O1Observer } from "./O1Observation.ts"
import type { ReasoningEffort } from "./O1Request.ts"

/**
 * A quantile: known, or above the value, because too many attempts were cut off before it.
 *
 * @category models
 * @since 0.1.0
 */
export type QuantileEstimate = Histogram.Estimate

/**
 * @category models
 * @since 0.1.0
 */
export interface O1MonitorOptions {
  /**
   * An observation is remembered for this long at least, and at most for twice as long.
   *
   * @default "1 hour"
   */
  readonly window?: Duration.Input | undefined
  /**
   * The most combinations of deployment, model and effort, and the most origins, that are told apart. One that is busy
   * takes about 40 kB.
   *
   * @default 100
   */
  readonly maxSeries?: number | undefined
}

const registryOf = (options: O1MonitorOptions): Registry => {
  const window = millisOf("O1Monitor", "window", options.window ?? "1 hour")
  const maxSeries = options.maxSeries ?? 100
  if (!Number.isSafeInteger(maxSeries) || maxSeries < 1) {
    throw new RangeError(`O1Monitor: maxSeries must be an integer >= 1, got ${maxSeries}`)
  }
  return new Registry(window, maxSeries)
}

const make = (registry: Registry, clock: Clock.Clock): O1Monitor["Service"] => {
  const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  return {
    observe: (observation) => {
      switch (observation._tag) {
        case "Attempt":
          return registry.attempt(observation, now())
        case "Call":
          return registry.call(observation, now())
        case "Connection":
          return registry.connection(observation, now())
      }
    },
    snapshot: Effect.sync(() => ({ version: 1, at: clock.currentTimeMillisUnsafe(), ...registry.snapshot(now()) })),
    merge: (snapshot) => Effect.sync(() => registry.merge(snapshot, now())),
    reset: Effect.sync(() => registry.clear()),
    limitsUnsafe: (where, options) => {
      const rules = limitRules(where, options)
      return (deployment, effort) => {
        const waits = registry.waitOf({ deployment, effort }, now())
        return waits === undefined ? undefined : limitFrom(waits, rules)?.millis
      }
    }
  }
}

const Json = Schema.fromJsonString(MonitorSnapshot)

/**
 * @category services
 * @since 0.1.0
 */
export class O1Monitor extends Context.Service<O1Monitor, {
  /** Takes in an observation. The layer calls it for every call; your program can call it too. */
  readonly observe: (observation: O1Observation) => void
  readonly snapshot: Effect.Effect<MonitorSnapshot>
  /** Adds what another monitor has learned, or this one before a restart, as if it had just been seen. */
  readonly merge: (snapshot: MonitorSnapshot) => Effect.Effect<void>
  /** Forgets everything. */
  readonly reset: Effect.Effect<void>
  /**
   * The limits of attempts, in milliseconds, that follow what was seen of the model that answered last: of the time to the first
   * output where most of its answers stream, otherwise to the end. `undefined` until enough was seen. A bad option throws a
   * `RangeError` that begins with `where`.
   */
  readonly limitsUnsafe: (
    where: string,
    options: LimitOptions
  ) => (deployment: string, effort: ReasoningEffort | undefined) => number | undefined
}>()("@effect-resilience/azure-o1/O1Monitor") {
  /**
   * The monitor, and the observer that feeds it. An observer that is there already gets every observation as well. A bad
   * option is a defect that names it.
   */
  static readonly layer = (options: O1MonitorOptions = {}): Layer.Layer<O1Monitor> =>
    Layer.effectContext(Effect.gen(function*() {
      const monitor = make(registryOf(options), yield* Clock.Clock)
      const other = yield* O1Observer
      const observers = other === undefined ? [monitor.observe] : [monitor.observe, other]
      return Context.make(O1Monitor, monitor).pipe(Context.add(O1Observer, both(observers)))
    }))

  /**
   * The smallest value that a share of at least `q` does not exceed, within 2 %; `undefined` without data.
   */
  static readonly quantile = (distribution: Distribution, q: number): QuantileEstimate | undefined =>
    Histogram.fromData(distribution).quantile(q)

  /**
   * The share that exceeds a value, for example of the answers that would take longer than a limit. `undefined` without data,
   * or if everything was cut off before.
   */
  static readonly exceeding = (distribution: Distribution, value: number): number | undefined =>
    Histogram.fromData(distribution).exceeding(value)

  /** How many values a distribution has: those that were seen, and those that were cut off. */
  static readonly count = (distribution: Distribution): { readonly seen: number; readonly cutOff: number } => {
    const { censored, observed } = Histogram.fromData(distribution)
    return { seen: observed, cutOff: censored }
  }

  /** A snapshot as a string, to be kept. */
  static readonly toJson: (snapshot: MonitorSnapshot) => string = Schema.encodeSync(Json)

  /** A snapshot from a string. The error tells what is wrong with it. */
  static readonly fromJson: (json: string) => Effect.Effect<MonitorSnapshot, Schema.SchemaError> = Schema
    .decodeUnknownEffect(Json)

  /**
   * Tables of times, outcomes and connections for a terminal. A table that is wider than `columns` [80] is turned: its columns become
   * rows.
   */
  static readonly format: (
    snapshot: MonitorSnapshot,
    options?: { readonly columns?: number | undefined }
  ) => string = format
}
