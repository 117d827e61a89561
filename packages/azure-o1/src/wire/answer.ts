import { identity } from "effect/Function"
import type * as Headers from "effect/http/Headers"
import type { O1Completion } from "../O1Completion.ts"
import { type Details, O1Error, O1ProtocolError } from "../O1Error.ts"
import type { AttemptEvent, Finished } from "../O1Event.ts"
import { Alike } from "./alike.ts"
import * as errors from "./errors.ts"
import * as json from "./json.ts"
import type { Origin } from "./origin.ts"
import { isEvents, type SseEvent, SseReader } from "./sse.ts"
import type { Template } from "./template.ts"

export type { Origin }

/**
 * The content of an answer so far, and the outcome at its end. Each API has one, for both of its forms: an answer in
 * one piece is taken in as a stream of one chunk.
 */
export interface Answer {
  /** For the errors of this answer: where it came from, and the text so far. */
  readonly details: Details
  /** The service has said how it ended: what may still come is usage, or a late word of the filter. */
  readonly finished: boolean
  /** Nothing comes after this. */
  readonly ended: boolean
  /** Of the last chunk, if all it said was a piece of text. One that is like it need not be parsed. */
  readonly template: Template | undefined
  /** Takes in what a chunk of the template says; `false` if it has to be parsed to know. */
  takeText(text: string, events: Array<AttemptEvent>, sequence: number, data: string): boolean
  /** Takes in one chunk of a stream, and pushes what it adds. It ignores what it does not know. `data` is what it was parsed from. */
  take(chunk: unknown, events: Array<AttemptEvent>, data: string): void
  /** Whether an answer in one piece is one. */
  isAnswer(body: unknown): boolean
  /** Takes in an answer in one piece. */
  takeWhole(body: unknown, events: Array<AttemptEvent>): void
  /**
   * What it amounts to when nothing more comes. Only an answer that the service has ended is a completion; `announced` means that
   * it said `[DONE]`.
   */
  end(announced?: boolean): O1Completion | O1Error
}

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

/** Events of other names, and empty ones, are how some gateways keep a connection alive. */
const isOfAnswer = (event: string): boolean => event === "message" || event.startsWith("response.")

const isHtml = (headers: Headers.Headers, body: string): boolean =>
  (headers["content-type"] ?? "").includes("html") || /^\s*<(!doctype|html)/i.test(body)

/** Nothing, or no more than the comments that keep a stream alive. */
const isSilence = (body: string): boolean => body.split("\n").every((line) => /^\s*(:|$)/.test(line))

/** A stream of events that was not asked for, or that has another name, is one still. */
const takeEvents = (
  answer: Answer,
  body: string,
  origin: Origin,
  events: Array<AttemptEvent>
): O1Completion | O1Error => {
  const stream = new AnswerStream(answer, origin, identity)
  stream.whole(body)
  events.push(...stream.taken().filter(({ _tag }) => _tag !== "Finished"))
  const outcome = stream.outcome!
  return O1Error.is(outcome) ? outcome : outcome.completion
}

/** Takes in the body that a 200 brought, and gives what it is if it is no answer. */
export const takeBody = (
  answer: Answer,
  body: string,
  origin: Origin,
  events: Array<AttemptEvent>
): O1Error | undefined => {
  if (isEvents(body)) {
    const outcome = takeEvents(answer, body, origin, events)
    return O1Error.is(outcome) ? outcome : undefined
  }
  const parsed = json.parse(body)
  // a response that failed has an error, and tells more
  if (errors.isErrorBody(parsed) && json.at(parsed, "object") !== "response") {
    return errors.fromResponse({ ...origin, body })
  }
  if (!isObject(parsed) || !answer.isAnswer(parsed)) {
    const kind = isSilence(body)
      ? "truncated"
      : isHtml(origin.headers, body)
      ? "unexpected-content-type"
      : "malformed"
    return new O1ProtocolError({ kind, ...answer.details })
  }
  answer.takeWhole(parsed, events)
  return undefined
}

/** The answer in one piece that a 200 brought, or what it is instead. */
export const decode = (
  answer: Answer,
  body: string,
  origin: Origin,
  events: Array<AttemptEvent> = []
): O1Completion | O1Error =>
  isEvents(body) ? takeEvents(answer, body, origin, events) : takeBody(answer, body, origin, events) ?? answer.end()

/** What a completion would have looked like as a stream. */
export const emulate = (completion: O1Completion): ReadonlyArray<AttemptEvent> => [
  ...completion.reasoning === undefined ? [] : [{ _tag: "ReasoningDelta", text: completion.reasoning } as const],
  ...completion.commentary === undefined ? [] : [{ _tag: "CommentaryDelta", text: completion.commentary } as const],
  ...completion.text === "" ? [] : [{ _tag: "TextDelta", text: completion.text } as const],
  ...completion.refusal === undefined ? [] : [{ _tag: "RefusalDelta", text: completion.refusal } as const],
  ...completion.toolCalls.map((call, index) => ({ _tag: "ToolCallDelta", index, ...call }) as const),
  { _tag: "Finished", completion }
]

/**
 * Bytes of a stream in, events out. It is over when `outcome` says how: with the whole answer, or with an error that holds
 * the text so far. `seal` has the last word on a completion.
 */
export class AnswerStream {
  outcome: Finished | O1Error | undefined = undefined
  private reader: SseReader
  private ready: Array<AttemptEvent> = []
  /** Whether the bytes so far end between two events. */
  private between = false
  private readonly alike = new Alike()
  private readonly answer: Answer
  private origin: Origin
  private readonly seal: (completion: O1Completion) => O1Completion

  constructor(answer: Answer, origin: Origin, seal: (completion: O1Completion) => O1Completion) {
    this.answer = answer
    this.origin = origin
    this.reader = new SseReader(origin.longestBody)
    this.seal = seal
  }

  /** The answer is complete even if the rest of the stream gets lost. */
  get complete(): boolean {
    return this.answer.finished
  }

  feed(bytes: Uint8Array): void {
    const text = this.reader.decode(bytes)
    let at = 0
    do {
      if (this.between) at = this.alike.take(text, at, this.answer, this.ready)
      const blank = text.indexOf("\n\n", at)
      const end = blank < 0 ? text.length : blank + 2
      if (end > at || at === 0) this.takePiece(at === 0 && end === text.length ? text : text.slice(at, end))
      if (end > at) this.between = blank >= 0
      at = end
    } while (at < text.length && this.outcome === undefined)
  }

  /** Takes in a piece of the stream, which is one event if it begins between two, and ends there. */
  private takePiece(piece: string): void {
    const plain = this.between ? this.reader.plain(piece) : undefined
    if (plain === undefined) return this.take(this.reader.feedText(piece))
    this.takeEvent(plain)
    this.alike.learn(this.answer, piece, plain.data)
  }

  private take(fed: ReturnType<SseReader["feedText"]>): void {
    if ("_tag" in fed) {
      // it would be as long again
      const detail = { detail: fed.message, shouldRetry: false }
      this.outcome = new O1ProtocolError({ kind: "malformed", ...this.answer.details, ...detail })
    } else for (const event of fed) this.takeEvent(event)
  }

  /** The connection has ended: what was left of its last event counts if it is whole. */
  end(): void {
    this.take(this.reader.end())
    if (this.outcome !== undefined) return
    // no event at all: what came may be an error, or a plain answer, sent as if it were a stream
    const { unread } = this.reader
    if (unread !== undefined && !isEvents(unread)) this.whole(unread)
    else this.settle(this.answer.end())
  }

  /** The answer came in one piece. */
  whole(body: string): void {
    if (isEvents(body)) {
      this.take(this.reader.feedText(body))
      return this.end()
    }
    const events: Array<AttemptEvent> = []
    const decoded = decode(this.answer, body, this.origin, events)
    // of a failure nothing is shown, but of an answer that may go on
    if (!O1Error.is(decoded) || !this.complete) this.ready.push(...events)
    this.settle(decoded)
  }

  /** The connection has failed. */
  fail(error: O1Error): void {
    if (this.complete) this.end()
    else this.outcome = O1Error.with(error, this.answer.details)
  }

  /** Another connection takes over. */
  continuedFrom(origin: Origin): void {
    this.outcome = undefined
    this.origin = origin
    this.reader = new SseReader(origin.longestBody)
    this.between = false
  }

  /** The events since the last time. */
  taken(): ReadonlyArray<AttemptEvent> {
    const { ready } = this
    if (ready.length > 0) this.ready = []
    return ready
  }

  private takeEvent({ data, event }: SseEvent): void {
    if (this.outcome !== undefined || (isOfAnswer(event) && this.isAlike(data))) return
    if (data.trim() === "[DONE]") return this.settle(this.answer.end(true))
    const chunk = json.parse(data)
    if (event === "error" || json.at(chunk, "type") === "error" || errors.isErrorBody(chunk)) {
      const { partialText, usage } = this.answer.details
      this.outcome = O1Error.with(errors.fromResponse({ ...this.origin, body: data }), { partialText, usage })
    } else if (isObject(chunk)) {
      this.answer.take(chunk, this.ready, data)
      if (this.answer.ended) this.settle(this.answer.end())
    } else if (chunk === undefined && data.trim() !== "" && isOfAnswer(event)) {
      this.outcome = new O1ProtocolError({ kind: "malformed", ...this.answer.details })
    }
  }

  private isAlike(data: string): boolean {
    const { answer, ready } = this
    const { template } = answer
    return template !== undefined && template.matches(data) && template.text !== "" &&
      answer.takeText(template.text, ready, template.sequence, data)
  }

  settle(outcome: O1Completion | O1Error, deltas: ReadonlyArray<AttemptEvent> = []): void {
    if (O1Error.is(outcome)) {
      this.outcome = outcome
    } else {
      this.outcome = { _tag: "Finished", completion: this.seal(outcome) }
      this.ready.push(...deltas, this.outcome)
    }
  }
}
