import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/** The brand of policies. */
export const TypeId = "~effect-resilience/core/Policy"

/**
 * What the compiler infers a policy's types from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Variance<in EIn, out EOut, out R> {
  readonly _EIn: (_: EIn) => void
  readonly _EOut: (_: never) => EOut
  readonly _R: (_: never) => R
}

/**
 * What a policy tells about itself: for printing it, and for finding settings that contradict each other.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyInfo {
  /** The field's term for it, for example `circuit-breaker`. */
  readonly kind: string
  /** The name that the policy was given. */
  readonly name?: string | undefined
  /** Under the names of the options; what is `undefined` is not printed. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The policies it is made of, outermost first. */
  readonly children: ReadonlyArray<PolicyInfo>
}

/**
 * A policy: wraps any effect, and by `stream` any stream, whose errors it accepts (`EIn`); adds its own errors (`EOut`) and
 * the services that it needs (`R`), and changes nothing else about the type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<in EIn = unknown, out EOut = never, out R = never> {
  readonly [TypeId]: Variance<EIn, EOut, R>
  <A, E extends EIn, RX>(self: Effect.Effect<A, E, RX>): Effect.Effect<A, E | EOut, RX | R>
  readonly stream: <A, E extends EIn, RX>(self: Stream.Stream<A, E, RX>) => Stream.Stream<A, E | EOut, RX | R>
  readonly info: PolicyInfo
}
