/**
 * One client of several deployments. It is the same service as with one deployment, so only the layer of a program changes.
 *
 * If a deployment fails in a way that another may not, the call goes to the next at once, but never after the first content. A
 * deployment that asked for a pause is left alone for that long. While all of them are, the call waits for the first within its
 * deadline. See docs/failover.md.
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
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import { AzureO1 } from "../AzureO1.ts"
import type { AzureO1Config } from "../AzureO1Config.ts"
import { clientOf } from "../client/client.ts"
import type { O1Client } from "../O1Client.ts"
import { O1Policy, type O1PolicySettings } from "../O1Policy.ts"
import { O1Transport } from "../O1Transport.ts"
import { failover } from "./failover.ts"
import { type Member, namesOf } from "./members.ts"

/**
 * One of several deployments: where it is, or a transport of your own, and what the pool knows of it.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolMember = (AzureO1Config | O1Transport["Service"]) & {
  /**
   * Its name in errors, events and `O1Policy.breakerState`.
   *
   * @default the deployment; where several members have the same one, `deployment@host`
   */
  readonly name?: string | undefined
  /**
   * Members of a lower number are asked first.
   *
   * @default 0
   */
  readonly priority?: number | undefined
}

/** Transports bring all that they need. */
type Needs<Members extends ReadonlyArray<PoolMember>> = Members[number] extends O1Transport["Service"] ? never
  : HttpClient.HttpClient

const membersOf = Effect.fnUntraced(function*(members: NonEmptyReadonlyArray<PoolMember>) {
  const names = namesOf(members.map((member) => ({
    name: member.name,
    deployment: member.deployment,
    host: "endpoint" in member && URL.canParse(member.endpoint) ? new URL(member.endpoint).host : undefined
  })))
  return yield* Effect.forEach(members, (member, i): Effect.Effect<Member, never, HttpClient.HttpClient> =>
    Effect.map(
      "endpoint" in member ? O1Transport.make(member) : Effect.succeed(member),
      (transport) => ({
        name: names[i]!,
        transport,
        credential: "endpoint" in member ? member.credential : undefined,
        priority: member.priority ?? 0
      })
    ))
})

/**
 * The same members with rising priorities: each is asked only where those before it cannot be, or have failed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const inOrder = <const Members extends NonEmptyReadonlyArray<PoolMember>>(members: Members): Members =>
  Arr.map(members, (member, priority) => ({ ...member, priority })) as ReadonlyArray<PoolMember> as Members // as many as before

/**
 * A client of several deployments as a plain value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
  members: Members,
  settings?: O1PolicySettings
): Effect.Effect<O1Client, never, Needs<Members>> => AzureO1.pipe(Effect.provide(layer(members, settings)))

/**
 * {@link make} with whatever policy there is.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServices = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
  members: Members
): Layer.Layer<AzureO1, never, O1Policy | Needs<Members>> =>
  Layer.effect(
    AzureO1,
    Effect.gen(function*() {
      return clientOf(failover(yield* O1Policy, yield* membersOf(members)))
    })
  ) as Layer.Layer<AzureO1, never, O1Policy | Needs<Members>> // a transport does not ask for the `HttpClient`

/**
 * {@link make} as a layer, with its policy, which tells the state of each circuit breaker.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Members extends NonEmptyReadonlyArray<PoolMember>>(
  members: Members,
  settings: O1PolicySettings = {}
): Layer.Layer<AzureO1 | O1Policy, never, Needs<Members>> =>
  Layer.provideMerge(layerServices(members), O1Policy.layerWith(settings))
