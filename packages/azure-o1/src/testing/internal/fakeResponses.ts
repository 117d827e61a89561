/** The stream of the Responses API as Azure writes it. */
import * as json from "../../wire/json.ts"
import type { FakeBreak } from "../FakeReply.ts"
import {
  callItem,
  callItemId,
  finalStatus,
  itemStatus,
  messageItem,
  messageItemId,
  partOf,
  reasoningId,
  reasoningItem,
  response,
  type ResponseStatus,
  summaryOf,
  textOf
} from "./fakeResponseBody.ts"
import { argumentsOf, type FakeAnswer, type FakeEvent, malformed, pieces, type Transcript } from "./fakeTranscript.ts"

/** Numbers the events as they are written. */
class Writer {
  readonly events: Array<FakeEvent> = []
  private readonly doneOnly: boolean

  constructor(doneOnly: boolean) {
    this.doneOnly = doneOnly
  }

  add(type: string, fields: object): void {
    this.events.push({ text: numbered(type, this.events.length, fields), tokens: 0 })
  }

  /** The deltas of one item: all but the number and the text is the same for each. */
  deltas(
    type: string,
    fields: object,
    tokens: ReadonlyArray<{ readonly text: string; readonly tokens: number }>
  ): void {
    if (this.doneOnly) return
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

const writeCommentary = (writer: Writer, answer: FakeAnswer, index: number): void => {
  const { commentary } = answer.reply
  const text = commentary.join("")
  const place = { item_id: messageItemId(answer, "commentary"), output_index: index, content_index: 0 }
  const item = (status: string, ...parts: ReadonlyArray<object>): object => ({
    output_index: index,
    item: messageItem(answer, "commentary", status, parts)
  })
  writer.add("response.output_item.added", item("in_progress"))
  writer.add("response.content_part.added", { ...place, part: partOf(answer, "", "commentary") })
  writer.deltas("response.output_text.delta", place, commentary.map((text) => ({ text, tokens: 0 })))
  writer.add("response.output_text.done", { ...place, text })
  writer.add("response.content_part.done", { ...place, part: partOf(answer, text, "commentary") })
  writer.add("response.output_item.done", item("completed", partOf(answer, text, "commentary")))
}

const writeMessage = (writer: Writer, answer: FakeAnswer, index: number, end: () => void): void => {
  const { refusal, tokens } = answer.reply
  const text = textOf(answer)
  const place = { item_id: messageItemId(answer, "final_answer"), output_index: index, content_index: 0 }
  writer.add("response.output_item.added", {
    output_index: index,
    item: messageItem(answer, "final_answer", "in_progress", [])
  })
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
    item: messageItem(answer, "final_answer", itemStatus(answer), [partOf(answer, text)])
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

/** The bytes that replace an event. */
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
  const writer = new Writer(reply.doneOnly)
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
  if (reply.commentary.length > 0) writeCommentary(writer, answer, index++)
  if (textOf(answer) !== "") writeMessage(writer, answer, index++, ends)
  for (const call of reply.toolCalls.keys()) writeCall(writer, answer, call, index++, ends)
  const status = finalStatus(answer)
  const last = writer.events.length
  const whole = response(answer, status)
  writer.add(`response.${status}`, { response: reply.doneOnly ? { ...whole, output: [] } : whole })
  return { events: writer.events, end: end ?? last, queued, broken: broken(answer) }
}
