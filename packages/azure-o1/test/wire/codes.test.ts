import { assert, describe, it } from "@effect/vitest"
import { Headers } from "effect/http"
import { O1Error } from "../../src/O1Error.ts"
import { fromResponse, isErrorBody } from "../../src/wire/errors.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"

const origin = { status: 200, headers: Headers.empty, deployment: "o1", now: 0, redact: (text: string) => text }

/** In the body of a 200, flat or nested, and as the reason of a failed response: the status says nothing, the words do. */
const labels = (error: object): ReadonlyArray<string> => {
  const answer = new ResponsesAnswer(origin)
  answer.takeWhole({ id: "r", status: "failed", error }, [])
  return [
    fromResponse({ ...origin, body: JSON.stringify({ error }) }),
    fromResponse({ ...origin, body: JSON.stringify(error) }),
    answer.end()
  ].map((error) => O1Error.label(error))
}

describe("codes where no status tells", () => {
  const invalid = "O1RequestError/invalid"
  const filtered = "O1ContentFilterError/prompt"
  const quota = "O1RateLimitError/quota"
  const table: ReadonlyArray<readonly [string, string]> = [
    // of a failed response, all that openai 7.57 types
    ["server_error", "O1ServerError/internal"],
    ["rate_limit_exceeded", "O1RateLimitError/requests"],
    ["invalid_prompt", filtered],
    ["data_residency_mismatch", invalid],
    ["bio_policy", filtered],
    ["misalignment_policy_violation", filtered],
    ["vector_store_timeout", "O1TimeoutError/service"],
    ["invalid_image", invalid],
    ["invalid_image_format", invalid],
    ["invalid_base64_image", invalid],
    ["invalid_image_url", invalid],
    ["image_too_large", invalid],
    ["image_too_small", invalid],
    ["image_parse_error", invalid],
    ["image_content_policy_violation", filtered],
    ["invalid_image_mode", invalid],
    ["image_file_too_large", invalid],
    ["unsupported_image_media_type", invalid],
    ["empty_image_file", invalid],
    ["failed_to_download_image", invalid],
    ["image_file_not_found", invalid],
    // of its agents and files
    ["context_length_exceeded", "O1RequestError/context-length"],
    ["session_budget_exceeded", quota],
    ["usage_limit_exceeded", quota],
    ["project_spend_limit_exceeded", quota],
    ["organization_spend_limit_exceeded", quota],
    ["organization_usage_limit_exceeded", quota],
    ["billing_not_active", quota],
    ["credit_balance_exhausted", quota],
    ["flex_unavailable", "O1RateLimitError/capacity"],
    ["server_overloaded", "O1ServerError/unavailable"],
    ["cyber_policy", filtered],
    ["connection_failed", "O1ServerError/unavailable"],
    ["authentication_error", "O1AuthError/unauthorized"],
    ["invalid_request", invalid],
    ["resource_not_found", "O1DeploymentError/endpoint-not-found"],
    ["request_timeout", "O1TimeoutError/service"],
    ["internal_error", "O1ServerError/internal"],
    ["unsupported_file", invalid],
    ["invalid_file", invalid],
    // Azure's, and its gateways'
    ["content_filter", filtered],
    ["content_policy_violation", filtered],
    ["insufficient_quota", quota],
    ["RateLimitReached", "O1RateLimitError/requests"],
    ["too_many_requests", "O1RateLimitError/requests"],
    ["DeploymentNotFound", "O1DeploymentError/deployment-not-found"],
    ["model_not_found", "O1DeploymentError/deployment-not-found"],
    ["OperationNotSupported", "O1RequestError/operation-not-supported"],
    ["unsupported_parameter", "O1RequestError/unsupported-parameter"],
    ["InternalServerError", "O1ServerError/internal"],
    ["ServiceUnavailable", "O1ServerError/unavailable"],
    ["Timeout", "O1TimeoutError/service"],
    ["401", "O1AuthError/unauthorized"],
    ["429", "O1RateLimitError/requests"],
    ["503", "O1ServerError/unavailable"],
    // nobody knows them
    ["invalid_whatever", invalid],
    ["image_whatever", invalid],
    ["unsupported_whatever", invalid],
    ["InvalidWhatever", invalid],
    ["whatever", "O1ServerError/internal"],
    ["constructor", "O1ServerError/internal"],
    ["__proto__", "O1ServerError/internal"],
    ["hasOwnProperty", "O1ServerError/internal"]
  ]
  for (const [code, label] of table) {
    it(`${code} is ${label}`, () => {
      for (const type of [undefined, null, "", "constructor"]) {
        assert.deepStrictEqual(labels({ code, message: "", type }), [label, label, label])
      }
    })
  }

  it("an unknown code that names a parameter is of the request, whatever its type", () => {
    for (const type of [undefined, "server_error", "whatever"]) {
      assert.deepStrictEqual(labels({ code: "whatever", message: "", param: "input[0]", type }), [
        invalid,
        invalid,
        invalid
      ])
    }
    assert.notInclude(labels({ code: "whatever", message: "", param: "" }), invalid)
    assert.notInclude(labels({ code: "server_error", message: "", param: "input" }), invalid)
  })

  it("without a code its type tells", () => {
    const types: ReadonlyArray<readonly [string, string]> = [
      ["invalid_request_error", invalid],
      ["invalid_whatever", invalid],
      ["server_error", "O1ServerError/internal"],
      ["rate_limit_error", "O1RateLimitError/requests"],
      ["insufficient_quota", quota],
      ["constructor", "O1ServerError/internal"]
    ]
    for (const [type, label] of types) {
      for (const code of [null, "", "whatever"]) assert.strictEqual(labels({ code, message: "", type })[0], label)
    }
  })

  it("the request's fault is no transient one, and the service's is", () => {
    for (const [code, label] of table) {
      const error = fromResponse({ ...origin, body: JSON.stringify({ error: { code, message: "" } }) })
      assert.strictEqual(O1Error.isTransient(error), /Server|Timeout|requests|capacity/.test(label), code)
    }
  })
})

describe("what is an error in a 200", () => {
  const errors: ReadonlyArray<unknown> = [
    { error: "boom" },
    { error: { message: "boom" } },
    { error: { code: 500 } },
    { statusCode: 503, message: "down" },
    { statusCode: "503", message: "down" },
    { code: "429", message: "slow down" },
    { code: 429, message: "slow down" }
  ]
  const answers: ReadonlyArray<unknown> = [
    null,
    1,
    [],
    {},
    { error: null },
    { error: {} },
    { error: "" },
    { error: false },
    { error: { code: null, message: "", param: null } },
    { statusCode: 200 },
    { code: "", message: "ok" },
    { message: "ok" },
    { choices: [], error: {} }
  ]
  it("says something", () => {
    for (const body of errors) assert.isTrue(isErrorBody(body), JSON.stringify(body))
    for (const body of answers) assert.isFalse(isErrorBody(body), JSON.stringify(body))
  })
})
