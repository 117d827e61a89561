import * as Sse from "effect/encoding/Sse"
import * as json from "./json.ts"

/** An event of a stream: its name, `message` if it has none, and its data. */
export interface SseEvent {
  readonly event: string
  readonly data: string
}

/** So much is kept of what is no event, in bytes: an answer in one piece, sent as if it were a stream. */
const longestBody = 16 * 1024 * 1024
/** A page, or words of a gateway: more of them tells no more. */
const longestWords = 65_536

/** A line of a stream of events. No JSON text, and no page, begins like this. */
const eventLine = /^\uFEFF?\s*(data|event|id|retry)?:/

/** Whether a body is a stream of events, whatever it is called. */
export const isEvents = (body: string): boolean => eventLine.test(body) && /(^|[\r\n\uFEFF])data:/.test(body)

const plainEvent = /^(?:event: ?([^\r\n]*)\n)?data: ?([^\r\n]*)\n\n$/

/**
 * Server-sent events from bytes, by Effect's parser (WHATWG HTML section 9.2.6). Used directly, because `Sse.decode` fails a
 * stream at a `retry:` line. One leniency: a last `[DONE]` or complete JSON that the connection cut before its blank line
 * still counts, for servers and proxies that do not send it.
 */
export class SseReader {
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  private events: Array<SseEvent> = []
  /** What came, as long as there was no event in it: a body that is none, such as JSON. */
  private pieces: Array<string> | undefined = []
  private length = 0
  /** How many bytes of a body came. */
  private received = 0
  private readonly limit: number
  private readonly parser = Sse.makeParser((event) => {
    if (event._tag === "Event") this.events.push({ event: event.event, data: event.data })
  })

  constructor(limit = longestBody) {
    this.limit = limit
  }

  /** What came, if there was no event in it. */
  get unread(): string | undefined {
    return this.pieces?.join("")
  }

  /** The text of these bytes, and of those before that had no end. */
  decode(bytes: Uint8Array): string {
    if (this.pieces !== undefined) this.received += bytes.length
    return this.decoder.decode(bytes, { stream: true })
  }

  /**
   * The event that this text is, which begins and ends between two events; `undefined` where it takes the parser to know. Most
   * have a line of data and a name at most.
   */
  plain(text: string): SseEvent | undefined {
    const found = this.pieces === undefined ? plainEvent.exec(text) : null
    return found === null ? undefined : { event: found[1] || "message", data: found[2]! }
  }

  /** The events that this text completes, or the complaint that one is too large. */
  feedText(text: string): ReadonlyArray<SseEvent> | { readonly _tag: string; readonly message: string } {
    if (this.pieces === undefined) return this.parser.feed(text) ?? this.taken()
    return this.keep(text)
  }

  /** The event that the end of the stream completes, if any. */
  end(): ReadonlyArray<SseEvent> {
    const rest = this.decoder.decode()
    if (this.isBody) {
      this.keep(rest)
      return []
    }
    this.parser.feed(rest)
    this.parser.feed("\n\n")
    return this.taken().filter(({ data }) => data.trim() === "[DONE]" || json.parse(data) !== undefined)
  }

  /** It began as JSON or a page does. */
  private get isBody(): boolean {
    return this.pieces !== undefined && /^\uFEFF?\s*[{[<]/.test(this.pieces.slice(0, 8).join(""))
  }

  private keep(text: string): ReturnType<SseReader["feedText"]> {
    this.pieces!.push(text)
    this.length += text.length
    if (this.isBody) {
      return this.received <= this.limit
        ? []
        : { _tag: "TooLarge", message: `its body is longer than ${this.limit} bytes (maxBodyBytes)` }
    }
    if (this.length > longestWords) {
      this.pieces = [this.unread!.slice(0, longestWords)]
      this.length = longestWords
    }
    return this.parser.feed(text) ?? this.taken()
  }

  private taken(): ReadonlyArray<SseEvent> {
    const { events } = this
    if (events.length > 0) this.pieces = undefined
    this.events = []
    return events
  }
}
