import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Budget } from "../kernel/retryBudget.ts"
import type * as Policy from "../Policy.ts"
import * as Telemetry from "../Telemetry.ts"
import { isTimeoutExceeded } from "../Timeout.ts"
import { Deadline } from "./deadline.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import { type Settings, TimeoutEffect } from "./timeout.ts"

type AnyPolicy = Policy.Policy<any, any, any>

/** total > retry > breaker > attempt, taken apart. The limits do not vary, the attempt's is the shorter one. */
export interface Parts {
  readonly total: Settings
  readonly retry: AnyPolicy
  readonly budget: Budget
  readonly breaker: AnyPolicy
  readonly attempt: AnyPolicy
  /** One timer for both limits: an attempt's, which also ends it when the total does. */
  readonly both: Settings
  /** The same parts, put together. */
  readonly composed: AnyPolicy
}

/**
 * Does what its parts do when they are composed, at the cost of one fiber and one timer in the place of two: the first
 * attempt is over before the total is, and what comes after its failure is composed for the time that is left.
 *
 * One thing differs. An attempt that has timed out may still be cleaning up when the total ends; if the caller goes away
 * after that, the breaker counts nothing, where inside the total it would count a failure.
 */
export class StandardEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly parts: Parts

  constructor(self: AnyEffect, parts: Parts) {
    super()
    this.self = self
    this.parts = parts
  }

  run(fiber: AnyFiber): AnyEffect {
    const { parts, self } = this
    const { breaker, budget, total } = parts
    const startedAt = now(fiber)
    // whoever listens is told of each attempt as the parts tell it; an earlier deadline is for its owner to enforce
    if (
      fiber.getRef(Telemetry.CurrentListener) !== undefined ||
      fiber.getRef(Deadline) <= startedAt + total.total(startedAt)
    ) return parts.composed(self)
    const first = new FirstAttempt(self, parts, startedAt)
    return Effect.catchCause(
      Effect.onExitPrimitive(breaker(first), (exit) => {
        if (first.begun) budget.end()
        if (Exit.isSuccess(exit)) budget.succeed()
        return undefined
      }),
      (cause) => new Rest(self, parts, startedAt, cause)
    )
  }
}

/** The first attempt, within both limits. */
class FirstAttempt extends TimeoutEffect {
  private readonly budget: Budget
  private readonly startedAt: number
  /** the budget has been told */
  begun = false

  constructor(self: AnyEffect, { both, budget }: Parts, startedAt: number) {
    super(self, both)
    this.budget = budget
    this.startedAt = startedAt
  }

  override run(fiber: AnyFiber): AnyEffect {
    this.begun = true
    this.budget.begin(this.startedAt)
    return this.limited(fiber, this.startedAt, this.startedAt)
  }
}

const isTotal = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && isTimeoutExceeded(reason.error) && reason.error.phase === "total"

/** What follows a first attempt that has failed, within what is left of the total. To the retry, the failure is its first attempt. */
class Rest extends TimeoutEffect {
  private readonly startedAt: number
  private readonly cause: Cause.Cause<unknown>

  constructor(
    self: AnyEffect,
    { attempt, breaker, retry, total }: Parts,
    startedAt: number,
    cause: Cause.Cause<unknown>
  ) {
    let attempts = 0
    const next = breaker(attempt(self))
    super(retry(Effect.suspend(() => attempts++ === 0 ? Effect.failCause(cause) : next)), total)
    this.startedAt = startedAt
    this.cause = cause
  }

  override run(fiber: AnyFiber): AnyEffect {
    const at = now(fiber)
    const left = this.startedAt + this.settings.total(this.startedAt) - at
    const over = left < timerResolution && this.cause.reasons.some(isTotal)
    return over ? Effect.failCause(this.cause) : this.limited(fiber, this.startedAt, at)
  }
}
