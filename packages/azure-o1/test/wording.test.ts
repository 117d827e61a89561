import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { inspect } from "node:util"
import { noMetadata, type O1Completion } from "../src/O1Completion.ts"
import {
  type Attempt,
  O1AuthError,
  O1ConnectionError,
  O1ContentFilterError,
  O1DeploymentError,
  O1Error,
  O1OutputLimitError,
  O1ProtocolError,
  O1RateLimitError,
  O1RefusalError,
  O1RejectedError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../src/O1Error.ts"

const limit = Duration.seconds(3)

const every = {
  timeouts: ([
    "connect",
    "headers",
    "first-byte",
    "first",
    "byte-idle",
    "idle",
    "attempt",
    "total",
    "service",
    "gateway"
  ] as const)
    .map((kind) => new O1TimeoutError({ kind, limit })),
  rateLimits: (["requests", "tokens", "capacity", "request-exceeds-limit", "quota"] as const)
    .map((kind) => new O1RateLimitError({ kind })),
  servers: (["internal", "unavailable", "upstream", "conflict", "not-implemented"] as const)
    .map((kind) => new O1ServerError({ kind })),
  connections: (["refused", "reset", "dns", "tls", "closed", "client-closed", "unusable"] as const)
    .map((kind) => new O1ConnectionError({ kind })),
  requests: ([
    "invalid",
    "unsupported-parameter",
    "streaming-unsupported",
    "context-length",
    "too-large",
    "operation-not-supported",
    "response-not-found",
    "cancelled"
  ] as const).map((kind) => new O1RequestError({ kind })),
  auth: (["unauthorized", "forbidden", "token-expired", "credential"] as const).map((kind) =>
    new O1AuthError({ kind })
  ),
  deployments: (["deployment-not-found", "endpoint-not-found", "model-retired"] as const)
    .map((kind) => new O1DeploymentError({ kind })),
  filters: (["prompt", "completion"] as const).map((kind) => new O1ContentFilterError({ kind, categories: [] })),
  refusals: [new O1RefusalError({ kind: "refused", refusal: "I cannot." })],
  protocol: (["truncated", "malformed", "unexpected-content-type", "schema-mismatch"] as const)
    .map((kind) => new O1ProtocolError({ kind })),
  limits: (["reasoning-exhausted", "cut-off"] as const).map((kind) => new O1OutputLimitError({ kind })),
  rejected: (["circuit-open", "bulkhead", "limiter", "budget", "ceiling"] as const).map((kind) =>
    new O1RejectedError({ kind })
  )
}
const errors: ReadonlyArray<O1Error> = Object.values(every).flat()

const attempt = (seconds: number, delay?: number): Attempt => ({
  attempt: 1,
  deployment: "o1",
  duration: Duration.seconds(seconds),
  outcome: "O1ServerError/internal",
  delay: delay === undefined ? undefined : Duration.seconds(delay)
})

const completion: O1Completion = {
  id: "c",
  model: "o1",
  text: "x".repeat(5000),
  commentary: undefined,
  reasoning: undefined,
  refusal: undefined,
  finishReason: "length",
  toolCalls: [],
  usage: { input: 1, cachedInput: 0, output: 2, reasoning: 3 },
  warnings: [],
  requestId: undefined,
  region: undefined,
  metadata: noMetadata
}

describe("the words of errors", () => {
  for (const error of errors) {
    it(O1Error.label(error), () => {
      const whole = O1Error.with(error, {
        said: "please wait",
        detail: "x must be 1",
        requestId: "id",
        attempts: [attempt(1, 2), attempt(3)],
        partialText: "so far",
        resume: { responseId: "r", deployment: "o1", after: 3 }
      })
      for (const one of [error, whole]) {
        assert.match(one.message, /^[A-Z].*(\.|\(request id\))$/)
        assert.notMatch(one.message, /\.\.|\. \.|: \.|\(\)|undefined|[a-z] [A-Z][a-z]+ (the|your)\b.*\. \./)
        // every sentence ends before the next one begins
        assert.notMatch(one.message, /(wait|must be 1) [A-Z]/)
      }
      assert.include(whole.message, "The service said: please wait.")
      assert.include(whole.message, "x must be 1.")
      assert.include(whole.message, "after 2 attempts in 6 s")
      assert.include(whole.message, "(request id)")
      assert.notInclude(error.message, "The service said")
      assert.notInclude(error.message, "partialText", "there is none")
    })
  }

  it("name the text so far, or the answer, where there is one", () => {
    for (const error of errors) {
      assert.include(O1Error.with(error, { partialText: "x" }).message, "The text so far is in partialText.")
      assert.notInclude(O1Error.with(error, { partialText: "x", completion }).message, "partialText")
    }
    const cut = new O1OutputLimitError({ kind: "cut-off", completion })
    assert.strictEqual(cut.message.split("The answer is in completion.").length, 2)
  })

  it("are one line, whatever this client adds", () => {
    const { message } = new O1ProtocolError({ kind: "schema-mismatch", detail: "Expected string\n  at [\"a\"]" })
    assert.strictEqual(message, "The answer does not fit the schema: Expected string at [\"a\"].")
  })

  it("give no advice that does not apply", () => {
    const said: ReadonlyArray<readonly [O1Error, RegExp, RegExp]> = [
      [new O1ProtocolError({ kind: "malformed" }), /between here and the service/, /maxBodyBytes/],
      [new O1ProtocolError({ kind: "malformed", detail: "too long (maxBodyBytes)" }), /maxBodyBytes/, /between here/],
      [new O1ConnectionError({ kind: "unusable", code: "UND_ERR_DESTROYED" }), /scope/, /proxy/],
      [
        new O1ConnectionError({ kind: "unusable", code: "ERR_INVALID_CHAR", reason: "TypeError" }),
        /HttpClient/,
        /scope/
      ],
      [new O1ConnectionError({ kind: "unusable", reason: "TypeError" }), /HttpClient/, /scope/],
      [new O1ConnectionError({ kind: "unusable" }), /scope/, /HttpClient/],
      [new O1ConnectionError({ kind: "unusable", code: "PROXY_407" }), /proxy/, /scope/]
    ]
    for (const [error, advice, none] of said) {
      assert.match(error.message, advice)
      assert.notMatch(error.message, none)
    }
  })

  it("give no advice on limits to a token that never came", () => {
    for (const error of every.auth) assert.notMatch(error.message, /timeout|effort/)
  })

  it("tell one attempt without its number, and the whole time where it was measured", () => {
    const error = new O1ServerError({ kind: "internal", attempts: [attempt(1)] })
    assert.notInclude(error.message, "attempt")
    const measured = O1Error.with(error, { attempts: [attempt(1), attempt(1)], elapsed: Duration.millis(12_430) })
    assert.include(measured.message, "The service failed after 2 attempts in 12.4 s.")
    const spans: ReadonlyArray<readonly [Duration.Input, string]> = [
      ["0 millis", "0 ms"],
      ["340 millis", "340 ms"],
      [
        "1 second",
        "1 s"
      ],
      ["59.94 seconds", "59.9 s"],
      ["253 seconds", "4m 13s"]
    ]
    for (const [elapsed, words] of spans) {
      assert.include(O1Error.with(measured, { elapsed: Duration.fromInputUnsafe(elapsed) }).message, `in ${words}.`)
    }
  })

  it("keep the end of a sentence that has one", () => {
    for (const said of ["Wait.", "Wait!", "Wait?", "He said \"wait.\"", "(Wait.)", "Wait…"]) {
      assert.include(new O1ServerError({ kind: "internal", said }).message, `The service said: ${said} Try`)
    }
  })
})

describe("what a logger writes down", () => {
  const error = new O1RateLimitError({
    kind: "tokens",
    said: "slow down",
    retryAfter: Duration.seconds(2),
    attempts: [attempt(1, 2), attempt(3)],
    elapsed: Duration.seconds(6),
    partialText: "y".repeat(3000),
    completion,
    usage: completion.usage,
    status: 429
  })

  it("as JSON", () => {
    const json = JSON.parse(JSON.stringify(error)) as Record<string, unknown>
    assert.deepInclude(json, {
      _tag: "O1RateLimitError",
      message: error.message,
      kind: "tokens",
      said: "slow down",
      retryAfter: 2000,
      elapsed: 6000,
      status: 429,
      usage: completion.usage,
      completion: { id: "c", model: "o1", finishReason: "length", usage: completion.usage }
    })
    assert.deepStrictEqual((json["attempts"] as ReadonlyArray<unknown>)[0], {
      attempt: 1,
      deployment: "o1",
      duration: 1000,
      outcome: "O1ServerError/internal",
      delay: 2000
    })
    assert.isBelow(JSON.stringify(json).length, 3000, "a long text is cut")
    assert.notProperty(json, "region", "what has no value is not there")
    assert.notProperty(json, "requestId")
  })

  it("has a message for every error, in JSON, on the console and in its stack", () => {
    for (const one of errors) {
      assert.strictEqual((JSON.parse(JSON.stringify(one)) as { readonly message: string }).message, one.message)
      assert.include(inspect(one), one.message)
      assert.include(one.stack ?? "", one.message)
      assert.include(String(one), one.message)
    }
  })

  it("a copy with more details says more", () => {
    const more = O1Error.with(new O1ServerError({ kind: "internal" }), { said: "boom" })
    for (const shown of [inspect(more), more.stack ?? "", String(more)]) {
      assert.include(shown, "The service said: boom.")
    }
    assert.notInclude(more.stack, "The service failed. Try")
  })
})
