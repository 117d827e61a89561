import type { Allowance, Rule } from "../../kernel/allowance.ts"

/**
 * A process's part of a limit, as one of so many. Less than one call would let none through ever: then it is one call in a span that is longer
 * by as much.
 */
export const shareOf = (rule: Rule, processes: number): Rule => {
  if (rule.kind === "spaced") {
    return {
      ...rule,
      interval: rule.interval * processes,
      burst: Math.max(rule.burst / processes, Math.min(1, rule.burst))
    }
  }
  const part = rule.limit / processes
  const limit = Math.max(part, Math.min(1, rule.limit))
  return { ...rule, limit, span: rule.span * limit / part }
}

const wholeOf = (rule: Rule): number => rule.kind === "spaced" ? rule.burst : rule.limit

/**
 * The share of a limit. A call that costs more than the share, and not more than the whole, goes when all of the share is
 * there, and is paid for afterwards as far as the limit has a memory of it: while others share the limit it would else never go.
 */
export class Share implements Allowance {
  private readonly inner: Allowance
  private readonly processes: number
  private whole: number

  constructor(inner: Allowance, rule: Rule, processes: number) {
    this.inner = inner
    this.processes = processes
    this.whole = wholeOf(rule)
  }

  get capacity(): number {
    return this.inner.capacity
  }

  wait(at: number, cost: number): number {
    return cost > this.whole ? Infinity : this.inner.wait(at, Math.min(cost, this.inner.capacity))
  }

  take(at: number, cost: number): number {
    return this.inner.take(at, cost)
  }

  giveBack(at: number, mark: number, amount: number): void {
    this.inner.giveBack(at, mark, amount)
  }

  available(at: number): number {
    return this.inner.available(at)
  }

  adopt(at: number, rule: Rule): void {
    this.whole = wholeOf(rule)
    this.inner.adopt(at, shareOf(rule, this.processes))
  }

  copy(): Share {
    const copy = new Share(this.inner.copy(), { kind: "spaced", interval: 0, burst: 0 }, this.processes)
    copy.whole = this.whole
    return copy
  }
}
