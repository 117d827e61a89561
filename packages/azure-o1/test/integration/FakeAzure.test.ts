import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { FakeAzure, type Reply } from "../../src/testing/index.ts"
import { against, impatient, label, patient, text } from "../support/azure.ts"
import { request } from "../support/harness.ts"

describe("against FakeAzure, over sockets", () => {
  it.live("the v1 path: the deployment is the model of the body", () =>
    against({}, (o1, azure) =>
      Effect.gen(function*() {
        const answer = yield* o1.complete({ ...request, reasoningEffort: "high", maxCompletionTokens: 1000, user: "u" })
        assert.deepInclude(answer, {
          text: "Hello, world.",
          finishReason: "stop",
          requestId: "fake-1",
          region: "Fake Central"
        })
        assert.deepStrictEqual(answer.usage, { input: 4, cachedInput: 0, output: 68, reasoning: 64 })
        const [asked] = yield* azure.requests
        assert.strictEqual(asked!.path, "/openai/v1/chat/completions")
        assert.deepStrictEqual(asked!.body, {
          model: "o1",
          messages: [{ role: "user", content: "hello" }],
          reasoning_effort: "high",
          max_completion_tokens: 1000,
          user: "u",
          stream: true,
          stream_options: { include_usage: true }
        })
        assert.deepInclude(asked!.headers, { "api-key": "fake-key", "content-type": "application/json" })
      })))

  it.live("a brief answer as a whole is asked for in one piece, and streamed where it is wanted as a stream", () =>
    against({}, (o1, azure) =>
      Effect.gen(function*() {
        const brief = { ...request, maxCompletionTokens: 100 }
        assert.strictEqual((yield* o1.complete(brief)).text, "Hello, world.")
        assert.strictEqual((yield* Stream.runCollect(o1.tokens(brief))).join(""), "Hello, world.")
        const asked = yield* azure.requests
        assert.deepStrictEqual(asked.map(({ operation, stream }) => [operation, stream]), [["chat", false], [
          "chat",
          true
        ]])
      })))

  it.live("the classic path: the deployment is in the URL, and the version", () =>
    against(
      { deployment: "my deployment".replace(" ", "-"), apiVersion: "2024-12-01-preview" },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
          const [asked] = yield* azure.requests
          assert.strictEqual(
            asked!.path,
            "/openai/deployments/my-deployment/chat/completions?api-version=2024-12-01-preview"
          )
          assert.notProperty(asked!.body, "model")
        })
    ))

  for (const suffix of ["/", "/openai", "/openai/v1", "/openai/v1/"]) {
    it.live(`an endpoint that was copied with ${suffix}`, () =>
      Effect.gen(function*() {
        const azure = yield* FakeAzure
        const o1 = yield* AzureO1.make({ ...azure.config, endpoint: azure.url + suffix })
        assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
      }).pipe(Effect.provide([FakeAzure.layer(), AzureO1Node.layerHttpClient])))
  }

  it.live("tokens arrive while the answer is being made", () =>
    against({ script: [FakeAzure.broken("stall", 2)] }, (o1, azure) =>
      Effect.gen(function*() {
        const tokens = yield* Stream.runCollect(Stream.take(o1.tokens(request), 2))
        assert.deepStrictEqual(tokens, ["Hello", ", "])
        const [asked] = yield* azure.requests
        yield* Effect.sleep("1 millis").pipe(Effect.repeat({ until: () => asked!.abandoned() }))
      })))

  for (const bytes of [1, 7]) {
    it.live(`a stream in pieces of ${bytes} bytes says the same`, () =>
      against(
        { script: [FakeAzure.answer("Ünïcödé 🧠 tokens, cut anywhere.", { bytes })] },
        (o1) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* text(o1), "Ünïcödé 🧠 tokens, cut anywhere.")
          })
      ))
  }

  describe("a model that does not stream", () => {
    it.live("is asked once, and then remembered; the stream is made of the answer", () =>
      against({ streams: false, responses: false }, (o1, azure) =>
        Effect.gen(function*() {
          const events = yield* Stream.runCollect(o1.stream(request))
          assert.deepStrictEqual(
            events.map((event) => event._tag === "Started" ? event.transport : event._tag),
            ["stream", "Learned", "background", "Learned", "plain", "TextDelta", "Finished"]
          )
          assert.strictEqual(yield* text(o1), "Hello, world.")
          assert.deepStrictEqual(
            (yield* azure.requests).map(({ path, stream }) => path.endsWith("/responses") ? "background" : stream),
            [true, "background", false, false]
          )
        })))

    it.live("the plain answer is surrounded by the policy as any other", () =>
      against(
        {
          streams: false,
          responses: false,
          settings: impatient,
          script: [FakeAzure.status(503), FakeAzure.stall, FakeAzure.answer("at last")]
        },
        (o1, azure) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* text(o1), "at last")
            assert.deepStrictEqual(
              (yield* azure.requests).map(({ path, stream }) => path.endsWith("/responses") ? "background" : stream),
              [true, "background", false, false, false]
            )
          })
      ))
  })

  describe("what goes wrong", () => {
    const once = { retries: 0 } as const
    const faults: ReadonlyArray<readonly [string, Reply, string, string]> = [
      ["400", FakeAzure.status(400), "O1RequestError/invalid", "O1RequestError/invalid"],
      ["401", FakeAzure.status(401), "O1AuthError/unauthorized", "O1AuthError/unauthorized"],
      ["403", FakeAzure.status(403), "O1AuthError/forbidden", "O1AuthError/forbidden"],
      ["404", FakeAzure.status(404), "O1DeploymentError/endpoint-not-found", "O1DeploymentError/endpoint-not-found"],
      ["408", FakeAzure.status(408), "O1TimeoutError/service", "O1TimeoutError/service"],
      ["429", FakeAzure.status(429), "O1RateLimitError/requests", "O1RateLimitError/requests"],
      ["500", FakeAzure.status(500), "O1ServerError/internal", "O1ServerError/internal"],
      ["502", FakeAzure.status(502), "O1ServerError/unavailable", "O1ServerError/unavailable"],
      ["503", FakeAzure.status(503), "O1ServerError/unavailable", "O1ServerError/unavailable"],
      ["504", FakeAzure.status(504), "O1TimeoutError/gateway", "O1TimeoutError/gateway"],
      [
        "a redirect",
        FakeAzure.status(307, { headers: { location: "http://127.0.0.1:1/" } }),
        "O1DeploymentError/endpoint-not-found",
        "O1DeploymentError/endpoint-not-found"
      ],
      [
        "a page",
        FakeAzure.status(200, { body: "<html>", headers: { "content-type": "text/html" } }),
        "O1ProtocolError/unexpected-content-type",
        "O1ProtocolError/unexpected-content-type"
      ],
      [
        "an error with a 200",
        FakeAzure.status(200, { body: { error: { code: "429", message: "" } } }),
        "O1RateLimitError/requests",
        "O1RateLimitError/requests"
      ],
      ["no headers", FakeAzure.stall, "O1TimeoutError/attempt", "O1TimeoutError/attempt"],
      [
        "a reset before the headers",
        FakeAzure.broken("reset", "nothing"),
        "O1ConnectionError/reset",
        "O1ConnectionError/reset"
      ],
      [
        "an end before the headers",
        FakeAzure.broken("truncate", "nothing"),
        "O1ProtocolError/truncated",
        "O1ProtocolError/unexpected-content-type"
      ],
      [
        "a reset before the first token",
        FakeAzure.broken("reset", 0),
        "O1ConnectionError/reset",
        "O1ConnectionError/reset"
      ],
      [
        "silence before the first token",
        FakeAzure.broken("stall", 0),
        "O1TimeoutError/attempt",
        "O1TimeoutError/attempt"
      ],
      [
        "an end before the first token",
        FakeAzure.broken("truncate", 0),
        "O1ProtocolError/truncated",
        "O1ProtocolError/truncated"
      ]
    ]
    for (const [name, reply, complete, stream] of faults) {
      it.live(
        name,
        () =>
          against(
            { script: [reply, reply], settings: reply.fault?.kind === "stall" ? impatient : patient },
            (o1) =>
              Effect.gen(function*() {
                assert.strictEqual(yield* label(o1.complete(request, once)), complete)
                if (name !== "an end before the headers") {
                  assert.strictEqual(yield* label(Stream.runDrain(o1.stream(request, once))), stream)
                }
              })
          )
      )
    }

    const midStream: ReadonlyArray<readonly [string, "reset" | "stall" | "truncate", string]> = [
      ["a reset", "reset", "O1ConnectionError/reset"],
      ["silence", "stall", "O1TimeoutError/idle"],
      ["an end", "truncate", "O1ProtocolError/truncated"]
    ]
    for (const [name, kind, expected] of midStream) {
      it.live(`${name} after two tokens: not tried again, and the text so far is kept`, () =>
        against(
          { script: [FakeAzure.broken(kind, 2)], settings: kind === "stall" ? impatient : patient },
          (o1, azure) =>
            Effect.gen(function*() {
              const error = yield* Effect.flip(Stream.runDrain(o1.stream(request)))
              assert.strictEqual(O1Error.label(error), expected)
              assert.strictEqual(error.partialText, "Hello, ")
              assert.strictEqual((yield* azure.requests).length, 1)
            })
        ))
    }

    it.live("nothing listens", () =>
      against({ config: { endpoint: "http://127.0.0.1:1" } }, (o1) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* label(o1.complete(request, once)), "O1ConnectionError/refused")
        })))

    it.live("a host that does not exist", () =>
      against({ config: { endpoint: "https://no-such-host.invalid" } }, (o1) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* label(o1.complete(request, once)), "O1ConnectionError/dns")
        })))

    it.live("the wrong key, and the wrong deployment", () =>
      Effect.gen(function*() {
        const wrong = (config: Partial<AzureO1Config>) => against({ config }, (o1) => label(o1.complete(request)))
        assert.strictEqual(yield* wrong({ apiKey: Redacted.make("wrong") }), "O1AuthError/unauthorized")
        assert.strictEqual(yield* wrong({ deployment: "wrong" }), "O1DeploymentError/deployment-not-found")
      }))
  })

  it.live("a bad day: 429, 503, a stall, a reset, and then the answer", () =>
    against({
      settings: impatient,
      responses: false,
      script: [
        FakeAzure.status(429, { retryAfter: "30 millis" }),
        FakeAzure.status(503),
        FakeAzure.stall,
        FakeAzure.broken("reset", 0),
        FakeAzure.answer("at last")
      ]
    }, (o1, azure) =>
      Effect.gen(function*() {
        const events = yield* Stream.runCollect(o1.stream(request, { retries: 4 }))
        assert.deepStrictEqual(
          events.flatMap((event) => event._tag === "Retrying" ? [O1Error.label(event.error)] : []),
          [
            "O1RateLimitError/requests",
            "O1ServerError/unavailable",
            "O1TimeoutError/attempt",
            "O1ConnectionError/reset"
          ]
        )
        assert.deepStrictEqual(
          (yield* azure.requests).map(({ path }) => path.split("/").at(-1)),
          ["completions", "completions", "completions", "responses", "completions", "completions"],
          "after a timeout the background is asked for first"
        )
        assert.isTrue((yield* azure.requests)[2]!.abandoned(), "the attempt that timed out was cancelled on the wire")
      })))

  it.live("fifty calls at once, each with its own answer", () =>
    against(
      { script: Array.from({ length: 50 }, (_, i) => FakeAzure.answer(`answer ${i}`, { after: "10 millis" })) },
      (o1) =>
        Effect.gen(function*() {
          const texts = yield* Effect.all(Array.from({ length: 50 }, () => text(o1)), { concurrency: "unbounded" })
          assert.strictEqual(new Set(texts).size, 50)
        })
    ))

  it.live("faults by chance, all of which another attempt mends", () =>
    against({ faults: { rate: 0.4, seed: 1 } }, (o1, azure) =>
      Effect.gen(function*() {
        const options = { retries: 10 }
        for (let i = 0; i < 20; i++) {
          assert.strictEqual((yield* o1.complete(request, options)).text, "Hello, world.")
          const tokens = yield* Stream.runCollect(o1.tokens(request, options))
          assert.strictEqual(tokens.join(""), "Hello, world.")
        }
        // what was made in the background after a 408 is asked for as well
        const requests = (yield* azure.requests).filter(({ method }) => method === "POST")
        const faults = requests.filter(({ fault }) => fault !== undefined)
        assert.strictEqual(
          requests.length,
          40 + faults.length,
          "an attempt for each fault, and no other"
        )
      })))

  it.live("works on any HttpClient: fetch, without following redirects", () =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      yield* azure.enqueue(
        FakeAzure.answer("by fetch"),
        FakeAzure.status(307, { headers: { location: `${azure.url}/elsewhere` } })
      )
      const o1 = yield* AzureO1.make(azure.config)
      assert.strictEqual(yield* text(o1), "by fetch")
      assert.strictEqual(yield* label(o1.complete(request)), "O1DeploymentError/endpoint-not-found")
      assert.strictEqual((yield* azure.requests).length, 2, "the redirect was not followed")
    }).pipe(Effect.provide([FakeAzure.layer(), FetchHttpClient.layer])))

  describe("layerConfig", () => {
    const env = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

    it.live("reads the environment", () =>
      Effect.gen(function*() {
        const azure = yield* FakeAzure
        const program = Effect.flatMap(AzureO1, (o1) => o1.complete(request)).pipe(
          Effect.provide(Layer.provide(
            AzureO1Node.layerConfig,
            env({
              AZURE_OPENAI_ENDPOINT: azure.url,
              AZURE_OPENAI_API_KEY: "fake-key",
              AZURE_OPENAI_DEPLOYMENT: "o1",
              AZURE_OPENAI_API_VERSION: "2024-12-01-preview"
            })
          ))
        )
        assert.strictEqual((yield* program).text, "Hello, world.")
        assert.strictEqual((yield* azure.requests)[0]!.api, "classic")
      }).pipe(Effect.provide(FakeAzure.layer())))

    it.live("streams a response that the service keeps, with clocks that nobody has set", () =>
      Effect.gen(function*() {
        const azure = yield* FakeAzure
        const events = yield* Stream.unwrap(Effect.map(AzureO1, (o1) => o1.stream(request))).pipe(
          Stream.runCollect,
          Effect.provide(Layer.provide(
            AzureO1Node.layerConfig,
            env({
              AZURE_OPENAI_ENDPOINT: azure.url,
              AZURE_OPENAI_API_KEY: "fake-key",
              AZURE_OPENAI_DEPLOYMENT: "o1",
              AZURE_OPENAI_MODEL: "o3-mini",
              AZURE_OPENAI_API: "responses"
            })
          ))
        )
        assert.includeMembers(events.map(({ _tag }) => _tag), ["Accepted", "TextDelta", "Finished"])
      }).pipe(Effect.provide(FakeAzure.layer({ model: "o3-mini-2025-01-31" }))))

    const good = {
      AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
      AZURE_OPENAI_API_KEY: "SECRETKEY",
      AZURE_OPENAI_DEPLOYMENT: "o1"
    }
    const bad: ReadonlyArray<readonly [string, Record<string, string>]> = [
      ["AZURE_OPENAI_ENDPOINT", { AZURE_OPENAI_ENDPOINT: "x.openai.azure.com" }],
      ["AZURE_OPENAI_ENDPOINT", { AZURE_OPENAI_ENDPOINT: "http://x.openai.azure.com" }],
      ["AZURE_OPENAI_ENDPOINT", { AZURE_OPENAI_ENDPOINT: "http://localhost.evil.test" }],
      ["AZURE_OPENAI_ENDPOINT", { AZURE_OPENAI_ENDPOINT: "https://user:SECRETKEY@x.openai.azure.com" }],
      ["AZURE_OPENAI_ENDPOINT", { AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com?api-version=1" }],
      ["AZURE_OPENAI_API_KEY", { AZURE_OPENAI_API_KEY: "SECRETKEY\nSECRETKEY" }],
      ["AZURE_OPENAI_API_KEY", { AZURE_OPENAI_API_KEY: "" }],
      ["AZURE_OPENAI_DEPLOYMENT", { AZURE_OPENAI_DEPLOYMENT: "a/b" }],
      ["AZURE_OPENAI_API_VERSION", { AZURE_OPENAI_API_VERSION: "latest" }]
    ]
    for (const [variable, wrong] of bad) {
      it.live(`names the variable: ${JSON.stringify(wrong)}`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Effect.scoped(Layer.build(AzureO1Node.layerConfig))).pipe(
            Effect.provide(env({ ...good, ...wrong }))
          )
          assert.instanceOf(error, Config.ConfigError)
          assert.include(error.message, variable)
          assert.notInclude(error.message, "SECRETKEY")
        }))
    }

    for (const variable of Object.keys(good)) {
      it.live(`names the variable that is missing: ${variable}`, () =>
        Effect.gen(function*() {
          const rest = Object.fromEntries(Object.entries(good).filter(([name]) => name !== variable))
          const error = yield* Effect.flip(Effect.scoped(Layer.build(AzureO1Node.layerConfig))).pipe(
            Effect.provide(env(rest))
          )
          assert.include(error.message, variable)
        }))
    }

    it.live("a bad configuration in the program is a defect that names the field", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          AzureO1.make({ endpoint: "nowhere", apiKey: Redacted.make("SECRETKEY"), deployment: "o1" })
        )
        assert.include(String(exit), "AzureO1: endpoint must be a URL")
        assert.notInclude(String(exit), "SECRETKEY")
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
  })
})
