import { assert, describe, it } from "@effect/vitest"
import { identity } from "effect/Function"
import { Headers } from "effect/http"
import * as Schema from "effect/Schema"
import { O1Error } from "../../src/O1Error.ts"
import type { AttemptEvent } from "../../src/O1Event.ts"
import { AnswerStream, decode } from "../../src/wire/answer.ts"
import { ResponsesAnswer } from "../../src/wire/responses.ts"

const origin = { headers: Headers.empty, status: 200, deployment: "o1", now: 0, redact: identity }

const words = Schema.Literals(["Hello", "One. Two.", "ünï 🧠", "a\n\"b\"\\", "x"])

/** What an item of the output says, and in which events of the stream it is told. */
const Rendered = Schema.Struct({
  kind: Schema.Literals(["message", "message", "reasoning", "function_call"]),
  words,
  /** How much of it comes in deltas. */
  deltas: Schema.Literals(["all", "all", "half", "none"]),
  added: Schema.Boolean,
  textDone: Schema.Boolean,
  partDone: Schema.Boolean,
  itemDone: Schema.Boolean
})
type Rendered = typeof Rendered.Type

const Rendering = Schema.Struct({
  items: Schema.Array(Rendered).check(Schema.isMinLength(1), Schema.isMaxLength(5)),
  phases: Schema.Boolean,
  /** Whether items have ids, or another one in every event, as some gateways make them up. */
  ids: Schema.Literals(["own", "own", "none", "new"]),
  whole: Schema.Boolean,
  size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })),
  again: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 })),
  /** Where the connection breaks, and whether the service then plays all again or only what is new. */
  cut: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5000 })),
  playsAll: Schema.Boolean
})
type Rendering = typeof Rendering.Type

type Fields = Readonly<Record<string, unknown>>

const argumentsOf = (text: string): string => JSON.stringify({ text })

const phaseOf = ({ items, phases }: Rendering, place: number): string | undefined => {
  if (!phases) return undefined
  const last = items.findLastIndex(({ kind }) => kind === "message")
  return place === last ? "final_answer" : "commentary"
}

const bodyOf = (rendering: Rendering, place: number, id: string | undefined, full: boolean): Fields => {
  const { kind, words } = rendering.items[place]!
  switch (kind) {
    case "message":
      return {
        type: kind,
        id,
        phase: phaseOf(rendering, place),
        content: full ? [{ type: "output_text", text: words }] : []
      }
    case "reasoning":
      return { type: kind, id, summary: full ? [{ type: "summary_text", text: words }] : [] }
    case "function_call":
      return { type: kind, id, call_id: `call_${place}`, name: "f", arguments: full ? argumentsOf(words) : "" }
  }
}

const names = {
  message: ["response.output_text", "text"],
  reasoning: ["response.reasoning_summary_text", "text"],
  function_call: ["response.function_call_arguments", "arguments"]
} as const

/** The events of a stream that tell of this output, one way or another, and all of it. */
const eventsOf = (rendering: Rendering): ReadonlyArray<Fields> => {
  let made = 0
  const idOf = (place: number): string | undefined =>
    rendering.ids === "none" ? undefined : rendering.ids === "own" ? `item_${place}` : `new_${made++}`
  const output = rendering.items.map((_, place) => bodyOf(rendering, place, idOf(place), true))
  const items = rendering.items.flatMap((item, place): ReadonlyArray<Fields> => {
    const whole = item.kind === "function_call" ? argumentsOf(item.words) : item.words
    const at = (): Fields => ({ item_id: idOf(place), output_index: place, content_index: 0, summary_index: 0 })
    const [name, field] = names[item.kind]
    const said = item.deltas === "all" ? whole : item.deltas === "half" ? whole.slice(0, whole.length / 2) : ""
    // nobody else tells the phase before the text, or the name of a function
    const added = item.added || rendering.phases || item.kind === "function_call"
    const itemDone = item.itemDone || (!rendering.whole && (said !== whole || item.kind === "function_call"))
    return [
      ...added
        ? [{
          type: "response.output_item.added",
          output_index: place,
          item: bodyOf(rendering, place, idOf(place), false)
        }]
        : [],
      ...Array.from(said.matchAll(/.{1,3}/gsu), ([delta]) => ({ type: `${name}.delta`, ...at(), delta })),
      ...item.textDone ? [{ type: `${name}.done`, ...at(), [field]: whole }] : [],
      ...item.partDone && item.kind === "message"
        ? [{ type: "response.content_part.done", ...at(), part: { type: "output_text", text: whole } }]
        : [],
      ...itemDone
        ? [{
          type: "response.output_item.done",
          output_index: place,
          item: bodyOf(rendering, place, idOf(place), true)
        }]
        : []
    ]
  })
  return [
    { type: "response.created", response: { id: "r", status: "in_progress" } },
    ...items,
    { type: "response.completed", response: { id: "r", status: "completed", output: rendering.whole ? output : [] } }
  ].map((event, sequence_number) => Object.assign(event, { sequence_number }))
}

const wireOf = (events: ReadonlyArray<Fields>): Uint8Array =>
  Buffer.from(
    events.map((event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`).join("")
  )

/** What is said, of any form of the same answer. */
const contentOf = (outcome: unknown) => {
  if (O1Error.is(outcome) || typeof outcome !== "object" || outcome === null) return assert.fail(O1Error.label(outcome))
  const { commentary, reasoning, text, toolCalls } = outcome as Exclude<ReturnType<ResponsesAnswer["end"]>, O1Error>
  return { commentary, reasoning, text, toolCalls: toolCalls.map((call) => call.arguments) }
}

const said = (events: ReadonlyArray<AttemptEvent>, tag: "TextDelta" | "CommentaryDelta" | "ReasoningDelta"): string =>
  events.map((event) => event._tag === tag ? event.text : "").join("")

describe("one answer in all its renderings", () => {
  it.prop("is the same, and every word of it is told once", [Rendering], ([rendering]) => {
    const output = rendering.items.map((_, place) => bodyOf(rendering, place, `item_${place}`, true))
    const whole = JSON.stringify({ id: "r", status: "completed", output })
    const expected = contentOf(decode(new ResponsesAnswer(origin), whole, origin))

    const events = eventsOf(rendering)
    const replayed = events.slice(0, -1)
    const repeated = [...replayed, ...replayed.slice(replayed.length - rendering.again), ...events.slice(-1)]
    const answer = new ResponsesAnswer(origin)
    const stream = new AnswerStream(answer, origin, identity)
    const told: Array<AttemptEvent> = []
    const feed = (bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.length; at += rendering.size) {
        stream.feed(bytes.subarray(at, at + rendering.size))
        told.push(...stream.taken())
      }
    }
    feed(wireOf(repeated).subarray(0, rendering.cut))
    if (stream.outcome === undefined) {
      answer.continuedFrom(origin)
      stream.continuedFrom(origin)
      const { sequence } = answer
      feed(wireOf(rendering.playsAll ? events : events.slice(sequence + 1)))
    }
    const { outcome } = stream
    assert.deepStrictEqual(contentOf(outcome?._tag === "Finished" ? outcome.completion : outcome), expected)
    // what only the end tells is told at the end, and not in its place
    const inOrder = rendering.items.every(({ deltas, itemDone, textDone }) => deltas === "all" || itemDone || textDone)
    const shown = (text = ""): string => inOrder ? text : Array.from(text.replaceAll("\n\n", "")).toSorted().join("")
    assert.strictEqual(shown(said(told, "TextDelta")), shown(expected.text))
    assert.strictEqual(shown(said(told, "CommentaryDelta")), shown(expected.commentary))
    assert.strictEqual(shown(said(told, "ReasoningDelta")), shown(expected.reasoning))
    const calls = new Map<number, string>()
    for (const event of told) {
      if (event._tag === "ToolCallDelta") calls.set(event.index, (calls.get(event.index) ?? "") + event.arguments)
    }
    assert.deepStrictEqual(Array.from(calls.values()), expected.toolCalls)
  }, { arbitrary: { runs: 300 } })
})
