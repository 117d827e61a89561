import type { Allowance, Rule } from "../../kernel/allowance.ts"
import type { Costs } from "../../kernel/rateLimiter.ts"

/** What the store is asked to charge, and what to do when it has. */
export interface Bill {
  readonly amounts: Costs
  readonly paid: () => void
}

const sum = (some: Costs | undefined, others: Costs): Costs => others.map((amount, i) => (some?.[i] ?? 0) + amount)

/** What a process has used that its store has not charged yet. */
export class Debt {
  /** beside what the allowances say */
  private owed: Costs | undefined = undefined
  /** what the process goes by without a store */
  own: ReadonlyArray<Allowance> = []
  /** the same without what has still to be charged */
  private unused: ReadonlyArray<Allowance> = []

  /** From now on the process goes by these. */
  begin(own: ReadonlyArray<Allowance>): void {
    this.own = own
    this.unused = own.map((allowance) => allowance.copy())
  }

  adopt(at: number, rules: ReadonlyArray<Rule>): void {
    for (const allowances of [this.own, this.unused]) {
      allowances.forEach((allowance, i) => allowance.adopt(at, rules[i]!))
    }
  }

  /** Has to be charged, whatever room there is. */
  owe(costs: Costs): void {
    this.owed = sum(this.owed, costs)
  }

  get isOpen(): boolean {
    return this.owed !== undefined
  }

  /** The process goes by its store again: what it has used until now stays to be charged. */
  end(at: number): void {
    const used = this.usedAt(at)
    this.begin([])
    if (used.some((amount) => amount > 0)) this.owe(used)
  }

  private usedAt(at: number): Costs {
    return this.unused.map((unused, i) => Math.max(0, unused.available(at) - this.own[i]!.available(at)))
  }

  /** All of it now. A bill that is not paid changes nothing. */
  bill(at: number): Bill | undefined {
    const { owed, own } = this
    const amounts = own.length === 0 ? owed ?? [] : sum(owed, this.usedAt(at))
    if (!amounts.some((amount) => amount > 0)) return undefined
    const now = own.map((allowance) => allowance.copy())
    const paid = (): void => {
      const left = this.owed?.map((amount, i) => Math.max(0, amount - (owed?.[i] ?? 0)))
      this.owed = left?.some((amount) => amount > 0) ? left : undefined
      if (this.own === own) this.unused = now
    }
    return { amounts, paid }
  }
}
