/**
 * Makes a failed call again if the failure may pass.
 *
 * **Details**
 *
 * The {@link Fault} of the failure decides. Transient and throttled failures are retried. Permanent ones, rejections by other
 * policies, defects and interruptions are not. `while` and `tags` narrow that, `classify` replaces it. Delays come from any
 * Effect `Schedule`. A pause that the callee asks for (`Retry-After`) is the least delay, with up to 10 % of it added at
 * random, so that callers with the same pause do not return together. Nothing begins that could not end before the ambient
 * `Deadline`. The error is the last attempt's, its type unchanged; the history goes to `Telemetry`. Attempts after the first
 * see `Schedule.CurrentMetadata`.
 *
 * A stream is retried only while nothing has been emitted (`commit` narrows which elements count). The retry closes what an
 * attempt opened before the wait. {@link resume} continues a stream that has emitted.
 *
 * A `RetryBudget` bounds what all calls together spend on retries: each is paid for before its wait, and refunded if the wait
 * is interrupted.
 *
 * **Gotchas**
 *
 * A `schedule` that never ends, without `times`, retries until the deadline, or forever. Only a cause with a typed failure
 * is retried, whatever `classify` says.
 *
 * What this adds to `Effect.retry`: classification, `Retry-After`, the deadline, telemetry, budgets, streams; and no schedule
 * is built before the first failure.
 *
 * **Example** (Exponential backoff, three retries)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { Effect, Schedule } from "effect"
 *
 * const retry = Retry.make({
 *   schedule: Schedule.max([Schedule.exponential("1 millis"), Schedule.recurs(3)])
 * })
 * let calls = 0
 * const call = Effect.suspend(() => Effect.fail(`failure ${++calls}`))
 *
 * await Effect.runPromise(Effect.flip(retry(call))) // => "failure 4"
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import * as Fault from "./Fault.ts"
import { scheduleOf as backoff } from "./internal/backoff.ts"
import type { AnyStream } from "./internal/establish.ts"
import {
  booleanOption,
  callable,
  checkedOptions,
  duration,
  integer,
  invalid,
  oneOf,
  positiveMillis,
  stringOption,
  tagsOption
} from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import type { AnyEffect } from "./internal/primitive.ts"
import { RetryEffect } from "./internal/retry.ts"
import { sharedOf } from "./internal/retryBudget.ts"
import { RetryPolicy } from "./internal/retryPolicy.ts"
import type { Settings } from "./internal/retryRun.ts"
import { retryStream } from "./internal/retryStream.ts"
import { exponential, full, Jittered } from "./kernel/backoff.ts"
import type * as Policy from "./Policy.ts"
import type { RetryBudget } from "./RetryBudget.ts"

/**
 * The tags of errors.
 *
 * @category utility types
 * @since 0.1.0
 */
export type TagsOf<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : never

/** The tags of the faults that are retried. */
type FaultTag = "Transient" | "Throttled" | "Rejected"

/**
 * An attempt that failed, and after which there may be another one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failed<out E = unknown> {
  /** The number of the attempt, from 1. */
  readonly attempt: number
  /** What the failure means. */
  readonly fault: Fault.Fault
  /** What the attempt ended with: a failure, or a value that `result` calls a fault. */
  readonly exit: Exit.Exit<unknown, E>
  /** The delay that the schedule says. */
  readonly delay: Duration.Duration
}

/**
 * When a failed call is made again, how often and after what time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in E = unknown, out SE = never, out SR = never, Tag extends string = string> {
  /** For telemetry and {@link Policy.explain}. */
  readonly name?: string | undefined
  /**
   * The delays, and when to give up. Its input is the error, or the value that `result` calls a fault.
   *
   * @default exponential from 200 ms, factor 2, at most 30 s, full jitter; 3 retries
   */
  readonly schedule?: Schedule.Schedule<unknown, E, SE, SR> | undefined
  /**
   * Schedules for single kinds of failures, by the tag of the error or else of the fault; `schedule` is for the others. Within
   * one call, each goes on from where it was when a failure of its kind comes again.
   */
  readonly schedules?:
    | { readonly [K in Tag | FaultTag]?: Schedule.Schedule<unknown, E, SE, SR> }
    | undefined
  /**
   * Computes the delay from the attempts so far. `undefined` keeps the schedule's delay. The schedule always decides when to
   * give up, and a pause that the callee asks for is still the least delay.
   */
  readonly after?: ((failed: Failed<E>) => Duration.Input | undefined) | undefined
  /**
   * The number of retries; the number of calls is one more. With schedules, whichever ends first.
   *
   * @default 3 without a schedule, unlimited with one
   */
  readonly times?: number | undefined
  /** Retries only these errors, of those that the classification allows. */
  readonly while?: Predicate.Predicate<E> | undefined
  /** Retries only errors with one of these tags, of those that the classification allows. At least one. */
  readonly tags?: ReadonlyArray<Tag> | undefined
  /**
   * Replaces the default classification of failures.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<E> | undefined
  /**
   * Says which fault a value is, if any. Such a value is retried and counted as that fault, and returned unchanged after the
   * last attempt. For a stream, this is asked about the first element that commits.
   *
   * @default no value is a fault
   */
  readonly result?: ((value: any) => Fault.Fault | undefined) | undefined
  /**
   * Retries rejections by another policy inside as well.
   *
   * @default false
   */
  readonly rejected?: boolean | undefined
  /**
   * What all calls to the callee may spend on retries; share one between them.
   *
   * @default no bound but that of each call
   */
  readonly budget?: RetryBudget | undefined
  /** How a pause that the callee asks for is treated. */
  readonly retryAfter?: {
    /**
     * The longest pause that the callee may ask for.
     *
     * @default "1 minute"
     */
    readonly maxDelay?: Duration.Input | undefined
    /**
     * What a longer one means: the error at once, or a pause of `maxDelay`. An infinite one means the error at once.
     *
     * @default "fail"
     */
    readonly beyond?: "fail" | "clip" | undefined
  } | undefined
  /**
   * The elements of a stream after which it is not started again. Elements before that may be seen twice.
   *
   * @default every element
   */
  readonly commit?: Predicate.Predicate<unknown> | undefined
}

type AnyOptions = Options<never, unknown, unknown>
type AnySchedule = Settings["schedule"]

const scheduleOf = (where: string, option: string, schedule: unknown): AnySchedule => {
  if (Schedule.isSchedule(schedule)) return schedule as AnySchedule
  throw invalid(where, option, schedule, "a Schedule")
}

const fallback = backoff(() => new Jittered(exponential(200, 2), full, 30_000))

const schedulesOf = (where: string, { schedules }: AnyOptions): Settings["schedules"] => {
  if (schedules === undefined) return undefined
  if (!Predicate.isObject(schedules)) throw invalid(where, "schedules", schedules, "schedules by tags")
  const given = Object.entries<unknown>(schedules).filter(([, schedule]) => schedule !== undefined)
  return new Map(given.map(([tag, schedule]) => [tag, scheduleOf(where, `schedules.${tag}`, schedule)]))
}

const required = <F extends Function>(where: string, option: string, value: F): F => {
  if (typeof value === "function") return value
  throw invalid(where, option, value, "a function")
}

const afterOf = (where: string, { after }: AnyOptions): Settings["after"] => {
  if (callable(where, "after", after) === undefined) return undefined
  return (failed) => {
    const delay = after!(failed as Failed<never>)
    return delay === undefined ? undefined : duration(where, "after", delay)
  }
}

const settingsOf = (where: string, given: AnyOptions): Settings => {
  const options = checkedOptions(where, given)
  const { schedule, times } = options
  const retryAfter = options.retryAfter === undefined
    ? undefined
    : checkedOptions(where, options.retryAfter, "retryAfter")
  const beyond = oneOf(where, "retryAfter.beyond", retryAfter?.beyond ?? "fail", ["fail", "clip"])
  const predicate = callable(where, "while", options.while)
  const tags = tagsOption(where, "tags", options.tags)
  const schedules = schedulesOf(where, options)
  const rejected = booleanOption(where, "rejected", options.rejected) ?? false
  const budget = options.budget === undefined ? undefined : sharedOf(where, options.budget)
  return {
    name: stringOption(where, "name", options.name),
    schedule: schedule !== undefined
      ? scheduleOf(where, "schedule", schedule)
      : schedules === undefined
      ? fallback
      : Schedule.upTo(fallback, { times: 3 }),
    schedules,
    after: afterOf(where, options),
    times: times !== undefined
      ? integer(where, "times", times, 0)
      : schedule === undefined && schedules === undefined
      ? 3
      : Infinity,
    classify: callable(where, "classify", options.classify) ?? Fault.of,
    result: callable(where, "result", options.result),
    goesOn: (fault) =>
      fault._tag === "Transient" || fault._tag === "Throttled" || (rejected && fault._tag === "Rejected"),
    accepts: (error) =>
      (tags === undefined || tags.some((tag) => Predicate.isTagged(error, tag))) &&
      (predicate === undefined || predicate(error as never)),
    hints: {
      maxDelay: positiveMillis(where, "retryAfter.maxDelay", retryAfter?.maxDelay ?? "1 minute", { infinite: true }),
      beyond
    },
    budget,
    commit: callable(where, "commit", options.commit) ?? (() => true)
  }
}

const custom = (option: unknown): string | undefined => option === undefined ? undefined : "custom"

const infoOf = (options: AnyOptions, settings: Settings): Policy.PolicyInfo => ({
  kind: "retry",
  name: options.name,
  settings: {
    times: settings.times === Infinity ? undefined : settings.times,
    schedule: custom(options.schedule) ?? "exponential from 200ms",
    schedules: settings.schedules && Array.from(settings.schedules.keys()),
    after: custom(options.after),
    tags: options.tags,
    result: custom(options.result),
    rejected: options.rejected,
    budget: options.budget && (options.budget.name ?? "unnamed"),
    retryAfter: Duration.millis(settings.hints.maxDelay)
  },
  children: []
})

/** Nothing if the errors have all of the tags, else a sentence that no error is assignable to. */
type Has<Tag extends string, E> = [Tag] extends [TagsOf<E> | FaultTag] ? unknown
  : `no error has the tag ${Exclude<Tag, TagsOf<E> | FaultTag>}`

/**
 * A retry that names tags. Around a call whose errors do not have them all it does not compile.
 *
 * **Gotchas**
 *
 * It does not accept all errors, so it is not a `Policy` of all errors. Where such a policy is expected, name the errors:
 * `Retry.make<MyError>({ tags: [...] })`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tagged<in EIn, out EOut, out R, out Tag extends string> {
  readonly [Policy.TypeId]: Policy.Variance<EIn, EOut, R>
  <A, E extends EIn & Has<Tag, E>, RX>(self: Effect.Effect<A, E, RX>): Effect.Effect<A, E | EOut, RX | R>
  readonly stream: <A, E extends EIn & Has<Tag, E>, RX>(
    self: Stream.Stream<A, E, RX>
  ) => Stream.Stream<A, E | EOut, RX | R>
  readonly info: Policy.PolicyInfo
}

/**
 * Makes a retry policy. A bad option throws a `RangeError`.
 *
 * **Example** (Only an error of your own, at most twice)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { Data, Effect, Schedule } from "effect"
 *
 * class Conflict extends Data.TaggedError("Conflict")<{ readonly calls: number }> {}
 *
 * let calls = 0
 * const call = Effect.suspend(() => new Conflict({ calls: ++calls }))
 * const retry = Retry.make({ schedule: Schedule.recurs(2), while: (error: Conflict) => error.calls < 10 })
 *
 * const error = await Effect.runPromise(call.pipe(retry, Effect.flip))
 * error.calls // => 3
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <E = unknown>(options?: Options<E, never, never, TagsOf<E>>): Policy.Policy<E>
  <E, SE, SR>(options: Options<E, SE, SR, TagsOf<E>>): Policy.Policy<E, SE, SR>
  <E = unknown, const Tag extends string = never>(options: Options<E, never, never, Tag>): Tagged<E, never, never, Tag>
  <E, SE, SR, const Tag extends string>(options: Options<E, SE, SR, Tag>): Tagged<E, SE, SR, Tag>
} = (options: Options<any, any, any, any> = {}) => {
  const settings = settingsOf("Retry.make", options)
  return internal.make<Policy.Policy<any>>(new RetryPolicy(infoOf(options, settings), settings))
}

/**
 * A retry that continues a stream where it broke.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resume<in out A, in out E, out SE = never, out R = never> {
  <A1, E1 extends E, RX>(self: Effect.Effect<A1, E1, RX>): Effect.Effect<A1, E1 | SE, RX | R>
  readonly stream: <RX>(self: Stream.Stream<A, E, RX>) => Stream.Stream<A, E | SE, RX | R>
  readonly info: Policy.PolicyInfo
}

/**
 * Like {@link make}, and a stream that fails after it has emitted goes on with `from(last, error)`, where `last` is the last
 * element that came out. `from` must not repeat elements. Schedule and `times` count over the whole stream.
 *
 * **Example** (A list that breaks after every second element)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { Effect, Schedule, Stream } from "effect"
 *
 * const from = (n: number): Stream.Stream<number, string> =>
 *   n > 5 ? Stream.empty : Stream.concat(Stream.make(n, n + 1), n === 5 ? Stream.empty : Stream.fail("reset"))
 * const retry = Retry.resume({ schedule: Schedule.recurs(3), from: (last: number, _: string) => from(last + 1) })
 *
 * await Effect.runPromise(Stream.runCollect(retry.stream(from(1)))) // => [1, 2, 3, 4, 5, 6]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const resume = <A, E, SE = never, SR = never, R = never>(
  options: Options<E, SE, SR> & { readonly from: (last: A, error: E) => Stream.Stream<A, E, R> }
): Resume<A, E, SE, SR | R> => {
  const settings = settingsOf("Retry.resume", options)
  const from = required("Retry.resume", "from", options.from)
  const info = { ...infoOf(options, settings), kind: "retry resume" }
  return Object.assign((self: AnyEffect) => new RetryEffect(self, settings), {
    stream: (self: AnyStream) => retryStream(self, settings, from),
    info
  })
}
