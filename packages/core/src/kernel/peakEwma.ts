/**
 * The latency of an endpoint, which a slow answer raises at once and quick ones lower slowly: an average that is weighted by time,
 * and takes a peak as it is (`PeakEwma` of Finagle). An average that nobody adds to decays, so that an endpoint
 * which was slow is tried again. Times in milliseconds on a monotonic clock.
 */
export class PeakEwma {
  private readonly decay: number
  private cost = 0
  private stamp = 0
  /** whether anything was measured */
  known = false

  constructor(decay: number) {
    this.decay = decay
  }

  /** The latency now. */
  at(now: number): number {
    return this.cost * this.kept(now)
  }

  /** An answer came after so long. */
  add(millis: number, now: number): void {
    const kept = this.kept(now)
    this.cost = millis > this.cost ? millis : this.cost * kept + millis * (1 - kept)
    this.stamp = now
    this.known = true
  }

  /** No answer came for so long: that can only raise it. */
  atLeast(millis: number, now: number): void {
    if (millis > this.at(now)) this.add(millis, now)
  }

  private kept(now: number): number {
    return Math.exp(-Math.max(0, now - this.stamp) / this.decay)
  }
}
