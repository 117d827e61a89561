import { type Estimate, Histogram, type Observation } from "./histogram.ts"

/** The memory: the last so many values to twice as many, or those of the last so many milliseconds to twice as many. */
export type Memory = { readonly values: number } | { readonly millis: number }

/** A quantile is told anew after so many values. */
const refresh = 16

const seen: Observation = {}
const cutOff: Observation = { censored: true }

/**
 * A quantile of how long things took lately, where what was cut off is known only to take longer. Two generations of a
 * histogram age: the older one goes when the younger one is full or has lasted its time. Times in milliseconds on a monotonic
 * clock; a memory of values never looks at `now`.
 */
export class Learnt {
  private readonly quantile: (histogram: Histogram) => Estimate | undefined
  private readonly values: number
  private readonly millis: number
  /** both generations */
  private both: Histogram | undefined = undefined
  private younger: Histogram | undefined = undefined
  private since = 0
  private sinceRefresh = 0
  private known: number | undefined = undefined

  constructor(memory: Memory, quantile: (histogram: Histogram) => Estimate | undefined) {
    this.quantile = quantile
    this.values = "values" in memory ? memory.values : Infinity
    this.millis = "millis" in memory ? memory.millis : Infinity
  }

  /** `answered` is false if it is only known to take longer. */
  add(millis: number, answered: boolean, now: number): void {
    this.age(now)
    if (this.younger === undefined) {
      this.younger = new Histogram()
      if (this.both === undefined) {
        this.both = new Histogram()
        this.since = now
      }
    } else if (countOf(this.younger) >= this.values) {
      this.both = this.younger
      this.younger = new Histogram()
    }
    const observation = answered ? seen : cutOff
    this.younger.add(millis, observation)
    this.both!.add(millis, observation)
    this.sinceRefresh++
    // a call that outlasts the quantile moves it, and what depends on it waits for that
    if (!answered && this.known !== undefined && millis >= this.known) this.known = undefined
  }

  /** How many answered. */
  answers(now: number): number {
    this.age(now)
    return this.both?.observed ?? 0
  }

  /** How many there are, with those that were cut off. */
  count(now: number): number {
    this.age(now)
    return this.both === undefined ? 0 : countOf(this.both)
  }

  /** The quantile; where the data ends before it, the end of the data. Nothing without any. */
  value(now: number): number | undefined {
    this.age(now)
    if (this.both === undefined) return undefined
    if (this.known === undefined || this.sinceRefresh >= refresh) {
      this.known = this.quantile(this.both)?.value
      this.sinceRefresh = 0
    }
    return this.known
  }

  private age(now: number): void {
    const spans = this.both === undefined ? 0 : Math.floor((now - this.since) / this.millis)
    if (spans < 1) return
    this.both = spans === 1 ? this.younger : undefined
    this.younger = undefined
    this.since += spans * this.millis
    this.known = undefined
  }
}

const countOf = ({ censored, observed }: Histogram): number => observed + censored
