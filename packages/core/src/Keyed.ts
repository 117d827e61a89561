/**
 * One instance of a policy per key: a circuit breaker per host, a bulkhead per tenant, a limiter per user.
 *
 * `keyed.for(key)` is a policy. The instance behind it is made when the first call needs it, shared by all calls of an equal
 * key, and let go when nobody has used it for a while.
 *
 * **Details**
 *
 * There are no timers: what has been idle for too long goes when the next call comes, for whatever key. Beyond
 * `maxInstances` the least recently used idle one goes. One in use never goes, and a call is never refused for want of room: while
 * more than `maxInstances` are in use at once there are more, and fewer again when they end.
 *
 * A circuit breaker that somebody isolated, disabled or set to observe is kept until somebody says otherwise; one that is open
 * is kept for its time, but for `maxInstances`. So is a rate limiter, until time has given back what was used.
 *
 * Keys are compared by `Equal`: strings and numbers by value, and so are plain objects, arrays and `Data`.
 *
 * **Gotchas**
 *
 * Policies that share something between keys, a retry budget for example, are made outside of `lookup`. An instance that is
 * let go takes along what it was changed to by `resize` or `reconfigure`: what is to last belongs into `lookup`.
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
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type AnyStream, fromPull, open } from "./internal/establish.ts"
import { KeyMap } from "./internal/keyMap.ts"
import { integer, invalid, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import * as kernel from "./kernel/keyed.ts"
import type * as Policy from "./Policy.ts"

/**
 * What makes the policy of a key, and how many are kept for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<K, P extends Policy.Any> {
  /** For `Policy.explain` and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * Makes the policy of a key: a value, or an effect that does not wait. The effect runs with the services that were there
   * when the `Keyed` was made, so that `CircuitBreaker.make` finds their `PolicyRegistry`. What it throws is a defect of
   * the call.
   */
  readonly lookup: (key: K) => P | Effect.Effect<P>
  /**
   * An instance that nobody has used for so long is let go.
   *
   * @default "5 minutes"
   */
  readonly idleTimeToLive?: Duration.Input | undefined
  /**
   * How many instances are kept.
   *
   * @default 1000
   */
  readonly maxInstances?: number | undefined
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
  /** Calls under way. */
  readonly inUse: number
  /** For how long there have been none. */
  readonly idle: Duration.Duration
}

/**
 * One instance of a policy per key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed<K, P extends Policy.Any> {
  /** The policy for a key. It holds no instance: each call uses the one of its time. */
  readonly for: (key: K) => Policy.Policy<Policy.EIn<P>, Policy.EOut<P>, Policy.Services<P>>
  /** The instance of a key, made if there is none: for asking and operating it. Counts as a use. */
  readonly get: (key: K) => Effect.Effect<P>
  /** The instances there are, in no particular order. Asking is no use. */
  readonly entries: Effect.Effect<ReadonlyArray<Entry<K, P>>>
}

type AnyPolicy = Policy.Policy<any, any, any>

const noPolicy: Policy.PolicyInfo["children"] = []

/** One that waits is interrupted, or every call would leave a fiber behind. */
const runNow = (context: Context.Context<never>, made: Effect.Effect<AnyPolicy>): AnyPolicy => {
  try {
    return Effect.runSyncWith(context)(made)
  } catch (error) {
    if (Cause.isAsyncFiberError(error)) error.fiber.interruptUnsafe()
    throw error
  }
}

class Pool<K> {
  readonly name: string | undefined
  readonly settings: Readonly<Record<string, unknown>>
  private readonly lookup: (key: K) => AnyPolicy
  private readonly instances = new KeyMap<K, kernel.Entry<K, AnyPolicy>>()
  private readonly table: kernel.Table<K, AnyPolicy>

  constructor(options: Options<K, any>, context: Context.Context<never>) {
    const where = "Keyed.make"
    const idle = positiveMillis(where, "idleTimeToLive", options.idleTimeToLive ?? "5 minutes", { infinite: true })
    const max = integer(where, "maxInstances", options.maxInstances ?? 1000, 1)
    if (typeof options.lookup !== "function") throw invalid(where, "lookup", options.lookup, "a function")
    this.name = options.name
    this.settings = { idleTimeToLive: Duration.millis(idle), maxInstances: max }
    this.lookup = (key) => {
      const made: AnyPolicy | Effect.Effect<AnyPolicy> = options.lookup(key)
      return Effect.isEffect(made) ? runNow(context, made) : made
    }
    this.table = new kernel.Table(this.instances, { idle, max, pinned: internal.pinned })
  }

  acquire(fiber: AnyFiber, key: K): kernel.Entry<K, AnyPolicy> {
    return this.table.acquire(key, now(fiber), this.lookup)
  }

  release(fiber: AnyFiber, entry: kernel.Entry<K, AnyPolicy>): void {
    this.table.release(entry, now(fiber))
  }

  entries(fiber: AnyFiber): ReadonlyArray<Entry<K, AnyPolicy>> {
    const at = now(fiber)
    this.table.sweep(at)
    return Array.from(this.instances.values(), ({ idleSince, key, uses, value }) => ({
      key,
      policy: value,
      inUse: uses,
      idle: Duration.millis(uses > 0 ? 0 : at - idleSince)
    }))
  }
}

class ForKey<K> implements internal.Implementation {
  private readonly pool: Pool<K>
  private readonly key: K

  constructor(pool: Pool<K>, key: K) {
    this.pool = pool
    this.key = key
  }

  get info(): Policy.PolicyInfo {
    const { name, settings } = this.pool
    return { kind: "keyed", name, settings: { key: this.key, ...settings }, children: noPolicy }
  }

  effect(self: AnyEffect): AnyEffect {
    return new KeyedEffect(self, this.pool, this.key)
  }

  stream(self: AnyStream): AnyStream {
    const { key, pool } = this
    return fromPull((scope) =>
      Effect.suspend(() => {
        let entry: kernel.Entry<K, AnyPolicy> | undefined
        const release = Effect.withFiber((fiber) => {
          if (entry !== undefined) pool.release(fiber, entry)
          return Effect.void
        })
        const opened = Effect.withFiber((fiber) => {
          entry = pool.acquire(fiber, key)
          return open(entry.value.stream(self), scope)
        })
        // added first, the finalizer runs after those of the stream itself
        return Effect.andThen(Scope.addFinalizer(scope, release), opened)
      })
    )
  }
}

class KeyedEffect<K> extends Primitive {
  private readonly self: AnyEffect
  private readonly pool: Pool<K>
  private readonly key: K

  constructor(self: AnyEffect, pool: Pool<K>, key: K) {
    super()
    this.self = self
    this.pool = pool
    this.key = key
  }

  run(): AnyEffect {
    const { key, pool, self } = this
    let entry: kernel.Entry<K, AnyPolicy> | undefined
    // the frame that gives the instance back is on the stack before it is taken
    return Effect.onExitPrimitive(
      Effect.withFiber((fiber) => {
        entry = pool.acquire(fiber, key)
        return entry.value(self)
      }),
      () => {
        if (entry !== undefined) pool.release(Fiber.getCurrent()!, entry)
        return undefined
      }
    )
  }
}

const keyed = <K, P extends Policy.Any>(pool: Pool<K>): Keyed<K, P> => ({
  for: (key) => internal.make(new ForKey(pool, key)),
  get: (key) =>
    Effect.withFiber((fiber) => {
      const entry = pool.acquire(fiber, key)
      pool.release(fiber, entry)
      return Effect.succeed(entry.value as AnyPolicy & P) // what this pool's lookup has made
    }),
  entries: Effect.withFiber((fiber) => Effect.succeed(pool.entries(fiber) as ReadonlyArray<Entry<K, AnyPolicy & P>>) // likewise
  )
})

/**
 * Makes a `Keyed` without an effect, for module scope; a `lookup` that is an effect then runs without services. A bad option
 * throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <K, P extends Policy.Any>(options: Options<K, P>): Keyed<K, P> =>
  keyed(new Pool(options, Context.empty()))

/**
 * Makes a `Keyed`. One with a name is in the snapshot of the `PolicyRegistry`, if there is one, with the number of its
 * instances.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, P extends Policy.Any>(options: Options<K, P>): Effect.Effect<Keyed<K, P>> =>
  Effect.withFiber((fiber) => {
    const pool = new Pool(options, fiber.context)
    register(fiber, pool, {
      kind: "keyed",
      name: options.name,
      report: (pool, fiber) => {
        const entries = pool.entries(fiber)
        return { instances: entries.length, inUse: entries.filter(({ inUse }) => inUse > 0).length }
      }
    })
    return Effect.succeed(keyed<K, P>(pool))
  })
