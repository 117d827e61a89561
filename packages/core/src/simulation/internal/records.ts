import { Histogram } from "../../kernel/histogram.ts"
import type { Outcome } from "./outcome.ts"
import type { ClientReport, Latency, ServerReport } from "./reportModel.ts"

/** Counts per interval of the run. What happens after its end is in no interval. */
export class Counts {
  readonly all: Float64Array
  private readonly interval: number

  constructor(intervals: number, interval: number) {
    this.all = new Float64Array(intervals)
    this.interval = interval
  }

  index(at: number): number {
    return Math.floor(at / this.interval)
  }

  add(at: number): void {
    const i = this.index(at)
    if (i < this.all.length) this.all[i]!++
  }

  atLeast(at: number, value: number): void {
    const i = this.index(at)
    if (i < this.all.length && this.all[i]! < value) this.all[i] = value
  }

  get list(): ReadonlyArray<number> {
    return Array.from(this.all)
  }
}

const zero = { count: 0, mean: 0, p50: 0, p90: 0, p95: 0, p99: 0, p999: 0, max: 0 }

/** Times, whole and per interval. */
class Latencies {
  private readonly whole = new Histogram()
  private readonly parts: Array<Histogram | undefined>
  private sum = 0

  constructor(intervals: number) {
    this.parts = Array.from({ length: intervals }, () => undefined)
  }

  add(millis: number, interval: number): void {
    this.sum += millis
    this.whole.add(millis)
    if (interval < this.parts.length) (this.parts[interval] ??= new Histogram()).add(millis)
  }

  get latency(): Latency {
    const { observed: count, max } = this.whole
    if (count === 0) return zero
    const at = (q: number): number => this.whole.observedQuantile(q)!
    return {
      count,
      mean: this.sum / count,
      p50: at(0.5),
      p90: at(0.9),
      p95: at(0.95),
      p99: at(0.99),
      p999: at(0.999),
      max
    }
  }

  series(q: number): ReadonlyArray<number | null> {
    return this.parts.map((part) => part?.observedQuantile(q) ?? null)
  }
}

const increase = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1)

/** The counts of a client. */
export class ClientRecord {
  offered = 0
  succeeded = 0
  failed = 0
  attempts = 0
  private readonly failures = new Map<string, number>()
  private readonly latencies: Latencies
  private readonly series: { readonly [K in "offered" | "attempts" | "succeeded" | "failed"]: Counts }
  private finishedAt = 0

  constructor(intervals: number, interval: number) {
    this.latencies = new Latencies(intervals)
    const counts = (): Counts => new Counts(intervals, interval)
    this.series = { offered: counts(), attempts: counts(), succeeded: counts(), failed: counts() }
  }

  began(at: number): void {
    this.offered++
    this.series.offered.add(at)
  }

  sent(at: number): void {
    this.attempts++
    this.series.attempts.add(at)
  }

  ended({ succeeded, tag }: Outcome, startedAt: number, at: number): void {
    this.finishedAt = at
    if (succeeded) {
      this.succeeded++
      this.series.succeeded.add(at)
      this.latencies.add(at - startedAt, this.series.succeeded.index(at))
    } else {
      this.failed++
      this.series.failed.add(at)
      increase(this.failures, tag)
    }
  }

  report(name: string): ClientReport {
    const { attempts, failed, latencies, offered, series, succeeded } = this
    return {
      name,
      offered,
      succeeded,
      failed,
      unfinished: offered - succeeded - failed,
      attempts,
      amplification: offered === 0 ? 0 : attempts / offered,
      success: offered === 0 ? 0 : succeeded / offered,
      failures: Object.fromEntries(this.failures),
      latency: latencies.latency,
      finishedAt: this.finishedAt,
      series: {
        offered: series.offered.list,
        attempts: series.attempts.list,
        succeeded: series.succeeded.list,
        failed: series.failed.list,
        p50: latencies.series(0.5),
        p95: latencies.series(0.95),
        p99: latencies.series(0.99)
      }
    }
  }
}

/** The counts of a server. */
export class ServerRecord {
  arrived = 0
  served = 0
  wasted = 0
  failed = 0
  prompt = 0
  completion = 0
  private readonly refused = new Map<string, number>()
  private readonly waits: Latencies
  private readonly series: {
    readonly [K in "arrived" | "served" | "wasted" | "refused" | "queue" | "inService"]: Counts
  }
  private busy = 0
  /** of the run, but for calls that still go on */
  private readonly end: number

  constructor(intervals: number, interval: number) {
    this.end = intervals * interval
    this.waits = new Latencies(intervals)
    const counts = (): Counts => new Counts(intervals, interval)
    this.series = {
      arrived: counts(),
      served: counts(),
      wasted: counts(),
      refused: counts(),
      queue: counts(),
      inService: counts()
    }
  }

  came(at: number): void {
    this.arrived++
    this.series.arrived.add(at)
  }

  queued(at: number, length: number): void {
    this.series.queue.atLeast(at, length)
  }

  started(at: number, waited: number, inService: number): void {
    this.waits.add(waited, this.series.queue.index(at))
    this.series.inService.atLeast(at, inService)
  }

  refuse(at: number, reason: string): void {
    increase(this.refused, reason)
    this.series.refused.add(at)
  }

  /** The service has ended; `wanted` if somebody still waits for the answer. */
  ended(at: number, startedAt: number, wanted: boolean, failed: boolean): void {
    this.busy += Math.min(at, this.end) - Math.min(startedAt, this.end)
    if (failed) this.failed++
    if (wanted) {
      this.served++
      this.series.served.add(at)
    } else {
      this.wasted++
      this.series.wasted.add(at)
    }
  }

  report(
    name: string,
    { capacity, duration, offered, price }: {
      readonly capacity: number
      readonly duration: number
      readonly offered: number
      readonly price: { readonly prompt: number; readonly completion: number } | undefined
    }
  ): ServerReport {
    const { arrived, completion, failed, prompt, served, series, waits, wasted } = this
    return {
      name,
      arrived,
      served,
      wasted,
      failed,
      refused: Object.fromEntries(this.refused),
      amplification: offered === 0 ? 0 : arrived / offered,
      utilization: capacity === Infinity || duration === 0 ? null : this.busy / (capacity * duration),
      waited: waits.latency,
      tokens: { prompt, completion },
      money: price === undefined ? 0 : (prompt * price.prompt + completion * price.completion) / 1e6,
      series: {
        arrived: series.arrived.list,
        served: series.served.list,
        wasted: series.wasted.list,
        refused: series.refused.list,
        queue: series.queue.list,
        inService: series.inService.list
      }
    }
  }
}
