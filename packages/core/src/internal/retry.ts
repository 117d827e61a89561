import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fault from "../Fault.ts"
import * as Telemetry from "./events.ts"
import * as frame from "./frame.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import type { Result } from "./result.ts"
import type { Funded, Purse } from "./retryBudget.ts"
import { type AnyExit, Run, type Settings, type Ways } from "./retryRun.ts"
import { now } from "./time.ts"
import * as tried from "./tried.ts"

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

/** What follows the first attempt of a call, if that has failed. */
const goOn = (run: Run, self: AnyEffect, cause: Cause.Cause<unknown>): AnyEffect =>
  run.next(Exit.failCause(cause), undefined, { again: Effect.suspend(() => attemptAndRetry(run, self, undefined)) })

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
export class RetryEffect extends frame.Stage implements Funded {
  declare private readonly self: AnyEffect
  declare private readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  /** This effect is also the frame of its first attempt. */
  [frame.contE](cause: Cause.Cause<unknown>): AnyEffect {
    return this.next(undefined, cause)
  }

  next(purse: Purse | undefined, cause: Cause.Cause<unknown>): AnyEffect {
    return goOn(new Run(this.settings, undefined, purse), this.self, cause)
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { self, settings } = this
    const { budget, result } = settings
    const elsewhere = tried.open(fiber, this)
    if (elsewhere !== undefined) return elsewhere
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener === undefined && result === undefined && frame.supported()) {
      if (budget === undefined) frame.push(fiber, this)
      else budget.fund(fiber, at, this)
      return frame.proceed(self, fiber, at)
    }
    const run = new Run(settings, listener)
    if (budget === undefined && result === undefined && frame.supported()) {
      const start = at === frame.unread ? now(fiber) : at
      run.started(fiber, start)
      frame.push(fiber, new ObservedFrame(self, run))
      return frame.proceed(run.within(self), fiber, start)
    }
    const call = attemptAndRetry(run, self, result)
    return run.purse === undefined ? call : run.purse.around(call)
  }
}
