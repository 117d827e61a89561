/** How many endpoints of a level may be used, of how many. */
export interface Level {
  readonly available: number
  readonly total: number
}

/** How calls are spread over the levels. */
export interface Spread {
  /** the share of each level, in percent: 100 together, unless there is nothing */
  readonly loads: ReadonlyArray<number>
  /** the levels of which all endpoints are used, whatever is known of them */
  readonly panics: ReadonlyArray<boolean>
}

export interface SpreadRules {
  /** how many times its endpoints' part of the whole a level can take; `Infinity` is all, as long as it has one */
  readonly overprovisioning: number
  /** a level of which less than this share is available uses all of its endpoints */
  readonly panic: number
}

const whole = 100

const sumOf = (parts: ReadonlyArray<number>): number => parts.reduce((sum, part) => sum + part, 0)

/** Rounded down: a level is whole only if it is. */
const healthOf = ({ available, total }: Level, overprovisioning: number): number =>
  available === 0 ? 0 : Math.min(whole, Math.floor((whole * overprovisioning * available) / total))

/** Each in its turn takes its part of what there is. The first that has something takes what rounding leaves. */
const divide = (parts: ReadonlyArray<number>, sum: number): ReadonlyArray<number> => {
  let left = sum === 0 ? 0 : whole
  const loads = parts.map((part) => {
    const load = Math.min(left, Math.floor((whole * part) / Math.max(1, sum)))
    left -= load
    return load
  })
  const first = parts.findIndex((part) => part > 0)
  return loads.map((load, i) => i === first ? load + left : load)
}

/**
 * How calls are spread over levels of priority, the first one first, as Envoy's load balancers do it. A level can take its share of
 * available endpoints, times `overprovisioning`, and what it cannot take goes to the next one. If all levels together cannot take
 * the whole, each takes its part, and a level of which less than `panic` is available uses all of its endpoints. If that is
 * every level, calls are spread by the number of endpoints.
 */
export const spread = (levels: ReadonlyArray<Level>, { overprovisioning, panic }: SpreadRules): Spread => {
  const healths = levels.map((level) => healthOf(level, overprovisioning))
  const sum = Math.min(whole, sumOf(healths))
  const panics = levels.map(({ available, total }) =>
    sum === 0 || (sum < whole && (total === 0 ? panic > 0 : available / total < panic))
  )
  if (panics.every((panics) => panics)) {
    const totals = levels.map(({ total }) => total)
    return { loads: divide(totals, sumOf(totals)), panics }
  }
  return { loads: divide(healths, sum), panics }
}
