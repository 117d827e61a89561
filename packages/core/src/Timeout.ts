/**
 * Ends what takes too long, with an error that tells which limit it was.
 *
 * - {@link attempt} limits one attempt: put it inside a retry. For a stream it ends with the first element.
 * - {@link total} limits everything: put it outside. It publishes the `Deadline`, so what is inside does not begin
 *   what could not finish. For a stream it ends with the last element.
 * - {@link phases} watches a stream: the time to the first element, the silence between two, the whole.
 *
 * **Details**
 *
 * When time is up the call is interrupted, and the caller gets {@link TimeoutExceeded} after the call's clean-up. A
 * result that comes while the call is being interrupted is dropped. On a tie between call and timer, whichever wakes first
 * wins. A timeout whose limit does not end before the ambient deadline leaves the matter to whoever published the
 * deadline: that one's phase is reported. A defect in the clean-up of a call that timed out goes to `Telemetry`; a defect in
 * the clean-up of a call whose caller went away joins the caller's cause.
 *
 * A stream never ends silently: every phase is an error. The silence between two elements does not include the time that
 * the consumer takes, the total does; a total that passes while the consumer is busy is delivered at the next pull.
 *
 * **Gotchas**
 *
 * Fibers that the call forks with `Effect.forkChild` end with the call, as with `Effect.timeout`. In a mask, write
 * `restore(timeout(x))`, not `timeout(restore(x))`.
 *
 * What this adds to `Effect.timeout`: the phase, limit and elapsed time in the error, deadlines, telemetry, streams that
 * fail where `Stream.timeout` ends them as if they were complete; and it costs a third where the call is asynchronous.
 *
 * **Example** (A call and a stream that hang)
 *
 * ```ts import.meta.vitest
 * import { Timeout } from "@effect-resilience/core"
 * import { Effect, Stream } from "effect"
 *
 * const call = Effect.never.pipe(Timeout.attempt("10 millis"), Effect.flip)
 * const error = await Effect.runPromise(call)
 * error.phase // => "attempt"
 *
 * const stream = Stream.concat(Stream.make(1), Stream.never).pipe(Timeout.phases({ idle: "10 millis" }).stream)
 * const late = await Effect.runPromise(Effect.flip(Stream.runDrain(stream)))
 * late.message // => "Timed out: idle for 10ms"
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import * as Fault from "./Fault.ts"
import { emit } from "./internal/emit.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./internal/establish.ts"
import { invalid, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, fork, Primitive } from "./internal/primitive.ts"
import { Rejection } from "./internal/rejection.ts"
import { now, timerResolution } from "./internal/time.ts"
import { Timer, TimerQueue } from "./internal/timers.ts"
import * as kernel from "./kernel/phases.ts"
import type * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

/**
 * Which limit was exceeded.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "attempt" | "total" | "first" | "idle"

const sentences: { readonly [P in Phase]: (limit: string) => string } = {
  attempt: (limit) => `attempt took longer than ${limit}`,
  total: (limit) => `the whole took longer than ${limit}`,
  first: (limit) => `no first element within ${limit}`,
  idle: (limit) => `idle for ${limit}`
}

const transient = Fault.transient()

/**
 * A time limit was exceeded. Its fault is `Transient`: whether there is time for another attempt is for the deadline to say.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimeoutExceeded extends Rejection {
  readonly _tag = "TimeoutExceeded"
  readonly phase: Phase
  readonly limit: Duration.Duration
  readonly elapsed: Duration.Duration

  constructor(options: {
    readonly phase: Phase
    readonly limit: Duration.Duration
    readonly elapsed: Duration.Duration
  }) {
    super()
    this.phase = options.phase
    this.limit = options.limit
    this.elapsed = options.elapsed
  }

  override get message(): string {
    return `Timed out: ${sentences[this.phase](Duration.format(this.limit))}`
  }

  get [Fault.TypeId](): Fault.Fault {
    return transient
  }
}

/**
 * @category guards
 * @since 0.1.0
 */
export const isTimeoutExceeded = (u: unknown): u is TimeoutExceeded => u instanceof TimeoutExceeded

const exceeded = (fiber: AnyFiber, phase: Phase, limit: number, elapsed: number): TimeoutExceeded => {
  const error = new TimeoutExceeded({
    phase,
    limit: Duration.millis(limit),
    elapsed: Duration.millis(Math.round(elapsed))
  })
  const listener = fiber.getRef(Telemetry.CurrentListener)
  if (listener !== undefined) {
    emit(listener, {
      _tag: "TimedOut",
      policy: "timeout",
      name: undefined,
      phase,
      limit: error.limit,
      elapsed: error.elapsed
    })
  }
  return error
}

const diesOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<never> | undefined =>
  Exit.isFailure(exit) && Cause.hasDies(exit.cause)
    ? Cause.fromReasons(exit.cause.reasons.filter(Cause.isDieReason))
    : undefined

/** The caller gets the timeout, so a defect of the clean-up has nowhere else to go. */
const reportCleanup = (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void => {
  const listener = fiber.getRef(Telemetry.CurrentListener)
  const cause = diesOf(exit)
  if (listener !== undefined && cause !== undefined) {
    emit(listener, { _tag: "CleanupDied", policy: "timeout", name: undefined, cause })
  }
}

/** The caller is being interrupted: wait for the call's clean-up and keep its defects. */
const interruptAndKeepDefects = (fiber: AnyFiber, child: AnyFiber): Effect.Effect<void> => {
  child.interruptUnsafe(fiber.id)
  return Effect.flatMap(Fiber.await(child), (exit) => {
    const cause = diesOf(exit)
    return cause === undefined ? Effect.void : Effect.failCause(cause)
  })
}

interface Settings {
  /** what the error calls the first phase */
  readonly firstPhase: "attempt" | "first"
  readonly first: () => number
  readonly idle: () => number
  readonly total: () => number
  readonly progress: ((element: unknown) => boolean) | undefined
  /** for an effect whose limit does not vary */
  readonly queue: TimerQueue | undefined
}

class TimeoutEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly settings: Settings

  constructor(self: AnyEffect, settings: Settings) {
    super()
    this.self = self
    this.settings = settings
  }

  run(fiber: AnyFiber): AnyEffect {
    const { self, settings } = this
    const first = settings.first()
    const total = settings.total()
    const limit = Math.min(first, total)
    const startedAt = now(fiber)
    const end = startedAt + limit
    // whoever published an earlier deadline enforces it: no second timer, no second fiber
    if (fiber.getRef(Deadline.Deadline) <= end) return self
    const phase = total <= first ? "total" : settings.firstPhase
    const run = new TimeoutRun(fiber, phase, limit, startedAt)
    const context: Context.Context<never> = phase === "total"
      ? Context.add(fiber.context, Deadline.Deadline, end)
      : fiber.context
    return Effect.callback((resume) => run.start(self, context, settings.queue, resume))
  }
}

/** A call in flight: timer, state and clean-up in one object. */
class TimeoutRun extends Timer {
  private readonly parent: AnyFiber
  private readonly phase: Phase
  private readonly limit: number
  private readonly startedAt: number
  private child: AnyFiber | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private expired = false

  constructor(parent: AnyFiber, phase: Phase, limit: number, startedAt: number) {
    super()
    this.parent = parent
    this.phase = phase
    this.limit = limit
    this.startedAt = startedAt
  }

  /**
   * The call is started inside the callback's register. Started before it, it would be orphaned by an interruption of the
   * caller at a scheduler yield between the fork and the callback.
   */
  start(
    self: AnyEffect,
    context: Context.Context<never>,
    queue: TimerQueue | undefined,
    resume: (effect: AnyEffect) => void
  ): Effect.Effect<void> | void {
    const child = fork(context, self)
    const exit = child.pollUnsafe()
    if (exit !== undefined) return resume(exit)
    this.child = child
    this.resume = resume
    this.arm(this.parent, this.startedAt, this.limit, queue)
    child.addObserver((exit) => this.settle(exit))
    return this.cleanup
  }

  expire(): void {
    this.expired = true
    this.child!.interruptUnsafe(this.parent.id)
  }

  private settle(exit: Exit.Exit<unknown, unknown>): void {
    if (!this.expired) {
      this.disarm()
      return this.resume!(exit)
    }
    reportCleanup(this.parent, exit)
    this.resume!(exceeded(this.parent, this.phase, this.limit, now(this.parent) - this.startedAt))
  }

  run(fiber: AnyFiber): Effect.Effect<void> {
    this.disarm()
    return interruptAndKeepDefects(fiber, this.child!)
  }
}

/** The only timer of a stream. It is set again only when the phase that it stands for turns out to end later. */
class StreamTimer extends Timer {
  private readonly phases: kernel.Phases
  private readonly settings: Settings
  private readonly scope: Scope.Closeable
  private readonly begin: AnyPull
  private upstream: AnyPull | undefined = undefined
  /** the pull under way */
  private fiber: AnyFiber | undefined = undefined
  private child: AnyFiber | undefined = undefined
  private armedFor = Infinity
  private expired: kernel.Phase | undefined = undefined
  private context: Context.Context<never> | undefined = undefined
  private contextWithDeadline: Context.Context<never> | undefined = undefined

  constructor(self: AnyStream, settings: Settings, fiber: AnyFiber, streamScope: Scope.Scope) {
    super()
    this.settings = settings
    this.scope = Scope.forkUnsafe(streamScope)
    this.begin = Effect.flatMap(open(self, this.scope), (pull) => {
      this.upstream = pull
      return pull
    })
    const startedAt = now(fiber)
    const left = fiber.getRef(Deadline.Deadline) - startedAt
    // as for an effect: what does not end before the ambient deadline is left to whoever published that
    const earlier = (limit: number): number => limit < left ? limit : Infinity
    this.phases = new kernel.Phases({
      first: earlier(settings.first()),
      idle: settings.idle(),
      total: earlier(settings.total())
    }, startedAt)
  }

  readonly pull: AnyPull = Effect.withFiber((fiber) => {
    if (this.phases.unlimited) return this.upstream ?? this.begin
    const start = now(fiber)
    this.phases.pulled(start)
    return this.phases.due <= start
      ? this.fail(fiber, this.phases.phase, Exit.void)
      : Effect.callback((resume) => this.start(fiber, start, resume))
  })

  private start(fiber: AnyFiber, at: number, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    const child = fork(this.contextOf(fiber), this.upstream ?? this.begin)
    const exit = child.pollUnsafe()
    if (exit !== undefined) return resume(this.produced(fiber, exit))
    this.fiber = fiber
    this.child = child
    this.armUntilDue(fiber, at)
    child.addObserver((exit) => resume(this.produced(fiber, exit)))
    return this.cleanup
  }

  private produced(fiber: AnyFiber, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): AnyEffect {
    this.child = undefined
    if (this.expired !== undefined) {
      reportCleanup(fiber, exit)
      return this.fail(fiber, this.expired, exit)
    }
    if (Exit.isFailure(exit)) {
      this.disarm()
      return exit
    }
    const { progress } = this.settings
    this.phases.produced(now(fiber), progress === undefined || exit.value.some(progress))
    return exit
  }

  private fail(fiber: AnyFiber, phase: kernel.Phase, exit: Exit.Exit<unknown, unknown>): AnyEffect {
    this.disarm()
    const elapsed = this.phases.elapsed(phase, now(fiber))
    return Effect.andThen(
      Scope.close(this.scope, exit),
      exceeded(fiber, phase === "first" ? this.settings.firstPhase : phase, this.phases.limits[phase], elapsed)
    )
  }

  private contextOf(fiber: AnyFiber): Context.Context<never> {
    const { limits: { total }, startedAt } = this.phases
    if (total === Infinity) return fiber.context
    if (fiber.context !== this.context) {
      this.context = fiber.context
      this.contextWithDeadline = Context.add(fiber.context, Deadline.Deadline, startedAt + total)
    }
    return this.contextWithDeadline!
  }

  private armUntilDue(fiber: AnyFiber, at: number): void {
    const { due } = this.phases
    if (due >= this.armedFor) return // an earlier timer is set, and will look again
    this.disarm()
    this.armedFor = due
    this.arm(fiber, at, due - at)
  }

  override disarm(): void {
    this.armedFor = Infinity
    super.disarm()
  }

  expire(): void {
    this.armedFor = Infinity
    if (this.child === undefined) return // the consumer's time: the next pull sets it again
    const at = now(this.fiber!)
    if (this.phases.due - at >= timerResolution) return this.armUntilDue(this.fiber!, at)
    this.expired = this.phases.phase
    this.child.interruptUnsafe(this.fiber!.id)
  }

  run(fiber: AnyFiber): Effect.Effect<void> {
    this.disarm()
    const child = this.child!
    this.child = undefined
    return interruptAndKeepDefects(fiber, child)
  }
}

const timeoutStream = (self: AnyStream, settings: Settings): AnyStream =>
  fromPull((scope) =>
    Effect.withFiber((fiber) => {
      const timer = new StreamTimer(self, settings, fiber, scope)
      return Effect.as(Scope.addFinalizer(scope, Effect.sync(() => timer.disarm())), timer.pull)
    })
  )

/**
 * A time limit: a duration, or a function that is asked at every call.
 *
 * @category models
 * @since 0.1.0
 */
export type Limit = Duration.Input | (() => Duration.Input)

const unlimited = (): number => Infinity

const millisOf = (where: string, option: string, limit: Limit | undefined): () => number => {
  if (limit === undefined) return unlimited
  if (typeof limit === "function") return () => positiveMillis(where, option, limit())
  const millis = positiveMillis(where, option, limit)
  return () => millis
}

const showLimit = (limit: Limit | undefined): unknown =>
  limit === undefined ? undefined : typeof limit === "function" ? "dynamic" : Duration.fromInputUnsafe(limit)

const make = (
  settings: Omit<Settings, "queue">,
  info: Omit<Policy.PolicyInfo, "children">,
  fixed: boolean
): Policy.Policy<unknown, TimeoutExceeded> => {
  const all: Settings = {
    ...settings,
    queue: fixed ? new TimerQueue(Math.min(settings.first(), settings.total())) : undefined
  }
  return internal.make({
    info: { ...info, children: [] },
    effect: (self) => new TimeoutEffect(self, all),
    stream: (self) => timeoutStream(self, all)
  })
}

/**
 * Limits one attempt; a stream, to the first element.
 *
 * @category constructors
 * @since 0.1.0
 */
export const attempt = (limit: Limit): Policy.Policy<unknown, TimeoutExceeded> =>
  make(
    {
      firstPhase: "attempt",
      first: millisOf("Timeout.attempt", "limit", limit),
      idle: unlimited,
      total: unlimited,
      progress: undefined
    },
    { kind: "timeout attempt", settings: { limit: showLimit(limit) } },
    typeof limit !== "function"
  )

/**
 * Limits the whole, retries and waits included; a stream, to the last element. Everything inside sees the `Deadline`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const total = (limit: Limit): Policy.Policy<unknown, TimeoutExceeded> =>
  make(
    {
      firstPhase: "attempt",
      first: unlimited,
      idle: unlimited,
      total: millisOf("Timeout.total", "limit", limit),
      progress: undefined
    },
    { kind: "timeout total", settings: { limit: showLimit(limit) } },
    typeof limit !== "function"
  )

/**
 * Watches a stream. An effect is a stream of one element: `first` and `total` limit it, `idle` has nothing to say.
 *
 * @category constructors
 * @since 0.1.0
 */
export const phases = (options: {
  /** From the start to the first element that is progress. */
  readonly first?: Limit | undefined
  /** The silence between two elements that are progress, without the consumer's time. */
  readonly idle?: Limit | undefined
  /** From the start to the end, the consumer's time included. */
  readonly total?: Limit | undefined
  /**
   * The elements that count for `first` and `idle`, for example not a keep-alive.
   *
   * @default every element
   */
  readonly progress?: ((element: unknown) => boolean) | undefined
}): Policy.Policy<unknown, TimeoutExceeded> => {
  const where = "Timeout.phases"
  const { first, idle, progress, total } = options
  if (first === undefined && idle === undefined && total === undefined) {
    throw invalid(where, "options", "none of them", "at least one of first, idle and total")
  }
  return make(
    {
      firstPhase: "first",
      first: millisOf(where, "first", first),
      idle: millisOf(where, "idle", idle),
      total: millisOf(where, "total", total),
      progress
    },
    {
      kind: "timeout phases",
      settings: { first: showLimit(first), idle: showLimit(idle), total: showLimit(total) }
    },
    typeof first !== "function" && typeof total !== "function"
  )
}
