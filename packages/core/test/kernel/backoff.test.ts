import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as kernel from "../../src/kernel/backoff.ts"

const delays = (sequence: kernel.Sequence, randoms: ReadonlyArray<number>): ReadonlyArray<number> =>
  randoms.map((random) => sequence.next(random))

const plain = (growth: kernel.Growth, cap: number, n: number): ReadonlyArray<number> =>
  delays(new kernel.Jittered(growth, kernel.none, cap), Array.from({ length: n }, () => 0))

const day = 24 * 60 * 60 * 1000
const Unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))

describe("kernel/backoff", () => {
  describe("growth", () => {
    it("exponential doubles: Polly RetryHelperTests J1d", () => {
      assert.deepStrictEqual(plain(kernel.exponential(1000, 2), Infinity, 3), [1000, 2000, 4000])
    })

    it("exponential with a cap: Finagle BackoffTest J5", () => {
      assert.deepStrictEqual(plain(kernel.exponential(2, 2), 15, 5), [2, 4, 8, 15, 15])
    })

    it("exponential from 128 ms to 30 s: cockatiel J3", () => {
      assert.deepStrictEqual(
        plain(kernel.exponential(128, 2), 30_000, 9),
        [128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 30_000]
      )
    })

    it("linear adds the increment: Polly J1b, Finagle J5", () => {
      assert.deepStrictEqual(plain(kernel.linear(1000, 1000), Infinity, 3), [1000, 2000, 3000])
      assert.deepStrictEqual(plain(kernel.linear(7, 10), Infinity, 5), [7, 17, 27, 37, 47])
      assert.deepStrictEqual(plain(kernel.linear(9, 30), 99, 5), [9, 39, 69, 99, 99])
    })

    it("fibonacci adds the two before", () => {
      assert.deepStrictEqual(
        plain(kernel.fibonacci(10), Infinity, 10),
        [10, 10, 20, 30, 50, 80, 130, 210, 340, 550]
      )
      assert.strictEqual(kernel.fibonacci(1)(69), 190_392_490_709_135)
    })

    it("saturates where it would overflow: Polly J1f", () => {
      assert.strictEqual(kernel.exponential(day, 2)(1000), kernel.longest)
      assert.strictEqual(kernel.exponential(day, 2)(5000), kernel.longest)
      assert.strictEqual(kernel.fibonacci(day)(5000), kernel.longest)
      assert.strictEqual(kernel.linear(day, kernel.longest)(5), kernel.longest)
      const capped = new kernel.Jittered(() => kernel.exponential(day, 2)(1000), kernel.none, 2 * day)
      assert.strictEqual(capped.next(0), 2 * day)
    })
  })

  describe("jitter", () => {
    it("proportional at its ends: Polly J1a", () => {
      const jitter = kernel.proportional(0.25)
      assert.deepStrictEqual([0, 0.4, 0.6, 1].map((random) => jitter(1000, random)), [750, 950, 1050, 1250])
    })

    it("full and equal at one half: cockatiel J3", () => {
      const randoms = [0.5, 0.5, 0.5, 0.5]
      const growth = kernel.exponential(128, 2)
      assert.deepStrictEqual(delays(new kernel.Jittered(growth, kernel.full, Infinity), randoms), [64, 128, 256, 512])
      assert.deepStrictEqual(delays(new kernel.Jittered(growth, kernel.equal, Infinity), randoms), [96, 192, 384, 768])
    })

    it("never exceeds the cap, jitter included: Polly J1e", () => {
      const sequence = new kernel.Jittered(kernel.constant(10_000), kernel.proportional(0.25), 1000)
      assert.deepStrictEqual(delays(sequence, [0.5, 1]), [1000, 1000])
    })
  })

  describe("decorrelated", () => {
    it("is U(base, 3 x previous), previous starting at the base: AWS simulator", () => {
      assert.deepStrictEqual(delays(new kernel.Decorrelated(5, 2000), [0, 1, 1, 0.5]), [5, 15, 45, 70])
    })

    it("stays capped once it has reached the cap, and can come back down", () => {
      assert.deepStrictEqual(delays(new kernel.Decorrelated(100, 1000), [1, 1, 1, 1, 0]), [300, 900, 1000, 1000, 100])
    })
  })

  describe("decorrelated V2", () => {
    it("follows Polly's formula", () => {
      const sequence = new kernel.DecorrelatedV2(1000, Infinity)
      const at = (t: number): number => 2 ** t * Math.tanh(Math.sqrt(4 * t))
      assert.closeTo(sequence.next(0.5), (at(0.5) * 1000) / 1.4, 1e-9)
      assert.closeTo(sequence.next(0.25), ((at(1.25) - at(0.5)) * 1000) / 1.4, 1e-9)
    })

    it("stays within the cap far beyond the range of numbers: Polly J1g", () => {
      const capped = new kernel.DecorrelatedV2(2000, 30_000)
      const uncapped = new kernel.DecorrelatedV2(2000, Infinity)
      for (let attempt = 0; attempt < 1100; attempt++) {
        const delay = capped.next(0.5)
        assert.isTrue(delay > 0 && delay <= 30_000, `attempt ${attempt}: ${delay}`)
        assert.isAbove(uncapped.next(0.5), 0)
      }
    })
  })

  it.prop(
    "every sequence stays in its bounds",
    [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })), Schema.Array(Unit)],
    ([base, randoms]) => {
      const cap = base * 50
      let ceiling = base
      const full = delays(new kernel.Jittered(kernel.exponential(base, 2), kernel.full, cap), randoms)
      const equal = delays(new kernel.Jittered(kernel.exponential(base, 2), kernel.equal, cap), randoms)
      const decorrelated = delays(new kernel.Decorrelated(base, cap), randoms)
      const v2 = delays(new kernel.DecorrelatedV2(base, Infinity), randoms)
      randoms.forEach((_, attempt) => {
        const unjittered = Math.min(cap, base * 2 ** attempt)
        assert.isTrue(full[attempt]! >= 0 && full[attempt]! <= unjittered)
        assert.isTrue(equal[attempt]! >= unjittered / 2 && equal[attempt]! <= unjittered)
        ceiling = Math.min(cap, 3 * (attempt === 0 ? base : decorrelated[attempt - 1]!))
        assert.isTrue(decorrelated[attempt]! >= Math.min(base, cap) && decorrelated[attempt]! <= ceiling)
        assert.isTrue(v2[attempt]! < base * 2 ** attempt * 4)
      })
    }
  )
})
