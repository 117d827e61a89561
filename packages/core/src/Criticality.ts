/**
 * How much it matters that a call is served, for the moment when not all calls can be.
 *
 * A program says it once, at the edge: this is a health check, this is somebody who waits, this is a nightly job. Everything inside
 * the call carries it along, also to the next service. A queue serves calls of a higher criticality first, and if it is full, they
 * take the place of lower ones.
 *
 * **Details**
 *
 * The four are those of "Handling Overload" in Google's Site Reliability Engineering (chapter 21). A call of which nobody has said
 * anything is `critical`.
 *
 * | criticality | for |
 * | --- | --- |
 * | `critical-plus` | what must be served even if all the rest is not: health checks, payments that have begun |
 * | `critical` | what somebody waits for |
 * | `sheddable-plus` | what comes again by itself: batch work, synchronisation |
 * | `sheddable` | what may be missing for hours: warming of caches, prefetching, statistics |
 *
 * `Bulkhead`, `AdaptiveLimit` and `RateLimiter` queue by it, `AdaptiveThrottle` counts by it, `ResilientHttpClient` sends it, and `ServerPolicy` reads it.
 *
 * **Gotchas**
 *
 * It is what a fiber carries, and what forks inherit. Work that several callers share, as `Coalesce` and caches do, has the
 * criticality of the caller who began it.
 *
 * **Example** (A nightly job waits for everybody else)
 *
 * ```ts import.meta.vitest
 * import { Bulkhead, Criticality } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const bulkhead = Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 })
 * const served: Array<string> = []
 * const call = (what: string) => Effect.sync(() => served.push(what)).pipe(Effect.delay(1), bulkhead)
 *
 * const program = Effect.all([
 *   call("first"),
 *   call("report").pipe(Criticality.as("sheddable")),
 *   call("page"),
 *   call("payment").pipe(Criticality.as("critical-plus"))
 * ], { concurrency: "unbounded" })
 * await Effect.runPromise(program)
 * served // => ["first", "payment", "page", "report"]
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Carrying, CurrentCriticality as Current } from "./internal/criticality.ts"
import { checkedOptions, oneOf } from "./internal/options.ts"
import * as internal from "./internal/policy.ts"
import * as kernel from "./kernel/criticality.ts"
import type * as Policy from "./Policy.ts"

/**
 * How much it matters that a call is served.
 *
 * @category models
 * @since 0.1.0
 */
export type Criticality = "critical-plus" | "critical" | "sheddable-plus" | "sheddable"

/**
 * All four, the highest first.
 *
 * @category models
 * @since 0.1.0
 */
export const all: readonly ["critical-plus", "critical", "sheddable-plus", "sheddable"] = kernel.criticalities

/**
 * Whether something is a {@link Criticality}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isCriticality = (u: unknown): u is Criticality => kernel.isCriticality(u)

/**
 * Where a fiber carries it. {@link as} sets it for effects and for streams.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentCriticality: Context.Reference<Criticality> = Current

/**
 * How much the call matters that asks: also the value to send to another service.
 *
 * @category accessors
 * @since 0.1.0
 */
export const current: Effect.Effect<Criticality> = Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Current)))

const checked = (where: string, criticality: Criticality): Criticality =>
  oneOf(where, "criticality", criticality, kernel.criticalities)

/**
 * A policy that says how much calls matter, whatever has been said outside. A value that is none of the four throws a
 * `RangeError`.
 *
 * **Example** (Prefetching is never urgent)
 *
 * ```ts import.meta.vitest
 * import { Criticality } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const prefetch = Criticality.current.pipe(Criticality.as("sheddable"))
 * await Effect.runPromise(Effect.all([Criticality.current, prefetch])) // => ["critical", "sheddable"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const as = (criticality: Criticality): Policy.Policy =>
  internal.make(new Carrying(checked("Criticality.as", criticality), false))

/**
 * A policy that lets calls matter no more than this: a call that matters less stays as it is. A value that is none of the four
 * throws a `RangeError`.
 *
 * **Example** (A library that is never as urgent as a payment)
 *
 * ```ts import.meta.vitest
 * import { Criticality } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const inside = Criticality.current.pipe(Criticality.atMost("sheddable-plus"))
 * const program = Effect.all([inside, inside.pipe(Criticality.as("sheddable"))])
 * await Effect.runPromise(program) // => ["sheddable-plus", "sheddable"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const atMost = (criticality: Criticality): Policy.Policy =>
  internal.make(new Carrying(checked("Criticality.atMost", criticality), true))

/**
 * Reads how much a caller says that a call matters. Large and small letters are the same, and so are `CRITICAL_PLUS` and
 * `critical-plus`. A missing or malformed header gives none. Of a list, which is what a repeated header becomes, the lowest
 * word counts. The caller may say anything: more than `maxCriticality` counts as `maxCriticality`.
 *
 * **Example** (Nobody is as important as one says)
 *
 * ```ts import.meta.vitest
 * import { Criticality } from "@effect-resilience/core"
 * import { Option } from "effect"
 *
 * Criticality.fromHeader("sheddable") // => Option.some("sheddable")
 * Criticality.fromHeader("CRITICAL_PLUS") // => Option.some("critical")
 * Criticality.fromHeader("CRITICAL_PLUS", { maxCriticality: "critical-plus" }) // => Option.some("critical-plus")
 * Criticality.fromHeader("critical, sheddable") // => Option.some("sheddable")
 * Criticality.fromHeader("urgent") // => Option.none()
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromHeader = (
  header: string | undefined,
  options: {
    /** @default "critical" */
    readonly maxCriticality?: Criticality | undefined
  } = {}
): Option.Option<Criticality> => {
  const where = "Criticality.fromHeader"
  const { maxCriticality = kernel.usual } = checkedOptions(where, options)
  const most = oneOf(where, "maxCriticality", maxCriticality, kernel.criticalities)
  const said = header === undefined ? undefined : kernel.parse(header)
  return said === undefined ? Option.none() : Option.some(kernel.lower(said, most))
}
