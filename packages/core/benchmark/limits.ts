/** Settings that everyone gets, in milliseconds. */
export interface Limits {
  readonly attempt: number
  readonly total: number
  /** The first pause of an exponential backoff with three retries. */
  readonly backoff: number
}

/** What is measured: no limit is reached. */
export const measured: Limits = { attempt: 60_000, total: 900_000, backoff: 1_000 }

/** For seeing that each limit does what its name says. */
export const quick: Limits = { attempt: 100, total: 300, backoff: 1 }

/** A circuit opens after failures in a row, or when half of the last calls, or of those in the last time, failed. */
export const trip = { failures: 5, ratio: 0.5, minimum: 20, calls: 100, within: 30_000 }

/** Longer than the benchmark, so that an open circuit stays open. */
export const openFor = 3_600_000
