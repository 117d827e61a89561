import { assert, describe, it } from "@effect/vitest"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import { KeyMap } from "../../src/internal/keyMap.ts"

const Key = Schema.Union([
  Schema.Literals(["a", "b", 1]),
  Schema.Struct({ tenant: Schema.Literals(["a", "b"]), id: Schema.Literals([1, 2]) }),
  Schema.Tuple([Schema.Literals([1, 2])])
])
const Operation = Schema.Struct({ kind: Schema.Literals(["set", "delete"]), key: Key })

describe("KeyMap", () => {
  it("finds what was set under an equal key, in the order of insertion", () => {
    const map = new KeyMap<object | string, number>()
    map.set({ id: 1 }, 1)
    map.set("b", 2)
    map.set({ id: 1 }, 3)
    assert.strictEqual(map.get({ id: 1 }), 3)
    assert.isUndefined(map.get({ id: 2 }))
    assert.deepStrictEqual(Array.from(map.keys()), [{ id: 1 }, "b"])
    assert.deepStrictEqual(Array.from(map.values()), [3, 2])
    map.delete({ id: 1 })
    assert.isUndefined(map.get({ id: 1 }))
    assert.strictEqual(map.size, 1)
  })

  it("nothing of a key is kept once it is gone: the next one that is equal is the one that is there", () => {
    const map = new KeyMap<object, number>()
    const [first, next] = [{ id: 1 }, { id: 1 }]
    map.set(first, 1)
    map.delete(next)
    map.set(next, 2)
    assert.strictEqual([...map.keys()][0], next)
  })

  it("a function that says what it is equal to is compared by that", () => {
    const named = (id: number) =>
      Object.assign(() => id, {
        [Equal.symbol]: (that: unknown) => typeof that === "function" && that() === id,
        [Hash.symbol]: () => id
      })
    const map = new KeyMap<() => number, string>()
    map.set(named(1), "one")
    assert.deepStrictEqual([map.get(named(1)), map.get(named(2))], ["one", undefined])
  })

  it.prop("is a list of pairs whose keys are compared one by one", [Schema.Array(Operation)], ([operations]) => {
    const map = new KeyMap<unknown, number>()
    let pairs: Array<{ readonly key: unknown; value: number }> = []
    operations.forEach(({ key, kind }, value) => {
      const known = pairs.find((pair) => Equal.equals(pair.key, key))
      if (kind === "delete") {
        map.delete(key)
        pairs = pairs.filter((pair) => pair !== known)
      } else {
        map.set(key, value)
        if (known === undefined) pairs.push({ key, value })
        else known.value = value
      }
    })
    assert.deepStrictEqual(Array.from(map.keys()), pairs.map(({ key }) => key))
    assert.deepStrictEqual(Array.from(map.values()), pairs.map(({ value }) => value))
    assert.strictEqual(map.size, pairs.length)
    for (const { key, value } of pairs) assert.strictEqual(map.get(key), value)
  })
})
