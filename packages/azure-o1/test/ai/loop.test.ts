import { assert, describe, it } from "@effect/vitest"
import * as Chat from "effect/ai/Chat"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import * as ResponseIdTracker from "effect/ai/ResponseIdTracker"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { AzureO1LanguageModel } from "../../src/ai/index.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import { clientAt } from "../support/conversations.ts"
import { answer, busy, cut, silence, stream, streaming } from "../support/raw-actions.ts"
import { type Action, type Exchange, type RawServer, rawServer } from "../support/raw-server.ts"
import { recorder } from "../support/spans.ts"
import { chat, responses } from "../support/wire-says.ts"

const tools = Toolkit.make(
  Tool.make("weather", {
    description: "The weather of a city, now.",
    parameters: Schema.Struct({ city: Schema.String, unit: Schema.optional(Schema.Literals(["c", "f"])) }),
    success: Schema.Struct({ degrees: Schema.Number }),
    failure: Schema.String,
    failureMode: "return"
  }),
  Tool.make("now", { success: Schema.String })
)

/** What the tools were asked. */
const asked = Layer.mergeAll(tools.toLayer({
  weather: ({ city, unit }) =>
    city === "Atlantis" ? Effect.fail("no such city") : Effect.succeed({ degrees: unit === "f" ? 70 : 21 }),
  now: () => Effect.succeed("noon")
}))

interface Call {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

const oslo: Call = { id: "call_1", name: "weather", arguments: "{\"city\":\"Oslo\",\"unit\":null}" }
const now: Call = { id: "call_2", name: "now", arguments: "{}" }

/** Answers of both APIs, as streams. */
const says: Readonly<
  Record<"chat" | "responses", {
    readonly calls: (...calls: ReadonlyArray<Call>) => string
    readonly text: (...texts: ReadonlyArray<string>) => string
  }>
> = {
  chat: {
    calls: (...calls) =>
      calls.map(({ arguments: args, id, name }, index) =>
        chat.chunk({
          choices: [{ index: 0, delta: { tool_calls: [{ index, id, function: { name, arguments: "" } }] } }]
        }) +
        args.match(/.{1,6}/gs)!.map((piece) =>
          chat.chunk({ choices: [{ index: 0, delta: { tool_calls: [{ index, function: { arguments: piece } }] } }] })
        ).join("")
      ).join("") + chat.stop("tool_calls") + chat.usage() + chat.done,
    text: (...texts) => chat.whole(...texts)
  },
  responses: {
    calls: (...calls) => {
      const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "xyz" }
      const output = [
        reasoning,
        ...calls.map(({ arguments: args, id, name }) => ({
          type: "function_call",
          id: `fc_${id}`,
          call_id: id,
          name,
          arguments: args,
          status: "completed"
        }))
      ]
      let number = 0
      const items = output.map((item, output_index) =>
        responses.event("response.output_item.added", ++number, {
          output_index,
          item: "arguments" in item ? { ...item, arguments: "" } : item
        }) +
        ("arguments" in item
          ? responses.event("response.function_call_arguments.delta", ++number, {
            output_index,
            item_id: item.id,
            delta: item.arguments
          })
          : "") +
        responses.event("response.output_item.done", ++number, { output_index, item })
      )
      const response = { ...responses.body("completed"), output }
      return responses.created() + items.join("") + responses.event("response.completed", ++number, { response })
    },
    text: (...texts) => responses.whole(...texts)
  }
}

const against = <A, E, R>(
  config: Partial<AzureO1Config>,
  exchanges: ReadonlyArray<Exchange>,
  test: (server: RawServer) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const server = yield* rawServer(...exchanges)
    const model = Layer.provide(AzureO1LanguageModel.layer(), clientAt(server.url, config))
    return yield* Effect.provide(test(server), [model, asked])
  })

const post = (...does: ReadonlyArray<Action>): Exchange => ({ on: "POST stream", does })
const bodies = ({ requests }: RawServer) => requests.map(({ json }) => json as Record<string, any>)

/** One turn as a whole or as a stream, as what both amount to. */
const faces = {
  whole: (session: Chat.Chat, prompt: Prompt.RawInput) =>
    Effect.map(
      session.generateText({ prompt, toolkit: tools }),
      ({ content }) => content.map((part) => part as Record<string, any>)
    ),
  stream: (session: Chat.Chat, prompt: Prompt.RawInput) =>
    Effect.map(
      Stream.runCollect(session.streamText({ prompt, toolkit: tools })),
      (parts) => parts.map((part) => part as Record<string, any>)
    )
}

const textOf = (parts: ReadonlyArray<Record<string, any>>): string =>
  parts.map(({ delta, text, type }) => type === "text" ? text : type === "text-delta" ? delta : "").join("")

describe("conversations with tools", () => {
  for (const api of ["chat", "responses"] as const) {
    for (const [face, turn] of Object.entries(faces)) {
      it.live(`${api}, ${face}: two turns, the first of which is refused once; all goes back as the API wants it`, () =>
        against({ api }, [
          post(busy()),
          post(stream(says[api].calls(oslo, now))),
          post(stream(says[api].text("21 ", "degrees at noon.")))
        ], (server) =>
          Effect.gen(function*() {
            const session = yield* Chat.fromPrompt([{ role: "system", content: "Be brief." }])
            const first = yield* turn(session, "How warm is it in Oslo?")
            const results = first.filter(({ type }) => type === "tool-result")
            assert.sameDeepMembers(
              results.map(({ id, isFailure, result }) => [id, isFailure, result]),
              [["call_1", false, { degrees: 21 }], ["call_2", false, "noon"]]
            )
            assert.deepStrictEqual(
              first.filter(({ type }) => type === "tool-call").map(({ id, params }) => [id, params]),
              [["call_1", { city: "Oslo" }], ["call_2", {}]]
            )
            const second = yield* turn(session, [])
            assert.strictEqual(textOf(second), "21 degrees at noon.")
            assert.strictEqual(second.at(-1)!["reason"], "stop")

            const [refused, asked, answered] = bodies(server)
            assert.deepStrictEqual(refused, asked)
            if (api === "chat") {
              assert.deepStrictEqual(answered!["messages"].map(({ role }: any) => role), [
                "developer",
                "user",
                "assistant",
                "tool",
                "tool"
              ])
              assert.deepStrictEqual(answered!["messages"][2].tool_calls.map(({ id }: any) => id), ["call_1", "call_2"])
            } else {
              assert.deepStrictEqual(answered!["input"].map(({ role, type }: any) => role ?? type), [
                "developer",
                "user",
                "reasoning",
                "function_call",
                "function_call",
                "function_call_output",
                "function_call_output"
              ])
              assert.deepInclude(answered!["input"][2], { id: "rs_1", encrypted_content: "xyz" })
            }
            const outputs = api === "chat"
              ? answered!["messages"].slice(3).map(({ content, tool_call_id }: any) => [tool_call_id, content])
              : answered!["input"].slice(5).map(({ call_id, output }: any) => [call_id, output])
            assert.sameDeepMembers(outputs, [["call_1", "{\"degrees\":21}"], ["call_2", "noon"]])
          })))

      it.live(`${api}, ${face}: what the model got wrong is given back to it, where the tool says so`, () =>
        against({ api }, [
          post(stream(says[api].calls(
            { ...oslo, arguments: "{\"city\":\"Atlantis\",\"unit\":null}" },
            { ...oslo, id: "call_2", arguments: "{\"city\":" },
            { ...oslo, id: "call_3", arguments: "{\"city\":\"Oslo\",\"unit\":\"kelvin\"}" },
            { ...oslo, id: "call_4", arguments: "{\"city\":\"Oslo\"}" }
          )))
        ], () =>
          Effect.gen(function*() {
            const session = yield* Chat.empty
            const parts = yield* turn(session, "How warm is it?")
            const results = parts.filter(({ type }) => type === "tool-result")
            assert.sameDeepMembers(results.map(({ id, isFailure }) => [id, isFailure]), [
              ["call_1", true],
              ["call_2", true],
              ["call_3", true],
              ["call_4", false]
            ])
          })))

      it.live(`${api}, ${face}: a tool that nobody declared is told by its name, and none is called`, () =>
        against({ api }, [post(stream(says[api].calls({ ...now, name: "later" }, now)))], () =>
          Effect.gen(function*() {
            const error = yield* Effect.flip(turn(yield* Chat.empty, "Hello"))
            assert.deepInclude(error.reason, { _tag: "ToolNotFoundError", toolName: "later" })
          })))
    }

    it.live(`${api}: arguments arrive in pieces, each call with a beginning and an end`, () =>
      against({ api }, [post(stream(says[api].calls(oslo, now)))], () =>
        Effect.gen(function*() {
          const parts = yield* faces.stream(yield* Chat.empty, "How warm is it in Oslo?")
          for (const { arguments: args, id } of [oslo, now]) {
            const own = parts.filter((part) => part["id"] === id && part["type"].startsWith("tool-params"))
            assert.deepInclude(own[0], { type: "tool-params-start" })
            assert.deepInclude(own.at(-1), { type: "tool-params-end" })
            assert.strictEqual(own.slice(1, -1).map(({ delta }) => delta).join(""), args)
          }
          const types = parts.map(({ type }) => type as string)
          assert.isBelow(types.indexOf("tool-params-end"), types.indexOf("tool-call"))
          assert.strictEqual(types.at(-1), "finish")
        })))

    it.live(`${api}: an answer that breaks off calls no tool`, () => {
      const whole = says[api].calls(oslo)
      return against(
        { api, store: false },
        [post(
          streaming(
            whole.slice(0, whole.lastIndexOf(api === "chat" ? chat.stop("tool_calls") : "event: response.completed"))
          ),
          cut("rst")
        )],
        () =>
          Effect.gen(function*() {
            const called: Array<string> = []
            const own = tools.toLayer({
              weather: ({ city }) => Effect.sync(() => called.push(city)).pipe(Effect.as({ degrees: 1 })),
              now: () => Effect.succeed("noon")
            })
            const parts = LanguageModel.streamText({ prompt: "Hello", toolkit: tools }).pipe(
              Stream.runDrain,
              Effect.provide(own),
              AzureO1LanguageModel.withSettings({ call: { retries: 0 } })
            )
            const { reason } = yield* Effect.flip(parts)
            assert.strictEqual(reason._tag, "NetworkError")
            assert.deepStrictEqual(called, [])
          })
      )
    })
  }

  it.live("a stream that breaks in the middle goes on underneath, and nobody sees it", () =>
    against({ api: "responses" }, [
      { on: "POST stream", does: [streaming(responses.created(), responses.delta(1, "Hel")), cut("rst")] },
      { on: "GET stream", does: [stream(responses.delta(2, "lo"), responses.completed(3, "Hello"))] }
    ], (server) =>
      Effect.gen(function*() {
        const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Hello" }))
        assert.deepStrictEqual(parts.map(({ type }) => type), [
          "response-metadata",
          "text-start",
          "text-delta",
          "text-delta",
          "text-end",
          "response-metadata",
          "finish"
        ])
        assert.strictEqual(textOf(parts), "Hello")
        assert.strictEqual(server.asked().length, 2)
      })))

  const leaving: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>]> = [
    [
      "a stream that is left",
      Stream.runDrain(Stream.take(
        Stream.filter(LanguageModel.streamText({ prompt: "Hello" }), ({ type }) => type === "text-delta"),
        1
      ))
    ],
    [
      "a stream with tools that is left",
      Stream.runDrain(Stream.take(
        Stream.filter(
          LanguageModel.streamText({ prompt: "Hello", toolkit: tools }).pipe(Stream.provide(asked)),
          ({ type }) => type === "text-delta"
        ),
        1
      ))
    ],
    ["a turn that is interrupted", Effect.timeout(LanguageModel.generateText({ prompt: "Hello" }), "200 millis")],
    [
      "a turn of a chat that is interrupted",
      Effect.flatMap(Chat.empty, (chat) => Effect.timeout(chat.generateText({ prompt: "Hello" }), "200 millis"))
    ]
  ]
  for (const [name, leave] of leaving) {
    it.live(`${name}: the service is told to stop`, () =>
      against({ api: "responses" }, [
        post(streaming(responses.created(), responses.delta(1, "Hel")), silence)
      ], (server) =>
        Effect.gen(function*() {
          yield* Effect.exit(leave)
          while (!server.asked().some((asked) => asked.endsWith("/cancel"))) yield* Effect.sleep("2 millis")
        })))
  }

  it.live("with a tracker only what is new is sent, and all of it where the service has forgotten the response", () =>
    against({ api: "responses" }, [
      post(stream(says.responses.text("One."))),
      post(stream(says.responses.text("Two."))),
      post(
        answer(404, { error: { code: "previous_response_not_found", message: "gone", param: "previous_response_id" } })
      ),
      post(stream(says.responses.text("Three.")))
    ], (server) =>
      Effect.gen(function*() {
        const session = yield* Chat.empty
        for (const prompt of ["1", "2", "3"]) yield* session.generateText({ prompt })
        const sent = bodies(server).map(({ input, previous_response_id: previous }) => [previous, input.length])
        assert.deepStrictEqual(sent, [[undefined, 1], ["resp_1", 1], ["resp_1", 1], [undefined, 5]])
      }).pipe(Effect.provideServiceEffect(ResponseIdTracker.ResponseIdTracker, ResponseIdTracker.make))))

  it.live("the ids of Chat Completions continue nothing", () =>
    against(
      { api: "chat" },
      [post(stream(chat.whole("One."))), post(stream(chat.whole("Two.")))],
      (server) =>
        Effect.gen(function*() {
          const session = yield* Chat.empty
          for (const prompt of ["1", "2"]) yield* session.generateText({ prompt })
          assert.deepStrictEqual(bodies(server).map(({ messages }) => messages.length), [1, 3])
        }).pipe(Effect.provideServiceEffect(ResponseIdTracker.ResponseIdTracker, ResponseIdTracker.make))
    ))

  it.live("a conversation that was written down goes on with all that the service asks for", () =>
    against({ api: "responses" }, [
      post(stream(says.responses.calls(now))),
      post(stream(says.responses.text("Noon.")))
    ], (server) =>
      Effect.gen(function*() {
        const session = yield* Chat.empty
        yield* session.generateText({ prompt: "How late is it?", toolkit: tools })
        const again = yield* Chat.fromJson(yield* session.exportJson)
        assert.strictEqual((yield* again.generateText({ prompt: [], toolkit: tools })).text, "Noon.")
        assert.isAbove((yield* Ref.get(again.history)).content.length, 2)
        assert.deepInclude(bodies(server)[1]!["input"][1], { type: "reasoning", encrypted_content: "xyz" })
      })))

  const objects: ReadonlyArray<readonly [name: string, says: string, reason: string]> = [
    ["cut off", chat.delta("{\"n\":") + chat.stop("length") + chat.usage() + chat.done, "StructuredOutputError"],
    ["of another form", chat.whole("{\"m\":1}"), "StructuredOutputError"],
    ["no JSON", chat.whole("hello"), "StructuredOutputError"],
    [
      "a refusal",
      chat.chunk({ choices: [{ index: 0, delta: { refusal: "No." } }] }) + chat.stop() + chat.done,
      "ContentPolicyError"
    ]
  ]
  for (const [name, said, tag] of objects) {
    it.live(`an object that is ${name} is ${tag}`, () =>
      against({ api: "chat" }, [post(stream(said))], () =>
        Effect.gen(function*() {
          const schema = Schema.Struct({ n: Schema.Number })
          const { reason } = yield* Effect.flip(LanguageModel.generateObject({ prompt: "6 x 7", schema }))
          assert.strictEqual(reason._tag, tag)
        })))
  }

  it.live("settings of the model, of a part of the program, and the name of a schema that the service would refuse", () =>
    Effect.gen(function*() {
      const server = yield* rawServer(post(stream(chat.whole("{\"n\":42}"))))
      const model = AzureO1LanguageModel.layer({ reasoningEffort: "low", maxCompletionTokens: 1000 })
      class Answer extends Schema.Class<Answer>("acme/domain/Answer")({ n: Schema.Number }) {}
      const { value } = yield* LanguageModel.generateObject({ prompt: "6 x 7", schema: Answer }).pipe(
        AzureO1LanguageModel.withSettings({ reasoningEffort: "high" }),
        Effect.provide(Layer.provide(model, clientAt(server.url, { api: "chat" })))
      )
      assert.deepStrictEqual(value, new Answer({ n: 42 }))
      const [body] = bodies(server)
      assert.deepInclude(body, { reasoning_effort: "high", max_completion_tokens: 1000 })
      assert.strictEqual(body!["response_format"].json_schema.name, "acme_domain_Answer")
    }))

  it.live("tokens are told by one span", () =>
    against({ api: "chat" }, [post(stream(chat.whole("a")))], () =>
      Effect.gen(function*() {
        const { spans, traced } = recorder()
        yield* traced(LanguageModel.generateText({ prompt: "Hello" }))
        assert.deepStrictEqual(spans.map(({ name }) => name), [
          "LanguageModel.generateText",
          "chat o1",
          "AzureO1.attempt"
        ])
        const counting = spans.filter(({ attributes }) => attributes.has("gen_ai.usage.output_tokens"))
        assert.deepStrictEqual(counting.map(({ name }) => name), ["chat o1"])
      })))
})
