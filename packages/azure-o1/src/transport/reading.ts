import * as Duration from "effect/Duration"
import type { O1Error } from "../O1Error.ts"

/** How a response that the service keeps was asked for so far. */
export interface Reading {
  readonly by: "stream" | "poll"
  /** Questions in a row that brought neither a byte nor a status. */
  readonly fruitless: number
  /** Connections in a row that brought no new event. */
  readonly barren: number
  /** Polls that were answered: the pause grows with them. */
  readonly polls: number
  /** Questions in a row that were not: the pause grows with them as well. */
  readonly failures: number
  /** When the first of the last 404s in a row came. */
  readonly unseenSince: number | undefined
}

/** A response that is going to be asked for. */
export const begun = (by: Reading["by"]): Reading => ({
  by,
  fruitless: 0,
  barren: 0,
  polls: 0,
  failures: 0,
  unseenSince: undefined
})

/** What came of asking for a response. */
export type Heard =
  /** The connection of a stream has ended, or is silent. `news`: with events that are new. `resumable`: they have numbers. */
  | { readonly _tag: "Broken"; readonly silent: boolean; readonly news: boolean; readonly resumable: boolean }
  /** A poll was answered: the response has not ended yet. */
  | { readonly _tag: "Pending" }
  /** A question was answered with an error, or not at all. */
  | { readonly _tag: "Failed"; readonly error: O1Error }

/** What follows: a question after a pause, or the end. */
export type Next =
  | { readonly _tag: "Ask"; readonly by: Reading["by"]; readonly pause: number }
  | { readonly _tag: "Fail"; readonly error: O1Error }

export interface Patience {
  /** Questions in a row that may be in vain. */
  readonly fruitless: number
  /** The usual pause between two polls, once there were a few. */
  readonly interval: number
  /** Whether it may be somewhere else, so that "not found" is an answer. */
  readonly elsewhere: boolean
}

/** How long a response that is not found may just not be there yet, in milliseconds. On Azure up to 33 seconds were seen. */
export const unseenFor = 60_000

/** Streams in a row that bring nothing new, before polls follow: broken ones, and questions for one. */
const mostBarren = 5
const mostStreams = 3

const shortestPause = 250
const longestPause = 8000

/** The pause before what has been asked so often in a row is asked again, in milliseconds. */
export const growing = (again: number, longest = longestPause): number => Math.min(longest, shortestPause * 2 ** again)

const notFoundKinds: ReadonlySet<string> = new Set([
  "response-not-found",
  "endpoint-not-found",
  "deployment-not-found",
  "model-retired"
])

/** Whether a question for a response says that it is not there, in whatever words. */
export const isUnseen = (error: O1Error): boolean =>
  error.status === 404 ||
  ((error._tag === "O1RequestError" || error._tag === "O1DeploymentError") && notFoundKinds.has(error.kind))

/** Whether a question was answered with a refusal that asking once more does not change. */
const isRefusal = (error: O1Error): boolean => {
  switch (error._tag) {
    case "O1ConnectionError":
      return error.kind === "tls" || error.kind === "unusable"
    case "O1RateLimitError":
    case "O1TimeoutError":
    case "O1ServerError":
    case "O1ProtocolError":
      return false
    default:
      return true
  }
}

/** The longest pause that a failure may ask for: what is kept is there, and to ask for it costs nothing. */
const longestHint = 60_000

const hintOf = (error: O1Error): number =>
  "retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : 0

/** What follows on what was heard, at `now`. */
export const read = (
  reading: Reading,
  heard: Heard,
  now: number,
  { elsewhere, fruitless: most, interval }: Patience
): readonly [Reading, Next] => {
  const ask = (next: Reading, pause: number): readonly [Reading, Next] => [next, { _tag: "Ask", by: next.by, pause }]
  const found: Reading = { ...reading, fruitless: 0, failures: 0, unseenSince: undefined }
  switch (heard._tag) {
    case "Broken": {
      const barren = heard.news ? 0 : reading.barren + 1
      const by = heard.resumable && barren < (heard.silent ? 1 : mostBarren) ? "stream" : "poll"
      return ask({ ...found, by, barren }, barren === 0 || by === "poll" ? 0 : growing(barren - 1))
    }
    case "Pending":
      return ask({ ...found, by: "poll", polls: reading.polls + 1 }, growing(reading.polls, interval))
    case "Failed": {
      const { error } = heard
      const failures = reading.failures + 1
      const pause = growing(reading.failures)
      if (error._tag === "O1RateLimitError") {
        return ask({ ...found, failures }, hintOf(error) || Math.max(interval, pause))
      }
      const unseenSince = isUnseen(error) ? reading.unseenSince ?? now : undefined
      if (elsewhere && unseenSince !== undefined) return [reading, { _tag: "Fail", error }]
      if (unseenSince !== undefined && now - unseenSince < unseenFor) {
        return ask({ ...reading, failures, unseenSince }, pause)
      }
      if (unseenSince === undefined && isRefusal(error)) {
        return reading.by === "stream"
          ? ask({ ...found, by: "poll" }, 0)
          : [reading, { _tag: "Fail", error }]
      }
      const fruitless = reading.fruitless + 1
      if (fruitless >= most) return [{ ...reading, fruitless }, { _tag: "Fail", error }]
      const by = fruitless >= mostStreams ? "poll" : reading.by
      return ask(
        { ...reading, by, fruitless, failures, unseenSince },
        Math.max(Math.min(hintOf(error), longestHint), pause)
      )
    }
  }
}

/** How often a response is told to stop, at most. */
const stops = 3

/** The longest pause before it is told once more. */
const longestStop = 10_000

/** Statuses that say that there is nothing to stop any more. */
const ended: ReadonlySet<number> = new Set([400, 409, 410])

/** What follows on the cancel number `tries`, from 1, that has failed: it has ended anyway, another one, or the end. */
export const stop = (error: O1Error, tries: number): "ended" | { readonly pause: number } | "given-up" => {
  if (ended.has(error.status ?? 0)) return "ended"
  if (tries >= stops) return "given-up"
  const pause = hintOf(error) || (isUnseen(error) ? 1000 : 500) * 2 ** (tries - 1)
  return { pause: Math.min(longestStop, pause) }
}
