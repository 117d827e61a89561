/**
 * How many of the latest calls failed. Times in milliseconds on a monotonic clock. The numbers hold for the time of the
 * last `record` or `age`: reading ages a window first, so an idle one empties itself.
 */
export interface Window {
  readonly calls: number
  readonly failures: number
  record(now: number, failed: boolean): void
  age(now: number): void
  clear(): void
}

/** The last `size` calls. The ring is made with the first failure: until then the number of calls says everything. */
export class CountWindow implements Window {
  calls = 0
  failures = 0
  private readonly size: number
  private ring: Uint8Array | undefined = undefined
  private cursor = 0

  constructor(size: number) {
    this.size = size
  }

  record(_now: number, failed: boolean): void {
    if (this.ring === undefined) {
      if (!failed) {
        this.calls = Math.min(this.calls + 1, this.size)
        return
      }
      this.ring = new Uint8Array(this.size)
      this.cursor = this.calls % this.size
    }
    if (this.calls === this.size) this.failures -= this.ring[this.cursor]!
    else this.calls++
    const entry = failed ? 1 : 0
    this.ring[this.cursor] = entry
    this.failures += entry
    this.cursor = (this.cursor + 1) % this.size
  }

  age(): void {}

  clear(): void {
    this.ring = undefined
    this.cursor = this.calls = this.failures = 0
  }
}

const buckets = 10

/**
 * The calls of the last `span` milliseconds, in buckets of a tenth of it: a call is forgotten between 90 % and 100 % of the
 * span after it was recorded.
 */
export class TimeWindow implements Window {
  calls = 0
  failures = 0
  private readonly bucketSpan: number
  private callsOf: Array<number> | undefined = undefined
  private failuresOf: Array<number> | undefined = undefined
  /** the number of the latest bucket since time 0 */
  private latest = 0

  constructor(span: number) {
    this.bucketSpan = span / buckets
  }

  record(now: number, failed: boolean): void {
    this.age(now)
    this.callsOf ??= Array.from({ length: buckets }, () => 0)
    const bucket = this.latest % buckets
    this.callsOf[bucket]!++
    this.calls++
    if (!failed) return
    this.failuresOf ??= Array.from({ length: buckets }, () => 0)
    this.failuresOf[bucket]!++
    this.failures++
  }

  age(now: number): void {
    const current = Math.floor(now / this.bucketSpan)
    if (current <= this.latest) return
    if (current - this.latest >= buckets) this.clear()
    for (let number = this.latest + 1; number <= current && this.calls > 0; number++) this.drop(number % buckets)
    this.latest = current
  }

  clear(): void {
    this.callsOf = undefined
    this.failuresOf = undefined
    this.calls = this.failures = 0
  }

  private drop(bucket: number): void {
    this.calls -= this.callsOf![bucket]!
    this.callsOf![bucket] = 0
    if (this.failuresOf === undefined) return
    this.failures -= this.failuresOf[bucket]!
    this.failuresOf[bucket] = 0
  }
}
