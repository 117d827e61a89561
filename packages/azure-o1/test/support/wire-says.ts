// The words of the two APIs, for servers that are written by hand.

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

/** Chat Completions. */
export const chat = {
  chunk: (rest: object): string =>
    data({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "o4-mini", ...rest }),
  delta: (content: string): string => chat.chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }),
  stop: (reason = "stop"): string => chat.chunk({ choices: [{ index: 0, delta: {}, finish_reason: reason }] }),
  usage: (input = 5, output = 7): string =>
    chat.chunk({ choices: [], usage: { prompt_tokens: input, completion_tokens: output } }),
  done: "data: [DONE]\n\n",
  /** A whole stream with this text. */
  whole: (...texts: ReadonlyArray<string>): string =>
    `${texts.map(chat.delta).join("")}${chat.stop()}${chat.usage()}${chat.done}`,
  /** The answer in one piece. */
  plain: (content: string): object => ({
    id: "chatcmpl-1",
    object: "chat.completion",
    model: "o4-mini",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 5, completion_tokens: 7 }
  })
}

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled"

const message = (text: string): object => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, annotations: [] }]
})

/** Responses. */
export const responses = {
  /** A response as a poll tells it. */
  body: (status: ResponseStatus, text?: string, id = "resp_1"): object => ({
    id,
    object: "response",
    status,
    background: true,
    model: "o4-mini",
    error: status === "failed" ? { code: "server_error", message: "The model had an error." } : null,
    incomplete_details: null,
    output: text === undefined ? [] : [message(text)],
    usage: status === "completed" ? { input_tokens: 5, output_tokens: 7 } : null
  }),
  event: (type: string, number: number, rest: object = {}): string =>
    `event: ${type}\n${data({ type, sequence_number: number, ...rest })}`,
  created: (number = 0, id = "resp_1"): string =>
    responses.event("response.created", number, { response: responses.body("queued", undefined, id) }),
  inProgress: (number: number, id = "resp_1"): string =>
    responses.event("response.in_progress", number, { response: responses.body("in_progress", undefined, id) }),
  delta: (number: number, delta: string): string =>
    responses.event("response.output_text.delta", number, {
      output_index: 0,
      content_index: 0,
      item_id: "msg_1",
      delta
    }),
  thought: (number: number, delta: string): string =>
    responses.event("response.reasoning_summary_text.delta", number, {
      output_index: 0,
      summary_index: 0,
      item_id: "rs_1",
      delta
    }),
  completed: (number: number, text: string, id = "resp_1"): string =>
    responses.event("response.completed", number, { response: responses.body("completed", text, id) }),
  /** A whole stream with this text. */
  whole: (...texts: ReadonlyArray<string>): string =>
    responses.created() + texts.map((text, i) => responses.delta(i + 1, text)).join("") +
    responses.completed(texts.length + 1, texts.join(""))
}
