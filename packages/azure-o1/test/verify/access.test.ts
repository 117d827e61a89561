import { assert, describe, it } from "@effect/vitest"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import {
  O1AuthError,
  O1ConnectionError,
  O1DeploymentError,
  O1OutputLimitError,
  O1TimeoutError
} from "../../src/O1Error.ts"
import { access } from "../../src/verify/access.ts"
import type { Probe } from "../../src/verify/probe.ts"
import { completed, config, failedWith, got, withToken } from "../support/probes.ts"

const error = (code: string, message: string, rest: object = {}) => ({ error: { code, message, ...rest } })

describe("auth and deployment", () => {
  const table: ReadonlyArray<readonly [string, Probe, string, RegExp?]> = [
    ["an invalid request refused", got(400, error("invalid_type", "Invalid 'messages'")), "pass pass", /is there/],
    ["the same with 422", got(422, error("invalid", "no")), "pass pass"],
    ["a refusal that is no JSON", got(400, "Bad Request", { headers: { "content-type": "text/plain" } }), "pass warn"],
    ["an API version", got(400, error("BadRequest", "API version not supported")), "pass fail", /API version/],
    ["a model without the API", got(400, error("OperationNotSupported", "no")), "pass fail", /Chat Completions/],
    ["a model that is not known", got(400, error("unknown_model", "Unknown model: o1")), "pass fail", /no deployment/],
    ["a real request refused", got(400, error("x", "no"), { kind: "real" }), "pass fail", /refused/],
    ["405", got(405, {}), "skipped fail", /405/],
    ["a wrong key", got(401, error("401", "Access denied")), "fail skipped"],
    ["forbidden", got(403, error("403", "no")), "fail skipped"],
    ["no such deployment", got(404, error("DeploymentNotFound", "no")), "pass fail", /no deployment "o1"/],
    ["no such path", got(404, error("404", "Resource not found")), "skipped fail", /no such path/],
    ["retired", got(404, error("404", "The model is deprecated")), "pass fail", /retired/],
    ["a redirect", got(302, ""), "skipped fail", /redirect/],
    ["429", got(429, error("429", "call rate limit")), "pass warn", /throttled/],
    ["no quota", got(429, error("insufficient_quota", "no")), "pass fail", /quota/],
    ["a filtered prompt", got(400, error("content_filter", "no")), "pass pass"],
    ["408", got(408, error("Timeout", "no")), "skipped warn", /may pass/],
    ["500", got(500, {}), "skipped warn"],
    ["501", got(501, {}), "skipped fail"],
    ["503 of a gateway", got(503, "<html>", { headers: { "content-type": "text/html" } }), "skipped warn"],
    ["504", got(504, ""), "skipped warn"],
    ["a page", got(403, "<html>", { headers: { "content-type": "text/html" } }), "skipped fail", /web page/],
    ["an answer", completed(), "pass pass", /answers/],
    ["an invalid request taken", { kind: "cheap", sent: 1, answers: completed().answers }, "pass warn"],
    [
      "a budget that reasoning ate",
      { ...completed(), completion: undefined, error: new O1OutputLimitError({ kind: "reasoning-exhausted" }) },
      "pass pass"
    ],
    ["a name", failedWith(new O1ConnectionError({ kind: "dns" })), "skipped skipped", /see dns/],
    ["a port", failedWith(new O1ConnectionError({ kind: "refused" })), "skipped skipped", /see tcp/],
    [
      "no way",
      failedWith(new O1ConnectionError({ kind: "closed", code: "EHOSTUNREACH" })),
      "skipped skipped",
      /see tcp/
    ],
    ["a connection in time", failedWith(new O1TimeoutError({ kind: "connect" })), "skipped skipped", /see tcp/],
    ["a certificate", failedWith(new O1ConnectionError({ kind: "tls" })), "skipped skipped", /see tls/],
    ["a reset", failedWith(new O1ConnectionError({ kind: "reset" })), "skipped warn", /no answer/],
    ["silence", failedWith(new O1TimeoutError({ kind: "total" })), "skipped warn", /in time/],
    ["half an answer", { ...got(200, ""), error: new O1TimeoutError({ kind: "total" }) }, "skipped warn", /in time/],
    ["no token", failedWith(new O1AuthError({ kind: "unauthorized" }), 0), "fail skipped"],
    ["no way to a token", failedWith(new O1ConnectionError({ kind: "dns" }), 0), "fail skipped"]
  ]
  for (const [name, probe, expected, message] of table) {
    it(name, () => {
      const [auth, deployment] = access(config, probe, "")
      assert.strictEqual(`${auth!.status} ${deployment!.status}`, expected)
      if (message !== undefined) assert.match(deployment!.message, message)
      for (const { fix, status } of [auth!, deployment!]) {
        assert.strictEqual(fix === "", status === "pass" || status === "skipped")
      }
    })
  }

  const fixes: ReadonlyArray<readonly [AzureO1Config, Probe, RegExp]> = [
    [config, got(401, {}), /Keys and Endpoint/],
    [{ ...config, endpoint: "https://gateway.example.com" }, got(401, {}), /gateway/],
    [withToken, got(401, {}), /Cognitive Services OpenAI User/],
    [
      config,
      got(403, error("AccessDenied", "Public access is disabled. Please configure private endpoint.")),
      /Networking/
    ],
    [config, got(403, error("AuthenticationTypeDisabled", "Key based authentication is disabled")), /Entra ID/],
    [withToken, got(403, {}), /role/],
    [config, failedWith(new O1DeploymentError({ kind: "endpoint-not-found", status: 404 })), /service/]
  ]
  it("says what to do by what the service said", () => {
    for (const [config, probe, fix] of fixes) {
      assert.match(access(config, probe, "").find(({ fix }) => fix !== "")!.fix, fix)
    }
    const path = got(404, error("404", "Resource not found"))
    assert.match(access(config, path, "")[1]!.fix, /needs an apiVersion/)
    assert.match(
      access({ ...config, apiVersion: "2024-12-01-preview" }, path, "")[1]!.fix,
      /apiVersion 2024-12-01-preview/
    )
  })

  it("nothing was asked", () => {
    assert.deepStrictEqual(access(config, undefined, "why").map(({ message, status }) => [status, message]), [
      ["skipped", "why"],
      ["skipped", "why"]
    ])
  })
})
