import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

const millisHeaders = ["retry-after-ms", "x-ms-retry-after-ms"]
const millisPer: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const units = "(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
const part = new RegExp(`(\\d+(?:\\.\\d+)?)\\s*${units}(?![a-z])`, "gi")

/** "Please retry after 20 seconds", "try again in 634ms", "in 1m30.5s" or "in 1 hour and 5 minutes". */
const inWords = new RegExp(
  `(?:retry|try again)\\s+(?:after|in)\\s+((?:\\d+(?:\\.\\d+)?\\s*${units}(?![a-z])(?:,|\\s|and\\s)*)+)`,
  "i"
)

/** "Quota will be replenished in 01:23:45", as API Management says. */
const onAClock = /\bin (?:(\d+)\.)?(\d\d):(\d\d):(\d\d)\b/i

const millisIn = (message: string): number | undefined => {
  const words = inWords.exec(message)
  if (words !== null) {
    return Array.from(words[1]!.matchAll(part)).reduce((sum, [, amount, unit]) => {
      const name = unit!.toLowerCase()
      return sum + Number(amount) * millisPer[/^(ms|mil)/.test(name) ? "ms" : name[0]!]!
    }, 0)
  }
  const clock = onAClock.exec(message)
  if (clock === null) return undefined
  const [days, hours, minutes, seconds] = clock.slice(1).map((digits: string | undefined) => Number(digits ?? 0))
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000
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
  const millis = millisIn(message ?? "")
  return millis === undefined ? undefined : Duration.millis(millis)
}
