/** Calls of all kinds that come, wait, leave, fail and stream: whatever happens, nothing is refused, and nothing is left over. */
import { AzureO1, O1Transport, user } from "@effect-resilience/azure-o1"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Service } from "./virtual.ts"

const layerOf = (service: Service, limits: { readonly requestsPerMinute: number; readonly tokensPerMinute: number }) =>
  AzureO1.layerServices.pipe(
    Layer.provideMerge(O1Quota.layer({ ...limits, tokensPerHour: 100_000_000 })),
    Layer.provide(Layer.succeed(O1Transport, service.transport))
  )

const run = (seed: string) =>
  Effect.gen(function*() {
    const limits = {
      requestsPerMinute: yield* Random.nextIntBetween(6, 200),
      tokensPerMinute: yield* Random.nextIntBetween(20_000, 200_000)
    }
    const service = new Service(limits, { offset: yield* Random.nextIntBetween(0, 60_000), after: "3 seconds" })
    yield* Effect.gen(function*() {
      const o1 = yield* AzureO1
      const quota = yield* O1Quota
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let i = 0; i < 150; i++) {
        const tokens = yield* Random.nextIntBetween(200, limits.tokensPerMinute / 8)
        const request = { messages: [user("x".repeat(400))], maxCompletionTokens: tokens }
        const options = { total: (yield* Random.nextBoolean) ? "3 hours" as const : "2 minutes" as const }
        const call = (yield* Random.nextBoolean)
          ? o1.complete(request, options)
          : Stream.runDrain(Stream.take(o1.stream(request, options), 4))
        fibers.push(
          yield* Effect.forkChild(call.pipe(
            O1Quota.as(`caller ${yield* Random.nextIntBetween(0, 4)}`, {
              weight: 1 + (yield* Random.nextIntBetween(0, 3))
            })
          ))
        )
        // somebody goes away, at whatever step
        if ((yield* Random.nextIntBetween(0, 4)) === 0) {
          yield* Effect.forkChild(Fiber.interrupt(fibers[yield* Random.nextIntBetween(0, fibers.length)]!))
        }
        yield* TestClock.adjust(yield* Random.nextIntBetween(0, 90_000 / limits.requestsPerMinute))
      }
      yield* TestClock.adjust("4 hours")
      const exits = fibers.map((fiber) => fiber.pollUnsafe())
      assert.isTrue(exits.every((exit) => exit !== undefined), seed)
      assert.isTrue(exits.some((exit) => exit !== undefined && Exit.isSuccess(exit)), seed)
      const figures = `${seed}: ${service.seen.refused} of ${service.seen.requests} refused`
      assert.isAtMost(service.seen.refused / service.seen.requests, 0.01, figures)
      const { deployments, spent } = yield* quota.state
      assert.deepStrictEqual(deployments["o1"]!.waiting, {}, seed)
      assert.deepStrictEqual(deployments["o1"]!.remaining, {
        requests: limits.requestsPerMinute,
        tokens: limits.tokensPerMinute
      }, seed)
      // the sum is of the last hour, in which nothing happened
      assert.strictEqual(spent, 0, seed)
    }).pipe(Effect.provide(layerOf(service, limits)))
  }).pipe(Random.withSeed(seed))

describe("a quota", () => {
  for (let seed = 1; seed <= 8; seed++) it.effect(`survives seed ${seed}`, () => run(`quota ${seed}`))
})
