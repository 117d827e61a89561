import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Balancer from "../src/Balancer.ts"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import type * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, fork, logged, outcome } from "./support/harness.ts"

type Face = "effect" | "stream"

interface Subject {
  readonly effect: (self: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
  readonly stream: (self: Stream.Stream<unknown, unknown>) => Stream.Stream<unknown, unknown>
  /** What it holds, to be compared with that of a new one. */
  readonly held?: Effect.Effect<unknown>
}

const bug = (): never => {
  throw new Error("a bug of the user's")
}

const policy = (policy: Policy.Policy<any, unknown>, held: Effect.Effect<unknown> = Effect.void): Subject => ({
  effect: policy,
  stream: policy.stream,
  held
})

const balanced = (options: Partial<Balancer.Options<string>>, call?: () => never): Subject => {
  const balancer = Balancer.makeUnsafe({ endpoints: ["a"], ...options })
  return {
    effect: (self) => balancer.use(call ?? (() => self)),
    stream: (self) => balancer.useStream(call ?? (() => self)),
    held: Effect.map(balancer.state, (all) => all.map(({ inFlight }) => inFlight))
  }
}

const budget = () => RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ minAttempts: 10 }) })
const boom = Effect.fail(new Boom({}))

const both: ReadonlyArray<Face> = ["effect", "stream"]

/** The policy with a function that throws, the end of the call, and the faces that ask the function. */
const table: Readonly<Record<string, readonly [() => Subject, Effect.Effect<unknown, unknown>, ReadonlyArray<Face>]>> =
  {
    "CircuitBreaker: classify": [
      () => {
        const breaker = CircuitBreaker.makeUnsafe({
          classify: bug,
          trip: CircuitBreaker.slowRate({ after: 1, calls: 100 })
        })
        return policy(breaker, breaker.state)
      },
      boom,
      both
    ],
    "Retry: classify": [
      () => {
        const shared = budget()
        return policy(Retry.make({ classify: bug, budget: shared }), shared.state)
      },
      boom,
      both
    ],
    "AdaptiveThrottle: classify": [
      () => {
        const throttle = AdaptiveThrottle.makeUnsafe({ classify: bug })
        return policy(throttle)
      },
      boom,
      both
    ],
    "Chaos.fault: error": [() => policy(Chaos.fault(bug, { ratio: 1 })), Effect.succeed(1), both],
    "Chaos.defect: defect": [() => policy(Chaos.defect(bug, { ratio: 1 })), Effect.succeed(1), both],
    "Chaos.latency: duration": [() => policy(Chaos.latency(bug, { ratio: 1 })), Effect.succeed(1), both],
    "Chaos.latency: when": [() => policy(Chaos.latency(1, { ratio: 1, when: bug })), Effect.succeed(1), both],
    "Chaos.outcome: value": [
      () => {
        const operator = Chaos.outcome(bug, { ratio: 1 })
        return { effect: operator, stream: operator.stream }
      },
      Effect.succeed(1),
      both
    ],
    "Retry: while": [
      () => {
        const shared = budget()
        return policy(Retry.make({ while: bug, budget: shared }), shared.state)
      },
      boom,
      both
    ],
    "Retry: a schedule": [
      () => {
        const shared = budget()
        const schedule = Schedule.modifyDelay(Schedule.forever, bug)
        return policy(Retry.make({ schedule, budget: shared }), shared.state)
      },
      boom,
      both
    ],
    "Retry: commit": [
      () => {
        const shared = budget()
        return policy(Retry.make({ commit: bug, budget: shared }), shared.state)
      },
      Effect.succeed(1),
      ["stream"]
    ],
    "Hedge: classify": [
      () => {
        const shared = budget()
        return policy(Hedge.makeUnsafe({ after: "1 second", classify: bug, budget: shared }), shared.state)
      },
      boom,
      both
    ],
    "Hedge: classify, of a success": [
      () => {
        const shared = budget()
        return policy(Hedge.makeUnsafe({ after: 10, maxHedges: 3, classify: bug, budget: shared }), shared.state)
      },
      Effect.succeed(1),
      both
    ],
    "Timeout: a limit": [() => policy(Timeout.attempt(bug)), Effect.succeed(1), both],
    "Timeout.total: a limit": [() => policy(Timeout.total(bug)), Effect.succeed(1), both],
    "Timeout.phases: progress": [
      () => policy(Timeout.phases({ idle: "1 second", progress: bug })),
      Effect.succeed(1),
      ["stream"]
    ],
    "AdaptiveLimit: classify": [
      () => {
        const limit = AdaptiveLimit.makeUnsafe({ classify: bug })
        return policy(limit, limit.state)
      },
      boom,
      both
    ],
    "AdaptiveLimit: result": [
      () => {
        const limit = AdaptiveLimit.makeUnsafe({ result: bug })
        return policy(limit, limit.state)
      },
      Effect.succeed(1),
      both
    ],
    "Balancer: classify": [() => balanced({ classify: bug }), boom, both],
    "Balancer: result": [() => balanced({ result: bug }), Effect.succeed(1), both],
    "Balancer: use": [() => balanced({}, bug), boom, both],
    "Keyed: lookup": [
      () => {
        const keyed = Keyed.makeUnsafe({ lookup: (_: string): CircuitBreaker.CircuitBreaker => bug() })
        return policy(keyed.for("key"), Effect.map(keyed.entries, (entries) => entries.length))
      },
      Effect.succeed(1),
      both
    ],
    "RateLimiter: what it cost": [
      () => {
        const limiter = RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 10, within: "1 second" }) })
        const settling = limiter.settle<unknown>(1, bug)
        return { effect: settling, stream: settling.stream, held: Effect.map(limiter.state, ({ waiting }) => waiting) }
      },
      Effect.succeed(1),
      both
    ],
    "Fallback.to": [
      () => {
        const operator = Fallback.to(bug)
        return { effect: operator, stream: operator.stream }
      },
      boom,
      both
    ],
    "Fallback.to: when": [
      () => {
        const operator = Fallback.to(() => Effect.succeed("instead"), { when: bug })
        return { effect: operator, stream: operator.stream }
      },
      boom,
      both
    ],
    "Fallback.makeStale: classify": [
      () => {
        const operator = Fallback.makeStaleUnsafe<unknown>({ timeToLive: "1 hour", classify: bug })
        return { effect: operator, stream: operator.stream }
      },
      boom,
      both
    ],
    "Retry.resume: from": [
      () => {
        const operator = Retry.resume<unknown, unknown>({ schedule: Schedule.forever, times: 2, from: bug })
        return { effect: operator, stream: operator.stream }
      },
      boom,
      []
    ]
  }

describe("a function of the user's that throws is a defect of the call, which ends and holds nothing", () => {
  for (const [name, [make, end, faces]] of Object.entries(table)) {
    for (const face of faces) {
      for (const delay of [0, 50]) {
        it.effect(`${name}, ${face}, ${delay === 0 ? "at once" : "later"}`, () =>
          Effect.gen(function*() {
            const subject = make()
            const { effect, log, stream } = logged()
            const self = delay === 0 ? end : Effect.delay(end, delay)
            const call = face === "effect"
              ? subject.effect(effect(() => self))
              : Stream.runDrain(subject.stream(stream(() => Stream.fromEffect(self))))
            const fiber = yield* fork(call)
            yield* TestClock.adjust("1 minute")
            const exit = fiber.pollUnsafe()
            yield* Fiber.interrupt(fiber)
            // twice where it was asked after the end of the call: Effect runs such a finalizer again with its own defect
            assert.match(exit === undefined ? "it never ends" : outcome(exit), /^(Boom\+)?Die(\+Die)?$/)
            const [opened, closed] = ["open", "close"].map((what) =>
              log.filter((entry) => entry.startsWith(what)).length
            )
            assert.strictEqual(opened, closed)
            if (subject.held !== undefined) {
              assert.deepStrictEqual(yield* subject.held, yield* make().held!)
            }
          }).pipe(Effect.provide(Chaos.layer())))
      }
    }
  }
})
