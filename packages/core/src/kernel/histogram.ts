/**
 * Quantiles of values in bounded memory, also where some values are only known to be larger than something.
 *
 * Buckets that grow by a constant factor give every quantile a bounded relative error (Masson, Rim and Lee, "DDSketch",
 * PVLDB 12, 2019). A call that was cut off after 60 s says only that it takes longer: the estimator of Kaplan and Meier
 * (JASA 53, 1958) over the buckets uses exactly that, so that cutting off does not make the quantiles look smaller. Where the
 * data ends before the quantile, the answer is "above".
 */

/** A bucket: its index, and the weights of what was seen in it, cut off in it, and watched only from it on. */
type Bucket = readonly [index: number, observed: number, censored: number, entered: number]

/** A histogram as plain data. The lowest bucket comes first. `longest` is the largest value seen or cut off; 0 if there is none. */
export interface Data {
  readonly accuracy: number
  readonly min: number
  readonly max: number
  readonly longest: number
  readonly buckets: ReadonlyArray<Bucket>
}

/** A quantile: known, or somewhere above the value, because too much was cut off before it. */
export interface Estimate {
  readonly _tag: "Known" | "Above"
  readonly value: number
}

export interface Bar {
  /** exclusive */
  readonly from: number
  /** inclusive */
  readonly to: number
  readonly observed: number
  readonly censored: number
}

export interface Observation {
  /** The value is only known to be larger. */
  readonly censored?: boolean
  /**
   * The value would not have been seen if it were not larger than this: the second attempt of a call whose first one was cut
   * off at 60 s tells nothing of how many calls take less. It joins those that are watched at this value.
   */
  readonly from?: number
  /** @default 1 */
  readonly weight?: number
}

/** Below this, values are not told apart. */
const smallest = 1e-9

/** What sums of products of fractions may be wrong by. */
const epsilon = 1e-9

const stride = 3

const positive = (value: number): boolean => value > 0 && value < Infinity

/**
 * Counts values in at most `maxBuckets` buckets. A quantile is wrong by at most `accuracy` times its value, as long as the
 * values span no more than what the buckets can hold: a factor of 7e8 by default. Beyond that the lowest buckets become one.
 */
export class Histogram {
  readonly accuracy: number
  /** The weight of the values that were seen. */
  observed = 0
  /** The weight of the values that were cut off. */
  censored = 0
  /** Of the values that were seen. */
  min = Infinity
  max = -Infinity
  /** The largest value, seen or cut off. */
  longest = 0
  private readonly maxBuckets: number
  private readonly gamma: number
  private readonly logGamma: number
  /** observed, censored and entered of each bucket, from `bottom` up without gaps */
  private cells = new Float64Array(0)
  private bottom = 0

  constructor(accuracy = 0.02, maxBuckets = 512) {
    this.accuracy = accuracy
    this.maxBuckets = maxBuckets
    this.gamma = (1 + accuracy) / (1 - accuracy)
    this.logGamma = Math.log(this.gamma)
  }

  /** Values that are negative or not finite, and weights that are not positive, are left out. */
  add(value: number, { censored = false, from = 0, weight = 1 }: Observation = {}): void {
    if (!(value === 0 || positive(value)) || !positive(weight)) return
    const index = this.indexOf(value)
    const entry = from > 0 ? this.indexOf(from) : undefined
    if (entry !== undefined && entry >= index) return
    this.put(index, censored ? 0 : weight, censored ? weight : 0, 0)
    if (entry !== undefined) this.put(entry, 0, 0, weight)
    if (!censored) {
      this.min = Math.min(this.min, value)
      this.max = Math.max(this.max, value)
    }
    this.longest = Math.max(this.longest, value)
  }

  /** Adds another histogram, as if its values had been added here. In any order and grouping the result is the same. */
  merge(other: Data): void {
    const gamma = (1 + other.accuracy) / (1 - other.accuracy)
    // room for all of it at once
    for (const end of [other.buckets.at(-1), other.buckets[0]]) {
      if (end !== undefined) this.slot(this.indexOf(centre(gamma, end[0])))
    }
    let seen = false
    for (const [index, observed, censored, entered] of other.buckets) {
      this.put(this.indexOf(centre(gamma, index)), observed, censored, entered)
      seen ||= observed > 0
    }
    if (seen) {
      this.min = Math.min(this.min, other.min)
      this.max = Math.max(this.max, other.max)
    }
    this.longest = Math.max(this.longest, other.longest)
  }

  /** The smallest value that a share of at least `q` does not exceed; `undefined` without data. */
  quantile(q: number): Estimate | undefined {
    return this.estimate(q, (index) => centre(this.gamma, index))
  }

  /**
   * The same, at the place inside of its bucket where the quantile would be if the values in there lay evenly. So a share of
   * many values is met more closely, and the value of one less.
   */
  interpolated(q: number): Estimate | undefined {
    return this.estimate(q, (index, before, after) => {
      const share = Math.min(1, (before - (1 - q)) / (before - after))
      return this.gamma ** (index - 1 + share)
    })
  }

  /** The same of the values that were seen, as if nothing had been cut off. */
  observedQuantile(q: number): number | undefined {
    let sum = 0
    let value: number | undefined
    this.walk((index, observed) => {
      sum += observed
      if (observed === 0 || sum < (q - epsilon) * this.observed) return false
      value = this.bounded(centre(this.gamma, index))
      return true
    })
    return value
  }

  /** The share that exceeds a value; `undefined` without data, or if everything was cut off before it. */
  exceeding(value: number): number | undefined {
    if (this.observed + this.censored === 0) return undefined
    const last = this.indexOf(value)
    let share = 1
    const further = this.walk((index, _, __, after) => {
      if (index > last) return true
      share = after
      return false
    })
    return !further && share > epsilon && last > this.indexOf(this.longest) ? undefined : share
  }

  /** The counts of seen and cut-off values, bucket by bucket, without the empty ones. */
  bars(): ReadonlyArray<Bar> {
    return this.toData().buckets
      .filter(([, observed, censored]) => observed + censored > 0)
      .map(([index, observed, censored]) => ({
        from: this.gamma ** (index - 1),
        to: this.gamma ** index,
        observed,
        censored
      }))
  }

  toData(): Data {
    const buckets: Array<Bucket> = []
    for (let at = 0; at < this.cells.length; at += stride) {
      const observed = this.cells[at]!
      const censored = this.cells[at + 1]!
      const entered = this.cells[at + 2]!
      if (observed + censored + entered > 0) buckets.push([this.bottom + at / stride, observed, censored, entered])
    }
    const { accuracy, longest } = this
    return { accuracy, min: this.observed > 0 ? this.min : 0, max: this.observed > 0 ? this.max : 0, longest, buckets }
  }

  static from(data: Data): Histogram {
    const histogram = new Histogram(data.accuracy)
    histogram.merge(data)
    return histogram
  }

  private estimate(
    q: number,
    valueOf: (index: number, before: number, after: number) => number
  ): Estimate | undefined {
    if (this.observed + this.censored === 0) return undefined
    let value = 0
    const found = this.walk((index, observed, before, after) => {
      if (observed === 0 || 1 - after < q - epsilon) return false
      value = this.bounded(valueOf(index, before, after))
      return true
    })
    return found ? { _tag: "Known", value } : { _tag: "Above", value: this.longest }
  }

  /** Shows the buckets, each with the share of what is larger than its bounds, until `visit` says so; tells whether it did. */
  private walk(visit: (index: number, observed: number, before: number, after: number) => boolean): boolean {
    const { cells } = this
    let atRisk = this.observed + this.censored
    for (let at = 2; at < cells.length; at += stride) atRisk -= cells[at]!
    let later = this.observed + this.censored
    let survival = 1
    for (let at = 0; at < cells.length; at += stride) {
      const observed = cells[at]!
      const before = survival
      later -= observed + cells[at + 1]!
      // where all that are watched have been seen, and others join further on, the share that is larger is small but not none
      const watched = atRisk <= observed && later > 0 ? observed + 1 : atRisk
      if (observed > 0) survival *= Math.max(0, 1 - observed / watched)
      // a tie counts as seen before it was cut off
      atRisk += cells[at + 2]! - cells[at + 1]! - observed
      if (visit(this.bottom + at / stride, observed, before, survival)) return true
    }
    return false
  }

  private put(index: number, observed: number, censored: number, entered: number): void {
    const at = this.slot(index)
    this.cells[at]! += observed
    this.cells[at + 1]! += censored
    this.cells[at + 2]! += entered
    this.observed += observed
    this.censored += censored
  }

  /** Where the bucket is, after room was made for it. */
  private slot(index: number): number {
    const top = this.bottom + this.cells.length / stride - 1
    if (this.cells.length === 0) this.resize(index, index)
    else if (index > top) this.resize(Math.max(this.bottom, index - this.maxBuckets + 1), index)
    else if (index < this.bottom && this.bottom > top - this.maxBuckets + 1) {
      this.resize(Math.max(index, top - this.maxBuckets + 1), top)
    }
    return (Math.max(index, this.bottom) - this.bottom) * stride
  }

  private resize(bottom: number, top: number): void {
    const cells = new Float64Array((top - bottom + 1) * stride)
    const shift = (this.bottom - bottom) * stride
    if (shift < 0) {
      // the lowest buckets become one
      for (let at = 0; at < this.cells.length; at++) cells[Math.max(at + shift, at % stride)]! += this.cells[at]!
    } else if (this.cells.length > 0) cells.set(this.cells, shift)
    this.cells = cells
    this.bottom = bottom
  }

  private indexOf(value: number): number {
    return Math.ceil(Math.log(Math.min(Math.max(value, smallest), Number.MAX_VALUE)) / this.logGamma)
  }

  private bounded(value: number): number {
    return Math.min(Math.max(value, this.min), this.max)
  }
}

/** The value of a bucket that is wrong by the same share at both ends. */
const centre = (gamma: number, index: number): number => 2 * gamma ** index / (gamma + 1)
