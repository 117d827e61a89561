/** How many callees there are in what goes by key. */
export const keys = 10

const names = Array.from({ length: keys }, (_, i) => `callee ${i}`)

/** One key after the other. */
export const nextKey = (): () => string => {
  let calls = 0
  return () => names[calls++ % keys]!
}
