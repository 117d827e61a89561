import * as Schedule from "effect/Schedule"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as Timeout from "../../src/Timeout.ts"
import { inFiber, type Kept } from "../contender.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const retry = ({ backoff }: Limits) =>
  Retry.make({ schedule: Schedule.max([Schedule.exponential(backoff), Schedule.recurs(3)]) })

const rate = { ratio: trip.ratio, minimumThroughput: trip.minimum }
const rules = {
  inARow: CircuitBreaker.consecutive(trip.failures),
  ofLastCalls: CircuitBreaker.failureRate({ ...rate, calls: trip.calls }),
  overTime: CircuitBreaker.failureRate({ ...rate, within: trip.within })
}

const breaker = (rule: CircuitBreaker.Trip) => CircuitBreaker.makeUnsafe({ trip: rule, open: openFor })

export const stack = (limits: Limits) =>
  Policy.compose(retry(limits), breaker(rules.inARow), Timeout.attempt(limits.attempt))

export const stackInTotal = (limits: Limits) =>
  Policy.compose(Timeout.total(limits.total), retry(limits), breaker(rules.inARow), Timeout.attempt(limits.attempt))

export const ours = (limits: Limits): Table => ({
  "attempt timeout": inFiber(Timeout.attempt(limits.attempt)),
  "total timeout": inFiber(Timeout.total(limits.total)),
  "retry": inFiber(retry(limits)),
  "breaker, failures in a row": inFiber(breaker(rules.inARow)),
  "breaker, share of last calls": inFiber(breaker(rules.ofLastCalls)),
  "breaker, share over time": inFiber(breaker(rules.overTime)),
  "breaker > attempt": inFiber(Policy.compose(breaker(rules.overTime), Timeout.attempt(limits.attempt))),
  "retry > breaker > attempt": inFiber(stack(limits)),
  "total > retry > breaker > attempt": inFiber(stackInTotal(limits))
})

/** One breaker per key. */
export const keyed = () => (): Kept => {
  const kept = breaker(rules.overTime)
  return { kept, contender: inFiber(kept) }
}
