import { estimateOf, meanOf } from "../../../packages/core/src/simulation/internal/statistics.ts"

/** What several seeds of one case say together. */

export interface Summary {
  readonly mean: number
  /** The ends of the 95 % confidence interval of the mean; both are the mean for one value. */
  readonly low: number
  readonly high: number
}

export const mean: (values: ReadonlyArray<number>) => number = meanOf

/** As a report of the simulation has it. */
export const summary: (values: ReadonlyArray<number>) => Summary = estimateOf

/** In the order in which the keys come first. */
export const groupBy = <A>(all: ReadonlyArray<A>, key: (each: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const each of all) {
    const group = groups.get(key(each))
    if (group === undefined) groups.set(key(each), [each])
    else group.push(each)
  }
  return groups
}
