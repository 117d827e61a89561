import type * as Policy from "@effect-resilience/core/Policy"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { O1Error } from "../O1Error.ts"

/**
 * The policy of one run of a call in its parts, for a client that may ask several deployments in one attempt of the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyParts {
  /** Around all of it: the deadline and the retries. A deployment whose circuit is open is waited for as well. */
  readonly call: Policy.Policy<O1Error, O1Error>
  /** Around what is asked of one deployment: its circuit breaker, and the limit, which grows with every timeout of the run. */
  readonly attempt: (deployment: string) => Policy.Policy<O1Error, O1Error>
  /** Whether anything may follow this failure. */
  readonly another: (error: O1Error) => boolean
  /**
   * How long a deployment that failed like this is to be left alone, by every call; `undefined` for not at all. It is waited for
   * only where the error has a `retryAfter` to say so.
   */
  readonly cooldown: (error: O1Error) => Duration.Duration | undefined
  /**
   * How long the attempt would wait for a turn at a deployment before it is sent. A pool asks one that need not wait first; where
   * this is absent, nobody waits.
   */
  readonly wait?: ((deployment: string) => Effect.Effect<Duration.Duration>) | undefined
}
