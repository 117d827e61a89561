import { FakeAzure } from "@effect-resilience/azure-o1/testing"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { run } from "./support.ts"

const demo = "demo/main.ts"
const patience = 60_000
// eslint-disable-next-line no-control-regex
const escape = /\u001b/

describe("the demo", () => {
  it.live("shows a bad day: every fault, who acted, the tokens, the summary", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(demo)
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.notMatch(stdout, escape, "no colour where there is no terminal")
      const inOrder = [
        /limits are scaled down/,
        /attempt 1 {2}429: Too many requests for the deployment, "come back in 0.80 s"/,
        /retry {6}waits 0\.8\d s/,
        /attempt 2 {2}503: The service is not available/,
        /timeout {4}time is up: 1\.00 s without an answer/,
        /attempt 3 {2}No answer within 1s/,
        /then tries again with twice the time/,
        /attempt 4 {2}answered after/,
        /Sunlight holds all colours/,
        /attempt 1 {2}The connection was reset/,
        /attempt 2 {2}answered after/,
        /In the evening the light comes in low/,
        /attempts {10}6/,
        /waited between {4}\d+\.\d\d s/,
        /total {13}\d+\.\d\d s/,
        /reasoning tokens {2}768/,
        /circuit breaker {3}closed/
      ]
      let rest = stdout
      for (const line of inOrder) {
        const found = line.exec(rest)
        assert.isNotNull(found, `${line} is missing after:\n${stdout.slice(0, stdout.length - rest.length)}`)
        rest = rest.slice(found.index)
      }
    }), patience)

  it.live("talks to the deployment of the environment, with the prompt that it is given", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      yield* azure.enqueue(FakeAzure.answer("first answer"), FakeAzure.answer("second answer"))
      const { code, stderr, stdout } = yield* run(demo, {
        args: ["what is \"love\"?  100% 'sure'"],
        env: { AZURE_OPENAI_ENDPOINT: azure.url, AZURE_OPENAI_API_KEY: "fake-key", AZURE_OPENAI_DEPLOYMENT: "o1" }
      })
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.include(stdout, "first answer")
      assert.include(stdout, "second answer")
      assert.notInclude(stdout, "scaled down")
      const asked = (yield* azure.requests).map(({ body }) =>
        (body as { messages: [{ content: string }] }).messages[0].content
      )
      assert.deepStrictEqual(asked, ["what is \"love\"?  100% 'sure'", "what is \"love\"?  100% 'sure'"])
    }).pipe(Effect.provide(FakeAzure.layer())), patience)

  const good = {
    AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
    AZURE_OPENAI_API_KEY: "SECRETKEY",
    AZURE_OPENAI_DEPLOYMENT: "o1"
  }
  const bad: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["AZURE_OPENAI_ENDPOINT is not set", { AZURE_OPENAI_API_KEY: "SECRETKEY" }],
    ["AZURE_OPENAI_API_KEY is not set", { AZURE_OPENAI_ENDPOINT: good.AZURE_OPENAI_ENDPOINT }],
    ["AZURE_OPENAI_ENDPOINT must be a URL", { ...good, AZURE_OPENAI_ENDPOINT: "nowhere" }],
    ["AZURE_OPENAI_API_KEY must be the key itself", { ...good, AZURE_OPENAI_API_KEY: "SECRETKEY SECRETKEY" }],
    ["AZURE_OPENAI_API_VERSION must be a dated version", { ...good, AZURE_OPENAI_API_VERSION: "newest" }]
  ]
  for (const [message, env] of bad) {
    it.live(`says so: ${message}`, () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(demo, { env })
        assert.strictEqual(code, 1)
        assert.include(stderr, message)
        for (const line of stderr.trim().split("\n")) assert.match(line, /AZURE_OPENAI_\w+ .*\.$/, "no stack")
        assert.notInclude(stdout + stderr, "SECRETKEY")
      }), patience)
  }

  it.live("says what went wrong with a call, and what to do", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const { code, stderr } = yield* run(demo, {
        env: { AZURE_OPENAI_ENDPOINT: azure.url, AZURE_OPENAI_API_KEY: "SECRETKEY", AZURE_OPENAI_DEPLOYMENT: "o1" }
      })
      assert.strictEqual(code, 1)
      assert.include(stderr, "The key or role was not accepted.")
      assert.notInclude(stderr, "SECRETKEY")
    }).pipe(Effect.provide(FakeAzure.layer())), patience)
})
