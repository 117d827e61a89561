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
import { isPolicy, quotaCodes, statusOfTold } from "./codes.ts"
import { resetIn, retryAfter } from "./hints.ts"
import * as json from "./json.ts"
import { type Origin, origin, shown } from "./origin.ts"
import { tell, type Told } from "./told.ts"
import { clean } from "./words.ts"

export { fromBug, fromCause } from "./causes.ts"
export { origin } from "./origin.ts"
export { isErrorBody } from "./told.ts"

/** An answer that is not what was asked for, in whatever form. */
export interface Failure extends Origin {
  /** the body as text */
  readonly body: string
}

const filterResult = (error: unknown): unknown =>
  json.at(error, "innererror", "content_filter_result") ?? json.at(error, "inner_error", "content_filter_results") ??
    json.at(error, "content_filter_result") ?? json.at(error, "content_filter_results")

/** The categories that a filter's result names as filtered. */
export const filteredCategories = (result: unknown): ReadonlyArray<string> =>
  json.entries(result).filter(([, verdict]) => json.at(verdict, "filtered") === true).map(([category]) =>
    clean(category)
  )

const numberIn = (message: string, pattern: RegExp): number | undefined => {
  const digits = pattern.exec(message)?.[1]?.replaceAll(",", "")
  return digits === undefined ? undefined : Number(digits)
}

/** Older versions name the parameter in their words only. */
const inWords =
  /(?:unsupported (?:parameter|value)|unknown parameter|unrecognized request arguments? supplied): ['"]?([\w.]+)/i

const unsupportedCodes = new Set(["unsupported_parameter", "unsupported_value", "unknown_parameter"])
const contextCodes = new Set(["context_length_exceeded", "string_above_max_length"])

const isRetired = ({ code, message }: Told): boolean => /deprecated|retired/i.test(`${code} ${message}`)

const filtered = ({ code, error }: Told, details: Details): O1Error | undefined => {
  const offended = filteredCategories(filterResult(error))
  if (code === "content_filter" || code === "responsibleaipolicyviolation") {
    return new O1ContentFilterError({ kind: "prompt", categories: offended, ...details })
  }
  if (!isPolicy(code)) return undefined
  return new O1ContentFilterError({
    kind: "prompt",
    categories: offended.length > 0 ? offended : [clean(code)],
    ...details
  })
}

const badRequest = (told: Told, details: Details, from: Origin): O1Error => {
  const { code, message } = told
  const named = inWords.exec(message)?.[1]
  const about = told.param ?? named
  const param = about === undefined ? undefined : shown(from, about)
  if (contextCodes.has(code) || /maximum context length/i.test(message)) {
    return new O1RequestError({
      kind: "context-length",
      param,
      limit: numberIn(message, /(?:maximum context length is|limit of) ([\d,]+)/i),
      requested: numberIn(message, /resulted in ([\d,]+)/i) ?? numberIn(message, /requested ([\d,]+)/i),
      ...details
    })
  }
  if (isOfItem(told)) return new O1RequestError({ kind: "unknown-item", param, ...details })
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

const kindOf429 = ({ code, message, type }: Told, headers: Headers.Headers): O1RateLimitError["kind"] => {
  if (quotaCodes.has(code) || quotaCodes.has(type) || /exceeded your current quota|spending limit/i.test(message)) {
    return "quota"
  }
  const limit = numberIn(message, /limit:? ([\d,]+)/i)
  const requested = numberIn(message, /requested:? ([\d,]+)/i)
  if (limit !== undefined && requested !== undefined && requested > limit) return "request-exceeds-limit"
  if (/high demand|overloaded|peak load|capacity|flex_unavailable/i.test(`${code} ${message}`)) return "capacity"
  if (type === "tokens" || /token (?:rate )?limit|tokens per|\btpm\b/i.test(message)) return "tokens"
  if (type === "requests" || /request rate limit|call rate limit|requests per|\brpm\b/i.test(message)) return "requests"
  return share(headers, "tokens") < share(headers, "requests") ? "tokens" : "requests"
}

/** The limits are of a minute: after one there is something of it again, though it may not be whole. */
const longestReset = Duration.minutes(1)

const tooMany = (
  told: Told,
  hint: Duration.Duration | undefined,
  { headers, now }: Origin,
  details: Details
): O1RateLimitError => {
  const kind = kindOf429(told, headers)
  const reset = kind === "tokens" || kind === "requests" ? resetIn(headers, kind, now) : undefined
  const retryAfter = hint ?? (reset === undefined ? undefined : Duration.min(reset, longestReset))
  return new O1RateLimitError({ kind, retryAfter, ...details })
}

/** In whichever words a response that is asked for by its id is said not to be there. */
const isOfResponse = ({ code, message, param }: Told): boolean =>
  param === "response_id" || /response_?not_?found/.test(code) ||
  /\bresponse\b.*\b(not (be )?found|does not exist|doesn't exist|expired|deleted|no longer)|\b(no|unknown|find|retrieve|locate)\b.*\bresponse\b|\bresp_\w+.*\bnot\b/i
    .test(message)

const unknownItem =
  /\bitems? (with id )?['"`]?[\w-]+['"`]? not (be )?found|\bitem\b.*\bwithout its required\b|\bencrypted content\b.*\bnot\b/i

/** An item of an earlier answer that was made elsewhere, or is kept no more; and reasoning that was encrypted elsewhere. */
const isOfItem = ({ code, message }: Told): boolean => code === "invalid_encrypted_content" || unknownItem.test(message)

const notFound = (told: Told, details: Details): O1Error => {
  const { code, message } = told
  if (isRetired(told)) return new O1DeploymentError({ kind: "model-retired", ...details })
  const deployment = code === "deploymentnotfound" || code === "model_not_found" ||
    /deployment.*does not exist/i.test(message)
  if (!deployment && isOfItem(told)) return new O1RequestError({ kind: "unknown-item", ...details })
  if (!deployment && isOfResponse(told)) return new O1RequestError({ kind: "response-not-found", ...details })
  return new O1DeploymentError({ kind: deployment ? "deployment-not-found" : "endpoint-not-found", ...details })
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

/** The pause may be told beside the error: in the middle of a stream there are no headers any more. */
const hintOf = (failure: Failure, { error, message }: Told, throttled: boolean): Duration.Duration | undefined => {
  const beside = json.entries(json.at(error, "headers")).flatMap(([name, value]) =>
    typeof value === "string" ? [[name.toLowerCase(), value] as const] : []
  )
  return retryAfter(
    beside.length === 0 ? failure.headers : { ...failure.headers, ...Object.fromEntries(beside) },
    message,
    failure.now,
    throttled
  )
}

/** The error that an answer stands for. */
export const fromResponse = (failure: Failure): O1Error => {
  const { body, deployment, headers } = failure
  const told = tell(json.parse(body), body)
  // a 200 says nothing of the error inside it: then its words do
  const status = failure.status >= 300 ? failure.status : statusOfTold(told)
  const html = /^\s*</.test(told.message)
  const details: Details = {
    ...origin(failure),
    deployment,
    status: failure.status,
    said: html ? undefined : shown(failure, told.message) || undefined,
    shouldRetry: shouldRetry(headers)
  }
  const hint = hintOf(failure, told, status === 429)
  switch (status) {
    case 401:
      return new O1AuthError({ kind: /expired/i.test(told.message) ? "token-expired" : "unauthorized", ...details })
    case 403:
      if (!/quota/i.test(told.message)) {
        return filtered(told, details) ?? new O1AuthError({ kind: "forbidden", ...details })
      }
      return new O1RateLimitError({ kind: "quota", retryAfter: hint, ...details })
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
      return tooMany(told, hint, failure, details)
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
  if (status >= 400) return filtered(told, details) ?? badRequest(told, details, failure)
  if (status >= 300) {
    const detail = "it answered with a redirect, which is not followed, for the key would go along"
    return new O1DeploymentError({ kind: "endpoint-not-found", ...details, detail })
  }
  return new O1ProtocolError({ kind: "malformed", ...details })
}
