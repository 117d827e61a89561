import { type Allowance, type Rule, wholeMillis } from "./allowance.ts"

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
 * Several allowances that a call takes from at once or not at all, and those who wait for them, in order. Nobody overtakes: a
 * call that would fit queues behind one that does not, or large costs would starve. Those who wait have taken nothing, so
 * who leaves the queue leaves no gap in it.
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

  /** How long a newcomer would wait, behind everybody who waits already. */
  forecast(at: number, costs: Costs): Forecast {
    const plan = this.planned(at)
    const { dimension, wait } = after(plan, costs)
    return { wait: Math.max(0, plan.at - at) + wait, dimension }
  }

  /** How long until the first in the queue can go. */
  next(at: number): number {
    return after({ at, allowances: this.allowances, dimension: 0 }, this.first!.costs).wait
  }

  enqueue(at: number, waiting: W): void {
    if (this.last === undefined) this.first = waiting
    else {
      waiting.before = this.last
      this.last.behind = waiting
    }
    this.last = waiting
    waiting.queued = true
    this.waiting++
    if (this.plan !== undefined) this.plan = this.withWaiting(this.plan, waiting, after(this.plan, waiting.costs))
    else this.planned(at)
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
    // only this class links them, and it links those of its own kind
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
      if (forecast.wait < Infinity && at + wholeMillis(forecast.wait) <= waiting.latest) return true
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

  private replan(at: number, stays: (waiting: W, forecast: Forecast) => boolean): Plan {
    let plan: Plan = { allowances: this.allowances.map((allowance) => allowance.copy()), at, dimension: 0 }
    for (let waiting = this.first; waiting !== undefined; waiting = waiting.behind as W | undefined) {
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
