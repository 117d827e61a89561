import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/retry.ts"
import type { Budget, Grant } from "../kernel/retryBudget.ts"
import { timeLeft } from "./deadline.ts"
import { emit } from "./emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import * as Telemetry from "./events.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { mayRepeat } from "./repeat.ts"
import { now, wallNow } from "./time.ts"

export interface Settings {
  readonly name: string | undefined
  readonly schedule: Schedule.Schedule<unknown, unknown, unknown, unknown>
  readonly times: number
  readonly retries: (fault: Fault.Fault, error: unknown) => boolean
  readonly classify: Fault.Classify<never>
  readonly hints: kernel.Hints
  readonly budget: Budget | undefined
  readonly budgetName: string | undefined
  readonly commit: Predicate.Predicate<unknown>
}

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown, unknown>

/** One logical call: counts the attempts and decides after each. */
class Run {
  attempt = 1
  private readonly settings: Settings
  private readonly listener: Telemetry.Listener | undefined
  private step: Step | undefined = undefined
  private metadata: Schedule.Metadata | undefined = undefined
  private startedAt = 0
  /** what the attempt under way, or the one waited for, was paid with */
  private grant: Grant | undefined = undefined
  private begun = false
  private waiting = false

  constructor(settings: Settings, listener: Telemetry.Listener | undefined) {
    this.settings = settings
    this.listener = listener
  }

  /** The budget hears of the call. Once is enough, for a stream that is started again as well. */
  begin(fiber: AnyFiber): void {
    const { budget } = this.settings
    if (budget === undefined || this.begun) return
    this.begun = true
    budget.begin(budget.timed ? now(fiber) : 0)
  }

  /** The call is over, whatever it was doing. */
  finish(fiber: AnyFiber): void {
    const { budget } = this.settings
    if (budget === undefined || !this.begun) return
    if (this.grant !== undefined) {
      if (this.waiting) budget.refund(this.grant, now(fiber))
      else budget.release()
    }
    if (!this.waiting) budget.end()
  }

  succeeded(): void {
    this.settings.budget?.succeed()
  }

  /** Lets a stream see what the schedule said. */
  inform(self: AnyStream): AnyStream {
    const { metadata } = this
    return metadata === undefined ? self : Stream.provideService(self, Schedule.CurrentMetadata, metadata)
  }

  /** Tells of the attempt while it runs, and lets it see what the schedule said. */
  observe(self: AnyEffect): AnyEffect {
    const { listener, metadata } = this
    const attempt = metadata === undefined ? self : Effect.provideService(self, Schedule.CurrentMetadata, metadata)
    if (listener === undefined) return attempt
    return Effect.withFiber((fiber) => {
      this.started(fiber)
      return Effect.onExitPrimitive(attempt, (exit) => {
        this.ended(fiber, exit)
        return undefined
      })
    })
  }

  started(fiber: AnyFiber): void {
    if (this.listener === undefined) return
    this.startedAt = now(fiber)
    emit(fiber, this.listener, {
      _tag: "AttemptStarted",
      policy: "retry",
      name: this.settings.name,
      attempt: this.attempt
    })
  }

  ended(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void {
    if (this.listener === undefined) return
    emit(fiber, this.listener, {
      _tag: "AttemptEnded",
      policy: "retry",
      name: this.settings.name,
      attempt: this.attempt,
      duration: Duration.millis(now(fiber) - this.startedAt),
      fault: this.shown(fiber, exit),
      exit
    })
  }

  /** For the listener. A `classify` that throws is for {@link next} to notice: a call that ends here does not ask for it. */
  private shown(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): Fault.Fault | undefined {
    if (Exit.isSuccess(exit)) return undefined
    try {
      return this.settings.classify(exit as Exit.Exit<never>, wallNow(fiber))
    } catch {
      return Fault.defect
    }
  }

  /** Succeeds when the next attempt may begin; fails with the cause when there is none. */
  next(cause: Cause.Cause<unknown>): AnyEffect {
    return Effect.withFiber((fiber) => {
      const { classify, retries, times } = this.settings
      const wall = wallNow(fiber)
      const fault = classify(Exit.failCause(cause as Cause.Cause<never>), wall)
      const counts = this.failed(fault)
      const failure = cause.reasons.find(Cause.isFailReason)
      if (fault === undefined || failure === undefined || !retries(fault, failure.error) || !mayRepeat(fiber)) {
        return this.stop(fiber, cause, fault, "not-retryable")
      }
      if (this.attempt > times) return this.stop(fiber, cause, fault, "exhausted")
      return Effect.flatMap(this.driver, (step) =>
        Pull.matchEffect(step(wall, failure.error), {
          onSuccess: ([output, scheduled]) => {
            const delay = kernel.wait({
              scheduled: Duration.toMillis(scheduled),
              hint: hintOf(fault),
              left: timeLeft(fiber, now(fiber)),
              random: fiber.getRef(Random.Random).nextDoubleUnsafe()
            }, this.settings.hints)
            if (typeof delay === "string") return this.stop(fiber, cause, fault, delay)
            if (!this.pay(fiber, counts)) return this.stop(fiber, cause, fault, "budget")
            return this.sleep(fiber, cause, fault, failure.error, output, delay, wall)
          },
          onFailure: (broken) => Effect.failCause(broken),
          onDone: () => this.stop(fiber, cause, fault, "exhausted")
        }))
    })
  }

  /** The budget hears of a failed attempt; tells whether it speaks against the callee. */
  private failed(fault: Fault.Fault | undefined): boolean {
    const { budget } = this.settings
    const counts = fault?._tag === "Transient" || fault?._tag === "Throttled"
    if (budget === undefined) return counts
    if (this.grant !== undefined) budget.release()
    this.grant = undefined
    if (counts) budget.fail()
    return counts
  }

  /** Before the wait, not after it: of many callers that wait for the last token, one would do so for something. */
  private pay(fiber: AnyFiber, counts: boolean): boolean {
    const { budget, budgetName, name } = this.settings
    if (budget === undefined) return true
    this.grant = budget.grant(now(fiber), counts)
    if (this.grant !== undefined) {
      budget.wait()
      this.waiting = true
      return true
    }
    if (this.listener !== undefined) {
      emit(fiber, this.listener, {
        _tag: "BudgetExhausted",
        policy: "retry",
        name,
        budget: budgetName,
        attempt: this.attempt
      })
    }
    return false
  }

  /** The schedule is not even started before the first failure. */
  private get driver(): Effect.Effect<Step, never, unknown> {
    return this.step !== undefined ?
      Effect.succeed(this.step) :
      Effect.map(Schedule.toStep(this.settings.schedule), (step) => {
        this.step = step
        return step
      })
  }

  private stop(
    fiber: AnyFiber,
    cause: Cause.Cause<unknown>,
    fault: Fault.Fault | undefined,
    reason: Telemetry.StopReason
  ): AnyEffect {
    if (this.listener !== undefined && fault !== undefined) {
      emit(fiber, this.listener, {
        _tag: "RetryStopped",
        policy: "retry",
        name: this.settings.name,
        attempt: this.attempt,
        fault,
        cause,
        reason
      })
    }
    return Effect.failCause(cause)
  }

  private sleep(
    fiber: AnyFiber,
    cause: Cause.Cause<unknown>,
    fault: Fault.Fault,
    input: unknown,
    output: unknown,
    millis: number,
    wall: number
  ): AnyEffect {
    const delay = Duration.millis(millis)
    if (this.listener !== undefined) {
      emit(fiber, this.listener, {
        _tag: "RetryScheduled",
        policy: "retry",
        name: this.settings.name,
        attempt: this.attempt,
        fault,
        cause,
        delay
      })
    }
    const start = this.metadata?.start ?? wall
    this.metadata = {
      input,
      output,
      duration: delay,
      attempt: this.attempt++,
      start,
      now: wall,
      elapsed: wall - start,
      elapsedSincePrevious: wall - (this.metadata?.now ?? wall)
    }
    const wait = millis <= 0 ? Effect.void : Effect.sleep(delay)
    const { budget } = this.settings
    return budget === undefined ? wait : Effect.map(wait, () => {
      budget.goOn()
      this.waiting = false
    })
  }
}

const hintOf = (fault: Fault.Fault): number | undefined => {
  const hint = Fault.retryAfter(fault)
  return hint === undefined ? undefined : Duration.toMillis(hint)
}

const attemptAndRetry = (run: Run, self: AnyEffect): AnyEffect =>
  Effect.catchCause(run.observe(self), (cause) => Effect.andThen(run.next(cause), () => attemptAndRetry(run, self)))

/** The frame that settles with the budget is on the stack before anything is drawn from it. */
const withinBudget = (run: Run, self: AnyEffect): AnyEffect =>
  Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      run.begin(fiber)
      return attemptAndRetry(run, self)
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
    this.unobserved = Effect.catchCause(self, (cause) => {
      const run = new Run(settings, undefined)
      return Effect.andThen(run.next(cause), () => attemptAndRetry(run, self))
    })
  }

  run(fiber: AnyFiber): AnyEffect {
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (this.settings.budget !== undefined) return withinBudget(new Run(this.settings, listener), this.self)
    return listener === undefined ? this.unobserved : attemptAndRetry(new Run(this.settings, listener), this.self)
  }
}

type Continue = (last: any, error: any) => AnyStream

export const retryStream = (self: AnyStream, settings: Settings, from: Continue | undefined): AnyStream =>
  fromPull((streamScope) =>
    Effect.withFiber((fiber) => {
      const listener = fiber.getRef(Telemetry.CurrentListener)
      const run = new Run(settings, listener)
      let source = self
      let scope = Scope.forkUnsafe(streamScope)
      let pull: AnyPull | undefined
      let last: unknown
      let committed = false
      /** an attempt is being told of: from its start to the element that commits it, or its failure */
      let telling = false

      const start = Effect.withFiber((fiber) => {
        run.begin(fiber)
        run.started(fiber)
        telling = true
        return Effect.flatMap(open(run.inform(source), scope), (opened) => {
          pull = opened
          return opened
        })
      })

      const attempt: AnyPull = Effect.onExitPrimitive(Effect.suspend(() => pull ?? start), (exit) => {
        if (Exit.isSuccess(exit)) {
          last = exit.value[exit.value.length - 1]
          if (!committed && exit.value.some(settings.commit)) committed = true
        }
        const failed = Exit.isFailure(exit) && !Pull.isDoneCause(exit.cause)
        if (telling && (committed || Exit.isFailure(exit))) {
          telling = false
          if (!failed) run.succeeded()
          return Effect.withFiber((fiber) => {
            run.ended(fiber, failed ? exit : Exit.void)
            return failed ? Scope.close(scope, exit) : Effect.void
          })
        }
        return failed ? Scope.close(scope, exit) : undefined
      })

      const again = (cause: Cause.Cause<unknown>): AnyPull =>
        Effect.andThen(run.next(cause), () => {
          if (committed) source = from!(last, cause.reasons.find(Cause.isFailReason)?.error)
          scope = Scope.forkUnsafe(streamScope)
          pull = undefined
          return next
        })

      const next: AnyPull = Effect.catchCause(attempt, (cause) =>
        Pull.isDoneCause(cause) || (committed && from === undefined) ? Effect.failCause(cause) : again(cause))

      const all: AnyPull = Effect.suspend(() =>
        committed && from === undefined ? pull! : next
      )
      const closed = Effect.withFiber((fiber) => {
        // the consumer has stopped before an element that commits
        if (telling) run.ended(fiber, Exit.interrupt())
        run.finish(fiber)
        return Effect.void
      })
      return settings.budget === undefined && listener === undefined
        ? Effect.succeed(all)
        : Effect.as(Scope.addFinalizer(streamScope, closed), all)
    })
  )
