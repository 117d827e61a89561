import { constVoid } from "effect/Function"
import type { O1Completion, Usage } from "../O1Completion.ts"
import {
  type Details,
  O1ContentFilterError,
  O1Error,
  O1OutputLimitError,
  O1ProtocolError,
  O1RequestError
} from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { Answer, Origin } from "./answer.ts"
import * as errors from "./errors.ts"
import { type Piece, takeItemEvent } from "./itemEvents.ts"
import { deltaTags, Items } from "./items.ts"
import * as json from "./json.ts"
import { Gathered } from "./metadata.ts"
import { shown } from "./origin.ts"
import { type Template, templateOf } from "./template.ts"

const usageOf = (usage: unknown): Usage | undefined => {
  const input = json.number(json.at(usage, "input_tokens"))
  const output = json.number(json.at(usage, "output_tokens"))
  if (input === undefined || output === undefined) return undefined
  return {
    input,
    cachedInput: json.number(json.at(usage, "input_tokens_details", "cached_tokens")) ?? 0,
    output,
    reasoning: json.number(json.at(usage, "output_tokens_details", "reasoning_tokens")) ?? 0
  }
}

/** The statuses after which a response does not change. */
const terminal = new Set(["completed", "failed", "incomplete", "cancelled"])

/**
 * An answer of the Responses API. Every event of its stream has a number, so that after a broken connection it can be
 * continued without loss or repetition: what was taken in before is dropped.
 */
export class ResponsesAnswer implements Answer {
  /** The response's id, as soon as it is known. */
  id = ""
  /** The number of the last event that was taken in; -1 before the first. */
  sequence = -1
  /** All events had numbers, so that those that were taken in can be told from others. */
  numbered = true
  origin: Origin
  /** The beginning was read elsewhere: what is told as a whole has been said there, none knows how far. */
  private readonly continues: boolean
  private readonly identified: () => void
  private model = ""
  private status: string | undefined = undefined
  /** It is made in the foreground: it stops when nobody is connected. */
  private foreground = false
  /** Somebody answers in the words of the other API. */
  private foreign = false
  private readonly items: Items
  private usage: Usage | undefined = undefined
  private failure: unknown = undefined
  private incomplete: string | undefined = undefined
  private readonly filtered = new Set<string>()
  private filteredPrompt = false
  private readonly gathered = new Gathered()
  private readonly annotations: Array<unknown> = []
  /** The last event that this connection brought. */
  private lastData: string | undefined = undefined
  /** Of the last event, if all it said was a piece of text, and where that went. */
  template: Template | undefined = undefined
  private target: Piece | undefined = undefined

  /** `identified` is told as soon as the service has taken the response on; `after` is the last event that was read before. */
  constructor(origin: Origin, options: { readonly identified?: () => void; readonly after?: number } = {}) {
    this.origin = origin
    this.identified = options.identified ?? constVoid
    this.sequence = options.after ?? -1
    this.continues = this.sequence >= 0
    this.items = new Items(this.continues)
  }

  /** The answer goes on with another HTTP response. */
  continuedFrom(origin: Origin): void {
    this.origin = origin
    this.lastData = undefined
  }

  get finished(): boolean {
    return this.status !== undefined && terminal.has(this.status)
  }

  /** Azure tells why a response failed in an event of its own, after the one that says that it did. */
  get ended(): boolean {
    return this.finished && !(this.status === "failed" && this.failure === undefined)
  }

  get details(): Details {
    const origin = errors.origin(this.origin)
    return {
      ...origin,
      model: this.model === "" ? origin.model : this.model,
      deployment: this.origin.deployment,
      status: this.origin.status,
      partialText: this.items.textOf("text"),
      usage: this.usage
    }
  }

  /** Anything with a status is a response. */
  isAnswer(body: unknown): boolean {
    return json.string(json.at(body, "status")) !== undefined
  }

  takeText(text: string, events: Array<AttemptEvent>, sequence: number, data: string): boolean {
    const { target } = this
    if (target === undefined || json.place(sequence) === undefined || sequence <= this.sequence) return false
    this.sequence = sequence
    this.lastData = data
    // the piece before was of the same part, so that nothing stands between
    target.part.add(text)
    events.push({ _tag: deltaTags[target.channel], text })
    return true
  }

  take(event: unknown, events: Array<AttemptEvent>, data: string): void {
    const type = json.string(json.at(event, "type")) ?? ""
    this.template = undefined
    this.target = undefined
    // what keeps the connection alive is not of the response, whatever number a gateway gives it
    if (!type.startsWith("response.")) this.foreign ||= Array.isArray(json.at(event, "choices"))
    else if (this.isNew(event, data)) this.takeEvent(type, event, events, data)
  }

  private isNew(event: unknown, data: string): boolean {
    const sequence = json.place(json.at(event, "sequence_number"))
    // a gateway that gives another event the same number does not number them
    const alike = sequence === this.sequence && this.lastData !== undefined && data !== this.lastData
    if (sequence !== undefined && sequence <= this.sequence && !alike) return false
    if (sequence === undefined || alike) this.numbered = false
    else this.sequence = sequence
    this.lastData = data
    return true
  }

  private takeEvent(type: string, event: unknown, events: Array<AttemptEvent>, data: string): void {
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
      case "response.completed":
      case "response.failed":
      case "response.incomplete":
      case "response.cancelled":
        return this.takeResponse(type.slice("response.".length), json.at(event, "response"), events)
      case "response.output_text.annotation.added":
        return void this.annotations.push(json.at(event, "annotation"))
    }
    const piece = takeItemEvent(this.items, type, event, events)
    if (piece === undefined) return
    this.template = templateOf(data, "delta", piece.text, this.sequence)
    this.target = piece
  }

  /** An event that has the whole response, such as its end. */
  private takeResponse(status: string, response: unknown, events: Array<AttemptEvent>): void {
    const partial = this.continues && terminal.has(status) && json.array(json.at(response, "output")).length === 0
    // the name of the last event is proof enough of the end, but no answer to a reader of the rest: that has to be asked for
    if (!this.continues && terminal.has(status)) this.status = status
    this.takeWhole(response, events, !partial || status !== "completed")
  }

  takeWhole(response: unknown, events: Array<AttemptEvent>, whole = true): void {
    if (this.id === "") {
      this.id = json.string(json.at(response, "id")) ?? ""
      if (this.id !== "") this.identified()
    }
    this.model ||= shown(this.origin, json.string(json.at(response, "model")) ?? "")
    if (whole) this.status = json.string(json.at(response, "status")) ?? this.status
    this.foreground ||= json.at(response, "background") === false
    this.usage = usageOf(json.at(response, "usage")) ?? this.usage
    this.failure = json.at(response, "error") ?? this.failure
    this.incomplete = json.string(json.at(response, "incomplete_details", "reason")) ?? this.incomplete
    this.gathered.takeTop(response)
    for (const filter of json.array(json.at(response, "content_filters"))) this.takeFilter(filter)
    this.items.takeWhole(json.array(json.at(response, "output")), events)
  }

  private takeFilter(filter: unknown): void {
    const results = json.at(filter, "content_filter_results")
    const prompt = json.at(filter, "source_type") === "prompt"
    this.gathered.takeFilter(prompt ? "prompt" : "completion", results)
    for (const category of errors.filteredCategories(results)) this.filtered.add(category)
    if (prompt && json.at(filter, "blocked") === true) this.filteredPrompt = true
  }

  end(): O1Completion | O1Error {
    const { details, items, status } = this
    if (status === "failed") {
      return O1Error.with(
        errors.fromResponse({
          ...this.origin,
          body: JSON.stringify({ error: this.failure ?? { code: "server_error" } })
        }),
        details
      )
    }
    // nobody can cancel what is made in the foreground: it has stopped
    if (status === "cancelled" && !this.foreground) return new O1RequestError({ kind: "cancelled", ...details })
    if (status !== "completed" && status !== "incomplete") {
      return new O1ProtocolError({ kind: this.foreign && this.id === "" ? "malformed" : "truncated", ...details })
    }
    const completion = this.completed()
    if (this.incomplete === "content_filter") {
      const kind = this.filteredPrompt ? "prompt" : "completion"
      return new O1ContentFilterError({ kind, categories: Array.from(this.filtered), ...details, completion })
    }
    const { commentary, finishReason, refusal, text } = completion
    const nothing = text === "" && commentary === undefined && refusal === undefined && items.calls.isEmpty
    return finishReason === "length" && nothing
      ? new O1OutputLimitError({ kind: "reasoning-exhausted", ...details, completion })
      : completion
  }

  private completed(): O1Completion {
    const { items, usage } = this
    const commentary = items.textOf("commentary")
    const reasoning = items.textOf("reasoning")
    const refusal = items.textOf("refusal")
    const { region, requestId } = errors.origin(this.origin)
    return {
      id: this.id,
      model: this.model,
      text: items.textOf("text"),
      commentary: commentary === "" ? undefined : commentary,
      reasoning: reasoning === "" ? undefined : reasoning,
      refusal: refusal === "" ? undefined : refusal,
      finishReason: this.finishReason,
      toolCalls: items.calls.list,
      usage,
      warnings: [],
      requestId,
      region,
      metadata: this.gathered.metadata(this.origin, this.citations, items.raw)
    }
  }

  private get finishReason(): string {
    if (this.incomplete === "max_output_tokens") return "length"
    if (this.incomplete !== undefined) return shown(this.origin, this.incomplete)
    if (this.status === "incomplete") return "unknown"
    return this.items.calls.isEmpty ? "stop" : "tool_calls"
  }

  /** Annotations are in the items, or were told on their own. */
  private get citations(): ReadonlyArray<unknown> {
    const inItems = this.items.raw.flatMap((item) => json.array(json.at(item, "content")))
      .flatMap((part) => json.array(json.at(part, "annotations")))
    return inItems.length > 0 ? inItems : this.annotations
  }
}
