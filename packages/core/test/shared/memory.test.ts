import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "effect/persistence/Redis"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import { type Limit, ruleOf } from "../../src/internal/rateLimiterRules.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Shared } from "../../src/shared/index.ts"
import { type Op, type Reply, replyOf, wireOf } from "../../src/shared/internal/protocol.ts"
import { scriptAt } from "../../src/shared/internal/script.ts"
import { Known } from "../../src/shared/kernel/known.ts"
import { uniform } from "../support/random.ts"

const gone = 15_000
const begin = 1_764_000_000_000

const limitsOf: { readonly [kind: string]: Limit } = {
  "token bucket": RateLimiter.tokenBucket({ limit: 100, within: "1 minute" }),
  gcra: RateLimiter.gcra({ limit: 100, within: "1 minute", burst: 40 }),
  "fixed window": RateLimiter.fixedWindow({ limit: 100, within: "1 minute" }),
  "sliding window": RateLimiter.slidingWindow({ limit: 100, within: "1 minute" })
}

/** A process that asks a store, and remembers what it was told. Its own clock is another one. */
class Process {
  readonly known = new Known()
  born = 0
  private readonly behind: number
  private readonly limit: Limit

  constructor(limit: Limit, behind: number) {
    this.limit = limit
    this.behind = behind
  }

  request(now: number, ops: ReadonlyArray<Op>, isLost = false) {
    const used = isLost ? this.known.tell(now - this.behind, 1) : undefined
    return {
      id: "p",
      limits: [wireOf(this.limit)],
      first: true,
      empty: true,
      version: 0,
      gone,
      since: 0,
      ops: [...ops, ["D"]],
      now,
      known: used && { born: this.born, used }
    }
  }

  learn(reply: Reply): void {
    this.born = reply.born
    this.known.learn(
      reply.at - this.behind,
      reply.used.map((used) => {
        if (used === undefined) return undefined
        const by = -this.behind
        return used.kind === "spaced"
          ? { ...used, paidBy: used.paidBy + by }
          : used.kind === "fixed-window"
          ? { ...used, openedAt: used.openedAt + by }
          : { ...used, slices: used.slices.map(({ to, used }) => ({ to: to + by, used })) }
      })
    )
  }
}

/** A store at a time that the test says. */
const storeOf = (redis: Redis["Service"], name: string, limit: Limit) => {
  const ask = (from: Process, now: number, ops: ReadonlyArray<Op>, isLost = false) =>
    Effect.map(
      redis.eval(scriptAt)(
        `${name}:state`,
        `${name}:epoch`,
        `${name}:processes`,
        JSON.stringify(from.request(now, ops, isLost))
      ),
      (text) => {
        const reply = replyOf(text, [limit])
        from.learn(reply)
        return reply.answers
      }
    )
  const take = (from: Process, now: number, cost: number, isLost = false) =>
    Effect.map(ask(from, now, [["T", [cost], 0]], isLost), ([answer]) => answer!._tag === "Granted" ? cost : 0)
  /** The most that is let through at once. */
  const room = (from: Process, now: number, isLost = false) =>
    Effect.map(
      ask(from, now, [["X", [1000]]], isLost),
      ([answer]) => answer?._tag === "Granted" ? answer.amounts[0]! : 0
    )
  return { take, room }
}

describeWithRedis("a store that has lost its memory", () => {
  const withRedis = <A, E>(test: (redis: Redis["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(start, ({ url }) => Effect.flatMap(Redis, test).pipe(Effect.provide(NodeRedis.layer({ url })))).pipe(
      Effect.scoped
    )

  /** Takes at random through two processes; the second has the last word. Gives the time of that. */
  const use = (before: ReturnType<typeof storeOf>, one: Process, other: Process, seed: number) =>
    Effect.gen(function*() {
      const random = uniform(seed)
      let now = begin
      for (let i = 0; i < 12; i++) {
        now += random() * 3000
        yield* before.take(i === 11 || random() < 0.5 ? other : one, now, Math.ceil(random() * 9))
      }
      return now
    })

  for (const [kind, limit] of Object.entries(limitsOf)) {
    it.live(`learns of a ${kind} from those that know, in whatever order they come`, () =>
      withRedis((redis) =>
        Effect.gen(function*() {
          for (let seed = 1; seed <= 12; seed++) {
            const [one, other, stranger] = [new Process(limit, 0), new Process(limit, 5e6), new Process(limit, -3e4)]
            const before = storeOf(redis, `${kind}:${seed}:before`, limit)
            const after = storeOf(redis, `${kind}:${seed}:after`, limit)
            const now = yield* use(before, one, other, seed)
            const later = now + (seed % 3) * 700
            const expected = yield* before.room(new Process(limit, 0), later)
            let granted = 0
            // somebody who knows nothing gets nothing of what was used, and what it gets counts
            if (seed % 2 === 0) granted += yield* after.take(stranger, later, 1)
            // one that has missed the last of it, and one that knows all
            for (const process of seed % 4 < 2 ? [one, other] : [other, one]) {
              granted += yield* after.take(process, later, 1, true)
            }
            const left = yield* after.room(stranger, later)
            assert.closeTo(granted + left, Math.max(granted, expected), 1, `seed ${seed}`)
          }
        })
      ))

    it.live(`does not take the word of an old memory of a ${kind} once it has one of its own`, () =>
      withRedis((redis) =>
        Effect.gen(function*() {
          const [one, other] = [new Process(limit, 0), new Process(limit, 0)]
          const before = storeOf(redis, `${kind}:before`, limit)
          yield* before.take(one, begin, 5)
          yield* before.take(other, begin, 30)
          const after = storeOf(redis, `${kind}:after`, limit)
          // far beyond any window, so that nothing of before is left
          const later = begin + 10 * 60_000
          yield* after.take(one, later, 1, true)
          const left = yield* after.room(new Process(limit, 0), later)
          assert.strictEqual(left, ruleOf(limit).kind === "spaced" ? limit.burst - 1 : limit.limit - 1)
        })
      ))
  }

  it.live("goes on where it was for a fleet that has lived through it: no second quota, and no pause", () =>
    Effect.flatMap(start, (server) =>
      Effect.gen(function*() {
        const limit = RateLimiter.slidingWindow({ limit: 60, within: "1 hour" })
        const make = Shared.rateLimiter({ name: "x", limit, attempt: "20 seconds" })
        const redis = yield* Redis
        const run = /run_id:(\w+)/u.exec(yield* redis.send<string>("INFO", "server"))![1]
        yield* redis.send("SET", "{effect-resilience}:epoch", `${Date.now() - 86_400_000} ${run}`)
        const fleet = yield* Effect.all([make, make, make])
        const tryAll = (n: number) =>
          Effect.map(
            Effect.forEach(
              Array.from({ length: n }, (_, i) => fleet[i % 3]!),
              (limiter) => Effect.exit(limiter(Effect.void))
            ),
            (exits) => exits.filter(({ _tag }) => _tag === "Success").length
          )
        // what a process was told and what it has done since are told apart to the time that a question takes
        yield* Effect.sleep("1 second")
        let passed = yield* tryAll(30)
        assert.strictEqual(passed, 30)
        yield* server.restart
        passed += yield* tryAll(3)
        yield* Effect.forEach(
          fleet,
          (limiter) => Effect.repeat(limiter.mode, { until: ({ mode }) => mode === "shared" })
        )
        // what was let through meanwhile is told with the first question
        yield* Effect.forEach(fleet, ({ state }) => state)
        const newcomer = yield* make
        assert.closeTo((yield* newcomer.available).calls, 60 - passed, 1)
        passed += yield* tryAll(90)
        assert.closeTo(passed, 60, 1)
      }).pipe(Effect.scoped, Effect.provide(NodeRedis.layer({ url: server.url, disableOfflineQueue: true })))).pipe(
        Effect.scoped
      ))
})
