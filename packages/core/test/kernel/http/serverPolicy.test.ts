import { assert, describe, it } from "@effect/vitest"
import * as kernel from "../../../src/kernel/http/serverPolicy.ts"

describe("kernel/http/serverPolicy", () => {
  it("Retry-After: whole seconds, none too early, nothing where nobody knows", () => {
    const rows = [[1, "1"], [1000, "1"], [1001, "2"], [0, undefined], [Infinity, undefined], [
      undefined,
      undefined
    ]] as const
    for (const [millis, expected] of rows) assert.strictEqual(kernel.retryAfter(millis), expected, String(millis))
  })

  it("too many requests are the caller's affair, any other rejection the server's", () => {
    assert.deepStrictEqual([true, false].map(kernel.rejectedStatus), [429, 503])
  })
})
