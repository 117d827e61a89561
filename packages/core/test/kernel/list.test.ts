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
  for (let item = list.last; item !== undefined; item = list.before(item)) names.push(item.name)
  return names
}

describe("kernel/list", () => {
  const Step = Schema.Struct({
    act: Schema.Literals(["push", "push", "insert", "delete"]),
    list: Schema.Literals([0, 1]),
    item: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    behind: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
  })

  it.prop("two lists that share their members are two arrays that do", [Schema.Array(Step)], ([steps]) => {
    const items = Array.from({ length: 6 }, (_, name) => new Item(name))
    const lists = [new List<Item>(), new List<Item>()] as const
    const model: [Array<number>, Array<number>] = [[], []]
    for (const { act, behind, item, list } of steps) {
      const known = model[list].includes(item)
      const at = behind === item ? -1 : model[list].indexOf(behind)
      if (act !== "delete") {
        if (act === "push") lists[list].push(items[item]!)
        else {
          items[item]!.list?.delete(items[item]!)
          lists[list].insert(items[item]!, at < 0 ? undefined : items[behind])
        }
        model[0] = model[0].filter((other) => other !== item)
        model[1] = model[1].filter((other) => other !== item)
        model[list].splice(act === "push" ? Infinity : model[list].indexOf(at < 0 ? -1 : behind) + 1, 0, item)
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
