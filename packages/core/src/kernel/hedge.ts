import { Learnt } from "./learnt.ts"

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

/** The delay after which a call is hedged, learnt from the last 500 to 1000 calls. Times in milliseconds. */
export class LearntDelay {
  readonly rules: Rules
  private readonly times: Learnt

  constructor(rules: Rules) {
    this.rules = rules
    this.times = new Learnt({ values: 500 }, (histogram) => histogram.interpolated(rules.quantile))
  }

  /** How many answers the delay is learnt from. */
  get answers(): number {
    return this.times.answers(0)
  }

  get delay(): number {
    const { initial, max, min, warmup } = this.rules
    return this.answers < warmup ? initial : Math.min(Math.max(this.times.value(0)!, min), max)
  }

  /** `answered` is false if the call is only known to take longer. */
  add(millis: number, answered: boolean): void {
    this.times.add(millis, answered, 0)
  }
}
