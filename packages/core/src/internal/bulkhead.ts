import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/bulkhead.ts"
import { type Knowledge, nothing, owed } from "../kernel/keyed.ts"
import type { Order, Overload, Place } from "../kernel/queue.ts"
import { CurrentCriticality, currentRank } from "./criticality.ts"
import { timeToWait } from "./deadline.ts"
import { emit } from "./emit.ts"
import { BulkheadRejected } from "./errors.ts"
import { type AnyStream, closing, fromPull, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import { waitsOf } from "./fiberWaits.ts"
import * as frame from "./frame.ts"
import type { PolicyInfo } from "./model.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now } from "./time.ts"
import { Timer, TimerQueue } from "./timers.ts"
import { leaveQueue, waiting } from "./turn.ts"
import type { Waits } from "./waits.ts"

/** A permit that a program holds by hand. */
export interface Held {
  readonly release: Effect.Effect<void>
}

export interface Settings extends kernel.Limits {
  readonly name: string | undefined
  /** in milliseconds */
  readonly maxWait: number
  /** as it was given */
  readonly order: Order | undefined
  readonly overload: Overload | undefined
}

/** Permits, or a pool of them: whose permits they are, the waiters know. */
interface Permits {
  next(at: number): Waiter | undefined
  stale(at: number): Waiter | undefined
}

/** Hands on what was given back or added. */
export const handOver = (permits: Permits, at: number): void => {
  for (let waiter = permits.next(at); waiter !== undefined; waiter = permits.next(at)) waiter.granted()
  for (let waiter = permits.stale(at); waiter !== undefined; waiter = permits.stale(at)) waiter.lost("overload")
}

const giveBack = (permits: kernel.Permits<Waiter>, fiber: AnyFiber): void => {
  if (permits.leave()) handOver(permits, now(fiber))
}

const isFull = (permits: kernel.Permits<Waiter>, fiber: AnyFiber, at: number): boolean =>
  permits.isFull(currentRank(fiber), at)

/** Whose permits they are. */
type Kind = "bulkhead" | "adaptive-limit"

/** What a bulkhead is: the kernel with fibers, timers and a name. */
export class Compartment implements Implementation {
  readonly kind: Kind
  readonly permits: kernel.Permits<Waiter>
  readonly name: string | undefined
  readonly maxWait: number
  readonly timers: TimerQueue | undefined
  /** on the stack of every call that found a permit at once */
  readonly held: HeldFrame
  readonly order: Order | undefined
  readonly overload: Overload | undefined

  constructor(
    settings: Settings,
    kind: Kind = "bulkhead",
    permits: kernel.Permits<Waiter> = new kernel.Permits(settings, settings.order ?? "fifo", settings.overload)
  ) {
    const { maxWait, name, order, overload } = settings
    this.kind = kind
    this.name = name
    this.permits = permits
    this.held = new HeldFrame(this.permits)
    this.maxWait = maxWait
    this.timers = maxWait === Infinity ? undefined : new TimerQueue(maxWait)
    this.order = order
    this.overload = overload
  }

  get info(): PolicyInfo {
    const { concurrency, maxQueue } = this.permits
    return {
      kind: this.kind,
      name: this.name,
      settings: {
        concurrency,
        maxQueue,
        maxWait: this.maxWait === Infinity ? undefined : Duration.millis(this.maxWait),
        order: this.order,
        overload: shownOverload(this.overload)
      },
      children: []
    }
  }

  /** Without a call, a permit is held by hand. A new bulkhead would give it out once more. */
  knowledge(): Knowledge {
    return this.permits.inUse > 0 ? owed : nothing
  }

  effect(self: AnyEffect): AnyEffect {
    return new BulkheadEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return fromPull((streamScope) =>
      Effect.suspend(() => {
        const inner = Scope.makeUnsafe()
        // the consumer may keep the stream's scope open for longer than the stream lasts
        const closeAtEnd = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined =>
          Exit.isSuccess(exit) ? undefined : close(Pull.isDoneCause(exit.cause) ? Exit.void : exit)
        const opened = Effect.map(open(self, inner), (pull) => Effect.onExitPrimitive(pull, closeAtEnd))
        const call = new Call(opened, this)
        const close = closing(inner, releasing(call))
        return Effect.andThen(Scope.addFinalizerExit(streamScope, close), call)
      })
    )
  }

  /** A permit by hand. It has a scope of its own in that of the caller: once given back, it leaves nothing in one that lives long. */
  readonly acquire: Effect.Effect<Held, BulkheadRejected, Scope.Scope> = Effect.suspend(() => {
    let scope: Scope.Closeable | undefined
    const held: Held = { release: Effect.suspend(() => Scope.close(scope!, Exit.void)) }
    const call = new Call(Effect.succeed(held), this)
    const entered = Effect.withFiber((fiber) => {
      scope = Scope.forkUnsafe(Context.getUnsafe(fiber.context, Scope.Scope))
      return Effect.andThen(Scope.addFinalizer(scope, releasing(call)), call)
    })
    return Effect.onExitPrimitive(entered, (exit) => {
      if (Exit.isSuccess(exit) && scope!.state._tag !== "Closed") return undefined
      // nobody has it: the call was turned away or interrupted, or its scope was closed while it waited
      call.release(Fiber.getCurrent()!)
      return scope && Scope.close(scope, exit)
    })
  })

  resize(limits: Partial<kernel.Limits>, at: number): void {
    this.permits.resize(limits)
    handOver(this.permits, at)
  }

  reject(fiber: AnyFiber, reason: BulkheadRejected["reason"], waited: number): BulkheadRejected {
    const error = new BulkheadRejected({
      policyName: this.name,
      reason,
      waited: waited === 0 ? Duration.zero : Duration.millis(Math.round(waited))
    })
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      emit(fiber, listener, {
        _tag: "RejectedByBulkhead",
        policy: this.kind,
        name: this.name,
        criticality: fiber.getRef(CurrentCriticality),
        reason,
        waited: error.waited
      })
    }
    return error
  }
}

/** What a scope does at its end, when what is opened in it is closed. */
const releasing = (call: Call): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    call.release(fiber)
    return Effect.void
  })

export const shownOverload = (overload: Overload | undefined): unknown =>
  overload && { target: Duration.millis(overload.target), interval: Duration.millis(overload.interval) }

/**
 * A call, which is the effect that gets it a permit and then runs it. The frame that releases it is on the stack before it is
 * evaluated: the scheduler may yield in between, and an interruption arrive there.
 */
class Call extends Primitive {
  private readonly self: AnyEffect
  readonly compartment: Compartment
  held = false

  constructor(self: AnyEffect, compartment: Compartment) {
    super()
    this.self = self
    this.compartment = compartment
  }

  run(fiber: AnyFiber): AnyEffect {
    const { compartment, self } = this
    const { permits } = compartment
    if (permits.enter()) {
      this.held = true
      return self
    }
    if (isFull(permits, fiber, now(fiber))) return compartment.reject(fiber, "full", 0)
    const turn = Effect.callback<void, BulkheadRejected>((resume) => this.wait(fiber, resume))
    return Effect.andThen(waiting(fiber, turn), self)
  }

  private wait(
    fiber: AnyFiber,
    resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  ): Effect.Effect<void> | void {
    const { compartment } = this
    const { permits } = compartment
    // the scheduler may have yielded since the first look
    if (permits.enter()) {
      this.held = true
      return resume(Effect.void)
    }
    const at = now(fiber)
    const rank = currentRank(fiber)
    if (permits.isFull(rank, at)) return resume(compartment.reject(fiber, "full", 0))
    const left = timeToWait(fiber, at)
    if (left <= 0) return resume(compartment.reject(fiber, "waited", 0))
    for (let last = permits.displace(rank, at); last !== undefined; last = permits.displace(rank, at)) last.lost("full")
    const waiter = new Waiter(this, fiber, rank, at, resume)
    if (left < compartment.maxWait) waiter.arm(fiber, at, left)
    else waiter.arm(fiber, at, compartment.maxWait, compartment.timers)
    return waiter.cleanup
  }

  release(fiber: AnyFiber): undefined {
    if (!this.held) return
    this.held = false
    giveBack(this.compartment.permits, fiber)
  }
}

/** A call that waits: its place in the queue, its timer and its clean-up in one object. */
export class Waiter extends Timer {
  private readonly call: Call
  private readonly fiber: AnyFiber
  private readonly since: number
  private readonly resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  private readonly place: Place<Waiter>
  private waits: Waits | undefined
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
    this.place = call.compartment.permits.join(this, rank, since)
    this.waits = waitsOf(fiber)
    this.waits.begin(since)
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
    this.call.compartment.permits.cancel(this.place)
    this.reject("waited")
  }

  run(fiber: AnyFiber): Effect.Effect<void> {
    leaveQueue(fiber)
    this.gone = true
    this.leave()
    this.call.compartment.permits.cancel(this.place)
    return Effect.void
  }

  private leave(): void {
    this.disarm()
    const { waits } = this
    if (waits === undefined) return
    this.waits = undefined
    waits.end(now(this.fiber))
  }

  private get waited(): number {
    return now(this.fiber) - this.since
  }

  private reject(reason: BulkheadRejected["reason"]): void {
    this.resume(this.call.compartment.reject(this.fiber, reason, this.waited))
  }

  private tell(): void {
    const listener = this.fiber.getRef(CurrentListener)
    if (listener !== undefined) {
      const { kind, name } = this.call.compartment
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

/** Gives the permit back of a call that found one at once. */
class HeldFrame extends frame.ExitFrame {
  private readonly permits: kernel.Permits<Waiter>

  constructor(permits: kernel.Permits<Waiter>) {
    super()
    this.permits = permits
  }

  protected succeeded(fiber: AnyFiber): void {
    giveBack(this.permits, fiber)
  }

  protected failed(fiber: AnyFiber): void {
    giveBack(this.permits, fiber)
  }
}

class BulkheadEffect extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly compartment: Compartment

  constructor(self: AnyEffect, compartment: Compartment) {
    super()
    this.self = self
    this.compartment = compartment
  }

  enter(fiber: AnyFiber, at: number): AnyEffect {
    const { compartment, self } = this
    if (frame.supported()) {
      const { permits } = compartment
      if (permits.enter()) {
        frame.push(fiber, compartment.held)
        return frame.proceed(self, fiber, at)
      }
      if (isFull(permits, fiber, at === frame.unread ? now(fiber) : at)) return compartment.reject(fiber, "full", 0)
    }
    const call = new Call(self, compartment)
    return Effect.onExitPrimitive(call, () => call.release(Fiber.getCurrent()!))
  }
}
