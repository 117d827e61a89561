/**
 * One client of several deployments. It is the same service as with one deployment, so only the layer of a program changes.
 *
 * **Details**
 *
 * A call asks the best of the members that may be asked: the lowest `priority` first, `provisioned` ones before the others, and among
 * equals the one that answers soonest for its `weight`. If it fails in a way that another may not, the call goes to the next at
 * once, but never after the first content. A member that asked for a pause is left alone for that long. While all of them are, the call
 * waits for the first within its deadline. See docs/pool.md.
 *
 * **Example** (The second answers, because the first is busy)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, O1RateLimitError, user } from "@effect-resilience/azure-o1"
 * import { AzureO1Pool } from "@effect-resilience/azure-o1/pool"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const busy = AzureO1Test.fail(new O1RateLimitError({ kind: "tokens" }))
 * const east = AzureO1Test.transport([busy], { deployment: "o1-east" })
 * const west = AzureO1Test.transport([AzureO1Test.answer("42")], { deployment: "o1-west" })
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const { text } = yield* o1.complete({ messages: [user("What is 6 x 7?")] })
 *   return text
 * })
 * const pool = AzureO1Pool.layer(AzureO1Pool.inOrder([east, west]))
 * await Effect.runPromise(Effect.provide(program, pool)) // => "42"
 * ```
 *
 * @since 0.1.0
 */
import * as Hedge from "@effect-resilience/core/Hedge"
import * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { AzureO1 } from "../AzureO1.ts"
import { clientOf } from "../client/client.ts"
import type { O1Client } from "../O1Client.ts"
import { O1Policy } from "../O1Policy.ts"
import type { O1Transport } from "../O1Transport.ts"
import { calleeOf } from "./callee.ts"
import { raced } from "./hedged.ts"
import { membersFrom } from "./making.ts"
import type { PoolOptions, PoolSettings } from "./options.ts"
import { Pool } from "./pool.ts"
import type { PoolMember } from "./PoolMember.ts"
import { type MemberState, stateOf } from "./PoolState.ts"

/** Transports bring all that they need. */
type Needs<Members extends ReadonlyArray<PoolMember>> = Members[number] extends O1Transport["Service"] ? never
  : HttpClient.HttpClient

/**
 * A client of several deployments.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolClient extends O1Client {
  /**
   * Other members from now on. Calls that are under way finish where they are. A member that stays keeps what is known of it; one
   * that has its name but another configuration keeps its circuit breaker and its latency. A token of a response that a removed member keeps gives an `O1RequestError` of kind `response-not-found` that names it. A bad list
   * is a defect, and changes nothing.
   */
  readonly update: (members: NonEmptyReadonlyArray<PoolMember>) => Effect.Effect<void>
  /** The members in their order, each with what is known of it now. */
  readonly state: Effect.Effect<ReadonlyArray<MemberState>>
}

/** Our options have their own names. */
const namesOfOptions: ReadonlyArray<readonly [RegExp, string]> = [
  [/^Hedge\.make: after\b/u, "AzureO1Pool: hedge.delay"],
  [/^Hedge\.make: maxHedges\b/u, "AzureO1Pool: hedge.max"],
  [/^Balancer\.make: /u, "AzureO1Pool: "]
]

const named = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.catchDefect(self, (defect) =>
    Effect.die(
      defect instanceof RangeError
        ? new RangeError(namesOfOptions.reduce((message, [from, to]) => message.replace(from, to), defect.message))
        : defect
    ))

const make = Effect.fnUntraced(function*(members: NonEmptyReadonlyArray<PoolMember>, options: PoolOptions) {
  const { ejection, hedge, name = "azure-o1" } = options
  const policies = yield* O1Policy
  const remade = yield* membersFrom
  const pool = yield* named(Pool.make(yield* remade("AzureO1Pool", members, []), { name, ejection }))
  const registry = yield* Effect.serviceOption(PolicyRegistry.PolicyRegistry)
  if (Option.isSome(registry)) {
    registry.value.register(pool, (pool, fiber) => ({
      kind: "pool",
      name,
      state: (pool as Pool).report(Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1_000_000)
    }))
  }
  const hedging = hedge &&
    (yield* named(Hedge.make({ name, after: hedge.delay, maxHedges: hedge.max ?? 1, classify: raced })))
  const client = clientOf(calleeOf(policies, pool, hedging))
  return AzureO1Pool.of({
    ...client,
    update: (members) =>
      Effect.flatMap(
        Effect.suspend(() => remade("AzureO1Pool.update", members, pool.members)),
        (members) => pool.update(members)
      ),
    state: stateOf(policies, pool)
  })
})

/**
 * @category services
 * @since 0.1.0
 */
export class AzureO1Pool extends Context.Service<AzureO1Pool, PoolClient>()("@effect-resilience/azure-o1/AzureO1Pool") {
  /** The same members with rising priorities: each is asked only where those before it cannot be, or have failed. */
  static readonly inOrder = <const Members extends NonEmptyReadonlyArray<PoolMember>>(members: Members): Members =>
    // as many as before
    Arr.map(members, (member, priority) => ({ ...member, priority })) as ReadonlyArray<PoolMember> as Members

  /** A client of several deployments as a plain value. */
  static readonly make = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
    members: Members,
    settings?: PoolSettings
  ): Effect.Effect<PoolClient, never, Needs<Members>> =>
    AzureO1Pool.pipe(Effect.provide(AzureO1Pool.layer(members, settings)))

  /** {@link AzureO1Pool.layer} with whatever policy there is. */
  static readonly layerServices = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
    members: Members,
    options: PoolOptions = {}
  ): Layer.Layer<AzureO1 | AzureO1Pool, never, O1Policy | Needs<Members>> =>
    Layer.effectContext(
      Effect.map(make(members, options), (pool) => Context.make(AzureO1, pool).pipe(Context.add(AzureO1Pool, pool)))
    )

  /**
   * The client of several deployments, with its policy, which tells the state of each circuit breaker. A bad option or member is a
   * defect that names it.
   */
  static readonly layer = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
    members: Members,
    settings: PoolSettings = {}
  ): Layer.Layer<AzureO1 | AzureO1Pool | O1Policy, never, Needs<Members>> =>
    Layer.provideMerge(AzureO1Pool.layerServices(members, settings), O1Policy.layerWith(settings))
}
