/**
 * Bounds what all calls to one callee spend on further attempts, so that retries do not turn an overload into a collapse.
 *
 * A limit of three retries per call does not bound a thousand calls: when a callee fails, each call makes four attempts. The
 * callee then gets four times the load when it can bear the least. A budget is one value that all those calls share, given to
 * `Retry.make` and `Hedge.make`. There are three ways to fund it:
 *
 * - {@link tokens}: a failure takes a token, a success brings a part of one (gRPC's retry throttling, gRFC A6). While nothing
 *   succeeds, almost nothing is retried: it alone lets an overloaded callee recover.
 * - {@link traffic}: a share of the calls of a recent window (Finagle, tower).
 * - {@link inFlight}: a share of the calls in flight (Envoy, failsafe-go).
 *
 * **Details**
 *
 * The first attempt of a call is always free. A further one is paid for before the wait for it begins, and refunded if the
 * wait is interrupted. When the budget is used up, the call ends with the failure that it has; the event `BudgetExhausted`
 * tells why. The budget never stops attempts in flight. A call that waits for its next attempt is not in flight, so a backlog
 * of waiting calls does not fund its own retries.
 *
 * Transient and throttled failures speak against the callee and take tokens; permanent ones, rejections by other policies,
 * defects and interruptions do not.
 *
 * **Gotchas**
 *
 * Every policy that has the budget counts calls. In a stack with a hedge inside a retry, give it to the hedge alone or to the
 * retry alone, or a call counts twice.
 *
 * **Example** (A hundred calls to a callee that is down)
 *
 * ```ts import.meta.vitest
 * import { Retry, RetryBudget } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10 }) })
 * const retry = Retry.make({ schedule: Schedule.recurs(3), budget })
 * let attempts = 0
 * const call = Effect.suspend(() => Effect.fail(`down ${++attempts}`)).pipe(retry, Effect.exit)
 *
 * await Effect.runPromise(Effect.replicateEffect(call, 100, { discard: true }))
 * attempts // => 103
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { checkedOptions, integer, invalid, positiveMillis, ratio as share } from "./internal/options.ts"
import { register } from "./internal/registry.ts"
import * as internal from "./internal/retryBudget.ts"
import type { RetryBudget } from "./internal/retryBudget.ts"
import { Shared, stateOf } from "./internal/retryPurse.ts"
import * as kernel from "./kernel/retryBudget.ts"

/**
 * The brand of budgets.
 *
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId: typeof internal.TypeId = internal.TypeId

/**
 * How further attempts are paid for: {@link tokens}, {@link traffic} or {@link inFlight}.
 *
 * @category models
 * @since 0.1.0
 */
export type Funding = kernel.Funding

export type { RetryBudget, State } from "./internal/retryBudget.ts"

const notNegative = (where: string, option: string, value: number): number => {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value
  throw invalid(where, option, value, "a finite number >= 0")
}

/**
 * Funded by success, as gRPC's retry throttling (gRFC A6). There are `maxTokens` tokens to begin with. A failure takes one, a success
 * brings `ratio` of one, and another attempt is made only while more than half of `maxTokens` are there. A hedge after a delay,
 * which no failure has paid for, takes one as well.
 *
 * When more than `ratio / (1 + ratio)` of the attempts fail for a while (9 % by default), the tokens run out. From then on
 * there are `minPerMinute` further attempts a minute, whatever the traffic. A busy callee hardly notices them, and they are
 * enough for a callee that is called once a minute. At most a minute's worth is saved up. `docs/laboratory/standard.md` shows
 * what other values do, for the quiet and for the busy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokens = (
  options: {
    /**
     * From 2 to 1000. `maxTokens / 2 - 1` failures in a row may each be followed by another attempt.
     *
     * @default 100
     */
    readonly maxTokens?: number | undefined
    /**
     * More than 0, at most 1; digits after the third do not count.
     *
     * @default 0.1
     */
    readonly ratio?: number | undefined
    /**
     * For callers with little traffic; 0 or more. With 0, only successes bring tokens, as in A6.
     *
     * @default 10
     */
    readonly minPerMinute?: number | undefined
  } = {}
): Funding => {
  const where = "RetryBudget.tokens"
  const { maxTokens = 100, minPerMinute = 10, ratio = 0.1 } = checkedOptions(where, options)
  if (!(typeof ratio === "number" && ratio >= 0.001 && ratio <= 1)) {
    throw invalid(where, "ratio", ratio, "a number from 0.001 to 1")
  }
  return kernel.tokens({
    maxTokens: integer(where, "maxTokens", maxTokens, 2, 1000),
    ratio,
    minPerMinute: notNegative(where, "minPerMinute", minPerMinute)
  })
}

/**
 * Funded by traffic, as Finagle's and tower's retry budgets: whenever a further attempt is granted, the `within` that ends
 * there holds at most `ratio` times as many of them as calls, and `minPerSecond` more. No call funds twice: any span of time
 * holds at most the share of the calls in it and in the `within` before it, and the floor once for each `within`.
 *
 * If this share of additional load brought a callee down, it also keeps the callee down.
 *
 * @category constructors
 * @since 0.1.0
 */
export const traffic = (
  options: {
    /**
     * More than 0, at most 1.
     *
     * @default 0.2
     */
    readonly ratio?: number | undefined
    /**
     * The window.
     *
     * @default "10 seconds"
     */
    readonly within?: Duration.Input | undefined
    /**
     * For callers with little traffic; 0 or more.
     *
     * @default 10
     */
    readonly minPerSecond?: number | undefined
  } = {}
): Funding => {
  const where = "RetryBudget.traffic"
  const { minPerSecond = 10, ratio = 0.2, within = "10 seconds" } = checkedOptions(where, options)
  return kernel.traffic({
    ratio: share(where, "ratio", ratio),
    millis: positiveMillis(where, "within", within),
    minPerSecond: notNegative(where, "minPerSecond", minPerSecond)
  })
}

/**
 * Funded by the calls in flight, as Envoy's and failsafe-go's budgets: another attempt is made while further attempts, in
 * flight or waiting, are no more than `ratio` of the calls in flight, or fewer than `minAttempts`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const inFlight = (
  options: {
    /**
     * More than 0, at most 1.
     *
     * @default 0.2
     */
    readonly ratio?: number | undefined
    /**
     * For callers with little traffic; 1 or more.
     *
     * @default 3
     */
    readonly minAttempts?: number | undefined
  } = {}
): Funding => {
  const where = "RetryBudget.inFlight"
  const { minAttempts = 3, ratio = 0.2 } = checkedOptions(where, options)
  return kernel.inFlight({
    ratio: share(where, "ratio", ratio),
    minAttempts: integer(where, "minAttempts", minAttempts, 1)
  })
}

/**
 * What a budget is called, and what funds it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * Where the right to make further attempts comes from.
   *
   * @default tokens({ maxTokens: 100, ratio: 0.1, minPerMinute: 10 })
   */
  readonly funding?: Funding | undefined
}

const budgetOf = (options: Options): Shared => {
  const { funding = tokens(), name } = checkedOptions("RetryBudget.make", options)
  if (!Predicate.hasProperty(funding, "open")) {
    throw invalid("RetryBudget.make", "funding", funding, "tokens, traffic or inFlight")
  }
  return new Shared(name, funding)
}

/**
 * Makes a budget without an effect, for module scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): RetryBudget => budgetOf(options)

/**
 * Makes a budget. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * **Example** (What is left of it)
 *
 * ```ts import.meta.vitest
 * import { RetryBudget } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.make({ funding: RetryBudget.inFlight({ minAttempts: 5 }) })
 *   return yield* budget.state
 * })
 *
 * await Effect.runPromise(program) // => { available: 5, calls: 0, held: 0 }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<RetryBudget> =>
  Effect.withFiber((fiber) => {
    const budget = budgetOf(options)
    register(fiber, budget.kernel, {
      kind: "retry-budget",
      name: options.name,
      report: (kernel, fiber) => ({ ...stateOf(kernel, fiber) })
    })
    return Effect.succeed(budget)
  })
