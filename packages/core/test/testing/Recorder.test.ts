import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import { Callee, PolicyTest, Recorder } from "../../src/testing/index.ts"

const down = () => Callee.script([Callee.forever(Callee.fail("down", { after: "1 second" }))])
const stackOf = () =>
  Policy.compose(
    Retry.make({ name: "calls", schedule: Schedule.max([Schedule.exponential("2 seconds"), Schedule.recurs(3)]) }),
    CircuitBreaker.makeUnsafe({ name: "callee", trip: CircuitBreaker.consecutive(4) })
  )

const faces = {
  effect: (policy: Policy.Policy<unknown, unknown>) => Effect.exit(policy(down().effect)),
  stream: (policy: Policy.Policy<unknown, unknown>) => Effect.exit(Stream.runDrain(policy.stream(down().stream)))
}

describe("Recorder", () => {
  for (const [face, through] of Object.entries(faces)) {
    it.effect(`records three retries and one opening as values, ${face}`, () =>
      Effect.gen(function*() {
        const events = yield* Recorder.make
        yield* PolicyTest.during(through(Policy.compose(events.policy, stackOf())), "1 minute")
        assert.deepStrictEqual(events.counts, {
          AttemptStarted: 4,
          AttemptEnded: 4,
          RetryScheduled: 3,
          CircuitChanged: 1,
          RetryStopped: 1
        })
        assert.deepStrictEqual(events.ofTag("RetryScheduled")[1], {
          _tag: "RetryScheduled",
          policy: "retry",
          name: "calls",
          attempt: 2,
          fault: "Transient",
          cause: "down",
          delay: 4000,
          // an attempt takes a second, and the first delay was two
          at: 4000
        })
        assert.deepStrictEqual(events.ofTag("CircuitChanged"), [
          { _tag: "CircuitChanged", policy: "circuit-breaker", name: "callee", from: "Closed", to: "Open", at: 18_000 }
        ])
        assert.deepInclude(events.ofTag("AttemptEnded")[0], { duration: 1000, exit: "down", fault: "Transient" })
        assert.deepStrictEqual(events.tags, events.raw.map(({ _tag }) => _tag))
        assert.deepStrictEqual(events.all.map(({ _tag }) => _tag), events.tags)
      }))
  }

  it.effect("as a layer it hears the whole program, and so does who listens already", () =>
    Effect.gen(function*() {
      const [outer, inner] = [Recorder.makeUnsafe(), Recorder.makeUnsafe()]
      const breaker = CircuitBreaker.makeUnsafe()
      const program = Effect.andThen(breaker.isolate, breaker.close)
      yield* Effect.provide(program, Layer.provide(inner.layer, outer.layer))
      assert.deepStrictEqual(inner.ofTag("CircuitChanged").map(({ to }) => to), ["Isolated", "Closed"])
      assert.deepStrictEqual(outer.all, inner.all)
    }))

  it.effect("does not hear a listener that throws", () =>
    Effect.gen(function*() {
      const events = Recorder.makeUnsafe()
      const throws = Telemetry.listen(() => {
        throw new Error("bug")
      })
      const retry = Retry.make({ schedule: Schedule.recurs(1) })
      yield* Effect.exit(Effect.fail("down").pipe(retry, throws, Effect.provide(events.layer), events.policy))
      assert.strictEqual(events.counts.RetryScheduled, 2)
    }))

  it.effect("forgets", () =>
    Effect.gen(function*() {
      const events = Recorder.makeUnsafe()
      yield* CircuitBreaker.makeUnsafe().isolate.pipe(events.policy)
      events.clear()
      assert.deepStrictEqual([events.all, events.counts], [[], {}])
    }))
})
