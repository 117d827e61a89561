import {
  bulkhead,
  circuitBreaker,
  ConsecutiveBreaker,
  CountBreaker,
  ExponentialBackoff,
  fallback,
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
import * as Effect from "effect/Effect"
import { awaited, type Callee, type Contender, type Kept, perCall, type Run } from "../contender.ts"
import { nextKey } from "../keys.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

type Contend = (does: string, policy: IPolicy) => Contender

const contender: Contend = (does, policy) => awaited(does, (f, signal) => policy.execute(f, signal))

/** The policy hears of the interruption of its caller. */
const inEffect: Contend = (does, policy) =>
  perCall(`tryPromise, ${does}`, ({ promise }) => Effect.tryPromise((signal) => policy.execute(promise, signal)))

/** Stops the call and waits for it, as Effect does; the other strategy costs more. */
const strategy = TimeoutStrategy.Cooperative

/** Without a word, its timeout aborts the signal of a call that has succeeded as well, which makes an error of it each time. */
type Timeout = (millis: number) => IPolicy
const asItIs: Timeout = (millis) => timeoutPolicy(millis, strategy)
const cheapest: Timeout = (millis) => timeoutPolicy(millis, { strategy, abortOnReturn: false })

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

/** As its users write it: a map. */
export const breakersByKey = (count?: number): Contender => {
  const breakers = new Map<string, IPolicy>()
  const key = nextKey(count)
  return awaited("Map of breakers", (f) => {
    const name = key()
    let breaker = breakers.get(name)
    if (breaker === undefined) breakers.set(name, breaker = overTime())
    return breaker.execute(f)
  })
}

const withTimeout = (timeout: Timeout, limits: Limits, contend: Contend): Table => ({
  "attempt timeout": contend("timeout", timeout(limits.attempt)),
  "total timeout": contend("timeout", timeout(limits.total)),
  "breaker > attempt": contend("wrap", wrap(overTime(), timeout(limits.attempt))),
  "retry > breaker > attempt": contend("wrap", wrap(retry(limits), inARow(), timeout(limits.attempt))),
  "total > retry > breaker > bulkhead > attempt": contend(
    "wrap",
    wrap(timeout(limits.total), retry(limits), inARow(), bulkhead(limits.permits), timeout(limits.attempt))
  )
})

/** With a timeout that is told to leave alone what has succeeded. */
export const cockatiel = (limits: Limits): Table => ({
  ...withTimeout(cheapest, limits, contender),
  "retry": contender("retry", retry(limits)),
  "breaker, failures in a row": contender("ConsecutiveBreaker", inARow()),
  "breaker, share of last calls": contender("CountBreaker", ofLastCalls()),
  "breaker, share over time": contender("SamplingBreaker", overTime()),
  "breaker by key": breakersByKey(),
  "bulkhead": contender("bulkhead", bulkhead(limits.permits)),
  "bulkhead with a queue": contender("bulkhead, queue", bulkhead(limits.permits, limits.queue)),
  "fallback": awaited("fallback", (f) => falling.execute(f))
})

const falling = fallback(handleAll, 1)

export const cockatielAsIs = (limits: Limits): Table => withTimeout(asItIs, limits, contender)

export const cockatielInEffect = (limits: Limits): Table => withTimeout(cheapest, limits, inEffect)

/** A call without a permit waits for one. */
export const queueing = (permits: number, queue: number): Contender =>
  contender("bulkhead, queue", bulkhead(permits, queue))

/** The stack of three, each of which tells a listener of its successes. */
export const countEvents = (limits: Limits, callee: Callee, count: { heard: number }): Run => {
  const policies = [retry(limits), inARow(), cheapest(limits.attempt)] as const
  for (const policy of policies) policy.onSuccess(() => count.heard++)
  return contender("wrap", wrap(...policies)).loop(callee)
}

export const keyed = () => (): Kept => {
  const kept = overTime()
  return { kept, contender: contender("SamplingBreaker", kept) }
}
