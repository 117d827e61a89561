/** How a delay is learnt from the times that calls take. */
export interface Rules {
  /** the share of the calls that answer within the delay */
  readonly quantile: number
  /** nothing is known before so many calls have answered */
  readonly warmup: number
  readonly min: number
  readonly max: number
  /** as long as nothing is known */
  readonly initial: number
}

/** Bounds of a bucket are this factor apart; the quantile is interpolated inside of one. */
const growth = 1.04
const logGrowth = Math.log(growth)

/** The upper bound of the lowest bucket, in milliseconds; the highest one is beyond three hours. */
const smallest = 0.01
const buckets = 532

/** A generation is full with so many calls. There are two, so that the last 500 to 1000 calls are remembered. */
const generation = 500

/** The quantile is computed anew after so many calls. */
const refresh = 16

const indexOf = (millis: number): number =>
  millis <= smallest ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(millis / smallest) / logGrowth))

const upperOf = (index: number): number => smallest * growth ** index

class Generation {
  readonly answered = new Uint16Array(buckets)
  readonly cut = new Uint16Array(buckets)
  answers = 0
  calls = 0

  add(millis: number, answered: boolean): void {
    const counts = answered ? this.answered : this.cut
    counts[indexOf(millis)]!++
    this.calls++
    if (answered) this.answers++
  }

  clear(): void {
    this.answered.fill(0)
    this.cut.fill(0)
    this.answers = this.calls = 0
  }
}

/**
 * A quantile of the times of the latest calls. A call that was cut off, because another one was faster or because it failed,
 * says only that it takes longer: left out, or taken for an answer, it would make the quantile drift. The estimator of Kaplan
 * and Meier (JASA 53, 1958) over logarithmic buckets uses exactly what is known. Times in milliseconds.
 */
export class LearntDelay {
  private readonly rules: Rules
  private latest: Generation | undefined = undefined
  private previous: Generation | undefined = undefined
  private sinceRefresh = 0
  private known: number | undefined = undefined

  constructor(rules: Rules) {
    this.rules = rules
  }

  /** How many answers the delay is learnt from. */
  get answers(): number {
    return (this.latest?.answers ?? 0) + (this.previous?.answers ?? 0)
  }

  get delay(): number {
    const { initial, max, min, quantile, warmup } = this.rules
    if (this.answers < warmup) return initial
    if (this.known === undefined || this.sinceRefresh >= refresh) {
      this.known = Math.min(Math.max(this.quantile(quantile), min), max)
      this.sinceRefresh = 0
    }
    return this.known
  }

  /** `answered` is false if the call is only known to take longer. */
  add(millis: number, answered: boolean): void {
    if (this.latest === undefined) this.latest = new Generation()
    else if (this.latest.calls >= generation) {
      const oldest = this.previous ?? new Generation()
      this.previous = this.latest
      oldest.clear()
      this.latest = oldest
    }
    this.latest.add(millis, answered)
    this.sinceRefresh++
  }

  /** Where the data ends before the quantile, the end of the data. */
  private quantile(q: number): number {
    const { latest, previous } = this
    let atRisk = latest!.calls + (previous?.calls ?? 0)
    let survival = 1
    let last = 0
    for (let i = 0; i < buckets && atRisk > 0; i++) {
      const answered = latest!.answered[i]! + (previous?.answered[i] ?? 0)
      const cut = latest!.cut[i]! + (previous?.cut[i] ?? 0)
      if (answered + cut > 0) last = i
      // a tie counts as answered before the other was cut off
      const next = survival * (1 - answered / atRisk)
      if (answered > 0 && 1 - next >= q) {
        return upperOf(i - 1) * growth ** ((survival - (1 - q)) / (survival - next))
      }
      survival = next
      atRisk -= answered + cut
    }
    return upperOf(last)
  }
}
