import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, fork, logged, outcome } from "./support/harness.ts"

const boom = Effect.fail(new Boom({}))
const trip = CircuitBreaker.consecutive(1)

const breakers = (options: Partial<Keyed.Options<string, CircuitBreaker.CircuitBreaker>> = {}) =>
  Keyed.makeUnsafe({ lookup: (name: string) => CircuitBreaker.makeUnsafe({ name, trip }), ...options })

const keysOf = <K>(keyed: Keyed.Keyed<K, Policy.Any>): Effect.Effect<ReadonlyArray<K>> =>
  Effect.map(keyed.entries, (entries) => entries.map(({ key }) => key))

describe("Keyed", () => {
  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => breakers({ idleTimeToLive: 0 }), "Keyed.make: idleTimeToLive must be a duration > 0, got 0")
    assert.throws(() => breakers({ maxInstances: 0 }), "Keyed.make: maxInstances must be an integer >= 1, got 0")
  })

  it.effect("a broken key leaves the others alone (Polly #624, opossum #321)", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      yield* Effect.exit(boom.pipe(keyed.for("a")))
      assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(keyed.for("a")))), "CircuitOpen")
      assert.strictEqual(outcome(yield* Effect.exit(Effect.succeed(1).pipe(keyed.for("b")))), "ok:1")
      assert.strictEqual(
        outcome(yield* Effect.exit(Stream.runDrain(Stream.make(1).pipe(keyed.for("a").stream)))),
        "CircuitOpen"
      )
    }))

  it.effect("an instance is made by the first call, not by asking for its policy", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      const call = Effect.void.pipe(keyed.for("a"))
      assert.deepStrictEqual(yield* keyed.entries, [])
      yield* call
      yield* TestClock.adjust("1 minute")
      const [entry] = yield* keyed.entries
      assert.deepInclude(entry, { key: "a", inUse: 0, idle: Duration.minutes(1) })
      assert.strictEqual(entry!.policy, yield* keyed.get("a"))
    }))

  it.effect("idle for five minutes, it is let go; the next call makes another", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      const first = yield* keyed.get("a")
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual(yield* keyed.get("a"), first)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* keysOf(keyed), [])
      assert.notStrictEqual(yield* keyed.get("a"), first)
    }))

  it.effect("in use it is kept, by effects and by streams, until they end or are interrupted", () =>
    Effect.gen(function*() {
      const keyed = breakers({ idleTimeToLive: "1 second" })
      const effect = yield* fork(Effect.never.pipe(keyed.for("effect")))
      const stream = yield* fork(
        Stream.runDrain(Stream.concat(Stream.make(1), Stream.never).pipe(keyed.for("stream").stream))
      )
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [1, 1])
      yield* Fiber.interruptAll([effect, stream])
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [0, 0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* keyed.entries, [])
    }))

  it.effect("a stream gives its instance back after its own clean-up", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      const { stream } = logged()
      const during: Array<number> = []
      const watched = stream(() => Stream.make(1)).pipe(
        Stream.ensuring(Effect.map(keyed.entries, ([entry]) => during.push(entry!.inUse))),
        keyed.for("a").stream
      )
      yield* Stream.runDrain(watched)
      assert.deepStrictEqual(during, [1])
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [0])
    }))

  it.effect("ten thousand keys leave `max`; more in use than that are not refused", () =>
    Effect.gen(function*() {
      const keyed = breakers({ maxInstances: 100 })
      for (let i = 0; i < 10_000; i++) yield* Effect.void.pipe(keyed.for(String(i)))
      assert.lengthOf(yield* keyed.entries, 100)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 150 }),
        (_, i) => fork(Effect.never.pipe(keyed.for(`used ${i}`)))
      )
      assert.lengthOf(yield* keyed.entries, 150)
      yield* Fiber.interruptAll(fibers)
      assert.lengthOf(yield* keyed.entries, 100)
    }))

  it.effect("what somebody decided by hand is not forgotten, nor that a circuit is open", () =>
    Effect.gen(function*() {
      const keyed = Keyed.makeUnsafe({
        lookup: (name: string) =>
          Policy.compose(CircuitBreaker.makeUnsafe({ name, trip, open: "1 hour" }), Timeout.attempt("1 minute")),
        maxInstances: 2
      })
      const plain = breakers({ maxInstances: 2 })
      yield* Effect.flatMap(plain.get("isolated"), ({ isolate }) => isolate)
      yield* Effect.exit(boom.pipe(keyed.for("open")))
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual(yield* keysOf(keyed), ["open"])
      assert.deepStrictEqual(yield* keysOf(plain), ["isolated"])
      assert.deepStrictEqual((yield* plain.entries).map(({ idle }) => idle), [Duration.minutes(59)])
      for (const key of ["x", "y", "z"]) {
        yield* Effect.void.pipe(keyed.for(key))
        yield* Effect.void.pipe(plain.for(key))
      }
      assert.deepStrictEqual(yield* keysOf(keyed), ["y", "z"], "room is needed more than an open circuit")
      assert.deepStrictEqual(yield* keysOf(plain), ["isolated", "z"])
    }))

  it.effect("a quota by the hour does not come back after five idle minutes", () =>
    Effect.gen(function*() {
      const limiterOf = () => RateLimiter.makeUnsafe({ limit: RateLimiter.fixedWindow({ limit: 2, within: "1 hour" }) })
      const lookups: ReadonlyArray<(key: string) => Policy.Policy<unknown, RateLimiter.RateLimiterRejected>> = [
        limiterOf,
        () => limiterOf().cost(2),
        () => Policy.compose(limiterOf(), Timeout.attempt("1 minute")) as Policy.Policy<unknown, any>,
        () => Pipelines.makeStandardUnsafe({ limiter: limiterOf() }) as Policy.Policy<unknown, any>
      ]
      for (const lookup of lookups) {
        const keyed = Keyed.makeUnsafe({ lookup, maxInstances: 2 })
        const call = Effect.exit(Effect.void.pipe(keyed.for("a")))
        yield* call
        yield* call
        yield* TestClock.adjust("59 minutes")
        assert.strictEqual(outcome(yield* call), "RateLimiterRejected")
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* keysOf(keyed), [], "time has given it back")
        yield* call
        for (const key of ["x", "y"]) yield* Effect.void.pipe(keyed.for(key))
        assert.deepStrictEqual(yield* keysOf(keyed), ["x", "y"], "room is needed more")
      }
    }))

  it.effect("keys are compared by Equal", () =>
    Effect.gen(function*() {
      const keyed = Keyed.makeUnsafe({
        lookup: (_: { readonly host: string; readonly port: number }) => CircuitBreaker.makeUnsafe({ trip })
      })
      yield* Effect.exit(boom.pipe(keyed.for({ host: "a", port: 1 })))
      assert.strictEqual(
        outcome(yield* Effect.exit(Effect.void.pipe(keyed.for({ host: "a", port: 1 })))),
        "CircuitOpen"
      )
      assert.strictEqual(
        outcome(yield* Effect.exit(Effect.void.pipe(keyed.for({ host: "a", port: 2 })))),
        "ok:undefined"
      )
      assert.lengthOf(yield* keyed.entries, 2)
    }))

  it.effect("a lookup that throws, or waits, is a defect of the call and leaves nothing", () =>
    Effect.gen(function*() {
      let broken = true
      const keyed = breakers({
        lookup: (name) => {
          if (broken) throw new Error("bug in lookup")
          return CircuitBreaker.makeUnsafe({ name })
        }
      })
      const call = Effect.exit(Effect.succeed(1).pipe(keyed.for("a")))
      assert.strictEqual(outcome(yield* call), "Die")
      assert.deepStrictEqual(yield* keyed.entries, [])
      broken = false
      assert.strictEqual(outcome(yield* call), "ok:1")
      let left = 0
      const waiting = breakers({
        lookup: (name) =>
          Effect.acquireUseRelease(
            Effect.sync(() => left++),
            () => Effect.delay(CircuitBreaker.make({ name }), "1 second"),
            () => Effect.sync(() => left--)
          )
      })
      assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(waiting.for("a")))), "Die")
      assert.deepStrictEqual([yield* waiting.entries, left], [[], 0])
    }))

  it.effect("one wrapped call that runs many times at once takes and gives back each time", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      const call = Effect.sleep("1 second").pipe(keyed.for("a"))
      const fiber = yield* fork(Effect.all(Array.from({ length: 10 }, () => call), { concurrency: "unbounded" }))
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [10])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual((yield* keyed.entries).map(({ inUse }) => inUse), [0])
    }))

  it.effect("made inside a registry, it is listed, and so is what its lookup makes", () =>
    Effect.gen(function*() {
      const keyed = yield* Keyed.make({ name: "hosts", lookup: (name: string) => CircuitBreaker.make({ name, trip }) })
      yield* Effect.exit(boom.pipe(keyed.for("a.example")))
      const snapshot = yield* PolicyRegistry.snapshot
      assert.deepStrictEqual(snapshot.map(({ kind, name }) => [kind, name]), [
        ["keyed", "hosts"],
        ["circuit-breaker", "a.example"]
      ])
      assert.deepStrictEqual(snapshot[0]!.state, { instances: 1, inUse: 0 })
      assert.strictEqual(snapshot[1]!.state["_tag"], "Open")
      return yield* keyed.entries
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it("tells its settings", () => {
    assert.strictEqual(
      Policy.explain(breakers({ name: "hosts" }).for("a")),
      "keyed \"hosts\" (key: a, idleTimeToLive: 5m, maxInstances: 1000)"
    )
  })
})
