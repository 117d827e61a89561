import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LearntLimit } from "../kernel/adaptive.ts"
import type { TimeoutExceeded } from "./errors.ts"
import { type AnyStream, establish } from "./establish.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now, timerResolution } from "./time.ts"
import { type Settings, TimeoutEffect } from "./timeout.ts"
import { hangs } from "./turn.ts"
import { CurrentWaits, Waits } from "./waits.ts"

/** A call that was cut off before a timer tells the time, as after a wait that took all of it, says nothing. */
export const isKnown = (served: number): boolean => served >= timerResolution

type IsOwn = (error: unknown) => error is TimeoutExceeded

/** Times a call without what it has waited for its turn, and tells the limit what it took. */
class AdaptiveEffect extends Primitive {
  private readonly limited: AnyEffect
  private readonly learnt: LearntLimit
  private readonly isOwn: IsOwn

  constructor(limited: AnyEffect, learnt: LearntLimit, isOwn: IsOwn) {
    super()
    this.limited = limited
    this.learnt = learnt
    this.isOwn = isOwn
  }

  run(fiber: AnyFiber): AnyEffect {
    const startedAt = now(fiber)
    const waits = new Waits(fiber.getRef(CurrentWaits)?.waits)
    return Effect.onExitPrimitive(Effect.provideService(this.limited, CurrentWaits, waits), (exit) => {
      const at = now(fiber)
      const took = at - startedAt
      if (exit._tag === "Success") this.learnt.record(took - waits.waited(at), true, at)
      else {
        const cutAfter = this.limitOf(exit.cause) ??
          (Cause.hasInterruptsOnly(exit.cause) && hangs(fiber, at) ? took : 0)
        const served = cutAfter - waits.waited(at)
        if (isKnown(served)) this.learnt.record(served, false, at)
      }
      return undefined
    })
  }

  /** Of a call that was cut off by the limit, and not by that of a policy inside. */
  private limitOf(cause: Cause.Cause<unknown>): number | undefined {
    for (const reason of cause.reasons) {
      if (Cause.isFailReason(reason) && this.isOwn(reason.error)) return Duration.toMillis(reason.error.limit)
    }
    return undefined
  }
}

/** What an adaptive timeout is. */
export class AdaptivePolicy implements Implementation {
  readonly info: PolicyInfo
  readonly settings: Settings
  readonly learnt: LearntLimit
  private readonly isOwn: IsOwn

  constructor(info: PolicyInfo, settings: Settings, learnt: LearntLimit, isOwn: IsOwn) {
    this.info = info
    this.settings = settings
    this.learnt = learnt
    this.isOwn = isOwn
  }

  effect(self: AnyEffect): AnyEffect {
    return new AdaptiveEffect(new TimeoutEffect(self, this.settings), this.learnt, this.isOwn)
  }

  stream(self: AnyStream): AnyStream {
    return establish((attempt) => this.effect(attempt), self)
  }
}
