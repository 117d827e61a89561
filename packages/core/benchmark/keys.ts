/** How many callees there are in what goes by key. */
export const keys = 10

/** One key after the other. */
export const nextKey = (count = keys): () => string => {
  const names = Array.from({ length: count }, (_, i) => `callee ${i}`)
  let calls = 0
  return () => names[calls++ % count]!
}
