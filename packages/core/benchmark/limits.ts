/** Settings that everyone gets, in milliseconds. */
export interface Limits {
  readonly attempt: number
  readonly total: number
  /** The first pause of an exponential backoff with three retries. */
  readonly backoff: number
  /** From then on a call is slow. */
  readonly slow: number
  /** Then another attempt begins beside the first. */
  readonly hedge: number
  readonly permits: number
  /** What may wait for a permit, where something may. */
  readonly queue: number
  readonly rate: { readonly calls: number; readonly per: number }
}

/** The limits that are measured: none is reached, not even by the calls in flight whose memory is measured. */
export const measured: Limits = {
  attempt: 60_000,
  total: 900_000,
  backoff: 1_000,
  slow: 10_000,
  hedge: 1_000,
  permits: 1_000_000,
  queue: 1_000,
  rate: { calls: 1_000_000_000, per: 1_000 }
}

/** For seeing that each limit does what its name says. */
export const quick: Limits = {
  attempt: 200,
  total: 1_000,
  backoff: 1,
  slow: 20,
  hedge: 20,
  permits: 1_000,
  queue: 1_000,
  rate: { calls: 1_000, per: 3_600_000 }
}

/** One call, and no more for the time being. */
export const exhausted: Limits = { ...quick, permits: 1, queue: 0, rate: { calls: 1, per: 3_600_000 } }

/** Of many calls at once all but a few wait. */
export const narrow: Limits = { ...measured, permits: 10 }

/** A circuit opens after failures in a row, or when half of the last calls, or of those in the last time, failed. */
export const trip = { failures: 5, ratio: 0.5, minimum: 20, calls: 100, within: 30_000 }

/** Longer than the benchmark, so that an open circuit stays open. */
export const openFor = 3_600_000
