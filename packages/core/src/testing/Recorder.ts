/**
 * Records what policies tell, so that a test can assert it as values.
 *
 * A recorder is a policy around a call ({@link Recorder.policy}), or a layer around a program ({@link Recorder.layer}); both add to
 * a listener that is there. Its events are plain: durations are milliseconds, faults are their tags, causes and exits a word, so
 * that they compare with `deepStrictEqual`.
 *
 * **Example** (Three retries, one opening)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Policy, Retry } from "@effect-resilience/core"
 * import { Callee, PolicyTest, Recorder } from "@effect-resilience/core/testing"
 * import { Effect, Schedule } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const events = Recorder.makeUnsafe()
 * const stack = Policy.compose(
 *   events.policy,
 *   Retry.make({ schedule: Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(3)]) }),
 *   CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(4) })
 * )
 * const call = Callee.script([Callee.times(Callee.fail("down"), 4)]).effect.pipe(stack, Effect.flip)
 *
 * await Effect.runPromise(PolicyTest.during(call, "1 minute").pipe(Effect.provide(TestClock.layer()))) // => "down"
 * events.counts
 * // => { AttemptStarted: 4, AttemptEnded: 4, RetryScheduled: 3, CircuitChanged: 1, RetryStopped: 1 }
 * events.ofTag("RetryScheduled").map(({ delay }) => delay) // => [1000, 2000, 4000]
 * events.ofTag("CircuitChanged").map(({ to }) => to) // => ["Open"]
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Fault from "../Fault.ts"
import { both } from "../internal/emit.ts"
import type * as Policy from "../Policy.ts"
import * as Telemetry from "../Telemetry.ts"
import { outcome } from "./PolicyTest.ts"

type PlainValue<V> = V extends Duration.Duration ? number
  : V extends Fault.Fault ? V["_tag"]
  : V extends Exit.Exit<unknown, unknown> | Cause.Cause<unknown> ? string
  : V

/**
 * An event as plain data: durations in milliseconds, faults by their tags, causes and exits as `PolicyTest.outcome` says them. `at` is
 * when it was told, in milliseconds of the call's `Clock`.
 *
 * @category models
 * @since 0.1.0
 */
export type Plain<Event extends Telemetry.Event = Telemetry.Event> = Event extends unknown
  ? { readonly [Key in keyof Event]: PlainValue<Event[Key]> } & { readonly at: number }
  : never

/**
 * The tag of an event.
 *
 * @category models
 * @since 0.1.0
 */
export type Tag = Telemetry.Event["_tag"]

/**
 * Remembers what policies tell.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  /** Records what everything inside it tells. */
  readonly policy: Policy.Policy
  /** Records what the program tells to which it is provided, changes of breakers by hand included. */
  readonly layer: Layer.Layer<never>
  /** The events as they were told, in order. */
  readonly raw: ReadonlyArray<Telemetry.Event>
  /** The events as plain data, in order. */
  readonly all: ReadonlyArray<Plain>
  /** Their tags, in order. */
  readonly tags: ReadonlyArray<Tag>
  /** How many there are of each tag; a tag that has not come is not there. */
  readonly counts: { readonly [T in Tag]?: number }
  /** Those with this tag, as plain data. */
  readonly ofTag: <T extends Tag>(tag: T) => ReadonlyArray<Plain<Extract<Telemetry.Event, { readonly _tag: T }>>>
  /** Forgets them. */
  readonly clear: () => void
}

const plainValue = (key: string, value: unknown): unknown => {
  if (Duration.isDuration(value)) return Duration.toMillis(value)
  if (key === "fault") return (value as Fault.Fault | undefined)?._tag
  if (key === "cause") return outcome(Exit.failCause(value as Cause.Cause<unknown>))
  return key === "exit" ? outcome(value as Exit.Exit<unknown, unknown>) : value
}

interface Told {
  readonly event: Telemetry.Event
  readonly at: number
}

const plainOf = ({ at, event }: Told): Plain => {
  const fields = Object.entries(event).map(([key, value]) => [key, plainValue(key, value)])
  return { ...Object.fromEntries(fields), at }
}

class Recording implements Recorder {
  readonly policy: Policy.Policy
  readonly layer: Layer.Layer<never>
  private events: Array<Told> = []

  constructor() {
    const record: Telemetry.Listener = (event, context) => {
      this.events.push({ event, at: Context.get(context, Clock.Clock).currentTimeMillisUnsafe() })
    }
    this.policy = Telemetry.listen(record)
    this.layer = Layer.effect(
      Telemetry.CurrentListener,
      Effect.map(Telemetry.CurrentListener, (outer) => outer === undefined ? record : both(record, outer))
    )
  }

  get raw(): ReadonlyArray<Telemetry.Event> {
    return this.events.map(({ event }) => event)
  }

  get all(): ReadonlyArray<Plain> {
    return this.events.map(plainOf)
  }

  get tags(): ReadonlyArray<Tag> {
    return this.events.map(({ event }) => event._tag)
  }

  get counts(): Recorder["counts"] {
    const counts: { [T in Tag]?: number } = {}
    for (const tag of this.tags) counts[tag] = (counts[tag] ?? 0) + 1
    return counts
  }

  ofTag<T extends Tag>(tag: T): ReadonlyArray<Plain<Extract<Telemetry.Event, { readonly _tag: T }>>> {
    // a filter does not narrow by a tag that is a type parameter
    return this.all.filter(({ _tag }) => _tag === tag) as ReadonlyArray<any>
  }

  clear(): void {
    this.events = []
  }
}

/**
 * Makes a recorder without an effect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (): Recorder => new Recording()

/**
 * Makes a recorder.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Recorder> = Effect.sync(makeUnsafe)
