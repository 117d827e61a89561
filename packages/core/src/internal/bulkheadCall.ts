import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as kernel from "../kernel/bulkhead.ts"
import type { Place } from "../kernel/queue.ts"
import { CurrentCriticality, currentRank } from "./criticality.ts"
import { timeToWait } from "./deadline.ts"
import { emit } from "./emit.ts"
import type { BulkheadRejected } from "./errors.ts"
import { CurrentListener } from "./events.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"
import { Timer, type TimerQueue } from "./timers.ts"
import { leaveQueue, Turn, waiting } from "./turn.ts"

/** What a queue tells a call that waits in it. */
interface Waiting {
  granted(): void
  lost(reason: "overload"): void
}

/** Permits, or a pool of them: whose permits they are, the waiters know. */
interface Permits {
  next(at: number): Waiting | undefined
  stale(at: number): Waiting | undefined
}

/** Hands on what was given back or added. */
export const handOver = (permits: Permits, at: number): void => {
  for (let waiter = permits.next(at); waiter !== undefined; waiter = permits.next(at)) waiter.granted()
  for (let waiter = permits.stale(at); waiter !== undefined; waiter = permits.stale(at)) waiter.lost("overload")
}

export const giveBack = (permits: kernel.Permits<Waiter>, fiber: AnyFiber): void => {
  if (permits.leave()) handOver(permits, now(fiber))
}

export const isFull = (permits: kernel.Permits<Waiter>, fiber: AnyFiber, at: number): boolean =>
  permits.isFull(currentRank(fiber), at)

/** Whose permits they are. */
export type Kind = "bulkhead" | "adaptive-limit"

/** What a call asks for a permit. */
interface Gate {
  readonly kind: Kind
  readonly name: string | undefined
  readonly permits: kernel.Permits<Waiter>
  /** in milliseconds */
  readonly maxWait: number
  readonly timers: TimerQueue | undefined
  reject(fiber: AnyFiber, reason: BulkheadRejected["reason"], waited: number): BulkheadRejected
}

/**
 * A call, which is the effect that gets it a permit and then runs it. The frame that releases it is on the stack before it is
 * evaluated: the scheduler may yield in between, and an interruption arrive there.
 */
export class Call extends Primitive {
  private readonly self: AnyEffect
  readonly gate: Gate
  held = false

  constructor(self: AnyEffect, gate: Gate) {
    super()
    this.self = self
    this.gate = gate
  }

  run(fiber: AnyFiber): AnyEffect {
    const { gate, self } = this
    const { permits } = gate
    if (permits.enter()) {
      this.held = true
      return self
    }
    if (isFull(permits, fiber, now(fiber))) return gate.reject(fiber, "full", 0)
    const turn = Effect.callback<void, BulkheadRejected>((resume) => this.wait(fiber, resume))
    return Effect.andThen(waiting(fiber, turn), self)
  }

  private wait(
    fiber: AnyFiber,
    resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  ): Effect.Effect<void> | void {
    const { gate } = this
    const { permits } = gate
    // the scheduler may have yielded since the first look
    if (permits.enter()) {
      this.held = true
      return resume(Effect.void)
    }
    const at = now(fiber)
    const rank = currentRank(fiber)
    if (permits.isFull(rank, at)) return resume(gate.reject(fiber, "full", 0))
    const left = timeToWait(fiber, at)
    if (left <= 0) return resume(gate.reject(fiber, "waited", 0))
    for (let last = permits.displace(rank, at); last !== undefined; last = permits.displace(rank, at)) last.lost("full")
    const waiter = new Waiter(this, fiber, rank, at, resume)
    if (left < gate.maxWait) waiter.arm(fiber, at, left)
    else waiter.arm(fiber, at, gate.maxWait, gate.timers)
    return waiter.cleanup
  }

  release(fiber: AnyFiber): undefined {
    if (!this.held) return
    this.held = false
    giveBack(this.gate.permits, fiber)
  }
}

/** A call that waits: its place in the queue, its timer and its clean-up in one object. */
export class Waiter extends Timer {
  private readonly call: Call
  private readonly fiber: AnyFiber
  private readonly since: number
  private readonly resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  private readonly place: Place<Waiter>
  private readonly turn: Turn
  private gone = false

  constructor(
    call: Call,
    fiber: AnyFiber,
    rank: number,
    since: number,
    resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  ) {
    super()
    this.call = call
    this.fiber = fiber
    this.since = since
    this.resume = resume
    this.place = call.gate.permits.join(this, rank, since)
    this.turn = new Turn(fiber, since)
  }

  /** The permit is the call's from now on: should the call be interrupted before it goes on, its frame passes the permit on. */
  granted(): void {
    this.leave()
    this.call.held = true
    later(() => {
      if (this.gone) return
      this.tell()
      this.resume(Effect.void)
    })
  }

  /** The place is somebody else's, or nobody's. */
  lost(reason: "full" | "overload"): void {
    this.leave()
    later(() => {
      if (!this.gone) this.reject(reason)
    })
  }

  expire(): void {
    this.leave()
    this.call.gate.permits.cancel(this.place)
    this.reject("waited")
  }

  run(fiber: AnyFiber): Effect.Effect<void> {
    leaveQueue(fiber)
    this.gone = true
    this.leave()
    this.call.gate.permits.cancel(this.place)
    return Effect.void
  }

  private leave(): void {
    this.disarm()
    this.turn.end()
  }

  private get waited(): number {
    return now(this.fiber) - this.since
  }

  private reject(reason: BulkheadRejected["reason"]): void {
    this.resume(this.call.gate.reject(this.fiber, reason, this.waited))
  }

  private tell(): void {
    const listener = this.fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      const { kind, name } = this.call.gate
      emit(this.fiber, listener, {
        _tag: "WaitedForBulkhead",
        policy: kind,
        name,
        criticality: this.fiber.getRef(CurrentCriticality),
        waited: Duration.millis(this.waited)
      })
    }
  }
}

/** A fiber is resumed on the stack of its resumer. A thousand calls that hand on one permit would each nest in the one before. */
const later = (f: () => void): void => queueMicrotask(f)
