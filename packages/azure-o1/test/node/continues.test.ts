import { assert, describe, it } from "@effect/vitest"
import { withoutContinues } from "../../src/node/continues.ts"

const go = "HTTP/1.1 100 Continue\r\n\r\n"
const ok = "HTTP/1.1 200 OK\r\n\r\n"

describe("a 100 Continue", () => {
  const table: ReadonlyArray<readonly [string, string | undefined]> = [
    [ok, ok],
    [go + ok, ok],
    [go + go + ok, ok],
    [`HTTP/1.0 100\r\nx: y\r\n\r\n${ok}`, ok],
    [`${go}H`, undefined],
    [go, undefined],
    ["", undefined],
    ["HTTP/1.1 1", undefined],
    ["HTTP/1.1 10", undefined],
    ["HTTP/1.1 100 Con", undefined],
    ["HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n"],
    ["garbage", "garbage"],
    [`${go}garbage`, "garbage"]
  ]
  for (const [data, rest] of table) {
    it(`${JSON.stringify(data)} leaves ${JSON.stringify(rest)}`, () => {
      assert.strictEqual(withoutContinues(Buffer.from(data))?.toString(), rest)
    })
  }

  it("a head without an end is not awaited for ever", () => {
    const endless = Buffer.from(`HTTP/1.1 100 ${"x".repeat(20_000)}`)
    assert.strictEqual(withoutContinues(endless), endless)
  })
})
