import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/retry.ts"
import { type AttemptSpan, CurrentAttemptSpans } from "./currentSpans.ts"
import { timeLeft } from "./deadline.ts"
import { emit } from "./emit.ts"
import type { AnyStream } from "./establish.ts"
import type * as Telemetry from "./events.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { mayRepeat } from "./repeat.ts"
import type { Result } from "./result.ts"
import type { Purse, Shared } from "./retryBudget.ts"
import { now, wallNow } from "./time.ts"
import * as tried from "./tried.ts"
import type { Attempt } from "./tries.ts"

type AnySchedule = Schedule.Schedule<unknown, unknown, unknown, unknown>
export type AnyExit = Exit.Exit<unknown, unknown>

/** An attempt after which there may be another one. */
interface Failed {
  readonly attempt: number
  readonly fault: Fault.Fault
  readonly exit: AnyExit
  readonly delay: Duration.Duration
}

export interface Settings {
  readonly name: string | undefined
  readonly schedule: AnySchedule
  /** by a tag of the error, or of the fault */
  readonly schedules: ReadonlyMap<string, AnySchedule> | undefined
  /** the wait in milliseconds, instead of the schedule's */
  readonly after: ((failed: Failed) => number | undefined) | undefined
  readonly times: number
  /** whether another attempt may do better than one with this fault */
  readonly goesOn: (fault: Fault.Fault) => boolean
  /** whether this error is one to go on after */
  readonly accepts: (error: unknown) => boolean
  readonly classify: Fault.Classify<never>
  /** of a value; absent where no value is a fault */
  readonly result: Result | undefined
  readonly hints: kernel.Hints
  readonly budget: Shared | undefined
  readonly commit: Predicate.Predicate<unknown>
}

/** How a call goes on after an attempt. */
export interface Ways {
  /** with another attempt */
  readonly again: AnyEffect
  /** what is done before the wait for it */
  readonly leave?: AnyEffect
  /** without one; by default with the outcome */
  readonly giveUp?: AnyEffect
}

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown, unknown>

/** One logical call: counts the attempts and decides after each. */
export class Run {
  attempt = 1
  /** what the call has tried, where its attempts are told of that by a stream */
  memory: Attempt | undefined = undefined
  private readonly settings: Settings
  private readonly listener: Telemetry.Listener | undefined
  /** the schedules that have begun; each goes on from where it was */
  private steps: Map<AnySchedule, Step> | undefined = undefined
  private metadata: Schedule.Metadata | undefined = undefined
  private startedAt = 0
  private span: AttemptSpan | undefined = undefined
  readonly purse: Purse | undefined

  constructor(
    settings: Settings,
    listener: Telemetry.Listener | undefined,
    purse: Purse | undefined = settings.budget?.purse()
  ) {
    this.settings = settings
    this.listener = listener
    this.purse = purse
  }

  /** Lets a stream see what the schedule said, and puts it into the span of its attempt. */
  inform(self: AnyStream): AnyStream {
    const { metadata, span } = this
    const within = span === undefined ? self : Stream.provideService(self, Tracer.ParentSpan, span.span)
    return metadata === undefined ? within : Stream.provideService(within, Schedule.CurrentMetadata, metadata)
  }

  /** Tells of the attempt while it runs, and lets it see what the schedule said. */
  observe(self: AnyEffect): AnyEffect {
    const { listener, metadata } = this
    const attempt = metadata === undefined
      ? self
      : tried.again(Effect.provideService(self, Schedule.CurrentMetadata, metadata))
    if (listener === undefined) return attempt
    return Effect.withFiber((fiber) => {
      this.started(fiber)
      return Effect.onExitPrimitive(this.within(attempt), (exit) => {
        this.ended(fiber, exit, this.faultOf(fiber, exit))
        return undefined
      })
    })
  }

  /** In the span of the attempt, if it has one. */
  within(attempt: AnyEffect): AnyEffect {
    const { span } = this
    return span === undefined ? attempt : Effect.provideService(attempt, Tracer.ParentSpan, span.span)
  }

  started(fiber: AnyFiber, at = now(fiber)): void {
    if (this.listener === undefined) return
    this.startedAt = at
    emit(fiber, this.listener, {
      _tag: "AttemptStarted",
      policy: "retry",
      name: this.settings.name,
      attempt: this.attempt
    })
    this.span = fiber.getRef(CurrentAttemptSpans)?.open(fiber.context, "retry", this.settings.name, this.attempt)
  }

  ended(fiber: AnyFiber, exit: AnyExit, fault: Fault.Fault | undefined): void {
    if (this.listener === undefined) return
    this.span?.end(exit, fault)
    emit(fiber, this.listener, {
      _tag: "AttemptEnded",
      policy: "retry",
      name: this.settings.name,
      attempt: this.attempt,
      duration: Duration.millis(now(fiber) - this.startedAt),
      fault,
      exit
    })
  }

  /** For the listener. A `classify` that throws is for {@link next} to notice: a call that ends here does not ask for it. */
  faultOf(fiber: AnyFiber, exit: AnyExit): Fault.Fault | undefined {
    const { classify, result } = this.settings
    if (this.listener === undefined) return undefined
    try {
      return Exit.isSuccess(exit) ? result?.(exit.value) : classify(exit as Exit.Exit<never>, wallNow(fiber))
    } catch {
      return Fault.defect
    }
  }

  /** What follows an attempt that has failed, or that has ended with a value which is a fault; that is known then. */
  next(exit: AnyExit, known: Fault.Fault | undefined, ways: Ways): AnyEffect {
    return Effect.withFiber((fiber) => {
      const { classify, goesOn, times } = this.settings
      const wall = wallNow(fiber)
      const fault = known ?? classify(exit as Exit.Exit<never>, wall)
      const counts = fault?._tag === "Transient" || fault?._tag === "Throttled"
      this.purse?.failed(counts)
      const input = this.inputOf(exit)
      const memory = this.memory ?? fiber.getRef(tried.CurrentAttempt)
      const isElsewhere = memory !== undefined && memory.mayGoElsewhere(now(fiber))
      const passes = fault !== undefined && (goesOn(fault) || (isElsewhere && fault._tag === "Rejected"))
      if (input === undefined || !passes || !mayRepeat(fiber)) {
        return this.stop(fiber, exit, ways, fault, "not-retryable")
      }
      if (this.attempt > times) return this.stop(fiber, exit, ways, fault, "exhausted")
      return Effect.flatMap(this.driver(fault, input.value), (step) =>
        Pull.matchEffect(step(wall, input.value), {
          onSuccess: ([output, scheduled]) => {
            const delay = kernel.wait({
              scheduled: this.settings.after?.({ attempt: this.attempt, fault, exit, delay: scheduled }) ??
                Duration.toMillis(scheduled),
              // a pause that one endpoint asks for is none for the call while another one is free
              hint: isElsewhere ? undefined : hintOf(fault),
              left: timeLeft(fiber, now(fiber)),
              random: fiber.getRef(Random.Random).nextDoubleUnsafe()
            }, this.settings.hints)
            if (typeof delay === "string") return this.stop(fiber, exit, ways, fault, delay)
            if (!this.pay(fiber, counts)) return this.stop(fiber, exit, ways, fault, "budget")
            const wait = this.sleep(fiber, exit, fault, input.value, output, delay, wall)
            return Effect.andThen(ways.leave === undefined ? wait : Effect.andThen(ways.leave, wait), ways.again)
          },
          onFailure: (broken) => Effect.failCause(broken),
          onDone: () => this.stop(fiber, exit, ways, fault, "exhausted")
        }))
    })
  }

  /** What a schedule is told: the error, or the value. Nothing, if this is not to be retried. */
  private inputOf(exit: AnyExit): { readonly value: unknown } | undefined {
    if (Exit.isSuccess(exit)) return exit
    const failure = exit.cause.reasons.find(Cause.isFailReason)
    return failure === undefined || !this.settings.accepts(failure.error) ? undefined : { value: failure.error }
  }

  private pay(fiber: AnyFiber, counts: boolean): boolean {
    const paid = this.purse === undefined || this.purse.pay(fiber, counts)
    if (!paid && this.listener !== undefined) {
      emit(fiber, this.listener, {
        _tag: "BudgetExhausted",
        policy: "retry",
        name: this.settings.name,
        budget: this.settings.budget!.name,
        attempt: this.attempt
      })
    }
    return paid
  }

  /** A schedule is not even started before the first failure that it is for. */
  private driver(fault: Fault.Fault, input: unknown): Effect.Effect<Step, never, unknown> {
    const { schedule: fallback, schedules } = this.settings
    const schedule = schedules === undefined ? fallback : kernel.choose(schedules, input, fault) ?? fallback
    const begun = this.steps?.get(schedule)
    return begun !== undefined ? Effect.succeed(begun) : Effect.map(Schedule.toStep(schedule), (step) => {
      this.steps ??= new Map()
      this.steps.set(schedule, step)
      return step
    })
  }

  private stop(
    fiber: AnyFiber,
    exit: AnyExit,
    ways: Ways,
    fault: Fault.Fault | undefined,
    reason: Telemetry.StopReason
  ): AnyEffect {
    this.purse?.giveUp()
    if (this.listener !== undefined && fault !== undefined) {
      emit(fiber, this.listener, {
        _tag: "RetryStopped",
        policy: "retry",
        name: this.settings.name,
        attempt: this.attempt,
        fault,
        cause: causeOf(exit),
        reason
      })
    }
    return ways.giveUp ?? exit
  }

  private sleep(
    fiber: AnyFiber,
    exit: AnyExit,
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
        cause: causeOf(exit),
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
    const { purse } = this
    return purse === undefined ? wait : Effect.map(wait, () => purse.goOn())
  }
}

const hintOf = (fault: Fault.Fault): number | undefined => {
  const hint = Fault.retryAfter(fault)
  return hint === undefined ? undefined : Duration.toMillis(hint)
}

/** A value that is a fault has none. */
const causeOf = (exit: AnyExit): Cause.Cause<unknown> => Exit.isSuccess(exit) ? Cause.empty : exit.cause
