import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Backoff from "../src/Backoff.ts"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Criticality from "../src/Criticality.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { type Bad, type Boom, type Busy, ending, logged, now, outcome, recorder } from "./support/harness.ts"

const Kind = Schema.Literals([
  "retry",
  "jittered",
  "attempt",
  "total",
  "within",
  "detached",
  "adaptive",
  "phases",
  "consecutive",
  "rate",
  "limiter",
  "slow",
  "keyed",
  "hedge",
  "budgeted",
  "bulkhead",
  "adaptive limit",
  "pipeline",
  "balancer",
  "chaos",
  "throttle",
  "criticality",
  "identity",
  "own"
])
const Kinds = Schema.Array(Kind).check(Schema.isMaxLength(5))
const Step = Schema.Struct({
  delay: Schema.Literals([0, 0, 1, 40, 150, 700]),
  outcome: Schema.Literals(["ok", "ok", "boom", "boom", "bad", "busy", "die", "hang", "stubborn"])
})
const Script = Schema.Array(Step).check(Schema.isMinLength(1))
type Step = typeof Step.Type

/** A policy as new: two stacks made of the same kinds share nothing. */
const policyOf = (kind: typeof Kind.Type): Policy.Policy<unknown, unknown> => {
  switch (kind) {
    case "retry":
      return Retry.make({ schedule: Schedule.max([Schedule.exponential("20 millis"), Schedule.recurs(2)]) })
    case "jittered":
      return Retry.make({ schedule: Backoff.exponential({ base: "30 millis" }), times: 1, rejected: true })
    case "attempt":
      return Timeout.attempt("100 millis")
    case "total":
      return Timeout.total("500 millis")
    case "within":
      return Deadline.within("400 millis")
    case "detached":
      return Timeout.attempt("110 millis", { detach: true })
    case "adaptive":
      return Timeout.makeAdaptiveUnsafe({
        minLimit: "20 millis",
        maxLimit: "200 millis",
        minCalls: 2,
        within: "1 second"
      })
    case "phases":
      return Timeout.phases({ first: "120 millis", idle: "90 millis", total: "800 millis" })
    case "consecutive":
      return CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.consecutive(2),
        open: "150 millis",
        halfOpen: { probes: 2, ratio: 0.5 }
      })
    case "rate":
      return CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.failureRate({ within: "300 millis", minCalls: 2 }),
        open: "50 millis"
      })
    case "slow":
      return CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.slowRate({ after: "90 millis", calls: 5, minCalls: 2 }),
        open: "50 millis",
        retryAfter: { maxDelay: "20 millis" }
      })
    case "keyed":
      return Keyed.makeUnsafe({ lookup: () => policyOf("consecutive"), idleTimeToLive: "200 millis" }).for("key")
    case "hedge":
      return Hedge.makeUnsafe({ after: "60 millis", maxHedges: 2 })
    case "budgeted": {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 1 }) })
      return Policy.compose(
        Retry.make({ schedule: Schedule.spaced("25 millis"), times: 2, budget }),
        Hedge.makeUnsafe({ after: "45 millis", budget })
      )
    }
    case "bulkhead":
      return Bulkhead.makeUnsafe({
        concurrency: 2,
        maxQueue: 2,
        maxWait: "60 millis",
        order: "adaptive",
        overload: { target: "10 millis", interval: "30 millis" }
      })
    case "adaptive limit":
      return AdaptiveLimit.makeUnsafe({
        initialConcurrency: 3,
        maxConcurrency: 4,
        maxQueue: 2,
        maxWait: "60 millis",
        within: "50 millis",
        minCalls: 2,
        partitions: { part: 0.5 }
      }).partition("part")
    case "limiter":
      return RateLimiter.makeUnsafe({
        limits: {
          calls: RateLimiter.gcra({ limit: 20, within: "1 second", burst: 2 }),
          recently: RateLimiter.slidingWindow({ limit: 4, within: "200 millis" })
        },
        maxWait: "120 millis",
        maxQueue: 3
      })
    case "pipeline":
      return Pipelines.makeStandardUnsafe({
        limiter: Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 1 }),
        total: "450 millis",
        retry: { schedule: Schedule.spaced("15 millis"), times: 1 },
        breaker: { trip: CircuitBreaker.consecutive(4), open: "100 millis" },
        attempt: "130 millis"
      })
    case "balancer": {
      const balancer = Balancer.makeUnsafe({
        endpoints: ["a", "b", "c"],
        priority: (endpoint) => endpoint === "c" ? 1 : 0,
        ejection: { failures: 2, duration: "60 millis" },
        slowStart: "50 millis",
        hangsAfter: "100 millis"
      })
      return Policy.make({
        info: balancer.info,
        effect: (self) => balancer.use(() => self),
        stream: (self) => balancer.useStream(() => self)
      })
    }
    case "chaos":
      return Policy.compose(
        Chaos.latency((draw) => 60 * draw, { ratio: 0.3 }),
        Chaos.fault(() => "chaos", { ratio: 0.2, elements: 1, during: Chaos.window({ duration: 100, every: 200 }) }),
        Chaos.defect(() => "chaos", { ratio: 0.2, during: Chaos.ramp({ duration: "1 second" }) }),
        Chaos.truncate({ ratio: 0.2, elements: 1 }),
        Chaos.stall({ ratio: 0.1 })
      )
    case "throttle":
      return AdaptiveThrottle.makeUnsafe({ minCalls: 2, within: "200 millis" })
    case "criticality":
      return Policy.compose(Criticality.as("sheddable"), Criticality.atMost("sheddable-plus"))
    case "identity":
      return Policy.identity
    case "own":
      return Policy.make({
        info: { kind, settings: {}, children: [] },
        effect: (self) => Effect.uninterruptibleMask((restore) => restore(self))
      })
  }
}

/** A callee that plays its script over and over, and counts what it has open. */
const callee = (script: ReadonlyArray<Step>) => {
  const { effect, log, stream } = logged()
  const step = (n: number): Step => script[(n - 1) % script.length]!
  const play = (n: number): Effect.Effect<string, Boom | Bad | Busy> =>
    Effect.delay(ending(step(n).outcome, "200 millis"), step(n).delay)
  return {
    log,
    leaked: () =>
      log.filter((entry) => entry.startsWith("open")).length - log.filter((entry) => entry.startsWith("close")).length,
    effect: effect(play),
    stream: stream((n) => Stream.concat(Stream.fromEffect(play(n)), Stream.fromEffect(play(n + 1))))
  }
}

/** Ten callers, 35 ms apart; some go away. Everything that can be seen of it, and what is left over when it is quiet. */
const workload = (
  stack: Policy.Policy<unknown, unknown>,
  script: ReadonlyArray<Step>,
  face: "effect" | "stream",
  leaveAfter: number
) =>
  Effect.gen(function*() {
    const { events, policy } = recorder()
    const { effect, leaked, log, stream } = callee(script)
    let fibers = 0
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => void fibers++,
      recordFiberEnd: () => void fibers--
    }
    const wrapped: Effect.Effect<unknown, unknown> = face === "effect"
      ? effect.pipe(stack, policy)
      : Stream.runCollect(stream.pipe(stack.stream, policy.stream))
    const start = yield* now
    const caller = (n: number) =>
      Effect.gen(function*() {
        yield* Effect.sleep(n * 35)
        const fiber = yield* Effect.forkChild(wrapped, { startImmediately: true })
        if (n % 3 === 2) {
          yield* Effect.sleep(leaveAfter)
          yield* Fiber.interrupt(fiber)
        }
        const exit = yield* Fiber.await(fiber)
        return `${n} ${outcome(exit)} at ${(yield* now) - start}`
      })
    const all = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: 10 }, (_, n) => n), caller, { concurrency: "unbounded" }).pipe(
        Random.withSeed("law"),
        Effect.provideService(Metric.FiberRuntimeMetrics, counting)
      ),
      { startImmediately: true }
    )
    // a call that hangs with no timeout around it ends only by going away
    yield* TestClock.adjust("20 seconds")
    if (all.pollUnsafe() === undefined) yield* Fiber.interrupt(all)
    const exit = yield* Fiber.await(all)
    yield* TestClock.adjust("20 seconds")
    return {
      seen: [
        ...Exit.isSuccess(exit) ? exit.value : [outcome(exit)],
        ...log,
        ...events.map((event) =>
          JSON.stringify(event, (key, value) => key === "exit" || key === "cause" ? undefined : value)
        )
      ],
      leaked: leaked(),
      fibers
    }
    // a clock of its own: every workload begins at time 0
  }).pipe(Effect.provide(Layer.provideMerge(Chaos.layer({ seed: "law" }), TestClock.layer())))

/** One of each that multiplies calls at the same time: ten of them in each other are three to the power of ten calls. */
const stackOf = (kinds: ReadonlyArray<typeof Kind.Type>): Policy.Policy<unknown, unknown> =>
  Policy.compose(
    ...kinds
      .filter((kind, i) => (kind !== "hedge" && kind !== "budgeted") || kinds.indexOf(kind) === i)
      .map(policyOf)
  )

const leaveAfter = Schema.Literals([0, 1, 30, 120])
const face = Schema.Literals(["effect", "stream"])

/** `PROPERTY_RUNS=5000 npm test -- laws` looks further. */
const runs = { arbitrary: { runs: Number(process.env.PROPERTY_RUNS ?? 150) }, timeout: 600_000 }

describe("laws", () => {
  it.effect.prop(
    "identity: nothing changes, on either side",
    [Kinds, Script, face, leaveAfter],
    ([kinds, script, face, leave]) =>
      Effect.gen(function*() {
        const plain = yield* workload(stackOf(kinds), script, face, leave)
        const left = yield* workload(Policy.compose(Policy.identity, stackOf(kinds)), script, face, leave)
        const right = yield* workload(Policy.compose(stackOf(kinds), Policy.identity), script, face, leave)
        assert.deepStrictEqual(left.seen, plain.seen)
        assert.deepStrictEqual(right.seen, plain.seen)
      }),
    runs
  )

  it.effect.prop(
    "associativity: however a stack is nested, or piped, the same is seen",
    [Kinds, Kinds, Kinds, Script, face, leaveAfter],
    ([a, b, c, script, face, leave]) =>
      Effect.gen(function*() {
        const left = Policy.compose(Policy.compose(stackOf(a), stackOf(b)), stackOf(c))
        const right = Policy.compose(stackOf(a), Policy.compose(stackOf(b), stackOf(c)))
        const [outer, middle, inner] = [stackOf(a), stackOf(b), stackOf(c)]
        const piped = Policy.make<unknown, unknown>({
          info: { kind: "piped", settings: {}, children: [] },
          effect: (self) => self.pipe(inner, middle, outer),
          stream: (self) => self.pipe(inner.stream, middle.stream, outer.stream)
        })
        const expected = yield* workload(left, script, face, leave)
        assert.deepStrictEqual((yield* workload(right, script, face, leave)).seen, expected.seen)
        assert.deepStrictEqual((yield* workload(piped, script, face, leave)).seen, expected.seen)
      }),
    runs
  )

  it.effect.prop(
    "no fiber, no scope and no open call is left behind, whoever goes away",
    [Kinds, Script, face, leaveAfter],
    ([kinds, script, face, leave]) =>
      Effect.gen(function*() {
        const { fibers, leaked } = yield* workload(stackOf(kinds), script, face, leave)
        assert.deepStrictEqual({ fibers, leaked }, { fibers: 0, leaked: 0 })
      }),
    runs
  )

  it.effect.prop(
    "the same seed gives the same log",
    [Kinds, Script, face, leaveAfter],
    ([kinds, script, face, leave]) =>
      Effect.gen(function*() {
        const first = yield* workload(stackOf(kinds), script, face, leave)
        assert.deepStrictEqual((yield* workload(stackOf(kinds), script, face, leave)).seen, first.seen)
      }),
    runs
  )

  it.effect.prop(
    "interruption reaches the innermost call at once",
    [Kinds, face],
    ([kinds, face]) =>
      Effect.gen(function*() {
        const { effect, leaked, log, stream } = callee([{ delay: 0, outcome: "hang" }])
        const stack = stackOf(kinds)
        const call = face === "effect"
          ? Effect.exit(effect.pipe(stack))
          : Effect.exit(Stream.runDrain(stream.pipe(stack.stream)))
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(log, ["open1"])
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(leaked(), 0)
      }),
    runs
  )

  it.effect.prop(
    "a local rejection is never counted against the callee",
    [Kinds, face],
    ([kinds, face]) =>
      Effect.gen(function*() {
        const inner = CircuitBreaker.makeUnsafe()
        const outer = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1) })
        yield* inner.isolate
        const stack = Policy.compose(outer, stackOf(kinds), inner)
        const call: Effect.Effect<unknown, unknown> = face === "effect"
          ? Effect.void.pipe(stack)
          : Stream.runDrain(Stream.make(1).pipe(stack.stream))
        const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
        yield* TestClock.adjust(Duration.minutes(1))
        assert.include(outcome(yield* Fiber.join(fiber)), "CircuitOpen")
        assert.strictEqual((yield* outer.state)._tag, "Closed")
      }),
    runs
  )

  it.live("an interruption at any step of the scheduler orphans no call and loses no probe", () =>
    Effect.gen(function*() {
      let open = 0
      const call = Effect.acquireUseRelease(
        Effect.sync(() => open++),
        () => Effect.never,
        () => Effect.sync(() => open--)
      )
      const breaker = CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.consecutive(1),
        open: 1,
        halfOpen: { probes: 3 }
      })
      yield* Effect.exit(breaker(Effect.fail("down")))
      yield* Effect.sleep("5 millis")
      const slow = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.slowRate({ after: "1 minute", calls: 5 }) })
      const keyed = Keyed.makeUnsafe({ lookup: () => slow })
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight() })
      const stack = Policy.compose(
        Timeout.total("1 hour"),
        Retry.make({ budget }),
        keyed.for("key"),
        breaker,
        Hedge.makeUnsafe({ after: 0, budget }),
        Timeout.attempt("1 minute")
      )
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 3000; i++) {
        // the scheduler yields after some two thousand steps, and an interruption arrives there
        const steps = Effect.forEach(Array.from({ length: 1950 + (i % 100) }), () => Effect.void, { discard: true })
        const program = i % 2 === 0
          ? Effect.andThen(steps, stack(call))
          : Effect.andThen(steps, Stream.runDrain(stack.stream(Stream.fromEffect(call))))
        const fiber = Effect.runFork(program)
        fiber.interruptUnsafe()
        fibers.push(fiber)
      }
      yield* Fiber.awaitAll(fibers)
      assert.strictEqual(open, 0)
      assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0 })
      assert.deepInclude(yield* slow.state, { _tag: "Closed", overdue: 0 })
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [0])
      assert.deepInclude(yield* budget.state, { calls: 0, held: 0 })
    }))
})
