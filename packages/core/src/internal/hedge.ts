import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Fault from "../Fault.ts"
import type { LearntDelay } from "../kernel/hedge.ts"
import type { Budget, Grant } from "../kernel/retryBudget.ts"
import { CurrentAttemptSpans } from "./currentSpans.ts"
import { timeLeft } from "./deadline.ts"
import { emit } from "./emit.ts"
import * as Telemetry from "./events.ts"
import { type Attempt, Attempts } from "./hedgeAttempts.ts"
import { interrupt } from "./interrupted.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { MeasuredAttempt } from "./raceWaits.ts"
import { mayRepeat } from "./repeat.ts"
import { now, timerResolution, wallNow } from "./time.ts"
import type { TimerQueue } from "./timers.ts"
import * as tried from "./tried.ts"
import type * as tries from "./tries.ts"

/** What all races of one hedge share. */
export interface Rules {
  readonly name: string | undefined
  readonly budget: Budget | undefined
  readonly budgetName: string | undefined
  /** in milliseconds, now */
  readonly delay: number
  readonly learnt: LearntDelay | undefined
  /** for a delay that does not vary */
  readonly queue: TimerQueue | undefined
}

/** The attempts of a race. */
export interface Entrants {
  readonly attempt: (n: number) => AnyEffect
  readonly classify: Fault.Classify<any>
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

/** A call in flight: timer, attempts and clean-up in one object. */
class Race extends Attempts {
  private readonly rules: Rules
  private readonly entrants: Entrants
  private readonly listener: Telemetry.Listener | undefined
  private readonly startedAt: number
  /** what the first attempt has waited for its turn, where its time teaches something */
  private readonly queued: MeasuredAttempt | undefined
  /** what the call has tried, where somebody asks for it */
  private readonly memory: tries.Attempt | undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  /** The parent runs, and what is begun now is begun by it. */
  private inParent = true
  private state: "racing" | "settled" | "abandoned" = "racing"
  private begun = 0
  /** no further attempt is begun; those under way are left alone */
  private complete = false
  private first: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The first one has answered with a value that is a fault, which is delivered if no other one does better. */
  private kept: Attempt | undefined = undefined

  constructor(parent: AnyFiber, rules: Rules, entrants: Entrants) {
    super(parent, rules.name)
    this.rules = rules
    this.entrants = entrants
    this.listener = parent.getRef(Telemetry.CurrentListener)
    this.startedAt = now(parent)
    this.queued = rules.learnt === undefined ? undefined : new MeasuredAttempt(this.waits)
    this.memory = tried.firstOf(parent)
  }

  /** Inside the callback's register: begun before it, attempts would be orphaned by an interruption at a scheduler yield. */
  start(resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    this.resume = resume
    this.rules.budget?.begin(this.startedAt)
    this.begin(undefined)
    this.awaitNext()
    return this.wait()
  }

  private wait(): Effect.Effect<void> | void {
    this.inParent = false
    return this.state === "racing" ? this.cleanup : undefined
  }

  /**
   * Begins an attempt as the parent: a timer of other calls, or another attempt, has its own async context, in which the
   * attempt would find the data of another request. The parent is resumed, and waits again.
   */
  private asParent(act: () => void): void {
    if (this.inParent) return act()
    const again: AnyEffect = Effect.callback<any, any, any>((resume) => {
      this.resume = resume
      this.inParent = true
      act()
      return this.wait()
    })
    this.resume!(again)
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
    if (!this.mayBegin || !this.isInTime) return
    const at = now(this.parent)
    const left = this.leftOf(at)
    if (left > timerResolution) {
      if (left < timeLeft(this.parent, at)) this.arm(this.parent, at, left)
      return
    }
    this.asParent(() => {
      this.another("delay", false)
      this.awaitNext()
    })
  }

  /** Of a delay that is learnt from calls which have their turn: as long as the first attempt waits for its own, it stands. */
  private leftOf(at: number): number {
    const queued = this.begun === 1 && this.queued !== undefined ? this.queued.waited(at) : 0
    return queued === 0 ? 0 : this.startedAt + queued + this.rules.delay - at
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
    const { entrants, memory, queued } = this
    const ambient = entrants.scoped ? Context.getOrUndefined(this.context, Scope.Scope) : undefined
    const scope = ambient === undefined ? undefined : Scope.forkUnsafe(ambient)
    const span = this.listener === undefined
      ? undefined
      : Context.get(this.context, CurrentAttemptSpans)?.open(this.context, "hedge", this.rules.name, n)
    const measured = queued === undefined || n > 1 ? new MeasuredAttempt(this.waits) : queued
    const attempt: Attempt = { n, scope, grant, span, measured, fiber: undefined }
    const context = memory === undefined
      ? this.context
      : Context.add(this.context, tried.CurrentAttempt, n === 1 ? memory : memory.another())
    this.launch(attempt, context, entrants.attempt(n))
    // what it did when it was started may have decided the race
    if (this.state !== "racing") interrupt(attempt.fiber!, this.parent)
  }

  protected ended(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    const { budget } = this.rules
    this.running.delete(attempt)
    this.waits.ended(now(this.parent))
    if (attempt.span !== undefined) attempt.span.end(exit, this.shown(exit))
    if (attempt.grant !== undefined) budget!.release()
    if (this.state !== "racing") return this.lost(attempt, exit)
    if (attempt.n === 1) this.first = exit
    let fault: Fault.Fault | undefined
    try {
      fault = this.entrants.classify(exit as Exit.Exit<never>, wallNow(this.parent))
    } catch (bug) {
      // nobody catches what an observer of a fiber throws
      if (attempt.n === 1) this.learn(false)
      this.close(attempt, exit)
      return this.settle(Exit.die(bug), undefined, false)
    }
    if (attempt.n === 1) this.learn(fault === undefined)
    if (fault === undefined) return this.settle(exit, attempt, true)
    if (isFinal(fault) && Exit.isSuccess(exit)) return this.settle(exit, attempt, false)
    if (attempt.n === 1 && Exit.isSuccess(exit)) this.kept = attempt
    else this.close(attempt, exit)
    if (isFinal(fault)) return this.settle(exit, undefined, false)
    this.failed(fault)
  }

  /** What one endpoint cannot do now, or a policy that stands for it refuses, another one may do. */
  private passesElsewhere({ _tag }: Fault.Fault): boolean {
    const passes = _tag === "Transient" || _tag === "Throttled" || _tag === "Rejected"
    return passes && this.memory !== undefined && this.memory.mayGoElsewhere(now(this.parent))
  }

  /** Another attempt may do better, now or later. */
  private failed(fault: Fault.Fault): void {
    const counts = fault._tag === "Transient" || fault._tag === "Throttled"
    if (counts) this.rules.budget?.fail()
    if (!this.entrants.goesOn(fault) && !this.passesElsewhere(fault)) this.complete = true
    this.disarm()
    if (this.mayBegin && this.isInTime) {
      this.asParent(() => {
        this.another("failure", counts)
        if (this.rules.delay > 0) this.awaitNext()
      })
    }
    if (this.state === "racing" && this.running.size === 0) this.settle(this.first!, this.kept, false)
  }

  /** For the span. */
  private shown(exit: Exit.Exit<unknown, unknown>): Fault.Fault | undefined {
    try {
      return this.entrants.classify(
        exit as Exit.Exit<never>,
        Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
      )
    } catch {
      return Fault.defect
    }
  }

  /**
   * The losers are told first, for `resume` runs what the caller does next. They are not waited for. `delivered` has given what
   * the caller gets, `well` or not.
   */
  private settle(exit: Exit.Exit<unknown, unknown>, delivered: Attempt | undefined, well: boolean): void {
    const { budget, name } = this.rules
    this.state = "settled"
    this.disarm()
    if (this.first === undefined) this.learn(false)
    this.waits.settled(now(this.parent))
    this.interrupt()
    if (this.kept !== undefined && this.kept !== delivered) this.close(this.kept, this.first!)
    // an empty part of a scope that lives long would be kept with it
    if (delivered?.scope?.state._tag === "Empty") Scope.closeUnsafe(delivered.scope, exit)
    if (well) budget?.succeed()
    budget?.end()
    if (this.listener !== undefined && this.begun > 1) {
      emit(this.parent, this.listener, {
        _tag: "HedgeSettled",
        policy: "hedge",
        name,
        attempts: this.begun,
        winner: well ? delivered?.n : undefined,
        duration: Duration.millis(now(this.parent) - this.startedAt)
      })
    }
    this.resume!(exit)
  }

  private lost(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    if (this.state === "abandoned") return // the interrupter looks after it
    this.report(exit)
    this.close(attempt, exit)
  }

  private learn(answered: boolean): void {
    if (this.queued === undefined) return
    const at = now(this.parent)
    this.rules.learnt!.add(at - this.startedAt - this.queued.waited(at), answered)
  }

  /**
   * The caller is being interrupted. (`Effect.callback` asks for its clean-up also when what it was resumed with is an
   * interruption, that of an attempt which ended itself.)
   */
  run(caller: AnyFiber): Effect.Effect<void> {
    if (this.state !== "racing") return Effect.void // settled, or a callback further out asks for it again
    this.state = "abandoned"
    this.disarm()
    if (this.first === undefined) this.learn(false)
    this.waits.settled(now(this.parent))
    this.rules.budget?.end()
    return this.abandon(caller, this.kept)
  }
}
