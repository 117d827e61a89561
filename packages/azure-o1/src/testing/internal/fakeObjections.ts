/** What a reasoning model on Azure has against a request. */
import * as json from "../../wire/json.ts"
import * as errors from "./fakeErrors.ts"
import type { Refusal } from "./fakeErrors.ts"
import { type FakeModel, modelOf } from "./fakeModels.ts"

export interface Deployment {
  readonly model: string
  readonly streams: boolean
  readonly background: boolean
}

type Check = (body: unknown, deployment: Deployment, model: FakeModel) => Refusal | undefined

/** What the first check that objects says. */
const first = (...checks: ReadonlyArray<Check>): Check => (body, deployment, model) => {
  for (const check of checks) {
    const refused = check(body, deployment, model)
    if (refused !== undefined) return refused
  }
  return undefined
}

const given = (body: unknown, name: string): boolean =>
  json.at(body, name) !== undefined && json.at(body, name) !== null

const isObject: Check = (body) =>
  typeof body === "object" && body !== null && !Array.isArray(body) ? undefined : errors.invalidJson

const without = (names: ReadonlyArray<string>): Check => (body) => {
  const name = names.find((name) => given(body, name))
  return name === undefined ? undefined : errors.unsupportedParameter(name)
}

const unknown = (names: ReadonlyArray<string>): Check => (body) => {
  const name = names.find((name) => given(body, name))
  return name === undefined ? undefined : errors.unknownParameter(name)
}

const streaming: Check = (body, { streams }) =>
  json.at(body, "stream") === true && !streams
    ? errors.unsupportedValue("stream", "'stream' does not support true with this model. Supported values are: false.")
    : undefined

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `'${name}'`).join(", ")

const effortAt = (...path: ReadonlyArray<string>): Check => (body, _, { efforts }) => {
  const effort = json.at(body, ...path)
  const name = path.join(".")
  if (effort === undefined || effort === null) return undefined
  if (efforts.length === 0) return errors.unknownParameter(path[0]!)
  return typeof effort === "string" && efforts.includes(effort)
    ? undefined
    : errors.unsupportedValue(
      name,
      `'${name}' does not support ${
        quoted([typeof effort === "string" ? effort : JSON.stringify(effort)])
      } with this model. Supported values are: ${quoted(efforts)}.`
    )
}

const tooling = (nameOf: (tool: unknown) => unknown, name: string): Check => (body, _, model) => {
  const tools = json.array(json.at(body, "tools"))
  if (tools.length > 0 && !model.tools) return errors.unsupportedParameter("tools")
  for (const [index, tool] of tools.entries()) {
    const type = json.at(tool, "type")
    if (type !== "function") {
      return errors.invalid(
        "invalid_value",
        `Invalid value: '${String(type)}'. Supported values are: 'function'.`,
        `tools[${index}].type`
      )
    }
    if (typeof nameOf(tool) !== "string") return errors.missingParameter(`tools[${index}].${name}`)
  }
  return given(body, "parallel_tool_calls") && !model.parallelTools
    ? errors.unsupportedParameter("parallel_tool_calls")
    : undefined
}

interface Messages {
  readonly field: "messages" | "input"
  readonly roles: ReadonlyArray<string>
  readonly parts: ReadonlyArray<string>
  readonly images: string
}

const partsOf = ({ field, images, parts }: Messages, message: unknown, at: number, model: FakeModel) => {
  for (const [index, part] of json.array(json.at(message, "content")).entries()) {
    const type = String(json.at(part, "type"))
    const place = `${field}[${at}].content[${index}]`
    if (!parts.includes(type)) {
      return errors.invalid(
        "invalid_value",
        `Invalid value: '${type}'. Supported values are: ${quoted(parts)}.`,
        `${place}.type`
      )
    }
    if (type === images && !model.images) {
      return errors.invalid("invalid_value", `Invalid content type. ${images} is not supported by this model.`, place)
    }
  }
  return undefined
}

const messagesOf = (rules: Messages): Check => (body, _, model) => {
  const { field, roles } = rules
  const messages = json.array(json.at(body, field))
  const seen = new Set<string>()
  for (const [index, message] of messages.entries()) {
    const type = json.at(message, "type") ?? "message"
    if (field === "input" && type !== "message") continue
    const role = String(json.at(message, "role"))
    if (!roles.includes(role)) {
      return errors.invalid(
        "invalid_value",
        `Invalid value: '${role}'. Supported values are: ${quoted(roles)}.`,
        `${field}[${index}].role`
      )
    }
    if ((role === "developer" || role === "system") && !model.instructions) {
      return errors.unsupportedValue(
        `${field}[${index}].role`,
        `'${field}[${index}].role' does not support '${role}' with this model.`
      )
    }
    if (role === "tool" && typeof json.at(message, "tool_call_id") !== "string") {
      return errors.missingParameter(`${field}[${index}].tool_call_id`)
    }
    seen.add(role)
    const refused = partsOf(rules, message, index, model)
    if (refused !== undefined) return refused
  }
  return seen.has("developer") && seen.has("system")
    ? errors.unsupportedValue(
      field,
      `'${field}' does not support both 'developer' and 'system' messages in one request.`
    )
    : undefined
}

const someMessages: Check = (body) =>
  json.array(json.at(body, "messages")).length === 0
    ? errors.invalid("invalid_type", "Invalid 'messages': expected a non-empty array.", "messages")
    : undefined

const someInput: Check = (body) => {
  const input = json.at(body, "input")
  return input === undefined || input === null ? errors.missingParameter("input") : undefined
}

const jsonSchema = (path: ReadonlyArray<string>, inside: ReadonlyArray<string>): Check => (body) => {
  const format = json.at(body, ...path)
  if (json.at(format, "type") !== "json_schema") return undefined
  const missing = ["name", "schema"].find((name) => json.at(format, ...inside, name) === undefined)
  return missing === undefined ? undefined : errors.missingParameter([...path, ...inside, missing].join("."))
}

const maxTokens: Check = (body) =>
  given(body, "max_tokens")
    ? errors.unsupportedParameter("max_tokens", " Use 'max_completion_tokens' instead.")
    : undefined

const atLeast = (name: string, minimum: number): Check => (body) => {
  const value = json.at(body, name)
  return typeof value === "number" && value < minimum
    ? errors.invalid(
      "integer_below_min_value",
      `Invalid '${name}': integer below minimum value. Expected a value >= ${minimum}, but got ${value} instead.`,
      name
    )
    : undefined
}

const sampling = ["temperature", "top_p", "top_logprobs"]
const onlyInChat = ["presence_penalty", "frequency_penalty", "logprobs", "logit_bias", "stop", "seed"]

const effortOf = (body: unknown, { reasons }: FakeModel): unknown =>
  json.at(body, "reasoning_effort") ?? json.at(body, "reasoning", "effort") ?? (reasons ? "medium" : "none")

/** What a model that reasons does not take, and one that could take only without reasoning. */
const sampled = (names: ReadonlyArray<string>): Check => (body, deployment, model) =>
  model.sampling && effortOf(body, model) === "none" ? undefined : without(names)(body, deployment, model)

const toolsBesideReasoning: Check = (body, deployment, model) =>
  model.chatTools || json.array(json.at(body, "tools")).length === 0 || effortOf(body, model) === "none"
    ? undefined
    : errors.toolsBesideReasoning(deployment.model)

const chatChecks = first(
  isObject,
  someMessages,
  messagesOf({
    field: "messages",
    roles: ["developer", "system", "user", "assistant", "tool"],
    parts: ["text", "image_url", "file", "refusal"],
    images: "image_url"
  }),
  maxTokens,
  sampled([...sampling, "presence_penalty", "frequency_penalty", "logprobs", "logit_bias"]),
  toolsBesideReasoning,
  unknown(["input", "max_output_tokens", "reasoning", "background"]),
  atLeast("max_completion_tokens", 1),
  effortAt("reasoning_effort"),
  tooling((tool) => json.at(tool, "function", "name"), "function.name"),
  jsonSchema(["response_format"], ["json_schema"]),
  streaming
)

const summary: Check = (body, _, model) =>
  given(json.at(body, "reasoning"), "summary") && !model.summary
    ? errors.unsupportedParameter("reasoning.summary")
    : undefined

const background: Check = (body, deployment) => {
  if (json.at(body, "background") !== true) return undefined
  if (!deployment.background) return errors.unsupportedParameter("background")
  return json.at(body, "store") === false ? errors.storeForBackground : undefined
}

const responsesChecks = first(
  isObject,
  someInput,
  messagesOf({
    field: "input",
    roles: ["developer", "system", "user", "assistant"],
    parts: ["input_text", "input_image", "input_file", "output_text", "refusal"],
    images: "input_image"
  }),
  sampled(sampling),
  unknown(["messages", "max_tokens", "max_completion_tokens", "reasoning_effort", "response_format", ...onlyInChat]),
  atLeast("max_output_tokens", 16),
  effortAt("reasoning", "effort"),
  summary,
  tooling((tool) => json.at(tool, "name"), "name"),
  jsonSchema(["text", "format"], []),
  streaming,
  background
)

export const chat = (body: unknown, deployment: Deployment): Refusal | undefined => {
  const model = modelOf(deployment.model)
  return model.chat
    ? chatChecks(body, deployment, model)
    : errors.operationNotSupported("chatCompletion", deployment.model)
}

export const responses = (body: unknown, deployment: Deployment): Refusal | undefined => {
  const model = modelOf(deployment.model)
  return model.responses
    ? responsesChecks(body, deployment, model)
    : errors.operationNotSupported("responses", deployment.model)
}
