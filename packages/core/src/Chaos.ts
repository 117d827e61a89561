/**
 * Makes calls slow, or makes them fail, on purpose: to see in a test or in staging that what stands around them works.
 *
 * Each policy does one thing to a share of the calls: {@link latency}, {@link fault}, {@link defect}, {@link stall},
 * {@link truncate}, and the operator {@link outcome}, which gives another value. They stand innermost, where the callee is.
 *
 * **Details**
 *
 * Nothing is injected unless {@link layer} is provided. A program can therefore keep its chaos in its stack: in production nobody
 * provides the layer, and a call pays one look at its context. With a `seed`, the layer hits the same calls in every run.
 *
 * **Example** (A retry that is tried out)
 *
 * ```ts import.meta.vitest
 * import { Chaos, Policy, Retry } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * class Refused extends Error {
 *   readonly _tag = "Refused"
 * }
 *
 * const policy = Policy.compose(
 *   Retry.make({ times: 5, after: () => 0 }),
 *   Chaos.fault(() => new Refused(), { ratio: 0.3 })
 * )
 * const calls = Effect.replicateEffect(Effect.succeed("answer").pipe(policy, Effect.option), 1000)
 * const answered = Effect.map(calls, (all) => all.filter(({ _tag }) => _tag === "Some").length)
 *
 * await Effect.runPromise(answered) // => 1000
 * await Effect.runPromise(answered.pipe(Effect.provide(Chaos.layer({ seed: "monday" })))) // => 997
 * ```
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import * as internal from "./internal/chaos.ts"
import type { AnyPull, AnyStream } from "./internal/establish.ts"
import type { ChaosInjected } from "./internal/events.ts"
import {
  callable,
  checkedOptions,
  duration as notNegative,
  integer,
  invalid,
  positiveMillis,
  showMillis
} from "./internal/options.ts"
import { make } from "./internal/policy.ts"
import type { AnyEffect } from "./internal/primitive.ts"
import { now } from "./internal/time.ts"
import type * as kernel from "./kernel/chaos.ts"
import type * as Policy from "./Policy.ts"

export type { Session } from "./internal/chaos.ts"

/**
 * Whether there is chaos in the fiber: none, unless {@link layer} says so. `Effect.provideService(CurrentSession, undefined)` keeps
 * a part of the program out of it.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentSession: Context.Reference<internal.Session | undefined> = internal.CurrentSession

const TypeId = "~effect-resilience/core/Chaos/Course"

/**
 * When there is chaos, and how much of it: {@link window} or {@link ramp}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Course {
  readonly [TypeId]: kernel.Course
}

/**
 * Chaos for a while, once or again and again. The time begins when {@link layer} is built.
 *
 * **Example** (A bad minute in every ten)
 *
 * ```ts
 * import { Chaos } from "@effect-resilience/core"
 *
 * export const slow = Chaos.latency("2 seconds", {
 *   ratio: 0.5,
 *   during: Chaos.window({ after: "5 minutes", duration: "1 minute", every: "10 minutes" })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const window = (options: {
  /**
   * How long it is quiet at first.
   *
   * @default 0
   */
  readonly after?: Duration.Input | undefined
  /** How long the window is. */
  readonly duration: Duration.Input
  /**
   * From the beginning of one window to that of the next. Without it there is one window.
   *
   * @default "Infinity"
   */
  readonly every?: Duration.Input | undefined
}): Course => {
  const where = "Chaos.window"
  const { after = 0, duration, every } = checkedOptions(where, options)
  const millis = positiveMillis(where, "duration", duration, { infinite: true })
  const course: kernel.Course = {
    shape: "window",
    after: notNegative(where, "after", after),
    duration: millis,
    every: every === undefined ? Infinity : positiveMillis(where, "every", every, { infinite: true })
  }
  if (course.every < millis) {
    throw invalid(where, "every", showMillis(course.every), `no shorter than duration (${showMillis(millis)})`)
  }
  return { [TypeId]: course }
}

/**
 * Chaos that grows from nothing to the whole `ratio`, and stays there. The time begins when {@link layer} is built.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ramp = (options: {
  /**
   * How long it is quiet at first.
   *
   * @default 0
   */
  readonly after?: Duration.Input | undefined
  /** How long it grows. */
  readonly duration: Duration.Input
}): Course => {
  const where = "Chaos.ramp"
  const { after = 0, duration } = checkedOptions(where, options)
  return {
    [TypeId]: {
      shape: "ramp",
      after: notNegative(where, "after", after),
      duration: positiveMillis(where, "duration", duration),
      every: Infinity
    }
  }
}

/**
 * Which calls are hit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** For telemetry. Policies with other names draw their calls apart. */
  readonly name?: string | undefined
  /** The share of the calls that is hit, from 0 to 1. */
  readonly ratio: number
  /**
   * When: {@link window} or {@link ramp}.
   *
   * @default always
   */
  readonly during?: Course | undefined
  /**
   * Only calls of which this is true. It is given the context of the call, with its log annotations and services.
   *
   * @default all
   */
  readonly when?: ((context: Context.Context<never>) => boolean) | undefined
}

/**
 * Which calls are hit, and after how many elements of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions extends Options {
  /**
   * How many elements of a stream come first. A stream that ends before is not hit. An effect has no elements, and is hit at once.
   *
   * @default 0
   */
  readonly elements?: number | undefined
}

/**
 * An operator that gives another value than the call would have: it changes the type of the result, which no policy does.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome<out B> {
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | B, E, R>
  readonly stream: <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A | B, E, R>
  readonly info: Policy.PolicyInfo
}

const words = (course: kernel.Course): string => {
  const { after, duration, every, shape } = course
  const again = every === Infinity ? "" : ` every ${showMillis(every)}`
  return `${shape} of ${showMillis(duration)} after ${showMillis(after)}${again}`
}

interface What {
  readonly injected: ChaosInjected["injected"]
  readonly duration?: internal.Settings["duration"]
  readonly instead?: AnyEffect
  readonly rest?: () => AnyPull
  readonly effects?: boolean
}

const injection = (
  called: string,
  options: StreamOptions,
  what: What,
  shown?: Duration.Duration
): internal.Injection => {
  const where = `Chaos.${called}`
  const { during, elements = 0, name, ratio, when } = checkedOptions(where, options)
  if (!(typeof ratio === "number" && ratio >= 0 && ratio <= 1)) {
    throw invalid(where, "ratio", ratio, "a number from 0 to 1")
  }
  const course = during?.[TypeId]
  if (during !== undefined && course === undefined) throw invalid(where, "during", during, "window or ramp")
  const { duration, effects = true, injected, instead, rest } = what
  const settings: internal.Settings = {
    injected,
    name,
    ratio,
    during: course,
    when: callable(where, "when", when),
    duration,
    instead,
    rest,
    elements: integer(where, "elements", elements, 0),
    effects
  }
  const info: Policy.PolicyInfo = {
    kind: `chaos ${injected}`,
    name,
    settings: {
      duration: shown ?? (duration === undefined ? undefined : "custom"),
      ratio,
      elements: elements === 0 ? undefined : elements,
      during: course === undefined ? undefined : words(course),
      when: when === undefined ? undefined : "custom"
    },
    children: []
  }
  return new internal.Injection(info, settings)
}

/** A function of the user's, which is asked as late as when its call is hit. */
const asked = <A>(called: string, option: string, f: LazyArg<A>): LazyArg<A> => callable(`Chaos.${called}`, option, f)!

/**
 * Makes calls wait before they are made. The wait is the callee's time: limits, slow rates and hedges around it count it. It ends
 * at once when the call is interrupted.
 *
 * `duration` may be a function of a number that is drawn from [0, 1), for latencies that differ.
 *
 * **Example** (A tail of slow calls)
 *
 * ```ts
 * import { Chaos } from "@effect-resilience/core"
 *
 * export const fixed = Chaos.latency("3 seconds", { ratio: 0.05 })
 * export const between = Chaos.latency((draw) => 100 + 900 * draw, { ratio: 0.05 })
 * export const pareto = Chaos.latency((draw) => 100 / Math.sqrt(1 - draw), { ratio: 1 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const latency = (
  duration: Duration.Input | ((draw: number) => Duration.Input),
  options: Options
): Policy.Policy => {
  if (typeof duration === "function") return make(injection("latency", options, { injected: "latency", duration }))
  const delay = Duration.millis(notNegative("Chaos.latency", "duration", duration))
  return make(injection("latency", options, { injected: "latency", duration: () => delay }, delay))
}

/**
 * Fails calls with an error of your own instead of making them. A stream fails after `elements`: a connection that breaks in the
 * middle.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fault = <E>(error: LazyArg<E>, options: StreamOptions): Policy.Policy<unknown, E> => {
  const failing = asked("fault", "error", error)
  return make(injection("fault", options, { injected: "fault", instead: Effect.suspend(() => Effect.fail(failing())) }))
}

/**
 * Lets calls die with a defect instead of making them: a bug that no type tells of.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defect = (defect: LazyArg<unknown>, options: StreamOptions): Policy.Policy => {
  const dying = asked("defect", "defect", defect)
  return make(injection("defect", options, { injected: "defect", instead: Effect.suspend(() => Effect.die(dying())) }))
}

/**
 * Calls that never answer, and streams that fall silent after `elements`. They end when they are interrupted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stall = (options: StreamOptions): Policy.Policy =>
  make(injection("stall", options, { injected: "stall", instead: Effect.never }))

/**
 * Streams that end after `elements` as if they were whole. An effect has nothing to cut off, and is left alone.
 *
 * @category constructors
 * @since 0.1.0
 */
export const truncate = (options: StreamOptions): Policy.Policy =>
  make(injection("truncate", options, { injected: "truncation", instead: Cause.done(), effects: false }))

/**
 * Another value instead of that of the call, which is not made: an answer without content, or one of last year. A stream has it
 * as its only element. It adds the type of the value to that of the result, so it is an operator and no policy.
 *
 * **Example** (An empty answer)
 *
 * ```ts import.meta.vitest
 * import { Chaos } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const empty = Chaos.outcome((): ReadonlyArray<string> => [], { ratio: 1 })
 * const search = Effect.succeed(["a", "b"]).pipe(empty)
 *
 * await Effect.runPromise(search) // => ["a", "b"]
 * await Effect.runPromise(search.pipe(Effect.provide(Chaos.layer()))) // => []
 * ```
 *
 * @category operators
 * @since 0.1.0
 */
export const outcome = <B>(value: LazyArg<B>, options: Options): Outcome<B> => {
  const giving = asked("outcome", "value", value)
  const rest = (): AnyPull => {
    let given = false
    return Effect.suspend((): AnyPull => {
      if (given) return Cause.done()
      given = true
      return Effect.sync((): NonEmptyReadonlyArray<unknown> => [giving()])
    })
  }
  const inject = injection("outcome", options, { injected: "outcome", instead: Effect.sync(giving), rest })
  return Object.assign((self: AnyEffect): AnyEffect => inject.effect(self), {
    stream: (self: AnyStream): AnyStream => inject.stream(self),
    info: inject.info
  })
}

/**
 * Switches chaos on for what it is provided to, and for nothing else. Without this layer no policy of this module does anything.
 *
 * **Example** (Staging, by the configuration)
 *
 * ```ts
 * import { Chaos } from "@effect-resilience/core"
 * import { Config, Effect, Layer } from "effect"
 *
 * export const chaos = Layer.unwrap(Effect.gen(function*() {
 *   const factor = yield* Config.Number("CHAOS").pipe(Config.withDefault(0))
 *   return factor === 0 ? Layer.empty : Chaos.layer({ factor })
 * }))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: {
    /**
     * The same seed hits the same calls in every run, if they begin in the same order. Without one, the `Random` of each call
     * decides.
     *
     * @default none
     */
    readonly seed?: string | number | undefined
    /**
     * What the ratio of every policy is multiplied by. A product above 1 hits all calls.
     *
     * @default 1
     */
    readonly factor?: number | undefined
  } = {}
): Layer.Layer<never> => {
  const begin = internal.sessionOf("Chaos.layer", options)
  const session = Effect.withFiber((fiber) => Effect.succeed(begin(now(fiber))))
  return Layer.effect(internal.CurrentSession, session)
}
