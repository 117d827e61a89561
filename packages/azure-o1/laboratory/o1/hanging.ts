/** The question of `hangsAfter`: attempts that bring nothing open a circuit as well, which the production policy does not do. */
import { type O1Error, O1Policy, O1RejectedError } from "@effect-resilience/azure-o1"
import * as CircuitBreaker from "@effect-resilience/core/CircuitBreaker"
import * as Fault from "@effect-resilience/core/Fault"
import * as Policy from "@effect-resilience/core/Policy"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

const isSilence = (error: O1Error): boolean => error._tag === "O1TimeoutError" && error.kind === "attempt"

/** Puts such a breaker around each attempt of the policy inside. */
export const hanging = (failures: number): Layer.Layer<O1Policy, never, O1Policy> =>
  Layer.effect(
    O1Policy,
    Effect.map(O1Policy, (inner) => {
      const breaker = Policy.mapError(
        CircuitBreaker.makeUnsafe({
          trip: CircuitBreaker.consecutive(failures),
          open: "30 seconds",
          halfOpen: { probes: 3, lease: "10 seconds" },
          classify: (exit: Exit.Exit<unknown, O1Error>, now: number) =>
            Exit.isSuccess(exit)
              ? Fault.of(exit, now)
              : Option.exists(Exit.findErrorOption(exit), isSilence)
              ? Fault.transient()
              // what the other breaker counts
              : Fault.interrupted
        }),
        CircuitBreaker.isCircuitOpen,
        ({ retryAfter }) => new O1RejectedError({ kind: "circuit-open", retryAfter })
      )
      return O1Policy.of({
        ...inner,
        parts: (request, options) => {
          const parts = inner.parts(request, options)
          return { ...parts, attempt: (name) => Policy.compose(breaker, parts.attempt(name)) }
        }
      })
    })
  )
