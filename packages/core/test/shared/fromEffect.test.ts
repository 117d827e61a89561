import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Stream } from "effect"
import * as Breaker from "effect/persistence/CircuitBreaker"
import { TestClock } from "effect/testing"
import * as Fault from "../../src/Fault.ts"
import { CircuitOpen } from "../../src/internal/errors.ts"
import * as Policy from "../../src/Policy.ts"
import { Shared } from "../../src/shared/index.ts"
import * as Telemetry from "../../src/Telemetry.ts"

class Failed {
  readonly fault: Fault.Fault
  constructor(fault: Fault.Fault) {
    this.fault = fault
  }
  get [Fault.TypeId](): Fault.Fault {
    return this.fault
  }
}

const breaker = Breaker.make({ tripPolicy: Breaker.consecutive(2), openDuration: "10 seconds" })
const withBreaker = <A, E>(test: (breaker: Breaker.CircuitBreaker) => Effect.Effect<A, E, any>) =>
  Effect.flatMap(breaker, test).pipe(Effect.scoped, Effect.provide(Breaker.layerStoreMemory())) as Effect.Effect<A, E>

const fails = Effect.fail(new Failed(Fault.transient()))

describe("Shared.fromEffect", () => {
  it.effect("opens as Effect's breaker does, with our errors and events", () => {
    const events: Array<string> = []
    return withBreaker((breaker) =>
      Effect.gen(function*() {
        const policy = yield* Shared.fromEffect(breaker, "orders")
        yield* Effect.exit(policy(fails))
        yield* Effect.exit(policy(fails))
        const error = yield* Effect.flip(policy(Effect.succeed(1)))
        assert.instanceOf(error, CircuitOpen)
        assert.deepStrictEqual([error.policyName, error.state, Duration.toSeconds(error.retryAfter)], [
          "orders",
          "Open",
          10
        ])
        yield* TestClock.adjust("10 seconds")
        const probe = yield* Effect.forkChild(policy(Effect.delay(Effect.succeed(1), "1 second")), {
          startImmediately: true
        })
        const second = yield* Effect.flip(policy(Effect.succeed(1)))
        assert.deepStrictEqual([(second as CircuitOpen).state, Duration.toMillis((second as CircuitOpen).retryAfter)], [
          "HalfOpen",
          0
        ])
        yield* TestClock.adjust("1 second")
        yield* Effect.exit(Effect.andThen(Effect.yieldNow, Effect.void))
        assert.strictEqual(yield* policy(Effect.succeed(3)), 3)
        assert.strictEqual(probe.pollUnsafe()?._tag, "Success")
        assert.deepStrictEqual(events, [
          "CircuitChanged orders Closed Open",
          "RejectedByCircuit orders Open",
          "CircuitChanged orders Open HalfOpen",
          "RejectedByCircuit orders HalfOpen",
          "CircuitChanged orders HalfOpen Closed"
        ])
      })
    ).pipe(Telemetry.listen((event) => {
      if (event._tag === "CircuitChanged") events.push(`${event._tag} ${event.name} ${event.from} ${event.to}`)
      if (event._tag === "RejectedByCircuit") events.push(`${event._tag} ${event.name} ${event.state}`)
    }))
  })

  const outcomes: ReadonlyArray<readonly [what: string, call: Effect.Effect<unknown, unknown>, opens: boolean]> = [
    ["a transient fault", fails, true],
    ["a defect", Effect.die("bug"), true],
    ["a success", Effect.succeed(1), false],
    ["a permanent fault", Effect.fail(new Failed(Fault.permanent)), false],
    ["a throttled call", Effect.fail(new Failed(Fault.throttled())), false],
    ["what another policy refuses", Effect.fail(new Failed(Fault.rejected())), false],
    ["an interruption", Effect.interrupt, false]
  ]
  for (const [what, call, opens] of outcomes) {
    it.effect(`${what} ${opens ? "speaks" : "does not speak"} against the callee`, () =>
      withBreaker((breaker) =>
        Effect.gen(function*() {
          const policy = yield* Shared.fromEffect(breaker, "key")
          for (let i = 0; i < 3; i++) yield* Effect.exit(policy(call))
          assert.strictEqual((yield* breaker.state("key"))._tag, opens ? "Open" : "Closed")
        })
      ))
  }

  it.effect("a failure that asks for a pause opens the circuit for as long", () =>
    withBreaker((breaker) =>
      Effect.gen(function*() {
        const policy = yield* Shared.fromEffect(breaker, "key")
        const asks = Effect.fail(new Failed(Fault.transient({ retryAfter: Duration.minutes(1) })))
        yield* Effect.exit(policy(asks))
        yield* Effect.exit(policy(asks))
        const error = yield* Effect.flip(policy(Effect.void))
        assert.strictEqual(Duration.toSeconds((error as CircuitOpen).retryAfter), 60)
      })
    ))

  it.effect("the error of a breaker inside is the call's own", () =>
    withBreaker((breaker) =>
      Effect.gen(function*() {
        const policy = yield* Shared.fromEffect(breaker, "outer")
        const inner = new Breaker.CircuitBreakerError({
          reason: new Breaker.CircuitOpen({ key: "inner", retryAfter: Duration.seconds(1) })
        })
        assert.strictEqual(yield* Effect.flip(policy(Effect.fail(inner))), inner)
      })
    ))

  it.effect("a stream has the outcome of its first element", () =>
    withBreaker((breaker) =>
      Effect.gen(function*() {
        const policy = yield* Shared.fromEffect(breaker, "key", { name: "stream" })
        const seen = yield* Stream.runCollect(policy.stream(Stream.make(1, 2, 3)))
        assert.deepStrictEqual(seen, [1, 2, 3])
        for (let i = 0; i < 2; i++) yield* Effect.exit(Stream.runDrain(policy.stream(Stream.fromEffect(fails))))
        const exit = yield* Effect.exit(Stream.runDrain(policy.stream(Stream.make(1))))
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof CircuitOpen)
      })
    ))

  it("says what it is", () =>
    Effect.runPromise(withBreaker((breaker) =>
      Effect.map(Shared.fromEffect(breaker, "orders"), (policy) => {
        assert.include(Policy.explain(policy), "circuit-breaker \"orders\"")
      })
    )))
})
