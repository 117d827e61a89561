import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { chatUrl, responsesUrls } from "../../src/transport/paths.ts"

const at = (endpoint: string) => ({ endpoint, deployment: "o1", apiVersion: undefined })

describe("paths", () => {
  const hosts = [
    "https://r.openai.azure.com",
    "https://r.services.ai.azure.com/api/projects/p",
    "https://gateway.example/base"
  ]
  const copied = [
    "",
    "/",
    "//",
    " ",
    "/ ",
    "/\n",
    "/%20",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/v1/",
    "/openai/v1/ ",
    "/OpenAI/v1",
    "/openai/v1/chat/completions",
    "/openai/v1/responses",
    "/openai/responses",
    "/openai/deployments/o1",
    "/openai/deployments/o1/chat/completions"
  ]
  for (const host of hosts) {
    for (const tail of copied) {
      it(`${JSON.stringify(host + tail)} is ${host}`, () => {
        const endpoint = host + tail
        assert.strictEqual(chatUrl(at(endpoint)), `${host}/openai/v1/chat/completions`)
        assert.strictEqual(
          responsesUrls({ ...at(endpoint), apiVersion: "2025-04-01-preview" })("/r1", { stream: "true" }),
          `${host}/openai/responses/r1?stream=true&api-version=2025-04-01-preview`
        )
      })
    }
  }

  const compatible = [
    "https://api.openai.com/v1",
    "https://gateway.example/v1",
    "https://gateway.example/llm/v1",
    "https://gateway.example/v1beta",
    "http://localhost:4000/v2"
  ]
  for (const base of compatible) {
    for (const tail of ["", "/", "/ ", "/chat/completions", "/responses", "/responses/"]) {
      it(`${base}${tail} is as it is`, () => {
        assert.strictEqual(chatUrl(at(base + tail)), `${base}/chat/completions`)
        assert.strictEqual(responsesUrls(at(base + tail))(""), `${base}/responses`)
        assert.strictEqual(responsesUrls(at(base + tail))("/r1/cancel"), `${base}/responses/r1/cancel`)
      })
    }
  }

  it("what cannot be told from an endpoint can be said", () => {
    const google = { ...at("https://gateway.example/v1beta/openai"), paths: "openai" as const }
    assert.strictEqual(chatUrl(google), "https://gateway.example/v1beta/openai/chat/completions")
    const apim = { ...at("https://gateway.example/team/v1"), paths: "azure" as const }
    assert.strictEqual(chatUrl(apim), "https://gateway.example/team/v1/openai/v1/chat/completions")
  })

  it("the query of the configuration goes along, and not over what the client says", () => {
    const place = { ...at("https://r.openai.azure.com"), query: { "tenant id": "a&b", code: Redacted.make("x") } }
    assert.strictEqual(
      chatUrl(place),
      "https://r.openai.azure.com/openai/v1/chat/completions?tenant+id=a%26b&code=x"
    )
    assert.strictEqual(
      responsesUrls(place)("/r1", { stream: "true" }),
      "https://r.openai.azure.com/openai/v1/responses/r1?stream=true&tenant+id=a%26b&code=x"
    )
    assert.strictEqual(
      chatUrl({ ...place, apiVersion: "2024-12-01-preview" }),
      "https://r.openai.azure.com/openai/deployments/o1/chat/completions?tenant+id=a%26b&code=x&api-version=2024-12-01-preview"
    )
  })
})
