/**
 * The ready-made stack for calls that may be made twice at once: total timeout > hedge > limiter > circuit breaker > attempt timeout.
 *
 * The order is that of .NET's standard hedging handler. What the parts and the times mean is as with `Pipelines`; the two are
 * apart so that a program which retries does not load what hedges.
 *
 * **Details**
 *
 * A pipeline has a memory: make one per callee, for all its callers. {@link makeUnsafe} makes the same without an effect, and
 * enters nothing into the `PolicyRegistry`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Bulkhead from "./Bulkhead.ts"
import * as Hedge from "./Hedge.ts"
import { checkedOptions } from "./internal/options.ts"
import type { Times } from "./kernel/pipelines.ts"
import {
  bulkheadOf,
  check,
  given,
  isPolicy,
  makeStateful,
  type Options as Parts,
  type Pipeline,
  pipelineOf,
  type Stateful,
  statefulOf,
  timeoutsOf,
  timesOf
} from "./pipelines/parts.ts"
import * as Policy from "./Policy.ts"

/**
 * What {@link make} takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<L = Bulkhead.BulkheadRejected> extends Parts<L> {
  /**
   * What `Hedge.make` takes.
   *
   * @default one more attempt after 2 seconds, or after half of an attempt or its share of the total, if that is less
   */
  readonly hedge?: Partial<Omit<Hedge.Options, "name" | "budget">> | undefined
}

const where = "HedgingPipeline.make"

const timesOfHedging = (options: Options<unknown>): Times => {
  check(where, options)
  const limiter = options.limiter === undefined || isPolicy(options.limiter)
    ? options.limiter
    : Bulkhead.makeUnsafe(bulkheadOf(options))
  const hedge = checkedOptions(where, options.hedge ?? {}, "hedge")
  return timesOf(where, options, limiter?.info, hedge)
}

const hedgeOptionsOf = (
  { hedge, name, result }: Options<unknown>,
  { after }: Times,
  { budget }: Stateful<unknown>
): Hedge.Options => ({ ...given({ result }), ...hedge, after: hedge?.after ?? after, name, budget })

const hedgingOf = <L>(
  options: Parts<L>,
  times: Times,
  stateful: Stateful<L>,
  hedge: Hedge.Hedge
): Pipeline<unknown, L> => {
  const { attempt, total } = timeoutsOf(options, times)
  const { breaker, limiter } = stateful
  return pipelineOf(where, options, stateful, Policy.compose(total, hedge, limiter, breaker, attempt))
}

/**
 * Total timeout > hedge > limiter > circuit breaker > attempt timeout: another attempt begins when the first one takes long
 * or fails, and the first success wins. For calls that may be made twice at once, and callees that can bear it: the limiter
 * is inside, so that every attempt counts.
 *
 * For attempts that go to another endpoint each, with a limiter and a breaker of its own, give `Hedge.alternatives` one stack
 * per endpoint.
 *
 * **Example** (A call that hangs once)
 *
 * ```ts import.meta.vitest
 * import { HedgingPipeline } from "@effect-resilience/core"
 * import { Effect } from "effect"
 *
 * const search = HedgingPipeline.makeUnsafe({ name: "search", hedge: { after: "1 millis" } })
 * let calls = 0
 * const find = Effect.suspend(() => ++calls === 1 ? Effect.never : Effect.succeed(`answer ${calls}`))
 *
 * await Effect.runPromise(find.pipe(search)) // => "answer 2"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = <L = Bulkhead.BulkheadRejected>(
  options: Options<L> = {}
): Pipeline<unknown, L> => {
  const times = timesOfHedging(options)
  const stateful = statefulOf(options, times)
  return hedgingOf(options, times, stateful, Hedge.makeUnsafe(hedgeOptionsOf(options, times, stateful)))
}

/**
 * As {@link makeUnsafe}; with a name, its stateful parts are in the snapshot of the `PolicyRegistry`, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <L = Bulkhead.BulkheadRejected>(
  options: Options<L> = {}
): Effect.Effect<Pipeline<unknown, L>> =>
  Effect.suspend(() => {
    const times = timesOfHedging(options)
    return Effect.flatMap(makeStateful(options, times, "hedge"), (stateful) =>
      Effect.map(
        Hedge.make(hedgeOptionsOf(options, times, stateful)),
        (hedge) => hedgingOf(options, times, stateful, hedge)
      ))
  })
