import type { FilePart, Message, O1Request, Part, ResponseFormat, Tool } from "../O1Request.ts"
import { bodyOf, noArguments } from "./body.ts"
import { type Asked, itemsOfAnswer } from "./responsesAnswer.ts"

const fileOf = ({ filename, id, url = "" }: FilePart): unknown => {
  if (id !== undefined) return { type: "input_file", file_id: id }
  return /^data:/i.test(url)
    ? { type: "input_file", filename: filename ?? "document.pdf", file_data: url }
    : { type: "input_file", file_url: url }
}

const partOf = (part: Part): unknown => {
  switch (part.type) {
    case "text":
      return { type: "input_text", text: part.text }
    case "image":
      return { type: "input_image", image_url: part.url, detail: part.detail ?? "auto" }
    case "file":
      return fileOf(part)
  }
}

const itemsOf = (asked: Asked) => (message: Message): ReadonlyArray<unknown> => {
  switch (message.role) {
    case "tool":
      return [{ type: "function_call_output", call_id: message.toolCallId, output: message.content }]
    case "assistant":
      return itemsOfAnswer(message, asked)
    case "user": {
      const { content } = message
      return [{ role: "user", content: typeof content === "string" ? content : content.map(partOf) }]
    }
    default:
      return [{ role: message.role, content: message.content }]
  }
}

const toolOf = ({ description, name, parameters, strict }: Tool): unknown => ({
  type: "function",
  strict: strict ?? true,
  name,
  description,
  parameters: parameters ?? noArguments
})

const formatOf = (format: ResponseFormat): unknown =>
  typeof format === "string"
    ? { type: format === "json" ? "json_object" : "text" }
    : { type: "json_schema", strict: true, ...format }

const textOf = ({ responseFormat, verbosity }: O1Request): unknown =>
  responseFormat === undefined && verbosity === undefined
    ? undefined
    : { format: responseFormat === undefined ? undefined : formatOf(responseFormat), verbosity }

const includeOf = ({ include = [], topLogprobs }: O1Request, encrypted: boolean): ReadonlyArray<string> | undefined => {
  const all = new Set([
    ...include,
    ...topLogprobs === undefined ? [] : ["message.output_text.logprobs"],
    ...encrypted ? ["reasoning.encrypted_content"] : []
  ])
  return all.size === 0 ? undefined : Array.from(all)
}

/**
 * The body of a Responses request. What goes on in the background has to be stored. With `encrypted`, reasoning is asked for in
 * a form that the caller can send back where nothing is stored.
 */
export const encode = (
  request: O1Request,
  options: Asked & {
    readonly model: string
    readonly stream: boolean
    readonly background: boolean
    readonly encrypted?: boolean | undefined
  }
): string =>
  bodyOf({
    model: options.model,
    input: request.messages.flatMap(itemsOf(options)),
    previous_response_id: request.previousResponseId,
    reasoning: request.reasoningEffort === undefined && request.reasoningSummary === undefined
      ? undefined
      : { effort: request.reasoningEffort, summary: request.reasoningSummary },
    max_output_tokens: request.maxCompletionTokens,
    temperature: request.temperature,
    top_p: request.topP,
    top_logprobs: request.topLogprobs,
    tools: request.tools?.map(toolOf),
    tool_choice: typeof request.toolChoice === "object"
      ? { type: "function", ...request.toolChoice }
      : request.toolChoice,
    parallel_tool_calls: request.parallelToolCalls,
    text: textOf(request),
    include: includeOf(request, options.encrypted === true && !options.store),
    prompt_cache_key: request.promptCacheKey,
    safety_identifier: request.safetyIdentifier,
    user: request.user,
    metadata: request.metadata,
    service_tier: request.serviceTier,
    store: options.store,
    ...options.background ? { background: true } : {},
    ...options.stream ? { stream: true } : {}
  }, request.extra)
