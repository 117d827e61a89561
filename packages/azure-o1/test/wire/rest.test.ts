import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import type { O1Completion } from "../../src/O1Completion.ts"
import { O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { AnswerStream } from "../../src/wire/answer.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"

const origin = { headers: Headers.empty, status: 200, deployment: "o1", now: 0, redact: identity }

type Fields = Readonly<Record<string, unknown>>

const message = (id: string, text: string, phase?: string): Fields => ({
  id,
  type: "message",
  phase,
  content: [{ type: "output_text", text }]
})
const call = (id: string, args: string): Fields => ({
  id,
  type: "function_call",
  call_id: `call_${id}`,
  name: "f",
  arguments: args
})
const delta = (id: string, output_index: number, delta: string): Fields => ({
  type: "response.output_text.delta",
  item_id: id,
  output_index,
  content_index: 0,
  delta
})
const done = (id: string, output_index: number, text: string): Fields => ({
  type: "response.output_text.done",
  item_id: id,
  output_index,
  content_index: 0,
  text
})
const added = (output_index: number, item: Fields): Fields => ({
  type: "response.output_item.added",
  output_index,
  item
})
const ended = (output_index: number, item: Fields): Fields => ({
  type: "response.output_item.done",
  output_index,
  item
})
const args = (id: string, output_index: number, delta: string): Fields => ({
  type: "response.function_call_arguments.delta",
  item_id: id,
  output_index,
  delta
})
const completed = (...output: ReadonlyArray<Fields>): Fields => ({
  type: "response.completed",
  response: { id: "r", status: "completed", output }
})

/** What somebody is told who reads the events after the seventh, and asks for the whole where they do not suffice. */
const read = (events: ReadonlyArray<Fields>, polled?: Fields) => {
  const answer = new ResponsesAnswer(origin, { after: 7 })
  const stream = new AnswerStream(answer, origin, identity)
  const told: Array<AttemptEvent> = []
  events.forEach((event, i) =>
    stream.feed(Buffer.from(`data: ${JSON.stringify({ ...event, sequence_number: 8 + i })}\n\n`))
  )
  if (stream.outcome === undefined) stream.end()
  told.push(...stream.taken())
  let outcome = stream.outcome?._tag === "Finished" ? stream.outcome.completion : stream.outcome
  if (polled !== undefined) {
    assert.strictEqual(O1Error.label(outcome), "O1ProtocolError/truncated", "it has to be asked for")
    answer.takeWhole(polled, told)
    outcome = answer.end()
  }
  const { commentary, text, toolCalls } = O1Error.is(outcome) ? assert.fail(outcome.message) : outcome as O1Completion
  const said = told.map((event) => event._tag === "TextDelta" ? event.text : "").join("")
  const shown = told.map((event) => event._tag === "ToolCallDelta" ? event.arguments : "").join("")
  return { said, shown, text, commentary, calls: toolCalls.map((call) => call.arguments) }
}

const whole = (...output: ReadonlyArray<Fields>): Fields => ({ id: "r", status: "completed", output })

describe("a reader of the rest is told no word twice, and has the whole at the end", () => {
  interface Told {
    readonly said: string
    readonly shown: string
    readonly text: string
    readonly commentary: string | undefined
    readonly calls: ReadonlyArray<string>
  }
  const nothing: Told = { said: "", shown: "", text: "", commentary: undefined, calls: [] }
  const table: ReadonlyArray<readonly [string, ReadonlyArray<Fields>, Fields | undefined, Partial<Told>]> = [
    ["deltas and the whole", [delta("m", 0, "lo"), completed(message("m", "Hello"))], undefined, {
      said: "lo",
      text: "Hello"
    }],
    [
      "done events say what was said elsewhere",
      [
        delta("m", 0, "lo"),
        done("m", 0, "Hello"),
        ended(0, message("m", "Hello")),
        completed(message("m", "Hello"))
      ],
      undefined,
      { said: "lo", text: "Hello" }
    ],
    [
      "an end without the output has to be asked for",
      [delta("m", 0, "lo"), completed()],
      whole(message("m", "Hello")),
      {
        said: "lo",
        text: "Hello"
      }
    ],
    [
      "and what nobody has any more is in the done event",
      [delta("m", 0, "lo"), done("m", 0, "Hello"), completed()],
      whole(),
      {
        said: "lo",
        text: "Hello"
      }
    ],
    [
      "what begins here is told from its beginning, though only done events hold it",
      [
        added(1, { id: "n", type: "message", content: [] }),
        done("n", 1, "Two."),
        completed(message("m", "One."), message("n", "Two."))
      ],
      undefined,
      { said: "Two.", text: "One.\n\nTwo." }
    ],
    [
      "a message that began here goes on in the whole",
      [
        added(1, { id: "n", type: "message", content: [] }),
        delta("n", 1, "Tw"),
        completed(message("m", "One."), message("n", "Two."))
      ],
      undefined,
      { said: "Two.", text: "One.\n\nTwo." }
    ],
    [
      "the answer after the commentary",
      [
        added(1, { id: "n", type: "message", phase: "final_answer", content: [] }),
        delta("n", 1, "Yes."),
        completed(message("m", "I look.", "commentary"), message("n", "Yes.", "final_answer"))
      ],
      undefined,
      { said: "Yes.", text: "Yes.", commentary: "I look." }
    ],
    ["the rest of the arguments", [args("f", 0, ":1}"), completed(call("f", "{\"a\":1}"))], undefined, {
      shown: ":1}",
      calls: ["{\"a\":1}"]
    }],
    [
      "the rest of the arguments, with done events",
      [
        args("f", 0, ":1}"),
        ended(0, call("f", "{\"a\":1}")),
        completed(call("f", "{\"a\":1}"))
      ],
      undefined,
      { shown: ":1}", calls: ["{\"a\":1}"] }
    ],
    [
      "a call that begins here, in done events only",
      [
        added(1, call("g", "")),
        ended(1, call("g", "{}")),
        completed(call("f", "{\"a\":1}"), call("g", "{}"))
      ],
      undefined,
      { shown: "{}", calls: ["{}", "{\"a\":1}"] }
    ],
    ["only the end", [completed(message("m", "Hello"))], undefined, { text: "Hello" }]
  ]
  for (const [name, events, polled, expected] of table) {
    it(name, () => {
      const told = read(events, polled)
      assert.deepStrictEqual({ ...told, calls: told.calls.toSorted() }, {
        ...nothing,
        ...expected,
        calls: (expected.calls ?? []).toSorted()
      })
    })
  }
})
