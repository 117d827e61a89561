import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as kernel from "../../src/kernel/http.ts"

const cyclic: { cause: unknown } = { cause: undefined }
cyclic.cause = cyclic

describe("kernel/http", () => {
  it("idempotent are the methods of RFC 9110 section 9.2.2 and QUERY, and no others", () => {
    const methods = [
      "GET",
      "HEAD",
      "OPTIONS",
      "TRACE",
      "QUERY",
      "PUT",
      "DELETE",
      "POST",
      "PATCH",
      "CONNECT",
      "PROPFIND"
    ]
    assert.deepStrictEqual(methods.filter(kernel.isIdempotent), methods.slice(0, 7))
  })

  const sent: ReadonlyArray<readonly [string, unknown, boolean]> = [
    ["a refused connection, as fetch tells it", { cause: { code: "ECONNREFUSED", syscall: "connect" } }, true],
    ["a name that does not resolve", { cause: { code: "ENOTFOUND", syscall: "getaddrinfo" } }, true],
    ["undici's connect timeout", { cause: { code: "UND_ERR_CONNECT_TIMEOUT" } }, true],
    ["Bun", { code: "ConnectionRefused" }, true],
    ["an unreachable host while connecting", { code: "EHOSTUNREACH", syscall: "connect" }, true],
    ["an unreachable host later", { code: "EHOSTUNREACH", syscall: "write" }, false],
    ["a reset", { cause: { code: "ECONNRESET", syscall: "read" } }, false],
    ["a connection closed by the other side", { cause: { code: "UND_ERR_SOCKET" } }, false],
    ["one address refused, one timed out while connecting", {
      cause: { errors: [{ code: "ECONNREFUSED" }, { code: "ETIMEDOUT", syscall: "connect" }] }
    }, true],
    ["one address refused, one reset", { errors: [{ code: "ECONNREFUSED" }, { code: "ECONNRESET" }] }, false],
    ["no errors at all", { errors: [] }, false],
    ["no object", "ECONNREFUSED", false],
    ["nothing", null, false],
    ["a cause in a circle", cyclic, false]
  ]
  for (const [name, error, expected] of sent) {
    it(`neverSent: ${name}: ${expected}`, () => {
      assert.strictEqual(kernel.neverSent(error), expected)
    })
  }

  it("reads milliseconds and gRPC's units, and nothing else", () => {
    const read = {
      "250": 250,
      " 250 ": 250,
      "0": 0,
      "1H": 3_600_000,
      "2M": 120_000,
      "3S": 3000,
      "4m": 4,
      "5000u": 5,
      "6000000n": 6,
      "99999999H": 99_999_999 * 3_600_000
    }
    for (const [header, millis] of Object.entries(read)) {
      assert.approximately(kernel.parseRemaining(header)!, millis, 1e-9 * millis)
    }
    for (const header of ["", "-1", "1.5", "1e3", "5s", "S", "123456789m", "1 S", "soon", "1234567890123456"]) {
      assert.strictEqual(kernel.parseRemaining(header), undefined, header)
    }
  })

  it.prop("what is written is read again, and is never more than there was", [Schema.Finite], ([millis]) => {
    const written = kernel.parseRemaining(kernel.formatRemaining(millis))
    return Math.abs(millis) >= 1e15 || (written! <= Math.max(0, millis) && written! > millis - 1)
  })
})
