import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import { attemptLabel, Labels } from "../src/kernel/labels.ts"
import * as Observability from "../src/Observability.ts"
import * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"

/** The metrics of a program, one line each. */
const metricsOf = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    yield* Effect.exit(program)
    const snapshot = yield* Metric.snapshot
    return snapshot.map(({ attributes, id, state }) => {
      const { count, value } = state as { readonly count?: number; readonly value?: number }
      return `${id} ${Object.values(attributes ?? {}).join(" ")}: ${count ?? value}`
    }).toSorted()
  }).pipe(Effect.provide(Observability.layerMetrics()), Effect.provideService(Metric.MetricRegistry, new Map()))

const flakyTwice = () => {
  let calls = 0
  return Effect.suspend(() => ++calls < 3 ? Effect.fail("busy") : Effect.succeed("done"))
}

const stack = Policy.compose(
  Observability.call("orders"),
  Retry.make({ name: "orders", schedule: Schedule.recurs(3) })
)

describe("Observability", () => {
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
          "resilience.calls orders success: 1"
        ])
      }))

    it.effect("the same for streams", () =>
      Effect.gen(function*() {
        const stream = Stream.unwrap(Effect.map(flakyTwice(), (text) => Stream.make(text, "and more")))
        const lines = yield* metricsOf(Stream.runDrain(stack.stream(stream)))
        assert.include(lines, "resilience.attempts orders 3 success: 1")
        assert.include(lines, "resilience.calls orders success: 1")
      }))

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
            "resilience.breaker.state db: 2",
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
        return (yield* Metric.snapshot).length
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
