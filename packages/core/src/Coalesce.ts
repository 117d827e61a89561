/**
 * One call in flight per key: callers who ask in the meantime share its outcome. Also known as single flight (Go),
 * request collapsing (Hystrix) or deduplication.
 *
 * Every caller of a key gets the same result, so `Coalesce` is an operator and not a `Policy`: `op(self)` for effects,
 * `op.stream(self)` for streams, and {@link Coalesce.for} gives the operator of a key.
 *
 * **Details**
 *
 * All waiters get the same exit: value, errors, defects. The call belongs to none of them. If one waiter is interrupted, the
 * others wait on. If the last one is interrupted, so is the call, and that waiter waits for its clean-up. A caller who asks
 * after that, or after the call has ended, begins a new one: nothing is remembered.
 *
 * The call runs with the services of the first caller, but without what belongs to that caller alone: the `Deadline`, the
 * attempt number of a retry (`Schedule.CurrentMetadata`) and the `Scope`. Log annotations, parent span and telemetry listener
 * are the first caller's. A call that asks for its own key runs on its own, because it would wait for itself.
 *
 * A caller can join a stream until its first element has come out, so all readers see all of it. After that, the next caller
 * begins a new stream. The fastest reader is at most `capacity` chunks ahead of the slowest. When the last reader has gone,
 * the stream is closed.
 *
 * **Gotchas**
 *
 * A key must name everything that the answer depends on, including whose data it is. Put timeouts for one caller outside, and
 * timeouts and retries for the shared call inside. A call that needs the caller's `Scope` dies, because it has none.
 *
 * **Example** (A hundred callers, one call)
 *
 * ```ts import.meta.vitest
 * import { Coalesce } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * let calls = 0
 * const load = (id: string): Effect.Effect<string> => Effect.as(Effect.sleep("2 millis"), `user ${id}, call ${++calls}`)
 *
 * const program = Effect.gen(function*() {
 *   const users = yield* Coalesce.make<string>()
 *   const user = (id: string) => Effect.suspend(() => load(id)).pipe(users.for(id))
 *   const all = yield* Effect.forEach(Array.from({ length: 100 }), () => user("7"), { concurrency: "unbounded" })
 *   return new Set(all)
 * })
 *
 * await Effect.runPromise(program) // => new Set(["user 7, call 1"])
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { CoalesceEffect, Coalescer } from "./internal/coalesce.ts"
import { type AnyStream, fromPull } from "./internal/establish.ts"
import { ownKey } from "./internal/keyMap.ts"
import { checkedOptions, integer } from "./internal/options.ts"
import type { AnyEffect } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import type * as Policy from "./Policy.ts"

/**
 * How far apart the readers of a shared stream may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * How many chunks the fastest reader of a stream may be ahead of the slowest.
   *
   * @default 16
   */
  readonly capacity?: number | undefined
}

/**
 * Coalesces the calls of one key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operator<in out A, in out E = never> {
  <R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  readonly stream: <R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  readonly info: Policy.PolicyInfo
}

/**
 * Coalesces calls that give an `A` or fail with an `E`. As an operator it has one key of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesce<in out A, in out E = never, in K = string> extends Operator<A, E> {
  /** The operator for a key. */
  readonly for: (key: K) => Operator<A, E>
  /** The number of calls in flight, and of streams that a caller can still join. */
  readonly inFlight: Effect.Effect<number>
}

const operator = <A, E>(coalescer: Coalescer, key: unknown): Operator<A, E> =>
  Object.assign((self: AnyEffect): AnyEffect => new CoalesceEffect(self, coalescer, key), {
    stream: (self: AnyStream): AnyStream => fromPull((scope) => coalescer.stream(self, key, scope)),
    info: coalescer.info
  })

const coalesce = <A, E, K>(coalescer: Coalescer): Coalesce<A, E, K> =>
  Object.assign(operator<A, E>(coalescer, ownKey), {
    for: (key: K) => operator<A, E>(coalescer, key),
    inFlight: Effect.sync(() => coalescer.inFlight)
  })

const coalescerOf = (options: Options): Coalescer => {
  const where = "Coalesce.make"
  const { capacity, name } = checkedOptions(where, options)
  return new Coalescer(name, capacity === undefined ? undefined : integer(where, "capacity", capacity, 1))
}

/**
 * As {@link make}, a plain value, for the scope of a module. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <A, E = never, K = string>(options: Options = {}): Coalesce<A, E, K> =>
  coalesce(coalescerOf(options))

/**
 * Makes an operator that coalesces calls that give an `A` or fail with an `E`, by keys of type `K`. Keys are compared by
 * `Equal`. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never, K = string>(options: Options = {}): Effect.Effect<Coalesce<A, E, K>> =>
  Effect.withFiber((fiber) => {
    const coalescer = coalescerOf(options)
    register(fiber, coalescer, {
      kind: "coalesce",
      name: options.name,
      report: ({ inFlight }) => ({ inFlight })
    })
    return Effect.succeed(coalesce<A, E, K>(coalescer))
  })
