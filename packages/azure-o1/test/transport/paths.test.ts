import { assert, describe, it } from "@effect/vitest"
import { chatUrl, responsesUrl } from "../../src/transport/paths.ts"

describe("paths", () => {
  const hosts = [
    "https://r.openai.azure.com",
    "https://r.services.ai.azure.com/api/projects/p",
    "https://gateway.example/base"
  ]
  const copied = [
    "",
    "/",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/v1/",
    "/OpenAI/v1",
    "/openai/v1/chat/completions",
    "/openai/v1/responses",
    "/openai/responses",
    "/openai/deployments/o1",
    "/openai/deployments/o1/chat/completions"
  ]
  for (const host of hosts) {
    for (const tail of copied) {
      it(`${host}${tail} is ${host}`, () => {
        const endpoint = host + tail
        assert.strictEqual(
          chatUrl({ endpoint, deployment: "o1", apiVersion: undefined }),
          `${host}/openai/v1/chat/completions`
        )
        assert.strictEqual(
          responsesUrl({ endpoint, deployment: "o1", apiVersion: "2025-04-01-preview" }, "/r1", { stream: "true" }),
          `${host}/openai/responses/r1?stream=true&api-version=2025-04-01-preview`
        )
      })
    }
  }
})
