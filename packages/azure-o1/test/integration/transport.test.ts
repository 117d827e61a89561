import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { AzureO1 } from "../../src/AzureO1.ts"
import type { AzureO1Config } from "../../src/AzureO1Config.ts"
import * as ModelProfile from "../../src/ModelProfile.ts"
import { O1Error } from "../../src/O1Error.ts"
import type { O1Event } from "../../src/O1Event.ts"
import {
  assistant,
  developer,
  imagePart,
  type O1Request,
  textPart,
  tool,
  toolResult,
  user
} from "../../src/O1Request.ts"
import { FakeAzure, type FakeAzureOptions, type FakeRequest, type Reply } from "../../src/testing/index.ts"
import { against, impatient, label, patient, text } from "../support/azure.ts"
import { request } from "../support/harness.ts"
import { oddServer } from "../support/odd-server.ts"

const responses: Partial<AzureO1Config> = { api: "responses", pollInterval: "5 millis" }
const chat: Partial<AzureO1Config> = { api: "chat", pollInterval: "5 millis" }

const poetry = FakeAzure.answer("one two three four five six")

/** Every way in which an answer can come. */
const ways: ReadonlyArray<readonly [string, FakeAzureOptions & { readonly config: Partial<AzureO1Config> }, string]> = [
  ["chat, streamed", { config: chat }, "stream"],
  ["chat, in the background", { config: chat, streams: false }, "background"],
  ["chat, plain", { config: chat, streams: false, responses: false }, "plain"],
  ["responses, kept", { config: responses }, "stream"],
  ["responses, streamed but not kept", { config: { ...responses, store: false } }, "stream"],
  ["responses, in the background", { config: responses, streams: false }, "background"],
  ["responses, plain", { config: { ...responses, store: false }, streams: false }, "plain"]
]

const tagsOf = (events: ReadonlyArray<O1Event>): ReadonlyArray<string> => events.map(({ _tag }) => _tag)

const operation = ({ operation, path, stream }: FakeRequest): string =>
  `${operation}${operation === "retrieve" && stream ? ` ${path.split("?")[1]}` : ""}`

const told = (events: ReadonlyArray<O1Event>): string =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")

const collect = (o1: AzureO1["Service"], asked: O1Request = request, options = {}) =>
  Stream.runCollect(o1.stream(asked, options))

/** Waits until what the server sees is as it should be. */
const until = <A>(look: Effect.Effect<A>, good: (a: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(Effect.delay(look, "2 millis"), { until: good })

describe("the transport ladder", () => {
  for (const [name, options, last] of ways) {
    describe(name, () => {
      const say = (script: ReadonlyArray<Reply>, f: (o1: AzureO1["Service"]) => Effect.Effect<void, unknown>) =>
        against({ ...options, script }, f)

      it.live("the whole, and as a stream", () =>
        say([poetry, poetry], (o1) =>
          Effect.gen(function*() {
            const whole = yield* o1.complete(request)
            assert.deepInclude(whole, { text: "one two three four five six", finishReason: "stop", warnings: [] })
            assert.strictEqual(whole.usage?.reasoning, 64)
            const events = yield* collect(o1)
            assert.strictEqual(told(events), "one two three four five six")
            const started = events.filter((event) => event._tag === "Started")
            assert.strictEqual(started.at(-1)?.transport, last, "what was refused is remembered")
            assert.strictEqual(started.length, 1)
            assert.strictEqual(events.at(-1)?._tag, "Finished")
          })))

      it.live("tool calls", () =>
        say([FakeAzure.toolCalls([{ name: "weather", arguments: { city: "Ulm" } }, { name: "now", arguments: {} }])], (
          o1
        ) =>
          Effect.gen(function*() {
            const { finishReason, toolCalls } = yield* o1.complete({
              ...request,
              tools: [
                tool("weather", { parameters: Schema.Struct({ city: Schema.String }) }),
                { name: "now", parameters: { type: "object", properties: {} } }
              ]
            })
            assert.strictEqual(finishReason, "tool_calls")
            assert.deepStrictEqual(toolCalls.map(({ arguments: args, name }) => [name, JSON.parse(args)]), [
              ["weather", { city: "Ulm" }],
              ["now", {}]
            ])
          })))

      it.live("a refusal", () =>
        say([FakeAzure.refusal("I cannot do that")], (o1) =>
          Effect.gen(function*() {
            assert.deepInclude(yield* o1.complete(request), { refusal: "I cannot do that", text: "" })
          })))

      it.live("an answer that is cut off says so; one that reasoning ate is none", () =>
        say([FakeAzure.cutOff("half an"), FakeAzure.reasoningExhausted()], (o1) =>
          Effect.gen(function*() {
            assert.deepInclude(yield* o1.complete(request), { text: "half an", finishReason: "length" })
            const error = yield* Effect.flip(o1.complete(request))
            assert.strictEqual(O1Error.label(error), "O1OutputLimitError/reasoning-exhausted")
          })))

      it.live("the filter stops the answer, or the prompt", () =>
        say(
          [FakeAzure.filtered("half", { categories: ["hate"] }), FakeAzure.promptFiltered()],
          (o1) =>
            Effect.gen(function*() {
              const stopped = yield* Effect.flip(o1.complete(request))
              assert.strictEqual(O1Error.label(stopped), "O1ContentFilterError/completion")
              assert.deepInclude(stopped, { partialText: "half", categories: ["hate"] })
              assert.strictEqual(yield* label(o1.complete(request)), "O1ContentFilterError/prompt")
            })
        ))

      it.live("a failure is tried again", () =>
        say([FakeAzure.status(503), poetry], (o1) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* text(o1), "one two three four five six")
          })))

      it.live("structured output", () =>
        say(
          [FakeAzure.answer("{\"city\":\"Ulm\",\"people\":126000}"), FakeAzure.answer("Ulm")],
          (o1) =>
            Effect.gen(function*() {
              const City = Schema.Struct({ city: Schema.String, people: Schema.Int })
              const { value } = yield* o1.object(City, request)
              assert.deepStrictEqual(value, { city: "Ulm", people: 126_000 })
              const error = yield* Effect.flip(o1.object(City, request))
              assert.strictEqual(O1Error.label(error), "O1ProtocolError/schema-mismatch")
              assert.strictEqual(error.partialText, "Ulm")
            })
        ))

      it.live("an object that does not come is told by its kind, with what it has cost", () =>
        say(
          [
            FakeAzure.cutOff("{\"city\":"),
            FakeAzure.refusal("I will not."),
            FakeAzure.filtered("{\"city\":")
          ],
          (o1) =>
            Effect.gen(function*() {
              const City = Schema.Struct({ city: Schema.String })
              const labels: Array<string> = []
              for (let i = 0; i < 3; i++) {
                const error = yield* Effect.flip(o1.object(City, request))
                labels.push(O1Error.label(error))
                assert.isAbove(error.usage?.output ?? 0, 0)
                assert.deepStrictEqual(error.completion?.usage, error.usage)
              }
              assert.deepStrictEqual(labels, [
                "O1OutputLimitError/cut-off",
                "O1RefusalError/refused",
                "O1ContentFilterError/completion"
              ])
            })
        ))
    })
  }

  it.live("a summary of the reasoning", () =>
    against(
      { model: "o4-mini-2025-04-16", config: { ...responses, profile: ModelProfile.o4Mini } },
      (o1) =>
        Effect.gen(function*() {
          const events = yield* collect(o1, { ...request, reasoningSummary: "auto" })
          assert.include(tagsOf(events), "ReasoningDelta")
          const last = events.at(-1)!
          assert.deepInclude(last._tag === "Finished" ? last.completion : {}, { reasoning: "Greeting the world." })
        })
    ))

  for (const filterMode of ["default", "asynchronous"] as const) {
    it.live(`the content filter works ${filterMode}`, () =>
      against({ filterMode, script: [poetry], config: chat }, (o1) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* text(o1), "one two three four five six")
        })))
  }

  it.live("a conversation with everything in it is the same in both APIs, to the server's satisfaction", () =>
    Effect.forEach([chat, responses], (config) =>
      against({ config }, (o1, azure) =>
        Effect.gen(function*() {
          yield* o1.complete({
            messages: [
              developer("Be brief."),
              user([textPart("What is this?"), imagePart("data:image/png;base64,AAAA", "low")]),
              assistant("", [{ id: "call_1", name: "look", arguments: "{}" }]),
              toolResult("call_1", "a cat"),
              assistant("A cat."),
              user("Thanks!")
            ],
            tools: [{ name: "look", parameters: { type: "object", properties: {} } }],
            toolChoice: { name: "look" },
            parallelToolCalls: false,
            reasoningEffort: "high",
            maxCompletionTokens: 5000,
            responseFormat: "text",
            extra: { metadata: { a: "b" } }
          })
          const body = (yield* azure.requests)[0]!.body as Record<string, unknown>
          assert.deepInclude(body, { metadata: { a: "b" }, stream: true })
          if (config === chat) {
            assert.deepStrictEqual(body["tool_choice"], { type: "function", function: { name: "look" } })
            assert.deepStrictEqual((body["messages"] as ReadonlyArray<unknown>).slice(1, 4), [
              {
                role: "user",
                content: [
                  { type: "text", text: "What is this?" },
                  { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } }
                ]
              },
              {
                role: "assistant",
                content: "",
                tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: "{}" } }]
              },
              { role: "tool", content: "a cat", tool_call_id: "call_1" }
            ])
          } else {
            assert.deepInclude(body, {
              store: true,
              background: true,
              tool_choice: { type: "function", name: "look" },
              reasoning: { effort: "high" },
              max_output_tokens: 5000
            })
            assert.deepStrictEqual((body["input"] as ReadonlyArray<unknown>).slice(1, 4), [
              {
                role: "user",
                content: [
                  { type: "input_text", text: "What is this?" },
                  { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" }
                ]
              },
              { type: "function_call", call_id: "call_1", name: "look", arguments: "{}" },
              { type: "function_call_output", call_id: "call_1", output: "a cat" }
            ])
          }
        })), { discard: true }))

  it.live("what is refused is asked once: streaming, and then the background", () =>
    against({ streams: false, background: false, config: chat }, (o1, azure) =>
      Effect.gen(function*() {
        yield* o1.complete(request)
        yield* o1.complete(request)
        yield* text(o1)
        assert.deepStrictEqual((yield* azure.requests).map(operation), [
          "chat",
          "responses",
          "chat",
          "chat",
          "chat"
        ])
      })))

  it.live("a stream that may not be made in the background is a stream all the same", () =>
    against({ background: false, config: responses }, (o1, azure) =>
      Effect.gen(function*() {
        const events = yield* collect(o1)
        assert.deepStrictEqual(
          events.flatMap((event) => event._tag === "Started" ? [event.transport] : []),
          ["stream", "stream"]
        )
        yield* collect(o1)
        assert.strictEqual((yield* azure.requests).length, 3)
      })))

  it.live("after a timeout the next attempt is made in the background", () =>
    against(
      { settings: impatient, config: chat, script: [FakeAzure.stall, poetry] },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "one two three four five six")
          const [first, second] = (yield* azure.requests).map(operation)
          assert.deepStrictEqual([first, second], ["chat", "responses"])
        })
    ))
})

describe("resume", () => {
  for (const kind of ["reset", "truncate"] as const) {
    for (const after of [0, 1, 3, 6]) {
      it.live(`a ${kind} after ${after} tokens: nothing is lost, nothing is said twice`, () =>
        against(
          { config: responses, script: [FakeAzure.broken(kind, after, poetry)] },
          (o1, azure) =>
            Effect.gen(function*() {
              const events = yield* collect(o1)
              assert.strictEqual(told(events), "one two three four five six")
              const resumed = events.filter((event) => event._tag === "Resumed")
              assert.strictEqual(resumed.length, 1)
              assert.strictEqual(resumed[0]!.transport, "stream")
              const [created, read] = (yield* azure.requests).map(operation)
              assert.strictEqual(created, "responses")
              assert.match(read!, /^retrieve stream=true&starting_after=\d+$/)
            })
        ))
    }
  }

  it.live("as often as it breaks", () =>
    against(
      { config: responses, script: [FakeAzure.broken("reset", 1, poetry)] },
      (o1, azure) =>
        Effect.gen(function*() {
          yield* azure.enqueueReads(
            FakeAzure.broken("reset", 1),
            FakeAzure.broken("truncate", 1),
            FakeAzure.broken("reset", 1)
          )
          const events = yield* collect(o1)
          assert.strictEqual(told(events), "one two three four five six")
          assert.strictEqual(events.filter(({ _tag }) => _tag === "Resumed").length, 4)
        })
    ))

  it.live("what the server says again is dropped", () =>
    against(
      { config: responses, script: [FakeAzure.broken("reset", 3, poetry)] },
      (o1, azure) =>
        Effect.gen(function*() {
          yield* azure.enqueueReads(FakeAzure.rewound(3))
          assert.strictEqual(yield* text(o1), "one two three four five six")
        })
    ))

  it.live("reads that fail are tried again", () =>
    against(
      { config: responses, script: [FakeAzure.broken("reset", 3, poetry)] },
      (o1, azure) =>
        Effect.gen(function*() {
          yield* azure.enqueueReads(
            FakeAzure.status(503),
            FakeAzure.broken("reset", "nothing"),
            FakeAzure.status(429, { retryAfter: "1 millis" })
          )
          assert.strictEqual(yield* text(o1), "one two three four five six")
        })
    ))

  it.live("where the events cannot be read, the response is asked for", () =>
    against(
      { config: responses, script: [FakeAzure.broken("reset", 3, poetry)] },
      (o1, azure) =>
        Effect.gen(function*() {
          yield* azure.enqueueReads(FakeAzure.status(400))
          const events = yield* collect(o1)
          assert.strictEqual(told(events), "one two three four five six")
          assert.deepStrictEqual(
            events.flatMap((event) => event._tag === "Resumed" ? [event.transport] : []),
            ["stream", "background"]
          )
        })
    ))

  it.live("an attempt that timed out before any content is gone on with, not paid again", () =>
    against(
      {
        config: responses,
        settings: { ...impatient, timeout: { medium: "300 millis" } },
        script: [FakeAzure.answer("at last", { think: "600 millis" })]
      },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* text(o1), "at last")
          const operations = (yield* azure.requests).map(operation)
          assert.deepStrictEqual(operations.filter((name) => name === "responses"), ["responses"])
          assert.isFalse((yield* azure.responses)[0]!.cancelled)
        })
    ))

  it.live("the same where it is asked for", () =>
    against(
      {
        config: chat,
        streams: false,
        settings: { ...impatient, timeout: { medium: "300 millis" } },
        script: [FakeAzure.answer("at last", { after: "600 millis" })]
      },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "at last")
          const operations = (yield* azure.requests).map(operation)
          assert.deepStrictEqual(operations.filter((name) => name === "responses"), ["responses"])
        })
    ))

  for (const face of ["complete", "stream"] as const) {
    for (const config of [responses, chat]) {
      it.live(`whoever leaves ${face} with ${config.api} stops the service`, () =>
        against(
          {
            config,
            streams: config === responses,
            script: [FakeAzure.answer("never", { think: "20 seconds", after: config === responses ? 0 : "20 seconds" })]
          },
          (o1, azure) =>
            Effect.gen(function*() {
              const fiber = yield* Effect.forkChild(
                face === "complete" ? o1.complete(request) : Stream.runDrain(o1.stream(request))
              )
              yield* until(azure.responses, (list) => list.length > 0)
              yield* Effect.sleep("30 millis")
              yield* Fiber.interrupt(fiber)
              assert.deepInclude((yield* azure.responses)[0], { status: "cancelled", cancelled: true })
            })
        ))
    }
  }

  it.live("a consumer that has enough stops the service as well", () =>
    against(
      { config: responses, script: [FakeAzure.answer("one two three", { every: "50 millis" })] },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(o1.tokens(request), 1)), ["one"])
          const [response] = yield* until(azure.responses, ([response]) => response!.status !== "in_progress")
          assert.strictEqual(response!.status, "cancelled")
        })
    ))

  it.live("with `keep` it goes on, and the token gives the answer later, to another client", () =>
    against(
      { config: responses, script: [FakeAzure.answer("one two three", { every: "20 millis" })] },
      (o1, azure) =>
        Effect.gen(function*() {
          const events = yield* Stream.runCollect(
            Stream.takeUntil(o1.stream(request, { onLeave: "keep" }), ({ _tag }) => _tag === "TextDelta")
          )
          const accepted = events.find((event) => event._tag === "Accepted")
          const token = JSON.parse(JSON.stringify(accepted!.resume))
          const rest = yield* Stream.runCollect(o1.resume(token))
          assert.strictEqual(told(rest), "one two three")
          const last = rest.at(-1)!
          assert.deepInclude(last._tag === "Finished" ? last.completion : {}, { text: "one two three" })
          assert.isFalse((yield* azure.responses)[0]!.cancelled)
        })
    ))

  it.live(
    "an error after which the service goes on has the token, and the text goes on after what there is",
    () =>
      against(
        {
          config: responses,
          settings: { ...patient, fruitless: 2 },
          script: [FakeAzure.broken("reset", 3, poetry)]
        },
        (o1, azure) =>
          Effect.gen(function*() {
            yield* azure.enqueueReads(
              ...Array.from({ length: 2 }, () => FakeAzure.status(503, { retryAfter: "1 millis" }))
            )
            const error = yield* Effect.flip(collect(o1))
            assert.strictEqual(O1Error.label(error), "O1ServerError/unavailable")
            assert.strictEqual(error.partialText, "one two three")
            const rest = yield* Stream.runCollect(o1.resume(error.resume!))
            assert.strictEqual(error.partialText + told(rest), "one two three four five six")
          })
      ),
    20_000
  )

  it.live("a token of another deployment is refused", () =>
    against({ config: responses }, (o1) =>
      Effect.gen(function*() {
        const token = { responseId: "resp_1", deployment: "another", after: -1 }
        assert.strictEqual(yield* label(Stream.runDrain(o1.resume(token))), "O1RequestError/invalid")
      })))

  describe("restart", () => {
    const broken = [FakeAzure.broken("reset", 3, poetry), FakeAzure.broken("truncate", 1, poetry), poetry]

    it.live("only who asks for it, and never silently", () =>
      against({ config: chat, script: broken }, (o1) =>
        Effect.gen(function*() {
          const events = yield* collect(o1, request, { onBreak: "restart" })
          assert.deepStrictEqual(
            events.map((event) => event._tag === "TextDelta" ? event.text.trim() : event._tag).filter((tag) =>
              tag !== "Started" && tag !== "Retrying"
            ),
            [
              "one",
              "two",
              "three",
              "Restarted",
              "one",
              "Restarted",
              "one",
              "two",
              "three",
              "four",
              "five",
              "six",
              "Finished"
            ]
          )
        })))

    it.live("where the consumer could not be told, it fails", () =>
      against({ config: chat, script: broken }, (o1) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Stream.runDrain(o1.tokens(request, { onBreak: "restart" })))
          assert.deepInclude(error, { _tag: "O1ConnectionError", partialText: "one two three" })
        })))
  })
})

describe("an answer that reasoning ate", () => {
  it.live("is asked for once more, with more tokens, if the caller says so", () =>
    Effect.forEach(
      [chat, responses],
      (config) =>
        against({
          config,
          script: [
            FakeAzure.reasoningExhausted(),
            poetry,
            ...Array.from({ length: 4 }, () => FakeAzure.reasoningExhausted())
          ]
        }, (o1, azure) =>
          Effect.gen(function*() {
            const asked = { ...request, maxCompletionTokens: 1000 }
            assert.strictEqual((yield* o1.complete(asked, { moreTokens: 25_000 })).text, "one two three four five six")
            const budgets = (yield* azure.requests).map(({ body }) => {
              const { max_completion_tokens, max_output_tokens } = body as Record<string, unknown>
              return max_completion_tokens ?? max_output_tokens
            })
            assert.deepStrictEqual(budgets, [1000, 25_000])
            const once = yield* Effect.flip(collect(o1, asked, { moreTokens: 25_000 }))
            assert.strictEqual(O1Error.label(once), "O1OutputLimitError/reasoning-exhausted")
            assert.strictEqual(once.attempts.length, 2, "once, not for ever")
            const never = yield* Effect.flip(o1.complete(asked))
            assert.strictEqual(never.attempts.length, 1)
          })),
      { discard: true }
    ))

  it.live("a smaller budget is no help", () =>
    against({}, (o1) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(o1.complete({ ...request, maxCompletionTokens: 1000 }, { moreTokens: 500 }))
        assert.deepInclude(error, { _tag: "O1RequestError", param: "moreTokens" })
      })))
})

describe("clocks", () => {
  const limit = { retries: 0, timeout: "10 seconds" } as const
  const cases: ReadonlyArray<readonly [string, AzureO1Config["clocks"], Reply, string]> = [
    ["headers", { headers: "50 millis" }, FakeAzure.stall, "O1TimeoutError/headers"],
    ["the first byte", { firstByte: "50 millis" }, FakeAzure.answer("late"), "success"],
    [
      "the first content",
      { first: "100 millis" },
      FakeAzure.answer("late", { think: "5 seconds" }),
      "O1TimeoutError/first"
    ],
    [
      "the first content, in spite of comments",
      { first: "100 millis" },
      FakeAzure.broken("ping", 0),
      "O1TimeoutError/first"
    ],
    ["silence on the wire", { byteIdle: "100 millis" }, FakeAzure.broken("stall", 1), "O1TimeoutError/byte-idle"]
  ]
  for (const [name, clocks, reply, expected] of cases) {
    it.live(
      name,
      () =>
        against({ config: { ...chat, clocks: clocks! }, script: [reply] }, (o1) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* label(Stream.runDrain(o1.stream(request, limit))), expected)
          }))
    )
  }

  it.live("comments count for the wire and not for the content", () =>
    against(
      {
        config: { ...chat, clocks: { byteIdle: "2 seconds" } },
        settings: { ...patient, idle: "300 millis" },
        script: [FakeAzure.broken("ping", 2)]
      },
      (o1) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(collect(o1))
          assert.strictEqual(O1Error.label(error), "O1TimeoutError/idle")
          assert.strictEqual(error.partialText, "Hello, ")
        })
    ))

  it.live("are not for plain answers, which show nothing before they are complete", () =>
    against(
      {
        config: { ...chat, clocks: { headers: "2 seconds", firstByte: "2 seconds", first: "2 seconds" } },
        streams: false,
        responses: false,
        script: [FakeAzure.answer("slow but good", { after: "2500 millis" })]
      },
      (o1) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "slow but good")
        })
    ))
})

describe("an error", () => {
  it.live("whose words never come is told by its status", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* oddServer(() => ({ status: 403, body: "{", ending: "stall" }))
      const failed = yield* against(
        { config: { endpoint: server.url, ...chat } },
        (o1) => Effect.flip(o1.complete(request))
      )
      assert.strictEqual(O1Error.label(failed), "O1AuthError/forbidden")
    })), 20_000)

  it.live("after the first content is the last of the attempts", () =>
    against(
      { config: chat, script: [FakeAzure.broken("reset", 2, poetry)] },
      (o1) =>
        Effect.gen(function*() {
          const failed = yield* Effect.flip(collect(o1))
          assert.deepStrictEqual(failed.attempts.map(({ outcome }) => outcome), [O1Error.label(failed)])
        })
    ))
})

describe("Entra ID", () => {
  const expiring = (): number => Number(new Date()) + Duration.toMillis("1 hour")

  it.live("the token goes in the place of the key, asked for once, for the scope of the path", () => {
    const scopes: Array<unknown> = []
    const credential = {
      getToken: (scope: string | Array<string>) => {
        scopes.push(scope)
        return Promise.resolve({ token: "good", expiresOnTimestamp: expiring() })
      }
    }
    return against(
      { tokens: ["good"], config: { apiKey: undefined, credential } },
      (o1, azure) =>
        Effect.gen(function*() {
          yield* Effect.all(Array.from({ length: 10 }, () => o1.complete(request)), { concurrency: "unbounded" })
          const [asked] = yield* azure.requests
          assert.strictEqual(asked!.headers.authorization, "Bearer good")
          assert.notProperty(asked!.headers, "api-key")
          assert.deepStrictEqual(scopes, ["https://ai.azure.com/.default"])
        })
    )
  })

  it.live("a token that the service refuses is renewed once", () => {
    const given = ["stale", "good"]
    const credential = {
      getToken: () => Promise.resolve({ token: given.shift() ?? "bad", expiresOnTimestamp: expiring() })
    }
    return against(
      { tokens: (token) => token === "good" ? "ok" : "expired", config: { apiKey: undefined, credential } },
      (o1, azure) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* o1.complete(request)).text, "Hello, world.")
          assert.strictEqual((yield* azure.requests).length, 2)
        })
    )
  })

  it.live("one that stays bad is an error, without the token in it", () => {
    const credential = {
      getToken: () => Promise.resolve({ token: "THEVERYTOKEN", expiresOnTimestamp: expiring() })
    }
    return against(
      { tokens: () => "expired", config: { apiKey: undefined, credential } },
      (o1, azure) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(o1.complete(request))
          assert.strictEqual(O1Error.label(error), "O1AuthError/token-expired")
          assert.notInclude(JSON.stringify(error) + String(error), "THEVERYTOKEN")
          assert.strictEqual((yield* azure.requests).length, 1, "the credential had no other")
        })
    )
  })

  it.live("a credential that fails is an error that says why", () => {
    const credential = { getToken: () => Promise.reject(new Error("az login first")) }
    return against({ config: { apiKey: undefined, credential } }, (o1) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(o1.complete(request))
        assert.strictEqual(O1Error.label(error), "O1AuthError/credential")
        assert.include(error.message, "az login first")
      }))
  })
})

describe("a deployment that is not as configured", () => {
  const upgraded = { model: "gpt-5.1-2025-11-13" } as const

  it.live("another model under the same name is a warning with the answer", () =>
    against({ ...upgraded }, (o1) =>
      Effect.gen(function*() {
        const { model, warnings } = yield* o1.complete(request)
        assert.strictEqual(model, "gpt-5.1-2025-11-13")
        assert.strictEqual(warnings.length, 1)
        assert.include(warnings[0], "which is not o1")
      })))

  it.live("with `heal` it is followed", () =>
    against({ ...upgraded, config: { heal: true } }, (o1) =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* label(o1.complete({ ...request, reasoningEffort: "none" })),
          "O1RequestError/unsupported-parameter"
        )
        assert.include((yield* o1.complete(request)).warnings[0], "taken for gpt-5.1")
        const healed = yield* o1.complete({ ...request, reasoningEffort: "none" })
        assert.deepStrictEqual(healed.warnings, [])
      })))

  it.live("a parameter that it refuses is left out, with `heal`, and that is told", () =>
    against({ model: "o1-mini-2024-09-12", config: { heal: true } }, (o1, azure) =>
      Effect.gen(function*() {
        const asked = { ...request, reasoningEffort: "low" } as const
        const events = yield* collect(o1, asked)
        assert.include(tagsOf(events), "Learned")
        const last = events.at(-1)!
        assert.isAtLeast(last._tag === "Finished" ? last.completion.warnings.length : 0, 1)
        const before = (yield* azure.requests).length
        yield* o1.complete(request)
        assert.strictEqual((yield* azure.requests).length, before + 1)
      })))

  it.live("without, it is an error that names it", () =>
    against({ model: "o1-mini-2024-09-12" }, (o1) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(o1.complete({ ...request, reasoningEffort: "low" }))
        assert.deepInclude(error, { _tag: "O1RequestError", kind: "unsupported-parameter", param: "reasoning_effort" })
      })))
})
