import { constVoid } from "effect/Function"
import { noMetadata, type O1Completion, type ToolCall, type Usage } from "../O1Completion.ts"
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
import * as json from "./json.ts"
import { Text } from "./text.ts"

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

/** The kinds of text that an answer is made of. */
type Channel = "text" | "reasoning" | "refusal"

const deltaTags = { text: "TextDelta", reasoning: "ReasoningDelta", refusal: "RefusalDelta" } as const

const joined = (items: ReadonlyArray<unknown>, list: string, type: string, field: string, separator: string): string =>
  items.flatMap((item) => json.array(json.at(item, list)))
    .filter((part) => json.at(part, "type") === type)
    .map((part) => json.string(json.at(part, field)) ?? "")
    .join(separator)

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
  private readonly said = { text: new Text(), reasoning: new Text(), refusal: new Text() }
  /** The text as the service gives it at the end: more than was said here, if this is not the first that reads the events. */
  private readonly whole = { text: "", reasoning: "", refusal: "" }
  private usage: Usage | undefined = undefined
  private failure: unknown = undefined
  private incomplete: string | undefined = undefined
  /** By the position of the item in the output. */
  private readonly toolCalls = new Map<number, ToolCall>()
  private readonly filtered = new Set<string>()
  private filteredPrompt = false

  /** `identified` is told as soon as the service has taken the response on; `after` is the last event that was read before. */
  constructor(origin: Origin, options: { readonly identified?: () => void; readonly after?: number } = {}) {
    this.origin = origin
    this.identified = options.identified ?? constVoid
    this.sequence = options.after ?? -1
    this.continues = this.sequence >= 0
  }

  /** The answer goes on with another HTTP response. */
  continuedFrom(origin: Origin): void {
    this.origin = origin
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
      partialText: this.said.text.toString()
    }
  }

  /** Each event has a number of its own: none is like another. */
  takeAlike(): boolean {
    return false
  }

  take(event: unknown, events: Array<AttemptEvent>): void {
    const sequence = json.number(json.at(event, "sequence_number"))
    if (sequence !== undefined) {
      if (sequence <= this.sequence) return
      this.sequence = sequence
    }
    const type = json.string(json.at(event, "type"))
    // what keeps the connection alive has none, and needs none
    if (sequence === undefined && type?.startsWith("response.")) this.numbered = false
    switch (type) {
      case "response.output_text.delta":
        return this.say("text", json.string(json.at(event, "delta")), events)
      case "response.refusal.delta":
        return this.say("refusal", json.string(json.at(event, "delta")), events)
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        return this.say("reasoning", json.string(json.at(event, "delta")), events)
      case "response.reasoning_summary_part.added":
        return this.said.reasoning.isEmpty ? undefined : this.say("reasoning", "\n\n", events)
      case "response.output_item.added":
      case "response.output_item.done":
        return this.takeItem(json.number(json.at(event, "output_index")) ?? 0, json.at(event, "item"), events)
      case "response.function_call_arguments.delta":
        return this.extend(
          json.number(json.at(event, "output_index")) ?? 0,
          { arguments: json.string(json.at(event, "delta")) ?? "" },
          events
        )
      case "response.created":
      case "response.queued":
      case "response.in_progress":
      case "response.completed":
      case "response.failed":
      case "response.incomplete":
      case "response.cancelled":
        this.endedBy(type.slice("response.".length))
        return this.takeWhole(json.at(event, "response"), events)
    }
  }

  takeWhole(response: unknown, events: Array<AttemptEvent>): void {
    if (this.id === "") {
      this.id = json.string(json.at(response, "id")) ?? ""
      if (this.id !== "") this.identified()
    }
    this.model ||= json.string(json.at(response, "model")) ?? ""
    this.status = json.string(json.at(response, "status")) ?? this.status
    this.usage = usageOf(json.at(response, "usage")) ?? this.usage
    this.failure = json.at(response, "error") ?? this.failure
    this.incomplete = json.string(json.at(response, "incomplete_details", "reason")) ?? this.incomplete
    for (const filter of json.array(json.at(response, "content_filters"))) {
      const categories = errors.filteredCategories(json.at(filter, "content_filter_results"))
      categories.forEach((category) => this.filtered.add(category))
      if (json.at(filter, "blocked") === true && json.at(filter, "source_type") === "prompt") this.filteredPrompt = true
    }
    const output = json.array(json.at(response, "output"))
    this.complete("reasoning", joined(output, "summary", "summary_text", "text", "\n\n"), events)
    this.complete("text", joined(output, "content", "output_text", "text", ""), events)
    this.complete("refusal", joined(output, "content", "refusal", "refusal", ""), events)
    output.forEach((item, index) => this.takeItem(index, item, events))
  }

  end(): O1Completion | O1Error {
    const { details, status, usage } = this
    const text = this.whole.text || this.said.text.toString()
    const reasoning = this.whole.reasoning || this.said.reasoning.toString()
    const refusal = this.whole.refusal || this.said.refusal.toString()
    if (status === "failed") {
      return O1Error.with(
        errors.fromResponse({
          ...this.origin,
          body: JSON.stringify({ error: this.failure ?? { code: "server_error" } })
        }),
        details
      )
    }
    if (status === "cancelled") return new O1RequestError({ kind: "cancelled", ...details })
    if (status !== "completed" && status !== "incomplete") return new O1ProtocolError({ kind: "truncated", ...details })
    if (this.incomplete === "content_filter") {
      const kind = this.filteredPrompt ? "prompt" : "completion"
      return new O1ContentFilterError({ kind, categories: Array.from(this.filtered), ...details })
    }
    const toolCalls = Array.from(this.toolCalls.values())
    const cut = this.incomplete === "max_output_tokens"
    if (cut && text === "" && refusal === "" && toolCalls.length === 0) {
      return new O1OutputLimitError({ kind: "reasoning-exhausted", usage, ...details })
    }
    const { region, requestId } = errors.origin(this.origin)
    return {
      id: this.id,
      model: this.model,
      text,
      reasoning: reasoning === "" ? undefined : reasoning,
      refusal: refusal === "" ? undefined : refusal,
      finishReason: cut ? "length" : this.incomplete ?? (toolCalls.length > 0 ? "tool_calls" : "stop"),
      toolCalls,
      usage,
      warnings: [],
      requestId,
      region,
      commentary: undefined,
      metadata: noMetadata
    }
  }

  /** The name of the last event is proof enough that the response has ended, but no answer to who has read only a part of it. */
  private endedBy(status: string): void {
    if (!this.continues && terminal.has(status)) this.status = status
  }

  private say(channel: Channel, text: string | undefined, events: Array<AttemptEvent>): void {
    if (!text) return
    this.said[channel].add(text)
    events.push({ _tag: deltaTags[channel], text })
  }

  /** The whole text is known: what of it has not been said yet is said now. */
  private complete(channel: Channel, whole: string, events: Array<AttemptEvent>): void {
    this.whole[channel] = whole
    const said = this.said[channel].toString()
    if (!this.continues && whole.startsWith(said)) this.say(channel, whole.slice(said.length), events)
  }

  private takeItem(index: number, item: unknown, events: Array<AttemptEvent>): void {
    if (json.at(item, "type") !== "function_call") return
    const id = json.string(json.at(item, "call_id"))
    const name = json.string(json.at(item, "name"))
    const whole = json.string(json.at(item, "arguments")) ?? ""
    // the whole need not have all the items of the stream, so that positions may differ
    const [position, known] = Array.from(this.toolCalls).find(([, call]) => id && call.id === id) ??
      [index, this.toolCalls.get(index)]
    const rest = whole.startsWith(known?.arguments ?? "") ? whole.slice(known?.arguments.length ?? 0) : ""
    if (this.continues && whole !== "") {
      this.toolCalls.set(position, { id: id ?? "", name: name ?? "", arguments: whole })
    } else if (known === undefined || rest !== "") this.extend(position, { id, name, arguments: rest }, events)
  }

  private extend(
    position: number,
    piece: { readonly id?: string | undefined; readonly name?: string | undefined; readonly arguments: string },
    events: Array<AttemptEvent>
  ): void {
    const before = this.toolCalls.get(position)
    this.toolCalls.set(position, {
      id: before?.id || (piece.id ?? ""),
      name: before?.name || (piece.name ?? ""),
      arguments: (before?.arguments ?? "") + piece.arguments
    })
    const index = Array.from(this.toolCalls.keys()).indexOf(position)
    events.push({ _tag: "ToolCallDelta", index, id: piece.id, name: piece.name, arguments: piece.arguments })
  }
}
