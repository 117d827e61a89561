/**
 * Ready-made stacks, with the order and the defaults that most calls want.
 *
 * - {@link makeStandard}: limiter > total timeout > retry > circuit breaker > attempt timeout, the retries paid by a budget
 *   that successes fund.
 * - {@link makeHedging}: total timeout > hedge > limiter > circuit breaker > attempt timeout, for calls that may be made twice
 *   at once.
 *
 * The orders are those of .NET's standard resilience and hedging handlers. What differs are the budget and the breaker's
 * doubling open time: in a callee that retries have brought down, retries without a budget, or with one that traffic funds,
 * keep it down.
 *
 * **Details**
 *
 * A pipeline is a value with a memory: make one per callee, for all its callers. {@link makeStandardUnsafe} and
 * {@link makeHedgingUnsafe} make the same without an effect, and enter nothing into the `PolicyRegistry`. Each part can be
 * given as options or, the stateful ones, as an instance that is shared with other stacks.
 *
 * Times that are not given follow from those that are: with a total of 5 seconds an attempt has a third of that, and an
 * attempt of a minute comes with a total of three. Only two times that are both given can contradict each other, and throw a
 * `RangeError` that names both: an attempt longer than the total, a breaker's window shorter than two attempts, hedges that
 * would begin after the total. Nothing follows from a limit that is a function.
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
import * as Predicate from "effect/Predicate"
import * as Bulkhead from "./Bulkhead.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import * as Hedge from "./Hedge.ts"
import { sharedOf } from "./internal/budget.ts"
import { contradictionsOf } from "./internal/lint.ts"
import { invalid, objectOption } from "./internal/options.ts"
import { readTimes } from "./internal/pipelines.ts"
import * as internal from "./internal/policy.ts"
import type { Times } from "./kernel/pipelines.ts"
import * as Policy from "./Policy.ts"
import * as Retry from "./Retry.ts"
import * as RetryBudget from "./RetryBudget.ts"
import * as Timeout from "./Timeout.ts"

/**
 * What both pipelines have.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<L = Bulkhead.BulkheadRejected> {
  /** For errors, telemetry and {@link Policy.explain}: the name of every part that is not given as an instance. */
  readonly name?: string | undefined
  /**
   * Bounds the load: a `Bulkhead`, a `RateLimiter`, one composed with the other, or `Policy.identity`.
   *
   * @default a bulkhead for 1000 calls, of which none waits
   */
  readonly limiter?: Policy.Policy<unknown, L> | undefined
  /**
   * The time for everything, waits included.
   *
   * @default "30 seconds", or what the other times that are given need: three attempts, the last hedge, a wait
   */
  readonly total?: Timeout.Limit | undefined
  /**
   * The time for one attempt.
   *
   * @default "10 seconds", or a third of the total, or half of the breaker's window, if that is less
   */
  readonly attempt?: Timeout.Limit | undefined
  /**
   * The circuit breaker, or the options for one.
   *
   * @default 50 % of at least 20 calls within 30 s, or within two attempts if that is longer; open 10 s, doubling to 5 minutes
   */
  readonly breaker?: CircuitBreaker.CircuitBreaker | Omit<CircuitBreaker.Options, "name"> | undefined
  /**
   * What all calls together may spend on further attempts.
   *
   * @default RetryBudget.tokens({ maxTokens: 100, ratio: 0.1 })
   */
  readonly budget?: RetryBudget.RetryBudget | undefined
}

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
  readonly retry?:
    | Omit<Retry.Options<E | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>, "name" | "budget">
    | undefined
}

/**
 * What {@link makeHedging} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgingOptions<L = Bulkhead.BulkheadRejected> extends Options<L> {
  /**
   * What `Hedge.make` takes.
   *
   * @default one more attempt after 2 seconds, or after half of an attempt or its share of the total, if that is less
   */
  readonly hedge?: Partial<Omit<Hedge.Options, "name" | "budget">> | undefined
}

/**
 * A pipeline is a policy; its stateful parts can be asked and operated.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pipeline<in E = unknown, out L = Bulkhead.BulkheadRejected>
  extends Policy.Policy<E, L | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>, Stateful<L>
{}

/**
 * The parts of a pipeline that have a memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stateful<out L = Bulkhead.BulkheadRejected> {
  readonly limiter: Policy.Policy<unknown, L>
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly budget: RetryBudget.RetryBudget
}

const isBreaker = (breaker: Options["breaker"]): breaker is CircuitBreaker.CircuitBreaker =>
  typeof breaker === "function"

const concurrency = 1000

/** What is given as an instance is one. */
const check = (where: string, { breaker, budget, limiter }: Options<unknown>): void => {
  if (budget !== undefined) sharedOf(where, budget)
  if (limiter !== undefined && !Predicate.hasProperty(limiter, Policy.TypeId)) {
    throw invalid(where, "limiter", limiter, "a policy")
  }
  if (breaker !== undefined && !Predicate.isObject(breaker) && !Predicate.hasProperty(breaker, Policy.TypeId)) {
    throw invalid(where, "breaker", breaker, "a circuit breaker or options for one")
  }
}

/** The rules of the breaker, if they were given. */
const tripOf = (breaker: Options["breaker"]): unknown => {
  if (breaker === undefined || isBreaker(breaker)) return breaker?.info.settings["trip"]
  return breaker.trip === undefined
    ? undefined
    : CircuitBreaker.makeUnsafe({ trip: breaker.trip }).info.settings["trip"]
}

const standardTimes = (where: string, options: Options<unknown>): Times => {
  check(where, options)
  const { attempt, breaker, total } = options
  return readTimes(where, { attempt, total, trip: tripOf(breaker), waits: undefined, hedge: undefined })
}

const hedgingTimes = (where: string, { hedge = {}, ...options }: Partial<HedgingOptions<unknown>>): Times => {
  check(where, options)
  const { attempt, breaker, limiter, total } = options
  objectOption(where, "hedge", hedge)
  return readTimes(where, { attempt, total, trip: tripOf(breaker), waits: limiter?.info, hedge })
}

const breakerOptionsOf = (
  { breaker = {}, name }: { readonly breaker?: CircuitBreaker.Options | undefined; readonly name?: string | undefined },
  { window }: Times
): CircuitBreaker.Options => ({
  ...breaker,
  trip: breaker.trip ?? CircuitBreaker.failureRate({ within: window }),
  name
})

const statefulOf = <L>({ breaker, budget, limiter, name }: Options<L>, times: Times): Stateful<L> => ({
  // whoever leaves out the limiter has not said what it adds, and the default of L is what this one does
  limiter: limiter ?? Bulkhead.makeUnsafe({ name, concurrency }) as Policy.Policy<unknown, any>,
  breaker: isBreaker(breaker) ? breaker : CircuitBreaker.makeUnsafe(breakerOptionsOf({ breaker, name }, times)),
  budget: budget ?? RetryBudget.makeUnsafe({ name })
})

const makeStateful = <L>(
  { breaker, budget, limiter, name }: Options<L>,
  times: Times
): Effect.Effect<Stateful<L>> =>
  Effect.all({
    limiter: limiter === undefined
      ? Bulkhead.make({ name, concurrency }) as Effect.Effect<Policy.Policy<unknown, any>>
      : Effect.succeed(limiter),
    breaker: isBreaker(breaker)
      ? Effect.succeed(breaker)
      : CircuitBreaker.make(breakerOptionsOf({ breaker, name }, times)),
    budget: budget === undefined ? RetryBudget.make({ name }) : Effect.succeed(budget)
  })

const timeoutsOf = ({ attempt, name, total }: Options<unknown>, times: Times) => ({
  attempt: Timeout.attempt(attempt ?? times.attempt, { name }),
  total: Timeout.total(total ?? times.total, { name })
})

/** A pipeline whose times do not contradict each other. */
const pipelineOf = <E, L>(
  where: string,
  parts: Stateful<L>,
  composed: Policy.Policy<any, any>
): Pipeline<E, L> => {
  const [contradiction] = contradictionsOf(composed.info)
  if (contradiction !== undefined) throw new RangeError(`${where}: ${contradiction}`)
  const policy = internal.make<Policy.Policy<E, L | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>>({
    info: composed.info,
    effect: composed,
    stream: composed.stream,
    knowledge: (at) => internal.knowledgeOf(composed, at),
    letGo: () => internal.letGo(composed)
  })
  return Object.assign(policy, parts)
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
  const times = standardTimes(standard, options)
  return standardOf(options, times, statefulOf(options, times))
}

const standard = "Pipelines.makeStandard"

const standardOf = <E, L>(options: StandardOptions<E, L>, times: Times, stateful: Stateful<L>): Pipeline<E, L> => {
  const { attempt, total } = timeoutsOf(options, times)
  const { breaker, budget, limiter } = stateful
  const retry: Policy.Policy<any> = Retry.make<any>({ ...options.retry, name: options.name, budget })
  return pipelineOf(standard, stateful, Policy.compose(limiter, total, retry, breaker, attempt))
}

const hedging = "Pipelines.makeHedging"

const hedgeOptionsOf = (
  { hedge, name }: HedgingOptions<unknown>,
  { after }: Times,
  { budget }: Stateful<unknown>
): Hedge.Options => ({ ...hedge, after: hedge?.after ?? after, name, budget })

const hedgingOf = <L>(
  options: Options<L>,
  times: Times,
  stateful: Stateful<L>,
  hedge: Hedge.Hedge
): Pipeline<unknown, L> => {
  const { attempt, total } = timeoutsOf(options, times)
  const { breaker, limiter } = stateful
  return pipelineOf(hedging, stateful, Policy.compose(total, hedge, limiter, breaker, attempt))
}

/**
 * Total timeout > hedge > limiter > circuit breaker > attempt timeout: another attempt begins when the first one takes long
 * or fails, and the first success wins. For calls that may be made twice at once, and callees that can bear it: the limiter
 * is inside, so that every attempt counts.
 *
 * For attempts that go to another endpoint each, with a limiter and a breaker of its own, give `Hedge.alternatives` one stack
 * per endpoint.
 *
 * **Example** (A call that hangs once)
 *
 * ```ts import.meta.vitest
 * import { Pipelines } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const search = Pipelines.makeHedgingUnsafe({ name: "search", hedge: { after: "1 millis" } })
 * let calls = 0
 * const find = Effect.suspend(() => ++calls === 1 ? Effect.never : Effect.succeed(`answer ${calls}`))
 *
 * await Effect.runPromise(find.pipe(search)) // => "answer 2"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeHedgingUnsafe = <L = Bulkhead.BulkheadRejected>(
  options: HedgingOptions<L> = {}
): Pipeline<unknown, L> => {
  const times = hedgingTimes(hedging, options)
  const stateful = statefulOf(options, times)
  return hedgingOf(options, times, stateful, Hedge.makeUnsafe(hedgeOptionsOf(options, times, stateful)))
}

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
    const times = standardTimes(standard, options)
    return Effect.map(makeStateful(options, times), (stateful) => standardOf(options, times, stateful))
  })

/**
 * As {@link makeHedgingUnsafe}; with a name, its stateful parts are in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeHedging = <L = Bulkhead.BulkheadRejected>(
  options: HedgingOptions<L> = {}
): Effect.Effect<Pipeline<unknown, L>> =>
  Effect.suspend(() => {
    const times = hedgingTimes(hedging, options)
    return Effect.flatMap(makeStateful(options, times), (stateful) =>
      Effect.map(
        Hedge.make(hedgeOptionsOf(options, times, stateful)),
        (hedge) => hedgingOf(options, times, stateful, hedge)
      ))
  })
