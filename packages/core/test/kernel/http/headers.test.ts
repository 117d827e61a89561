import { assert, describe, it } from "@effect/vitest"
import * as kernel from "../../../src/kernel/http/headers.ts"

describe("kernel/http/headers", () => {
  it("the time that is left, in the form that the header has", () => {
    const rows: ReadonlyArray<readonly [number, string, string]> = [
      [1500.9, "1500", "1500m"],
      [0, "0", "0m"],
      [-3, "0", "0m"],
      [99_999_999, "99999999", "99999999m"],
      [100_000_999, "100000999", "100000S"],
      [1e14, "100000000000000", "99999999S"]
    ]
    for (const [remaining, plain, grpc] of rows) {
      assert.strictEqual(kernel.deadlineValue("x-time-left", remaining), plain)
      assert.strictEqual(kernel.deadlineValue("grpc-timeout", remaining), grpc)
    }
  })

  it("the number of the attempt, or of those before it", () => {
    assert.deepStrictEqual([1, 2, 3].map((n) => kernel.attemptValue("x-attempt-count", n)), ["1", "2", "3"])
    assert.deepStrictEqual(
      [1, 2, 3].map((n) => kernel.attemptValue("grpc-previous-rpc-attempts", n)),
      [undefined, "1", "2"]
    )
  })
})
