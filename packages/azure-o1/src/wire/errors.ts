import * as Duration from "effect/Duration"
import type * as Headers from "effect/http/Headers"
import {
  type Details,
  O1AuthError,
  O1ConnectionError,
  O1ContentFilterError,
  O1DeploymentError,
  type O1Error,
  O1ProtocolError,
  O1RateLimitError,
  O1RequestError,
  O1ServerError,
  O1TimeoutError
} from "../O1Error.ts"
import { retryAfter } from "./hints.ts"
import * as json from "./json.ts"

/** An answer that is not what was asked for, in whatever form. */
export interface Failure {
  readonly status: number
  readonly headers: Headers.Headers
  /** the body as text */
  readonly body: string
  /** milliseconds since the epoch, for a pause given as a date */
  readonly now: number
  readonly deployment: string
  /** the id that this client gave the request */
  readonly clientRequestId?: string | undefined
  /** takes out what the service must not get us to repeat */
  readonly redact: (text: string) => string
}

/** What the many shapes of an error body have in common. */
interface Told {
  /** lower case, `""` if there is none */
  readonly code: string
  /** lower case, `""` if there is none */
  readonly type: string
  readonly param: string | undefined
  readonly message: string
  readonly status: number | undefined
  readonly error: unknown
}

/** What is kept of a message: enough to read, not a page of HTML. */
const longestDetail = 500

const lower = (value: unknown): string => (json.string(value) ?? json.number(value)?.toString() ?? "").toLowerCase()

/**
 * Reads `{error: {...}}`, `{error: "text"}`, the flat `{message, code}` of streams, `{statusCode, message}` of API Management,
 * and plain text.
 */
const tell = (body: unknown, text: string): Told => {
  const nested = json.at(body, "error")
  const error = typeof nested === "object" && nested !== null ? nested : body
  return {
    code: lower(json.at(error, "code")),
    type: lower(json.at(error, "type")),
    param: json.string(json.at(error, "param")),
    message: json.string(json.at(error, "message")) ?? json.string(nested) ?? (body === undefined ? text : ""),
    status: json.number(json.at(error, "status")) ?? json.number(json.at(body, "statusCode")),
    error
  }
}

/** Whether a body that came with a 200 is an error all the same. */
export const isErrorBody = (body: unknown): boolean => {
  const error = json.at(body, "error")
  return (error !== undefined && error !== null) || json.number(json.at(body, "statusCode")) !== undefined ||
    (json.string(json.at(body, "code")) !== undefined && json.string(json.at(body, "message")) !== undefined)
}

const statusOfCode: { readonly [code: string]: number } = {
  content_filter: 400,
  invalid_prompt: 400,
  invalid_request_error: 400,
  context_length_exceeded: 400,
  rate_limit_exceeded: 429,
  ratelimitreached: 429,
  too_many_requests: 429,
  insufficient_quota: 429,
  timeout: 408,
  deploymentnotfound: 404,
  unauthorized: 401,
  invalid_api_key: 401,
  permissiondenied: 401,
  service_unavailable: 503,
  overloaded: 503,
  vector_store_timeout: 408,
  bio_policy: 400,
  data_residency_mismatch: 400,
  misalignment_policy_violation: 400
}

/** A 200 says nothing of the error inside it: then its code does. */
const statusOf = (status: number, { code, status: told, type }: Told): number => {
  if (status >= 300) return status
  const numeric = Number(code)
  return told ?? (numeric >= 400 && numeric < 600 ? numeric : statusOfCode[code] ?? statusOfCode[type] ?? 500)
}

const filterResult = (error: unknown): unknown =>
  json.at(error, "innererror", "content_filter_result") ?? json.at(error, "inner_error", "content_filter_results") ??
    json.at(error, "content_filter_result") ?? json.at(error, "content_filter_results")

/** The categories that a filter's result names as filtered. */
export const filteredCategories = (result: unknown): ReadonlyArray<string> =>
  json.entries(result).filter(([, verdict]) => json.at(verdict, "filtered") === true).map(([category]) => category)

const numberIn = (message: string, pattern: RegExp): number | undefined => {
  const digits = pattern.exec(message)?.[1]?.replaceAll(",", "")
  return digits === undefined ? undefined : Number(digits)
}

/** Older versions name the parameter in their words only. */
const inWords =
  /(?:unsupported (?:parameter|value)|unknown parameter|unrecognized request arguments? supplied): ['"]?([\w.]+)/i

const unsupportedCodes = new Set(["unsupported_parameter", "unsupported_value", "unknown_parameter"])
const contextCodes = new Set(["context_length_exceeded", "string_above_max_length"])

/** Policies of the service, other than the content filter's, that a prompt can offend. */
const policyCodes = new Set(["bio_policy", "misalignment_policy_violation"])

const isRetired = ({ code, message }: Told): boolean => /deprecated|retired/i.test(`${code} ${message}`)

const badRequest = (told: Told, details: Details, redact: Failure["redact"]): O1Error => {
  const { code, error, message } = told
  const named = inWords.exec(message)?.[1]
  const about = told.param ?? named
  const param = about === undefined ? undefined : redact(about)
  if (code === "content_filter" || code === "responsibleaipolicyviolation") {
    return new O1ContentFilterError({ kind: "prompt", categories: filteredCategories(filterResult(error)), ...details })
  }
  if (policyCodes.has(code)) return new O1ContentFilterError({ kind: "prompt", categories: [code], ...details })
  if (contextCodes.has(code) || /maximum context length/i.test(message)) {
    return new O1RequestError({
      kind: "context-length",
      param,
      limit: numberIn(message, /(?:maximum context length is|limit of) ([\d,]+)/i),
      requested: numberIn(message, /resulted in ([\d,]+)/i) ?? numberIn(message, /requested ([\d,]+)/i),
      ...details
    })
  }
  if (code === "operationnotsupported") {
    return new O1RequestError({ kind: "operation-not-supported", param, ...details })
  }
  // that a parameter is deprecated is not that the model is
  if (param === undefined && isRetired(told)) return new O1DeploymentError({ kind: "model-retired", ...details })
  const unsupported = unsupportedCodes.has(code) || named !== undefined ||
    (param !== undefined && /not (supported|available)/i.test(message))
  if (!unsupported) return new O1RequestError({ kind: "invalid", param, ...details })
  return new O1RequestError({
    kind: param === "stream" ? "streaming-unsupported" : "unsupported-parameter",
    param,
    ...details
  })
}

const share = (headers: Headers.Headers, dimension: "requests" | "tokens"): number => {
  const limit = Number(headers[`x-ratelimit-limit-${dimension}`] ?? Number.NaN)
  const remaining = Number(headers[`x-ratelimit-remaining-${dimension}`] ?? Number.NaN)
  // -1 and 0 of 0 mean that nobody knows
  return limit > 0 && remaining >= 0 ? remaining / limit : 1
}

const tooMany = (
  { code, message, type }: Told,
  hint: Duration.Duration | undefined,
  headers: Headers.Headers,
  details: Details
): O1RateLimitError => {
  const kind = ((): O1RateLimitError["kind"] => {
    if (
      code === "insufficient_quota" || type === "insufficient_quota" ||
      /exceeded your current quota|spending limit/i.test(message)
    ) {
      return "quota"
    }
    const limit = numberIn(message, /limit:? ([\d,]+)/i)
    const requested = numberIn(message, /requested:? ([\d,]+)/i)
    if (/request too large/i.test(message) || (limit !== undefined && requested !== undefined && requested > limit)) {
      return "request-exceeds-limit"
    }
    // Azure names a whole day where the request can never fit into the minute
    if (hint !== undefined && Duration.toMillis(hint) >= Duration.toMillis("1 day")) return "request-exceeds-limit"
    if (/high demand|overloaded|peak load|capacity/i.test(`${code} ${message}`)) return "capacity"
    if (type === "tokens" || /token (?:rate )?limit|tokens per|\btpm\b/i.test(message)) return "tokens"
    if (type === "requests" || /request rate limit|call rate limit|requests per|\brpm\b/i.test(message)) {
      return "requests"
    }
    return share(headers, "tokens") < share(headers, "requests") ? "tokens" : "requests"
  })()
  return new O1RateLimitError({ kind, retryAfter: hint, ...details })
}

const notFound = (told: Told, details: Details): O1Error => {
  const { code, message } = told
  if (isRetired(told)) {
    return new O1DeploymentError({ kind: "model-retired", ...details })
  }
  if (/response.*not found|no response found/i.test(message)) {
    return new O1RequestError({ kind: "response-not-found", ...details })
  }
  const deployment = code === "deploymentnotfound" || code === "model_not_found" ||
    /deployment.*does not exist/i.test(message)
  return new O1DeploymentError({ kind: deployment ? "deployment-not-found" : "endpoint-not-found", ...details })
}

const requestIdHeaders = ["apim-request-id", "x-request-id", "x-ms-request-id", "x-ms-client-request-id"]

/** What every answer tells about where it came from. */
export const origin = (
  { clientRequestId, headers, redact }: Pick<Failure, "clientRequestId" | "headers" | "redact">
): {
  readonly requestId: string | undefined
  readonly clientRequestId: string | undefined
  readonly region: string | undefined
  readonly model: string | undefined
} => {
  const shown = (name: string): string | undefined => {
    const value = headers[name]
    return value === undefined ? undefined : redact(value)
  }
  return {
    requestId: requestIdHeaders.map(shown).find((id) => id !== undefined && id !== ""),
    clientRequestId,
    region: shown("x-ms-region"),
    model: shown("x-ms-served-model")
  }
}

const shouldRetry = (headers: Headers.Headers): boolean | undefined => {
  switch (headers["x-should-retry"]?.trim().toLowerCase()) {
    case "true":
      return true
    case "false":
      return false
    default:
      return undefined
  }
}

/** The error that an answer stands for. */
export const fromResponse = (failure: Failure): O1Error => {
  const { body, deployment, headers, now, redact } = failure
  const told = tell(json.parse(body), body)
  const status = statusOf(failure.status, told)
  const html = /^\s*</.test(told.message)
  const details: Details = {
    ...origin(failure),
    deployment,
    status: failure.status,
    said: html || told.message === "" ? undefined : redact(told.message).slice(0, longestDetail),
    shouldRetry: shouldRetry(headers)
  }
  const hint = retryAfter(headers, told.message, now)
  switch (status) {
    case 400:
      return badRequest(told, details, redact)
    case 401:
      return new O1AuthError({ kind: /expired/i.test(told.message) ? "token-expired" : "unauthorized", ...details })
    case 403:
      return /quota/i.test(told.message)
        ? new O1RateLimitError({ kind: "quota", retryAfter: hint, ...details })
        : new O1AuthError({ kind: "forbidden", ...details })
    case 404:
    case 410:
      return notFound(told, details)
    case 408:
      return new O1TimeoutError({ kind: "service", retryAfter: hint, ...details })
    case 409:
      return new O1ServerError({ kind: "conflict", retryAfter: hint, ...details })
    case 413:
      return new O1RequestError({ kind: "too-large", ...details })
    case 424:
      return new O1ServerError({ kind: "upstream", retryAfter: hint, ...details })
    case 429:
      return tooMany(told, hint, headers, details)
    case 499:
      return new O1ConnectionError({ kind: "client-closed", ...details })
    case 501:
    case 505:
      return new O1ServerError({ kind: "not-implemented", ...details })
    case 502:
    case 503:
      return new O1ServerError({ kind: "unavailable", retryAfter: hint, ...details })
    case 504:
      return new O1TimeoutError({ kind: "gateway", retryAfter: hint, ...details })
  }
  if (status >= 500) return new O1ServerError({ kind: "internal", retryAfter: hint, ...details })
  if (status >= 400) return badRequest(told, details, redact)
  if (status >= 300) {
    const detail = "It answered with a redirect, which is not followed: the key would go along."
    return new O1DeploymentError({ kind: "endpoint-not-found", ...details, detail })
  }
  return new O1ProtocolError({ kind: "malformed", ...details })
}

const connectionKinds: ReadonlyArray<readonly [RegExp, O1ConnectionError["kind"]]> = [
  [/^ECONNREFUSED$/, "refused"],
  [/^(ECONNRESET|EPIPE|ECONNABORTED)$/, "reset"],
  [/^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/, "dns"],
  [/^(ERR_TLS|CERT_|ERR_SSL|EPROTO)|_CERT|_SIGNATURE$|^SELF_SIGNED|^UNABLE_TO_(GET|VERIFY)/, "tls"]
]

const timeoutKinds: { readonly [code: string]: O1TimeoutError["kind"] } = {
  UND_ERR_CONNECT_TIMEOUT: "connect",
  ETIMEDOUT: "connect",
  UND_ERR_HEADERS_TIMEOUT: "headers",
  UND_ERR_BODY_TIMEOUT: "idle"
}

/** The platform's code, which may be some causes down. */
const codeOf = (cause: unknown, depth = 0): string | undefined => {
  if (depth > 5 || typeof cause !== "object" || cause === null) return undefined
  const code = json.string(json.at(cause, "code"))
  // UND_ERR_SOCKET stands for whatever happened to the socket, and its cause may say what
  if (code !== undefined && code !== "UND_ERR_SOCKET") return code
  return codeOf(json.at(cause, "cause"), depth + 1) ?? codeOf(json.at(cause, "errors", 0), depth + 1) ??
    codeOf(json.at(cause, "reason"), depth + 1) ?? code
}

/** What a client says that is closed, or that was asked for what it cannot do. */
const unusableCodes =
  /^(UND_ERR_(DESTROYED|CLOSED|INVALID_ARG|NOT_SUPPORTED)|ERR_INVALID_.*|ERR_HTTP_INVALID_.*|PROXY_.*)$/

/** What runtimes say of a network that fails, with an error of the kind that bugs have. */
const networkWords = /fetch|network|load failed|terminated|connection|sending request/i

/** An error that speaks of the program, and not of the network. */
const isBug = (cause: unknown): cause is Error =>
  (cause instanceof TypeError || cause instanceof ReferenceError || cause instanceof RangeError ||
    cause instanceof SyntaxError) && cause.cause === undefined && !networkWords.test(cause.message)

/** The error that a bug in the HTTP client stands for. */
export const fromBug = (cause: unknown, details: Details): O1Error =>
  new O1ConnectionError({
    kind: "unusable",
    code: codeOf(cause),
    reason: json.string(json.at(cause, "name")),
    ...details
  })

/**
 * The error that a failure of the connection stands for. Of the cause only the code, and the name of a bug, are kept: it holds the
 * request, and with it the key.
 */
export const fromCause = (cause: unknown, details: Details): O1Error => {
  const code = codeOf(cause)
  const timeout = code === undefined ? undefined : timeoutKinds[code]
  if (timeout !== undefined) return new O1TimeoutError({ kind: timeout, ...details })
  if (code === undefined ? isBug(cause) : unusableCodes.test(code)) {
    return fromBug(cause, details)
  }
  const kind = connectionKinds.find(([pattern]) => code !== undefined && pattern.test(code))?.[1] ?? "closed"
  return new O1ConnectionError({ kind, code, ...details })
}
