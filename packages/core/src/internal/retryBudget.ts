import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Budget, Funding } from "../kernel/retryBudget.ts"
import { invalid } from "./options.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"

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

/**
 * What a call pays its further attempts with. It comes with the budget, so that a program whose retries have none does not
 * carry it.
 */
export interface Purse {
  /** The budget hears of the call. Once is enough, for a stream that is started again as well. */
  begin(fiber: AnyFiber): void
  /** An attempt has ended well, or a value is the last word although it is none. */
  succeeded(): void
  /** An attempt has failed. `counts`: that speaks against the callee. */
  failed(counts: boolean): void
  /** Before the wait, not after it: of many callers that wait for the last token, one would do so for something. */
  pay(fiber: AnyFiber, counts: boolean): boolean
  /** The wait for the next attempt is over. */
  goOn(): void
  /** The call ends with what is no success, whatever it looks like. */
  giveUp(): void
  /** The call is over, whatever it was doing. */
  finish(fiber: AnyFiber): void
  /** The call, which begins and finishes where `self` does. */
  around(self: AnyEffect): AnyEffect
}

/** How a call goes on whose first attempt has failed. */
export interface Funded {
  next(purse: Purse, cause: Cause.Cause<unknown>): AnyEffect
}

/** What a `RetryBudget` is. Users see its name and state; a hedge spends its kernel. */
export interface Shared extends RetryBudget {
  readonly funding: Funding
  readonly kernel: Budget
  purse(): Purse
  /** The frame of a first attempt, which makes a purse only if that fails. */
  fund(fiber: AnyFiber, at: number, call: Funded): void
}

/** There is one implementation of the interface, and its constructor is not exported. */
export const sharedOf = (where: string, budget: RetryBudget): Shared => {
  if (Predicate.hasProperty(budget, TypeId)) return budget as Shared
  throw invalid(where, "budget", budget, "a RetryBudget")
}
