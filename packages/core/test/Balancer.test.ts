import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Balancer from "../src/Balancer.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Retry from "../src/Retry.ts"
import * as Timeout from "../src/Timeout.ts"

const hosts = ["a", "b", "c"]

/** An error that is what its fault says. */
class Refused {
  readonly [Fault.TypeId]: Fault.Fault
  constructor(fault: Fault.Fault) {
    this[Fault.TypeId] = fault
  }
}

const statuses = <E>(balancer: Balancer.Balancer<E>) =>
  Effect.map(balancer.state, (all) => all.map(({ key, status }) => `${key} ${status}`))

const inFlight = <E>(balancer: Balancer.Balancer<E>) =>
  Effect.map(balancer.state, (all) => all.reduce((sum, { inFlight }) => sum + inFlight, 0))

const fail = (fault: Fault.Fault) => () => Effect.fail(new Refused(fault))

describe("what a call has tried", () => {
  it.effect("a retry goes to each endpoint before it goes to one twice", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, ejection: false })
      const asked: Array<string> = []
      const call = balancer.use((host) => Effect.suspend(() => Effect.fail(asked.push(host))))
      const retry = Retry.make({ times: 5, after: () => 0 })
      yield* Effect.exit(call.pipe(retry))
      assert.deepStrictEqual(asked.slice(0, 3).toSorted(), hosts)
      assert.strictEqual(asked.length, 6)
      asked.length = 0
      yield* Effect.exit(call.pipe(Timeout.attempt("1 second"), retry))
      assert.deepStrictEqual(asked.slice(0, 3).toSorted(), hosts)
    }))

  it.effect("a hedge goes elsewhere while the first attempt is in flight, and after a timeout outside as well", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.use((host) => host === "c" ? Effect.succeed(host) : Effect.never)
      const hedged = yield* Effect.forkChild(call.pipe(Hedge.makeUnsafe({ after: "1 second", maxHedges: 2 })))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(hedged), "c")
      assert.strictEqual(yield* inFlight(balancer), 0)
      const retried = yield* Effect.forkChild(
        call.pipe(Timeout.attempt("1 second"), Retry.make({ times: 2, after: () => 0 }))
      )
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(retried), "c")
    }))

  it.effect("streams", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.useStream((host) => host === "c" ? Stream.make(host) : Stream.fail("down"))
      const retry = Retry.make({ times: 2, after: () => 0 })
      assert.deepStrictEqual(yield* Stream.runCollect(call.pipe(retry.stream)), ["c"])
      const resume = Retry.resume({ times: 2, after: () => 0, from: (_: string, _error: string) => part })
      const part = balancer.useStream((host) =>
        host === "c" ? Stream.make(host) : Stream.concat(Stream.make(host), Stream.fail("down"))
      ) as Stream.Stream<string, string>
      assert.deepStrictEqual(yield* Stream.runCollect(part.pipe(resume.stream)), ["a", "b", "c"])
    }))

  it.effect("Effect.retry within remember", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.use((host) => host === "c" ? Effect.succeed(host) : Effect.fail("down"))
      assert.strictEqual(yield* call.pipe(Effect.retry({ times: 2 }), Balancer.remember), "c")
    }))
})

describe("ejection, rest and return", () => {
  it.effect("an endpoint that fails is left out, comes back, and is left out for longer", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, ejection: { failures: 2 } })
      const only = { when: (host: string) => host === "a" }
      const down = Effect.exit(balancer.use(fail(Fault.transient()), only))
      yield* down
      yield* down
      assert.deepStrictEqual(yield* statuses(balancer), ["a ejected", "b available", "c available"])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* statuses(balancer), ["a warming", "b available", "c available"])
      yield* TestClock.adjust("9 seconds")
      yield* down
      yield* down
      const [a] = yield* balancer.state
      assert.strictEqual(Duration.toMillis(a!.returnsIn), 60_000)
    }))

  it.effect("an endpoint that asks for a rest gets it, and when all of them rest the call is told until when", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"], choose: "in-order" })
      yield* Effect.exit(balancer.use(fail(Fault.throttled({ retryAfter: "3 seconds" }))))
      yield* Effect.exit(balancer.use(fail(Fault.throttled({ retryAfter: "2 seconds" }))))
      assert.deepStrictEqual(yield* statuses(balancer), ["a cooling", "b cooling"])
      const error = yield* Effect.flip(balancer.use(Effect.succeed))
      assert.deepInclude(error, { reason: "cooling", retryAfter: Duration.seconds(2) })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* balancer.use(Effect.succeed), "b")
    }))
})

describe("in flight", () => {
  it.effect("whatever the end, a place is free again", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts })
      const calls = [
        balancer.use(() => Effect.void),
        balancer.use(() => Effect.fail("down")),
        balancer.use(() => Effect.die("bug")),
        balancer.use((): Effect.Effect<void> => {
          throw new Error("bug")
        }),
        balancer.use(() => Effect.interrupt),
        Stream.runDrain(balancer.useStream(() => Stream.make(1, 2))),
        Stream.runDrain(Stream.take(balancer.useStream(() => Stream.make(1, 2)), 1)),
        Stream.runDrain(balancer.useStream(() => Stream.fail("down"))),
        Stream.runDrain(balancer.useStream((): Stream.Stream<void> => {
          throw new Error("bug")
        }))
      ]
      for (const call of calls) {
        yield* Effect.exit(call)
        assert.strictEqual(yield* inFlight(balancer), 0)
      }
      const never = yield* Effect.forkChild(balancer.use(() => Effect.never), { startImmediately: true })
      assert.strictEqual(yield* inFlight(balancer), 1)
      yield* Fiber.interrupt(never)
      assert.strictEqual(yield* inFlight(balancer), 0)
      const lease = yield* balancer.pick()
      yield* lease.end(Exit.void)
      yield* lease.end(Exit.void)
      assert.strictEqual(yield* inFlight(balancer), 0)
    }))
})

describe("a choice", () => {
  it.effect("converges to the weights", () =>
    Effect.gen(function*() {
      const weights: Record<string, number> = { a: 5, b: 3, c: 2 }
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, weight: (host) => weights[host]! })
      const counts: Record<string, number> = {}
      const call = balancer.use((host) =>
        Effect.sync(() => {
          counts[host] = (counts[host] ?? 0) + 1
        })
      )
      yield* Effect.replicateEffect(call, 10_000, { discard: true }).pipe(Random.withSeed("weights"))
      for (const host of hosts) assert.approximately(counts[host]! / 1000, weights[host]!, 0.3)
    }))
})
