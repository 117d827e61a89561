/** The Responses API as Azure writes it. */
import * as json from "../../wire/json.ts"
import type { FakeBreak } from "../FakeReply.ts"
import {
  argumentsOf,
  type FakeAnswer,
  type FakeEvent,
  malformed,
  pieces,
  type Transcript,
  usageOf,
  verdict
} from "./fakeTranscript.ts"

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled"

const usage = (answer: FakeAnswer): unknown => {
  const { input, output } = usageOf(answer)
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: answer.reply.reasoningTokens },
    total_tokens: input + output
  }
}

const asksFor = (body: unknown, included: string): boolean => json.array(json.at(body, "include")).includes(included)

const summaryOf = ({ body, reply }: FakeAnswer): ReadonlyArray<string> =>
  typeof json.at(body, "reasoning", "summary") === "string" ? reply.summary : []

const reasoningId = (id: string): string => id.replace("resp_", "rs_")
const messageId = (id: string): string => id.replace("resp_", "msg_")
const callItemId = (id: string, index: number): string => `${id.replace("resp_", "fc_")}_${index}`

const reasoningItem = (answer: FakeAnswer, summary: ReadonlyArray<string>): object => ({
  id: reasoningId(answer.id),
  type: "reasoning",
  summary: summary.length === 0 ? [] : [{ type: "summary_text", text: summary.join("") }],
  ...asksFor(answer.body, "reasoning.encrypted_content") ? { encrypted_content: "ZmFrZQ==" } : {}
})

const partOf = ({ reply }: FakeAnswer, text: string): object =>
  reply.refusal === undefined
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "refusal", refusal: text }

const messageItem = (answer: FakeAnswer, status: string, content: ReadonlyArray<object>): object => ({
  id: messageId(answer.id),
  type: "message",
  status,
  role: "assistant",
  content
})

const callItem = (answer: FakeAnswer, index: number, status: string, text: string): object => {
  const call = answer.reply.toolCalls[index]!
  return {
    id: callItemId(answer.id, index),
    type: "function_call",
    status,
    call_id: call.id ?? `call_${index + 1}`,
    name: call.name,
    arguments: text
  }
}

/** How the answer ends. */
export const finalStatus = ({ reply }: FakeAnswer): ResponseStatus => {
  switch (reply.finish) {
    case "stop":
      return "completed"
    case "length":
    case "content_filter":
      return "incomplete"
    case "failed":
      return "failed"
  }
}

const textOf = ({ reply }: FakeAnswer): string => (reply.refusal ?? reply.tokens).join("")

const itemStatus = (answer: FakeAnswer): string => finalStatus(answer) === "completed" ? "completed" : "incomplete"

const output = (answer: FakeAnswer): ReadonlyArray<object> => {
  const { reply } = answer
  const text = textOf(answer)
  return [
    ...reply.reasoningTokens > 0 ? [reasoningItem(answer, summaryOf(answer))] : [],
    ...text === "" ? [] : [messageItem(answer, itemStatus(answer), [partOf(answer, text)])],
    ...reply.toolCalls.map((call, index) =>
      callItem(answer, index, itemStatus(answer), argumentsOf(call.arguments).text)
    )
  ]
}

const incompleteReasons: { readonly [finish: string]: string } = {
  length: "max_output_tokens",
  content_filter: "content_filter"
}

const filters = ({ reply }: FakeAnswer): ReadonlyArray<object> => [
  { blocked: false, source_type: "prompt", content_filter_results: verdict() },
  {
    blocked: reply.finish === "content_filter",
    source_type: "completion",
    content_filter_results: verdict(reply.categories)
  }
]

/** The response as it is when it has this status. */
export const response = (answer: FakeAnswer, status: ResponseStatus): object => {
  const { body, reply } = answer
  const ended = status === finalStatus(answer)
  const reason = incompleteReasons[reply.finish]
  const format = json.at(body, "text", "format") ?? { type: "text" }
  return {
    id: answer.id,
    object: "response",
    created_at: answer.created,
    status,
    background: json.at(body, "background") === true,
    error: status === "failed" ? reply.error ?? null : null,
    incomplete_details: ended && reason !== undefined ? { reason } : null,
    instructions: json.at(body, "instructions") ?? null,
    max_output_tokens: json.at(body, "max_output_tokens") ?? null,
    model: answer.model,
    output: ended ? output(answer) : [],
    parallel_tool_calls: json.at(body, "parallel_tool_calls") ?? true,
    previous_response_id: json.at(body, "previous_response_id") ?? null,
    reasoning: {
      effort: json.at(body, "reasoning", "effort") ?? "medium",
      summary: json.at(body, "reasoning", "summary") ?? null
    },
    store: json.at(body, "store") !== false,
    temperature: 1,
    text: { format },
    tool_choice: json.at(body, "tool_choice") ?? "auto",
    tools: json.at(body, "tools") ?? [],
    top_p: 1,
    truncation: json.at(body, "truncation") ?? "disabled",
    usage: ended && reply.usage ? usage(answer) : null,
    user: json.at(body, "user") ?? null,
    metadata: json.at(body, "metadata") ?? {},
    content_filters: ended ? filters(answer) : null
  }
}

/** Numbers the events as they are written. */
class Writer {
  readonly events: Array<FakeEvent> = []

  add(type: string, fields: object): void {
    this.events.push({ text: numbered(type, this.events.length, fields), tokens: 0 })
  }

  /** The deltas of one item: all but the number and the text is the same for each. */
  deltas(
    type: string,
    fields: object,
    tokens: ReadonlyArray<{ readonly text: string; readonly tokens: number }>
  ): void {
    const rest = JSON.stringify(fields).slice(1)
    const head = `event: ${type}\ndata: {"type":"${type}","sequence_number":`
    for (const { text, tokens: count } of tokens) {
      this.events.push({
        text: `${head}${this.events.length},"delta":${JSON.stringify(text)},${rest}\n\n`,
        tokens: count
      })
    }
  }
}

const numbered = (type: string, sequence: number, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...fields })}\n\n`

const writeReasoning = (writer: Writer, answer: FakeAnswer): void => {
  const summary = summaryOf(answer)
  const place = { item_id: reasoningId(answer.id), output_index: 0, summary_index: 0 }
  writer.add("response.output_item.added", { output_index: 0, item: reasoningItem(answer, []) })
  if (summary.length > 0) {
    const text = summary.join("")
    writer.add("response.reasoning_summary_part.added", { ...place, part: { type: "summary_text", text: "" } })
    writer.deltas("response.reasoning_summary_text.delta", place, summary.map((text) => ({ text, tokens: 0 })))
    writer.add("response.reasoning_summary_text.done", { ...place, text })
    writer.add("response.reasoning_summary_part.done", { ...place, part: { type: "summary_text", text } })
  }
  writer.add("response.output_item.done", { output_index: 0, item: reasoningItem(answer, summary) })
}

const writeMessage = (writer: Writer, answer: FakeAnswer, index: number, end: () => void): void => {
  const { refusal, tokens } = answer.reply
  const text = textOf(answer)
  const place = { item_id: messageId(answer.id), output_index: index, content_index: 0 }
  writer.add("response.output_item.added", { output_index: index, item: messageItem(answer, "in_progress", []) })
  writer.add("response.content_part.added", { ...place, part: partOf(answer, "") })
  if (refusal === undefined) {
    writer.deltas("response.output_text.delta", { ...place, logprobs: [] }, pieces(tokens, answer.filterMode))
    end()
    writer.add("response.output_text.done", { ...place, text, logprobs: [] })
  } else {
    writer.deltas("response.refusal.delta", place, pieces(refusal, answer.filterMode))
    end()
    writer.add("response.refusal.done", { ...place, refusal: text })
  }
  writer.add("response.content_part.done", { ...place, part: partOf(answer, text) })
  writer.add("response.output_item.done", {
    output_index: index,
    item: messageItem(answer, itemStatus(answer), [partOf(answer, text)])
  })
}

const writeCall = (writer: Writer, answer: FakeAnswer, call: number, index: number, end: () => void): void => {
  const { text, tokens } = argumentsOf(answer.reply.toolCalls[call]!.arguments)
  const place = { item_id: callItemId(answer.id, call), output_index: index }
  writer.add("response.output_item.added", { output_index: index, item: callItem(answer, call, "in_progress", "") })
  writer.deltas("response.function_call_arguments.delta", place, tokens.map((text) => ({ text, tokens: 1 })))
  end()
  writer.add("response.function_call_arguments.done", { ...place, arguments: text })
  writer.add("response.output_item.done", {
    output_index: index,
    item: callItem(answer, call, itemStatus(answer), text)
  })
}

/** What is sent in place of an event. */
const broken = (answer: FakeAnswer) => (kind: FakeBreak, index: number): string => {
  const failure = { code: "server_error", message: "The server had an error.", param: null }
  switch (kind) {
    case "malformed":
      return `event: response.output_text.delta\ndata: ${malformed}\n\n`
    case "error":
      return numbered("error", index, { error: { type: "server_error", ...failure } })
    case "flat-error":
      return numbered("error", index, failure)
    case "null-error":
      return numbered("response.failed", index, { response: { ...response(answer, "failed"), error: null } }) +
        numbered("error", index + 1, {
          error: {
            type: "too_many_requests",
            code: "rate_limit_exceeded",
            headers: { "x-ms-fe-error": "true" },
            message: "Your requests to the deployment have exceeded rate limit.",
            param: null
          }
        })
    default:
      return ""
  }
}

/** The events of a stream in the order of the service; there is no `[DONE]`. The number of an event is its index. */
export const streamed = (answer: FakeAnswer): Transcript => {
  const { body, reply } = answer
  const background = json.at(body, "background") === true
  const writer = new Writer()
  const at = (status: ResponseStatus): object => ({ response: response(answer, status) })
  writer.add("response.created", at(background ? "queued" : "in_progress"))
  if (background) writer.add("response.queued", at("queued"))
  const queued = background ? writer.events.length : 0
  writer.add("response.in_progress", at("in_progress"))
  let index = 0
  let end: number | undefined = undefined
  const ends = (): void => {
    end = writer.events.length
  }
  if (reply.reasoningTokens > 0) {
    writeReasoning(writer, answer)
    index++
  }
  if (textOf(answer) !== "") writeMessage(writer, answer, index++, ends)
  for (const call of reply.toolCalls.keys()) writeCall(writer, answer, call, index++, ends)
  const status = finalStatus(answer)
  const last = writer.events.length
  writer.add(`response.${status}`, at(status))
  return { events: writer.events, end: end ?? last, queued, broken: broken(answer) }
}
