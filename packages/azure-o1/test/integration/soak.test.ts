import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { soak, verdict } from "../support/soak.ts"

describe("soak", () => {
  it.live(
    "2,000 calls of every kind at 20 % faults: each is right or typed, and nothing is left behind",
    () =>
      Effect.gen(function*() {
        const report = yield* soak({ calls: 2000, rate: 0.2, seed: 1, concurrency: 100 })
        assert.deepStrictEqual(report.wrong, [])
        assert.strictEqual(report.leaked, 0)
        const typed = Object.values(report.typed).reduce((total, n) => total + n, 0)
        assert.strictEqual(report.right + typed + report.left, 2000)
        for (const n of Object.values(report.proxied)) assert.isAbove(n, 0)
        assert.match(verdict(report), /^All 2000 calls ended with their own answer/)
        assert.isAtLeast(report.faults, 300)
        // how many attempts take too long is for the machine to say, and nothing else may keep a tenth from its answer
        const late = Object.entries(report.typed).filter(([label]) => label.startsWith("O1TimeoutError"))
        assert.isAtLeast(report.right + late.reduce((total, [, n]) => total + n, 0), 1700)
      }),
    120_000
  )
})
