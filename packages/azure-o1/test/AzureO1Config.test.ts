import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as AzureO1Config from "../src/AzureO1Config.ts"

const secret = "SECRETKEY"

const good: AzureO1Config.AzureO1Config = {
  endpoint: "https://x.openai.azure.com",
  apiKey: Redacted.make(secret),
  deployment: "o1"
}

const env = {
  AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
  AZURE_OPENAI_API_KEY: secret,
  AZURE_OPENAI_DEPLOYMENT: "o1"
}

const parse = (variables: Record<string, string>) => AzureO1Config.config.parse(ConfigProvider.fromUnknown(variables))

const any = (value: unknown) => value as never // what no compiler has seen

describe("a configuration", () => {
  const bad: ReadonlyArray<readonly [string, Partial<AzureO1Config.AzureO1Config>, RegExp]> = [
    ["endpoint", { endpoint: "x.openai.azure.com" }, /must be a URL/],
    ["endpoint", { endpoint: "http://x.openai.azure.com" }, /must be an https:\/\/ URL.*got "http/],
    ["endpoint", { endpoint: `https://user:${secret}@x.openai.azure.com` }, /user name or password/],
    ["endpoint", { endpoint: "https://x.openai.azure.com?api-version=1" }, /query/],
    ["endpoint", { endpoint: any(undefined) }, /must be a URL/],
    ["paths", { paths: any("gcp") }, /azure or openai, got "gcp"/],
    ["apiKey", { apiKey: undefined }, /or credential must be given/],
    ["apiKey", { apiKey: Redacted.make(`${secret}\n`) }, /without spaces or line breaks/],
    ["apiKeyHeader", { apiKeyHeader: "content-type" }, /does not send itself, got "content-type"/],
    ["apiKeyHeader", { apiKeyHeader: "a b" }, /name of a header/],
    ["tokenTimeout", { tokenTimeout: 0 }, /finite duration > 0.*got 0/],
    ["tokenTimeout", { tokenTimeout: Infinity }, /finite duration > 0/],
    ["cloud", { cloud: any("germany") }, /public, us-government or china, got "germany"/],
    ["deployment", { deployment: "a/b" }, /got "a\/b"/],
    ["apiVersion", { apiVersion: "latest" }, /dated version.*got "latest"/],
    ["apiVersion", { apiVersion: "2024-12-01-preview", endpoint: "https://gw.example/v1" }, /must be left out/],
    ["api", { api: "responses", apiVersion: "2024-12-01-preview" }, /needs the v1 path/],
    ["store", { store: any("false") }, /true or false, got "false"/],
    ["heal", { heal: any(1) }, /true or false, got 1/],
    ["pollInterval", { pollInterval: any("soon") }, /got "soon"/],
    ["clocks.first", { clocks: { first: "-1 seconds" } }, /> 0/],
    ["headers.api-key", { headers: { "api-key": "x" } }, /cannot be replaced/],
    ["headers.Authorization", { headers: { Authorization: Redacted.make(secret) } }, /cannot be replaced/],
    ["headers.X-MS-Client-Request-Id", { headers: { "X-MS-Client-Request-Id": "1" } }, /cannot be replaced/],
    ["headers.Accept-Encoding", { headers: { "Accept-Encoding": "br" } }, /cannot be replaced/],
    ["headers.x-key", { apiKeyHeader: "X-Key", headers: { "x-key": "1" } }, /cannot be replaced/],
    ["headers.x y", { headers: { "x y": "1" } }, /no name of a header/],
    ["headers.x-team", { headers: { "x-team": `${secret}\r\nhost: evil` } }, /without line breaks/],
    ["headers.x-team", { headers: { "x-team": any(7) } }, /must have a value/],
    ["query.stream", { query: { stream: "true" } }, /cannot be replaced/],
    ["query.api-version", { query: { "api-version": "x" }, apiVersion: "2024-12-01-preview" }, /cannot be replaced/],
    ["maxBodyBytes", { maxBodyBytes: 10 }, /integer >= 1024, got 10/],
    ["maxBodyBytes", { maxBodyBytes: Infinity }, /integer >= 1024/]
  ]
  for (const [field, wrong, problem] of bad) {
    it(`${field} ${problem.source}`, () => {
      const found = AzureO1Config.problems({ ...good, ...wrong })
      assert.deepStrictEqual(found.map(({ field }) => field), [field])
      assert.match(found[0]!.problem, problem)
      assert.throws(() => AzureO1Config.validate({ ...good, ...wrong }), RangeError, `AzureO1: ${field} `)
      assert.notInclude(JSON.stringify(found), secret)
    })
  }

  it("all that is wrong is told at once", () => {
    assert.throws(
      () => AzureO1Config.validate({ ...good, endpoint: "", deployment: "", pollInterval: 0 }),
      /endpoint must.*; deployment must.*; pollInterval must/
    )
  })

  it("what is right is right", () => {
    const config: AzureO1Config.AzureO1Config = {
      ...good,
      endpoint: "https://x.openai.azure.com/ ",
      headers: { "x-team": "search", "user-agent": "shop/2", "Ocp-Apim-Subscription-Key": Redacted.make(secret) },
      query: { "api-version": "preview" },
      tokenTimeout: "5 seconds",
      maxBodyBytes: 1024
    }
    assert.strictEqual(AzureO1Config.validate(config), config)
  })
})

describe("the environment", () => {
  it.effect("says all that can be said in a text", () =>
    Effect.gen(function*() {
      const config = yield* parse({
        ...env,
        AZURE_OPENAI_ENDPOINT: " https://x.openai.azure.com\n",
        AZURE_OPENAI_API_VERSION: "v1",
        AZURE_OPENAI_MODEL: "o3",
        AZURE_OPENAI_API: "responses",
        AZURE_OPENAI_STORE: "False",
        AZURE_OPENAI_HEAL: "on",
        AZURE_OPENAI_CLOUD: "us-government",
        AZURE_OPENAI_SCOPE: "https://scope/.default",
        AZURE_OPENAI_POLL_INTERVAL: "5 seconds",
        AZURE_OPENAI_CLOCK_HEADERS: "10 seconds",
        AZURE_OPENAI_CLOCK_FIRST_BYTE: "20 seconds",
        AZURE_OPENAI_CLOCK_FIRST: "3 minutes",
        AZURE_OPENAI_CLOCK_BYTE_IDLE: "1 minute"
      })
      assert.strictEqual(config.profile?.name, "o3")
      assert.deepInclude(config, {
        endpoint: "https://x.openai.azure.com",
        apiVersion: undefined,
        api: "responses",
        store: false,
        heal: true,
        cloud: "us-government",
        scope: "https://scope/.default",
        pollInterval: "5 seconds",
        clocks: { headers: "10 seconds", firstByte: "20 seconds", first: "3 minutes", byteIdle: "1 minute" }
      })
      assert.strictEqual(Redacted.value(config.apiKey), secret)
    }))

  it.effect("what is left empty is not set", () =>
    Effect.gen(function*() {
      const config = yield* parse({ ...env, AZURE_OPENAI_API_VERSION: "", AZURE_OPENAI_STORE: "  " })
      assert.deepInclude(config, { apiVersion: undefined, store: undefined })
    }))

  const bad: ReadonlyArray<readonly [Record<string, string>, ReadonlyArray<string>]> = [
    [{ AZURE_OPENAI_API_KEY: "" }, ["AZURE_OPENAI_API_KEY is not set: the key of the resource."]],
    [{ AZURE_OPENAI_DEPLOYMENT: " " }, [
      "AZURE_OPENAI_DEPLOYMENT is not set: the name that the deployment was given."
    ]],
    [{ AZURE_OPENAI_STORE: "nope" }, ["AZURE_OPENAI_STORE must be true or false, got \"nope\"."]],
    [{ AZURE_OPENAI_API: "assistants" }, ["AZURE_OPENAI_API must be chat or responses, got \"assistants\"."]],
    [{ AZURE_OPENAI_CLOUD: "germany" }, [
      "AZURE_OPENAI_CLOUD must be public or us-government or china, got \"germany\"."
    ]],
    [{ AZURE_OPENAI_POLL_INTERVAL: "2000" }, [
      "AZURE_OPENAI_POLL_INTERVAL must be a finite duration > 0, for example \"2 seconds\", got \"2000\"."
    ]],
    [{ AZURE_OPENAI_CLOCK_FIRST: "0 seconds" }, [
      "AZURE_OPENAI_CLOCK_FIRST must be a finite duration > 0, for example \"2 seconds\", got \"0 seconds\"."
    ]],
    [{ AZURE_OPENAI_API: "responses", AZURE_OPENAI_API_VERSION: "2024-12-01-preview" }, [
      "AZURE_OPENAI_API responses needs the v1 path or an apiVersion from 2025-03-01-preview on."
    ]],
    [{ AZURE_OPENAI_ENDPOINT: "", AZURE_OPENAI_API_KEY: `${secret} ${secret}`, AZURE_OPENAI_HEAL: "2" }, [
      "AZURE_OPENAI_ENDPOINT is not set: the resource, for example https://NAME.openai.azure.com.",
      "AZURE_OPENAI_API_KEY must be the key itself: printable characters without spaces or line breaks.",
      "AZURE_OPENAI_HEAL must be true or false, got \"2\"."
    ]]
  ]
  for (const [wrong, sentences] of bad) {
    it.effect(sentences.join(" "), () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(parse({ ...env, ...wrong }))
        assert.instanceOf(error, Config.ConfigError)
        assert.strictEqual(error.message, sentences.join("\n"))
        assert.notInclude(String(error) + JSON.stringify(error), secret)
      }))
  }

  it.effect("without anything, all that is needed is named", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(parse({}))
      assert.lengthOf(error.message.split("\n"), 3)
      const credential = { getToken: () => Promise.resolve(null) }
      const provider = ConfigProvider.fromUnknown({})
      const entra = yield* Effect.flip(AzureO1Config.configWith(credential).parse(provider))
      assert.notInclude(entra.message, "AZURE_OPENAI_API_KEY")
    }))
})
