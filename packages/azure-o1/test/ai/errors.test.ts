import { assert, describe, it } from "@effect/vitest"
import { AiError as Schemas } from "effect/ai"
import type * as AiError from "effect/ai/AiError"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { toAiError, toO1Error } from "../../src/ai/internal/errors.ts"
import * as errors from "../../src/O1Error.ts"

type Tag = AiError.AiErrorReason["_tag"]

const usage = { input: 5, cachedInput: 0, output: 7, reasoning: 7 }
const retryAfter = Duration.seconds(7)

const table: ReadonlyArray<readonly [errors.O1Error, Tag, details?: object]> = [
  ...(["requests", "tokens", "capacity"] as const).map((kind) =>
    [new errors.O1RateLimitError({ kind, retryAfter, status: 429 }), "RateLimitError", { retryAfter }] as const
  ),
  [new errors.O1RateLimitError({ kind: "quota" }), "QuotaExhaustedError"],
  [new errors.O1RateLimitError({ kind: "request-exceeds-limit" }), "InvalidRequestError"],
  ...(["connect", "headers", "first-byte", "first", "byte-idle", "idle", "attempt", "total"] as const).map((kind) =>
    [new errors.O1TimeoutError({ kind }), "NetworkError", { reason: "TransportError" }] as const
  ),
  [new errors.O1TimeoutError({ kind: "service", status: 408 }), "InternalProviderError"],
  [new errors.O1TimeoutError({ kind: "gateway", status: 504 }), "InternalProviderError"],
  ...(["internal", "unavailable", "upstream", "conflict"] as const).map((kind) =>
    [new errors.O1ServerError({ kind }), "InternalProviderError"] as const
  ),
  [new errors.O1ServerError({ kind: "not-implemented" }), "InvalidRequestError"],
  ...(["refused", "reset", "dns", "tls", "closed", "client-closed", "unusable"] as const).map((kind) =>
    [new errors.O1ConnectionError({ kind }), "NetworkError"] as const
  ),
  [
    new errors.O1RequestError({ kind: "unsupported-parameter", param: "temperature" }),
    "InvalidRequestError",
    { parameter: "temperature" }
  ],
  ...(["invalid", "context-length", "too-large", "response-not-found"] as const).map((kind) =>
    [new errors.O1RequestError({ kind }), "InvalidRequestError"] as const
  ),
  [new errors.O1RequestError({ kind: "cancelled" }), "UnknownError"],
  [new errors.O1AuthError({ kind: "unauthorized" }), "AuthenticationError", { kind: "InvalidKey" }],
  [new errors.O1AuthError({ kind: "forbidden" }), "AuthenticationError", { kind: "InsufficientPermissions" }],
  [new errors.O1AuthError({ kind: "token-expired" }), "AuthenticationError", { kind: "ExpiredKey" }],
  [new errors.O1AuthError({ kind: "credential" }), "AuthenticationError", { kind: "Unknown" }],
  [new errors.O1DeploymentError({ kind: "deployment-not-found" }), "InvalidRequestError"],
  [new errors.O1ContentFilterError({ kind: "prompt", categories: ["hate"] }), "ContentPolicyError"],
  [new errors.O1ContentFilterError({ kind: "completion", categories: [] }), "ContentPolicyError"],
  [new errors.O1RefusalError({ kind: "refused", refusal: "no" }), "ContentPolicyError"],
  [new errors.O1ProtocolError({ kind: "truncated" }), "NetworkError"],
  [new errors.O1ProtocolError({ kind: "malformed" }), "InvalidResponseError"],
  [new errors.O1ProtocolError({ kind: "unexpected-content-type" }), "InvalidResponseError"],
  [
    new errors.O1OutputLimitError({ kind: "reasoning-exhausted", usage }),
    "InvalidOutputError",
    { usage: { promptTokens: 5, completionTokens: 7, totalTokens: 12 } }
  ],
  [
    new errors.O1OutputLimitError({ kind: "cut-off", partialText: "{\"a", usage }),
    "StructuredOutputError",
    { responseText: "{\"a" }
  ],
  [new errors.O1RejectedError({ kind: "circuit-open", retryAfter }), "InternalProviderError"],
  ...(["bulkhead", "limiter", "budget", "ceiling"] as const).map((kind) =>
    [new errors.O1RejectedError({ kind, retryAfter }), "RateLimitError", { retryAfter }] as const
  )
]

describe("the reason of an error", () => {
  for (const [error, tag, details] of table) {
    it(`${errors.O1Error.label(error)} is ${tag}`, () => {
      const told = toAiError("generateText")(errors.O1Error.with(error, { requestId: "req-1", deployment: "o1" }))
      const { reason } = told
      assert.strictEqual(reason._tag, tag)
      if (details !== undefined) assert.deepInclude(reason, details)
      // whoever wants to know more finds the whole error behind it
      assert.strictEqual(errors.O1Error.label(toO1Error(told)), errors.O1Error.label(error))
      assert.include(JSON.stringify(reason), "req-1")
      // it can be written down
      const written = Schema.encodeUnknownSync(Schemas.AiError)(told)
      assert.strictEqual(Schema.decodeSync(Schemas.AiError)(written).reason._tag, tag)
    })
  }

  it("that another try may go better is said where the reason can say so", () => {
    const silent = table.flatMap(([error]) =>
      errors.O1Error.isTransient(error) && !toAiError("streamText")(error).isRetryable
        ? [errors.O1Error.label(error)]
        : []
    )
    assert.deepStrictEqual(silent, ["O1ProtocolError/malformed"])
  })

  it("an error of the framework has none behind it", () => {
    const reason = new Schemas.InvalidUserInputError({ description: "x" })
    assert.isUndefined(toO1Error(Schemas.make({ module: "m", method: "m", reason })))
  })
})
