import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type * as kernel from "../kernel/circuitBreaker.ts"
import { isRejection, type Recorder, slowCallsOf } from "./circuitBreakerRecorder.ts"
import { type AnyPull, type AnyStream, closing, fromPull, open } from "./establish.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"
import { owedSince } from "./turn.ts"

/**
 * A stream under way. It is one call, and its first element is its answer. An answer is owed while the stream is opened and
 * while somebody pulls: what passes between two pulls is the consumer's own time.
 */
class StreamCall {
  private readonly breaker: Recorder
  private permit: kernel.Permit | undefined = undefined
  private answered = false
  /** when somebody asked for an answer, where that matters */
  private began: number | undefined = undefined
  /** how long the opening took, as long as the first answer is owed */
  private opening = 0

  constructor(breaker: Recorder) {
    this.breaker = breaker
  }

  readonly stop = Effect.withFiber((fiber) => {
    const permit = this.takePermit()
    if (permit !== undefined) this.breaker.release(fiber, permit)
    return Effect.void
  })

  open(self: AnyStream, scope: Scope.Scope): Effect.Effect<AnyPull, any, any> {
    return Effect.withFiber((fiber) => {
      const { breaker } = this
      const at = now(fiber)
      const permit = breaker.admit(fiber, at)
      if (isRejection(permit)) return permit
      this.permit = permit
      this.began = breaker.begins(fiber, at)
      const slow = slowCallsOf(breaker.circuit, permit)
      const owed = <A>(effect: Effect.Effect<A, any, any>): Effect.Effect<A, any, any> =>
        slow === undefined ? effect : slow.measured(effect, fiber, breaker.circuit, permit)
      return Effect.map(
        Effect.onExitPrimitive(owed(open(self, scope)), this.onOpened),
        (pull) =>
          new Pulling(
            this,
            Effect.onExitPrimitive(owed(pull), this.onPulled),
            Effect.onExitPrimitive(pull, this.onPulled)
          ) as AnyEffect as AnyPull
      )
    })
  }

  /** Somebody pulls. Whether it is for the first answer. */
  pull(fiber: AnyFiber): boolean {
    this.began = this.breaker.times(fiber) ? now(fiber) - this.opening : undefined
    return !this.answered
  }

  private readonly onOpened = (exit: Exit.Exit<unknown, unknown>): undefined => {
    const fiber = Fiber.getCurrent()!
    if (Exit.isFailure(exit)) return this.record(fiber, exit)
    if (this.began !== undefined) this.opening = owedSince(fiber, this.began, now(fiber))
  }

  private readonly onPulled = (exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): undefined => {
    if (Exit.isFailure(exit)) {
      return this.record(Fiber.getCurrent()!, Pull.isDoneCause(exit.cause) ? Exit.void : exit)
    }
    if (!this.answered) this.answer(Fiber.getCurrent()!, exit.value[0])
  }

  private answer(fiber: AnyFiber, element: unknown): void {
    this.answered = true
    this.opening = 0
    const permit = this.takePermit()
    if (permit === undefined || this.breaker.recordsValue(fiber, permit, element)) return
    this.permit = permit.startedAt === undefined
      ? permit
      : this.breaker.change(fiber, (circuit) => circuit.pass(permit, now(fiber)))
  }

  private record(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): undefined {
    const permit = this.takePermit()
    if (permit !== undefined) this.breaker.recordEnd(fiber, permit, exit, this.began)
  }

  private takePermit(): kernel.Permit | undefined {
    const { permit } = this
    this.permit = undefined
    return permit
  }
}

/** A pull, made again by every pull. */
class Pulling extends Primitive {
  private readonly call: StreamCall
  private readonly first: AnyEffect
  private readonly later: AnyEffect

  constructor(call: StreamCall, first: AnyEffect, later: AnyEffect) {
    super()
    this.call = call
    this.first = first
    this.later = later
  }

  run(fiber: AnyFiber): AnyEffect {
    return this.call.pull(fiber) ? this.first : this.later
  }
}

export const breakerStream = (self: AnyStream, breaker: Recorder): AnyStream =>
  fromPull((scope) =>
    Effect.suspend(() => {
      const call = new StreamCall(breaker)
      const inner = Scope.makeUnsafe()
      return Effect.andThen(Scope.addFinalizerExit(scope, closing(inner, call.stop)), call.open(self, inner))
    })
  )
