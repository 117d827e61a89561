import { AzureO1, O1Error, user } from "@effect-resilience/azure-o1"
import { AzureO1Pool } from "@effect-resilience/azure-o1/pool"
import { O1Quota, type QuotaOptions } from "@effect-resilience/azure-o1/quota"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Service } from "./virtual.ts"

const limits = { requestsPerMinute: 600, tokensPerMinute: 60_000 }

const run = (services: readonly [Service, Service], quota: QuotaOptions, perMinute: number) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const failures: Array<string> = []
    for (let i = 0; i < 4 * perMinute; i++) {
      const request = { messages: [user("x".repeat(400))], maxCompletionTokens: 1_900 }
      yield* o1.complete(request, { total: "2 hours" }).pipe(
        Effect.catch((error) => Effect.sync(() => failures.push(O1Error.label(error)))),
        Effect.forkChild
      )
      yield* TestClock.adjust(60_000 / perMinute)
    }
    assert.deepStrictEqual(failures, [])
    const { deployments } = yield* (yield* O1Quota).state
    return Object.values(deployments).flatMap(({ waiting }) => Object.values(waiting)).reduce((a, b) => a + b, 0)
  }).pipe(
    Effect.provide(
      AzureO1Pool.layerServices(AzureO1Pool.inOrder([
        { ...services[0].transport, name: "east" },
        { ...services[1].transport, name: "west" }
      ])).pipe(Layer.provideMerge(O1Quota.layer(quota)))
    )
  )

describe("a quota and a pool", () => {
  it.effect("go to the next deployment where the first would have the call wait", () =>
    Effect.gen(function*() {
      const services = [new Service(limits), new Service(limits)] as const
      const waiting = yield* run(services, limits, 45)
      assert.strictEqual(waiting, 0)
      assert.deepStrictEqual(services.map(({ seen }) => seen.refused), [0, 0])
      // the first is used up before the second is asked
      assert.isAtLeast(services[0].seen.admittedTokens / (60_000 * 4), 0.95)
      assert.isAbove(services[1].seen.admittedTokens, 60_000)
    }))

  it.effect("wait where both are used up, and use both", () =>
    Effect.gen(function*() {
      const services = [new Service(limits), new Service(limits)] as const
      const waiting = yield* run(services, limits, 90)
      assert.isAbove(waiting, 0)
      assert.deepStrictEqual(services.map(({ seen }) => seen.refused), [0, 0])
      for (const { seen } of services) assert.isAtLeast(seen.admittedTokens / (60_000 * 4), 0.95)
    }))
})
