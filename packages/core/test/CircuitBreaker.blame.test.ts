import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"
import { Busy, fork } from "./support/harness.ts"

type Breaker = CircuitBreaker.CircuitBreaker
type Call = (breaker: Breaker) => Effect.Effect<unknown, unknown>

const healthy = Effect.sleep("20 millis")
const hung: Effect.Effect<never> = Effect.never
const opens: Effect.Effect<Stream.Stream<number>> = Effect.never
const elements = Stream.rechunk(Stream.range(1, 10), 1)

/** Each element after its own while. */
const paced = (...pauses: ReadonlyArray<Duration.Input>): Stream.Stream<number> =>
  Stream.concat(
    Stream.rechunk(Stream.mapEffect(Stream.fromIterable(pauses), (pause) => Effect.as(Effect.sleep(pause), 1)), 1),
    Stream.never
  )

const consume = (stream: Stream.Stream<unknown, unknown>, pause: Duration.Input): Effect.Effect<void, unknown> =>
  Stream.runForEach(stream, () => Effect.sleep(pause))

const alternating = (): Effect.Effect<unknown, unknown> => {
  let n = 0
  return Effect.suspend((): Effect.Effect<unknown, unknown> =>
    ++n % 2 === 1 ? Effect.fail(new Busy({ retryAfter: 1 })) : healthy
  )
}

/** The call, after so long, in a caller's time of `limit`. */
const late = (limit: Duration.Input, after: Duration.Input, call: Call): Call => (breaker) =>
  Effect.andThen(Effect.sleep(after), call(breaker)).pipe(Timeout.total(limit))

/** Whoever calls next has waited for the one before, in a queue inside of the breaker. */
const behind = (queue: Policy.Policy<unknown, unknown>, limit: Duration.Input): Call => (breaker) =>
  Effect.andThen(
    fork(queue(Effect.sleep("1900 millis"))),
    hung.pipe(queue, breaker, Timeout.total(limit))
  )

const queue = () => Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 })
const paceless = () =>
  RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 1, within: "1900 millis" }), maxWait: "1 minute" })

const options: CircuitBreaker.Options = { trip: CircuitBreaker.consecutive(3), open: "1 hour" }

const rows: ReadonlyArray<readonly [string, "Open" | "Closed", Call, CircuitBreaker.Options?]> = [
  // a call that was not given the time to answer
  ["callers with 3 ms left", "Closed", (breaker) => healthy.pipe(breaker, Deadline.within("3 millis"))],
  [
    "a header that leaves 5 ms",
    "Closed",
    (breaker) => healthy.pipe(breaker, Deadline.within(Option.getOrThrow(Deadline.fromHeader("5"))))
  ],
  [
    "a retry begun with 5 ms left",
    "Closed",
    (breaker) =>
      alternating().pipe(
        Policy.compose(Timeout.total("50 millis"), Retry.make({ schedule: Schedule.spaced("45 millis") }), breaker)
      )
  ],
  ["a call begun with 999 ms left", "Closed", late("10 seconds", "9002 millis", (breaker) => breaker(hung))],
  ["a call begun with a second left", "Open", late("10 seconds", "9 seconds", (breaker) => breaker(hung))],
  // a call that was
  ["a total of 30 s", "Open", (breaker) => hung.pipe(breaker, Timeout.total("30 seconds"))],
  [
    "2 s left on every request, an attempt of 10 s",
    "Open",
    (breaker) => hung.pipe(Timeout.attempt("10 seconds"), breaker, Deadline.within("2 seconds"))
  ],
  ["a total of 500 ms: shorter than a second", "Closed", (breaker) => hung.pipe(breaker, Timeout.total("500 millis"))],
  [
    "a total of 500 ms, and a callee that hangs after 100",
    "Open",
    (breaker) => hung.pipe(breaker, Timeout.total("500 millis")),
    { hangsAfter: "100 millis" }
  ],
  [
    "a deadline that never speaks against the callee",
    "Closed",
    (breaker) => hung.pipe(breaker, Timeout.total("30 seconds")),
    { hangsAfter: "Infinity" }
  ],
  ["a deadline that always does", "Open", (breaker) => hung.pipe(breaker, Timeout.total("3 millis")), {
    hangsAfter: 0
  }],
  [
    "a `classify` of one's own, which knows of no deadline",
    "Closed",
    (breaker) => hung.pipe(breaker, Timeout.total("30 seconds")),
    { classify: () => undefined }
  ],
  [
    "in a fiber that the caller has forked",
    "Open",
    (breaker) => Effect.flatMap(fork(breaker(hung)), Fiber.join).pipe(Timeout.total("30 seconds"))
  ],
  ["a limit that is not ours", "Closed", (breaker) => Effect.timeout(breaker(hung), "30 seconds")],
  [
    "a slow-rate circuit, whose calls have permits of their own",
    "Open",
    (breaker) => hung.pipe(breaker, Timeout.total("30 seconds")),
    {
      trip: [CircuitBreaker.consecutive(3), CircuitBreaker.slowRate({ after: "1 hour", calls: 10 })]
    }
  ],
  // a call that waited for its turn
  ["a bulkhead's queue until 100 ms are left", "Closed", behind(queue(), "2 seconds")],
  ["a bulkhead's queue until 1.1 s are left", "Open", behind(queue(), "3 seconds")],
  ["a limiter's queue until 100 ms are left", "Closed", behind(paceless(), "2 seconds")],
  [
    "a queue inside of hedges",
    "Closed",
    behind(
      Policy.compose(Hedge.makeUnsafe({ after: "1 hour" }), queue()),
      "2 seconds"
    )
  ],
  ["a queue inside of an attempt", "Closed", behind(Policy.compose(Timeout.attempt("1 hour"), queue()), "2 seconds")],
  [
    "some of many that are made at once, the others of which wait",
    "Open",
    (breaker) => {
      const queue = Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 100 })
      return Effect.forEach(Array.from({ length: 30 }), () => Effect.exit(hung.pipe(queue, breaker)), {
        concurrency: "unbounded"
      }).pipe(Timeout.total("30 seconds"))
    }
  ],
  // streams
  [
    "a stream whose consumer dawdles",
    "Closed",
    (breaker) => consume(breaker.stream(elements), "10 seconds").pipe(Timeout.total("30 seconds"))
  ],
  [
    "a stream whose consumer dawdles within a deadline",
    "Closed",
    (breaker) => consume(breaker.stream(elements), "10 seconds").pipe(Deadline.within("30 seconds"))
  ],
  [
    "a stream whose consumer dawdles, limited itself",
    "Closed",
    (breaker) => consume(elements.pipe(breaker.stream, Timeout.total("30 seconds").stream), "10 seconds")
  ],
  [
    "a consumer that pulls with 500 ms left",
    "Closed",
    (breaker) => consume(paced("1 second").pipe(breaker.stream), "8500 millis").pipe(Timeout.total("10 seconds"))
  ],
  [
    "a consumer that pulls with 1.5 s left",
    "Open",
    (breaker) => consume(paced("1 second").pipe(breaker.stream), "7500 millis").pipe(Timeout.total("10 seconds"))
  ],
  [
    "a stream without an element",
    "Open",
    (breaker) => Stream.runDrain(breaker.stream(Stream.never)).pipe(Timeout.total("30 seconds"))
  ],
  [
    "a stream that does not open",
    "Open",
    (breaker) => Stream.runDrain(breaker.stream(Stream.unwrap(opens))).pipe(Timeout.total("30 seconds"))
  ],
  [
    "a stream that takes 700 ms to open, and 700 for its first element",
    "Open",
    (breaker) =>
      Stream.runDrain(breaker.stream(Stream.unwrap(Effect.as(Effect.sleep("700 millis"), Stream.never)))).pipe(
        Timeout.total("1400 millis")
      )
  ],
  [
    "a stream that is limited itself",
    "Open",
    (breaker) => Stream.runDrain(Stream.never.pipe(breaker.stream, Timeout.total("30 seconds").stream))
  ],
  [
    "a stream that breaks off after each element in time",
    "Open",
    (breaker) => Stream.runDrain(breaker.stream(paced("900 millis", "900 millis"))).pipe(Timeout.total("30 seconds"))
  ]
]

describe("blame: what a deadline ends speaks against the callee if it owed an answer and had a fair time", () => {
  for (const [name, expected, call, more] of rows) {
    it.effect(`${name}: ${expected}`, () =>
      Effect.gen(function*() {
        const breaker = CircuitBreaker.makeUnsafe({ ...options, ...more })
        for (let i = 0; i < 40; i++) {
          const fiber = yield* fork(Effect.exit(call(breaker)))
          yield* TestClock.adjust("31 seconds")
          yield* Fiber.join(fiber)
        }
        assert.strictEqual((yield* breaker.state)._tag, expected)
      }))
  }
})

describe("a deadline that has ended speaks against nobody", () => {
  const interrupted = (work: (forever: Effect.Effect<never>) => Effect.Effect<unknown, unknown>, state: string) =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1 hour" })
      yield* fork(Effect.exit(work(breaker(hung) as Effect.Effect<never>)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* breaker.state)._tag, state)
    })

  it.effect("work that outlives a call which was in time, and is stopped later", () =>
    interrupted((call) =>
      Effect.gen(function*() {
        const worker = yield* Effect.forkDetach(call).pipe(Timeout.total("5 seconds"))
        yield* Effect.sleep("30 seconds")
        yield* Fiber.interrupt(worker)
      }), "Closed"))

  it.effect("work that outlives a call which was too late, and is stopped later", () =>
    interrupted((call) =>
      Effect.gen(function*() {
        let worker: Fiber.Fiber<unknown, unknown> | undefined
        const late = Effect.andThen(Effect.map(Effect.forkDetach(call), (fiber) => void (worker = fiber)), hung)
        yield* Effect.exit(late.pipe(Timeout.total("5 seconds")))
        yield* Effect.sleep("30 seconds")
        yield* Fiber.interrupt(worker!)
      }), "Closed"))

  it.effect("a fan-out that the deadline cuts does speak", () =>
    interrupted(
      (call) =>
        Effect.forEach([1, 2], () => call, { concurrency: "unbounded" }).pipe(Timeout.total("5 seconds"), Effect.exit),
      "Open"
    ))
})

describe("presets: a callee that hangs opens the circuit, whatever the times", () => {
  const breaker = options
  const stacks: ReadonlyArray<readonly [string, () => Pipelines.Pipeline, Duration.Input]> = [
    ["total 500 millis", () => Pipelines.makeStandardUnsafe({ breaker, total: "500 millis" }), "Infinity"],
    ["total 30 seconds", () => Pipelines.makeStandardUnsafe({ breaker, total: "30 seconds" }), "Infinity"],
    ["attempt 1 minute", () => Pipelines.makeStandardUnsafe({ breaker, attempt: "1 minute" }), "Infinity"],
    ["2 seconds on every request", () => Pipelines.makeStandardUnsafe({ breaker }), "2 seconds"]
  ]
  for (const [name, make, limit] of stacks) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const pipeline = make()
        for (let i = 0; i < 10; i++) {
          const fiber = yield* fork(Effect.exit(hung.pipe(pipeline, Deadline.within(limit))))
          yield* TestClock.adjust("5 minutes")
          yield* Fiber.join(fiber)
        }
        assert.strictEqual((yield* pipeline.breaker.state)._tag, "Open")
      }))
  }
})
