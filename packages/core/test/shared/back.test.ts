/** A store that was away and has forgotten nothing. */
import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"

const stores = Effect.map(
  start,
  ({ url }) => [url, NodeRedis.layer({ url, disableOfflineQueue: true })] as const
)

const within = "1 hour"

describeWithRedis("a store that was away and remembers", () => {
  it.live.each<[string, RateLimiter.Limit]>([
    ["token bucket", RateLimiter.tokenBucket({ limit: 30, within })],
    ["gcra", RateLimiter.gcra({ limit: 30, within, burst: 30 })],
    ["fixed window", RateLimiter.fixedWindow({ limit: 30, within })],
    ["sliding window", RateLimiter.slidingWindow({ limit: 30, within })]
  ])("is used again when all have told it what they have used of a %s", ([, limit]) =>
    Effect.gen(function*() {
      const [url, redis] = yield* stores
      const operator = NodeRedis.layer({ url })
      yield* Effect.gen(function*() {
        const make = Shared.rateLimiter({
          name: "x",
          initial: "full",
          limit
        })
        const fleet = yield* Effect.all([make, make, make])
        // each has heard of the others
        yield* Effect.forEach(fleet, ({ mode, state }) =>
          Effect.repeat(Effect.andThen(state, mode), {
            until: ({ mode, processes }) => mode === "shared" && processes === 3,
            schedule: Schedule.spaced("20 millis")
          }))
        const admin = (...words: ReadonlyArray<string>) =>
          Effect.flatMap(NodeRedis.NodeRedis, ({ use }) => use((client) => client.sendCommand([...words]))).pipe(
            Effect.provide(operator)
          )
        yield* admin("REPLICAOF", "127.0.0.1", "1")
        const tryAll = Effect.map(
          Effect.forEach(
            Array.from({ length: 90 }, (_, i) => fleet[i % 3]!),
            (limiter) => Effect.exit(limiter(Effect.void))
          ),
          (exits) => exits.filter(({ _tag }) => _tag === "Success").length
        )
        const alone = yield* tryAll
        yield* admin("REPLICAOF", "NO", "ONE")
        const [first] = fleet
        yield* Effect.repeat(first.mode, {
          until: ({ mode }) => mode === "shared",
          schedule: Schedule.spaced("10 millis")
        })
        assert.deepStrictEqual([alone, alone + (yield* tryAll)], [30, 30])
      }).pipe(Effect.scoped, Effect.provide(redis))
    }).pipe(Effect.scoped), 30_000)
})
