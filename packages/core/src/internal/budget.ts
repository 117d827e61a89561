import * as Effect from "effect/Effect"
import type * as kernel from "../kernel/retryBudget.ts"
import type { RetryBudget, State } from "../RetryBudget.ts"
import { invalid } from "./options.ts"
import type { AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

export const TypeId = "~effect-resilience/core/RetryBudget"

/** What a `RetryBudget` is. Users see its name and state; the policies that spend it, its kernel. */
export class Shared implements RetryBudget {
  readonly [TypeId] = TypeId
  readonly name: string | undefined
  readonly kernel: kernel.Budget

  constructor(name: string | undefined, budget: kernel.Budget) {
    this.name = name
    this.kernel = budget
  }

  get state(): Effect.Effect<State> {
    return Effect.withFiber((fiber) => Effect.succeed(stateOf(this.kernel, fiber)))
  }
}

export const stateOf = (budget: kernel.Budget, fiber: AnyFiber): State => {
  const { calls, held } = budget
  return { available: budget.available(now(fiber)), calls, held }
}

/** There is one implementation of the interface, and its constructor is not exported. */
export const sharedOf = (where: string, budget: RetryBudget): Shared => {
  if (budget instanceof Shared) return budget
  throw invalid(where, "budget", budget, "a RetryBudget")
}
