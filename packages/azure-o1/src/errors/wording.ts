import * as Duration from "effect/Duration"
import type { O1Completion } from "../O1Completion.ts"
import type { Details } from "./details.ts"

const sentence = (text: string): string => /[.!?…]["')]?$/.test(text) ? text : `${text}.`

/** `340 ms`, `12.4 s`, `4m 13s`: as exact as somebody reads it. */
const span = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  if (millis < 1000) return `${Math.round(millis)} ms`
  return millis < 60_000
    ? `${Number((millis / 1000).toFixed(1))} s`
    : Duration.format(Duration.seconds(Math.round(millis / 1000)))
}

/** How long all attempts and the waits between them took, if nobody has measured the whole. */
const lengthOf = ({ attempts = [] }: Details): Duration.Duration =>
  attempts.reduce(
    (sum, { delay, duration }) => Duration.sum(Duration.sum(sum, duration), delay ?? Duration.zero),
    Duration.zero
  )

const history = (error: Details): string => {
  const count = error.attempts?.length ?? 0
  return count < 2 ? "" : ` after ${count} attempts in ${span(error.elapsed ?? lengthOf(error))}`
}

/** What happened, what the service said of it, what to do, and how to tell support. */
export const messageOf = (error: Details, happened: string, next: string): string => {
  const { clientRequestId, completion, detail, partialText, requestId = clientRequestId, resume, said } = error
  return [
    sentence(`${happened}${history(error)}${detail ? `: ${detail.replaceAll(/\s*\n\s*/g, " ")}` : ""}`),
    ...said ? [sentence(`The service said: ${said}`)] : [],
    ...next === "" ? [] : [next],
    ...completion === undefined && partialText ? ["The text so far is in partialText."] : [],
    ...resume === undefined ? [] : ["The service keeps the answer: resume it with the token in resume."],
    ...requestId === undefined ? [] : [`(request ${requestId})`]
  ].join(" ")
}

/** So much of a text is written into a log. */
const longestText = 1000

const shortened = (text: string): string =>
  text.length <= longestText
    ? text
    : `${text.slice(0, longestText).replace(/[\uD800-\uDBFF]$/, "")}… (${text.length} characters)`

/** What an answer was and what it has cost; its text is in `partialText`. */
const summaryOf = ({ finishReason, id, model, usage }: O1Completion): object => ({ id, model, finishReason, usage })

const shown = (key: string, value: unknown): unknown => {
  if (Duration.isDuration(value)) return Duration.toMillis(value)
  if (typeof value === "string") return shortened(value)
  if (key === "completion") return summaryOf(value as O1Completion)
  if (key === "attempts") {
    return (value as NonNullable<Details["attempts"]>).map((attempt) =>
      Object.fromEntries(Object.entries(attempt).map(([name, value]) => [name, shown(name, value)]))
    )
  }
  return value
}

/** What a logger writes down: durations in milliseconds, long texts shortened, and nothing that has no value. */
export const toJson = (error: Details & { readonly _tag: string; readonly message: string }): object => {
  const { _tag, message } = error
  const fields = Object.entries(error).filter(([key, value]) => key !== "_tag" && value !== undefined && value !== "")
  return { _tag, message, ...Object.fromEntries(fields.map(([key, value]) => [key, shown(key, value)])) }
}
