import Opossum from "opossum"
import { awaited, type Callee, type Contender, type Kept } from "../contender.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const breaker = (timeout: number | false) =>
  new Opossum((callee: Callee["promise"]) => callee(), {
    timeout,
    errorThresholdPercentage: trip.ratio * 100,
    volumeThreshold: trip.minimum,
    rollingCountTimeout: trip.within,
    rollingCountBuckets: 10,
    resetTimeout: openFor,
    // every few seconds it would sort the latencies of all calls, which nobody reads, into the rows of others
    enableSnapshots: false
  })

const contender = (circuit: ReturnType<typeof breaker>): Contender => awaited((f) => circuit.fire(f))

export const opossum = (limits: Limits): Table => ({
  "breaker, share over time": contender(breaker(false)),
  "breaker > attempt": contender(breaker(limits.attempt))
})

export const keyed = () => (): Kept => {
  const kept = breaker(false)
  return { kept, contender: contender(kept) }
}
