import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Policy from "../src/Policy.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, fork, logged, outcome } from "./support/harness.ts"

const boom = Effect.fail(new Boom({}))
const trip = CircuitBreaker.consecutive(1)

const breakers = (options: Partial<Keyed.Options<string, CircuitBreaker.CircuitBreaker, "share">> = {}) =>
  Keyed.makeUnsafe({ lookup: (name: string) => CircuitBreaker.makeUnsafe({ name, trip }), ...options })

const keysOf = <K>(keyed: Pick<Keyed.Keyed<K, Policy.Any>, "entries">): Effect.Effect<ReadonlyArray<K>> =>
  Effect.map(keyed.entries, (entries) => entries.filter(({ shared }) => !shared).map(({ key }) => key))

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
      assert.deepStrictEqual(yield* keysOf(keyed), ["open", "z"], "not even if room is needed")
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
        assert.deepStrictEqual(yield* keysOf(keyed), ["a", "x"], "not even if room is needed")
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

  describe("with keys that somebody makes up", () => {
    const flood = (
      keyed: Pick<Keyed.Keyed<string, Policy.Policy<unknown, unknown>, unknown>, "for">,
      call: Effect.Effect<unknown, unknown>
    ): Effect.Effect<number> =>
      Effect.gen(function*() {
        let reached = 0
        const counted = Effect.suspend(() => {
          reached++
          return call
        })
        for (let i = 0; i < 20; i++) {
          yield* Effect.exit(counted.pipe(keyed.for("real")))
          for (let j = 0; j < 20; j++) yield* Effect.exit(Effect.void.pipe(keyed.for(`made up ${i}, ${j}`)))
        }
        return reached
      })

    it.effect("a failing key opens its circuit all the same", () =>
      Effect.gen(function*() {
        const keyed = breakers({
          lookup: (name: string) => CircuitBreaker.makeUnsafe({ name, trip: CircuitBreaker.consecutive(5) }),
          maxInstances: 8
        })
        assert.strictEqual(yield* flood(keyed, boom), 5)
      }))

    it.effect("a limiter goes on to know what was used", () =>
      Effect.gen(function*() {
        const keyed = Keyed.makeUnsafe({
          lookup: (_: string) =>
            RateLimiter.makeUnsafe({ limit: RateLimiter.fixedWindow({ limit: 3, within: "1 hour" }) }),
          maxInstances: 8
        })
        assert.strictEqual(yield* flood(keyed, Effect.void), 3)
      }))

    const full = (whenFull?: "share") => breakers({ maxInstances: 2, idleTimeToLive: "1 hour", whenFull })

    it.effect("full of what knows something, new keys share an instance", () =>
      Effect.gen(function*() {
        const keyed = full()
        for (const key of ["a", "b", "c"]) yield* Effect.exit(boom.pipe(keyed.for(key)))
        assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(keyed.for("d")))), "CircuitOpen")
        const [d, e] = [yield* keyed.get("d"), yield* keyed.get("e")]
        assert.strictEqual(d, e)
        assert.deepStrictEqual(
          (yield* keyed.entries).map(({ key, shared }) => [key, shared]),
          [["a", false], ["b", false], ["c", true]]
        )
        assert.notStrictEqual(yield* keyed.get("a"), d)
      }))

    it.effect("or are rejected: no call, a typed error, and nobody's fault", () =>
      Effect.gen(function*() {
        const keyed = Keyed.makeUnsafe({
          name: "hosts",
          lookup: (name: string) => CircuitBreaker.makeUnsafe({ name, trip }),
          maxInstances: 2,
          whenFull: "reject"
        })
        for (const key of ["a", "b"]) yield* Effect.exit(boom.pipe(keyed.for(key)))
        const calls = [
          Effect.die("called").pipe(keyed.for("c")),
          Stream.runDrain(Stream.die("called").pipe(keyed.for("c").stream)),
          keyed.get("c")
        ]
        for (const call of calls) {
          const error = yield* Effect.flip(call)
          assert.isTrue(Keyed.isKeyedRejected(error))
          assert.deepInclude(error, { policyName: "hosts" })
          assert.strictEqual(Fault.of(Exit.fail(error), 0)?._tag, "Rejected")
        }
        assert.strictEqual(outcome(yield* Effect.exit(Effect.void.pipe(keyed.for("a")))), "CircuitOpen")
        yield* TestClock.adjust("10 minutes")
        yield* Effect.void.pipe(keyed.for("c"))
        assert.deepStrictEqual(yield* keysOf(keyed), ["c"])
      }))
  })

  it.effect("a key that has an instance has one policy", () =>
    Effect.gen(function*() {
      const keyed = breakers()
      assert.notStrictEqual(keyed.for("a"), keyed.for("a"), "nothing is kept for a key that nobody has used")
      yield* Effect.void.pipe(keyed.for("a"))
      assert.strictEqual(keyed.for("a"), keyed.for("a"))
    }))

  it("tells its settings", () => {
    assert.strictEqual(
      Policy.explain(breakers({ name: "hosts" }).for("a")),
      "keyed \"hosts\" (key: a, idleTimeToLive: 5m, maxInstances: 1000)"
    )
  })
})
