/** A program that starts before its Redis. */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Ref, Scope } from "effect"
import * as Redis from "effect/persistence/Redis"
import { TestClock } from "effect/testing"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"

const pong = Effect.flatMap(Redis.Redis, ({ send }) => send<string>("PING"))

/** A client that cannot connect for so many times, and counts what was opened and closed. */
const client = (failures: number, opened: Ref.Ref<number>, tried: Ref.Ref<number>) =>
  Layer.effect(
    Redis.Redis,
    Effect.gen(function*() {
      yield* Effect.acquireRelease(
        Ref.update(opened, (n) => n + 1),
        () => Ref.update(opened, (n) => n - 1)
      )
      const n = yield* Ref.updateAndGet(tried, (n) => n + 1)
      if (n <= failures) return yield* new Redis.RedisError({ cause: "refused" })
      return yield* Redis.make({
        send: <A>() => Effect.succeed("PONG" as A),
        connect: Effect.fail(new Redis.RedisError({ cause: "one is enough" })),
        subscribe: () => Effect.succeed(Effect.never)
      })
    })
  )

describe("a layer of Redis", () => {
  it.effect("is there at once if its server is", () =>
    Effect.gen(function*() {
      const [opened, tried] = [yield* Ref.make(0), yield* Ref.make(0)]
      const answer = yield* Effect.provide(pong, Shared.layerRedis(client(0, opened, tried)))
      assert.deepStrictEqual([answer, yield* Ref.get(tried), yield* Ref.get(opened)], ["PONG", 1, 0])
    }))

  it.effect("is tried every second, and what a failed attempt leaves is closed", () =>
    Effect.gen(function*() {
      const [opened, tried] = [yield* Ref.make(0), yield* Ref.make(0)]
      const scope = yield* Scope.make()
      const redis = yield* Layer.buildWithScope(Shared.layerRedis(client(3, opened, tried)), scope)
      const ask = Effect.map(Effect.exit(Effect.provide(pong, redis)), Exit.isSuccess)
      const waiting = yield* Effect.forkChild(Effect.scoped(Effect.provide(
        Effect.flatMap(Redis.Redis, ({ subscribe }) => subscribe("news")),
        redis
      )))
      const seen = []
      for (let second = 0; second < 4; second++) {
        seen.push([yield* ask, yield* Ref.get(tried), yield* Ref.get(opened)])
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(seen, [[false, 1, 0], [false, 2, 0], [false, 3, 0], [true, 4, 1]])
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiting)))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Ref.get(opened), 0)
    }))

  it.effect("is tried no more once its scope is closed", () =>
    Effect.gen(function*() {
      const [opened, tried] = [yield* Ref.make(0), yield* Ref.make(0)]
      yield* Effect.exit(Effect.provide(pong, Shared.layerRedis(client(9, opened, tried))))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* Ref.get(tried), yield* Ref.get(opened)], [1, 0])
    }))

  it.effect("does not wait for a host that never answers", () =>
    Effect.gen(function*() {
      const silent = Shared.layerRedis(Layer.effect(Redis.Redis, Effect.never))
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(pong, silent)))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
    }))

  it.effect("dies as its client does", () =>
    Effect.gen(function*() {
      const bug = Layer.effect(Redis.Redis, Effect.die(new Error("an address that is none")))
      const exit = yield* Effect.exit(Effect.provide(pong, Shared.layerRedis(bug)))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "an address that is none")
    }))
})

describeWithRedis("a limiter that is made before its Redis is there", () => {
  it.live(
    "goes by its share of the processes that it was told, and shares the limit later",
    () =>
      Effect.gen(function*() {
        const server = yield* start
        yield* server.kill
        const modes = yield* Effect.gen(function*() {
          const limiter = yield* Shared.rateLimiter({
            name: "early",
            processes: 3,
            initial: "full",
            limit: RateLimiter.slidingWindow({ limit: 9, within: "1 hour" })
          })
          const before = yield* limiter.mode
          const taken = yield* Effect.all(Array.from({ length: 9 }, () => Effect.exit(limiter(Effect.void))))
          yield* server.restart
          yield* Effect.repeat(Effect.delay(limiter.mode, "50 millis"), { until: ({ mode }) => mode === "shared" })
          return [before, taken.filter(Exit.isSuccess).length]
        }).pipe(
          Effect.scoped,
          Effect.provide(Shared.layerRedis(NodeRedis.layer({ url: server.url, disableOfflineQueue: true })))
        )
        assert.deepStrictEqual(modes, [{ mode: "local", processes: 3 }, 3])
      }),
    30_000
  )
})
