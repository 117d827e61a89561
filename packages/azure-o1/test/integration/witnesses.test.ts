/** The clients that others use, unchanged, against `FakeAzure`: where they work, it speaks as Azure does. */
import { createAzure } from "@ai-sdk/azure"
import { assert, describe, it } from "@effect/vitest"
import { generateText, jsonSchema, streamText, type ToolSet } from "ai"
import * as Effect from "effect/Effect"
import { AzureOpenAI, OpenAI } from "openai"
import type { ChatCompletionChunk } from "openai/resources/chat/completions"
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses"
import { FakeAzure, type FakeAzureOptions, type Reply } from "../../src/testing/index.ts"

const against = (
  options: FakeAzureOptions,
  f: (azure: FakeAzure["Service"]) => Effect.Effect<void>
): Effect.Effect<void> => Effect.flatMap(FakeAzure, f).pipe(Effect.provide(FakeAzure.layer(options)))

const promise = <A>(f: () => PromiseLike<A>): Effect.Effect<A> => Effect.promise(f)

const collect = async <A>(stream: AsyncIterable<A>): Promise<Array<A>> => {
  const all: Array<A> = []
  for await (const element of stream) all.push(element)
  return all
}

const weather = FakeAzure.toolCalls([{ name: "weather", arguments: { city: "Oslo" } }])

/** The client with a dated version, and the one of the v1 path. */
const clients: ReadonlyArray<readonly [string, (url: string) => OpenAI]> = [
  ["AzureOpenAI on the classic path", (url) =>
    new AzureOpenAI({
      endpoint: url,
      apiKey: "fake-key",
      apiVersion: "2025-04-01-preview",
      logLevel: "off"
    })],
  ["OpenAI on the v1 path", (url) =>
    new OpenAI({
      baseURL: `${url}/openai/v1`,
      apiKey: "not used",
      defaultHeaders: { "api-key": "fake-key" },
      logLevel: "off"
    })]
]

const chatTools = [{
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } }
}]

const responseTools = [{
  type: "function" as const,
  name: "weather",
  parameters: { type: "object", properties: { city: { type: "string" } } },
  strict: false
}]

const chatText = (chunks: ReadonlyArray<ChatCompletionChunk>): string =>
  chunks.map(({ choices }) => choices[0]?.delta?.content ?? "").join("")

const responseText = (events: ReadonlyArray<ResponseStreamEvent>): string =>
  events.map((event) => event.type === "response.output_text.delta" ? event.delta : "").join("")

/** The status that a poll finds once it is no longer in the making. */
const polled = async (client: OpenAI, id: string): Promise<Response> => {
  const response = await client.responses.retrieve(id)
  if (response.status !== "queued" && response.status !== "in_progress") return response
  await new Promise((resolve) => void setTimeout(resolve, 5))
  return polled(client, id)
}

const messages = [{ role: "user" as const, content: "hello" }]

describe("openai", () => {
  for (const [name, make] of clients) {
    describe(name, () => {
      it.live("chat, plain", () =>
        against({}, (azure) =>
          promise(async () => {
            const answer = await make(azure.url).chat.completions.create({ model: "o1", messages })
            assert.strictEqual(answer.choices[0]!.message.content, "Hello, world.")
            assert.strictEqual(answer.choices[0]!.finish_reason, "stop")
            assert.strictEqual(answer.usage?.completion_tokens_details?.reasoning_tokens, 64)
          })))

      for (const filterMode of [undefined, "default", "asynchronous"] as const) {
        it.live(`chat, streamed, filter: ${filterMode}`, () =>
          against(
            { filterMode, script: [FakeAzure.answer(["a", "b", "c"], { bytes: 7 })] },
            (azure) =>
              promise(async () => {
                const chunks = await collect(
                  await make(azure.url).chat.completions.create({
                    model: "o1",
                    messages,
                    stream: true,
                    stream_options: { include_usage: true }
                  })
                )
                assert.strictEqual(chatText(chunks), "abc")
                assert.strictEqual(chunks.at(-1)!.usage?.total_tokens, 4 + 3 + 64)
              })
          ))
      }

      it.live("chat, its helper for streams: tool calls", () =>
        against({ script: [weather] }, (azure) =>
          promise(async () => {
            const call = make(azure.url).chat.completions.stream({ model: "o1", messages, tools: chatTools })
            const [choice] = (await call.finalChatCompletion()).choices
            assert.strictEqual(choice!.finish_reason, "tool_calls")
            const [asked] = choice!.message.tool_calls ?? []
            assert.deepInclude(asked, { id: "call_1", type: "function" })
            assert.deepInclude(asked?.type === "function" ? asked.function : undefined, {
              name: "weather",
              arguments: `{"city":"Oslo"}`
            })
          })))

      it.live("chat, plain: tool calls, a refusal, a limit", () =>
        against(
          { script: [weather, FakeAzure.refusal("I will not."), FakeAzure.reasoningExhausted()] },
          (azure) =>
            promise(async () => {
              const client = make(azure.url)
              const ask = async () => (await client.chat.completions.create({ model: "o1", messages })).choices[0]!
              const calls = await ask()
              assert.strictEqual(calls.finish_reason, "tool_calls")
              assert.isNull(calls.message.content)
              assert.strictEqual((await ask()).message.refusal, "I will not.")
              const exhausted = await ask()
              assert.deepStrictEqual([exhausted.finish_reason, exhausted.message.content], ["length", ""])
            })
        ))

      it.live("responses, plain", () =>
        against({ script: [FakeAzure.answer("hi"), weather] }, (azure) =>
          promise(async () => {
            const { responses } = make(azure.url)
            const answer = await responses.create({ model: "o1", input: "hello" })
            assert.deepStrictEqual([answer.status, answer.output_text], ["completed", "hi"])
            assert.strictEqual(answer.usage?.output_tokens_details.reasoning_tokens, 64)
            assert.strictEqual((await responses.retrieve(answer.id)).output_text, "hi")
            const called = await responses.create({ model: "o1", input: "hello", tools: responseTools })
            assert.deepInclude(called.output.at(-1), {
              type: "function_call",
              name: "weather",
              arguments: `{"city":"Oslo"}`
            })
          })))

      it.live("responses, its helper for streams", () =>
        against(
          { model: "o4-mini", script: [FakeAzure.answer("one two", { bytes: 9 }), weather] },
          (azure) =>
            promise(async () => {
              const { responses } = make(azure.url)
              const stream = responses.stream({
                model: "o1",
                input: "hello",
                reasoning: { effort: "low", summary: "auto" }
              })
              const answer = await stream.finalResponse()
              assert.deepStrictEqual([answer.status, answer.output_text], ["completed", "one two"])
              assert.deepInclude(answer.output[0], {
                type: "reasoning",
                summary: [{ type: "summary_text", text: "Greeting the world." }]
              })
              const calls = await responses.stream({ model: "o1", input: "hello", tools: responseTools })
                .finalResponse()
              assert.deepInclude(calls.output.at(-1), { type: "function_call", arguments: `{"city":"Oslo"}` })
            })
        ))

      it.live("a 429, and then the answer: its own retry", () =>
        against({}, (azure) =>
          Effect.gen(function*() {
            const client = make(azure.url)
            const busy = FakeAzure.status(429, { retryAfter: "5 millis" })
            yield* azure.enqueue(busy, FakeAzure.answer("chat"), busy, FakeAzure.answer("response"))
            const chat = yield* promise(() => client.chat.completions.create({ model: "o1", messages }))
            const response = yield* promise(() => client.responses.create({ model: "o1", input: "hello" }))
            assert.strictEqual(chat.choices[0]!.message.content, "chat")
            assert.strictEqual(response.output_text, "response")
            assert.deepStrictEqual((yield* azure.requests).map(({ fault }) => fault), [
              "status",
              undefined,
              "status",
              undefined
            ])
          })))

      it.live("in the background: created, polled, done", () =>
        against(
          { script: [FakeAzure.answer("at last", { after: "10 millis", think: "20 millis" })] },
          (azure) =>
            Effect.gen(function*() {
              const client = make(azure.url)
              const { id, status } = yield* promise(() =>
                client.responses.create({ model: "o1", input: "hello", background: true })
              )
              assert.strictEqual(status, "queued")
              const done = yield* promise(() => polled(client, id))
              assert.deepStrictEqual([done.status, done.output_text], ["completed", "at last"])
              yield* promise(() => client.responses.delete(id))
              const gone = yield* promise(() =>
                client.responses.retrieve(id, {}, { maxRetries: 0 }).catch((error: unknown) => error)
              )
              assert.instanceOf(gone, OpenAI.NotFoundError)
            })
        ))

      it.live("in the background: cancelled, twice", () =>
        against({ script: [FakeAzure.answer("never", { think: "1 minute" })] }, (azure) =>
          Effect.gen(function*() {
            const { responses } = make(azure.url)
            const { id } = yield* promise(() => responses.create({ model: "o1", input: "hello", background: true }))
            assert.strictEqual((yield* promise(() => responses.cancel(id))).status, "cancelled")
            assert.strictEqual((yield* promise(() => responses.cancel(id))).status, "cancelled")
            assert.strictEqual((yield* promise(() => responses.retrieve(id))).status, "cancelled")
            assert.deepInclude((yield* azure.responses)[0], { id, cancelled: true })
          })))

      it.live("in the background: the stream breaks, and is resumed where it broke", () =>
        against(
          { script: [FakeAzure.broken("truncate", 2, FakeAzure.answer("one two three four", { every: "2 millis" }))] },
          (azure) =>
            Effect.gen(function*() {
              const { responses } = make(azure.url)
              const before = yield* promise(async () =>
                collect(await responses.create({ model: "o1", input: "hello", background: true, stream: true }))
              )
              assert.strictEqual(responseText(before), "one two")
              const [created] = before
              const id = created?.type === "response.created" ? created.response.id : ""
              const after = yield* promise(async () =>
                collect(
                  await responses.retrieve(id, {
                    stream: true,
                    starting_after: before.at(-1)!.sequence_number
                  })
                )
              )
              assert.strictEqual(responseText(after), " three four")
              assert.strictEqual(after.at(-1)!.type, "response.completed")
              assert.deepStrictEqual(
                [...before, ...after].map((event) => event.sequence_number),
                Array.from({ length: before.length + after.length }, (_, i) => i)
              )
              assert.deepInclude((yield* azure.responses)[0], { id, status: "completed", cursorReads: 1 })
            })
        ))
    })
  }
})

describe("@ai-sdk/azure", () => {
  const provider = (url: string) => createAzure({ baseURL: `${url}/openai/v1`, apiKey: "fake-key" })
  const tools: ToolSet = {
    weather: { inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }) }
  }
  const models = [
    ["chat", (url: string) => provider(url).chat("o1")],
    ["responses", (url: string) => provider(url).responses("o1")]
  ] as const

  for (const [api, make] of models) {
    const asks = (script: ReadonlyArray<Reply>, f: (azure: FakeAzure["Service"]) => Effect.Effect<void>) =>
      against({ script }, f)

    it.live(`${api}, plain`, () =>
      asks([], (azure) =>
        promise(async () => {
          const answer = await generateText({ model: make(azure.url), prompt: "hello" })
          assert.strictEqual(answer.text, "Hello, world.")
          assert.strictEqual(answer.finishReason, "stop")
          assert.strictEqual(answer.usage.outputTokens, 68)
        })))

    it.live(`${api}, streamed`, () =>
      asks([FakeAzure.answer("one two three", { bytes: 5 })], (azure) =>
        promise(async () => {
          const answer = streamText({ model: make(azure.url), prompt: "hello" })
          assert.strictEqual((await collect(answer.textStream)).join(""), "one two three")
          assert.strictEqual(await answer.finishReason, "stop")
        })))

    it.live(`${api}: tool calls, plain and streamed`, () =>
      asks([weather, weather], (azure) =>
        promise(async () => {
          const question = { model: make(azure.url), prompt: "hello", tools }
          const plain = await generateText(question)
          const streamed = streamText(question)
          await streamed.consumeStream()
          for (const [call] of [plain.toolCalls, await streamed.toolCalls]) {
            assert.deepInclude(call, { toolName: "weather", input: { city: "Oslo" } })
          }
          assert.strictEqual(plain.finishReason, "tool-calls")
          assert.strictEqual(await streamed.finishReason, "tool-calls")
        })))

    it.live(`${api}: a limit, and a filter`, () =>
      asks([FakeAzure.reasoningExhausted(), FakeAzure.filtered("half of")], (azure) =>
        promise(async () => {
          const ask = async () => {
            const answer = streamText({ model: make(azure.url), prompt: "hello" })
            await answer.consumeStream()
            return [await answer.finishReason, await answer.text]
          }
          assert.deepStrictEqual(await ask(), ["length", ""])
          assert.deepStrictEqual(await ask(), ["content-filter", "half of"])
        })))

    it.live(`${api}: a 429, and then the answer: its own retry`, () =>
      asks(
        [FakeAzure.status(429, { retryAfter: "5 millis" }), FakeAzure.answer("at last")],
        (azure) =>
          Effect.gen(function*() {
            const { text } = yield* promise(() => generateText({ model: make(azure.url), prompt: "hello" }))
            assert.strictEqual(text, "at last")
            assert.strictEqual((yield* azure.requests).length, 2)
          })
      ))
  }
})
