import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import {
  O1ConnectionError,
  O1ContentFilterError,
  O1Error,
  O1OutputLimitError,
  O1ProtocolError,
  O1RateLimitError,
  O1RefusalError,
  O1RequestError,
  O1ServerError
} from "../src/O1Error.ts"
import { breakerFault, retryFault } from "../src/policy/faults.ts"

/** What an error is to the breaker, to a retry, and to a retry that may begin the answer anew. */
const table: ReadonlyArray<readonly [O1Error, string, string, string]> = [
  [new O1ServerError({ kind: "internal" }), "Transient", "Transient", "Transient"],
  [new O1ServerError({ kind: "not-implemented" }), "Permanent", "Permanent", "Permanent"],
  [new O1ConnectionError({ kind: "unusable" }), "Interrupted", "Permanent", "Permanent"],
  [new O1RequestError({ kind: "invalid" }), "Permanent", "Permanent", "Permanent"],
  [new O1ContentFilterError({ kind: "prompt", categories: [] }), "Permanent", "Permanent", "Permanent"],
  [new O1RefusalError({ kind: "refused", refusal: "" }), "Permanent", "Permanent", "Permanent"],
  [new O1OutputLimitError({ kind: "cut-off", shouldRetry: true }), "Permanent", "Transient", "Transient"],
  [new O1RateLimitError({ kind: "tokens" }), "Throttled", "Throttled", "Throttled"],
  [new O1ProtocolError({ kind: "truncated" }), "Transient", "Transient", "Transient"],
  [new O1ProtocolError({ kind: "truncated", partialText: "x" }), "Transient", "Permanent", "Transient"],
  [new O1ProtocolError({ kind: "malformed", partialText: "x" }), "Transient", "Permanent", "Transient"],
  [new O1ProtocolError({ kind: "malformed", shouldRetry: false }), "Permanent", "Permanent", "Permanent"],
  [new O1ProtocolError({ kind: "unexpected-content-type" }), "Permanent", "Permanent", "Permanent"],
  [new O1ProtocolError({ kind: "schema-mismatch" }), "Permanent", "Permanent", "Permanent"]
]

describe("what an error is to the policies", () => {
  for (const [error, toBreaker, toRetry, toRestart] of table) {
    const text = error.partialText === "" ? "" : " with text"
    it(`${O1Error.label(error)}${text}${error.shouldRetry === undefined ? "" : `, ${error.shouldRetry}`}`, () => {
      const exit = Exit.fail(error)
      const wait = Duration.seconds(10)
      assert.deepStrictEqual([
        breakerFault(() => false)(exit, 0)?._tag,
        retryFault(false, wait)(exit, 0)?._tag,
        retryFault(true, wait)(exit, 0)?._tag
      ], [toBreaker, toRetry, toRestart])
    })
  }
})
