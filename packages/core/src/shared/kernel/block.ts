import type { Costs } from "../../kernel/rateLimiter.ts"

/** Of each limit, so much at most is taken ahead by all processes together. */
const largestShare = 0.05

/** Permits that were taken before anybody asked for them. */
export interface Lot {
  readonly amounts: Array<number>
  readonly marks: ReadonlyArray<number>
}

/**
 * Permits that a process takes ahead, for as long as `ahead` says, in milliseconds: as many as it has lately needed in that
 * time, and of each limit no more than its share of a twentieth.
 */
export class Block {
  readonly ahead: number
  private lot: Lot | undefined = undefined
  private until = -Infinity
  /** what was needed, of which the past fades */
  private needed: Array<number> = []
  private since = -Infinity
  private last: Costs = []

  constructor(ahead: number) {
    this.ahead = ahead
  }

  /** A call needs that much. */
  need(at: number, costs: Costs): void {
    const left = Math.exp((this.since - at) / this.ahead)
    this.since = at
    this.last = costs
    this.needed = costs.map((cost, i) => (this.needed[i] ?? 0) * left + cost)
  }

  /** How much to take ahead now, if there is any use in it. */
  wanted(capacities: Costs, processes: number): Costs | undefined {
    const wanted = this.needed.map((needed, i) =>
      Math.floor(Math.min(needed, capacities[i]! * largestShare / processes))
    )
    // less than another call would only be given back
    return wanted.length > 0 && wanted.every((amount, i) => amount >= this.last[i]!) ? wanted : undefined
  }

  /** Lets a call through that costs no more than is left. */
  take(at: number, costs: Costs): Lot["marks"] | undefined {
    const { lot } = this
    if (lot === undefined || at >= this.until || costs.some((cost, i) => cost > lot.amounts[i]!)) return undefined
    costs.forEach((cost, i) => lot.amounts[i]! -= cost)
    return lot.marks
  }

  /** A new lot replaces the old one, whose rest has to be given back. */
  put(at: number, lot: Lot): Lot | undefined {
    const rest = this.drop()
    this.lot = lot
    this.until = at + this.ahead
    return rest
  }

  /** The block is empty afterwards: its rest has to be given back. */
  drop(): Lot | undefined {
    const { lot } = this
    this.lot = undefined
    return lot?.amounts.some((amount) => amount > 0) ? lot : undefined
  }
}
