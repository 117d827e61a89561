import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpEffect, HttpRouter } from "effect/http"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import * as Balancer from "../../src/Balancer.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Health from "../../src/http/Health.ts"
import { type Entry, healthOf } from "../../src/kernel/health.ts"
import * as PolicyRegistry from "../../src/PolicyRegistry.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import { fork } from "../support/harness.ts"

type Row = readonly [kind: string, state: Entry["state"], own: string | undefined, program: Health.Status]

const endpoints = (...statuses: ReadonlyArray<string>) =>
  Object.fromEntries(statuses.map((status, i) => [`host ${i}`, status]))
const limits = (available: number) => ({ requests: { available, capacity: 5 } })

const rows: ReadonlyArray<Row> = [
  ["circuit-breaker", { _tag: "Closed", calls: 3 }, undefined, "up"],
  ["circuit-breaker", { _tag: "MetricsOnly", exceeded: true }, undefined, "up"],
  ["circuit-breaker", { _tag: "Disabled" }, undefined, "up"],
  [
    "circuit-breaker",
    { _tag: "HalfOpen", probing: 1 },
    "degraded: half-open: it lets a few calls through to see",
    "degraded"
  ],
  [
    "circuit-breaker",
    { _tag: "Open", openings: 2, retryAfterMillis: 9001 },
    "down: open, 2 in a row; it tries again in 10 s",
    "degraded"
  ],
  ["circuit-breaker", { _tag: "Isolated" }, "down: isolated by hand", "degraded"],
  ["bulkhead", { inUse: 2, concurrency: 2, queued: 0, maxQueue: 1 }, undefined, "up"],
  [
    "bulkhead",
    { inUse: 2, concurrency: 2, queued: 1, maxQueue: 1 },
    "degraded: full: 2 of 2 calls run, 1 of 1 wait",
    "degraded"
  ],
  ["balancer", { endpoints: endpoints("available", "warming") }, undefined, "up"],
  [
    "balancer",
    { endpoints: endpoints("available", "cooling", "ejected") },
    "degraded: 2 of 3 endpoints rest: 1 cooling, 1 ejected",
    "degraded"
  ],
  [
    "balancer",
    { endpoints: endpoints("ejected", "ejected") },
    "degraded: 2 of 2 endpoints rest: 2 ejected",
    "degraded"
  ],
  ["balancer", { endpoints: endpoints("cooling", "cooling") }, "down: 2 of 2 endpoints rest: 2 cooling", "down"],
  ["balancer", { endpoints: {} }, "down: it has no endpoint", "down"],
  ["pool", { members: endpoints("available", "cooling") }, undefined, "up"],
  [
    "pool",
    { members: endpoints("available", "last") },
    "degraded: 1 of 2 members do not work, or are too slow",
    "degraded"
  ],
  ["pool", { members: endpoints("last") }, "down: 1 of 1 members do not work, or are too slow", "down"],
  ["rate-limiter", { waiting: 0, limits: limits(0) }, undefined, "up"],
  ["rate-limiter", { waiting: 3, limits: limits(2) }, undefined, "up"],
  [
    "rate-limiter",
    { waiting: 3, limits: limits(0) },
    "degraded: used up (requests): 3 wait for their turn",
    "degraded"
  ],
  ["rate-limiter", { mode: "shared", waiting: 0, limits: limits(1) }, undefined, "up"],
  [
    "rate-limiter",
    { mode: "local", waiting: 0, limits: limits(1) },
    "degraded: the store is away: this process keeps to its own share",
    "degraded"
  ],
  ["quota", { remaining: { requests: null, tokens: 5 }, waiting: {} }, undefined, "up"],
  [
    "quota",
    { remaining: { requests: 4, tokens: 0 }, waiting: { "tenant-secret": 2, b: 1 } },
    "degraded: 3 wait for their turn; left of the minute: 4 requests, 0 tokens",
    "degraded"
  ],
  ["quota", { remaining: { requests: 4, tokens: 0 }, waiting: {} }, undefined, "up"],
  ["quota", { remaining: { requests: null }, waiting: { a: 1 } }, "degraded: 1 waits for its turn", "degraded"],
  ["retry-budget", { available: 10 }, undefined, "up"],
  ["retry-budget", { available: 0 }, "degraded: used up: no call is repeated", "degraded"],
  ["hedge", { delayMillis: null, answers: 0 }, undefined, "up"],
  ["of somebody", { anything: 1 }, undefined, "up"],
  ["of somebody", { status: "degraded", reason: "low on ink" }, "degraded: low on ink", "degraded"],
  ["of somebody", { status: "down" }, "down: down", "degraded"],
  // a state that nobody knows is no reason to fail
  ["balancer", {}, "down: it has no endpoint", "down"],
  ["circuit-breaker", {}, undefined, "up"],
  ["quota", {}, undefined, "up"]
]

const entry = (kind: string, state: Entry["state"], name = "x"): Entry => ({ kind, name, state })

const withRegistry = Effect.provide(PolicyRegistry.layer)

describe("Health", () => {
  for (const [kind, state, own, program] of rows) {
    it(`a ${kind} with ${JSON.stringify(state)}: ${own ?? "up"}`, () => {
      const { reasons, status } = healthOf([entry(kind, state)])
      assert.deepStrictEqual(
        reasons.map(({ reason, status }) => `${status}: ${reason}`),
        own === undefined ? [] : [own]
      )
      assert.strictEqual(status, program)
    })
  }

  it("is as bad as the worst, tells what is down first, and one reason for a kind and a name", () => {
    const open = { _tag: "Open", openings: 1, retryAfterMillis: 1000 }
    const health = healthOf([
      ...Array.from({ length: 500 }, () => entry("circuit-breaker", { _tag: "HalfOpen" }, "host")),
      entry("circuit-breaker", open, "host"),
      entry("bulkhead", { inUse: 1, concurrency: 1, queued: 0, maxQueue: 0 }),
      entry("balancer", { endpoints: {} }),
      entry("circuit-breaker", open, "other")
    ])
    assert.strictEqual(health.status, "down")
    assert.deepStrictEqual(health.reasons.map(({ count, kind, name, status }) => [kind, name, status, count]), [
      ["circuit-breaker", "host", "down", 501],
      ["balancer", "x", "down", 1],
      ["circuit-breaker", "other", "down", 1],
      ["bulkhead", "x", "degraded", 1]
    ])
  })

  it.effect("is asked of real policies: 200 while something is left, 503 when nothing is", () =>
    Effect.gen(function*() {
      const breaker = yield* CircuitBreaker.make({
        name: "payments",
        trip: CircuitBreaker.consecutive(1),
        open: "10 seconds"
      })
      const bulkhead = yield* Bulkhead.make({ name: "reports", concurrency: 1 })
      const limiter = yield* RateLimiter.make({
        name: "quota",
        limit: RateLimiter.fixedWindow({ limit: 1, within: "1 minute" }),
        maxWait: "2 minutes"
      })
      const budget = yield* RetryBudget.make({ name: "budget" })
      const hosts = yield* Balancer.make({ name: "hosts", endpoints: ["a.example", "b.example"] })
      const context = yield* Effect.context<PolicyRegistry.PolicyRegistry>()
      const handlerOf = (options?: Health.Options) =>
        HttpEffect.toWebHandler(Effect.provideContext(Health.response(options), context))
      const handler = handlerOf()
      const ask = (by = handler) =>
        Effect.promise(async () => {
          const response = await by(new Request("http://service.test/health"))
          assert.strictEqual(response.headers.get("cache-control"), "no-store")
          assert.include(response.headers.get("content-type"), "application/json")
          return { code: response.status, health: await response.json() as Health.Health }
        })

      assert.deepStrictEqual(yield* ask(), { code: 200, health: { status: "up", reasons: [] } })

      yield* Effect.exit(Effect.fail("down").pipe(breaker))
      yield* fork(Effect.never.pipe(bulkhead))
      yield* fork(Effect.void.pipe(limiter))
      yield* fork(Effect.void.pipe(limiter))
      yield* hosts.cool("a.example", "1 minute")
      const { code, health } = yield* ask()
      assert.strictEqual(code, 200)
      assert.strictEqual(health.status, "degraded")
      assert.deepStrictEqual(health.reasons.map(({ kind, name, reason }) => `${kind} ${name}: ${reason}`), [
        "circuit-breaker payments: open, 1 in a row; it tries again in 10 s",
        "bulkhead reports: full: 1 of 1 calls run, 0 of 0 wait",
        "rate-limiter quota: used up (calls): 1 waits for its turn",
        "balancer hosts: 1 of 2 endpoints rest: 1 cooling"
      ])
      assert.notInclude(JSON.stringify(health), "a.example")

      assert.strictEqual((yield* ask(handlerOf({ critical: ["payments"] }))).code, 503)
      yield* hosts.cool("b.example", "1 minute")
      assert.strictEqual((yield* ask()).code, 503)
      assert.strictEqual((yield* ask(handlerOf({ critical: [] }))).code, 200)

      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* Health.check()).reasons.map(({ name, reason }) => [name, reason.split(":")[0]]), [
        ["payments", "half-open"],
        ["reports", "full"]
      ])
      yield* budget.state
    }).pipe(withRegistry))

  it.live("is a route", () =>
    Effect.gen(function*() {
      const { dispose, handler } = HttpRouter.toWebHandler(
        Layer.provide(Health.layerHttp({ path: "/ready" }), PolicyRegistry.layer),
        { disableLogger: true }
      )
      const response = yield* Effect.promise(() => handler(new Request("http://service.test/ready")))
      assert.deepStrictEqual([response.status, yield* Effect.promise(() => response.json())], [200, {
        status: "up",
        reasons: []
      }])
      yield* Effect.promise(() => dispose())
    }))

  it.effect("tells of a state that cannot be read, and of all others", () =>
    Effect.gen(function*() {
      const registry = yield* PolicyRegistry.PolicyRegistry
      const state = {}
      registry.register(state, () => {
        throw new Error("the key is sk-1")
      })
      const hosts = yield* Balancer.make({ name: "hosts", endpoints: ["a"] })
      yield* hosts.cool("a", "1 minute")
      const health = yield* Health.check()
      assert.strictEqual(health.status, "down")
      assert.deepStrictEqual(health.reasons.map(({ name, reason }) => `${name}: ${reason}`), [
        "hosts: 1 of 1 endpoints rest: 1 cooling",
        "unknown: its state cannot be read"
      ])
      assert.isObject(state)
    }).pipe(withRegistry))

  it("refuses bad options", () => {
    for (const critical of ["x", [1], {}, null]) {
      assert.throws(() => Health.check({ critical: critical as any }), RangeError, "Health.check: critical")
    }
    assert.throws(() => Health.layerHttp(1 as any), RangeError, "Health.layerHttp")
  })

  it("has a rule for each kind that the page of the registry lists, or says that it has none", () => {
    const page = readFileSync(new URL("../../../../docs/policies/registry.md", import.meta.url), "utf8")
    const [, table] = page.split("## Health")
    assert.isString(table)
    for (const kind of ["Circuit breaker", "Balancer", "Pool", "Quota", "Rate limiter", "Bulkhead", "Retry budget"]) {
      assert.match(table!, new RegExp(`^\\| (?:\\w+, )?${kind}`, "imu"))
    }
  })
})
