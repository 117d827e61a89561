import * as json from "../../wire/json.ts"

/** An answer as Azure sends it. */
export interface FakeAnswer {
  readonly tokens: ReadonlyArray<string>
  readonly reasoningTokens: number
  readonly model: string
  readonly id: string
  readonly created: number
}

/** A refusal as Azure sends it. */
export interface Refusal {
  readonly status: number
  readonly body: unknown
}

const error = (code: string, message: string, param: string | null = null): unknown => ({
  error: { code, message, param, type: "invalid_request_error" }
})

export const unauthorized: Refusal = {
  status: 401,
  body: {
    error: {
      code: "401",
      message:
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key " +
        "for an active subscription and use a correct regional API endpoint for your resource."
    }
  }
}

export const resourceNotFound: Refusal = {
  status: 404,
  body: { error: { code: "404", message: "Resource not found" } }
}

export const deploymentNotFound: Refusal = {
  status: 404,
  body: {
    error: {
      code: "DeploymentNotFound",
      message: "The API deployment for this resource does not exist. If you created the deployment within the last 5 " +
        "minutes, please wait a moment and try again."
    }
  }
}

const unsupportedParameters = [
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "logprobs",
  "top_logprobs",
  "logit_bias"
]

/** What a reasoning model on Azure has against a request. */
export const objection = (body: unknown, streams: boolean): Refusal | undefined => {
  const refuse = (body: unknown): Refusal => ({ status: 400, body })
  if (json.array(json.at(body, "messages")).length === 0) {
    return refuse(error("invalid_type", "Invalid 'messages': expected a non-empty array.", "messages"))
  }
  if (json.at(body, "max_tokens") !== undefined) {
    return refuse(error(
      "unsupported_parameter",
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      "max_tokens"
    ))
  }
  const unsupported = unsupportedParameters.find((name) => json.at(body, name) !== undefined)
  if (unsupported !== undefined) {
    return refuse(error(
      "unsupported_parameter",
      `Unsupported parameter: '${unsupported}' is not supported with this model.`,
      unsupported
    ))
  }
  if (json.at(body, "stream") === true && !streams) {
    return refuse(error(
      "unsupported_value",
      "Unsupported value: 'stream' does not support true with this model. Supported values are: false.",
      "stream"
    ))
  }
  return undefined
}

const safe = { filtered: false, severity: "safe" }
const filterResults = { hate: safe, self_harm: safe, sexual: safe, violence: safe }

const usageOf = (answer: FakeAnswer, body: unknown): unknown => {
  const words = json.array(json.at(body, "messages"))
    .map((message) => (json.string(json.at(message, "content")) ?? "").split(/\s+/).length)
  const prompt = words.reduce((total, n) => total + n, 3)
  const completion = answer.tokens.length + answer.reasoningTokens
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: answer.reasoningTokens }
  }
}

/** The answer in one piece. */
export const plain = (answer: FakeAnswer, body: unknown): unknown => ({
  id: answer.id,
  object: "chat.completion",
  created: answer.created,
  model: answer.model,
  choices: [{
    index: 0,
    message: { role: "assistant", content: answer.tokens.join(""), refusal: null },
    finish_reason: "stop",
    content_filter_results: filterResults
  }],
  prompt_filter_results: [{ prompt_index: 0, content_filter_results: filterResults }],
  usage: usageOf(answer, body)
})

const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

/** The events of a stream in Azure's order, in three parts: what comes before the tokens, the tokens, and what comes after. */
export const streamed = (answer: FakeAnswer, body: unknown) => {
  const chunk = (choice: object, rest: object = {}): string =>
    event({
      id: answer.id,
      object: "chat.completion.chunk",
      created: answer.created,
      model: answer.model,
      choices: [{ index: 0, finish_reason: null, logprobs: null, content_filter_results: {}, ...choice }],
      ...rest
    })
  const withUsage = json.at(body, "stream_options", "include_usage") === true
  const usage = event({
    id: answer.id,
    object: "chat.completion.chunk",
    created: answer.created,
    model: answer.model,
    choices: [],
    usage: usageOf(answer, body)
  })
  return {
    head: event({
      choices: [],
      created: 0,
      id: "",
      model: "",
      object: "",
      prompt_filter_results: [{ prompt_index: 0, content_filter_results: filterResults }]
    }) + chunk({ delta: { role: "assistant", content: "", refusal: null } }),
    tokens: answer.tokens.map((content) => chunk({ delta: { content } })),
    tail: chunk({ delta: {}, finish_reason: "stop" }) + (withUsage ? usage : "") + "data: [DONE]\n\n"
  }
}
