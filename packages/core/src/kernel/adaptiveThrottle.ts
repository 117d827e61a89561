/** a window is kept in so many parts */
const parts = 20

const zeros = (): Array<number> => Array.from({ length: parts }, () => 0)

/** What of the calls that wanted to be made is turned away here. */
export interface Rules {
  /** how many calls are let through for each one that the callee has accepted: K of the SRE book, `1 / success threshold` of others */
  readonly factor: number
  /** the window, in milliseconds */
  readonly within: number
  /** with fewer calls in the window, all are let through */
  readonly minCalls: number
  /** at most this share is turned away, so that there are always some that find out */
  readonly maxRatio: number
}

/**
 * The share of calls to turn away, as in "Handling Overload" (Site Reliability Engineering, chapter 21): of `requests` that
 * wanted to be made, those that were turned away here among them, the callee has accepted `accepts`.
 */
export const ratioOf = (requests: number, accepts: number, { factor, maxRatio }: Pick<Rules, "factor" | "maxRatio">) =>
  Math.min(maxRatio, Math.max(0, (requests - factor * accepts) / (requests + 1)))

/** The part of the window in which a call was counted. */
export type Ticket = number

/**
 * Counts calls as they want to be made, and not when they have ended: else those that a slow callee keeps for long would be
 * missing, as in go-zero's issue 5011. Times in milliseconds on a monotonic clock; one before the latest counts as that.
 */
export class Throttle {
  rules: Rules
  requests = 0
  accepts = 0
  private readonly asked = zeros()
  private readonly accepted = zeros()
  private part = 0

  constructor(rules: Rules) {
    this.rules = rules
  }

  /** What would be turned away now. */
  ratio(at: number): number {
    this.age(at)
    return this.requests < this.rules.minCalls ? 0 : ratioOf(this.requests, this.accepts, this.rules)
  }

  /** Counts a call that wants to be made. Without a ticket it is turned away; `draw` is a number of [0, 1). */
  enter(at: number, draw: number): Ticket | undefined {
    const refused = draw < this.ratio(at)
    this.requests++
    this.asked[this.part % parts]!++
    return refused ? undefined : this.part
  }

  /** The callee has answered, and not that it is overloaded. */
  accept(at: number): void {
    this.age(at)
    this.accepts++
    this.accepted[this.part % parts]!++
  }

  /** The call was not made after all, or nobody knows how it would have ended. */
  withdraw(at: number, ticket: Ticket): void {
    this.age(at)
    // one that is forgotten is not there any more
    if (this.part - ticket >= parts) return
    this.requests--
    this.asked[ticket % parts]!--
  }

  private age(at: number): void {
    const part = Math.max(this.part, Math.floor(at / (this.rules.within / parts)))
    for (let gone = Math.min(part - this.part, parts); gone > 0; gone--) {
      const place = (part - gone + 1) % parts
      this.requests -= this.asked[place]!
      this.accepts -= this.accepted[place]!
      this.asked[place] = this.accepted[place] = 0
    }
    this.part = part
  }
}
