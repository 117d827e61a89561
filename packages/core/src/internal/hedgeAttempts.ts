import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Grant } from "../kernel/retryBudget.ts"
import type { AttemptSpan } from "./currentSpans.ts"
import { forkForCall } from "./deadline.ts"
import { emitDefect } from "./emit.ts"
import { waitsOf } from "./fiberWaits.ts"
import { diesOf } from "./interrupt.ts"
import { interrupt } from "./interrupted.ts"
import { type AnyEffect, type AnyFiber, fork } from "./primitive.ts"
import { type MeasuredAttempt, RaceWaits } from "./raceWaits.ts"
import { now } from "./time.ts"
import { Timer } from "./timers.ts"
import { hasLeftQueue, leaveQueue } from "./turn.ts"
import { CurrentWaits } from "./waits.ts"

/** One of several attempts at once, in a fiber of its own. */
export interface Attempt {
  readonly n: number
  /** its part of the caller's scope */
  readonly scope: Scope.Closeable | undefined
  readonly grant: Grant | undefined
  readonly span: AttemptSpan | undefined
  /** what it waits for its turn */
  readonly measured: MeasuredAttempt
  /** `undefined` while it is being started */
  fiber: AnyFiber | undefined
}

/** Starts the attempts of one call, and looks after those that are not wanted any more. */
export abstract class Attempts extends Timer {
  protected readonly parent: AnyFiber
  /** the call's, which the parent has no longer when it has gone on */
  protected readonly context: Context.Context<never>
  protected readonly running = new Set<Attempt>()
  protected readonly waits: RaceWaits
  private readonly policyName: string | undefined

  constructor(parent: AnyFiber, policyName: string | undefined) {
    super()
    this.parent = parent
    this.context = parent.context
    this.policyName = policyName
    this.waits = new RaceWaits(() => waitsOf(parent))
  }

  protected abstract ended(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void

  protected launch(attempt: Attempt, context: Context.Context<never>, self: AnyEffect): void {
    const { scope, span } = attempt
    this.running.add(attempt)
    this.waits.began(now(this.parent))
    const measured = Context.add(context, CurrentWaits, attempt.measured)
    const own = scope === undefined ? measured : Context.add(measured, Scope.Scope, scope)
    const traced = span === undefined ? own : Context.add(own, Tracer.ParentSpan, span.span)
    attempt.fiber = forkForCall(this.parent, traced, self, false)
    attempt.fiber.addObserver((exit) => this.ended(attempt, exit))
  }

  protected interrupt(): ReadonlyArray<Attempt> {
    const running = Array.from(this.running) // those that end are removed
    for (const { fiber } of running) if (fiber !== undefined) interrupt(fiber, this.parent)
    return running
  }

  /** In the background. */
  protected close({ scope }: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    const closing = scope === undefined ? undefined : Scope.closeUnsafe(scope, exit)
    if (closing === undefined) return
    fork(this.context, Effect.uninterruptible(closing)).addObserver((exit) => this.report(exit))
  }

  /** Nobody waits for the attempt any more. */
  protected report(exit: Exit.Exit<unknown, unknown>): void {
    const cause = diesOf(exit)
    if (cause !== undefined) emitDefect(this.context, "hedge", this.policyName, cause)
  }

  /** The caller goes away: waits for every attempt's clean-up, and that of `kept`, and keeps the defects. */
  protected abandon(caller: AnyFiber, kept: Attempt | undefined): Effect.Effect<void> {
    const running = this.interrupt()
    const finished = Effect.forEach(
      kept === undefined ? running : [...running, kept],
      ({ fiber, scope }) =>
        Effect.flatMap(fiber === undefined ? Effect.succeed(Exit.void) : Fiber.await(fiber), (exit) =>
          Effect.map(
            Effect.exit(scope === undefined ? Effect.void : Scope.close(scope, exit)),
            (closed) => [exit, closed]
          ))
    )
    return Effect.flatMap(finished, (exits) => {
      if (running.length > 0 && running.every(({ fiber }) => fiber !== undefined && hasLeftQueue(fiber))) {
        leaveQueue(caller)
      }
      const cause = diesOf(...exits.flat())
      return cause === undefined ? Effect.void : Effect.failCause(cause)
    })
  }
}
