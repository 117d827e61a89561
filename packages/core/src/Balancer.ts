/**
 * Picks an endpoint for each call, out of several that can do the same: hosts, regions, deployments, clients.
 *
 * An endpoint is a value of your own type. `use` picks one, gives it to your function and watches how the call ends.
 *
 * **Details**
 *
 * Endpoints of the lowest `priority` number come first, and of those the `local` ones. The next ones get what the first ones
 * cannot take: with 1 of 2 left that is 70 % for those, as in Envoy (`overprovisioning`).
 *
 * Among equals the balancer draws two by `weight` and takes the one that costs less. The cost is the latency times the calls in
 * flight, and latency is a peak-sensitive average (`PeakEwma` of Finagle): one slow answer raises it at once.
 *
 * An endpoint that fails `ejection.failures` times in a row, or fails every other call, is left out for a while, which is longer
 * each time. Never more than
 * the share `ejection.maxRatio` of the set is left out, and a level of which less than `panic` is left uses all that it has
 * (Envoy). An endpoint that asks for a rest (`Retry-After`) gets exactly that. An endpoint that comes back gets its calls
 * little by little (`slowStart`).
 *
 * A `Retry` or a `Hedge` around a call reaches another endpoint: within one call, those that have failed, and those
 * that another attempt still waits for, come last. {@link remember} does the same for `Effect.retry`.
 *
 * A stream is one call. Its first element is the answer, and the stream is in flight until it has ended and has closed what it
 * opened.
 *
 * There are no timers: an endpoint is back when a call looks at it.
 *
 * **Gotchas**
 *
 * A caller that goes away frees its place and is nobody's fault. Only an endpoint that has had `hangsAfter` and has not answered
 * by the deadline has failed, as with a `CircuitBreaker`. So put an attempt timeout inside: `use((host) => attempt(ask(host)))`.
 *
 * **Example** (Three hosts, one of which is down)
 *
 * ```ts import.meta.vitest
 * import { Balancer, Retry } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hosts = Balancer.makeUnsafe({ endpoints: ["a.example", "b.example", "c.example"] })
 * const ask = (host: string) => host === "a.example" ? Effect.fail("down") : Effect.succeed("answer")
 *
 * const program = hosts.use(ask).pipe(Retry.make({ times: 1, after: () => "1 millis" }))
 * await Effect.runPromise(Effect.replicateEffect(program, 3)) // => ["answer", "answer", "answer"]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type * as Fault from "./Fault.ts"
import type * as internal from "./internal/balancer.ts"
import { Balancing, balancings, operate, Use } from "./internal/balancer.ts"
import { settingsOf } from "./internal/balancerRules.ts"
import { UseEffect, useStream } from "./internal/balancerUse.ts"
import type { NoEndpoint } from "./internal/errors.ts"
import { duration } from "./internal/options.ts"
import type { AnyFiber } from "./internal/primitive.ts"
import { type GaugesOf, register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import { CurrentAttempt } from "./internal/tried.ts"
import { Attempt } from "./internal/tries.ts"
import type * as kernel from "./kernel/balancer.ts"
import type * as Policy from "./Policy.ts"
import type * as PolicyRegistry from "./PolicyRegistry.ts"

export { isNoEndpoint, NoEndpoint } from "./internal/errors.ts"

/**
 * When an endpoint is left out because it fails, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ejection {
  /**
   * How many failures in a row.
   *
   * @default 5
   */
  readonly failures?: number | undefined
  /**
   * Or which share of its calls, as of a `CircuitBreaker`: an endpoint that fails every other call may never fail five times in a
   * row.
   *
   * @default 0.5
   */
  readonly ratio?: number | undefined
  /**
   * The share says nothing about fewer calls.
   *
   * @default 20
   */
  readonly minCalls?: number | undefined
  /**
   * The calls of this time count for the share.
   *
   * @default "30 seconds"
   */
  readonly within?: Duration.Input | undefined
  /**
   * How long it is left out for the first time. Each further time is longer by as much; every 10 seconds without an ejection
   * take one back.
   *
   * @default "30 seconds"
   */
  readonly duration?: Duration.Input | undefined
  /**
   * The longest time.
   *
   * @default "5 minutes"
   */
  readonly maxDuration?: Duration.Input | undefined
  /**
   * The largest share of the set that is left out at the same time.
   *
   * @default 0.5
   */
  readonly maxRatio?: number | undefined
}

/**
 * Which endpoints there are, and how one is chosen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E> {
  /** For errors, telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /** What can be called. */
  readonly endpoints: ReadonlyArray<E>
  /**
   * What an endpoint is called: in telemetry, in the state, and to tell after {@link Balancer.update} which one is which. Each
   * endpoint has another one.
   *
   * @default the endpoint, if it is a string
   */
  readonly key?: ((endpoint: E) => string) | undefined
  /**
   * The lowest number comes first. An integer, 0 or more.
   *
   * @default 0
   */
  readonly priority?: ((endpoint: E) => number) | undefined
  /**
   * The part of the calls that an endpoint gets, beside the others of its priority. More than 0.
   *
   * @default 1
   */
  readonly weight?: ((endpoint: E) => number) | undefined
  /**
   * Whether an endpoint is near. Those come first within their priority.
   *
   * @default all of them
   */
  readonly local?: ((endpoint: E) => boolean) | undefined
  /**
   * How one of several equals is chosen: the better of two that are drawn by weight, or the first of the list that may be used.
   *
   * @default "two-choices"
   */
  readonly choose?: "two-choices" | "in-order" | undefined
  /**
   * How long a latency counts: after this time, a third of it is left.
   *
   * @default "10 seconds"
   */
  readonly decay?: Duration.Input | undefined
  /**
   * How many times its own part a level of priority can take while some of its endpoints are left out. `Infinity` gives it
   * everything as long as it has one endpoint.
   *
   * @default 1.4
   */
  readonly overprovisioning?: number | undefined
  /** When an endpoint is left out because it fails. `false` leaves none out. */
  readonly ejection?: Ejection | false | undefined
  /**
   * A level of which a smaller share is left uses its ejected endpoints too, if the other levels cannot take the calls. With 0
   * it never does, unless nothing else is left.
   *
   * @default 0.5
   */
  readonly panic?: number | undefined
  /**
   * How long an endpoint rests that is throttled and asks for no pause.
   *
   * @default "1 second"
   */
  readonly cooldown?: Duration.Input | undefined
  /**
   * The longest pause that an endpoint may ask for.
   *
   * @default "5 minutes"
   */
  readonly maxCooldown?: Duration.Input | undefined
  /**
   * How long it takes until an endpoint that comes back, or is new, has its whole weight.
   *
   * @default "10 seconds"
   */
  readonly slowStart?: Duration.Input | undefined
  /**
   * An endpoint that has not answered by the deadline of its call has failed, if it had at least this time. It replaces nothing
   * that `classify` says: give one of the two.
   *
   * @default "1 second"
   */
  readonly hangsAfter?: Duration.Input | undefined
  /**
   * Replaces the default classification of failures.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify | undefined
  /**
   * Says which fault a value is, if any. For a stream, this is asked about the first element.
   *
   * @default no value is a fault
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
}

/**
 * Which endpoints one call may have.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter<in E> {
  /** Not the ones with these keys. */
  readonly without?: Iterable<string> | undefined
  /** Only those of which this is true. */
  readonly when?: ((endpoint: E) => boolean) | undefined
}

/**
 * An endpoint that a program has picked by hand, see {@link Balancer.pick}. It is in flight until `end`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lease<out E> {
  readonly endpoint: E
  /** What the endpoint is called. */
  readonly key: string
  /** The answer has begun: the latency is known, and the call goes on. The first time counts. */
  readonly answered: Effect.Effect<void>
  /** The call has ended. A second time changes nothing. */
  readonly end: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/**
 * Whether an endpoint gets calls. `available` gets them; `warming` gets them little by little, for it has come back; `cooling`
 * rests, for it has asked for that; `ejected` is left out, for it has failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "available" | "warming" | "cooling" | "ejected"

/**
 * An endpoint and what is known of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointState<out E> {
  readonly key: string
  readonly endpoint: E
  readonly status: Status
  /** For how long it is still left out; zero if it is not. */
  readonly returnsIn: Duration.Duration
  /** Calls in flight. */
  readonly inFlight: number
  /** The latency that calls are sent by; zero before the first answer. */
  readonly latency: Duration.Duration
  /** Failures in a row. */
  readonly failures: number
}

/**
 * What became of an endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change<out E> {
  readonly _tag: "Added" | "Removed" | "Ejected" | "Cooling" | "Returned"
  readonly key: string
  readonly endpoint: E
  /** For how long it is left out; zero if it is not. */
  readonly duration: Duration.Duration
}

/**
 * A balancer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Balancer<in out E> {
  /** Calls an endpoint. `filter` narrows which one it may be. */
  readonly use: <A, Err, R>(
    call: (endpoint: E) => Effect.Effect<A, Err, R>,
    filter?: Filter<E>
  ) => Effect.Effect<A, Err | NoEndpoint, R>
  /** Reads a stream from an endpoint. `filter` narrows which one it may be. */
  readonly useStream: <A, Err, R>(
    call: (endpoint: E) => Stream.Stream<A, Err, R>,
    filter?: Filter<E>
  ) => Stream.Stream<A, Err | NoEndpoint, R>
  /**
   * Picks an endpoint by hand, for work that is neither effect nor stream, and for operators that are built on this one. The
   * program says how the call ends, also if it is interrupted.
   */
  readonly pick: (filter?: Filter<E>) => Effect.Effect<Lease<E>, NoEndpoint>
  /** The endpoint of that key rests for so long from now on; a zero ends its rest. An unknown key changes nothing. */
  readonly cool: (key: string, duration: Duration.Input) => Effect.Effect<void>
  /**
   * Other endpoints from now on. One whose key stays keeps what is known of it; a new one starts slowly. Calls of one that is
   * gone go on. A bad list is a defect, a `RangeError`, and changes nothing.
   */
  readonly update: (endpoints: ReadonlyArray<E>) => Effect.Effect<void>
  /** The endpoints in the order of the list, each with what is known of it now. */
  readonly state: Effect.Effect<ReadonlyArray<EndpointState<E>>>
  /** What becomes of the endpoints, from the subscription on. */
  readonly changes: Stream.Stream<Change<E>>
  readonly info: Policy.PolicyInfo
}

const leaseOf = <E>(use: Use<E>): Lease<E> => ({
  endpoint: use.endpoint,
  key: use.key,
  answered: Effect.withFiber((fiber) => Effect.succeed(use.answered(fiber))),
  end: (exit) => Effect.withFiber((fiber) => Effect.succeed(use.end(fiber, exit)))
})

/** Read once, for an iterable may be gone then; the call may be made again. */
const filterOf = <E>(filter: Filter<E> | undefined): internal.Filter<E> | undefined =>
  filter && { without: filter.without && new Set(filter.without), when: filter.when }

const stateOf = <E>(endpoints: kernel.Endpoints<E>, at: number): ReadonlyArray<EndpointState<E>> =>
  endpoints.at(at).map((member) => ({
    key: member.described.key,
    endpoint: member.described.endpoint,
    status: member.statusAt(at, endpoints.rules),
    returnsIn: Duration.millis(Math.ceil(Math.max(0, (member.ejectedUntil ?? at) - at, (member.coolUntil ?? at) - at))),
    inFlight: member.inFlight,
    latency: Duration.millis(member.latency.at(at)),
    failures: member.failures
  }))

const facesOf = <E>(balancing: Balancing<E>): Balancer<E> => ({
  use: (call, filter) => new UseEffect(balancing, call, filterOf(filter)),
  useStream: (call, filter) => useStream(balancing, call, filterOf(filter)),
  pick: (filter) => {
    const may = filterOf(filter)
    return Effect.withFiber((fiber) => {
      const picked = balancing.pick(fiber, now(fiber), may)
      return picked instanceof Use ? Effect.succeed(leaseOf(picked)) : picked
    })
  },
  cool: (key, time) => {
    const millis = duration("Balancer.cool", "duration", time)
    return operate(balancing, (endpoints, at) => endpoints.cool(key, at, millis))
  },
  update: (list) =>
    operate(balancing, (endpoints, at) => endpoints.update(balancing.settings.describe("Balancer.update", list), at)),
  state: operate(balancing, stateOf),
  changes: Stream.callback((queue) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        balancing.subscribe(({ _tag, endpoint, key, millis }) =>
          Queue.offerUnsafe(queue, { _tag, key, endpoint, duration: Duration.millis(millis) })
        )
      ),
      (unsubscribe) => Effect.sync(unsubscribe)
    )
  ),
  info: balancing.settings.info
})

const balancerOf = <E>(balancing: Balancing<E>): Balancer<E> => {
  const balancer = facesOf(balancing)
  balancings.set(balancer, balancing)
  return balancer
}

const balancingOf = <E>(options: Options<E>): Balancing<E> => {
  const settings = settingsOf(options)
  return new Balancing(settings, settings.describe("Balancer.make", options.endpoints))
}

/**
 * Makes a balancer without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <E>(options: Options<E>): Balancer<E> => balancerOf(balancingOf(options))

/** For a health endpoint. */
const reportOf = <E>({ endpoints }: Balancing<E>, fiber: AnyFiber): PolicyRegistry.Report => {
  const at = now(fiber)
  const members = endpoints.at(at)
  return {
    inFlight: members.reduce((sum, { inFlight }) => sum + inFlight, 0),
    endpoints: Object.fromEntries(
      members.map((member) => [member.described.key, member.statusAt(at, endpoints.rules)])
    )
  }
}

const gauges: GaugesOf<Balancing<any>> = {
  "resilience.balancer.endpoints": {
    all: ["available", "warming", "cooling", "ejected"] satisfies ReadonlyArray<Status>,
    count: ({ endpoints }, status, at) => endpoints.count(status, at)
  }
}

/**
 * Makes a balancer. One with a name is in the snapshot of the `PolicyRegistry`, if there is one, and in the metrics of
 * `Observability`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E>(options: Options<E>): Effect.Effect<Balancer<E>> =>
  Effect.withFiber((fiber) => {
    const balancing = balancingOf(options)
    register(fiber, balancing, { kind: "balancer", name: options.name, report: reportOf, gauges })
    return Effect.succeed(balancerOf(balancing))
  })

/**
 * Opens the memory of a call by hand, for whatever makes it again: `Effect.retry`, a loop. Within it, no attempt goes to an
 * endpoint where another one has failed, as long as there are others. `Retry` and `Hedge` open it themselves.
 *
 * **Example** (`Effect.retry` reaches another host)
 *
 * ```ts import.meta.vitest
 * import { Balancer } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hosts = Balancer.makeUnsafe({ endpoints: ["a.example", "b.example", "c.example"], choose: "in-order" })
 * const asked: Array<string> = []
 * const call = hosts.use((host) => Effect.suspend(() => Effect.fail(asked.push(host))))
 *
 * await Effect.runPromiseExit(call.pipe(Effect.retry({ times: 2 }), Balancer.remember))
 * asked // => ["a.example", "b.example", "c.example"]
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const remember = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(self, CurrentAttempt, new Attempt()))

/**
 * The same as {@link remember} for a stream.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rememberStream = <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.suspend(() => Stream.provideService(self, CurrentAttempt, new Attempt()))
