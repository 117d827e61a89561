import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { deadlineAt } from "./support/deadline.ts"
import { Bad, Boom, Busy, during, fork, outcome, recorder } from "./support/harness.ts"

const fragile = (options: CircuitBreaker.Options = {}): CircuitBreaker.CircuitBreaker =>
  CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1 second", ...options })

const boom = Effect.fail(new Boom({}))
const stateOf = (breaker: CircuitBreaker.CircuitBreaker): Effect.Effect<string> =>
  Effect.map(breaker.state, ({ _tag }) => _tag)

const within = deadlineAt

describe("CircuitBreaker", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(
      () => CircuitBreaker.consecutive(0),
      "CircuitBreaker.consecutive: failures must be an integer >= 1, got 0"
    )
    assert.throws(
      () => CircuitBreaker.failureRate({ ratio: 2, calls: 10 }),
      "CircuitBreaker.failureRate: ratio must be a number > 0 and <= 1, got 2"
    )
    assert.throws(
      () => CircuitBreaker.failureRate({ minCalls: 11, calls: 10 }),
      "CircuitBreaker.failureRate: minCalls must be an integer from 1 to 10, got 11"
    )
    assert.throws(
      () => CircuitBreaker.failureRate({} as { calls: number }),
      "CircuitBreaker.failureRate: the window must be either calls or within, got \"none\""
    )
    assert.throws(
      () => CircuitBreaker.failureRate({ within: 0 }),
      "CircuitBreaker.failureRate: within must be a finite duration > 0, got 0"
    )
    assert.throws(
      () => fragile({ halfOpen: { probes: 0 } }),
      "CircuitBreaker.make: halfOpen.probes must be an integer >= 1, got 0"
    )
    assert.throws(
      () => fragile({ halfOpen: { ratio: 0 } }),
      "CircuitBreaker.make: halfOpen.ratio must be a number > 0 and <= 1, got 0"
    )
    assert.throws(
      () => fragile({ open: "Infinity" }),
      "CircuitBreaker.make: open must be a finite duration > 0, got \"Infinity\""
    )
    assert.throws(
      () => fragile({ halfOpen: { lease: -1 } }),
      "CircuitBreaker.make: halfOpen.lease must be a duration > 0, got -1"
    )
    assert.throws(
      () => fragile({ initial: "isolated" as "Isolated" }),
      "CircuitBreaker.make: initial must be one of Closed, Open, HalfOpen, Isolated, MetricsOnly, Disabled, got \"isolated\""
    )
  })

  it.effect("by default half of at least 20 calls in 30 s open it, for 10 s, 20 s, 30 s, 30 s ...", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make()
      for (let i = 0; i < 19; i++) yield* Effect.exit(breaker(boom))
      assert.deepStrictEqual(yield* breaker.state, { _tag: "Closed", calls: 19, failures: 19, consecutiveFailures: 19 })
      yield* TestClock.adjust("30 seconds")
      assert.deepInclude(yield* breaker.state, { _tag: "Closed", calls: 0, failures: 0 })
      for (let i = 0; i < 20; i++) yield* Effect.exit(breaker(i % 2 === 0 ? boom : Effect.void))
      const lengths: Array<string> = []
      for (let i = 0; i < 8; i++) {
        const state = yield* breaker.state
        if (state._tag !== "Open") return assert.fail(state._tag)
        lengths.push(Duration.format(state.retryAfter))
        yield* TestClock.adjust(state.retryAfter)
        yield* Effect.exit(breaker(boom))
      }
      assert.deepStrictEqual(lengths, ["10s", "20s", "30s", "30s", "30s", "30s", "30s", "30s"])
    }))

  it.effect.each(
    [
      ["calls", { calls: 10, minCalls: 4 }],
      ["time", { within: "1 minute", minCalls: 4 }]
    ] as const
  )(
    "a success that makes the calls enough opens it for its whole time: resilience4j B6a, over %s",
    ([, share]) =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.failureRate(share), open: "1 second" })
        yield* TestClock.adjust("1 hour")
        for (const call of [boom, boom, Effect.void, Effect.void]) yield* Effect.exit(breaker(call))
        yield* TestClock.adjust("999 millis")
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.millis(1) })
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* breaker.state)._tag, "HalfOpen")
      })
  )

  it.effect("open, it rejects without calling, and says for how long", () =>
    Effect.gen(function*() {
      const breaker = fragile({ name: "payments" })
      yield* Effect.exit(breaker(boom))
      yield* TestClock.adjust("400 millis")
      const error = yield* Effect.flip(breaker(Effect.die("called")))
      assert.deepInclude(error, { _tag: "CircuitOpen", policyName: "payments", retryAfter: Duration.millis(600) })
      assert.strictEqual(error.message, "circuit \"payments\" is open, try again in 600ms")
      assert.isTrue(CircuitBreaker.isCircuitOpen(error))
      assert.strictEqual(Fault.ofError(error)._tag, "Rejected")
    }))

  describe("what counts", () => {
    const table: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>, string]> = [
      ["a transient failure", boom, "Open"],
      ["a defect", Effect.die("bug"), "Open"],
      ["not a permanent failure: the callee answered", Effect.fail(new Bad()), "Closed"],
      ["not throttling", Effect.fail(new Busy({ retryAfter: 1 })), "Closed"],
      [
        "not a rejection by another circuit",
        Effect.fail(new CircuitBreaker.CircuitOpen({ policyName: "inner", retryAfter: Duration.zero })),
        "Closed"
      ],
      ["not a callee that interrupts itself", Effect.interrupt, "Closed"],
      ["not a success", Effect.void, "Closed"]
    ]
    for (const [name, call, expected] of table) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const breaker = fragile()
          yield* Effect.exit(breaker(call))
          assert.strictEqual(yield* stateOf(breaker), expected)
        }))
    }

    it.effect("an inner circuit's rejections never open an outer one (effect's own breaker: it does)", () =>
      Effect.gen(function*() {
        const inner = fragile()
        const outer = fragile()
        yield* inner.isolate
        for (let i = 0; i < 10; i++) yield* Effect.exit(boom.pipe(inner, outer))
        assert.strictEqual(yield* stateOf(outer), "Closed")
      }))

    it.effect("`classify` replaces all of it", () =>
      Effect.gen(function*() {
        const breaker = fragile({ classify: (exit) => exit._tag === "Success" ? Fault.transient() : undefined })
        yield* Effect.exit(breaker(boom))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* breaker(Effect.void)
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("a caller that goes away counts for nothing", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        const fiber = yield* fork(breaker(Effect.never))
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("a hung callee trips it, whichever timer does the interrupting", () =>
      Effect.gen(function*() {
        for (
          const stack of [
            (breaker: CircuitBreaker.CircuitBreaker) =>
              Policy.compose(Timeout.total("10 millis"), breaker, Timeout.attempt("20 millis")),
            (breaker: CircuitBreaker.CircuitBreaker) =>
              Policy.compose(Timeout.total("20 millis"), breaker, Timeout.attempt("10 millis")),
            (breaker: CircuitBreaker.CircuitBreaker) => Policy.compose(breaker, Timeout.total("10 millis"))
          ]
        ) {
          const effect = fragile({ hangsAfter: 0 })
          yield* during("100 millis", Effect.exit(Effect.never.pipe(stack(effect))))
          assert.strictEqual(yield* stateOf(effect), "Open")
          const stream = fragile({ hangsAfter: 0 })
          yield* during("100 millis", Effect.exit(Stream.runDrain(Stream.never.pipe(stack(stream).stream))))
          assert.strictEqual(yield* stateOf(stream), "Open")
        }
      }))

    it.effect.each<[string, Policy.Policy<unknown, unknown>]>([
      ["for a permit", Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1 })],
      [
        "inside a limit of its own",
        Policy.compose(Timeout.attempt("99.5 millis"), Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1 }))
      ],
      [
        "with all its hedges",
        Policy.compose(Hedge.makeUnsafe({ after: "10 millis" }), Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 4 }))
      ]
    ])("not a call that waited %s until the total was over: it was not made", ([, queue]) =>
      Effect.gen(function*() {
        const breaker = fragile({ hangsAfter: 0 })
        yield* fork(Effect.never.pipe(queue))
        // a timer that is late, as on a busy machine: the total's comes before the one with which a waiter gives up
        const late = yield* fork(Effect.sleep("99 millis"))
        const call = yield* fork(Effect.die("called").pipe(Policy.compose(breaker, queue), within(100)))
        yield* fork(Effect.andThen(Fiber.join(late), Fiber.interrupt(call)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outcome(call.pollUnsafe()!), "Interrupt")
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutiveFailures: 0 })
      }))

    it.effect("but a call that was made and hangs until then", () =>
      Effect.gen(function*() {
        const breaker = fragile({ hangsAfter: 0 })
        const call = yield* fork(Effect.never.pipe(breaker, within(100)))
        yield* TestClock.adjust("99 millis")
        yield* Fiber.interrupt(call)
        assert.strictEqual((yield* breaker.state)._tag, "Open")
      }))

    it.live("on the live clock, of a thousand that wait until the total is over, none is counted", () =>
      Effect.gen(function*() {
        const breaker = fragile({ hangsAfter: 0 })
        const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1000 })
        const running = yield* fork(bulkhead(Effect.never))
        const stack = Policy.compose(Timeout.total("20 millis"), breaker, bulkhead)
        yield* Effect.all(Array.from({ length: 1000 }, () => Effect.exit(Effect.die("called").pipe(stack))), {
          concurrency: "unbounded",
          discard: true
        })
        assert.strictEqual((yield* breaker.state)._tag, "Closed")
        yield* Fiber.interrupt(running)
      }))
  })

  it.effect("a success under a shared permit opens it for the whole time, if others have become slow meanwhile", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 hour")
      const breaker = fragile({ trip: CircuitBreaker.consecutive(5) })
      const old = yield* fork(breaker(Effect.sleep("2 seconds")))
      yield* breaker.reconfigure({
        trip: CircuitBreaker.slowRate({ after: "1 second", minCalls: 2, calls: 5 })
      })
      const slow = yield* fork(breaker(Effect.sleep("1 minute")))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(old)
      assert.deepStrictEqual(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1), openings: 1 })
      yield* Fiber.interrupt(slow)
    }))

  it.effect("a ratio that is met exactly is met, whatever its product is rounded to", () =>
    Effect.gen(function*() {
      for (let percent = 1; percent <= 100; percent++) {
        const ratio = percent / 100
        const breaker = fragile({
          trip: CircuitBreaker.failureRate({ ratio, calls: 100, minCalls: 100 }),
          halfOpen: { probes: 100, ratio }
        })
        for (let i = 100; i > percent; i--) yield* breaker(Effect.void)
        for (let i = 0; i < percent; i++) yield* Effect.exit(breaker(boom))
        assert.strictEqual(yield* stateOf(breaker), "Open", `${percent} %`)
        yield* TestClock.adjust("1 second")
        for (let i = 0; i < percent; i++) yield* breaker(Effect.void)
        assert.strictEqual(yield* stateOf(breaker), "Closed", `${percent} %`)
      }
    }))

  describe("half-open", () => {
    const halfOpen = (options: CircuitBreaker.Options = {}): Effect.Effect<CircuitBreaker.CircuitBreaker> =>
      Effect.gen(function*() {
        const breaker = fragile(options)
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        return breaker
      })

    for (const [probes, face] of [[1, "effect"], [3, "effect"], [1, "stream"], [3, "stream"]] as const) {
      it.effect(`B9d: of a thousand callers at that instant exactly ${probes} run, ${face} (resilience4j #1432)`, () =>
        Effect.gen(function*() {
          const breaker = fragile({ halfOpen: { probes } })
          yield* Effect.exit(breaker(boom))
          let ran = 0
          const call = Effect.andThen(Effect.sync(() => ran++), Effect.sleep("100 millis"))
          const guarded: Effect.Effect<unknown, unknown> = face === "effect"
            ? breaker(call)
            : Stream.runDrain(breaker.stream(Stream.concat(Stream.fromEffect(call), Stream.fromEffect(Effect.never))))
          // half of them wake up in the instant in which it becomes half-open, the others come right after
          const waking = yield* Effect.replicateEffect(fork(Effect.delay(guarded, "1 second")), 500)
          yield* TestClock.adjust("1 second")
          const coming = yield* Effect.replicateEffect(fork(guarded), 500)
          assert.strictEqual(ran, probes)
          yield* TestClock.adjust("100 millis")
          assert.strictEqual(yield* stateOf(breaker), "Closed")
          const all = [...waking, ...coming]
          const rejected = all.filter((fiber) => {
            const exit = fiber.pollUnsafe()
            return exit !== undefined && outcome(exit) === "CircuitOpen"
          })
          assert.strictEqual(rejected.length, 1000 - probes)
          yield* Fiber.interruptAll(all)
        }))
    }

    it.effect("an interrupted probe frees its slot (resilience4j #903, Polly #1979)", () =>
      Effect.gen(function*() {
        const breaker = yield* halfOpen()
        const probe = yield* fork(breaker(Effect.never))
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
        yield* Fiber.interrupt(probe)
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.succeed(1)))), "ok:1")
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("a lost probe gives its slot back after the lease", () =>
      Effect.gen(function*() {
        const breaker = yield* halfOpen({ halfOpen: { lease: "5 seconds" } })
        yield* fork(breaker(Effect.never))
        yield* TestClock.adjust("4999 millis")
        const error = yield* Effect.flip(breaker(Effect.void))
        assert.deepStrictEqual(error.retryAfter, Duration.zero, "nobody knows when a probe answers")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.succeed(1)))), "ok:1")
      }))

    it.effect("a result from before the trip changes nothing (cockatiel reopens, opossum closes)", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        const late = yield* fork(Effect.exit(breaker(Effect.andThen(Effect.sleep("1500 millis"), boom))))
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        yield* fork(breaker(Effect.never))
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(late)
        assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
      }))

    it.effect("a failed probe opens it again; the schedule's next delay is for the next opening", () =>
      Effect.gen(function*() {
        const breaker = yield* halfOpen({
          open: Schedule.max([Schedule.exponential("1 second", 3), Schedule.recurs(2)])
        })
        const lengths: Array<number> = []
        for (let i = 0; i < 3; i++) {
          yield* Effect.exit(breaker(boom))
          const state = yield* breaker.state
          if (state._tag !== "Open") return assert.fail(state._tag)
          lengths.push(Duration.toMillis(state.retryAfter))
          yield* TestClock.adjust(state.retryAfter)
        }
        assert.deepStrictEqual(
          lengths,
          [3000, 3000, 3000],
          "the last delay of a schedule that ends is for all after it"
        )
        yield* breaker(Effect.void)
        yield* Effect.exit(breaker(boom))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1), openings: 1 })
      }))

    it.effect("an opening asks the schedule for one delay, however many there were, and circuits do not share their place", () =>
      Effect.gen(function*() {
        let asked = 0
        const open = Schedule.exponential("1 second").pipe(
          Schedule.tap(() => Effect.sync(() => asked++))
        ) as Schedule.Schedule<unknown, number>
        const options = { open }
        const [one, other] = [fragile(options), fragile(options)]
        for (let n = 0; n < 20; n++) yield* one.open()
        assert.strictEqual(asked, 20)
        assert.deepInclude(yield* one.state, { retryAfter: Duration.seconds(2 ** 19) })
        yield* other.open()
        assert.deepInclude(yield* other.state, { retryAfter: Duration.seconds(1) })
        yield* one.reset
        yield* one.open()
        assert.deepInclude(yield* one.state, { retryAfter: Duration.seconds(1) })
      }))

    it.effect("a schedule that throws when a probe has failed leaves it half-open, and the next probe decides", () =>
      Effect.gen(function*() {
        let broken = false
        const open = Schedule.spaced("1 second").pipe(
          Schedule.tap(() => broken ? Effect.die("bug in the schedule") : Effect.void)
        ) as Schedule.Schedule<unknown, number>
        const breaker = fragile({ open })
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        broken = true
        yield* Effect.exit(breaker(boom))
        broken = false
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0 })
        yield* breaker(Effect.void)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("the jitter of a first opening is drawn anew, also for a circuit that has closed after one", () =>
      Effect.gen(function*() {
        let drawn = 0
        const open = Schedule.modifyDelay(Schedule.spaced("1 second"), () => Effect.sync(() => ++drawn * 1000))
        const breaker = fragile({ open })
        for (const seconds of [1, 2, 3]) {
          yield* Effect.exit(breaker(boom))
          assert.deepInclude(yield* breaker.state, { retryAfter: Duration.seconds(seconds), openings: 1 })
          yield* TestClock.adjust(Duration.seconds(seconds))
          yield* breaker(Effect.void)
        }
        yield* breaker.open()
        yield* breaker.reset
        yield* breaker.open()
        assert.deepInclude(yield* breaker.state, { retryAfter: Duration.seconds(5), openings: 1 })
      }))

    it.effect("a schedule can leave it open for ever, and says so", () =>
      Effect.gen(function*() {
        const breaker = fragile({ open: Schedule.spaced(Duration.infinity) })
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 day")
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.infinity })
      }))
  })

  describe("half-open, with a probe under way", () => {
    for (const lease of ["30 seconds", "2 minutes", "Infinity"] as const) {
      it.effect(`whoever retries a rejection comes back as its schedule says, not after a lease of ${lease}`, () =>
        Effect.gen(function*() {
          const breaker = fragile({ halfOpen: { lease } })
          yield* Effect.exit(breaker(boom))
          yield* TestClock.adjust("1 second")
          yield* fork(breaker(Effect.sleep("100 millis")))
          const error = yield* Effect.flip(breaker(Effect.void))
          assert.deepInclude(error, { state: "HalfOpen", retryAfter: Duration.zero })
          assert.strictEqual(error.message, "circuit is half-open, and all of its probes are in flight")
          const retry = Retry.make({ rejected: true, schedule: Schedule.spaced("200 millis"), times: 9 })
          const exit = yield* during("200 millis", Effect.exit(Effect.succeed("served").pipe(breaker, retry)))
          assert.strictEqual(outcome(exit), "ok:served")
        }))
    }

    it.effect("a rejection says in which state it was", () =>
      Effect.gen(function*() {
        const breaker = fragile({ name: "c" })
        const rejected = Effect.map(
          Effect.flip(breaker(Effect.void)),
          ({ message, retryAfter, state }) => [state, Duration.format(retryAfter), message]
        )
        yield* Effect.exit(breaker(boom))
        assert.deepStrictEqual(yield* rejected, ["Open", "1s", "circuit \"c\" is open, try again in 1s"])
        yield* breaker.isolate
        assert.deepStrictEqual(yield* rejected, ["Isolated", "Infinity", "circuit \"c\" is isolated"])
      }))

    it.effect("a callee that throttles is called once per pause, not by everybody", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        let calls = 0
        const busy = Effect.suspend(() => {
          calls++
          return Effect.fail(new Busy({ retryAfter: "1 hour" }))
        })
        for (let i = 0; i < 100; i++) yield* Effect.exit(breaker(busy))
        assert.strictEqual(calls, 1)
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1), openings: 1 })
      }))
  })

  describe("values that are faults", () => {
    const faultOf = (value: unknown): Fault.Fault | undefined =>
      value === "bad" ? Fault.transient() : value === "busy" ? Fault.throttled({ retryAfter: "3 seconds" }) : undefined

    for (const [value, state] of [["good", "Closed"], ["bad", "Open"], ["busy", "Open"]] as const) {
      it.effect(`"${value}" comes back as it is, and leaves the circuit ${state}`, () =>
        Effect.gen(function*() {
          const effect = fragile({ result: faultOf, retryAfter: {} })
          assert.strictEqual(yield* effect(Effect.succeed(value)), value)
          assert.strictEqual(yield* stateOf(effect), state)
          const stream = fragile({ result: faultOf, retryAfter: {} })
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.make(value, "good").pipe(stream.stream)), [
            value,
            "good"
          ])
          assert.strictEqual(yield* stateOf(stream), state)
        }))
    }

    it.effect("only the first element of a stream is asked about, and a stream counts once", () =>
      Effect.gen(function*() {
        const breaker = fragile({ trip: CircuitBreaker.consecutive(2), result: faultOf })
        yield* Stream.runDrain(Stream.make("good", "bad", "bad").pipe(breaker.stream))
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutiveFailures: 0 })
        yield* Effect.exit(
          Stream.runDrain(Stream.concat(Stream.make("bad"), Stream.fail(new Boom({}))).pipe(breaker.stream))
        )
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutiveFailures: 1 })
        yield* Stream.runDrain(Stream.empty.pipe(breaker.stream))
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", consecutiveFailures: 0 })
      }))

    it.effect("beside it, the default classification and its rule about the deadline hold", () =>
      Effect.gen(function*() {
        const breaker = fragile({ result: faultOf, open: "1 hour" })
        yield* during("3 seconds", Effect.exit(Effect.never.pipe(breaker, Timeout.total("2 seconds"))))
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("one that throws frees its probe, and the bug is the caller's", () =>
      Effect.gen(function*() {
        const breaker = fragile({
          initial: "HalfOpen",
          result: () => {
            throw new Error("bug")
          }
        })
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.succeed(1)))), "Die")
        assert.strictEqual(outcome(yield* Effect.exit(Stream.runDrain(breaker.stream(Stream.make(1))))), "Die")
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0, succeeded: 0 })
      }))

    it.effect("it can be changed and taken away", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* breaker(Effect.succeed("bad"))
        yield* breaker.reconfigure({ result: faultOf })
        yield* breaker(Effect.succeed("bad"))
        assert.strictEqual(yield* stateOf(breaker), "Open")
        yield* breaker.reset
        yield* breaker.reconfigure({ result: undefined })
        yield* breaker(Effect.succeed("bad"))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  })

  describe("calls made by hand", () => {
    const table: ReadonlyArray<
      readonly [string, (admission: CircuitBreaker.Admission) => Effect.Effect<void>, string]
    > = [
      ["a failure", ({ record }) => record(Exit.fail(new Boom({}))), "Open"],
      ["a success", ({ record }) => record(Exit.succeed(1)), "Closed"],
      ["an interruption", ({ record }) => record(Exit.interrupt()), "HalfOpen"],
      ["nothing", () => Effect.void, "HalfOpen"],
      ["its release", ({ release }) => release, "HalfOpen"],
      [
        "a success after its release: what comes first counts",
        ({ record, release }) => Effect.andThen(release, record(Exit.succeed(1))),
        "HalfOpen"
      ],
      [
        "a failure after a success",
        ({ record }) => Effect.andThen(record(Exit.succeed(1)), record(Exit.fail(new Boom({})))),
        "Closed"
      ]
    ]
    for (const [name, end, expected] of table) {
      it.effect(`a probe that ends with ${name}: ${expected}`, () =>
        Effect.gen(function*() {
          const breaker = fragile({ initial: "HalfOpen" })
          const during = yield* Effect.scoped(Effect.gen(function*() {
            const admission = yield* breaker.admit
            assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 1 })
            assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
            yield* end(admission)
            return yield* stateOf(breaker)
          }))
          assert.strictEqual(during, expected)
          const state = yield* breaker.state
          assert.strictEqual(state._tag, expected)
          if (state._tag === "HalfOpen") assert.strictEqual(state.probing, 0)
        }))
    }

    it.effect("closed, they count as any other; open, none is let through", () =>
      Effect.gen(function*() {
        const breaker = fragile({ trip: CircuitBreaker.consecutive(2) })
        const fail = Effect.scoped(Effect.flatMap(breaker.admit, ({ record }) => record(Exit.fail(new Boom({})))))
        yield* fail
        yield* Effect.exit(breaker(boom))
        assert.strictEqual(outcome(yield* Effect.exit(fail)), "CircuitOpen")
      }))

    it.effect("a probe that is dropped gives its slot back after the lease", () =>
      Effect.gen(function*() {
        const breaker = fragile({ initial: "HalfOpen", halfOpen: { lease: "5 seconds" } })
        yield* breaker.admit
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
        yield* TestClock.adjust("1 millis")
        yield* breaker(Effect.void)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("what a deadline ends speaks against the callee, if it had a fair time", () =>
      Effect.gen(function*() {
        for (const [limit, expected] of [["998 millis", "Closed"], ["1 second", "Open"]] as const) {
          const breaker = fragile({ open: "1 hour" })
          const call = Effect.scoped(Effect.flatMap(breaker.admit, ({ record }) => Effect.onExit(Effect.never, record)))
          yield* during("2 seconds", Effect.exit(call.pipe(Timeout.total(limit))))
          assert.strictEqual(yield* stateOf(breaker), expected)
        }
      }))
  })

  describe("made open or half-open", () => {
    it.effect("open, it is so for its first opening, from the first look on, and again as new", () =>
      Effect.gen(function*() {
        const breaker = fragile({ initial: "Open" })
        for (let i = 0; i < 2; i++) {
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
          yield* TestClock.adjust("1 second")
          yield* breaker(Effect.void)
          assert.strictEqual(yield* stateOf(breaker), "Closed")
          yield* breaker.reset
        }
      }))

    it.effect("half-open, its first calls are probes", () =>
      Effect.gen(function*() {
        const breaker = fragile({ initial: "HalfOpen" })
        yield* Effect.exit(breaker(boom))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", openings: 1 })
        yield* breaker.reset
        yield* breaker(Effect.void)
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  })

  describe("by hand", () => {
    it.effect("isolate rejects until close; reset makes it new", () =>
      Effect.gen(function*() {
        const breaker = fragile({ name: "c" })
        yield* breaker.isolate
        yield* TestClock.adjust("1 day")
        const error = yield* Effect.flip(breaker(Effect.void))
        assert.strictEqual(error.message, "circuit \"c\" is isolated")
        assert.deepStrictEqual(yield* breaker.state, { _tag: "Isolated" })
        yield* breaker.close
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.succeed(1)))), "ok:1")
        yield* Effect.exit(breaker(boom))
        yield* breaker.reset
        assert.deepStrictEqual(yield* breaker.state, { _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 })
      }))

    it.effect("only counting, it never rejects, and tells once that it would open: resilience4j B6r", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const breaker = fragile({
          trip: CircuitBreaker.failureRate({ calls: 10, minCalls: 5 }),
          initial: "MetricsOnly"
        })
        for (const call of [boom, boom, boom, Effect.void, Effect.void, boom]) {
          assert.notStrictEqual(outcome(yield* Effect.exit(call.pipe(breaker, policy))), "CircuitOpen")
        }
        assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["CircuitExceeded"])
        assert.deepStrictEqual(yield* breaker.state, {
          _tag: "MetricsOnly",
          exceeded: true,
          calls: 6,
          failures: 4,
          consecutiveFailures: 1
        })
        yield* breaker.close
        yield* breaker.observe
        assert.deepInclude(yield* breaker.state, { _tag: "MetricsOnly", exceeded: false, calls: 0 })
      }))

    it.effect("disabled, it lets everything through and counts nothing: resilience4j B6q", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* breaker.disable
        for (let i = 0; i < 5; i++) assert.strictEqual(outcome(yield* Effect.exit(breaker(boom))), "Boom")
        assert.deepStrictEqual(yield* breaker.state, { _tag: "Disabled" })
        yield* breaker.close
        yield* Effect.exit(breaker(boom))
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("opened for so long, or for as long as the next opening lasts: resilience4j B6f", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* breaker.open("2 hours")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* stateOf(breaker), "HalfOpen")
        yield* breaker.open()
        assert.deepStrictEqual(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1), openings: 2 })
        assert.throws(() => breaker.open(0), "CircuitBreaker.open: duration must be a finite duration > 0, got 0")
      }))

    it.effect("made isolated, it is isolated again as new", () =>
      Effect.gen(function*() {
        const breaker = fragile({ initial: "Isolated" })
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "CircuitOpen")
        yield* breaker.close
        yield* breaker(Effect.void)
        yield* breaker.reset
        assert.strictEqual(yield* stateOf(breaker), "Isolated")
      }))
  })

  describe("observation", () => {
    it.effect("changes are streamed and told, once each", () =>
      Effect.gen(function*() {
        const { events, policy } = recorder()
        const breaker = fragile({ name: "c" })
        const changes = yield* fork(Stream.runCollect(Stream.take(breaker.changes, 5)))
        yield* Effect.yieldNow
        const call = Effect.exit(boom.pipe(breaker, policy))
        yield* call
        yield* call
        yield* TestClock.adjust("1 second")
        yield* Effect.succeed(1).pipe(breaker, policy)
        yield* policy(breaker.isolate)
        yield* policy(breaker.close)
        yield* policy(breaker.close)
        const expected = [["Closed", "Open"], ["Open", "HalfOpen"], ["HalfOpen", "Closed"], ["Closed", "Isolated"], [
          "Isolated",
          "Closed"
        ]]
        assert.deepStrictEqual((yield* Fiber.join(changes)).map(({ from, to }) => [from, to]), expected)
        assert.deepStrictEqual(
          events.flatMap((event) => event._tag === "CircuitChanged" ? [[event.from, event.to]] : []),
          expected
        )
        assert.deepInclude(events.find((event) => event._tag === "RejectedByCircuit")!, {
          policy: "circuit-breaker",
          name: "c",
          retryAfter: Duration.seconds(1)
        })
      }))

    it.effect("a subscriber that stops is forgotten", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        const first = yield* fork(Stream.runHead(breaker.changes))
        yield* Effect.yieldNow
        yield* breaker.isolate
        yield* Fiber.join(first)
        yield* breaker.close
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  })

  describe("stream", () => {
    it.effect("the outcome is that of the whole stream", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* Stream.runDrain(Stream.make(1, 2).pipe(breaker.stream))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* Effect.exit(
          Stream.runDrain(Stream.concat(Stream.make(1), Stream.fail(new Boom({}))).pipe(breaker.stream))
        )
        assert.strictEqual(yield* stateOf(breaker), "Open")
        assert.strictEqual(
          outcome(yield* Effect.exit(Stream.runDrain(Stream.die("opened").pipe(breaker.stream)))),
          "CircuitOpen"
        )
      }))

    it.effect("a consumer that stops early is no failure, and frees the probe", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        const endless = Stream.concat(Stream.make(1), Stream.never).pipe(breaker.stream)
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(endless, 1)), [1])
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        const silent = yield* fork(Stream.runDrain(Stream.never.pipe(breaker.stream)))
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 1 })
        yield* Fiber.interrupt(silent)
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0 })
      }))

    it.effect("a probe succeeds with the first element; what happens later still counts", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        const source = Stream.concat(Stream.make(1), Stream.fromEffect(Effect.delay(boom, "1 second")))
        const fiber = yield* fork(Effect.exit(Stream.runDrain(source.pipe(breaker.stream))))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("an empty stream is a success", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        yield* Effect.exit(breaker(boom))
        yield* TestClock.adjust("1 second")
        yield* Stream.runDrain(Stream.empty.pipe(breaker.stream))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))
  })

  it.effect("inside a retry it sees every attempt, and its rejection ends the retry (cockatiel #107)", () =>
    Effect.gen(function*() {
      const breaker = fragile({ trip: CircuitBreaker.consecutive(2) })
      let calls = 0
      const call = Effect.andThen(Effect.sync(() => calls++), boom)
      const exit = yield* during(
        "1 minute",
        Effect.exit(call.pipe(Policy.compose(Retry.make({ schedule: Schedule.recurs(9) }), breaker)))
      )
      assert.deepStrictEqual([calls, outcome(exit)], [2, "CircuitOpen"])
    }))

  it("tells its settings", () => {
    assert.strictEqual(
      Policy.explain(fragile({ name: "c" })),
      "circuit-breaker \"c\" (trip: 1 failures in a row, open: 1s)"
    )
    assert.strictEqual(
      Policy.explain(fragile({
        trip: [
          CircuitBreaker.failureRate({ calls: 10 }),
          CircuitBreaker.slowRate({ after: "2 seconds", ratio: 0.07, within: "1 minute" })
        ],
        retryAfter: {},
        initial: "MetricsOnly"
      })),
      "circuit-breaker (trip: 50% of at least 10 calls of the last 10, or 7% slower than 2s of at least 20 calls within 1m, " +
        "open: 1s, retryAfter: at most 5m, initial: MetricsOnly)"
    )
  })

  describe("slow calls", () => {
    const slow = (options: CircuitBreaker.Options = {}): CircuitBreaker.CircuitBreaker =>
      fragile({
        trip: CircuitBreaker.slowRate({ after: "1 second", minCalls: 10, within: "30 seconds" }),
        ...options
      })

    it.effect("ten calls that hang open it before one of them has ended (resilience4j #1597)", () =>
      Effect.gen(function*() {
        const breaker = slow()
        const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => fork(breaker(Effect.never)))
        yield* TestClock.adjust("999 millis")
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", calls: 0, slow: 0, overdue: 0 })
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.die("called")))), "CircuitOpen")
        yield* Fiber.interruptAll(fibers)
        assert.deepInclude(yield* breaker.state, { _tag: "Open", openings: 1 })
      }))

    it.effect("callers that go away take their slow calls with them", () =>
      Effect.gen(function*() {
        const breaker = slow()
        const fibers = yield* Effect.forEach(Array.from({ length: 9 }), () => fork(breaker(Effect.never)))
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", overdue: 9 })
        yield* Fiber.interruptAll(fibers)
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", slow: 0, overdue: 0 })
      }))

    const queues: ReadonlyArray<readonly [string, () => Policy.Policy<unknown, unknown>]> = [
      ["a bulkhead", () => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1000 })],
      [
        "a limiter",
        () => RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 5, within: "1 second" }), maxWait: "1 minute" })
      ]
    ]
    for (const [name, make] of queues) {
      for (const [took, expected] of [["190 millis", "Closed"], ["1 second", "Open"]] as const) {
        it.effect(`a callee that takes ${took} behind the queue of ${name}: ${expected}`, () =>
          Effect.gen(function*() {
            const breaker = fragile({ trip: CircuitBreaker.slowRate({ after: "1 second", calls: 10 }), open: "1 hour" })
            const stack = Policy.compose(breaker, make())
            for (let i = 0; i < 40; i++) {
              yield* fork(Effect.exit(stack(Effect.sleep(took))))
              yield* fork(Effect.exit(Stream.runDrain(stack.stream(Stream.fromEffect(Effect.sleep(took))))))
              yield* TestClock.adjust("50 millis")
            }
            yield* TestClock.adjust("1 minute")
            assert.strictEqual(yield* stateOf(breaker), expected)
          }))
      }
    }

    it.effect("a stream is slow by its first element, not by its length", () =>
      Effect.gen(function*() {
        const breaker = slow()
        const talking = Stream.concat(Stream.make(1), Stream.never).pipe(breaker.stream)
        const silent = Stream.never.pipe(breaker.stream)
        yield* Effect.forEach(Array.from({ length: 20 }), () => fork(Stream.runDrain(talking)))
        yield* fork(Stream.runDrain(silent))
        const late = Stream.concat(Stream.fromEffect(Effect.sleep("2 seconds")), Stream.never).pipe(breaker.stream)
        yield* fork(Stream.runDrain(late))
        yield* TestClock.adjust("1 minute")
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", overdue: 2 })
      }))

    it.effect("a probe that succeeds slowly has failed (resilience4j B6j)", () =>
      Effect.gen(function*() {
        const breaker = slow({ trip: CircuitBreaker.slowRate({ after: "1 second", minCalls: 1, calls: 5 }) })
        yield* during("2 seconds", breaker(Effect.sleep("1 second")))
        yield* TestClock.adjust("1 second")
        const probe = yield* fork(breaker(Effect.sleep("1 second")))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(probe)
        assert.deepInclude(yield* breaker.state, { _tag: "Open", openings: 2 })
      }))

    it("at most one such rule, and at least one rule", () => {
      const rule = CircuitBreaker.slowRate({ after: "1 second", calls: 10 })
      assert.throws(
        () => slow({ trip: [rule, rule] }),
        "CircuitBreaker.make: trip must be rules with at most one slowRate"
      )
      assert.throws(() => slow({ trip: [] }), "CircuitBreaker.make: trip must be at least one rule, got \"none\"")
      assert.throws(
        () => CircuitBreaker.slowRate({ after: 0, calls: 10 }),
        "CircuitBreaker.slowRate: after must be a finite duration > 0, got 0"
      )
    })
  })

  describe("hints", () => {
    class Down extends Data.TaggedError("Down")<{ readonly retryAfter: Duration.Input }> {
      get [Fault.TypeId](): Fault.Fault {
        return Fault.transient(this)
      }
    }
    const retryAfterOf = (breaker: CircuitBreaker.CircuitBreaker): Effect.Effect<string> =>
      Effect.map(breaker.state, (state) => state._tag === "Open" ? Duration.format(state.retryAfter) : state._tag)

    const table: ReadonlyArray<readonly [string, CircuitBreaker.Options, Effect.Effect<never, Down | Busy>, string]> = [
      ["unasked, none is looked at", {}, Effect.fail(new Down({ retryAfter: "1 minute" })), "1s"],
      ["unasked, throttling counts for nothing", {}, Effect.fail(new Busy({ retryAfter: "1 minute" })), "Closed"],
      ["a failure's is the least time", { retryAfter: {} }, Effect.fail(new Down({ retryAfter: "1 minute" })), "1m"],
      ["a shorter one does not shorten", { retryAfter: {} }, Effect.fail(new Down({ retryAfter: "10 millis" })), "1s"],
      ["never beyond the cap", { retryAfter: {} }, Effect.fail(new Down({ retryAfter: "1 day" })), "5m"],
      ["a throttled call's opens at once", { retryAfter: {} }, Effect.fail(new Busy({ retryAfter: 200 })), "200ms"],
      [
        "and that is capped too",
        { retryAfter: { maxDelay: "1 minute" } },
        Effect.fail(new Busy({ retryAfter: "1 day" })),
        "1m"
      ],
      ["an infinite one says no time", { retryAfter: {} }, Effect.fail(new Down({ retryAfter: "Infinity" })), "1s"],
      ["nor does a throttled call's", { retryAfter: {} }, Effect.fail(new Busy({ retryAfter: "Infinity" })), "1s"]
    ]
    for (const [name, options, call, expected] of table) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const breaker = fragile(options)
          yield* Effect.exit(breaker(call))
          assert.strictEqual(yield* retryAfterOf(breaker), expected)
        }))
    }

    it.effect("what another policy asks its callers for is not a word of the callee", () =>
      Effect.gen(function*() {
        const breaker = fragile({ retryAfter: {} })
        const inner = fragile()
        yield* inner.open("1 minute")
        yield* Effect.exit(Effect.void.pipe(inner, breaker))
        assert.strictEqual(yield* stateOf(breaker), "Closed")
      }))

    it.effect("a pause that was asked for makes no later opening longer", () =>
      Effect.gen(function*() {
        const breaker = fragile({ retryAfter: {}, open: Schedule.exponential("1 second") })
        for (let i = 0; i < 3; i++) {
          yield* Effect.exit(breaker(Effect.fail(new Busy({ retryAfter: "2 seconds" }))))
          assert.strictEqual(yield* retryAfterOf(breaker), "2s")
          yield* TestClock.adjust("2 seconds")
        }
        yield* Effect.exit(breaker(boom))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1), openings: 1 })
      }))
  })

  it.effect("a `classify` that throws frees its probe", () =>
    Effect.gen(function*() {
      let broken = false
      const breaker = fragile({
        classify: (exit) => {
          if (broken) throw new Error("bug in classify")
          return Fault.of(exit)
        }
      })
      yield* Effect.exit(breaker(boom))
      yield* TestClock.adjust("1 second")
      broken = true
      assert.strictEqual(outcome(yield* Effect.exit(breaker(Effect.void))), "Die")
      assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", probing: 0 })
    }))

  describe("reconfigured while in use", () => {
    it.effect("what is open stays open, what has been counted stays counted", () =>
      Effect.gen(function*() {
        const breaker = fragile({ trip: CircuitBreaker.failureRate({ calls: 10, minCalls: 8 }) })
        for (let i = 0; i < 4; i++) yield* Effect.exit(breaker(boom))
        const underWay = yield* fork(Effect.exit(breaker(Effect.delay(boom, "100 millis"))))
        yield* breaker.reconfigure({ trip: CircuitBreaker.failureRate({ calls: 10, minCalls: 5 }) })
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", calls: 4, failures: 4 })
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(underWay)
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1) })
        yield* breaker.reconfigure({ open: "1 minute", halfOpen: { probes: 2 } })
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.seconds(1) })
        yield* TestClock.adjust("1 second")
        yield* breaker(Effect.void)
        assert.deepInclude(yield* breaker.state, { _tag: "HalfOpen", succeeded: 1 })
        yield* Effect.exit(breaker(boom))
        assert.deepInclude(yield* breaker.state, { _tag: "Open", retryAfter: Duration.minutes(1), openings: 2 })
      }))

    it.effect("half-open with fewer probes than have answered, it lets one through, which decides", () =>
      Effect.gen(function*() {
        const halfOpen = Effect.fnUntraced(function*(outcomes: ReadonlyArray<Effect.Effect<void, Boom>>) {
          const breaker = fragile({ halfOpen: { probes: 5, ratio: 0.6 } })
          yield* Effect.exit(breaker(boom))
          yield* TestClock.adjust("1 second")
          for (const outcome of outcomes) yield* Effect.exit(breaker(outcome))
          return breaker
        })
        const good = yield* halfOpen([Effect.void, Effect.void])
        yield* good.reconfigure({ halfOpen: { probes: 2, ratio: 1 } })
        assert.strictEqual(yield* stateOf(good), "HalfOpen")
        yield* good(Effect.void)
        assert.strictEqual(yield* stateOf(good), "Closed")
        const bad = yield* halfOpen([boom, boom])
        yield* bad.reconfigure({ halfOpen: { probes: 1, ratio: 1 } })
        assert.strictEqual(yield* stateOf(bad), "HalfOpen")
        yield* Effect.exit(bad(boom))
        assert.strictEqual(yield* stateOf(bad), "Open")
      }))

    it.effect("a bad option changes nothing, and says which it is", () =>
      Effect.gen(function*() {
        const breaker = fragile()
        const exit = yield* Effect.exit(
          breaker.reconfigure({ halfOpen: { probes: 0 }, trip: CircuitBreaker.consecutive(9) })
        )
        assert.strictEqual(outcome(exit), "Die")
        assert.strictEqual(Policy.explain(breaker), Policy.explain(fragile()))
        yield* Effect.exit(breaker(boom))
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))

    it.effect("calls from before a rule about slow calls are not slow", () =>
      Effect.gen(function*() {
        const breaker = fragile({ trip: CircuitBreaker.consecutive(5) })
        const old = yield* fork(breaker(Effect.sleep("1 minute")))
        yield* breaker.reconfigure({
          trip: CircuitBreaker.slowRate({ after: "1 second", minCalls: 1, calls: 5 })
        })
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(old)
        assert.deepInclude(yield* breaker.state, { _tag: "Closed", calls: 1, slow: 0 })
        const slow = yield* fork(breaker(Effect.never))
        yield* breaker.reconfigure({ trip: CircuitBreaker.consecutive(1) })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* stateOf(breaker), "Closed")
        yield* Fiber.interrupt(slow)
        yield* Effect.exit(breaker(boom))
        assert.strictEqual(yield* stateOf(breaker), "Open")
      }))
  })
})
