import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { LastGood } from "../../src/kernel/lastGood.ts"

describe("LastGood", () => {
  it("serves a value up to its time to live, and tells its age", () => {
    const store = new LastGood<string, number>(100, 10)
    store.keep("a", 1, 50)
    assert.deepStrictEqual(store.find("a", 60), { value: 1, age: 10 })
    assert.deepStrictEqual(store.find("a", 150), { value: 1, age: 100 })
    assert.isUndefined(store.find("a", 151))
    assert.strictEqual(store.size, 0)
    assert.isUndefined(store.find("b", 60))
  })

  it("a value that is undefined is a value", () => {
    const store = new LastGood<string, undefined>(100, 10)
    store.keep("a", undefined, 0)
    assert.deepStrictEqual(store.find("a", 1), { value: undefined, age: 1 })
  })

  it("an answer that was asked for earlier does not replace a later one", () => {
    const store = new LastGood<string, string>(100, 10)
    store.keep("a", "new", 5)
    store.keep("a", "old", 0)
    assert.strictEqual(store.find("a", 10)?.value, "new")
    store.keep("a", "as new", 5)
    assert.strictEqual(store.find("a", 10)?.value, "as new")
  })

  it("what is gone stays gone for older answers, and comes back with a newer one", () => {
    const store = new LastGood<string, string>(100, 10)
    store.keep("a", "v0", 0)
    store.forget("a", 5)
    store.keep("a", "asked before", 3)
    assert.isUndefined(store.find("a", 10))
    store.keep("a", "v1", 6)
    store.forget("a", 5)
    assert.strictEqual(store.find("a", 10)?.value, "v1")
  })

  it("what is gone at the very moment of its answer is gone, and does not count", () => {
    const store = new LastGood<string, number>(100, 10)
    for (const key of ["a", "b", "c"]) store.keep(key, 1, 5)
    store.forget("a", 5)
    assert.isUndefined(store.find("a", 5))
    assert.strictEqual(store.size, 2)
  })

  it("what is gone before its first answer stays gone as well, and takes no value's place", () => {
    const store = new LastGood<string, string>(100, 2)
    store.keep("b", "b", 0)
    store.forget("a", 5)
    store.keep("a", "asked before", 3)
    assert.isUndefined(store.find("a", 10))
    for (const key of ["c", "d", "e"]) store.forget(key, 5)
    assert.strictEqual(store.find("b", 10)?.value, "b")
    assert.strictEqual(store.size, 1)
  })

  it("holds no more than its capacity; what was replaced longest ago goes first", () => {
    const store = new LastGood<string, number>(100, 2)
    store.keep("a", 1, 0)
    store.keep("b", 1, 1)
    store.keep("a", 2, 2)
    store.keep("c", 1, 3)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => store.find(key, 4)?.value), [2, undefined, 1])
  })

  it("as many that are gone are known beside the values, the latest of them", () => {
    const store = new LastGood<string, number>(100, 2)
    for (const key of ["a", "b", "c"]) store.forget(key, 5)
    for (const key of ["a", "b", "c"]) store.keep(key, 1, 4)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => store.find(key, 6)?.value), [1, undefined, undefined])
  })

  it("what was written again stays, and so does what came back after it was gone", () => {
    const store = new LastGood<string, number>(100, 2)
    store.keep("a", 1, 0)
    store.forget("b", 0)
    store.keep("b", 1, 1)
    store.keep("a", 2, 2)
    store.keep("c", 1, 3)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => store.find(key, 4)?.value), [2, undefined, 1])
    assert.strictEqual(store.size, 2)
  })

  const Operation = Schema.Struct({
    kind: Schema.Literals(["keep", "forget", "find"]),
    key: Schema.Literals(["a", "b", "c", "d"]),
    began: Schema.Literals([0, 3, 8, 20])
  })

  it.prop("agrees with a list of all that ever happened", [Schema.Array(Operation)], ([operations]) => {
    const timeToLive = 30
    const store = new LastGood<string, number>(timeToLive, 10)
    let history: Array<{ readonly key: string; readonly since: number; readonly value: number | undefined }> = []
    operations.forEach(({ began, key, kind }, i) => {
      const now = i * 5 + 20
      const since = now - began
      const known = history.filter((entry) => entry.key === key)
        .reduce<typeof history[number] | undefined>(
          (best, entry) => best && best.since > entry.since ? best : entry,
          undefined
        )
      if (kind === "keep") history.push({ key, since, value: i })
      else if (kind === "forget") history.push({ key, since, value: undefined })
      else {
        const expected = known === undefined || known.value === undefined || now - known.since > timeToLive
          ? undefined
          : { value: known.value, age: now - known.since }
        assert.deepStrictEqual(store.find(key, now), expected)
        if (known?.value !== undefined && now - known.since > timeToLive) {
          history = history.filter((entry) => entry.key !== key)
        }
      }
      if (kind === "keep") store.keep(key, i, since)
      if (kind === "forget") store.forget(key, since)
      assert.isAtMost(store.size, 4)
    })
  })
})
