/** Delays in milliseconds. Attempts count from 0, `random` is in [0, 1), and nothing exceeds {@link longest}. */

/** About 285,000 years: where arithmetic saturates, so that an overflow is a long delay and not a wrong one. */
export const longest = Number.MAX_SAFE_INTEGER

/** The delay before jitter as a function of the attempt. */
export type Growth = (attempt: number) => number

const saturate = (delay: number): number => delay < longest ? delay : longest

export const exponential = (base: number, factor: number): Growth => (attempt) => saturate(base * factor ** attempt)

export const linear = (base: number, increment: number): Growth => (attempt) => saturate(base + increment * attempt)

export const constant = (delay: number): Growth => () => delay

/** base x 1, 1, 2, 3, 5, ... by Binet's formula, exact up to the 70th number. */
export const fibonacci = (base: number): Growth => (attempt) =>
  saturate(base * Math.round(((1 + Math.sqrt(5)) / 2) ** (attempt + 1) / Math.sqrt(5)))

/** How a delay is spread, so that callers that failed together do not return together. */
export type Jitter = (delay: number, random: number) => number

export const none: Jitter = (delay) => delay

/** U(0, delay): AWS, "Exponential Backoff and Jitter". */
export const full: Jitter = (delay, random) => delay * random

/** delay / 2 + U(0, delay / 2): the same article. */
export const equal: Jitter = (delay, random) => delay / 2 + (delay / 2) * random

/** delay x U(1 - share, 1 + share), as Polly (0.25) and gRPC A6 (0.2) do. */
export const proportional = (share: number): Jitter => (delay, random) => delay * (1 + share * (2 * random - 1))

/** The delays of one call: each takes the random number that decides it. */
export interface Sequence {
  next(random: number): number
}

/** The cap is applied to the growth and again to the jittered delay: no delay is longer. */
export class Jittered implements Sequence {
  private attempt = 0
  private readonly growth: Growth
  private readonly jitter: Jitter
  private readonly cap: number

  constructor(growth: Growth, jitter: Jitter, cap: number) {
    this.growth = growth
    this.jitter = jitter
    this.cap = cap
  }

  next(random: number): number {
    return Math.min(this.cap, this.jitter(Math.min(this.cap, this.growth(this.attempt++)), random))
  }
}

/** min(cap, U(base, 3 x previous)): AWS, "Exponential Backoff and Jitter". */
export class Decorrelated implements Sequence {
  private previous: number
  private readonly base: number
  private readonly cap: number

  constructor(base: number, cap: number) {
    this.base = base
    this.cap = cap
    this.previous = base
  }

  next(random: number): number {
    this.previous = Math.min(this.cap, this.base + (saturate(3 * this.previous) - this.base) * random)
    return this.previous
  }
}

/**
 * Polly's decorrelated jitter, version 2: a smooth distribution with a median that doubles. The divisor makes the median of
 * the first delay about the base.
 */
export class DecorrelatedV2 implements Sequence {
  private attempt = 0
  private previous = 0
  private readonly base: number
  private readonly cap: number

  constructor(base: number, cap: number) {
    this.base = base
    this.cap = cap
  }

  next(random: number): number {
    const t = this.attempt++ + random
    const next = 2 ** t * Math.tanh(Math.sqrt(4 * t))
    const delay = ((next - this.previous) * this.base) / 1.4
    this.previous = next
    return Number.isFinite(delay) ? Math.min(this.cap, saturate(delay)) : Math.min(this.cap, longest)
  }
}
