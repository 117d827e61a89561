import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { counted, type Entry, forced, type Knowledge, nothing, owed, Table } from "../../src/kernel/keyed.ts"

const table = (rules: {
  readonly idle?: number
  readonly max?: number
  readonly whenFull?: "share" | "reject"
  /** what an instance knows, nothing unless it is said */
  readonly knows?: Record<string, Knowledge>
}) => {
  const index = new Map<string, Entry<string, string>>()
  const made: Array<string> = []
  const gone: Array<string> = []
  const kernel = new Table<string, string>(index, {
    idle: rules.idle ?? 1000,
    max: rules.max ?? 3,
    whenFull: rules.whenFull ?? "share",
    knowledge: (value) => rules.knows?.[value] ?? nothing,
    letGo: (value) => void gone.push(value)
  })
  const acquire = (key: string, now = 0): Entry<string, string> | undefined =>
    kernel.acquire(key, now, (key) => {
      made.push(key)
      return key
    })
  return {
    made,
    gone,
    keys: () => [...index.keys()],
    overflow: () => kernel.overflow?.value,
    sweep: (now: number) => kernel.sweep(now),
    tryAcquire: acquire,
    acquire: (key: string, now = 0) => {
      const entry = acquire(key, now)
      assert.isDefined(entry)
      return entry
    },
    release: (entry: Entry<string, string>, now = 0) => kernel.release(entry, now)
  }
}

describe("kernel/keyed", () => {
  it("makes one value per key, on demand", () => {
    const t = table({})
    assert.strictEqual(t.acquire("a"), t.acquire("a"))
    assert.deepStrictEqual(t.made, ["a"])
  })

  it("lets go what has been idle for its time, at it, whoever asks", () => {
    const t = table({})
    t.release(t.acquire("a"), 500)
    t.acquire("b", 1499)
    assert.deepStrictEqual(t.keys(), ["a", "b"])
    t.acquire("c", 1500)
    assert.deepStrictEqual(t.keys(), ["b", "c"])
  })

  it("keeps what is in use, however long", () => {
    const t = table({})
    const first = t.acquire("a")
    t.release(t.acquire("a"), 10)
    t.sweep(1_000_000)
    assert.deepStrictEqual(t.keys(), ["a"])
    t.release(first, 1_000_000)
    t.sweep(1_000_999)
    assert.deepStrictEqual(t.keys(), ["a"])
    t.sweep(1_001_000)
    assert.deepStrictEqual(t.keys(), [])
  })

  it("full, the least recently used idle one goes", () => {
    const t = table({})
    for (const key of ["a", "b", "c", "a"]) t.release(t.acquire(key))
    t.acquire("d")
    assert.deepStrictEqual(t.keys(), ["a", "c", "d"])
  })

  it("full of what is in use, it grows, and shrinks again", () => {
    const t = table({})
    const entries = ["a", "b", "c", "d", "e"].map((key) => t.acquire(key))
    assert.deepStrictEqual(t.keys(), ["a", "b", "c", "d", "e"])
    entries.forEach((entry) => t.release(entry))
    assert.deepStrictEqual(t.keys(), ["c", "d", "e"])
  })

  it("what is owed or forced outlives its idle time, and is looked at again after another; what is counted does not", () => {
    for (const [knowledge, outlives] of [[nothing, false], [counted, false], [owed, true], [forced, true]] as const) {
      const knows: Record<string, Knowledge> = { a: knowledge }
      const t = table({ knows })
      t.release(t.acquire("a"))
      t.sweep(999)
      assert.deepStrictEqual(t.keys(), ["a"])
      t.sweep(1000)
      assert.deepStrictEqual(t.keys(), outlives ? ["a"] : [], String(knowledge))
      delete knows["a"]
      t.sweep(1999)
      assert.deepStrictEqual(t.keys(), outlives ? ["a"] : [])
      t.sweep(2000)
      assert.deepStrictEqual(t.keys(), [])
    }
  })

  it("what knows something does not keep those behind it", () => {
    const t = table({ knows: { a: owed } })
    t.release(t.acquire("a"))
    t.release(t.acquire("b"), 500)
    t.sweep(1000)
    t.sweep(1500)
    assert.deepStrictEqual(t.keys(), ["a"])
  })

  it("full, what knows something stays, and the least recently used of the others goes", () => {
    for (const knowledge of [counted, owed, forced] as const) {
      const t = table({ knows: { a: knowledge } })
      for (const key of ["a", "b", "c", "d", "e"]) t.release(t.acquire(key))
      assert.deepStrictEqual(t.keys(), ["a", "d", "e"])
    }
  })

  describe("full of what knows something", () => {
    const known: Record<string, Knowledge> = { a: counted, b: owed, c: forced }
    const full = (whenFull: "share" | "reject", knows = known) => {
      const t = table({ whenFull, knows })
      for (const key of ["a", "b", "c"]) t.release(t.acquire(key))
      return t
    }

    it("new keys share one value, which is none of those", () => {
      const t = full("share")
      const first = t.acquire("d")
      assert.strictEqual(t.acquire("e"), first)
      assert.deepStrictEqual(t.made, ["a", "b", "c", "d"])
      assert.deepStrictEqual(t.keys(), ["a", "b", "c"])
      assert.strictEqual(t.acquire("a").value, "a", "a known key has its own")
    })

    it("or get none", () => {
      const t = full("reject")
      assert.isUndefined(t.tryAcquire("d"))
      assert.deepStrictEqual(t.made, ["a", "b", "c"])
      assert.strictEqual(t.acquire("a").value, "a")
    })

    it("also while one of those is in use", () => {
      const t = full("reject")
      assert.isUndefined(t.tryAcquire("d"))
      const used = t.acquire("a")
      assert.isUndefined(t.tryAcquire("d"))
      t.release(used)
      assert.isUndefined(t.tryAcquire("d"))
    })

    it("until one of those knows nothing any more", () => {
      const knows = { ...known }
      const t = full("share", knows)
      t.release(t.acquire("d"))
      delete knows["b"]
      assert.strictEqual(t.acquire("d").value, "d")
      assert.deepStrictEqual(t.keys(), ["a", "c", "d"])
    })

    it("or is idle for too long; the shared value goes when it is, unless it is owed something", () => {
      const knows: Record<string, Knowledge> = { ...known, d: owed }
      const t = full("share", knows)
      t.release(t.acquire("d"), 100)
      t.sweep(1000)
      assert.deepStrictEqual([t.keys(), t.overflow()], [["b", "c"], "d"])
      t.sweep(1100)
      assert.strictEqual(t.overflow(), "d")
      delete knows["d"]
      t.sweep(2100)
      assert.isUndefined(t.overflow())
    })

    it("what is in use by others takes no room from a new key", () => {
      const t = table({ max: 3, knows: { a: owed, b: owed } })
      for (const key of ["a", "b"]) t.release(t.acquire(key))
      const others = ["c", "d", "e"].map((key) => t.acquire(key))
      assert.deepStrictEqual(t.keys(), ["a", "b", "c", "d", "e"])
      others.forEach((entry) => t.release(entry))
      assert.deepStrictEqual(t.keys(), ["a", "b", "e"])
    })

    it("of a crowd that comes all at once and knows something, as many stay as there is room for, and what was forced", () => {
      const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
      const knows: Record<string, Knowledge> = Object.fromEntries(keys.map((key, i) => [key, i === 15 ? forced : owed]))
      const t = table({ max: 3, knows })
      keys.map((key) => t.acquire(key)).forEach((entry) => t.release(entry))
      assert.deepStrictEqual(t.keys(), ["key 0", "key 1", "key 2", "key 15"])
    })

    it("a look for room does not walk through all of them every time", () => {
      const looked: Array<string> = []
      const table = new Table<string, string>(new Map(), {
        idle: 1000,
        max: 100,
        whenFull: "reject",
        knowledge: (value) => {
          looked.push(value)
          return owed
        },
        letGo: () => {}
      })
      for (let i = 0; i < 100; i++) table.release(table.acquire(`key ${i}`, 0, (key) => key)!, 0)
      table.acquire("first", 0, (key) => key)
      looked.length = 0
      table.acquire("second", 0, (key) => key)
      table.acquire("third", 0, (key) => key)
      assert.isBelow(looked.length, 20)
      assert.strictEqual(new Set(looked).size, looked.length, "others each time")
    })
  })

  it("a value that cannot be made takes nothing, and lets nobody go", () => {
    for (const knowledge of [nothing, owed] as const) {
      const index = new Map<string, Entry<string, string>>()
      const kernel = new Table<string, string>(index, {
        idle: 1,
        max: 1,
        whenFull: "share",
        knowledge: () => knowledge,
        letGo: () => {}
      })
      kernel.release(kernel.acquire("a", 0, (key) => key)!, 0)
      const fail = (): string => {
        throw new Error("lookup")
      }
      assert.throws(() => kernel.acquire("b", 0, fail), "lookup")
      assert.deepStrictEqual([...index.keys()], ["a"])
      assert.strictEqual(kernel.acquire("b", 0, () => "made")!.uses, 1)
    }
  })

  it("a value whose making asks for it is made once for its key", () => {
    for (const full of [false, true]) {
      const kernel = new Table<string, object>(new Map(), {
        idle: 1,
        max: 1,
        whenFull: "share",
        knowledge: () => owed,
        letGo: () => {}
      })
      if (full) kernel.release(kernel.acquire("a", 0, () => ({}))!, 0)
      const inner: Array<unknown> = []
      const outer = kernel.acquire("b", 0, (key) => {
        inner.push(kernel.acquire(key, 0, () => ({})))
        return {}
      })
      assert.strictEqual(inner[0], outer)
      assert.strictEqual(outer!.uses, 2)
    }
  })

  const Step = Schema.Struct({
    gap: Schema.Literals([0, 0, 100, 600]),
    key: Schema.Literals(["a", "b", "c", "d", "e"]),
    end: Schema.Boolean
  })

  it.prop("agrees with a naive model over random histories", [Schema.Array(Step)], ([history]) => {
    const t = table({})
    let model: Array<{ readonly key: string; uses: number; since: number; order: number }> = []
    const held: Array<Entry<string, string>> = []
    let now = 0
    let order = 0
    const shrink = (to: number): void => {
      const idle = model.filter(({ uses }) => uses === 0).toSorted((a, b) => a.order - b.order)
      const gone = new Set(idle.slice(0, Math.max(0, model.length - to)))
      model = model.filter((entry) => !gone.has(entry))
    }
    for (const { end, gap, key } of history) {
      now += gap
      if (end) {
        const entry = held.shift()
        if (entry === undefined) continue
        t.release(entry, now)
        const known = model.find(({ key }) => key === entry.key)!
        known.uses--
        if (known.uses === 0) Object.assign(known, { since: now, order: order++ })
        if (known.uses === 0) shrink(3)
      } else {
        held.push(t.acquire(key, now))
        model = model.filter(({ since, uses }) => uses > 0 || now - since < 1000)
        const known = model.find((entry) => entry.key === key)
        if (known === undefined) {
          shrink(2)
          model.push({ key, uses: 1, since: 0, order: 0 })
        } else known.uses++
      }
      assert.sameMembers(t.keys(), model.map(({ key }) => key))
    }
  })
  it.prop("whatever comes, what is known is not lost to other keys, and there are no more than there is room for", [
    Schema.Array(Step)
  ], ([history]) => {
    // a and b know something from their first use on
    const knows: Record<string, Knowledge> = {}
    const t = table({ knows })
    const held: Array<Entry<string, string>> = []
    for (const { end, key } of history) {
      const entry = end ? held.shift() : undefined
      if (entry === undefined) {
        if (held.length < 3) held.push(t.acquire(key))
      } else {
        if (entry.key === "a") knows["a"] = owed
        if (entry.key === "b") knows["b"] = counted
        t.release(entry)
      }
      const keys = t.keys()
      for (const key in knows) assert.include(keys, key)
      assert.sameMembers([...keys, ...t.gone], t.made, "each goes once, and is told to")
      for (const { key } of held) assert.include(keys, key)
      assert.isAtMost(keys.length, 3 + held.length)
    }
  })
})
