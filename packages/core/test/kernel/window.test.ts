import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { CountWindow, Rolling, RollingAtLeast, TimeWindow } from "../../src/kernel/window.ts"

const S = false
const F = true

describe("kernel/window", () => {
  describe("CountWindow", () => {
    it("forgets the oldest call: resilience4j FixedSizeSlidingWindowMetricsTest W2a", () => {
      const window = new CountWindow(4)
      const rates = [F, S, S, S, S].map((failed) => {
        window.record(0, failed, false)
        return [window.calls, window.failures]
      })
      assert.deepStrictEqual(rates, [[1, 1], [2, 1], [3, 1], [4, 1], [4, 0]])
    })

    it("counts failures and slow calls apart: resilience4j W2b", () => {
      const window = new CountWindow(2)
      const seen = ([[F, true], [S, true], [S, false], [S, false]] as const).map(([failed, slow]) => {
        window.record(0, failed, slow)
        return [window.calls, window.slow, window.failures]
      })
      assert.deepStrictEqual(seen, [[1, 1, 1], [2, 2, 1], [2, 1, 0], [2, 0, 0]])
    })

    it("keeps a ring of the last ones: cockatiel CountBreaker W6", () => {
      const window = new CountWindow(5)
      for (let i = 0; i < 9; i++) window.record(0, i % 3 === 0, false)
      assert.deepStrictEqual([window.calls, window.failures], [5, 1])
    })

    it("counts successes from before the first failure, and from before the ring was full", () => {
      const window = new CountWindow(3)
      for (let i = 0; i < 7; i++) window.record(0, S, false)
      window.record(0, F, false)
      assert.deepStrictEqual([window.calls, window.failures], [3, 1])
      window.record(0, S, false)
      window.record(0, S, false)
      assert.deepStrictEqual([window.calls, window.failures], [3, 1])
      window.record(0, S, false)
      assert.deepStrictEqual([window.calls, window.failures], [3, 0])
    })

    it.prop("is the naive window", [
      Schema.Array(Schema.Tuple([Schema.Boolean, Schema.Boolean])),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
    ], ([outcomes, size]) => {
      const window = new CountWindow(size)
      outcomes.forEach(([failed, slow], i) => {
        window.record(0, failed, slow)
        const last = outcomes.slice(Math.max(0, i + 1 - size), i + 1)
        assert.deepStrictEqual(
          [window.calls, window.failures, window.slow],
          [last.length, last.filter(([failed]) => failed).length, last.filter(([, slow]) => slow).length]
        )
      })
    })
  })

  describe("TimeWindow", () => {
    const read = (window: TimeWindow, now: number): readonly [number, number] => {
      window.age(now)
      return [window.calls, window.failures]
    }

    it("is empty at first: Polly RollingHealthMetricsTests W1a", () => {
      assert.deepStrictEqual(read(new TimeWindow(10_000), 5000), [0, 0])
    })

    it("counts what came within the span: W1b, W1c", () => {
      const window = new TimeWindow(10_000)
      const seen: Array<readonly [number, number]> = []
      for (let i = 0; i < 5; i++) {
        window.record(i * 2000, i < 2, false)
        window.record(i * 2000, S, false)
        seen.push(read(window, i * 2000 + 1999))
      }
      assert.deepStrictEqual(seen, [[2, 1], [4, 2], [6, 2], [8, 2], [10, 2]])
      assert.deepStrictEqual(read(window, 10_000), [8, 1])
      assert.deepStrictEqual(read(window, 12_000), [6, 0])
    })

    it("forgets everything after the span, when it is read: W1e", () => {
      const window = new TimeWindow(10_000)
      window.record(0, S, false)
      window.record(0, F, false)
      assert.deepStrictEqual(read(window, 9999), [2, 1])
      assert.deepStrictEqual(read(window, 10_000), [0, 0])
    })

    it("an hour of silence empties it: cockatiel #64 counts four old failures with one new", () => {
      const window = new TimeWindow(30_000)
      for (let i = 0; i < 4; i++) window.record(i, F, false)
      window.record(3_600_000, F, false)
      assert.deepStrictEqual(read(window, 3_600_000), [1, 1])
    })

    it("a clock that is set far ahead is not followed bucket by bucket", () => {
      const window = new TimeWindow(1000)
      window.record(0, F, false)
      window.record(200, F, false)
      window.record(1e15, S, false)
      assert.deepStrictEqual(read(window, 1e15), [1, 0])
    })

    it("slow calls age as failures do", () => {
      const window = new TimeWindow(10_000)
      window.record(0, S, true)
      window.record(5000, F, true)
      assert.strictEqual(window.slow, 2)
      window.age(10_000)
      assert.deepStrictEqual([window.calls, window.failures, window.slow], [1, 1, 1])
      window.age(15_000)
      assert.strictEqual(window.slow, 0)
    })

    it("a time that does not advance, or goes back, loses nothing", () => {
      const window = new TimeWindow(1000)
      window.record(5000, F, false)
      window.record(4000, F, false)
      assert.deepStrictEqual(read(window, 4000), [2, 2])
      assert.deepStrictEqual(read(window, 5000), [2, 2])
    })

    it.prop(
      "is never further from the naive window than a bucket",
      [Schema.Array(Schema.Tuple([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 })), Schema.Boolean]))],
      ([steps]) => {
        const window = new TimeWindow(1000)
        const log: Array<readonly [number, boolean]> = []
        let now = 0
        for (const [gap, failed] of steps) {
          now += gap
          window.record(now, failed, false)
          log.push([now, failed])
          const within = (span: number): number => log.filter(([at]) => now - at < span).length
          assert.isTrue(window.calls <= within(1000) && window.calls >= within(900), `at ${now}`)
          assert.isTrue(window.failures <= log.filter(([at, failed]) => failed && now - at < 1000).length)
        }
      }
    )
  })

  describe("Rolling", () => {
    const Step = Schema.Struct({
      act: Schema.Literals(["add", "add", "take back", "age", "clear"]),
      gap: Schema.Literals([0, 0, 1, 30, 99, 100, 370, 1500]),
      kind: Schema.Literals([0, 1]),
      amount: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
    })

    it("that holds at least its span forgets a bucket a span after the last amount in it, and takes nothing back then", () => {
      const window = new RollingAtLeast(1000, 1)
      const marks = [1010, 1030].map((at) => window.add(0, at))
      const totals = [2010, 2029, 2030].map((at) => {
        window.age(at)
        return window.total(0)
      })
      assert.deepStrictEqual(totals, [2, 2, 0])
      for (const mark of marks) window.takeBack(0, mark, 2030)
      assert.strictEqual(window.total(0), 0)
    })

    for (const [holds, least, most] of [["at most", 900, 1000], ["at least", 1000, 1100]] as const) {
      it.prop(`that holds ${holds} its span is the naive window, or no further from it than a bucket`, [
        Schema.Array(Step)
      ], ([steps]) => {
        const window = holds === "at most" ? new Rolling(1000, 2) : new RollingAtLeast(1000, 2)
        let log: Array<{ readonly at: number; readonly kind: number; readonly mark: number; amount: number }> = []
        let now = 0
        for (const { act, amount, gap, kind } of steps) {
          now += gap
          switch (act) {
            case "add":
              log.push({ at: now, kind, amount, mark: window.add(kind, now, amount) })
              break
            case "take back": {
              const last = log.at(-1)
              if (last === undefined) break
              window.takeBack(last.kind, last.mark, now, last.amount)
              last.amount = 0
              break
            }
            case "age":
              window.age(now)
              break
            case "clear":
              window.clear()
              log = []
          }
          window.age(now)
          for (const each of [0, 1]) {
            const within = (span: number): number =>
              log.filter(({ at, kind }) => kind === each && now - at < span).reduce(
                (sum, { amount }) => sum + amount,
                0
              )
            assert.isAtLeast(window.total(each), within(least), `at ${now}`)
            assert.isAtMost(window.total(each), within(most), `at ${now}`)
          }
        }
      })
    }
  })
})
