import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { FakeAzure } from "../../src/testing/index.ts"
import * as Verify from "../../src/Verify.ts"
import { during, value } from "../support/harness.ts"
import { oddServer } from "../support/odd-server.ts"
import { against, at, find, key, overNode, refusal, statuses, verify } from "../support/verifying.ts"

describe("verifyDeployment", () => {
  it.live("all is fine: one request, which costs nothing", () =>
    against({}, (config, azure) =>
      Effect.gen(function*() {
        const report = yield* verify(config)
        assert.isTrue(report.ok)
        assert.deepStrictEqual(statuses(report), {
          config: "pass",
          endpoint: "pass",
          dns: "skipped",
          tcp: "skipped",
          tls: "skipped",
          auth: "pass",
          deployment: "pass",
          model: "skipped",
          retirement: "skipped",
          streaming: "pass",
          usage: "skipped",
          limits: "skipped",
          clock: "pass",
          management: "skipped"
        })
        const [asked, ...more] = yield* azure.requests
        assert.deepStrictEqual(asked!.body, { model: "o1", messages: [] })
        assert.lengthOf(more, 0)
      })))

  it.live("the same on the classic path, looking below HTTP as well", () =>
    against({}, (config, azure) =>
      Effect.gen(function*() {
        const report = yield* verify({ ...config, apiVersion: "2024-12-01-preview" })
        assert.isTrue(report.ok)
        assert.deepInclude(statuses(report), { dns: "pass", tcp: "pass", tls: "skipped", deployment: "pass" })
        assert.deepStrictEqual((yield* azure.requests)[0]!.body, { messages: [] })
      })).pipe(Effect.provide(AzureO1Node.layerNetwork)))

  it.live("a real probe: streaming, model and usage", () =>
    against({ model: "o3-mini-2025-01-31" }, (config, azure) =>
      Effect.gen(function*() {
        yield* azure.enqueue(FakeAzure.answer("ready", {
          headers: { "x-ratelimit-limit-requests": "10", "x-ratelimit-limit-tokens": "10000" }
        }))
        const report = yield* verify(config, { probe: "real", typicalRequest: { maxCompletionTokens: 25_000 } })
        assert.isTrue(report.ok)
        assert.deepInclude(statuses(report), { auth: "pass", deployment: "pass", streaming: "pass", usage: "pass" })
        assert.strictEqual(find(report, "streaming").message, "The answer came as a stream.")
        assert.deepInclude(find(report, "model").details, { model: "o3-mini-2025-01-31" })
        assert.deepInclude(find(report, "limits"), { status: "warn" })
        const [asked, ...more] = yield* azure.requests
        assert.deepInclude(asked!.body, { max_completion_tokens: 4096, reasoning_effort: "low", stream: true })
        assert.lengthOf(more, 0)
      })))

  it.live("a real probe where the deployment does not stream", () =>
    against({ streams: false }, (config, azure) =>
      Effect.gen(function*() {
        const report = yield* verify(config, { probe: "real" })
        assert.isTrue(report.ok)
        assert.include(find(report, "streaming").message, "It does not stream")
        assert.lengthOf(yield* azure.requests, 2)
      })))

  it.live("a model that is not the configured one", () =>
    against({ model: "o3-mini-2025-01-31" }, (config) =>
      Effect.gen(function*() {
        const report = yield* verify({ ...config, profile: ModelProfile.gpt51 }, { probe: "real" })
        assert.deepInclude(find(report, "model"), { status: "warn", fix: "Set profile to that of o3-mini." })
      })))

  it.live("a wrong key", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const report = yield* verify({ ...config, apiKey: Redacted.make("another") })
        assert.isFalse(report.ok)
        assert.deepInclude(statuses(report), { auth: "fail", deployment: "skipped" })
        assert.include(find(report, "auth").fix, "Keys and Endpoint")
      })))

  it.live("a wrong deployment", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const report = yield* verify({ ...config, deployment: "01" })
        assert.isFalse(report.ok)
        assert.deepInclude(statuses(report), { auth: "pass", deployment: "fail" })
        assert.strictEqual(find(report, "deployment").message, "There is no deployment \"01\".")
      })))

  it.live("throttled", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => ({
        status: 429,
        headers: { "retry-after": "7" },
        body: { error: { code: "429", message: "Requests to the API have exceeded call rate limit." } }
      }))
      const report = yield* verify(at(server.url))
      assert.isTrue(report.ok)
      assert.deepInclude(statuses(report), { auth: "pass", deployment: "warn" })
      assert.include(find(report, "deployment").message, "It asks to wait 7s.")
    }).pipe(overNode))

  it.live("nothing listens", () =>
    Effect.gen(function*() {
      // a port that was free a moment ago may be another test's by now
      const url = "http://127.0.0.1:1"
      const report = yield* verify(at(url))
      assert.isFalse(report.ok)
      assert.deepInclude(statuses(report), { dns: "skipped", tcp: "fail", auth: "skipped", deployment: "skipped" })
      const looked = yield* Effect.provide(verify(at(url)), AzureO1Node.layerNetwork)
      assert.deepInclude(statuses(looked), { dns: "pass", tcp: "fail" })
      assert.strictEqual(find(looked, "tcp").details["code"], "ECONNREFUSED")
    }).pipe(overNode))

  it.live("an unknown host", () =>
    Effect.gen(function*() {
      const config = at("https://there-is-no-such-resource.invalid")
      const report = yield* verify(config)
      assert.isFalse(report.ok)
      assert.deepInclude(statuses(report), { dns: "fail", auth: "skipped", deployment: "skipped" })
      assert.include(find(report, "dns").message, "there-is-no-such-resource.invalid")
      const looked = yield* Effect.provide(verify(config, { probe: "none" }), AzureO1Node.layerNetwork)
      assert.deepInclude(statuses(looked), { dns: "fail", tcp: "skipped", tls: "skipped" })
    }).pipe(overNode))

  it.live("no secure connection", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => refusal)
      const report = yield* verify(at(server.url.replace("http:", "https:")))
      assert.deepInclude(statuses(report), { tls: "fail", auth: "skipped", deployment: "skipped" })
    }).pipe(overNode))

  it.live("a web page answers", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => ({
        status: 200,
        headers: { "content-type": "text/html; charset=utf-8" },
        body: "<html><title>Sign in</title></html>"
      }))
      for (const probe of ["cheap", "real"] as const) {
        const report = yield* verify(at(server.url), { probe })
        assert.isFalse(report.ok)
        assert.strictEqual(find(report, "deployment").message, "A web page answered with 200, not the API.")
      }
    }).pipe(overNode))

  it.live("a model that has only the Responses API", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => refusal)
      const profile = ModelProfile.custom("pro", { apis: ["responses"] })
      const report = yield* verify({ ...at(server.url), profile })
      assert.deepInclude(statuses(report), { auth: "pass", deployment: "pass" })
      assert.deepInclude(server.requests[0], { method: "POST", path: "/openai/v1/responses" })
      assert.deepInclude(JSON.parse(server.requests[0]!.body), { model: "o1", input: [] })
    }).pipe(overNode))

  it.live("an error that comes with 200", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => ({
        ...refusal,
        status: 200,
        body: { error: { code: "DeploymentNotFound" } }
      }))
      assert.deepInclude(statuses(yield* verify(at(server.url))), { auth: "pass", deployment: "fail" })
      const lax = yield* oddServer(() => ({ status: 200, body: {} }))
      assert.deepInclude(statuses(yield* verify(at(lax.url))), { auth: "pass", deployment: "warn" })
    }).pipe(overNode))

  it.live("a redirect is not followed", () =>
    Effect.gen(function*() {
      const elsewhere = yield* oddServer(() => refusal)
      const server = yield* oddServer(() => ({ status: 307, headers: { location: elsewhere.url } }))
      for (const layer of [AzureO1Node.layerHttpClient, FetchHttpClient.layer]) {
        const report = yield* Effect.provide(verify(at(server.url)), layer)
        assert.include(find(report, "deployment").message, "redirect")
      }
      assert.lengthOf(elsewhere.requests, 0)
    }))

  it.live("a clock that is wrong", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => ({
        ...refusal,
        headers: { date: new Date(Date.now() + 3_600_000).toUTCString() }
      }))
      const withKey = yield* verify(at(server.url))
      assert.deepInclude(find(withKey, "clock"), { status: "warn" })
      assert.include(find(withKey, "clock").message, "behind the service's")
      const credential = { getToken: () => Promise.resolve({ token: "THETOKEN", expiresOnTimestamp: Infinity }) }
      const withToken = yield* verify({ ...at(server.url), apiKey: undefined, credential })
      assert.deepInclude(statuses(withToken), { auth: "pass", clock: "warn" })
    }).pipe(overNode))

  it.live("a server that repeats the secret, and moves the cursor", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(({ headers }) => ({
        status: 401,
        headers: { "apim-request-id": `id-${String(headers["api-key"])}` },
        body: { error: { message: `\u001b[2JWrong: ${String(headers["api-key"] ?? headers.authorization)}` } }
      }))
      const report = yield* verify(at(server.url))
      assert.strictEqual(find(report, "auth").details["said"], " [2JWrong: <redacted>")
      assert.strictEqual(find(report, "auth").details["requestId"], "id-<redacted>")
      const credential = { getToken: () => Promise.resolve({ token: "THETOKEN", expiresOnTimestamp: Infinity }) }
      yield* verify({ ...at(server.url), apiKey: undefined, credential })
    }).pipe(overNode))

  it.effect("a server that hangs: bounded, on whatever clock", () =>
    Effect.gen(function*() {
      const hanging = HttpClient.make(() => Effect.never)
      const report = value(
        yield* during(
          "30 seconds",
          Effect.provideService(verify(at("http://127.0.0.1")), HttpClient.HttpClient, hanging)
        )
      )
      assert.strictEqual(find(report, "deployment").message, "It took the request, and did not answer in time.")
      const all = verify(at("http://127.0.0.1"), {
        probe: "real",
        timeout: "5 seconds",
        management: { subscription: "s", resourceGroup: "g", account: "a", token: Redacted.make("THETOKEN") }
      }).pipe(
        Effect.provideService(HttpClient.HttpClient, hanging),
        Effect.provideService(Verify.Network, {
          resolve: () => Effect.never,
          connect: () => Effect.never,
          secure: () => Effect.never
        })
      )
      const bounded = value(yield* during("5 seconds", all))
      assert.deepInclude(statuses(bounded), { dns: "fail", deployment: "warn", management: "warn" })
    }))

  it.live("a server that hangs, over a socket", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => undefined)
      const report = yield* verify(at(server.url), { timeout: "200 millis" })
      assert.deepInclude(statuses(report), { auth: "skipped", deployment: "warn" })
      assert.lengthOf(server.requests, 1)
    }).pipe(overNode))

  it.effect("a retired model", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-10-21T12:00:00Z"))
      const silent = HttpClient.make(() => Effect.never)
      const of = (profile: ModelProfile.ModelProfile, options?: Verify.Options) =>
        verify({ ...at("http://127.0.0.1"), profile }, { probe: "none", ...options }).pipe(
          Effect.provideService(HttpClient.HttpClient, silent),
          Effect.map((report) => find(report, "retirement"))
        )
      assert.deepInclude(yield* of(ModelProfile.o1), {
        status: "warn",
        message:
          "o1 was to be retired on 2026-10-21 (Microsoft's page of 2026-09-02); whether it still answers is not " +
          "known, but any day may be the last.",
        fix: "Deploy gpt-5.6-sol, and set profile for it."
      })
      assert.deepInclude(yield* of(ModelProfile.o3Pro), {
        status: "warn",
        message: "o3-pro is retired on 2026-12-17 (Microsoft's page of 2026-09-02), in 57 days."
      })
      assert.strictEqual((yield* of(ModelProfile.o3Pro, { retirementWarning: "56 days" })).status, "pass")
    }))

  it.live("a calendar day stops no program: a profile whose day has passed, and a deployment that lets us in", () =>
    Effect.gen(function*() {
      const server = yield* oddServer(() => refusal)
      const past = { date: "2020-01-01", replacement: undefined, told: "2019-01-01" }
      for (const profile of [undefined, ModelProfile.o1Preview, ModelProfile.custom("mine", { retirement: past })]) {
        yield* Layer.build(Verify.layer({ ...at(server.url), profile }))
      }
    }).pipe(overNode))

  it.effect("what breaks is a finding", () =>
    Effect.gen(function*() {
      const broken = HttpClient.make(() => Effect.die(new Error(`a bug at ${key}`)))
      const report = yield* Effect.provideService(verify(at("http://127.0.0.1")), HttpClient.HttpClient, broken)
      assert.include(find(report, "deployment").message, "The HTTP client of this process cannot send (Error).")
      const none = yield* Effect.provideService(
        verify(undefined as unknown as AzureO1Config),
        HttpClient.HttpClient,
        broken
      )
      assert.deepInclude(statuses(none), { config: "fail" })
    }))

  it.effect("a credential that gives no token, or never answers", () =>
    Effect.gen(function*() {
      const client = HttpClient.make(() => Effect.never)
      const config = { ...at("http://127.0.0.1"), apiKey: undefined }
      const no = yield* verify({
        ...config,
        credential: { getToken: () => Promise.reject(new Error("not signed in")) }
      })
        .pipe(Effect.provideService(HttpClient.HttpClient, client))
      assert.deepInclude(statuses(no), { auth: "fail", deployment: "skipped" })
      assert.include(find(no, "auth").message, "not signed in")
      const never = { getToken: () => new Promise<never>(() => {}) }
      const late = value(
        yield* during(
          "30 seconds",
          verify({ ...config, credential: never }).pipe(Effect.provideService(HttpClient.HttpClient, client))
        )
      )
      assert.deepInclude(statuses(late), { auth: "fail", deployment: "skipped" })
    }))

  it.effect("a configuration that is not valid: nothing is asked", () =>
    Effect.gen(function*() {
      let asked = 0
      const counting = HttpClient.make(() => Effect.andThen(Effect.sync(() => asked++), Effect.never))
      const report = yield* verify(
        { ...at("http://example.com"), deployment: "a b", apiKey: Redacted.make(`${key} `) },
        { timeout: 0 }
      ).pipe(Effect.provideService(HttpClient.HttpClient, counting))
      assert.deepStrictEqual(
        report.findings.map(({ check, details, status }) => [check, status, details["field"]]),
        [
          ["config", "fail", "endpoint"],
          ["config", "fail", "apiKey"],
          ["config", "fail", "deployment"],
          ["config", "fail", "options.timeout"],
          ["deployment", "skipped", undefined]
        ]
      )
      assert.strictEqual(asked, 0)
    }))
})

describe("layer", () => {
  it.live("refuses to start, and says why", () =>
    against({}, (config) =>
      Effect.gen(function*() {
        const layer = Verify.layer({ ...config, deployment: "01" })
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
        assert.strictEqual(error._tag, "DeploymentUnfit")
        assert.isFalse(error.report.ok)
        assert.match(
          error.message,
          /^The deployment "01" cannot be relied on:\n- deployment: There is no deployment "01"\. Check its name/
        )
      })))

  it.live("starts, and logs what is only a warning", () =>
    Effect.gen(function*() {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(message))
      const server = yield* oddServer(() => ({ ...refusal, headers: { "x-ratelimit-limit-tokens": "1000" } }))
      const layer = Verify.layer(at(server.url), { typicalRequest: { maxCompletionTokens: 1001 } })
      yield* Effect.scoped(Layer.build(layer)).pipe(Effect.provide(Logger.layer([logger])))
      assert.lengthOf(logged, 1)
      assert.match(String(logged[0]), /^limits: A request of 1001 tokens is never admitted/)
    }).pipe(overNode))
})
