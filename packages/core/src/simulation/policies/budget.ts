import type { Shared } from "../../internal/retryBudget.ts"
import type { Budget, Grant } from "../../kernel/retryBudget.ts"
import type { Process } from "../internal/frame.ts"

/** The kernel of a budget in this process: retries and hedges that share the budget share it here too. */
export const budgetIn = (process: Process, shared: Shared | undefined): Budget | undefined =>
  shared === undefined ? undefined : process.state(shared, () => shared.funding.open())

/** What a call pays its further attempts with, as `internal/retryPurse.ts` does. */
export class Purse {
  private readonly budget: Budget
  /** what the attempt in flight, or the one waited for, was paid with */
  private grant: Grant | undefined = undefined
  private waiting = false
  private gaveUp = false

  constructor(budget: Budget, at: number) {
    this.budget = budget
    budget.begin(at)
  }

  failed(counts: boolean): void {
    if (this.grant !== undefined) this.budget.release()
    this.grant = undefined
    if (counts) this.budget.fail()
  }

  pay(at: number, counts: boolean): boolean {
    this.grant = this.budget.grant(at, counts)
    if (this.grant === undefined) return false
    this.budget.wait()
    this.waiting = true
    return true
  }

  goOn(): void {
    this.budget.goOn()
    this.waiting = false
  }

  giveUp(): void {
    this.gaveUp = true
  }

  /** The call is over, whatever it was doing. */
  finish(at: number, succeeded: boolean): void {
    if (succeeded && !this.gaveUp) this.budget.succeed()
    if (this.grant !== undefined) {
      if (this.waiting) this.budget.refund(this.grant, at)
      else this.budget.release()
    }
    if (!this.waiting) this.budget.end()
  }
}
