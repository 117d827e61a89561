import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import * as Schema from "effect/Schema"
import { O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { type Answer, AnswerStream } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"
import { type Template, templateOf } from "../../src/wire/template.ts"

const chunk = (content: string, rest: object = {}): string =>
  JSON.stringify({ id: "c", choices: [{ delta: { content }, finish_reason: null, ...rest }], model: "o1" })

/** The text of a chunk that is of the template; `undefined` if it has to be parsed. */
const textIn = (template: Template, data: string): string | undefined =>
  template.matches(data) ? template.text : undefined

const of = (data: string, text: string): Template | undefined => templateOf(data, "content", text)

describe("template", () => {
  it("finds the text of a chunk that is like the one before", () => {
    const template = of(chunk("Hello"), "Hello")!
    assert.strictEqual(textIn(template, chunk(" world")), " world")
    assert.strictEqual(textIn(template, chunk("Ünïcödé 🧠")), "Ünïcödé 🧠")
    assert.strictEqual(textIn(template, chunk("")), "")
  })

  it("finds the number and the text of an event, whatever the padding, in any order", () => {
    const orders: ReadonlyArray<(text: string, sequence: number, padding: string) => string> = [
      (delta, sequence_number, obfuscation) => JSON.stringify({ type: "t", sequence_number, delta, obfuscation }),
      (delta, sequence_number, obfuscation) => JSON.stringify({ obfuscation, delta, type: "t", sequence_number }),
      (delta, sequence_number) => `{"sequence_number": ${sequence_number}, "delta": ${JSON.stringify(delta)}}`
    ]
    for (const order of orders) {
      const template = templateOf(order("Hello", 9, "xy"), "delta", "Hello", 9)!
      assert.strictEqual(textIn(template, order(" world", 1234, "z")), " world")
      assert.strictEqual(template.sequence, 1234)
    }
  })

  const parsed: ReadonlyArray<readonly [string, string]> = [
    ["a quote", chunk("say \"hi\"")],
    ["a backslash", chunk("a\\b")],
    ["a line break", chunk("a\nb")],
    ["an end", chunk("a", { finish_reason: "stop" })],
    ["a filter's verdict", chunk("a", { content_filter_results: {} })],
    ["another id", chunk("a").replace("\"c\"", "\"d\"")],
    ["something else", "[DONE]"],
    ["less than the template", "{}"]
  ]
  for (const [name, data] of parsed) {
    it(`leaves what has ${name} to be parsed`, () => {
      assert.isUndefined(textIn(of(chunk("Hello"), "Hello")!, data))
    })
  }

  const numbered = (sequence: string): string => `{"sequence_number":${sequence},"delta":"a"}`
  for (const sequence of ["01", "1.5", "1e3", "-1", "\"2\"", "null", "", "12345678901234567890"]) {
    it(`leaves the number ${sequence} to be parsed`, () => {
      assert.isUndefined(textIn(templateOf(numbered("1"), "delta", "a", 1)!, numbered(sequence)))
    })
  }

  it("is not made where the place is in doubt", () => {
    assert.isUndefined(of(chunk("a", { message: { content: "b" } }), "a"))
    assert.isUndefined(of(chunk("a\"b"), "a\"b"))
    assert.isUndefined(of("{\"delta\": {\"content\" : \"a\"}}", "a"))
    assert.isUndefined(of(chunk("a", { obfuscation: "x", other: { obfuscation: "y" } }), "a"))
    assert.isUndefined(templateOf("{\"delta\":\"a\",\"sequence_number\":\"1\"}", "delta", "a", 1))
    assert.isDefined(of(chunk("a", { note: "\"content\":\"x\"" }), "a"), "a quoted key is no key")
  })

  const origin = { headers: Headers.empty, status: 200, deployment: "o1", now: 0, redact: identity }

  /** In pieces of so many bytes; an event in each if that is not told. */
  const play = (answer: Answer, wire: ReadonlyArray<string>, alike: boolean, size?: number) => {
    if (!alike) answer.takeText = () => false
    const stream = new AnswerStream(answer, origin, identity)
    const events: Array<AttemptEvent> = []
    const bytes = Buffer.from(wire.join(""))
    const pieces = size === undefined
      ? wire.map((event) => Buffer.from(event))
      : Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
    for (const piece of pieces) {
      if (stream.outcome === undefined) stream.feed(piece)
      events.push(...stream.taken())
    }
    if (stream.outcome === undefined) stream.end()
    events.push(...stream.taken())
    return [events, O1Error.is(stream.outcome) ? O1Error.label(stream.outcome) : stream.outcome] as const
  }

  const sizes = [undefined, 7, 64, 1000, 1 << 20]

  const apis: ReadonlyArray<readonly [string, () => Answer, (text: string, i: number) => string, string]> = [
    [
      "chat",
      () => new ChatAnswer(origin),
      (text) => `data: ${chunk(text)}\n\n`,
      `data: ${chunk("", { finish_reason: "stop" })}\n\ndata: [DONE]\n\n`
    ],
    [
      "responses",
      () => new ResponsesAnswer(origin),
      (delta, sequence_number) => {
        const type = "response.output_text.delta"
        return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, delta, obfuscation: delta })}\n\n`
      },
      "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\"}}\n\n"
    ]
  ]
  for (const [api, make, event, last] of apis) {
    it(`a thousand events that are alike, with others in between, and cut anywhere: ${api}`, () => {
      const odd = ["\"quoted\"", "ünï🧠", "two\nlines", "", "\\"]
      const texts = Array.from({ length: 1000 }, (_, i) => i % 97 === 96 ? odd[i % odd.length]! : ` ${i}`)
      const wire = texts.flatMap((
        text,
        i
      ) => [event(text, i), ...i % 211 === 210 ? [": ping\n\n", "\n\n", "\r\n"] : []])
      const expected = play(make(), [...wire, last], false)
      for (const size of sizes) {
        const played = play(make(), [...wire, last], true, size)
        assert.deepStrictEqual(played, expected)
        const said = played[0].map((event) => event._tag === "TextDelta" ? event.text : "").join("")
        assert.strictEqual(said, texts.join(""))
      }
    })
  }

  const Chunk = Schema.Struct({
    text: Schema.Union([Schema.String, Schema.Literals(["a", "b", "", "\"", "\\", "\n", "content"])]),
    finish: Schema.NullOr(Schema.Literals(["stop", "length", "content_filter"])),
    usage: Schema.NullOr(Schema.Literal(1)),
    refusal: Schema.NullOr(Schema.Literal("no")),
    filtered: Schema.Literals([false, false, false, true])
  })

  it.prop("whatever comes, it is the same as if everything was parsed", [Schema.Array(Chunk)], ([chunks]) => {
    const wire = chunks.map(({ filtered, finish, refusal, text, usage }) =>
      `data: ${
        JSON.stringify({
          id: "c",
          choices: [{
            delta: { content: text, refusal },
            finish_reason: finish,
            content_filter_results: { hate: { filtered } }
          }],
          usage: usage === null ? null : { prompt_tokens: usage, completion_tokens: usage }
        })
      }\n\n`
    )
    const expected = play(new ChatAnswer(origin), wire, false)
    for (const size of sizes) assert.deepStrictEqual(play(new ChatAnswer(origin), wire, true, size), expected)
  })

  const Event = Schema.Struct({
    type: Schema.Literals([
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.reasoning_summary_text.delta",
      "response.refusal.delta",
      "response.function_call_arguments.delta",
      "response.output_item.added",
      "keepalive"
    ]),
    text: Schema.Union([Schema.String, Schema.Literals(["a", "b", "", "\"", "\\", "\n", "\"delta\":\"x\""])]),
    padding: Schema.Union([Schema.Undefined, Schema.Literals(["x", "yy", "\\"])]),
    step: Schema.Literals([1, 1, 1, 0, -1, 5]),
    place: Schema.Literals([0, 0, 0, 1])
  })

  it.prop(
    "whatever comes of a response, it is the same as if everything was parsed",
    [Schema.Array(Event)],
    ([all]) => {
      let sequence = 0
      const wire = all.map(({ padding, place, step, text, type }) => {
        sequence += step
        const fields = type.endsWith("added")
          ? { item: { type: "message", id: `m${place}`, phase: text === "a" ? "commentary" : null } }
          : type.endsWith("done")
          ? { text }
          : { delta: text }
        const event = { type, sequence_number: sequence, output_index: place, obfuscation: padding, ...fields }
        return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`
      })
      const end = `data: ${
        JSON.stringify({ type: "response.completed", sequence_number: 1000, response: { id: "r" } })
      }\n\n`
      const whole = [...wire, end]
      const expected = play(new ResponsesAnswer(origin), whole, false)
      for (const size of sizes) assert.deepStrictEqual(play(new ResponsesAnswer(origin), whole, true, size), expected)
    }
  )
})
