import { noMetadata, type O1Completion, type ToolCall, type Usage } from "../O1Completion.ts"
import { type Details, O1ContentFilterError, type O1Error, O1OutputLimitError, O1ProtocolError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { Answer, Origin } from "./answer.ts"
import * as errors from "./errors.ts"
import * as json from "./json.ts"
import { type Template, templateOf, textIn } from "./template.ts"
import { Text } from "./text.ts"

const usageOf = (usage: unknown): Usage | undefined => {
  const input = json.number(json.at(usage, "prompt_tokens"))
  const output = json.number(json.at(usage, "completion_tokens"))
  if (input === undefined || output === undefined) return undefined
  return {
    input,
    cachedInput: json.number(json.at(usage, "prompt_tokens_details", "cached_tokens")) ?? 0,
    output,
    reasoning: json.number(json.at(usage, "completion_tokens_details", "reasoning_tokens")) ?? 0
  }
}

/** An answer of Chat Completions. In one piece, its message stands for the delta. */
export class ChatAnswer implements Answer {
  /** Only `[DONE]` and the end of the connection tell. */
  readonly ended = false
  private readonly origin: Origin
  private id = ""
  private model = ""
  private readonly text = new Text()
  private readonly reasoning = new Text()
  private refusal = ""
  private finishReason: string | undefined = undefined
  private usage: Usage | undefined = undefined
  /** Of the last chunk, if all it said was a piece of text. */
  private template: Template | undefined = undefined
  private readonly toolCalls = new Map<number, ToolCall>()
  private readonly filtered = new Set<string>()

  constructor(origin: Origin) {
    this.origin = origin
  }

  get finished(): boolean {
    return this.finishReason !== undefined
  }

  get details(): Details {
    const origin = errors.origin(this.origin)
    return {
      ...origin,
      model: this.model === "" ? origin.model : this.model,
      deployment: this.origin.deployment,
      status: this.origin.status,
      partialText: this.text.toString()
    }
  }

  takeWhole(body: unknown, events: Array<AttemptEvent>): void {
    this.takeChunk(body, events)
  }

  takeAlike(data: string, events: Array<AttemptEvent>): boolean {
    const text = this.template === undefined ? undefined : textIn(this.template, data)
    if (!text) return false
    this.text.add(text)
    events.push({ _tag: "TextDelta", text })
    return true
  }

  take(chunk: unknown, events: Array<AttemptEvent>, data: string): void {
    const { finishReason, usage } = this
    const said = events.length
    const filtered = this.filtered.size
    this.takeChunk(chunk, events)
    const only = events.length === said + 1 ? events[said] : undefined
    const nothingElse = this.finishReason === finishReason && this.usage === usage && this.filtered.size === filtered
    this.template = only?._tag === "TextDelta" && nothingElse ? templateOf(data, only.text) : undefined
  }

  private takeChunk(chunk: unknown, events: Array<AttemptEvent>): void {
    this.id ||= json.string(json.at(chunk, "id")) ?? ""
    this.model ||= json.string(json.at(chunk, "model")) ?? ""
    this.usage = usageOf(json.at(chunk, "usage")) ?? this.usage
    for (const choice of json.array(json.at(chunk, "choices"))) {
      // others are other answers
      if ((json.number(json.at(choice, "index")) ?? 0) > 0) continue
      // a filter's chunk has no delta
      this.takeDelta(json.at(choice, "delta") ?? json.at(choice, "message"), events)
      for (const category of errors.filteredCategories(json.at(choice, "content_filter_results"))) {
        this.filtered.add(category)
      }
      const reason = json.string(json.at(choice, "finish_reason"))
      // some gateways have an empty one in every chunk; a block that comes late overrules the reason that was given first
      if (reason && this.finishReason !== "content_filter") this.finishReason = reason
    }
  }

  private takeDelta(delta: unknown, events: Array<AttemptEvent>): void {
    const reasoning = json.string(json.at(delta, "reasoning_content"))
    if (reasoning) {
      this.reasoning.add(reasoning)
      events.push({ _tag: "ReasoningDelta", text: reasoning })
    }
    const text = json.string(json.at(delta, "content"))
    if (text) {
      this.text.add(text)
      events.push({ _tag: "TextDelta", text })
    }
    const refusal = json.string(json.at(delta, "refusal"))
    if (refusal) {
      this.refusal += refusal
      events.push({ _tag: "RefusalDelta", text: refusal })
    }
    json.array(json.at(delta, "tool_calls")).forEach((call, position) => {
      const index = json.number(json.at(call, "index")) ?? position
      const id = json.string(json.at(call, "id"))
      const name = json.string(json.at(call, "function", "name"))
      const piece = json.string(json.at(call, "function", "arguments")) ?? ""
      const before = this.toolCalls.get(index)
      this.toolCalls.set(index, {
        id: before?.id || (id ?? ""),
        name: before?.name || (name ?? ""),
        arguments: (before?.arguments ?? "") + piece
      })
      events.push({ _tag: "ToolCallDelta", index, id, name, arguments: piece })
    })
  }

  end(): O1Completion | O1Error {
    const { details, finishReason, origin, refusal, usage } = this
    const text = this.text.toString()
    if (finishReason === undefined) return new O1ProtocolError({ kind: "truncated", ...details })
    if (finishReason === "content_filter") {
      return new O1ContentFilterError({ kind: "completion", categories: Array.from(this.filtered), ...details })
    }
    const toolCalls = Array.from(this.toolCalls.values())
    if (finishReason === "length" && text === "" && refusal === "" && toolCalls.length === 0) {
      return new O1OutputLimitError({ kind: "reasoning-exhausted", usage, ...details })
    }
    const { region, requestId } = errors.origin(origin)
    return {
      id: this.id,
      model: this.model,
      text,
      reasoning: this.reasoning.isEmpty ? undefined : this.reasoning.toString(),
      refusal: refusal === "" ? undefined : refusal,
      finishReason,
      toolCalls,
      usage,
      warnings: [],
      requestId,
      region,
      commentary: undefined,
      metadata: noMetadata
    }
  }
}
