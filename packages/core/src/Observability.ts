/**
 * Brings the events of policies to operators: as metrics, logs, spans, or a stream.
 *
 * Each is a layer around a program, or a policy around a call; without them nobody listens, and policies build no event. They
 * add to an existing listener. Log lines and span events belong to their call: they have its annotations, its span and its
 * trace.
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
 *   return snapshot.filter(({ id }) => id === "resilience.attempts").flatMap(({ attributes, state }) => {
 *     const { count } = state as { count: number }
 *     return count === 0 ? [] : [`attempt ${attributes?.attempt}: ${count} ${attributes?.outcome}`]
 *   })
 * })
 *
 * const test = program.pipe(Effect.provide(Observability.layerMetrics()), Effect.provideService(Metric.MetricRegistry, new Map()))
 * await Effect.runPromise(test) // => ["attempt 1: 2 transient", "attempt 2: 2 success"]
 * ```
 *
 * **Details**
 *
 * Logical calls and attempts are separate numbers: `call` marks what a call is, usually the outside of a stack, and `Retry` tells of
 * its attempts. The names of policies become labels, of which there is a limit; keys and messages never do.
 *
 * The gauges of bulkheads, adaptive limits, balancers and circuit breakers are looked at when somebody takes a snapshot, which costs a call
 * nothing: those of bulkheads and balancers with a name that are made by `make` where {@link layerMetrics} is provided, and those of circuit breakers with a name
 * that are made or used there.
 *
 * | metric | kind | labels |
 * | --- | --- | --- |
 * | `resilience.calls` | counter | name, outcome |
 * | `resilience.call.duration` | histogram, seconds | name, outcome |
 * | `resilience.attempts` | counter | name, attempt (1 to 5, `6+`), outcome |
 * | `resilience.attempt.duration` | histogram, seconds | name, outcome |
 * | `resilience.retry.delay` | histogram, seconds | name, fault |
 * | `resilience.retry.stops` | counter | name, reason |
 * | `resilience.rejections` | counter | policy, name, reason |
 * | `resilience.wait.duration` | histogram of the calls that had to wait, seconds | policy, name |
 * | `resilience.timeouts` | counter | name, phase |
 * | `resilience.detached` | gauge: left behind and still running | name |
 * | `resilience.deadlines` | counter | name, began: whether the work had |
 * | `resilience.cleanup.defects` | counter | policy, name |
 * | `resilience.breaker.state` | gauge: how many circuit breakers of the name are in the state | name, state |
 * | `resilience.breaker.changes` | counter | name, to |
 * | `resilience.breaker.exceeded` | counter | name |
 * | `resilience.bulkhead.in_use` | gauge | policy, name |
 * | `resilience.bulkhead.queued` | gauge | policy, name |
 * | `resilience.limit` | gauge: how many calls may run at once | policy, name |
 * | `resilience.limiter.mode` | gauge | name, state |
 * | `resilience.limiter.changes` | counter | name, to |
 * | `resilience.balancer.endpoints` | gauge: how many endpoints of a balancer are in the state | name, state |
 * | `resilience.balancer.changes` | counter: endpoints that were left out, and that came back | name, to |
 * | `resilience.hedges` | counter of calls with more than one attempt at once | name, won: whether a later one did |
 * | `resilience.hedge.attempts` | counter | name, because: `delay` or `failure` |
 * | `resilience.budget.exhausted` | counter | policy, name, budget: its name |
 * | `resilience.fallbacks` | counter | name, given: `alternative` or `stale`, fault |
 * | `resilience.stale.age` | histogram, seconds | name |
 * | `resilience.coalesced` | counter | name |
 * | `resilience.chaos.injections` | counter | name, injected |
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Fault from "./Fault.ts"
import { attemptSpans } from "./internal/attemptSpans.ts"
import { CurrentAttemptSpans } from "./internal/currentSpans.ts"
import { both } from "./internal/emit.ts"
import { SampledGauges } from "./internal/gauges.ts"
import { Meter, outcomeOf } from "./internal/metrics.ts"
import { ObservedCall, observedStream } from "./internal/observability.ts"
import { checkedOptions, integer, stringOption } from "./internal/options.ts"
import { fork } from "./internal/primitive.ts"
import { CurrentGauges } from "./internal/registry.ts"
import { catalogue, type Id, prometheusName as prometheusNameOf } from "./kernel/catalogue.ts"
import { Labels } from "./kernel/labels.ts"
import * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/** A listener added to whatever is there. */
const joined = (listener: Telemetry.Listener): Effect.Effect<Telemetry.Listener> =>
  Effect.map(Telemetry.CurrentListener, (outer) => outer === undefined ? listener : both(listener, outer))

const layerListener = <R>(make: Effect.Effect<Telemetry.Listener, never, R>): Layer.Layer<never, never, R> =>
  Layer.effect(Telemetry.CurrentListener, Effect.flatMap(make, joined))

/**
 * A policy for the outside of a stack: tells how a whole call ended, and how long it took.
 *
 * @category constructors
 * @since 0.1.0
 */
export const call = (name: string): Policy.Policy =>
  Policy.make({
    info: { kind: "call", name: stringOption("Observability.call", "name", name), settings: {}, children: [] },
    effect: (self) => new ObservedCall(self, name),
    stream: (self) => observedStream(self, name)
  })

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
  const where = "Observability.layerMetrics"
  const most = integer(where, "maxNames", checkedOptions(where, options).maxNames ?? 100, 1)
  return Layer.effectContext(Effect.gen(function*() {
    const context = yield* Effect.context()
    const labels = new Labels(most)
    const meter = new Meter(context, labels)
    const gauges = new SampledGauges(context, labels, meter.begin)
    yield* Effect.addFinalizer(() => Effect.sync(() => gauges.close()))
    const listener = yield* joined(meter.record)
    return Context.make(CurrentGauges, gauges).pipe(Context.add(Telemetry.CurrentListener, listener))
  }))
}

/**
 * What a metric measures.
 *
 * @category models
 * @since 0.1.0
 */
export interface Measure {
  readonly kind: "counter" | "gauge" | "histogram"
  /** A unit of UCUM, as in OpenTelemetry: `s`, or a word in braces for what is counted. */
  readonly unit: string
}

/**
 * The name of a metric in Prometheus, as OpenTelemetry's rules make it: `resilience_calls_total`, `resilience_call_duration_seconds`. Give
 * it to `PrometheusMetrics` as `metricNameMapper`, and a scrape has the same names as what comes through an OpenTelemetry Collector. A metric
 * that is not in the table of this module keeps its name, unless you say what it is.
 *
 * **Example** (The page that Prometheus reads)
 *
 * ```ts import.meta.vitest
 * import { Observability } from "@effect-resilience/core"
 * import { Effect, Metric } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 *
 * const program = Effect.void.pipe(
 *   Observability.call("orders"),
 *   Effect.andThen(PrometheusMetrics.format({ metricNameMapper: Observability.prometheusName })),
 *   Effect.provide(Observability.layerMetrics()),
 *   Effect.provideService(Metric.MetricRegistry, new Map())
 * )
 *
 * const lines = (await Effect.runPromise(program)).split("\n")
 * lines[1] // => "# TYPE resilience_calls_total counter"
 * lines[2] // => "resilience_calls_total{name=\"orders\",outcome=\"success\"} 1"
 * lines[3] // => "resilience_calls_total{name=\"orders\",outcome=\"transient\"} 0"
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const prometheusName = (id: string, measure?: Measure): string => {
  const known = measure ?? (Object.hasOwn(catalogue, id) ? catalogue[id as Id] : undefined)
  return known === undefined ? id : prometheusNameOf(id, known)
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

/** A change of mind or a leak is what an operator wants to know of; the rest is detail. */
const levels: { readonly [Tag in Telemetry.Event["_tag"]]: "Warn" | "Debug" } = {
  AttemptStarted: "Debug",
  AttemptEnded: "Debug",
  RetryScheduled: "Debug",
  RetryStopped: "Warn",
  TimedOut: "Debug",
  CleanupDied: "Warn",
  CircuitChanged: "Warn",
  CircuitExceeded: "Warn",
  RejectedByCircuit: "Debug",
  RejectedByBulkhead: "Debug",
  RejectedByRateLimiter: "Debug",
  RejectedByKeyed: "Debug",
  RejectedByThrottle: "Debug",
  RejectedByBalancer: "Debug",
  EndpointEjected: "Warn",
  EndpointCooling: "Debug",
  EndpointReturned: "Debug",
  CallEnded: "Debug",
  CallDetached: "Warn",
  DetachedEnded: "Debug",
  DeadlinePassed: "Debug",
  FallbackUsed: "Debug",
  StaleServed: "Debug",
  Coalesced: "Debug",
  ChaosInjected: "Debug",
  BudgetExhausted: "Debug",
  HedgeStarted: "Debug",
  HedgeSettled: "Debug",
  WaitedForBulkhead: "Debug",
  LimitChanged: "Debug",
  WaitedForRateLimiter: "Debug",
  LimiterModeChanged: "Warn"
}

/** That a retry is not there for what has failed is no news: with an open circuit it would be so for every call. */
const levelOf = (event: Telemetry.Event): "Warn" | "Debug" =>
  event._tag === "RetryStopped" && event.reason === "not-retryable" ? "Debug" : levels[event._tag]

/**
 * The layer of logs: what changes a policy's mind as a warning, everything else as `Debug`. Annotations carry the fields, durations
 * in milliseconds; errors are named by their fault only, for they may hold what does not belong into logs.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLogs: Layer.Layer<never> = layerListener(Effect.gen(function*() {
  const loggers = Context.make(Logger.CurrentLoggers, yield* Logger.CurrentLoggers)
  return (event, call) => {
    const log = Effect.logWithLevel(levelOf(event))(`resilience: ${event._tag}`)
    const wall = Context.get(call, Clock.Clock).currentTimeMillisUnsafe()
    fork(Context.merge(loggers, call), Effect.annotateLogs(log, fieldsOf(event, wall)))
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
      const listener: Telemetry.Listener = (event, call) => {
        const clock = Context.get(call, Clock.Clock)
        const attributes = fieldsOf(event, clock.currentTimeMillisUnsafe())
        span.value.event(`resilience.${event._tag}`, clock.currentTimeNanosUnsafe(), attributes)
      }
      return outer === undefined ? listener : both(listener, outer)
    })
  const listener = Effect.flatMap(Telemetry.CurrentListener, inside)
  return Policy.make({
    info: { kind: "span-events", settings: {}, children: [] },
    effect: (self) => Effect.provideServiceEffect(self, Telemetry.CurrentListener, listener),
    stream: (self) => Stream.provideServiceEffect(self, Telemetry.CurrentListener, listener)
  })
})()

/**
 * The layer of spans: each attempt of a `Retry` and of a `Hedge` is in a span `resilience.attempt` of its own, a child of the call's, and what the
 * attempt does is inside of it. Attributes are `policy`, `name`, `attempt` and, when it has ended, `outcome`; the span
 * ends as the attempt does. The span of an attempt of a stream ends with the first element that commits.
 *
 * **Example** (Whose request was it)
 *
 * ```ts import.meta.vitest
 * import { Observability, Retry } from "@effect-resilience/core"
 * import { Effect, Schedule, Tracer } from "effect"
 *
 * const spans: Array<Tracer.NativeSpan> = []
 * const tracer = Tracer.make({
 *   span: (options) => {
 *     const span = new Tracer.NativeSpan(options)
 *     spans.push(span)
 *     return span
 *   }
 * })
 *
 * let calls = 0
 * const request = Effect.suspend(() => ++calls === 1 ? Effect.fail("busy") : Effect.void).pipe(Effect.withSpan("request"))
 * const call = request.pipe(Retry.make({ schedule: Schedule.recurs(1) }), Effect.withSpan("call"))
 *
 * await Effect.runPromise(call.pipe(Effect.provide(Observability.layerSpans), Effect.withTracer(tracer)))
 * spans.map((span) => span.name) // => ["call", "resilience.attempt", "request", "resilience.attempt", "request"]
 * spans.map((span) => span.attributes.get("outcome")) // => [undefined, "transient", undefined, "success", undefined]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSpans: Layer.Layer<never> = Layer.merge(
  Layer.succeed(CurrentAttemptSpans, attemptSpans),
  layerListener(Effect.succeed(constVoid))
)

/**
 * Everything that an operator wants at once: metrics, logs and spans.
 *
 * **Gotchas**
 *
 * Each of the layers adds to the listener that it finds beneath it. Layers that stand side by side in `Layer.mergeAll` do not find one another, and only the
 * last one hears anything: put one upon the other with `Layer.provideMerge`, as this layer does.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Parameters<typeof layerMetrics>[0]): Layer.Layer<never> =>
  layerSpans.pipe(Layer.provideMerge(layerLogs), Layer.provideMerge(layerMetrics(options)))

/**
 * The events of policies as a stream: every reader gets all events from then on. A slow reader loses the oldest.
 *
 * @category services
 * @since 0.1.0
 */
export class Events extends Context.Service<Events, {
  readonly stream: Stream.Stream<Telemetry.Event>
}>()("@effect-resilience/core/Observability/Events") {
  /** Listens to everything inside, and keeps up to `capacity` [1024] events for a reader. */
  static readonly layer = (options: { readonly capacity?: number | undefined } = {}): Layer.Layer<Events> => {
    const where = "Observability.Events.layer"
    const capacity = integer(where, "capacity", checkedOptions(where, options).capacity ?? 1024, 1)
    const hub = Layer.effect(Hub, PubSub.sliding<Telemetry.Event>(capacity))
    const listener = layerListener(
      Effect.map(Hub, (hub): Telemetry.Listener => (event) => {
        // it does not slide: what does not fit it drops
        if (!PubSub.publishUnsafe(hub, event)) Effect.runSync(PubSub.publish(hub, event))
      })
    )
    const events = Layer.effect(Events, Effect.map(Hub, (hub) => ({ stream: Stream.fromPubSub(hub) })))
    return Layer.provide(Layer.mergeAll(events, listener), hub)
  }
}

class Hub extends Context.Service<Hub, PubSub.PubSub<Telemetry.Event>>()(
  "@effect-resilience/core/Observability/Hub"
) {}
