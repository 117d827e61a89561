import {
  circuitBreaker,
  ConsecutiveBreaker,
  CountBreaker,
  ExponentialBackoff,
  handleAll,
  type IBreaker,
  type IPolicy,
  noJitterGenerator,
  retry as retryPolicy,
  SamplingBreaker,
  timeout as timeoutPolicy,
  TimeoutStrategy,
  wrap
} from "cockatiel"
import { awaited, type Contender, type Kept } from "../contender.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const contender = (policy: IPolicy): Contender => awaited((f) => policy.execute(f))

// stops the call and waits for it, as Effect does; the other strategy costs more
const timeout = (millis: number) => timeoutPolicy(millis, TimeoutStrategy.Cooperative)

const retry = ({ backoff }: Limits) =>
  retryPolicy(handleAll, {
    maxAttempts: 3,
    backoff: new ExponentialBackoff({ initialDelay: backoff, generator: noJitterGenerator })
  })

const breaker = (rule: IBreaker) => circuitBreaker(handleAll, { halfOpenAfter: openFor, breaker: rule })

const inARow = () => breaker(new ConsecutiveBreaker(trip.failures))

const ofLastCalls = () =>
  breaker(new CountBreaker({ threshold: trip.ratio, size: trip.calls, minimumNumberOfCalls: trip.minimum }))

const minimumRps = trip.minimum / (trip.within / 1000)
const overTime = () => breaker(new SamplingBreaker({ threshold: trip.ratio, duration: trip.within, minimumRps }))

export const cockatiel = (limits: Limits): Table => ({
  "attempt timeout": contender(timeout(limits.attempt)),
  "total timeout": contender(timeout(limits.total)),
  "retry": contender(retry(limits)),
  "breaker, failures in a row": contender(inARow()),
  "breaker, share of last calls": contender(ofLastCalls()),
  "breaker, share over time": contender(overTime()),
  "breaker > attempt": contender(wrap(overTime(), timeout(limits.attempt))),
  "retry > breaker > attempt": contender(wrap(retry(limits), inARow(), timeout(limits.attempt))),
  "total > retry > breaker > attempt": contender(
    wrap(timeout(limits.total), retry(limits), inARow(), timeout(limits.attempt))
  )
})

export const keyed = () => (): Kept => {
  const kept = overTime()
  return { kept, contender: contender(kept) }
}
