import { assert, describe, it } from "@effect/vitest"
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

  it("an event without an end is refused, not collected for ever", () => {
    const reader = new SseReader()
    const megabyte = Buffer.from("data: " + "x".repeat(1024 * 1024))
    let refused = false
    for (let i = 0; i < 12 && !refused; i++) refused = "_tag" in reader.feedText(reader.decode(megabyte))
    assert.isTrue(refused)
  })
})
