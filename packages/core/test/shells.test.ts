import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Hedge from "../src/Hedge.ts"
import * as HedgingPipeline from "../src/HedgingPipeline.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Callee, PolicyTest } from "../src/testing/index.ts"
import * as Timeout from "../src/Timeout.ts"
import { Bad, Boom, fork } from "./support/harness.ts"

const { during, outcome } = PolicyTest

/** One that has both faces, policy or operator. */
interface Subject {
  readonly effect: (self: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
  readonly stream: (self: Stream.Stream<unknown, unknown>) => Stream.Stream<unknown, unknown>
  /** What it tells about itself, to be compared with that of a new one: nothing that a call leaves behind. */
  readonly held: Effect.Effect<unknown>
}

const stateless = (policy: Policy.Policy<unknown, unknown>): Subject => ({
  effect: policy,
  stream: policy.stream,
  held: Effect.void
})

const bulkheadOf = (options: Bulkhead.Options): Subject => {
  const policy = Bulkhead.makeUnsafe(options)
  return { effect: policy, stream: policy.stream, held: policy.state }
}

const adaptiveOf = (options: AdaptiveLimit.Options): Subject => {
  const policy = AdaptiveLimit.makeUnsafe(options)
  return { effect: policy, stream: policy.stream, held: policy.state }
}

const limiterOf = (options: RateLimiter.Options & { readonly limit: RateLimiter.Limit }): Subject => {
  const policy = RateLimiter.makeUnsafe(options)
  return { effect: policy, stream: policy.stream, held: Effect.map(policy.state, ({ waiting }) => waiting) }
}

const budgeted = (make: (budget: RetryBudget.RetryBudget) => Policy.Policy): Subject => {
  const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 100 }) })
  return { ...stateless(make(budget)), held: budget.state }
}

const breakerOf = (options: CircuitBreaker.Options): Subject => {
  const policy = CircuitBreaker.makeUnsafe(options)
  return {
    effect: policy,
    stream: policy.stream,
    held: Effect.map(policy.state, (state) => [state._tag, "probing" in state ? state.probing : 0])
  }
}

const breaker = { trip: CircuitBreaker.consecutive(100) }

const pipelineOf = (pipeline: Pipelines.Pipeline): Subject => ({
  ...stateless(pipeline),
  held: Effect.map(pipeline.budget.state, ({ calls, held }) => [calls, held])
})

const slowRate = CircuitBreaker.slowRate({ after: "1 hour", calls: 100 })

/** Nothing in these limits comes into play unless a test is about it. */
const subjects: Readonly<Record<string, () => Subject>> = {
  "Timeout.attempt": () => stateless(Timeout.attempt("1 hour")),
  "Timeout.attempt, detached": () => ({
    ...stateless(Timeout.attempt("1 hour", { detach: true })),
    held: Timeout.detached
  }),
  "Timeout.total": () => stateless(Timeout.total("1 hour")),
  "Timeout.phases": () => stateless(Timeout.phases({ first: "1 hour", idle: "1 hour", total: "1 hour" })),
  "Timeout.makeAdaptive": () => stateless(Timeout.makeAdaptiveUnsafe({ minLimit: "1 hour", maxLimit: "2 hours" })),
  "Deadline.within": () => stateless(Deadline.within("1 hour")),
  "Retry": () => stateless(Retry.make({ schedule: Schedule.recurs(2) })),
  "Retry with a budget": () => budgeted((budget) => Retry.make({ schedule: Schedule.recurs(2), budget })),
  "CircuitBreaker": () => breakerOf({ trip: CircuitBreaker.failureRate({ calls: 100 }) }),
  "CircuitBreaker of slow calls": () => breakerOf({ trip: slowRate }),
  "Bulkhead": () => bulkheadOf({ concurrency: 10 }),
  "AdaptiveLimit": () => adaptiveOf({ initialConcurrency: 10 }),
  "RateLimiter": () => limiterOf({ limit: RateLimiter.tokenBucket({ limit: 1000, within: "1 second" }) }),
  "Hedge": () => stateless(Hedge.makeUnsafe({ after: "1 hour" })),
  "Hedge with a budget": () => budgeted((budget) => Hedge.makeUnsafe({ after: "1 hour", budget })),
  "Keyed": () => {
    const keyed = Keyed.makeUnsafe({ lookup: () => Bulkhead.makeUnsafe({ concurrency: 10 }) })
    return {
      ...stateless(keyed.for("key")),
      held: Effect.map(keyed.entries, (entries) => entries.reduce((sum, { inUse }) => sum + inUse, 0))
    }
  },
  "Fallback": () => {
    const operator = Fallback.to(() => Effect.die("not of this error"), { when: (u: unknown) => u === "nothing" })
    return { effect: operator, stream: operator.stream, held: Effect.void }
  },
  "Fallback.makeStale": () => {
    const operator = Fallback.makeStaleUnsafe<unknown>({ timeToLive: "1 hour", classify: () => undefined })
    return { effect: operator, stream: operator.stream, held: Effect.void }
  },
  "Coalesce": () => {
    const operator = Coalesce.makeUnsafe<unknown, unknown>()
    return { effect: operator, stream: operator.stream, held: operator.inFlight }
  },
  "Pipelines.makeStandard": () =>
    pipelineOf(Pipelines.makeStandardUnsafe({ total: "2 hours", attempt: "1 hour", breaker })),
  "HedgingPipeline.make": () =>
    pipelineOf(
      HedgingPipeline.makeUnsafe({ total: "2 hours", attempt: "1 hour", breaker, hedge: { after: "1 hour" } })
    ),
  "no policy": () => stateless(Policy.identity)
}

/** One that multiplies its callers, or joins them, has another number of calls. */
const joins = (name: string): boolean => name === "Coalesce"

type Face = typeof PolicyTest.faces[number]

/** A callee that does the same with every call. */
const always = (self: Effect.Effect<unknown, unknown>) => Callee.script([Callee.forever(self)])

/** A call through one face; a stream has one element. */
const through = (
  { effect, stream }: Subject,
  face: Face,
  callee: Callee.Faces<unknown, unknown>
): Effect.Effect<unknown, unknown> =>
  face === "effect"
    ? effect(callee.effect)
    : Effect.map(Stream.runCollect(stream(callee.stream)), ([element]) => element)

const reasons = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isSuccess(exit) ?
    exit.value :
    exit.cause.reasons.map((reason) =>
      Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : reason._tag
    )

const bug = new Error("bug")
const bad = new Bad()
const ends: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
  ["success", Effect.succeed("value")],
  ["a permanent failure", Effect.fail(bad)],
  ["a defect", Effect.die(bug)],
  ["an interruption of its own", Effect.interrupt],
  ["a failure together with a defect", Effect.failCause(Cause.combine(Cause.fail(bad), Cause.die(bug)))],
  ["a defect in its clean-up", Effect.ensuring(Effect.succeed("value"), Effect.die(bug))]
]

for (const [name, make] of Object.entries(subjects)) {
  for (const face of PolicyTest.faces) {
    describe(`${name}, ${face}`, () => {
      const fresh = Effect.suspend(() => make().held)

      for (const [end, self] of ends) {
        for (const [when, delay] of [["at once", 0], ["later", 50]] as const) {
          it.effect(`${end} ${when} comes out as it is, and nothing is held`, () =>
            Effect.gen(function*() {
              const subject = make()
              const callee = always(delay === 0 ? self : Effect.delay(self, delay))
              const exit = yield* during(Effect.exit(through(subject, face, callee)), "1 second")
              assert.deepStrictEqual(reasons(exit), reasons(yield* Effect.exit(self)))
              assert.deepStrictEqual([callee.attempts.length, callee.running], [1, 0])
              assert.deepStrictEqual(yield* subject.held, yield* fresh)
            }))
        }
      }

      for (const delay of [0, 10]) {
        it.effect(`a caller that goes away after ${delay} ms ends the call and holds nothing`, () =>
          Effect.gen(function*() {
            const subject = make()
            const callee = always(Effect.never)
            const fiber = yield* fork(through(subject, face, callee))
            if (delay > 0) yield* TestClock.adjust(delay)
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt")
            assert.deepStrictEqual(callee.outcomes, ["Interrupted"])
            assert.deepStrictEqual(yield* subject.held, yield* fresh)
          }))
      }

      it.effect("a clean-up that dies when the caller goes away is not hidden", () =>
        Effect.gen(function*() {
          const callee = always(Effect.onInterrupt(Effect.never, () => Effect.die(bug)))
          const fiber = yield* fork(through(make(), face, callee))
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          assert.include(reasons(exit), bug)
        }))

      it.effect("one wrapped call serves one run after the other, and several at once", () =>
        Effect.gen(function*() {
          const subject = make()
          const callee = Callee.script([1, 2, 3, 4, 5].map((n) => Callee.succeed(n, { after: 20 })))
          const call = through(subject, face, callee)
          assert.deepStrictEqual(yield* during(Effect.all([call, call, call]), "1 second"), [1, 2, 3])
          const atOnce = yield* during(Effect.all([call, call], { concurrency: 2 }), "1 second")
          assert.deepStrictEqual(atOnce, joins(name) ? [4, 4] : [4, 5])
          assert.strictEqual(callee.running, 0)
          assert.deepStrictEqual(yield* subject.held, yield* fresh)
        }))

      if (!joins(name)) {
        it.effect("one instance around two callees gives each its own result", () =>
          Effect.gen(function*() {
            const subject = make()
            const [a, b] = ["a", "b"].map((value, i) =>
              through(subject, face, always(Effect.delay(Effect.succeed(value), 20 - 10 * i)))
            )
            const leaving = yield* fork(through(subject, face, always(Effect.never)))
            const both = yield* fork(Effect.all([a!, b!], { concurrency: 2 }))
            yield* TestClock.adjust("5 millis")
            yield* Fiber.interrupt(leaving)
            yield* TestClock.adjust("1 second")
            assert.deepStrictEqual(yield* Fiber.join(both), ["a", "b"])
            assert.deepStrictEqual(yield* subject.held, yield* fresh)
          }))
      }
    })
  }
}

describe("a caller that goes away while it waits", () => {
  const one = { concurrency: 1, maxQueue: 1 }
  const few = { limit: RateLimiter.tokenBucket({ limit: 1, within: "1 second" }), maxWait: "1 minute" } as const
  const boom = Effect.fail(new Boom({}))
  /** the callee that the call of the test has, and whether another call is before it */
  const table: Readonly<Record<string, readonly [() => Subject, Effect.Effect<unknown, unknown>, boolean]>> = {
    "for a permit": [() => bulkheadOf(one), Effect.succeed("free"), true],
    "for a permit, last in first out": [() => bulkheadOf({ ...one, order: "lifo" }), Effect.succeed("free"), true],
    "for a permit, for so long": [() => bulkheadOf({ ...one, maxWait: "1 minute" }), Effect.succeed("free"), true],
    "for its turn": [() => limiterOf(few), Effect.succeed("free"), true],
    "in a backoff": [() => stateless(Retry.make({ schedule: Schedule.spaced("1 minute") })), boom, false],
    "in a backoff that is paid for": [
      () => budgeted((budget) => Retry.make({ schedule: Schedule.spaced("1 minute"), budget })),
      boom,
      false
    ],
    "for another attempt": [
      () => budgeted((budget) => Hedge.makeUnsafe({ after: "1 minute", budget })),
      Effect.never,
      false
    ]
  }
  for (const [name, [make, self, behind]] of Object.entries(table)) {
    for (const face of PolicyTest.faces) {
      it.effect(`${name}, ${face}`, () =>
        Effect.gen(function*() {
          const subject = make()
          const first = behind ? yield* fork(through(subject, face, always(Effect.never))) : undefined
          const before = yield* subject.held
          const callee = always(self)
          const fiber = yield* fork(through(subject, face, callee))
          yield* TestClock.adjust("10 millis")
          assert.strictEqual(fiber.pollUnsafe(), undefined)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt")
          assert.deepStrictEqual([callee.attempts.length, callee.running], [behind ? 0 : 1, 0])
          assert.deepStrictEqual(yield* subject.held, before)
          yield* TestClock.adjust("10 minutes")
          assert.lengthOf(callee.attempts, behind ? 0 : 1, "nothing comes later")
          if (first !== undefined) yield* Fiber.interrupt(first)
          const next = yield* during(Effect.exit(through(subject, face, always(Effect.succeed("next")))), "1 minute")
          assert.strictEqual(outcome(next), "ok:next")
        }))
    }
  }
})

describe("a rejection leaves nothing, and the next call goes through", () => {
  const table: Readonly<Record<string, readonly [() => Subject, string]>> = {
    "Bulkhead, full": [() => bulkheadOf({ concurrency: 1 }), "BulkheadRejected"],
    "Bulkhead, waited": [() => bulkheadOf({ concurrency: 1, maxQueue: 1, maxWait: 1 }), "BulkheadRejected"],
    "AdaptiveLimit, full": [() => adaptiveOf({ initialConcurrency: 1 }), "BulkheadRejected"],
    "AdaptiveLimit, waited": [
      () => adaptiveOf({ initialConcurrency: 1, maxQueue: 1, maxWait: 1 }),
      "BulkheadRejected"
    ],
    "RateLimiter": [
      () => limiterOf({ limit: RateLimiter.gcra({ limit: 1, within: "1 second" }) }),
      "RateLimiterRejected"
    ],
    "CircuitBreaker, a probe under way": [
      () => breakerOf({ trip: CircuitBreaker.consecutive(1), open: 1 }),
      "CircuitOpen"
    ],
    "Keyed": [() => {
      const keyed = Keyed.makeUnsafe({ lookup: () => Bulkhead.makeUnsafe({ concurrency: 1 }) })
      return stateless(keyed.for("key"))
    }, "BulkheadRejected"]
  }
  for (const [name, [make, rejection]] of Object.entries(table)) {
    for (const face of PolicyTest.faces) {
      it.effect(`${name}, ${face}`, () =>
        Effect.gen(function*() {
          const subject = make()
          // opens the circuit; to the others it is a call like any other, some time ago
          yield* Effect.exit(through(subject, face, always(Effect.fail(new Boom({})))))
          yield* TestClock.adjust("1 second")
          const callee = Callee.script([Callee.succeed("first", { after: "500 millis" }), Callee.succeed("next")])
          const call = Effect.exit(through(subject, face, callee))
          const first = yield* fork(call)
          for (let n = 0; n < 3; n++) assert.strictEqual(outcome(yield* during(call, 10)), rejection)
          assert.lengthOf(callee.attempts, 1)
          yield* TestClock.adjust("2 seconds")
          assert.deepStrictEqual([yield* Fiber.join(first), yield* call].map(outcome), ["ok:first", "ok:next"])
        }))
    }
  }
})

describe("the smallest options", () => {
  /** the callee takes 1 ms and fails with a failure that may pass: the outcome, and how often it was called */
  const table: Readonly<Record<string, readonly [() => Subject, string, number]>> = {
    "no retry": [() => stateless(Retry.make({ times: 0 })), "Boom", 1],
    "one retry": [() => stateless(Retry.make({ times: 1, schedule: Schedule.forever })), "Boom", 2],
    "a schedule that never recurs": [() => stateless(Retry.make({ schedule: Schedule.recurs(0) })), "Boom", 1],
    "a budget for nobody": [
      () =>
        stateless(Retry.make({
          times: 3,
          schedule: Schedule.forever,
          budget: RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ ratio: 0.001, minPerSecond: 0 }) })
        })),
      "Boom",
      1
    ],
    "the smallest number of tokens": [
      () =>
        stateless(Retry.make({
          times: 3,
          schedule: Schedule.forever,
          budget: RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 2 }) })
        })),
      "Boom",
      1
    ],
    "a limit of a microsecond": [() => stateless(Timeout.attempt("1 micro")), "TimeoutExceeded:attempt", 1],
    "a limit that the call just meets": [() => stateless(Timeout.attempt("2 millis")), "Boom", 1],
    "a deadline that has passed": [() => stateless(Deadline.within(0)), "DeadlineExceeded", 0],
    "an infinite deadline": [() => stateless(Deadline.within("Infinity")), "Boom", 1],
    "one permit": [() => bulkheadOf({ concurrency: 1 }), "Boom", 1],
    "one call in a day": [
      () => limiterOf({ limit: RateLimiter.fixedWindow({ limit: 1, within: "1 day" }) }),
      "Boom",
      1
    ],
    "a circuit of one call": [
      () => breakerOf({ trip: CircuitBreaker.failureRate({ calls: 1, minCalls: 1, ratio: 1 }) }),
      "Boom",
      1
    ],
    "both attempts at once": [() => stateless(Hedge.makeUnsafe({ after: 0 })), "Boom", 2],
    "eleven attempts at once": [() => stateless(Hedge.makeUnsafe({ after: 0, maxHedges: 10 })), "Boom", 11],
    "no hedge by time": [() => stateless(Hedge.makeUnsafe({ after: "Infinity" })), "Boom", 2],
    "one instance": [
      () => {
        const keyed = Keyed.makeUnsafe({
          lookup: () => Bulkhead.makeUnsafe({ concurrency: 1 }),
          maxInstances: 1,
          idleTimeToLive: 1
        })
        return stateless(keyed.for("key"))
      },
      "Boom",
      1
    ],
    "one chunk ahead": [
      () => {
        const operator = Coalesce.makeUnsafe<unknown, unknown>({ capacity: 1 })
        return { effect: operator, stream: operator.stream, held: operator.inFlight }
      },
      "Boom",
      1
    ]
  }
  for (const [name, [make, expected, calls]] of Object.entries(table)) {
    for (const face of PolicyTest.faces) {
      it.effect(`${name}, ${face}`, () =>
        Effect.gen(function*() {
          const callee = always(Effect.delay(Effect.fail(new Boom({})), 1))
          const call = Effect.exit(through(make(), face, callee))
          assert.strictEqual(outcome(yield* during(call, "1 minute")), expected)
          assert.deepStrictEqual([callee.attempts.length, callee.running], [calls, 0])
        }))
    }
  }
})
