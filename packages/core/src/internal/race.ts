import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Fault from "../Fault.ts"
import type { LearntDelay } from "../kernel/hedge.ts"
import type { Budget, Grant } from "../kernel/retryBudget.ts"
import { endSpan, openSpan } from "./attemptSpans.ts"
import { forkForCall, timeLeft } from "./deadline.ts"
import { emit, emitDefect } from "./emit.ts"
import * as Telemetry from "./events.ts"
import { diesOf } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./primitive.ts"
import { mayRepeat } from "./repeat.ts"
import { now, wallNow } from "./time.ts"
import { Timer, type TimerQueue } from "./timers.ts"
import { hasLeftQueue, leaveQueue } from "./turn.ts"

/** What all races of one hedge share. */
export interface Rules {
  readonly name: string | undefined
  readonly classify: Fault.Classify<any>
  readonly budget: Budget | undefined
  readonly budgetName: string | undefined
  /** in milliseconds, now */
  readonly delay: number
  readonly learnt: LearntDelay | undefined
  /** for a delay that does not vary */
  readonly queue: TimerQueue | undefined
}

/** What is raced. */
export interface Entrants {
  readonly attempt: (n: number) => AnyEffect
  /** how many attempts there are beside the first one */
  readonly max: number
  /** whether another attempt may do better than one with this fault */
  readonly goesOn: (fault: Fault.Fault) => boolean
  /** whether each attempt has a part of the caller's scope; those of a stream have scopes of their own */
  readonly scoped: boolean
}

/** The callee has answered, or there is a bug, or it has ended itself: the race is over. */
const isFinal = (fault: Fault.Fault): boolean =>
  fault._tag === "Permanent" || fault._tag === "Defect" || fault._tag === "Interrupted"

export class HedgeEffect extends Primitive {
  private readonly rules: Rules
  private readonly entrants: Entrants

  constructor(rules: Rules, entrants: Entrants) {
    super()
    this.rules = rules
    this.entrants = entrants
  }

  run(fiber: AnyFiber): AnyEffect {
    const race = new Race(fiber, this.rules, this.entrants)
    return Effect.callback((resume) => race.start(resume))
  }
}

interface Attempt {
  readonly n: number
  readonly scope: Scope.Closeable | undefined
  readonly grant: Grant | undefined
  readonly span: Tracer.Span | undefined
  /** `undefined` while it is being started */
  fiber: AnyFiber | undefined
}

/** A call in flight: timer, attempts and clean-up in one object. */
class Race extends Timer {
  private readonly parent: AnyFiber
  /** the call's, which the parent has no longer when it has gone on */
  private readonly context: Context.Context<never>
  private readonly rules: Rules
  private readonly entrants: Entrants
  private readonly listener: Telemetry.Listener | undefined
  private readonly startedAt: number
  private readonly running = new Set<Attempt>()
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private state: "racing" | "settled" | "abandoned" = "racing"
  private begun = 0
  /** no further attempt is begun; those under way are left alone */
  private complete = false
  private first: Exit.Exit<unknown, unknown> | undefined = undefined

  constructor(parent: AnyFiber, rules: Rules, entrants: Entrants) {
    super()
    this.parent = parent
    this.context = parent.context
    this.rules = rules
    this.entrants = entrants
    this.listener = parent.getRef(Telemetry.CurrentListener)
    this.startedAt = now(parent)
  }

  /** Inside the callback's register: begun before it, attempts would be orphaned by an interruption at a scheduler yield. */
  start(resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    this.resume = resume
    this.rules.budget?.begin(this.startedAt)
    this.begin(undefined)
    this.awaitNext()
    return this.state === "racing" ? this.cleanup : undefined
  }

  private get mayBegin(): boolean {
    return this.state === "racing" && !this.complete && this.begun <= this.entrants.max && mayRepeat(this.parent)
  }

  private get isInTime(): boolean {
    return timeLeft(this.parent, now(this.parent)) > 0
  }

  private awaitNext(): void {
    const { delay, queue } = this.rules
    if (delay <= 0) {
      while (this.mayBegin && this.isInTime) this.another("delay", false)
    }
    this.disarm() // an attempt that failed while it was being started has armed it already
    if (!this.mayBegin || delay <= 0) return
    const at = this.begun === 1 ? this.startedAt : now(this.parent)
    if (delay < timeLeft(this.parent, at)) this.arm(this.parent, at, delay, queue)
  }

  expire(): void {
    // timers can be late
    if (this.mayBegin && this.isInTime) this.another("delay", false)
    this.awaitNext()
  }

  private another(because: "delay" | "failure", paid: boolean): void {
    const { budget, budgetName, name } = this.rules
    const at = now(this.parent)
    const grant = budget?.grant(at, paid)
    if (budget !== undefined && grant === undefined) {
      this.complete = true
      if (this.listener !== undefined) {
        emit(this.parent, this.listener, {
          _tag: "BudgetExhausted",
          policy: "hedge",
          name,
          budget: budgetName,
          attempt: this.begun
        })
      }
      return
    }
    if (this.listener !== undefined) {
      emit(this.parent, this.listener, {
        _tag: "HedgeStarted",
        policy: "hedge",
        name,
        attempt: this.begun + 1,
        because,
        elapsed: Duration.millis(at - this.startedAt)
      })
    }
    this.begin(grant)
  }

  private begin(grant: Grant | undefined): void {
    const n = ++this.begun
    const ambient = this.entrants.scoped ? Context.getOrUndefined(this.context, Scope.Scope) : undefined
    const scope = ambient === undefined ? undefined : Scope.forkUnsafe(ambient)
    const span = this.listener === undefined ? undefined : openSpan(this.context, "hedge", this.rules.name, n)
    const attempt: Attempt = { n, scope, grant, span, fiber: undefined }
    this.running.add(attempt)
    let context = scope === undefined ? this.context : Context.add(this.context, Scope.Scope, scope)
    if (span !== undefined) context = Context.add(context, Tracer.ParentSpan, span)
    const fiber = forkForCall(this.parent, context, this.entrants.attempt(n))
    attempt.fiber = fiber
    fiber.addObserver((exit) => this.ended(attempt, exit))
    // what it did when it was started may have decided the race
    if (this.state !== "racing") interrupt(fiber, this.parent)
  }

  private ended(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    const { budget } = this.rules
    this.running.delete(attempt)
    if (attempt.span !== undefined) endSpan(this.context, attempt.span, exit, this.shown(exit))
    if (attempt.grant !== undefined) budget!.release()
    if (this.state !== "racing") return this.lost(attempt, exit)
    if (attempt.n === 1) {
      this.first = exit
      this.learn(Exit.isSuccess(exit))
    }
    let fault: Fault.Fault | undefined
    try {
      fault = this.rules.classify(exit as Exit.Exit<never>, wallNow(this.parent))
    } catch (bug) {
      // nobody catches what an observer of a fiber throws
      this.close(attempt, exit)
      return this.settle(Exit.die(bug), undefined)
    }
    if (fault === undefined) return this.settle(exit, attempt)
    this.close(attempt, exit)
    if (isFinal(fault)) return this.settle(exit, undefined)
    const counts = fault._tag === "Transient" || fault._tag === "Throttled"
    if (counts) budget?.fail()
    if (!this.entrants.goesOn(fault)) this.complete = true
    this.disarm()
    if (this.mayBegin && this.isInTime) {
      this.another("failure", counts)
      if (this.rules.delay > 0) this.awaitNext()
    }
    if (this.state === "racing" && this.running.size === 0) this.settle(this.first!, undefined)
  }

  /** For the span. */
  private shown(exit: Exit.Exit<unknown, unknown>): Fault.Fault | undefined {
    try {
      return this.rules.classify(
        exit as Exit.Exit<never>,
        Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
      )
    } catch {
      return Fault.defect
    }
  }

  /** The losers are told first, for `resume` runs what the caller does next. They are not waited for. */
  private settle(exit: Exit.Exit<unknown, unknown>, winner: Attempt | undefined): void {
    const { budget, name } = this.rules
    this.state = "settled"
    this.disarm()
    if (this.first === undefined) this.learn(false)
    this.interrupt()
    if (winner !== undefined) {
      // an empty part of a scope that lives long would be kept with it
      if (winner.scope?.state._tag === "Empty") Scope.closeUnsafe(winner.scope, exit)
      budget?.succeed()
    }
    budget?.end()
    if (this.listener !== undefined && this.begun > 1) {
      emit(this.parent, this.listener, {
        _tag: "HedgeSettled",
        policy: "hedge",
        name,
        attempts: this.begun,
        winner: winner?.n,
        duration: Duration.millis(now(this.parent) - this.startedAt)
      })
    }
    this.resume!(exit)
  }

  private lost(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    if (this.state === "abandoned") return // whoever interrupted it looks after it
    this.report(exit)
    this.close(attempt, exit)
  }

  /** In the background. */
  private close({ scope }: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    const closing = scope === undefined ? undefined : Scope.closeUnsafe(scope, exit)
    if (closing === undefined) return
    fork(this.context, Effect.uninterruptible(closing)).addObserver((exit) => this.report(exit))
  }

  private report(exit: Exit.Exit<unknown, unknown>): void {
    const cause = diesOf(exit)
    if (cause !== undefined) emitDefect(this.context, "hedge", this.rules.name, cause)
  }

  private learn(answered: boolean): void {
    this.rules.learnt?.add(now(this.parent) - this.startedAt, answered)
  }

  private interrupt(): ReadonlyArray<Attempt> {
    const running = Array.from(this.running) // those that end are removed
    for (const { fiber } of running) if (fiber !== undefined) interrupt(fiber, this.parent)
    return running
  }

  /**
   * The caller is being interrupted: wait for every attempt's clean-up and keep its defects. (`Effect.callback` asks for its
   * clean-up also when what it was resumed with is an interruption, that of an attempt which ended itself.)
   */
  run(caller: AnyFiber): Effect.Effect<void> {
    if (this.state === "settled") return Effect.void
    this.state = "abandoned"
    this.disarm()
    if (this.first === undefined) this.learn(false)
    this.rules.budget?.end()
    const attempts = this.interrupt()
    const finished = Effect.forEach(
      attempts,
      ({ fiber, scope }) =>
        Effect.flatMap(fiber === undefined ? Effect.succeed(Exit.void) : Fiber.await(fiber), (exit) =>
          Effect.map(
            Effect.exit(scope === undefined ? Effect.void : Scope.close(scope, exit)),
            (closed) => [exit, closed]
          ))
    )
    return Effect.flatMap(finished, (exits) => {
      if (attempts.length > 0 && attempts.every(({ fiber }) => fiber !== undefined && hasLeftQueue(fiber))) {
        leaveQueue(caller)
      }
      const cause = diesOf(...exits.flat())
      return cause === undefined ? Effect.void : Effect.failCause(cause)
    })
  }
}
