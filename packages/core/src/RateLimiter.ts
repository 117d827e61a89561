/**
 * Lets only as many calls through as a rate allows. The others wait for their turn, or are rejected.
 *
 * A limit is one of four algorithms: {@link tokenBucket} allows bursts and refills steadily, {@link gcra} spaces calls
 * evenly, {@link slidingWindow} never allows more than so much in any span, {@link fixedWindow} counts from the first call
 * on. A limiter has one limit, or several in dimensions of their own (requests *and* tokens): a call takes from all of them
 * at once or from none.
 *
 * **Details**
 *
 * A call costs 1 in each dimension, or the amount given to {@link RateLimiter.cost}. Without room it waits, if `maxWait`, the
 * ambient `Deadline` and the queue allow it. If the wait cannot fit, it is rejected at once with {@link RateLimiterRejected}.
 * A cost above the capacity is rejected with an infinite `retryAfter`.
 *
 * Waiters with a higher `Criticality` are first, and those that matter as much are served in order. None overtakes another that matters
 * as much, whatever its cost, so small calls do not starve large ones. A waiter has taken nothing yet: if one goes away, those
 * behind it move up; if one comes before it and makes its turn too late, it is rejected at that moment.
 *
 * What a call really cost may be known only afterwards: {@link RateLimiter.settle} charges an estimate and gives back or
 * charges the difference.
 *
 * A stream is charged when it is opened; the wait is before its first element.
 *
 * **Gotchas**
 *
 * A call that was let through stays charged, however it ends. Outside a retry the limiter charges once per logical call,
 * inside a retry once per attempt. The callee counts attempts.
 *
 * What this adds to `effect/persistence`'s `RateLimiter`: several dimensions at once, a bounded wait that costs those behind
 * nothing when the caller goes away, settling, GCRA and sliding windows, deadlines, streams. Its state is in the process;
 * `Shared.rateLimiter` of `core/shared` keeps it in Redis.
 *
 * **Example** (Requests and tokens)
 *
 * ```ts import.meta.vitest
 * import { RateLimiter } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const limiter = RateLimiter.makeUnsafe({
 *   limits: {
 *     requests: RateLimiter.tokenBucket({ limit: 60, within: "1 minute" }),
 *     tokens: RateLimiter.tokenBucket({ limit: 6000, within: "1 minute" })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 5000 }))
 *   const error = yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 5000 }), Effect.flip)
 *   const tooLarge = yield* Effect.succeed("answer").pipe(limiter.cost({ tokens: 7000 }), Effect.flip)
 *   return [error.dimension, error.reason, tooLarge.reason]
 * })
 *
 * await Effect.runPromise(program) // => ["tokens", "wait", "cost"]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { RateLimiterRejected } from "./internal/errors.ts"
import { checkedOptions, integer, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { Limiter } from "./internal/rateLimiter.ts"
import type { Limiting } from "./internal/rateLimiterCalls.ts"
import { makeRateLimiter } from "./internal/rateLimiterMembers.ts"
import { settingsOf } from "./internal/rateLimiterOptions.ts"
import { register } from "./internal/registry.ts"
import type * as Policy from "./Policy.ts"

export { isRateLimiterRejected, RateLimiterRejected, type Reason } from "./internal/errors.ts"

/**
 * How much is let through: {@link tokenBucket}, {@link gcra}, {@link slidingWindow} or {@link fixedWindow}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limit {
  readonly kind: "token-bucket" | "gcra" | "sliding-window" | "fixed-window"
  readonly limit: number
  readonly within: Duration.Duration
  /** What can go through at once. */
  readonly burst: number
}

/**
 * So much in a time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rate {
  /** So much ... An integer, at least 1. */
  readonly limit: number
  /** ... in this time. */
  readonly within: Duration.Input
}

const limitOf = (
  kind: Limit["kind"],
  where: string,
  rate: Rate,
  option = "limit",
  burstOf = ({ limit }: Rate): number => limit
): Limit => {
  const { limit, within } = checkedOptions(where, rate)
  return {
    kind,
    limit: integer(where, "limit", limit, 1),
    within: Duration.millis(positiveMillis(where, "within", within)),
    burst: integer(where, option, burstOf(rate), 1)
  }
}

/**
 * A bucket that starts full, from which calls take, and which `limit` refills every `within`, steadily.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokenBucket = (
  options: Rate & {
    /**
     * What the bucket holds, and so what can go through at once after a pause.
     *
     * @default limit
     */
    readonly capacity?: number | undefined
  }
): Limit =>
  limitOf("token-bucket", "RateLimiter.tokenBucket", options, "capacity", () => options.capacity ?? options.limit)

/**
 * Spaces calls evenly, one every `within / limit`: the generic cell rate algorithm of ITU-T I.371. It is the token bucket
 * with another default: `burst` may go through at once after a pause. Timers wake late. With a burst of 1 that time is lost;
 * a burst of 2 or more makes up for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const gcra = (
  options: Rate & {
    /** @default 1 */
    readonly burst?: number | undefined
  }
): Limit => limitOf("gcra", "RateLimiter.gcra", options, "burst", () => options.burst ?? 1)

/**
 * At most `limit` in any span of `within`. Calls are kept in slices of a hundredth of it, so one may count a hundredth
 * longer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const slidingWindow = (options: Rate): Limit => limitOf("sliding-window", "RateLimiter.slidingWindow", options)

/**
 * At most `limit` in a window of `within`, which opens with the first call after the previous window has closed. Around the
 * end of a window twice as much may go through in a short time: it is for callees that count that way.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fixedWindow = (options: Rate): Limit => limitOf("fixed-window", "RateLimiter.fixedWindow", options)

/**
 * How calls wait for their turn.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * How long a call may wait for its turn. A call whose turn comes later is rejected at once.
   *
   * @default 0: no call waits
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * How many calls may wait.
   *
   * @default 1000
   */
  readonly maxQueue?: number | undefined
}

/** `true` for a single name, `false` for several. */
type Single<D extends string> = (D extends unknown ? (_: D) => void : never) extends (_: infer All) => void
  ? [D] extends [All] ? true : false
  : never

/**
 * What a call costs: for each dimension a number that is not negative, 1 where it says nothing. For a limiter that has one
 * limit, the number alone will do.
 *
 * @category models
 * @since 0.1.0
 */
export type Cost<D extends string> = { readonly [K in D]?: number } | (Single<D> extends true ? number : never)

/**
 * The charge of a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Charge<D extends string = "calls"> {
  /**
   * Gives back or charges the difference to what the call really cost; a dimension that is not named stays as it was
   * charged. Time gives back as well, so what it has given back already is not given back twice, and there is never more
   * room than without any call. To be settled once: a second time changes nothing.
   */
  settle(actual: Cost<D>): Effect.Effect<void>
}

/**
 * A limiter that learns from the result what the call cost.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settle<in A> {
  <A1 extends A, E, R>(self: Effect.Effect<A1, E, R>): Effect.Effect<A1, E | RateLimiterRejected, R>
  readonly stream: <A1 extends A, E, R>(
    self: Stream.Stream<A1, E, R>
  ) => Stream.Stream<A1, E | RateLimiterRejected, R>
  readonly info: Policy.PolicyInfo
}

/**
 * What a rate limiter is doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface State<D extends string = "calls"> {
  /** How many calls wait. */
  readonly waiting: number
  readonly limits: {
    readonly [K in D]: {
      /** Negative if calls turned out to cost more than the room. */
      readonly available: number
      readonly capacity: number
    }
  }
}

/**
 * A rate limiter is a policy, and makes policies for calls that cost more than 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiter<D extends string = "calls"> extends Policy.Policy<unknown, RateLimiterRejected> {
  /** The policy for a call of that cost. A bad cost throws a `RangeError`. */
  cost(cost: Cost<D>): Policy.Policy<unknown, RateLimiterRejected>
  /**
   * For a call whose cost is known only afterwards: charges the estimate, and when the call has succeeded gives back or
   * charges the difference to what `actual` says. A call that fails, or of which `actual` says nothing, stays charged with the
   * estimate. For a stream, `actual` is asked of every element; what it said last is settled when the stream ends, in
   * whichever way.
   */
  settle<A>(estimate: Cost<D>, actual: (value: A) => Cost<D> | undefined): Settle<A>
  /** Waits and charges without a call, for a program that makes the call, and settles, elsewhere. */
  take(cost?: Cost<D>): Effect.Effect<Charge<D>, RateLimiterRejected>
  /** The room that there is now, by dimension. */
  readonly available: Effect.Effect<{ readonly [K in D]: number }>
  /** The calls that wait, and the room that there is now. */
  readonly state: Effect.Effect<State<D>>
  /**
   * Changes limits while calls are made and wait. Used permits stay used; a waiter whose turn then comes too late is
   * rejected. `tokenBucket` and `gcra` may take each other's place, otherwise a limit stays of its kind: anything else throws
   * a `RangeError`.
   */
  reconfigure(
    limits: { readonly [K in D]?: Limit } | (Single<D> extends true ? Limit : never)
  ): Effect.Effect<void>
}

/**
 * Makes a rate limiter without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe: {
  (options: Options & { readonly limit: Limit }): RateLimiter
  <D extends string>(options: Options & { readonly limits: { readonly [K in D]: Limit } }): RateLimiter<D>
} = (options: any): any => makeRateLimiter(new Limiter(settingsOf("RateLimiter.make", options)))

/**
 * Makes a rate limiter. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  (options: Options & { readonly limit: Limit }): Effect.Effect<RateLimiter>
  <D extends string>(
    options: Options & { readonly limits: { readonly [K in D]: Limit } }
  ): Effect.Effect<RateLimiter<D>>
} = (options: any): any =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    register(fiber, internal.implementationOf<Limiting<Limiter>>(policy).limiter, {
      kind: "rate-limiter",
      name: options.name,
      report: (limiter, fiber) => ({ ...limiter.stateOf(fiber) })
    })
    return Effect.succeed(policy)
  })
