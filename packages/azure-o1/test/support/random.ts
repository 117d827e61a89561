/** Numbers from 0 to 1 that a seed makes repeatable. */
export const uniform = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Values whose logarithm is normal: most are near the median, some are many times as large. */
export const lognormal = (seed: number, median: number, sigma: number): () => number => {
  const next = uniform(seed)
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
    return median * Math.exp(sigma * normal)
  }
}
