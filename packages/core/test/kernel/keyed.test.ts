import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Entry, Table } from "../../src/kernel/keyed.ts"

const table = (rules: {
  readonly idle?: number
  readonly max?: number
  readonly pinned?: ReadonlySet<string>
  /** pinned even when there are too many */
  readonly fixed?: ReadonlySet<string>
}) => {
  const index = new Map<string, Entry<string, string>>()
  const made: Array<string> = []
  const kernel = new Table<string, string>(index, {
    idle: rules.idle ?? 1000,
    max: rules.max ?? 3,
    pinned: (value, _now, pressed) => rules.fixed?.has(value) || (!pressed && (rules.pinned?.has(value) ?? false))
  })
  return {
    made,
    keys: () => [...index.keys()],
    sweep: (now: number) => kernel.sweep(now),
    acquire: (key: string, now = 0) =>
      kernel.acquire(key, now, (key) => {
        made.push(key)
        return key
      }),
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

  it("what is pinned outlives its idle time, and is looked at again after another", () => {
    const pinned = new Set(["a"])
    const t = table({ pinned })
    t.release(t.acquire("a"))
    t.sweep(1000)
    pinned.clear()
    t.sweep(1999)
    assert.deepStrictEqual(t.keys(), ["a"])
    t.sweep(2000)
    assert.deepStrictEqual(t.keys(), [])
  })

  it("what is pinned does not keep those behind it", () => {
    const t = table({ pinned: new Set(["a"]) })
    t.release(t.acquire("a"))
    t.release(t.acquire("b"), 500)
    t.sweep(1000)
    t.sweep(1500)
    assert.deepStrictEqual(t.keys(), ["a"])
  })

  it("full, what is pinned against idleness goes like any other", () => {
    const t = table({ max: 1, pinned: new Set(["a"]) })
    t.release(t.acquire("a"))
    t.acquire("b")
    assert.deepStrictEqual(t.keys(), ["b"])
  })

  it("full of what is pinned in any case, it grows, and shrinks to its size as soon as it may", () => {
    const fixed = new Set(["a", "b", "c"])
    const t = table({ max: 1, fixed })
    for (const key of fixed) t.release(t.acquire(key))
    assert.deepStrictEqual(t.keys(), ["a", "b", "c"])
    fixed.clear()
    t.acquire("d")
    assert.deepStrictEqual(t.keys(), ["d"])
  })

  it("a value that cannot be made takes nothing, and lets nobody go", () => {
    const t = table({ max: 1 })
    t.release(t.acquire("a"))
    const kernel = new Table<string, string>(new Map(), { idle: 1, max: 1, pinned: () => false })
    const fail = (): string => {
      throw new Error("lookup")
    }
    assert.throws(() => kernel.acquire("b", 0, fail), "lookup")
    assert.strictEqual(kernel.acquire("b", 0, () => "made").uses, 1)
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
})
