import type * as Balancer from "@effect-resilience/core/Balancer"
import type * as CircuitBreaker from "@effect-resilience/core/CircuitBreaker"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { O1Policy } from "../O1Policy.ts"
import { monotonic } from "../transport/asking.ts"
import type { Pool } from "./pool.ts"
import type { MemberKind } from "./PoolMember.ts"

/**
 * A member of a pool, and what is known of it now.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemberState {
  readonly name: string
  readonly deployment: string
  readonly region: string
  readonly kind: MemberKind
  readonly priority: number
  readonly weight: number
  /**
   * - `available`: it is asked.
   * - `warming`: it has come back, or is new, and is asked little by little.
   * - `cooling`: it has asked for a pause.
   * - `ejected`: it has failed again and again, and is left out for a while.
   * - `last`: it does not work, or is too slow, and is asked after all others.
   */
  readonly status: Balancer.Status | "last"
  /** Why, in one sentence; `undefined` where there is nothing to say. */
  readonly why: string | undefined
  /** For how long it is still left out, or asked last; zero where it is not. */
  readonly returnsIn: Duration.Duration
  readonly breaker: CircuitBreaker.State["_tag"]
  /** Calls in flight. */
  readonly inFlight: number
  /** The time to an answer that calls are sent by, of a stream to its first content; zero before the first answer. */
  readonly latency: Duration.Duration
  /** Failures in a row. */
  readonly failures: number
}

const sentenceOf = (name: string, status: Balancer.Status, failures: number): string | undefined =>
  status === "ejected" ? `"${name}" has failed ${failures} times in a row.` : undefined

/** The members in their order. */
export const stateOf = (policies: O1Policy["Service"], pool: Pool): Effect.Effect<ReadonlyArray<MemberState>> =>
  Effect.flatMap(
    Effect.all([pool.endpoints, monotonic]),
    ([endpoints, now]) =>
      Effect.forEach(
        endpoints,
        ({ endpoint, failures, inFlight, latency, returnsIn, status }) =>
          Effect.map(policies.breakerState(endpoint.name), ({ _tag: breaker }): MemberState => {
            const { kind, name, priority, region, transport, weight } = endpoint
            const last = pool.stand(name, now) === "shut" ? pool.fact(name, now) : undefined
            const pause = pool.pauseFact(name, now)
            const is = pause !== undefined ? "cooling" : status === "ejected" || last === undefined ? status : "last"
            const why = { cooling: pause, last, ejected: undefined, available: undefined, warming: undefined }[is]
            return {
              name,
              deployment: transport.deployment,
              region,
              kind,
              priority,
              weight,
              status: is,
              why: why?.text ?? sentenceOf(name, status, failures),
              returnsIn: why?.expiresIn ?? returnsIn,
              breaker,
              inFlight,
              latency,
              failures
            }
          })
      )
  )
