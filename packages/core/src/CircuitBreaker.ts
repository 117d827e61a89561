/**
 * Stops calling what is broken, and finds out when it works again.
 *
 * A **closed** circuit lets every call through and watches their outcomes; when `trip` says so it **opens** and rejects every
 * call with {@link CircuitOpen}, without calling. After a while it is **half-open**: `probes` calls are let through, and
 * their success closes it, their failure opens it again, for longer.
 *
 * **Details**
 *
 * What is a failure is decided by the {@link Fault}: transient ones and defects are; a permanent failure is a success, for
 * the callee answered; throttling, rejections by other policies and interruptions count for nothing and free their probe.
 * A call that is interrupted at or after the ambient `Deadline` is a failure: a callee that hangs trips the circuit even if
 * a total timeout outside does the interrupting. `classify` replaces all of that.
 *
 * Every call carries the generation of the state that let it through: an outcome from before a change of state changes
 * nothing. There are no timers; an open circuit becomes half-open when someone looks after its time. A probe that is lost
 * gives its slot back after `lease`.
 *
 * A stream is one call: its outcome is that of the whole stream, a probe succeeds with the first element, and a consumer
 * that stops early is an interruption.
 *
 * **Gotchas**
 *
 * Outside a retry it sees one outcome per logical call, inside a retry one per attempt. Share one instance between all
 * callers of one callee: it is a value, made once.
 *
 * What this adds to `effect/persistence`'s `CircuitBreaker`: time windows, several probes with a ratio and a lease, manual
 * states, streams, a rejection that costs a thirtieth; what that one has and this one has not is state shared through Redis.
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
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import * as Fault from "./Fault.ts"
import { emit } from "./internal/emit.ts"
import { type AnyStream, fromPull, open } from "./internal/establish.ts"
import { integer, invalid, positiveMillis, ratio } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./internal/primitive.ts"
import { Rejection } from "./internal/rejection.ts"
import { now, timerResolution, wallNow } from "./internal/time.ts"
import * as kernel from "./kernel/circuitBreaker.ts"
import type * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/**
 * The circuit is open, or isolated, or half-open with all probes under way. The callee was not called. Its fault is
 * `Rejected`: no policy counts it against the callee.
 *
 * @category errors
 * @since 0.1.0
 */
export class CircuitOpen extends Rejection {
  readonly _tag = "CircuitOpen"
  /** The name of the circuit breaker, if it has one. */
  readonly circuit: string | undefined
  /** When it is worth trying again; infinite while the circuit is isolated. */
  readonly retryAfter: Duration.Duration

  constructor(options: { readonly circuit: string | undefined; readonly retryAfter: Duration.Duration }) {
    super()
    this.circuit = options.circuit
    this.retryAfter = options.retryAfter
  }

  override get message(): string {
    const circuit = this.circuit === undefined ? "circuit" : `circuit "${this.circuit}"`
    return Duration.isFinite(this.retryAfter)
      ? `${circuit} is open, try again in ${Duration.format(this.retryAfter)}`
      : `${circuit} is isolated`
  }

  get [Fault.TypeId](): Fault.Fault {
    return Fault.rejected(this)
  }
}

/**
 * @category guards
 * @since 0.1.0
 */
export const isCircuitOpen = (u: unknown): u is CircuitOpen => u instanceof CircuitOpen

/**
 * When a closed circuit opens: {@link consecutive} or {@link failureRate}.
 *
 * @category models
 * @since 0.1.0
 */
export type Trip = kernel.Trip

/**
 * Trips after so many failures in a row.
 *
 * @category constructors
 * @since 0.1.0
 */
export const consecutive = (failures: number): Trip => ({
  kind: "consecutive",
  failures: integer("CircuitBreaker.consecutive", "failures", failures, 1)
})

/**
 * Trips when the share of failures is `ratio` or more, over the last `calls` calls or over the calls `within` the last
 * while, looked at with every outcome, and never before there are `minimumThroughput` of them.
 *
 * A window of time is kept in ten buckets and ages when it is read: what happened before a quiet hour no longer counts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failureRate = (
  options:
    & {
      /**
       * More than 0, at most 1.
       *
       * @default 0.5
       */
      readonly ratio?: number | undefined
      /** @default 20, or `calls` if that is less */
      readonly minimumThroughput?: number | undefined
    }
    & (
      | { readonly calls: number; readonly within?: never }
      | { readonly within: Duration.Input; readonly calls?: never }
    )
): Trip => {
  const where = "CircuitBreaker.failureRate"
  const { calls, within } = options
  if ((calls === undefined) === (within === undefined)) {
    throw invalid(where, "the window", calls === undefined ? "none" : "both", "either calls or within")
  }
  const size = calls === undefined ? Infinity : integer(where, "calls", calls, 1)
  return {
    kind: "failure-rate",
    ratio: ratio(where, "ratio", options.ratio ?? 0.5),
    minimumThroughput: integer(
      where,
      "minimumThroughput",
      options.minimumThroughput ?? Math.min(20, size),
      1,
      size
    ),
    over: within === undefined ? { calls: size } : { millis: positiveMillis(where, "within", within) }
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry and {@link Policy.explain}. */
  readonly name?: string | undefined
  /** @default failureRate({ ratio: 0.5, minimumThroughput: 20, within: "30 seconds" }) */
  readonly trip?: Trip | undefined
  /**
   * How long the circuit stays open. The n-th delay of a schedule is for the n-th opening in a row, its last one for all
   * after that; its steps must be synchronous.
   *
   * @default 10 seconds, doubling up to 5 minutes
   */
  readonly open?: Duration.Input | Schedule.Schedule<unknown, number> | undefined
  /**
   * How many calls a half-open circuit lets through.
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
  /**
   * In the place of the default classification, the rule about the deadline included.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
}

/**
 * What a circuit breaker is doing.
 *
 * @category models
 * @since 0.1.0
 */
export type State =
  | {
    readonly _tag: "Closed"
    /** In the window; 0 with {@link consecutive}. */
    readonly calls: number
    /** In the window; 0 with {@link consecutive}. */
    readonly failures: number
    readonly consecutiveFailures: number
  }
  | {
    readonly _tag: "Open"
    readonly retryAfter: Duration.Duration
    /** How many times in a row it has opened. */
    readonly openings: number
  }
  | {
    readonly _tag: "HalfOpen"
    /** Probes under way. */
    readonly probing: number
    /** Probes that have succeeded. */
    readonly succeeded: number
  }
  | { readonly _tag: "Isolated" }

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
 * A circuit breaker is a policy, and can be asked and operated.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker extends Policy.Policy<unknown, CircuitOpen> {
  /** The state now. Looking at an open circuit whose time is up makes it half-open. */
  readonly state: Effect.Effect<State>
  /** The changes of state from the subscription on. */
  readonly changes: Stream.Stream<Change>
  /** Rejects every call until `close` or `reset`. */
  readonly isolate: Effect.Effect<void>
  /** Closes the circuit, with an empty window. Should it open again, it stays open as long as if it had not been closed. */
  readonly close: Effect.Effect<void>
  /** Makes the circuit breaker as new. */
  readonly reset: Effect.Effect<void>
}

const classifyDefault: Fault.Classify = Fault.of

class Breaker implements internal.Implementation {
  readonly circuit: kernel.Circuit
  readonly name: string | undefined
  private readonly options: Options
  private readonly classify: Fault.Classify<any>
  private subscribers: Set<(change: Change) => void> | undefined = undefined
  private handler:
    | { readonly permit: kernel.Permit; readonly record: (exit: Exit.Exit<any, any>) => undefined }
    | undefined

  constructor(options: Options, rules: kernel.Rules) {
    this.options = options
    this.name = options.name
    this.circuit = new kernel.Circuit(rules)
    this.classify = options.classify ?? classifyDefault
  }

  get info(): Policy.PolicyInfo {
    const { lease, name, open, probes, ratio, trip } = this.options
    return {
      kind: "circuit-breaker",
      name,
      settings: {
        trip: describeTrip(trip ?? defaultTrip),
        open: open === undefined
          ? "10s doubling to 5m"
          : Schedule.isSchedule(open)
          ? "custom"
          : Duration.fromInputUnsafe(open),
        probes,
        ratio,
        lease: lease === undefined ? undefined : Duration.fromInputUnsafe(lease)
      },
      children: []
    }
  }

  effect(self: AnyEffect): AnyEffect {
    return new BreakerEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return breakerStream(self, this)
  }

  /** Tells of a change of state, if there was one. */
  settle(fiber: AnyFiber, from: kernel.State): void {
    const to = this.circuit.state
    if (from === to) return
    this.subscribers?.forEach((subscriber) => subscriber({ from, to }))
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(listener, { _tag: "CircuitChanged", policy: "circuit-breaker", name: this.name, from, to })
    }
  }

  /** Does something to the circuit, and tells of the change that it made. */
  change<A>(fiber: AnyFiber, f: (circuit: kernel.Circuit) => A): A {
    const from = this.circuit.state
    const result = f(this.circuit)
    this.settle(fiber, from)
    return result
  }

  subscribe(subscriber: (change: Change) => void): () => void {
    const subscribers = this.subscribers ??= new Set()
    subscribers.add(subscriber)
    return () => subscribers.delete(subscriber)
  }

  /** All calls of one closed generation share their permit, and so their exit handler. */
  get closedHandler(): (exit: Exit.Exit<any, any>) => undefined {
    const { permit } = this.circuit
    if (this.handler?.permit !== permit) {
      this.handler = { permit, record: (exit) => this.record(Fiber.getCurrent()!, permit, exit) }
    }
    return this.handler.record
  }

  record(fiber: AnyFiber, permit: kernel.Permit, exit: Exit.Exit<any, any>): undefined {
    const { circuit } = this
    const from = circuit.state
    const succeeded = Exit.isSuccess(exit) && this.classify === classifyDefault
    // what succeeds needs the time only where the window is one of time, and it is what happens most
    if (succeeded) circuit.record(permit, "success", circuit.timed ? now(fiber) : 0)
    else circuit.record(permit, this.outcomeOf(fiber, exit), now(fiber))
    this.settle(fiber, from)
  }

  private outcomeOf(fiber: AnyFiber, exit: Exit.Exit<any, any>): kernel.Outcome {
    const fault = this.classify(exit, wallNow(fiber))
    switch (fault?._tag) {
      case undefined:
      case "Permanent":
        return "success"
      case "Transient":
      case "Defect":
        return "failure"
      case "Interrupted":
        return this.classify === classifyDefault && pastDeadline(fiber) ? "failure" : "ignored"
      case "Throttled":
      case "Rejected":
        return "ignored"
    }
  }

  reject(fiber: AnyFiber, at: number): CircuitOpen {
    const error = new CircuitOpen({
      circuit: this.name,
      retryAfter: Duration.millis(Math.ceil(this.circuit.retryAfter(at)))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(listener, { _tag: "Rejected", policy: "circuit-breaker", name: this.name, retryAfter: error.retryAfter })
    }
    return error
  }
}

const pastDeadline = (fiber: AnyFiber): boolean => now(fiber) + timerResolution >= fiber.getRef(Deadline.Deadline)

class BreakerEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly breaker: Breaker
  private handler: unknown = undefined
  private guarded: AnyEffect | undefined = undefined

  constructor(self: AnyEffect, breaker: Breaker) {
    super()
    this.self = self
    this.breaker = breaker
  }

  run(fiber: AnyFiber): AnyEffect {
    const { breaker, self } = this
    const { circuit } = breaker
    if (circuit.state !== "Closed") {
      const at = now(fiber)
      const from = circuit.state
      const state = circuit.look(at)
      breaker.settle(fiber, from)
      return state === "HalfOpen" ? probe(self, breaker) : breaker.reject(fiber, at)
    }
    // a closed circuit holds nothing for a call, so that nothing is lost before the frame is on the stack
    const handler = breaker.closedHandler
    if (this.handler !== handler) {
      this.handler = handler
      this.guarded = Effect.onExitPrimitive(self, handler)
    }
    return this.guarded!
  }
}

/** A probe holds a slot, so the frame that gives it back is on the stack before the slot is taken. */
const probe = (self: AnyEffect, breaker: Breaker): AnyEffect => {
  let permit: kernel.Permit | undefined
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      const at = now(fiber)
      permit = breaker.change(fiber, (circuit) => circuit.admit(at))
      return permit === undefined ? breaker.reject(fiber, at) : self
    }),
    (exit) => permit === undefined ? undefined : breaker.record(Fiber.getCurrent()!, permit, exit)
  )
}

const breakerStream = (self: AnyStream, breaker: Breaker): AnyStream =>
  fromPull((scope) =>
    Effect.suspend(() => {
      let permit: kernel.Permit | undefined
      const record = (fiber: AnyFiber, exit: Exit.Exit<any, any>): undefined => {
        if (permit === undefined) return
        const held = permit
        permit = undefined
        breaker.record(fiber, held, exit)
      }
      const onFailure = (exit: Exit.Exit<any, any>): undefined =>
        Exit.isSuccess(exit)
          ? undefined
          : record(Fiber.getCurrent()!, Pull.isDoneCause(exit.cause) ? Exit.void : exit)

      const consumerStopped = Effect.withFiber((fiber) => {
        record(fiber, Exit.interrupt())
        return Effect.void
      })
      const admitted = Effect.withFiber((fiber) => {
        const at = now(fiber)
        permit = breaker.change(fiber, (circuit) => circuit.admit(at))
        if (permit === undefined) return breaker.reject(fiber, at)
        return Effect.map(Effect.onExitPrimitive(open(self, scope), onFailure), (pull) =>
          Effect.onExitPrimitive(pull, (exit) => {
            if (Exit.isFailure(exit)) return onFailure(exit)
            if (permit?.leasedUntil !== undefined) {
              const fiber = Fiber.getCurrent()!
              const held = permit
              permit = breaker.change(fiber, (circuit) =>
                circuit.pass(held, now(fiber)))
            }
            return undefined
          }))
      })
      return Effect.andThen(Scope.addFinalizer(scope, consumerStopped), admitted)
    })
  )

const BreakerProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: CircuitBreaker): CircuitBreaker["state"] {
      const breaker = internal.implementationOf<Breaker>(this)
      return Effect.withFiber((fiber) =>
        Effect.succeed(stateOf(breaker.change(fiber, (circuit) => circuit.snapshot(now(fiber)))))
      )
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
  ...Object.fromEntries((["isolate", "close", "reset"] as const).map((operation) => [operation, {
    get(this: CircuitBreaker): Effect.Effect<void> {
      const breaker = internal.implementationOf<Breaker>(this)
      return Effect.withFiber((fiber) => {
        breaker.change(fiber, (circuit) => circuit[operation]())
        return Effect.void
      })
    }
  }]))
})

const stateOf = (snapshot: kernel.Snapshot): State => {
  const { calls, consecutiveFailures, failures, openings, probing, state, succeeded } = snapshot
  switch (state) {
    case "Closed":
      return { _tag: state, calls, failures, consecutiveFailures }
    case "Open":
      return { _tag: state, retryAfter: Duration.millis(Math.ceil(snapshot.retryAfter)), openings }
    case "HalfOpen":
      return { _tag: state, probing, succeeded }
    case "Isolated":
      return { _tag: state }
  }
}

const defaultTrip = failureRate({ within: "30 seconds" })
const defaultOpen = Schedule.min([Schedule.exponential("10 seconds"), Schedule.spaced("5 minutes")])

const describeTrip = (trip: Trip): string =>
  trip.kind === "consecutive"
    ? `${trip.failures} failures in a row`
    : `${trip.ratio * 100}% of at least ${trip.minimumThroughput} calls ${
      "calls" in trip.over
        ? `of the last ${trip.over.calls}`
        : `within ${Duration.format(Duration.millis(trip.over.millis))}`
    }`

/** Plays a schedule on a time that only its own delays advance, as `effect/persistence`'s circuit breaker does. */
const nthDelay = (schedule: Schedule.Schedule<unknown, number>, n: number): Effect.Effect<number> =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    let time = 0
    let last = 0
    for (let opening = 1; opening <= n; opening++) {
      const delay = yield* step(time, opening).pipe(
        Effect.map(([, delay]) => Duration.toMillis(delay)),
        Pull.catchDone(() => Effect.undefined)
      )
      if (delay === undefined) break
      last = delay
      time += delay
    }
    return last
  })

const openForOf = (open: Duration.Input | Schedule.Schedule<unknown, number>): (opening: number) => number => {
  if (Schedule.isSchedule(open)) {
    return (opening) => Effect.runSyncWith(Fiber.getCurrent()?.context ?? Context.empty())(nthDelay(open, opening))
  }
  const millis = positiveMillis("CircuitBreaker.make", "open", open)
  return () => millis
}

/**
 * Makes a circuit breaker without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): CircuitBreaker => {
  const where = "CircuitBreaker.make"
  const probes = integer(where, "probes", options.probes ?? 1, 1)
  const rules: kernel.Rules = {
    trip: options.trip ?? defaultTrip,
    openFor: openForOf(options.open ?? defaultOpen),
    probes,
    required: Math.ceil(ratio(where, "ratio", options.ratio ?? 1) * probes),
    lease: positiveMillis(where, "lease", options.lease ?? "30 seconds", { infinite: true })
  }
  return internal.make(new Breaker(options, rules), BreakerProto)
}

/**
 * Makes a circuit breaker.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<CircuitBreaker> => Effect.sync(() => makeUnsafe(options))
