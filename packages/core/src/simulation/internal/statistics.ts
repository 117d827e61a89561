import type { Estimate } from "./reportModel.ts"

/** Of Student's t with so many degrees of freedom, 97.5 %. */
const few = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]

/** the same of the normal distribution */
const z = 1.959964

/** Exact to three digits: Abramowitz and Stegun, 26.7.5. */
export const studentsT = (degrees: number): number =>
  few[degrees - 1] ?? z +
      (z ** 3 + z) / (4 * degrees) +
      (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
      (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)

export const meanOf = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The mean of at least one value, and where the true one is. */
export const estimateOf = (values: ReadonlyArray<number>): Estimate => {
  const first = values[0]!
  // a mean of numbers that are the same is rounded, and would be off by that
  if (values.every((value) => value === first)) return { mean: first, low: first, high: first }
  const mean = meanOf(values)
  const degrees = values.length - 1
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / degrees
  const half = studentsT(degrees) * Math.sqrt(variance / values.length)
  return { mean, low: mean - half, high: mean + half }
}
