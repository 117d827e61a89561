/** SplitMix32: makes the state of a generator from any whole number (Steele, Lea and Flood, 2014). */
const splitMix = (seed: number): () => number => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

/** FNV-1a. */
const hash = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/**
 * xoshiro128** 1.1 (Blackman and Vigna, 2018), with the methods of Effect's `Random`. It does the same on every machine.
 *
 * Each part of a run draws from a stream of its own, so that another stack does not change when the calls come: what is compared
 * meets the same load.
 */
export class Random {
  private readonly seed: number
  private a: number
  private b: number
  private c: number
  private d: number

  constructor(seed: number) {
    const next = splitMix(seed)
    this.seed = seed | 0
    this.a = next() | 0
    this.b = next() | 0
    this.c = next() | 0
    this.d = next() | 0
  }

  /** The stream of a part of the run. */
  stream(name: string): Random {
    return new Random(hash(name) ^ Math.imul(this.seed, 0x9e3779b1))
  }

  private next32(): number {
    const times5 = Math.imul(this.b, 5)
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9)
    const t = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= t
    this.d = (this.d << 11) | (this.d >>> 21)
    return result >>> 0
  }

  /** In [0, 1), with 53 bits. */
  next(): number {
    return ((this.next32() >>> 5) * 67_108_864 + (this.next32() >>> 6)) / 9_007_199_254_740_992
  }

  nextDoubleUnsafe(): number {
    return this.next()
  }

  nextIntUnsafe(): number {
    return Math.floor((this.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
  }
}

/** With a mean of 1. */
export const exponential = (random: Random): number => -Math.log(1 - random.next())

/** With a mean of 0 and a deviation of 1: Box and Muller, 1958. */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
