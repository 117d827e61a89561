import * as Context from "effect/Context"

/** A policy that measures a call. Asked when the call waits, which most calls never do. */
export interface Measuring {
  readonly waits: Waits
}

/**
 * How long a call has waited for its turn in queues of our own, a bulkhead's or a limiter's. That time is nobody's slowness:
 * a policy that measures a call provides one of these for it as {@link CurrentWaits}, and takes {@link waited} off. Times in
 * milliseconds on a monotonic clock.
 *
 * A wait counts for every policy that measures the call, so what stands further out is told as well. A call may wait at
 * several places at once, when it does several things at once; that time counts once.
 */
export class Waits implements Measuring {
  private readonly outer: Waits | undefined
  private waiting = 0
  private since = 0
  private before = 0

  constructor(outer: Waits | undefined) {
    this.outer = outer
  }

  get waits(): Waits {
    return this
  }

  /** The call queues. */
  begin(at: number): void {
    if (this.waiting++ === 0) {
      this.since = at
      this.paused(at)
    }
    this.outer?.begin(at)
  }

  /** The call has left the queue, whether it was let in, refused or interrupted; once for each {@link begin}. */
  end(at: number): void {
    if (--this.waiting === 0) {
      this.before += at - this.since
      this.resumed(at)
    }
    this.outer?.end(at)
  }

  get isWaiting(): boolean {
    return this.waiting > 0
  }

  /** All waits until now, with the one that is under way. */
  waited(at: number): number {
    return this.isWaiting ? this.before + at - this.since : this.before
  }

  /** For a policy that keeps calls in the order in which they become slow: from now on this one does not. */
  protected paused(_at: number): void {}

  /** It does again, later by what it has {@link waited}. */
  protected resumed(_at: number): void {}
}

/** The waits of the call that a fiber is part of. Nobody who measures, none. */
export const CurrentWaits = Context.Reference<Measuring | undefined>("@effect-resilience/core/CurrentWaits", {
  defaultValue: () => undefined
})
