/**
 * Limits how many calls run at once, and finds out by itself how many that should be. The limit follows what calls show: it
 * grows while they go well and it is used, and shrinks when the callee is overloaded.
 *
 * A call that finds a permit runs. A call that finds none waits if there is room in the queue. Otherwise it is not made, and
 * fails with {@link BulkheadRejected} at once: all that a {@link Bulkhead} does with its permits, this does too.
 *
 * **Details**
 *
 * Calls are judged in windows: at least `minCalls` of them and `within`, and twice as long as calls take. A window gives one
 * sample: how long answers took on average, how many calls ran at once, and whether the callee dropped calls. An algorithm
 * makes a limit of it:
 *
 * - {@link aimd}, the default, goes by drops: one more after a good window, a tenth less after one with drops.
 * - {@link vegas} goes by how much longer calls take than when the callee was idle.
 * - {@link gradient2} goes by how much longer calls take than they did in the last minutes.
 *
 * All of them are those of Netflix's concurrency-limits. None grows a limit of which less than half is used, so that a limit is
 * never far above what was used, and none leaves `minConcurrency` and `maxConcurrency`.
 *
 * A failure that is `Transient` or `Throttled` is a drop: a timeout, a refused connection, 429, 503. `Permanent` failures,
 * rejections of other policies, defects and calls whose caller went away show nothing. A call that a deadline has cut off counts as
 * a drop if it has had the time that calls take.
 *
 * The time in a queue of this process is not part of what a call took. For a stream, its first element is its answer, and the permit is
 * held to the end.
 *
 * `partitions` guarantee shares of the limit: {@link AdaptiveLimit.partition}. What a partition does not use is lent to the others.
 *
 * **Gotchas**
 *
 * {@link aimd} needs a callee that says when it has enough, or an attempt timeout inside. {@link vegas} and {@link gradient2} need
 * times that are alike: many calls in a window, and of one kind.
 *
 * **Example** (A callee that has room for two)
 *
 * ```ts import.meta.vitest
 * import { AdaptiveLimit } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const limit = AdaptiveLimit.makeUnsafe({ name: "search", initialConcurrency: 2, maxQueue: 1 })
 * const search = (n: number) => Effect.as(Effect.sleep("1 millis"), `result ${n}`)
 * const ask = (n: number) => search(n).pipe(limit, Effect.catchTag("BulkheadRejected", (error) => Effect.succeed(error.reason)))
 *
 * const program = Effect.forEach([1, 2, 3, 4], ask, { concurrency: "unbounded" })
 * await Effect.runPromise(program) // => ["result 1", "result 2", "result 3", "full"]
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Overload } from "./Bulkhead.ts"
import * as Fault from "./Fault.ts"
import { Part } from "./internal/adaptiveLimit.ts"
import { Learner } from "./internal/adaptiveLimitLearner.ts"
import type { BulkheadRejected } from "./internal/errors.ts"
import {
  checkedOptions,
  finite,
  integer,
  invalid,
  oneOf,
  positiveMillis,
  ratio as ratioOption,
  showMillis
} from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { queueOptions } from "./internal/queueOptions.ts"
import { register } from "./internal/registry.ts"
import { withResult } from "./internal/result.ts"
import * as kernel from "./kernel/adaptiveLimit.ts"
import type * as Policy from "./Policy.ts"
import type * as PolicyRegistry from "./PolicyRegistry.ts"

export { BulkheadRejected, isBulkheadRejected } from "./internal/errors.ts"

/**
 * How a limit follows what calls show: {@link aimd}, {@link vegas}, {@link gradient2}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Algorithm {
  /** As {@link Policy.explain} shows it. */
  readonly description: string
  /** @internal */
  readonly make: kernel.Make
}

/**
 * What {@link aimd} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface AimdOptions {
  /**
   * What a window with drops leaves of the limit; at least 0.5, less than 1.
   *
   * @default 0.9
   */
  readonly ratio?: number | undefined
  /**
   * A window whose calls take longer than this on average counts as one with drops.
   *
   * @default never
   */
  readonly after?: Duration.Input | undefined
}

/**
 * Additive increase, multiplicative decrease: one more after a window that went well, a share less after one with drops. It does
 * what TCP Reno does, as Netflix's `AIMDLimit`. It needs a callee that says when it has enough, or an attempt timeout inside.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const aimd = (options: AimdOptions = {}): Algorithm => {
  const where = "AdaptiveLimit.aimd"
  const { after, ratio = 0.9 } = checkedOptions(where, options)
  if (!(ratio >= 0.5 && ratio < 1)) throw invalid(where, "ratio", ratio, "a number >= 0.5 and < 1")
  const settings = { ratio, after: after === undefined ? Infinity : positiveMillis(where, "after", after) }
  return {
    description: after === undefined ? `aimd of ${ratio}` : `aimd of ${ratio}, after ${showMillis(settings.after)}`,
    make: (bounds) => new kernel.Aimd(bounds, settings)
  }
}

/**
 * What {@link vegas} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface VegasOptions {
  /**
   * The limit grows while fewer calls than this wait at the callee.
   *
   * @default 3, for limits of 100 and more 6, from 1000 on 9, and so on
   */
  readonly alpha?: number | undefined
  /**
   * The limit shrinks while more calls than this wait at the callee; at least `alpha`.
   *
   * @default 6, for limits of 100 and more 12, from 1000 on 18, and so on
   */
  readonly beta?: number | undefined
}

/**
 * Goes by how many calls seem to wait at the callee: `limit * (1 - least / time)`, where `least` is the time of a call when nothing
 * waits. It does what TCP Vegas does, as Netflix's `VegasLimit`. Netflix takes the least of all samples; here it is the least of
 * averages of ten windows, because times that vary would else make a least that is never reached again. For the same reason a step of
 * `beta` calls needs an average of ten windows that agrees.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const vegas = (options: VegasOptions = {}): Algorithm => {
  const where = "AdaptiveLimit.vegas"
  const { alpha, beta } = checkedOptions(where, options)
  if (alpha !== undefined) integer(where, "alpha", alpha, 1)
  if (beta !== undefined) integer(where, "beta", beta, alpha ?? 1)
  const queue = {
    alpha: alpha === undefined ? kernel.netflixQueue.alpha : () => alpha,
    beta: beta === undefined ? kernel.netflixQueue.beta : () => beta
  }
  return { description: "vegas", make: (bounds) => new kernel.Vegas(bounds, { queue, average: 10 }) }
}

/**
 * What {@link gradient2} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gradient2Options {
  /**
   * Calls may take so many times as long as they did before the limit shrinks; at least 1. Netflix has 1.5 today: the limit
   * then settles half above what the callee can do.
   *
   * @default 1
   */
  readonly tolerance?: number | undefined
  /**
   * How much of a new estimate a window takes over.
   *
   * @default 0.2
   */
  readonly smoothing?: number | undefined
  /**
   * How many calls may wait at the callee.
   *
   * @default 4
   */
  readonly queue?: number | undefined
}

/**
 * Goes by how long calls take, against an average of 600 windows: `limit * gradient + queue`, with a gradient between a half and one.
 * A window with drops has a gradient of a half. It is Netflix's `Gradient2Limit`, which does not look at drops.
 *
 * @category algorithms
 * @since 0.1.0
 */
export const gradient2 = (options: Gradient2Options = {}): Algorithm => {
  const where = "AdaptiveLimit.gradient2"
  const { queue = 4, smoothing = 0.2, tolerance = 1 } = checkedOptions(where, options)
  const settings = {
    tolerance: finite(where, "tolerance", tolerance, 1, { inclusive: true }),
    smoothing: ratioOption(where, "smoothing", smoothing),
    queue: integer(where, "queue", queue, 1),
    windows: 600
  }
  return { description: "gradient2", make: (bounds) => new kernel.Gradient2(bounds, settings) }
}

/**
 * Between what the limit moves, how it learns, and how many calls wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<P extends string = string> {
  /** For errors, telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * How the limit follows what calls show.
   *
   * @default aimd()
   */
  readonly algorithm?: Algorithm | undefined
  /**
   * The limit before anything is known.
   *
   * @default 20, or what is nearest to it between the other two
   */
  readonly initialConcurrency?: number | undefined
  /**
   * The limit never falls below this; at least 1.
   *
   * @default 1
   */
  readonly minConcurrency?: number | undefined
  /**
   * The limit never grows above this.
   *
   * @default 1000
   */
  readonly maxConcurrency?: number | undefined
  /**
   * How many calls wait when all permits are in use; in each partition.
   *
   * @default 0, and 1000 where `maxWait` is given
   */
  readonly maxQueue?: number | undefined
  /**
   * How long a call waits. With a `maxQueue` of 0, this is an error.
   *
   * @default until the deadline of the call, or without end
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * Which waiting call is next, of those with the same `Criticality`, as in `Bulkhead`.
   *
   * @default "fifo"
   */
  readonly order?: "fifo" | "lifo" | "adaptive" | undefined
  /** When an `"adaptive"` queue is overloaded, as in `Bulkhead`; with another order, this is an error. */
  readonly overload?: Overload | undefined
  /**
   * How long a window lasts at least. One lasts twice as long as calls take, if that is longer.
   *
   * @default "1 second"
   */
  readonly within?: Duration.Input | undefined
  /**
   * How many calls a window has at least. While the limit is lower than this, so many as the limit are enough.
   *
   * @default 10
   */
  readonly minCalls?: number | undefined
  /**
   * From which share of its calls on a window counts as one with drops. A callee that fails now and then is not overloaded.
   *
   * @default 0.1
   */
  readonly dropRatio?: number | undefined
  /**
   * Shares of the limit that are guaranteed to calls of {@link AdaptiveLimit.partition}, together at most 1. A partition may have as many
   * permits as the share of the limit, rounded up, even while others have borrowed them: for as long as their calls take, the limit is
   * then exceeded.
   *
   * @default none
   */
  readonly partitions?: Readonly<Record<P, number>> | undefined
  /**
   * Replaces the default classification of failures: `Transient` and `Throttled` are drops.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify | undefined
  /**
   * Says which fault a value is, if any. For a stream, this is asked about the first element.
   *
   * @default no value is a fault
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
}

/**
 * What a partition is doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionState {
  /** Calls that may run, whatever the others do. */
  readonly guaranteed: number
  /** Calls that run. */
  readonly inUse: number
  /** Calls that wait. */
  readonly queued: number
}

/**
 * What an adaptive limit is doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface State<P extends string = string> {
  /** Calls that may run at once: the limit. */
  readonly concurrency: number
  /** Calls that run; for a while after the limit has fallen, more than that. */
  readonly inUse: number
  /** Calls that wait. */
  readonly queued: number
  /** Of the partitions. */
  readonly partitions: Readonly<Record<P, PartitionState>>
}

/**
 * An adaptive limit is a policy, and can be asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveLimit<P extends string = string> extends Policy.Policy<unknown, BulkheadRejected> {
  /** The state now. */
  readonly state: Effect.Effect<State<P>>
  /**
   * The policy for calls of a partition. Calls of the limit itself are in none: they run while there is room, and are guaranteed
   * nothing. A name that is not among the partitions throws a `RangeError`.
   *
   * **Example** (Batch work takes what is left, live traffic has its share)
   *
   * ```ts import.meta.vitest
   * import { AdaptiveLimit } from "@effect-resilience/core"
   * import { Effect } from "effect"
   *
   * const limit = AdaptiveLimit.makeUnsafe({ initialConcurrency: 10, partitions: { batch: 0.3, live: 0.7 } })
   * const program = Effect.gen(function*() {
   *   yield* Effect.replicateEffect(Effect.forkChild(limit.partition("batch")(Effect.never), { startImmediately: true }), 10)
   *   const batch = yield* Effect.result(limit.partition("batch")(Effect.succeed("one more")))
   *   const live = yield* limit.partition("live")(Effect.succeed("served"))
   *   return [batch._tag, live]
   * })
   *
   * await Effect.runPromise(program) // => ["Failure", "served"]
   * ```
   */
  readonly partition: (name: P) => Policy.Policy<unknown, BulkheadRejected>
}

const partOf = (limit: unknown): Part => internal.implementationOf<Part>(limit)

const stateOf = ({ pool, settings }: Learner): State => ({
  concurrency: pool.limit,
  inUse: pool.inUse,
  queued: pool.queued,
  partitions: Object.fromEntries(
    Object.keys(settings.partitions).map((name, i) => {
      const { guaranteed, inUse, queued } = pool.partitions[i + 1]!
      return [name, { guaranteed, inUse, queued }]
    })
  )
})

const AdaptiveLimitProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: AdaptiveLimit): AdaptiveLimit["state"] {
      const { learner } = partOf(this)
      return Effect.sync(() => stateOf(learner))
    }
  },
  partition: {
    value(this: AdaptiveLimit, name: string): unknown {
      const { learner } = partOf(this)
      const names = Object.keys(learner.settings.partitions)
      const where = "AdaptiveLimit.partition"
      if (names.length < 2) {
        if (names[0] !== name) {
          throw invalid(where, "name", name, names.length === 0 ? "one of partitions" : `"${names[0]}"`)
        }
      } else oneOf(where, "name", name, names)
      return internal.make(new Part(learner, learner.pool.partitions[1 + names.indexOf(name)]!))
    }
  }
})

const sharesOf = (
  where: string,
  partitions: Readonly<Record<string, number>> = {}
): Readonly<Record<string, number>> => {
  checkedOptions(where, partitions, "partitions")
  let sum = 0
  for (const [name, share] of Object.entries(partitions)) {
    sum += ratioOption(where, `partitions.${name}`, share)
    // a sum such as 0.1 + 0.2 + 0.7 is a little more than it ought to be
    if (sum > 1 + 1e-9) {
      throw invalid(where, `partitions.${name}`, share, "a share that makes no more than 1 with the others")
    }
  }
  return partitions
}

const boundsOf = (where: string, options: Options): kernel.Bounds => {
  const { maxConcurrency = 1000, minConcurrency = 1 } = options
  const min = integer(where, "minConcurrency", minConcurrency, 1)
  const max = integer(where, "maxConcurrency", maxConcurrency, min)
  const initial = options.initialConcurrency ?? Math.max(min, Math.min(max, 20))
  return { min, max, initial: integer(where, "initialConcurrency", initial, min, max) }
}

const algorithmOf = (where: string, algorithm: Algorithm = aimd()): Algorithm => {
  if (typeof algorithm?.make === "function") return algorithm
  throw invalid(where, "algorithm", algorithm, "one of AdaptiveLimit's: aimd, vegas or gradient2")
}

/**
 * Makes an adaptive limit without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <const P extends string = never>(options: Options<P> = {}): AdaptiveLimit<P> => {
  const where = "AdaptiveLimit.make"
  const { dropRatio = 0.1, minCalls = 10, name, partitions, within = 1000 } = checkedOptions(where, options)
  const queueing = queueOptions(where, options)
  const bounds = boundsOf(where, options)
  const algorithm = algorithmOf(where, options.algorithm)
  if (options.classify !== undefined && typeof options.classify !== "function") {
    throw invalid(where, "classify", options.classify, "a function")
  }
  const learner = new Learner({
    name,
    begin: () => algorithm.make(bounds),
    follows: algorithm.description,
    bounds,
    ...queueing,
    window: {
      within: positiveMillis(where, "within", within),
      minCalls: integer(where, "minCalls", minCalls, 1),
      dropRatio: ratioOption(where, "dropRatio", dropRatio)
    },
    classify: withResult(where, options.classify ?? Fault.of, options.result),
    partitions: sharesOf(where, partitions)
  })
  return internal.make(new Part(learner, learner.pool.partitions[0]!), AdaptiveLimitProto)
}

/** For a health endpoint. */
const reportOf = (learner: Learner): PolicyRegistry.Report => {
  const { partitions, ...state } = stateOf(learner)
  const { maxQueue } = learner.settings
  const of = Object.entries(partitions).map(([name, partition]) => [name, { ...partition }] as const)
  return { ...state, maxQueue, ...of.length === 0 ? {} : { partitions: Object.fromEntries(of) } }
}

const gauges = {
  "resilience.bulkhead.in_use": ({ pool }: Learner) => pool.inUse,
  "resilience.bulkhead.queued": ({ pool }: Learner) => pool.queued,
  "resilience.limit": ({ pool }: Learner) => pool.limit
}

/**
 * Makes an adaptive limit. One with a name is in the snapshot of the `PolicyRegistry`, if there is one, and in the metrics of
 * `Observability`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const P extends string = never>(options: Options<P> = {}): Effect.Effect<AdaptiveLimit<P>> =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    register(fiber, partOf(policy).learner, { kind: "adaptive-limit", name: options.name, report: reportOf, gauges })
    return Effect.succeed(policy)
  })
