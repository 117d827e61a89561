import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Fault from "../src/Fault.ts"
import * as Timeout from "../src/Timeout.ts"
import { after, Bad, Boom, Busy, during, fork, logged, outcome, recorder } from "./support/harness.ts"

const isBoom = (error: unknown): error is Boom => error instanceof Boom
const run = <A, E>(self: Effect.Effect<A, E>) => Effect.map(Effect.exit(self), outcome)
const collect = <A, E>(self: Stream.Stream<A, E>) => run(Stream.runCollect(self))

describe("Fallback.to", () => {
  const plan = Fallback.to((error: unknown) => Effect.succeed(error instanceof Boom ? error.n : "other"))
  const ofBoom = Fallback.to((error) => Effect.succeed(error.n), { when: isBoom })

  it.effect("a success is left alone", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run(plan(Effect.succeed(1))), "ok:1")
      assert.strictEqual(yield* collect(plan.stream(Stream.make(1, 2))), "ok:1,2")
      assert.strictEqual(yield* collect(plan.stream(Stream.empty)), "ok:")
    }))

  it.effect("every typed error by default; by guard, predicate or tag only those", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run(plan(new Boom({ n: 7 }))), "ok:7")
      assert.strictEqual(yield* run(plan(Effect.fail("x"))), "ok:other")
      assert.strictEqual(yield* run(ofBoom(new Boom({ n: 7 }))), "ok:7")
      assert.strictEqual(yield* run(ofBoom(new Bad())), "Bad")
      const tagged = Fallback.to(({ _tag }) => Effect.succeed(_tag), { tags: ["Boom", "Busy"] })
      const failing = (error: Boom | Busy | Bad | string): Effect.Effect<never, typeof error> => Effect.fail(error)
      assert.strictEqual(yield* run(tagged(failing(new Boom({})))), "ok:Boom")
      assert.strictEqual(yield* run(tagged(failing(new Busy({ retryAfter: 1 })))), "ok:Busy")
      assert.strictEqual(yield* run(tagged(failing(new Bad()))), "Bad")
      assert.strictEqual(yield* run(tagged(failing("Boom"))), "Boom")
      const some = Fallback.to(() => Effect.succeed("b"), { when: (error: Boom) => error.n === 1 })
      assert.strictEqual(yield* run(some(new Boom({ n: 1 }))), "ok:b")
      assert.strictEqual(yield* run(some(new Boom({ n: 2 }))), "Boom")
    }))

  it.effect("takes the effect or stream as its first argument as well, and both a tag and a predicate", () =>
    Effect.gen(function*() {
      const call = (n: number): Effect.Effect<string, Boom | Bad> => n === 0 ? new Bad() : new Boom({ n })
      const first = (n: number) => ({
        tags: ["Boom"] as const,
        when: (error: Boom | Bad) => error._tag !== "Bad" && n < 3
      })
      const outcomes = yield* Effect.forEach([0, 1, 3], (n) =>
        Effect.all([
          run(Fallback.to(call(n), (error) => Effect.succeed(`${error.n}`), first(n))),
          run(call(n).pipe(Fallback.to((error) => Effect.succeed(`${error.n}`), { tags: ["Boom"] }))),
          collect(Fallback.to(Stream.fromEffect(call(n)), (error) => Effect.succeed(error.n), first(n))),
          collect(Fallback.toStream(Stream.fromEffect(call(n)), (error) => Stream.make(error.n, "more"), first(n)))
        ]))
      assert.deepStrictEqual(outcomes, [
        ["Bad", "Bad", "Bad", "Bad"],
        ["ok:1", "ok:1", "ok:1", "ok:1,more"],
        ["Boom", "ok:3", "Boom", "Boom"]
      ])
    }))

  it.effect("defects and interruptions go through", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* run(plan(Effect.die("bug"))), "Die")
      assert.strictEqual(yield* run(plan(Effect.interrupt)), "Interrupt")
      assert.strictEqual(yield* collect(plan.stream(Stream.die("bug"))), "Die")
    }))

  it.effect("a cause with several reasons: what the type says is gone is gone, and nothing else", () =>
    Effect.gen(function*() {
      const boom = Cause.fail(new Boom({ n: 1 }))
      const causes = [
        [Cause.combine(boom, Cause.fail(new Boom({ n: 2 }))), "ok:1"],
        [Cause.combine(boom, Cause.die("bug")), "Die"],
        [Cause.combine(Cause.fail(new Bad()), boom), "Bad"],
        [Cause.combine(boom, Cause.interrupt()), "ok:1"]
      ] as const
      for (const [cause, expected] of causes) {
        assert.strictEqual(yield* run(ofBoom(Effect.failCause<unknown>(cause))), expected)
      }
    }))

  it.effect("what it falls back to may fail itself, and is not caught", () =>
    Effect.gen(function*() {
      const broken = Fallback.to(() => Effect.fail("broken"))
      assert.strictEqual(yield* run(broken(new Boom({}))), "broken")
      assert.strictEqual(yield* collect(broken.stream(Stream.fail(new Boom({})))), "broken")
      const thrown = Fallback.to((): Effect.Effect<number> => {
        throw new Error("bug")
      })
      assert.strictEqual(yield* run(thrown(new Boom({}))), "Die")
      assert.strictEqual(yield* collect(thrown.stream(Stream.fail(new Boom({})))), "Die")
    }))

  it.effect("the caller goes away: no fallback is begun", () =>
    Effect.gen(function*() {
      let begun = 0
      const counted = Fallback.to(() => Effect.sync(() => ++begun))
      const call = Effect.onInterrupt(Effect.never, () => Effect.sleep("10 millis"))
      const fiber = yield* fork(counted(Effect.andThen(Effect.sleep("1 millis"), call)))
      yield* TestClock.adjust("5 millis")
      fiber.interruptUnsafe()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(outcome(yield* Fiber.await(fiber)), "Interrupt")
      assert.strictEqual(begun, 0)
    }))

  it.effect("a stream falls back before its first element, after what it opened is closed", () =>
    Effect.gen(function*() {
      const { log, stream } = logged()
      const other = Fallback.toStream(() => stream(() => Stream.make(8, 9)))
      const source = stream(() => Stream.fromEffect(Effect.delay(new Boom({}), "5 millis")))
      assert.strictEqual(yield* during("1 second", collect(source.pipe(other.stream))), "ok:8,9")
      assert.deepStrictEqual(log, ["open1", "close1", "open2", "close2"])
      assert.strictEqual(yield* collect(Stream.fail(new Boom({ n: 3 })).pipe(ofBoom.stream)), "ok:3")
    }))

  it.effect("after the first element a failure is a failure", () =>
    Effect.gen(function*() {
      const other = Fallback.toStream(() => Stream.make(8))
      const seen: Array<number> = []
      const source = Stream.concat(Stream.make(1), Stream.fail(new Boom({}))).pipe(other.stream)
      assert.strictEqual(yield* run(Stream.runForEach(source, (n) => Effect.sync(() => seen.push(n)))), "Boom")
      assert.deepStrictEqual(seen, [1])
    }))

  it.effect("a failure that is not handled closes what the stream opened", () =>
    Effect.gen(function*() {
      const { log, stream } = logged()
      const source = stream(() => Stream.fail(new Bad())).pipe(
        Fallback.toStream(() => Stream.make(8), { when: isBoom }).stream
      )
      assert.strictEqual(yield* collect(source), "Bad")
      assert.deepStrictEqual(log, ["open1", "close1"])
    }))

  it.effect("tells that it was used", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const named = Fallback.to(() => Effect.succeed(1), { name: "price", when: isBoom })
      yield* named(new Boom({})).pipe(policy)
      yield* run(named(new Bad()).pipe(policy))
      assert.strictEqual(events.length, 1)
      assert.deepInclude(events[0], { _tag: "FallbackUsed", policy: "fallback", name: "price" })
    }))

  it("tells what it is", () => {
    assert.deepInclude(Fallback.to(() => Effect.void, { name: "n", tags: ["A"] }).info, {
      kind: "fallback",
      name: "n",
      settings: { tags: ["A"], when: undefined }
    })
  })
})

describe("Fallback.makeStale", () => {
  const make = (options: Partial<Fallback.StaleOptions<number, unknown>> = {}) =>
    Fallback.makeStaleUnsafe<number, unknown>({
      timeToLive: "1 minute",
      as: ({ age, value }) => `${value} of ${Duration.toMillis(age)}`,
      ...options
    })

  it("names the bad option, the value and what is allowed", () => {
    assert.throws(() => make({ timeToLive: 0 }), "Fallback.makeStale: timeToLive must be a duration > 0, got 0")
    assert.throws(() => make({ capacity: 0 }), "Fallback.makeStale: capacity must be an integer >= 1, got 0")
    assert.throws(() => make({ maxElements: 1.5 }), "Fallback.makeStale: maxElements must be an integer >= 1, got 1.5")
  })

  it.effect("serves the last good value for faults that pass, and only for those (Polly #1127)", () =>
    Effect.gen(function*() {
      const open = CircuitBreaker.makeUnsafe()
      yield* open.isolate
      const cases: ReadonlyArray<readonly [Effect.Effect<number, unknown>, string]> = [
        [new Boom({}), "ok:1 of 20"],
        [new Busy({ retryAfter: 1 }), "ok:1 of 20"],
        [open(Effect.succeed(2)), "ok:1 of 20"],
        [new Bad(), "Bad"],
        [Effect.die("bug"), "Die"],
        [Effect.interrupt, "Interrupt"],
        [Effect.failCause(Cause.combine(Cause.fail(new Boom({})), Cause.die("bug"))), "Boom+Die"]
      ]
      for (const [failing, expected] of cases) {
        const stale = make()
        assert.strictEqual(yield* run(stale(failing)), expected.startsWith("ok") ? yield* run(failing) : expected)
        assert.strictEqual(yield* during("1 second", run(stale(Effect.succeed(1)))), "ok:1")
        const served = yield* during("20 millis", run(stale(Effect.delay(failing, "19 millis"))))
        assert.strictEqual(served.replace(/of \d+/, "of 20"), expected)
      }
    }))

  it.effect("the age counts from when the value was asked for; beyond its time to live there is none", () =>
    Effect.gen(function*() {
      const stale = make({ timeToLive: "100 millis" })
      yield* during("40 millis", stale(Effect.as(Effect.sleep("40 millis"), 1)))
      yield* TestClock.adjust("60 millis")
      assert.strictEqual(yield* run(stale(new Boom({}))), "ok:1 of 100")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* run(stale(new Boom({}))), "Boom")
    }))

  it.effect("a permanent failure is an answer: what was there does not come back", () =>
    Effect.gen(function*() {
      const stale = make()
      yield* stale(Effect.succeed(1))
      assert.strictEqual(yield* run(stale(new Bad())), "Bad")
      assert.strictEqual(yield* run(stale(new Boom({}))), "Boom")
    }))

  it.effect("two callers race: the answer to the earlier question does not replace the later one's", () =>
    Effect.gen(function*() {
      const stale = make()
      const slow = yield* fork(stale(Effect.as(Effect.sleep("100 millis"), 1)))
      yield* TestClock.adjust("10 millis")
      yield* stale(Effect.succeed(2))
      yield* TestClock.adjust("90 millis")
      assert.strictEqual(yield* Fiber.join(slow), 1)
      assert.strictEqual(yield* run(stale(new Boom({}))), "ok:2 of 90")
    }))

  it.effect("keys are apart, invalidated apart, and no more than the capacity", () =>
    Effect.gen(function*() {
      const stale = make({ capacity: 2 })
      for (const key of ["a", "b", "c"]) yield* stale.for(key)(Effect.succeed(1))
      assert.strictEqual(yield* run(stale.for("a")(new Boom({}))), "Boom")
      assert.strictEqual(yield* run(stale.for("b")(new Boom({}))), "ok:1 of 0")
      assert.strictEqual(yield* run(stale(new Boom({}))), "Boom")
      yield* stale.invalidate("b")
      assert.strictEqual(yield* run(stale.for("b")(new Boom({}))), "Boom")
      assert.strictEqual(yield* stale.size, 1)
    }))

  it.effect("the answer to a question from before the invalidation does not bring the old value back", () =>
    Effect.gen(function*() {
      const stale = make()
      const { stream } = stale.for("a")
      yield* stale.for("a")(Effect.succeed(1))
      yield* Stream.runDrain(stream(Stream.make(1)))
      const asked = yield* fork(Effect.all([
        stale.for("a")(Effect.as(Effect.sleep(100), 1)),
        Stream.runDrain(stream(after(100, 1)))
      ], { concurrency: 2 }))
      yield* TestClock.adjust(50)
      yield* stale.invalidate("a")
      assert.strictEqual(yield* stale.size, 0)
      yield* TestClock.adjust(50)
      yield* Fiber.join(asked)
      assert.strictEqual(yield* run(stale.for("a")(new Boom({}))), "Boom")
      assert.strictEqual(yield* run(Stream.runCollect(stream(Stream.fail(new Boom({}))))), "Boom")
      yield* stale.for("a")(Effect.succeed(2))
      assert.strictEqual(yield* run(stale.for("a")(new Boom({}))), "ok:2 of 0")
    }))

  it.effect("nor does it if it is the first answer of its key", () =>
    Effect.gen(function*() {
      const stale = make()
      const asked = yield* fork(stale.for("a")(Effect.as(Effect.sleep(100), 1)))
      yield* TestClock.adjust(50)
      yield* stale.invalidate("a")
      yield* TestClock.adjust(50)
      yield* Fiber.join(asked)
      assert.strictEqual(yield* run(stale.for("a")(new Boom({}))), "Boom")
    }))

  it.effect("a hung callee under a timeout is served from memory", () =>
    Effect.gen(function*() {
      const stale = make()
      yield* stale(Effect.succeed(1))
      assert.strictEqual(
        yield* during("1 second", run(Effect.never.pipe(Timeout.attempt("50 millis"), stale))),
        "ok:1 of 50"
      )
    }))

  it.effect("without `as` the value is the one that was kept; classify replaces the classification", () =>
    Effect.gen(function*() {
      const stale = Fallback.makeStaleUnsafe<number>({ timeToLive: "1 minute", classify: () => Fault.permanent })
      yield* stale(Effect.succeed(1))
      assert.strictEqual(yield* run(stale(new Boom({}))), "Boom")
      const plain = Fallback.makeStaleUnsafe<number>({ timeToLive: "Infinity" })
      yield* plain(Effect.succeed(1))
      assert.strictEqual(yield* run(plain(new Boom({}))), "ok:1")
    }))

  it.effect("a stream is remembered when it has ended well, and served before the first element only", () =>
    Effect.gen(function*() {
      const stale = make()
      const good = Stream.concat(Stream.make(1, 2), after("10 millis", 3))
      const half = Stream.concat(Stream.make(7), Stream.fail(new Boom({})))
      const bad = Stream.fail(new Boom({}))
      assert.strictEqual(yield* collect(stale.stream(half)), "Boom")
      assert.strictEqual(yield* collect(stale.stream(bad)), "Boom")
      assert.strictEqual(yield* during("10 millis", collect(stale.stream(good))), "ok:1,2,3")
      assert.strictEqual(yield* collect(stale.stream(bad)), "ok:1 of 10,2 of 10,3 of 10")
      assert.strictEqual(yield* collect(stale.stream(half)), "Boom")
      yield* run(Stream.runDrain(stale.stream(Stream.make(9, 9)).pipe(Stream.take(1))))
      assert.strictEqual(yield* collect(stale.stream(bad)), "ok:1 of 10,2 of 10,3 of 10")
      assert.strictEqual(yield* run(stale(new Boom({}))), "Boom")
    }))

  it.effect("a stream that was served is not taken for a new good one", () =>
    Effect.gen(function*() {
      const stale = make({ timeToLive: "100 millis" })
      yield* collect(stale.stream(Stream.make(1)))
      yield* TestClock.adjust("80 millis")
      assert.strictEqual(yield* collect(stale.stream(Stream.fail(new Boom({})))), "ok:1 of 80")
      yield* TestClock.adjust("80 millis")
      assert.strictEqual(yield* collect(stale.stream(Stream.fail(new Boom({})))), "Boom")
    }))

  it.effect("a stream that is too long is not remembered", () =>
    Effect.gen(function*() {
      const stale = make({ maxElements: 3 })
      yield* collect(stale.stream(Stream.range(1, 4).pipe(Stream.rechunk(1))))
      assert.strictEqual(yield* stale.size, 0)
      yield* collect(stale.stream(Stream.range(1, 3)))
      assert.strictEqual(yield* stale.size, 1)
    }))

  it.effect("tells the age", () =>
    Effect.gen(function*() {
      const { events, policy } = recorder()
      const stale = make({ name: "user" })
      yield* stale(Effect.succeed(1))
      yield* TestClock.adjust("5 seconds")
      yield* stale(new Boom({})).pipe(policy)
      yield* run(stale(new Bad()).pipe(policy))
      assert.strictEqual(events.length, 1)
      assert.deepInclude(events[0], { _tag: "StaleServed", name: "user", age: Duration.seconds(5) })
    }))
})
