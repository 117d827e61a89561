import type { UnderWay } from "./underWay.ts"
import type { Span, Window } from "./window.ts"

/** A share of the calls in a window. */
interface Share {
  readonly ratio: number
  /** of calls in the window; a share of fewer says nothing */
  readonly minCalls: number
  readonly over: Span
}

/** What watches calls under way comes with the rule that needs it. */
export interface Slow extends Share {
  readonly kind: "slow-rate"
  /** in milliseconds: from then on a call is slow, answered or not */
  readonly after: number
  readonly watch: () => UnderWay
}

/** When a closed circuit opens. Every comparison is `>=`. */
export type Trip =
  | { readonly kind: "consecutive"; readonly failures: number }
  | { readonly kind: "failure-rate" } & Share
  | Slow

/** One rule or several: an array for one is what a process with a circuit per key would pay for thousands of times. */
export type Trips = Trip | ReadonlyArray<Trip>

export const tripsOf = (trips: Trips): ReadonlyArray<Trip> => Array.isArray(trips) ? trips : [trips as Trip]

export const slowOf = (trips: Trips): Slow | undefined => tripsOf(trips).find((trip) => trip.kind === "slow-rate")

const sameSpan = (a: Span, b: Span): boolean => a.calls === b.calls && a.millis === b.millis

/** A rule with what it has counted, and the gauges of the rules after it. */
export class Gauge {
  private readonly trip: Trip
  private readonly window: Window | undefined
  private readonly next: Gauge | undefined

  constructor(trip: Trip, window: Window | undefined, next: Gauge | undefined) {
    this.trip = trip
    this.window = window
    this.next = next
  }

  record(now: number, failed: boolean, slow: boolean): void {
    this.window?.record(now, failed, slow)
    this.next?.record(now, failed, slow)
  }

  /** Whether a rule is met, after so many failures in a row and with so many calls under way that are slow already. */
  met(consecutiveFailures: number, overdue: number): boolean {
    const { trip, window } = this
    if (trip.kind === "consecutive") {
      if (consecutiveFailures >= trip.failures) return true
    } else {
      const slow = trip.kind === "slow-rate"
      const calls = slow ? window!.calls + overdue : window!.calls
      const hits = slow ? window!.slow + overdue : window!.failures
      // a quotient is rounded to the number that a ratio is written as; a product may exceed it
      if (calls >= trip.minCalls && hits / calls >= trip.ratio) return true
    }
    return this.next !== undefined && this.next.met(consecutiveFailures, overdue)
  }

  age(now: number): void {
    this.window?.age(now)
    this.next?.age(now)
  }

  clear(): void {
    this.window?.clear()
    this.next?.clear()
  }

  /**
   * Whether a success has to be recorded with its time: for a window of time, and where it may be the call that makes the
   * failures before it enough to open the circuit, for then that is when the opening begins.
   */
  get timed(): boolean {
    return (this.trip.kind !== "consecutive" && this.trip.over.millis !== undefined) || this.noted ||
      (this.next !== undefined && this.next.timed)
  }

  /** Whether a window has anything but calls that went well. */
  get noted(): boolean {
    const { next, window } = this
    return (window !== undefined && (window.failures > 0 || window.slow > 0)) || (next !== undefined && next.noted)
  }

  /** The window of the first rule that has one: what a reader is shown. */
  get shown(): Window | undefined {
    return this.window ?? this.next?.shown
  }

  /** Takes the window of a rule over the same span away from the gauges, for other rules. */
  static keep(gauges: Array<Gauge>, over: Span): Window | undefined {
    const same = gauges.findIndex(({ trip }) => trip.kind !== "consecutive" && sameSpan(trip.over, over))
    return same < 0 ? undefined : gauges.splice(same, 1)[0]!.window
  }

  get all(): Array<Gauge> {
    return [this, ...this.next?.all ?? []]
  }
}

/** The gauges for some rules. What `previous` has counted over the same spans goes on. */
export const gauge = (trips: Trips, previous?: Gauge): Gauge => {
  const kept = previous?.all ?? []
  const windows = tripsOf(trips).map((trip) =>
    trip.kind === "consecutive" ? undefined : Gauge.keep(kept, trip.over) ?? trip.over.open()
  )
  const first = tripsOf(trips).reduceRight<Gauge | undefined>(
    (next, trip, i) => new Gauge(trip, windows[i], next),
    undefined
  )
  return first! // there is a rule: options are checked when they are given
}
