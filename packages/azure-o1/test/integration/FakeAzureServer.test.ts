/** The wire of `FakeAzure`, read with nothing but `fetch`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FakeAzure, type FakeAzureOptions, type FakeFaultKind, type Reply } from "../../src/testing/index.ts"
import { RateLimiter } from "../../src/testing/internal/fakeLimits.ts"
import * as json from "../../src/wire/json.ts"
import wireCases from "../fixtures/azure-wire-cases.json" with { type: "json" }

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: unknown
}

interface Event {
  readonly event: string | undefined
  readonly data: unknown
}

interface Asking {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

/** A session with the server. */
class Session {
  readonly azure: FakeAzure["Service"]

  constructor(azure: FakeAzure["Service"]) {
    this.azure = azure
  }

  async ask(path: string, body?: unknown, options: Asking = {}): Promise<Answer> {
    const response = await fetch(this.azure.url + path, {
      method: options.method ?? (body === undefined ? "GET" : "POST"),
      headers: options.headers ?? { "api-key": "fake-key" },
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
      signal: options.signal ?? null,
      redirect: "manual"
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: json.parse(text) }
  }

  chat(rest: object = {}): Promise<Answer> {
    return this.ask("/openai/v1/chat/completions", {
      model: "o1",
      messages: [{ role: "user", content: "hi" }],
      ...rest
    })
  }

  respond(rest: object = {}): Promise<Answer> {
    return this.ask("/openai/v1/responses", { model: "o1", input: "hi", ...rest })
  }

  read(id: string, query = ""): Promise<Answer> {
    return this.ask(`/openai/v1/responses/${id}${query}`)
  }

  /** The body of a response once it is no longer in the making. */
  async settled(id: string): Promise<unknown> {
    const { body } = await this.read(id)
    if (!["queued", "in_progress"].includes(String(json.at(body, "status")))) return body
    await new Promise((resolve) => void setTimeout(resolve, 2))
    return this.settled(id)
  }
}

const against = (options: FakeAzureOptions, f: (session: Session) => Promise<void>): Effect.Effect<void> =>
  Effect.flatMap(FakeAzure, (azure) => Effect.promise(() => f(new Session(azure)))).pipe(
    Effect.provide(FakeAzure.layer(options))
  )

const eventsOf = (text: string): ReadonlyArray<Event> =>
  text.split("\n\n").filter((block) => block !== "").map((block) => {
    const data = /^data: (.*)$/m.exec(block)?.[1] ?? ""
    return { event: /^event: (.*)$/m.exec(block)?.[1], data: json.parse(data) ?? data }
  })

const typesOf = (text: string): ReadonlyArray<string | undefined> => eventsOf(text).map(({ event }) => event)

const idOf = ({ body, text }: Answer): string =>
  json.string(json.at(body, "id")) ?? json.string(json.at(eventsOf(text)[0]?.data, "response", "id")) ?? ""

const errorOf = ({ body, status }: Answer) => [status, json.at(body, "error", "code"), json.at(body, "error", "param")]

const eventually = (condition: Effect.Effect<boolean>): Promise<boolean> =>
  Effect.runPromise(Effect.repeat(Effect.andThen(Effect.sleep("2 millis"), condition), { until: (done) => done }))

const inBackground = { background: true, stream: true }

describe("the streams of FakeAzure", () => {
  it.live("a response has the events of the recorded one, in its order", () =>
    against({ model: "o4-mini", script: [FakeAzure.answer(["Hi", "!"], { summary: ["Plan"] })] }, async (session) => {
      const { text } = await session.respond({ stream: true, reasoning: { summary: "auto" } })
      const recorded = wireCases.cases.find(({ name }) => name === "resp-happy")!.wire
      assert.deepStrictEqual(typesOf(text), typesOf(recorded))
      for (const [index, { data, event }] of eventsOf(text).entries()) {
        const theirs = json.at(eventsOf(recorded)[index], "data")
        assert.strictEqual(json.at(data, "type"), event)
        assert.strictEqual(json.at(data, "sequence_number"), index)
        for (const [field] of json.entries(theirs)) assert.property(data, field)
        for (const [field] of json.entries(json.at(theirs, "response"))) {
          assert.property(json.at(data, "response"), field)
        }
      }
    }))

  it.live("a chat has the chunks of the recorded one, in its order", () =>
    against({ script: [FakeAzure.answer(["Hel", "lo"])] }, async (session) => {
      const { headers, text } = await session.chat({ stream: true, stream_options: { include_usage: true } })
      const recorded = eventsOf(wireCases.cases.find(({ name }) => name === "chat-happy")!.wire)
      const shape = ({ data }: Event) => [
        json.array(json.at(data, "choices")).map((
          choice
        ) => [json.at(choice, "delta"), json.at(choice, "finish_reason")]),
        typeof json.at(data, "usage", "total_tokens")
      ]
      assert.include(headers.get("content-type"), "text/event-stream")
      assert.deepStrictEqual(eventsOf(text).map(shape), recorded.map(shape))
      assert.strictEqual(eventsOf(text).at(-1)!.data, "[DONE]")
    }))

  it.live("a stream without usage, although it is asked for", () =>
    against({ script: [FakeAzure.answer("hi", { usage: false })] }, async (session) => {
      const { text } = await session.chat({ stream: true, stream_options: { include_usage: true } })
      assert.notInclude(text, "usage")
    }))

  it.live("the default filter: blocks with a verdict beside the delta", () =>
    against(
      { filterMode: "default", script: [FakeAzure.answer(Array.from({ length: 20 }, () => "x"))] },
      async (session) => {
        const chunks = eventsOf((await session.chat({ stream: true })).text)
        const deltas = chunks.filter(({ data }) => json.string(json.at(data, "choices", 0, "delta", "content")))
        assert.deepStrictEqual(
          deltas.map(({ data }) => json.string(json.at(data, "choices", 0, "delta", "content"))?.length),
          [8, 8, 4]
        )
        assert.isTrue(
          deltas.every(({ data }) => json.at(data, "choices", 0, "content_filter_results", "hate") !== undefined)
        )
      }
    ))

  it.live("the asynchronous filter: reports without a delta, after the end as well, and a late block", () =>
    against(
      {
        filterMode: "asynchronous",
        script: [FakeAzure.answer(Array.from({ length: 20 }, () => "x")), FakeAzure.filtered("half of")]
      },
      async (session) => {
        const fine = eventsOf((await session.chat({ stream: true })).text)
        const reports = fine.filter(({ data }) => json.at(data, "choices", 0, "content_filter_offsets") !== undefined)
        assert.strictEqual(reports.length, 3)
        for (const { data } of reports) {
          assert.strictEqual(json.at(data, "id"), "")
          assert.notProperty(json.at(data, "choices", 0), "delta")
        }
        const finish = fine.findIndex(({ data }) => json.at(data, "choices", 0, "finish_reason") === "stop")
        assert.isAbove(fine.indexOf(reports[2]!), finish)
        const blocked = eventsOf((await session.chat({ stream: true })).text)
        assert.deepStrictEqual(
          blocked.flatMap(({ data }) => json.string(json.at(data, "choices", 0, "finish_reason")) ?? []),
          ["content_filter"]
        )
        assert.strictEqual(
          json.at(blocked.at(-2)!.data, "choices", 0, "content_filter_results", "violence", "filtered"),
          true
        )
      }
    ))
})

describe("what FakeAzure answers, the same on every way", () => {
  interface Told {
    readonly text: string
    readonly refusal: string | undefined
    readonly calls: ReadonlyArray<readonly [unknown, unknown, unknown]>
    /** `undefined` where the answer failed. */
    readonly finish: string | undefined
  }

  const plainChat = (body: unknown): Told => {
    const message = json.at(body, "choices", 0, "message")
    return {
      text: json.string(json.at(message, "content")) ?? "",
      refusal: json.string(json.at(message, "refusal")),
      calls: json.array(json.at(message, "tool_calls")).map((call) =>
        [json.at(call, "id"), json.at(call, "function", "name"), json.at(call, "function", "arguments")] as const
      ),
      finish: json.string(json.at(body, "choices", 0, "finish_reason"))
    }
  }

  const streamedChat = (text: string): Told => {
    const choices = eventsOf(text).map(({ data }) => json.at(data, "choices", 0))
    const joined = (...path: ReadonlyArray<string | number>) =>
      choices.map((choice) => json.string(json.at(choice, "delta", ...path)) ?? "").join("")
    const first = (...path: ReadonlyArray<string | number>) =>
      choices.map((choice) => json.at(choice, "delta", ...path)).find((value) => value !== undefined && value !== null)
    return {
      text: joined("content"),
      refusal: joined("refusal") || undefined,
      calls: first("tool_calls") === undefined ? [] : [[
        first("tool_calls", 0, "id"),
        first("tool_calls", 0, "function", "name"),
        joined("tool_calls", 0, "function", "arguments")
      ]],
      finish: choices.map((choice) => json.string(json.at(choice, "finish_reason"))).find((reason) =>
        reason !== undefined
      )
    }
  }

  const finishes: { readonly [status: string]: string } = {
    max_output_tokens: "length",
    content_filter: "content_filter"
  }

  const plainResponse = (body: unknown): Told => {
    const items = json.array(json.at(body, "output"))
    const part = json.at(items.find((item) => json.at(item, "type") === "message"), "content", 0)
    const calls = items.filter((item) => json.at(item, "type") === "function_call").map((item) =>
      [json.at(item, "call_id"), json.at(item, "name"), json.at(item, "arguments")] as const
    )
    const reason = json.string(json.at(body, "incomplete_details", "reason"))
    const completed = json.at(body, "status") === "completed" ? (calls.length > 0 ? "tool_calls" : "stop") : undefined
    return {
      text: json.string(json.at(part, "text")) ?? "",
      refusal: json.string(json.at(part, "refusal")),
      calls,
      finish: reason === undefined ? completed : finishes[reason]
    }
  }

  const streamedResponse = (text: string): Told => {
    const events = eventsOf(text)
    const joined = (type: string) =>
      events.filter(({ event }) => event === type).map(({ data }) => json.string(json.at(data, "delta"))).join("")
    const final = plainResponse(json.at(events.at(-1)!.data, "response"))
    assert.strictEqual(joined("response.output_text.delta"), final.text)
    assert.strictEqual(joined("response.refusal.delta"), final.refusal ?? "")
    assert.strictEqual(joined("response.function_call_arguments.delta"), final.calls.map((call) => call[2]).join(""))
    return final
  }

  const text = "Ünïcödé 🧠."
  const empty: Told = { text: "", refusal: undefined, calls: [], finish: "stop" }
  const shapes: ReadonlyArray<readonly [string, Reply, Told]> = [
    ["text", FakeAzure.answer(text), { ...empty, text }],
    ["structured text", FakeAzure.answer(`{"a": 1}`), { ...empty, text: `{"a": 1}` }],
    [
      "a tool call after text",
      FakeAzure.toolCalls([{ name: "f", arguments: { a: "🧠🧠🧠🧠", b: 2 }, id: "c" }], { text: "Let me see." }),
      { ...empty, text: "Let me see.", calls: [["c", "f", `{"a":"🧠🧠🧠🧠","b":2}`]], finish: "tool_calls" }
    ],
    [
      "a tool call",
      FakeAzure.toolCalls([{ name: "f", arguments: "{}" }]),
      { ...empty, calls: [["call_1", "f", "{}"]], finish: "tool_calls" }
    ],
    ["a refusal", FakeAzure.refusal("I will not."), { ...empty, refusal: "I will not." }],
    ["the limit, with text", FakeAzure.cutOff("half of"), { ...empty, text: "half of", finish: "length" }],
    ["the limit, all reasoning", FakeAzure.reasoningExhausted(), { ...empty, finish: "length" }],
    ["a filter", FakeAzure.filtered("half of"), { ...empty, text: "half of", finish: "content_filter" }],
    ["a failure", FakeAzure.failed({ message: "boom" }), { ...empty, finish: undefined }]
  ]

  for (const [name, reply, told] of shapes) {
    it.live(name, () =>
      against({ script: Array.from({ length: 6 }, () => reply) }, async (session) => {
        assert.deepStrictEqual(plainChat((await session.chat()).body), told)
        assert.deepStrictEqual(streamedChat((await session.chat({ stream: true })).text), told)
        assert.deepStrictEqual(plainResponse((await session.respond()).body), told)
        const streamed = await session.respond({ stream: true })
        assert.deepStrictEqual(streamedResponse(streamed.text), told)
        assert.deepStrictEqual(plainResponse((await session.read(idOf(streamed))).body), told, "stored")
        const queued = await session.respond({ background: true })
        assert.strictEqual(json.at(queued.body, "status"), "queued")
        assert.deepStrictEqual(plainResponse(await session.settled(idOf(queued))), told)
        const background = await session.respond(inBackground)
        assert.deepStrictEqual(streamedResponse(background.text), told)
      }))
  }

  it.live("a failure says why", () =>
    against({ script: Array.from({ length: 3 }, () => FakeAzure.failed({ message: "boom" })) }, async (session) => {
      const plain = await session.chat()
      assert.deepStrictEqual([plain.status, json.at(plain.body, "error", "message")], [500, "boom"])
      const streamed = eventsOf((await session.chat({ stream: true })).text)
      assert.strictEqual(json.at(streamed.at(-1)!.data, "error", "message"), "boom")
      const failed = await session.respond()
      assert.strictEqual(json.at(failed.body, "status"), "failed")
      assert.deepStrictEqual(json.at(failed.body, "error"), { code: "server_error", message: "boom" })
    }))

  it.live("a prompt that is filtered", () =>
    against({ script: [FakeAzure.promptFiltered(["hate"])] }, async (session) => {
      const refused = await session.respond()
      assert.deepStrictEqual(errorOf(refused), [400, "content_filter", "prompt"])
      assert.isTrue(json.at(refused.body, "error", "innererror", "content_filter_result", "hate", "filtered"))
    }))
})

describe("responses in the background of FakeAzure", () => {
  const slowly = FakeAzure.answer(["a", "b", "c", "d"], { think: "5 millis", every: "1 millis" })

  it.live("the stream says queued first", () =>
    against({}, async (session) => {
      const { text } = await session.respond(inBackground)
      assert.deepStrictEqual(typesOf(text).slice(0, 3), ["response.created", "response.queued", "response.in_progress"])
      assert.strictEqual(json.at(eventsOf(text)[0]!.data, "response", "status"), "queued")
    }))

  for (
    const [status, reply] of [
      ["queued", FakeAzure.answer("hi", { after: "1 minute" })],
      ["in_progress", FakeAzure.answer("hi", { think: "1 minute" })],
      ["completed", FakeAzure.answer("hi")]
    ] as const
  ) {
    it.live(`a poll tells how far it has come: ${status}`, () =>
      against({ script: [reply] }, async (session) => {
        const id = idOf(await session.respond({ background: true }))
        await eventually(Effect.map(session.azure.responses, ([stored]) => stored?.status === status))
        const { body } = await session.read(id)
        assert.strictEqual(json.at(body, "status"), status)
        assert.strictEqual(json.array(json.at(body, "output")).length, status === "completed" ? 2 : 0)
        assert.deepInclude((await Effect.runPromise(session.azure.responses))[0], { background: true, polls: 1 })
      }))
  }

  for (const kind of ["reset", "truncate", "stall", "malformed", "ping"] as const) {
    it.live(`the connection breaks (${kind}), and the answer goes on; the rest is read with a cursor`, () =>
      against({ script: [FakeAzure.broken(kind, 2, slowly)] }, async (session) => {
        const aborted = new AbortController()
        const reading = session.ask("/openai/v1/responses", { model: "o1", input: "hi", ...inBackground }, {
          headers: { "api-key": "fake-key" },
          signal: aborted.signal
        }).then(() => undefined, () => undefined)
        const id = "resp_fake-1"
        await eventually(Effect.map(session.azure.responses, ([stored]) => stored?.status === "completed"))
        aborted.abort()
        await reading
        const all = eventsOf((await session.read(id, "?stream=true")).text)
        assert.deepStrictEqual(
          all.map(({ data }) => json.at(data, "sequence_number")),
          Array.from({ length: all.length }, (_, i) => i)
        )
        const rest = eventsOf((await session.read(id, "?stream=true&starting_after=5")).text)
        assert.deepStrictEqual(rest, all.slice(6))
        assert.deepStrictEqual(eventsOf((await session.read(id, "?stream=true&starting_after=0")).text), all.slice(1))
        assert.strictEqual(json.at(await session.settled(id), "output", 1, "content", 0, "text"), "abcd")
        assert.deepInclude((await Effect.runPromise(session.azure.responses))[0], { cursorReads: 3 })
      }))
  }

  it.live("a cursor read follows what is still being made", () =>
    against(
      { script: [FakeAzure.broken("truncate", 1, FakeAzure.answer(["a", "b"], { every: "30 millis" }))] },
      async (session) => {
        const before = await session.respond(inBackground)
        const last = json.at(eventsOf(before.text).at(-1)!.data, "sequence_number")
        const rest = await session.read(idOf(before), `?stream=true&starting_after=${String(last)}`)
        assert.strictEqual(json.at(eventsOf(rest.text)[0]!.data, "delta"), "b")
        assert.strictEqual(typesOf(rest.text).at(-1), "response.completed")
      }
    ))

  it.live("a read can go wrong as well: a status, a break, an earlier cursor", () =>
    against({}, async (session) => {
      const id = idOf(await session.respond(inBackground))
      await Effect.runPromise(session.azure.enqueueReads(
        FakeAzure.status(503),
        FakeAzure.broken("truncate", 1),
        FakeAzure.rewound(3),
        FakeAzure.errorBody
      ))
      const read = () => session.read(id, "?stream=true&starting_after=7")
      assert.strictEqual((await read()).status, 503)
      const numbers = async () => eventsOf((await read()).text).map(({ data }) => json.at(data, "sequence_number"))
      assert.deepStrictEqual(await numbers(), [8])
      assert.deepStrictEqual((await numbers()).slice(0, 4), [5, 6, 7, 8])
      assert.deepStrictEqual(errorOf(await session.read(id)).slice(0, 2), [200, "429"])
      assert.strictEqual((await session.read(id)).status, 200)
    }))

  it.live("cancelling stops it, once and for all, and ends its streams", () =>
    against({ script: [FakeAzure.answer(["a", "b"], { every: "1 minute" })] }, async (session) => {
      const stream = session.respond(inBackground)
      const id = "resp_fake-1"
      await eventually(Effect.map(session.azure.responses, ([stored]) => stored?.status === "in_progress"))
      const cancel = () => session.ask(`/openai/v1/responses/${id}/cancel`, {})
      for (const { body, status } of [await cancel(), await cancel()]) {
        assert.deepStrictEqual([status, json.at(body, "status")], [200, "cancelled"])
      }
      assert.notInclude((await stream).text, "response.completed")
      assert.strictEqual(json.at((await session.read(id)).body, "status"), "cancelled")
      const [stored] = await Effect.runPromise(session.azure.responses)
      assert.deepInclude(stored, { id, status: "cancelled", cancelled: true })
    }))

  /** Takes a second. */
  const steady = FakeAzure.answer(Array.from({ length: 100 }, () => "x"), { every: "10 millis" })
  const moving = (azure: FakeAzure["Service"]) =>
    eventually(Effect.map(azure.responses, ([stored]) => stored?.status === "in_progress"))

  it.live("what is cancelled is not made any further", () =>
    against({ script: [FakeAzure.broken("truncate", 0, steady)] }, async (session) => {
      const id = idOf(await session.respond(inBackground))
      await moving(session.azure)
      await session.ask(`/openai/v1/responses/${id}/cancel`, {})
      const made = (await session.read(id, "?stream=true")).text
      await Effect.runPromise(Effect.sleep("80 millis"))
      assert.strictEqual((await session.read(id, "?stream=true")).text, made)
      assert.notInclude(made, "response.completed")
    }))

  it.live("deleting it ends its streams", () =>
    against({ script: [FakeAzure.answer("a b", { think: "1 minute" })] }, async (session) => {
      const stream = session.respond(inBackground)
      await moving(session.azure)
      await session.ask("/openai/v1/responses/resp_fake-1", undefined, { method: "DELETE" })
      assert.notInclude((await stream).text, "output_text.delta")
      assert.deepStrictEqual(await Effect.runPromise(session.azure.responses), [])
    }))

  it.live("with the server ends what it was making", () =>
    Effect.gen(function*() {
      const azure = yield* Effect.gen(function*() {
        const azure = yield* FakeAzure
        yield* Effect.promise(() => new Session(azure).respond({ background: true }))
        yield* Effect.promise(() => moving(azure))
        return azure
      }).pipe(Effect.provide(FakeAzure.layer({ script: [steady] })))
      yield* Effect.sleep("1500 millis")
      assert.strictEqual((yield* azure.responses)[0]!.status, "in_progress")
    }))

  it.live("what is complete stays so when it is cancelled", () =>
    against({}, async (session) => {
      const id = idOf(await session.respond(inBackground))
      const { body } = await session.ask(`/openai/v1/responses/${id}/cancel`, {})
      assert.strictEqual(json.at(body, "status"), "completed")
    }))

  it.live("what is not there, or cannot be", () =>
    against({}, async (session) => {
      assert.strictEqual((await session.read("resp_none")).status, 404)
      assert.include((await session.read("resp_none")).text, "Response with id 'resp_none' not found.")
      const id = idOf(await session.respond({ background: true }))
      assert.deepStrictEqual(errorOf(await session.read(id, "?stream=true")), [400, null, "stream"])
      const resumable = idOf(await session.respond(inBackground))
      assert.strictEqual((await session.read(resumable, "?stream=true&starting_after=x")).status, 400)
      const foreground = idOf(await session.respond())
      assert.strictEqual((await session.read(foreground)).status, 200)
      assert.strictEqual((await session.read(foreground, "?stream=true")).status, 400)
      assert.strictEqual((await session.ask(`/openai/v1/responses/${foreground}/cancel`, {})).status, 400)
      assert.strictEqual((await session.read(idOf(await session.respond({ store: false })))).status, 404)
      const gone = await session.ask(`/openai/v1/responses/${id}`, undefined, { method: "DELETE" })
      assert.deepStrictEqual(gone.body, { id, object: "response", deleted: true })
      assert.strictEqual((await session.read(id)).status, 404)
    }))

  it.live("a stream of the foreground dies with its connection", () =>
    against({ script: [FakeAzure.answer(["a", "b"], { every: "1 minute" })] }, async (session) => {
      const aborted = new AbortController()
      const reading = session.ask("/openai/v1/responses", { model: "o1", input: "hi", stream: true }, {
        signal: aborted.signal
      }).catch((error: unknown) => error)
      await eventually(Effect.map(session.azure.requests, ({ length }) => length === 1))
      aborted.abort()
      await reading
      const [asked] = await Effect.runPromise(session.azure.requests)
      await eventually(Effect.sync(() => asked!.abandoned()))
      assert.strictEqual((await session.read("resp_fake-1")).status, 404)
      assert.deepStrictEqual(await Effect.runPromise(session.azure.responses), [])
    }))
})

describe("the faults of FakeAzure", () => {
  const endings: ReadonlyArray<readonly [FakeFaultKind, Reply, string, string]> = [
    ["malformed", FakeAzure.broken("malformed", 1), `"content":"`, `"content":"`],
    [
      "error",
      FakeAzure.broken("error", 1),
      `data: {"error":{`,
      `event: error\ndata: {"type":"error","sequence_number":7,"error":{`
    ],
    [
      "flat-error",
      FakeAzure.broken("flat-error", 1),
      "event: error\ndata: {\"code\"",
      `"sequence_number":7,"code":"server_error"`
    ],
    ["null-error", FakeAzure.broken("null-error", 1), `data: {"error":{`, `rate_limit_exceeded`],
    ["page", FakeAzure.page, "<!DOCTYPE html>", "<!DOCTYPE html>"],
    ["error-body", FakeAzure.errorBody, `{"error":{"code":"429"`, `{"error":{"code":"429"`],
    ["slow", FakeAzure.slow("5 millis"), "[DONE]", "response.completed"]
  ]
  for (const [kind, reply, chat, response] of endings) {
    it.live(kind, () =>
      against({ script: [reply, reply] }, async (session) => {
        const [one, other] = [await session.chat({ stream: true }), await session.respond({ stream: true })]
        assert.deepStrictEqual([one.status, other.status], [200, 200])
        assert.include(one.text, chat)
        assert.include(other.text, response)
        assert.deepStrictEqual((await Effect.runPromise(session.azure.requests)).map(({ fault }) => fault), [
          kind,
          kind
        ])
      }))
  }

  it.live("an empty 200, and a redirect", () =>
    against(
      { script: [FakeAzure.empty, FakeAzure.empty, FakeAzure.redirect("http://127.0.0.1:1/")] },
      async (session) => {
        const streamed = await session.chat({ stream: true })
        assert.deepStrictEqual([streamed.status, streamed.text], [200, ""])
        assert.include(streamed.headers.get("content-type"), "text/event-stream")
        assert.strictEqual((await session.chat()).text, "")
        const redirect = await session.chat()
        assert.deepStrictEqual([redirect.status, redirect.headers.get("location")], [307, "http://127.0.0.1:1/"])
      }
    ))

  it.live("a rate limit as Azure tells of it inside a response: failed without an error, and then the error", () =>
    against({ script: [FakeAzure.broken("null-error", 0)] }, async (session) => {
      const { headers, text } = await session.respond({ stream: true })
      const [failed, error] = eventsOf(text).slice(-2)
      assert.strictEqual(failed!.event, "response.failed")
      assert.isNull(json.at(failed!.data, "response", "error"))
      assert.deepInclude(json.at(error!.data, "error"), { code: "rate_limit_exceeded", type: "too_many_requests" })
      assert.strictEqual(headers.get("retry-after"), "1")
    }))

  for (const [kind, sent] of [["ping", ": ping\n\n: ping"], ["linger", "data: [DONE]\n\n"]] as const) {
    it.live(`${kind}: the connection stays open`, () =>
      against({ script: [FakeAzure.broken(kind, 1)] }, async (session) => {
        const aborted = new AbortController()
        const response = await fetch(`${session.azure.url}/openai/v1/chat/completions`, {
          method: "POST",
          headers: { "api-key": "fake-key" },
          body: JSON.stringify({ model: "o1", messages: [{ role: "user", content: "hi" }], stream: true }),
          signal: aborted.signal
        })
        let text = ""
        const decoder = new TextDecoder()
        for await (const bytes of response.body!) {
          text += decoder.decode(bytes)
          if (text.includes(sent)) break
        }
        aborted.abort()
        assert.include(text, sent)
      }))
  }

  const drawn = (seed: number, rate = 0.5) =>
    Effect.gen(function*() {
      const azure = yield* FakeAzure
      const session = new Session(azure)
      for (let i = 0; i < 40; i++) {
        yield* Effect.promise(() => session.chat({ stream: i % 2 === 0 }).then(() => undefined, () => undefined))
      }
      return (yield* azure.requests).map(({ fault }) => fault)
    }).pipe(Effect.provide(FakeAzure.layer({ faults: { rate, seed } })))

  it.live("by chance, and the same for the same seed", () =>
    Effect.gen(function*() {
      const first = yield* drawn(42)
      assert.deepStrictEqual(yield* drawn(42), first)
      assert.notDeepEqual(yield* drawn(43), first)
      const hits = first.filter((fault) => fault !== undefined)
      assert.isTrue(hits.length > 10 && hits.length < 30)
      assert.isAbove(new Set(hits).size, 3)
      assert.isTrue((yield* drawn(42, 0)).every((fault) => fault === undefined))
      const few = yield* drawn(42, 0.2)
      assert.isTrue(
        few.every((fault, i) => fault === undefined || fault === first[i]),
        "a lower rate, fewer of the same"
      )
    }))

  it.live("a fault by chance leaves the scripted answer to the next request", () =>
    against(
      { faults: { rate: 0.5, seed: 7 }, script: ["a", "b", "c"].map((text) => FakeAzure.answer(text)) },
      async (session) => {
        const next = async (): Promise<unknown> => {
          const answer = await session.chat().catch(() => undefined)
          return json.at(answer?.body, "choices", 0, "message", "content") ?? next()
        }
        assert.deepStrictEqual([await next(), await next(), await next()], ["a", "b", "c"])
        assert.isAbove((await Effect.runPromise(session.azure.requests)).length, 3)
      }
    ))

  for (
    const [options, message] of [
      [{ faults: { rate: 1.5 } }, "faults.rate must be from 0 to 1, got 1.5"],
      [{ faults: { rate: 0.5, seed: 0.5 } }, "faults.seed must be an integer, got 0.5"],
      [{ faults: { rate: 0.5, kinds: [] } }, "faults.kinds must name a kind, got none"],
      [{ faults: { rate: 0.5, after: -1 } }, "faults.after must be \"nothing\" or an integer of 0 or more, got -1"],
      [{ limits: { requestsPerMinute: 0 } }, "limits.requestsPerMinute must be an integer of 1 or more, got 0"]
    ] as ReadonlyArray<readonly [FakeAzureOptions, string]>
  ) {
    it.live(message, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.provide(FakeAzure, FakeAzure.layer(options)))
        assert.include(String(exit), message)
      }))
  }
})

describe("the rate limits of FakeAzure", () => {
  it("requests are counted by the minute, and by a sixth in ten seconds", () => {
    const limiter = new RateLimiter({ requestsPerMinute: 12 })
    const admit = (now: number) => limiter.admit(now, 0)
    assert.deepStrictEqual([admit(0), admit(1)], [undefined, undefined])
    assert.deepStrictEqual(admit(2), { dimension: "requests", retryAfter: 9_998 })
    for (const window of [1, 2, 3, 4]) {
      assert.deepStrictEqual([admit(window * 10_000), admit(window * 10_000 + 5)], [undefined, undefined])
    }
    assert.isUndefined(admit(50_000))
    assert.deepStrictEqual(
      admit(50_001),
      { dimension: "requests", retryAfter: 9_999 },
      "the one that was refused counts"
    )
    assert.isUndefined(admit(60_000))
  })

  it("tokens are charged when a request is admitted; one larger than the minute never is", () => {
    const limiter = new RateLimiter({ tokensPerMinute: 1000 })
    assert.isUndefined(limiter.admit(0, 600))
    assert.deepStrictEqual(limiter.admit(30_000, 600), { dimension: "tokens", retryAfter: 30_000 })
    assert.isUndefined(limiter.admit(31_000, 400))
    assert.deepStrictEqual(limiter.headers(31_000), {
      "x-ratelimit-limit-tokens": "1000",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "29"
    })
    assert.isUndefined(limiter.admit(60_000, 1000))
    assert.deepStrictEqual(limiter.admit(120_000, 1001), { dimension: "tokens", retryAfter: 86_400_000 })
  })

  it.live("told on every answer, and a 429 with Azure's hints; what was refused for another reason is charged", () =>
    against({ limits: { requestsPerMinute: 12, tokensPerMinute: 100_000 } }, async (session) => {
      const first = await session.chat({ max_completion_tokens: 1000 })
      const told = (name: string) => Number(first.headers.get(`x-ratelimit-${name}`))
      assert.deepStrictEqual(
        [told("limit-requests"), told("remaining-requests"), told("limit-tokens"), told("remaining-tokens")],
        [12, 11, 100_000, 98_999]
      )
      assert.isTrue(told("reset-requests") > 0 && told("reset-tokens") <= 60)
      const invalid = await session.chat({ temperature: 1 })
      assert.deepStrictEqual([invalid.status, invalid.headers.get("x-ratelimit-remaining-requests")], [400, "10"])
      const refused = await session.respond()
      assert.deepStrictEqual(errorOf(refused).slice(0, 2), [429, "429"])
      assert.include(refused.text, "exceeded call rate limit")
      const seconds = Number(refused.headers.get("retry-after"))
      assert.include(refused.text, `Please retry after ${seconds} seconds.`)
      assert.isTrue(seconds > 0 && seconds <= 10)
      assert.strictEqual(Math.ceil(Number(refused.headers.get("retry-after-ms")) / 1000), seconds)
    }))

  it.live("a request larger than the minute is refused for a day", () =>
    against({ limits: { tokensPerMinute: 60_000 } }, async (session) => {
      const refused = await session.chat({ max_completion_tokens: 100_000 })
      assert.include(refused.text, "Please retry after 86400 seconds.")
      assert.strictEqual(refused.headers.get("retry-after"), "86400")
    }))
})

describe("who may ask FakeAzure, and for what", () => {
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  const question = { model: "o1", messages: [{ role: "user", content: "hi" }] }
  const classic = "/openai/deployments/o1/chat/completions?api-version=2024-12-01-preview"

  it.live("tokens: by a list, by a judge, and not at all", () =>
    Effect.gen(function*() {
      const asked = (options: FakeAzureOptions, token: string, path = classic) =>
        Effect.gen(function*() {
          const session = new Session(yield* FakeAzure)
          return yield* Effect.promise(() => session.ask(path, question, bearer(token)))
        }).pipe(Effect.provide(FakeAzure.layer(options)))
      assert.strictEqual((yield* asked({ tokens: ["good"] }, "good")).status, 200)
      assert.deepStrictEqual(errorOf(yield* asked({ tokens: ["good"] }, "bad")).slice(0, 2), [401, "Unauthorized"])
      const expired = yield* asked({ tokens: () => "expired" }, "old")
      assert.strictEqual(expired.status, 401)
      assert.include(expired.text, "has expired")
      assert.strictEqual((yield* asked({}, "fake-key")).status, 401)
      const v1 = "/openai/v1/chat/completions"
      assert.strictEqual((yield* asked({}, "fake-key", v1)).status, 200, "the v1 path takes the key in either header")
    }))

  it.live("models are listed, deployments are not", () =>
    against({}, async (session) => {
      const paths = ["/openai/v1/models", "/openai/models?api-version=2024-10-21"]
      for (const { body } of await Promise.all(paths.map((path) => session.ask(path)))) {
        assert.include(json.array(json.at(body, "data")).map((model) => json.at(model, "id")), "o1-2024-12-17")
      }
      assert.strictEqual((await session.ask("/openai/deployments?api-version=2023-03-15-preview")).status, 404)
      assert.strictEqual((await session.ask("/openai/models")).status, 404)
    }))

  it.live("the classic path of responses, from the version on that has it", () =>
    against({}, async (session) => {
      const ask = (version: string) =>
        session.ask(`/openai/responses?api-version=${version}`, { model: "o1", input: "hi" })
      assert.strictEqual((await ask("2024-12-01-preview")).status, 400)
      const made = await ask("2025-03-01-preview")
      assert.strictEqual(made.status, 200)
      assert.strictEqual(
        (await session.ask(`/openai/responses/${idOf(made)}?api-version=2025-03-01-preview`)).status,
        200
      )
    }))

  it.live("a deployment without background, and one without responses", () =>
    Effect.gen(function*() {
      yield* against({ background: false }, async (session) => {
        assert.deepStrictEqual(errorOf(await session.respond({ background: true })), [
          400,
          "unsupported_parameter",
          "background"
        ])
        assert.strictEqual((await session.respond()).status, 200)
      })
      yield* against({ responses: false }, async (session) => {
        assert.deepStrictEqual(errorOf(await session.respond()).slice(0, 2), [404, "404"])
        assert.strictEqual((await session.chat()).status, 200)
      })
    }))

  const says = (...roles: ReadonlyArray<string>) => ({
    messages: roles.map((role) => ({ role, content: "x", tool_call_id: role === "tool" ? "c" : undefined }))
  })
  const image = [{ type: "text", text: "what?" }, { type: "image_url", image_url: { url: "data:image/png;base64,AA" } }]
  const chat: ReadonlyArray<readonly [string, object, string, ReadonlyArray<unknown>]> = [
    ["all roles", says("developer", "user", "assistant", "tool"), "o1", [200]],
    ["an unknown role", says("robot"), "o1", [400, "invalid_value", "messages[0].role"]],
    ["developer and system", says("developer", "system", "user"), "o1", [400, "unsupported_value", "messages"]],
    ["o1-mini: system", says("system", "user"), "o1-mini", [400, "unsupported_value", "messages[0].role"]],
    ["o1-mini: effort", { reasoning_effort: "low" }, "o1-mini", [400, "unknown_parameter", "reasoning_effort"]],
    ["effort", { reasoning_effort: "minimal" }, "o1", [400, "unsupported_value", "reasoning_effort"]],
    ["effort of gpt-5", { reasoning_effort: "minimal" }, "gpt-5", [200]],
    ["parallel tools", { parallel_tool_calls: true }, "o1", [400, "unsupported_parameter", "parallel_tool_calls"]],
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, "o1", [200]],
    ["a tool without a name", { tools: [{ type: "function" }] }, "o1", [
      400,
      "missing_required_parameter",
      "tools[0].function.name"
    ]],
    ["another tool", { tools: [{ type: "browser" }] }, "o1", [400, "invalid_value", "tools[0].type"]],
    ["images", { messages: [{ role: "user", content: image }] }, "o1", [200]],
    ["images for o3-mini", { messages: [{ role: "user", content: image }] }, "o3-mini", [
      400,
      "invalid_value",
      "messages[0].content[1]"
    ]],
    ["a schema", { response_format: { type: "json_schema", json_schema: { name: "n", schema: {} } } }, "o1", [200]],
    ["a schema without a name", { response_format: { type: "json_schema", json_schema: { schema: {} } } }, "o1", [
      400,
      "missing_required_parameter",
      "response_format.json_schema.name"
    ]],
    ["max_tokens", { max_tokens: 1 }, "o1", [400, "unsupported_parameter", "max_tokens"]],
    ["temperature", { temperature: 1 }, "o1", [400, "unsupported_parameter", "temperature"]],
    ["temperature without reasoning", { temperature: 1, reasoning_effort: "none" }, "gpt-5.1", [200]],
    ["temperature with reasoning", { temperature: 1, reasoning_effort: "low" }, "gpt-5.1", [
      400,
      "unsupported_parameter",
      "temperature"
    ]],
    ["temperature of gpt-6", { temperature: 1, reasoning_effort: "none" }, "gpt-6", [
      400,
      "unsupported_parameter",
      "temperature"
    ]],
    ["a field of the other API", { max_output_tokens: 100 }, "o1", [400, "unknown_parameter", "max_output_tokens"]],
    ["a model without chat", {}, "o3-pro", [400, "OperationNotSupported", undefined]]
  ]
  for (const [name, rest, model, expected] of chat) {
    it.live(`chat: ${name}`, () =>
      against({ model }, async (session) => {
        assert.deepStrictEqual(errorOf(await session.chat(rest)).slice(0, expected.length), expected)
      }))
  }

  const responses: ReadonlyArray<readonly [string, object, string, ReadonlyArray<unknown>]> = [
    ["messages", { input: [{ role: "developer", content: "x" }, { role: "user", content: "y" }] }, "o1", [200]],
    ["the output of a tool", { input: [{ type: "function_call_output", call_id: "c", output: "x" }] }, "o1", [200]],
    ["no input", { input: undefined }, "o1", [400, "missing_required_parameter", "input"]],
    ["effort", { reasoning: { effort: "huge" } }, "o1", [400, "unsupported_value", "reasoning.effort"]],
    ["a summary of o1", { reasoning: { summary: "auto" } }, "o1", [400, "unsupported_parameter", "reasoning.summary"]],
    ["a small limit", { max_output_tokens: 8 }, "o1", [400, "integer_below_min_value", "max_output_tokens"]],
    ["background without a store", { background: true, store: false }, "o1", [400, "invalid_value", "background"]],
    ["a schema", { text: { format: { type: "json_schema", name: "n", schema: {} } } }, "o1", [200]],
    ["a field of the other API", { reasoning_effort: "low" }, "o1", [400, "unknown_parameter", "reasoning_effort"]],
    ["o1-mini", {}, "o1-mini", [400, "OperationNotSupported", undefined]]
  ]
  for (const [name, rest, model, expected] of responses) {
    it.live(`responses: ${name}`, () =>
      against({ model }, async (session) => {
        assert.deepStrictEqual(errorOf(await session.respond(rest)).slice(0, expected.length), expected)
      }))
  }

  it.live("a body that is not JSON", () =>
    against({}, async (session) => {
      assert.strictEqual((await session.ask(classic, "{")).status, 400)
    }))
})
