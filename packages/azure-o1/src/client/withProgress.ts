import * as Telemetry from "@effect-resilience/core/Telemetry"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { O1Error } from "../O1Error.ts"
import type { AttemptEvent, O1Event, ProgressEvent, Waiting } from "../O1Event.ts"
import { CurrentProgress } from "../transport/progress.ts"

/** How often a caller who sees nothing else is told that the call is still alive. */
const interval = "5 seconds"

type Content = NonEmptyReadonlyArray<AttemptEvent>
type ContentFiber = Fiber.Fiber<Content, O1Error | Cause.Done>

/** The progress of one call, in the order in which it happened, and its waiter. */
class Progress {
  private readonly startedAt: bigint
  private phase: Waiting["phase"] = "attempt"
  private events: Array<ProgressEvent> = []
  /** There has been content. */
  begun = false
  wake: () => void = constVoid

  constructor(startedAt: bigint) {
    this.startedAt = startedAt
  }

  /** A wait for quota is reported once, by code that does not know when the call began; it ends with what goes out. */
  readonly reportOf = (clock: Clock.Clock) => (event: ProgressEvent): void => {
    if (event._tag === "Started") this.phase = "attempt"
    if (event._tag !== "Waiting") return this.report(event)
    this.phase = event.phase
    this.waitsAt(clock.monotonicTimeNanosUnsafe())
  }

  private waitsAt(now: bigint): void {
    this.report({ _tag: "Waiting", phase: this.phase, elapsed: Duration.nanos(now - this.startedAt) })
  }

  readonly report = (event: ProgressEvent): void => {
    // a reader that has not taken the last tick gets the newest one
    if (event._tag === "Waiting" && this.events.at(-1)?._tag === "Waiting") this.events.pop()
    this.events.push(event)
    this.wake()
  }

  readonly listener: Telemetry.Listener = (event) => {
    if (event._tag === "AttemptStarted") this.phase = "attempt"
    if (event._tag !== "RetryScheduled") return
    this.phase = "backoff"
    const error = Cause.findErrorOption(event.cause)
    if (Option.isSome(error) && O1Error.is(error.value)) {
      this.report({ _tag: "Retrying", attempt: event.attempt, error: error.value, delay: event.delay })
      if (this.begun) this.report({ _tag: "Restarted", error: error.value })
    }
  }

  readonly tick = Effect.map(
    Clock.monotonicTimeNanos,
    (now) => this.waitsAt(now)
  )

  get waiting(): boolean {
    return this.events.length > 0
  }

  taken(): ReadonlyArray<ProgressEvent> {
    const { events } = this
    this.events = []
    return events
  }
}

/** Resumes when the fiber has ended, with its exit, or when there is progress, without. */
const awaitEither = (
  fiber: ContentFiber,
  progress: Progress
): Effect.Effect<Exit.Exit<Content, O1Error | Cause.Done> | undefined> =>
  Effect.callback((resume) => {
    let unobserve: () => void = constVoid
    const stop = (): void => {
      progress.wake = constVoid
      unobserve()
    }
    const settle = (): void => {
      stop()
      resume(Effect.succeed(fiber.pollUnsafe()))
    }
    if (progress.waiting) return settle()
    progress.wake = settle
    unobserve = fiber.addObserver(settle)
    return Effect.sync(stop)
  })

/**
 * Adds the progress of a call to its content. Until the first content the two are waited for together; from then on content
 * is pulled without any detour, and progress comes with it.
 */
export const withProgress = (content: Stream.Stream<AttemptEvent, O1Error>): Stream.Stream<O1Event, O1Error> =>
  Stream.fromChannel(Channel.fromTransform((_: unknown, scope) =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const progress = new Progress(clock.monotonicTimeNanosUnsafe())
      // made first, so closed last: a pull under way is interrupted before what it pulls from is closed
      const contentScope = Scope.forkUnsafe(scope)
      const upstream = yield* Channel.toPullScoped(
        Stream.toChannel(content.pipe(
          Telemetry.listen(progress.listener).stream,
          Stream.provideService(CurrentProgress, progress.reportOf(clock))
        )),
        contentScope
      )
      const ticker = yield* Effect.forkIn(Effect.forever(Effect.andThen(Effect.sleep(interval), progress.tick)), scope)
      let pulling: ContentFiber | undefined

      // what happened while the content was waited for comes before it
      const afterwards: Pull.Pull<NonEmptyReadonlyArray<O1Event>, O1Error> = Effect.map(
        upstream,
        (content) => progress.waiting ? Arr.appendAll(progress.taken(), content) : content
      )
      const next: Pull.Pull<NonEmptyReadonlyArray<O1Event>, O1Error> = Effect.suspend(() => {
        const events = progress.taken()
        if (Arr.isReadonlyArrayNonEmpty(events)) return Effect.succeed(events)
        return progress.begun ? afterwards : beforeContent
      })
      const beforeContent: typeof next = Effect.gen(function*() {
        pulling ??= yield* Effect.forkIn(upstream, scope, { startImmediately: true })
        const exit = pulling.pollUnsafe() ?? (yield* awaitEither(pulling, progress))
        if (exit === undefined || progress.waiting) return yield* next
        progress.begun = true
        ticker.interruptUnsafe()
        return yield* exit
      })
      return next
    })
  ))
