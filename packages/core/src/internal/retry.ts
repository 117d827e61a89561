import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Fault from "../Fault.ts"
import type { Budget } from "../kernel/retryBudget.ts"
import * as Telemetry from "./events.ts"
import * as frame from "./frame.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import type { Result } from "./result.ts"
import { type AnyExit, Run, type Settings, type Ways } from "./retryRun.ts"
import { now } from "./time.ts"

const attemptAndRetry = (run: Run, self: AnyEffect, result: Result | undefined): AnyEffect => {
  const ways: Ways = { again: Effect.suspend(() => attemptAndRetry(run, self, result)) }
  return onFault(run.observe(self), result, (exit, fault) => run.next(exit, fault, ways))
}

type Next = (exit: AnyExit, fault: Fault.Fault | undefined) => AnyEffect

/** Goes on with `next` after a failure, and after a value that `result` calls a fault. */
const onFault = (self: AnyEffect, result: Result | undefined, next: Next): AnyEffect =>
  result === undefined
    ? Effect.catchCause(self, (cause) => next(Exit.failCause(cause), undefined))
    : Effect.matchCauseEffect(self, {
      onFailure: (cause) => next(Exit.failCause(cause), undefined),
      onSuccess: (value) => {
        const fault = result(value)
        const exit = Exit.succeed(value)
        return fault === undefined ? exit : next(exit, fault)
      }
    })

/** The frame that settles with the budget is on the stack before anything is drawn from it. */
const withinBudget = (run: Run, self: AnyEffect, result: Result | undefined): AnyEffect =>
  Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      run.begin(fiber)
      return attemptAndRetry(run, self, result)
    }),
    (exit) => {
      if (Exit.isSuccess(exit)) run.succeeded()
      run.finish(Fiber.getCurrent()!)
      return undefined
    }
  )

/** What follows the first attempt of a call, if that has failed. */
const goOn = (run: Run, self: AnyEffect, cause: Cause.Cause<unknown>): AnyEffect =>
  run.next(Exit.failCause(cause), undefined, { again: Effect.suspend(() => attemptAndRetry(run, self, undefined)) })

/** Settles with the budget of a call that goes on after its first attempt. */
class SettlingFrame extends frame.ExitFrame {
  declare private readonly run: Run

  constructor(run: Run) {
    super()
    this.run = run
  }

  protected succeeded(fiber: AnyFiber): void {
    this.run.succeeded()
    this.run.finish(fiber)
  }

  protected failed(fiber: AnyFiber): void {
    this.run.finish(fiber)
  }
}

/** The frame of a first attempt that a budget hears of. */
class FundedFrame implements frame.Frame {
  declare private readonly self: AnyEffect
  declare private readonly settings: Settings
  declare private readonly budget: Budget

  constructor(self: AnyEffect, settings: Settings, budget: Budget) {
    this.self = self
    this.settings = settings
    this.budget = budget
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
    const run = new Run(this.settings, undefined, true)
    // not an effect that would push it: an interruption may arrive before that is evaluated
    frame.push(fiber, new SettlingFrame(run))
    return goOn(run, this.self, cause)
  }
}

/** The frame of a first attempt that somebody is told of. */
class ObservedFrame implements frame.Frame {
  declare private readonly self: AnyEffect
  declare private readonly run: Run

  constructor(self: AnyEffect, run: Run) {
    this.self = self
    this.run = run
  }

  [frame.contAll](fiber: frame.Internals): void {
    frame.shield(fiber)
  }

  [frame.contA](value: unknown, fiber: frame.Internals): AnyEffect {
    this.run.ended(fiber, Exit.succeed(value), undefined)
    return fiber.succeedWith(value)
  }

  [frame.contE](cause: Cause.Cause<unknown>, fiber: frame.Internals, known: AnyExit | undefined): AnyEffect {
    const exit = (known ?? Exit.failCause(cause)) as Exit.Exit<never, unknown>
    this.run.ended(fiber, exit, this.run.faultOf(fiber, exit))
    // an interruption of the caller ends the call, whatever its cause has beside it
    return frame.isShielded(fiber) ? exit : goOn(this.run, this.self, cause)
  }
}

/** A success costs one frame: the run is made when something has failed, unless somebody listens. */
export class RetryEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  /** This effect is also the frame of its first attempt. */
  [frame.contE](cause: Cause.Cause<unknown>): AnyEffect {
    return goOn(new Run(this.settings, undefined), this.self, cause)
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { self, settings } = this
    const { budget, result } = settings
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined && result === undefined && frame.supported()) {
      if (budget !== undefined) budget.begin(budget.timed ? at === frame.unread ? now(fiber) : at : 0)
      frame.push(fiber, budget === undefined ? this : new FundedFrame(self, settings, budget))
      return frame.proceed(self, fiber, at)
    }
    const run = new Run(settings, listener)
    if (budget === undefined && result === undefined && frame.supported()) {
      const start = at === frame.unread ? now(fiber) : at
      run.started(fiber, start)
      frame.push(fiber, new ObservedFrame(self, run))
      return frame.proceed(run.within(self), fiber, start)
    }
    return budget === undefined ? attemptAndRetry(run, self, result) : withinBudget(run, self, result)
  }
}
