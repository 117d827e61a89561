import * as Duration from "effect/Duration"
import type * as Headers from "effect/http/Headers"

const millisPer: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const units = "(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
const part = new RegExp(`(\\d+(?:\\.\\d+)?)\\s*${units}(?![a-z])`, "gi")
const span = `(?:\\d+(?:\\.\\d+)?\\s*${units}(?![a-z])(?:,|\\s|and\\s)*)+`

/** "Please retry after 20 seconds", "try again in 634ms", "in 1m30.5s" or "in 1 hour and 5 minutes". */
const inWords = new RegExp(`(?:retry|try again)\\s+(?:after|in)\\s+(${span})`, "i")

/** "20ms", "6m0s" */
const spanOnly = new RegExp(`^${span}$`, "i")

/** "Quota will be replenished in 01:23:45", as API Management says. */
const onAClock = /\bin (?:(\d+)\.)?(\d\d):(\d\d):(\d\d)\b/i

const millisOfSpan = (words: string): number =>
  Array.from(words.matchAll(part)).reduce((sum, [, amount, unit]) => {
    const name = unit!.toLowerCase()
    return sum + Number(amount) * millisPer[/^(ms|mil)/.test(name) ? "ms" : name[0]!]!
  }, 0)

const millisInWords = (message: string): number | undefined => {
  const words = inWords.exec(message)
  if (words !== null) return millisOfSpan(words[1]!)
  const clock = onAClock.exec(message)
  if (clock === null) return undefined
  const [days, hours, minutes, seconds] = clock.slice(1).map((digits: string | undefined) => Number(digits ?? 0))
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000
}

/** The largest of the numbers; two answers of two gateways are joined by a comma. */
const numbers = (value: string): number | undefined => {
  const all = value.split(",").map((text) => text.trim())
  return all.every((text) => /^\d+(\.\d+)?$/.test(text)) ? Math.max(...all.map(Number)) : undefined
}

const httpDate = /^[A-Za-z]{3,9}, ?\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4} \d\d:\d\d:\d\d/

/** Seconds, or a date. A clock that differs from ours is made up for where the answer says when it was sent. */
const millisOfRetryAfter = (value: string, headers: Headers.Headers, now: number): number | undefined => {
  const seconds = numbers(value)
  if (seconds !== undefined) return seconds * 1000
  const until = httpDate.test(value.trim()) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(until)) return undefined
  const sent = Date.parse(headers["date"] ?? "")
  return until > now || Number.isNaN(sent) ? until - now : until - sent
}

const numbersOf = (value: string | undefined): number | undefined => value === undefined ? undefined : numbers(value)

/**
 * The pause that the service asks for. In this order: `retry-after-ms`, `x-ms-retry-after-ms`, `Retry-After` in seconds or
 * as a date, the words of the message ("Please retry after 20 seconds", "try again in 634ms"). Where `throttled`, a pause of
 * nothing, or one that has passed, says nothing: what is used up is not there again at once. `now` in milliseconds since the
 * epoch.
 */
export const retryAfter = (
  headers: Headers.Headers,
  message: string | undefined,
  now: number,
  throttled = false
): Duration.Duration | undefined => {
  const { "retry-after": after } = headers
  const hints = [
    numbersOf(headers["retry-after-ms"]),
    numbersOf(headers["x-ms-retry-after-ms"]),
    after === undefined ? undefined : millisOfRetryAfter(after, headers, now),
    millisInWords(message ?? "")
  ]
  const millis = hints.find((hint) => hint !== undefined && hint < Infinity && (!throttled || hint > 0))
  return millis === undefined ? undefined : Duration.millis(Math.max(0, millis))
}

/** A number of seconds beyond this is a date, in seconds since the epoch. */
const epoch = 1_000_000_000

/** When a limit is whole again: `10` (Azure), `20ms` or `6m0s` (OpenAI), seconds since the epoch (gateways). */
export const resetIn = (
  headers: Headers.Headers,
  dimension: "requests" | "tokens",
  now: number
): Duration.Duration | undefined => {
  const value = headers[`x-ratelimit-reset-${dimension}`]?.trim()
  if (value === undefined) return undefined
  const seconds = numbers(value) ?? (spanOnly.test(value) ? millisOfSpan(value) / 1000 : 0)
  const millis = seconds * 1000 - (seconds >= epoch ? now : 0)
  return millis > 0 && millis < Infinity ? Duration.millis(millis) : undefined
}
