import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import * as Schema from "effect/Schema"
import { O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { AnswerStream } from "../../src/wire/answer.ts"
import { ChatAnswer } from "../../src/wire/chat.ts"
import { templateOf, textIn } from "../../src/wire/template.ts"

const chunk = (content: string, rest: object = {}): string =>
  JSON.stringify({ id: "c", choices: [{ delta: { content }, finish_reason: null, ...rest }], model: "o1" })

describe("template", () => {
  it("finds the text of a chunk that is like the one before", () => {
    const template = templateOf(chunk("Hello"), "Hello")!
    assert.strictEqual(textIn(template, chunk(" world")), " world")
    assert.strictEqual(textIn(template, chunk("Ünïcödé 🧠")), "Ünïcödé 🧠")
    assert.strictEqual(textIn(template, chunk("")), "")
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
      assert.isUndefined(textIn(templateOf(chunk("Hello"), "Hello")!, data))
    })
  }

  it("is not made where the place is in doubt", () => {
    assert.isUndefined(templateOf(chunk("a", { message: { content: "b" } }), "a"))
    assert.isUndefined(templateOf(chunk("a\"b"), "a\"b"))
    assert.isUndefined(templateOf("{\"delta\": {\"content\" : \"a\"}}", "a"))
    assert.isDefined(templateOf(chunk("a", { note: "\"content\":\"x\"" }), "a"), "a quoted key is no key")
  })

  const origin = { headers: Headers.empty, status: 200, deployment: "o1", now: 0, redact: identity }

  const play = (chunks: ReadonlyArray<string>, alike: boolean) => {
    const answer = new ChatAnswer(origin)
    if (!alike) answer.takeAlike = () => false
    const stream = new AnswerStream(answer, origin, identity)
    const events: Array<AttemptEvent> = []
    for (const data of chunks) {
      stream.feed(new TextEncoder().encode(`data: ${data}\n\n`))
      events.push(...stream.taken())
    }
    stream.end()
    events.push(...stream.taken())
    return [events, O1Error.is(stream.outcome) ? O1Error.label(stream.outcome) : stream.outcome] as const
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
      JSON.stringify({
        id: "c",
        choices: [{
          delta: { content: text, refusal },
          finish_reason: finish,
          content_filter_results: { hate: { filtered } }
        }],
        usage: usage === null ? null : { prompt_tokens: usage, completion_tokens: usage }
      })
    )
    assert.deepStrictEqual(play(wire, true), play(wire, false))
  })
})
