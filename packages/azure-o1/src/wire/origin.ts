import type * as Duration from "effect/Duration"
import type * as Headers from "effect/http/Headers"
import type { AnswerHeaders, RateLimit } from "../O1Completion.ts"
import { resetIn } from "./hints.ts"
import { clean } from "./words.ts"

/** Where an answer came from, for its completion and its errors. */
export interface Origin {
  readonly headers: Headers.Headers
  readonly status: number
  readonly deployment: string
  /** the id that this client gave the request */
  readonly clientRequestId?: string | undefined
  /** how many bytes an answer in one piece may have */
  readonly longestBody?: number | undefined
  /** milliseconds since the epoch */
  readonly now: number
  /** takes out what the service must not get us to repeat */
  readonly redact: (text: string) => string
}

type Source = Pick<Origin, "clientRequestId" | "headers" | "redact">

/** Words of the service as they may be shown. */
export const shown = ({ redact }: Pick<Origin, "redact">, words: string): string => clean(redact(words))

const header = (source: Source, name: string): string | undefined => {
  const value = source.headers[name]
  return value === undefined ? undefined : shown(source, value) || undefined
}

const requestIdHeaders = ["apim-request-id", "x-request-id", "x-ms-request-id", "x-ms-client-request-id"]

/** What every answer tells about where it came from. */
export const origin = (source: Source): {
  readonly requestId: string | undefined
  readonly clientRequestId: string | undefined
  readonly region: string | undefined
  readonly model: string | undefined
} => ({
  requestId: requestIdHeaders.map((name) => header(source, name)).find((id) => id !== undefined),
  clientRequestId: source.clientRequestId,
  region: header(source, "x-ms-region"),
  model: header(source, "x-ms-served-model")
})

/** A number of a limit. The Responses API says -1, and 0 of 0, where it does not know. */
const count = (headers: Headers.Headers, name: string): number | undefined => {
  const text = headers[name]?.trim()
  const value = text === undefined || text === "" ? Number.NaN : Number(text)
  return value >= 0 && value < Infinity ? value : undefined
}

const rateLimit = ({ headers, now }: Origin, dimension: "requests" | "tokens"): RateLimit => {
  const limit = count(headers, `x-ratelimit-limit-${dimension}`)
  const reset: Duration.Duration | undefined = resetIn(headers, dimension, now)
  return {
    limit: limit === 0 ? undefined : limit,
    remaining: limit === 0 ? undefined : count(headers, `x-ratelimit-remaining-${dimension}`),
    reset
  }
}

/** What the headers tell of the limits. */
export const rateLimitsOf = (from: Origin): AnswerHeaders["rateLimits"] => ({
  requests: rateLimit(from, "requests"),
  tokens: rateLimit(from, "tokens")
})

/** All that the headers of an answer tell. */
export const answerHeaders = (from: Origin): AnswerHeaders => {
  const { clientRequestId, model, region, requestId } = origin(from)
  return {
    requestId,
    clientRequestId: clientRequestId ?? header(from, "x-ms-client-request-id"),
    region,
    servedModel: model,
    rateLimits: rateLimitsOf(from)
  }
}
