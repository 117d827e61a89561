import type { O1Completion, Usage } from "../O1Completion.ts"
import { type Details, O1ContentFilterError, type O1Error, O1OutputLimitError, O1ProtocolError } from "../O1Error.ts"
import type { AttemptEvent } from "../O1Event.ts"
import type { Answer, Origin } from "./answer.ts"
import { Calls } from "./calls.ts"
import * as errors from "./errors.ts"
import * as json from "./json.ts"
import { Gathered } from "./metadata.ts"
import { shown } from "./origin.ts"
import { Part } from "./part.ts"
import { type Template, templateOf } from "./template.ts"

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

/** Content is a text; some gateways send its parts. */
const textIn = (content: unknown): string =>
  json.string(content) ?? json.array(content).map((part) => json.string(json.at(part, "text")) ?? "").join("")

type Channel = "text" | "reasoning" | "refusal"

const deltaTags = { text: "TextDelta", reasoning: "ReasoningDelta", refusal: "RefusalDelta" } as const

/** An answer of Chat Completions. */
export class ChatAnswer implements Answer {
  /** Only `[DONE]` and the end of the connection tell. */
  readonly ended = false
  private readonly origin: Origin
  private id = ""
  private model = ""
  private readonly parts = { text: new Part(), reasoning: new Part(), refusal: new Part() }
  private readonly calls = new Calls()
  private finishReason: string | undefined = undefined
  private usage: Usage | undefined = undefined
  /** Of the last chunk, if all it said was a piece of text. */
  template: Template | undefined = undefined
  private readonly filtered = new Set<string>()
  private readonly gathered = new Gathered()
  private readonly annotations: Array<unknown> = []

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
      partialText: this.parts.text.text,
      usage: this.usage
    }
  }

  isAnswer(): boolean {
    return true
  }

  takeWhole(body: unknown, events: Array<AttemptEvent>): void {
    this.takeChunk(body, events)
  }

  takeText(text: string, events: Array<AttemptEvent>): boolean {
    this.parts.text.add(text)
    events.push({ _tag: "TextDelta", text })
    return true
  }

  take(chunk: unknown, events: Array<AttemptEvent>, data: string): void {
    const { finishReason, usage } = this
    const said = events.length
    const told = this.filtered.size + this.annotations.length
    this.takeChunk(chunk, events)
    const only = events.length === said + 1 ? events[said] : undefined
    const nothingElse = this.finishReason === finishReason && this.usage === usage &&
      this.filtered.size + this.annotations.length === told
    this.template = only?._tag === "TextDelta" && nothingElse ? templateOf(data, "content", only.text) : undefined
  }

  private takeChunk(chunk: unknown, events: Array<AttemptEvent>): void {
    this.id ||= shown(this.origin, json.string(json.at(chunk, "id")) ?? "")
    this.model ||= shown(this.origin, json.string(json.at(chunk, "model")) ?? "")
    this.usage = usageOf(json.at(chunk, "usage")) ?? this.usage
    this.gathered.takeTop(chunk)
    for (const prompt of json.array(json.at(chunk, "prompt_filter_results"))) {
      this.gathered.takeFilter("prompt", json.at(prompt, "content_filter_results"))
    }
    for (const choice of json.array(json.at(chunk, "choices"))) {
      // others are other answers
      if ((json.number(json.at(choice, "index")) ?? 0) > 0) continue
      // a filter's chunk has no delta
      this.takeDelta(json.at(choice, "delta"), events)
      this.takeMessage(json.at(choice, "message"), events)
      const results = json.at(choice, "content_filter_results")
      this.gathered.takeFilter("completion", results)
      for (const category of errors.filteredCategories(results)) this.filtered.add(category)
      const reason = json.string(json.at(choice, "finish_reason"))
      // some gateways have an empty one in every chunk; a block that comes late overrules the reason that was given first
      if (reason && this.finishReason !== "content_filter") this.finishReason = shown(this.origin, reason)
    }
  }

  private takeDelta(delta: unknown, events: Array<AttemptEvent>): void {
    if (typeof delta !== "object" || delta === null) return
    this.say("reasoning", reasoningIn(delta), events)
    this.say("text", textIn(json.at(delta, "content")), events)
    this.say("refusal", json.string(json.at(delta, "refusal")) ?? "", events)
    this.calls.takePieces(callsIn(delta), events)
    this.annotations.push(...json.array(json.at(delta, "annotations")))
  }

  /** The whole message: all of the answer, or what of a stream has not been said yet. */
  private takeMessage(message: unknown, events: Array<AttemptEvent>): void {
    if (typeof message !== "object" || message === null) return
    this.say("reasoning", this.parts.reasoning.complete(reasoningIn(message)), events)
    this.say("text", this.parts.text.complete(textIn(json.at(message, "content"))), events)
    this.say("refusal", this.parts.refusal.complete(json.string(json.at(message, "refusal")) ?? ""), events)
    this.calls.takeWhole(callsIn(message), events)
    this.annotations.push(...json.array(json.at(message, "annotations")))
  }

  private say(channel: Channel, text: string, events: Array<AttemptEvent>): void {
    if (text === "") return
    this.parts[channel].add(text)
    events.push({ _tag: deltaTags[channel], text })
  }

  end(announced = false): O1Completion | O1Error {
    const { calls, details } = this
    const { refusal, text } = this.parts
    const nothing = text.text === "" && refusal.text === "" && calls.isEmpty
    // [DONE] is an end as well, but of nothing
    const finishReason = this.finishReason ?? (announced && !nothing ? "unknown" : undefined)
    if (finishReason === undefined) return new O1ProtocolError({ kind: "truncated", ...details })
    const completion = this.completed(finishReason)
    if (finishReason === "content_filter") {
      const categories = Array.from(this.filtered)
      return new O1ContentFilterError({ kind: "completion", categories, ...details, completion })
    }
    return finishReason === "length" && nothing
      ? new O1OutputLimitError({ kind: "reasoning-exhausted", ...details, completion })
      : completion
  }

  private completed(finishReason: string): O1Completion {
    const { calls, id, model, origin, usage } = this
    const { reasoning, refusal, text } = this.parts
    const { region, requestId } = errors.origin(origin)
    return {
      id,
      model,
      text: text.text,
      commentary: undefined,
      reasoning: reasoning.text === "" ? undefined : reasoning.text,
      refusal: refusal.text === "" ? undefined : refusal.text,
      finishReason,
      toolCalls: calls.list,
      usage,
      warnings: [],
      requestId,
      region,
      metadata: this.gathered.metadata(origin, this.annotations, [])
    }
  }
}

/** The calls of a message, in the form of today or of 2023, which had one. */
const callsIn = (message: unknown): ReadonlyArray<unknown> => {
  const one = json.at(message, "function_call")
  return typeof one === "object" && one !== null
    ? [{ index: 0, function: one }]
    : json.array(json.at(message, "tool_calls"))
}

const reasoningIn = (delta: unknown): string =>
  json.string(json.at(delta, "reasoning_content")) ?? json.string(json.at(delta, "reasoning")) ?? ""
