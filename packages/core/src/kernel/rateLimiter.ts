import { type Allowance, isInTime, type Rule } from "./allowance.ts"

/** What a call costs, by dimension. A dimension in which it costs nothing is not looked at. */
export type Costs = ReadonlyArray<number>

/** The permits that were taken for a call, so that a part of it can be given back. */
export interface Ticket {
  readonly costs: Costs
  readonly marks: ReadonlyArray<number>
}

/** A caller in the queue. */
export interface Waiting {
  readonly costs: Costs
  /** of how much it matters, 0 is the highest */
  readonly rank: number
  /** when it would rather be told no */
  readonly latest: number
  queued: boolean
  before: Waiting | undefined
  behind: Waiting | undefined
}

export interface Forecast {
  readonly wait: number
  /** the dimension that makes the caller wait */
  readonly dimension: number
}

/** The allowances as they will be when everybody in the queue has been let through. */
interface Plan {
  readonly allowances: ReadonlyArray<Allowance>
  readonly at: number
  readonly dimension: number
}

const after = ({ allowances, at, dimension }: Plan, costs: Costs): Forecast => {
  let wait = 0
  let blocking = dimension
  for (let i = 0; i < costs.length; i++) {
    const cost = costs[i]!
    const own = cost === 0 ? 0 : allowances[i]!.wait(at, cost)
    if (own > wait) {
      wait = own
      blocking = i
    }
  }
  return { wait, dimension: blocking }
}

/**
 * Several allowances that a call takes from at once or not at all, and those who wait for them, in order: the most critical first. Of
 * those that matter as much nobody overtakes: a call that would fit queues behind one that does not, or large costs would starve.
 * Those who wait have taken nothing, so who leaves the queue leaves no gap in it.
 */
export class Limiter<W extends Waiting> {
  allowances: ReadonlyArray<Allowance>
  first: W | undefined = undefined
  private last: W | undefined = undefined
  waiting = 0
  private plan: Plan | undefined = undefined
  private seen = -Infinity
  private setBack = 0

  constructor(allowances: ReadonlyArray<Allowance>) {
    this.allowances = allowances
  }

  /** The time by which everything here goes. It never goes back: for a clock that was set back, no time has passed. */
  time(now: number): number {
    if (now < this.seen) this.setBack += this.seen - now
    this.seen = now
    return now + this.setBack
  }

  /** Takes all costs if nobody waits and there is room for all of them. */
  take(at: number, costs: Costs, marks?: Array<number>): boolean {
    if (this.first !== undefined || !this.fits(at, costs)) return false
    this.charge(at, costs, marks)
    return true
  }

  private fits(at: number, costs: Costs): boolean {
    for (let i = 0; i < costs.length; i++) {
      const cost = costs[i]!
      if (cost !== 0 && this.allowances[i]!.wait(at, cost) > 0) return false
    }
    return true
  }

  private charge(at: number, costs: Costs, marks?: Array<number>): void {
    this.plan = undefined
    for (let i = 0; i < costs.length; i++) {
      const mark = costs[i] === 0 ? Number.NaN : this.allowances[i]!.take(at, costs[i]!)
      marks?.push(mark)
    }
  }

  /** How long a newcomer would wait, behind everybody who waits already and does not matter less. */
  forecast(at: number, costs: Costs, rank: number): Forecast {
    const plan = this.last !== undefined && this.last.rank > rank ? this.replan(at, () => true, rank) : this.planned(at)
    const { dimension, wait } = after(plan, costs)
    return { wait: Math.max(0, plan.at - at) + wait, dimension }
  }

  /** How long until the first in the queue can go. */
  next(at: number): number {
    return after({ at, allowances: this.allowances, dimension: 0 }, this.first!.costs).wait
  }

  /** Whether others wait longer now, some of them perhaps for too long. */
  enqueue(at: number, waiting: W): boolean {
    let before: Waiting | undefined = this.last
    while (before !== undefined && before.rank > waiting.rank) before = before.before
    const behind = before === undefined ? this.first : before.behind
    waiting.before = before
    waiting.behind = behind
    // only this class links them, and it links those of its own kind
    if (before === undefined) this.first = waiting
    else before.behind = waiting
    if (behind === undefined) this.last = waiting
    else behind.before = waiting
    waiting.queued = true
    this.waiting++
    if (behind !== undefined) {
      this.plan = undefined
      return true
    }
    if (this.plan !== undefined) this.plan = this.withWaiting(this.plan, waiting, after(this.plan, waiting.costs))
    else this.planned(at)
    return false
  }

  /** Whether a newcomer of this rank finds no place, of so many. */
  isFull(maxQueue: number, rank: number): boolean {
    return this.waiting >= maxQueue && !(this.last !== undefined && this.last.rank > rank)
  }

  /** Whether a newcomer goes at once: it comes before everybody who waits, and there is room for it. */
  goesAtOnce(at: number, { costs, rank }: W): boolean {
    return (this.first === undefined || this.first.rank > rank) && this.fits(at, costs)
  }

  /** Takes the last one out of the queue, if it matters less than a newcomer of this rank. */
  displace(rank: number): W | undefined {
    const { last } = this
    if (last === undefined || last.rank <= rank) return undefined
    this.remove(last)
    return last
  }

  /** Lets the first in the queue through, for which there has to be room. */
  shift(at: number, marks: Array<number>): void {
    const { costs } = this.first!
    this.remove(this.first!)
    this.charge(at, costs, marks)
  }

  /** Somebody leaves the queue; one who is not in it any more may say so as well. */
  remove(waiting: W): void {
    if (!waiting.queued) return
    waiting.queued = false
    const { before, behind } = waiting
    // as above
    if (before === undefined) this.first = behind as W | undefined
    else before.behind = behind
    if (behind === undefined) this.last = before as W | undefined
    else behind.before = before
    waiting.before = waiting.behind = undefined
    this.waiting--
    this.plan = undefined
  }

  /** Gives back all that was taken, as far as it still counts. */
  refund(at: number, { costs, marks }: Ticket): void {
    this.plan = undefined
    costs.forEach((cost, i) => {
      if (cost !== 0) this.allowances[i]!.giveBack(at, marks[i]!, cost)
    })
  }

  /** Gives back or takes the difference between what was charged and what it should have been. */
  settle(at: number, { costs, marks }: Ticket, actual: Costs): void {
    this.plan = undefined
    costs.forEach((cost, i) => {
      const difference = cost - actual[i]!
      if (difference > 0) this.allowances[i]!.giveBack(at, marks[i]!, difference)
      else if (difference < 0) this.allowances[i]!.take(at, -difference)
    })
  }

  adopt(at: number, dimension: number, rule: Rule): void {
    this.plan = undefined
    this.allowances[dimension]!.adopt(at, rule)
  }

  /** From now on others say how much is used. */
  replace(allowances: ReadonlyArray<Allowance>): void {
    this.plan = undefined
    this.allowances = allowances
  }

  /** For when there is less room than there was: takes those out of the queue whose turn now comes too late. */
  overdue(at: number): ReadonlyArray<{ readonly waiting: W; readonly forecast: Forecast }> {
    const overdue: Array<{ readonly waiting: W; readonly forecast: Forecast }> = []
    this.replan(at, (waiting, forecast) => {
      if (forecast.wait < Infinity && isInTime(at + forecast.wait, waiting.latest)) return true
      overdue.push({ waiting, forecast })
      return false
    })
    for (const { waiting } of overdue) this.remove(waiting)
    return overdue
  }

  private planned(at: number): Plan {
    if (this.first === undefined) return { allowances: this.allowances, at, dimension: 0 }
    return this.plan ??= this.replan(at, () => true)
  }

  private replan(at: number, stays: (waiting: W, forecast: Forecast) => boolean, rank = Infinity): Plan {
    let plan: Plan = { allowances: this.allowances.map((allowance) => allowance.copy()), at, dimension: 0 }
    for (let waiting = this.first; waiting !== undefined; waiting = waiting.behind as W | undefined) {
      if (waiting.rank > rank) break
      const own = after(plan, waiting.costs)
      if (stays(waiting, { wait: Math.max(0, plan.at - at) + own.wait, dimension: own.dimension })) {
        plan = this.withWaiting(plan, waiting, own)
      }
    }
    return plan
  }

  /** The plan owns its allowances, so they are advanced in place. */
  private withWaiting({ allowances, at }: Plan, { costs }: W, { dimension, wait }: Forecast): Plan {
    costs.forEach((cost, i) => {
      if (cost !== 0) allowances[i]!.take(at + wait, cost)
    })
    return { allowances, at: at + wait, dimension }
  }
}
