import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import type { Learner } from "./adaptiveLimitLearner.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "./establish.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"
import { owedSince } from "./turn.ts"

/**
 * A stream under way. How long its first element takes tells how busy the callee is; how long the stream is, tells how much there is to say.
 * The first element is owed while the stream opens and while somebody pulls, not between the two.
 */
class StreamCall {
  private readonly learner: Learner
  private readonly inUse: number
  private answered = false
  private began: number
  /** how long the opening took */
  private opening = 0

  constructor(learner: Learner, began: number) {
    this.learner = learner
    this.inUse = learner.pool.inUse
    this.began = began
  }

  pull(fiber: AnyFiber): void {
    if (!this.answered) this.began = now(fiber) - this.opening
  }

  readonly onOpened = (exit: Exit.Exit<unknown, unknown>): undefined => {
    const fiber = Fiber.getCurrent()!
    if (Exit.isFailure(exit)) this.record(fiber, exit)
    else this.opening = owedSince(fiber, this.began, now(fiber))
  }

  readonly onPulled = (exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): undefined => {
    if (Exit.isFailure(exit)) {
      return this.record(Fiber.getCurrent()!, Pull.isDoneCause(exit.cause) ? Exit.void : exit)
    }
    if (!this.answered) this.record(Fiber.getCurrent()!, Exit.succeed(exit.value[0]))
  }

  private record(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): undefined {
    const { answered } = this
    this.answered = true
    if (!answered) this.learner.record(fiber, this.began, this.inUse, exit)
    else if (Exit.isFailure(exit)) this.learner.recordLate(fiber, this.inUse, exit)
  }
}

/** A pull, made again by every pull. */
class Pulling extends Primitive {
  private readonly call: StreamCall
  private readonly self: AnyEffect

  constructor(call: StreamCall, self: AnyEffect) {
    super()
    this.call = call
    this.self = self
  }

  run(fiber: AnyFiber): AnyEffect {
    this.call.pull(fiber)
    return this.self
  }
}

export const measuredStream = (self: AnyStream, learner: Learner): AnyStream =>
  fromPull((scope) =>
    Effect.withFiber((fiber) => {
      const call = new StreamCall(learner, now(fiber))
      const pulling = (pull: AnyPull): AnyPull =>
        new Pulling(call, Effect.onExitPrimitive(pull, call.onPulled)) as AnyEffect as AnyPull
      return Effect.map(Effect.onExitPrimitive(open(self, scope), call.onOpened), pulling)
    })
  )
