/** What a window of calls has shown. Times in milliseconds. */
export interface Sample {
  /** the average time of the calls that were answered; none, where no call was */
  readonly time: number | undefined
  /** so many calls ran at once */
  readonly inUse: number
  /** The callee was overloaded: it dropped calls, or asked for less. */
  readonly dropped: boolean
}

export interface Bounds {
  readonly min: number
  readonly max: number
  readonly initial: number
}

/** How a limit follows what calls show. */
export interface Algorithm {
  /** how many calls may run at once */
  readonly limit: number
  update(sample: Sample, random: () => number): void
}

/** Makes the algorithm that a limiter goes by, for its bounds. */
export type Make = (bounds: Bounds) => Algorithm

/** Timers and clocks count in steps; below this, times do not differ. A ratio of times has no zero in it. */
const leastTime = 0.1

const atLeast = (time: number): number => time > leastTime ? time : leastTime

/** A limit that is not a whole number between its bounds: what is granted is the whole part. */
abstract class Estimate implements Algorithm {
  protected readonly bounds: Bounds
  protected estimate: number

  constructor(bounds: Bounds) {
    this.bounds = bounds
    this.estimate = bounds.initial
  }

  get limit(): number {
    return Math.floor(this.estimate)
  }

  abstract update(sample: Sample, random: () => number): void

  protected move(to: number): void {
    this.estimate = Math.max(this.bounds.min, Math.min(this.bounds.max, to))
  }

  /** Nobody has come near the limit: calls do not show that more of them would go well. */
  protected isUnused({ inUse }: Sample): boolean {
    return inUse * 2 < this.estimate
  }
}

/** One more after a window that went well, a share of it after one that did not. A window slower than `after` is one that did not. */
export class Aimd extends Estimate {
  private readonly ratio: number
  private readonly after: number

  constructor(bounds: Bounds, { after, ratio }: { readonly ratio: number; readonly after: number }) {
    super(bounds)
    this.ratio = ratio
    this.after = after
  }

  update(sample: Sample): void {
    const { limit } = this
    if (sample.dropped || (sample.time !== undefined && sample.time > this.after)) {
      this.move(Math.min(limit - 1, Math.floor(limit * this.ratio)))
    } else if (sample.time !== undefined && !this.isUnused(sample)) {
      this.move(limit + 1)
    }
  }
}

/** An average that forgets: of all values while it warms up, and an exponential one of about so many after that. */
export class Average {
  private readonly factor: number
  private readonly warmUp: number
  private count = 0
  value = 0

  constructor(calls: number, warmUp: number) {
    this.factor = 2 / (calls + 1)
    this.warmUp = warmUp
  }

  get isWarm(): boolean {
    return this.count === this.warmUp
  }

  add(value: number): void {
    if (this.count < this.warmUp) this.value += (value - this.value) / ++this.count
    else this.value += (value - this.value) * this.factor
  }
}

/** The least step, and that of larger limits. */
const log10 = (limit: number): number => Math.max(1, Math.floor(Math.log10(limit)))

/** How many calls may wait at the callee. */
export interface Queue {
  /** with fewer than so many, the limit grows */
  readonly alpha: (limit: number) => number
  /** with more than so many, it shrinks */
  readonly beta: (limit: number) => number
}

/** As Netflix has it: 3 to 6 calls, and a few more for large limits. */
export const netflixQueue: Queue = { alpha: (limit) => 3 * log10(limit), beta: (limit) => 6 * log10(limit) }

/** Times the limit: so many windows from one probe of Vegas to the next. */
const probeEvery = 30

/** What TCP Vegas does: the time of a call beyond that of an idle callee tells how many calls wait there. */
export class Vegas extends Estimate {
  private readonly queue: Queue
  /** The least of many times that vary is that of the luckiest window, and no later one is as good. That of averages is closer. */
  private readonly recent: Average
  /** the time of a call when the callee had nothing else to do */
  private least: number | undefined = undefined
  private windows = 0
  private probeAt: number | undefined = undefined

  constructor(bounds: Bounds, { average, queue }: { readonly queue: Queue; readonly average: number }) {
    super(bounds)
    this.queue = queue
    this.recent = new Average(average, average)
  }

  update(sample: Sample, random: () => number): void {
    const time = sample.time === undefined ? undefined : atLeast(sample.time)
    const isKnown = this.recent.isWarm
    const probed = time !== undefined && this.measure(time, isKnown, random)
    if (sample.dropped) this.move(this.estimate - log10(this.limit))
    else if (time !== undefined && isKnown && !probed && !this.isUnused(sample)) this.follow(time)
  }

  /** A callee may have become slower for good, so that after many windows any time is taken for the least. */
  private measure(time: number, isKnown: boolean, random: () => number): boolean {
    this.recent.add(time)
    this.windows++
    this.probeAt ??= 0.5 + random() / 2
    const probes = this.windows >= this.probeAt * probeEvery * this.estimate
    if (probes) {
      this.windows = 0
      this.probeAt = undefined
    }
    if (!isKnown || probes || this.recent.value < this.least!) this.least = this.recent.value
    return probes
  }

  private follow(time: number): void {
    const { estimate, limit } = this
    const waiting = this.waiting(time)
    const alpha = this.queue.alpha(limit)
    const beta = this.queue.beta(limit)
    // times that vary make one window in ten look as if nothing waited: alone it is no reason for a large step
    const sure = this.waiting(this.recent.value) <= alpha
    if (waiting <= log10(limit) && sure) this.move(estimate + beta)
    else if (waiting < alpha) this.move(estimate + log10(limit))
    else if (waiting > beta) this.move(estimate - log10(limit))
  }

  /** how many calls seem to wait at the callee */
  private waiting(time: number): number {
    return Math.ceil(this.estimate * (1 - this.least! / time))
  }
}

/** The time of a window against that of the last minutes tells whether calls begin to wait at the callee. */
export class Gradient2 extends Estimate {
  private readonly tolerance: number
  private readonly smoothing: number
  private readonly queue: number
  private readonly long: Average

  constructor(bounds: Bounds, { queue, smoothing, tolerance, windows }: {
    readonly tolerance: number
    readonly smoothing: number
    readonly queue: number
    readonly windows: number
  }) {
    super(bounds)
    this.tolerance = tolerance
    this.smoothing = smoothing
    this.queue = queue
    this.long = new Average(windows, 10)
  }

  update(sample: Sample): void {
    const gradient = this.gradient(sample)
    if (gradient === undefined || (!sample.dropped && this.isUnused(sample))) return
    const { estimate, smoothing } = this
    this.move(estimate * (1 - smoothing) + (estimate * gradient + this.queue) * smoothing)
  }

  private gradient({ dropped, time }: Sample): number | undefined {
    let gradient: number | undefined
    if (time !== undefined) {
      const short = atLeast(time)
      const { long } = this
      long.add(short)
      gradient = Math.max(0.5, Math.min(1, this.tolerance * long.value / short))
      // the callee is well again after a long time of overload: the average need not take as long to come down
      if (long.value / short > 2) long.value *= 0.95
    }
    return dropped ? 0.5 : gradient
  }
}

/** One call, as it ended. */
export interface Call {
  /** how long its answer took; none, if it was dropped */
  readonly time: number | undefined
  /** calls that ran when it began, itself among them */
  readonly inUse: number
}

/**
 * Gathers calls until they are enough to judge by: so many, over a time. A window lasts twice as long as calls take, or longer: what a limit
 * does shows in the calls that begin after it.
 */
export class Window {
  private readonly within: number
  private readonly minCalls: number
  private readonly dropRatio: number
  private until: number | undefined = undefined
  private calls = 0
  private answered = 0
  private sum = 0
  private peak = 0
  /** how long calls took of late */
  average: number | undefined = undefined

  constructor({ dropRatio, minCalls, within }: {
    readonly within: number
    readonly minCalls: number
    readonly dropRatio: number
  }) {
    this.within = within
    this.minCalls = minCalls
    this.dropRatio = dropRatio
  }

  /** The sample of the window that ends with this call, if one does. With a low limit, fewer calls are enough. */
  add(now: number, { inUse, time }: Call, limit: number): Sample | undefined {
    this.until ??= now + Math.max(this.within, 2 * (this.average ?? 0))
    this.calls++
    this.peak = Math.max(this.peak, inUse)
    if (time !== undefined) {
      this.answered++
      this.sum += Math.max(0, time)
    }
    return now < this.until || this.calls < Math.min(this.minCalls, limit) ? undefined : this.end()
  }

  private end(): Sample {
    const { answered, calls, peak } = this
    const time = answered === 0 ? undefined : this.sum / answered
    // of the calls that began in the first window, it has seen only those that were quick
    const known = this.average === undefined ? undefined : time
    if (time !== undefined) this.average = time
    this.until = undefined
    this.calls =
      this.answered =
      this.sum =
      this.peak =
        0
    const drops = calls - answered
    return { time: known, inUse: peak, dropped: drops > 0 && drops >= this.dropRatio * calls }
  }
}
