import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Fault from "../Fault.ts"
import * as kernel from "../kernel/adaptiveThrottle.ts"
import { criticalities } from "../kernel/criticality.ts"
import { counted, type Knowledge, nothing } from "../kernel/keyed.ts"
import { CurrentCriticality, currentRank } from "./criticality.ts"
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

export interface Settings extends Omit<kernel.Rules, "factor"> {
  readonly name: string | undefined
  /** of each criticality, the highest first */
  readonly factors: ReadonlyArray<number>
  readonly classify: Fault.Classify<any>
}

/** A kernel for each criticality, made when the first call of it comes. */
export class Throttles {
  private readonly settings: Settings
  private readonly made: Array<kernel.Throttle | undefined> = []

  constructor(settings: Settings) {
    this.settings = settings
  }

  of(rank: number): kernel.Throttle {
    const { factors, maxRatio, minCalls, within } = this.settings
    return this.made[rank] ??= new kernel.Throttle({ factor: factors[rank]!, within, minCalls, maxRatio })
  }

  /** Of all together: the share is the one of the calls that wanted to be made. */
  total(at: number): { readonly requests: number; readonly accepts: number; readonly ratio: number } {
    let [requests, accepts, refused] = [0, 0, 0]
    for (const throttle of this.made) {
      if (throttle === undefined) continue
      refused += throttle.ratio(at) * throttle.requests
      requests += throttle.requests
      accepts += throttle.accepts
    }
    return { requests, accepts, ratio: requests === 0 ? 0 : refused / requests }
  }
}

const shownFactors = (factors: ReadonlyArray<number>): number | string =>
  factors.every((factor) => factor === factors[0])
    ? factors[0]!
    : criticalities.map((criticality, rank) => `${criticality} ${factors[rank]}`).join(", ")

/** What an adaptive throttle is: kernels with a name, and what a failure means to them. */
export class Throttler implements Implementation {
  readonly throttles: Throttles
  readonly settings: Settings
  readonly info: PolicyInfo

  constructor(settings: Settings) {
    const { factors, maxRatio, minCalls, name, within } = settings
    this.throttles = new Throttles(settings)
    this.settings = settings
    this.info = {
      kind: "adaptive-throttle",
      name,
      settings: { factor: shownFactors(factors), within: Duration.millis(within), minCalls, maxRatio },
      children: []
    }
  }

  knowledge(at: number): Knowledge {
    return this.throttles.total(at).requests > 0 ? counted : nothing
  }

  effect(self: AnyEffect): AnyEffect {
    return new ThrottleEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return establish((self) => this.effect(self), self)
  }

  /** Counts a call that wants to be made; the error, if it is turned away. */
  enter(fiber: AnyFiber, throttle: kernel.Throttle, at: number): kernel.Ticket | ThrottleRejected {
    const ratio = throttle.ratio(at)
    // most of the time nobody is turned away, and nothing is drawn
    const draw = ratio === 0 ? 1 : fiber.getRef(Random.Random).nextDoubleUnsafe()
    return throttle.enter(at, draw) ?? this.reject(fiber, ratio)
  }

  end(fiber: AnyFiber, throttle: kernel.Throttle, ticket: kernel.Ticket, exit: Exit.Exit<unknown, unknown>): void {
    settle(throttle, now(fiber), ticket, this.settings.classify(exit, wallNow(fiber)))
  }

  private reject(fiber: AnyFiber, ratio: number): ThrottleRejected {
    const { name } = this.settings
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      const criticality = fiber.getRef(CurrentCriticality)
      emit(fiber, listener, { _tag: "RejectedByThrottle", policy: "adaptive-throttle", name, criticality, ratio })
    }
    return new ThrottleRejected({ policyName: name, ratio })
  }
}

const isTicket = (entered: kernel.Ticket | ThrottleRejected): entered is kernel.Ticket => typeof entered === "number"

/** Tells the throttle how a call has ended. */
class ThrottleFrame extends frame.ExitFrame {
  declare private readonly throttler: Throttler
  declare private readonly throttle: kernel.Throttle
  declare private readonly ticket: kernel.Ticket

  constructor(throttler: Throttler, throttle: kernel.Throttle, ticket: kernel.Ticket) {
    super()
    this.throttler = throttler
    this.throttle = throttle
    this.ticket = ticket
  }

  protected succeeded(fiber: AnyFiber): void {
    this.throttle.accept(now(fiber))
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.throttler.end(fiber, this.throttle, this.ticket, exit)
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
    const throttle = throttler.throttles.of(currentRank(fiber))
    const entered = throttler.enter(fiber, throttle, at)
    if (!isTicket(entered)) return entered
    frame.push(fiber, new ThrottleFrame(throttler, throttle, entered))
    return frame.proceed(self, fiber, at)
  }
}

/** The same where there are no frames. */
const guarded = (self: AnyEffect, throttler: Throttler): AnyEffect => {
  let counted: { readonly throttle: kernel.Throttle; readonly ticket: kernel.Ticket } | undefined
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      const throttle = throttler.throttles.of(currentRank(fiber))
      const entered = throttler.enter(fiber, throttle, now(fiber))
      if (!isTicket(entered)) return entered
      counted = { throttle, ticket: entered }
      return self
    }),
    (exit) => {
      if (counted !== undefined) throttler.end(Fiber.getCurrent()!, counted.throttle, counted.ticket, exit)
      return undefined
    }
  )
}
