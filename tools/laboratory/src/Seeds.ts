/** What several seeds of one case say together. */

export interface Summary {
  readonly mean: number
  /** The ends of the 95 % confidence interval of the mean; both are the mean for one value. */
  readonly low: number
  readonly high: number
}

/** Student's t at 97.5 %, by degrees of freedom from 1. */
const quantiles = [
  12.706,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131
]

export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

export const summary = (values: ReadonlyArray<number>): Summary => {
  const n = values.length
  const middle = mean(values)
  if (n < 2) return { mean: middle, low: middle, high: middle }
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1))
  const half = (quantiles[n - 2] ?? 2.1) * deviation / Math.sqrt(n)
  return { mean: middle, low: middle - half, high: middle + half }
}

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
