import type * as Balancer from "@effect-resilience/core/Balancer"
import type * as Hedge from "@effect-resilience/core/Hedge"
import type * as Duration from "effect/Duration"
import type { O1PolicySettings } from "../O1Policy.ts"

/**
 * When a second member is asked while the first one still works.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeOptions {
  /**
   * How long a member may give no content before one in another region is asked as well. `{ quantile: 0.95 }` learns it from the
   * answers: one call in twenty is then hedged.
   */
  readonly delay: Duration.Input | Hedge.Learnt
  /**
   * How many are asked beside the first one, 1 to 10.
   *
   * @default 1
   */
  readonly max?: number | undefined
}

/**
 * How a pool chooses among its members.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolOptions {
  /**
   * For telemetry, metrics and the `PolicyRegistry`. Two pools of one program need two names.
   *
   * @default "azure-o1"
   */
  readonly name?: string | undefined
  /**
   * Whether a member in another region is asked as well if the first gives no content. Both are billed for what they do until one of
   * them wins.
   *
   * @default never
   */
  readonly hedge?: HedgeOptions | undefined
  /**
   * When a member that fails again and again is left out, and for how long. `false` leaves none out; each has its circuit breaker in any
   * case.
   *
   * @default after 5 failures in a row, for 30 seconds, at most half of the members
   */
  readonly ejection?: Balancer.Ejection | false | undefined
}

/**
 * How a pool chooses among its members, and the policy around its calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolSettings extends PoolOptions, O1PolicySettings {}
