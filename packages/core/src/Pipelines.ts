/**
 * Ready-made stacks, with the order and the defaults that most calls want.
 *
 * - {@link makeStandard}: limiter > total timeout > retry > circuit breaker > attempt timeout, the retries paid by a budget
 *   that successes fund.
 * - {@link makeHedging}: total timeout > hedge > limiter > circuit breaker > attempt timeout, for calls that may be made twice
 *   at once.
 *
 * The orders are those of .NET's standard resilience and hedging handlers. The budget and the breaker's doubling open time
 * differ: retries without a budget, or with one that traffic funds, keep down a callee that retries have brought down.
 *
 * **Details**
 *
 * A pipeline has a memory: make one per callee, for all its callers. {@link makeStandardUnsafe} and {@link makeHedgingUnsafe}
 * make the same without an effect, and enter nothing into the `PolicyRegistry`. Each part can be given as options or, the
 * stateful ones, as an instance that is shared with other stacks.
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
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Bulkhead from "./Bulkhead.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import type * as Fault from "./Fault.ts"
import * as Hedge from "./Hedge.ts"
import { defaultHangsAfter, failuresWithin } from "./internal/circuitBreakerRules.ts"
import { contradictionsOf } from "./internal/lint.ts"
import { callable, checkedOptions, invalid } from "./internal/options.ts"
import { readTimes } from "./internal/pipelines.ts"
import { checked, type Read, read } from "./internal/pipelinesConfig.ts"
import * as internal from "./internal/policy.ts"
import { sharedOf } from "./internal/retryBudget.ts"
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
   * Bounds the load: a `Bulkhead` or the options for one, a `RateLimiter`, one composed with the other, or `Policy.identity`.
   *
   * @default a bulkhead for 1000 calls, of which none waits
   */
  readonly limiter?: Policy.Policy<unknown, L> | Omit<Bulkhead.Options, "name"> | undefined
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
   * @default 50 % of at least 20 calls within 30 s, or within two attempts if that is longer; open 10 s, doubling to 5 minutes;
   * `hangsAfter` 1 s, or half of an attempt if that is less
   */
  readonly breaker?: CircuitBreaker.CircuitBreaker | Omit<CircuitBreaker.Options, "name"> | undefined
  /**
   * Says which fault a value is, if any, for the breaker and for the retry or the hedge. They count and retry the value as
   * that fault, and the caller gets it unchanged after the last attempt. A part with its own `result`, and a breaker given as
   * an instance, keep theirs.
   *
   * @default no value is a fault
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
  /**
   * Bounds what all calls together spend on further attempts.
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

const isPolicy = (limiter: unknown): limiter is Policy.Policy<unknown, any> =>
  Predicate.hasProperty(limiter, Policy.TypeId)

/** An effect is what a forgotten `yield*` leaves. */
const isOptions = (part: unknown): boolean => Predicate.isObject(part) && !Effect.isEffect(part)

const bulkheadOf = ({ limiter, name }: Options<unknown>): Bulkhead.Options => ({
  concurrency: 1000,
  ...limiter as Bulkhead.Options | undefined,
  name
})

/** A policy that is given has to be an instance. */
const check = (where: string, options: Options<unknown>): void => {
  const { breaker, budget, limiter, result } = checkedOptions(where, options)
  if (budget !== undefined) sharedOf(where, budget)
  if (limiter !== undefined && !isOptions(limiter) && !isPolicy(limiter)) {
    throw invalid(where, "limiter", limiter, "a policy or options for a bulkhead")
  }
  callable(where, "result", result)
  if (breaker !== undefined && !isOptions(breaker) && !isPolicy(breaker)) {
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

const standardTimes = (where: string, options: StandardOptions<any, unknown>): Times => {
  check(where, options)
  if (options.retry !== undefined) checkedOptions(where, options.retry, "retry")
  const { attempt, breaker, total } = options
  return readTimes(where, { attempt, total, trip: tripOf(breaker), waits: undefined, hedge: undefined })
}

const hedgingTimes = (where: string, options: HedgingOptions<unknown>): Times => {
  check(where, options)
  const { attempt, breaker, hedge = {}, total } = options
  const limiter = options.limiter === undefined || isPolicy(options.limiter)
    ? options.limiter
    : Bulkhead.makeUnsafe(bulkheadOf(options))
  checkedOptions(where, hedge, "hedge")
  return readTimes(where, { attempt, total, trip: tripOf(breaker), waits: limiter?.info, hedge })
}

const breakerOptionsOf = (
  breaker: CircuitBreaker.Options = {},
  { name, result }: Options<unknown>,
  { attempt, window }: Times
): CircuitBreaker.Options => ({
  ...breaker,
  result: breaker.result ?? result,
  trip: breaker.trip ?? failuresWithin(window),
  hangsAfter: breaker.hangsAfter ?? (breaker.classify === undefined ? hangsAfterOf(attempt) : undefined),
  name
})

/** A callee that hangs has to be seen before the attempt is over; half of it is a fair time. */
const hangsAfterOf = (attempt: number): number | undefined => attempt / 2 < defaultHangsAfter ? attempt / 2 : undefined

const statefulOf = <L>(options: Options<L>, times: Times): Stateful<L> => {
  const { breaker, budget, limiter, name } = options
  return {
    // a caller who gives no policy has not said what it adds, and the default of L is what this one does
    limiter: isPolicy(limiter) ? limiter : Bulkhead.makeUnsafe(bulkheadOf(options)) as Policy.Policy<unknown, any>,
    breaker: isBreaker(breaker) ? breaker : CircuitBreaker.makeUnsafe(breakerOptionsOf(breaker, options, times)),
    budget: budget ?? RetryBudget.makeUnsafe({ name })
  }
}

const makeStateful = <L>(options: Options<L>, times: Times): Effect.Effect<Stateful<L>> => {
  const { breaker, budget, limiter, name } = options
  return Effect.all({
    limiter: isPolicy(limiter)
      ? Effect.succeed(limiter)
      : Bulkhead.make(bulkheadOf(options)) as Effect.Effect<Policy.Policy<unknown, any>>,
    breaker: isBreaker(breaker)
      ? Effect.succeed(breaker)
      : CircuitBreaker.make(breakerOptionsOf(breaker, options, times)),
    budget: budget === undefined ? RetryBudget.make({ name }) : Effect.succeed(budget)
  })
}

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
  const retry: Policy.Policy<any> = Retry.make<any>({
    result: options.result,
    ...ownOnly(options.retry),
    name: options.name,
    budget
  })
  return pipelineOf(standard, stateful, Policy.compose(limiter, total, retry, breaker, attempt))
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

const hedging = "Pipelines.makeHedging"

const hedgeOptionsOf = (
  { hedge, name, result }: HedgingOptions<unknown>,
  { after }: Times,
  { budget }: Stateful<unknown>
): Hedge.Options => ({ ...given({ result }), ...hedge, after: hedge?.after ?? after, name, budget })

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

/**
 * The options of {@link makeStandard} as a `Config`: operators change a limit without a new build. Limits that are not configured are as in
 * `defaults`.
 *
 * | with the prefix `PAYMENTS` | is | for example |
 * | --- | --- | --- |
 * | `PAYMENTS_TOTAL` | `total` | `20 seconds` |
 * | `PAYMENTS_ATTEMPT` | `attempt` | `5 seconds` |
 * | `PAYMENTS_RETRIES` | `retry.times` | `2` |
 * | `PAYMENTS_CONCURRENCY` | `concurrency` of the bulkhead | `100` |
 * | `PAYMENTS_MAX_QUEUE` | its `maxQueue` | `50` |
 * | `PAYMENTS_MAX_WAIT` | its `maxWait` | `2 seconds` |
 * | `PAYMENTS_FAILURE_RATIO` | `ratio` of the breaker's failure rate | `0.2` |
 * | `PAYMENTS_MIN_CALLS` | its `minCalls` | `10` |
 * | `PAYMENTS_WITHIN` | its `within` | `1 minute` |
 * | `PAYMENTS_OPEN` | `open` of the breaker | `30 seconds` |
 *
 * A value that cannot be read, and values that contradict each other or the defaults, are a `ConfigError` that says which
 * they are. The keys of the bulkhead are for a limiter that is not given as an instance, those of the breaker likewise.
 *
 * **Example** (A limit from the environment)
 *
 * ```ts import.meta.vitest
 * import { Pipelines, Policy } from "@effect-resilience/core"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const make = Effect.gen(function*() {
 *   const options = yield* Pipelines.config("PAYMENTS", { name: "payments", total: "30 seconds" })
 *   return yield* Pipelines.makeStandard(options)
 * })
 * const environment = ConfigProvider.fromEnv({ env: { PAYMENTS_ATTEMPT: "2 seconds", PAYMENTS_RETRIES: "1" } })
 * const payments = await Effect.runPromise(
 *   Effect.provideService(make, ConfigProvider.ConfigProvider, environment)
 * )
 *
 * Policy.explain(payments).split("\n")[4] // => "         └─ timeout attempt \"payments\" (limit: 2s)"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const config = <E = unknown, L = Bulkhead.BulkheadRejected>(
  prefix: string,
  defaults: StandardOptions<E, L> = {}
): Config.Config<StandardOptions<E, L>> => {
  makeStandardUnsafe(defaults)
  return Config.mapEffect(read(prefix), (values) =>
    checked(prefix, values, () => {
      const options = configured(values, defaults)
      makeStandardUnsafe(options)
      return options
    }))
}

const configured = <E, L>(values: Read, defaults: StandardOptions<E, L>): StandardOptions<E, L> => {
  const { breaker = {}, limiter = {}, retry } = defaults
  const bulkhead = given({ concurrency: values.CONCURRENCY, maxQueue: values.MAX_QUEUE, maxWait: values.MAX_WAIT })
  const rate = given({ ratio: values.FAILURE_RATIO, minCalls: values.MIN_CALLS, within: values.WITHIN })
  const times = { ...defaults, ...given({ total: values.TOTAL, attempt: values.ATTEMPT }) }
  const within = standardTimes(standard, { ...times, breaker: undefined }).window
  return {
    ...times,
    retry: { ...retry, ...given({ times: values.RETRIES }) },
    ...isPolicy(limiter) ? {} : { limiter: { concurrency: 1000, ...limiter, ...bulkhead } },
    ...isBreaker(breaker) ? {} : {
      breaker: {
        ...breaker,
        ...given({ open: values.OPEN }),
        ...Object.keys(rate).length === 0 ? {} : { trip: CircuitBreaker.failureRate({ within, ...rate }) }
      }
    }
  }
}

type Given<A> = { readonly [K in keyof A]?: Exclude<A[K], undefined> }

/** Without what is undefined, which would hide a default. */
const given = <A extends object>(values: A): Given<A> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<A>
