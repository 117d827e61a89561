/** At 1.5 times the quota: at most 1 % of the requests are refused by the service, and at least 97 % of the quota is used. */
import { AzureO1, O1Transport, user } from "@effect-resilience/azure-o1"
import { O1Quota, type QuotaOptions } from "@effect-resilience/azure-o1/quota"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Service } from "./virtual.ts"

const layerOf = (service: Service, options: QuotaOptions) =>
  Layer.mergeAll(AzureO1.layerServices).pipe(
    Layer.provideMerge(O1Quota.layer(options)),
    Layer.provide(Layer.succeed(O1Transport, service.transport))
  )

/** Calls come evenly, `factor` times as many as the quota has room for, until some minutes have passed. */
const load = (options: {
  readonly service: Service
  readonly quota: QuotaOptions
  readonly minutes: number
  readonly perMinute: number
  readonly tokens: (i: number) => number
  readonly each?: Effect.Effect<void>
}) =>
  Effect.gen(function*() {
    const o1 = yield* AzureO1
    const count = Math.ceil(options.perMinute * options.minutes)
    let lost = 0
    for (let i = 0; i < count; i++) {
      const request = { messages: [user("x".repeat(400))], maxCompletionTokens: options.tokens(i) - 100 }
      yield* Effect.forkChild(
        o1.complete(request, { total: "2 hours" }).pipe(Effect.catch(() => Effect.sync(() => lost++)))
      )
      yield* TestClock.adjust(60_000 / options.perMinute)
    }
    assert.strictEqual(lost, 0)
    return options.service.seen
  }).pipe(Effect.provide(layerOf(options.service, options.quota)))

const sizes = [700, 2900, 1200, 600, 2400, 3600, 900, 1800]

describe("at 1.5 times the quota", () => {
  it.effect("requests", () =>
    Effect.gen(function*() {
      const service = new Service({ requestsPerMinute: 60, tokensPerMinute: 1_000_000 }, { offset: 17_311 })
      const seen = yield* load({
        service,
        quota: { requestsPerMinute: 60, tokensPerMinute: 1_000_000 },
        minutes: 5,
        perMinute: 90,
        tokens: () => 600
      })
      assert.isAtMost(seen.refused / seen.requests, 0.01)
      assert.isAtLeast(seen.admittedRequests / (60 * 5), 0.97)
    }))

  it.effect("tokens", () =>
    Effect.gen(function*() {
      const service = new Service({ requestsPerMinute: 600, tokensPerMinute: 60_000 }, { offset: 17_311 })
      const mean = sizes.reduce((a, b) => a + b) / sizes.length
      const seen = yield* load({
        service,
        quota: { requestsPerMinute: 600, tokensPerMinute: 60_000 },
        minutes: 5,
        perMinute: 1.5 * 60_000 / mean,
        tokens: (i) => sizes[i % sizes.length]!
      })
      assert.isAtMost(seen.refused / seen.requests, 0.01)
      assert.isAtLeast(seen.admittedTokens / (60_000 * 5), 0.97)
    }))
})
