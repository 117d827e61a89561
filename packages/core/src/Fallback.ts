/**
 * Gives something else when a call fails: another answer ({@link to}, {@link toStream}) or the last good one
 * ({@link makeStale}).
 *
 * A fallback changes the type of what it wraps, so it is an operator and not a `Policy`: `op(self)` for effects,
 * `op.stream(self)` for streams. Put it outermost, outside the policies that retry and reject.
 *
 * **Details**
 *
 * It handles only typed failures. A cause with a defect keeps the defect, which is a bug. An interruption stays as well:
 * nobody waits any more. If one cause has several failures, the fallback must handle all of them.
 *
 * A stream falls back only before its first element. It closes what it had opened, and then the other stream opens. After the
 * first element a failure stays a failure: half of one answer and the whole of another are no answer. The errors therefore
 * stay in the type of a stream.
 *
 * What this adds to `Effect.catch`: streams that never join two answers, telemetry, and stale values.
 *
 * **Example** (A cached price when the circuit is open)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Fallback } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const breaker = CircuitBreaker.makeUnsafe()
 * const price = Effect.succeed(12).pipe(
 *   breaker,
 *   Fallback.to(() => Effect.succeed(10), { when: CircuitBreaker.isCircuitOpen })
 * ) // Effect<number>: CircuitOpen has left the error channel
 *
 * await Effect.runPromise(price) // => 12
 * await Effect.runPromise(Effect.andThen(breaker.isolate, price)) // => 10
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import type * as Fault from "./Fault.ts"
import type { AnyStream } from "./internal/establish.ts"
import * as internal from "./internal/fallback.ts"
import { ownKey } from "./internal/keyMap.ts"
import { callable, checkedOptions, integer, positiveMillis } from "./internal/options.ts"
import type { AnyEffect } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { Memory, StaleEffect, staleStream } from "./internal/stale.ts"
import { now } from "./internal/time.ts"
import type * as Policy from "./Policy.ts"

/**
 * An operator for effects with the errors `EIn`. It removes `Handled` from the error channel and adds `B` to the result. The
 * alternative may fail with `EOut` and need `R`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fallback<in out EIn, in out Handled, out B, out EOut = never, out R = never> {
  <A, RX>(self: Effect.Effect<A, EIn, RX>): Effect.Effect<A | B, Exclude<EIn, Handled> | EOut, RX | R>
  /** The errors stay in the type: after the first element they are not handled. */
  readonly stream: <A, E extends EIn, RX>(self: Stream.Stream<A, E, RX>) => Stream.Stream<A | B, E | EOut, RX | R>
  readonly info: Policy.PolicyInfo
}

/**
 * A {@link Fallback} for effects with any errors that include the tags `Tag`: it was made without an effect, by tags or by a
 * type guard.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyFallback<in out Tag extends string, in out Handled, out B, out EOut = never, out R = never> {
  <A, E, RX>(
    self: Effect.Effect<A, E, RX> & HasTags<Tag, E>
  ): Effect.Effect<A | B, Exclude<E, Handled> | EOut, RX | R>
  /** The errors stay in the type: after the first element they are not handled. */
  readonly stream: <A, E, RX>(
    self: Stream.Stream<A, E, RX> & HasTags<Tag, E>
  ) => Stream.Stream<A | B, E | EOut, RX | R>
  readonly info: Policy.PolicyInfo
}

/**
 * The stream face of a {@link Fallback} alone.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamFallback<EIn, B, EOut = never, R = never> = Pick<
  Fallback<EIn, never, B, EOut, R>,
  "stream" | "info"
>

/**
 * Says nothing if there are errors with the tags `Tag` among `E`, and is otherwise a type that nothing has, with the tags that
 * are missing in its name.
 *
 * @category models
 * @since 0.1.0
 */
export type HasTags<Tag extends string, E> = [Tag] extends [Types.Tags<E>] ? unknown
  : { readonly "no error has the tag": Exclude<Tag, Types.Tags<E>> }

/**
 * Which failures are handled; all typed ones, if neither is given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out Tag extends string = string, out When = Predicate.Predicate<never>> {
  /** For telemetry and {@link Policy.explain}. */
  readonly name?: string | undefined
  /** Only errors with one of these tags. They leave the error channel. */
  readonly tags?: ReadonlyArray<Tag> | undefined
  /** Only errors of which this is true. If it is a type guard, they leave the error channel. */
  readonly when?: When | undefined
}

type Tagged<Tag extends string> = { readonly _tag: Tag }
type WithTag<E, Tag extends string> = E extends Tagged<Tag> ? E : never
type ByTag<E, Tag extends string> = [Tag] extends [never] ? E : WithTag<E, Tag>
type Guarded<When> = When extends (error: any) => error is infer E ? E : never

/** The errors of which the fallback is made. */
type Given<E, Tag extends string, When> = [Guarded<When>] extends [never] ? ByTag<E, Tag>
  : ByTag<E, Tag> & Guarded<When>

/** Those of them that are certain to be handled, which a mere predicate says of none. */
type Gone<E, Tag extends string, When> = [Guarded<When>] extends [never] ? never
  : Extract<ByTag<E, Tag>, Guarded<When>>

interface Named {
  readonly name?: string | undefined
}

/**
 * Falls back to the effect that `f` returns for the error. Without options, it handles every typed error. The handled errors
 * leave the error channel of an effect. A stream that falls back has the one element that `f` gives; {@link toStream} gives a
 * stream.
 *
 * **Details**
 *
 * The compiler rejects a tag that no error of the effect has, as it does for `Effect.catchTag`. It knows the type of `f`'s
 * error in a `pipe` of an effect, and with the effect or stream as the first argument.
 *
 * **Example** (By tag, by predicate)
 *
 * ```ts import.meta.vitest
 * import { Fallback } from "@effect-resilience/core"
 * import { Data, Effect } from "effect"
 *
 * class Missing extends Data.TaggedError("Missing")<{ readonly id: number }> {}
 * class Down extends Data.TaggedError("Down")<{}> {}
 * const find = (id: number): Effect.Effect<string, Missing | Down> => new Missing({ id })
 *
 * const byTag = find(1).pipe(Fallback.to((error) => Effect.succeed(`user ${error.id}`), { tags: ["Missing"] }))
 * await Effect.runPromise(byTag) // => "user 1"
 *
 * const isMissing = (error: unknown): error is Missing => error instanceof Missing
 * const byGuard = Fallback.to(find(2), (error) => Effect.succeed(`user ${error.id}`), { when: isMissing })
 * await Effect.runPromise(byGuard) // => "user 2"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const to: {
  <E, B, E2 = never, R = never>(
    f: (error: E) => Effect.Effect<B, E2, R>,
    options?: Named
  ): Fallback<E, unknown, B, E2, R>
  <E, const Tag extends Types.Tags<E>, B, E2 = never, R = never>(
    f: (error: WithTag<E, Tag>) => Effect.Effect<B, E2, R>,
    options: Named & { readonly tags: ReadonlyArray<Tag> }
  ): Fallback<E, WithTag<E, Tag>, B, E2, R>
  <const Tag extends string, B, E2 = never, R = never>(
    f: (error: Tagged<Tag>) => Effect.Effect<B, E2, R>,
    options: Named & { readonly tags: ReadonlyArray<Tag> }
  ): AnyFallback<Tag, Tagged<Tag>, B, E2, R>
  <E, When extends Predicate.Predicate<E>, B, E2 = never, R = never>(
    f: (error: Given<E, never, When>) => Effect.Effect<B, E2, R>,
    options: Named & { readonly when: When }
  ): unknown extends E ? AnyFallback<never, Guarded<When>, B, E2, R> : Fallback<E, Guarded<When>, B, E2, R>
  <E, B, E2 = never, R = never>(
    f: (error: E) => Effect.Effect<B, E2, R>,
    options: Named & { readonly when: Predicate.Predicate<E> }
  ): Fallback<E, never, B, E2, R>
  <A, E, RX, B, E2 = never, R = never, const Tag extends Types.Tags<E> = never>(
    self: Effect.Effect<A, E, RX>,
    f: (error: ByTag<E, Tag>) => Effect.Effect<B, E2, R>,
    options?: Named & { readonly tags?: ReadonlyArray<Tag> | undefined }
  ): Effect.Effect<A | B, Exclude<E, ByTag<E, Tag>> | E2, RX | R>
  <
    A,
    E,
    RX,
    When extends Predicate.Predicate<E>,
    B,
    E2 = never,
    R = never,
    const Tag extends Types.Tags<E> = never
  >(
    self: Effect.Effect<A, E, RX>,
    f: (error: Given<E, Tag, When>) => Effect.Effect<B, E2, R>,
    options: Options<Tag, When> & { readonly when: When }
  ): Effect.Effect<A | B, Exclude<E, Gone<E, Tag, When>> | E2, RX | R>
  <
    A,
    E,
    RX,
    B,
    E2 = never,
    R = never,
    const Tag extends Types.Tags<E> = never,
    When extends Predicate.Predicate<E> = Predicate.Predicate<E>
  >(
    self: Stream.Stream<A, E, RX>,
    f: (error: Given<E, Tag, When>) => Effect.Effect<B, E2, R>,
    options?: Options<Tag, When>
  ): Stream.Stream<A | B, E | E2, RX | R>
} = (...args: ReadonlyArray<any>): any => {
  if (typeof args[1] !== "function") return internal.to(args[0], args[1])
  const [self, f, options] = args
  return Stream.isStream(self) ? internal.to(f, options).stream(self) : internal.to(f, options)(self)
}

/**
 * As {@link to}, for streams: falls back to the stream that `f` makes of the error, before the first element.
 *
 * **Example** (Another region)
 *
 * ```ts import.meta.vitest
 * import { Fallback } from "@effect-resilience/core"
 * import { Effect, Stream } from "effect"
 *
 * const other = Fallback.toStream((_: string) => Stream.make("from", "elsewhere"))
 *
 * await Effect.runPromise(Stream.runCollect(Stream.fail("down").pipe(other.stream))) // => ["from", "elsewhere"]
 *
 * const late = Stream.concat(Stream.make("half"), Stream.fail("reset")).pipe(other.stream)
 * await Effect.runPromise(Effect.flip(Stream.runCollect(late))) // => "reset"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const toStream: {
  <const Tag extends string, B, E2 = never, R = never>(
    f: (error: Tagged<Tag>) => Stream.Stream<B, E2, R>,
    options: Named & { readonly tags: ReadonlyArray<Tag> }
  ): Pick<AnyFallback<Tag, Tagged<Tag>, B, E2, R>, "stream" | "info">
  <E, B, E2 = never, R = never>(
    f: (error: E) => Stream.Stream<B, E2, R>,
    options?: Options<Types.Tags<E>, Predicate.Predicate<E>>
  ): StreamFallback<E, B, E2, R>
  <
    A,
    E,
    RX,
    B,
    E2 = never,
    R = never,
    const Tag extends Types.Tags<E> = never,
    When extends Predicate.Predicate<E> = Predicate.Predicate<E>
  >(
    self: Stream.Stream<A, E, RX>,
    f: (error: Given<E, Tag, When>) => Stream.Stream<B, E2, R>,
    options?: Options<Tag, When>
  ): Stream.Stream<A | B, E | E2, RX | R>
} = (...args: ReadonlyArray<any>): any => {
  if (typeof args[1] !== "function") return internal.toStream(args[0], args[1])
  return internal.toStream(args[1], args[2]).stream(args[0])
}

/**
 * A value that is served instead of a failure.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleValue<out A> {
  /** The last good one. */
  readonly value: A
  /** How old a value may be, counted from the question. */
  readonly age: Duration.Duration
  /** The failure of now. */
  readonly cause: Cause.Cause<unknown>
}

/**
 * Which values are remembered, and how long each may be served.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleOptions<in A, out B = A> {
  /** For telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /** The age up to which a value is served. */
  readonly timeToLive: Duration.Input
  /**
   * How many keys are remembered, effects and streams apart; the one whose value was replaced longest ago goes first.
   *
   * @default 1000
   */
  readonly capacity?: number | undefined
  /**
   * The longest stream that is remembered, in elements.
   *
   * @default 256
   */
  readonly maxElements?: number | undefined
  /**
   * Turns a stale value into the caller's result, for example one with its age. For a stream, it turns every element.
   *
   * @default the value as it was
   */
  readonly as?: ((stale: StaleValue<A>) => B) | undefined
  /**
   * Replaces the default classification.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
}

/**
 * {@link makeStale} for one key.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleOperator<in out A, out B = A> {
  <E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | B, E, R>
  readonly stream: <E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A | B, E, R>
  readonly info: Policy.PolicyInfo
}

/**
 * Remembers good values. As an operator it remembers one; {@link for} gives the operator of a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stale<in out A, out B = A, in K = string> extends StaleOperator<A, B> {
  /** The operator for a key. */
  readonly for: (key: K) => StaleOperator<A, B>
  /**
   * Forgets the value of a key, for example because it was changed here. The answer to an earlier question does not bring it
   * back.
   */
  readonly invalidate: (key: K) => Effect.Effect<void>
  /** The number of values and streams that are remembered: a key can have one of each. */
  readonly size: Effect.Effect<number>
}

const memoryOf = (options: StaleOptions<any, unknown>): Memory => {
  const where = "Fallback.makeStale"
  checkedOptions(where, options)
  return new Memory({
    name: options.name,
    timeToLive: positiveMillis(where, "timeToLive", options.timeToLive, { infinite: true }),
    capacity: integer(where, "capacity", options.capacity ?? 1000, 1),
    maxElements: integer(where, "maxElements", options.maxElements ?? 256, 1),
    as: callable(where, "as", options.as),
    classify: callable(where, "classify", options.classify)
  })
}

const operator = <A, B>(memory: Memory, key: unknown): StaleOperator<A, B> =>
  Object.assign((self: AnyEffect): AnyEffect => new StaleEffect(self, memory, key), {
    stream: (self: AnyStream) => staleStream(self, memory, key),
    info: memory.info
  })

const staleOf = <A, B, K>(memory: Memory): Stale<A, B, K> =>
  Object.assign(operator<A, B>(memory, ownKey), {
    for: (key: K) => operator<A, B>(memory, key),
    invalidate: (key: K) =>
      Effect.withFiber((fiber) => {
        memory.forget(key, now(fiber))
        return Effect.void
      }),
    size: Effect.sync(() => memory.size)
  })

/**
 * Stale-while-error: remembers the last good value, per key, and serves it when the call fails in a way that may pass:
 * transient, throttled, or rejected by a policy. A permanent failure is an answer, and forgets the value; defects and
 * interruptions pass through (RFC 5861 section 4 is the same idea for HTTP).
 *
 * It never saves a call: for that, use a cache. It has a memory: make it once and share it. A key must name whose data it is,
 * or one user gets what another one saw. Keys are compared by `Equal`. A bad option throws a `RangeError`.
 *
 * A value is as old as the question: an answer to an earlier question does not replace an answer to a later one. A stream is
 * remembered if it has ended well and was not too long, and served when the next one fails before its first element.
 *
 * **Example** (The user as he was)
 *
 * ```ts import.meta.vitest
 * import { Fallback } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * interface User {
 *   readonly name: string
 *   readonly stale?: boolean
 * }
 * const stale = Fallback.makeStaleUnsafe({
 *   timeToLive: "5 minutes",
 *   as: ({ value }: Fallback.StaleValue<User>): User => ({ ...value, stale: true })
 * })
 * const user = (id: string, call: Effect.Effect<User, string>) => call.pipe(stale.for(id))
 *
 * await Effect.runPromise(user("1", Effect.succeed({ name: "Ada" }))) // => { name: "Ada" }
 * await Effect.runPromise(user("1", Effect.fail("down"))) // => { name: "Ada", stale: true }
 * await Effect.runPromise(Effect.flip(user("2", Effect.fail("down")))) // => "down"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStaleUnsafe = <A, B = A, K = string>(options: StaleOptions<A, B>): Stale<A, B, K> =>
  staleOf(memoryOf(options))

/**
 * As {@link makeStaleUnsafe}. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStale = <A, B = A, K = string>(options: StaleOptions<A, B>): Effect.Effect<Stale<A, B, K>> =>
  Effect.withFiber((fiber) => {
    const memory = memoryOf(options)
    register(fiber, memory, { kind: "fallback stale", name: options.name, report: ({ size }) => ({ size }) })
    return Effect.succeed(staleOf<A, B, K>(memory))
  })
