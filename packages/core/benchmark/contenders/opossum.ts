import Opossum, { type Options } from "opossum"
import { awaited, type Callee, type Contender, type Kept } from "../contender.ts"
import { nextKey } from "../keys.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const breaker = (options: Options) =>
  new Opossum((callee: Callee["promise"]) => callee(), {
    errorThresholdPercentage: trip.ratio * 100,
    volumeThreshold: trip.minimum,
    rollingCountTimeout: trip.within,
    rollingCountBuckets: 10,
    resetTimeout: openFor,
    // every few seconds it would sort the latencies of all calls, which nobody reads, into the rows of others
    enableSnapshots: false,
    rollingPercentilesEnabled: false,
    ...options
  })

type Circuit = ReturnType<typeof breaker>

const contender = (does: string, circuit: Circuit): Contender => awaited(does, (f) => circuit.fire(f))

const withoutTimeout: Options = { timeout: false }

/** As its users write it: a map. */
const breakersByKey = (): Contender => {
  const breakers = new Map<string, Circuit>()
  const key = nextKey()
  return awaited("Map of circuits", (f) => {
    const name = key()
    let circuit = breakers.get(name)
    if (circuit === undefined) breakers.set(name, circuit = breaker(withoutTimeout))
    return circuit.fire(f)
  })
}

export const opossum = (limits: Limits): Table => ({
  "breaker, share over time": contender("CircuitBreaker, timeout off", breaker(withoutTimeout)),
  "breaker by key": breakersByKey(),
  "bulkhead": contender("capacity, timeout off", breaker({ ...withoutTimeout, capacity: limits.permits })),
  "coalesce": contender(
    "coalesce, timeout off",
    breaker({
      ...withoutTimeout,
      coalesce: true,
      coalesceTTL: 0,
      coalesceResetOn: ["success", "error"],
      cacheGetKey: () => "callee"
    })
  ),
  "breaker > attempt": contender("CircuitBreaker", breaker({ timeout: limits.attempt }))
})

export const keyed = () => (): Kept => {
  const kept = breaker(withoutTimeout)
  return { kept, contender: contender("CircuitBreaker", kept) }
}
