/** When there is chaos, in milliseconds since it was switched on. */
export interface Course {
  readonly shape: "window" | "ramp"
  readonly after: number
  /** how long a window is, or how long a ramp takes */
  readonly duration: number
  /** from the beginning of one window to that of the next; infinite for one that does not come back */
  readonly every: number
}

/** Which part of the ratio counts at a moment. */
export const shareAt = (course: Course | undefined, elapsed: number): number => {
  if (course === undefined) return 1
  const into = elapsed - course.after
  if (into < 0) return 0
  if (course.shape === "ramp") return Math.min(1, into / course.duration)
  return into % course.every < course.duration ? 1 : 0
}

/** Whether a call is hit that has drawn this number of [0, 1): the larger the ratio, the more, and never another one. */
export const hits = (ratio: number, draw: number): boolean => draw < ratio

/** The finalizer of MurmurHash3 (Appleby): every bit of the input changes half of those of the output. */
const mix = (bits: number): number => {
  let h = bits
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b)
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35)
  return (h ^ h >>> 16) >>> 0
}

const golden = 0x9e3779b9

/**
 * Draw number `n` of a seed, in [0, 1): SplitMix (Steele, Lea and Flood 2014) in 32 bits. There is no state, so what one policy
 * draws does not depend on how often another one has drawn.
 */
export const drawOf = (seed: number, n: number): number => mix(seed + Math.imul(n + 1, golden) | 0) / 2 ** 32

/** A seed for each of several sequences that have one seed in common. */
export const seedOf = (text: string): number => {
  let seed = 0
  for (let i = 0; i < text.length; i++) seed = mix(Math.imul(seed, 31) + text.charCodeAt(i) | 0)
  return seed
}
