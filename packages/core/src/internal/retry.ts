import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Fault from "../Fault.ts"
import * as Telemetry from "./events.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import type { Result } from "./result.ts"
import { type AnyExit, Run, type Settings, type Ways } from "./retryRun.ts"

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

/** A success costs one frame: the run is made when something has failed, unless somebody listens. */
export class RetryEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly settings: Settings
  private readonly unobserved: AnyEffect

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
    this.unobserved = onFault(self, settings.result, (exit, fault) => {
      const run = new Run(settings, undefined)
      return run.next(exit, fault, { again: Effect.suspend(() => attemptAndRetry(run, self, settings.result)) })
    })
  }

  run(fiber: AnyFiber): AnyEffect {
    const { self, settings } = this
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (settings.budget !== undefined) return withinBudget(new Run(settings, listener), self, settings.result)
    return listener === undefined
      ? this.unobserved
      : attemptAndRetry(new Run(settings, listener), self, settings.result)
  }
}
