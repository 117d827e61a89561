/**
 * Quantiles of durations in bounded memory, of the last while. Times in milliseconds.
 *
 * The buckets grow geometrically, so that every quantile is told to within {@link accuracy} of itself (DDSketch: Masson, Rim
 * and Lee, VLDB 2019). Two generations of them age: the older one is dropped when the younger one has lasted a whole
 * window, so what is told is of the last one to two windows, also after a silence.
 */

/** The relative error of a quantile. */
export const accuracy = 0.02

const gamma = (1 + accuracy) / (1 - accuracy)
const logGamma = Math.log(gamma)

/** Whatever takes longer counts as this long: a day. */
const longest = 86_400_000
const bucketCount = Math.ceil(Math.log(longest) / logGamma) + 1

/** Bucket 0 is for up to a millisecond, bucket i for more than gamma^(i-1) and up to gamma^i. */
const bucketOf = (millis: number): number => millis <= 1 ? 0 : Math.ceil(Math.log(Math.min(millis, longest)) / logGamma)

/** The value of a bucket that is equally wrong for its least and its greatest. */
const valueOf = (bucket: number): number => bucket === 0 ? 1 : 2 * gamma ** bucket / (gamma + 1)

class Generation {
  count = 0
  readonly buckets = new Uint32Array(bucketCount)

  add(bucket: number): void {
    this.count++
    this.buckets[bucket]!++
  }
}

export class Durations {
  readonly window: number
  private younger: Generation | undefined = undefined
  private older: Generation | undefined = undefined
  private since = 0
  /** the bucket of the last quantile, from where the next one is not far */
  private bucket = 0
  /** the observations in the buckets above that one */
  private above = 0

  constructor(window: number) {
    this.window = window
  }

  record(millis: number, now: number): void {
    this.age(now)
    if (this.younger === undefined) {
      this.younger = new Generation()
      if (this.older === undefined) this.since = now
    }
    const bucket = bucketOf(millis)
    this.younger.add(bucket)
    if (bucket > this.bucket) this.above++
  }

  /** How many observations are remembered. */
  count(now: number): number {
    this.age(now)
    return (this.younger?.count ?? 0) + (this.older?.count ?? 0)
  }

  /** The least duration that a share `q` of the observations does not exceed; nothing if there are none. */
  quantile(q: number, now: number): number | undefined {
    const count = this.count(now)
    if (count === 0) return undefined
    const mayBeAbove = count - Math.max(1, Math.ceil(q * count))
    while (this.above > mayBeAbove) this.above -= this.within(++this.bucket)
    for (let within = this.within(this.bucket); this.above + within <= mayBeAbove;) {
      this.above += within
      within = this.within(--this.bucket)
    }
    return valueOf(this.bucket)
  }

  private within(bucket: number): number {
    return (this.younger?.buckets[bucket] ?? 0) + (this.older?.buckets[bucket] ?? 0)
  }

  private age(now: number): void {
    const windows = Math.floor((now - this.since) / this.window)
    if (windows < 1) return
    this.older = windows === 1 ? this.younger : undefined
    this.younger = undefined
    this.since += windows * this.window
    this.bucket = 0
    this.above = (this.older?.count ?? 0) - this.within(0)
  }
}

export interface Rules {
  readonly quantile: number
  readonly factor: number
  readonly min: number
  readonly max: number
  readonly warmup: number
}

/** The time limit that the observations suggest; the greatest until there are enough of them. */
export const limit = (durations: Durations, rules: Rules, now: number): number => {
  if (durations.count(now) < rules.warmup) return rules.max
  return Math.min(rules.max, Math.max(rules.min, rules.factor * durations.quantile(rules.quantile, now)!))
}
