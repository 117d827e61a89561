import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Chaos from "../src/Chaos.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Telemetry from "../src/Telemetry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, during, explained, fork, logged, outcome, timed } from "./support/harness.ts"

/** Writes its name around what it wraps. */
const around = (name: string, log: Array<string>): Policy.Policy =>
  Policy.make({
    info: { kind: name, settings: {}, children: [] },
    effect: (self) =>
      Effect.andThen(
        Effect.sync(() => log.push(`${name}(`)),
        Effect.ensuring(self, Effect.sync(() => log.push(`)${name}`)))
      )
  })

describe("Policy", () => {
  describe("compose", () => {
    it.effect("puts the first outermost; pipe puts the last outermost", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const [a, b, c] = [around("a", log), around("b", log), around("c", log)]
        yield* Effect.void.pipe(Policy.compose(a, b, c))
        yield* Effect.void.pipe(c, b, a)
        assert.deepStrictEqual(log.join(" "), "a( b( c( )c )b )a a( b( c( )c )b )a")
      }))

    it("nothing composed is identity, one is itself, identity disappears", () => {
      const attempt = Timeout.attempt("1 second")
      assert.strictEqual(Policy.compose(), Policy.identity)
      assert.strictEqual(Policy.compose(attempt), attempt)
      assert.strictEqual(Policy.compose(Policy.identity, attempt, Policy.identity), attempt)
    })
  })

  describe("make", () => {
    it.effect("its stream face is by default the establishment", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const source = Stream.concat(Stream.make(1), Stream.sync(() => log.push("second")))
        assert.strictEqual((yield* Stream.runCollect(source.pipe(around("p", log).stream))).length, 2)
        assert.deepStrictEqual(log, ["p(", ")p", "second"])
      }))

    it.effect("an attempt that the policy drops is closed, the one that it keeps lives as long as the stream", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const twice = Policy.make({
          info: { kind: "twice", settings: {}, children: [] },
          effect: (self) => Effect.andThen(self, self)
        })
        const source = stream((n) => Stream.make(n, n))
        const seen = Stream.runForEach((n: number) => Effect.sync(() => log.push(`saw${n}`)))
        yield* seen(source.pipe(twice.stream))
        assert.deepStrictEqual(log, ["open1", "open2", "close1", "saw2", "saw2", "close2"])
      }))

    it.effect("a deadline that it publishes ends with the first element, and the limits of the stream go on", () =>
      Effect.gen(function*() {
        const mine = Policy.make<unknown, Timeout.TimeoutExceeded>({
          info: { kind: "mine", settings: {}, children: [] },
          effect: (self) => Timeout.total("5 seconds")(self)
        })
        const inside = Policy.compose(Timeout.attempt("10 seconds"), Timeout.total("1 minute"))
        const stack = Policy.compose(mine, inside)
        const hangs = Stream.runDrain(stack.stream(Stream.concat(Stream.make(1), Stream.never)))
        const [result] = yield* during("1 hour", timed(hangs))
        assert.strictEqual(result, "TimeoutExceeded:total")
        const silent = Stream.runDrain(stack.stream(Stream.never))
        const [never, at] = yield* during("1 hour", timed(silent))
        assert.deepStrictEqual([never, at], ["TimeoutExceeded:total", 3_605_000])
      }))

    it.effect("an attempt that fails is closed before the policy sees the failure", () =>
      Effect.gen(function*() {
        const { log, stream } = logged()
        const watching = Policy.make({
          info: { kind: "watching", settings: {}, children: [] },
          effect: (self) => Effect.onError(self, () => Effect.sync(() => log.push("policy saw it")))
        })
        const exit = yield* Effect.exit(Stream.runDrain(stream(() => Stream.fail(new Boom({}))).pipe(watching.stream)))
        assert.strictEqual(outcome(exit), "Boom")
        assert.deepStrictEqual(log, ["open1", "close1", "policy saw it"])
      }))
  })

  describe("fromService", () => {
    class CallPolicy
      extends Context.Service<CallPolicy, Policy.Policy<unknown, Timeout.TimeoutExceeded>>()("test/CallPolicy")
    {}

    it.effect("is what the layer says, for both faces", () =>
      Effect.gen(function*() {
        const policy = Policy.fromService(CallPolicy)
        const both = Effect.gen(function*() {
          const effect = yield* Effect.exit(Effect.never.pipe(policy))
          const stream = yield* Effect.exit(Stream.runDrain(Stream.never.pipe(policy.stream)))
          return [outcome(effect), outcome(stream)]
        })
        const live = Layer.succeed(CallPolicy, Timeout.attempt("1 second"))
        assert.deepStrictEqual(yield* during("1 minute", Effect.provide(both, live)), [
          "TimeoutExceeded:attempt",
          "TimeoutExceeded:attempt"
        ])
        const test = Layer.succeed(CallPolicy, Policy.identity)
        assert.strictEqual(yield* Effect.succeed(1).pipe(policy, Effect.provide(test)), 1)
      }))
  })

  describe("live", () => {
    it.effect("each call has the policy that was there when it began, on both faces", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const ref = Ref.makeUnsafe(around("first", log))
        const live = Policy.live(ref)
        const latch = yield* Latch.make()
        const under = yield* fork(latch.await.pipe(live))
        const read = yield* fork(Stream.runDrain(Stream.fromEffect(latch.await).pipe(live.stream)))
        yield* Ref.set(ref, around("second", log))
        yield* Effect.void.pipe(live)
        yield* Stream.runDrain(Stream.make(1).pipe(live.stream))
        yield* latch.open
        yield* Fiber.join(under)
        yield* Fiber.join(read)
        assert.deepStrictEqual(log, [
          "first(",
          "first(",
          "second(",
          ")second",
          "second(",
          ")second",
          ")first",
          ")first"
        ])
      }))

    it.effect("an effect that was wrapped once looks again at each run", () =>
      Effect.gen(function*() {
        const ref = Ref.makeUnsafe<Policy.Policy<unknown, Timeout.TimeoutExceeded>>(Policy.identity)
        const call = Effect.delay(Effect.succeed("late"), "2 seconds").pipe(Policy.live(ref), Effect.exit)
        assert.strictEqual(outcome(yield* during("1 minute", call)), "ok:late")
        yield* Ref.set(ref, Timeout.attempt("1 second"))
        assert.strictEqual(outcome(yield* during("1 minute", call)), "TimeoutExceeded:attempt")
      }))

    it.effect("state is the instance's: a new breaker begins closed, an old one that comes back is as it was", () =>
      Effect.gen(function*() {
        const options = { trip: CircuitBreaker.consecutive(1) }
        const [first, second] = [CircuitBreaker.makeUnsafe(options), CircuitBreaker.makeUnsafe(options)]
        const ref = Ref.makeUnsafe(first)
        const live = Policy.live(ref)
        yield* Effect.exit(Effect.fail("down").pipe(live))
        assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(live))), "CircuitOpen")
        yield* Ref.set(ref, second)
        yield* Effect.void.pipe(live)
        yield* Ref.set(ref, first)
        assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(live))), "CircuitOpen")
      }))

    it("explain and warnings show what is there now, also in a stack that was composed before", () => {
      const ref = Ref.makeUnsafe<Policy.Policy<unknown, Timeout.TimeoutExceeded>>(Policy.identity)
      const stack = Policy.compose(Timeout.total("1 second"), Policy.live(ref))
      assert.strictEqual(explained(stack), "timeout total (limit: 1s)\n└─ live\n   └─ identity")
      Effect.runSync(Ref.set(ref, Timeout.attempt("1 minute")))
      assert.deepStrictEqual(Policy.warnings(stack), ["timeout attempt (1m) is longer than timeout total (1s)"])
    })

    it.effect("a keyed instance with something to remember stays, whatever the ref holds now", () =>
      Effect.gen(function*() {
        const ref = Ref.makeUnsafe<Policy.Policy<unknown, CircuitBreaker.CircuitOpen>>(Policy.identity)
        const keyed = Keyed.makeUnsafe({ lookup: () => Policy.live(ref), idleTimeToLive: "1 second" })
        const breaker = CircuitBreaker.makeUnsafe()
        yield* breaker.isolate
        yield* Effect.void.pipe(keyed.for("a"))
        yield* Ref.set(ref, breaker)
        yield* TestClock.adjust("1 minute")
        yield* Effect.exit(Effect.void.pipe(keyed.for("b")))
        assert.lengthOf(yield* keyed.entries, 2)
      }))
  })

  describe("mapError", () => {
    class TooSlow extends Data.TaggedError("TooSlow")<{ readonly limit: Duration.Duration }> {}

    it.effect("replaces what the policy adds and leaves the rest", () =>
      Effect.gen(function*() {
        const policy = Policy.mapError(Timeout.attempt("1 second"), Timeout.isTimeoutExceeded, ({ limit }) =>
          new TooSlow({ limit }))
        const error = yield* during("1 minute", Effect.flip(Effect.never.pipe(policy)))
        assert.deepStrictEqual(error, new TooSlow({ limit: Duration.seconds(1) }))
        const late = yield* during("1 minute", Effect.flip(Stream.runDrain(Stream.never.pipe(policy.stream))))
        assert.strictEqual(late._tag, "TooSlow")
        assert.strictEqual((yield* Effect.flip(Effect.fail(new Boom({})).pipe(policy)))._tag, "Boom")
        assert.strictEqual(policy.info.kind, "timeout attempt")
      }))
  })

  describe("explain", () => {
    it("says whether a limit runs in the caller's fiber", () => {
      const path = process.env["EFFECT_RESILIENCE_FRAMES"] === "off"
        ? "child fibers (EFFECT_RESILIENCE_FRAMES=off)"
        : "the caller's fiber"
      assert.strictEqual(Policy.explain(Timeout.attempt("1 second")), `timeout attempt (limit: 1s)\npath: ${path}`)
      assert.notInclude(Policy.explain(CircuitBreaker.makeUnsafe()), "path")
    })

    it("prints a stack with its settings, outermost first, however it was nested", () => {
      const breaker = CircuitBreaker.makeUnsafe({
        name: "payments",
        trip: CircuitBreaker.consecutive(5),
        open: "30 seconds"
      })
      const retry = Retry.make({ name: "r", schedule: Schedule.recurs(3), tags: ["Boom", "Busy"] })
      const stack = Policy.compose(
        Timeout.total("15 minutes"),
        Policy.compose(retry, Policy.compose(breaker, Timeout.attempt("1 minute")))
      )
      assert.strictEqual(
        explained(stack),
        [
          "timeout total (limit: 15m)",
          "└─ retry \"r\" (schedule: custom, tags: Boom, Busy, retryAfter: 1m)",
          "   └─ circuit-breaker \"payments\" (trip: 5 failures in a row, open: 30s)",
          "      └─ timeout attempt (limit: 1m)"
        ].join("\n")
      )
    })

    it("prints every policy of the package", () => {
      assert.deepStrictEqual([
        Policy.explain(Policy.identity),
        Policy.explain(Retry.make()),
        explained(Timeout.phases({ first: "1 second", idle: "2 seconds" })),
        explained(Timeout.attempt(() => 1)),
        Policy.explain(CircuitBreaker.makeUnsafe()),
        Policy.explain(
          CircuitBreaker.makeUnsafe({
            trip: CircuitBreaker.failureRate({ calls: 100 }),
            open: Schedule.spaced("1 second"),
            halfOpen: { probes: 3, ratio: 0.5 }
          })
        ),
        Policy.explain(Telemetry.listen(() => {}))
      ], [
        "identity",
        "retry (times: 3, schedule: exponential from 200ms, retryAfter: 1m)",
        "timeout phases (first: 1s, idle: 2s)",
        "timeout attempt (limit: dynamic)",
        "circuit-breaker (trip: 50% of at least 20 calls within 30s, open: 10s doubling to 30s)",
        "circuit-breaker (trip: 50% of at least 20 calls of the last 100, open: custom, halfOpen: 50% of 3)",
        "telemetry"
      ])
    })

    it("prints the parts of a policy of one's own below it", () => {
      const own = Policy.make({
        info: {
          kind: "own",
          settings: {},
          children: [Timeout.total("1 second").info, Timeout.attempt("1 second").info]
        },
        effect: (self) => self
      })
      assert.strictEqual(
        explained(Policy.compose(own, Timeout.attempt("1 minute"))),
        "own\n├─ timeout total (limit: 1s)\n├─ timeout attempt (limit: 1s)\n└─ timeout attempt (limit: 1m)"
      )
    })
  })

  describe("warnings", () => {
    const breaker = CircuitBreaker.makeUnsafe()
    const retry = Retry.make()
    const hedge = Hedge.makeUnsafe({ after: "20 seconds", maxHedges: 2 })
    const attempt = Timeout.attempt("10 seconds")
    const total = Timeout.total("30 seconds")
    const queueing = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, maxWait: "1 minute" })
    const limiter = RateLimiter.makeUnsafe({
      limit: RateLimiter.tokenBucket({ limit: 1, within: "1 second" }),
      maxWait: "1 second"
    })
    const slow = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.slowRate({ after: "1 second", within: "1 minute" }) })
    const learnt = Hedge.makeUnsafe({ after: { quantile: 0.9 } })
    const adaptive = Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 2 })
    const named = Bulkhead.makeUnsafe({ name: "db", concurrency: 2 })
    /** As a circuit breaker tells of itself. */
    const fair = Policy.make({
      info: { kind: "circuit-breaker", settings: { hangsAfter: Duration.seconds(1) }, children: [] },
      effect: (self) => self
    })
    /** Names its settings as others do, and means what only it knows. */
    const own = (...children: ReadonlyArray<Policy.Any>): Policy.Policy =>
      Policy.make({
        info: {
          kind: "own",
          settings: { limit: Duration.minutes(1), after: Duration.minutes(1), maxHedges: 9, maxQueue: 9 },
          children: children.map(({ info }) => info)
        },
        effect: (self) => self
      })

    it.each<[string, Policy.Any, ReadonlyArray<string>]>([
      ["nothing is wrong", Policy.compose(total, retry, breaker, attempt), []],
      ["one policy", breaker, []],
      ["resilience4j #515: a breaker outside a retry", Policy.compose(breaker, retry), [
        "circuit-breaker outside retry sees one outcome per logical call, not one per attempt: put it inside"
      ]],
      ["an attempt's limit outside a retry", Policy.compose(attempt, retry), [
        "timeout attempt outside retry limits all attempts together: put it inside, or use timeout total"
      ]],
      [
        "a limit that learns outside a retry",
        Policy.compose(Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 2 }), retry),
        [
          "timeout adaptive outside retry limits all attempts together: put it inside, or use timeout total"
        ]
      ],
      ["a total inside a retry", Policy.compose(retry, total), [
        "timeout total inside retry limits each attempt: put it outside, or use timeout attempt"
      ]],
      ["attempts that multiply", Policy.compose(Retry.make({ times: 4 }), retry), [
        "retry inside retry multiplies attempts, up to 20 calls"
      ]],
      ["a hedge of retries", Policy.compose(hedge, retry), ["retry inside hedge multiplies attempts, up to 12 calls"]],
      [
        "attempts whose number nobody knows",
        Policy.compose(Retry.make({ schedule: Schedule.recurs(2) }), retry),
        ["retry inside retry multiplies attempts"]
      ],
      ["a queue inside an attempt's limit", Policy.compose(attempt, queueing), [
        "timeout attempt outside bulkhead counts the wait for a turn as the callee's time: put it inside"
      ]],
      ["a limiter inside an attempt's limit", Policy.compose(attempt, limiter), [
        "timeout attempt outside rate-limiter counts the wait for a turn as the callee's time: put it inside"
      ]],
      [
        "dotnet/extensions #4770: an attempt longer than the total",
        Policy.compose(total, Timeout.attempt("1 minute")),
        [
          "timeout attempt (1m) is longer than timeout total (30s)"
        ]
      ],
      ["hedges after the end", Policy.compose(total, hedge), [
        "hedge (2 after 20s each) begins later than timeout total (30s) ends"
      ]],
      ["a wait beyond the end", Policy.compose(total, queueing), [
        "maxWait of bulkhead (1m) is longer than timeout total (30s)"
      ]],
      ["a window that sees one timeout", Policy.compose(breaker, Timeout.attempt("16 seconds")), [
        "window of circuit-breaker (30s) is shorter than twice timeout attempt (16s)"
      ]],
      [
        "however it is nested",
        Policy.compose(
          Policy.compose(breaker, Policy.identity),
          Policy.compose(limiter, Policy.compose(retry, attempt))
        ),
        ["circuit-breaker outside retry sees one outcome per logical call, not one per attempt: put it inside"]
      ],
      ["inside a policy of one's own", Policy.compose(breaker, own(retry)), [
        "circuit-breaker outside retry sees one outcome per logical call, not one per attempt: put it inside"
      ]],
      ["a queue inside a breaker that counts slow calls", Policy.compose(slow, queueing), [
        "circuit-breaker with a slow rate outside bulkhead sees calls that wait for their turn: put it inside"
      ]],
      ["a limiter inside a breaker that counts slow calls", Policy.compose(slow, limiter, attempt), [
        "circuit-breaker with a slow rate outside rate-limiter sees calls that wait for their turn: put it inside"
      ]],
      ["a queue inside a hedge that learns", Policy.compose(learnt, queueing), [
        "hedge with a learnt delay outside bulkhead sees calls that wait for their turn: put it inside"
      ]],
      ["a queue inside a limit that learns", Policy.compose(adaptive, queueing), [
        "timeout adaptive outside bulkhead counts the wait for a turn as the callee's time: put it inside"
      ]],
      ["a breaker that stands twice", Policy.compose(breaker, attempt, Policy.compose(breaker, Policy.identity)), [
        "the same circuit-breaker stands twice: each call counts twice, and a probe rejects itself"
      ]],
      [
        "a bulkhead with a name, once mapped",
        Policy.compose(Policy.mapError(named, Bulkhead.isBulkheadRejected, String), named),
        [
          "the same bulkhead \"db\" stands twice: each call needs two permits, and waits for itself when there is only one left"
        ]
      ],
      ["a limiter with two costs", Policy.compose(limiter.cost(2), limiter), [
        "the same rate-limiter stands twice: each call costs twice"
      ]],
      ["an instance inside a policy of your own", Policy.compose(breaker, own(breaker)), [
        "the same circuit-breaker stands twice: each call counts twice, and a probe rejects itself"
      ]],
      ["a total that is over before a call may count as hanging", Policy.compose(Timeout.total("500 millis"), fair), [
        "timeout total (500ms) is shorter than hangsAfter of circuit-breaker (1s): a callee that hangs never opens it"
      ]],
      ["a deadline that is over before", Policy.compose(Deadline.within("500 millis"), fair, attempt), [
        "deadline (500ms) is shorter than hangsAfter of circuit-breaker (1s): a callee that hangs never opens it"
      ]],
      ["an attempt outside the breaker", Policy.compose(Timeout.attempt("500 millis"), fair), [
        "timeout attempt (500ms) is shorter than hangsAfter of circuit-breaker (1s): a callee that hangs never opens it"
      ]],
      [
        "attempts, the inner ones of which nobody knows the number",
        Policy.compose(retry, Retry.make({ schedule: Schedule.recurs(2) })),
        ["retry inside retry multiplies attempts"]
      ],
      [
        "chaos that does not stand innermost",
        Policy.compose(retry, Chaos.stall({ ratio: 0.1 }), breaker, attempt, Chaos.latency("1 second", { ratio: 0.1 })),
        ["chaos stall outside timeout attempt is not seen by it: put it innermost"]
      ]
    ])("%s", (_, policy, expected) => assert.deepStrictEqual(Policy.warnings(policy), expected))

    it.each<[string, Policy.Any]>([
      ["a bulkhead where nobody waits", Policy.compose(attempt, Bulkhead.makeUnsafe({ concurrency: 1 }))],
      [
        "a limiter at which nobody waits",
        Policy.compose(
          attempt,
          RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 1, within: "1 second" }) })
        )
      ],
      ["an attempt as long as the total", Policy.compose(total, Timeout.attempt("30 seconds"))],
      ["a wait that is over before the total", Policy.compose(total, limiter)],
      [
        "a wait as long as the total",
        Policy.compose(total, Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1, maxWait: "30 seconds" }))
      ],
      [
        "hedges of which the last begins as the total ends",
        Policy.compose(total, Hedge.makeUnsafe({ after: "15 seconds", maxHedges: 2 }))
      ],
      [
        "hedges that never begin by the clock",
        Policy.compose(total, Hedge.makeUnsafe({ after: Duration.infinity, maxHedges: 2 }))
      ],
      ["a window of two timeouts", Policy.compose(breaker, Timeout.attempt("15 seconds"))],
      ["a queue outside of what measures", Policy.compose(queueing, limiter, learnt, slow)],
      ["a queue inside of what measures nothing", Policy.compose(breaker, queueing)],
      ["a bulkhead without a queue inside of what measures", Policy.compose(slow, named)],
      ["two instances with the same settings", Policy.compose(Bulkhead.makeUnsafe({ concurrency: 2 }), named)],
      ["an instance in two branches", own(breaker, breaker)],
      ["stateless policies that are shared", Policy.compose(attempt, attempt)],
      ["a total of a fair time", Policy.compose(Timeout.total("1 second"), fair)],
      [
        "a short total around attempts that end before it",
        Policy.compose(Timeout.total("500 millis"), fair, Timeout.attempt("200 millis"))
      ],
      [
        "chaos that stands innermost",
        Policy.compose(total, retry, Chaos.latency("1 second", { ratio: 0.1 }), Chaos.stall({ ratio: 0.1 }))
      ],
      ["settings that are named alike", Policy.compose(total, breaker, attempt, own())]
    ])("nothing is wrong with %s", (_, policy) => assert.deepStrictEqual(Policy.warnings(policy), []))

    it("are printed beneath the stack", () => {
      assert.strictEqual(
        explained(Policy.compose(total, Timeout.attempt("1 minute"))),
        "timeout total (limit: 30s)\n└─ timeout attempt (limit: 1m)\n" +
          "warning: timeout attempt (1m) is longer than timeout total (30s)"
      )
    })
  })

  it("a policy prints as one", () => {
    assert.strictEqual(String(Timeout.attempt("1 second")), "Policy(timeout attempt)")
    assert.strictEqual(inspect({ policy: Timeout.attempt("1 second") }), "{ policy: Policy(timeout attempt) }")
  })
})
