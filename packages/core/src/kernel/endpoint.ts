import { PeakEwma } from "./peakEwma.ts"
import { TimeWindow } from "./window.ts"

/** Whether an endpoint gets calls. */
export type Status = "available" | "warming" | "cooling" | "ejected"

/** What a user says of an endpoint. */
export interface Described<out E> {
  readonly endpoint: E
  readonly key: string
  /** the lowest number first */
  readonly priority: number
  readonly weight: number
  readonly local: boolean
}

/** How an endpoint comes back. Times in milliseconds. */
export interface Ramp {
  /** how long it takes until an endpoint has its whole weight again; 0 is at once */
  readonly slowStart: number
}

/** the least part of its weight that an endpoint has: Envoy's `min_weight_percent` */
const leastWeight = 0.1

/** The latency of an endpoint of which nothing is known while it owes its first answer (`PeakEwma` of Finagle), in milliseconds. */
const unknown = 1e9

/** No latency is taken for less, in milliseconds: a fraction of it decides nothing. */
const grain = 1

/** An endpoint with what is known of it. Times in milliseconds on a monotonic clock. */
export class Member<in out E> {
  described: Described<E>
  readonly latency: PeakEwma
  inFlight = 0
  /** in a row */
  failures = 0
  /** the calls of late, where their share of failures counts */
  readonly window: TimeWindow | undefined
  /** how often it was ejected, forgotten one after the other while it does well */
  ejections = 0
  ejectedUntil: number | undefined = undefined
  /** the end of its last ejection */
  returnedAt = 0
  coolUntil: number | undefined = undefined
  /** since when it is back */
  backSince = -Infinity
  /** counts ejections and returns: a call that began before says nothing of the endpoint now */
  generation = 0
  /** it is no longer in the set */
  gone = false

  constructor(
    described: Described<E>,
    { decay, within }: { readonly decay: number; readonly within: number | undefined }
  ) {
    this.described = described
    this.latency = new PeakEwma(decay)
    this.window = within === undefined ? undefined : new TimeWindow(within)
  }

  get mayBeUsed(): boolean {
    return this.ejectedUntil === undefined && this.coolUntil === undefined
  }

  /** After it has been looked at. */
  statusAt(now: number, ramp: Ramp): Status {
    if (this.ejectedUntil !== undefined) return "ejected"
    if (this.coolUntil !== undefined) return "cooling"
    return now - this.backSince < ramp.slowStart ? "warming" : "available"
  }

  /** What it counts for in a choice: an endpoint that comes back gets its calls little by little (Envoy's slow start). */
  weightAt(now: number, { slowStart }: Ramp): number {
    const since = now - this.backSince
    const { weight } = this.described
    return since >= slowStart ? weight : weight * Math.max(leastWeight, since / slowStart)
  }

  /** How long an answer takes there: what is not known of an endpoint that owes its first answer is as bad as can be. */
  costAt(now: number): number {
    return this.latency.known || this.inFlight === 0 ? this.latency.at(now) + grain : unknown
  }

  /** The calls in flight with one more, for a weight in terms of the mean one. */
  crowdAt(weight: number): number {
    return 1 + this.inFlight / weight
  }
}
