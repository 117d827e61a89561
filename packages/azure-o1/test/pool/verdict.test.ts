import { assert, describe, it } from "@effect/vitest"
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
import { type Verdict, verdictOf } from "../../src/pool/verdict.ts"

describe("pool/verdict", () => {
  const table: Record<Verdict, ReadonlyArray<O1Error>> = {
    next: [
      ...(["connect", "headers", "first-byte", "first", "byte-idle", "idle", "attempt", "service", "gateway"] as const)
        .map((kind) => new O1TimeoutError({ kind })),
      ...(["requests", "tokens", "capacity"] as const).map((kind) => new O1RateLimitError({ kind })),
      ...(["internal", "unavailable", "upstream", "conflict"] as const).map((kind) => new O1ServerError({ kind })),
      ...(["refused", "reset", "dns", "closed"] as const).map((kind) => new O1ConnectionError({ kind })),
      ...(["truncated", "malformed"] as const).map((kind) => new O1ProtocolError({ kind })),
      new O1RejectedError({ kind: "circuit-open" }),
      new O1RequestError({ kind: "invalid", shouldRetry: true })
    ],
    gone: [
      new O1RateLimitError({ kind: "quota" }),
      new O1RateLimitError({ kind: "request-exceeds-limit" }),
      new O1ServerError({ kind: "not-implemented" }),
      new O1ServerError({ kind: "internal", shouldRetry: false }),
      new O1TimeoutError({ kind: "service", shouldRetry: false }),
      new O1ConnectionError({ kind: "tls" }),
      new O1ProtocolError({ kind: "unexpected-content-type" }),
      new O1ConnectionError({ kind: "client-closed" }),
      new O1ConnectionError({ kind: "unusable" }),
      new O1ProtocolError({ kind: "unexpected-content-type" }),
      ...(["unauthorized", "forbidden", "token-expired", "credential"] as const).map((kind) =>
        new O1AuthError({ kind })
      ),
      ...(["deployment-not-found", "endpoint-not-found", "model-retired"] as const)
        .map((kind) => new O1DeploymentError({ kind })),
      ...(["unsupported-parameter", "streaming-unsupported", "operation-not-supported", "response-not-found"] as const)
        .map((kind) => new O1RequestError({ kind }))
    ],
    larger: [new O1RequestError({ kind: "context-length" })],
    end: [
      ...(["invalid", "too-large", "cancelled"] as const).map((kind) => new O1RequestError({ kind })),
      new O1ContentFilterError({ kind: "prompt", categories: [] }),
      new O1ContentFilterError({ kind: "completion", categories: [], shouldRetry: true }),
      new O1OutputLimitError({ kind: "reasoning-exhausted" }),
      new O1OutputLimitError({ kind: "reasoning-exhausted", shouldRetry: true }),
      new O1TimeoutError({ kind: "total" }),
      new O1ProtocolError({ kind: "truncated", partialText: "so far" }),
      new O1ProtocolError({ kind: "unexpected-content-type", partialText: "so far" })
    ]
  }
  for (const [verdict, errors] of Object.entries(table)) {
    for (const error of errors) {
      const told = error.shouldRetry === undefined ? "" : ` x-should-retry: ${error.shouldRetry}`
      it(`${O1Error.label(error)}${told}${error.partialText === "" ? "" : " with text"}: ${verdict}`, () => {
        assert.strictEqual(verdictOf(error), verdict)
      })
    }
  }
})
