import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Course, drawOf, hits, seedOf, shareAt } from "../../src/kernel/chaos.ts"

const window: Course = { shape: "window", after: 100, duration: 50, every: Infinity }
const ramp: Course = { shape: "ramp", after: 100, duration: 200, every: Infinity }

const share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))

describe("when there is chaos", () => {
  const table: ReadonlyArray<readonly [Course | undefined, elapsed: number, share: number]> = [
    [undefined, 0, 1],
    [undefined, 1e9, 1],
    [window, 0, 0],
    [window, 99.9, 0],
    [window, 100, 1],
    [window, 149.9, 1],
    [window, 150, 0],
    [window, 1e9, 0],
    [{ ...window, every: 60 }, 99, 0],
    [{ ...window, every: 60 }, 155, 0],
    [{ ...window, every: 60 }, 160, 1],
    [{ ...window, every: 60 }, 100 + 60 * 1000 + 49, 1],
    [{ ...window, every: 50 }, 1234, 1],
    [{ ...window, duration: Infinity }, 1e9, 1],
    [ramp, 99, 0],
    [ramp, 100, 0],
    [ramp, 150, 0.25],
    [ramp, 300, 1],
    [ramp, 1e9, 1]
  ]
  for (const [course, elapsed, expected] of table) {
    it(`${JSON.stringify(course) ?? "always"} at ${elapsed}: ${expected}`, () => {
      assert.strictEqual(shareAt(course, elapsed), expected)
    })
  }
})

describe("who is hit", () => {
  const count = (ratio: number, of: string, calls: number): number =>
    Array.from({ length: calls }, (_, n) => hits(ratio, drawOf(seedOf(of), n))).filter(Boolean).length

  it("none of the calls at 0, all at 1, and as many in every run at .5", () => {
    assert.deepStrictEqual([0, 1, 0.5].map((ratio) => count(ratio, "monday", 1000)), [0, 1000, 483])
    assert.strictEqual(count(0.5, "tuesday", 1000), 492)
  })

  it("as many as the ratio says, whatever the seed", () => {
    for (const ratio of [0.001, 0.01, 0.1, 0.5, 0.9]) {
      for (let day = 0; day < 20; day++) {
        const calls = 20_000
        const deviation = Math.sqrt(calls * ratio * (1 - ratio))
        assert.closeTo(count(ratio, `day ${day}`, calls), calls * ratio, 4.5 * deviation)
      }
    }
  })

  it("draws lie in [0, 1), and neighbours in number or in seed say nothing of each other", () => {
    const pairs = [
      (n: number) => [drawOf(7, n), drawOf(7, n + 1)],
      (n: number) => [drawOf(seedOf(`a${n}`), 0), drawOf(seedOf(`a${n + 1}`), 0)],
      (n: number) => [drawOf(seedOf("chaos fault a"), n), drawOf(seedOf("chaos fault b"), n)]
    ]
    for (const pair of pairs) {
      const drawn = Array.from({ length: 10_000 }, (_, n) => pair(n) as [number, number])
      assert.isTrue(drawn.every(([x]) => x >= 0 && x < 1))
      const correlation = 12 * drawn.reduce((sum, [x, y]) => sum + (x - 0.5) * (y - 0.5), 0) / drawn.length
      assert.closeTo(correlation, 0, 0.045)
    }
  })

  it.prop("a larger ratio hits whoever a smaller one does", [share, share, seed, Schema.Int], ([a, b, seed, n]) => {
    const [small, large] = [Math.min(a, b), Math.max(a, b)]
    return !hits(small, drawOf(seed, n)) || hits(large, drawOf(seed, n))
  })
})
