import type { Cost, MinuteLimits } from "./cost.ts"

/** What the service tells of one limit, with what it does not tell left out; `reset` in milliseconds. */
export interface Told {
  readonly limit: number | undefined
  readonly remaining: number | undefined
  readonly reset: number | undefined
}

/** A call that was let through, and may be on its way to the service. */
export interface Sent {
  readonly cost: Cost
  readonly at: number
}

export type Dimension = "requests" | "tokens"

const minute = 60_000
/** How long a word counts that does not say for how long: the longest of Azure's short windows. */
const unsaid = 10_000
/** The service has counted a request so soon after it was let through, whether or not its answer is here. */
const onItsWay = 2_000
/** An answer that came so much later than its request tells what was left then, not what is left now. */
const outdated = 10_000
/** How long requests are spaced evenly after the service was found to look at shorter spans. */
const evenFor = 600_000
/** How long a service of which nothing is known is given to say something, before another call goes there. */
const patience = 5_000

/** The rest of a limit by the service's last word, and until when that counts. */
interface Left {
  room: number
  until: number
}

/**
 * The service's word on its limits: which they are, and what all of its clients have left of them. It can only take away
 * from what this side counts, for a limit that is told to be whole again may be gone before a request comes there.
 *
 * Times in milliseconds on a clock that does not go back.
 */
export class Word {
  private readonly limits: { requests: number | undefined; tokens: number | undefined } = {
    requests: undefined,
    tokens: undefined
  }
  private readonly left: { [D in Dimension]: Left | undefined } = { requests: undefined, tokens: undefined }
  private readonly onTheWay = new Set<Sent>()
  private isEvenUntil = -Infinity
  /** Until when nobody else is let through, for the first is still unanswered; `undefined` once the service has said something. */
  private asking: number | undefined = -Infinity

  /** The limits by the service, which may be lower than those of its configuration. */
  get told(): MinuteLimits {
    return this.limits
  }

  /** Whether requests are spaced evenly, for the service looks at spans of a second. */
  isEven(now: number): boolean {
    return now < this.isEvenUntil
  }

  /** How long a call of that cost has to wait by the service's word; `isKnown` where the limits are known without it. */
  wait(now: number, cost: Cost, isKnown: boolean): number {
    const first = this.asking === undefined || isKnown ? 0 : this.asking - now
    return Math.max(0, first, this.waitFor("requests", now, cost), this.waitFor("tokens", now, cost))
  }

  private waitFor(dimension: Dimension, now: number, cost: Cost): number {
    const left = this.left[dimension]
    if (left === undefined) return 0
    if (left.until > now && left.until - now <= minute) return cost[dimension] > left.room ? left.until - now : 0
    this.left[dimension] = undefined
    return 0
  }

  /** What the service has left, where that is known; for those who look. */
  room(dimension: Dimension, now: number): number {
    const left = this.left[dimension]
    return left === undefined || left.until <= now ? Infinity : Math.max(0, left.room)
  }

  /** A call is let through. */
  sent(sent: Sent): void {
    for (const other of this.onTheWay) {
      if (sent.at - other.at > onItsWay) this.onTheWay.delete(other)
    }
    this.onTheWay.add(sent)
    if (this.asking !== undefined) this.asking = sent.at + patience
    for (const dimension of ["requests", "tokens"] as const) {
      const left = this.left[dimension]
      if (left !== undefined) left.room -= sent.cost[dimension]
    }
  }

  /** A call that was let through never went out. */
  unsent(sent: Sent): void {
    this.onTheWay.delete(sent)
    if (this.asking !== undefined) this.asking = -Infinity
    for (const dimension of ["requests", "tokens"] as const) {
      const left = this.left[dimension]
      if (left !== undefined) left.room += sent.cost[dimension]
    }
  }

  /** A call that went out brought no answer. */
  unanswered(sent: Sent): void {
    this.onTheWay.delete(sent)
    if (this.asking !== undefined) this.asking = -Infinity
  }

  /** The headers of an answer. */
  heard(now: number, sent: Sent, told: { readonly [D in Dimension]: Told }): void {
    this.onTheWay.delete(sent)
    this.asking = undefined
    for (const dimension of ["requests", "tokens"] as const) {
      const { limit, remaining, reset } = told[dimension]
      if (limit !== undefined) this.limits[dimension] = limit
      if (remaining === undefined || now - sent.at > outdated) continue
      let room = remaining
      for (const other of this.onTheWay) {
        if (now - other.at <= onItsWay) room -= other.cost[dimension]
      }
      this.left[dimension] = { room, until: now + Math.min(reset ?? unsaid, minute) }
    }
  }

  /** The service has refused a call for having had too many, and said how long that lasts. */
  refused(now: number, sent: Sent, dimension: Dimension, retryAfter: number | undefined): void {
    this.onTheWay.delete(sent)
    this.asking = undefined
    const left = this.left[dimension]
    // there were requests left of the minute, so that it was a shorter span that had too many
    if (dimension === "requests" && left !== undefined && left.until > now && left.room > 0) {
      this.isEvenUntil = now + evenFor
    }
    this.left[dimension] = { room: 0, until: now + Math.min(retryAfter || unsaid, minute) }
  }
}
