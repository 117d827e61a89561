import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Partition, Pool } from "../../src/kernel/partitions.ts"
import type { Place } from "../../src/kernel/queue.ts"

const release = <W>(partition: Partition<W>): W | undefined => partition.leave() ? partition.next(0) : undefined

const enters = (partition: Partition<unknown>, times: number): number =>
  Array.from({ length: times }, () => partition.enter()).filter(Boolean).length

/** Batch work and live traffic, behind those who are in no partition. */
const pool = (limit: number, maxQueue = 0) => {
  const pool = new Pool<string>(limit, [0, 0.3, 0.7], maxQueue, "fifo")
  const [rest, batch, live] = pool.partitions
  return { pool, rest: rest!, batch: batch!, live: live! }
}

/** Netflix, concurrency-limits-core, AbstractPartitionedLimiterTest. */
describe("the partitions of Netflix's limiter", () => {
  it("a limit of 10 guarantees 3 and 7", () => {
    const { batch, live } = pool(10)
    assert.deepStrictEqual([batch.guaranteed, live.guaranteed], [3, 7])
  })

  it("one alone may have all", () => {
    const { batch } = pool(10)
    assert.strictEqual(enters(batch, 11), 10)
  })

  it("whoever comes later still has what is guaranteed", () => {
    const { batch, live, pool: { inUse } } = pool(10)
    assert.strictEqual(inUse, 0)
    assert.strictEqual(enters(batch, 10), 10)
    assert.strictEqual(enters(live, 8), 7)
  })

  it("where both have theirs, neither has more", () => {
    const { batch, live } = pool(10)
    assert.deepStrictEqual([enters(batch, 3), enters(live, 7)], [3, 7])
    assert.deepStrictEqual([enters(batch, 1), enters(live, 1)], [0, 0])
  })

  it("a limit that doubles makes 6 of 3, and what runs stays", () => {
    const { batch, pool: of } = pool(10)
    assert.strictEqual(enters(batch, 1), 1)
    of.limit = 20
    assert.deepStrictEqual([batch.guaranteed, batch.inUse], [6, 1])
  })

  it("one that is in no partition runs while there is room, and is guaranteed nothing", () => {
    const { batch, rest } = pool(10)
    assert.strictEqual(enters(rest, 11), 10)
    assert.strictEqual(enters(batch, 4), 3)
    assert.strictEqual(rest.enter(), false)
  })
})

describe("kernel/partitions", () => {
  it("guarantees one at least, and not one more for a product that is a little too large", () => {
    const guaranteed = (limit: number, share: number) => new Pool(limit, [share], 0, "fifo").partitions[0]!.guaranteed
    assert.deepStrictEqual([guaranteed(1, 0.01), guaranteed(100, 0.07), guaranteed(3, 0.5)], [1, 7, 2])
  })

  it("a borrowed permit goes back to the partition that is guaranteed it", () => {
    const { batch, live, pool: of } = pool(10, 5)
    enters(batch, 10)
    batch.join("batch", 1, 0)
    enters(live, 7)
    live.join("live", 1, 0)
    for (let i = 0; i < 7; i++) assert.strictEqual(release(batch), undefined, "17 run, 10 may")
    assert.strictEqual(release(batch), "batch", "it has 3 of the 3 that it is guaranteed")
    assert.strictEqual(release(live), "live")
    assert.strictEqual(of.inUse, 10)
  })

  it("what is lent goes to the partition that has least of its own", () => {
    const { batch, live, rest } = pool(10, 5)
    enters(rest, 10)
    batch.enter()
    for (const [partition, name] of [[rest, "rest"], [batch, "batch"], [live, "live"]] as const) {
      if (!partition.enter()) partition.join(name, 1, 0)
    }
    assert.deepStrictEqual([batch.inUse, live.inUse, rest.queued], [2, 1, 1])
  })

  it("an adaptive queue is overloaded by itself: what others are served drops nobody in it", () => {
    const of = new Pool<string>(4, [0, 0.25, 0.75], 5, "adaptive", { target: 5, interval: 100 })
    const [, batch, live] = of.partitions
    enters(live!, 4)
    enters(batch!, 1)
    batch!.join("batch", 1, 0)
    live!.join("live", 1, 299)
    assert.isUndefined(release(live!), "five run, and four may")
    live!.leave()
    assert.strictEqual(of.next(300), "live", "it has least of its own")
    assert.isUndefined(of.next(300))
    assert.isUndefined(of.stale(300))
    batch!.leave()
    assert.strictEqual(of.next(400), "batch", "the last one is served however long it has waited")
  })

  const Step = Schema.Union([
    Schema.Struct({ do: Schema.Literals(["call", "call", "leave", "cancel"]), which: Schema.Int }),
    Schema.Struct({ do: Schema.Literal("resize"), which: Schema.Int })
  ])

  it.prop("nobody waits for a permit that it may have, and nothing is lost", [Schema.Array(Step)], ([steps]) => {
    const of = new Pool<number>(3, [0, 0.2, 0.5], 3, "fifo")
    const running: Array<number> = []
    const waiting = new Map<number, Array<Place<number>>>([[0, []], [1, []], [2, []]])
    const granted = (partition: number | undefined) => {
      if (partition === undefined) return
      running.push(partition)
      waiting.get(partition)!.shift()
    }
    for (const { do: what, which } of steps) {
      const index = Math.abs(which) % 3
      const partition = of.partitions[index]!
      switch (what) {
        case "call":
          if (partition.enter()) running.push(index)
          else if (!partition.isFull(1, 0)) waiting.get(index)!.push(partition.join(index, 1, 0))
          break
        case "leave": {
          const [ended] = running.splice(Math.abs(which) % Math.max(1, running.length), 1)
          if (ended !== undefined) granted(release(of.partitions[ended]!))
          break
        }
        case "cancel": {
          const place = waiting.get(index)!.shift()
          if (place !== undefined) partition.cancel(place)
          break
        }
        case "resize":
          of.limit = 1 + Math.abs(which) % 9
          for (let waiter = of.next(0); waiter !== undefined; waiter = of.next(0)) granted(waiter)
      }
      assert.strictEqual(of.inUse, running.length)
      for (const [i, partition] of of.partitions.entries()) {
        assert.strictEqual(partition.inUse, running.filter((other) => other === i).length)
        assert.strictEqual(partition.queued, waiting.get(i)!.length)
        assert.isFalse(partition.queued > 0 && partition.hasRoom, "one waits that may run")
      }
    }
  })
})
