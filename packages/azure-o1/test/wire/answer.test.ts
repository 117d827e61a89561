import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import * as Schema from "effect/Schema"
import { O1ConnectionError, O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent, Finished } from "../../src/O1Event.ts"
import { type Answer, AnswerStream, decode as decodeWith, emulate, type Origin } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"
import cases from "../fixtures/azure-wire-cases.json" with { type: "json" }

interface Case {
  readonly name: string
  readonly api: string
  readonly wire: string
  readonly expect: {
    readonly text?: string
    readonly finish?: string
    readonly usage?: { readonly input: number; readonly output: number; readonly reasoning: number } | null
    readonly toolCalls?: ReadonlyArray<unknown>
    readonly categories?: ReadonlyArray<string>
    readonly outcome: string
    readonly retryable?: boolean
    readonly reasoningSummary?: string
    readonly lastSequenceNumber?: number
    readonly resumeRequest?: string
    readonly afterCursor?: number
  }
}

const origin: Origin = {
  headers: Headers.fromInput({ "x-request-id": "r" }),
  status: 200,
  deployment: "my-o1",
  now: 0,
  redact: (text) => text
}

const streamOf = (answer: Answer = new ChatAnswer(origin)) => new AnswerStream(answer, origin, identity)

const decode = (body: string, origin: Origin) => decodeWith(new ChatAnswer(origin), body, origin)

const play = (pieces: ReadonlyArray<Uint8Array>, answerOf: Answer = new ChatAnswer(origin)) => {
  const answer = streamOf(answerOf)
  const events: Array<AttemptEvent> = []
  for (const piece of pieces) {
    answer.feed(piece)
    events.push(...answer.taken())
  }
  if (answer.outcome === undefined) answer.end()
  events.push(...answer.taken())
  return { events, outcome: answer.outcome! }
}

const cut = (wire: string, size: number): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(wire)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}

const textOf = (events: ReadonlyArray<AttemptEvent>): string =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")

const labels: Record<string, string> = {
  ContentFiltered: "O1ContentFilterError/completion",
  ServerError: "O1ServerError/internal",
  RateLimited: "O1RateLimitError/requests",
  StreamTruncated: "O1ProtocolError/truncated",
  MalformedStream: "O1ProtocolError/malformed"
}

const chunk = (choice: object): string => `data: ${JSON.stringify({ id: "c", model: "o1", choices: [choice] })}\n\n`
const delta = (content: string): string => chunk({ delta: { content } })
const stop = chunk({ delta: {}, finish_reason: "stop" })

const finished = (outcome: Finished | O1Error): Finished["completion"] =>
  O1Error.is(outcome) ? assert.fail(outcome.message) : outcome.completion

describe("wire/answer", () => {
  const chat = (cases.cases as ReadonlyArray<Case>).filter(({ api }) => api === "chat")

  it("there are cases", () => {
    assert.isAtLeast(chat.length, 11)
  })

  for (const { expect, name, wire } of chat) {
    it(name, () => {
      for (const size of [1, 7, 64, 1 << 20]) {
        const { events, outcome } = play(cut(wire, size))
        assert.strictEqual(textOf(events), expect.text)
        if (expect.outcome.startsWith("error:")) {
          assert.isTrue(O1Error.is(outcome))
          const error = outcome as O1Error
          assert.strictEqual(O1Error.label(error), labels[expect.outcome.slice("error:".length)])
          assert.strictEqual(O1Error.isTransient(error), expect.retryable)
          assert.strictEqual(error.partialText, expect.text)
          assert.strictEqual(error.requestId, "r")
          if (expect.categories !== undefined) assert.deepInclude(error, { categories: expect.categories })
          continue
        }
        const completion = finished(outcome)
        assert.strictEqual(completion.text, expect.text)
        assert.strictEqual(completion.finishReason, expect.finish)
        assert.deepStrictEqual(events.at(-1), outcome as Finished, "Finished is the last event")
        if (expect.toolCalls !== undefined) assert.deepStrictEqual(completion.toolCalls, expect.toolCalls)
        if (expect.usage !== undefined) {
          assert.deepEqual(completion.usage, expect.usage === null ? undefined : { ...expect.usage, cachedInput: 0 })
        }
      }
    })
  }

  describe("Responses", () => {
    const responses = (cases.cases as ReadonlyArray<Case>).filter(({ api }) => api === "responses")

    it("there are cases", () => {
      assert.isAtLeast(responses.length, 7)
    })

    for (const { expect, name, wire } of responses) {
      it(name, () => {
        for (const size of [1, 7, 64, 1 << 20]) {
          const answer = new ResponsesAnswer(origin)
          if (expect.afterCursor !== undefined) answer.sequence = expect.afterCursor
          const { events, outcome } = play(cut(wire, size), answer)
          if (expect.text !== undefined) assert.strictEqual(textOf(events), expect.text)
          if (expect.lastSequenceNumber !== undefined) {
            assert.strictEqual(answer.sequence, expect.lastSequenceNumber)
          }
          if (expect.outcome === "resume") {
            assert.strictEqual(O1Error.label(outcome), "O1ProtocolError/truncated")
            assert.include(expect.resumeRequest, `/${answer.id}?stream=true&starting_after=${answer.sequence}`)
            continue
          }
          if (expect.outcome.startsWith("error:")) {
            assert.strictEqual(O1Error.label(outcome), labels[expect.outcome.slice("error:".length)])
            assert.strictEqual(O1Error.isTransient(outcome as O1Error), expect.retryable)
            assert.strictEqual((outcome as O1Error).partialText, expect.text ?? "")
            continue
          }
          const completion = finished(outcome)
          assert.strictEqual(completion.text, expect.text)
          assert.strictEqual(completion.reasoning, expect.reasoningSummary)
          if (expect.usage) assert.deepEqual(completion.usage, { ...expect.usage, cachedInput: 0 })
        }
      })
    }
  })

  describe("Responses, further", () => {
    const event = (type: string, fields: object = {}): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
    const created = event("response.created", { response: { id: "r1", status: "in_progress", model: "o1" } })
    const text = (delta: string): string => event("response.output_text.delta", { delta })
    const message = (text: string) => ({ type: "message", content: [{ type: "output_text", text }] })
    const completed = (...output: ReadonlyArray<object>): string =>
      event("response.completed", { response: { id: "r1", status: "completed", output } })
    const playResponses = (...wire: ReadonlyArray<string>) =>
      play([Buffer.from(wire.join(""))], new ResponsesAnswer(origin))

    it("text that comes only at the end is said then, and what was lost on the way as well", () => {
      const all = playResponses(created, completed(message("All")))
      assert.strictEqual(textOf(all.events), "All")
      assert.strictEqual(finished(all.outcome).text, "All")
      const rest = playResponses(created, text("He"), completed(message("Hello")))
      assert.strictEqual(textOf(rest.events), "Hello")
    })

    it("tool calls, by their deltas and whole, are one each", () => {
      const call = { type: "function_call", call_id: "c1", name: "now", arguments: "" }
      const { events, outcome } = playResponses(
        created,
        event("response.output_item.added", { output_index: 1, item: call }),
        event("response.function_call_arguments.delta", { output_index: 1, delta: "{\"a\"" }),
        event("response.function_call_arguments.delta", { output_index: 1, delta: ":1}" }),
        event("response.output_item.done", { output_index: 1, item: { ...call, arguments: "{\"a\":1}" } }),
        completed({ type: "reasoning", summary: [] }, { ...call, arguments: "{\"a\":1}" })
      )
      assert.deepStrictEqual(finished(outcome).toolCalls, [{ id: "c1", name: "now", arguments: "{\"a\":1}" }])
      assert.strictEqual(finished(outcome).finishReason, "tool_calls")
      const said = events.map((event) => event._tag === "ToolCallDelta" ? event.arguments : "").join("")
      assert.strictEqual(said, "{\"a\":1}")
    })

    it("a tool call is the same one where the whole leaves out items of the stream", () => {
      const call = { type: "function_call", call_id: "c1", name: "now", arguments: "{}" }
      const { events, outcome } = playResponses(
        created,
        event("response.output_item.done", { output_index: 1, item: call }),
        completed(call)
      )
      assert.strictEqual(finished(outcome).toolCalls.length, 1)
      assert.strictEqual(events.filter(({ _tag }) => _tag === "ToolCallDelta").length, 1)
    })

    const endings: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
      ["failed for a reason", [event("response.failed", {
        response: { status: "failed", error: { code: "server_error", message: "boom" } }
      })], "O1ServerError/internal"],
      ["failed for its rate limit", [event("response.failed", {
        response: { status: "failed", error: { code: "rate_limit_exceeded", message: "Try again in 1.5s." } }
      })], "O1RateLimitError/requests"],
      ["failed without a reason, and then silence", [event("response.failed", {
        response: { status: "failed", error: null }
      })], "O1ServerError/internal"],
      ["the error first, and the failure then", [
        event("error", { error: { code: "rate_limit_exceeded", message: "" } }),
        event("response.failed", { response: { status: "failed", error: null } })
      ], "O1RateLimitError/requests"],
      ["an error without a name of its event", [
        `data: ${JSON.stringify({ type: "error", code: "server_error", message: "boom" })}\n\n`
      ], "O1ServerError/internal"],
      ["cut off with nothing to show", [event("response.incomplete", {
        response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }
      })], "O1OutputLimitError/reasoning-exhausted"],
      ["cancelled", [event("response.cancelled", { response: { status: "cancelled" } })], "O1RequestError/cancelled"],
      ["[DONE] and nothing else", ["data: [DONE]\n\n"], "O1ProtocolError/truncated"],
      ["the prompt was filtered", [event("response.incomplete", {
        response: {
          status: "incomplete",
          incomplete_details: { reason: "content_filter" },
          content_filters: [{
            blocked: true,
            source_type: "prompt",
            content_filter_results: { violence: { filtered: true, severity: "high" } }
          }]
        }
      })], "O1ContentFilterError/prompt"]
    ]
    for (const [name, wire, label] of endings) {
      it(name, () => {
        const { outcome } = playResponses(created, ...wire)
        assert.strictEqual(O1Error.label(outcome), label)
      })
    }

    it("what keeps a connection alive takes no number from the events", () => {
      const answer = new ResponsesAnswer(origin)
      answer.take({}, [], "1")
      answer.take({ type: "ping" }, [], "2")
      assert.isTrue(answer.numbered)
      answer.take({ type: "response.output_text.delta", delta: "x" }, [], "3")
      assert.isFalse(answer.numbered)
    })

    for (const number of [1e300, 2 ** 53, 1.5, -1]) {
      it(`an event with the number ${number} is read, and no place to go on from`, () => {
        const answer = new ResponsesAnswer(origin)
        const { events } = play(
          [Buffer.from(
            event("response.created", { response: { id: "r1", status: "in_progress" }, sequence_number: 0 }) +
              event("response.output_text.delta", { delta: "x", sequence_number: number })
          )],
          answer
        )
        assert.strictEqual(textOf(events), "x")
        assert.isFalse(answer.numbered)
        assert.strictEqual(answer.sequence, 0)
      })
    }

    it("the name of the last event is no answer to who has read only the rest", () => {
      const answer = new ResponsesAnswer(origin, { after: 7 })
      const { outcome } = play(
        [Buffer.from(text("x") + event("response.completed", { response: { id: "r1" } }))],
        answer
      )
      assert.strictEqual(O1Error.label(outcome), "O1ProtocolError/truncated")
    })

    it("the name of the last event is proof enough", () => {
      const { outcome } = playResponses(created, text("x"), event("response.completed", { response: { id: "r1" } }))
      assert.strictEqual(finished(outcome).text, "x")
    })

    it("cut off in the middle is an answer that says so", () => {
      const { outcome } = playResponses(
        created,
        text("half"),
        event("response.incomplete", {
          response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }
        })
      )
      assert.deepInclude(finished(outcome), { text: "half", finishReason: "length" })
    })

    it("a reason to end that nobody knows is passed on", () => {
      const { outcome } = playResponses(
        created,
        text("x"),
        event("response.incomplete", {
          response: { status: "incomplete", incomplete_details: { reason: "steered" } }
        })
      )
      assert.strictEqual(finished(outcome).finishReason, "steered")
    })

    it.prop("however it is cut, and however often it is said again, it says the same", [
      Schema.Array(Schema.String),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
    ], ([texts, size, again]) => {
      const deltas = texts.map((delta, i) => event("response.output_text.delta", { sequence_number: i + 1, delta }))
      const wire = [created, ...deltas, ...deltas.slice(-again), completed(message(texts.join("")))].join("")
      const { events, outcome } = play(cut(wire, size), new ResponsesAnswer(origin))
      assert.strictEqual(textOf(events), texts.join(""))
      assert.strictEqual(finished(outcome).text, texts.join(""))
    })

    it.prop("whatever bytes come, there is an outcome and no defect", [Schema.Array(Schema.Uint8Array)], ([pieces]) => {
      assert.isDefined(play(pieces, new ResponsesAnswer(origin)).outcome)
    })
  })

  it("deltas come out as they come in", () => {
    const answer = streamOf()
    const seen = ["Hel", "lo"].map((text) => {
      answer.feed(Buffer.from(delta(text)))
      return textOf(answer.taken())
    })
    assert.deepStrictEqual(seen, ["Hel", "lo"])
    assert.isUndefined(answer.outcome)
  })

  it("[DONE] ends it; what comes after is left alone", () => {
    const answer = streamOf()
    answer.feed(Buffer.from(`${delta("a")}${stop}data: [DONE]\n\n${delta("b")}`))
    assert.strictEqual(finished(answer.outcome!).text, "a")
    assert.strictEqual(textOf(answer.taken()), "a")
  })

  it("[DONE] without a reason to stop is an end for a reason that nobody knows", () => {
    const { outcome } = play([Buffer.from(`${delta("a")}data: [DONE]\n\n`)])
    assert.deepInclude(finished(outcome), { text: "a", finishReason: "unknown" })
  })

  it("a connection that breaks after the reason to stop has brought the whole answer", () => {
    const answer = streamOf()
    answer.feed(Buffer.from(`${delta("a")}${stop}`))
    assert.isTrue(answer.complete)
    answer.fail(new O1ConnectionError({ kind: "reset" }))
    assert.strictEqual(finished(answer.outcome!).text, "a")
  })

  it("a connection that breaks before keeps the text so far", () => {
    const answer = streamOf()
    answer.feed(Buffer.from(delta("a")))
    answer.fail(new O1ConnectionError({ kind: "reset" }))
    assert.deepInclude(answer.outcome, { kind: "reset", partialText: "a", requestId: "r", deployment: "my-o1" })
  })

  it("an answer that reasoning ate is no answer", () => {
    const usage = { prompt_tokens: 5, completion_tokens: 1000, completion_tokens_details: { reasoning_tokens: 1000 } }
    const wire = `${chunk({ delta: {}, finish_reason: "length" })}data: ${
      JSON.stringify({ choices: [], usage })
    }\n\ndata: [DONE]\n\n`
    const { outcome } = play([Buffer.from(wire)])
    assert.strictEqual(O1Error.label(outcome), "O1OutputLimitError/reasoning-exhausted")
    assert.deepInclude(outcome, { usage: { input: 5, cachedInput: 0, output: 1000, reasoning: 1000 } })
  })

  it("a refusal is an answer", () => {
    const wire = `${chunk({ delta: { refusal: "I can" } })}${
      chunk({ delta: { refusal: "not" } })
    }${stop}data: [DONE]\n\n`
    const { events, outcome } = play([Buffer.from(wire)])
    assert.strictEqual(finished(outcome).refusal, "I cannot")
    assert.strictEqual(events.filter(({ _tag }) => _tag === "RefusalDelta").length, 2)
  })

  it("what is not JSON is malformed, with the text so far", () => {
    const { outcome } = play([Buffer.from(`${delta("a")}data: {oops\n\n`)])
    assert.deepInclude(outcome, { _tag: "O1ProtocolError", kind: "malformed", partialText: "a" })
  })

  it("an empty reason to stop is none: the answer may be cut off", () => {
    const chunk = JSON.stringify({ choices: [{ index: 0, delta: { content: "half" }, finish_reason: "" }] })
    const { outcome } = play([Buffer.from(`data: ${chunk}\n\n`)])
    assert.deepInclude(outcome, { _tag: "O1ProtocolError", kind: "truncated", partialText: "half" })
  })

  it("what keeps a connection alive is no part of the answer", () => {
    const { events, outcome } = play([
      Buffer.from(`data:\n\nevent: ping\ndata: ping\n\n${delta("a")}event: ping\ndata: {}\n\n${stop}data: [DONE] \n\n`)
    ])
    assert.strictEqual(textOf(events), "a")
    assert.strictEqual(finished(outcome).text, "a")
  })

  it("another choice is another answer", () => {
    const other = JSON.stringify({ choices: [{ index: 1, delta: { content: "B" }, finish_reason: "stop" }] })
    const { events, outcome } = play([Buffer.from(`${delta("a")}data: ${other}\n\n`)])
    assert.strictEqual(textOf(events), "a")
    assert.strictEqual(O1Error.label(outcome), "O1ProtocolError/truncated")
  })

  it("a body without any event may be an error, or a plain answer, after all", () => {
    const busy = play([Buffer.from("{\"error\":{\"code\":\"429\",\"message\":\"Try again in 2 seconds.\"}}")])
    assert.strictEqual(O1Error.label(busy.outcome), "O1RateLimitError/requests")
    const body = { id: "c", model: "o1", choices: [{ message: { content: "whole" }, finish_reason: "stop" }] }
    const whole = play([Buffer.from(JSON.stringify(body, undefined, 2))])
    assert.strictEqual(finished(whole.outcome).text, "whole")
    assert.deepStrictEqual(whole.events.map(({ _tag }) => _tag), ["TextDelta", "Finished"])
    const page = play([Buffer.from("<html>proxy</html>")])
    assert.strictEqual(O1Error.label(page.outcome), "O1ProtocolError/unexpected-content-type")
  })

  describe("decode", () => {
    const table: ReadonlyArray<readonly [string, string, string]> = [
      ["nothing", "", "O1ProtocolError/truncated"],
      ["a page", "<!doctype html><html>", "O1ProtocolError/unexpected-content-type"],
      ["words", "OK", "O1ProtocolError/malformed"],
      ["half of JSON", "{\"choices\":", "O1ProtocolError/malformed"],
      ["an empty object", "{}", "O1ProtocolError/truncated"],
      ["no reason to stop", "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", "O1ProtocolError/truncated"],
      ["a flat error", "{\"code\":\"429\",\"message\":\"slow down\"}", "O1RateLimitError/requests"],
      ["an error of API Management", "{\"statusCode\":503,\"message\":\"down\"}", "O1ServerError/unavailable"],
      [
        "a filtered answer",
        "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}",
        "O1ContentFilterError/completion"
      ]
    ]
    for (const [name, body, label] of table) {
      it(`${name} is ${label}`, () => {
        assert.strictEqual(O1Error.label(decode(body, origin)), label)
      })
    }
  })

  it.prop("a plain answer and the stream that emulates it say the same", [
    Schema.String,
    Schema.Literals(["stop", "length"])
  ], ([text, finish]) => {
    const decoded = decode(
      JSON.stringify({ id: "c", model: "o1", choices: [{ message: { content: text }, finish_reason: finish }] }),
      origin
    )
    if (text === "" && finish === "length") return assert.isTrue(O1Error.is(decoded))
    if (O1Error.is(decoded)) return assert.fail(decoded.message)
    assert.strictEqual(textOf(emulate(decoded)), text)
    assert.strictEqual(decoded.text, text)
  })

  it.prop("however a stream is cut, it says the same", [
    Schema.Array(Schema.String),
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 }))
  ], ([texts, size]) => {
    const wire = `${texts.map(delta).join("")}${stop}data: [DONE]\n\n`
    const { events, outcome } = play(cut(wire, size))
    assert.strictEqual(textOf(events), texts.join(""))
    assert.strictEqual(finished(outcome).text, texts.join(""))
  })

  it.prop("whatever bytes come, there is an outcome and no defect", [Schema.Array(Schema.Uint8Array)], ([pieces]) => {
    assert.isDefined(play(pieces).outcome)
  })
})
