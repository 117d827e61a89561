/**
 * Stops calling a callee that fails, and finds out when it works again.
 *
 * A **closed** circuit lets every call through and counts outcomes. When a rule of `trip` is met, the circuit **opens** and
 * rejects every call with {@link CircuitOpen}, without calling. After the open time it is **half-open** and lets
 * `halfOpen.probes` calls through. Their success closes the circuit; their failure opens it again, for longer.
 *
 * **Details**
 *
 * The {@link Fault} decides what counts as a failure. Transient failures and defects count. A permanent failure is a success,
 * because the callee answered. Rejections by other policies and interruptions count for nothing and free their probe.
 * Throttling counts for nothing while the circuit is closed. A throttled probe opens the circuit again, for no longer than
 * before, because the callee has asked for a pause. `result` says which values are faults.
 *
 * A deadline that ends a call, wherever it comes from, makes the call a failure if the callee has owed an answer for
 * `hangsAfter`. A callee that hangs therefore trips the circuit even if a total timeout outside interrupts the call, and an
 * impatient caller does not. A call that still waited for its turn, in a bulkhead or a limiter inside, owed nothing. A stream
 * owes an answer while somebody pulls; the consumer's own time does not count. `classify` replaces all of that.
 *
 * Every call carries the generation of the state that let it through: an outcome from before a change of state changes
 * nothing. There are no timers: the next call or reading after the open time makes the circuit half-open. A lost probe gives
 * its slot back after `halfOpen.lease`.
 *
 * Slow calls can count as well ({@link slowRate}), even while they are in flight. An operator can decide for the circuit:
 * `isolate` it, `observe` without rejecting, `disable` it, `open` it; and `reconfigure` it while it is in use.
 *
 * A stream is one call: its outcome is that of the whole stream, a probe succeeds with the first element, and a consumer
 * that stops early is an interruption.
 *
 * The states are Nygard's (Release It!, 2007). Slow calls and the states set by hand come from resilience4j, generations and
 * the open time by schedule from `effect/persistence`'s `CircuitBreaker`.
 *
 * **Gotchas**
 *
 * Outside a retry a breaker sees one outcome per logical call, inside a retry one per attempt. Make one instance, and share
 * it between all callers of one callee.
 *
 * What this adds to `effect/persistence`'s `CircuitBreaker`: time windows, slow calls, several probes with a ratio and a
 * lease, manual states, streams. A rejection costs 4 % of one by that breaker. Only Effect's shares its state through
 * Redis.
 *
 * **Example** (Five failures in a row)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({ name: "payments", trip: CircuitBreaker.consecutive(5) })
 *   let calls = 0
 *   const call = Effect.suspend(() => Effect.fail(`failure ${++calls}`)).pipe(breaker, Effect.flip)
 *   for (let i = 0; i < 5; i++) yield* call
 *   const error = yield* call
 *   const state = yield* breaker.state
 *   return { calls, error: typeof error === "string" ? error : error._tag, state: state._tag }
 * })
 *
 * await Effect.runPromise(program) // => { calls: 5, error: "CircuitOpen", state: "Open" }
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Fault from "./Fault.ts"
import { Breaker } from "./internal/circuitBreaker.ts"
import { gauges } from "./internal/circuitBreakerRecorder.ts"
import { slowCalls } from "./internal/circuitBreakerSlow.ts"
import { type CircuitOpen } from "./internal/errors.ts"
import { checkedOptions, integer, invalid, positiveMillis, ratio } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyFiber } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import type * as kernel from "./kernel/circuitBreaker.ts"
import type { Trip as KernelTrip } from "./kernel/trip.ts"
import { UnderWay } from "./kernel/underWay.ts"
import { lastCalls, lastMillis } from "./kernel/window.ts"
import type * as Policy from "./Policy.ts"
import type * as PolicyRegistry from "./PolicyRegistry.ts"

export { CircuitOpen, isCircuitOpen } from "./internal/errors.ts"

/**
 * When a closed circuit opens: {@link consecutive}, {@link failureRate} or {@link slowRate}.
 *
 * @category models
 * @since 0.1.0
 */
export type Trip = KernelTrip

/**
 * A share of the calls in a window.
 *
 * @category models
 * @since 0.1.0
 */
export type Share =
  & {
    /**
     * More than 0, at most 1.
     *
     * @default 0.5
     */
    readonly ratio?: number | undefined
    /**
     * A share of fewer calls is ignored.
     *
     * @default 20, or `calls` if that is less
     */
    readonly minCalls?: number | undefined
  }
  & (
    | {
      /** The last `calls` calls. */
      readonly calls: number
      readonly within?: never
    }
    | {
      /** The calls within this time. */
      readonly within: Duration.Input
      readonly calls?: never
    }
  )

/**
 * Trips after this many failures in a row.
 *
 * @category constructors
 * @since 0.1.0
 */
export const consecutive = (failures: number): Trip => ({
  kind: "consecutive",
  failures: integer("CircuitBreaker.consecutive", "failures", failures, 1)
})

const shareOf = (where: string, share: Share) => {
  const { calls, within } = checkedOptions(where, share)
  if ((calls === undefined) === (within === undefined)) {
    throw invalid(where, "the window", calls === undefined ? "none" : "both", "either calls or within")
  }
  const size = calls === undefined ? Infinity : integer(where, "calls", calls, 1)
  return {
    ratio: ratio(where, "ratio", share.ratio ?? 0.5),
    minCalls: integer(where, "minCalls", share.minCalls ?? Math.min(20, size), 1, size),
    over: within === undefined ? lastCalls(size) : lastMillis(positiveMillis(where, "within", within))
  }
}

/**
 * Trips when the share of failures is `ratio` or more, over the last `calls` calls or over the calls of the time `within`.
 * Every outcome checks the rule; it never trips on fewer than `minCalls` calls.
 *
 * A window of time has ten buckets and ages when it is read: calls from before a quiet hour no longer count.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failureRate = (options: Share): Trip => ({
  kind: "failure-rate",
  ...shareOf("CircuitBreaker.failureRate", options)
})

/**
 * Trips when the share of slow calls is `ratio` or more. A call that has not answered `after` that time is slow. It counts
 * from then on, while it is still in flight, so a callee that hangs trips the circuit before the first timeout.
 *
 * Half-open, a probe that succeeds slowly has failed. For a stream, the answer is its first element. A call whose outcome
 * counts for nothing is forgotten when it ends.
 *
 * **Example** (Ten calls that hang)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make({
 *     trip: CircuitBreaker.slowRate({ after: "1 millis", minCalls: 10, within: "30 seconds" })
 *   })
 *   for (let i = 0; i < 10; i++) yield* Effect.forkChild(breaker(Effect.never), { startImmediately: true })
 *   yield* Effect.sleep("20 millis")
 *   const error = yield* Effect.flip(breaker(Effect.succeed("not called")))
 *   return error._tag
 * })
 *
 * await Effect.runPromise(program) // => "CircuitOpen"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const slowRate = (options: Share & { readonly after: Duration.Input }): Trip => {
  const where = "CircuitBreaker.slowRate"
  return {
    kind: "slow-rate",
    after: positiveMillis(where, "after", checkedOptions(where, options).after),
    ...shareOf(where, options),
    watch: () => new UnderWay(),
    ...slowCalls
  }
}

/**
 * How a half-open circuit finds out whether the callee works again.
 *
 * @category models
 * @since 0.1.0
 */
export interface HalfOpen {
  /**
   * How many calls are let through.
   *
   * @default 1
   */
  readonly probes?: number | undefined
  /**
   * The share of the probes that have to succeed; more than 0, at most 1.
   *
   * @default 1
   */
  readonly ratio?: number | undefined
  /**
   * After this time a probe that has not answered gives its slot to another call. Its answer still counts.
   *
   * @default "30 seconds"
   */
  readonly lease?: Duration.Input | undefined
}

/**
 * When a circuit opens, for how long, and how it closes again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * One rule or several: the circuit opens when one of them is met. At most one may be a {@link slowRate}.
   *
   * @default failureRate({ ratio: 0.5, minCalls: 20, within: "30 seconds" })
   */
  readonly trip?: Trip | ReadonlyArray<Trip> | undefined
  /**
   * How long the circuit stays open. The n-th delay of a schedule is for the n-th opening in a row, and its last delay for
   * all later ones. Its steps must be synchronous. An open circuit sends one probe for each time open, so a longer one saves
   * the callee little, and makes the circuit later to close (`docs/laboratory/standard.md`).
   *
   * @default 10 seconds, doubling up to 30 seconds
   */
  readonly open?: Duration.Input | Schedule.Schedule<unknown, number> | undefined
  /**
   * Heeds the pause that the callee asks for. If a failure with such a hint opens the circuit, it stays open for at least
   * that pause. A throttled call with a hint opens the circuit at once, for that pause; without a hint it counts for nothing.
   * Neither is longer than `maxDelay`. An infinite hint means the time of `open`.
   *
   * @default hints are not looked at; `maxDelay` is 5 minutes
   */
  readonly retryAfter?: { readonly maxDelay?: Duration.Input | undefined } | undefined
  /**
   * How a half-open circuit finds out whether the callee works again.
   *
   * @default { probes: 1, ratio: 1, lease: "30 seconds" }
   */
  readonly halfOpen?: HalfOpen | undefined
  /**
   * How long the callee must have owed an answer for a deadline to count as a failure: a call that was let through with three
   * milliseconds left does not count. Waits for a permit, in a bulkhead or a limiter inside, do not count as owed. With zero,
   * every deadline counts; with an infinite time, none does.
   *
   * @default "1 second"
   */
  readonly hangsAfter?: Duration.Input | undefined
  /**
   * Replaces the default classification, the rule about the deadline included.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
  /**
   * Says which fault a returned value is, if any. The value counts as that fault, and the caller gets it unchanged. For a
   * stream, this is asked about the first element. `classify` is not asked about such a value.
   *
   * @default values are no faults
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
  /**
   * The state in which the breaker is made, and to which `reset` returns. An open time begins with the first call or reading.
   *
   * @default "Closed"
   */
  readonly initial?: "Closed" | "Open" | "HalfOpen" | "Isolated" | "MetricsOnly" | "Disabled" | undefined
}

/**
 * What can be changed while a circuit breaker is in use.
 *
 * @category models
 * @since 0.1.0
 */
export type Reconfiguration = Omit<Options, "name" | "initial">

/**
 * What a circuit breaker has counted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  /** Calls in the window of the first rule with a window; 0 with {@link consecutive} alone. */
  readonly calls: number
  /** In the same window. */
  readonly failures: number
  /** Failures since the last success. */
  readonly consecutiveFailures: number
  /** In the same window; only with {@link slowRate}. */
  readonly slow?: number
  /** Calls in flight that are slow already; only with {@link slowRate}. */
  readonly overdue?: number
}

/**
 * What a circuit breaker is doing.
 *
 * @category models
 * @since 0.1.0
 */
export type State =
  | { readonly _tag: "Closed" } & Counts
  | {
    readonly _tag: "Open"
    readonly retryAfter: Duration.Duration
    /** How many times in a row it has opened. */
    readonly openings: number
  }
  | {
    readonly _tag: "HalfOpen"
    /** Probes in flight. */
    readonly probing: number
    /** Probes that have succeeded. */
    readonly succeeded: number
  }
  | { readonly _tag: "Isolated" }
  | {
    readonly _tag: "MetricsOnly"
    /** Whether the rule is met: the circuit would be open. */
    readonly exceeded: boolean
  } & Counts
  | { readonly _tag: "Disabled" }

/**
 * A change of state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly from: State["_tag"]
  readonly to: State["_tag"]
}

/**
 * A call by hand that was let through. Only the first recorded outcome counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Admission {
  /** Tells how the call has ended. */
  readonly record: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  /** The call counts for nothing. */
  readonly release: Effect.Effect<void>
}

/**
 * A circuit breaker is a policy, and can be asked and operated.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker extends Policy.Policy<unknown, CircuitOpen> {
  /** The state now. Reading an open circuit after its open time makes it half-open. */
  readonly state: Effect.Effect<State>
  /** The changes of state from the subscription on. */
  readonly changes: Stream.Stream<Change>
  /**
   * Lets a call by hand through, for calls that do not end with an effect or a stream. A call that is not recorded when its
   * scope closes counts for nothing. A probe whose scope does not close gives its slot back after `halfOpen.lease`.
   *
   * **Example** (A call that ends with an event)
   *
   * ```ts import.meta.vitest
   * import { CircuitBreaker } from "@effect-resilience/core"
   * import { Effect, Exit } from "effect"
   *
   * const program = Effect.gen(function*() {
   *   const breaker = yield* CircuitBreaker.make({ trip: CircuitBreaker.consecutive(1) })
   *   const admission = yield* breaker.admit
   *   yield* admission.record(Exit.fail("connection lost"))
   *   return (yield* breaker.state)._tag
   * })
   *
   * await Effect.runPromise(Effect.scoped(program)) // => "Open"
   * ```
   */
  readonly admit: Effect.Effect<Admission, CircuitOpen, Scope.Scope>
  /** Rejects every call until somebody says otherwise. */
  readonly isolate: Effect.Effect<void>
  /** Counts and tells, but rejects nothing, until somebody says otherwise: for trying out a rule. */
  readonly observe: Effect.Effect<void>
  /** Lets every call through and counts nothing, until somebody says otherwise. */
  readonly disable: Effect.Effect<void>
  /** Opens the circuit as if a rule were met: for the given time, or for the time of the next opening. */
  readonly open: (duration?: Duration.Input) => Effect.Effect<void>
  /** Closes the circuit, with an empty window. The next opening lasts as long as it would have without this. */
  readonly close: Effect.Effect<void>
  /** Returns the circuit breaker to its initial state, with nothing counted. */
  readonly reset: Effect.Effect<void>
  /**
   * Changes options and keeps the state: an open circuit stays open for its time, probes keep their slots, calls in flight
   * count, and a window of the same size keeps its calls. The next outcome checks the new rule. Missing options stay as they
   * are, also those of `halfOpen`; `undefined` restores a default. A bad option is a defect, a `RangeError`, and changes
   * nothing.
   */
  readonly reconfigure: (options: Reconfiguration) => Effect.Effect<void>
}

const operate = (policy: CircuitBreaker, f: (circuit: kernel.Circuit, at: number) => void): Effect.Effect<void> => {
  const breaker = internal.implementationOf<Breaker>(policy)
  return Effect.withFiber((fiber) => {
    breaker.change(fiber, (circuit) => f(circuit, now(fiber)))
    return Effect.void
  })
}

const operations: {
  readonly [Name in "isolate" | "observe" | "disable" | "close" | "reset"]: (circuit: kernel.Circuit) => void
} = {
  isolate: (circuit) => circuit.force("Isolated"),
  observe: (circuit) => circuit.force("MetricsOnly"),
  disable: (circuit) => circuit.force("Disabled"),
  close: (circuit) => circuit.close(),
  reset: (circuit) => circuit.reset()
}

const snapshotOf = (breaker: Breaker, fiber: AnyFiber): kernel.Snapshot =>
  breaker.change(fiber, (circuit) => circuit.snapshot(now(fiber)))

const BreakerProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: CircuitBreaker): CircuitBreaker["state"] {
      const breaker = internal.implementationOf<Breaker>(this)
      return Effect.withFiber((fiber) => Effect.succeed(stateOf(snapshotOf(breaker, fiber))))
    }
  },
  admit: {
    get(this: CircuitBreaker): CircuitBreaker["admit"] {
      return internal.implementationOf<Breaker>(this).admission
    }
  },
  changes: {
    get(this: CircuitBreaker): CircuitBreaker["changes"] {
      const breaker = internal.implementationOf<Breaker>(this)
      return Stream.callback((queue) =>
        Effect.acquireRelease(
          Effect.sync(() => breaker.subscribe((change) => Queue.offerUnsafe(queue, change))),
          (unsubscribe) => Effect.sync(unsubscribe)
        )
      )
    }
  },
  open: {
    value(this: CircuitBreaker, duration?: Duration.Input): Effect.Effect<void> {
      const millis = duration === undefined
        ? undefined
        : positiveMillis("CircuitBreaker.open", "duration", duration)
      return operate(this, (circuit, at) => circuit.openNow(at, millis))
    }
  },
  reconfigure: {
    value(this: CircuitBreaker, options: Reconfiguration): Effect.Effect<void> {
      const breaker = internal.implementationOf<Breaker>(this)
      return Effect.sync(() => breaker.reconfigure(options))
    }
  },
  ...Object.fromEntries(
    Object.entries(operations).map(([name, operation]) => [name, {
      get(this: CircuitBreaker): Effect.Effect<void> {
        return operate(this, operation)
      }
    }])
  )
})

const countsOf = ({ calls, consecutiveFailures, failures, overdue, slow }: kernel.Snapshot): Counts => ({
  calls,
  failures,
  consecutiveFailures,
  ...slow === undefined ? {} : { slow, overdue }
})

const stateOf = (snapshot: kernel.Snapshot): State => {
  const { exceeded, openings, probing, state, succeeded } = snapshot
  switch (state) {
    case "Closed":
      return { _tag: state, ...countsOf(snapshot) }
    case "Open":
      return { _tag: state, retryAfter: Duration.millis(Math.ceil(snapshot.retryAfter)), openings }
    case "HalfOpen":
      return { _tag: state, probing, succeeded }
    case "MetricsOnly":
      return { _tag: state, exceeded, ...countsOf(snapshot) }
    case "Isolated":
    case "Disabled":
      return { _tag: state }
  }
}

/** For a health endpoint: what {@link State} says, as plain data. */
const reportOf = (breaker: Breaker, fiber: AnyFiber): PolicyRegistry.Report => {
  const state = stateOf(snapshotOf(breaker, fiber))
  return state._tag === "Open"
    ? { _tag: state._tag, retryAfterMillis: Duration.toMillis(state.retryAfter), openings: state.openings }
    : { ...state }
}

/**
 * Makes a circuit breaker without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): CircuitBreaker => internal.make(new Breaker(options), BreakerProto)

/**
 * Makes a circuit breaker. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<CircuitBreaker> =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    const breaker = internal.implementationOf<Breaker>(policy)
    register(fiber, breaker, { kind: "circuit-breaker", name: options.name, report: reportOf, gauges })
    return Effect.succeed(policy)
  })
