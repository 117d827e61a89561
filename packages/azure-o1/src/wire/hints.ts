import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

const millisHeaders = ["retry-after-ms", "x-ms-retry-after-ms"]
const inWords =
  /(?:retry|try again)\s+(?:after|in)\s+(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b/i

const millisPer = (unit: string): number => {
  if (unit.startsWith("ms") || unit.startsWith("mil")) return 1
  return unit.startsWith("m") ? 60_000 : 1000
}

const fromMillis = (value: string | undefined): Option.Option<number> => {
  const millis = value === undefined || value.trim() === "" ? Number.NaN : Number(value)
  return millis >= 0 && millis < Infinity ? Option.some(millis) : Option.none()
}

/**
 * The pause that the service asks for. In this order: `retry-after-ms`, `x-ms-retry-after-ms`, `Retry-After` in seconds or
 * as a date, the words of the message ("Please retry after 20 seconds", "try again in 634ms"). `now` in milliseconds since
 * the epoch.
 */
export const retryAfter = (
  headers: Headers.Headers,
  message: string | undefined,
  now: number
): Duration.Duration | undefined => {
  for (const name of millisHeaders) {
    const millis = fromMillis(headers[name])
    if (Option.isSome(millis)) return Duration.millis(millis.value)
  }
  const header = headers["retry-after"]
  if (header !== undefined) {
    const parsed = Headers.parseRetryAfter(header)
    if (Result.isSuccess(parsed)) return Headers.retryAfterDelay(parsed.success, now)
  }
  const words = inWords.exec(message ?? "")
  return words === null ? undefined : Duration.millis(Number(words[1]) * millisPer(words[2]!.toLowerCase()))
}
