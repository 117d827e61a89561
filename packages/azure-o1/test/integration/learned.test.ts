// What answers teach, over real sockets: gateways without a route, deployments that refuse, keys that are not taken.
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { O1Error } from "../../src/O1Error.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { patient } from "../support/azure.ts"
import { request } from "../support/harness.ts"
import { answer, busy, head, say, silence, sse, stream, wait } from "../support/raw-actions.ts"
import { type Action, type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"

const model = "gpt-5.1-2025-11-13"
const chunk = (text: string) =>
  `data: ${
    JSON.stringify({ id: "c", model, choices: [{ index: 0, delta: { content: text }, finish_reason: "stop" }] })
  }\n\n`
const streamed = stream(chunk("streamed"), "data: [DONE]\n\n")
const plain = answer(200, {
  id: "c",
  model,
  choices: [{ index: 0, finish_reason: "stop", message: { content: "plain" } }]
})
const made = answer(200, {
  id: "resp_1",
  object: "response",
  status: "completed",
  model,
  output: [{ type: "message", content: [{ type: "output_text", text: "made" }] }]
})
const refused = (param: string | null, message: string): Action =>
  answer(400, { error: { code: "unsupported_value", type: "invalid_request_error", param, message } })
const noStreams = refused("stream", "Unsupported value: 'stream' does not support true with this model.")

const configOf = ({ url }: RawServer, config: Partial<AzureO1Config>): AzureO1Config => ({
  endpoint: url,
  apiKey: Redacted.make("key"),
  deployment: "d",
  profile: ModelProfile.gpt51,
  ...config
})

const clientOf = (server: RawServer, config: Partial<AzureO1Config> = {}) =>
  AzureO1Pool.make(AzureO1Pool.inOrder([configOf(server, config)]), patient)

/** The client of one deployment, as most programs have it. */
const singleOf = (server: RawServer, config: Partial<AzureO1Config> = {}) => AzureO1.make(configOf(server, config))

const text = (o1: AzureO1["Service"], face: "complete" | "tokens" = "complete") =>
  Effect.match(
    face === "complete"
      ? Effect.map(o1.complete(request), ({ text }) => text)
      : Effect.map(Stream.runCollect(o1.tokens(request)), (texts) => texts.join("")),
    { onFailure: O1Error.label, onSuccess: (text) => text }
  )

const always = (on: string, ...does: ReadonlyArray<Action>): Exchange => ({ on, times: Infinity, does })

const within = <A, E>(self: Effect.Effect<A, E, HttpClient.HttpClient>) =>
  self.pipe(Effect.timeout("20 seconds"), Effect.provide(AzureO1Node.layerHttpClient))

describe("learned, over real sockets", () => {
  /** What stands where the Responses API is not, and what each of three calls asks for. */
  const gateways: ReadonlyArray<readonly [string, Action]> = [
    ["a 404", answer(404, { error: { code: "404", message: "Resource not found" } })],
    ["a 404 of API Management", answer(404, { statusCode: 404, message: "Resource not found" })],
    ["a 404 without words", answer(404, "")],
    ["a 405", answer(405, { error: { message: "Method not allowed" } })],
    ["a 501", answer(501, "There is nothing of that kind here.", { "content-type": "text/plain" })],
    ["a page", answer(200, "<html><body>Welcome</body></html>", { "content-type": "text/html" })],
    ["Chat Completions, whatever the path", plain],
    [
      "words against the background, without a parameter",
      refused(null, "Background mode is not supported for this model.")
    ],
    ["words against storing", refused(null, "Stored responses are not allowed for this resource.")],
    ["the parameter store", refused("store", "store must be false")]
  ]
  for (const [name, gateway] of gateways) {
    for (const face of ["complete", "tokens"] as const) {
      it.live(`o1 behind a gateway with ${name}: it costs one request, and not one of each call, ${face}`, () =>
        within(Effect.scoped(Effect.gen(function*() {
          const server = yield* rawServer(
            always("POST /responses", gateway),
            always("POST /chat/completions plain", plain)
          )
          const o1 = yield* singleOf(server, { profile: ModelProfile.o1 })
          for (let i = 0; i < 3; i++) assert.strictEqual(yield* text(o1, face), "plain")
          assert.deepStrictEqual(server.asked(), [
            "POST /responses background",
            ...Array.from({ length: 3 }, () => "POST /chat/completions")
          ])
        }))))
    }
  }

  it.live("o1 is not asked to stream", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(always("POST /responses", made))
      const o1 = yield* singleOf(server, { profile: ModelProfile.o1 })
      assert.strictEqual(yield* text(o1, "tokens"), "made")
      assert.deepStrictEqual(server.asked(), ["POST /responses background"])
    }))))

  for (const profile of [ModelProfile.o3, ModelProfile.gpt51, ModelProfile.custom("any")]) {
    it.live(`50 calls at once on a ${profile.name} that does not stream: one is asked to`, () =>
      within(Effect.scoped(Effect.gen(function*() {
        const server = yield* rawServer(
          always("POST /chat/completions stream", wait(100), noStreams),
          always("POST /responses", made)
        )
        const o1 = yield* singleOf(server, { profile })
        const texts = yield* Effect.all(Array.from({ length: 50 }, () => text(o1)), { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(texts), new Set(["made"]))
        assert.strictEqual(server.asked().filter((asked) => asked.endsWith("stream")).length, 1)
        assert.strictEqual(server.requests.length, 51)
      }))))
  }

  it.live("200 calls at once on one that streams: nobody is sent another way", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(always("POST /chat/completions stream", wait(50), streamed))
      const o1 = yield* singleOf(server, { profile: ModelProfile.o3 })
      const texts = yield* Effect.all(Array.from({ length: 200 }, () => text(o1)), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(texts), new Set(["streamed"]))
      assert.strictEqual(server.requests.length, 200)
    }))))

  it.live("the call that asks goes away before it is answered: another one asks", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(
        { on: "POST /chat/completions stream", does: [silence] },
        always("POST /chat/completions stream", streamed)
      )
      const o1 = yield* singleOf(server, { profile: ModelProfile.o3 })
      const [first, ...others] = yield* Effect.all([
        Effect.timeoutOption(text(o1), "200 millis"),
        ...Array.from({ length: 5 }, () => Effect.delay(text(o1), "50 millis"))
      ], { concurrency: "unbounded" })
      assert.strictEqual((first as { readonly _tag: string })._tag, "None")
      assert.deepStrictEqual(others, Array.from({ length: 5 }, () => "streamed"))
    }))))

  it.live("a stream that has begun to answer is answer enough, however long it goes on", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(
        { on: "POST /chat/completions stream", does: [head(200, sse), say(": thinking\n\n"), silence] },
        always("POST /chat/completions stream", streamed)
      )
      const o1 = yield* singleOf(server, { profile: ModelProfile.o3 })
      const seen = yield* Effect.all([
        Effect.timeoutOption(text(o1), "1 second"),
        Effect.delay(text(o1), "100 millis")
      ], { concurrency: "unbounded" })
      assert.strictEqual(seen[1], "streamed")
      assert.strictEqual(server.requests.length, 2)
    }))))

  it.live("20 callers of one deployment, one is told to wait: at most one more is refused", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const server = yield* rawServer(
        { on: "POST /chat/completions stream", does: [busy({ "retry-after-ms": "1500" })] },
        always("POST /chat/completions stream", streamed)
      )
      const o1 = yield* singleOf(server)
      const began = performance.now()
      const texts = yield* Effect.all(
        Array.from({ length: 20 }, (_, i) => Effect.delay(text(o1), `${i * 20 + (i > 0 ? 100 : 0)} millis`)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(texts), new Set(["streamed"]))
      assert.isAtMost(server.requests.length, 22)
      assert.isAtLeast(performance.now() - began, 1400)
    }))))

  for (
    const [name, make] of [["one deployment", singleOf], [
      "a pool",
      (server: RawServer) => AzureO1Pool.make(AzureO1Pool.inOrder([configOf(server, {})]))
    ]] as const
  ) {
    it.live(`one answer that asks for a pause is one failure, however many callers waited for it: ${name}`, () =>
      within(Effect.scoped(
        Effect.gen(function*() {
          const server = yield* rawServer(
            {
              on: "POST /chat/completions stream",
              does: [wait(300), answer(503, { error: { code: "503", message: "down" } }, { "retry-after-ms": "700" })]
            },
            always("POST /chat/completions stream", streamed)
          )
          const o1 = yield* make(server)
          const texts = yield* Effect.all(Array.from({ length: 10 }, () => text(o1)), { concurrency: "unbounded" })
          assert.deepStrictEqual(new Set(texts), new Set(["streamed"]))
          assert.strictEqual(server.requests.length, 11)
        }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
      )))
  }

  it.live("a member whose key is not taken is asked once, and the others answer", () =>
    within(Effect.scoped(
      Effect.gen(function*() {
        const first = yield* rawServer(
          always(
            "POST",
            answer(401, { error: { code: "401", message: "Access denied due to invalid subscription key" } })
          )
        )
        const second = yield* rawServer(always("POST /chat/completions stream", streamed))
        const o1 = yield* AzureO1Pool.make(
          AzureO1Pool.inOrder(
            [configOf(first, { deployment: "a" }), configOf(second, { deployment: "b" })]
          ),
          patient
        )
        for (let i = 0; i < 20; i++) assert.strictEqual(yield* text(o1), "streamed")
        assert.deepStrictEqual([first.requests.length, second.requests.length], [1, 20])
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient))
    )))

  it.live("a refused value is of that value only, on both APIs", () =>
    within(Effect.scoped(Effect.gen(function*() {
      for (const api of ["chat", "responses"] as const) {
        const effort = ({ json }: { readonly json?: unknown }) => {
          const body = json as { readonly reasoning_effort?: string; readonly reasoning?: { readonly effort?: string } }
          return body.reasoning_effort ?? body.reasoning?.effort ?? "absent"
        }
        const param = api === "chat" ? "reasoning_effort" : "reasoning.effort"
        const server = yield* rawServer(
          {
            on: (request) => effort(request) === "xhigh",
            times: Infinity,
            does: [refused(param, `Unsupported value: '${param}' does not support 'xhigh' with this model.`)]
          },
          always("POST /chat/completions", streamed),
          always("POST /responses", made)
        )
        const o1 = yield* clientOf(server, { api, heal: true })
        for (const reasoningEffort of ["xhigh", "high", "xhigh"] as const) {
          yield* o1.complete({ ...request, reasoningEffort })
        }
        assert.deepStrictEqual(server.requests.map(effort), ["xhigh", "absent", "high", "absent"], api)
      }
    }))))

  it.live("what has its default only is left out of later requests, whatever its value", () =>
    within(Effect.scoped(Effect.gen(function*() {
      const temperature = ({ json }: { readonly json?: unknown }) =>
        (json as { readonly temperature?: number }).temperature ?? "absent"
      const server = yield* rawServer(
        {
          on: (request) => temperature(request) !== "absent",
          times: Infinity,
          does: [refused(
            "temperature",
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
          )]
        },
        always("POST /chat/completions", streamed)
      )
      const o1 = yield* clientOf(server, { api: "chat", heal: true, profile: ModelProfile.custom("o1") })
      for (const temperature of [0.2, 0.7, 0.2]) yield* o1.complete({ ...request, temperature })
      assert.deepStrictEqual(server.requests.map(temperature), [0.2, "absent", "absent", "absent"])
    }))))
})
