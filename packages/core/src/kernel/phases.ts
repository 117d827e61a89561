/** When a stream is too slow. Times in milliseconds on a monotonic clock; `Infinity` is no limit. */

export interface Limits {
  /** from the start to the first progress */
  readonly first: number
  /** between two elements that are progress, without the time that the consumer took */
  readonly idle: number
  /** from the start to the end, the consumer's time included */
  readonly total: number
}

export type Phase = "first" | "idle" | "total"

export class Phases {
  readonly limits: Limits
  readonly startedAt: number
  /** the first progress has been made */
  private begun = false
  private pullingSince: number
  /** time spent waiting for the producer since the last progress, before the pull under way */
  private waited = 0

  constructor(limits: Limits, startedAt: number) {
    this.limits = limits
    this.startedAt = startedAt
    this.pullingSince = startedAt
  }

  /** The consumer asks for more. */
  pulled(now: number): void {
    this.pullingSince = now
  }

  /** The producer has answered; `progress` tells whether that counts. */
  produced(now: number, progress: boolean): void {
    this.begun ||= progress
    this.waited = progress ? 0 : this.waited + now - this.pullingSince
  }

  /** Whether no pull from now on can time out. */
  get unlimited(): boolean {
    return this.limits.total === Infinity && this.limits.idle === Infinity &&
      (this.begun || this.limits.first === Infinity)
  }

  /** The phase that ends next if nothing happens. On a tie the total is named: it is the one that cannot be extended. */
  get phase(): Phase {
    const own = this.begun ? "idle" : "first"
    return this.endOf("total") <= this.endOf(own) ? "total" : own
  }

  /** When it ends. */
  get due(): number {
    return this.endOf(this.phase)
  }

  private endOf(phase: Phase): number {
    switch (phase) {
      case "first":
        return this.startedAt + this.limits.first
      case "idle":
        return this.pullingSince + this.limits.idle - this.waited
      case "total":
        return this.startedAt + this.limits.total
    }
  }

  /** How long the phase has lasted. */
  elapsed(phase: Phase, now: number): number {
    return phase === "idle" ? this.waited + now - this.pullingSince : now - this.startedAt
  }
}
