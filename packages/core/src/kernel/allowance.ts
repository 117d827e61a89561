/**
 * How much of one dimension has been used, and when there is room for more. Times in milliseconds; the time of one call is
 * never before that of an earlier call.
 */
export interface Allowance {
  /** What an allowance that was never used has room for. */
  readonly capacity: number
  /** The time until there is room for `cost`: 0 when there is room now, `Infinity` when there never is. */
  wait(at: number, cost: number): number
  /** Uses `cost`, whether or not there is room. Gives a mark for {@link giveBack}. */
  take(at: number, cost: number): number
  /** Gives back a part of what was used under `mark`, as far as it still counts. */
  giveBack(at: number, mark: number, amount: number): void
  /** The room that there is now; less than nothing when more was used than there was room for. */
  available(at: number): number
  /** Takes on other numbers. Used permits stay used. */
  adopt(at: number, rule: Rule): void
  copy(): Allowance
}

export type Rule = SpacedRule | WindowRule

interface SpacedRule {
  readonly kind: "spaced"
  /** between two units */
  readonly interval: number
  /** units at once */
  readonly burst: number
}

interface WindowRule {
  readonly kind: "fixed-window" | "sliding-window"
  readonly limit: number
  readonly span: number
}

/** Sums of fractions are a little off, and a caller who waits for that little waits a whole millisecond. */
const instant = 1e-3
const tolerance = 1e-6

/** A wait in the whole milliseconds of a timer. It is not rounded to no wait at all: a timer would be set again for ever. */
export const wholeMillis = (wait: number): number => wait > 0 ? Math.max(1, Math.ceil(wait - instant)) : 0

/** Whether a turn comes in time. It is not rounded: who was let in for a wait in whole milliseconds would be late a moment later. */
export const isInTime = (turn: number, latest: number): boolean => turn <= latest + instant

const tidy = (amount: number): number => Math.round(amount * 1e6) / 1e6

/**
 * The generic cell rate algorithm in the form that ITU-T I.371 calls virtual scheduling, with costs. Its other form there,
 * the continuous-state leaky bucket, is the token bucket upside down: one state serves both.
 */
class Spaced implements Allowance {
  private interval: number
  private burst: number
  /** when everything that was used is paid for (the theoretical arrival time) */
  private paidBy = -Infinity

  constructor({ burst, interval }: SpacedRule) {
    this.interval = interval
    this.burst = burst
  }

  get capacity(): number {
    return this.burst
  }

  wait(at: number, cost: number): number {
    if (cost > this.burst) return Infinity
    const wait = Math.max(this.paidBy, at) - at + (cost - this.burst) * this.interval
    return wait > instant ? wait : 0
  }

  take(at: number, cost: number): number {
    return this.paidBy = Math.max(this.paidBy, at) + cost * this.interval
  }

  /** What time has paid for since is not given back as well: the room would be made twice. */
  giveBack(at: number, mark: number, amount: number): void {
    const owed = Math.min(mark, this.paidBy) - at
    if (owed > 0) this.paidBy -= Math.min(amount * this.interval, owed)
  }

  available(at: number): number {
    return tidy(this.burst - this.used(at))
  }

  private used(at: number): number {
    return Math.max(0, this.paidBy - at) / this.interval
  }

  adopt(at: number, rule: SpacedRule): void {
    const used = this.used(at)
    this.interval = rule.interval
    this.burst = rule.burst
    this.paidBy = at + used * rule.interval
  }

  copy(): Spaced {
    const copy = new Spaced({ kind: "spaced", interval: this.interval, burst: this.burst })
    copy.paidBy = this.paidBy
    return copy
  }
}

/** So much per window. A window opens with the first call after the last one has closed. */
class FixedWindow implements Allowance {
  private rule: WindowRule
  private openedAt = -Infinity
  private used = 0

  constructor(rule: WindowRule) {
    this.rule = rule
  }

  get capacity(): number {
    return this.rule.limit
  }

  wait(at: number, cost: number): number {
    if (cost > this.rule.limit) return Infinity
    return this.usedAt(at) + cost > this.rule.limit + tolerance ? this.openedAt + this.rule.span - at : 0
  }

  take(at: number, cost: number): number {
    this.used = this.usedAt(at) + cost
    if (this.closed(at)) this.openedAt = at
    return this.openedAt
  }

  giveBack(at: number, mark: number, amount: number): void {
    if (mark === this.openedAt && !this.closed(at)) this.used = Math.max(0, this.used - amount)
  }

  available(at: number): number {
    return tidy(this.rule.limit - this.usedAt(at))
  }

  private closed(at: number): boolean {
    return at - this.openedAt >= this.rule.span - instant
  }

  private usedAt(at: number): number {
    return this.closed(at) ? 0 : this.used
  }

  adopt(at: number, rule: WindowRule): void {
    // a longer window must not take in what an earlier one has closed over
    if (this.closed(at)) this.openedAt = -Infinity
    this.rule = rule
  }

  copy(): FixedWindow {
    const copy = new FixedWindow(this.rule)
    copy.openedAt = this.openedAt
    copy.used = this.used
    return copy
  }
}

interface Slice {
  readonly from: number
  /** the last call in it */
  to: number
  used: number
}

const slicesPerWindow = 100

/**
 * So much in any span. Calls are kept in slices of a hundredth of the span, and a slice counts until its last call is a
 * span ago: a call may count a hundredth longer than it should, and never less.
 */
class SlidingWindow implements Allowance {
  private rule: WindowRule
  private slices: Array<Slice> = []
  private used = 0

  constructor(rule: WindowRule) {
    this.rule = rule
  }

  get capacity(): number {
    return this.rule.limit
  }

  wait(at: number, cost: number): number {
    if (cost > this.rule.limit) return Infinity
    this.age(at)
    let over = this.used + cost - this.rule.limit
    let wait = 0
    for (const { to, used } of this.slices) {
      if (over <= tolerance) break
      over -= used
      wait = to + this.rule.span - at
    }
    return wait
  }

  take(at: number, cost: number): number {
    this.age(at)
    const last = this.slices.at(-1)
    if (last !== undefined && at - last.from < this.rule.span / slicesPerWindow) {
      last.to = at
      last.used += cost
    } else {
      this.slices.push({ from: at, to: at, used: cost })
    }
    this.used += cost
    return at
  }

  giveBack(at: number, mark: number, amount: number): void {
    this.age(at)
    const slice = this.slices.find(({ from, to }) => from <= mark && mark <= to)
    if (slice === undefined) return
    const back = Math.min(amount, slice.used)
    slice.used -= back
    this.used -= back
  }

  available(at: number): number {
    this.age(at)
    return tidy(this.rule.limit - this.used)
  }

  private age(at: number): void {
    const { slices } = this
    if (slices.length === 0 || !this.isOver(slices[0]!, at)) return
    while (slices.length > 0 && this.isOver(slices[0]!, at)) slices.shift()
    // summed up anew: what sums of fractions are off would otherwise grow with the number of calls
    this.used = slices.reduce((sum, { used }) => sum + used, 0)
  }

  private isOver({ to }: Slice, at: number): boolean {
    return at - to >= this.rule.span - instant
  }

  adopt(at: number, rule: WindowRule): void {
    this.age(at)
    this.rule = rule
  }

  copy(): SlidingWindow {
    const copy = new SlidingWindow(this.rule)
    copy.slices = this.slices.map((slice) => ({ ...slice }))
    copy.used = this.used
    return copy
  }
}

export const make = (rule: Rule): Allowance =>
  rule.kind === "spaced"
    ? new Spaced(rule)
    : rule.kind === "fixed-window"
    ? new FixedWindow(rule)
    : new SlidingWindow(rule)
