import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as kernel from "../kernel/circuitBreaker.ts"
import { CallFrame, isRejection, Recorder, slowCallsOf } from "./circuitBreakerRecorder.ts"
import { breakerStream } from "./circuitBreakerStream.ts"
import type { CircuitOpen } from "./errors.ts"
import type { AnyStream } from "./establish.ts"
import * as frame from "./frame.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

export class Breaker extends Recorder implements Implementation {
  effect(self: AnyEffect): AnyEffect {
    return new BreakerEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return breakerStream(self, this)
  }

  /** For a call that is made by hand. */
  get admission(): Effect.Effect<Admission, CircuitOpen, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.withFiber((fiber) => {
        const at = now(fiber)
        const permit = this.admit(fiber, at)
        return isRejection(permit) ? permit : Effect.succeed(new Admission(this, permit, this.begins(fiber, at)))
      }),
      ({ release }) => release
    )
  }
}

/** A call that is made by hand; what is told first counts. */
class Admission {
  private readonly breaker: Breaker
  private permit: kernel.Permit | undefined
  private readonly began: number | undefined

  constructor(breaker: Breaker, permit: kernel.Permit, began: number | undefined) {
    this.breaker = breaker
    this.permit = permit
    this.began = began
  }

  readonly record = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    this.end((fiber, permit) => this.breaker.record(fiber, permit, exit, this.began))

  readonly release: Effect.Effect<void> = this.end((fiber, permit) => this.breaker.release(fiber, permit))

  private end(f: (fiber: AnyFiber, permit: kernel.Permit) => void): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const { permit } = this
      this.permit = undefined
      if (permit !== undefined) f(fiber, permit)
      return Effect.void
    })
  }
}

class BreakerEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly breaker: Breaker

  constructor(self: AnyEffect, breaker: Breaker) {
    super()
    this.self = self
    this.breaker = breaker
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { breaker, self } = this
    const { circuit } = breaker
    breaker.meet(fiber)
    if (!frame.supported()) return guarded(fiber, self, breaker)
    if (circuit.shared && !breaker.times(fiber)) {
      frame.push(fiber, breaker.sharedFrame)
      return frame.proceed(self, fiber, time)
    }
    const at = time === frame.unread ? now(fiber) : time
    const permit = circuit.shared ? circuit.permit : breaker.admit(fiber, at)
    if (isRejection(permit)) return permit
    const began = breaker.begins(fiber, at)
    const slow = slowCallsOf(circuit, permit)
    if (slow === undefined) frame.push(fiber, new CallFrame(breaker, permit, began))
    else slow.push(fiber, breaker, permit, began)
    return frame.proceed(self, fiber, at)
  }
}

/** The same where there are no frames. */
const guarded = (fiber: AnyFiber, self: AnyEffect, breaker: Breaker): AnyEffect => {
  const { circuit } = breaker
  if (!circuit.shared) {
    const at = now(fiber)
    const state = breaker.change(fiber, (circuit) => circuit.look(at))
    return state === "Open" || state === "Isolated" ? breaker.reject(fiber, at) : held(self, breaker)
  }
  // a shared permit holds nothing for a call, so that nothing is lost before the frame is on the stack
  return breaker.times(fiber) ? timed(self, breaker, now(fiber)) : Effect.onExitPrimitive(self, breaker.sharedHandler)
}

const timed = (self: AnyEffect, breaker: Breaker, began: number): AnyEffect => {
  const { permit } = breaker.circuit
  return Effect.onExitPrimitive(self, (exit) => breaker.record(Fiber.getCurrent()!, permit, exit, began))
}

/** Such a call holds a permit of its own, so the frame that gives it back is on the stack before the permit is taken. */
const held = (self: AnyEffect, breaker: Breaker): AnyEffect => {
  let permit: kernel.Permit | undefined
  let began: number | undefined
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      const at = now(fiber)
      const admission = breaker.admit(fiber, at)
      if (isRejection(admission)) return admission
      permit = admission
      began = breaker.begins(fiber, at)
      return slowCallsOf(breaker.circuit, permit)?.measured(self, fiber, breaker.circuit, permit) ?? self
    }),
    (exit) =>
      permit === undefined
        ? undefined
        : breaker.record(Fiber.getCurrent()!, permit, exit, began)
  )
}
