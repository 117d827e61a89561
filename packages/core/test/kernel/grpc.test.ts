import { assert, describe, it } from "@effect/vitest"
import * as kernel from "../../src/kernel/grpc.ts"

describe("kernel/grpc", () => {
  it("every code has its kind, and one that gRPC does not know is UNKNOWN", () => {
    const expected = {
      Success: [0],
      Interrupted: [1],
      Transient: [2, 4, 13, 14, 17, -1, 1.5, NaN],
      Permanent: [3, 5, 6, 7, 9, 10, 11, 12, 15, 16],
      Throttled: [8]
    }
    for (const [kind, codes] of Object.entries(expected)) {
      for (const code of codes) assert.strictEqual(kernel.kindOfStatus(code), kind, String(code))
    }
  })

  it("a header is read as a whole, and what is no code is UNKNOWN", () => {
    const rows = [["0", 0], ["14", 14], ["", 2], ["1e1", 2], ["0x1", 2], [" 5", 2], ["UNAVAILABLE", 2]] as const
    for (const [header, code] of rows) assert.strictEqual(kernel.codeOf(header), code, header)
  })

  it("gRFC A6: a pushback that is negative or cannot be read wants no other attempt", () => {
    const rows = [["0", 0], ["1500", 1500], ["-1", Infinity], ["", Infinity], ["1.5", Infinity], [
      "soon",
      Infinity
    ]] as const
    for (const [header, millis] of rows) assert.strictEqual(kernel.pushback(header), millis, header)
  })
})
