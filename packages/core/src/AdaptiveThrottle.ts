/**
 * Turns calls away on this side while the callee is overloaded and refuses most of them: a refusal costs the callee work too.
 *
 * A throttle counts the calls of the last two minutes, and how many of them the callee has accepted. It lets `factor` times as many
 * through as were accepted, and turns the rest away at random. Nobody has to know the capacity of the callee. The formula is that of
 * "Handling Overload" in Google's Site Reliability Engineering (chapter 21).
 *
 * **Details**
 *
 * Calls of each `Criticality` are counted by themselves, as in the book: calls that the callee refuses because they matter less
 * cost those that matter more nothing.
 *
 * A call counts as it wants to be made, and so do the calls that are turned away. A `Throttled` fault is a refusal of the callee, and
 * so is a `Transient` one with a pause that the callee has asked for: a 503 with `Retry-After`.
 * Every other answer is an acceptance, failures and timeouts included: a circuit breaker watches those. A call that another
 * policy of this process has `Rejected`, and one that is interrupted, are taken back.
 *
 * **Example** (A callee that refuses all)
 *
 * ```ts import.meta.vitest
 * import { AdaptiveThrottle, Fault } from "@effect-resilience/core"
 * import { Data, Effect, Random } from "effect"
 *
 * class Overloaded extends Data.TaggedError("Overloaded")<{ readonly n: number }> {
 *   readonly [Fault.TypeId] = Fault.throttled()
 * }
 *
 * const throttle = AdaptiveThrottle.makeUnsafe()
 * let asked = 0
 * const call = Effect.suspend(() => Effect.fail(new Overloaded({ n: ++asked }))).pipe(throttle, Effect.exit)
 *
 * await Effect.runPromise(Effect.replicateEffect(call, 1000).pipe(Random.withSeed("a seed"), Effect.asVoid))
 * asked < 30 // => true
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Criticality } from "./Criticality.ts"
import * as Fault from "./Fault.ts"
import { Throttler } from "./internal/adaptiveThrottle.ts"
import { currentRank } from "./internal/criticality.ts"
import type { ThrottleRejected } from "./internal/errors.ts"
import { callable, checkedOptions, finite, integer, oneOf, positiveMillis, ratio } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyFiber } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import { criticalities } from "./kernel/criticality.ts"
import type * as Policy from "./Policy.ts"

export { isThrottleRejected, ThrottleRejected } from "./internal/errors.ts"

/**
 * When calls are turned away, and how many.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * How many calls are let through for each one that the callee accepts: K in the book. At 2 the callee refuses about one call for
   * each that it serves, at 1.1 about one in ten; then the throttle is later to notice that the callee has recovered. One for all, or
   * one for each `Criticality`, where 2 stands for one that is left out.
   *
   * @default 2
   */
  readonly factor?: number | Readonly<Partial<Record<Criticality, number>>> | undefined
  /**
   * The window, kept in twenty parts. It should be longer than nearly all calls take.
   *
   * @default "2 minutes"
   */
  readonly within?: Duration.Input | undefined
  /**
   * With fewer calls in the window, none is turned away. The book has no such bound: there, one refusal costs a quiet caller half of
   * its next calls.
   *
   * @default 10
   */
  readonly minCalls?: number | undefined
  /**
   * The largest share that is turned away. Below 1, more calls find out whether the callee has recovered.
   *
   * @default 1
   */
  readonly maxRatio?: number | undefined
  /**
   * What a failure means: `Throttled`, and `Transient` with a pause, are refusals of the callee.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
}

/**
 * The window now, of calls that matter as much as the one that asks.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** The calls that wanted to be made. */
  readonly requests: number
  /** Those that the callee has accepted. */
  readonly accepts: number
  /** The share of calls that is turned away. */
  readonly ratio: number
}

/**
 * An adaptive throttle: a policy with a memory, for all calls to one callee.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveThrottle extends Policy.Policy<unknown, ThrottleRejected> {
  readonly state: Effect.Effect<State>
}

const stateOf = ({ throttles }: Throttler, fiber: AnyFiber): State => {
  const throttle = throttles.of(currentRank(fiber))
  const ratio = throttle.ratio(now(fiber))
  return { requests: throttle.requests, accepts: throttle.accepts, ratio }
}

const throttlerOf = (throttle: AdaptiveThrottle): Throttler => internal.implementationOf<Throttler>(throttle)

const AdaptiveThrottleProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: AdaptiveThrottle): AdaptiveThrottle["state"] {
      const throttler = throttlerOf(this)
      return Effect.withFiber((fiber) => Effect.succeed(stateOf(throttler, fiber)))
    }
  }
})

const where = "AdaptiveThrottle.make"
const usualFactor = 2

const factorsOf = (factor: NonNullable<Options["factor"]>): ReadonlyArray<number> => {
  const checked = (option: string, factor: number): number => finite(where, option, factor, 1, { inclusive: true })
  if (typeof factor !== "object" || factor === null) return criticalities.map(() => checked("factor", factor))
  for (const key of Object.keys(checkedOptions(where, factor, "factor"))) {
    oneOf(where, "a key of factor", key as Criticality, criticalities)
  }
  return criticalities.map((criticality) => checked(`factor.${criticality}`, factor[criticality] ?? usualFactor))
}

/**
 * Makes a throttle without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): AdaptiveThrottle => {
  const { classify, factor = usualFactor, maxRatio = 1, minCalls = 10, name, within = "2 minutes" } = checkedOptions(
    where,
    options
  )
  const throttler = new Throttler({
    name,
    factors: factorsOf(factor),
    within: positiveMillis(where, "within", within),
    minCalls: integer(where, "minCalls", minCalls, 0),
    maxRatio: ratio(where, "maxRatio", maxRatio),
    classify: callable(where, "classify", classify) ?? Fault.of
  })
  return internal.make(throttler, AdaptiveThrottleProto)
}

/**
 * Makes a throttle. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<AdaptiveThrottle> =>
  Effect.withFiber((fiber) => {
    const throttle = makeUnsafe(options)
    register(fiber, throttlerOf(throttle), {
      kind: "adaptive-throttle",
      name: options.name,
      report: ({ throttles }, fiber) => ({ ...throttles.total(now(fiber)) })
    })
    return Effect.succeed(throttle)
  })
