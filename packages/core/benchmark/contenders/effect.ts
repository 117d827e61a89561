import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { inFiber, type Kept } from "../contender.ts"
import { type Limits, openFor, trip } from "../limits.ts"
import type { Table } from "../subjects.ts"

type Wrap = (self: Effect.Effect<number, unknown>) => Effect.Effect<number, unknown>

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

const stack = (limits: Limits): Wrap => flow(timeout(limits.attempt), breaker(inARow), retry(limits))

export const effect = (limits: Limits): Table => ({
  "attempt timeout": inFiber(timeout(limits.attempt)),
  "total timeout": inFiber(timeout(limits.total)),
  "retry": inFiber(retry(limits)),
  "breaker, failures in a row": inFiber(breaker(inARow)),
  "breaker, share of last calls": inFiber(breaker(ofLastCalls)),
  "retry > breaker > attempt": inFiber(stack(limits)),
  "total > retry > breaker > attempt": inFiber(flow(stack(limits), timeout(limits.total)))
})

export const keyed = () => {
  const circuit = circuits(ofLastCalls)
  return (key: string): Kept => ({ kept: undefined, contender: inFiber(circuit(key)) })
}
