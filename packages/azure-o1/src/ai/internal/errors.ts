import * as AiError from "effect/ai/AiError"
import type * as Schema from "effect/Schema"
import type { Usage } from "../../O1Completion.ts"
import { O1Error } from "../../O1Error.ts"

/** The operation of the client that failed. */
export type Method = "generateText" | "streamText"

type Context = NonNullable<AiError.InvalidRequestError["http"]>

/** The same error as plain data: the reasons of `effect/ai` keep JSON only. */
const metadataOf = (error: O1Error): { readonly azureO1: Schema.MutableJson } => ({
  azureO1: JSON.parse(JSON.stringify(error))
})

const httpOf = ({ requestId, status }: O1Error): Context | undefined =>
  status === undefined
    ? undefined
    : { response: { status, headers: requestId === undefined ? {} : { "x-request-id": requestId } } }

const usageOf = ({ usage }: O1Error) => usage === undefined ? undefined : usageInfo(usage)

const usageInfo = ({ input, output }: Usage) => ({
  promptTokens: input,
  completionTokens: output,
  totalTokens: input + output
})

const authKinds = {
  "unauthorized": "InvalidKey",
  "forbidden": "InsufficientPermissions",
  "token-expired": "ExpiredKey",
  "credential": "Unknown"
} as const

const network = (error: O1Error, message = error.message): AiError.NetworkError =>
  new AiError.NetworkError({
    reason: "TransportError",
    method: "POST",
    // neither the client nor its errors know the address, which a transport of your own need not have
    url: `azure-o1:${error.deployment ?? ""}`,
    description: message,
    cause: error
  })

const reasonOf = (error: O1Error): AiError.AiErrorReason => {
  const description = error.message
  const metadata = metadataOf(error)
  const common = { metadata, http: httpOf(error) }
  const invalid = (parameter?: string) => new AiError.InvalidRequestError({ parameter, description, ...common })
  const internal = () => new AiError.InternalProviderError({ description, ...common })
  const limited = (retryAfter: AiError.RateLimitError["retryAfter"]) =>
    new AiError.RateLimitError({ retryAfter, ...common })
  switch (error._tag) {
    case "O1RateLimitError":
      if (error.kind === "quota") return new AiError.QuotaExhaustedError(common)
      return error.kind === "request-exceeds-limit" ? invalid("maxCompletionTokens") : limited(error.retryAfter)
    case "O1TimeoutError":
      return error.kind === "service" || error.kind === "gateway" ? internal() : network(error)
    case "O1ConnectionError":
      return network(error)
    case "O1ServerError":
      return error.kind === "not-implemented" ? invalid() : internal()
    case "O1RequestError":
      return error.kind === "cancelled"
        ? new AiError.UnknownError({ description, metadata })
        : invalid(error.param)
    case "O1DeploymentError":
      return invalid("deployment")
    case "O1AuthError":
      return new AiError.AuthenticationError({ kind: authKinds[error.kind], description, ...common })
    case "O1ContentFilterError":
    case "O1RefusalError":
      return new AiError.ContentPolicyError({ description, ...common })
    case "O1ProtocolError":
      return error.kind === "truncated"
        ? network(error)
        : new AiError.InvalidResponseError({ description, ...common })
    case "O1OutputLimitError":
      return error.kind === "cut-off"
        ? new AiError.StructuredOutputError({
          description,
          responseText: error.partialText,
          metadata,
          usage: usageOf(error)
        })
        : new AiError.InvalidOutputError({ description, metadata, usage: usageOf(error) })
    case "O1RejectedError":
      // a circuit is open because the service fails, and the others because of this process
      return error.kind === "circuit-open" ? internal() : limited(error.retryAfter)
  }
}

/** The error as `effect/ai` tells it, with the original as the cause of its reason. */
export const toAiError = (method: Method) => (error: O1Error): AiError.AiError => {
  const reason = reasonOf(error)
  Object.defineProperty(reason, "cause", { value: error, configurable: true, writable: true })
  return AiError.make({ module: "AzureO1LanguageModel", method, reason })
}

/** The error of the client that stands behind one of `effect/ai`. */
export const toO1Error = ({ reason }: AiError.AiError): O1Error | undefined =>
  O1Error.is(reason.cause) ? reason.cause : undefined

/** A mistake of the program: no model was asked. */
export const badInput = (method: Method, description: string): AiError.AiError =>
  AiError.make({
    module: "AzureO1LanguageModel",
    method,
    reason: new AiError.InvalidUserInputError({ description })
  })

export const reasonError = (method: Method, reason: AiError.AiErrorReason): AiError.AiError =>
  AiError.make({ module: "AzureO1LanguageModel", method, reason })
