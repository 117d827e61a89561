import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Linked, List } from "../../src/kernel/list.ts"

class Item extends Linked {
  readonly name: number

  constructor(name: number) {
    super()
    this.name = name
  }
}

const forwards = (list: List<Item>): Array<number> => {
  const names: Array<number> = []
  for (let item = list.first; item !== undefined; item = list.after(item)) names.push(item.name)
  return names
}

const backwards = (list: List<Item>): Array<number> => {
  const names: Array<number> = []
  for (let item: Linked | undefined = list.last; item !== undefined; item = item.older) names.push((item as Item).name)
  return names
}

describe("kernel/list", () => {
  const Step = Schema.Struct({
    act: Schema.Literals(["push", "push", "delete"]),
    list: Schema.Literals([0, 1]),
    item: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
  })

  it.prop("two lists that share their members are two arrays that do", [Schema.Array(Step)], ([steps]) => {
    const items = Array.from({ length: 6 }, (_, name) => new Item(name))
    const lists = [new List<Item>(), new List<Item>()] as const
    const model: [Array<number>, Array<number>] = [[], []]
    for (const { act, item, list } of steps) {
      const known = model[list].includes(item)
      if (act === "push") {
        lists[list].push(items[item]!)
        model[0] = model[0].filter((other) => other !== item)
        model[1] = model[1].filter((other) => other !== item)
        model[list].push(item)
      } else {
        assert.strictEqual(lists[list].delete(items[item]!), known)
        model[list] = model[list].filter((other) => other !== item)
      }
      for (const i of [0, 1] as const) {
        assert.deepStrictEqual(forwards(lists[i]), model[i])
        assert.deepStrictEqual(backwards(lists[i]), model[i].toReversed())
        assert.strictEqual(lists[i].size, model[i].length)
        for (const { name } of items) assert.strictEqual(lists[i].has(items[name]!), model[i].includes(name))
      }
    }
  })
})
