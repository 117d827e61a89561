import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as allowance from "../../src/kernel/allowance.ts"
import { type Costs, Limiter, type Waiting } from "../../src/kernel/rateLimiter.ts"

interface Caller extends Waiting {
  readonly id: number
}

const caller = (id: number, costs: Costs, latest = Infinity, rank = 1): Caller => ({
  id,
  costs,
  rank,
  latest,
  queued: false,
  before: undefined,
  behind: undefined
})

const bucket = (interval: number, burst: number): allowance.Allowance =>
  allowance.make({ kind: "spaced", interval, burst })
const windowOf = (kind: "fixed-window" | "sliding-window"): allowance.Allowance =>
  allowance.make({ kind, limit: 10, span: 1000 })
const limiter = (...allowances: ReadonlyArray<allowance.Allowance>): Limiter<Caller> => new Limiter(allowances)

const rules: ReadonlyArray<readonly [string, () => ReadonlyArray<allowance.Allowance>]> = [
  ["buckets", () => [bucket(100, 3), bucket(10, 40)]],
  ["windows", () => [
    allowance.make({ kind: "fixed-window", limit: 3, span: 500 }),
    allowance.make({ kind: "sliding-window", limit: 40, span: 800 })
  ]],
  ["a mixture", () => [bucket(70, 2), allowance.make({ kind: "sliding-window", limit: 40, span: 1000 })]]
]

const Costly = Schema.Tuple([Schema.Literals([0, 1, 1, 1, 2]), Schema.Literals([0, 1, 5, 20, 40])])
const Waiters = Schema.Array(Costly).check(Schema.isMinLength(1), Schema.isMaxLength(12))
const Index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 11 }))

/** Lets everybody through at the time at which there is room: who, and when. */
const drain = (limiter: Limiter<Caller>, at: number): ReadonlyArray<readonly [number, number]> => {
  const gone: Array<readonly [number, number]> = []
  for (let { first } = limiter; first !== undefined; first = limiter.first) {
    at += limiter.next(at)
    limiter.shift(at, [])
    gone.push([first.id, Math.round(at)])
  }
  return gone
}

describe("kernel/rateLimiter", () => {
  it("takes from all dimensions or from none", () => {
    const l = limiter(bucket(100, 3), bucket(10, 40))
    assert.isTrue(l.take(0, [1, 30]))
    assert.isFalse(l.take(0, [1, 30]))
    assert.deepStrictEqual(l.allowances.map((m) => m.available(0)), [2, 10])
    assert.deepStrictEqual(l.forecast(0, [1, 30], 1), { wait: 200, dimension: 1 })
    assert.deepStrictEqual(l.forecast(0, [3, 15], 1), { wait: 100, dimension: 0 })
    assert.deepStrictEqual(l.forecast(0, [1, 41], 1), { wait: Infinity, dimension: 1 })
  })

  it("what costs nothing in a dimension does not wait for it", () => {
    const l = limiter(bucket(100, 1), bucket(10, 40))
    l.settle(0, { costs: [0, 0], marks: [0, 0] }, [0, 100])
    assert.strictEqual(l.allowances[1]!.available(0), -60)
    assert.strictEqual(l.forecast(0, [1, 0], 1).wait, 0)
    assert.isTrue(l.take(0, [1, 0]))
  })

  it("what costs nothing opens no window, neither now nor when its turn comes nor when it is settled", () => {
    const window = (): allowance.Allowance => allowance.make({ kind: "fixed-window", limit: 1, span: 500 })
    const now = limiter(window(), bucket(300, 1))
    const ticket = { costs: [0, 1], marks: [] }
    now.take(0, [0, 1], ticket.marks)
    now.settle(100, ticket, [0, 1])
    assert.isTrue(now.take(300, [1, 1]))
    assert.strictEqual(now.forecast(300, [1, 0], 1).wait, 500)

    const later = limiter(window(), bucket(300, 1))
    for (const [id, cost] of [1, 0, 0, 1, 1].entries()) later.enqueue(0, caller(id, [cost, 1]))
    // the window of the fourth opens at 900, when it goes: the fifth waits for its end, and the next for the bucket
    assert.strictEqual(later.forecast(0, [0, 1], 1).wait, 1700)
    assert.deepStrictEqual(drain(later, 0).map(([, at]) => at), [0, 300, 600, 900, 1400])
  })

  it("a refund gives back every cost, a settlement what was charged too much", () => {
    const l = limiter(bucket(100, 3), bucket(10, 40))
    const ticket = { costs: [2, 30], marks: [] }
    l.take(0, ticket.costs, ticket.marks)
    l.settle(0, ticket, [2, 10])
    assert.deepStrictEqual(l.allowances.map((m) => m.available(0)), [1, 30])
    const other = { costs: [1, 0], marks: [] }
    l.take(0, other.costs, other.marks)
    l.refund(0, other)
    assert.deepStrictEqual(l.allowances.map((m) => m.available(0)), [1, 30])
  })

  it("with nobody before, the wait that is foretold goes by", () => {
    const l = limiter(bucket(100, 1))
    l.take(0, [1])
    assert.deepStrictEqual([0, 50, 100].map((at) => l.forecast(at, [1], 1).wait), [100, 50, 0])
  })

  it("who waits only for those before is told what they wait for; of two dimensions, the first that is as long", () => {
    const l = limiter(bucket(100, 2), bucket(100, 2))
    l.take(0, [0, 2])
    l.enqueue(0, caller(1, [0, 1]))
    assert.deepStrictEqual(l.forecast(0, [1, 0], 1), { wait: 100, dimension: 1 })
    const tied = limiter(bucket(100, 2), bucket(100, 2))
    tied.take(0, [2, 2])
    assert.deepStrictEqual(tied.forecast(0, [1, 1], 1), { wait: 100, dimension: 0 })
  })

  it("who has left the queue may leave again", () => {
    const l = limiter(bucket(100, 1))
    l.take(0, [1])
    const [first, second] = [caller(1, [1]), caller(2, [1])]
    l.enqueue(0, first)
    l.enqueue(0, second)
    l.remove(first)
    l.remove(first)
    assert.strictEqual(l.waiting, 1)
    assert.deepStrictEqual(drain(l, 0), [[2, 100]])
  })

  it("nobody overtakes: a large cost does not starve behind small ones", () => {
    const l = limiter(bucket(100, 3))
    l.take(0, [3])
    l.enqueue(0, caller(1, [3]))
    assert.isFalse(l.take(100, [1]))
    assert.deepStrictEqual(l.forecast(100, [1], 1), { wait: 300, dimension: 0 })
    l.enqueue(100, caller(2, [1]))
    assert.deepStrictEqual(drain(l, 100), [[1, 300], [2, 400]])
  })

  describe("calls that matter more", () => {
    it("go first, behind those that matter as much, and are told how long that is", () => {
      const l = limiter(bucket(100, 1))
      l.take(0, [1])
      assert.isFalse(l.enqueue(0, caller(1, [1], Infinity, 1)))
      assert.isFalse(l.enqueue(0, caller(2, [1], Infinity, 3)))
      assert.deepStrictEqual([0, 1, 2, 3].map((rank) => l.forecast(0, [1], rank).wait), [100, 200, 200, 300])
      assert.isTrue(l.enqueue(0, caller(3, [1], Infinity, 2)))
      assert.isTrue(l.enqueue(0, caller(4, [1], Infinity, 1)))
      assert.isTrue(l.enqueue(0, caller(5, [1], Infinity, 0)))
      assert.deepStrictEqual([0, 1, 2, 3].map((rank) => l.forecast(0, [1], rank).wait), [200, 400, 500, 600])
      assert.deepStrictEqual(drain(l, 0).map(([id]) => id), [5, 1, 4, 3, 2])
    })

    it("make room for themselves where nobody has any: the newest of the lowest goes", () => {
      const l = limiter(bucket(100, 1))
      for (const [id, rank] of [[1, 2], [2, 3], [3, 3]] as const) l.enqueue(0, caller(id, [1], Infinity, rank))
      assert.deepStrictEqual([0, 1, 2, 3].map((rank) => l.isFull(3, rank)), [false, false, false, true])
      assert.isFalse(l.isFull(4, 3))
      assert.strictEqual(l.displace(2)?.id, 3)
      assert.strictEqual(l.displace(2)?.id, 2)
      assert.isUndefined(l.displace(2))
      assert.isUndefined(limiter(bucket(100, 1)).displace(0))
      assert.isTrue(limiter(bucket(100, 1)).isFull(0, 0))
    })

    it("go at once where there is room for them, though a large cost waits", () => {
      const l = limiter(bucket(100, 3))
      l.take(0, [2])
      assert.isTrue(l.goesAtOnce(0, caller(1, [1], Infinity, 3)))
      l.enqueue(0, caller(2, [3], Infinity, 2))
      assert.deepStrictEqual(
        [1, 2, 3].map((rank) => l.goesAtOnce(0, caller(3, [1], Infinity, rank))),
        [true, false, false]
      )
      assert.isFalse(l.goesAtOnce(0, caller(3, [2], Infinity, 1)), "there is no room for two")
    })

    const Ranked = Schema.Array(Schema.Tuple([Costly, Schema.Literals([0, 1, 1, 2, 3])])).check(
      Schema.isMinLength(1),
      Schema.isMaxLength(12)
    )
    for (const [name, allowances] of rules) {
      it.prop(`${name}: it is the queue of those who came in that order`, [Ranked], ([waiters]) => {
        const [l, sorted] = [limiter(...allowances()), limiter(...allowances())]
        for (const [id, [costs, rank]] of waiters.entries()) {
          const behind = waiters.slice(0, id).some(([, other]) => other > rank)
          const { wait } = l.forecast(0, costs, rank)
          const alone = limiter(...allowances())
          for (const [i, [costs, other]] of waiters.slice(0, id).toSorted(([, a], [, b]) => a - b).entries()) {
            if (other <= rank) alone.enqueue(0, caller(i, costs))
          }
          assert.strictEqual(wait, alone.forecast(0, costs, 1).wait)
          assert.strictEqual(l.enqueue(0, caller(id, costs, Infinity, rank)), behind)
        }
        const order = waiters.map(([costs, rank], id) => ({ costs, id, rank })).toSorted((a, b) => a.rank - b.rank)
        for (const { costs, id } of order) sorted.enqueue(0, caller(id, costs))
        assert.strictEqual(l.waiting, waiters.length)
        assert.deepStrictEqual(drain(l, 0), drain(sorted, 0))
      })
    }
  })

  for (const [name, allowances] of rules) {
    it.prop(`${name}: the forecast comes true`, [Waiters], ([waiters]) => {
      const l = limiter(...allowances())
      const forecasts = waiters.map((costs, id) => {
        const { wait } = l.forecast(0, costs, 1)
        l.enqueue(0, caller(id, costs))
        return [id, Math.round(wait)] as const
      })
      assert.deepStrictEqual(drain(l, 0), forecasts)
      assert.strictEqual(l.waiting, 0)
    })

    it.prop(
      `${name}: who goes away was never there`,
      [Waiters, Waiters, Schema.Array(Index)],
      ([before, after, leave]) => {
        const all = before.map((costs, id) => caller(id, costs))
        const [l, never] = [limiter(...allowances()), limiter(...allowances())]
        const leaving = new Set(leave)
        for (const waiter of all) l.enqueue(0, waiter)
        for (const waiter of all) if (leaving.has(waiter.id)) l.remove(waiter)
        for (const { costs, id } of all) if (!leaving.has(id)) never.enqueue(0, caller(id, costs))
        after.forEach((costs, i) => {
          assert.deepStrictEqual(l.forecast(0, costs, 1), never.forecast(0, costs, 1))
          l.enqueue(0, caller(100 + i, costs))
          never.enqueue(0, caller(100 + i, costs))
        })
        assert.strictEqual(l.waiting, never.waiting)
        assert.deepStrictEqual(drain(l, 0), drain(never, 0))
      }
    )
  }

  // Not a fixed window beside another dimension: it opens with its first call, so that a call that goes earlier, and then waits for
  // the other dimension, can open the next window later than it would have been.
  const unlimited = () => bucket(1e-6, 1000)
  const monotone: typeof rules = [
    ...rules.filter(([name]) => name !== "windows"),
    ["a fixed window", () => [allowance.make({ kind: "fixed-window", limit: 3, span: 500 }), unlimited()]],
    ["a sliding window", () => [unlimited(), allowance.make({ kind: "sliding-window", limit: 40, span: 800 })]]
  ]
  for (const [name, allowances] of monotone) {
    it.prop(`${name}: whom a refund finds waiting never waits longer`, [Costly, Waiters], ([costs, waiters]) => {
      const [l, plain] = [limiter(...allowances()), limiter(...allowances())]
      const ticket = { costs, marks: [] }
      l.take(0, costs, ticket.marks)
      plain.take(0, costs)
      waiters.forEach((costs, id) => {
        l.enqueue(0, caller(id, costs))
        plain.enqueue(0, caller(id, costs))
      })
      l.refund(0, ticket)
      const times = drain(l, 0)
      drain(plain, 0).forEach(([id, at], i) => {
        assert.strictEqual(times[i]![0], id)
        assert.isAtMost(times[i]![1], at)
      })
    })
  }

  it("whose turn comes too late after all is taken out, and the others move up", () => {
    for (const start of [0, 1000]) {
      const l = limiter(bucket(100, 2))
      const ticket = { costs: [1], marks: [] }
      l.take(start, [1], ticket.marks)
      l.take(start, [1])
      for (const [id, cost, latest] of [[1, 1, 500], [2, 2, 500], [3, 1, 450]] as const) {
        l.enqueue(start, caller(id, [cost], start + latest))
      }
      l.settle(start, ticket, [3])
      assert.deepStrictEqual(l.overdue(start).map(({ forecast, waiting }) => [waiting.id, forecast.wait]), [[3, 600]])
      assert.deepStrictEqual(drain(l, start), [[1, start + 300], [2, start + 500]])
    }
  })

  // a caller is let in for a wait in whole milliseconds, and between two looks no more than a part of one may pass
  for (
    const [name, one] of [
      ["a bucket", () => bucket(1000, 10)],
      ["a fixed window", () => windowOf("fixed-window")],
      ["a sliding window", () => windowOf("sliding-window")]
    ] as const
  ) {
    it(`${name}: whose turn is as it was foretold is in time, however little later that is looked at`, () => {
      for (const later of [0, 1e-3, 0.3, 0.7, 1, 1.2, 999]) {
        const l = limiter(one())
        l.take(0.1, [10])
        const { wait } = l.forecast(0.3, [1], 1)
        const maxWait = allowance.wholeMillis(wait)
        assert.strictEqual(maxWait, 1000)
        l.enqueue(0.3, caller(1, [1], 0.3 + maxWait))
        assert.deepStrictEqual(l.overdue(0.3 + later), [], `${later} ms later`)
      }
    })
  }

  it("what never fits again does not block the queue", () => {
    const l = limiter(bucket(100, 3))
    l.take(0, [3])
    l.enqueue(0, caller(1, [3]))
    l.enqueue(0, caller(2, [1]))
    l.adopt(0, 0, { kind: "spaced", interval: 100, burst: 2 })
    assert.deepStrictEqual(l.overdue(0).map(({ waiting }) => waiting.id), [1])
    assert.deepStrictEqual(drain(l, 0), [[2, 200]])
  })

  it("R3 of resilience4j: twice the limit while one waits halves the wait; what was used stays used", () => {
    const l = limiter(bucket(500, 1))
    l.take(0, [1])
    l.enqueue(0, caller(1, [1]))
    assert.strictEqual(l.next(0), 500)
    l.adopt(0, 0, { kind: "spaced", interval: 250, burst: 1 })
    assert.strictEqual(l.next(0), 250)
  })

  it("R2 of failsafe-go: bursts of 2 per second", () => {
    const l = limiter(allowance.make({ kind: "fixed-window", limit: 2, span: 1000 }))
    for (let id = 0; id < 7; id++) l.enqueue(0, caller(id, [1]))
    assert.deepStrictEqual(drain(l, 0).map(([, at]) => at), [0, 0, 1000, 1000, 2000, 2000, 3000])
  })

  describe("a clock that is set", () => {
    it("back: no time has passed, and none is waited for twice", () => {
      const l = limiter(bucket(100, 1))
      l.take(l.time(10_000), [1])
      assert.strictEqual(l.forecast(l.time(5000), [1], 1).wait, 100)
      assert.isTrue(l.take(l.time(5100), [1]))
      assert.isFalse(l.take(l.time(5199), [1]))
      assert.isTrue(l.take(l.time(5200), [1]))
    })

    it("forward: no more than the capacity is there", () => {
      const l = limiter(bucket(100, 2))
      l.take(l.time(0), [2])
      const at = l.time(1e12)
      assert.deepStrictEqual([l.take(at, [1]), l.take(at, [1]), l.take(at, [1])], [true, true, false])
    })

    const jumps = Schema.Array(Schema.Literals([-100_000, -300, -1, 0, 0, 1, 50, 100, 333, 100_000]))
    for (const [name, allowances] of rules) {
      it.prop(`${name}: to and fro, never more than time that passed allows`, [jumps], ([jumps]) => {
        const [l, monotone] = [limiter(...allowances()), limiter(...allowances())]
        let now = 0
        let passed = 0
        for (const jump of jumps) {
          now += jump
          passed += Math.max(0, jump)
          assert.strictEqual(l.take(l.time(now), [1, 5]), monotone.take(monotone.time(passed), [1, 5]))
        }
      })
    }
  })
})
