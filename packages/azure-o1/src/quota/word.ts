import type { Cost, MinuteLimits } from "./cost.ts"
import { Line, never, type Own, type Renewal, type Told } from "./line.ts"

/** A call that was let through, and may be on its way to the service. */
export interface Sent {
  readonly cost: Cost
  readonly at: number
}

export type Dimension = "requests" | "tokens"

const minute = 60_000
/** How long requests are spaced evenly after the service was found to look at shorter spans. */
const evenFor = 600_000
/** How long a service of which nothing is known is given to say something, before another call goes there. */
const patience = 5_000

/** The service's word on a deployment: its limits, what all of its clients have left of them, and how it counts. */
export class Word {
  private readonly lines: { readonly [D in Dimension]: Line }
  /** The calls of the last minute, and those of them that have no answer yet. */
  private sentLately: Array<Sent> = []
  private readonly open = new Set<Sent>()
  private isEvenUntil = -Infinity
  /** Until when nobody else is let through, for the first is still unanswered; `undefined` once the service has said something. */
  private asking: number | undefined = -Infinity

  /** `keepsForOthers`: processes that share nothing with this one may use the limits too. */
  constructor(keepsForOthers: boolean) {
    this.lines = { requests: new Line(keepsForOthers), tokens: new Line(keepsForOthers) }
  }

  /** The limits that hold: the smaller of what is configured and what the service tells, which may lower them for hours. */
  limits(now: number, configured: MinuteLimits): MinuteLimits {
    return {
      requests: this.lines.requests.limitAt(now, configured.requests),
      tokens: this.lines.tokens.limitAt(now, configured.tokens)
    }
  }

  /** Whether requests are spaced evenly, for the service looks at spans of a second. */
  isEven(now: number): boolean {
    return now < this.isEvenUntil
  }

  /** How long a call of that cost has to wait by the service's word; `isKnown` where the limits are known without it. */
  wait(now: number, { requests, tokens }: Cost, isKnown: boolean): number {
    const first = this.asking === undefined || isKnown ? 0 : this.asking - now
    return Math.max(0, first, this.lines.requests.wait(now, requests), this.lines.tokens.wait(now, tokens))
  }

  /** The rest of a limit, for those who look. */
  rest(dimension: Dimension, now: number): number {
    return this.lines[dimension].rest(now)
  }

  /** A call is let through. */
  sent(sent: Sent): void {
    const first = this.sentLately.findIndex(({ at }) => sent.at - at <= minute)
    this.sentLately.splice(0, first === -1 ? this.sentLately.length : first)
    for (const old of this.open) {
      if (sent.at - old.at <= minute) break
      this.open.delete(old)
    }
    this.sentLately.push(sent)
    this.open.add(sent)
    if (this.asking !== undefined) this.asking = sent.at + patience
    for (const dimension of dimensions) this.lines[dimension].charge(sent.at, sent.cost[dimension])
  }

  /** A call that was let through never went out. */
  unsent(sent: Sent): void {
    this.sentLately = this.sentLately.filter((other) => other !== sent)
    for (const dimension of dimensions) this.lines[dimension].refund(sent.cost[dimension])
    this.unanswered(sent)
  }

  /** A call that went out brought no answer. */
  unanswered(sent: Sent): void {
    this.open.delete(sent)
    if (this.asking !== undefined) this.asking = -Infinity
  }

  /** When the service counts all of its limits anew. */
  renewal(now: number): Renewal {
    const all = dimensions.flatMap((dimension) => this.lines[dimension].renewal(now) ?? [])
    if (all.length === 0) return never
    const next = all.map((one) => one.next).filter((next) => next < Infinity)
    return {
      before: Math.min(...all.map(({ before }) => before)),
      next: next.length === 0 ? Infinity : Math.max(...next)
    }
  }

  /** How many requests were let through since then, at most a minute ago. */
  requestsSince(from: number): number {
    return this.own("requests").since(from)
  }

  private own(dimension: Dimension): Own {
    const since = (from: number, counts: (sent: Sent) => boolean): number => {
      let sum = 0
      for (let i = this.sentLately.length - 1; i >= 0 && this.sentLately[i]!.at >= from; i--) {
        const sent = this.sentLately[i]!
        if (counts(sent)) sum += sent.cost[dimension]
      }
      return sum
    }
    return {
      since: (from) => since(from, () => true),
      openSince: (from) => since(from, (sent) => this.open.has(sent))
    }
  }

  /** The headers of an answer. */
  heard(now: number, sent: Sent, told: { readonly [D in Dimension]: Told }): void {
    this.open.delete(sent)
    this.asking = undefined
    for (const dimension of dimensions) {
      this.lines[dimension].heard(now, sent.at, told[dimension], this.own(dimension))
    }
  }

  /** The service has refused a call for having had too many, and said how long that lasts; `limits` are those that held. */
  refused(
    now: number,
    sent: Sent,
    { dimension, limits, retryAfter }: {
      readonly dimension: Dimension
      readonly retryAfter: number | undefined
      readonly limits: MinuteLimits
    }
  ): void {
    this.open.delete(sent)
    this.asking = undefined
    const line = this.lines[dimension]
    // there are requests left of the minute, so that a shorter span has had too many
    const rest = line.rest(now)
    if (dimension === "requests" && rest > 0 && rest < Infinity) this.isEvenUntil = now + evenFor
    line.refused(now, retryAfter, limits[dimension])
  }
}

const dimensions = ["requests", "tokens"] as const
