/**
 * The moment after which nobody waits for the result of a call.
 *
 * {@link within} and `Timeout.total` publish it to everything inside. `Retry` begins no wait and no attempt that could not
 * end in time. A timeout that is not earlier neither forks nor arms a timer. A program reads the deadline to decide whether a
 * piece of work is still worth starting. The deadline crosses services as a header with the time left.
 *
 * **Details**
 *
 * A deadline is absolute, and a nested one can only shorten it. The policy that publishes the deadline owns and enforces it,
 * and the deadline ends with the work that this policy limits. Policies that limit or give up obey it in the owner's own
 * fiber and in fibers that policies fork for the call. In any other fiber, and in finalizers, they keep their own limits.
 * Functions that only read it ({@link remaining}, {@link toHeader}) see it in every fiber of the call. Across services it is
 * gRPC's deadline, handed on as `grpc-timeout` is: as the time left.
 *
 * **Gotchas**
 *
 * A retry in a concurrent `Effect.forEach` does not obey the deadline, because Effect forks it in the same way as a shared
 * look-up: see {@link inherit}.
 *
 * **Example** (A server takes over the deadline of its caller)
 *
 * ```ts import.meta.vitest
 * import { Deadline } from "@effect-resilience/core"
 * import { Duration, Effect, Option } from "effect"
 *
 * const handle = <A, E, R>(header: string | undefined, work: Effect.Effect<A, E, R>) =>
 *   work.pipe(Deadline.within(Option.getOrElse(Deadline.fromHeader(header), () => Duration.infinity)))
 *
 * const left = await Effect.runPromise(handle("1500", Deadline.remaining))
 * Option.exists(left, Duration.isLessThanOrEqualTo(Duration.millis(1500))) // => true
 * await Effect.runPromise(handle("soon", Deadline.toHeader)) // => Option.none()
 *
 * const late = await Effect.runPromise(Effect.flip(handle("5m", Effect.never)))
 * late._tag // => "DeadlineExceeded"
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CurrentDeadline, Inherit, remainingTime } from "./internal/deadline.ts"
import { emit } from "./internal/emit.ts"
import { DeadlineExceeded } from "./internal/errors.ts"
import { type AnyPull, fromPull, open } from "./internal/establish.ts"
import { checkedOptions, invalid, millisOf, positiveMillis } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyFiber } from "./internal/primitive.ts"
import { now } from "./internal/time.ts"
import type { Settings } from "./internal/timeout.ts"
import { TimeoutPolicy } from "./internal/timeoutPolicy.ts"
import * as kernel from "./kernel/deadline.ts"
import * as Policy from "./Policy.ts"
import * as Telemetry from "./Telemetry.ts"

export { DeadlineExceeded, isDeadlineExceeded } from "./internal/errors.ts"

const failure = (fiber: AnyFiber, name: string | undefined, began: boolean, overrun: number): DeadlineExceeded => {
  const error = new DeadlineExceeded({ policyName: name, began, overrun: Duration.millis(Math.round(overrun)) })
  const listener = fiber.getRef(Telemetry.CurrentListener)
  if (listener !== undefined) {
    emit(fiber, listener, { _tag: "DeadlinePassed", policy: "deadline", name, began, overrun: error.overrun })
  }
  return error
}

const unlimited = (): number => Infinity

/**
 * What a deadline is called.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For errors, telemetry and {@link Policy.explain}. */
  readonly name?: string | undefined
}

/**
 * Limits everything inside to this time, a stream to its last element; an earlier deadline stays. At the deadline the work is
 * interrupted, as by `Timeout.total`; after it, nothing begins. Zero or less is a deadline that has passed; an infinite
 * duration adds no limit. A value that is no duration throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const within = (duration: Duration.Input, options: Options = {}): Policy.Policy<unknown, DeadlineExceeded> => {
  const { name } = checkedOptions("Deadline.within", options)
  const limit = Math.max(0, millisOf(duration))
  if (Number.isNaN(limit)) throw invalid("Deadline.within", "duration", duration, "a duration")
  const settings: Settings = {
    first: unlimited,
    idle: unlimited,
    total: () => limit,
    progress: undefined,
    queue: undefined, // such a policy is made per request, and a queue's timer would outlive it
    left: undefined,
    exceeded: (fiber, _, limit, elapsed) => failure(fiber, name, true, elapsed - limit),
    refused: (fiber, overrun) => failure(fiber, name, false, overrun)
  }
  const info: Policy.PolicyInfo = { kind: "deadline", name, settings: { within: Duration.millis(limit) }, children: [] }
  return internal.make(new TimeoutPolicy(info, settings))
}

/**
 * Takes the deadline away, for work that goes on after the caller has gone and must not see the caller's deadline.
 *
 * @category constructors
 * @since 0.1.0
 */
export const without: Policy.Policy = Policy.make({
  info: { kind: "no deadline", settings: {}, children: [] },
  effect: Effect.provideService(CurrentDeadline, undefined),
  stream: Stream.provideService(CurrentDeadline, undefined)
})

/**
 * Makes a fiber part of the call again while the effect runs: everything inside obeys the deadline as in the caller's own
 * fiber. Use it in the concurrent fibers of `Effect.forEach`, `Effect.race` and the like.
 *
 * **Example** (Two look-ups that give up with the call)
 *
 * ```ts import.meta.vitest
 * import { Deadline, Retry, Timeout } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * let calls = 0
 * const find = (id: number) =>
 *   Effect.suspend(() => Effect.fail(`${id}: ${++calls}`)).pipe(Retry.make({ schedule: Schedule.spaced("1 hour") }))
 * const both = Effect.forEach([1, 2], (id) => Deadline.inherit(find(id)), { concurrency: "unbounded" })
 *
 * await Effect.runPromise(Effect.flip(both.pipe(Timeout.total("1 minute")))) // => "1: 1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const inherit: Policy.Policy = internal.make({
  info: { kind: "inherited deadline", settings: {}, children: [] },
  effect: (self) => new Inherit(self),
  stream: (self) => fromPull((scope) => Effect.map(open(self, scope), (pull): AnyPull => new Inherit(pull)))
})

/**
 * The time left until the deadline of the call, in any of its fibers: zero if it has passed, none without a deadline.
 *
 * @category accessors
 * @since 0.1.0
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.withFiber((fiber) => {
  const left = remainingTime(fiber, now(fiber))
  return Effect.succeed(left === Infinity ? Option.none() : Option.some(Duration.millis(Math.max(0, left))))
})

/**
 * Whether the deadline of the call has passed.
 *
 * @category accessors
 * @since 0.1.0
 */
export const exceeded: Effect.Effect<boolean> = Effect.withFiber((fiber) =>
  Effect.succeed(remainingTime(fiber, now(fiber)) <= 0)
)

/**
 * Fails if the deadline of the call has passed. Use it at the start of work that has waited in a queue, and between the steps
 * of work that does not suspend.
 *
 * @category accessors
 * @since 0.1.0
 */
export const check: Effect.Effect<void, DeadlineExceeded> = Effect.withFiber((fiber) => {
  const left = remainingTime(fiber, now(fiber))
  return left <= 0 ? failure(fiber, undefined, false, -left) : Effect.void
})

/**
 * The value to send to another service now: the whole milliseconds left, none without a deadline.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toHeader: Effect.Effect<Option.Option<string>> = Effect.map(
  remaining,
  Option.map((left) => kernel.format(Duration.toMillis(left)))
)

/**
 * Reads the time that a caller has left: milliseconds (`"1500"`), or the form of `grpc-timeout` (`"1500m"`, `"2S"`). A
 * missing or malformed header gives none. The caller may say anything: more than `maxRemaining` counts as `maxRemaining`.
 *
 * **Example** (Both forms)
 *
 * ```ts import.meta.vitest
 * import { Deadline } from "@effect-resilience/core"
 * import { Duration, Option } from "effect"
 *
 * Deadline.fromHeader("1500") // => Option.some(Duration.millis(1500))
 * Deadline.fromHeader("2S") // => Option.some(Duration.seconds(2))
 * Deadline.fromHeader("99999999H") // => Option.some(Duration.hours(1))
 * Deadline.fromHeader("-1") // => Option.none()
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromHeader = (
  header: string | undefined,
  options: {
    /** @default "1 hour" */
    readonly maxRemaining?: Duration.Input | undefined
  } = {}
): Option.Option<Duration.Duration> => {
  const where = "Deadline.fromHeader"
  const maxRemaining = positiveMillis(where, "maxRemaining", checkedOptions(where, options).maxRemaining ?? "1 hour")
  const millis = header === undefined ? undefined : kernel.parse(header, maxRemaining)
  return millis === undefined ? Option.none() : Option.some(Duration.millis(millis))
}
