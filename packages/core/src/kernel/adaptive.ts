import { Learnt } from "./learnt.ts"

/** How a time limit follows from the times that calls take. Times in milliseconds. */
export interface Rules {
  readonly quantile: number
  readonly factor: number
  readonly min: number
  readonly max: number
  readonly warmup: number
}

/** The time limit that was learnt from the last one to two windows; the greatest until enough is known. */
export class LearntLimit {
  readonly rules: Rules
  readonly window: number
  private readonly times: Learnt

  constructor(rules: Rules, window: number) {
    this.rules = rules
    this.window = window
    this.times = new Learnt({ millis: window }, (histogram) => histogram.quantile(rules.quantile))
  }

  /** How many calls are remembered. */
  count(now: number): number {
    return this.times.count(now)
  }

  limit(now: number): number {
    const { factor, max, min, warmup } = this.rules
    return this.count(now) < warmup ? max : Math.min(max, Math.max(min, factor * this.times.value(now)!))
  }

  /** `answered` is false if the call was cut off after this time. */
  record(millis: number, answered: boolean, now: number): void {
    this.times.add(millis, answered, now)
  }
}
