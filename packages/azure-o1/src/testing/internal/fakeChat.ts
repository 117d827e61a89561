/** Chat Completions as Azure writes them. */
import * as json from "../../wire/json.ts"
import type { FakeBreak, Reply } from "../FakeReply.ts"
import {
  argumentsOf,
  type FakeAnswer,
  type FakeEvent,
  malformed,
  pieces,
  reports,
  type Transcript,
  usageOf,
  verdict
} from "./fakeTranscript.ts"

const usage = (answer: FakeAnswer): unknown => {
  const { input, output } = usageOf(answer)
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: answer.reply.reasoningTokens }
  }
}

const finishReason = ({ finish, toolCalls }: Reply): string =>
  finish === "stop" && toolCalls.length > 0 ? "tool_calls" : finish

const callId = (id: string | undefined, index: number): string => id ?? `call_${index + 1}`

const promptFilter = [{ prompt_index: 0, content_filter_results: verdict() }]

const errorOf = ({ error }: Reply): unknown => ({
  error: {
    code: error?.code ?? "server_error",
    message: error?.message ?? "The server had an error while processing your request.",
    param: null,
    type: "server_error"
  }
})

/** The answer in one piece. */
export const plain = (answer: FakeAnswer): { readonly status: number; readonly body: unknown } => {
  const { reply } = answer
  if (reply.finish === "failed") return { status: 500, body: errorOf(reply) }
  const text = reply.tokens.join("")
  return {
    status: 200,
    body: {
      id: answer.id,
      object: "chat.completion",
      created: answer.created,
      model: answer.model,
      choices: [{
        index: 0,
        message: {
          role: "assistant",
          content: reply.refusal !== undefined || (reply.toolCalls.length > 0 && text === "") ? null : text,
          refusal: reply.refusal?.join("") ?? null,
          ...reply.toolCalls.length === 0 ? {} : {
            tool_calls: reply.toolCalls.map((call, index) => ({
              id: callId(call.id, index),
              type: "function",
              function: { name: call.name, arguments: argumentsOf(call.arguments).text }
            }))
          }
        },
        finish_reason: finishReason(reply),
        logprobs: null,
        content_filter_results: verdict(reply.categories)
      }],
      prompt_filter_results: promptFilter,
      ...reply.usage ? { usage: usage(answer) } : {}
    }
  }
}

const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

const still = (text: string): FakeEvent => ({ text, tokens: 0 })

const broken = (kind: FakeBreak): string => {
  switch (kind) {
    case "malformed":
      return `data: ${malformed}\n\n`
    case "error":
    case "null-error":
      return event({
        error: { code: "server_error", message: "The server had an error.", param: null, type: "server_error" }
      })
    case "flat-error":
      return `event: error\n${
        event({ code: "server_error", message: "The server had an error.", type: "server_error" })
      }`
    default:
      return ""
  }
}

/** The events of a stream in Azure's order. */
export const streamed = (answer: FakeAnswer): Transcript => {
  const { body, filterMode, reply } = answer
  const withUsage = json.at(body, "stream_options", "include_usage") === true && reply.usage
  const frame = { id: answer.id, object: "chat.completion.chunk", created: answer.created, model: answer.model }
  const none = withUsage ? { usage: null } : {}
  const chunk = (delta: object, finish: string | null = null, filter: object = {}): string =>
    event({
      ...frame,
      choices: [{ index: 0, delta, finish_reason: finish, logprobs: null, content_filter_results: filter }],
      ...none
    })
  // all but the delta is the same for every token
  const [before, after] = chunk({ content: "" }, null, filterMode === "default" ? verdict() : {}).split(
    `{"content":""}`
  ) as [string, string]
  const delta = (field: "content" | "refusal", { text, tokens }: { text: string; tokens: number }): FakeEvent => ({
    text: `${before}{"${field}":${JSON.stringify(text)}}${after}`,
    tokens
  })
  const report = (end: number, finish: string | null, categories?: ReadonlyArray<string>): FakeEvent =>
    still(event({
      id: "",
      object: "",
      created: 0,
      model: "",
      choices: [{
        index: 0,
        finish_reason: finish,
        content_filter_results: verdict(categories),
        content_filter_offsets: { check_offset: end, start_offset: 0, end_offset: end }
      }],
      ...none
    }))

  const events: Array<FakeEvent> = [
    still(event({ choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: promptFilter })),
    still(chunk({ role: "assistant", content: reply.toolCalls.length > 0 ? null : "", refusal: null }))
  ]
  const content = pieces(reply.refusal ?? reply.tokens, filterMode)
  let length = 0
  for (const [index, piece] of content.entries()) {
    events.push(delta(reply.refusal === undefined ? "content" : "refusal", piece))
    length += piece.text.length
    if (filterMode === "asynchronous" && reports(index, content.length)) events.push(report(length, null))
  }
  for (const [index, call] of reply.toolCalls.entries()) {
    const named = { index, id: callId(call.id, index), type: "function", function: { name: call.name, arguments: "" } }
    events.push(still(chunk({ tool_calls: [named] })))
    for (const text of argumentsOf(call.arguments).tokens) {
      events.push({ text: chunk({ tool_calls: [{ index, function: { arguments: text } }] }), tokens: 1 })
    }
  }
  const end = events.length
  if (reply.finish === "failed") {
    return { events: [...events, still(event(errorOf(reply)))], end, queued: 0, broken }
  }
  const blocked = reply.finish === "content_filter"
  if (filterMode === "asynchronous") {
    // the filter comes to its verdict late: a block ends the stream, anything else follows after the end of the answer
    if (!blocked) events.push(still(chunk({}, finishReason(reply))))
    events.push(report(length, blocked ? "content_filter" : null, reply.categories))
  } else {
    events.push(still(chunk({}, finishReason(reply), blocked ? verdict(reply.categories) : {})))
  }
  if (withUsage) events.push(still(event({ ...frame, choices: [], usage: usage(answer) })))
  events.push(still("data: [DONE]\n\n"))
  return { events, end, queued: 0, broken }
}
