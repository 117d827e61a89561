import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../../src/AdaptiveThrottle.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Chaos from "../../src/Chaos.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import * as Criticality from "../../src/Criticality.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fallback from "../../src/Fallback.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as HedgingPipeline from "../../src/HedgingPipeline.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import * as Timeout from "../../src/Timeout.ts"
import { inFiber, type Kept } from "../contender.ts"
import { keys, nextKey } from "../keys.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const scheduleOf = ({ backoff }: Limits) => Schedule.max([Schedule.exponential(backoff), Schedule.recurs(3)])

export const retry = (limits: Limits) => Retry.make({ schedule: scheduleOf(limits) })

const retryWithBudget = (limits: Limits) =>
  Retry.make({ schedule: scheduleOf(limits), budget: RetryBudget.makeUnsafe({ funding: RetryBudget.tokens() }) })

const rate = { ratio: trip.ratio, minCalls: trip.minimum }
const rules = {
  inARow: CircuitBreaker.consecutive(trip.failures),
  ofLastCalls: CircuitBreaker.failureRate({ ...rate, calls: trip.calls }),
  overTime: CircuitBreaker.failureRate({ ...rate, within: trip.within })
}

const slowCalls = ({ slow }: Limits) => CircuitBreaker.slowRate({ ...rate, after: slow, within: trip.within })

const breaker = (rule: CircuitBreaker.Trip) => CircuitBreaker.makeUnsafe({ trip: rule, open: openFor })

const bulkhead = ({ permits }: Limits, queue = 0) => Bulkhead.makeUnsafe({ concurrency: permits, maxQueue: queue })

const rateOf = ({ rate: { calls, per } }: Limits): RateLimiter.Rate => ({ limit: calls, within: per })

const limiter = (limit: RateLimiter.Limit) => RateLimiter.makeUnsafe({ limit })

const bucket = (limits: Limits) => limiter(RateLimiter.tokenBucket(rateOf(limits)))

export const breakersByKey = (count = keys) => {
  const breakers = Keyed.makeUnsafe({ lookup: (_: string) => breaker(rules.overTime), maxInstances: count })
  const key = nextKey(count)
  return inFiber("Keyed.for(key), CircuitBreaker", (self) => breakers.for(key())(self))
}

/** A call without a permit waits for one. */
export const queueing = ({ permits, queue }: Limits, order: "fifo" | "lifo" | "adaptive") => {
  // so long that no call is given up
  const overload = order === "adaptive" ? { interval: "1 hour" } as const : undefined
  return inFiber("Bulkhead, queue", Bulkhead.makeUnsafe({ concurrency: permits, maxQueue: queue, order, overload }))
}

export const consecutiveBreaker = () => breaker(rules.inARow)

export const wideBulkhead = bulkhead

const one = Effect.succeed(1)

/** Retry, breaker and attempt timeout. */
export const stackOfThree = (limits: Limits) =>
  Policy.compose(retry(limits), breaker(rules.inARow), Timeout.attempt(limits.attempt))

/** Total timeout, retry, breaker, bulkhead and attempt timeout. */
export const stackOfFive = (limits: Limits) =>
  Policy.compose(
    Timeout.total(limits.total),
    retry(limits),
    breaker(rules.inARow),
    bulkhead(limits),
    Timeout.attempt(limits.attempt)
  )

const pipeline = (limits: Limits) => ({
  limiter: bulkhead(limits),
  total: limits.total,
  breaker: { trip: rules.inARow, open: openFor },
  attempt: limits.attempt
})

export const standard = (limits: Limits) =>
  Pipelines.makeStandardUnsafe({ ...pipeline(limits), retry: { schedule: scheduleOf(limits) } })

const hedging = (limits: Limits) => HedgingPipeline.makeUnsafe({ ...pipeline(limits), hedge: { after: limits.hedge } })

const deed = "Policy.compose"

export const ours = (limits: Limits): Table => ({
  "attempt timeout": inFiber("Timeout.attempt", Timeout.attempt(limits.attempt)),
  "total timeout": inFiber("Timeout.total", Timeout.total(limits.total)),
  "adaptive timeout": inFiber(
    "Timeout.makeAdaptive",
    Timeout.makeAdaptiveUnsafe({ minLimit: limits.attempt, maxLimit: limits.attempt })
  ),
  "deadline": inFiber("Deadline.within", Deadline.within(limits.total)),
  "retry": inFiber("Retry.make", retry(limits)),
  "retry with a budget": inFiber("Retry.make, RetryBudget.tokens", retryWithBudget(limits)),
  "breaker, failures in a row": inFiber("consecutive(5)", breaker(rules.inARow)),
  "breaker, share of last calls": inFiber("failureRate, 100 calls", breaker(rules.ofLastCalls)),
  "breaker, share over time": inFiber("failureRate, 30 s", breaker(rules.overTime)),
  "breaker, share of slow calls": inFiber("slowRate, 30 s", breaker(slowCalls(limits))),
  "breaker by key": breakersByKey(),
  "bulkhead": inFiber("Bulkhead", bulkhead(limits)),
  "bulkhead with a queue": inFiber("Bulkhead, queue", bulkhead(limits, limits.queue)),
  "adaptive limit": inFiber(
    "AdaptiveLimit, aimd",
    AdaptiveLimit.makeUnsafe({ initialConcurrency: limits.permits, maxConcurrency: limits.permits })
  ),
  "limiter, token bucket": inFiber("tokenBucket", bucket(limits)),
  "limiter, GCRA": inFiber("gcra", limiter(RateLimiter.gcra({ ...rateOf(limits), burst: limits.rate.calls }))),
  "limiter, sliding window": inFiber("slidingWindow", limiter(RateLimiter.slidingWindow(rateOf(limits)))),
  "limiter, fixed window": inFiber("fixedWindow", limiter(RateLimiter.fixedWindow(rateOf(limits)))),
  "adaptive throttle": inFiber("AdaptiveThrottle", AdaptiveThrottle.makeUnsafe()),
  "hedge after a fixed delay": inFiber("Hedge, delay", Hedge.makeUnsafe({ after: limits.hedge })),
  "hedge after a learnt delay": inFiber(
    "Hedge, quantile 0.95",
    Hedge.makeUnsafe({ after: { quantile: 0.95, initialDelay: limits.hedge, minDelay: limits.hedge } })
  ),
  "fallback": inFiber("Fallback.to", Fallback.to(() => one)),
  "coalesce": inFiber("Coalesce", Coalesce.makeUnsafe<number, unknown>()),
  "chaos, switched off": inFiber("Chaos.latency", Chaos.latency("1 hour", { ratio: 1 })),
  "criticality": inFiber("Criticality.as", Criticality.as("sheddable")),
  "breaker > attempt": inFiber(
    deed,
    Policy.compose(breaker(rules.overTime), Timeout.attempt(limits.attempt))
  ),
  "retry > breaker > attempt": inFiber(deed, stackOfThree(limits)),
  "total > retry > breaker > bulkhead > attempt": inFiber(deed, stackOfFive(limits)),
  "Pipelines.makeStandard": inFiber("bulkhead > total > retry with a budget > breaker > attempt", standard(limits)),
  "HedgingPipeline.make": inFiber("total > hedge with a budget > bulkhead > breaker > attempt", hedging(limits))
})

/** One breaker per key. */
export const keyed = () => (): Kept => {
  const kept = breaker(rules.overTime)
  return { kept, contender: inFiber("CircuitBreaker", kept) }
}

/** What `Keyed` itself holds per key. */
export const keyedAlone = () => {
  const instances = Keyed.makeUnsafe({ lookup: (_: string) => Policy.identity, maxInstances: 10_000 })
  return (key: string): Kept => ({ kept: undefined, contender: inFiber("Keyed", instances.for(key)) })
}

/** `Keyed` with a breaker. */
export const keyedBreaker = () => {
  const instances = Keyed.makeUnsafe({ lookup: (_: string) => breaker(rules.overTime), maxInstances: 10_000 })
  return (key: string): Kept => ({ kept: undefined, contender: inFiber("Keyed", instances.for(key)) })
}
