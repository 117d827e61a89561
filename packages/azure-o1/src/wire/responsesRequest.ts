import type { Message, O1Request, ResponseFormat } from "../O1Request.ts"

const contentOf = ({ content }: Message): unknown =>
  typeof content === "string" ? content : content.map((part) =>
    part.type === "text"
      ? { type: "input_text", text: part.text }
      : { type: "input_image", image_url: part.url, detail: part.detail ?? "auto" }
  )

const itemsOf = (message: Message): ReadonlyArray<unknown> => {
  switch (message.role) {
    case "tool":
      return [{ type: "function_call_output", call_id: message.toolCallId, output: message.content }]
    case "assistant": {
      const calls = message.toolCalls ?? []
      return [
        // a turn that only asked for tools has no text
        ...message.content === "" && calls.length > 0 ? [] : [{ role: "assistant", content: message.content }],
        ...calls.map(({ arguments: args, id, name }) => ({ type: "function_call", call_id: id, name, arguments: args }))
      ]
    }
    default:
      return [{ role: message.role, content: contentOf(message) }]
  }
}

const formatOf = (format: ResponseFormat): unknown =>
  typeof format === "string"
    ? { type: format === "json" ? "json_object" : "text" }
    : { type: "json_schema", strict: true, ...format }

/** The body of a Responses request. What goes on in the background has to be stored. */
export const encode = (
  request: O1Request,
  options: {
    readonly model: string
    readonly stream: boolean
    readonly background: boolean
    readonly store: boolean
  }
): string =>
  JSON.stringify({
    model: options.model,
    input: request.messages.flatMap(itemsOf),
    reasoning: request.reasoningEffort === undefined && request.reasoningSummary === undefined
      ? undefined
      : { effort: request.reasoningEffort, summary: request.reasoningSummary },
    max_output_tokens: request.maxCompletionTokens,
    user: request.user,
    tools: request.tools?.map((tool) => ({ type: "function", strict: true, ...tool })),
    tool_choice: typeof request.toolChoice === "object"
      ? { type: "function", ...request.toolChoice }
      : request.toolChoice,
    parallel_tool_calls: request.parallelToolCalls,
    text: request.responseFormat === undefined ? undefined : { format: formatOf(request.responseFormat) },
    store: options.store,
    ...options.background ? { background: true } : {},
    ...options.stream ? { stream: true } : {},
    ...request.extra
  })
