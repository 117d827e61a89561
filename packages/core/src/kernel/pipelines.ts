/** The times of a ready-made stack: what was not given follows from what was. In milliseconds. */

/** What somebody has said. A limit that varies says nothing here. */
export interface Given {
  readonly total: number | undefined
  readonly attempt: number | undefined
  /** the window of the circuit breaker's shortest rule, `Infinity` for one that is not of time */
  readonly window: number | undefined
  /** how long a call may wait for its turn inside the total */
  readonly wait: number
  /** when a hedge begins, and how many there may be; 0 in a stack without */
  readonly after: number | undefined
  readonly hedges: number
}

export interface Times {
  readonly total: number
  readonly attempt: number
  readonly window: number
  readonly after: number
}

const standard: Times = { total: 30_000, attempt: 10_000, window: 30_000, after: 2_000 }

/** A first attempt that times out leaves room for two more, as by default. */
const attempts = standard.total / standard.attempt

/** A part of a time in whole milliseconds, for a time to be read; at least one, but not more than the whole. */
const part = (millis: number, parts: number): number => Math.min(millis, Math.max(1, Math.floor(millis / parts)))

export const timesOf = (given: Given): Times => {
  const { hedges } = given
  const attempt = given.attempt ??
    Math.min(standard.attempt, part(given.total ?? Infinity, attempts), part(given.window ?? Infinity, 2))
  const total = given.total ??
    Math.max(standard.total, attempts * attempt, given.wait + attempt, (hedges + 1) * finite(given.after))
  return {
    total,
    attempt,
    // calls that time out one after the other have to be seen together
    window: given.window ?? Math.max(standard.window, 2 * attempt),
    // the last hedge has as much time as was between those before it, and begins before the attempt that it is for is over
    after: given.after ?? Math.min(standard.after, part(total, hedges + 1), part(attempt, 2))
  }
}

const finite = (millis: number | undefined): number => millis === undefined || millis === Infinity ? 0 : millis
