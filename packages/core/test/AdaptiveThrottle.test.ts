import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Criticality from "../src/Criticality.ts"
import * as Fault from "../src/Fault.ts"
import * as Policy from "../src/Policy.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as Retry from "../src/Retry.ts"
import { Bad, Boom, Busy, fork, logged, outcome, recorder } from "./support/harness.ts"

const busy = Effect.fail(new Busy({ retryAfter: 1 }))

/** Fails with an error that states this fault. */
const stated = Effect.mapError((fault: Fault.Fault) => ({ [Fault.TypeId]: fault }))

/** Draws this number each time: 0 is turned away as soon as anybody is. */
const drawing = (n: number): Random.Random => ({ nextDoubleUnsafe: () => n, nextIntUnsafe: () => 0 })
const unlucky = Effect.provideService(Random.Random, drawing(0))
const lucky = Effect.provideService(Random.Random, drawing(0.9999))

type Face = "effect" | "stream"
const through = <E>(throttle: AdaptiveThrottle.AdaptiveThrottle, face: Face, call: Effect.Effect<unknown, E>) =>
  Effect.exit(face === "effect" ? throttle(call) : Stream.runDrain(throttle.stream(Stream.fromEffect(call))))

describe("AdaptiveThrottle", () => {
  for (const face of ["effect", "stream"] as const) {
    describe(face, () => {
      it.effect("turns away what the callee would refuse, and counts that too", () =>
        Effect.gen(function*() {
          const throttle = AdaptiveThrottle.makeUnsafe({ name: "search", minCalls: 2 })
          const { effect, log } = logged()
          const call = through(throttle, face, effect(() => busy))
          yield* lucky(Effect.replicateEffect(call, 2))
          assert.deepStrictEqual(yield* throttle.state, { requests: 2, accepts: 0, ratio: 2 / 3 })
          const exit = yield* unlucky(call)
          assert.strictEqual(outcome(exit), "ThrottleRejected")
          assert.strictEqual(log.length, 4)
          assert.deepStrictEqual(yield* throttle.state, { requests: 3, accepts: 0, ratio: 3 / 4 })
        }))

      const ends: Readonly<
        Record<string, readonly [Effect.Effect<unknown, unknown>, requests: number, accepts: number]>
      > = {
        "a success": [Effect.void, 1, 1],
        "a refusal": [busy, 1, 0],
        "a 429": [Effect.fail(Fault.ofStatus(429)).pipe(stated), 1, 0],
        "a 503 with a pause": [Effect.fail(Fault.ofStatus(503, { retryAfter: "1 second" })).pipe(stated), 1, 0],
        "a 503 without one": [Effect.fail(Fault.ofStatus(503)).pipe(stated), 1, 1],
        "a failure that may pass": [Effect.fail(new Boom({})), 1, 1],
        "an answer that is a failure": [Effect.fail(new Bad()), 1, 1],
        "a defect": [Effect.die("bug"), 1, 1],
        "a rejection by a policy of this process": [
          Effect.fail(new Bulkhead.BulkheadRejected({ reason: "full", waited: 0 as never })),
          0,
          0
        ],
        "an interruption": [Effect.interrupt, 0, 0]
      }
      for (const [name, [end, requests, accepts]] of Object.entries(ends)) {
        it.effect(`${name}: ${requests} asked, ${accepts} accepted`, () =>
          Effect.gen(function*() {
            const throttle = AdaptiveThrottle.makeUnsafe({ minCalls: 100 })
            yield* through(throttle, face, end)
            assert.deepStrictEqual(yield* throttle.state, { requests, accepts, ratio: 0 })
          }))
      }

      it.effect("counts a call that is under way, and takes it back when its caller goes away", () =>
        Effect.gen(function*() {
          const throttle = AdaptiveThrottle.makeUnsafe()
          const fiber = yield* fork(through(throttle, face, Effect.never))
          assert.strictEqual((yield* throttle.state).requests, 1)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* throttle.state).requests, 0)
        }))
    })
  }

  it.effect("forgets after the window, and lets a callee that has recovered have all calls again", () =>
    Effect.gen(function*() {
      const throttle = AdaptiveThrottle.makeUnsafe()
      yield* lucky(Effect.replicateEffect(Effect.exit(throttle(busy)), 100))
      assert.strictEqual((yield* throttle.state).ratio, 100 / 101)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(yield* throttle.state, { requests: 0, accepts: 0, ratio: 0 })
      assert.strictEqual(yield* unlucky(throttle(Effect.succeed(1))), 1)
    }))

  it.effect("draws nothing while nobody is turned away", () =>
    Effect.gen(function*() {
      const throttle = AdaptiveThrottle.makeUnsafe()
      const random: Random.Random = {
        nextDoubleUnsafe: () => assert.fail("drawn"),
        nextIntUnsafe: () => assert.fail("drawn")
      }
      yield* Effect.replicateEffect(throttle(Effect.void), 100).pipe(Effect.provideService(Random.Random, random))
      assert.deepStrictEqual(yield* throttle.state, { requests: 100, accepts: 100, ratio: 0 })
    }))

  it.effect("a service that refuses with an answer of its own is refusing by classify", () =>
    Effect.gen(function*() {
      const throttle = AdaptiveThrottle.makeUnsafe({
        minCalls: 1,
        classify: (exit, now) => Fault.of(exit, now) === undefined ? undefined : Fault.throttled()
      })
      yield* Effect.exit(throttle(Effect.fail("no capacity")))
      assert.strictEqual((yield* throttle.state).ratio, 1 / 2)
    }))

  it.effect("is no reason to try again, unless a retry is told to", () =>
    Effect.gen(function*() {
      const throttle = AdaptiveThrottle.makeUnsafe({ minCalls: 1 })
      yield* Effect.exit(throttle(busy))
      const tried = (rejected: boolean) =>
        Effect.gen(function*() {
          const { events, policy } = recorder()
          const retry = Retry.make({ times: 2, after: () => 0, rejected })
          yield* unlucky(Effect.exit(busy.pipe(Policy.compose(retry, throttle), policy)))
          return events.filter(({ _tag }) => _tag === "RejectedByThrottle").length
        })
      assert.deepStrictEqual([yield* tried(false), yield* tried(true)], [1, 3])
    }))

  it.effect("counts calls of each criticality by themselves, with a factor of their own", () =>
    Effect.gen(function*() {
      const throttle = yield* AdaptiveThrottle.make({ name: "x", minCalls: 1, factor: { critical: 3, sheddable: 1.1 } })
      const sheddable = Criticality.as("sheddable")
      yield* lucky(Effect.replicateEffect(Effect.exit(sheddable(throttle(busy))), 3))
      yield* throttle(Effect.void)
      yield* sheddable(lucky(throttle(Effect.void)))
      assert.deepStrictEqual(yield* sheddable(throttle.state), { requests: 4, accepts: 1, ratio: (4 - 1.1) / 5 })
      assert.deepStrictEqual(yield* throttle.state, { requests: 1, accepts: 1, ratio: 0 })
      const { events, policy } = recorder()
      const turned = yield* busy.pipe(throttle, policy, sheddable, unlucky, Effect.exit)
      assert.strictEqual(outcome(turned), "ThrottleRejected")
      assert.deepStrictEqual(events, [
        {
          _tag: "RejectedByThrottle",
          policy: "adaptive-throttle",
          name: "x",
          criticality: "sheddable",
          ratio: (4 - 1.1) / 5
        }
      ])
      assert.strictEqual(yield* unlucky(Effect.succeed(1).pipe(throttle)), 1)
      assert.deepStrictEqual(
        Policy.explain(throttle).split("\n")[0],
        "adaptive-throttle \"x\" (factor: critical-plus 2, critical 3, sheddable-plus 2, sheddable 1.1, within: 2m, minCalls: 1, maxRatio: 1)"
      )
      const registry = yield* PolicyRegistry.PolicyRegistry
      const [{ state } = assert.fail("not there")] = yield* registry.snapshot
      const share = (5 - 1.1) / 6
      assert.deepStrictEqual(state, { requests: 7, accepts: 3, ratio: share * 5 / 7 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("counts the end of a call where it counted its beginning, wherever it ends", () =>
    Effect.gen(function*() {
      const throttle = AdaptiveThrottle.makeUnsafe()
      const sheddable = Criticality.as("sheddable")
      // what is inside matters more than the call
      yield* Effect.void.pipe(Criticality.as("critical-plus"), throttle, sheddable)
      assert.deepInclude(yield* sheddable(throttle.state), { requests: 1, accepts: 1 })
      const stream = Stream.make(1).pipe(throttle.stream, sheddable.stream)
      yield* Stream.runDrain(stream)
      assert.deepInclude(yield* sheddable(throttle.state), { requests: 2, accepts: 2 })
      const fiber = yield* fork(Effect.never.pipe(throttle, sheddable))
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(yield* sheddable(throttle.state), { requests: 2, accepts: 2 })
      assert.deepInclude(yield* throttle.state, { requests: 0, accepts: 0 })
    }))

  it("names the bad factor", () => {
    const made = (factor: any) => () => AdaptiveThrottle.makeUnsafe({ factor })
    assert.throws(
      made({ critical: 0.5 }),
      "AdaptiveThrottle.make: factor.critical must be a finite number >= 1, got 0.5"
    )
    assert.throws(made({ urgent: 2 }), "AdaptiveThrottle.make: a key of factor must be \"critical-plus\"")
    assert.throws(made(null), "AdaptiveThrottle.make: factor must be left out or given, got null")
  })

  it.effect("tells, explains and lists itself", () =>
    Effect.gen(function*() {
      const throttle = yield* AdaptiveThrottle.make({ name: "search", minCalls: 1, factor: 1.5 })
      yield* Effect.exit(throttle(busy))
      const { events, policy } = recorder()
      const error = yield* Effect.flip(unlucky(throttle(busy).pipe(policy)))
      assert.deepStrictEqual(events, [
        { _tag: "RejectedByThrottle", policy: "adaptive-throttle", name: "search", criticality: "critical", ratio: 0.5 }
      ])
      assert.isTrue(AdaptiveThrottle.isThrottleRejected(error))
      assert.strictEqual(error.message, "throttle \"search\" turns away 50 % of all calls")
      assert.strictEqual(
        Policy.explain(throttle).split("\n")[0],
        "adaptive-throttle \"search\" (factor: 1.5, within: 2m, minCalls: 1, maxRatio: 1)"
      )
      const registry = yield* PolicyRegistry.PolicyRegistry
      const [listed] = yield* registry.snapshot
      assert.strictEqual(listed?.kind, "adaptive-throttle")
    }).pipe(Effect.provide(PolicyRegistry.layer)))
})
