import type * as Headers from "effect/http/Headers"
import { type Details, O1ContentFilterError, type O1Error, O1OutputLimitError, O1ProtocolError } from "../O1Error.ts"
import type { AttemptEvent, O1Completion, Usage } from "../O1Event.ts"
import type { O1Request, ToolCall } from "../O1Request.ts"
import * as errors from "./errors.ts"
import * as json from "./json.ts"

/** The body of a Chat Completions request; `model` is for the v1 path, where the deployment is not in the URL. */
export const encode = (
  request: O1Request,
  options: { readonly model: string | undefined; readonly stream: boolean }
): string =>
  JSON.stringify({
    model: options.model,
    messages: request.messages.map(({ content, role }) => ({ role, content })),
    reasoning_effort: request.reasoningEffort,
    max_completion_tokens: request.maxCompletionTokens,
    user: request.user,
    ...options.stream ? { stream: true, stream_options: { include_usage: true } } : {}
  })

/** Where an answer came from, for its completion and its errors. */
export interface Origin {
  readonly headers: Headers.Headers
  readonly status: number
  readonly deployment: string
  /** milliseconds since the epoch */
  readonly now: number
  /** takes out what the service must not get us to repeat */
  readonly redact: (text: string) => string
}

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

/**
 * What has come of an answer so far, and what it amounts to at the end. One for both forms: a plain answer is taken in as
 * one chunk whose message stands for the delta.
 */
export class ChatAnswer {
  private readonly origin: Origin
  private id = ""
  private model = ""
  private text = ""
  private refusal = ""
  private finishReason: string | undefined = undefined
  private usage: Usage | undefined = undefined
  private readonly toolCalls = new Map<number, ToolCall>()
  private readonly filtered = new Set<string>()

  constructor(origin: Origin) {
    this.origin = origin
  }

  /** The model has said why it stopped: what may still come is usage and a late verdict of the filter. */
  get finished(): boolean {
    return this.finishReason !== undefined
  }

  get details(): Details {
    return {
      ...errors.origin(this.origin.headers),
      deployment: this.origin.deployment,
      status: this.origin.status,
      partialText: this.text
    }
  }

  /** Takes in one chunk of a stream and gives what it adds. Fields that are not known, and chunks without choices, are let by. */
  take(chunk: unknown): ReadonlyArray<AttemptEvent> {
    this.id ||= json.string(json.at(chunk, "id")) ?? ""
    this.model ||= json.string(json.at(chunk, "model")) ?? ""
    this.usage = usageOf(json.at(chunk, "usage")) ?? this.usage
    const events: Array<AttemptEvent> = []
    for (const choice of json.array(json.at(chunk, "choices"))) {
      // a filter's chunk has no delta
      this.takeDelta(json.at(choice, "delta") ?? json.at(choice, "message"), events)
      for (const category of errors.filteredCategories(json.at(choice, "content_filter_results"))) {
        this.filtered.add(category)
      }
      const reason = json.string(json.at(choice, "finish_reason"))
      // a block that comes late overrules the reason that was given first
      if (reason !== undefined && this.finishReason !== "content_filter") this.finishReason = reason
    }
    return events
  }

  private takeDelta(delta: unknown, events: Array<AttemptEvent>): void {
    const reasoning = json.string(json.at(delta, "reasoning_content"))
    if (reasoning) events.push({ _tag: "ReasoningDelta", text: reasoning })
    const text = json.string(json.at(delta, "content"))
    if (text) {
      this.text += text
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

  /** What the answer amounts to when nothing more comes. Only one that the service has ended is a completion. */
  end(): O1Completion | O1Error {
    const { details, finishReason, origin, text, usage } = this
    if (finishReason === undefined) return new O1ProtocolError({ kind: "truncated", ...details })
    if (finishReason === "content_filter") {
      return new O1ContentFilterError({ kind: "completion", categories: Array.from(this.filtered), ...details })
    }
    const toolCalls = Array.from(this.toolCalls.values())
    if (finishReason === "length" && text === "" && this.refusal === "" && toolCalls.length === 0) {
      return new O1OutputLimitError({ kind: "reasoning-exhausted", usage, ...details })
    }
    return {
      id: this.id,
      model: this.model,
      text,
      refusal: this.refusal === "" ? undefined : this.refusal,
      finishReason,
      toolCalls,
      usage,
      ...errors.origin(origin.headers)
    }
  }
}

const isHtml = (headers: Headers.Headers, body: string): boolean =>
  (headers["content-type"] ?? "").includes("html") || /^\s*<(!doctype|html)/i.test(body)

/** The answer in one piece that a 200 brought, or what it is instead. */
export const decode = (body: string, origin: Origin): O1Completion | O1Error => {
  const parsed = json.parse(body)
  if (errors.isErrorBody(parsed)) return errors.fromResponse({ ...origin, body })
  const answer = new ChatAnswer(origin)
  if (typeof parsed !== "object" || parsed === null) {
    const kind = body.trim() === ""
      ? "truncated"
      : isHtml(origin.headers, body)
      ? "unexpected-content-type"
      : "malformed"
    return new O1ProtocolError({ kind, ...answer.details })
  }
  answer.take(parsed)
  return answer.end()
}

/** What a completion would have looked like as a stream. */
export const emulate = (completion: O1Completion): ReadonlyArray<AttemptEvent> => [
  ...completion.text === "" ? [] : [{ _tag: "TextDelta", text: completion.text } as const],
  ...completion.refusal === undefined ? [] : [{ _tag: "RefusalDelta", text: completion.refusal } as const],
  ...completion.toolCalls.map((call, index) => ({ _tag: "ToolCallDelta", index, ...call }) as const),
  { _tag: "Finished", completion }
]
