import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Order, Permits, type Place } from "../../src/kernel/bulkhead.ts"

const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
const Room = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
const Index = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))

const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("enter") }),
  Schema.Struct({ do: Schema.Literal("enter") }),
  Schema.Struct({ do: Schema.Literal("leave"), which: Index }),
  Schema.Struct({ do: Schema.Literal("cancel"), which: Index }),
  Schema.Struct({ do: Schema.Literal("resize"), concurrency: Limit, maxQueue: Room })
])

/** What a caller does who finds no permit. */
const knock = (permits: Permits<number>, caller: number): "runs" | "rejected" | "waits" => {
  if (permits.enter()) return "runs"
  if (permits.full) return "rejected"
  while (permits.displace() !== undefined);
  permits.join(caller)
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
    assert.strictEqual(permits.leave(), 1)
    assert.strictEqual(permits.enter(), false)
    assert.strictEqual(permits.inUse, 1)
  })

  for (const [order, expected] of [["fifo", "1 2 3 "], ["lifo", "3 2 1 "]] as const) {
    it(`${order}: who is next`, () => {
      const permits = busy(order, 3, 3)
      const granted = [permits.leave(), permits.leave(), permits.leave(), permits.leave()]
      assert.strictEqual(granted.join(" "), expected)
      assert.strictEqual(permits.inUse, 0)
    })
  }

  it("lifo: the one who has waited longest gives its place to a newcomer", () => {
    const permits = busy("lifo", 2, 2)
    assert.strictEqual(permits.full, false)
    assert.strictEqual(permits.displace(), 1)
    assert.strictEqual(permits.displace(), undefined)
    permits.join(3)
    assert.deepStrictEqual([permits.leave(), permits.leave(), permits.leave()], [3, 2, undefined])
  })

  it("lifo without a queue turns newcomers away", () => {
    const permits = busy("lifo", 0, 0)
    assert.strictEqual(permits.full, true)
    assert.strictEqual(permits.displace(), undefined)
  })

  it("growing hands permits to waiters; shrinking takes none away", () => {
    const permits = busy("fifo", 3, 3)
    assert.deepStrictEqual(permits.resize({ concurrency: 3 }), [1, 2])
    assert.deepStrictEqual([permits.inUse, permits.queued], [3, 1])
    assert.deepStrictEqual(permits.resize({ concurrency: 1, maxQueue: 0 }), [])
    assert.deepStrictEqual([permits.inUse, permits.queued], [3, 1])
    assert.deepStrictEqual(
      [permits.leave(), permits.leave()],
      [undefined, undefined],
      "until it is below the new limit"
    )
    assert.strictEqual(permits.leave(), 3)
  })

  it("who has left the queue is not granted, and may leave again", () => {
    const permits = new Permits<number>({ concurrency: 1, maxQueue: 3 }, "fifo")
    permits.enter()
    const places = [1, 2, 3].map((caller) => permits.join(caller))
    permits.cancel(places[1]!)
    permits.cancel(places[1]!)
    assert.strictEqual(permits.queued, 2)
    assert.deepStrictEqual([permits.leave(), permits.leave()], [1, 3])
    permits.cancel(places[0]!)
    assert.deepStrictEqual([permits.inUse, permits.queued], [1, 0])
  })

  it.prop(
    "agrees with a naive model over random histories",
    [Limit, Room, Schema.Literals(["fifo", "lifo"]), Schema.Array(Step)],
    ([concurrency, maxQueue, order, steps]) => {
      const permits = new Permits<number>({ concurrency, maxQueue }, order)
      const model = { concurrency, maxQueue, running: [] as Array<number>, waiting: [] as Array<number> }
      const places = new Map<number, Place<number>>()
      const hand = (): Array<number> => {
        const granted: Array<number> = []
        while (model.waiting.length > 0 && model.running.length < model.concurrency) {
          const next = order === "fifo" ? model.waiting.shift()! : model.waiting.pop()!
          model.running.push(next)
          granted.push(next)
        }
        return granted
      }
      let callers = 0
      for (const step of steps) {
        switch (step.do) {
          case "enter": {
            const caller = ++callers
            const free = model.running.length < model.concurrency
            assert.strictEqual(permits.enter(), free)
            if (free) {
              model.running.push(caller)
              break
            }
            const full = model.maxQueue === 0 || (order === "fifo" && model.waiting.length >= model.maxQueue)
            assert.strictEqual(permits.full, full)
            if (full) break
            const displaced = model.waiting.splice(0, Math.max(0, model.waiting.length - model.maxQueue + 1))
            for (const oldest of displaced) assert.strictEqual(permits.displace(), oldest)
            assert.strictEqual(permits.displace(), undefined)
            places.set(caller, permits.join(caller))
            model.waiting.push(caller)
            break
          }
          case "leave": {
            if (model.running.length === 0) break
            model.running.splice(step.which % model.running.length, 1)
            assert.strictEqual(permits.leave(), hand()[0])
            break
          }
          case "cancel": {
            const caller = [...places.keys()][step.which % Math.max(1, places.size)]
            if (caller === undefined) break
            permits.cancel(places.get(caller)!)
            model.waiting = model.waiting.filter((other) => other !== caller)
            break
          }
          case "resize": {
            model.concurrency = step.concurrency
            model.maxQueue = step.maxQueue
            const { concurrency, maxQueue } = step
            assert.deepStrictEqual(permits.resize({ concurrency, maxQueue }), hand())
            break
          }
        }
        assert.deepStrictEqual(
          { inUse: permits.inUse, queued: permits.queued },
          { inUse: model.running.length, queued: model.waiting.length }
        )
        for (const [caller, place] of places) {
          assert.strictEqual(place.list !== undefined, model.waiting.includes(caller))
        }
      }
    },
    { arbitrary: { runs: 500 } }
  )
})
