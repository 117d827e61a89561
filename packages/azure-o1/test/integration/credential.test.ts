import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import type * as Credential from "../../src/Credential.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import type { CallOptions } from "../../src/O1Client.ts"
import { O1Error } from "../../src/O1Error.ts"
import { O1Policy } from "../../src/O1Policy.ts"
import { request } from "../support/harness.ts"
import { chat } from "../support/wire-says.ts"

const hour = 3_600_000

const configOf = (credential: Credential.TokenCredential, name = "o4-mini"): AzureO1Config => ({
  endpoint: `https://${name}.openai.azure.com`,
  credential,
  deployment: name,
  profile: ModelProfile.o4Mini,
  store: false
})

/** A service that answers at once, and knows what it was asked with. */
const service = () => {
  const asked: Array<string> = []
  const client = HttpClient.make((request) =>
    Effect.sync(() => {
      asked.push(request.headers["authorization"] ?? "")
      return HttpClientResponse.fromWeb(
        request,
        new Response(chat.whole("Hello"), { headers: { "content-type": "text/event-stream" } })
      )
    })
  )
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

/** A credential of which the test says what it does next. */
const scripted = (...script: ReadonlyArray<() => Promise<Credential.AccessToken | null>>) => {
  let asked = 0
  const credential: Credential.TokenCredential = {
    getToken: () => script[Math.min(asked++, script.length - 1)]!()
  }
  return { credential, asked: () => asked }
}

const token = (value: string, expiresOnTimestamp = hour) => () => Promise.resolve({ token: value, expiresOnTimestamp })
const hangs = () => new Promise<never>(() => {})
const fails = (error: Error) => () => Promise.reject(error)
const offline = Object.assign(new Error("getaddrinfo ENOTFOUND login.example"), { code: "ENOTFOUND" })

const clientOf = (config: AzureO1Config, http: Layer.Layer<HttpClient.HttpClient>) =>
  Effect.map(
    Layer.build(Layer.provide(AzureO1.layer(config), http)),
    (context) => ({
      o1: Effect.runSync(Effect.provide(AzureO1, context)),
      policy: Effect.runSync(Effect.provide(O1Policy, context))
    })
  )

describe("a call with a credential", () => {
  it.effect("goes on with the token it has while another is fetched, or does not come", () =>
    Effect.scoped(Effect.gen(function*() {
      const { asked, layer } = service()
      const { credential } = scripted(token("first"), hangs)
      const { o1 } = yield* clientOf(configOf(credential), layer)
      yield* o1.complete(request)
      yield* TestClock.adjust("56 minutes")
      for (let i = 0; i < 3; i++) assert.strictEqual((yield* o1.complete(request)).text, "Hello")
      assert.deepStrictEqual(asked, Array.from({ length: 4 }, () => "Bearer first"))
    })))

  const limits: ReadonlyArray<readonly [string, CallOptions, string, number]> = [
    ["of the credential", {}, "30s (tokenTimeout)", 30],
    ["of the attempt, if that is shorter", { timeout: "3 seconds" }, "3s (the limit of the attempt)", 3],
    [
      "of the call, if that is shorter",
      { timeout: "3 seconds", total: "5 seconds", retries: 3 },
      "5s (the total of the call)",
      5
    ]
  ]
  for (const [what, options, words, seconds] of limits) {
    it.effect(`waits for a token up to the limit ${what}, and does not advise to raise another`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { asked, layer } = service()
        const { o1 } = yield* clientOf(configOf(scripted(hangs).credential), layer)
        const fiber = yield* Effect.forkChild(Effect.flip(o1.complete(request, { retries: 0, ...options })), {
          startImmediately: true
        })
        yield* TestClock.adjust(`${seconds} seconds`)
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(O1Error.label(error), "O1AuthError/credential")
        assert.include(error.message, words)
        assert.notMatch(error.message, /raise|effort|endpoint/i)
        assert.strictEqual(error.deployment, "o4-mini")
        assert.lengthOf(asked, 0)
      })))
  }

  it.effect("shares one failure with all others, opens no circuit, and is fine when the credential is", () =>
    Effect.scoped(Effect.gen(function*() {
      const { layer } = service()
      const down = Array.from({ length: 30 }, () => fails(offline))
      const { asked, credential } = scripted(...down, token("good"))
      const { o1, policy } = yield* clientOf(configOf(credential), layer)
      const failing = Effect.forEach(
        Array.from({ length: 20 }),
        () => Effect.flip(o1.complete(request, { retries: 0 })),
        { concurrency: "unbounded" }
      )
      for (let i = 0; i < 30; i++) {
        const errors = yield* failing
        assert.deepStrictEqual([...new Set(errors.map(O1Error.label))], ["O1AuthError/credential"])
      }
      assert.strictEqual(asked(), 30)
      assert.strictEqual((yield* policy.breakerState("o4-mini"))._tag, "Closed")
      assert.strictEqual((yield* o1.complete(request)).text, "Hello")
    })))

  it.effect("tries again what may pass, and not what does not", () =>
    Effect.scoped(Effect.gen(function*() {
      const { layer } = service()
      const passing = scripted(fails(offline), fails(offline), token("good"))
      const { o1 } = yield* clientOf(configOf(passing.credential), layer)
      const fiber = yield* Effect.forkChild(o1.complete(request), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).text, "Hello")
      const wrong = scripted(fails(new Error("not signed in")))
      const { o1: other } = yield* clientOf(configOf(wrong.credential), layer)
      yield* Effect.flip(other.complete(request))
      assert.strictEqual(wrong.asked(), 1)
    })))

  it.effect("gets a token that takes longer than the limit of an attempt, after one question", () =>
    Effect.scoped(Effect.gen(function*() {
      let give: ((token: Credential.AccessToken) => void) | undefined
      const { asked, credential } = scripted(() => new Promise((resolve) => give = resolve))
      const { o1 } = yield* clientOf(configOf(credential), service().layer)
      const fiber = yield* Effect.forkChild(o1.complete(request, { timeout: "2 seconds" }), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      give!({ token: "slow", expiresOnTimestamp: hour })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).text, "Hello")
      assert.strictEqual(asked(), 1)
    })))

  it.effect("is one of many that share the tokens of a credential", () =>
    Effect.scoped(Effect.gen(function*() {
      const { asked: sent, layer } = service()
      const { asked, credential } = scripted(token("good"))
      const [first, second] = yield* Effect.forEach(["a", "b"], (name) => clientOf(configOf(credential, name), layer))
      yield* Effect.all([first!.o1.complete(request), second!.o1.complete(request)], { concurrency: "unbounded" })
      assert.strictEqual(asked(), 1)
      assert.deepStrictEqual(sent, ["Bearer good", "Bearer good"])
    })))

  it.effect("leaves no question behind when all callers leave", () =>
    Effect.scoped(Effect.gen(function*() {
      let aborted = false
      const credential: Credential.TokenCredential = {
        getToken: (_, options) => {
          options!.abortSignal!.addEventListener("abort", () => aborted = true)
          return hangs()
        }
      }
      const { o1 } = yield* clientOf(configOf(credential), service().layer)
      const fibers = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(o1.complete(request), { startImmediately: true }))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fibers[0]!)
      assert.isFalse(aborted)
      yield* Fiber.interrupt(fibers[1]!)
      assert.isTrue(aborted)
    })))
})

it.live("AzureO1.layerConfig runs on any client", () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(
      Effect.scoped(Layer.build(Layer.provide(AzureO1.layerConfig, FetchHttpClient.layer)))
    )
    assert.match(error.message, /^AZURE_OPENAI_ENDPOINT is not set/)
  }))
