import { O1RequestError } from "../O1Error.ts"
import type { Message, O1Request, Part } from "../O1Request.ts"
import type { Api, ModelProfile } from "./model.ts"

const names = (values: ReadonlyArray<string>): string => values.length === 0 ? "none" : values.join(", ")

const hasPart = ({ messages }: O1Request, has: (part: Part) => boolean): boolean =>
  messages.some(({ content }: Message) => typeof content !== "string" && content.some(has))

/** How the model chooses its words, by the names of the request and of the service. */
const sampling: ReadonlyArray<readonly [field: keyof O1Request, names: ReadonlyArray<string>]> = [
  ["temperature", ["temperature"]],
  ["topP", ["top_p"]],
  ["topLogprobs", ["logprobs", "top_logprobs"]],
  ["presencePenalty", ["presence_penalty"]],
  ["frequencyPenalty", ["frequency_penalty"]],
  ["logitBias", ["logit_bias"]]
]

const chatOnly = ["presencePenalty", "frequencyPenalty", "logitBias", "stop"] as const

/** What only the Responses API can be asked, by the name of the field. */
const onlyResponses = (request: O1Request): "previousResponseId" | "messages" | undefined => {
  if (request.previousResponseId !== undefined) return "previousResponseId"
  return hasPart(request, (part) => part.type === "file" && /^https:/i.test(part.url ?? "")) ? "messages" : undefined
}

const onlyChat = (request: O1Request): typeof chatOnly[number] | undefined =>
  chatOnly.find((field) => request[field] !== undefined)

const reasonsWithTools = ({ reasoningEffort, tools = [] }: O1Request): boolean =>
  tools.length > 0 && reasoningEffort !== "none"

/**
 * The API that carries a request: the one that carries the others, unless the request has what only the other one takes and the
 * model has that one.
 *
 * @category getters
 * @since 0.1.0
 */
export const apiFor = (profile: ModelProfile, request: O1Request, api: Api): Api => {
  const wanted = onlyResponses(request) !== undefined ||
      (profile.chatTools === "without-reasoning" && reasonsWithTools(request))
    ? "responses"
    : onlyChat(request) === undefined
    ? api
    : "chat"
  return profile.apis.includes(wanted) ? wanted : api
}

/** What of a request only an API takes that the model does not have, or each of two APIs. */
const unreachable = (
  { apis }: ModelProfile,
  request: O1Request
): { readonly param: string; readonly what: string } | undefined => {
  const responses = onlyResponses(request)
  const chat = onlyChat(request)
  if (responses !== undefined) {
    const what = responses === "messages" ? "a file by its https: URL" : responses
    if (!apis.includes("responses")) {
      return { param: responses, what: `does not have the Responses API, which ${what} needs` }
    }
    if (chat !== undefined) {
      return { param: chat, what: `takes ${chat} by Chat Completions, and ${what} by the Responses API` }
    }
  }
  return chat !== undefined && !apis.includes("chat")
    ? { param: chat, what: `does not have Chat Completions, which ${chat} needs` }
    : undefined
}

/** Its name in the request or in `extra`, if the model does not take it with this effort. */
const unsampled = (
  { efforts, reasons, sampling: takes }: ModelProfile,
  { extra = {}, reasoningEffort, ...request }: O1Request
): { readonly param: string; readonly what: string } | undefined => {
  // who knows which effort the service takes by itself
  const free = takes === "always" ||
    (takes === "without-reasoning" && (reasoningEffort === undefined || reasoningEffort === "none"))
  const fields: Readonly<Record<string, unknown>> = request
  const given = (field: keyof O1Request, names: ReadonlyArray<string>): string | undefined =>
    fields[field] === undefined ? names.find((name) => Object.hasOwn(extra, name)) : field
  const found = free ? undefined : sampling.find(([field, names]) => given(field, names) !== undefined)
  const param = found && given(...found)
  if (param !== undefined) {
    const only = takes === "without-reasoning" && efforts.includes("none")
    return {
      param,
      what: only ? `takes ${param} with the effort none, not with ${reasoningEffort}` : `does not take ${param}`
    }
  }
  return reasons && Object.hasOwn(extra, "max_tokens")
    ? { param: "max_tokens", what: "does not take max_tokens" }
    : undefined
}

/**
 * What of a request the profile forbids, if anything, with the name of the parameter.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = (profile: ModelProfile, request: O1Request): O1RequestError | undefined => {
  const refuse = (param: string, what: string): O1RequestError =>
    new O1RequestError({ kind: "unsupported-parameter", param, detail: `${profile.name} ${what}` })
  const { maxCompletionTokens, messages, reasoningEffort, responseFormat } = request

  const role = messages.map((message) => message.role).find((role) => !profile.roles.includes(role))
  if (role !== undefined) {
    return refuse("messages", `takes messages of ${names(profile.roles)}, not of ${role}`)
  }
  if (
    profile.reasons && messages.some(({ role }) => role === "developer") &&
    messages.some(({ role }) => role === "system")
  ) {
    return refuse("messages", "takes messages of developer or of system, not of both")
  }
  if (!profile.images && hasPart(request, ({ type }) => type === "image")) return refuse("messages", "takes no images")
  if (!profile.files && hasPart(request, ({ type }) => type === "file")) return refuse("messages", "takes no files")
  if (reasoningEffort !== undefined && !profile.efforts.includes(reasoningEffort)) {
    return refuse("reasoningEffort", `has the efforts ${names(profile.efforts)}, not ${reasoningEffort}`)
  }
  if (!profile.tools && (request.tools !== undefined || request.toolChoice !== undefined)) {
    return refuse("tools", "takes no tools")
  }
  if (request.parallelToolCalls === true && !profile.parallelToolCalls) {
    return refuse("parallelToolCalls", "asks for one tool at a time")
  }
  if (profile.reasons && request.parallelToolCalls === true && reasoningEffort === "minimal") {
    return refuse("parallelToolCalls", "asks for one tool at a time with minimal effort")
  }
  if (!profile.structuredOutput && responseFormat !== undefined && responseFormat !== "text") {
    return refuse("responseFormat", "answers in text only")
  }
  if (!profile.reasoningSummary && request.reasoningSummary !== undefined) {
    return refuse("reasoningSummary", "gives no summary of its reasoning")
  }
  if (!profile.verbosity && request.verbosity !== undefined) return refuse("verbosity", "does not take verbosity")
  if (maxCompletionTokens !== undefined && maxCompletionTokens > (profile.outputTokens ?? Infinity)) {
    return refuse("maxCompletionTokens", `gives at most ${profile.outputTokens} tokens, not ${maxCompletionTokens}`)
  }
  const problem = unsampled(profile, request) ?? unreachable(profile, request)
  return problem && refuse(problem.param, problem.what)
}
