import { assert, describe, it } from "@effect/vitest"
import { AiError } from "effect/ai"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { RpcClientError } from "effect/rpc"
import * as Schema from "effect/Schema"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Timeout from "../src/Timeout.ts"
import { Bad, Boom, Busy } from "./support/harness.ts"

const request = HttpClientRequest.get("https://example.test")
const status = (code: number, headers: Record<string, string> = {}): HttpClientError.HttpClientError =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.StatusCodeError({
      request,
      response: HttpClientResponse.fromWeb(request, new Response(null, { status: code, headers }))
    })
  })
const ai = (reason: AiError.AiErrorReason): AiError.AiError => new AiError.AiError({ module: "m", method: "f", reason })
const millis = (fault: Fault.Fault): number | undefined => {
  const hint = Fault.retryAfter(fault)
  return hint === undefined ? undefined : Duration.toMillis(hint)
}

describe("Fault", () => {
  describe("ofError", () => {
    const table: ReadonlyArray<readonly [string, unknown, Fault.Fault["_tag"]]> = [
      ["what the error says itself", new Bad(), "Permanent"],
      ["an error with nothing to say", new Boom({}), "Transient"],
      ["a string", "busy", "Transient"],
      ["null", null, "Transient"],
      ["undefined", undefined, "Transient"],
      ["a plain Error", new Error("x"), "Transient"],
      ["isRetryable: true", { isRetryable: true }, "Transient"],
      ["isRetryable: false", { isRetryable: false }, "Permanent"],
      ["Effect's TimeoutError", new Cause.TimeoutError(), "Transient"],
      ["NoSuchElementError", new Cause.NoSuchElementError(), "Permanent"],
      ["IllegalArgumentError", new Cause.IllegalArgumentError(), "Permanent"],
      [
        "TimeoutExceeded",
        new Timeout.TimeoutExceeded({ phase: "total", limit: Duration.zero, elapsed: Duration.zero }),
        "Transient"
      ],
      ["CircuitOpen", new CircuitBreaker.CircuitOpen({ policyName: "c", retryAfter: Duration.zero }), "Rejected"],
      ["AiError rate limit", ai(new AiError.RateLimitError({})), "Throttled"],
      ["AiError quota", ai(new AiError.QuotaExhaustedError({})), "Permanent"],
      ["AiError provider", ai(new AiError.InternalProviderError({ description: "x" })), "Transient"],
      [
        "HTTP transport",
        new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) }),
        "Transient"
      ],
      [
        "HTTP invalid URL",
        new HttpClientError.HttpClientError({ reason: new HttpClientError.InvalidUrlError({ request }) }),
        "Permanent"
      ]
    ]
    for (const [name, error, expected] of table) {
      it(`${name} is ${expected}`, () => {
        assert.strictEqual(Fault.ofError(error)._tag, expected)
      })
    }

    it.effect("a schema error and a config error are permanent", () =>
      Effect.gen(function*() {
        const decode = yield* Effect.flip(Schema.decodeUnknownEffect(Schema.Number)("x"))
        const config = yield* Effect.flip(Config.String("EFFECT_RESILIENCE_NOT_SET"))
        assert.deepStrictEqual([Fault.ofError(decode)._tag, Fault.ofError(config)._tag], ["Permanent", "Permanent"])
      }))

    it("an HTTP status is judged once, for everybody", () => {
      const statuses = [400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 501, 502, 503, 504, 505]
      assert.deepStrictEqual(Object.fromEntries(statuses.map((code) => [code, Fault.ofError(status(code))._tag])), {
        400: "Permanent",
        401: "Permanent",
        403: "Permanent",
        404: "Permanent",
        408: "Transient",
        409: "Permanent",
        422: "Permanent",
        425: "Transient",
        429: "Throttled",
        500: "Transient",
        501: "Permanent",
        502: "Transient",
        503: "Transient",
        504: "Transient",
        505: "Permanent"
      })
    })

    it("reads Retry-After in seconds and as a date", () => {
      const date = { "retry-after": "Thu, 01 Jan 1970 00:00:10 GMT" }
      assert.strictEqual(millis(Fault.ofError(status(429, { "retry-after": "20" }))), 20_000)
      assert.strictEqual(millis(Fault.ofError(status(503, { "retry-after": "1" }))), 1000)
      assert.strictEqual(millis(Fault.ofError(status(429, date), 4000)), 6000)
      assert.strictEqual(millis(Fault.ofError(status(429, date), 60_000)), 0)
      assert.strictEqual(millis(Fault.ofError(status(429, date))), undefined, "a date says nothing without the time")
      assert.strictEqual(millis(Fault.ofError(status(429, { "retry-after": "soon" }))), undefined)
    })

    it("reads a pause in milliseconds before one in seconds, and only where it is a number", () => {
      const pause = (headers: Record<string, string>) => millis(Fault.ofError(status(503, headers)))
      assert.strictEqual(pause({ "retry-after-ms": "250", "retry-after": "1" }), 250)
      assert.strictEqual(pause({ "x-ms-retry-after-ms": "40", "retry-after": "1" }), 40)
      assert.strictEqual(pause({ "retry-after-ms": "10", "x-ms-retry-after-ms": "40" }), 10)
      assert.strictEqual(pause({ "retry-after-ms": "soon", "x-ms-retry-after-ms": "40" }), 40)
      assert.strictEqual(pause({ "retry-after-ms": "-5", "retry-after": "2" }), 2000)
      assert.strictEqual(pause({ "retry-after-ms": "" }), undefined)
    })

    it("a gRPC status says more than the HTTP status that it comes with, and a pushback more than any other pause", () => {
      const of = (code: number, headers: Record<string, string>) => {
        const fault = Fault.ofError(status(code, headers))
        return [fault._tag, millis(fault)]
      }
      assert.deepStrictEqual(of(200, { "grpc-status": "14" }), ["Transient", undefined])
      assert.deepStrictEqual(of(503, { "grpc-status": "5" }), ["Permanent", undefined])
      assert.deepStrictEqual(of(503, { "grpc-status": "0" }), ["Transient", undefined])
      assert.deepStrictEqual(of(200, { "grpc-status": "8", "grpc-retry-pushback-ms": "250" }), ["Throttled", 250])
      assert.deepStrictEqual(of(200, { "grpc-status": "14", "grpc-retry-pushback-ms": "-1" }), ["Transient", Infinity])
      assert.deepStrictEqual(of(503, { "grpc-retry-pushback-ms": "9", "retry-after": "1" }), ["Transient", 9])
    })

    it("what a client of an RpcGroup says of its transport", () => {
      const of = (reason: RpcClientError.RpcClientError["reason"]) =>
        Fault.ofError(new RpcClientError.RpcClientError({ reason }))
      const http = (error: HttpClientError.HttpClientError) =>
        of(HttpClientError.HttpClientErrorSchema.fromHttpClientError(error))
      const transport = new HttpClientError.TransportError({ request })
      assert.strictEqual(http(new HttpClientError.HttpClientError({ reason: transport }))._tag, "Transient")
      assert.strictEqual(http(status(401))._tag, "Permanent")
      assert.deepStrictEqual(http(status(429, { "retry-after": "2" })), Fault.throttled({ retryAfter: "2 seconds" }))
      const defect = new RpcClientError.RpcClientDefect({ message: "malformed", cause: "x" })
      assert.strictEqual(of(defect)._tag, "Permanent")
    })

    it("ofGrpcStatus: success is no fault, and a code has its fault", () => {
      const tags = [0, 1, 2, 3, 4, 8, 14, 99].map((code) => Fault.ofGrpcStatus(code)?._tag)
      assert.deepStrictEqual(
        tags,
        [undefined, "Interrupted", "Transient", "Permanent", "Transient", "Throttled", "Transient", "Transient"]
      )
      assert.deepStrictEqual(Fault.ofGrpcStatus(14, { retryAfter: 5 }), Fault.transient({ retryAfter: 5 }))
    })

    it("keeps the pause of the retryable convention and of one's own error", () => {
      const limited = ai(new AiError.RateLimitError({ retryAfter: Duration.seconds(3) }))
      assert.strictEqual(millis(Fault.ofError(limited)), 3000)
      assert.strictEqual(millis(Fault.ofError(new Busy({ retryAfter: "7 seconds" }))), 7000)
    })
  })

  describe("ofCause", () => {
    it("takes the worst of several reasons, in whatever order they come", () => {
      const ladder = [
        Cause.interrupt(1),
        Cause.fail(new CircuitBreaker.CircuitOpen({ policyName: undefined, retryAfter: Duration.zero })),
        Cause.fail(new Boom({})),
        Cause.fail(new Busy({ retryAfter: 1 })),
        Cause.fail(new Bad()),
        Cause.die("bug")
      ]
      const tags = ladder.map((cause) => Fault.ofCause(cause)._tag)
      assert.deepStrictEqual(tags, ["Interrupted", "Rejected", "Transient", "Throttled", "Permanent", "Defect"])
      for (let i = 0; i < ladder.length; i++) {
        for (let j = 0; j <= i; j++) {
          assert.strictEqual(Fault.ofCause(Cause.combine<unknown, unknown>(ladder[i]!, ladder[j]!))._tag, tags[i])
          assert.strictEqual(Fault.ofCause(Cause.combine<unknown, unknown>(ladder[j]!, ladder[i]!))._tag, tags[i])
        }
      }
    })
  })

  it("a success is no fault", () => {
    assert.strictEqual(Fault.of(Exit.void), undefined)
  })
})
