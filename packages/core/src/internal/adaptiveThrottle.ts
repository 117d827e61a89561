import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Fault from "../Fault.ts"
import * as kernel from "../kernel/adaptiveThrottle.ts"
import { counted, type Knowledge, nothing } from "../kernel/keyed.ts"
import { emit } from "./emit.ts"
import { ThrottleRejected } from "./errors.ts"
import { type AnyStream, establish } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import * as frame from "./frame.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now, wallNow } from "./time.ts"

/** Counts how a call has ended. */
export const settle = (
  kernel: kernel.Throttle,
  at: number,
  ticket: kernel.Ticket,
  fault: Fault.Fault | undefined
): void => {
  switch (fault?._tag) {
    case "Throttled":
      return
    case "Transient":
      // a server that sheds load answers 503 and asks for a pause
      return fault.retryAfter === undefined ? kernel.accept(at) : undefined
    case "Rejected":
    case "Interrupted":
      return kernel.withdraw(at, ticket)
    default:
      return kernel.accept(at)
  }
}

/** What an adaptive throttle is: the kernel with a name, and what a failure means to it. */
export class Throttler implements Implementation {
  readonly kernel: kernel.Throttle
  readonly name: string | undefined
  readonly info: PolicyInfo
  readonly classify: Fault.Classify<any>

  constructor(name: string | undefined, rules: kernel.Rules, classify: Fault.Classify<any>) {
    this.kernel = new kernel.Throttle(rules)
    this.name = name
    this.classify = classify
    this.info = {
      kind: "adaptive-throttle",
      name,
      settings: { ...rules, within: Duration.millis(rules.within) },
      children: []
    }
  }

  knowledge(at: number): Knowledge {
    this.kernel.ratio(at)
    return this.kernel.requests > 0 ? counted : nothing
  }

  effect(self: AnyEffect): AnyEffect {
    return new ThrottleEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return establish((self) => this.effect(self), self)
  }

  /** Counts a call that wants to be made; the error, if it is turned away. */
  enter(fiber: AnyFiber, at: number): kernel.Ticket | ThrottleRejected {
    const ratio = this.kernel.ratio(at)
    // most of the time nobody is turned away, and nothing is drawn
    const draw = ratio === 0 ? 1 : fiber.getRef(Random.Random).nextDoubleUnsafe()
    return this.kernel.enter(at, draw) ?? this.reject(fiber, ratio)
  }

  end(fiber: AnyFiber, ticket: kernel.Ticket, exit: Exit.Exit<unknown, unknown>): void {
    settle(this.kernel, now(fiber), ticket, this.classify(exit, wallNow(fiber)))
  }

  private reject(fiber: AnyFiber, ratio: number): ThrottleRejected {
    const { name } = this
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      emit(fiber, listener, { _tag: "RejectedByThrottle", policy: "adaptive-throttle", name, ratio })
    }
    return new ThrottleRejected({ policyName: name, ratio })
  }
}

const isTicket = (entered: kernel.Ticket | ThrottleRejected): entered is kernel.Ticket => typeof entered === "number"

/** Tells the throttle how a call has ended. */
class ThrottleFrame extends frame.ExitFrame {
  declare private readonly throttler: Throttler
  declare private readonly ticket: kernel.Ticket

  constructor(throttler: Throttler, ticket: kernel.Ticket) {
    super()
    this.throttler = throttler
    this.ticket = ticket
  }

  protected succeeded(fiber: AnyFiber): void {
    this.throttler.kernel.accept(now(fiber))
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.throttler.end(fiber, this.ticket, exit)
  }
}

class ThrottleEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly throttler: Throttler

  constructor(self: AnyEffect, throttler: Throttler) {
    super()
    this.self = self
    this.throttler = throttler
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { self, throttler } = this
    if (!frame.supported()) return guarded(self, throttler)
    const at = time === frame.unread ? now(fiber) : time
    const entered = throttler.enter(fiber, at)
    if (!isTicket(entered)) return entered
    frame.push(fiber, new ThrottleFrame(throttler, entered))
    return frame.proceed(self, fiber, at)
  }
}

/** The same where there are no frames. */
const guarded = (self: AnyEffect, throttler: Throttler): AnyEffect => {
  let ticket: kernel.Ticket | undefined
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      const entered = throttler.enter(fiber, now(fiber))
      if (!isTicket(entered)) return entered
      ticket = entered
      return self
    }),
    (exit) => {
      if (ticket !== undefined) throttler.end(Fiber.getCurrent()!, ticket, exit)
      return undefined
    }
  )
}
