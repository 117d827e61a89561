import type { Allowance, Rule } from "../../kernel/allowance.ts"
import type { Costs } from "../../kernel/rateLimiter.ts"
import { agesOf, pairsOf, restore, type Snapshot } from "./snapshot.ts"

/** Calls that are so near to one another are kept as one, at the time of the later. */
const apart = 5

/** What a process knows of how much all processes have used: what it was told last, and what it has taken since. */
export class Known {
  private readonly told: Array<Snapshot | undefined> = []
  private readonly toldAt: Array<number> = []
  private readonly since: Array<Array<{ to: number; used: number }>> = []

  /** The store says it of all that it says it of. */
  learn(at: number, used: ReadonlyArray<Snapshot | undefined>): void {
    used.forEach((snapshot, i) => {
      if (snapshot === undefined) return
      this.told[i] = snapshot
      this.toldAt[i] = at
      this.since[i] = []
    })
  }

  /** A call was let through of which the store has not told how it counts. */
  note(at: number, costs: Costs): void {
    costs.forEach((cost, i) => {
      if (cost === 0 || this.told[i]?.kind !== "sliding-window") return
      const last = this.since[i]!.at(-1)
      if (last === undefined || at - last.to > apart) this.since[i]!.push({ to: at, used: cost })
      else {
        last.to = at
        last.used += cost
      }
    })
  }

  /** All of it, for a store that has lost its memory; `undefined` where the store has not told of everything. */
  tell(at: number, dimensions: number): ReadonlyArray<ReadonlyArray<number>> | undefined {
    const all: Array<ReadonlyArray<number>> = []
    for (let i = 0; i < dimensions; i++) {
      const told = this.told[i]
      if (told === undefined) return undefined
      const ages = agesOf(told, at)
      // the store's word apart from what this process has taken since: another one may have a later word
      all.push(
        told.kind === "sliding-window"
          ? [at - this.toldAt[i]!, told.slices.length, ...ages, ...pairsOf(this.since[i]!, at)]
          : ages
      )
    }
    return all
  }

  private snapshot(i: number): Snapshot | undefined {
    const told = this.told[i]
    return told?.kind === "sliding-window" ? { ...told, slices: [...told.slices, ...this.since[i]!] } : told
  }

  /** An allowance of which that is used, or a share of that. */
  restore(rules: ReadonlyArray<Rule>, share = 1): ReadonlyArray<Allowance | undefined> {
    return rules.map((rule, i) => {
      const snapshot = this.snapshot(i)
      return snapshot?.kind === rule.kind ? restore(rule, snapshot, share) : undefined
    })
  }
}
