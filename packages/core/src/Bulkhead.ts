/**
 * Lets only so many calls run at once, and so many wait, so that one slow callee cannot take everything a program has.
 *
 * A call that finds a permit runs. One that finds none waits, if fewer than `maxQueue` do, and otherwise gets
 * {@link BulkheadRejected} at once, without having been made.
 *
 * **Details**
 *
 * A permit that is given back goes straight to the waiter who is next; a newcomer never overtakes a waiter. First in,
 * first out is the default. Last in, first out serves those who are still waited for when there is more than can be done:
 * there a newcomer who finds the queue full takes the place of whoever has waited longest, and that one is rejected.
 *
 * A waiter that is interrupted, or has waited for `maxWait`, leaves the queue; a permit that reaches a waiter on its way out
 * goes on to the next. A waiter also gives up when the ambient `Deadline` comes, a millisecond before it: a call that begins
 * then cannot finish. (Timers can be late: once in a while a total timeout is first. That is no failure of the callee
 * either.)
 *
 * `resize` changes the limits while calls run. New permits go to waiters at once; where there are too many, running calls
 * finish and waiters keep their places.
 *
 * A stream is one call: it holds its permit until it has ended and what it opened is closed, also when its consumer stops
 * early or is interrupted.
 *
 * **Gotchas**
 *
 * A call that goes through the same bulkhead again on its way waits for itself. An attempt timeout outside counts the wait
 * as the callee's time: put it inside.
 *
 * The name is Nygard's (Release It!, 2007); serving the last to come first, at the cost of the first, is .NET's
 * `QueueProcessingOrder.NewestFirst`.
 *
 * What this adds to `Effect`'s `Semaphore`: a bounded queue, a bounded wait, a typed rejection, last in first out, streams,
 * telemetry.
 *
 * **Example** (One runs, one waits, one is rejected)
 *
 * ```ts import.meta.vitest
 * import { Bulkhead } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const bulkhead = Bulkhead.makeUnsafe({ name: "reports", concurrency: 1, maxQueue: 1 })
 * const report = (n: number) => Effect.as(Effect.sleep("1 millis"), `report ${n}`)
 * const ask = (n: number) =>
 *   report(n).pipe(bulkhead, Effect.catchTag("BulkheadRejected", (error) => Effect.succeed(error.message)))
 *
 * const program = Effect.forEach([1, 2, 3], ask, { concurrency: "unbounded" })
 * await Effect.runPromise(program) // => ["report 1", "report 2", "bulkhead \"reports\" is full"]
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import { timeToWait } from "./internal/deadline.ts"
import { emit } from "./internal/emit.ts"
import { BulkheadRejected } from "./internal/errors.ts"
import { type AnyStream, fromPull, open } from "./internal/establish.ts"
import { waitsOf } from "./internal/fiberWaits.ts"
import { integer, invalid, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./internal/primitive.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import { Timer, TimerQueue } from "./internal/timers.ts"
import { leaveQueue } from "./internal/turn.ts"
import type { Waits } from "./internal/waits.ts"
import * as kernel from "./kernel/bulkhead.ts"
import type * as Policy from "./Policy.ts"
import type * as PolicyRegistry from "./PolicyRegistry.ts"
import * as Telemetry from "./Telemetry.ts"

export { BulkheadRejected, isBulkheadRejected } from "./internal/errors.ts"

/**
 * What {@link Bulkhead.resize} changes; what is left out stays.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** How many calls run at once; at least 1. */
  readonly concurrency?: number | undefined
  /** How many calls wait. */
  readonly maxQueue?: number | undefined
}

/**
 * How many calls run and wait, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry, {@link Policy.explain} and the `PolicyRegistry`. */
  readonly name?: string | undefined
  /** How many calls run at once; at least 1. */
  readonly concurrency: number
  /**
   * How many calls wait when all permits are in use.
   *
   * @default 0
   */
  readonly maxQueue?: number | undefined
  /**
   * How long a call waits. It has nothing to say while `maxQueue` is 0.
   *
   * @default until the ambient deadline, or without end
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * Who is next: the one who has waited longest, or the one who came last. With `"lifo"`, whoever has waited longest gives
   * its place to a newcomer who finds the queue full.
   *
   * @default "fifo"
   */
  readonly order?: "fifo" | "lifo" | undefined
}

/**
 * What a bulkhead is doing.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** Calls that run; for a while after `concurrency` was lowered, more than that. */
  readonly inUse: number
  /** Calls that wait. */
  readonly queued: number
  /** Calls that may run at once. */
  readonly concurrency: number
}

/**
 * A bulkhead is a policy, and can be asked and resized.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead extends Policy.Policy<unknown, BulkheadRejected> {
  /** The state now. */
  readonly state: Effect.Effect<State>
  /** Changes the limits of a bulkhead in use. A bad limit throws a `RangeError`. */
  readonly resize: (limits: Limits) => Effect.Effect<void>
}

class Compartment implements internal.Implementation {
  readonly permits: kernel.Permits<Waiter>
  readonly name: string | undefined
  readonly maxWait: number
  readonly timers: TimerQueue | undefined
  private readonly order: kernel.Order | undefined

  constructor(options: Options, limits: kernel.Limits, maxWait: number) {
    this.name = options.name
    this.permits = new kernel.Permits(limits, options.order ?? "fifo")
    this.maxWait = maxWait
    this.timers = maxWait === Infinity ? undefined : new TimerQueue(maxWait)
    this.order = options.order
  }

  get info(): Policy.PolicyInfo {
    const { concurrency, queue: maxQueue } = this.permits
    return {
      kind: "bulkhead",
      name: this.name,
      settings: {
        concurrency,
        maxQueue,
        maxWait: this.maxWait === Infinity ? undefined : Duration.millis(this.maxWait),
        order: this.order
      },
      children: []
    }
  }

  effect(self: AnyEffect): AnyEffect {
    return new BulkheadEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return bulkheadStream(self, this)
  }

  reject(fiber: AnyFiber, reason: "full" | "waited", waited: number): BulkheadRejected {
    const error = new BulkheadRejected({
      policyName: this.name,
      reason,
      waited: waited === 0 ? Duration.zero : Duration.millis(Math.round(waited))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(fiber, listener, {
        _tag: "RejectedByBulkhead",
        policy: "bulkhead",
        name: this.name,
        reason,
        waited: error.waited
      })
    }
    return error
  }
}

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
    if (permits.full) return compartment.reject(fiber, "full", 0)
    return Effect.andThen(Effect.callback<void, BulkheadRejected>((resume) => this.wait(fiber, resume)), self)
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
    if (permits.full) return resume(compartment.reject(fiber, "full", 0))
    const at = now(fiber)
    const left = timeToWait(fiber, at)
    if (left <= 0) return resume(compartment.reject(fiber, "waited", 0))
    for (let oldest = permits.displace(); oldest !== undefined; oldest = permits.displace()) oldest.displaced()
    const waiter = new Waiter(this, fiber, at, resume)
    if (left < compartment.maxWait) waiter.arm(fiber, at, left)
    else waiter.arm(fiber, at, compartment.maxWait, compartment.timers)
    return waiter.cleanup
  }

  release(): undefined {
    if (this.held) this.compartment.permits.leave()?.granted()
  }
}

/** A call that waits: its place in the queue, its timer and its clean-up in one object. */
class Waiter extends Timer {
  private readonly call: Call
  private readonly fiber: AnyFiber
  private readonly since: number
  private readonly resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  private readonly place: kernel.Place<Waiter>
  private waits: Waits | undefined
  private gone = false

  constructor(
    call: Call,
    fiber: AnyFiber,
    since: number,
    resume: (effect: Effect.Effect<void, BulkheadRejected>) => void
  ) {
    super()
    this.call = call
    this.fiber = fiber
    this.since = since
    this.resume = resume
    this.place = call.compartment.permits.join(this)
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

  displaced(): void {
    this.leave()
    later(() => {
      if (!this.gone) this.reject("full")
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

  private reject(reason: "full" | "waited"): void {
    this.resume(this.call.compartment.reject(this.fiber, reason, this.waited))
  }

  private tell(): void {
    const listener = this.fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      const { name } = this.call.compartment
      emit(this.fiber, listener, {
        _tag: "WaitedForBulkhead",
        policy: "bulkhead",
        name,
        waited: Duration.millis(this.waited)
      })
    }
  }
}

/** A fiber is resumed on the stack of whoever resumes it. A thousand calls that hand on one permit would each nest in the one before. */
const later = (f: () => void): void => queueMicrotask(f)

class BulkheadEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly compartment: Compartment

  constructor(self: AnyEffect, compartment: Compartment) {
    super()
    this.self = self
    this.compartment = compartment
  }

  run(): AnyEffect {
    const call = new Call(this.self, this.compartment)
    return Effect.onExitPrimitive(call, () => call.release())
  }
}

const bulkheadStream = (self: AnyStream, compartment: Compartment): AnyStream =>
  fromPull((streamScope) =>
    Effect.suspend(() => {
      const scope = Scope.forkUnsafe(streamScope)
      // whoever pulls may keep the stream's scope open for longer than the stream lasts
      const closeAtEnd = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined =>
        Exit.isSuccess(exit) ? undefined : Scope.close(scope, Pull.isDoneCause(exit.cause) ? Exit.void : exit)
      const call = new Call(
        Effect.map(open(self, scope), (pull) => Effect.onExitPrimitive(pull, closeAtEnd)),
        compartment
      )
      // the first finalizer of a scope is the last to run: what the stream opened is closed by then
      return Effect.andThen(Scope.addFinalizer(scope, Effect.sync(() => call.release())), call)
    })
  )

const BulkheadProto = Object.create(internal.PolicyProto, {
  state: {
    get(this: Bulkhead): Bulkhead["state"] {
      const { permits } = internal.implementationOf<Compartment>(this)
      return Effect.sync(() => ({
        inUse: permits.inUse,
        queued: permits.queued,
        concurrency: permits.concurrency
      }))
    }
  },
  resize: {
    get(this: Bulkhead): Bulkhead["resize"] {
      const { permits } = internal.implementationOf<Compartment>(this)
      return ({ concurrency, maxQueue }) => {
        const where = "Bulkhead.resize"
        const limits: Partial<kernel.Limits> = {
          ...concurrency === undefined ? {} : { concurrency: integer(where, "concurrency", concurrency, 1) },
          ...maxQueue === undefined ? {} : { queue: integer(where, "maxQueue", maxQueue, 0) }
        }
        return Effect.sync(() => permits.resize(limits).forEach((waiter) => waiter.granted()))
      }
    }
  }
})

/**
 * Makes a bulkhead without an effect, for module scope. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options): Bulkhead => {
  const where = "Bulkhead.make"
  const { maxWait, order = "fifo" } = options
  if (order !== "fifo" && order !== "lifo") throw invalid(where, "order", order, "\"fifo\" or \"lifo\"")
  const limits: kernel.Limits = {
    concurrency: integer(where, "concurrency", options.concurrency, 1),
    queue: integer(where, "maxQueue", options.maxQueue ?? 0, 0)
  }
  const millis = maxWait === undefined ? Infinity : positiveMillis(where, "maxWait", maxWait, { infinite: true })
  return internal.make(new Compartment(options, limits, millis), BulkheadProto)
}

/** For a health endpoint. */
const reportOf = ({ permits: { concurrency, inUse, queue, queued } }: Compartment): PolicyRegistry.Report => ({
  inUse,
  queued,
  concurrency,
  maxQueue: queue
})

const gauges = {
  "resilience.bulkhead.in_use": ({ permits }: Compartment) => permits.inUse,
  "resilience.bulkhead.queued": ({ permits }: Compartment) => permits.queued,
  "resilience.limit": ({ permits }: Compartment) => permits.concurrency
}

/**
 * Makes a bulkhead. One with a name is in the snapshot of the `PolicyRegistry`, if there is one, and in the metrics of
 * `Observability`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Bulkhead> =>
  Effect.withFiber((fiber) => {
    const policy = makeUnsafe(options)
    const compartment = internal.implementationOf<Compartment>(policy)
    register(fiber, compartment, { kind: "bulkhead", name: options.name, report: reportOf, gauges })
    return Effect.succeed(policy)
  })
