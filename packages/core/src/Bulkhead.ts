/**
 * Limits how many calls run at once and how many wait. One slow callee then cannot take everything that a program has.
 *
 * A call that finds a permit runs. A call that finds none waits if fewer than `maxQueue` calls wait. Otherwise it is not
 * made, and fails with {@link BulkheadRejected} at once.
 *
 * **Details**
 *
 * A returned permit goes straight to the next waiter. Waiters with a higher `Criticality` are first, and one that finds the queue
 * full takes the place of the newest of the lowest. A newcomer never overtakes a waiter that matters as much. First in, first out is the
 * default. Under lasting overload, last in, first out serves calls that somebody still waits for. A newcomer that finds the
 * queue full then takes the place of the call that has waited longest, and that call is rejected. `"adaptive"` is first in, first
 * out while calls are served in time, and last in, first out while they are not; a call that has waited too long is then rejected.
 *
 * A waiter that is interrupted, or has waited for `maxWait`, leaves the queue. A permit that reaches such a waiter goes on to
 * the next one. A waiter also gives up a millisecond before the ambient `Deadline`: a call that begins then cannot finish.
 * (Timers can be late, so a total timeout is sometimes first. The callee is not to blame for that either.)
 *
 * `resize` changes the limits while calls run. New permits go to waiters at once. If too many calls run, they finish, and
 * waiters keep their places.
 *
 * A stream is one call: it holds its permit until it has ended and has closed what it opened, also if its consumer stops
 * early or is interrupted.
 *
 * **Gotchas**
 *
 * A call that goes through the same bulkhead a second time waits for itself. An attempt timeout outside counts the wait as
 * the callee's time: put it inside.
 *
 * The name is Nygard's (Release It!, 2007). .NET's `QueueProcessingOrder.NewestFirst` also serves the newest call first, at
 * the cost of the oldest. The adaptive order is that of Facebook's "Fail at Scale" (ACM Queue 13.8, 2015), with the sign of overload
 * of CoDel (RFC 8289).
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
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Compartment } from "./internal/bulkhead.ts"
import type { BulkheadRejected } from "./internal/errors.ts"
import { checkedOptions, integer } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import { queueOptions } from "./internal/queueOptions.ts"
import { register } from "./internal/registry.ts"
import { now } from "./internal/time.ts"
import type * as kernel from "./kernel/bulkhead.ts"
import type * as Policy from "./Policy.ts"
import type * as PolicyRegistry from "./PolicyRegistry.ts"

export { BulkheadRejected, isBulkheadRejected } from "./internal/errors.ts"

/**
 * The limits that {@link Bulkhead.resize} changes; a missing one stays.
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
   * @default 0, and 1000 where `maxWait` is given
   */
  readonly maxQueue?: number | undefined
  /**
   * How long a call waits. With a `maxQueue` of 0, this is an error.
   *
   * @default until the deadline of the call, or without end
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * Which waiting call is next, of those with the same `Criticality`: the one that has waited longest, or the newest. With `"lifo"`, a
   * newcomer that finds the queue full takes the place of the one that has waited longest. `"adaptive"` is `"fifo"` until the
   * queue is overloaded. Where nobody waits, both are an error.
   *
   * @default "fifo"
   */
  readonly order?: "fifo" | "lifo" | "adaptive" | undefined
  /** When an `"adaptive"` queue is overloaded; with another order, this is an error. */
  readonly overload?: Overload | undefined
}

/**
 * When an `"adaptive"` queue is overloaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Overload {
  /**
   * A call that waits no longer than this is served well. In an overloaded queue, a call that has waited for longer is rejected.
   *
   * @default "5 millis"
   */
  readonly target?: Duration.Input | undefined
  /**
   * The queue is overloaded when for so long it was never empty, and no call was served well; then until it is empty. Longer than
   * the time from one permit that is given back to the next.
   *
   * @default "100 millis"
   */
  readonly interval?: Duration.Input | undefined
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
 * A permit that a program holds by hand, see {@link Bulkhead.acquire}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Permit {
  /** Gives the permit back, once: a second time changes nothing. */
  readonly release: Effect.Effect<void>
}

/**
 * A bulkhead is a policy, can be asked and resized, and gives permits by hand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead extends Policy.Policy<unknown, BulkheadRejected> {
  /** The state now. */
  readonly state: Effect.Effect<State>
  /**
   * Takes a permit by hand, for work that is no effect: a connection that a library opens and closes, or a job whose end
   * another part of the program learns. It waits and is rejected as a call is. The permit goes back when the scope closes, or
   * earlier through the handle's `release`.
   *
   * **Example** (A permit for as long as a job runs)
   *
   * ```ts import.meta.vitest
   * import { Bulkhead } from "@effect-resilience/core"
   * import { Effect } from "effect"
   *
   * const jobs = Bulkhead.makeUnsafe({ concurrency: 1 })
   * const program = Effect.scoped(Effect.gen(function*() {
   *   const permit = yield* jobs.acquire
   *   const during = yield* jobs.state
   *   yield* permit.release
   *   const after = yield* jobs.state
   *   return [during.inUse, after.inUse]
   * }))
   *
   * await Effect.runPromise(program) // => [1, 0]
   * ```
   */
  readonly acquire: Effect.Effect<Permit, BulkheadRejected, Scope.Scope>
  /** Changes the limits of a bulkhead in use. A bad limit throws a `RangeError`. */
  readonly resize: (limits: Limits) => Effect.Effect<void>
}

const compartmentOf = (bulkhead: Bulkhead): Compartment => internal.implementationOf<Compartment>(bulkhead)

const BulkheadProto = Object.create(internal.PolicyProto, {
  acquire: {
    get(this: Bulkhead): Bulkhead["acquire"] {
      return compartmentOf(this).acquire
    }
  },
  state: {
    get(this: Bulkhead): Bulkhead["state"] {
      const { permits } = compartmentOf(this)
      return Effect.sync(() => ({
        inUse: permits.inUse,
        queued: permits.queued,
        concurrency: permits.concurrency
      }))
    }
  },
  resize: {
    get(this: Bulkhead): Bulkhead["resize"] {
      const compartment = compartmentOf(this)
      return ({ concurrency, maxQueue }) => {
        const where = "Bulkhead.resize"
        const limits: Partial<kernel.Limits> = {
          ...concurrency === undefined ? {} : { concurrency: integer(where, "concurrency", concurrency, 1) },
          ...maxQueue === undefined ? {} : { maxQueue: integer(where, "maxQueue", maxQueue, 0) }
        }
        return Effect.withFiber((fiber) => {
          compartment.resize(limits, now(fiber))
          return Effect.void
        })
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
  const { name } = checkedOptions(where, options)
  const concurrency = integer(where, "concurrency", options.concurrency, 1)
  return internal.make(
    new Compartment({ name, concurrency, ...queueOptions(where, options) }),
    BulkheadProto
  )
}

/** For a health endpoint. */
const reportOf = ({ permits: { concurrency, inUse, maxQueue, queued } }: Compartment): PolicyRegistry.Report => ({
  inUse,
  queued,
  concurrency,
  maxQueue
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
    const compartment = compartmentOf(policy)
    register(fiber, compartment, { kind: "bulkhead", name: options.name, report: reportOf, gauges })
    return Effect.succeed(policy)
  })
