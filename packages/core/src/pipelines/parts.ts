/** What the pipelines share. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Bulkhead from "../Bulkhead.ts"
import * as CircuitBreaker from "../CircuitBreaker.ts"
import type * as Fault from "../Fault.ts"
import { defaultHangsAfter, failuresWithin } from "../internal/circuitBreakerRules.ts"
import { contradictionsOf } from "../internal/lint.ts"
import { ObservedCall, observedStream } from "../internal/observability.ts"
import { callable, checkedOptions, invalid } from "../internal/options.ts"
import { readTimes, type Said } from "../internal/pipelines.ts"
import * as internal from "../internal/policy.ts"
import { announce } from "../internal/registry.ts"
import { sharedOf } from "../internal/retryBudget.ts"
import type { Times } from "../kernel/pipelines.ts"
import * as Policy from "../Policy.ts"
import * as RetryBudget from "../RetryBudget.ts"
import * as Timeout from "../Timeout.ts"

/**
 * What both pipelines have.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<L = Bulkhead.BulkheadRejected> {
  /**
   * For errors, telemetry and {@link Policy.explain}: the name of every part that is not given as an instance. With a name, the
   * pipeline tells how whole calls end, as `Observability.call` does.
   */
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
   * @default 50 % of at least 20 calls within 30 s, or within two attempts if that is longer; open 10 s, doubling to 30 s;
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

export const isBreaker = (breaker: Options["breaker"]): breaker is CircuitBreaker.CircuitBreaker =>
  typeof breaker === "function"

export const isPolicy = (limiter: unknown): limiter is Policy.Policy<unknown, any> =>
  Predicate.hasProperty(limiter, Policy.TypeId)

/** An effect is what a forgotten `yield*` leaves. */
const isOptions = (part: unknown): boolean => Predicate.isObject(part) && !Effect.isEffect(part)

export const bulkheadOf = ({ limiter, name }: Options<unknown>): Bulkhead.Options => ({
  concurrency: 1000,
  ...limiter as Bulkhead.Options | undefined,
  name
})

/** A policy that is given has to be an instance. */
export const check = (where: string, options: Options<unknown>): void => {
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

/** The times that are given, and those that follow from them. */
export const timesOf = (
  where: string,
  options: Options<unknown>,
  waits: Said["waits"],
  hedge: Said["hedge"]
): Times => {
  const { attempt, breaker, total } = options
  return readTimes(where, { attempt, total, trip: tripOf(breaker), waits, hedge })
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

export const statefulOf = <L>(options: Options<L>, times: Times): Stateful<L> => {
  const { breaker, budget, limiter, name } = options
  return {
    // a caller who gives no policy has not said what it adds, and the default of L is what this one does
    limiter: isPolicy(limiter) ? limiter : Bulkhead.makeUnsafe(bulkheadOf(options)) as Policy.Policy<unknown, any>,
    breaker: isBreaker(breaker) ? breaker : CircuitBreaker.makeUnsafe(breakerOptionsOf(breaker, options, times)),
    budget: budget ?? RetryBudget.makeUnsafe({ name })
  }
}

export const makeStateful = <L>(
  options: Options<L>,
  times: Times,
  inside: "retry" | "hedge"
): Effect.Effect<Stateful<L>> => {
  const { breaker, budget, limiter, name } = options
  const announced = Effect.withFiber((fiber) => {
    for (const kind of ["call", "timeout", inside]) announce(fiber, kind, name)
    return Effect.void
  })
  return Effect.andThen(
    announced,
    Effect.all({
      limiter: isPolicy(limiter)
        ? Effect.succeed(limiter)
        : Bulkhead.make(bulkheadOf(options)) as Effect.Effect<Policy.Policy<unknown, any>>,
      breaker: isBreaker(breaker)
        ? Effect.succeed(breaker)
        : CircuitBreaker.make(breakerOptionsOf(breaker, options, times)),
      budget: budget === undefined ? RetryBudget.make({ name }) : Effect.succeed(budget)
    })
  )
}

export const timeoutsOf = ({ attempt, name, total }: Options<unknown>, times: Times) => ({
  attempt: Timeout.attempt(attempt ?? times.attempt, { name }),
  total: Timeout.total(total ?? times.total, { name })
})

/** A pipeline whose times do not contradict each other. */
export const pipelineOf = <E, L>(
  where: string,
  { name }: Options<unknown>,
  parts: Stateful<L>,
  composed: Policy.Policy<any, any>
): Pipeline<E, L> => {
  const [contradiction] = contradictionsOf(composed.info)
  if (contradiction !== undefined) throw new RangeError(`${where}: ${contradiction}`)
  const policy = internal.make<Policy.Policy<E, L | Timeout.TimeoutExceeded | CircuitBreaker.CircuitOpen>>({
    info: composed.info,
    parts: [composed],
    effect: name === undefined ? composed : (self) => new ObservedCall(composed(self), name),
    stream: name === undefined ? composed.stream : (self) => observedStream(composed.stream(self), name),
    knowledge: (at) => internal.knowledgeOf(composed, at),
    letGo: () => internal.letGo(composed)
  })
  return Object.assign(policy, parts)
}

type Given<A> = { readonly [K in keyof A]?: Exclude<A[K], undefined> }

/** Without what is undefined, which would hide a default. */
export const given = <A extends object>(values: A): Given<A> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<A>
