/**
 * What policies tell, where operators look: in metrics, in logs, in spans, or as a stream.
 *
 * Each is a layer around a program, or a policy around a call; without them nobody listens, and nothing is told. They add to a
 * listener that is there already.
 *
 * **Example** (How calls ended, as a metric)
 *
 * ```ts import.meta.vitest
 * import { Observability, Policy, Retry } from "@effect-resilience/core"
 * import { Effect, Metric, Schedule } from "effect"
 *
 * let calls = 0
 * const flaky = Effect.suspend(() => ++calls % 2 === 0 ? Effect.succeed("done") : Effect.fail("busy"))
 * const policy = Policy.compose(
 *   Observability.call("orders"),
 *   Retry.make({ name: "orders", schedule: Schedule.recurs(3) })
 * )
 *
 * const program = Effect.gen(function*() {
 *   yield* flaky.pipe(policy)
 *   yield* flaky.pipe(policy)
 *   const snapshot = yield* Metric.snapshot
 *   return snapshot.filter(({ id }) => id === "resilience.attempts").map(({ attributes, state }) =>
 *     `attempt ${attributes?.attempt}: ${(state as { count: number }).count} ${attributes?.outcome}`
 *   )
 * })
 *
 * const test = program.pipe(Effect.provide(Observability.layerMetrics()), Effect.provideService(Metric.MetricRegistry, new Map()))
 * await Effect.runPromise(test) // => ["attempt 1: 2 transient", "attempt 2: 2 success"]
 * ```
 *
 * **Details**
 *
 * Logical calls and attempts are separate numbers: `call` marks what a call is, usually the outside of a stack, and `Retry` tells of
 * its attempts. The names of policies become labels, of which there is a limit.
 *
 * | metric | kind | labels |
 * | --- | --- | --- |
 * | `resilience.calls` | counter | name, outcome |
 * | `resilience.call.duration` | histogram, milliseconds | name, outcome |
 * | `resilience.attempts` | counter | name, attempt, outcome |
 * | `resilience.attempt.duration` | histogram, milliseconds | name, outcome |
 * | `resilience.rejections` | counter | policy, name, reason |
 * | `resilience.timeouts` | counter | name, phase |
 * | `resilience.hedges` | counter of calls with more than one attempt at once | name, won: whether a later one did |
 * | `resilience.breaker.state` | gauge: 0 closed, 1 half open, 2 open, 3 isolated, 4 metrics only, 5 disabled | name |
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import * as Fault from "./Fault.ts"
import { emit } from "./internal/emit.ts"
import { integer } from "./internal/options.ts"
import { now } from "./internal/time.ts"
import { attemptLabel, Labels } from "./kernel/labels.ts"
import * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/** What an exit is called in metrics and logs. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>, wall: number): string =>
  Fault.of(exit, wall)?._tag.toLowerCase() ?? "success"

/** Adds a listener to whatever is there. */
const layerListener = <R>(make: Effect.Effect<Telemetry.Listener, never, R>): Layer.Layer<never, never, R> =>
  Layer.effect(
    Telemetry.CurrentListener,
    Effect.gen(function*() {
      const outer = yield* Telemetry.CurrentListener
      const listener = yield* make
      return (event) => {
        emit(listener, event)
        if (outer !== undefined) emit(outer, event)
      }
    })
  )

/**
 * A policy that tells how a whole call ended, and how long it took: the outside of a stack.
 *
 * @category constructors
 * @since 0.1.0
 */
export const call = (name: string): Policy.Policy => {
  const ended = (listener: Telemetry.Listener, start: number) => (exit: Exit.Exit<unknown, unknown>) =>
    Effect.withFiber((fiber) => {
      emit(listener, { _tag: "CallEnded", policy: "call", name, duration: Duration.millis(now(fiber) - start), exit })
      return Effect.void
    })
  return Policy.make({
    info: { kind: "call", name, settings: {}, children: [] },
    effect: (self) =>
      Effect.withFiber((fiber) => {
        const listener = fiber.getRef(Telemetry.CurrentListener)
        return listener === undefined ? self : Effect.onExit(self, ended(listener, now(fiber)))
      }),
    stream: (self) =>
      Stream.unwrap(Effect.withFiber((fiber) => {
        const listener = fiber.getRef(Telemetry.CurrentListener)
        return Effect.succeed(
          listener === undefined ? self : Stream.onExit(self, ended(listener, now(fiber)))
        )
      }))
  })
}

/** The reason of a rejection, in a word. */
const reasonOf = (event: Extract<Telemetry.Event, { readonly _tag: "Rejected" }>): string =>
  event.policy === "circuit-breaker" ? "open" : event.reason

const stateNumbers = { Closed: 0, HalfOpen: 1, Open: 2, Isolated: 3, MetricsOnly: 4, Disabled: 5 } as const

const boundaries = Metric.exponentialBoundaries({ start: 1, factor: 2, count: 20 })

const calls = Metric.counter("resilience.calls", { incremental: true })
const callDuration = Metric.histogram("resilience.call.duration", { boundaries })
const attempts = Metric.counter("resilience.attempts", { incremental: true })
const attemptDuration = Metric.histogram("resilience.attempt.duration", { boundaries })
const rejections = Metric.counter("resilience.rejections", { incremental: true })
const timeouts = Metric.counter("resilience.timeouts", { incremental: true })
const hedges = Metric.counter("resilience.hedges", { incremental: true })
const breakerState = Metric.gauge("resilience.breaker.state")

/**
 * The layer of metrics: see the table of this module.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMetrics = (options: {
  /**
   * The most names that are labels of their own; the others share the label `other`.
   *
   * @default 100
   */
  readonly maxNames?: number | undefined
} = {}): Layer.Layer<never> => {
  const most = integer("Observability.layerMetrics", "maxNames", options.maxNames ?? 100, 1)
  return layerListener(Effect.gen(function*() {
    const context = yield* Effect.context()
    const clock = yield* Clock.Clock
    const labels = new Labels(most)
    const count = <I>(metric: Metric.Metric<I, unknown>, input: I, attributes: Record<string, string>): void =>
      Metric.withAttributes(metric, attributes).updateUnsafe(input, context)
    return (event) => {
      const name = labels.of(event.name)
      switch (event._tag) {
        case "CallEnded": {
          const outcome = outcomeOf(event.exit, clock.currentTimeMillisUnsafe())
          count(calls, 1, { name, outcome })
          return count(callDuration, Duration.toMillis(event.duration), { name, outcome })
        }
        case "AttemptEnded": {
          const outcome = event.fault?._tag.toLowerCase() ?? "success"
          count(attempts, 1, { name, attempt: attemptLabel(event.attempt), outcome })
          return count(attemptDuration, Duration.toMillis(event.duration), { name, outcome })
        }
        case "Rejected":
          return count(rejections, 1, { policy: event.policy, name, reason: reasonOf(event) })
        case "TimedOut":
          return count(timeouts, 1, { name, phase: event.phase })
        case "HedgeSettled":
          return count(hedges, 1, { name, won: String(event.winner !== undefined && event.winner > 1) })
        case "CircuitChanged":
          return count(breakerState, stateNumbers[event.to], { name })
      }
    }
  }))
}

/** What an event says besides who says it, as plain values. */
const fieldsOf = (event: Telemetry.Event, wall: number): Record<string, unknown> => {
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(event)) {
    if (key === "_tag" || value === undefined) continue
    if (key === "exit") fields["outcome"] = outcomeOf(value as Exit.Exit<unknown, unknown>, wall)
    else if (key === "fault") fields["fault"] = (value as Fault.Fault)._tag
    else if (key !== "cause") fields[key] = Duration.isDuration(value) ? Duration.toMillis(value) : value
  }
  return fields
}

/** What an operator wants to know of; the rest is detail. */
const remarkable = new Set<Telemetry.Event["_tag"]>(["CircuitChanged", "RetryStopped", "CleanupDied"])

/**
 * The layer of logs: what changes a policy's mind as a warning, everything else as `Debug`. Annotations carry the fields, durations
 * in milliseconds; errors are named by their fault only, for they may hold what does not belong into logs.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLogs: Layer.Layer<never> = layerListener(Effect.gen(function*() {
  const services = yield* Effect.context()
  const clock = yield* Clock.Clock
  const run = Effect.runForkWith(services)
  return (event) => {
    const log = remarkable.has(event._tag) ? Effect.logWarning : Effect.logDebug
    run(Effect.annotateLogs(log(`resilience: ${event._tag}`), fieldsOf(event, clock.currentTimeMillisUnsafe())))
  }
}))

/**
 * A policy that writes what the policies inside it tell into the span around it, as span events.
 *
 * @category constructors
 * @since 0.1.0
 */
export const spanEvents: Policy.Policy = (() => {
  const inside = (outer: Telemetry.Listener | undefined): Effect.Effect<Telemetry.Listener | undefined> =>
    Effect.gen(function*() {
      const span = yield* Effect.option(Effect.currentSpan)
      if (Option.isNone(span)) return outer
      const clock = yield* Clock.Clock
      return (event) => {
        const attributes = fieldsOf(event, clock.currentTimeMillisUnsafe())
        span.value.event(`resilience.${event._tag}`, clock.currentTimeNanosUnsafe(), attributes)
        if (outer !== undefined) emit(outer, event)
      }
    })
  const listener = Effect.flatMap(Telemetry.CurrentListener, inside)
  return Policy.make({
    info: { kind: "span-events", settings: {}, children: [] },
    effect: (self) => Effect.provideServiceEffect(self, Telemetry.CurrentListener, listener),
    stream: (self) => Stream.provideServiceEffect(self, Telemetry.CurrentListener, listener)
  })
})()

/**
 * What policies tell, as a stream: everyone who reads it gets everything from then on. A reader that is slow loses the oldest.
 *
 * @category services
 * @since 0.1.0
 */
export class Events extends Context.Service<Events, {
  readonly stream: Stream.Stream<Telemetry.Event>
}>()("@effect-resilience/core/Observability/Events") {
  /** Listens to everything inside, and keeps up to `capacity` [1024] events for a reader. */
  static readonly layer = (options: { readonly capacity?: number | undefined } = {}): Layer.Layer<Events> => {
    const capacity = integer("Observability.Events.layer", "capacity", options.capacity ?? 1024, 1)
    const hub = Layer.effect(Hub, PubSub.sliding<Telemetry.Event>(capacity))
    const listener = layerListener(
      Effect.map(Hub, (hub): Telemetry.Listener => (event) => void PubSub.publishUnsafe(hub, event))
    )
    const events = Layer.effect(Events, Effect.map(Hub, (hub) => ({ stream: Stream.fromPubSub(hub) })))
    return Layer.provide(Layer.mergeAll(events, listener), hub)
  }
}

class Hub extends Context.Service<Hub, PubSub.PubSub<Telemetry.Event>>()(
  "@effect-resilience/core/Observability/Hub"
) {}
