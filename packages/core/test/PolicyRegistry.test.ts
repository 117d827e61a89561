import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Balancer from "../src/Balancer.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Coalesce from "../src/Coalesce.ts"
import * as Fallback from "../src/Fallback.ts"
import * as Hedge from "../src/Hedge.ts"
import * as Keyed from "../src/Keyed.ts"
import * as PolicyRegistry from "../src/PolicyRegistry.ts"
import * as RateLimiter from "../src/RateLimiter.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import * as Timeout from "../src/Timeout.ts"
import { Boom, fork } from "./support/harness.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const trip = CircuitBreaker.consecutive(1)

/** Everything that can have a name and state, made with that name. */
const makers: { readonly [Kind in string]: (name?: string) => Effect.Effect<object> } = {
  "adaptive-limit": (name) => AdaptiveLimit.make({ name }),
  "balancer": (name) => Balancer.make({ name, endpoints: ["a"] }),
  "bulkhead": (name) => Bulkhead.make({ name, concurrency: 1 }),
  "circuit-breaker": (name) => CircuitBreaker.make({ name }),
  "coalesce": (name) => Coalesce.make({ name }),
  "fallback stale": (name) => Fallback.makeStale({ name, timeToLive: "1 minute" }),
  "hedge": (name) => Hedge.make({ name, after: "1 second" }),
  "keyed": (name) => Keyed.make({ name, lookup: () => CircuitBreaker.makeUnsafe() }),
  "rate-limiter": (name) => RateLimiter.make({ name, limit: RateLimiter.gcra({ limit: 1, within: "1 second" }) }),
  "retry-budget": (name) => RetryBudget.make({ name }),
  "timeout adaptive": (name) => Timeout.makeAdaptive({ name, minLimit: "1 second", maxLimit: "1 minute" })
}

const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** The state of the policy that was entered last. */
const lastState = Effect.map(PolicyRegistry.snapshot, (entries) => entries.at(-1)!.state)

describe("PolicyRegistry", () => {
  it.effect("lists what has a name, in order, as plain data", () =>
    Effect.gen(function*() {
      const closed = yield* CircuitBreaker.make({ name: "closed", trip })
      const open = yield* CircuitBreaker.make({ name: "open", trip, open: "1 second" })
      const nameless = yield* CircuitBreaker.make({ trip })
      const elsewhere = CircuitBreaker.makeUnsafe({ name: "made without an effect", trip })
      yield* Effect.exit(open(Effect.fail(new Boom({}))))
      yield* TestClock.adjust("400 millis")
      const snapshot = yield* PolicyRegistry.snapshot
      assert.deepStrictEqual(snapshot, [
        {
          kind: "circuit-breaker",
          name: "closed",
          state: { _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 }
        },
        {
          kind: "circuit-breaker",
          name: "open",
          state: { _tag: "Open", retryAfterMillis: 600, openings: 1 }
        }
      ])
      assert.deepStrictEqual(JSON.parse(JSON.stringify(snapshot)), snapshot)
      yield* TestClock.adjust("600 millis")
      assert.strictEqual((yield* PolicyRegistry.snapshot)[1]!.state["_tag"], "HalfOpen")
      return [closed, open, nameless, elsewhere]
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("without a registry, policies are made all the same", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({ name: "alone" })
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
    }))

  it.effect("keeps no policy alive", () =>
    Effect.gen(function*() {
      const kept = yield* CircuitBreaker.make({ name: "kept" })
      for (let i = 0; i < 100; i++) yield* CircuitBreaker.make({ name: `dropped ${i}` })
      assert.lengthOf(yield* PolicyRegistry.snapshot, 101)
      yield* settled
      collectGarbage()
      const names = (yield* PolicyRegistry.snapshot).map(({ name }) => name)
      assert.isBelow(names.length, 10)
      assert.include(names, "kept")
      return kept
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  for (const [kind, make] of Object.entries(makers)) {
    it.effect(`${kind}: with a name it is listed, and not kept alive`, () =>
      Effect.gen(function*() {
        yield* make()
        assert.deepStrictEqual(yield* PolicyRegistry.snapshot, [])
        const kept = yield* make("kept")
        for (let i = 0; i < 100; i++) yield* make(`dropped ${i}`)
        const snapshot = yield* PolicyRegistry.snapshot
        assert.deepStrictEqual([snapshot[0]!.kind, snapshot[0]!.name, snapshot.length], [kind, "kept", 101])
        assert.deepStrictEqual(JSON.parse(JSON.stringify(snapshot)), snapshot)
        yield* settled
        collectGarbage()
        const names = (yield* PolicyRegistry.snapshot).map(({ name }) => name)
        assert.isBelow(names.length, 10)
        assert.include(names, "kept")
        return kept
      }).pipe(Effect.provide(PolicyRegistry.layer)))
  }

  it.effect("a policy of which only a call is left is listed", () =>
    Effect.gen(function*() {
      const nothing: Effect.Effect<void, unknown> = Effect.void
      const limit = RateLimiter.gcra({ limit: 1, within: "1 second" })
      const calls = [
        nothing.pipe(yield* CircuitBreaker.make({ name: "breaker" })),
        nothing.pipe(yield* Bulkhead.make({ name: "bulkhead", concurrency: 1 })),
        nothing.pipe((yield* RateLimiter.make({ name: "limiter", limit })).cost(1)),
        nothing.pipe(yield* Hedge.make({ name: "hedge", after: "1 second" })),
        nothing.pipe(yield* Timeout.makeAdaptive({ name: "timeout", minLimit: "1 second", maxLimit: "1 minute" })),
        nothing.pipe(yield* Coalesce.make<void, unknown>({ name: "coalesce" })),
        nothing.pipe(Retry.make({ budget: yield* RetryBudget.make({ name: "budget" }) }))
      ]
      yield* settled
      collectGarbage()
      assert.lengthOf(yield* PolicyRegistry.snapshot, calls.length)
      yield* Effect.all(calls, { discard: true })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("bulkhead: who runs, who waits, and how many may", () =>
    Effect.gen(function*() {
      const bulkhead = yield* Bulkhead.make({ name: "reports", concurrency: 2, maxQueue: 5 })
      const calls = yield* Effect.replicateEffect(fork(bulkhead(Effect.never)), 3)
      assert.deepStrictEqual(yield* lastState, { inUse: 2, queued: 1, concurrency: 2, maxQueue: 5 })
      yield* bulkhead.resize({ concurrency: 1, maxQueue: 0 })
      assert.deepStrictEqual(yield* lastState, { inUse: 2, queued: 1, concurrency: 1, maxQueue: 0 })
      yield* Fiber.interruptAll(calls)
      assert.deepStrictEqual(yield* lastState, { inUse: 0, queued: 0, concurrency: 1, maxQueue: 0 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("rate limiter: what is left in each dimension, as of now", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({
        name: "quota",
        maxWait: "1 minute",
        limits: {
          requests: RateLimiter.tokenBucket({ limit: 10, within: "10 seconds" }),
          tokens: RateLimiter.fixedWindow({ limit: 100, within: "1 minute" })
        }
      })
      yield* Effect.void.pipe(limiter.cost({ requests: 10, tokens: 30 }))
      const waiting = yield* fork(limiter(Effect.void))
      const state = (requests: number, tokens: number, waiting: number) => ({
        waiting,
        limits: { requests: { available: requests, capacity: 10 }, tokens: { available: tokens, capacity: 100 } }
      })
      assert.deepStrictEqual(yield* lastState, state(0, 70, 1))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* lastState, state(4, 69, 0))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* lastState, state(10, 100, 0))
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("stale values: how many are remembered", () =>
    Effect.gen(function*() {
      const stale = yield* Fallback.makeStale<string>({ name: "prices", timeToLive: "1 minute" })
      assert.deepStrictEqual(yield* lastState, { size: 0 })
      yield* Effect.succeed("12").pipe(stale.for("a"))
      yield* Stream.runDrain(stale.for("a").stream(Stream.make("13")))
      assert.deepStrictEqual(yield* lastState, { size: 2 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("hedge: the delay, null while there is none, and from how many answers it is learnt", () =>
    Effect.gen(function*() {
      const hedge = yield* Hedge.make({ name: "replicas", after: { quantile: 0.9, minCalls: 2, minDelay: "7 millis" } })
      assert.deepStrictEqual(yield* lastState, { delayMillis: null, answers: 0 })
      yield* Effect.replicateEffect(hedge(Effect.void), 2, { discard: true })
      assert.deepStrictEqual(yield* lastState, { delayMillis: 7, answers: 2 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("retry budget: what is left, the calls, the attempts that were granted", () =>
    Effect.gen(function*() {
      const budget = yield* RetryBudget.make({ name: "shared", funding: RetryBudget.tokens({ maxTokens: 10 }) })
      const call = yield* fork(Effect.fail("down").pipe(Retry.make({ budget })))
      assert.deepStrictEqual(yield* lastState, { available: 3, calls: 0, held: 1 })
      yield* Fiber.interrupt(call)
      assert.deepStrictEqual(yield* lastState, { available: 4, calls: 0, held: 0 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("coalesce: how many keys are under way, never which", () =>
    Effect.gen(function*() {
      const coalesce = yield* Coalesce.make<void>({ name: "users" })
      const calls = yield* Effect.forEach(["SECRET", "SECRET", "b"], (key) => fork(coalesce.for(key)(Effect.never)))
      assert.deepStrictEqual(yield* lastState, { inFlight: 2 })
      yield* Fiber.interruptAll(calls)
      assert.deepStrictEqual(yield* lastState, { inFlight: 0 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("adaptive timeout: the limit of a call that begins now", () =>
    Effect.gen(function*() {
      const timeout = yield* Timeout.makeAdaptive({
        name: "o1",
        minLimit: "1 second",
        maxLimit: "1 minute",
        minCalls: 2
      })
      assert.deepStrictEqual(yield* lastState, { limitMillis: 60_000, observed: 0 })
      yield* Effect.replicateEffect(timeout(Effect.void), 2, { discard: true })
      assert.deepStrictEqual(yield* lastState, { limitMillis: 1000, observed: 2 })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* lastState, { limitMillis: 60_000, observed: 0 })
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  it.effect("keyed: how many instances there are, and those that were made by make themselves", () =>
    Effect.gen(function*() {
      const bulkheads = yield* Keyed.make({
        name: "tenants",
        maxInstances: 1,
        lookup: (tenant: string) => Bulkhead.make({ name: tenant, concurrency: 1 })
      })
      const call = yield* fork(Effect.never.pipe(bulkheads.for("a")))
      yield* Effect.void.pipe(bulkheads.for("b"))
      assert.deepStrictEqual((yield* PolicyRegistry.snapshot).slice(0, 2), [
        { kind: "keyed", name: "tenants", state: { instances: 1, inUse: 1 } },
        { kind: "bulkhead", name: "a", state: { inUse: 1, queued: 0, concurrency: 1, maxQueue: 0 } }
      ])
      yield* Fiber.interrupt(call)
    }).pipe(Effect.provide(PolicyRegistry.layer)))

  describe("a health endpoint", () => {
    class Policies extends Context.Service<Policies>()("Policies", {
      make: Effect.all({
        breaker: CircuitBreaker.make({ name: "payments", trip: CircuitBreaker.consecutive(2), open: "10 seconds" }),
        bulkhead: Bulkhead.make({ name: "reports", concurrency: 1, maxQueue: 4 }),
        limiter: RateLimiter.make({
          name: "quota",
          limits: {
            requests: RateLimiter.tokenBucket({ limit: 60, within: "1 minute" }),
            tokens: RateLimiter.slidingWindow({ limit: 6000, within: "1 minute" })
          }
        }),
        hedge: Hedge.make({ name: "replicas", after: { quantile: 0.95, minCalls: 1, minDelay: "5 millis" } }),
        budget: RetryBudget.make({ name: "retries", funding: RetryBudget.tokens({ maxTokens: 10 }) }),
        coalesce: Coalesce.make<number>({ name: "users" }),
        timeout: Timeout.makeAdaptive({ name: "o1", minLimit: "1 second", maxLimit: "60 seconds", minCalls: 1 }),
        tenants: Keyed.make({
          name: "tenants",
          lookup: (tenant: string) => Bulkhead.makeUnsafe({ name: tenant, concurrency: 1 })
        })
      })
    }) {
      static readonly layer = Layer.effect(Policies, Policies.make)
    }

    const health = Effect.gen(function*() {
      const policies = yield* PolicyRegistry.snapshot
      const open = policies.filter(({ state }) => state["_tag"] === "Open")
      return yield* HttpServerResponse.json({ status: open.length > 0 ? "degraded" : "ok", policies })
    })

    const body = Effect.flatMap(
      health,
      (response) => Effect.promise((): Promise<unknown> => HttpServerResponse.toWeb(response).json())
    )

    const listed = (status: string, states: { readonly [name: string]: readonly [kind: string, state: object] }) => ({
      status,
      policies: Object.entries(states).map(([name, [kind, state]]) => ({ kind, name, state }))
    })

    it.effect("tells as JSON what every policy is doing, and that nothing is left of it afterwards", () =>
      Effect.gen(function*() {
        const { breaker, budget, bulkhead, coalesce, hedge, limiter, tenants, timeout } = yield* Policies
        yield* Effect.fail("down").pipe(breaker, Retry.make({ budget, schedule: Schedule.recurs(1) }), Effect.exit)
        const running = [
          yield* Effect.replicateEffect(fork(Effect.never.pipe(bulkhead)), 3),
          yield* Effect.forEach(["ada", "ada", "eve"], (key) => fork(Effect.never.pipe(coalesce.for(key)))),
          yield* Effect.replicateEffect(fork(Effect.never.pipe(tenants.for("acme"))), 1)
        ].flat()
        yield* Effect.void.pipe(tenants.for("umbrella"))
        yield* Effect.void.pipe(limiter.cost({ tokens: 1500 }))
        yield* Effect.void.pipe(hedge)
        yield* Effect.void.pipe(timeout)
        yield* TestClock.adjust("500 millis")

        assert.deepStrictEqual(
          yield* body,
          listed("degraded", {
            payments: ["circuit-breaker", { _tag: "Open", retryAfterMillis: 9500, openings: 1 }],
            reports: ["bulkhead", { inUse: 1, queued: 2, concurrency: 1, maxQueue: 4 }],
            quota: ["rate-limiter", {
              waiting: 0,
              limits: {
                requests: { available: 59.5, capacity: 60 },
                tokens: { available: 4500, capacity: 6000 }
              }
            }],
            replicas: ["hedge", { delayMillis: 5, answers: 1 }],
            retries: ["retry-budget", { available: 2, calls: 0, held: 0 }],
            users: ["coalesce", { inFlight: 2 }],
            o1: ["timeout adaptive", { limitMillis: 1000, observed: 1 }],
            tenants: ["keyed", { instances: 2, inUse: 1 }]
          })
        )

        yield* Fiber.interruptAll(running)
        yield* TestClock.adjust("1 hour")
        yield* Effect.void.pipe(breaker)
        assert.deepStrictEqual(
          yield* body,
          listed("ok", {
            payments: ["circuit-breaker", { _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 }],
            reports: ["bulkhead", { inUse: 0, queued: 0, concurrency: 1, maxQueue: 4 }],
            quota: ["rate-limiter", {
              waiting: 0,
              limits: {
                requests: { available: 60, capacity: 60 },
                tokens: { available: 6000, capacity: 6000 }
              }
            }],
            replicas: ["hedge", { delayMillis: 5, answers: 1 }],
            retries: ["retry-budget", { available: 2, calls: 0, held: 0 }],
            users: ["coalesce", { inFlight: 0 }],
            o1: ["timeout adaptive", { limitMillis: 60_000, observed: 0 }],
            tenants: ["keyed", { instances: 0, inUse: 0 }]
          })
        )
      }).pipe(Effect.provide(Layer.provideMerge(Policies.layer, PolicyRegistry.layer))))
  })
})
