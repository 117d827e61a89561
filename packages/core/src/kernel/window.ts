/**
 * How many of the latest calls failed, and how many were slow. Times in milliseconds on a monotonic clock. The numbers hold
 * for the time of the last `record` or `age`: reading ages a window first, so an idle one empties itself.
 */
export interface Window {
  readonly calls: number
  readonly failures: number
  readonly slow: number
  record(now: number, failed: boolean, slow: boolean): void
  age(now: number): void
  clear(): void
}

/** The last so many calls, or the calls of the last so many milliseconds. */
export type Span = { readonly calls: number } | { readonly millis: number }

/** an entry of a ring */
const failedBit = 1
const slowBit = 2

/** The last `size` calls. The ring is made with the first call worth a note: until then their number says everything. */
export class CountWindow implements Window {
  calls = 0
  failures = 0
  slow = 0
  private readonly size: number
  private ring: Uint8Array | undefined = undefined
  private cursor = 0

  constructor(size: number) {
    this.size = size
  }

  record(_now: number, failed: boolean, slow: boolean): void {
    if (this.ring === undefined) {
      if (!failed && !slow) {
        this.calls = Math.min(this.calls + 1, this.size)
        return
      }
      this.ring = new Uint8Array(this.size)
      this.cursor = this.calls % this.size
    }
    if (this.calls === this.size) this.count(this.ring[this.cursor]!, -1)
    else this.calls++
    const entry = (failed ? failedBit : 0) | (slow ? slowBit : 0)
    this.ring[this.cursor] = entry
    this.count(entry, 1)
    this.cursor = (this.cursor + 1) % this.size
  }

  age(): void {}

  clear(): void {
    this.ring = undefined
    this.cursor =
      this.calls =
      this.failures =
      this.slow =
        0
  }

  private count(entry: number, by: 1 | -1): void {
    if ((entry & failedBit) !== 0) this.failures += by
    if ((entry & slowBit) !== 0) this.slow += by
  }
}

const buckets = 10
const zeros = (): Array<number> => Array.from({ length: buckets }, () => 0)

/**
 * The calls of the last `span` milliseconds, in buckets of a tenth of it: a call is forgotten between 90 % and 100 % of the
 * span after it was recorded.
 */
export class TimeWindow implements Window {
  calls = 0
  failures = 0
  slow = 0
  private readonly bucketSpan: number
  /** made with the second bucket: until then all calls are in one, and a circuit that is seldom used stays small */
  private callsOf: Array<number> | undefined = undefined
  private failuresOf: Array<number> | undefined = undefined
  private slowOf: Array<number> | undefined = undefined
  /** the number of the latest bucket since time 0 */
  private latest = 0
  /** the number of the bucket that all calls are in, as long as that is so */
  private only = 0

  constructor(span: number) {
    this.bucketSpan = span / buckets
  }

  record(now: number, failed: boolean, slow: boolean): void {
    this.age(now)
    const bucket = this.latest % buckets
    if (this.callsOf !== undefined) this.callsOf[bucket]!++
    else if (this.calls === 0) this.only = this.latest
    else if (this.only !== this.latest) {
      this.callsOf = zeros()
      this.callsOf[this.only % buckets] = this.calls
      this.callsOf[bucket] = 1
    }
    this.calls++
    if (failed) {
      this.failuresOf ??= zeros()
      this.failuresOf[bucket]!++
      this.failures++
    }
    if (slow) {
      this.slowOf ??= zeros()
      this.slowOf[bucket]!++
      this.slow++
    }
  }

  age(now: number): void {
    const current = Math.floor(now / this.bucketSpan)
    if (current <= this.latest) return
    if (current - this.latest >= buckets) this.clear()
    for (let number = this.latest + 1; number <= current && this.calls > 0; number++) this.drop(number)
    this.latest = current
  }

  clear(): void {
    this.callsOf = this.failuresOf = this.slowOf = undefined
    this.calls = this.failures = this.slow = 0
  }

  /** Forgets the bucket whose place the one of this number takes. */
  private drop(number: number): void {
    if (this.callsOf === undefined) {
      if (number - this.only === buckets) this.clear()
      return
    }
    const bucket = number % buckets
    this.calls -= take(this.callsOf, bucket)
    this.failures -= take(this.failuresOf, bucket)
    this.slow -= take(this.slowOf, bucket)
    if (this.calls === 0) this.clear()
  }
}

/** What a bucket has counted; it counts from zero again. */
const take = (counts: Array<number> | undefined, bucket: number): number => {
  if (counts === undefined) return 0
  const count = counts[bucket]!
  counts[bucket] = 0
  return count
}

export const window = (span: Span): Window =>
  "calls" in span ? new CountWindow(span.calls) : new TimeWindow(span.millis)
