/**
 * Ready-made stacks, with the order and the defaults that most calls want.
 *
 * {@link makeStandard} is limiter > total timeout > retry > circuit breaker > attempt timeout, where a budget that
 * successes fund pays for the retries. `HedgingPipeline` is for calls that may be made twice at once.
 *
 * The order is that of .NET's standard resilience handler. The budget and the breaker's doubling open time differ. Retries
 * without a budget, or with a budget that grows with traffic, keep a callee down once retries have brought it down.
 *
 * **Details**
 *
 * A pipeline has a memory: make one per callee, for all its callers. {@link makeStandardUnsafe} makes the same
 * without an effect, and enters nothing into the `PolicyRegistry`. Each part can be given as options or, the
 * stateful ones, as an instance that is shared with other stacks.
 *
 * Times that are not given follow from those that are: with a total of 5 seconds an attempt has a third of that, and an
 * attempt of a minute comes with a total of three. Only two times that are both given can contradict each other, and throw a
 * `RangeError` that names both: an attempt longer than the total, a breaker's window shorter than two attempts, hedges that
 * would begin after the total. Nothing follows from a limit that is a function.
 *
 * `docs/laboratory/standard.md` has the evidence for each default, and what it costs to be wrong by a factor of two.
 *
 * A pipeline is what {@link Policy.compose} makes of its parts.
 *
 * **Example** (A callee that fails twice)
 *
 * ```ts import.meta.vitest
 * import { Pipelines } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const payments = Pipelines.makeStandardUnsafe({
 *   name: "payments",
 *   total: "20 seconds",
 *   retry: { schedule: Schedule.max([Schedule.exponential("1 millis"), Schedule.recurs(3)]) },
 *   attempt: "5 seconds"
 * })
 * let calls = 0
 * const pay = Effect.suspend(() => ++calls < 3 ? Effect.fail("busy") : Effect.succeed("paid"))
 *
 * await Effect.runPromise(pay.pipe(payments)) // => "paid"
 * const { calls: seen } = await Effect.runPromise(payments.breaker.state) as { readonly calls: number }
 * seen // => 3
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Predicate from "effect/Predicate"
import type * as Bulkhead from "./Bulkhead.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { checkedOptions } from "./internal/options.ts"
import type { Times } from "./kernel/pipelines.ts"
import {
  check,
  makeStateful,
  type Options,
  type Pipeline,
  pipelineOf,
  type Stateful,
  statefulOf,
  timeoutsOf,
  timesOf
} from "./pipelines/parts.ts"
import * as Policy from "./Policy.ts"
import * as Retry from "./Retry.ts"
import * as Timeout from "./Timeout.ts"

export type { Options, Pipeline, Stateful } from "./pipelines/parts.ts"

/**
 * What {@link makeStandard} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardOptions<E = unknown, L = Bulkhead.BulkheadRejected> extends Options<L> {
  /**
   * What `Retry.make` takes.
   *
   * @default 3 retries, exponential from 200 ms, full jitter
   */
  readonly retry?: StandardRetry<E> | undefined
}

/** What the policies inside of the retry add. */
type Inside = Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen

/**
 * The retry of {@link makeStandard}. A `TimeoutExceeded` and a `CircuitOpen` follow the classification: neither `while` nor `tags`
 * is asked of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardRetry<in E = unknown>
  extends Omit<Retry.Options<E | Inside>, "name" | "budget" | "while" | "tags">
{
  /** Retries only these errors of the call, of those that the classification allows. */
  readonly while?: Predicate.Predicate<E> | undefined
  /** Retries only errors of the call with one of these tags, of those that the classification allows. */
  readonly tags?: ReadonlyArray<string> | undefined
}

const standard = "Pipelines.makeStandard"

const standardTimes = (options: StandardOptions<any, unknown>): Times => {
  check(standard, options)
  if (options.retry !== undefined) checkedOptions(standard, options.retry, "retry")
  return timesOf(standard, options, undefined, undefined)
}

/**
 * Limiter > total timeout > retry > circuit breaker > attempt timeout.
 *
 * **Example** (What it is made of)
 *
 * ```ts import.meta.vitest
 * import { Pipelines, Policy } from "@effect-resilience/core"
 *
 * const [limiter, total, retry] = Policy.explain(Pipelines.makeStandardUnsafe({ name: "search" })).split("\n")
 *
 * limiter // => "bulkhead \"search\" (concurrency: 1000, maxQueue: 0)"
 * total // => "└─ timeout total \"search\" (limit: 30s)"
 * retry // => "   └─ retry \"search\" (times: 3, schedule: exponential from 200ms, budget: search, retryAfter: 1m)"
 * ```
 *
 * **Example** (Times that contradict each other)
 *
 * ```ts import.meta.vitest
 * import { Pipelines } from "@effect-resilience/core"
 *
 * const messageOf = (f: () => unknown) => {
 *   try {
 *     return f()
 *   } catch (error) {
 *     return (error as Error).message
 *   }
 * }
 *
 * messageOf(() => Pipelines.makeStandardUnsafe({ attempt: "1 minute", total: "30 seconds" })) // => "Pipelines.makeStandard: timeout attempt (1m) is longer than timeout total (30s)"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStandardUnsafe = <E = unknown, L = Bulkhead.BulkheadRejected>(
  options: StandardOptions<E, L> = {}
): Pipeline<E, L> => {
  const times = standardTimes(options)
  return standardOf(options, times, statefulOf(options, times))
}

const standardOf = <E, L>(options: StandardOptions<E, L>, times: Times, stateful: Stateful<L>): Pipeline<E, L> => {
  const { attempt, total } = timeoutsOf(options, times)
  const { breaker, budget, limiter } = stateful
  const retry: Policy.Policy<any> = Retry.make<any>({
    result: options.result,
    ...ownOnly(options.retry),
    name: options.name,
    budget
  })
  return pipelineOf(standard, options, stateful, Policy.compose(limiter, total, retry, breaker, attempt))
}

const isInside = (error: unknown): error is Inside =>
  Timeout.isTimeoutExceeded(error) || CircuitBreaker.isCircuitOpen(error)

/** The author of `while` or `tags` thought of the errors of the call. */
const ownOnly = ({ tags, while: predicate, ...options }: StandardRetry<any> = {}): Retry.Options<any> => ({
  ...options,
  ...predicate === undefined
    ? {}
    : { while: typeof predicate === "function" ? (error) => isInside(error) || predicate(error) : predicate },
  ...tags === undefined ? {} : { tags: Array.isArray(tags) ? [...tags, "TimeoutExceeded", "CircuitOpen"] : tags }
})

/**
 * As {@link makeStandardUnsafe}; with a name, its stateful parts are in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * **Example** (A pipeline in a layer)
 *
 * ```ts import.meta.vitest
 * import { Pipelines, PolicyRegistry } from "@effect-resilience/core"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Payments extends Context.Service<Payments, Pipelines.Pipeline>()("Payments") {
 *   static readonly layer = Layer.effect(Payments, Pipelines.makeStandard({ name: "payments" }))
 * }
 * const live = Payments.layer.pipe(Layer.provideMerge(PolicyRegistry.layer))
 * const listed = Effect.andThen(Payments, Effect.map(PolicyRegistry.snapshot, (all) => all.map(({ kind }) => kind)))
 *
 * await Effect.runPromise(Effect.provide(listed, live)) // => ["bulkhead", "circuit-breaker", "retry-budget"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStandard = <E = unknown, L = Bulkhead.BulkheadRejected>(
  options: StandardOptions<E, L> = {}
): Effect.Effect<Pipeline<E, L>> =>
  Effect.suspend(() => {
    const times = standardTimes(options)
    return Effect.map(makeStateful(options, times, "retry"), (stateful) => standardOf(options, times, stateful))
  })
