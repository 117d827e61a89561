import type { AzureO1Config } from "../AzureO1Config.ts"
import type { O1Transport } from "../O1Transport.ts"

/**
 * How a deployment is paid for: `provisioned` for throughput that is reserved (PTU), `pay-as-you-go` for tokens.
 *
 * @category models
 * @since 0.1.0
 */
export type MemberKind = "provisioned" | "pay-as-you-go"

/**
 * One of several deployments: where it is, or a transport of your own, and what the pool has to know of it.
 *
 * @category models
 * @since 0.1.0
 */
export type PoolMember = (AzureO1Config | O1Transport["Service"]) & {
  /**
   * Its name in errors, events, the state of the pool and `O1Policy.breakerState`.
   *
   * @default the deployment; where several members have the same one, `deployment@host`
   */
  readonly name?: string | undefined
  /**
   * Members of a higher number get what those of a lower one cannot take. An integer, 0 or more.
   *
   * @default 0
   */
  readonly priority?: number | undefined
  /**
   * The part of the calls that it gets beside the others of its priority. More than 0.
   *
   * @default 1
   */
  readonly weight?: number | undefined
  /**
   * A provisioned member comes before the others of its priority, as long as it has room.
   *
   * @default "pay-as-you-go"
   */
  readonly kind?: MemberKind | undefined
  /**
   * Where it is: a hedge asks a member in another region.
   *
   * @default its host
   */
  readonly region?: string | undefined
}
