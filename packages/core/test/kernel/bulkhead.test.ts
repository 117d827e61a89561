import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Permits } from "../../src/kernel/bulkhead.ts"
import { criticalities } from "../../src/kernel/criticality.ts"
import type { Order, Place } from "../../src/kernel/queue.ts"

const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
const Room = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
const Index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))

const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("enter"), rank: Schema.Literals([0, 1, 2, 3]) }),
  Schema.Struct({ do: Schema.Literal("enter"), rank: Schema.Literals([1, 3]) }),
  Schema.Struct({ do: Schema.Literal("leave"), which: Index }),
  Schema.Struct({ do: Schema.Literal("cancel"), which: Index }),
  Schema.Struct({ do: Schema.Literal("resize"), concurrency: Limit, maxQueue: Room })
])

/** As a program does it: who has a permit now. */
const hand = (permits: Permits<number>, at = 0): Array<number> => {
  const granted: Array<number> = []
  for (let next = permits.next(at); next !== undefined; next = permits.next(at)) granted.push(next)
  return granted
}

const release = (permits: Permits<number>, at = 0): number | undefined => {
  assert.strictEqual(permits.leave(), permits.queued > 0)
  const [granted, ...more] = hand(permits, at)
  assert.isEmpty(more)
  return granted
}

const lost = (permits: Permits<number>, rank: number, at: number): Array<number> => {
  const lost: Array<number> = []
  for (let last = permits.displace(rank, at); last !== undefined; last = permits.displace(rank, at)) lost.push(last)
  return lost
}

/** What a caller does who finds no permit. */
const knock = (permits: Permits<number>, caller: number, rank = 1, at = 0): "runs" | "rejected" | "waits" => {
  if (permits.enter()) return "runs"
  if (permits.isFull(rank, at)) return "rejected"
  lost(permits, rank, at)
  permits.join(caller, rank, at)
  return "waits"
}

const busy = (order: Order, maxQueue: number, waiters: number): Permits<number> => {
  const permits = new Permits<number>({ concurrency: 1, maxQueue }, order)
  for (let caller = 0; caller <= waiters; caller++) knock(permits, caller)
  return permits
}

describe("kernel/bulkhead", () => {
  it("lets so many in, lets so many wait, and turns the rest away", () => {
    const permits = new Permits<number>({ concurrency: 2, maxQueue: 1 }, "fifo")
    assert.deepStrictEqual([1, 2, 3, 4].map((caller) => knock(permits, caller)), ["runs", "runs", "waits", "rejected"])
    assert.deepStrictEqual([permits.inUse, permits.queued], [2, 1])
  })

  it("a permit that is given back is never free while somebody waits (cockatiel #112)", () => {
    const permits = busy("fifo", 2, 1)
    assert.strictEqual(release(permits), 1)
    assert.strictEqual(permits.enter(), false)
    assert.strictEqual(permits.inUse, 1)
  })

  for (const [order, expected] of [["fifo", "1 2 3 "], ["lifo", "3 2 1 "]] as const) {
    it(`${order}: who is next`, () => {
      const permits = busy(order, 3, 3)
      const granted = [release(permits), release(permits), release(permits), release(permits)]
      assert.strictEqual(granted.join(" "), expected)
      assert.strictEqual(permits.inUse, 0)
    })
  }

  it("lifo: the one who has waited longest gives its place to a newcomer", () => {
    const permits = busy("lifo", 2, 2)
    assert.strictEqual(permits.isFull(1, 0), false)
    assert.strictEqual(permits.displace(1, 0), 1)
    assert.strictEqual(permits.displace(1, 0), undefined)
    permits.join(3, 1, 0)
    assert.deepStrictEqual([release(permits), release(permits), release(permits)], [3, 2, undefined])
  })

  it("lifo without a queue turns newcomers away", () => {
    const permits = busy("lifo", 0, 0)
    assert.strictEqual(permits.isFull(1, 0), true)
    assert.strictEqual(permits.displace(1, 0), undefined)
  })

  it("growing hands permits to waiters; shrinking takes none away", () => {
    const permits = busy("fifo", 3, 3)
    permits.resize({ concurrency: 3 })
    assert.deepStrictEqual(hand(permits), [1, 2])
    assert.deepStrictEqual([permits.inUse, permits.queued], [3, 1])
    permits.resize({ concurrency: 1, maxQueue: 0 })
    assert.deepStrictEqual(hand(permits), [])
    assert.deepStrictEqual([permits.inUse, permits.queued], [3, 1])
    assert.deepStrictEqual(
      [release(permits), release(permits)],
      [undefined, undefined],
      "until it is below the new limit"
    )
    assert.strictEqual(release(permits), 3)
  })

  it("who has left the queue is not granted, and may leave again", () => {
    const permits = new Permits<number>({ concurrency: 1, maxQueue: 3 }, "fifo")
    permits.enter()
    const places = [1, 2, 3].map((caller) => permits.join(caller, 1, 0))
    permits.cancel(places[1]!)
    permits.cancel(places[1]!)
    assert.strictEqual(permits.queued, 2)
    assert.deepStrictEqual([release(permits), release(permits)], [1, 3])
    permits.cancel(places[0]!)
    assert.deepStrictEqual([permits.inUse, permits.queued], [1, 0])
  })

  it("who matters more is served first, and takes the place of who matters least and came last", () => {
    const permits = new Permits<number>({ concurrency: 1, maxQueue: 3 }, "fifo")
    permits.enter()
    for (const [caller, rank] of [[1, 3], [2, 3], [3, 1]] as const) {
      assert.strictEqual(knock(permits, caller, rank), "waits")
    }
    assert.strictEqual(knock(permits, 4, 3), "rejected")
    assert.deepStrictEqual(lost(permits, 0, 0), [2])
    permits.join(5, 0, 0)
    assert.isFalse(permits.isFull(2, 0), "one of rank 3 waits")
    assert.deepStrictEqual(lost(permits, 2, 0), [1])
    permits.join(6, 2, 0)
    assert.isTrue(permits.isFull(2, 0))
    assert.deepStrictEqual([release(permits), release(permits), release(permits)], [5, 3, 6])
  })

  describe("an adaptive queue", () => {
    const adaptive = (): Permits<number> => {
      const permits = new Permits<number>({ concurrency: 1, maxQueue: 10 }, "adaptive", { target: 5, interval: 100 })
      permits.enter()
      return permits
    }
    const dropped = (permits: Permits<number>, at: number): Array<number> => {
      const dropped: Array<number> = []
      for (let stale = permits.stale(at); stale !== undefined; stale = permits.stale(at)) dropped.push(stale)
      return dropped
    }

    it("is first in, first out while calls are served in time, and drops nobody", () => {
      const permits = adaptive()
      // one is served every 4 ms, and there is always another one
      permits.join(0, 1, 0)
      for (let caller = 1; caller < 100; caller++) {
        permits.join(caller, 1, caller * 4)
        assert.strictEqual(release(permits, caller * 4), caller - 1)
        assert.isEmpty(dropped(permits, caller * 4))
      }
    })

    it("without a good wait for an interval the newest is next, and who has waited too long is dropped", () => {
      const permits = adaptive()
      for (let caller = 0; caller < 4; caller++) permits.join(caller, 1, caller * 30)
      assert.strictEqual(release(permits, 99), 0, "99 ms are no interval")
      assert.isEmpty(dropped(permits, 99))
      permits.join(4, 1, 97)
      permits.join(5, 1, 98)
      assert.strictEqual(release(permits, 100), 5)
      assert.deepStrictEqual(dropped(permits, 100), [1, 2, 3], "the one that has waited 3 ms stays")
      assert.strictEqual(release(permits, 200), 4, "the only one is served, however long it has waited")
    })

    it("drops nobody while nobody is served: the next permit would find nobody", () => {
      const permits = new Permits<number>({ concurrency: 2, maxQueue: 10 }, "adaptive", { target: 5, interval: 100 })
      permits.enter()
      permits.enter()
      permits.join(0, 1, 0)
      permits.join(1, 1, 1)
      permits.resize({ concurrency: 1 })
      assert.isEmpty([...hand(permits, 200), ...dropped(permits, 200)], "the limit is lower")
      assert.isUndefined(release(permits, 300), "more run than may")
      assert.isEmpty(dropped(permits, 300))
      assert.strictEqual(release(permits, 400), 1)
      assert.deepStrictEqual(dropped(permits, 400), [0])
    })

    it("a clock that jumps: forward everybody has waited that long, back the next one served is a good wait", () => {
      const permits = adaptive()
      permits.join(0, 1, 0)
      permits.join(1, 1, 1)
      permits.join(2, 1, 2)
      assert.strictEqual(release(permits, 3_600_000), 2)
      assert.deepStrictEqual(dropped(permits, 3_600_000), [0, 1])
      permits.join(3, 1, 3_600_000)
      permits.join(4, 1, 3_600_000)
      assert.strictEqual(release(permits, 0), 3)
      permits.join(5, 1, 50)
      assert.deepStrictEqual([release(permits, 99), release(permits, 99)], [4, 5])
      assert.isEmpty(dropped(permits, 99))
    })

    it("an empty queue ends the overload", () => {
      const permits = adaptive()
      permits.join(0, 1, 0)
      permits.join(1, 1, 50)
      assert.strictEqual(release(permits, 150), 1)
      assert.deepStrictEqual(dropped(permits, 150), [0])
      permits.join(2, 1, 151)
      permits.join(3, 1, 152)
      assert.strictEqual(release(permits, 160), 2)
      assert.isEmpty(dropped(permits, 160))
    })

    it("those who matter less are overloaded by themselves", () => {
      const permits = adaptive()
      permits.join(0, 3, 0)
      for (let n = 0; n < 50; n++) {
        permits.join(2 * n + 1, 1, n * 10)
        permits.join(2 * n + 2, 1, n * 10 + 1)
        assert.strictEqual(release(permits, n * 10 + 2), 2 * n + 1)
        assert.strictEqual(release(permits, n * 10 + 3), 2 * n + 2)
        assert.deepStrictEqual(dropped(permits, n * 10 + 3), n === 10 ? [0] : [])
      }
    })

    it("one that finds an overloaded queue full takes the place of the one that has waited longest", () => {
      const permits = adaptive()
      for (let caller = 0; caller < 10; caller++) permits.join(caller, 1, 0)
      assert.isTrue(permits.isFull(1, 99))
      assert.isFalse(permits.isFull(1, 100))
      assert.deepStrictEqual(lost(permits, 1, 100), [0])
    })
  })

  it.prop(
    "agrees with a naive model over random histories",
    [Limit, Room, Schema.Literals(["fifo", "lifo", "adaptive"]), Schema.Array(Step)],
    ([concurrency, maxQueue, order, steps]) => {
      const overload = { target: 2, interval: 5 }
      const permits = new Permits<number>({ concurrency, maxQueue }, order, overload)
      type Waiting = { readonly caller: number; readonly rank: number; readonly since: number }
      const model = { concurrency, maxQueue, running: [] as Array<number>, waiting: [] as Array<Waiting> }
      const places = new Map<number, Place<number>>()
      // when the line of each rank did well
      const well = criticalities.map(() => 0)
      const newestFirst = (rank: number, at: number): boolean =>
        order === "lifo" || (order === "adaptive" && at - well[rank]! >= overload.interval)
      /** The order in which all would be served. */
      const turns = (waiting: ReadonlyArray<Waiting>, at: number): Array<Waiting> =>
        criticalities.flatMap((_, rank) => {
          const line = waiting.filter((other) => other.rank === rank)
          return newestFirst(rank, at) ? line.toReversed() : line
        })
      const take = ({ caller }: Waiting): void =>
        void (model.waiting = model.waiting.filter((other) => other.caller !== caller))
      const handed = (at: number): Array<number> => {
        const granted: Array<number> = []
        while (model.waiting.length > 0 && model.running.length < model.concurrency) {
          const next = turns(model.waiting, at)[0]!
          if (!newestFirst(next.rank, at) && at - next.since <= overload.target) well[next.rank] = at
          take(next)
          model.running.push(next.caller)
          granted.push(next.caller)
        }
        return granted
      }
      /** Who has waited too long is dropped when others are served. */
      const dropped = (granted: ReadonlyArray<number>, at: number): void => {
        const stale = order !== "adaptive" || granted.length === 0
          ? []
          : model.waiting.filter(({ rank, since }) => newestFirst(rank, at) && at - since > overload.target)
        stale.sort((one, other) => one.rank - other.rank || one.since - other.since)
        for (const one of stale) {
          take(one)
          assert.strictEqual(permits.stale(at), one.caller)
        }
        assert.isUndefined(permits.stale(at))
      }
      let callers = 0
      let at = 0
      for (const step of steps) {
        at++
        switch (step.do) {
          case "enter": {
            const newcomer = { caller: ++callers, rank: step.rank, since: at }
            const { caller, rank } = newcomer
            const free = model.running.length < model.concurrency
            assert.strictEqual(permits.enter(), free)
            if (free) {
              model.running.push(caller)
              break
            }
            const crowded = model.waiting.length >= model.maxQueue
            const full = model.maxQueue === 0 ||
              (crowded && turns([...model.waiting, newcomer], at).at(-1) === newcomer &&
                !(newestFirst(rank, at) && model.waiting.some((other) => other.rank === rank)))
            assert.strictEqual(permits.isFull(rank, at), full)
            if (full) break
            const expected: Array<number> = []
            while (model.waiting.length >= model.maxQueue) {
              const last = turns([...model.waiting, newcomer], at).at(-1)!
              if (last === newcomer) break
              take(last)
              expected.push(last.caller)
            }
            assert.deepStrictEqual(lost(permits, rank, at), expected)
            if (!model.waiting.some((other) => other.rank === rank)) well[rank] = at
            places.set(caller, permits.join(caller, rank, at))
            model.waiting.push(newcomer)
            break
          }
          case "leave": {
            if (model.running.length === 0) break
            model.running.splice(step.which % model.running.length, 1)
            const granted = handed(at)
            assert.strictEqual(release(permits, at), granted[0])
            dropped(granted, at)
            break
          }
          case "cancel": {
            const caller = [...places.keys()][step.which % Math.max(1, places.size)]
            if (caller === undefined) break
            permits.cancel(places.get(caller)!)
            model.waiting = model.waiting.filter((other) => other.caller !== caller)
            break
          }
          case "resize": {
            model.concurrency = step.concurrency
            model.maxQueue = step.maxQueue
            const { concurrency, maxQueue } = step
            permits.resize({ concurrency, maxQueue })
            const granted = handed(at)
            assert.deepStrictEqual(hand(permits, at), granted)
            dropped(granted, at)
            break
          }
        }
        assert.deepStrictEqual(
          { inUse: permits.inUse, queued: permits.queued },
          { inUse: model.running.length, queued: model.waiting.length }
        )
        for (const [caller, place] of places) {
          assert.strictEqual(place.list !== undefined, model.waiting.some((other) => other.caller === caller))
        }
      }
    },
    { arbitrary: { runs: 500 } }
  )
})
