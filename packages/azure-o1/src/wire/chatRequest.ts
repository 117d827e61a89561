import type { Message, O1Request, ResponseFormat } from "../O1Request.ts"

const contentOf = ({ content }: Message): unknown =>
  typeof content === "string" ?
    content :
    content.map((part) =>
      part.type === "text" ? part : { type: "image_url", image_url: { url: part.url, detail: part.detail } }
    )

const messageOf = (message: Message): unknown => ({
  role: message.role,
  content: contentOf(message),
  ...message.role === "tool" ? { tool_call_id: message.toolCallId } : {},
  ...message.role === "assistant" && message.toolCalls !== undefined && message.toolCalls.length > 0
    ? {
      tool_calls: message.toolCalls.map(({ arguments: args, id, name }) => ({
        id,
        type: "function",
        function: { name, arguments: args }
      }))
    }
    : {}
})

const formatOf = (format: ResponseFormat): unknown =>
  typeof format === "string"
    ? { type: format === "json" ? "json_object" : "text" }
    : { type: "json_schema", json_schema: { strict: true, ...format } }

/** The body of a Chat Completions request; `model` is for the v1 path, where the deployment is not in the URL. */
export const encode = (
  request: O1Request,
  options: { readonly model: string | undefined; readonly stream: boolean }
): string =>
  JSON.stringify({
    model: options.model,
    messages: request.messages.map(messageOf),
    reasoning_effort: request.reasoningEffort,
    max_completion_tokens: request.maxCompletionTokens,
    user: request.user,
    tools: request.tools?.map((tool) => ({ type: "function", function: { strict: true, ...tool } })),
    tool_choice: typeof request.toolChoice === "object"
      ? { type: "function", function: request.toolChoice }
      : request.toolChoice,
    parallel_tool_calls: request.parallelToolCalls,
    response_format: request.responseFormat === undefined ? undefined : formatOf(request.responseFormat),
    ...options.stream ? { stream: true, stream_options: { include_usage: true } } : {},
    ...request.extra
  })
