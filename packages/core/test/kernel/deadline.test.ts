import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { format, parse } from "../../src/kernel/deadline.ts"

const hour = 3_600_000

describe("kernel/deadline", () => {
  it("reads milliseconds and the form of grpc-timeout", () => {
    const cases: ReadonlyArray<readonly [string, number]> = [
      ["0", 0],
      ["1500", 1500],
      ["0001500", 1500],
      ["1500m", 1500],
      ["2S", 2000],
      ["3M", 180_000],
      ["1H", hour],
      ["1500000u", 1500],
      ["99999999n", 99.999999]
    ]
    for (const [header, expected] of cases) assert.closeTo(parse(header, hour)!, expected, 1e-9, header)
  })

  it("believes no more than max", () => {
    assert.strictEqual(parse("99999999H", hour), hour)
    assert.strictEqual(parse("999999999999999", hour), hour)
  })

  it("what is malformed says nothing", () => {
    for (
      const header of [
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "Infinity",
        "NaN",
        "soon",
        "m",
        "1 m",
        "1500 ",
        "1s",
        "2h",
        "1500ms",
        "1H30M"
      ]
        .concat("123456789m", "1500, 1500", "1".repeat(16), "9".repeat(100_000), "١٢", "1\n", "\n1")
    ) {
      assert.isUndefined(parse(header, hour), JSON.stringify(header))
    }
  })

  it("rounds down and stays within bounds", () => {
    assert.strictEqual(format(1500.9), "1500")
    assert.strictEqual(format(0.9), "0")
    assert.strictEqual(format(-5), "0")
    assert.strictEqual(format(1e300), "999999999999999")
    assert.strictEqual(format(1e21), "999999999999999")
  })

  it.prop("what was written is read again", [Schema.Finite], ([millis]) => {
    const written = format(millis)
    assert.match(written, /^\d{1,15}$/)
    assert.strictEqual(parse(written, Infinity), Number(written))
    if (millis >= 0 && millis < 1e14) assert.isAtMost(Number(written), millis)
  })
})
