/**
 * Begins another attempt beside one that is slow, and takes the first answer.
 *
 * Where one answer in twenty takes ten times as long as the others, a second attempt after the time in which 95 % answer
 * removes most of that tail, for 5 % more calls (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013). It is for calls
 * that may be made twice, to a callee with room for more; a `RetryBudget` keeps it from adding load where there is none.
 *
 * **Details**
 *
 * Another attempt begins `delay` after the one before, or at once when one fails with a transient fault, up to `max` of them.
 * The first success is delivered at once. What has lost is interrupted and cleaned up in the background; a defect there goes
 * to `Telemetry`. If all fail, the error is that of the attempt that began first. A permanent failure, a defect or an attempt
 * that interrupts itself ends the race: another answer would be the same. After a throttled one, a rejection by another policy, or
 * a transient one with a pause that the callee asked for, no attempt is begun, and those under way go on. `classify`
 * replaces all of that. No other attempt is begun at or after the ambient `Deadline`.
 *
 * With `delay: { quantile }` the delay is learnt from the time that first attempts take. One that is beaten, fails or is
 * interrupted is known only to take longer, and is used as such, so that the share of calls that are hedged stays what was
 * asked for. Until `warmup` calls have answered, there is no hedge but after a failure.
 *
 * An interruption of the caller interrupts all attempts and waits for them. Every attempt inherits the caller's services,
 * the deadline among them. A `Scope` of the caller is the winner's; a loser's part of it is closed when it loses.
 *
 * A stream is raced to its first element: the losers are closed, the winner goes on.
 *
 * **Gotchas**
 *
 * Every attempt runs in a fiber of its own: what it changes in its own services stays there, and fibers that it forks with
 * `Effect.forkChild` end with it.
 *
 * What this adds to `Effect.race`: the second attempt begins only when it is needed, the winner does not wait for the loser's
 * clean-up, a permanent failure ends it, budgets, a delay that is learnt, telemetry, streams.
 *
 * **Example** (The first replica hangs)
 *
 * ```ts import.meta.vitest
 * import { Hedge } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hedge = Hedge.makeUnsafe({ delay: "10 millis" })
 * let attempts = 0
 * const call = Effect.suspend(() => ++attempts === 1 ? Effect.never : Effect.succeed(`attempt ${attempts}`))
 *
 * await Effect.runPromise(call.pipe(hedge)) // => "attempt 2"
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Deadline from "./Deadline.ts"
import * as Fault from "./Fault.ts"
import { sharedOf } from "./internal/budget.ts"
import { emit } from "./internal/emit.ts"
import { type AnyStream, establish, establishOneOf } from "./internal/establish.ts"
import { diesOf } from "./internal/interrupt.ts"
import { duration, integer, invalid, percent, showMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { mayRepeat } from "./internal/repeat.ts"
import { now, wallNow } from "./internal/time.ts"
import { Timer, TimerQueue } from "./internal/timers.ts"
import { hasLeftQueue, leaveQueue } from "./internal/turn.ts"
import { LearntDelay } from "./kernel/latency.ts"
import type { Budget, Grant } from "./kernel/retryBudget.ts"
import type * as Policy from "./Policy.ts"
import type { RetryBudget } from "./RetryBudget.ts"
import * as Telemetry from "./Telemetry.ts"

/**
 * A delay that is learnt from the times that the last 500 to 1000 calls took.
 *
 * @category models
 * @since 0.1.0
 */
export interface Learnt {
  /** The share of the calls that answer within the delay, between 0 and 1: 0.95 hedges one call in twenty. */
  readonly quantile: number
  /**
   * So many calls have to answer before there is a delay.
   *
   * @default 20
   */
  readonly warmup?: number | undefined
  /**
   * The delay as long as nothing is known.
   *
   * @default no hedge but after a failure
   */
  readonly initial?: Duration.Input | undefined
  /**
   * The shortest delay that is learnt.
   *
   * @default "1 millis"
   */
  readonly min?: Duration.Input | undefined
  /**
   * The longest delay that is learnt.
   *
   * @default unlimited
   */
  readonly max?: Duration.Input | undefined
}

/**
 * When another attempt begins, and how many there may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /**
   * When another attempt begins: a time after the one before, or a share of the calls. With 0 all begin together; with an
   * infinite one, another begins only after a failure.
   */
  readonly delay: Duration.Input | Learnt
  /**
   * How many attempts there are beside the first one, 1 to 10.
   *
   * @default 1
   */
  readonly max?: number | undefined
  /**
   * What all calls to the callee may spend on further attempts; share one between them.
   *
   * @default no bound but that of each call
   */
  readonly budget?: RetryBudget | undefined
  /**
   * In the place of the default classification.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
}

/**
 * What a hedge knows of its delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** The delay now; infinite while there is none. */
  readonly delay: Duration.Duration
  /** How many answers the delay is learnt from; 0 for one that was given. */
  readonly answers: number
}

/**
 * A hedge is a policy, and can be asked for its delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hedge extends Policy.Policy {
  /** The delay now. */
  readonly state: Effect.Effect<State>
}

const isLearnt = (delay: Options["delay"]): delay is Learnt => typeof delay === "object" && "quantile" in delay

const learntDelayOf = (where: string, learnt: Learnt): LearntDelay => {
  const { quantile } = learnt
  if (!(quantile > 0 && quantile < 1)) throw invalid(where, "delay.quantile", quantile, "a number > 0 and < 1")
  const min = duration(where, "delay.min", learnt.min ?? "1 millis")
  const max = learnt.max === undefined ? Infinity : duration(where, "delay.max", learnt.max)
  if (min > max) throw invalid(where, "delay.min", showMillis(min), "at most delay.max")
  return new LearntDelay({
    quantile,
    min,
    max,
    warmup: integer(where, "delay.warmup", learnt.warmup ?? 20, 1, 500),
    initial: learnt.initial === undefined ? Infinity : duration(where, "delay.initial", learnt.initial)
  })
}

/** What all calls through one hedge share. */
class Hedging implements internal.Implementation {
  readonly name: string | undefined
  readonly max: number
  readonly classify: Fault.Classify<any>
  readonly budget: Budget | undefined
  readonly budgetName: string | undefined
  readonly learnt: LearntDelay | undefined
  /** for a delay that does not vary */
  readonly queue: TimerQueue | undefined
  private readonly fixed: number
  private readonly options: Options

  constructor(options: Options) {
    const where = "Hedge.make"
    const budget = options.budget === undefined ? undefined : sharedOf(where, options.budget)
    this.options = options
    this.name = options.name
    this.max = integer(where, "max", options.max ?? 1, 1, 10)
    this.classify = options.classify ?? Fault.of
    this.budget = budget?.kernel
    this.budgetName = budget?.name
    if (isLearnt(options.delay)) {
      this.learnt = learntDelayOf(where, options.delay)
      this.fixed = Infinity
    } else {
      this.fixed = duration(where, "delay", options.delay)
      this.queue = this.fixed < Infinity ? new TimerQueue(this.fixed) : undefined
    }
  }

  get delay(): number {
    return this.learnt === undefined ? this.fixed : this.learnt.delay
  }

  get answers(): number {
    return this.learnt?.answers ?? 0
  }

  get info(): Policy.PolicyInfo {
    const { budget, delay, name } = this.options
    return {
      kind: "hedge",
      name,
      settings: {
        delay: isLearnt(delay) ? `${percent(delay.quantile)}th percentile` : Duration.fromInputUnsafe(delay),
        max: this.max,
        budget: budget === undefined ? undefined : budget.name ?? "unnamed"
      },
      children: []
    }
  }

  effect(self: AnyEffect): AnyEffect {
    return new HedgeEffect(this, { attempt: () => self, max: this.max, goesOn: isTransient, scoped: true })
  }

  stream(self: AnyStream): AnyStream {
    return establish(
      (attempt) => new HedgeEffect(this, { attempt: () => attempt, max: this.max, goesOn: isTransient, scoped: false }),
      self
    )
  }
}

/** What is raced. */
interface Entrants {
  readonly attempt: (n: number) => AnyEffect
  /** how many attempts there are beside the first one */
  readonly max: number
  /** whether another attempt may do better than one with this fault */
  readonly goesOn: (fault: Fault.Fault) => boolean
  /** whether each attempt has a part of the caller's scope; those of a stream have scopes of their own */
  readonly scoped: boolean
}

/** A callee that asks for a pause gets it: that is for a retry to wait for. */
const isTransient = (fault: Fault.Fault): boolean => fault._tag === "Transient" && fault.retryAfter === undefined

/** What one endpoint cannot do now, or one policy refuses, another may do. */
const mayPassElsewhere = (fault: Fault.Fault): boolean =>
  fault._tag === "Transient" || fault._tag === "Throttled" || fault._tag === "Rejected"

/** The callee has answered, or there is a bug, or it has ended itself: the race is over. */
const isFinal = (fault: Fault.Fault): boolean =>
  fault._tag === "Permanent" || fault._tag === "Defect" || fault._tag === "Interrupted"

class HedgeEffect extends Primitive {
  private readonly hedging: Hedging
  private readonly entrants: Entrants

  constructor(hedging: Hedging, entrants: Entrants) {
    super()
    this.hedging = hedging
    this.entrants = entrants
  }

  run(fiber: AnyFiber): AnyEffect {
    const race = new Race(fiber, this.hedging, this.entrants)
    return Effect.callback((resume) => race.start(resume))
  }
}

interface Attempt {
  readonly n: number
  readonly scope: Scope.Closeable | undefined
  readonly grant: Grant | undefined
  /** `undefined` while it is being started */
  fiber: AnyFiber | undefined
}

/** A call in flight: timer, attempts and clean-up in one object. */
class Race extends Timer {
  private readonly parent: AnyFiber
  private readonly hedging: Hedging
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

  constructor(parent: AnyFiber, hedging: Hedging, entrants: Entrants) {
    super()
    this.parent = parent
    this.hedging = hedging
    this.entrants = entrants
    this.listener = parent.getRef(Telemetry.CurrentListener)
    this.startedAt = now(parent)
  }

  /** Inside the callback's register: begun before it, attempts would be orphaned by an interruption at a scheduler yield. */
  start(resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    this.resume = resume
    this.hedging.budget?.begin(this.startedAt)
    this.begin(undefined)
    this.awaitNext()
    return this.state === "racing" ? this.cleanup : undefined
  }

  private get mayBegin(): boolean {
    return this.state === "racing" && !this.complete && this.begun <= this.entrants.max && mayRepeat(this.parent)
  }

  private get isInTime(): boolean {
    return now(this.parent) < this.parent.getRef(Deadline.Deadline)
  }

  private awaitNext(): void {
    const { delay, queue } = this.hedging
    if (delay <= 0) {
      while (this.mayBegin && this.isInTime) this.another("delay", false)
    }
    this.disarm() // an attempt that failed while it was being started has armed it already
    if (!this.mayBegin || delay <= 0) return
    const at = this.begun === 1 ? this.startedAt : now(this.parent)
    if (at + delay < this.parent.getRef(Deadline.Deadline)) this.arm(this.parent, at, delay, queue)
  }

  expire(): void {
    // timers can be late
    if (this.mayBegin && this.isInTime) this.another("delay", false)
    this.awaitNext()
  }

  private another(because: "delay" | "failure", paid: boolean): void {
    const { budget, budgetName, name } = this.hedging
    const at = now(this.parent)
    const grant = budget?.grant(at, paid)
    if (budget !== undefined && grant === undefined) {
      this.complete = true
      if (this.listener !== undefined) {
        emit(this.listener, {
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
      emit(this.listener, {
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
    const { context } = this.parent
    const ambient = this.entrants.scoped ? Context.getOrUndefined(context, Scope.Scope) : undefined
    const scope = ambient === undefined ? undefined : Scope.forkUnsafe(ambient)
    const attempt: Attempt = { n: ++this.begun, scope, grant, fiber: undefined }
    this.running.add(attempt)
    const fiber = fork(
      scope === undefined ? context : Context.add(context, Scope.Scope, scope),
      this.entrants.attempt(attempt.n)
    )
    attempt.fiber = fiber
    fiber.addObserver((exit) => this.ended(attempt, exit))
    // what it did when it was started may have decided the race
    if (this.state !== "racing") fiber.interruptUnsafe(this.parent.id)
  }

  private ended(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    const { budget } = this.hedging
    this.running.delete(attempt)
    if (attempt.grant !== undefined) budget!.release()
    if (this.state !== "racing") return this.lost(attempt, exit)
    if (attempt.n === 1) {
      this.first = exit
      this.learn(Exit.isSuccess(exit))
    }
    let fault: Fault.Fault | undefined
    try {
      fault = this.hedging.classify(exit as Exit.Exit<never>, wallNow(this.parent))
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
      if (this.hedging.delay > 0) this.awaitNext()
    }
    if (this.state === "racing" && this.running.size === 0) this.settle(this.first!, undefined)
  }

  /** The losers are told first, for `resume` runs what the caller does next. They are not waited for. */
  private settle(exit: Exit.Exit<unknown, unknown>, winner: Attempt | undefined): void {
    const { budget, name } = this.hedging
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
      emit(this.listener, {
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
    fork(this.parent.context, Effect.uninterruptible(closing)).addObserver((exit) => this.report(exit))
  }

  private report(exit: Exit.Exit<unknown, unknown>): void {
    const cause = this.listener === undefined ? undefined : diesOf(exit)
    if (cause !== undefined) {
      emit(this.listener!, { _tag: "CleanupDied", policy: "hedge", name: this.hedging.name, cause })
    }
  }

  private learn(answered: boolean): void {
    this.hedging.learnt?.add(now(this.parent) - this.startedAt, answered)
  }

  private interrupt(): ReadonlyArray<Attempt> {
    const running = Array.from(this.running) // those that end are removed
    for (const { fiber } of running) fiber?.interruptUnsafe(this.parent.id)
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
    this.hedging.budget?.end()
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

const HedgeProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: Hedge): Hedge["state"] {
      const hedging = internal.implementationOf<Hedging>(this)
      return Effect.sync(() => ({ delay: Duration.millis(hedging.delay), answers: hedging.answers }))
    }
  }
})

/**
 * Makes a hedge without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options): Hedge => internal.make(new Hedging(options), HedgeProto)

/**
 * Makes a hedge. One with a name is in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * **Example** (One call in twenty, and never more than a tenth)
 *
 * ```ts import.meta.vitest
 * import { Hedge, RetryBudget } from "@effect-resilience/core"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* RetryBudget.make({ funding: RetryBudget.traffic({ ratio: 0.1, minPerSecond: 1 }) })
 *   const hedge = yield* Hedge.make({ delay: { quantile: 0.95 }, budget })
 *   yield* Effect.replicateEffect(hedge(Effect.void), 20, { discard: true })
 *   const { answers, delay } = yield* hedge.state
 *   return [answers, Duration.format(delay)]
 * })
 *
 * await Effect.runPromise(program) // => [20, "1ms"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Hedge> =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    register(fiber, internal.implementationOf<Hedging>(policy), {
      kind: "hedge",
      name: options.name,
      report: ({ answers, delay }) => ({ delayMillis: Number.isFinite(delay) ? delay : null, answers })
    })
    return Effect.succeed(policy)
  })

type AnyEffects = readonly [Effect.Effect<any, any, any>, ...Array<Effect.Effect<any, any, any>>]
type AnyStreams = readonly [AnyStream, ...Array<AnyStream>]

/**
 * A race against other effects.
 *
 * @category models
 * @since 0.1.0
 */
export interface Alternatives<out A, out E, out R> {
  <A1, E1, R1>(self: Effect.Effect<A1, E1, R1>): Effect.Effect<A | A1, E | E1, R | R1>
  readonly info: Policy.PolicyInfo
}

/**
 * A race against other streams.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamAlternatives<out A, out E, out R> {
  readonly stream: <A1, E1, R1>(self: Stream.Stream<A1, E1, R1>) => Stream.Stream<A | A1, E | E1, R | R1>
  readonly info: Policy.PolicyInfo
}

/**
 * Hedges with other effects, or other streams, in the place of the same one again: another endpoint, another region, a smaller
 * model. The n-th attempt is the n-th of `others`, and there are as many as those, whatever `max` says. As one endpoint says
 * nothing of another, the next one is begun at once also after a throttled failure and after a rejection by another policy.
 *
 * The delay, what was learnt about it and the budget are those of `hedge`, which is made once.
 *
 * **Example** (Another region)
 *
 * ```ts import.meta.vitest
 * import { Hedge } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const hedge = Hedge.makeUnsafe({ delay: "10 millis" })
 * const west = Effect.never
 * const east = Effect.succeed("east")
 *
 * await Effect.runPromise(west.pipe(Hedge.alternatives(hedge, [east]))) // => "east"
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const alternatives: {
  <const Others extends AnyEffects>(hedge: Hedge, others: Others): Alternatives<
    Effect.Success<Others[number]>,
    Effect.Error<Others[number]>,
    Effect.Services<Others[number]>
  >
  <const Others extends AnyStreams>(hedge: Hedge, others: Others): StreamAlternatives<
    Stream.Success<Others[number]>,
    Stream.Error<Others[number]>,
    Stream.Services<Others[number]>
  >
} = (hedge: Hedge, others: AnyEffects | AnyStreams): any => {
  const hedging = internal.implementationOf<Hedging>(hedge)
  const race = (all: ReadonlyArray<AnyEffect>, scoped: boolean): AnyEffect =>
    new HedgeEffect(hedging, {
      attempt: (n) => all[n - 1]!,
      max: all.length - 1,
      goesOn: mayPassElsewhere,
      scoped
    })
  const { info } = hedging
  return Object.assign((self: AnyEffect) => race([self, ...others as AnyEffects], true), {
    stream: (self: AnyStream) => establishOneOf((all) => race(all, false), [self, ...others as AnyStreams]),
    info: { ...info, kind: "hedge alternatives", settings: { ...info.settings, max: others.length } }
  })
}
