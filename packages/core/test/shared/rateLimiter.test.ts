import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Logger, Random, type Scope } from "effect"
import { Redis } from "effect/persistence/Redis"
import { type RedisServer, start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"
import * as Telemetry from "../../src/Telemetry.ts"

const withServer = <A, E>(test: (server: RedisServer) => Effect.Effect<A, E, Redis | Scope.Scope>) =>
  Effect.flatMap(start, (server) =>
    test(server).pipe(
      Effect.scoped,
      // a client is not closed before what it has asked is answered
      Effect.ensuring(server.resume),
      Effect.provide(NodeRedis.layer({ url: server.url, disableOfflineQueue: true }))
    )).pipe(Effect.scoped)

/** A machine with other work is slow, and that is no failure of the store. */
const options = { name: "x", initial: "full", attempt: "20 seconds" } as const
const call = Effect.succeed("done")
const many = <A, E, R>(n: number, effect: Effect.Effect<A, E, R>) =>
  Effect.all(Array.from({ length: n }, () => effect), { concurrency: "unbounded" })
const tagOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.exit(effect), ({ _tag }) => _tag)
const successes = (tags: ReadonlyArray<string>) => tags.filter((tag) => tag === "Success").length

/** Waits until it is so; a test that waits in vain ends with its time limit. */
const until = <E, R>(so: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(so, (yes) => yes ? Effect.void : Effect.delay(until(so), "5 millis"))
const inMode = (limiter: Shared.SharedRateLimiter, mode: "shared" | "local") =>
  until(Effect.map(limiter.mode, (now) => now.mode === mode))

const perHour = (limit: number) => RateLimiter.fixedWindow({ limit, within: "1 hour" })

const ofKinds = {
  "token bucket": RateLimiter.tokenBucket({ limit: 5, within: "1 hour" }),
  gcra: RateLimiter.gcra({ limit: 5, within: "1 hour", burst: 5 }),
  "fixed window": perHour(5),
  "sliding window": RateLimiter.slidingWindow({ limit: 5, within: "1 hour" })
}

it("a shared rate limiter has a name", () => {
  for (const name of ["", undefined as never, null as never, 7 as never]) {
    assert.throws(() => Shared.rateLimiter({ name, limit: perHour(1) }), RangeError, /name/)
  }
})

it("a shared rate limiter takes permits ahead for a second at most", () => {
  assert.throws(
    () => Shared.rateLimiter({ name: "x", limit: perHour(1), ahead: 1001 }),
    RangeError,
    /from 0 to 1 second, got "1s 1ms"/
  )
})

describeWithRedis("a shared rate limiter", () => {
  for (const [kind, limit] of Object.entries(ofKinds)) {
    it.live(`lets through what a ${kind} allows, whichever instance is asked`, () =>
      withServer(() =>
        Effect.gen(function*() {
          const one = yield* Shared.rateLimiter({ ...options, limit })
          const other = yield* Shared.rateLimiter({ ...options, limit })
          const tags = yield* Effect.all([many(4, tagOf(one(call))), many(4, tagOf(other(call)))], { concurrency: 2 })
          assert.strictEqual(successes(tags.flat()), 5)
          const error = yield* Effect.flip(one(call))
          assert.strictEqual(error.reason, "wait")
          assert.isAbove(Duration.toMinutes(error.retryAfter), 11)
          assert.closeTo((yield* other.available).calls, 0, 0.1)
          assert.strictEqual((yield* Effect.flip(other.cost(6)(call))).reason, "cost")
        })
      ))
  }

  it.live("tells how many processes share it, from the moment on in which they come and go", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limiter = yield* Shared.rateLimiter({ ...options, processes: 7, limit: perHour(5) })
        assert.deepStrictEqual(yield* limiter.mode, { mode: "shared", processes: 1 })
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Shared.rateLimiter({ ...options, limit: perHour(5) })
          yield* limiter.state
          assert.deepStrictEqual(yield* limiter.mode, { mode: "shared", processes: 2 })
        }))
        yield* limiter.state
        assert.deepStrictEqual(yield* limiter.mode, { mode: "shared", processes: 1 })
      })
    ))

  it.live("takes from all dimensions at once, settles and gives back", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limits = { requests: perHour(10), tokens: perHour(1000) }
        const one = yield* Shared.rateLimiter({ ...options, limits })
        const other = yield* Shared.rateLimiter({ ...options, limits })
        yield* Effect.succeed(100).pipe(one.settle({ tokens: 600 }, (tokens: number) => ({ tokens })))
        assert.deepStrictEqual(yield* one.available, { requests: 9, tokens: 900 })
        assert.deepStrictEqual(yield* other.available, { requests: 9, tokens: 900 })
        const error = yield* Effect.flip(other.cost({ tokens: 950 })(call))
        assert.deepStrictEqual([error.dimension, error.reason], ["tokens", "wait"])
        const charge = yield* other.take({ tokens: 500 })
        yield* charge.settle({ tokens: 950 })
        yield* charge.settle({ tokens: 0 })
        assert.deepStrictEqual(yield* other.available, { requests: 8, tokens: -50 })
        assert.deepStrictEqual((yield* one.state).limits.tokens, { available: -50, capacity: 1000 })
      })
    ))

  it.live("lets those who wait through in order, and those behind move up when one goes away", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limit = RateLimiter.gcra({ limit: 1, within: "20 millis" })
        const limiter = yield* Shared.rateLimiter({ ...options, limit, maxWait: "1 minute" })
        const order: Array<number> = []
        const fibers: Array<Fiber.Fiber<void, unknown>> = []
        for (let i = 0; i < 12; i++) {
          const noted = Effect.sync(() => void order.push(i))
          fibers.push(yield* Effect.forkChild(limiter(noted), { startImmediately: true }))
        }
        yield* until(Effect.map(limiter.state, ({ waiting }) => waiting > 0 && waiting < 10))
        yield* Fiber.interrupt(fibers[9]!)
        yield* Effect.forEach(fibers, Fiber.await)
        assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11])
        assert.strictEqual((yield* limiter.state).waiting, 0)
      })
    ))

  it.live("may let a call wait for ever, and ends its wait at its deadline", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limit = RateLimiter.gcra({ limit: 1, within: "50 millis" })
        const limiter = yield* Shared.rateLimiter({ ...options, limit, maxWait: "Infinity" })
        assert.deepStrictEqual(yield* many(3, tagOf(limiter(call))), ["Success", "Success", "Success"])
        const long = yield* Shared.rateLimiter({
          ...options,
          name: "long",
          limit: RateLimiter.gcra({ limit: 1, within: "1 hour" }),
          maxWait: "Infinity"
        })
        yield* long(call)
        const error = yield* long(call).pipe(Deadline.within("10 seconds"), Effect.flip)
        assert.deepStrictEqual([error._tag, "reason" in error && error.reason], ["RateLimiterRejected", "deadline"])
      })
    ))

  it.live("refuses at once who would wait too long, by what others have taken as well", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limit = RateLimiter.gcra({ limit: 1, within: "10 minutes" })
        const one = yield* Shared.rateLimiter({ ...options, limit, maxWait: "15 minutes" })
        const other = yield* Shared.rateLimiter({ ...options, limit, maxWait: "15 minutes", maxQueue: 1 })
        yield* one(call)
        const waiting = yield* Effect.forkChild(other(call), { startImmediately: true })
        yield* until(Effect.map(other.state, ({ waiting }) => waiting === 1))
        assert.strictEqual((yield* Effect.flip(other(call))).reason, "wait")
        yield* Fiber.interrupt(waiting)
        assert.strictEqual((yield* other.state).waiting, 0)
      })
    ))

  it.live("changes its limits for all, and keeps what is used", () =>
    withServer(() =>
      Effect.gen(function*() {
        const one = yield* Shared.rateLimiter({ ...options, limit: perHour(5) })
        const other = yield* Shared.rateLimiter({ ...options, limit: perHour(5) })
        yield* many(5, other(call))
        yield* one.reconfigure(perHour(8))
        assert.deepStrictEqual((yield* other.state).limits.calls, { available: 3, capacity: 8 })
        yield* other(call)
        assert.deepStrictEqual(yield* one.available, { calls: 2 })
        // whoever comes later brings the limits that hold from then on
        yield* Shared.rateLimiter({ ...options, limit: perHour(20) })
        assert.deepStrictEqual((yield* one.state).limits.calls, { available: 14, capacity: 20 })
      })
    ))

  it.live("loses no permit to callers that go away at any moment", () =>
    withServer(() =>
      Effect.gen(function*() {
        const limiter = yield* Shared.rateLimiter({ ...options, limit: perHour(10_000), ahead: 0 })
        let begun = 0
        const counted = limiter(Effect.sync(() => begun++))
        for (let round = 0; round < 30; round++) {
          const fibers = yield* Effect.forEach(
            Array.from({ length: 20 }),
            () => Effect.forkChild(counted, { startImmediately: true })
          )
          yield* Effect.forEach(fibers, (fiber) =>
            Effect.gen(function*() {
              const turns = yield* Random.nextIntBetween(0, 12)
              for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
              yield* Effect.forkChild(Fiber.interrupt(fiber))
            }), { concurrency: "unbounded" })
          yield* Effect.forEach(fibers, Fiber.await)
        }
        assert.isAbove(begun, 0)
        yield* until(Effect.map(limiter.available, ({ calls }) => calls === 10_000 - begun))
      })
    ))

  it.live("goes by its share while the store is away, says so once, and shares again when it is back", () => {
    const events: Array<unknown> = []
    return withServer((server) =>
      Effect.gen(function*() {
        const limiter = yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        const third = yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        yield* many(6, third(call))
        yield* limiter.state
        yield* server.kill
        // of the six that are left, a third
        const tags = yield* many(9, tagOf(limiter(call)))
        assert.strictEqual(successes(tags), 2)
        assert.deepStrictEqual(yield* limiter.mode, { mode: "local", processes: 3 })
        assert.deepStrictEqual((yield* limiter.state).limits.calls, { available: 0, capacity: 4 })
        yield* server.restart
        yield* inMode(limiter, "shared")
        assert.deepStrictEqual(
          events.filter((event: any) => event._tag === "LimiterModeChanged").map((
            event: any
          ) => [event.mode, event.reason]),
          [["local", "failed"], ["shared", undefined]]
        )
      }).pipe(Telemetry.listen((event) => event.name === "x" && events.push(event)))
    )
  })

  it.live("keeps nobody waiting for a store that does not answer, and gives back what comes too late", () =>
    withServer((server) =>
      Effect.gen(function*() {
        const limiter = yield* Shared.rateLimiter({ ...options, attempt: "500 millis", limit: perHour(12) })
        yield* server.pause
        // these end while the server is paused
        assert.strictEqual(successes(yield* many(3, tagOf(limiter(call)))), 3)
        assert.strictEqual((yield* limiter.mode).mode, "local")
        yield* server.resume
        yield* inMode(limiter, "shared")
        // the server has granted the three as well, when it came to it
        yield* until(Effect.map(limiter.available, ({ calls }) => calls === 9))
      })
    ))

  it.live("goes by its share while the store refuses what it is asked, and says why", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(message))
    return withServer(() =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const limiter = yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        yield* redis.send("DEL", "{effect-resilience}:limiter:x:calls=fixed-window")
        yield* redis.send("SADD", "{effect-resilience}:limiter:x:calls=fixed-window", "a")
        assert.strictEqual(successes(yield* many(3, tagOf(limiter(call)))), 3)
        assert.strictEqual((yield* limiter.mode).mode, "local")
        yield* redis.send("DEL", "{effect-resilience}:limiter:x:calls=fixed-window")
        yield* inMode(limiter, "shared")
        yield* until(Effect.map(limiter.available, ({ calls }) => calls === 9))
        assert.match(
          String(lines[0]),
          /"x": the store fails \(.*WRONGTYPE.*\), so this process goes by its share, 1\/1/
        )
      })
    ).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.live("gives out no second quota after the store has lost its memory", () =>
    withServer((server) =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const limit = RateLimiter.tokenBucket({ limit: 1000, within: "1 hour" })
        // a store that was there yesterday
        const run = /run_id:(\w+)/u.exec(yield* redis.send<string>("INFO", "server"))![1]
        const yesterday = (yield* Clock.currentTimeMillis) - 86_400_000
        yield* redis.send("SET", "{effect-resilience}:epoch", `${yesterday} ${run}`)
        const limiter = yield* Shared.rateLimiter({ name: "x", limit, attempt: "20 seconds" })
        assert.strictEqual((yield* limiter.available).calls, 1000)
        yield* many(1000, limiter(call))
        yield* server.restart
        yield* tagOf(limiter(call))
        yield* inMode(limiter, "shared")
        const reborn = yield* Shared.rateLimiter({ name: "x", limit, attempt: "20 seconds" })
        assert.isBelow((yield* reborn.available).calls, 3)
        yield* until(Effect.flatMap(reborn.state, () => Effect.map(reborn.mode, ({ processes }) => processes === 2)))
        assert.isBelow((yield* limiter.available).calls, 3)
      })
    ))

  it.live("goes on where it was when the store forgets and was never away", () =>
    withServer(() =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const limit = RateLimiter.slidingWindow({ limit: 100, within: "1 hour" })
        const one = yield* Shared.rateLimiter({ ...options, limit })
        const other = yield* Shared.rateLimiter({ ...options, limit })
        yield* many(30, one(call))
        // what a process has taken itself just before another was told of it may count twice
        yield* Effect.sleep("500 millis")
        yield* other.state
        yield* redis.send("FLUSHALL")
        yield* other(call)
        yield* until(Effect.flatMap(one.state, () => Effect.map(one.mode, ({ processes }) => processes === 2)))
        assert.strictEqual((yield* one.available).calls, 69)
      })
    ))

  it.live("keeps the places of those who wait when the store is lost and found", () =>
    withServer((server) =>
      Effect.gen(function*() {
        const limit = RateLimiter.gcra({ limit: 1, within: "25 millis" })
        const limiter = yield* Shared.rateLimiter({ ...options, limit, maxWait: "1 minute" })
        const order: Array<number> = []
        const fibers: Array<Fiber.Fiber<void, unknown>> = []
        for (let i = 0; i < 60; i++) {
          const noted = Effect.sync(() => void order.push(i))
          fibers.push(yield* Effect.forkChild(limiter(noted), { startImmediately: true }))
        }
        yield* until(Effect.sync(() => order.length > 5))
        yield* server.kill
        yield* inMode(limiter, "local")
        const there = order.length
        yield* until(Effect.sync(() => order.length > there + 5))
        yield* server.restart
        yield* inMode(limiter, "shared")
        yield* Effect.forEach(fibers, Fiber.await)
        assert.deepStrictEqual(order, Array.from({ length: 60 }, (_, i) => i))
      })
    ))

  it.live("takes limits that are changed while the store is away to all, when it is back", () =>
    withServer((server) =>
      Effect.gen(function*() {
        const one = yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        const other = yield* Shared.rateLimiter({ ...options, limit: perHour(12) })
        yield* one.state
        yield* server.kill
        yield* one(call)
        yield* one.reconfigure(perHour(40))
        assert.deepStrictEqual((yield* one.state).limits.calls, { available: 19, capacity: 20 })
        yield* tagOf(other(call))
        yield* server.restart
        yield* Effect.all([inMode(one, "shared"), inMode(other, "shared")])
        yield* until(Effect.map(other.state, ({ limits }) => limits.calls.capacity === 40))
        yield* until(Effect.map(one.available, ({ calls }) => calls === 38))
      })
    ))

  it.live("without a store from the beginning goes by the share that it was told", () =>
    withServer((server) =>
      Effect.gen(function*() {
        yield* server.kill
        const limiter = yield* Shared.rateLimiter({ ...options, processes: 4, limit: perHour(12) })
        assert.strictEqual(successes(yield* many(5, tagOf(limiter(call)))), 3)
        assert.deepStrictEqual(yield* limiter.mode, { mode: "local", processes: 4 })
      })
    ))

  it.live("takes permits ahead: 10,000 calls in a second cost hundreds of round trips", () =>
    withServer(() =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const limit = RateLimiter.slidingWindow({ limit: 20_000, within: "1 hour" })
        const limiter = yield* Shared.rateLimiter({ ...options, limit, ahead: "10 millis" })
        const trips = Effect.map(redis.send<string>("INFO", "commandstats"), (info) =>
          Number(/cmdstat_evalsha:calls=(\d+)/u.exec(info)?.[1] ?? 0))
        const before = yield* trips
        const worker = Effect.gen(function*() {
          for (let i = 0; i < 100; i++) {
            yield* limiter(Effect.void)
            yield* Effect.sleep("9 millis")
          }
        })
        yield* many(100, worker)
        const spent = (yield* trips) - before
        assert.isBelow(spent, 1000)
        yield* until(Effect.map(limiter.available, ({ calls }) =>
          calls === 10_000))
      })
    ))

  it.live("lets no more through when the store stops, dies and forgets than when it does not", () =>
    Effect.gen(function*() {
      const server = yield* start
      const limit = RateLimiter.tokenBucket({ limit: 200, within: "1 second", capacity: 20 })
      let granted = 0
      const run = { over: false }
      const member = (ahead: number) =>
        Effect.gen(function*() {
          const limiter = yield* Shared.rateLimiter({ name: "x", processes: 3, maxWait: "300 millis", limit, ahead })
          const caller = Effect.gen(function*() {
            while (!run.over) {
              const patience = yield* Random.nextIntBetween(5, 400)
              yield* limiter(Effect.sync(() => granted++)).pipe(Effect.timeout(patience), Effect.exit)
              yield* Effect.sleep(2)
            }
          })
          yield* many(20, caller)
        }).pipe(Effect.scoped, Effect.provide(NodeRedis.layer({ url: server.url, disableOfflineQueue: true })))
      const trouble = Effect.gen(function*() {
        for (let i = 0; i < 2; i++) {
          yield* Effect.sleep("700 millis")
          yield* server.pause
          yield* Effect.sleep("400 millis")
          yield* server.resume
          yield* Effect.sleep("700 millis")
          yield* server.kill
          yield* Effect.sleep("300 millis")
          yield* server.restart
        }
        yield* Effect.sleep("2 seconds")
        run.over = true
      })
      const begun = yield* Clock.monotonicTimeNanos
      yield* Effect.all([member(0), member(0), member(5), trouble], { concurrency: "unbounded" })
      const millis = Number((yield* Clock.monotonicTimeNanos) - begun) / 1e6
      assert.isAbove(granted, 100)
      // the bucket, and for each of the four losses what a moment lets through in which not all go by the same
      assert.isBelow(granted, 20 + 200 * millis / 1000 + 4 * 40)
    }).pipe(Effect.scoped))
})
