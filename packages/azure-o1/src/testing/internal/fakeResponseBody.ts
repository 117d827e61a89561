/** A response as Azure tells it in one piece, and the items of its output. */
import * as json from "../../wire/json.ts"
import { argumentsOf, type FakeAnswer, usageOf, verdict } from "./fakeTranscript.ts"

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

export const summaryOf = ({ body, reply }: FakeAnswer): ReadonlyArray<string> =>
  typeof json.at(body, "reasoning", "summary") === "string" ? reply.summary : []

export const reasoningId = (id: string): string => id.replace("resp_", "rs_")
export const callItemId = (id: string, index: number): string => `${id.replace("resp_", "fc_")}_${index}`

export const reasoningItem = (answer: FakeAnswer, summary: ReadonlyArray<string>): object => ({
  id: reasoningId(answer.id),
  type: "reasoning",
  summary: summary.length === 0 ? [] : [{ type: "summary_text", text: summary.join("") }],
  ...asksFor(answer.body, "reasoning.encrypted_content") ? { encrypted_content: "ZmFrZQ==" } : {}
})

export const partOf = ({ reply }: FakeAnswer, text: string, phase: Phase = "final_answer"): object =>
  reply.refusal === undefined || phase === "commentary"
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "refusal", refusal: text }

/** What a message is for, where the model says something besides its answer. */
export type Phase = "commentary" | "final_answer"

/** The id of a message item; that of the commentary is another. */
export const messageItemId = ({ id }: FakeAnswer, phase: Phase): string =>
  `${id.replace("resp_", "msg_")}${phase === "commentary" ? "_0" : ""}`

export const messageItem = (
  answer: FakeAnswer,
  phase: Phase,
  status: string,
  content: ReadonlyArray<object>
): object => ({
  id: messageItemId(answer, phase),
  type: "message",
  status,
  role: "assistant",
  content,
  ...answer.reply.commentary.length === 0 ? {} : { phase }
})

export const callItem = (answer: FakeAnswer, index: number, status: string, text: string): object => {
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

export const textOf = ({ reply }: FakeAnswer): string => (reply.refusal ?? reply.tokens).join("")

export const itemStatus = (answer: FakeAnswer): string =>
  finalStatus(answer) === "completed" ? "completed" : "incomplete"

const output = (answer: FakeAnswer): ReadonlyArray<object> => {
  const { reply } = answer
  const text = textOf(answer)
  const commentary = reply.commentary.join("")
  return [
    ...reply.reasoningTokens > 0 ? [reasoningItem(answer, summaryOf(answer))] : [],
    ...commentary === ""
      ? []
      : [messageItem(answer, "commentary", "completed", [partOf(answer, commentary, "commentary")])],
    ...text === "" ? [] : [messageItem(answer, "final_answer", itemStatus(answer), [partOf(answer, text)])],
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
