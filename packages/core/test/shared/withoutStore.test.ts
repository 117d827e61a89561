import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Redis from "effect/persistence/Redis"
import { TestClock } from "effect/testing"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"

const storeThat = (answers: Effect.Effect<never, Redis.RedisError>) =>
  Redis.make({
    send: () => answers,
    subscribe: () => Effect.die("nobody subscribes"),
    connect: Effect.die("nobody connects")
  })

const gone = Effect.suspend(() => Effect.fail(new Redis.RedisError({ cause: new Error("down") })))
const perMinute = RateLimiter.fixedWindow({ limit: 12, within: "1 minute" })

const make = (answers: Effect.Effect<never, Redis.RedisError>, options: Partial<Shared.RateLimiterOptions> = {}) =>
  Effect.flatMap(
    storeThat(answers),
    (redis) =>
      Shared.rateLimiter({ name: "x", processes: 3, limit: perMinute, ...options }).pipe(
        Effect.provideService(Redis.Redis, redis)
      )
  )

const tagOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.exit(effect), ({ _tag }) => _tag)

describe("a shared rate limiter without a store", () => {
  it.effect("is a limiter of this process with its share", () =>
    Effect.gen(function*() {
      const limiter = yield* make(gone)
      assert.deepStrictEqual(yield* limiter.mode, { mode: "local", processes: 3 })
      const tags = yield* Effect.forEach(Array.from({ length: 5 }), () => tagOf(limiter(Effect.void)))
      assert.deepStrictEqual(tags, ["Success", "Success", "Success", "Success", "Failure"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* limiter.available, { calls: 4 })
    }).pipe(Effect.scoped))

  it.effect("lets those who wait through in order", () =>
    Effect.gen(function*() {
      const limiter = yield* make(gone, { maxWait: "5 minutes" })
      const order: Array<number> = []
      const fibers = yield* Effect.forEach(
        Array.from({ length: 9 }, (_, i) => i),
        (i) => Effect.forkChild(limiter(Effect.sync(() => order.push(i))), { startImmediately: true })
      )
      assert.deepStrictEqual(order, [0, 1, 2, 3])
      yield* Fiber.interrupt(fibers[5]!)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 6, 7, 8])
      assert.strictEqual((yield* limiter.state).waiting, 0)
    }).pipe(Effect.scoped))

  it.effect("settles what its calls have cost", () =>
    Effect.gen(function*() {
      const limiter = yield* make(gone)
      yield* Effect.succeed(1).pipe(limiter.settle(4, (cost: number) => ({ calls: cost })))
      assert.deepStrictEqual(yield* limiter.available, { calls: 3 })
      const charge = yield* limiter.take(2)
      yield* charge.settle(6)
      assert.deepStrictEqual(yield* limiter.available, { calls: -3 })
    }).pipe(Effect.scoped))

  it.effect("is made within the time that an answer may take", () =>
    Effect.gen(function*() {
      const making = yield* Effect.forkChild(make(Effect.never), { startImmediately: true })
      yield* TestClock.adjust("49 millis")
      assert.isUndefined(making.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const limiter = yield* Fiber.join(making)
      assert.strictEqual((yield* limiter.mode).mode, "local")
    }).pipe(Effect.scoped))
})
