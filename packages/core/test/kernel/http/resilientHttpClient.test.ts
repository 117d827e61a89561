import { assert, describe, it } from "@effect/vitest"
import * as kernel from "../../../src/kernel/http/resilientHttpClient.ts"

const cyclic: { cause: unknown } = { cause: undefined }
cyclic.cause = cyclic
const cyclicErrors: { readonly errors: Array<unknown> } = { errors: [] }
cyclicErrors.errors.push(cyclicErrors)

describe("kernel/http/resilientHttpClient", () => {
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
    ["a name that does not resolve, by its code alone", { code: "ENOTFOUND" }, true],
    ["a name server that is busy, by its code alone", { code: "EAI_AGAIN" }, true],
    ["a name server that fails", { code: "EAI_FAIL", syscall: "getaddrinfo" }, true],
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
    ["a cause in a circle", cyclic, false],
    ["errors in a circle", cyclicErrors, false]
  ]
  for (const [name, error, expected] of sent) {
    it(`neverSent: ${name}: ${expected}`, () => {
      assert.strictEqual(kernel.neverSent(error), expected)
    })
  }

  const waits: ReadonlyArray<readonly [string, number, Record<string, string>, number, number | undefined]> = [
    ["a timeout of a gateway, after the deadline", 504, {}, -5, 10],
    ["a timeout of a gateway, at the deadline", 504, {}, 0, 10],
    ["within the resolution of both timers", 504, {}, 2, 12],
    ["too early to be because of the deadline", 504, {}, 2.1, undefined],
    ["no time at all", 504, {}, Infinity, undefined],
    ["a service that does no late work", 503, {}, 1, 11],
    ["a service that is down", 503, { "retry-after": "5" }, 1, undefined],
    ["DEADLINE_EXCEEDED", 200, { "grpc-status": "4" }, 1, 11],
    ["UNAVAILABLE", 200, { "grpc-status": "14" }, 1, undefined],
    ["a server's bug", 500, {}, -1, undefined]
  ]
  for (const [name, status, headers, remaining, expected] of waits) {
    it(`waitForDeadline: ${name}: ${expected}`, () => {
      assert.strictEqual(kernel.waitForDeadline({ status, headers }, remaining), expected)
    })
  }

  it("waitForDeadline: a connection that is cut when the time is over, and not before", () => {
    assert.deepStrictEqual([-1, 2, 3].map((remaining) => kernel.waitForDeadline(undefined, remaining)), [
      10,
      12,
      undefined
    ])
  })
})
