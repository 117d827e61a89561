/**
 * Ends a call that takes too long, with an error that names the limit.
 *
 * - {@link attempt} limits one attempt: put it inside a retry. For a stream it ends with the first element.
 * - {@link total} limits everything: put it outside. It publishes the `Deadline`, so policies inside begin nothing that could
 *   not end in time. For a stream it ends with the last element.
 * - {@link phases} watches a stream: the time to the first element, the silence between two, the whole.
 * - {@link makeAdaptive} limits one attempt by the times of earlier attempts.
 *
 * **Details**
 *
 * When the time is up, the call is interrupted, and the caller gets {@link TimeoutExceeded} after the call's clean-up, or,
 * with `detach`, at once. A result that comes while the call is being interrupted is dropped. The limit is set after the
 * call's first turn, and a tie goes to whichever of call and limit was set first, as with `Effect.timeout`. A timeout that
 * does not end before the deadline of the call leaves the end to the owner of the deadline, and the error has the owner's
 * phase. A defect in the clean-up of a call that timed out goes to `Telemetry`; a defect in the clean-up of a call whose
 * caller went away joins the caller's cause.
 *
 * A stream never ends silently: every phase is an error. The silence between two elements does not include the consumer's
 * time; the total does. If a total passes while the consumer is busy, the next pull delivers the error.
 *
 * **Gotchas**
 *
 * Fibers that the call forks with `Effect.forkChild` end with the call, as with `Effect.timeout`. In a mask, write
 * `restore(timeout(x))`, not `timeout(restore(x))`.
 *
 * What this adds to `Effect.timeout`: the phase, limit and elapsed time in the error, deadlines, telemetry, streams that
 * fail where `Stream.timeout` ends them as if they were complete; and it costs a fraction where the call is asynchronous.
 *
 * **Example** (A call and a stream that hang)
 *
 * ```ts import.meta.vitest
 * import { Timeout } from "@effect-resilience/core"
 * import { Effect, Stream } from "effect"
 *
 * const call = Effect.never.pipe(Timeout.attempt("10 millis"), Effect.flip)
 * const error = await Effect.runPromise(call)
 * error.phase // => "attempt"
 *
 * const stream = Stream.concat(Stream.make(1), Stream.never).pipe(Timeout.phases({ idle: "10 millis" }).stream)
 * const late = await Effect.runPromise(Effect.flip(Stream.runDrain(stream)))
 * late.message // => "Timed out: idle for 10ms"
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { emit } from "./internal/emit.ts"
import { type Phase, TimeoutExceeded } from "./internal/errors.ts"
import { leftBehind } from "./internal/leftBehind.ts"
import {
  booleanOption,
  callable,
  checkedOptions,
  integer,
  invalid,
  positiveMillis,
  ratio,
  showMillis
} from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyFiber } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import type * as timeout from "./internal/timeout.ts"
import { AdaptivePolicy } from "./internal/timeoutAdaptive.ts"
import { TimeoutPolicy } from "./internal/timeoutPolicy.ts"
import { TimerQueue } from "./internal/timers.ts"
import { LearntLimit, type Rules } from "./kernel/adaptive.ts"
import type * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

export { isTimeoutExceeded, type Phase, TimeoutExceeded } from "./internal/errors.ts"

const exceeded = (
  fiber: AnyFiber,
  phase: Phase,
  limit: number,
  elapsed: number,
  name: string | undefined
): TimeoutExceeded => {
  const error = new TimeoutExceeded({
    policyName: name,
    phase,
    limit: Duration.millis(limit),
    elapsed: Duration.millis(Math.round(elapsed))
  })
  const listener = fiber.getRef(Telemetry.CurrentListener)
  if (listener !== undefined) {
    emit(fiber, listener, {
      _tag: "TimedOut",
      policy: "timeout",
      name,
      phase,
      limit: error.limit,
      elapsed: error.elapsed
    })
  }
  return error
}

/**
 * A time limit: a finite duration longer than zero, or a function that is asked for one at every call. Anything else throws a
 * `RangeError`; from the function, it is a defect of the call.
 *
 * @category models
 * @since 0.1.0
 */
export type Limit = Duration.Input | (() => Duration.Input)

/**
 * What all timeouts have.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry and {@link Policy.explain}; one that is adaptive is also in the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * Answers without a wait for a slow clean-up of an interrupted call, whether its time is up or its caller goes away. The
   * call ends in the background. Use it for calls that ignore interruption; {@link detached} tells how many there are. A
   * stream's consumer that goes away does not wait for a pull that ignores it, but for everything else that the stream holds.
   *
   * @default false
   */
  readonly detach?: boolean | undefined
}

const unlimited = (): number => Infinity

const millisOf = (where: string, option: string, limit: Limit | undefined): () => number => {
  if (limit === undefined) return unlimited
  if (typeof limit === "function") return () => positiveMillis(where, option, limit())
  const millis = positiveMillis(where, option, limit)
  return () => millis
}

const showLimit = (limit: Limit | undefined): unknown =>
  limit === undefined ? undefined : typeof limit === "function" ? "dynamic" : Duration.fromInputUnsafe(limit)

interface Watch extends Options {
  readonly where: string
  readonly kind: string
  readonly shown: Readonly<Record<string, unknown>>
  /** what the error calls the first phase */
  readonly firstPhase: "attempt" | "first"
  readonly first?: () => number
  readonly idle?: () => number
  readonly total?: () => number
  readonly progress?: ((element: unknown) => boolean) | undefined
  readonly fixed: boolean
}

const make = (watch: Watch): Policy.Policy<unknown, TimeoutExceeded> => {
  const { first = unlimited, firstPhase, fixed, idle = unlimited, name, total = unlimited } = watch
  const detach = booleanOption(watch.where, "detach", watch.detach) ?? false
  const settings: timeout.Settings = {
    first,
    idle,
    total,
    progress: watch.progress,
    queue: fixed ? new TimerQueue(Math.min(first(), total())) : undefined,
    left: detach ? { running: 0 } : undefined,
    exceeded: (fiber, phase, limit, elapsed) =>
      exceeded(fiber, phase === "first" ? firstPhase : phase, limit, elapsed, name),
    refused: undefined
  }
  const shown = { ...watch.shown, detach: detach || undefined }
  return internal.make(new TimeoutPolicy({ kind: watch.kind, name, settings: shown, children: [] }, settings))
}

/**
 * Limits one attempt; a stream, to the first element.
 *
 * @category constructors
 * @since 0.1.0
 */
export const attempt = (limit: Limit, options?: Options): Policy.Policy<unknown, TimeoutExceeded> =>
  make({
    ...options === undefined ? undefined : checkedOptions("Timeout.attempt", options),
    where: "Timeout.attempt",
    kind: "timeout attempt",
    firstPhase: "attempt",
    first: millisOf("Timeout.attempt", "limit", limit),
    shown: { limit: showLimit(limit) },
    fixed: typeof limit !== "function"
  })

/**
 * Limits the whole, retries and waits included; a stream, to the last element. Everything inside sees the `Deadline`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const total = (limit: Limit, options?: Options): Policy.Policy<unknown, TimeoutExceeded> =>
  make({
    ...options === undefined ? undefined : checkedOptions("Timeout.total", options),
    where: "Timeout.total",
    kind: "timeout total",
    firstPhase: "attempt",
    total: millisOf("Timeout.total", "limit", limit),
    shown: { limit: showLimit(limit) },
    fixed: typeof limit !== "function"
  })

/**
 * Watches a stream. An effect is a stream of one element: `first` and `total` limit it, `idle` does not apply.
 *
 * @category constructors
 * @since 0.1.0
 */
export const phases = (
  options: Options & {
    /** From the start to the first element that is progress. */
    readonly first?: Limit | undefined
    /** The silence between two elements that are progress, without the consumer's time. */
    readonly idle?: Limit | undefined
    /** From the start to the end, the consumer's time included. */
    readonly total?: Limit | undefined
    /**
     * The elements that count for `first` and `idle`, for example not a keep-alive.
     *
     * @default every element
     */
    readonly progress?: ((element: unknown) => boolean) | undefined
  }
): Policy.Policy<unknown, TimeoutExceeded> => {
  const where = "Timeout.phases"
  const { detach, first, idle, name, progress, total } = checkedOptions(where, options)
  if (first === undefined && idle === undefined && total === undefined) {
    throw invalid(where, "options", "none of them", "at least one of first, idle and total")
  }
  return make({
    where,
    name,
    detach,
    kind: "timeout phases",
    firstPhase: "first",
    first: millisOf(where, "first", first),
    idle: millisOf(where, "idle", idle),
    total: millisOf(where, "total", total),
    progress: callable(where, "progress", progress),
    shown: { first: showLimit(first), idle: showLimit(idle), total: showLimit(total) },
    fixed: typeof first !== "function" && typeof total !== "function"
  })
}

/**
 * How many calls of this process were interrupted and left behind by a timeout with `detach`, and are still running. A
 * growing number is a leak: each call keeps what it holds.
 *
 * @category accessors
 * @since 0.1.0
 */
export const detached: Effect.Effect<number> = Effect.sync(leftBehind)

/**
 * How the limit follows from earlier call times.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveOptions extends Options {
  /** The shortest limit. */
  readonly minLimit: Duration.Input
  /** The longest limit, and the one until there are `minCalls` observations. */
  readonly maxLimit: Duration.Input
  /**
   * The quantile of the durations that the limit is a multiple of; more than 0, at most 1.
   *
   * @default 0.99
   */
  readonly quantile?: number | undefined
  /**
   * The multiple; more than 1, so that a limit that has become too short can grow again.
   *
   * @default 1.5
   */
  readonly factor?: number | undefined
  /**
   * How many observations it takes.
   *
   * @default 20
   */
  readonly minCalls?: number | undefined
  /**
   * Observations older than twice this are forgotten; those younger than once this are not.
   *
   * @default "5 minutes"
   */
  readonly within?: Duration.Input | undefined
}

/**
 * A timeout that can be asked what its limit is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adaptive extends Policy.Policy<unknown, TimeoutExceeded> {
  /** The limit of a call that begins now. */
  readonly limit: Effect.Effect<Duration.Duration>
  /** The number of durations that are remembered. */
  readonly observed: Effect.Effect<number>
}

const rulesOf = (options: AdaptiveOptions): Rules => {
  const where = "Timeout.makeAdaptive"
  const { detach, factor = 1.5 } = checkedOptions(where, options)
  booleanOption(where, "detach", detach)
  if (!(typeof factor === "number" && factor > 1 && factor < Infinity)) {
    throw invalid(where, "factor", factor, "a finite number > 1")
  }
  const min = positiveMillis(where, "minLimit", options.minLimit)
  const max = positiveMillis(where, "maxLimit", options.maxLimit)
  if (min > max) throw invalid(where, "minLimit", showMillis(min), "at most maxLimit")
  return {
    quantile: ratio(where, "quantile", options.quantile ?? 0.99),
    factor,
    min,
    max,
    warmup: integer(where, "minCalls", options.minCalls ?? 20, 1)
  }
}

const adapt = (options: AdaptiveOptions, learnt: LearntLimit): Adaptive => {
  const { detach = false, name } = options
  const { rules, window } = learnt
  const own = new WeakSet<object>()
  const settings: timeout.Settings = {
    first: (at) => learnt.limit(at),
    idle: unlimited,
    total: unlimited,
    progress: undefined,
    queue: undefined,
    left: detach ? { running: 0 } : undefined,
    exceeded: (fiber, _, limit, elapsed) => {
      const error = exceeded(fiber, "attempt", limit, elapsed, name)
      own.add(error)
      return error
    },
    refused: undefined
  }
  const isOwn = (error: unknown): error is TimeoutExceeded => typeof error === "object" && own.has(error!)
  const info: Policy.PolicyInfo = {
    kind: "timeout adaptive",
    name,
    settings: {
      quantile: rules.quantile,
      factor: rules.factor,
      minLimit: Duration.millis(rules.min),
      maxLimit: Duration.millis(rules.max),
      minCalls: rules.warmup,
      within: Duration.millis(window),
      detach: detach || undefined
    },
    children: []
  }
  const policy = internal.make<Policy.Policy<unknown, TimeoutExceeded>>(
    new AdaptivePolicy(info, settings, learnt, isOwn)
  )
  return Object.assign(policy, {
    limit: Effect.withFiber((fiber) => Effect.succeed(Duration.millis(learnt.limit(now(fiber))))),
    observed: Effect.withFiber((fiber) => Effect.succeed(learnt.count(now(fiber))))
  })
}

const learntOf = (options: AdaptiveOptions): LearntLimit =>
  new LearntLimit(rulesOf(options), positiveMillis("Timeout.makeAdaptive", "within", options.within ?? "5 minutes"))

/**
 * Limits one attempt, as {@link attempt} does, by the times of earlier attempts: `factor` times a recent quantile, between
 * `minLimit` and `maxLimit`. It has a memory: make it once for all callers of one callee.
 *
 * **Details**
 *
 * The time that a call waits in a bulkhead or a limiter inside does not count. A success counts with its time. If a call
 * times out, or is interrupted at the ambient deadline, only a lower bound of its time is known, and it counts as that.
 * Without it, or with it as an answer, the limit would fall. As soon as more than `1 - quantile` of the calls are cut off in
 * this way, the limit grows by `factor`, until they are not. Failures and other interruptions do not count: they do not tell
 * how long an answer takes.
 *
 * Quantiles are exact to within 2 % in a few kilobytes, whatever the traffic. Of a stream, the time to the first element
 * counts.
 *
 * **Example** (A limit from what was seen)
 *
 * ```ts import.meta.vitest
 * import { Timeout } from "@effect-resilience/core"
 * import { Duration, Effect } from "effect"
 *
 * const timeout = Timeout.makeAdaptiveUnsafe({ minLimit: "50 millis", maxLimit: "10 seconds" })
 * const program = Effect.gen(function*() {
 *   const before = yield* timeout.limit
 *   for (let i = 0; i < 20; i++) yield* timeout(Effect.void)
 *   return [before, yield* timeout.limit]
 * })
 *
 * await Effect.runPromise(program) // => [Duration.seconds(10), Duration.millis(50)]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeAdaptiveUnsafe = (options: AdaptiveOptions): Adaptive => adapt(options, learntOf(options))

/**
 * As {@link makeAdaptiveUnsafe}. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeAdaptive = (options: AdaptiveOptions): Effect.Effect<Adaptive> =>
  Effect.withFiber((fiber) => {
    const learnt = learntOf(options)
    register(fiber, learnt, {
      kind: "timeout adaptive",
      name: options.name,
      report: (learnt, fiber) => {
        const at = now(fiber)
        return { limitMillis: learnt.limit(at), observed: learnt.count(at) }
      }
    })
    return Effect.succeed(adapt(options, learnt))
  })
