/**
 * Begins another attempt beside a slow one, and takes the first answer.
 *
 * Suppose that one answer in twenty takes ten times as long as the others. A second attempt after the time in which 95 %
 * answer removes most of that tail, for 5 % more calls (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013). Hedge calls
 * that may be made twice, to a callee with room for more; a `RetryBudget` keeps hedges from loading a callee without room.
 *
 * **Details**
 *
 * Another attempt begins `after` a delay since the one before, or at once when one fails with a transient fault, up to
 * `maxHedges` of them. The first success is delivered at once. The losers are interrupted and cleaned up in the background; a
 * defect there goes to `Telemetry`, and to the log if nobody listens. If all fail, the outcome is that of the attempt that
 * began first. A permanent failure, a defect or an attempt that interrupts itself ends the race: another answer would be the
 * same. No attempt begins after a throttled failure, a rejection by another policy, or a transient failure with a pause that
 * the callee asked for; those in flight go on. `classify` replaces all of that. No other attempt begins at or after the
 * ambient `Deadline`.
 *
 * With `after: { quantile }` the hedge learns the delay from the times of first attempts. If an attempt is beaten, fails or
 * is interrupted, only a lower bound of its time is known. The estimate uses it as that, so the share of hedged calls stays
 * as requested. Until `minCalls` calls have answered, a hedge begins only after a failure. The time that a call waits in a
 * bulkhead or a limiter inside is not part of its time, and the delay begins after it.
 *
 * An interruption of the caller interrupts all attempts and waits for them. Every attempt inherits the caller's services, the
 * deadline among them, and its async context. The winner keeps what it acquired in the caller's `Scope`; a loser's part
 * closes when it loses.
 *
 * A stream is raced to its first element: the losers are closed, the winner goes on.
 *
 * **Gotchas**
 *
 * Every attempt runs in a fiber of its own: changes to its own services stay there, and fibers that it forks with
 * `Effect.forkChild` end with it.
 *
 * What this adds to `Effect.race`: the second attempt begins only if it is needed, the winner does not wait for the loser's
 * clean-up, a permanent failure ends the race, budgets, a learnt delay, telemetry, streams.
 *
 * **Example** (The first replica hangs)
 *
 * ```ts import.meta.vitest
 * import { Hedge } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hedge = Hedge.makeUnsafe({ after: "10 millis" })
 * let attempts = 0
 * const call = Effect.suspend(() => ++attempts === 1 ? Effect.never : Effect.succeed(`attempt ${attempts}`))
 *
 * await Effect.runPromise(call.pipe(hedge)) // => "attempt 2"
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Stream from "effect/Stream"
import type * as Fault from "./Fault.ts"
import { type AnyStream, establishOneOf } from "./internal/establish.ts"
import { Hedging } from "./internal/hedging.ts"
import { invalid } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyEffect } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import type * as Policy from "./Policy.ts"
import type { RetryBudget } from "./RetryBudget.ts"

/**
 * A delay that the hedge learns from the times of the last 500 to 1000 calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface Learnt {
  /** The share of the calls that answer within the delay, between 0 and 1: 0.95 hedges one call in twenty. */
  readonly quantile: number
  /**
   * How many calls have to answer before there is a delay.
   *
   * @default 20
   */
  readonly minCalls?: number | undefined
  /**
   * The delay as long as nothing is known.
   *
   * @default no hedge but after a failure
   */
  readonly initialDelay?: Duration.Input | undefined
  /**
   * The shortest delay that is learnt.
   *
   * @default "1 millis"
   */
  readonly minDelay?: Duration.Input | undefined
  /**
   * The longest delay that is learnt.
   *
   * @default unlimited
   */
  readonly maxDelay?: Duration.Input | undefined
}

/**
 * When another attempt begins, and how many there may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * When another attempt begins: a time after the one before, or a share of the calls. With 0 all begin together; with an
   * infinite time, another begins only after a failure.
   */
  readonly after: Duration.Input | Learnt
  /**
   * How many attempts there are beside the first one, 1 to 10.
   *
   * @default 1
   */
  readonly maxHedges?: number | undefined
  /**
   * What all calls to the callee may spend on further attempts; share one between them.
   *
   * @default no bound but that of each call
   */
  readonly budget?: RetryBudget | undefined
  /**
   * Replaces the default classification of failures.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
  /**
   * Says which fault a value is, if any. Such a value is hedged and counted as that fault, and returned unchanged if no other
   * attempt does better. For a stream, this is asked about the first element.
   *
   * @default no value is a fault
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
}

/**
 * What a hedge knows of its delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** The delay now; infinite while there is none. */
  readonly delay: Duration.Duration
  /** How many answers the delay is learnt from; 0 for a given delay. */
  readonly answers: number
}

/**
 * A hedge is a policy, and can be asked for its delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hedge extends Policy.Policy {
  /** The delay now. */
  readonly state: Effect.Effect<State>
}

const HedgeProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: Hedge): Hedge["state"] {
      const hedging = internal.implementationOf<Hedging>(this)
      return Effect.sync(() => ({ delay: Duration.millis(hedging.delay), answers: hedging.answers }))
    }
  }
})

/**
 * Makes a hedge without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options): Hedge => internal.make(new Hedging(options), HedgeProto)

/**
 * Makes a hedge. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * **Example** (One call in twenty, and never more than a tenth)
 *
 * ```ts import.meta.vitest
 * import { Hedge, RetryBudget } from "@effect-resilience/core"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.make({ funding: RetryBudget.traffic({ ratio: 0.1, minPerSecond: 1 }) })
 *   const hedge = yield* Hedge.make({ after: { quantile: 0.95 }, budget })
 *   yield* Effect.replicateEffect(hedge(Effect.void), 20, { discard: true })
 *   const { answers, delay } = yield* hedge.state
 *   return [answers, Duration.isLessThan(delay, Duration.seconds(1))] // before the first 20 answers it is infinite
 * })
 *
 * await Effect.runPromise(program) // => [20, true]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Hedge> =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    register(fiber, internal.implementationOf<Hedging>(policy), {
      kind: "hedge",
      name: options.name,
      report: ({ answers, delay }) => ({ delayMillis: Number.isFinite(delay) ? delay : null, answers })
    })
    return Effect.succeed(policy)
  })

type AnyEffects = readonly [Effect.Effect<any, any, any>, ...Array<Effect.Effect<any, any, any>>]
type AnyStreams = readonly [AnyStream, ...Array<AnyStream>]

/**
 * A race against other effects.
 *
 * @category models
 * @since 0.1.0
 */
export interface Alternatives<out A, out E, out R> {
  <A1, E1, R1>(self: Effect.Effect<A1, E1, R1>): Effect.Effect<A | A1, E | E1, R | R1>
  readonly info: Policy.PolicyInfo
}

/**
 * A race against other streams.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamAlternatives<out A, out E, out R> {
  readonly stream: <A1, E1, R1>(self: Stream.Stream<A1, E1, R1>) => Stream.Stream<A | A1, E | E1, R | R1>
  readonly info: Policy.PolicyInfo
}

/**
 * Hedges with other effects, or other streams, instead of the same one again: another endpoint, another region, a smaller
 * model. The n-th attempt is the n-th of `others`, and there are as many as those, whatever `maxHedges` says. One endpoint says
 * nothing about another, so the next attempt begins at once also after a throttled failure and after a rejection by another
 * policy.
 *
 * The delay, its memory and the budget are those of `hedge`: make that once.
 *
 * **Example** (Another region)
 *
 * ```ts import.meta.vitest
 * import { Hedge } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hedge = Hedge.makeUnsafe({ after: "10 millis" })
 * const west = Effect.never
 * const east = Effect.succeed("east")
 *
 * await Effect.runPromise(west.pipe(Hedge.alternatives(hedge, [east]))) // => "east"
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const alternatives: {
  <const Others extends AnyEffects>(hedge: Hedge, others: Others): Alternatives<
    Effect.Success<Others[number]>,
    Effect.Error<Others[number]>,
    Effect.Services<Others[number]>
  >
  <const Others extends AnyStreams>(hedge: Hedge, others: Others): StreamAlternatives<
    Stream.Success<Others[number]>,
    Stream.Error<Others[number]>,
    Stream.Services<Others[number]>
  >
} = (hedge: Hedge, others: AnyEffects | AnyStreams): any => {
  const where = "Hedge.alternatives"
  const hedging: unknown = Predicate.isFunction(hedge) ? internal.implementationOf(hedge) : undefined
  if (!(hedging instanceof Hedging)) throw invalid(where, "hedge", hedge, "a Hedge")
  if (!(Array.isArray(others) && others.length > 0)) {
    throw invalid(where, "others", others, "at least one effect or stream")
  }
  const { info } = hedging
  return Object.assign((self: AnyEffect) => hedging.race([self, ...others as AnyEffects], true), {
    stream: (self: AnyStream) => establishOneOf((all) => hedging.race(all, false), [self, ...others as AnyStreams]),
    info: { ...info, kind: "hedge alternatives", settings: { ...info.settings, maxHedges: others.length } }
  })
}
