import type { O1Error, O1TimeoutError } from "../O1Error.ts"

/**
 * What follows when something takes too long, or a question has failed. Everything that can be silent is decided here, by functions
 * of what is known and the time; times are milliseconds of one monotonic clock. One call has one `Route` per deployment that it
 * asks, so that nothing of one member is carried to the next.
 *
 * **An attempt that is not kept**: {@link Silence} is what was heard and said of it, {@link due} when it has been silent for too
 * long, {@link after} what an attempt that failed means for the next one.
 *
 * | what is known of the attempt                       | clock                        | ends it as   |
 * | -------------------------------------------------- | ---------------------------- | ------------ |
 * | nothing said yet                                   | `attempt`, from the start    | `attempt`    |
 * | nothing said yet, `clocks.first`                   | `first`, from the request    | `first`      |
 * | no headers yet, `clocks.headers`                   | `headers`, from the request  | `headers`    |
 * | headers, and no byte yet, `clocks.firstByte`       | `firstByte`, from there      | `first-byte` |
 * | a byte                                             | `byteIdle`, from it          | `byte-idle`  |
 * | a piece of the answer                              | `idle`, from it              | `idle`       |
 * | a piece of reasoning or commentary                 | the longer of both, from it  | `idle`       |
 * | the service keeps it                               | none                         |              |
 *
 * | the attempt failed with                            | the next one                 | at the circuit breaker            |
 * | -------------------------------------------------- | ---------------------------- | --------------------------------- |
 * | a clock of ours, 408, 504 after more than 10 s     | background, twice the time   | nothing: this prompt is long      |
 * | 504 at once                                        | background, twice the time   | a failure of the service          |
 * | `connect`, everything else                         | as before                    | as its fault says                 |
 *
 * Without a background, what streamed before streams with twice the time.
 *
 * **A response that the service keeps**: `Reading` is how it was asked for so far, `read` in `reading` what follows. It ends with
 * its own last state, with the whole call, or after `fruitless` questions in a row.
 *
 * | heard                                              | counts       | next                                                     |
 * | -------------------------------------------------- | ------------ | -------------------------------------------------------- |
 * | a connection broke or was silent, after new events | from zero    | a stream from the last event on                          |
 * | it was silent, and brought no new event            | from zero    | polls                                                    |
 * | it broke, and brought no new event                 | from zero    | a stream after a pause; the fifth time in a row, polls   |
 * | events have no numbers                             |              | polls                                                    |
 * | a poll: not ended yet                              | from zero    | a poll after the usual pause                             |
 * | 429                                                | from zero    | the same question after the pause that was asked for     |
 * | 404, for up to a minute                            | nothing      | the same question after a growing pause                  |
 * | 404 after that, refused, reset, late, 5xx, no JSON | one more     | the same question; the third stream in a row, polls      |
 * | a stream that is refused (4xx)                     | from zero    | polls                                                    |
 * | a poll that is refused (400, 401, 403, TLS)        |              | the end                                                  |
 * | 404 where another deployment may have it           |              | the end, here                                            |
 *
 * Whether another member of a pool is asked is decided by `pool/verdict`, from the same errors. `stop` decides how a response is cancelled, {@link leaving} whether it is.
 */
export interface Route {
  /** How many attempts have shown that this request takes long here. */
  readonly slow: number
}

/** Nothing is known yet. */
export const unknown: Route = { slow: 0 }

const isTimeout = (error: O1Error): error is O1TimeoutError => error._tag === "O1TimeoutError"

/** Whether a failure says that the request takes long, and not that the deployment cannot be reached or the caller's time is up. */
export const isSlow = (error: O1Error): boolean =>
  isTimeout(error) && error.kind !== "connect" && error.kind !== "total"

/** What an attempt that failed means for the next one at this deployment. */
export const after = (route: Route, error: O1Error): Route => isSlow(error) ? { slow: route.slow + 1 } : route

/** How many times the first limit the next attempt may take. */
export const stretch = ({ slow }: Route): number => 2 ** slow

/** Whether the next attempt is made where silence does no harm, if the deployment has such a way. */
export const avoidsSilence = ({ slow }: Route): boolean => slow > 0

/** A gateway that gives up sooner than this was not waiting for a long answer. */
const quick = 10_000

/** Whether a failure of an attempt that took so long tells of the prompt, and nothing of the service. */
export const isOfThePrompt = (error: O1Error, elapsed: number): boolean =>
  isTimeout(error) && error.kind !== "connect" && (error.kind !== "gateway" || elapsed > quick)

/** The longest silence on a connection: of a stream that lives with it, and of one that can be had again. Milliseconds. */
export const longestSilence = { stream: 120_000, kept: 60_000 } as const

/** The limits of the phases of an attempt; `Infinity` where there is none. */
export interface Limits {
  readonly attempt: number
  readonly idle: number
  readonly headers: number
  readonly first: number
  readonly firstByte: number
  readonly byteIdle: number
}

/** The signs of life of an attempt so far. */
export interface Silence {
  readonly startedAt: number
  /** The request for a stream went out; `undefined` where something in one piece was asked for. */
  readonly sent: number | undefined
  /** The headers of a stream came. */
  readonly opened: number | undefined
  /** The last byte of it, comments included. */
  readonly heard: number | undefined
  /** The last piece of content. */
  readonly said: number | undefined
  /** That piece was no part of the answer: the model may go on to think for as long as it takes. */
  readonly thinking: boolean
  /** The service makes the response whether anybody listens or not. */
  readonly kept: boolean
}

/** When an attempt has been silent for too long, and which of its clocks says so. */
export interface Due {
  readonly at: number
  readonly kind: "attempt" | "headers" | "first" | "first-byte" | "byte-idle" | "idle"
  readonly limit: number
}

/** No clock runs. */
export const never: Due = { at: Infinity, kind: "attempt", limit: Infinity }

/** Kinds of content that are not yet the answer. */
const thoughts: ReadonlySet<string> = new Set(["ReasoningDelta", "CommentaryDelta"])

/** Whether what was said is no part of the answer. */
export const isThought = (tag: string): boolean => thoughts.has(tag)

/** When an attempt has been silent for too long, by what is known now. */
export const due = ({ heard, kept, opened, said, sent, startedAt, thinking }: Silence, limits: Limits): Due => {
  if (kept) return never
  let soonest = never
  const consider = (kind: Due["kind"], from: number, limit: number): void => {
    if (from + limit < soonest.at) soonest = { at: from + limit, kind, limit }
  }
  // where both are silent for as long, it is the connection
  if (heard !== undefined) consider("byte-idle", heard, limits.byteIdle)
  else if (opened !== undefined) consider("first-byte", opened, limits.firstByte)
  else if (sent !== undefined) consider("headers", sent, limits.headers)
  if (said === undefined) {
    consider("attempt", startedAt, limits.attempt)
    if (sent !== undefined) consider("first", sent, limits.first)
  } else consider("idle", said, thinking ? Math.max(limits.idle, limits.attempt) : limits.idle)
  return soonest
}

/** Whether a response that is still being made is left to go on, by how the call ends and by what its caller wants. */
export const leaving = (how: "left" | "failed", onLeave: "cancel" | "keep" | undefined): "cancel" | "keep" =>
  onLeave ?? (how === "failed" ? "keep" : "cancel")
