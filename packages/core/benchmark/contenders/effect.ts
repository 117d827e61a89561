import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Contender, inFiber, type Kept, type Wrap } from "../contender.ts"
import { nextKey } from "../keys.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

const timeout = (millis: number): Wrap => Effect.timeout(millis)

const retry = ({ backoff }: Limits): Wrap =>
  Effect.retry(Schedule.max([Schedule.exponential(backoff), Schedule.recurs(3)]))

const inARow = CircuitBreaker.consecutive(trip.failures)
const ofLastCalls = CircuitBreaker.rate({ threshold: trip.ratio, size: trip.calls, minimumCalls: trip.minimum })

/** Effect's breaker is a map of circuits in a store. */
const circuits = (tripPolicy: CircuitBreaker.TripPolicy): (key: string) => Wrap => {
  const { execute } = Effect.runSync(
    CircuitBreaker.make({ tripPolicy, openDuration: openFor }).pipe(
      Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
      Effect.provide(CircuitBreaker.layerStoreMemory())
    )
  )
  return (key) => (self) => execute(self, { key })
}

const breaker = (tripPolicy: CircuitBreaker.TripPolicy): Wrap => circuits(tripPolicy)("callee")

export const breakersByKey = (count?: number): Contender => {
  const circuit = circuits(ofLastCalls)
  const key = nextKey(count)
  return inFiber("CircuitBreaker.rate, key", (self) => circuit(key())(self))
}

const bulkhead = ({ permits }: Pick<Limits, "permits">): Wrap => {
  const semaphore = Semaphore.makeUnsafe(permits)
  return (self) => semaphore.withPermit(self)
}

const full = Effect.fail("full")

const bulkheadWithoutQueue = ({ permits }: Limits): Wrap => {
  const ifAvailable = Semaphore.makeUnsafe(permits).withPermitsIfAvailable(1)
  return (self) =>
    Effect.flatMap(ifAvailable(self), (answer) => answer._tag === "Some" ? Effect.succeed(answer.value) : full)
}

const limiter = (algorithm: "token-bucket" | "fixed-window", { rate }: Limits): Wrap => {
  const limited = Effect.runSync(
    RateLimiter.makeWithRateLimiter.pipe(
      Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
    )
  )
  return limited({ algorithm, onExceeded: "fail", limit: rate.calls, window: rate.per, key: "callee" })
}

/** A call without a permit waits for one. */
export const queueing = (permits: number): Contender => inFiber("Semaphore.withPermit", bulkhead({ permits }))

const stackOfThree = (limits: Limits): Wrap => flow(timeout(limits.attempt), breaker(inARow), retry(limits))

const stackOfFive = (limits: Limits): Wrap =>
  flow(timeout(limits.attempt), bulkhead(limits), breaker(inARow), retry(limits), timeout(limits.total))

const one = Effect.succeed(1)

export const effect = (limits: Limits): Table => ({
  "attempt timeout": inFiber("Effect.timeout", timeout(limits.attempt)),
  "total timeout": inFiber("Effect.timeout", timeout(limits.total)),
  "retry": inFiber("Effect.retry", retry(limits)),
  "breaker, failures in a row": inFiber("CircuitBreaker.consecutive", breaker(inARow)),
  "breaker, share of last calls": inFiber("CircuitBreaker.rate", breaker(ofLastCalls)),
  "breaker by key": breakersByKey(),
  "bulkhead": inFiber("withPermitsIfAvailable", bulkheadWithoutQueue(limits)),
  "bulkhead with a queue": inFiber("Semaphore.withPermit", bulkhead(limits)),
  "limiter, token bucket": inFiber("RateLimiter, memory", limiter("token-bucket", limits)),
  "limiter, fixed window": inFiber("RateLimiter, memory", limiter("fixed-window", limits)),
  "hedge after a fixed delay": inFiber(
    "Effect.race, Effect.delay",
    (self) => Effect.race(self, Effect.delay(self, limits.hedge))
  ),
  "fallback": inFiber("Effect.catch", Effect.catch(() => one)),
  "retry > breaker > attempt": inFiber("flow", stackOfThree(limits)),
  "total > retry > breaker > bulkhead > attempt": inFiber("flow", stackOfFive(limits))
})

export const keyed = () => {
  const circuit = circuits(ofLastCalls)
  return (key: string): Kept => ({ kept: undefined, contender: inFiber("CircuitBreaker", circuit(key)) })
}
