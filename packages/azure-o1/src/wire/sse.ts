import * as Sse from "effect/encoding/Sse"
import * as json from "./json.ts"

/** An event of a stream: its name, `message` if it has none, and its data. */
export interface SseEvent {
  readonly event: string
  readonly data: string
}

const longestBody = 65_536

/**
 * Server-sent events from bytes, by Effect's parser (WHATWG HTML section 9.2.6). Used directly, because `Sse.decode` fails a
 * stream at a `retry:` line. One leniency: a last `[DONE]` or complete JSON that the connection cut before its blank line
 * still counts, for servers and proxies that do not send it.
 */
export class SseReader {
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  private events: Array<SseEvent> = []
  /** What came, as long as there was no event in it: a body that is none, such as JSON. */
  unread: string | undefined = ""
  private readonly parser = Sse.makeParser((event) => {
    if (event._tag === "Event") this.events.push({ event: event.event, data: event.data })
  })

  /** The events that these bytes complete, or the parser's complaint that one is too large. */
  feed(bytes: Uint8Array): ReadonlyArray<SseEvent> | Sse.SseError {
    const text = this.decoder.decode(bytes, { stream: true })
    if (this.unread !== undefined) this.unread = (this.unread + text).slice(0, longestBody)
    return this.parser.feed(text) ?? this.taken()
  }

  /** The event that the end of the stream completes, if any. */
  end(): ReadonlyArray<SseEvent> {
    this.parser.feed(this.decoder.decode())
    this.parser.feed("\n\n")
    return this.taken().filter(({ data }) => data.trim() === "[DONE]" || json.parse(data) !== undefined)
  }

  private taken(): ReadonlyArray<SseEvent> {
    const { events } = this
    if (events.length > 0) this.unread = undefined
    this.events = []
    return events
  }
}
