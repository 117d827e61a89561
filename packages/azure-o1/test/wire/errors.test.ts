import { Fault } from "@effect-resilience/core"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { Headers } from "effect/http"
import { inspect } from "node:util"
import { O1Error, O1ServerError } from "../../src/O1Error.ts"
import { fromCause, fromResponse } from "../../src/wire/errors.ts"
import cases from "../fixtures/azure-errors.json" with { type: "json" }

interface Case {
  readonly id: string
  readonly status: number
  readonly headers: Record<string, string>
  readonly body?: unknown
  readonly expect: {
    readonly kind: string
    readonly retryable: boolean
    readonly scope?: string
    readonly retryAfterMs?: number
    readonly retryAfterDate?: string
    readonly categories?: ReadonlyArray<string>
    readonly param?: string
    readonly limit?: number
    readonly requested?: number
  }
}

/** The neutral names of the cases. */
const labels: Record<string, string> = {
  Overloaded: "O1RateLimitError/capacity",
  QuotaExceeded: "O1RateLimitError/quota",
  RequestExceedsRateLimit: "O1RateLimitError/request-exceeds-limit",
  ServerError: "O1ServerError/internal",
  Unavailable: "O1ServerError/unavailable",
  UpstreamFailure: "O1ServerError/upstream",
  Conflict: "O1ServerError/conflict",
  ServiceTimeout: "O1TimeoutError/service",
  GatewayTimeout: "O1TimeoutError/gateway",
  Unauthorized: "O1AuthError/unauthorized",
  Forbidden: "O1AuthError/forbidden",
  DeploymentNotFound: "O1DeploymentError/deployment-not-found",
  EndpointNotFound: "O1DeploymentError/endpoint-not-found",
  ContentFiltered: "O1ContentFilterError/prompt",
  InvalidRequest: "O1RequestError/invalid",
  UnsupportedParameter: "O1RequestError/unsupported-parameter",
  StreamingUnsupported: "O1RequestError/streaming-unsupported",
  ContextLengthExceeded: "O1RequestError/context-length",
  RequestTooLarge: "O1RequestError/too-large",
  OperationNotSupported: "O1RequestError/operation-not-supported",
  ResponseNotFound: "O1RequestError/response-not-found",
  ClientClosedRequest: "O1ConnectionError/client-closed"
}

const labelOf = ({ expect: { kind, scope }, status }: Case): string => {
  if (kind === "RateLimited") return `O1RateLimitError/${scope ?? "requests"}`
  return kind === "ServerError" && status === 501 ? "O1ServerError/not-implemented" : labels[kind]!
}

const now = Date.UTC(2026, 10, 22, 16)

const errorOf = (status: number, body: unknown, headers: Record<string, string> = {}): O1Error =>
  fromResponse({
    status,
    headers: Headers.fromInput(headers),
    body: typeof body === "string" ? body : body === undefined || body === null ? "" : JSON.stringify(body),
    now,
    deployment: "my-o1",
    redact: (text) => text.replaceAll("SECRET", "<redacted>")
  })

const millis = (error: O1Error): number | undefined => {
  const hint = Fault.retryAfter(error[Fault.TypeId])
  return hint === undefined ? undefined : Duration.toMillis(hint)
}

const told = (message: string, code = "429"): unknown => ({ error: { code, message } })

describe("wire/errors", () => {
  describe("every recorded answer", () => {
    it("there are some", () => {
      assert.isAtLeast(cases.cases.length, 35)
    })
    for (const recorded of cases.cases as ReadonlyArray<Case>) {
      it(recorded.id, () => {
        const error = errorOf(recorded.status, recorded.body, recorded.headers)
        const { categories, limit, param, requested, retryAfterDate, retryAfterMs, retryable } = recorded.expect
        assert.strictEqual(O1Error.label(error), labelOf(recorded))
        assert.strictEqual(O1Error.isTransient(error), retryable)
        if (retryAfterMs !== undefined) assert.strictEqual(millis(error), retryAfterMs)
        if (retryAfterDate !== undefined) assert.strictEqual(millis(error), Date.parse(retryAfterDate) - now)
        if (categories !== undefined) assert.deepInclude(error, { categories })
        if (param !== undefined) assert.deepInclude(error, { param })
        if (limit !== undefined) assert.deepInclude(error, { limit, requested })
        assert.deepInclude(error, { deployment: "my-o1", status: recorded.status })
      })
    }
  })

  describe("statuses", () => {
    const table: ReadonlyArray<readonly [number, string]> = [
      [301, "O1DeploymentError/endpoint-not-found"],
      [400, "O1RequestError/invalid"],
      [401, "O1AuthError/unauthorized"],
      [403, "O1AuthError/forbidden"],
      [404, "O1DeploymentError/endpoint-not-found"],
      [408, "O1TimeoutError/service"],
      [409, "O1ServerError/conflict"],
      [413, "O1RequestError/too-large"],
      [418, "O1RequestError/invalid"],
      [424, "O1ServerError/upstream"],
      [429, "O1RateLimitError/requests"],
      [499, "O1ConnectionError/client-closed"],
      [500, "O1ServerError/internal"],
      [501, "O1ServerError/not-implemented"],
      [502, "O1ServerError/unavailable"],
      [503, "O1ServerError/unavailable"],
      [504, "O1TimeoutError/gateway"],
      [505, "O1ServerError/not-implemented"],
      [529, "O1ServerError/internal"]
    ]
    for (const [status, label] of table) {
      it(`${status} is ${label}, with whatever body`, () => {
        for (
          const body of [
            "",
            "<html><h1>Oops</h1></html>",
            "plain words",
            "{}",
            "[]",
            "null",
            "{\"error\":null}",
            "{\"error\":"
          ]
        ) {
          assert.strictEqual(O1Error.label(errorOf(status, body)), label, body)
        }
      })
    }
  })

  describe("kinds of 429", () => {
    const table: ReadonlyArray<readonly [string, unknown, Record<string, string>, string]> = [
      ["tokens by words", told("exceeded token rate limit of your tier"), {}, "tokens"],
      ["tokens by a gateway's words", { statusCode: 429, message: "Token limit is exceeded." }, {}, "tokens"],
      ["requests by words", told("have exceeded call rate limit of your tier"), {}, "requests"],
      ["OpenAI's type", { error: { code: "rate_limit_exceeded", type: "requests", message: "" } }, {}, "requests"],
      ["what is used up, by the headers", told("Too Many Requests"), {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "5"
      }, "tokens"],
      ["headers that know nothing", told("Too Many Requests"), {
        "x-ratelimit-limit-tokens": "-1",
        "x-ratelimit-remaining-tokens": "-1"
      }, "requests"],
      ["no capacity", told("The system is currently experiencing high demand"), {}, "capacity"],
      ["quota by code", told("You exceeded your current quota", "insufficient_quota"), {}, "quota"],
      [
        "larger than the minute",
        told("Rate limit reached: Limit 30000, Requested 45000."),
        {},
        "request-exceeds-limit"
      ],
      ["a whole day", told("Please retry after 86400 seconds."), {}, "requests"],
      ["a whole day for tokens", told("exceeded token rate limit. Please retry after 86400 seconds."), {}, "tokens"],
      ["too large, without numbers", told("Request too large for o1."), {}, "requests"]
    ]
    for (const [name, body, headers, kind] of table) {
      it(name, () => {
        assert.strictEqual(O1Error.label(errorOf(429, body, headers)), `O1RateLimitError/${kind}`)
      })
    }
  })

  describe("retry hints", () => {
    const table: ReadonlyArray<readonly [string, Record<string, string>, string, number | undefined]> = [
      [
        "milliseconds first",
        { "retry-after-ms": "1500", "x-ms-retry-after-ms": "1", "retry-after": "9" },
        "Retry after 8 seconds",
        1500
      ],
      ["then Azure's own header", { "x-ms-retry-after-ms": "2500", "retry-after": "9" }, "Retry after 8 seconds", 2500],
      ["then seconds", { "retry-after": "9" }, "Retry after 8 seconds", 9000],
      ["a date", { "retry-after": "Sun, 22 Nov 2026 16:00:07 GMT" }, "", 7000],
      ["a date that has passed", { "retry-after": "Sun, 22 Nov 2026 15:00:00 GMT" }, "", 0],
      ["the words last", {}, "Please retry after 8 seconds.", 8000],
      ["fractions in words", {}, "Please try again in 6.596s.", 6596],
      ["milliseconds in words", {}, "Please try again in 634ms.", 634],
      ["minutes in words", {}, "Try again in 2 minutes", 120_000],
      ["minutes and seconds in one", {}, "Please try again in 1m30.5s.", 90_500],
      ["hours, minutes and seconds in one", {}, "Try again in 2h3m4s", 7_384_000],
      ["an hour in words", {}, "Please retry after 1 hour.", 3_600_000],
      ["more than one unit in words", {}, "Try again in 1 hour, 2 minutes and 3 seconds.", 3_723_000],
      ["a clock", {}, "Out of call volume quota. Quota will be replenished in 00:12:30.", 750_000],
      ["a clock with days", {}, "Quota will be replenished in 2.01:00:00.", 176_400_000],
      ["a number of something else", {}, "Try again after 3 monkeys", undefined],
      ["zero", { "retry-after-ms": "0" }, "", 0],
      ["nonsense is passed over", { "retry-after-ms": "soon", "retry-after": "tomorrow" }, "", undefined],
      ["a negative number is passed over", { "retry-after-ms": "-5", "retry-after": "3" }, "", 3000],
      ["a fraction of a second", { "retry-after": "2.5" }, "", 2500],
      ["two gateways' headers in one: the longer", { "retry-after": "2, 7" }, "", 7000],
      ["a fraction of a millisecond", { "retry-after-ms": "1500.5, 3" }, "", 1500.5],
      ["nonsense after a number", { "retry-after": "3;foo" }, "", undefined],
      ["signs and exponents", { "retry-after": "+3", "retry-after-ms": "1e3" }, "", undefined],
      [
        "a clock of the service that is behind",
        {
          "date": "Sun, 22 Nov 2026 15:00:00 GMT",
          "retry-after": "Sun, 22 Nov 2026 15:00:09 GMT"
        },
        "",
        9000
      ],
      ["endless digits", { "retry-after": "9".repeat(400) }, "", undefined],
      ["nothing said", {}, "Too many", undefined]
    ]
    for (const [name, headers, message, expected] of table) {
      it(name, () => {
        assert.strictEqual(millis(errorOf(503, told(message), headers)), expected)
      })
    }
  })

  describe("on a 429", () => {
    const table: ReadonlyArray<readonly [string, Record<string, string>, string, number | undefined]> = [
      ["zero seconds are no hint", { "retry-after": "0" }, "", undefined],
      ["zero milliseconds are no hint", { "retry-after-ms": "0" }, "", undefined],
      ["zero in words is no hint", {}, "Please retry after 0 seconds.", undefined],
      ["what has passed is no hint", { "retry-after": "Sun, 22 Nov 2026 15:00:00 GMT" }, "", undefined],
      ["this very moment is no hint", { "retry-after": "Sun, 22 Nov 2026 16:00:00 GMT" }, "", undefined],
      ["what says nothing lets others speak", { "retry-after-ms": "0", "retry-after": "0" }, "Try again in 3s.", 3000],
      ["where nothing else is said, when the limit is whole again", { "x-ratelimit-reset-requests": "10" }, "", 10_000],
      ["in OpenAI's words", { "x-ratelimit-reset-requests": "6.5s" }, "", 6500],
      ["after a minute there is something again", { "x-ratelimit-reset-requests": "300" }, "", 60_000],
      ["in milliseconds", { "x-ratelimit-reset-requests": "20ms" }, "", 20],
      ["as a moment", { "x-ratelimit-reset-requests": String(now / 1000 + 30) }, "", 30_000],
      [
        "of the limit that was reached",
        {
          "x-ratelimit-reset-requests": "10",
          "x-ratelimit-reset-tokens": "20"
        },
        "have exceeded token rate limit",
        20_000
      ],
      ["not of another limit", { "x-ratelimit-reset-tokens": "20" }, "have exceeded call rate limit", undefined],
      ["not where the service has no capacity", { "x-ratelimit-reset-requests": "20" }, "high demand", undefined],
      ["zero is none", { "x-ratelimit-reset-requests": "0" }, "", undefined],
      ["nonsense is none", { "x-ratelimit-reset-requests": "soon" }, "", undefined],
      ["a day for tokens is a day", { "retry-after": "86400" }, "have exceeded token rate limit", 86_400_000]
    ]
    for (const [name, headers, message, expected] of table) {
      it(name, () => {
        const error = errorOf(429, told(message), headers)
        assert.strictEqual(error._tag, "O1RateLimitError")
        assert.strictEqual(millis(error), expected)
      })
    }

    it("in the middle of a stream, where the hint is beside the error", () => {
      const body = { error: { code: "rate_limit_exceeded", message: "", headers: { "Retry-After": "7" } } }
      assert.strictEqual(millis(errorOf(200, body, { "content-type": "text/event-stream" })), 7000)
    })
  })

  describe("a response that is not there", () => {
    const words = [
      "Response with id 'resp_1' not found.",
      "No response found with id 'resp_1'.",
      "The response resp_1 does not exist.",
      "The requested response could not be found.",
      "This response has expired.",
      "Unknown response: resp_1",
      "Cannot find response resp_1",
      "resp_1 was not found"
    ]
    for (const message of words) {
      it(message, () => {
        for (const status of [404, 410]) {
          assert.strictEqual(O1Error.label(errorOf(status, told(message, "404"))), "O1RequestError/response-not-found")
        }
      })
    }

    it("by its code or its parameter alone", () => {
      for (const error of [{ code: "response_not_found" }, { code: "ResponseNotFound" }, { param: "response_id" }]) {
        assert.strictEqual(O1Error.label(errorOf(404, { error })), "O1RequestError/response-not-found")
      }
    })

    it("is no deployment or path that is not there", () => {
      assert.strictEqual(
        O1Error.label(errorOf(404, told("Resource not found"))),
        "O1DeploymentError/endpoint-not-found"
      )
      const deployment = told("The API deployment for this resource does not exist. Response 1.", "DeploymentNotFound")
      assert.strictEqual(O1Error.label(errorOf(404, deployment)), "O1DeploymentError/deployment-not-found")
    })
  })

  it("a gateway's quota says when it is replenished", () => {
    const error = errorOf(403, JSON.stringify({ statusCode: 403, message: "Out of call volume quota." }), {
      "retry-after": "750"
    })
    assert.strictEqual(O1Error.label(error), "O1RateLimitError/quota")
    assert.deepStrictEqual(error._tag === "O1RateLimitError" && error.retryAfter, Duration.seconds(750))
    assert.isFalse(O1Error.isTransient(error))
  })

  describe("kinds of 400", () => {
    const table: ReadonlyArray<readonly [string, unknown, string, string | undefined]> = [
      [
        "an argument that is named in words only",
        { error: { code: null, message: "Unrecognized request argument supplied: reasoning_effort", param: null } },
        "O1RequestError/unsupported-parameter",
        "reasoning_effort"
      ],
      [
        "streaming, in words only",
        { error: { message: "Unsupported value: 'stream' does not support true with this model." } },
        "O1RequestError/streaming-unsupported",
        "stream"
      ],
      [
        "a model that is gone",
        { error: { code: "ServiceModelDeprecated", message: "The model is deprecated." } },
        "O1DeploymentError/model-retired",
        undefined
      ],
      [
        "a parameter that is deprecated",
        { error: { code: "invalid_value", message: "max_tokens is deprecated.", param: "max_tokens" } },
        "O1RequestError/invalid",
        "max_tokens"
      ],
      [
        "a policy of the service",
        { error: { code: "bio_policy", message: "Refused." } },
        "O1ContentFilterError/prompt",
        undefined
      ]
    ]
    for (const [name, body, label, param] of table) {
      it(name, () => {
        const error = errorOf(400, body)
        assert.strictEqual(O1Error.label(error), label)
        if (param !== undefined) assert.deepInclude(error, { param })
      })
    }

    it("the limit and what was asked for, in other words", () => {
      const message =
        "Input tokens exceed the configured limit of 272,000 tokens. Your messages resulted in 300,125 tokens."
      assert.deepInclude(errorOf(400, { error: { code: "context_length_exceeded", message } }), {
        kind: "context-length",
        limit: 272_000,
        requested: 300_125
      })
    })
  })

  it("x-should-retry overrides the fault, either way", () => {
    assert.isFalse(O1Error.isTransient(errorOf(503, "", { "x-should-retry": "false" })))
    assert.isTrue(O1Error.isTransient(errorOf(400, "", { "x-should-retry": "true" })))
    assert.isTrue(O1Error.isTransient(errorOf(503, "", { "x-should-retry": "perhaps" })))
  })

  it("keeps what support asks for", () => {
    const headers = { "apim-request-id": "a", "x-request-id": "b", "x-ms-region": "Sweden Central" }
    assert.deepInclude(errorOf(500, "", headers), { requestId: "a", region: "Sweden Central" })
    assert.deepInclude(errorOf(500, "", { "x-request-id": "b" }), { requestId: "b", region: undefined })
  })

  it("keeps the words of the service, cut to a readable length, without the key and without HTML", () => {
    assert.strictEqual(errorOf(401, told("bad key SECRET")).said, "bad key <redacted>")
    assert.strictEqual(errorOf(500, "x".repeat(495) + "SECRET").said, "x".repeat(495) + "<reda")
    const param = { error: { code: "unsupported_parameter", param: "SECRET", message: "" } }
    const named = told("Unknown parameter: SECRET")
    const headers = { "x-request-id": "SECRET", "x-ms-region": "SECRET", "x-ms-served-model": "SECRET" }
    for (const error of [errorOf(400, param), errorOf(400, named), errorOf(500, "", headers)]) {
      assert.include(JSON.stringify(error), "<redacted>")
      assert.notInclude(JSON.stringify(error), "SECRET")
    }
    assert.strictEqual(errorOf(502, "<html>proxy</html>").said, undefined)
  })

  it("words of others move no cursor, end no line and hide nothing, wherever they are kept", () => {
    const evil = "a\u001b[2J\r\nb\u0000\u009b\u202ec\u2028d"
    const body = {
      error: {
        code: "content_filter",
        param: evil,
        message: evil,
        innererror: { content_filter_result: { [evil]: { filtered: true } } }
      }
    }
    const headers = { "x-request-id": "i\u009bd", "x-ms-region": "r\u0085", "x-ms-served-model": "\u009bm" }
    const errors = [
      errorOf(400, body, headers),
      errorOf(400, { error: { code: "unsupported_parameter", param: evil, message: evil } }, headers),
      errorOf(400, { error: { code: `policy${evil}`, message: evil } }),
      errorOf(500, evil),
      errorOf(404, told(evil)),
      fromCause(Object.assign(new TypeError("x"), { name: evil }), {})
    ]
    for (const error of errors) {
      const shown = error.message + JSON.stringify(error) + inspect(error)
      // oxlint-disable-next-line no-control-regex -- they are what must not be there
      assert.notMatch(shown.replaceAll(/\n/g, ""), /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/)
      assert.notMatch(shown, /\\u00|\\x|\\r/)
      assert.notInclude(error.message, "\n")
    }
    assert.strictEqual(errors[3]!.said, "a [2J b c d")
  })

  it("an emoji at the end of what is kept is kept whole or not at all", () => {
    assert.strictEqual(errorOf(500, "x".repeat(499) + "🧠").said, "x".repeat(499))
  })

  describe("connections", () => {
    const table: ReadonlyArray<readonly [string, unknown, string]> = [
      ["refused", { code: "ECONNREFUSED" }, "O1ConnectionError/refused"],
      ["no way to it", { code: "ENETUNREACH" }, "O1ConnectionError/refused"],
      ["a host that is down", { code: "EHOSTDOWN" }, "O1ConnectionError/refused"],
      ["reset", { code: "ECONNRESET" }, "O1ConnectionError/reset"],
      ["unknown host", { code: "ENOTFOUND" }, "O1ConnectionError/dns"],
      ["certificate", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }, "O1ConnectionError/tls"],
      ["certificate of another host", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }, "O1ConnectionError/tls"],
      ["undici's socket error", { code: "UND_ERR_SOCKET" }, "O1ConnectionError/closed"],
      [
        "what is behind undici's socket error",
        { code: "UND_ERR_SOCKET", cause: { code: "ECONNRESET" } },
        "O1ConnectionError/reset"
      ],
      ["what is behind fetch's error", { cause: { code: "ECONNREFUSED" } }, "O1ConnectionError/refused"],
      [
        "the first of several addresses",
        { cause: { errors: [{ code: "ECONNREFUSED" }] } },
        "O1ConnectionError/refused"
      ],
      ["no connection in time", { code: "UND_ERR_CONNECT_TIMEOUT" }, "O1TimeoutError/connect"],
      ["no headers in time", { code: "UND_ERR_HEADERS_TIMEOUT" }, "O1TimeoutError/headers"],
      ["a client that is closed", { code: "UND_ERR_CLOSED" }, "O1ConnectionError/unusable"],
      ["a client that is destroyed", { name: "x", code: "UND_ERR_DESTROYED" }, "O1ConnectionError/unusable"],
      ["a client that cannot send this", { code: "UND_ERR_INVALID_ARG" }, "O1ConnectionError/unusable"],
      ["a header that Node refuses", { code: "ERR_INVALID_CHAR" }, "O1ConnectionError/unusable"],
      ["a proxy that wants a password", { code: "PROXY_407" }, "O1ConnectionError/unusable"],
      ["a proxy that does not reach it", { code: "PROXY_502" }, "O1ConnectionError/refused"],
      ["a proxy that is not there", { code: "PROXY_ECONNREFUSED" }, "O1ConnectionError/refused"],
      ["a proxy that is not known", { code: "PROXY_ENOTFOUND" }, "O1ConnectionError/dns"],
      ["a bug", new TypeError("x is not a function"), "O1ConnectionError/unusable"],
      ["another bug", new ReferenceError("x is not defined"), "O1ConnectionError/unusable"],
      ["fetch of Node", new TypeError("fetch failed", { cause: { code: "ECONNRESET" } }), "O1ConnectionError/reset"],
      ["fetch of Chrome", new TypeError("Failed to fetch"), "O1ConnectionError/closed"],
      ["fetch of Safari", new TypeError("Load failed"), "O1ConnectionError/closed"],
      ["fetch of Firefox", new TypeError("NetworkError when attempting to fetch"), "O1ConnectionError/closed"],
      ["fetch of Deno", new TypeError("error sending request for url"), "O1ConnectionError/closed"],
      ["a body that ended", new TypeError("terminated"), "O1ConnectionError/closed"],
      ["anything else", new Error("?"), "O1ConnectionError/closed"],
      ["nothing at all", undefined, "O1ConnectionError/closed"]
    ]
    for (const [name, cause, label] of table) {
      it(name, () => {
        assert.strictEqual(O1Error.label(fromCause(cause, {})), label)
      })
    }

    it("keep nothing of the cause but its code", () => {
      const cause = Object.assign(new Error("SECRET"), {
        code: "ECONNRESET",
        request: { headers: { "api-key": "SECRET" } }
      })
      assert.notInclude(JSON.stringify(fromCause(cause, {})), "SECRET")
    })
  })

  it("an error can be given more details without being changed", () => {
    const error = new O1ServerError({ kind: "internal", requestId: "r" })
    const more = O1Error.with(error, { partialText: "so far" })
    assert.deepInclude(more, { _tag: "O1ServerError", kind: "internal", requestId: "r", partialText: "so far" })
    assert.deepInclude(error, { partialText: "", attempts: [] })
    const frames = (error: O1Error) => error.stack!.slice(error.stack!.indexOf("\n    at "))
    assert.strictEqual(frames(more), frames(error), "it failed in the same place")
    assert.isTrue(more.stack!.startsWith(`O1ServerError: ${more.message}\n`))
  })
})
