/**
 * What Azure says when it does not answer. The codes and statuses are Azure's, and the words where they have been seen; those
 * about background mode, cursors and cancelling are ours.
 */

/** A refusal as Azure sends it. */
export interface Refusal {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** The rate limit that does not admit the request. */
  readonly limit?: "requests" | "tokens"
}

export const invalid = (code: string | null, message: string, param: string | null = null): Refusal => ({
  status: 400,
  body: { error: { code, message, param, type: "invalid_request_error" } }
})

export const unknownParameter = (name: string): Refusal =>
  invalid("unknown_parameter", `Unknown parameter: '${name}'.`, name)

export const unsupportedParameter = (name: string, hint = ""): Refusal =>
  invalid(
    "unsupported_parameter",
    `Unsupported parameter: '${name}' is not supported with this model.${hint}`,
    name
  )

export const unsupportedValue = (param: string, message: string): Refusal =>
  invalid("unsupported_value", `Unsupported value: ${message}`, param)

export const toolsBesideReasoning = (model: string): Refusal =>
  invalid(
    null,
    `Function tools with reasoning_effort are not supported for ${model} in /v1/chat/completions. ` +
      "To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
    "reasoning_effort"
  )

export const missingParameter = (name: string): Refusal =>
  invalid("missing_required_parameter", `Missing required parameter: '${name}'.`, name)

export const invalidJson: Refusal = invalid(null, "We could not parse the JSON body of your request.")

const coded = (status: number, code: string, message: string): Refusal => ({
  status,
  body: { error: { code, message } }
})

export const unauthorized: Refusal = coded(
  401,
  "401",
  "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key " +
    "for an active subscription and use a correct regional API endpoint for your resource."
)

export const invalidToken: Refusal = coded(
  401,
  "Unauthorized",
  "Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."
)

export const expiredToken: Refusal = coded(401, "401", "Unauthorized. The access token has expired.")

export const resourceNotFound: Refusal = coded(404, "404", "Resource not found")

export const deploymentNotFound: Refusal = coded(
  404,
  "DeploymentNotFound",
  "The API deployment for this resource does not exist. If you created the deployment within the last 5 " +
    "minutes, please wait a moment and try again."
)

export const operationNotSupported = (operation: string, model: string): Refusal =>
  coded(
    400,
    "OperationNotSupported",
    `The ${operation} operation does not work with the specified model, ${model}. Please choose different model and try again.`
  )

export const responsesVersion: Refusal = coded(
  400,
  "BadRequest",
  "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later"
)

export const responseNotFound = (id: string): Refusal => ({
  status: 404,
  body: {
    error: { code: null, message: `Response with id '${id}' not found.`, param: "id", type: "invalid_request_error" }
  }
})

export const notResumable: Refusal = invalid(
  null,
  "This response cannot be streamed because it was not created with background=true and stream=true.",
  "stream"
)

export const invalidCursor: Refusal = invalid(
  "invalid_type",
  "Invalid type for 'starting_after': expected an integer.",
  "starting_after"
)

export const notCancellable: Refusal = invalid(null, "Cannot cancel a synchronous response.", "response_id")

export const storeForBackground: Refusal = invalid(
  "invalid_value",
  "Background mode requires 'store' to be true.",
  "background"
)

/** `seconds` until the window is over. */
export const rateLimited = (operation: string, dimension: "requests" | "tokens", millis: number): Refusal => {
  const seconds = Math.ceil(millis / 1000)
  return {
    ...coded(
      429,
      "429",
      `Requests to the ${operation} Operation under Azure OpenAI API have exceeded ${
        dimension === "requests" ? "call" : "token"
      } rate limit of your current OpenAI S0 pricing tier. Please retry after ${seconds} seconds. ` +
        "Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
    ),
    headers: { "retry-after": String(seconds), "retry-after-ms": String(millis) },
    limit: dimension
  }
}
