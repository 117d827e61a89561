import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Observability from "../src/Observability.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, during, fork, outcome, recorder } from "./support/harness.ts"

type Op = (self: Effect.Effect<void, unknown>) => Effect.Effect<unknown, unknown>
type StreamOp = (self: Stream.Stream<void, unknown>) => Stream.Stream<unknown, unknown>

/** What has both faces. */
interface Faces {
  readonly effect: Op
  readonly stream: StreamOp
}

const of = (policy: Policy.Policy<unknown, unknown>): Faces => ({ effect: policy, stream: policy.stream })

const fails = Effect.fail(new Boom({}))
/** Hangs, and dies of its interruption a second after it. */
const diesLate = Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep("1 second"), Effect.die("late")))

const nth = (...calls: ReadonlyArray<Effect.Effect<void, unknown>>) => {
  let n = 0
  return Effect.suspend(() => calls[n++ % calls.length]!)
}

const balanced = (...endpoints: ReadonlyArray<string>): Faces => {
  const balancer = Balancer.makeUnsafe({ endpoints, choose: "in-order", ejection: { failures: 1 } })
  return { effect: (self) => balancer.use(() => self), stream: (self) => balancer.useStream(() => self) }
}

const throttledFor = (millis: number): Fault.Classified => ({
  [Fault.TypeId]: Fault.throttled({ retryAfter: millis })
})

const limit = RateLimiter.tokenBucket({ limit: 1, within: "1 second" })

/** Each is made once, for two callers who come 100 ms after one another; all that they tell, by caller. */
const scenarios: Record<string, readonly [() => Faces, () => Effect.Effect<void, unknown>, ...Array<string>]> = {
  "a retry": [
    () => of(Retry.make({ schedule: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(1)]) })),
    () => fails,
    "one AttemptStarted",
    "one AttemptEnded",
    "one RetryScheduled",
    "two AttemptStarted",
    "two AttemptEnded",
    "two RetryScheduled",
    "one AttemptStarted",
    "one AttemptEnded",
    "one RetryStopped",
    "two AttemptStarted",
    "two AttemptEnded",
    "two RetryStopped"
  ],
  "a budget": [
    () =>
      of(Retry.make({
        schedule: Schedule.spaced("1 second"),
        budget: RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 2 }) })
      })),
    () => fails,
    "one AttemptStarted",
    "one AttemptEnded",
    "one BudgetExhausted",
    "one RetryStopped",
    "two AttemptStarted",
    "two AttemptEnded",
    "two BudgetExhausted",
    "two RetryStopped"
  ],
  "a timeout": [() => of(Timeout.attempt("1 second")), () => Effect.never, "one TimedOut", "two TimedOut"],
  "a timeout whose call dies of it": [
    () => of(Timeout.attempt("1 second")),
    () => diesLate,
    "one CleanupDied",
    "one TimedOut",
    "two CleanupDied",
    "two TimedOut"
  ],
  "a call left behind": [
    () => of(Timeout.attempt("1 second", { detach: true })),
    () => diesLate,
    "one CallDetached",
    "one TimedOut",
    "two CallDetached",
    "two TimedOut",
    "one CleanupDied",
    "one DetachedEnded",
    "two CleanupDied",
    "two DetachedEnded"
  ],
  "a hedge": [
    () => of(Hedge.makeUnsafe({ after: "1 second" })),
    () => nth(diesLate, diesLate, Effect.sleep(10), Effect.sleep(10)),
    "one HedgeStarted",
    "one HedgeSettled",
    "two HedgeStarted",
    "two HedgeSettled",
    "one CleanupDied",
    "two CleanupDied"
  ],
  "a bulkhead, where one caller lets in the other": [
    () => of(Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1 })),
    () => Effect.sleep("1 second"),
    "two WaitedForBulkhead"
  ],
  "a bulkhead that is full": [
    () => of(Bulkhead.makeUnsafe({ concurrency: 1 })),
    () => Effect.sleep("1 second"),
    "two RejectedByBulkhead"
  ],
  "an adaptive limit, where one caller lets in the other": [
    () => of(AdaptiveLimit.makeUnsafe({ maxConcurrency: 1, maxQueue: 1 })),
    () => Effect.sleep("1 second"),
    "two WaitedForBulkhead"
  ],
  "an adaptive limit whose callee drops calls": [
    () => of(AdaptiveLimit.makeUnsafe({ minCalls: 1, within: 1 })),
    () => Effect.andThen(Effect.sleep("1 second"), fails),
    "two LimitChanged"
  ],
  "a rate limiter": [
    () => of(RateLimiter.makeUnsafe({ limit, maxWait: "1 minute" })),
    () => Effect.void,
    "two WaitedForRateLimiter"
  ],
  "a rate limiter that has no room": [
    () => of(RateLimiter.makeUnsafe({ limit })),
    () => Effect.void,
    "two RejectedByRateLimiter"
  ],
  "a Keyed that has no room": [
    () => {
      const keyed = Keyed.makeUnsafe({
        lookup: (_: string) => CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(9) }),
        maxInstances: 1,
        whenFull: "reject"
      })
      let calls = 0
      const next = () => keyed.for(`key ${calls++}`)
      return {
        effect: (self) => Effect.suspend(() => next()(self)),
        stream: (self) => Stream.suspend(() => next().stream(self))
      }
    },
    () => fails,
    "two RejectedByKeyed"
  ],
  "a balancer whose endpoint fails": [() => balanced("a", "b"), () => fails, "one EndpointEjected"],
  "a balancer whose endpoint asks for a rest": [
    () => balanced("a"),
    () => Effect.fail(throttledFor(50)),
    "one EndpointCooling",
    "two EndpointReturned",
    "two EndpointCooling"
  ],
  "a balancer whose only endpoint rests": [
    () => balanced("a"),
    () => Effect.fail(throttledFor(1000)),
    "one EndpointCooling",
    "two RejectedByBalancer"
  ],
  "a circuit": [
    () => of(CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })),
    () => fails,
    "one CircuitChanged",
    "two RejectedByCircuit"
  ],
  "a circuit that only counts": [
    () => of(CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2), initial: "MetricsOnly" })),
    () => fails,
    "two CircuitExceeded"
  ],
  "a deadline": [() => of(Deadline.within("1 second")), () => Effect.never, "one DeadlinePassed", "two DeadlinePassed"],
  "a fallback": [
    () => {
      const fallback = Fallback.to(() => Effect.void)
      return { effect: fallback, stream: fallback.stream }
    },
    () => fails,
    "one FallbackUsed",
    "two FallbackUsed"
  ],
  "the last good value": [
    () => {
      const stale = Fallback.makeStaleUnsafe<unknown>({ timeToLive: "1 hour" })
      return { effect: stale.for("key"), stream: stale.for("key").stream }
    },
    () => nth(Effect.void, fails),
    "two StaleServed"
  ],
  "calls that are shared": [
    () => {
      const coalesce = Coalesce.makeUnsafe<unknown, unknown>()
      return { effect: coalesce.for("key"), stream: coalesce.for("key").stream }
    },
    () => Effect.sleep("1 second"),
    "two Coalesced"
  ],
  "a throttle": [
    () => {
      const throttle = AdaptiveThrottle.makeUnsafe({ minCalls: 1 })
      const lowest = { nextDoubleUnsafe: () => 0, nextIntUnsafe: () => 0 }
      return {
        effect: (self) => Effect.provideService(throttle(self), Random.Random, lowest),
        stream: (self) => Stream.provideService(throttle.stream(self), Random.Random, lowest)
      }
    },
    () => Effect.fail(throttledFor(1)),
    "two RejectedByThrottle"
  ],
  "chaos": [
    () => of(Policy.compose(Chaos.latency("1 second", { ratio: 1 }), Chaos.stall({ ratio: 1 }))),
    () => Effect.void,
    "one ChaosInjected",
    "two ChaosInjected",
    "one ChaosInjected",
    "two ChaosInjected"
  ],
  "a whole call": [() => of(Observability.call("x")), () => Effect.sleep("1 second"), "one CallEnded", "two CallEnded"]
}

/** Every event there is. */
const tags: { readonly [Tag in Telemetry.Event["_tag"]]: true } = {
  AttemptStarted: true,
  AttemptEnded: true,
  RetryScheduled: true,
  RetryStopped: true,
  TimedOut: true,
  CleanupDied: true,
  CircuitChanged: true,
  CircuitExceeded: true,
  RejectedByCircuit: true,
  CallEnded: true,
  CallDetached: true,
  DetachedEnded: true,
  DeadlinePassed: true,
  FallbackUsed: true,
  StaleServed: true,
  Coalesced: true,
  ChaosInjected: true,
  BudgetExhausted: true,
  HedgeStarted: true,
  HedgeSettled: true,
  RejectedByBulkhead: true,
  WaitedForBulkhead: true,
  LimitChanged: true,
  RejectedByRateLimiter: true,
  RejectedByKeyed: true,
  RejectedByThrottle: true,
  RejectedByBalancer: true,
  EndpointEjected: true,
  EndpointCooling: true,
  EndpointReturned: true,
  WaitedForRateLimiter: true,
  LimiterModeChanged: true
}

const spanOf = (context: Context.Context<never>) =>
  Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan) as Tracer.Span | undefined

const caller = Context.Reference("test/caller", { defaultValue: () => "nobody" })

describe("Telemetry", () => {
  it.effect("every listener on the way hears, inside first, and one that throws changes nothing", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const listener = (name: string) => Telemetry.listen((event) => void heard.push(`${name} ${event._tag}`))
      const broken = Telemetry.listen(() => {
        throw new Error("listener")
      })
      const stack = Policy.compose(listener("outer"), broken, listener("inner"), Timeout.attempt("1 second"))
      const exit = yield* during("1 minute", Effect.exit(Effect.never.pipe(stack)))
      assert.strictEqual(outcome(exit), "TimeoutExceeded:attempt")
      assert.deepStrictEqual(heard, ["inner TimedOut", "outer TimedOut"])
    }))

  it.effect("hears streams as well", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const fiber = yield* fork(
        Effect.exit(
          Stream.runDrain(Stream.never.pipe(Policy.compose(policy, Timeout.phases({ first: "1 second" })).stream))
        )
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(events, [{
        _tag: "TimedOut",
        policy: "timeout",
        name: undefined,
        phase: "first",
        limit: Duration.seconds(1),
        elapsed: Duration.seconds(1)
      }])
    }))

  for (const [name, [make, call, ...expected]] of Object.entries(scenarios)) {
    for (const face of ["effect", "stream"] as const) {
      it.effect(`${name}: a listener has the context of the call that it is told of (${face})`, () =>
        Effect.gen(function*() {
          const heard: Array<string> = []
          const faces = make()
          const callee = call()
          const one = face === "effect"
            ? faces.effect(callee)
            : Stream.runDrain(faces.stream(Stream.fromEffect(callee)))
          const by = (name: string) =>
            one.pipe(
              Effect.exit,
              Effect.annotateLogs("caller", name),
              Effect.withSpan(name),
              Effect.provideService(caller, name),
              // goes on to something else
              Effect.andThen(Effect.sleep("1 minute"))
            )
          const program = Effect.gen(function*() {
            yield* fork(by("one"))
            yield* TestClock.adjust(100)
            yield* fork(by("two"))
            yield* TestClock.adjust("1 hour")
          })
          yield* program.pipe(Telemetry.listen((event, context) => {
            const name = Context.get(context, caller)
            heard.push(`${name} ${event._tag}`)
            assert.strictEqual(Context.get(context, References.CurrentLogAnnotations)["caller"], name)
            assert.strictEqual(spanOf(context)?.name, name)
          }))
          assert.deepStrictEqual(heard, expected)
        }).pipe(Effect.provide(Chaos.layer())))
    }
  }

  it("the scenarios tell every event there is", () => {
    const told = Object.values(scenarios).flatMap(([, , ...told]) => told.map((line) => line.split(" ")[1]!))
    // no call tells that a store is lost, and core has none
    assert.sameMembers([...new Set(told), "LimiterModeChanged"], Object.keys(tags))
  })

  describe("a defect that no caller sees", () => {
    const quick = Effect.andThen(Effect.yieldNow, Effect.void)
    const policies: Record<string, readonly [Policy.Policy<unknown, unknown>, ReadonlyArray<Effect.Effect<void>>]> = {
      "of a call that timed out": [Timeout.attempt("1 second"), [diesLate]],
      "of a call left behind": [Timeout.attempt("1 second", { detach: true }), [diesLate]],
      "of the loser of a race": [Hedge.makeUnsafe({ after: "1 second" }), [diesLate, quick]]
    }
    for (const [name, [policy, calls]] of Object.entries(policies)) {
      for (const face of ["effect", "stream"] as const) {
        it.effect(`${name} is logged with the annotations and the span of the call (${face})`, () =>
          Effect.gen(function*() {
            const logged: Array<unknown> = []
            const logger = Logger.make(({ cause, fiber, logLevel, message }) => {
              const { caller, policy } = fiber.getRef(References.CurrentLogAnnotations)
              const dies = cause.reasons.map((reason) => reason._tag === "Die" ? reason.defect : reason._tag)
              logged.push([logLevel, message, caller, policy, spanOf(fiber.context)?.name, dies])
            })
            const callee = nth(...calls)
            const call = face === "effect"
              ? policy(callee)
              : Stream.runDrain(policy.stream(Stream.fromEffect(callee)))
            const program = call.pipe(
              Effect.exit,
              Effect.annotateLogs("caller", "r1"),
              Effect.withSpan("request"),
              Effect.andThen(Effect.sleep("1 minute"))
            )
            yield* during("1 hour", Effect.provide(program, Logger.layer([logger])))
            const kind = policy.info.kind === "hedge" ? "hedge" : "timeout"
            assert.deepStrictEqual(logged, [["Error", ["resilience: CleanupDied"], "r1", kind, "request", ["late"]]])
          }))

        it.effect(`${name} is told, and then not logged (${face})`, () =>
          Effect.gen(function*() {
            const logged: Array<unknown> = []
            const { events, policy: listen } = recorder()
            const callee = nth(...calls)
            const stack = Policy.compose(listen, policy)
            const call = face === "effect" ? stack(callee) : Stream.runDrain(stack.stream(Stream.fromEffect(callee)))
            const program = Effect.andThen(Effect.exit(call), Effect.sleep("1 minute"))
            const logger = Logger.layer([Logger.make((line) => void logged.push(line))])
            yield* during("1 hour", Effect.provide(program, logger))
            assert.lengthOf(events.filter(({ _tag }) => _tag === "CleanupDied"), 1)
            assert.deepStrictEqual(logged, [])
          }))
      }
    }
  })

  it.effect("log lines have what the call's own lines have, also where the loggers are known to the layer only", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ fiber, message }) => {
        lines.push([
          message,
          fiber.getRef(References.CurrentLogAnnotations)["requestId"],
          spanOf(fiber.context)?.spanId
        ])
      })
      const call = Effect.withSpan(
        Effect.gen(function*() {
          const { spanId } = yield* Effect.currentSpan
          yield* Effect.exit(fails.pipe(Retry.make({ times: 0 })))
          return spanId
        }),
        "request"
      )
      const layer = Layer.provide(Observability.layerLogs, Logger.layer([logger]))
      const spanId = yield* call.pipe(Effect.annotateLogs("requestId", "r1"), Effect.provide(layer))
      assert.deepStrictEqual(lines, [[["resilience: RetryStopped"], "r1", spanId]])
    }))
})
