import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Redis } from "effect/persistence/Redis"
import { start } from "../../../../tools/redis/src/index.ts"
import { describeWithRedis } from "../../../../tools/redis/src/vitest.ts"
import type { Limit } from "../../src/internal/rateLimiterRules.ts"
import { ruleOf } from "../../src/internal/rateLimiterRules.ts"
import { make } from "../../src/kernel/allowance.ts"
import { Limiter, type Ticket, type Waiting } from "../../src/kernel/rateLimiter.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { type Answer, type Op, replyOf, wireOf } from "../../src/shared/internal/protocol.ts"
import { scriptAt } from "../../src/shared/internal/script.ts"
import { restore } from "../../src/shared/kernel/snapshot.ts"
import { uniform } from "../support/random.ts"

const begin = 1_764_000_000_000

/** Plays ops to the kernel, as the script plays them. */
class Model {
  private readonly limiter: Limiter<Waiting>
  private at = 0

  constructor(limits: ReadonlyArray<Limit>) {
    this.limiter = new Limiter(limits.map((limit) => make(ruleOf(limit))))
  }

  play(now: number, ops: ReadonlyArray<Op>, news: ReadonlyArray<readonly [number, Limit]>): ReadonlyArray<Answer> {
    this.at = this.limiter.time(now)
    for (const [dimension, limit] of news) this.limiter.adopt(this.at, dimension, ruleOf(limit))
    let blocked = false
    return ops.map((op): Answer => {
      switch (op[0]) {
        case "T": {
          if (blocked) return { _tag: "Behind" }
          const marks: Array<number> = []
          if (this.limiter.take(this.at, op[1], marks)) return { _tag: "Granted", marks, amounts: [] }
          const { dimension, wait } = this.limiter.forecast(this.at, op[1], 1)
          blocked = wait > 0 && Math.max(1, Math.ceil(wait - 1e-3)) <= op[2]
          return { _tag: blocked ? "Waits" : "Refused", wait, dimension }
        }
        case "B":
          this.limiter.refund(this.at, { costs: op[1], marks: op[2] })
          break
        case "S":
          this.limiter.settle(this.at, { costs: op[1], marks: op[2] }, op[3])
          break
      }
      return { _tag: "None" }
    })
  }

  available(dimension: number): number {
    return this.limiter.allowances[dimension]!.available(this.at)
  }

  wait(dimension: number, cost: number): number {
    return this.limiter.allowances[dimension]!.wait(this.at, cost)
  }

  get time(): number {
    return this.at
  }
}

const limitOf = (kind: Limit["kind"], limit: number, within: number, burst: number): Limit => {
  switch (kind) {
    case "token-bucket":
      return RateLimiter.tokenBucket({ limit, within, capacity: burst })
    case "gcra":
      return RateLimiter.gcra({ limit, within, burst })
    case "fixed-window":
      return RateLimiter.fixedWindow({ limit, within })
    case "sliding-window":
      return RateLimiter.slidingWindow({ limit, within })
  }
}

const kinds = ["token-bucket", "gcra", "fixed-window", "sliding-window"] as const

describeWithRedis("the script", () => {
  it.live("decides what the kernel decides, whatever is asked of it", () =>
    Effect.gen(function*() {
      const { url } = yield* start
      yield* Effect.gen(function*() {
        const redis = yield* Redis
        for (let seed = 1; seed <= 80; seed++) {
          const random = uniform(seed)
          const upTo = (n: number): number => Math.floor(random() * n)
          const some = (): number => [1, 1, 2, 0, 0.5, 1 / 3, 7][upTo(7)]!
          const anyLimit = (kind: Limit["kind"]): Limit =>
            limitOf(kind, 1 + upTo(12), [1, 7, 100, 1000, 60_000, 333.3][upTo(6)]!, 1 + upTo(9))
          const limits = Array.from({ length: 1 + upTo(3) }, () => anyLimit(kinds[upTo(4)]!))
          const model = new Model(limits)
          const tickets: Array<Ticket> = []
          let version = 0
          let now = begin + random() * 1000
          let known = limits.map(wireOf)
          for (let step = 0; step < 120; step++) {
            const costs = limits.map(some)
            const ticket = tickets[upTo(tickets.length)]
            const dimension = upTo(limits.length)
            const ops: Array<Op> = []
            for (let more = 1 + upTo(4); more > 0; more--) {
              const which = upTo(10)
              if (which < 7 || ticket === undefined) ops.push(["T", costs, [0, 5, 1000, 1e15][upTo(4)]!])
              else if (which === 7) ops.push(["B", ticket.costs, ticket.marks])
              else if (which === 8) ops.push(["S", ticket.costs, ticket.marks, limits.map(some)])
            }
            const other = anyLimit(known[dimension]![0])
            const first = upTo(30) === 0 && JSON.stringify(wireOf(other)) !== JSON.stringify(known[dimension])
            if (first) known = known.map((wire, i) => i === dimension ? wireOf(other) : wire)
            const reply = replyOf(
              yield* redis.eval(scriptAt)(
                `${seed}:state`,
                `${seed}:epoch`,
                `${seed}:processes`,
                JSON.stringify({
                  id: "a",
                  limits: known,
                  first,
                  empty: false,
                  version,
                  gone: 15_000,
                  since: 0,
                  now,
                  ops: [...ops, ["D"]]
                })
              ),
              limits
            )
            if (reply.limits !== undefined) assert.deepStrictEqual(reply.limits.map(wireOf), known)
            version = reply.version
            const expected = model.play(now, ops, first ? [[dimension, other]] : [])
            const where = JSON.stringify({ seed, step, limits: known, ops })
            assert.deepStrictEqual(reply.answers.slice(0, -1), expected, where)
            assert.strictEqual(reply.at, model.time, where)
            // what is made of the dump has as much room as the kernel, and lets the next call through when the kernel does
            reply.used.forEach((used, i) => {
              const limit = limitOf(...known[i]!)
              const allowance = restore(ruleOf(limit), used!)
              const slice = limit.kind === "sliding-window" ? Duration.toMillis(limit.within) / 100 : 0
              assert.strictEqual(allowance.available(reply.at), model.available(i), where)
              for (const cost of [1, 2.5, allowance.capacity]) {
                const [wait, expected] = [allowance.wait(reply.at, cost), model.wait(i, cost)]
                if (wait !== expected) assert.isTrue(wait > expected && wait <= expected + slice, where)
              }
            })
            expected.forEach((answer, i) => {
              const op = ops[i]!
              if (answer._tag === "Granted" && op[0] === "T") tickets.push({ costs: op[1], marks: answer.marks })
            })
            now += [0, 0.001, 0.4, random() * 3, random() * 40, random() * 2000, -random() * 50][upTo(7)]!
          }
        }
      }).pipe(Effect.provide(NodeRedis.layer({ url })))
    }))
})
