import type { AssistantMessage, FilePart, Message, O1Request, Part, ResponseFormat, Tool } from "../O1Request.ts"
import { bodyOf, noArguments } from "./body.ts"

const fileOf = ({ filename, id, url }: FilePart): unknown =>
  id === undefined ? { filename: filename ?? "document.pdf", file_data: url } : { file_id: id }

const partOf = (part: Part): unknown => {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text }
    case "image":
      return { type: "image_url", image_url: { url: part.url, detail: part.detail } }
    case "file":
      return { type: "file", file: fileOf(part) }
  }
}

const answerOf = ({ content, refusal, toolCalls = [] }: AssistantMessage): unknown => ({
  role: "assistant",
  content: content === "" && refusal !== undefined ? null : content,
  refusal,
  tool_calls: toolCalls.length === 0 ? undefined : toolCalls.map(({ arguments: args, id, name }) => ({
    id,
    type: "function",
    function: { name, arguments: args }
  }))
})

const messageOf = (message: Message): unknown => {
  switch (message.role) {
    case "assistant":
      return answerOf(message)
    case "tool":
      return { role: "tool", content: message.content, tool_call_id: message.toolCallId }
    case "user": {
      const { content } = message
      return { role: "user", content: typeof content === "string" ? content : content.map(partOf) }
    }
    default:
      return { role: message.role, content: message.content }
  }
}

const toolOf = ({ description, name, parameters, strict }: Tool): unknown => ({
  type: "function",
  function: { strict: strict ?? true, name, description, parameters: parameters ?? noArguments }
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
  bodyOf({
    model: options.model,
    messages: request.messages.map(messageOf),
    reasoning_effort: request.reasoningEffort,
    max_completion_tokens: request.maxCompletionTokens,
    verbosity: request.verbosity,
    temperature: request.temperature,
    top_p: request.topP,
    logprobs: request.topLogprobs === undefined ? undefined : true,
    top_logprobs: request.topLogprobs,
    presence_penalty: request.presencePenalty,
    frequency_penalty: request.frequencyPenalty,
    logit_bias: request.logitBias,
    stop: request.stop,
    seed: request.seed,
    tools: request.tools?.map(toolOf),
    tool_choice: typeof request.toolChoice === "object"
      ? { type: "function", function: request.toolChoice }
      : request.toolChoice,
    parallel_tool_calls: request.parallelToolCalls,
    response_format: request.responseFormat === undefined ? undefined : formatOf(request.responseFormat),
    prompt_cache_key: request.promptCacheKey,
    safety_identifier: request.safetyIdentifier,
    user: request.user,
    metadata: request.metadata,
    service_tier: request.serviceTier,
    ...options.stream ? { stream: true, stream_options: { include_usage: true } } : {}
  }, request.extra)
