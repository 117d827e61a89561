import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Breaker from "effect/persistence/CircuitBreaker"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Fault from "../../Fault.ts"
import { emit } from "../../internal/emit.ts"
import { CircuitOpen } from "../../internal/errors.ts"
import { CurrentListener } from "../../internal/events.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "../../internal/primitive.ts"
import { wallNow } from "../../internal/time.ts"

/** What the outcome of a call says of the callee, in Effect's words. */
const outcomeOf = (fault: Fault.Fault | undefined): Breaker.Outcome => {
  switch (fault?._tag) {
    case undefined:
    case "Permanent":
      return Breaker.success
    case "Transient":
      return Breaker.failure({ retryAfter: fault.retryAfter })
    case "Defect":
      return Breaker.failure()
    default:
      return Breaker.ignored
  }
}

interface Settings {
  readonly breaker: Breaker.CircuitBreaker
  readonly key: string
  readonly name: string
  readonly classify: Fault.Classify<any>
}

const rejected = (
  fiber: AnyFiber,
  name: string,
  state: "Open" | "HalfOpen",
  retryAfter: Duration.Duration
): CircuitOpen => {
  const listener = fiber.getRef(CurrentListener)
  if (listener !== undefined) {
    emit(fiber, listener, { _tag: "RejectedByCircuit", policy: "circuit-breaker", name, state, retryAfter })
  }
  return new CircuitOpen({ policyName: name, state, retryAfter })
}

/** A call through Effect's breaker. */
export class ThroughBreaker extends Primitive {
  private readonly self: AnyEffect
  private readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  run(fiber: AnyFiber): AnyEffect {
    const { breaker, classify, key, name } = this.settings
    let began = false
    const call = Effect.suspend(() => {
      began = true
      return this.self
    })
    return breaker.execute(call, {
      key,
      classify: (exit) => outcomeOf(classify(exit, wallNow(fiber)))
    }).pipe(
      // what the call itself fails with is its own, even if it is of another breaker
      Effect.catchIf(
        (error): error is Breaker.CircuitBreakerError => !began && error instanceof Breaker.CircuitBreakerError,
        (error): Effect.Effect<never, CircuitOpen | Breaker.CircuitBreakerError> => {
          switch (error.reason._tag) {
            case "CircuitOpen":
              return rejected(fiber, name, "Open", error.reason.retryAfter)
            case "CircuitHalfOpen":
              return rejected(fiber, name, "HalfOpen", Duration.zero)
            default:
              return Effect.fail(error)
          }
        }
      )
    )
  }
}

/** Tells what this process does to the circuit, for as long as the scope is open. */
export const tellChanges = ({ breaker, key, name }: Settings): Effect.Effect<void, never, Scope.Scope> =>
  breaker.transitions.pipe(
    Stream.runForEach((transition) =>
      Effect.withFiber((fiber) => {
        const listener = fiber.getRef(CurrentListener)
        if (listener === undefined || transition.key !== key) return Effect.void
        const { from, to } = transition
        emit(fiber, listener, { _tag: "CircuitChanged", policy: "circuit-breaker", name, from, to })
        return Effect.void
      })
    ),
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid
  )
