import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { Redis } from "effect/persistence/Redis"
import { type RedisServer, start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"

const withServer = <A, E>(test: (server: RedisServer) => Effect.Effect<A, E, Redis>) =>
  Effect.flatMap(start, (server) => test(server).pipe(Effect.provide(NodeRedis.layer({ url: server.url }))))

const options = { name: "x", initial: "full" } as const

describeWithRedis("a shared rate limiter", () => {
  it.live("lets through what the limit allows, and refuses the rest", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limiter = yield* Shared.rateLimiter({
          ...options,
          limit: RateLimiter.fixedWindow({ limit: 5, within: "1 minute" })
        })
        const exits = yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.exit(limiter(Effect.succeed(1))), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(exits.map(({ _tag }) => _tag), [
          ...Array(5).fill("Success"),
          ...Array(3).fill("Failure")
        ])
        const error = yield* Effect.flip(limiter(Effect.succeed(1)))
        assert.strictEqual(error.reason, "wait")
        assert.isAbove(Duration.toMillis(error.retryAfter), 58_000)
        assert.deepStrictEqual(yield* limiter.available, { calls: 0 })
        assert.deepStrictEqual(yield* limiter.mode, { mode: "shared", processes: 1 })
      }).pipe(Effect.scoped)
    ))
})
