import { assert, describe, it } from "@effect/vitest"
import * as Sse from "effect/encoding/Sse"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { type SseEvent, SseReader } from "../../src/wire/sse.ts"
import cases from "../fixtures/sse-cases.json" with { type: "json" }

type Chunk =
  | { readonly utf8: string }
  | { readonly hex: string }
  | { readonly repeat: { readonly utf8: string; readonly times: number } }

interface Case {
  readonly name: string
  readonly chunks: ReadonlyArray<Chunk>
  readonly events?: ReadonlyArray<SseEvent>
  readonly eventsIfFlushedAtEof?: ReadonlyArray<SseEvent>
  readonly eventsSummary?: {
    readonly count: number
    readonly first: { readonly dataLength: number; readonly dataSha256: string }
  }
}

const bytesOf = (chunk: Chunk): ReadonlyArray<Uint8Array> => {
  if ("utf8" in chunk) return [Buffer.from(chunk.utf8)]
  if ("hex" in chunk) return [Buffer.from(chunk.hex, "hex")]
  return Array.from({ length: chunk.repeat.times }, () => Buffer.from(chunk.repeat.utf8))
}

const read = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<SseEvent> => {
  const reader = new SseReader()
  const events = chunks.flatMap((chunk) => {
    const fed = reader.feedText(reader.decode(chunk))
    return "_tag" in fed ? assert.fail(fed.message) : fed
  })
  return [...events, ...reader.end()]
}

/** What a strict parser dispatches, and the one leniency: a last `[DONE]` or JSON that lacks its blank line. */
const expected = ({ events, eventsIfFlushedAtEof }: Case): ReadonlyArray<SseEvent> => {
  const strict = events ?? []
  const last = eventsIfFlushedAtEof?.slice(strict.length) ?? []
  const complete = last.filter(({ data }) => {
    try {
      return data === "[DONE]" || JSON.parse(data) !== undefined
    } catch {
      return false
    }
  })
  return [...strict, ...complete].map(({ data, event }) => ({ event, data }))
}

describe("wire/sse", () => {
  it("there are cases", () => {
    assert.isAtLeast(cases.cases.length, 50)
  })

  for (const recorded of cases.cases as ReadonlyArray<Case>) {
    it(recorded.name, () => {
      const chunks = recorded.chunks.flatMap(bytesOf)
      const events = read(chunks)
      const summary = recorded.eventsSummary
      if (summary === undefined) {
        assert.deepStrictEqual(events, expected(recorded))
        const bytewise = chunks.flatMap((chunk) => Array.from(chunk, (byte) => Uint8Array.of(byte)))
        assert.deepStrictEqual(read(bytewise), events, "byte by byte")
        return
      }
      assert.strictEqual(events.length, summary.count)
      assert.strictEqual(events[0]!.data.length, summary.first.dataLength)
      assert.strictEqual(createHash("sha256").update(events[0]!.data).digest("hex"), summary.first.dataSha256)
    })
  }

  const Fragment = Schema.Literals([
    "data: a\n",
    "data: {\"a\":1}\n\n",
    "event: x\ndata: b\n\n",
    "event: x\n",
    "event: \ndata: c\n\n",
    "data: \n\n",
    "data:d\n\n",
    "data: e\r\n\r\n",
    "data: f\rdata: g\n\n",
    ": comment\n",
    ": comment\n\n",
    "id: 1\n",
    "retry: 5\n\n",
    "\n",
    "\r",
    "event: y",
    "data: "
  ])

  it.prop("whatever comes, in whatever pieces, it is what the parser makes of it", [
    Schema.Array(Schema.Array(Fragment))
  ], ([chunks]) => {
    const texts = ["data: first\n\n", ...chunks.map((fragments) => fragments.join(""))]
    const events: Array<SseEvent> = []
    const parser = Sse.makeParser((event) => {
      if (event._tag === "Event") events.push({ event: event.event, data: event.data })
    })
    parser.feed(texts.join(""))
    const reader = new SseReader()
    const seen = texts.flatMap((text) => {
      const fed = reader.feedText(text)
      return "_tag" in fed ? assert.fail(fed.message) : fed
    })
    assert.deepStrictEqual(seen, events)
  })

  it("an event without an end is refused, not collected for ever", () => {
    const reader = new SseReader()
    const megabyte = Buffer.from("data: " + "x".repeat(1024 * 1024))
    let refused = false
    for (let i = 0; i < 12 && !refused; i++) refused = "_tag" in reader.feedText(reader.decode(megabyte))
    assert.isTrue(refused)
  })
})
