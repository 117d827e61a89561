import * as Effect from "effect/Effect"
import type * as kernel from "../kernel/retryBudget.ts"
import { invalid } from "./options.ts"
import type { AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

export const TypeId = "~effect-resilience/core/RetryBudget"

/**
 * What a budget has left, and for whom.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** How many further attempts would be granted now; never negative. */
  readonly available: number
  /** The calls in flight, without those that wait for their next attempt. */
  readonly calls: number
  /** The further attempts that were granted and have not ended; those waited for are among them. */
  readonly held: number
}

/**
 * A budget: one value, shared by the retries and hedges of all calls to one callee.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly [TypeId]: typeof TypeId
  /** The name that the budget was given. */
  readonly name: string | undefined
  /** The budget now. Looking at it ages it. */
  readonly state: Effect.Effect<State>
}

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
