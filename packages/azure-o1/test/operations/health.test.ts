import { Health } from "@effect-resilience/core/http"
import * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import { O1RateLimitError } from "../../src/O1Error.ts"
import { AzureO1Pool } from "../../src/pool/AzureO1Pool.ts"
import { O1Quota } from "../../src/quota/O1Quota.ts"
import { AzureO1Test } from "../../src/testing/index.ts"
import { request } from "../support/harness.ts"
import { everything } from "./everything.ts"

const told = ({ reasons }: Health.Health) => reasons.map(({ kind, name, reason }) => `${kind} ${name}: ${reason}`)

const busy = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens", retryAfter: Duration.minutes(1) }))

describe("the health of a program with a pool, a quota and a store", () => {
  it.effect("names the store that is away, and what else is not up", () =>
    Effect.gen(function*() {
      const [health, entries] = yield* everything(Effect.all([Health.check(), PolicyRegistry.snapshot]))
      assert.includeMembers(entries.map(({ kind, name }) => `${kind} ${name}`), [
        "balancer azure-o1",
        "quota o1-east",
        "quota o1-west",
        "rate-limiter fleet",
        "circuit-breaker o1-east"
      ])
      assert.strictEqual(health.status, "degraded")
      assert.include(told(health), "rate-limiter fleet: the store is away: this process keeps to its own share")
    }))

  it.effect("is down while every member of the pool has asked for a rest, and up again after it", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      assert.strictEqual((yield* Health.check()).status, "up")
      const call = yield* Effect.forkChild(
        Effect.exit(o1.complete(request, { retries: 0, timeout: "20 seconds", total: "20 seconds" }))
      )
      yield* TestClock.adjust("10 seconds")
      const health = yield* Health.check()
      assert.strictEqual(health.status, "down")
      assert.deepStrictEqual(told(health), ["balancer azure-o1: 2 of 2 endpoints rest: 2 cooling"])
      yield* TestClock.adjust("5 minutes")
      assert.isDefined(call.pollUnsafe())
      assert.deepStrictEqual(told(yield* Health.check()), [])
    }).pipe(Effect.provide(
      AzureO1Pool.layerServices(AzureO1Pool.inOrder([
        AzureO1Test.transport([busy, AzureO1Test.answer("42")], { deployment: "o1-east" }),
        AzureO1Test.transport([busy, AzureO1Test.answer("42")], { deployment: "o1-west" })
      ])).pipe(Layer.provide(O1Quota.layer()), Layer.provideMerge(PolicyRegistry.layer))
    )))

  it.effect("is degraded while calls wait for the quota", () =>
    Effect.gen(function*() {
      const o1 = yield* AzureO1
      const ask = o1.complete({ ...request, maxCompletionTokens: 50_000 })
      yield* ask
      yield* Effect.forkChild(ask, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const health = yield* Health.check()
      assert.strictEqual(health.status, "degraded")
      assert.match(told(health).join(), /^quota o1: 1 waits for its turn; left of the minute: \d+ tokens$/u)
    }).pipe(Effect.provide(
      AzureO1Test.layerTransport([AzureO1Test.answer("42"), AzureO1Test.answer("42")], {
        policy: O1Quota.layer({ tokensPerMinute: 60_000 })
      }).pipe(Layer.provideMerge(PolicyRegistry.layer))
    )))
})
