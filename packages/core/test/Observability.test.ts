import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import { readFileSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import { catalogue } from "../src/kernel/catalogue.ts"
import { attemptLabel, Labels } from "../src/kernel/labels.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Observability from "../src/Observability.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Bad, during, fork, outcome } from "./support/harness.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** What begins with zero, and stands there. */
const isAtZero = ({ id, state, type }: Metric.Metric.Snapshot): boolean =>
  type === "Counter" && state.count === 0 || id === "resilience.detached" && type === "Gauge" && state.value === 0

/** The metrics of a snapshot, one line each, but those that stand at zero; of a histogram the sum, or how many. */
const linesOf = (histogram: "sum" | "count") =>
  Effect.map(
    Metric.snapshot,
    (snapshot) =>
      snapshot.filter((metric) => !isAtZero(metric)).map(({ attributes, id, state }) => {
        const labels = Object.entries(attributes ?? {}).flatMap(([key, value]) => key === "unit" ? [] : [value])
        const { count, sum, value } = state as { readonly [K in "count" | "sum" | "value"]?: number }
        const number = histogram === "sum" ? sum ?? count : count
        return `${id} ${labels.join(" ")}: ${number ?? value}`
      }).toSorted()
  )

const lines = linesOf("sum")

const measured = <A, E, R>(program: Effect.Effect<A, E, R>, options?: { readonly maxNames?: number }) =>
  program.pipe(
    Effect.provide(Observability.layerMetrics(options)),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

const metricsOf = <A, E>(program: Effect.Effect<A, E>) =>
  measured(Effect.andThen(Effect.exit(program), linesOf("count")))

const flakyTwice = () => {
  let calls = 0
  return Effect.suspend(() => ++calls < 3 ? Effect.fail("busy") : Effect.succeed("done"))
}

const stack = Policy.compose(
  Observability.call("orders"),
  Retry.make({ name: "orders", schedule: Schedule.recurs(3) })
)

const second = Duration.seconds(1)
const secret = "SECRET"
const cause = Cause.fail(secret)
const dies = Cause.die(secret)
const exit = Exit.fail(secret)
const fault = Fault.transient()

/** One event of every type and policy, and what it is in metrics, histograms of durations in seconds. */
const rows: {
  readonly [E in Telemetry.Event as `${E["policy"]} ${E["_tag"]}`]: readonly [
    event: Omit<E, "_tag" | "policy" | "name">,
    metrics: ReadonlyArray<string>
  ]
} = {
  "call CallEnded": [{ duration: second, exit }, [
    "resilience.call.duration x transient: 1",
    "resilience.calls x transient: 1"
  ]],
  "retry AttemptStarted": [{ attempt: 1 }, []],
  "retry AttemptEnded": [{ attempt: 7, duration: second, fault, exit }, [
    "resilience.attempt.duration x transient: 1",
    "resilience.attempts x 6+ transient: 1"
  ]],
  "retry RetryScheduled": [{ attempt: 1, fault, cause, delay: second }, ["resilience.retry.delay x transient: 1"]],
  "retry RetryStopped": [{ attempt: 1, fault, cause, reason: "exhausted" }, ["resilience.retry.stops x exhausted: 1"]],
  "retry BudgetExhausted": [{ budget: "shared", attempt: 1 }, ["resilience.budget.exhausted retry x shared: 1"]],
  "timeout TimedOut": [{ phase: "idle", limit: second, elapsed: second }, ["resilience.timeouts x idle: 1"]],
  "timeout CleanupDied": [{ cause: dies }, ["resilience.cleanup.defects timeout x: 1"]],
  "timeout CallDetached": [{ running: 3 }, ["resilience.detached x: 1"]],
  "timeout DetachedEnded": [{ running: 2, after: second }, ["resilience.detached x: -1"]],
  "deadline DeadlinePassed": [{ began: true, overrun: second }, ["resilience.deadlines x true: 1"]],
  "circuit-breaker CircuitChanged": [{ from: "Closed", to: "Open" }, [
    "resilience.breaker.changes x Open: 1"
  ]],
  "rate-limiter LimiterModeChanged": [{ mode: "local", processes: 3, reason: "slow" }, [
    "resilience.limiter.changes x local: 1"
  ]],
  "circuit-breaker CircuitExceeded": [{}, ["resilience.breaker.exceeded x: 1"]],
  "circuit-breaker RejectedByCircuit": [{ state: "Open", retryAfter: second }, [
    "resilience.rejections circuit-breaker x open: 1"
  ]],
  "bulkhead RejectedByBulkhead": [{ criticality: "critical", reason: "full", waited: second }, [
    "resilience.rejections bulkhead x full: 1"
  ]],
  "bulkhead WaitedForBulkhead": [{ criticality: "sheddable", waited: second }, [
    "resilience.wait.duration bulkhead x: 1"
  ]],
  "adaptive-limit RejectedByBulkhead": [{ criticality: "sheddable", reason: "waited", waited: second }, [
    "resilience.rejections adaptive-limit x waited: 1"
  ]],
  "adaptive-limit WaitedForBulkhead": [{ criticality: "sheddable", waited: second }, [
    "resilience.wait.duration adaptive-limit x: 1"
  ]],
  "adaptive-limit LimitChanged": [{ from: 10, to: 11 }, []],
  "balancer RejectedByBalancer": [{ reason: "cooling", retryAfter: second }, [
    "resilience.rejections balancer x cooling: 1"
  ]],
  "balancer EndpointEjected": [{ endpoint: "a", failures: 5, duration: second }, [
    "resilience.balancer.changes x ejected: 1"
  ]],
  "balancer EndpointCooling": [{ endpoint: "a", duration: second }, ["resilience.balancer.changes x cooling: 1"]],
  "balancer EndpointReturned": [{ endpoint: "a" }, ["resilience.balancer.changes x available: 1"]],
  "adaptive-throttle RejectedByThrottle": [
    { criticality: "critical", ratio: 0.5 },
    ["resilience.rejections adaptive-throttle x overload: 1"]
  ],
  "keyed RejectedByKeyed": [{}, ["resilience.rejections keyed x full: 1"]],
  "rate-limiter RejectedByRateLimiter": [{
    criticality: "critical",
    reason: "cost",
    dimension: "tokens",
    retryAfter: second
  }, [
    "resilience.rejections rate-limiter x cost: 1"
  ]],
  "rate-limiter WaitedForRateLimiter": [{ criticality: "sheddable", waited: second }, [
    "resilience.wait.duration rate-limiter x: 1"
  ]],
  "hedge HedgeStarted": [{ attempt: 2, because: "delay", elapsed: second }, ["resilience.hedge.attempts x delay: 1"]],
  "hedge HedgeSettled": [{ attempts: 2, winner: 2, duration: second }, ["resilience.hedges x true: 1"]],
  "hedge BudgetExhausted": [{ budget: undefined, attempt: 1 }, ["resilience.budget.exhausted hedge x none: 1"]],
  "hedge CleanupDied": [{ cause: dies }, ["resilience.cleanup.defects hedge x: 1"]],
  "fallback FallbackUsed": [{ fault, cause }, ["resilience.fallbacks x alternative transient: 1"]],
  "fallback StaleServed": [{ fault, cause, age: second }, [
    "resilience.fallbacks x stale transient: 1",
    "resilience.stale.age x: 1"
  ]],
  "coalesce Coalesced": [{}, ["resilience.coalesced x: 1"]],
  "chaos ChaosInjected": [
    { injected: "latency", delay: Duration.seconds(1) },
    ["resilience.chaos.injections x latency: 1"]
  ]
}

const everyEvent = Object.entries(rows).map(([key, [fields, metrics]]) => {
  const [policy, _tag] = key.split(" ")
  return { key, event: { _tag, policy, name: "x", ...fields } as Telemetry.Event, metrics }
})

const tell = (event: Telemetry.Event): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Telemetry.CurrentListener)!(event, fiber.context)
    return Effect.void
  })

const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("Observability", () => {
  describe("every event", () => {
    for (const { event, key, metrics } of everyEvent) {
      it.effect(`${key} has its metrics`, () =>
        Effect.gen(function*() {
          yield* tell(event)
          assert.deepStrictEqual(yield* lines, metrics)
        }).pipe(measured))

      it.effect(`${key} has a line in the log and an event in the span, without what errors hold`, () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          const logger = Logger.make(({ fiber, message }) => {
            seen.push([message, fiber.getRef(References.CurrentLogAnnotations)])
          })
          const tracer = Tracer.make({
            span: (options) => {
              const span = new Tracer.NativeSpan(options)
              span.event = (name, _, attributes) => void seen.push([name, attributes])
              return span
            }
          })
          yield* tell(event).pipe(
            Observability.spanEvents,
            Effect.withSpan("call"),
            Effect.provide(Layer.provideMerge(Observability.layerLogs, Logger.layer([logger]))),
            Effect.provideService(Tracer.Tracer, tracer),
            Effect.provideService(References.MinimumLogLevel, "All")
          )
          yield* Effect.yieldNow
          const [inSpan, inLog] = seen as Array<[unknown, Record<string, unknown>]>
          assert.strictEqual(inSpan![0], `resilience.${event._tag}`)
          assert.deepStrictEqual(inLog![0], [`resilience: ${event._tag}`])
          for (const [, fields] of [inSpan!, inLog!]) {
            assert.deepInclude(fields, { policy: event.policy, name: "x" })
            assert.notInclude(JSON.stringify(fields), secret)
            for (const value of Object.values(fields)) assert.include(["string", "number", "boolean"], typeof value)
          }
        }))
    }

    it.effect("every metric is in the tables of the page and of the module", () =>
      Effect.gen(function*() {
        yield* Bulkhead.make({ name: "x", concurrency: 1 })
        yield* CircuitBreaker.make({ name: "x" })
        yield* Balancer.make({ name: "x", endpoints: ["a"] })
        for (const { event } of everyEvent) yield* tell(event)
        const ids = new Set((yield* Metric.snapshot).map(({ id }) => id))
        // a shared limiter, which needs a store, has a gauge of its own
        ids.add("resilience.limiter.mode")
        assert.deepStrictEqual(Object.keys(catalogue).toSorted(), Array.from(ids).toSorted())
        for (const path of ["../../../docs/policies/observability.md", "../src/Observability.ts"]) {
          const text = readFileSync(new URL(path, import.meta.url), "utf8")
          const listed = Array.from(text.matchAll(/^[ *]*\| `(resilience\.[a-z_.]+)`/gmu), ([, id]) => id!)
          assert.deepStrictEqual(listed.toSorted(), Array.from(ids).toSorted())
        }
        for (const { attributes, description, id, type } of yield* Metric.snapshot) {
          assert.isString(description, id)
          assert.match(attributes?.["unit"] ?? "", type === "Histogram" ? /^s$/u : /^\{[a-z]+\}$/u, id)
        }
      }).pipe(measured))
  })

  describe("gauges of bulkheads", () => {
    it.effect("are what is so when somebody looks, whoever makes the calls", () =>
      Effect.gen(function*() {
        const bulkhead = yield* Bulkhead.make({ name: "reports", concurrency: 2, maxQueue: 9 })
        const gauges = (inUse: number, queued: number, limit: number) => [
          `resilience.bulkhead.in_use bulkhead reports: ${inUse}`,
          `resilience.bulkhead.queued bulkhead reports: ${queued}`,
          `resilience.limit bulkhead reports: ${limit}`
        ]
        assert.deepStrictEqual(yield* lines, gauges(0, 0, 2))
        const call = fork(Effect.never.pipe(bulkhead))
        const heard = yield* call
        const unheard = yield* Effect.replicateEffect(
          Effect.provideService(call, Telemetry.CurrentListener, undefined),
          3
        )
        assert.deepStrictEqual(yield* lines, gauges(2, 2, 2))
        yield* bulkhead.resize({ concurrency: 3 })
        assert.deepStrictEqual((yield* lines).slice(0, 3), gauges(3, 1, 3))
        yield* Fiber.interruptAll([heard, ...unheard])
        assert.deepStrictEqual((yield* lines).slice(0, 3), gauges(0, 0, 3))
      }).pipe(measured))

    it.effect("are the sum of those that share a name, as do all beyond the most names", () =>
      Effect.gen(function*() {
        const bulkheads = yield* Effect.forEach(["a", "a", "b", "c"], (name, i) =>
          Bulkhead.make({ name, concurrency: 10 ** i }))
        assert.deepStrictEqual(
          (yield* lines).filter((line) =>
            line.includes("limit")
          ),
          [
            "resilience.limit bulkhead a: 11",
            "resilience.limit bulkhead other: 1100"
          ]
        )
        return bulkheads
      }).pipe((program) => measured(program, { maxNames: 1 })))

    it.effect("keep no bulkhead alive, and end with the last of a name", () =>
      Effect.gen(function*() {
        const kept = yield* Bulkhead.make({ name: "shared", concurrency: 1 })
        for (let i = 0; i < 100; i++) {
          yield* Bulkhead.make({ name: "shared", concurrency: 1 })
          yield* Bulkhead.make({ name: `dropped ${i}`, concurrency: 1 })
        }
        const limits = Effect.map(lines, (all) => all.filter((line) => line.startsWith("resilience.limit")))
        const before = yield* limits
        assert.lengthOf(before, 101)
        assert.include(before, "resilience.limit bulkhead shared: 101")
        yield* settled
        collectGarbage()
        yield* Effect.replicateEffect(settled, 10, { discard: true }) // finalizers run in tasks of their own
        const after = yield* limits
        assert.isBelow(after.length, 10)
        const shared = Number(after.find((line) => line.includes("shared"))?.split(": ")[1])
        assert.isTrue(shared >= 1 && shared < 10, `shared: ${shared}`)
        return kept
      }).pipe((program) => measured(program, { maxNames: 200 })))

    it.effect("end with the layer", () =>
      Effect.gen(function*() {
        const registry = new Map()
        const gauges = () => Array.from(registry.values()).filter(({ type }) => type === "Gauge").length
        const bulkhead = yield* Bulkhead.make({ name: "x", concurrency: 1 }).pipe(
          Effect.tap(() => Effect.sync(() => assert.strictEqual(gauges(), 3))),
          Effect.provide(Observability.layerMetrics()),
          Effect.provideService(Metric.MetricRegistry, registry)
        )
        assert.strictEqual(gauges(), 0)
        yield* bulkhead(Effect.void)
      }))

    it.effect("are not for those without a name, and not without the layer", () =>
      Effect.gen(function*() {
        yield* Effect.provideService(Bulkhead.make({ name: "x", concurrency: 1 }), Metric.MetricRegistry, new Map())
        yield* measured(Effect.gen(function*() {
          yield* Bulkhead.make({ concurrency: 1 })
          assert.deepStrictEqual(yield* lines, [])
        }))
      }))
  })

  describe("gauges of circuit breakers", () => {
    const make = (name = "payments") =>
      CircuitBreaker.make({ name, trip: CircuitBreaker.consecutive(1), open: "10 seconds" })
    const trip = (breaker: CircuitBreaker.CircuitBreaker) => Effect.exit(breaker(Effect.fail("down")))
    /** In which states how many are, of those that there are any. */
    const states = Effect.map(lines, (all) =>
      all.flatMap((line) => {
        const [, name, state, count] = /^resilience\.breaker\.state (\S+) (\S+): (\d+)$/u.exec(line) ?? []
        return count === undefined || count === "0" ? [] : [`${name} ${state} ${count}`]
      }))

    it.effect("say the state when somebody looks, as time and operators have changed it", () =>
      Effect.gen(function*() {
        const breaker = yield* make()
        assert.deepStrictEqual(yield* states, ["payments Closed 1"])
        yield* trip(breaker)
        assert.deepStrictEqual(yield* states, ["payments Open 1"])
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual(yield* states, ["payments HalfOpen 1"], "nobody has called")
        yield* breaker.isolate
        assert.deepStrictEqual(yield* states, ["payments Isolated 1"])
      }).pipe(measured))

    it.effect("see calls that have become slow, though nobody has looked at the circuit", () =>
      Effect.gen(function*() {
        const breaker = yield* CircuitBreaker.make({
          name: "slow",
          trip: CircuitBreaker.slowRate({ after: "1 second", calls: 2 })
        })
        yield* Effect.replicateEffect(fork(breaker(Effect.never)), 2)
        assert.deepStrictEqual(yield* states, ["slow Closed 1"])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* states, ["slow Open 1"])
      }).pipe(measured))

    it.effect("are no mixture of those that share a name, or are beyond the most names", () =>
      Effect.gen(function*() {
        const [a] = yield* Effect.all([make("a"), make("a"), make("a"), make("b"), make("c")])
        yield* trip(a)
        assert.deepStrictEqual(yield* states, ["a Closed 2", "a Open 1", "other Closed 2"])
      }).pipe((program) => measured(program, { maxNames: 1 })))

    it.effect("are there from the first use of one that was made elsewhere, whoever calls", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ name: "module", trip: CircuitBreaker.consecutive(1) })
        assert.deepStrictEqual(yield* states, [])
        yield* Effect.provideService(trip(breaker), Telemetry.CurrentListener, undefined)
        assert.deepStrictEqual(yield* states, ["module Open 1"])
        const stream = CircuitBreaker.makeUnsafe({ name: "stream" })
        yield* Stream.runDrain(Stream.make(1).pipe(stream.stream))
        assert.include(yield* states, "stream Closed 1")
      }).pipe(measured))

    it.effect("go when a Keyed lets go of it", () =>
      Effect.gen(function*() {
        for (
          const lookup of [
            (name: string) => make(name),
            (name: string) => Effect.map(make(name), (breaker) => Policy.compose(breaker, Timeout.attempt("1 minute")))
          ] as ReadonlyArray<(name: string) => Effect.Effect<Policy.Policy<unknown, unknown>>>
        ) {
          const keyed = yield* Keyed.make({ lookup })
          yield* Effect.exit(Effect.fail("down").pipe(keyed.for("a")))
          assert.deepStrictEqual(yield* states, ["a Open 1"])
          yield* TestClock.adjust("1 day")
          yield* Effect.void.pipe(keyed.for("b"))
          assert.deepStrictEqual(yield* states, ["b Closed 1"])
          yield* TestClock.adjust("1 day")
          assert.deepStrictEqual(yield* keyed.entries, [])
          assert.deepStrictEqual(yield* states, [])
        }
      }).pipe(measured))
  })

  describe("metrics", () => {
    it.effect("calls and attempts are separate numbers", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* metricsOf(flakyTwice().pipe(stack)), [
          "resilience.attempt.duration orders success: 1",
          "resilience.attempt.duration orders transient: 2",
          "resilience.attempts orders 1 transient: 1",
          "resilience.attempts orders 2 transient: 1",
          "resilience.attempts orders 3 success: 1",
          "resilience.call.duration orders success: 1",
          "resilience.calls orders success: 1",
          "resilience.retry.delay orders transient: 2"
        ])
      }))

    it.effect("the same for streams", () =>
      Effect.gen(function*() {
        const stream = Stream.unwrap(Effect.map(flakyTwice(), (text) => Stream.make(text, "and more")))
        const lines = yield* metricsOf(Stream.runDrain(stack.stream(stream)))
        assert.include(lines, "resilience.attempts orders 3 success: 1")
        assert.include(lines, "resilience.calls orders success: 1")
      }))

    it.effect("attributes of the context are kept beside the labels, which win", () =>
      Effect.gen(function*() {
        const program = Effect.replicateEffect(Effect.void.pipe(Observability.call("orders")), 2)
        const lines = yield* metricsOf(program).pipe(
          Effect.provideService(Metric.CurrentMetricAttributes, { region: "north", name: "elsewhere" })
        )
        assert.deepStrictEqual(lines, [
          "resilience.call.duration north orders success: 2",
          "resilience.calls north orders success: 2"
        ])
      }))

    it.effect("a series that is taken from the registry begins again", () =>
      measured(Effect.gen(function*() {
        const call = Effect.void.pipe(Observability.call("orders"))
        yield* call
        const registry = yield* Metric.MetricRegistry
        registry.clear()
        yield* call
        assert.deepStrictEqual(yield* linesOf("count"), [
          "resilience.call.duration orders success: 1",
          "resilience.calls orders success: 1"
        ])
      })))

    it.effect("rejections, timeouts, the state of a breaker", () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ name: "db", trip: CircuitBreaker.consecutive(1) })
        const program = Effect.gen(function*() {
          yield* Effect.exit(Effect.fail("down").pipe(breaker))
          yield* Effect.exit(Effect.fail("down").pipe(breaker, Observability.call("db")))
          const slow = yield* Effect.forkChild(Effect.exit(Effect.never.pipe(Timeout.attempt("1 second"))))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(slow)
        })
        assert.deepStrictEqual(
          (yield* metricsOf(program)).filter((line) => !line.includes("duration")),
          [
            "resilience.breaker.changes db Open: 1",
            ...["Closed: 0", "Disabled: 0", "HalfOpen: 0", "Isolated: 0", "MetricsOnly: 0", "Open: 1"].map((state) =>
              `resilience.breaker.state db ${state}`
            ),
            "resilience.calls db rejected: 1",
            "resilience.rejections circuit-breaker db open: 1",
            "resilience.timeouts none attempt: 1"
          ]
        )
      }))

    it.effect("a caller who leaves is neither success nor failure", () =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.never.pipe(stack), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
        })
        assert.include(yield* metricsOf(program), "resilience.calls orders interrupted: 1")
      }))

    it("a bad limit is named", () => {
      assert.throws(() => Observability.layerMetrics({ maxNames: 0 }), /maxNames.*0/)
      assert.throws(() => Observability.Events.layer({ capacity: 0.5 }), /capacity.*0.5/)
    })
  })

  describe("labels", () => {
    it("are bounded: the first come first, the rest share one", () => {
      const labels = new Labels(2)
      assert.deepStrictEqual(["a", "b", "c", "a", undefined].map((name) => labels.of(name)), [
        "a",
        "b",
        "other",
        "a",
        "none"
      ])
    })

    it("of attempts end with the fifth", () => {
      assert.deepStrictEqual([1, 5, 6, 100].map(attemptLabel), ["1", "5", "6+", "6+"])
    })
  })

  it.effect("logs: what changes a policy's mind is a warning, without what errors hold", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        lines.push(`${logLevel} ${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
      })
      const breaker = CircuitBreaker.makeUnsafe({ name: "db", trip: CircuitBreaker.consecutive(1) })
      yield* Effect.exit(Effect.fail("SECRET").pipe(breaker)).pipe(
        Effect.provide(Layer.provideMerge(Observability.layerLogs, Logger.layer([logger])))
      )
      yield* Effect.yieldNow
      assert.deepStrictEqual(lines, [
        "Warn resilience: CircuitChanged {\"policy\":\"circuit-breaker\",\"name\":\"db\",\"from\":\"Closed\",\"to\":\"Open\"}"
      ])
    }))

  it.effect("logs: an open circuit and an answer that says no are not a warning per call", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      const breaker = CircuitBreaker.makeUnsafe()
      yield* breaker.isolate
      const retry = Retry.make({ schedule: Schedule.recurs(1) })
      yield* Effect.all([
        Effect.exit(Effect.void.pipe(breaker, retry)),
        Effect.exit(new Bad().pipe(retry)),
        Effect.exit(Effect.fail("busy").pipe(retry))
      ]).pipe(Effect.provide(Layer.provideMerge(Observability.layerLogs, Logger.layer([logger]))))
      assert.deepStrictEqual(lines, ["Warn resilience: RetryStopped"])
    }))

  describe("a span for each attempt", () => {
    /** What a tracer has seen: `name policy/attempt outcome <- parent`, in the order of the beginnings. */
    const traced = <A, E>(program: Effect.Effect<A, E>) =>
      Effect.gen(function*() {
        const spans: Array<Tracer.NativeSpan> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        yield* program.pipe(
          Effect.exit,
          Effect.withSpan("call"),
          Effect.provide(Observability.layerSpans),
          Effect.withTracer(tracer)
        )
        for (const { name, status } of spans) assert.strictEqual(status._tag, "Ended", name)
        const shown = (span: Tracer.NativeSpan): string => {
          const [policy, attempt, name = "-", outcome] = ["policy", "attempt", "name", "outcome"].map((key) =>
            span.attributes.get(key) as string | number | undefined
          )
          return span.name === "resilience.attempt" ? `${policy}/${attempt} ${name} ${outcome}` : span.name
        }
        return spans.map((span) => {
          const parent = spans.find(({ spanId }) => spanId === Option.getOrUndefined(span.parent)?.spanId)
          return parent === undefined ? shown(span) : `${shown(span)} <- ${shown(parent)}`
        })
      })
    const request = (effect: Effect.Effect<string, string>) => Effect.withSpan(effect, "request")

    it.effect("of a retry: a child of the call's, and what the attempt does is inside", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* traced(request(flakyTwice()).pipe(stack)), [
          "call",
          "retry/1 orders transient <- call",
          "request <- retry/1 orders transient",
          "retry/2 orders transient <- call",
          "request <- retry/2 orders transient",
          "retry/3 orders success <- call",
          "request <- retry/3 orders success"
        ])
      }))

    it.effect("of a hedge: also of the loser, which is told to end", () =>
      Effect.gen(function*() {
        let calls = 0
        const call = Effect.suspend(() => ++calls === 1 ? Effect.never : Effect.succeed("done"))
        const program = request(call).pipe(Hedge.makeUnsafe({ name: "h", after: "1 second" }))
        assert.deepStrictEqual(yield* during("1 minute", traced(program)), [
          "call",
          "hedge/1 h interrupted <- call",
          "request <- hedge/1 h interrupted",
          "hedge/2 h success <- call",
          "request <- hedge/2 h success"
        ])
      }))

    it.effect("one inside the other, and a caller who leaves", () =>
      Effect.gen(function*() {
        const policy = Policy.compose(Retry.make(), Hedge.makeUnsafe({ after: "1 hour" }))
        const program = Effect.timeoutOption(request(Effect.never).pipe(policy), "1 second")
        assert.deepStrictEqual(yield* during("1 minute", traced(program)), [
          "call",
          "retry/1 - interrupted <- call",
          "hedge/1 - interrupted <- retry/1 - interrupted",
          "request <- hedge/1 - interrupted"
        ])
      }))

    it.effect("of a stream: to the element that commits, with all that is read of it inside", () =>
      Effect.gen(function*() {
        let calls = 0
        const stream = Stream.suspend(() =>
          ++calls === 1
            ? Stream.fail("busy")
            : Stream.fromEffectRepeat(request(Effect.succeed("token"))).pipe(Stream.take(2))
        )
        assert.deepStrictEqual(yield* traced(Stream.runDrain(stack.stream(stream))), [
          "call",
          "retry/1 orders transient <- call",
          "retry/2 orders success <- call",
          "request <- retry/2 orders success",
          "request <- retry/2 orders success"
        ])
      }))

    it.effect("ends with the exit of the attempt, at its time", () =>
      Effect.gen(function*() {
        const seen: Array<readonly [bigint, string]> = []
        class Seen extends Tracer.NativeSpan {
          override end(at: bigint, exit: Exit.Exit<unknown, unknown>) {
            super.end(at, exit)
            if (this.name === "resilience.attempt") seen.push([at / 1_000_000n, outcome(exit)])
          }
        }
        const retry = Retry.make({ schedule: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(1)]) })
        const program = Effect.exit(Effect.delay(Effect.fail("busy"), "2 seconds").pipe(retry)).pipe(
          Effect.provide(Observability.layerSpans),
          Effect.withTracer(Tracer.make({ span: (options) => new Seen(options) }))
        )
        yield* during("1 minute", program)
        assert.deepStrictEqual(seen, [[2000n, "busy"], [5000n, "busy"]])
      }))

    it.effect("not without the layer, and not where nothing is traced", () =>
      Effect.gen(function*() {
        const names: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            names.push(options.name)
            return new Tracer.NativeSpan(options)
          }
        })
        const call = flakyTwice().pipe(stack)
        yield* call.pipe(Effect.withTracer(tracer), Effect.provide(Observability.layerMetrics()))
        yield* call.pipe(
          Effect.withTracer(tracer),
          Effect.provide(Observability.layerSpans),
          Effect.withTracerEnabled(false)
        )
        assert.deepStrictEqual(names, [])
      }))

    it.effect("a tracer that throws as a span ends changes nothing", () =>
      Effect.gen(function*() {
        class Broken extends Tracer.NativeSpan {
          override end(): never {
            throw new Error("exported")
          }
        }
        const tracer = Tracer.make({ span: (options) => new Broken(options) })
        for (const policy of [stack, Hedge.makeUnsafe({ after: "1 second" })]) {
          const call = Effect.succeed("done").pipe(
            policy,
            Effect.provide(Observability.layerSpans),
            Effect.withTracer(tracer)
          )
          assert.strictEqual(yield* call, "done")
        }
      }))
  })

  it.effect("span events: what happened inside of the span", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* flakyTwice().pipe(
        Retry.make({ schedule: Schedule.recurs(3) }),
        Observability.spanEvents,
        Effect.withSpan("call"),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(spans[0]!.events.map(([name]) => name).filter((name) => !name.includes("Started")), [
        "resilience.AttemptEnded",
        "resilience.RetryScheduled",
        "resilience.AttemptEnded",
        "resilience.RetryScheduled",
        "resilience.AttemptEnded"
      ])
      assert.deepInclude(spans[0]!.events[1]![2], { attempt: 1, fault: "Transient" })
    }))

  it.effect("without a span the listener outside hears everything all the same", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      yield* flakyTwice().pipe(
        stack,
        Observability.spanEvents,
        Telemetry.listen(({ _tag }) => void heard.push(_tag))
      )
      assert.include(heard, "CallEnded")
    }))

  it.effect("a tracer that throws keeps nothing from the listener outside", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      class Broken extends Tracer.NativeSpan {
        override event(): never {
          throw new Error("the span has been exported")
        }
      }
      const tracer = Tracer.make({ span: (options) => new Broken(options) })
      yield* Effect.succeed(1).pipe(
        Observability.call("x"),
        Observability.spanEvents,
        Telemetry.listen(({ _tag }) => void heard.push(_tag)),
        Effect.withSpan("work"),
        Effect.withTracer(tracer)
      )
      assert.deepStrictEqual(heard, ["CallEnded"])
    }))

  it.effect("a stream: everything from then on, for everyone who reads", () =>
    Effect.gen(function*() {
      const { stream } = yield* Observability.Events
      const read = Stream.runCollect(Stream.takeUntil(stream, ({ _tag }) => _tag === "CallEnded"))
      const readers = yield* Effect.forEach([1, 2], () => Effect.forkChild(read, { startImmediately: true }))
      yield* Effect.yieldNow
      yield* Effect.succeed(1).pipe(stack)
      for (const reader of readers) {
        const events = yield* Fiber.join(reader)
        assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["AttemptStarted", "AttemptEnded", "CallEnded"])
      }
    }).pipe(Effect.provide(Observability.Events.layer())))

  it.effect("a stream: a reader that is slow loses the oldest", () =>
    Effect.gen(function*() {
      const { stream } = yield* Observability.Events
      const gate = yield* Latch.make(false)
      const names = Stream.mapEffect(stream, ({ name }) => Effect.as(gate.await, name))
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.takeUntil(names, (name) => name === "8")), {
        startImmediately: true
      })
      for (let i = 1; i <= 8; i++) {
        yield* Observability.call(String(i))(Effect.void)
        // the reader takes the first one, and is held up with it
        if (i === 1) yield* Effect.yieldNow
      }
      yield* gate.open
      assert.deepStrictEqual(yield* Fiber.join(reader), ["1", "7", "8"])
    }).pipe(Effect.provide(Observability.Events.layer({ capacity: 2 }))))

  it.effect("layers add to each other", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const program = Effect.succeed(1).pipe(
        Observability.call("x"),
        Telemetry.listen(({ _tag }) => void heard.push(_tag))
      )
      const layers = Layer.provideMerge(Observability.layerMetrics(), Observability.Events.layer())
      const lines = yield* Effect.gen(function*() {
        yield* program
        return (yield* Metric.snapshot).filter((metric) => !isAtZero(metric)).length
      }).pipe(Effect.provide(layers), Effect.provideService(Metric.MetricRegistry, new Map()))
      assert.deepStrictEqual([heard, lines], [["CallEnded"], 2])
    }))

  it.effect("a call is what it was: value, error, interruption", () =>
    Effect.gen(function*() {
      const policy = Observability.call("x")
      const listened = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.exit(effect.pipe(
          policy,
          Telemetry.listen(() => {
            throw new Error("oops")
          })
        ))
      assert.deepStrictEqual(yield* listened(Effect.succeed(1)), Exit.succeed(1))
      assert.deepStrictEqual(yield* listened(Effect.fail("e")), Exit.fail("e"))
    }))
})
