import type { AnyFiber } from "../../internal/primitive.ts"
import { timerResolution } from "../../internal/time.ts"
import { Alarm } from "../../internal/timers.ts"

/** A timer that can be set again. */
export class Later extends Alarm {
  private readonly work: () => void
  private dueAt = Infinity

  constructor(work: () => void) {
    super()
    this.work = work
  }

  /** A timer that goes off too early looks again, so only one that would be late is set anew. */
  within(fiber: AnyFiber, at: number, millis: number): void {
    if (at + millis > this.dueAt - timerResolution) return
    this.stop()
    this.dueAt = at + millis
    this.arm(fiber, at, millis)
  }

  stop(): void {
    this.disarm()
    this.dueAt = Infinity
  }

  expire(): void {
    this.dueAt = Infinity
    this.work()
  }
}
