/**
 * One instance of a policy per key: a circuit breaker per host, a bulkhead per tenant, a limiter per user.
 *
 * `keyed.for(key)` is a policy. The first call makes the instance behind it, and all calls with an equal key share the
 * instance. `Keyed` lets it go when nobody has used it for a while.
 *
 * **Details**
 *
 * There are no timers: the next call, with whatever key, removes instances that have been idle for too long. Beyond
 * `maxInstances`, the least recently used idle instance that holds no information goes. An instance in use never goes: while
 * more than `maxInstances` are in use at once, the table is larger.
 *
 * Other keys cannot push out an instance that holds information; otherwise a caller who makes up keys could close a circuit
 * or reset a limiter. A circuit breaker with failures stays for its idle time, an open one for its open time, and a rate
 * limiter until time has given back what was used. A decision by hand stays until somebody says otherwise. If `maxInstances`
 * instances hold information, `whenFull` says what a new key gets.
 *
 * Keys are compared by `Equal`: strings and numbers by value, and so are plain objects, arrays and `Data`.
 *
 * **Gotchas**
 *
 * Make things that keys share, for example a retry budget, outside `lookup`. A change by `resize` or `reconfigure` is lost
 * with its instance: put what must last into `lookup`.
 *
 * **Example** (A circuit breaker per host)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Keyed } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const breakers = Keyed.makeUnsafe({
 *   lookup: (host: string) => CircuitBreaker.makeUnsafe({ name: host, trip: CircuitBreaker.consecutive(1) })
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.exit(Effect.fail("down").pipe(breakers.for("a.example")))
 *   const a = yield* Effect.exit(Effect.succeed("up").pipe(breakers.for("a.example")))
 *   const b = yield* Effect.exit(Effect.succeed("up").pipe(breakers.for("b.example")))
 *   return [a._tag, b._tag]
 * })
 *
 * await Effect.runPromise(program) // => ["Failure", "Success"]
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { KeyedRejected } from "./internal/errors.ts"
import * as internal from "./internal/keyed.ts"
import { register } from "./internal/registry.ts"
import type * as Policy from "./Policy.ts"

export { isKeyedRejected, KeyedRejected } from "./internal/errors.ts"

/**
 * How to make the policy of a key, and how many are kept for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<K, P extends Policy.Any, W extends "share" | "reject" = "share" | "reject"> {
  /** For `Policy.explain` and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * Makes the policy of a key: a value, or an effect that does not wait. The effect runs with the services of the moment when
   * the `Keyed` was made, so `CircuitBreaker.make` finds their `PolicyRegistry`. An exception is a defect of the call.
   */
  readonly lookup: (key: K) => P | Effect.Effect<P>
  /**
   * After this time without a call, an instance is let go.
   *
   * @default "5 minutes"
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /**
   * How many instances are kept. An instance that holds information keeps its place, so set this above the number of keys
   * that hold information at one time. For limiters, that is the number of keys in use within the window.
   *
   * @default 1000
   */
  readonly maxInstances?: number | undefined
  /**
   * What a new key gets when all instances hold information: a share of one more instance, which `lookup` makes for the first
   * of those keys, or a {@link KeyedRejected}.
   *
   * @default "share"
   */
  readonly whenFull?: W | undefined
}

/**
 * The instance of a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<K, P> {
  readonly key: K
  readonly policy: P
  /** Calls in flight. */
  readonly inUse: number
  /** For how long there have been none. */
  readonly idle: Duration.Duration
  /** Whether this is the instance that keys without room share. Its key is that of the first of them. */
  readonly shared: boolean
}

/**
 * One instance of a policy per key. `F` is {@link KeyedRejected}, if new keys are rejected when there is no room for them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed<K, P extends Policy.Any, F = never> {
  /** The policy for a key. It holds no instance: each call looks up the current one. */
  readonly for: (key: K) => Policy.Policy<Policy.EIn<P>, Policy.EOut<P> | F, Policy.Services<P>>
  /** The instance of a key, made if there is none, to ask or operate it. Counts as a use. */
  readonly get: (key: K) => Effect.Effect<P, F>
  /** The instances there are, in no particular order. Reading it does not count as a use. */
  readonly entries: Effect.Effect<ReadonlyArray<Entry<K, P>>>
}

const keyed = <K, P extends Policy.Any, F>(pool: internal.Pool<K>): Keyed<K, P, F> => ({
  for: (key) => pool.for(key),
  get: (key) =>
    Effect.withFiber((fiber) => {
      const found = pool.get(fiber, key)
      return found instanceof KeyedRejected
        ? Effect.fail(found as F) // what `F` is when the options say that a key may be rejected
        : Effect.succeed(found as internal.AnyPolicy & P) // what this pool's lookup has made
    }),
  entries: Effect.withFiber((fiber) =>
    Effect.succeed(pool.entries(fiber) as ReadonlyArray<Entry<K, internal.AnyPolicy & P>>) // likewise
  )
})

/**
 * What a `Keyed` adds to the errors of its policies, by what it does when it is full.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal<W extends "share" | "reject"> = W extends "reject" ? KeyedRejected : never

/**
 * Makes a `Keyed` without an effect, for module scope; a `lookup` that is an effect then runs without services. A bad option
 * throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <K, P extends Policy.Any, W extends "share" | "reject" = "share">(
  options: Options<K, P, W>
): Keyed<K, P, Refusal<W>> => keyed(new internal.Pool(options, Context.empty()))

/**
 * Makes a `Keyed`. One with a name is in the snapshot of the `PolicyRegistry`, if there is one, with the number of its
 * instances.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, P extends Policy.Any, W extends "share" | "reject" = "share">(
  options: Options<K, P, W>
): Effect.Effect<Keyed<K, P, Refusal<W>>> =>
  Effect.withFiber((fiber) => {
    const pool = new internal.Pool(options, fiber.context)
    register(fiber, pool, {
      kind: "keyed",
      name: options.name,
      report: (pool, fiber) => {
        const entries = pool.entries(fiber)
        return { instances: entries.length, inUse: entries.filter(({ inUse }) => inUse > 0).length }
      }
    })
    return Effect.succeed(keyed<K, P, Refusal<W>>(pool))
  })
