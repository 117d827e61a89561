import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import * as AzureO1Node from "../../src/node.ts"
import { filePart, Message, type O1Request, tool, toolResult, user } from "../../src/O1Request.ts"
import { AzureO1Pool } from "../../src/pool/index.ts"
import { type OddRequest, oddServer } from "../support/odd-server.ts"

const response = (output: ReadonlyArray<unknown>) => ({
  status: 200,
  body: { id: "resp_1", object: "response", status: "completed", model: "gpt-5.6-sol", output, usage: null }
})
const completion = (message: object) => ({
  status: 200,
  body: { id: "c_1", model: "gpt-5.6-sol", choices: [{ index: 0, message, finish_reason: "stop" }] }
})
const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "c2VjcmV0", status: null }
const calling = { type: "function_call", id: "fc_1", call_id: "call_1", name: "weather", arguments: `{"city":"Oslo"}` }
const said = (text: string) => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }]
})

const isChat = ({ path }: OddRequest): boolean => path.includes("/chat/completions")

/** A service that asks for the weather, and when it knows the weather, tells it. */
const weatherman = (request: OddRequest) => {
  const knows = /function_call_output|"role":"tool"/.test(request.body)
  if (isChat(request)) {
    return completion(
      knows ? { role: "assistant", content: "Sunny." } : {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: `{"city":"Oslo"}` } }]
      }
    )
  }
  return response(knows ? [said("Sunny.")] : [reasoning, calling])
}

const configOf = (endpoint: string, rest: Partial<AzureO1Config> = {}): AzureO1Config => ({
  endpoint,
  apiKey: Redacted.make("key"),
  deployment: "d",
  profile: ModelProfile.gpt51,
  ...rest
})

const weather = tool("weather", {
  parameters: Schema.Struct({ city: Schema.String, unit: Schema.optional(Schema.String) })
})

const bodies = (requests: ReadonlyArray<OddRequest>): ReadonlyArray<any> =>
  requests.filter(({ method }) => method === "POST").map(({ body }) => JSON.parse(body))

describe("a conversation with a tool, over sockets", () => {
  const loop = (o1: AzureO1["Service"]) =>
    Effect.gen(function*() {
      const messages: Array<Message> = [user("Oslo?")]
      for (;;) {
        const answer = yield* o1.complete({ messages, tools: [weather], reasoningEffort: "low" })
        messages.push(Message.fromCompletion(answer))
        if (answer.toolCalls.length === 0) return { text: answer.text, messages }
        for (const call of answer.toolCalls) {
          const { city } = yield* weather.decode(call)
          messages.push(toolResult(call.id, `${city}: sunny`))
        }
      }
    })

  const ways: ReadonlyArray<readonly [name: string, config: Partial<AzureO1Config>, second: ReadonlyArray<object>]> = [
    ["Responses, stored", { api: "responses" }, [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "c2VjcmV0" },
      { ...calling },
      { type: "function_call_output", call_id: "call_1", output: "Oslo: sunny" }
    ]],
    ["Responses, nothing stored", { api: "responses", store: false }, [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "c2VjcmV0" },
      { type: "function_call", call_id: "call_1", name: "weather", arguments: `{"city":"Oslo"}` },
      { type: "function_call_output", call_id: "call_1", output: "Oslo: sunny" }
    ]],
    ["Chat Completions", { api: "chat" }, [
      {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: `{"city":"Oslo"}` } }]
      },
      { role: "tool", content: "Oslo: sunny", tool_call_id: "call_1" }
    ]]
  ]
  for (const [name, config, second] of ways) {
    it.live(name, () =>
      Effect.gen(function*() {
        const server = yield* oddServer(weatherman)
        const o1 = yield* AzureO1.make(configOf(server.url, config))
        assert.strictEqual((yield* loop(o1)).text, "Sunny.")
        const sent = bodies(server.requests)
        assert.lengthOf(sent, 2)
        assert.deepStrictEqual((sent[1].input ?? sent[1].messages).slice(1), second)
        assert.deepStrictEqual(
          sent[0].include,
          config.store === false ? ["reasoning.encrypted_content"] : undefined
        )
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
  }

  it.live("goes on at another member, which knows nothing of the items of the first", () =>
    Effect.gen(function*() {
      let broken = false
      const first = yield* oddServer((request) => broken ? { status: 503, body: {} } : weatherman(request))
      const second = yield* oddServer(weatherman)
      const o1 = yield* AzureO1Pool.make(AzureO1Pool.inOrder([
        configOf(first.url, { api: "responses", deployment: "a" }),
        configOf(second.url, { api: "responses", deployment: "b" })
      ]))
      const asked = yield* o1.complete({ messages: [user("Oslo?")], tools: [weather] })
      broken = true
      const answer = yield* o1.complete({
        messages: [user("Oslo?"), Message.fromCompletion(asked), toolResult("call_1", "sunny")],
        tools: [weather]
      })
      assert.strictEqual(answer.text, "Sunny.")
      assert.deepStrictEqual(bodies(second.requests)[0].input.slice(1), [
        { type: "function_call", call_id: "call_1", name: "weather", arguments: `{"city":"Oslo"}` },
        { type: "function_call_output", call_id: "call_1", output: "sunny" }
      ])
    }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
})

describe("the API that carries a request, over sockets", () => {
  const ways: ReadonlyArray<
    readonly [name: string, Partial<AzureO1Config>, Omit<O1Request, "messages"> & Partial<O1Request>, path: RegExp]
  > = [
    ["a plain request", {}, {}, /chat\/completions$/],
    ["one that goes on with a response", {}, { previousResponseId: "resp_0" }, /responses$/],
    ["a file by its address", {}, { messages: [user([filePart("https://e.x/a.pdf")])] }, /responses$/],
    ["tools beside reasoning", { profile: ModelProfile.gpt54 }, { tools: [weather] }, /responses$/],
    [
      "tools without reasoning",
      { profile: ModelProfile.gpt54 },
      { tools: [weather], reasoningEffort: "none" },
      /chat\/completions$/
    ],
    [
      "tools beside reasoning, in a version without the Responses API",
      { profile: ModelProfile.gpt54, apiVersion: "2024-12-01-preview" },
      { tools: [weather] },
      /chat\/completions$/
    ],
    ["stop", { api: "responses" }, { stop: "END" }, /chat\/completions$/],
    ["temperature without reasoning", {}, { temperature: 0.2, reasoningEffort: "none" }, /chat\/completions$/],
    ["whatever a custom model takes", { profile: ModelProfile.custom("gpt-4.1") }, {
      temperature: 0.2,
      extra: { max_tokens: 5 }
    }, /chat\/completions$/],
    ["a codex model", { profile: ModelProfile.forModel("gpt-5.2-codex")! }, {}, /responses$/]
  ]
  for (const [name, config, request, path] of ways) {
    it.live(name, () =>
      Effect.gen(function*() {
        const server = yield* oddServer((request) =>
          isChat(request) ? completion({ role: "assistant", content: "hi" }) : response([said("hi")])
        )
        const o1 = yield* AzureO1.make(configOf(server.url, config))
        const { text } = yield* o1.complete({ messages: [user("hello")], ...request })
        assert.strictEqual(text, "hi")
        assert.lengthOf(server.requests, 1)
        assert.match(server.requests[0]!.path.split("?")[0]!, path)
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
  }
})

it.live("what only the Responses API takes is refused where the version does not have it", () =>
  Effect.gen(function*() {
    const server = yield* oddServer(() => completion({ role: "assistant", content: "hi" }))
    const o1 = yield* AzureO1.make(configOf(server.url, { apiVersion: "2024-12-01-preview" }))
    const error = yield* Effect.flip(o1.complete({ messages: [user("hello")], previousResponseId: "resp_0" }))
    assert.deepInclude(error, { _tag: "O1RequestError", param: "previousResponseId" })
    assert.lengthOf(server.requests, 0)
  }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))

describe("store in extra", () => {
  const kinds: ReadonlyArray<readonly [config: Partial<AzureO1Config>, store: boolean, refused: boolean]> = [
    [{}, false, true],
    [{ api: "responses" }, false, true],
    [{}, true, false],
    [{ store: false }, true, true],
    [{ store: false }, false, false],
    [{ profile: ModelProfile.o1Mini }, false, false],
    [{ apiVersion: "2024-12-01-preview" }, false, false]
  ]
  for (const [config, store, refused] of kinds) {
    it.live(`${store} with ${JSON.stringify({ ...config, profile: config.profile?.name })}`, () =>
      Effect.gen(function*() {
        const server = yield* oddServer((request) =>
          isChat(request) ? completion({ role: "assistant", content: "hi" }) : response([said("hi")])
        )
        const o1 = yield* AzureO1.make(configOf(server.url, config))
        const called = o1.complete({ messages: [user("hello")], extra: { store } })
        if (refused) {
          const error = yield* Effect.flip(called)
          assert.deepInclude(error, { _tag: "O1RequestError", kind: "invalid", param: "extra.store" })
          assert.lengthOf(server.requests, 0)
        } else {
          yield* called
          assert.strictEqual(bodies(server.requests)[0].store, store)
        }
      }).pipe(Effect.provide(AzureO1Node.layerHttpClient)))
  }
})
