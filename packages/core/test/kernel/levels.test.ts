import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Level, spread } from "../../src/kernel/levels.ts"

const rules = { overprovisioning: 1.4, panic: 0.5 }
const of = (...levels: ReadonlyArray<readonly [available: number, total: number]>): ReadonlyArray<Level> =>
  levels.map(([available, total]) => ({ available, total }))

type Row = readonly [
  levels: ReadonlyArray<readonly [available: number, total: number]>,
  loads: ReadonlyArray<number>,
  panics: ReadonlyArray<boolean>,
  rules?: Partial<typeof rules>
]

/**
 * Envoy, test/extensions/load_balancing_policies/common/load_balancer_impl_base_test.cc: `PrioritySelection`,
 * `OverProvisioningFactor`, `GentleFailover` and `GentleFailoverWithExtraLevels`, those without degraded and excluded hosts.
 */
const envoy: ReadonlyArray<Row> = [
  [[[0, 1], [0, 1]], [50, 50], [true, true]],
  [[[0, 1], [0, 2]], [34, 66], [true, true]],
  [[[0, 1], [0, 2], [1, 1]], [0, 0, 100], [false, false, false]],
  [[[1, 1], [0, 2], [1, 1]], [100, 0, 0], [false, false, false]],
  [[[2, 4], [2, 4]], [70, 30], [false, false]],
  [[[2, 4], [2, 4]], [50, 50], [false, false], { overprovisioning: 1 }],
  [[[1, 1], [1, 1]], [100, 0], [false, false]],
  [[[1, 2], [1, 2]], [70, 30], [false, false]],
  [[[1, 4], [2, 2]], [35, 65], [false, false]],
  [[[1, 4], [1, 4]], [50, 50], [true, true]],
  [[[1, 2], [1, 2], [1, 2]], [70, 30, 0], [false, false, false]],
  [[[1, 4], [2, 2], [1, 2]], [35, 65, 0], [false, false, false]],
  [[[1, 4], [1, 4], [1, 4]], [35, 35, 30], [false, false, false]],
  [[[1, 5], [1, 5], [1, 5]], [34, 33, 33], [true, true, true]],
  [[[0, 5], [0, 5], [5, 5]], [0, 0, 100], [false, false, false]],
  [[[0, 5], [0, 5], [4, 5]], [0, 0, 100], [false, false, false]],
  [[[0, 5], [0, 5], [2, 5]], [34, 33, 33], [true, true, true]],
  [[[0, 5], [0, 3], [0, 2]], [50, 30, 20], [true, true, true]],
  [[[0, 5], [2, 6], [1, 3]], [37, 42, 21], [true, true, true]],
  [[[0, 5], [2, 5], [1, 5]], [0, 67, 33], [false, false, false], { panic: 0 }],
  [[[0, 3], [0, 3], [0, 3]], [34, 33, 33], [true, true, true]],
  [[[0, 0], [0, 6], [0, 3]], [0, 67, 33], [true, true, true]]
]

const ours: ReadonlyArray<Row> = [
  // a level keeps everything as long as it has one
  [[[1, 9], [9, 9]], [100, 0], [false, false], { overprovisioning: Infinity }],
  [[[0, 9], [1, 9]], [0, 100], [false, false], { overprovisioning: Infinity }],
  // nobody panics, unless nothing is left
  [[[1, 9]], [100], [false], { panic: 0 }],
  [[[0, 9]], [100], [true], { panic: 0 }],
  // below half, and not below it
  [[[1, 2]], [100], [false]],
  [[[1, 3]], [100], [true]],
  [[], [], []]
]

describe("kernel/levels", () => {
  for (const [levels, loads, panics, changed] of [...envoy, ...ours]) {
    const what = changed === undefined ? "" : ` with ${JSON.stringify(changed)}`
    it(`${JSON.stringify(levels)} gets ${loads.join(", ")}${what}`, () => {
      assert.deepStrictEqual(spread(of(...levels), { ...rules, ...changed }), { loads, panics })
    })
  }

  const Some = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  it.prop(
    "the whole is given out, to nobody who has nothing, and a level before the one after it",
    [Schema.Array(Schema.Struct({ available: Some, gone: Some })).check(Schema.isMinLength(1))],
    ([parts]) => {
      const levels = parts.map(({ available, gone }) => ({ available, total: available + gone }))
      const { loads, panics } = spread(levels, rules)
      const hosts = levels.reduce((sum, { total }) => sum + total, 0)
      assert.strictEqual(loads.reduce((sum, load) => sum + load, 0), hosts === 0 ? 0 : 100)
      loads.forEach((load, i) => {
        assert.isAtLeast(load, 0)
        const { available, total } = levels[i]!
        if (available === 0 && !panics[i]!) assert.strictEqual(load, 0)
        if (total === 0) assert.strictEqual(load, 0)
      })
      const all = levels.findIndex(({ available, total }) => total > 0 && available === total)
      if (all >= 0) { for (const load of loads.slice(all + 1)) assert.strictEqual(load, 0) }
    }
  )
})
