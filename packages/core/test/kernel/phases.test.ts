import { assert, describe, it } from "@effect/vitest"
import { type Limits, Phases } from "../../src/kernel/phases.ts"

const phases = (limits: Partial<Limits>): Phases =>
  new Phases({ first: Infinity, idle: Infinity, total: Infinity, ...limits }, 1000)

describe("kernel/phases", () => {
  it("first runs from the start to the first progress, whoever is slow", () => {
    const clock = phases({ first: 100 })
    assert.deepStrictEqual([clock.phase, clock.due], ["first", 1100])
    clock.pulled(1050)
    clock.produced(1060, false)
    clock.pulled(1080)
    assert.deepStrictEqual([clock.phase, clock.due], ["first", 1100])
    assert.strictEqual(clock.elapsed("first", 1100), 100)
    clock.produced(1090, true)
    assert.isTrue(clock.unlimited)
  })

  it("idle starts with the first progress and leaves out the consumer's time", () => {
    const clock = phases({ idle: 100 })
    clock.pulled(1000)
    assert.strictEqual(clock.due, Infinity)
    clock.produced(1500, true)
    clock.pulled(9000)
    assert.deepStrictEqual([clock.phase, clock.due], ["idle", 9100])
  })

  it("idle goes on over elements that are no progress", () => {
    const clock = phases({ idle: 100 })
    clock.produced(1000, true)
    clock.pulled(2000)
    clock.produced(2060, false)
    clock.pulled(5000)
    assert.deepStrictEqual([clock.phase, clock.due], ["idle", 5040])
    assert.strictEqual(clock.elapsed("idle", 5040), 100)
    clock.produced(5010, true)
    clock.pulled(6000)
    assert.strictEqual(clock.due, 6100)
  })

  it("total counts everything and wins a tie", () => {
    const clock = phases({ first: 100, total: 100 })
    assert.deepStrictEqual([clock.phase, clock.due], ["total", 1100])
    clock.produced(1010, true)
    clock.pulled(1090)
    assert.deepStrictEqual([clock.phase, clock.due], ["total", 1100])
    assert.strictEqual(clock.elapsed("total", 1100), 100)
  })

  it("the phase that ends first is the one that is due", () => {
    const clock = phases({ first: 100, idle: 50, total: 1000 })
    assert.strictEqual(clock.phase, "first")
    clock.produced(1090, true)
    clock.pulled(1100)
    assert.deepStrictEqual([clock.phase, clock.due], ["idle", 1150])
    clock.produced(1140, true)
    clock.pulled(1980)
    assert.deepStrictEqual([clock.phase, clock.due], ["total", 2000])
  })

  it("has limits until the one it has is over", () => {
    assert.isFalse(phases({ first: 1 }).unlimited)
    assert.isFalse(phases({ idle: 1 }).unlimited)
    assert.isFalse(phases({ total: 1 }).unlimited)
    assert.isTrue(phases({}).unlimited)
  })
})
