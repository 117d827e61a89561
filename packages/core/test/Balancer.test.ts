import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Deadline from "../src/Deadline.ts"
import * as Fault from "../src/Fault.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import * as Policy from "../src/Policy.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
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
      const detached = yield* Effect.forkChild(
        call.pipe(Timeout.attempt("1 second", { detach: true }), Retry.make({ times: 2, after: () => 0 }))
      )
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(detached), "c")
      assert.strictEqual(yield* inFlight(balancer), 0)
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

describe("what one endpoint asks for, or a policy that stands for it refuses", () => {
  const retry = Retry.make({ times: 2, after: () => 0 })
  const pause = new Refused(Fault.throttled({ retryAfter: "30 seconds" }))
  const now = Effect.clockWith((clock) => clock.currentTimeMillis)

  it.effect("is nothing that a retry waits for while another endpoint is free", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.use((host) => host === "c" ? now : Effect.fail(pause))
      assert.strictEqual(yield* call.pipe(retry), 0)
      const stream = balancer.useStream((host) => host === "c" ? Stream.fromEffect(now) : Stream.fail(pause))
      yield* balancer.cool("a", 0)
      yield* balancer.cool("b", 0)
      assert.deepStrictEqual(yield* Stream.runCollect(stream.pipe(retry.stream)), [0])
    }))

  it.effect("is waited for where there is no other, or none that the call may have", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"], choose: "in-order" })
      yield* balancer.cool("b", "1 hour")
      let calls = 0
      const call = (filter: Balancer.Filter<string>) =>
        balancer.use(() => Effect.suspend(() => calls++ === 0 ? Effect.fail(pause) : now), filter).pipe(retry)
      const alone = yield* Effect.forkChild(call({}))
      yield* TestClock.adjust("1 minute")
      assert.isAtLeast(yield* Fiber.join(alone), 30_000)
      yield* balancer.cool("b", 0)
      calls = 0
      const narrow = yield* Effect.forkChild(call({ without: ["b"] }))
      yield* TestClock.adjust("1 minute")
      assert.isAtLeast(yield* Fiber.join(narrow), 90_000)
    }))

  it.effect("an outer balancer takes what an inner one lets through for the word of its endpoint", () =>
    Effect.gen(function*() {
      const inner = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const outer = Balancer.makeUnsafe({ endpoints: ["west"] })
      const call = outer.use((region) =>
        inner.use((host) => host === "c" ? Effect.map(now, (at) => `${region} ${host} ${at}`) : Effect.fail(pause))
      )
      yield* inner.cool("a", 0)
      yield* outer.cool("west", 0)
      const fiber = yield* Effect.forkChild(Effect.exit(call.pipe(retry)))
      yield* TestClock.adjust("1 millis")
      // the region rests as well, for that is all it knows
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
      assert.deepStrictEqual(yield* statuses(outer), ["west cooling"])
    }))

  it.effect("is no reason for a hedge to wait either", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.use((host) => host === "b" ? now : Effect.fail(pause))
      assert.strictEqual(yield* call.pipe(Hedge.makeUnsafe({ after: "1 hour" })), 0)
    }))

  it.effect("an open circuit of an endpoint sends a retry elsewhere, and the endpoint rests as long as it is open", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"], choose: "in-order" })
      const breakers = Keyed.makeUnsafe({
        lookup: (name: string) => CircuitBreaker.makeUnsafe({ name, open: "10 seconds" })
      })
      yield* Effect.flatMap(breakers.get("a"), (breaker) => breaker.open())
      const call = balancer.use((host) => Effect.succeed(host).pipe(breakers.for(host)))
      assert.strictEqual(yield* call.pipe(retry), "b")
      assert.deepStrictEqual(yield* statuses(balancer), ["a cooling", "b available"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* statuses(balancer), ["a warming", "b available"])
    }))

  it.effect("a limiter inside that has no room says nothing of the endpoint", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"] })
      const limiter = RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 1, within: "1 hour" }) })
      const call = balancer.use((host) => Effect.succeed(host).pipe(limiter))
      yield* call
      assert.instanceOf(yield* Effect.flip(call), RateLimiter.RateLimiterRejected)
      assert.deepStrictEqual(yield* statuses(balancer), ["a available", "b available"])
    }))

  it.effect("a rejection outside of the use is nobody's to pass on", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: ["a", "b"] })
      let asked = 0
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1 })
      const busy = yield* Effect.forkChild(bulkhead(Effect.never), { startImmediately: true })
      const call = balancer.use(() => Effect.sync(() => asked++)).pipe(bulkhead, retry)
      assert.instanceOf(yield* Effect.flip(call), Bulkhead.BulkheadRejected)
      assert.strictEqual(asked, 0)
      yield* Fiber.interrupt(busy)
    }))
})

describe("whose fault it is", () => {
  const hang = <E>(balancer: Balancer.Balancer<E>, policy: Policy.Policy<unknown, unknown>) =>
    Effect.gen(function*() {
      const calls = [
        balancer.use(() => Effect.never).pipe(policy),
        Stream.runDrain(balancer.useStream(() => Stream.never).pipe(policy.stream))
      ]
      for (const call of calls) {
        const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        yield* Fiber.interrupt(fiber)
      }
      return (yield* balancer.state).map(({ failures, inFlight }) => [failures, inFlight])
    })
  const one = () => Balancer.makeUnsafe({ endpoints: ["a"] })

  it.effect("an endpoint that hangs until the deadline has failed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hang(one(), Timeout.total("2 seconds")), [[2, 0]])
      assert.deepStrictEqual(yield* hang(one(), Deadline.within("2 seconds")), [[2, 0]])
    }))

  it.effect("nobody has failed whose caller was impatient, or has gone away", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* hang(one(), Timeout.total("100 millis")), [[0, 0]])
      assert.deepStrictEqual(yield* hang(one(), Timeout.attempt("2 seconds")), [[0, 0]])
      assert.deepStrictEqual(yield* hang(one(), Policy.identity), [[0, 0]])
    }))

  it.effect("the time in a queue of our own is nobody's slowness", () =>
    Effect.gen(function*() {
      const balancer = one()
      const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 1 })
      const call = balancer.use(() => Effect.sleep("1 second").pipe(bulkhead))
      const calls = yield* Effect.forkChild(Effect.all([call, call], { concurrency: 2 }))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(calls)
      const [{ latency }] = (yield* balancer.state) as [Balancer.EndpointState<string>]
      assert.strictEqual(Duration.toMillis(latency), 1000)
    }))

  it.effect("a stream that stops early is nobody's failure, and one that breaks is", () =>
    Effect.gen(function*() {
      const balancer = one()
      const failures = Effect.map(balancer.state, ([state]) => state!.failures)
      yield* Stream.runDrain(Stream.take(balancer.useStream(() => Stream.make(1, 2)), 1))
      assert.strictEqual(yield* failures, 0)
      yield* Effect.exit(
        Stream.runDrain(balancer.useStream(() => Stream.concat(Stream.make(1), Stream.fail("broken"))))
      )
      assert.strictEqual(yield* failures, 1)
    }))

  it.effect("a stream that is silent until the deadline has failed, and one whose consumer is slow has not", () =>
    Effect.gen(function*() {
      const failuresOf = (stream: (balancer: Balancer.Balancer<string>) => Stream.Stream<unknown, unknown>) =>
        Effect.gen(function*() {
          const balancer = one()
          const call = Stream.runDrain(stream(balancer).pipe(Timeout.total("10 seconds").stream))
          const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(fiber)
          return (yield* balancer.state).map(({ failures, inFlight }) => [failures, inFlight])
        })
      const silent = Stream.concat(Stream.make(1), Stream.never)
      assert.deepStrictEqual(yield* failuresOf((balancer) => balancer.useStream(() => silent)), [[1, 0]])
      const slowly = (balancer: Balancer.Balancer<string>) =>
        Stream.mapEffect(balancer.useStream(() => Stream.forever(Stream.make(1))), () => Effect.sleep("1 hour"))
      assert.deepStrictEqual(yield* failuresOf(slowly), [[0, 0]])
    }))

  it.effect("a value that is a fault is one", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({
        endpoints: ["a"],
        result: (value) => value === "busy" ? Fault.transient() : undefined
      })
      yield* balancer.use(() => Effect.succeed("busy"))
      yield* Stream.runDrain(balancer.useStream(() => Stream.make("busy", "ok")))
      yield* Stream.runDrain(balancer.useStream(() => Stream.empty))
      assert.deepStrictEqual((yield* balancer.state).map(({ failures }) => failures), [0])
      yield* Stream.runDrain(balancer.useStream(() => Stream.make("busy", "ok")))
      assert.deepStrictEqual((yield* balancer.state).map(({ failures }) => failures), [1])
    }))
})

describe("the latency", () => {
  it.effect("is that of the whole of an effect, and of the first element of a stream", () =>
    Effect.gen(function*() {
      const latency = <A, E>(call: (balancer: Balancer.Balancer<string>) => Effect.Effect<A, E>) =>
        Effect.gen(function*() {
          const balancer = Balancer.makeUnsafe({ endpoints: ["a"], decay: "1000 hours" })
          const fiber = yield* Effect.forkChild(call(balancer))
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(fiber)
          return (yield* balancer.state).map(({ latency }) => Math.round(Duration.toMillis(latency)))
        })
      assert.deepStrictEqual(yield* latency((balancer) => balancer.use(() => Effect.sleep("3 seconds"))), [3000])
      const slowly = Stream.fromEffect(Effect.sleep("2 seconds"))
      const stream = Stream.concat(slowly, slowly)
      assert.deepStrictEqual(
        yield* latency((balancer) => Stream.runDrain(balancer.useStream(() => stream))),
        [2000]
      )
      assert.deepStrictEqual(
        yield* latency((balancer) =>
          Effect.gen(function*() {
            const lease = yield* balancer.pick()
            yield* Effect.sleep("1 second")
            yield* lease.answered
            yield* Effect.sleep("5 seconds")
            yield* lease.answered
            yield* lease.end(Exit.void)
          })
        ),
        [1000]
      )
    }))
})

describe("a bad endpoint", () => {
  const rows: ReadonlyArray<readonly [options: Balancer.Options<any>, message: string]> = [
    [{ endpoints: [{ url: "a" }] }, "the key of endpoints[0] must be given by key, got an object"],
    [{ endpoints: ["a", ""] }, "the key of endpoints[1] must be given by key, got \"\""],
    [{ endpoints: [1], key: () => "" }, "the key of endpoints[0] must be a string that is not empty, got \"\""],
    [{ endpoints: ["a", "b", "a"] }, "the key of endpoints[2] must be another one than those before it, got \"a\""],
    [{ endpoints: ["a"], priority: () => -1 }, "the priority of endpoints[0] must be an integer >= 0, got -1"],
    [{ endpoints: ["a"], weight: () => 0 }, "the weight of endpoints[0] must be a finite number > 0, got 0"],
    [
      { endpoints: ["a"], ejection: { duration: "1 minute", maxDuration: "1 second" } },
      "ejection.maxDuration must be at least ejection.duration, got \"1s\""
    ],
    [
      { endpoints: ["a"], hangsAfter: "1 second", classify: () => undefined },
      "hangsAfter must be left out beside classify, which decides that, got \"1 second\""
    ]
  ]
  for (const [options, message] of rows) {
    it(message, () => assert.throws(() => Balancer.makeUnsafe(options), RangeError, `Balancer.make: ${message}`))
  }
})

describe("operating", () => {
  it.effect("the set changes while calls run: what stays keeps what is known, what is gone changes nothing", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({
        endpoints: [{ name: "a", version: 1 }, { name: "b", version: 1 }],
        key: ({ name }) => name,
        choose: "in-order",
        ejection: { failures: 1 }
      })
      const old = yield* balancer.pick()
      const changes = yield* Effect.forkChild(Stream.runCollect(Stream.take(balancer.changes, 3)), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* balancer.cool("b", "1 minute")
      yield* balancer.update([{ name: "b", version: 2 }, { name: "c", version: 1 }])
      yield* old.end(Exit.fail("down"))
      assert.deepStrictEqual(yield* statuses(balancer), ["b cooling", "c warming"])
      assert.deepStrictEqual(
        (yield* Fiber.join(changes)).map(({ _tag, key }) => `${key} ${_tag}`),
        ["b Cooling", "c Added", "a Removed"]
      )
      assert.deepStrictEqual(yield* balancer.use(Effect.succeed), { name: "c", version: 1 })
      yield* balancer.cool("b", 0)
      assert.deepStrictEqual(yield* balancer.use(Effect.succeed), { name: "b", version: 2 })
      yield* balancer.update([])
      assert.deepInclude(yield* Effect.flip(balancer.use(Effect.succeed)), { reason: "empty" })
    }))

  it.effect("an iterable of keys is read once, however often the call is made", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts, choose: "in-order" })
      const call = balancer.use(Effect.succeed, { without: ["a", "b"].values() })
      assert.deepStrictEqual([yield* call, yield* call], ["c", "c"])
    }))

  it.effect("a bad list is a defect, and changes nothing", () =>
    Effect.gen(function*() {
      const balancer = Balancer.makeUnsafe({ endpoints: hosts })
      const defect = yield* Effect.flip(Effect.catchDefect(balancer.update(["a", "a"]), Effect.fail))
      assert.strictEqual(
        String(defect),
        "RangeError: Balancer.update: the key of endpoints[1] must be another one than those before it, got \"a\""
      )
      assert.strictEqual((yield* balancer.state).length, 3)
    }))

  it.effect("a health endpoint sees each endpoint", () =>
    Effect.gen(function*() {
      const balancer = yield* Balancer.make({ name: "search", endpoints: ["a", "b"] })
      yield* balancer.cool("a", "1 minute")
      yield* balancer.pick()
      assert.deepStrictEqual(yield* PolicyRegistry.snapshot, [{
        kind: "balancer",
        name: "search",
        state: { inFlight: 1, endpoints: { a: "cooling", b: "available" } }
      }])
    }).pipe(Effect.provide(PolicyRegistry.layer)))
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
