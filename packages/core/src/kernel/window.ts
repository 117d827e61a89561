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

/** The last so many calls, or the calls of the last so many milliseconds, and the window that counts them. */
export interface Span {
  readonly calls?: number
  readonly millis?: number
  readonly open: () => Window
}

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

/** a window of time is kept in so many parts */
const parts = 10

/** What one kind of amounts comes to. */
class Sum {
  total = 0
  /** made with the second bucket: until then everything is in one, and a window that is seldom used stays small */
  private amounts: Array<number> | undefined = undefined
  /** the number of the bucket that everything is in, as long as that is so */
  private only = 0

  add(bucket: number, amount: number, size: number): void {
    if (this.amounts !== undefined) this.amounts[bucket % size]! += amount
    else if (this.total === 0) this.only = bucket
    else if (this.only !== bucket) {
      this.amounts = Array.from({ length: size }, () => 0)
      this.amounts[this.only % size] = this.total
      this.amounts[bucket % size]! += amount
    }
    this.total += amount
  }

  /** Forgets the bucket whose place the one of this number takes. */
  drop(bucket: number, size: number): void {
    if (this.amounts === undefined) {
      if (bucket - this.only === size) this.clear()
      return
    }
    const place = bucket % size
    this.total -= this.amounts[place]!
    this.amounts[place] = 0
    if (this.total === 0) this.clear()
  }

  clear(): void {
    this.total = 0
    this.amounts = undefined
  }
}

/**
 * What several kinds of amounts come to over the last `span` milliseconds, kept in buckets of a tenth of it. The window holds
 * at most the span: an amount is forgotten between 90 % and 100 % of the span after it came. Amounts are whole numbers, so that
 * sums are exact. A time before the latest one counts as that.
 */
export class Rolling {
  protected readonly size: number
  private readonly bucketSpan: number
  protected readonly sums: Array<Sum | undefined>
  /** the number of the latest bucket since time 0 */
  protected latest = 0
  /** buckets before this one are forgotten */
  protected oldest = 0

  /** Kinds are numbered from 0. */
  constructor(span: number, kinds: number, size = parts) {
    this.bucketSpan = span / parts
    this.size = size
    this.sums = Array.from({ length: kinds }, () => undefined)
  }

  /** As of the last `add`, `takeBack` or `age`. */
  total(kind: number): number {
    const sum = this.sums[kind]
    return sum === undefined ? 0 : sum.total
  }

  /** Gives a mark for {@link takeBack}. */
  add(kind: number, now: number, amount = 1): number {
    this.age(now)
    const sum = this.sums[kind] ??= new Sum()
    sum.add(this.latest, amount, this.size)
    return this.latest
  }

  /** Takes back what was added under `mark`, unless it has been forgotten since. */
  takeBack(kind: number, mark: number, now: number, amount = 1): void {
    this.age(now)
    if (mark >= this.oldest) this.sums[kind]?.add(mark, -amount, this.size)
  }

  age(now: number): void {
    const current = Math.floor(now / this.bucketSpan)
    if (current <= this.latest) return
    if (current - this.latest >= this.size) this.clear()
    else this.advance(current)
    this.latest = current
    this.oldest = Math.max(this.oldest, current - this.size + 1)
  }

  /** Forgets everything, marks included: what was added before is not taken back after. */
  clear(): void {
    for (const sum of this.sums) sum?.clear()
  }

  private advance(to: number): void {
    for (const sum of this.sums) {
      if (sum === undefined || sum.total === 0) continue
      for (let bucket = this.latest + 1; bucket <= to; bucket++) sum.drop(bucket, this.size)
    }
  }
}

/**
 * The same, where too little must not be counted: it holds at least the span. A bucket is forgotten a span after the last
 * amount that came into it, so that one which came alone is forgotten at that very time, and no amount later than 110 %.
 */
export class RollingAtLeast extends Rolling {
  private readonly span: number
  /** when the last amount came into each bucket */
  private readonly lastOf: Array<number>

  constructor(span: number, kinds: number) {
    super(span, kinds, parts + 1)
    this.span = span
    this.lastOf = Array.from({ length: this.size }, () => 0)
  }

  override add(kind: number, now: number, amount = 1): number {
    const mark = super.add(kind, now, amount)
    const place = mark % this.size
    this.lastOf[place] = Math.max(this.lastOf[place]!, now)
    return mark
  }

  override age(now: number): void {
    super.age(now)
    if (this.latest - this.oldest < parts) return
    if (this.lastOf[this.oldest % this.size]! > now - this.span) return
    for (const sum of this.sums) {
      if (sum !== undefined && sum.total > 0) sum.drop(this.oldest + this.size, this.size)
    }
    this.oldest++
  }
}

/** The calls of the last `span` milliseconds, at most. */
export class TimeWindow extends Rolling implements Window {
  constructor(span: number) {
    super(span, 3)
  }

  get calls(): number {
    return this.total(0)
  }

  get failures(): number {
    return this.total(1)
  }

  get slow(): number {
    return this.total(2)
  }

  record(now: number, failed: boolean, slow: boolean): void {
    this.add(0, now)
    if (failed) this.add(1, now)
    if (slow) this.add(2, now)
  }
}

export const lastCalls = (calls: number): Span => ({ calls, open: () => new CountWindow(calls) })

export const lastMillis = (millis: number): Span => ({ millis, open: () => new TimeWindow(millis) })
