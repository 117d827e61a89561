import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import {
  O1AuthError,
  O1ConnectionError,
  O1ContentFilterError,
  O1DeploymentError,
  O1Error,
  O1OutputLimitError,
  O1ProtocolError,
  O1RateLimitError,
  O1RejectedError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../../src/O1Error.ts"
import { isUnfit, Slowness } from "../../src/pool/fitness.ts"
import { isSlow } from "../../src/transport/route.ts"

describe("pool/fitness", () => {
  const table: Record<"unfit" | "too slow" | "neither", ReadonlyArray<O1Error>> = {
    unfit: [
      ...(["unauthorized", "forbidden", "token-expired"] as const).map((kind) => new O1AuthError({ kind })),
      ...(["deployment-not-found", "endpoint-not-found", "model-retired"] as const)
        .map((kind) => new O1DeploymentError({ kind })),
      ...(["tls", "client-closed", "unusable"] as const).map((kind) => new O1ConnectionError({ kind })),
      new O1RateLimitError({ kind: "quota" }),
      new O1ServerError({ kind: "not-implemented" }),
      new O1ProtocolError({ kind: "unexpected-content-type" })
    ],
    "too slow": (["attempt", "first", "headers", "first-byte", "byte-idle", "idle", "service", "gateway"] as const)
      .map((kind) => new O1TimeoutError({ kind })),
    neither: [
      new O1AuthError({ kind: "credential" }),
      ...(["connect", "total"] as const)
        .map((kind) => new O1TimeoutError({ kind })),
      ...(["refused", "reset", "dns", "closed"] as const).map((kind) => new O1ConnectionError({ kind })),
      ...(["requests", "tokens", "capacity", "request-exceeds-limit"] as const)
        .map((kind) => new O1RateLimitError({ kind })),
      new O1RateLimitError({ kind: "quota", retryAfter: Duration.days(1) }),
      ...(["internal", "unavailable", "upstream", "conflict"] as const).map((kind) => new O1ServerError({ kind })),
      ...(["invalid", "unsupported-parameter", "context-length", "operation-not-supported"] as const)
        .map((kind) => new O1RequestError({ kind })),
      new O1ContentFilterError({ kind: "prompt", categories: [] }),
      new O1OutputLimitError({ kind: "reasoning-exhausted" }),
      new O1ProtocolError({ kind: "truncated" }),
      new O1RejectedError({ kind: "circuit-open" })
    ]
  }
  for (const [name, errors] of Object.entries(table)) {
    for (const error of errors) {
      it(`${O1Error.label(error)}${"retryAfter" in error && error.retryAfter ? " with a pause" : ""}: ${name}`, () => {
        assert.deepStrictEqual([isUnfit(error), isSlow(error)], [name === "unfit", name === "too slow"])
      })
    }
  }

  type Step = readonly ["timeout" | "answer" | "failure", "a" | "b", number]
  const rows: ReadonlyArray<readonly [string, ReadonlyArray<Step>, boolean]> = [
    ["once is nothing", [["answer", "b", 0], ["timeout", "a", 1]], false],
    ["three in a row, and another one answered meanwhile", [
      ["timeout", "a", 1],
      ["answer", "b", 1],
      ["timeout", "a", 2],
      ["timeout", "a", 3]
    ], true],
    ["nobody else answered", [["timeout", "a", 1], ["timeout", "a", 2], ["timeout", "a", 3]], false],
    ["another one answered before", [
      ["answer", "b", 0],
      ["timeout", "a", 1],
      ["timeout", "a", 2],
      ["timeout", "a", 3]
    ], false],
    ["an answer in between begins the row anew", [
      ["timeout", "a", 1],
      ["timeout", "a", 2],
      ["answer", "a", 3],
      ["answer", "b", 4],
      ["timeout", "a", 5]
    ], false],
    ["so does another failure", [
      ["timeout", "a", 1],
      ["timeout", "a", 2],
      ["failure", "a", 3],
      ["answer", "b", 4],
      ["timeout", "a", 5]
    ], false],
    ["the timeouts of another one do not count", [
      ["timeout", "a", 1],
      ["timeout", "b", 2],
      ["answer", "b", 3],
      ["timeout", "a", 4]
    ], false],
    ["a fourth is enough by itself", [
      ["timeout", "a", 1],
      ["answer", "b", 1],
      ["timeout", "a", 2],
      ["timeout", "a", 3],
      ["timeout", "a", 60_004]
    ], true]
  ]
  for (const [name, steps, expected] of rows) {
    it(name, () => {
      const slowness = new Slowness()
      let slow = false
      for (const [what, member, at] of steps) {
        if (what === "timeout") slow = slowness.timedOut(member, at)
        else if (what === "answer") slowness.answered(member, at)
        else slowness.failed(member)
      }
      assert.strictEqual(slow, expected)
    })
  }
})
