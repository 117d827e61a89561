import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Budget, Funding, Grant } from "../kernel/retryBudget.ts"
import * as frame from "./frame.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import * as budget from "./retryBudget.ts"
import { now } from "./time.ts"

class Purse implements budget.Purse {
  private readonly budget: Budget
  /** what the attempt under way, or the one waited for, was paid with */
  private grant: Grant | undefined = undefined
  private waiting = false
  private gaveUp = false
  private begun: boolean

  constructor(budget: Budget, begun: boolean) {
    this.budget = budget
    this.begun = begun
  }

  begin(fiber: AnyFiber): void {
    if (this.begun) return
    this.begun = true
    this.budget.begin(this.budget.timed ? now(fiber) : 0)
  }

  succeeded(): void {
    if (!this.gaveUp) this.budget.succeed()
  }

  failed(counts: boolean): void {
    if (this.grant !== undefined) this.budget.release()
    this.grant = undefined
    if (counts) this.budget.fail()
  }

  pay(fiber: AnyFiber, counts: boolean): boolean {
    this.grant = this.budget.grant(now(fiber), counts)
    if (this.grant === undefined) return false
    this.budget.wait()
    return this.waiting = true
  }

  goOn(): void {
    this.budget.goOn()
    this.waiting = false
  }

  giveUp(): void {
    this.gaveUp = true
  }

  finish(fiber: AnyFiber): void {
    if (!this.begun) return
    if (this.grant !== undefined) {
      if (this.waiting) this.budget.refund(this.grant, now(fiber))
      else this.budget.release()
    }
    if (!this.waiting) this.budget.end()
  }

  /** The frame that settles with the budget is on the stack before anything is drawn from it. */
  around(self: AnyEffect): AnyEffect {
    return Effect.onExitPrimitive(
      Effect.withFiber((fiber) => {
        this.begin(fiber)
        return self
      }),
      (exit) => {
        if (Exit.isSuccess(exit)) this.succeeded()
        this.finish(Fiber.getCurrent()!)
        return undefined
      }
    )
  }
}

/** Settles with the budget of a call that goes on after its first attempt. */
class SettlingFrame extends frame.ExitFrame {
  declare private readonly purse: Purse

  constructor(purse: Purse) {
    super()
    this.purse = purse
  }

  protected succeeded(fiber: AnyFiber): void {
    this.purse.succeeded()
    this.purse.finish(fiber)
  }

  protected failed(fiber: AnyFiber): void {
    this.purse.finish(fiber)
  }
}

/** The frame of a first attempt that a budget hears of. */
class FundedFrame implements frame.Frame {
  declare private readonly budget: Budget
  declare private readonly call: budget.Funded

  constructor(budget: Budget, call: budget.Funded) {
    this.budget = budget
    this.call = call
  }

  [frame.contAll](fiber: frame.Internals): void {
    frame.shield(fiber)
  }

  [frame.contA](value: unknown, fiber: frame.Internals): AnyEffect {
    this.budget.succeed()
    this.budget.end()
    return fiber.succeedWith(value)
  }

  [frame.contE](
    cause: Cause.Cause<unknown>,
    fiber: frame.Internals,
    exit: Exit.Exit<unknown, unknown> | undefined
  ): AnyEffect {
    // an interruption of the caller ends the call, whatever its cause has beside it
    if (frame.isShielded(fiber)) {
      this.budget.end()
      return exit ?? Exit.failCause(cause)
    }
    const purse = new Purse(this.budget, true)
    // not an effect that would push it: an interruption may arrive before that is evaluated
    frame.push(fiber, new SettlingFrame(purse))
    return this.call.next(purse, cause)
  }
}

/** What a `RetryBudget` is. */
export class Shared implements budget.Shared {
  readonly [budget.TypeId] = budget.TypeId
  readonly name: string | undefined
  readonly funding: Funding
  readonly kernel: Budget

  constructor(name: string | undefined, funding: Funding) {
    this.name = name
    this.funding = funding
    this.kernel = funding.open()
  }

  get state(): Effect.Effect<budget.State> {
    return Effect.withFiber((fiber) => Effect.succeed(stateOf(this.kernel, fiber)))
  }

  purse(): budget.Purse {
    return new Purse(this.kernel, false)
  }

  fund(fiber: AnyFiber, at: number, call: budget.Funded): void {
    const { kernel } = this
    kernel.begin(kernel.timed ? at === frame.unread ? now(fiber) : at : 0)
    frame.push(fiber, new FundedFrame(kernel, call))
  }
}

export const stateOf = (budget: Budget, fiber: AnyFiber): budget.State => {
  const { calls, held } = budget
  return { available: budget.available(now(fiber)), calls, held }
}
