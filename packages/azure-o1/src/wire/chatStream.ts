import { O1Error, O1ProtocolError } from "../O1Error.ts"
import type { AttemptEvent, Finished } from "../O1Event.ts"
import * as chat from "./chat.ts"
import * as errors from "./errors.ts"
import * as json from "./json.ts"
import { type SseEvent, SseReader } from "./sse.ts"

/**
 * Bytes of a Chat Completions stream in, events out. It is over when `outcome` says how: with the whole answer, or with an
 * error that holds the text so far.
 */
export class ChatStream {
  outcome: Finished | O1Error | undefined = undefined
  private readonly origin: chat.Origin
  private readonly reader = new SseReader()
  private readonly answer: chat.ChatAnswer
  private ready: Array<AttemptEvent> = []

  constructor(origin: chat.Origin) {
    this.origin = origin
    this.answer = new chat.ChatAnswer(origin)
  }

  /** The model has said why it stopped, so that the answer is complete even if the rest gets lost. */
  get complete(): boolean {
    return this.answer.finished
  }

  feed(bytes: Uint8Array): void {
    const fed = this.reader.feed(bytes)
    if ("_tag" in fed) {
      this.outcome = new O1ProtocolError({ kind: "malformed", ...this.answer.details, detail: fed.message })
    } else fed.forEach((event) => this.take(event))
  }

  /** The connection has ended. */
  end(): void {
    this.reader.end().forEach((event) => this.take(event))
    if (this.outcome !== undefined) return
    if (this.reader.unread === undefined) return this.finish()
    // no event at all: what came may be an error, or a plain answer, sent as if it were a stream
    const decoded = chat.decode(this.reader.unread, this.origin)
    if (O1Error.is(decoded)) {
      this.outcome = decoded
    } else {
      this.ready.push(...chat.emulate(decoded))
      this.outcome = { _tag: "Finished", completion: decoded }
    }
  }

  /** The connection has failed. */
  fail(error: O1Error): void {
    if (this.complete) this.end()
    else this.outcome = O1Error.with(error, this.answer.details)
  }

  /** The events since the last time. */
  taken(): ReadonlyArray<AttemptEvent> {
    const { ready } = this
    this.ready = []
    return ready
  }

  private take({ data, event }: SseEvent): void {
    if (this.outcome !== undefined) return
    if (data === "[DONE]") return this.finish()
    const chunk = json.parse(data)
    if (event === "error" || errors.isErrorBody(chunk)) {
      this.outcome = O1Error.with(errors.fromResponse({ ...this.origin, body: data }), {
        partialText: this.answer.details.partialText
      })
    } else if (typeof chunk === "object" && chunk !== null) {
      this.ready.push(...this.answer.take(chunk))
    } else {
      this.outcome = new O1ProtocolError({ kind: "malformed", ...this.answer.details })
    }
  }

  private finish(): void {
    const outcome = this.answer.end()
    if (O1Error.is(outcome)) {
      this.outcome = outcome
    } else {
      this.outcome = { _tag: "Finished", completion: outcome }
      this.ready.push(this.outcome)
    }
  }
}
