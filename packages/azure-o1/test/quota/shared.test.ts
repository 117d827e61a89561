import { AzureO1, O1Transport, user } from "@effect-resilience/azure-o1"
import { O1Quota } from "@effect-resilience/azure-o1/quota"
import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
import { Shared } from "@effect-resilience/core/shared"
import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"

const answer = AzureO1Test.when(() => true, AzureO1Test.answer("42"))
const asking = (tokens: number) => ({ messages: [user("x".repeat(400))], maxCompletionTokens: tokens - 100 })

/** A process: all of it but what the processes share. */
const process = (url: string) =>
  Effect.map(
    Layer.build(Layer.fresh(AzureO1.layerServices.pipe(
      Layer.provideMerge(O1Quota.layer({
        tokensPerMinute: 60_000,
        tokensPerHour: 100_000,
        limiter: (name, limits) => Shared.rateLimiter({ name, limits, initial: "full", attempt: "5 seconds" })
      })),
      Layer.provide(Layer.succeed(O1Transport, AzureO1Test.transport([answer]))),
      Layer.provide(NodeRedis.layer({ url, disableOfflineQueue: true }))
    ))),
    (context) => ({ o1: Context.get(context, AzureO1), quota: Context.get(context, O1Quota) })
  )

describeWithRedis("a quota in Redis", () => {
  it.live("is one for all processes, and so is the hour", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      const a = yield* process(url)
      const b = yield* process(url)
      assert.strictEqual((yield* a.o1.complete(asking(40_000))).text, "42")
      assert.strictEqual((yield* b.o1.complete(asking(1_000))).text, "42")
      const { deployments, spent } = yield* b.quota.state
      assert.deepStrictEqual(deployments["o1"]!.remaining.tokens, 19_000)
      // both answers took 30 tokens
      assert.strictEqual(spent, 60)
      assert.isAbove(Duration.toSeconds(yield* b.quota.wait("o1", asking(30_000))), 5)
      const waits = yield* Effect.forkChild(b.o1.complete(asking(30_000)))
      yield* Effect.sleep("300 millis")
      assert.isUndefined(waits.pollUnsafe())
      // what fits goes on meanwhile, elsewhere and here
      assert.strictEqual((yield* a.o1.complete(asking(5_000))).text, "42")
      assert.strictEqual((yield* b.o1.complete(asking(5_000))).text, "42")
      yield* Fiber.interrupt(waits)
      assert.strictEqual((yield* a.quota.state).deployments["o1"]!.remaining.tokens, 9_000)
      const error = yield* Effect.flip(a.o1.complete(asking(50_000), { total: "1 second", timeout: "1 second" }))
      assert.deepInclude(error, { _tag: "O1RejectedError", kind: "limiter" })
    }).pipe(Effect.scoped), 30_000)
})
