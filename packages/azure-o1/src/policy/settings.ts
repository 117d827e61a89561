import type * as Duration from "effect/Duration"
import type { LimitOptions } from "../monitor/limit.ts"
import type { ReasoningEffort } from "../O1Request.ts"

/**
 * The settings of the production policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1PolicySettings {
  /**
   * The limit of the first attempt by reasoning effort; `medium` if a request does not say. It ends with the first piece of
   * content, and when the service keeps the response.
   *
   * @default up to medium "60 seconds", above "240 seconds"
   */
  readonly timeout?: { readonly [E in ReasoningEffort]?: Duration.Input | undefined } | undefined
  /**
   * What follows an attempt that took too long (a limit of this client, 408, 504): one with twice the time, one with the
   * same, or none. It is made in the background if the deployment has one.
   *
   * @default "escalate"
   */
  readonly onTimeout?: "escalate" | "same" | "never" | undefined
  /** @default 3 */
  readonly retries?: number | undefined
  /**
   * The first delay between attempts; it doubles, with full jitter.
   *
   * @default "1 second"
   */
  readonly backoff?: Duration.Input | undefined
  /**
   * The least wait after a 429 that does not say how long: Azure's request windows last up to 10 seconds.
   *
   * @default "10 seconds"
   */
  readonly throttledWait?: Duration.Input | undefined
  /**
   * The longest pause that the service may ask for. A longer one fails at once; Azure asks for a whole day at times.
   *
   * @default "2 minutes"
   */
  readonly retryAfterCap?: Duration.Input | undefined
  /**
   * The limit of the whole call.
   *
   * @default "15 minutes"
   */
  readonly total?: Duration.Input | undefined
  /**
   * The longest silence within an answer that the service does not keep, from a piece of content to the next. After a piece
   * of reasoning or commentary it is at least the limit of the attempt. A kept answer may be silent for as long as it takes:
   * if no byte comes for so long, or for a minute, the client opens another connection.
   *
   * @default twice the limit of the attempt, and at least "2 minutes": 8 with high effort and above
   */
  readonly idle?: Duration.Input | undefined
  /**
   * How many questions in a row for a response that the service keeps may bring nothing (no byte, no status) before the call
   * fails, with the token to resume it.
   *
   * @default 8
   */
  readonly fruitless?: number | undefined
  readonly breaker?: {
    /**
     * Failures in a row that open the circuit.
     *
     * @default 5
     */
    readonly failures?: number | undefined
    /** @default "30 seconds" */
    readonly open?: Duration.Input | undefined
    /** @default 3 */
    readonly probes?: number | undefined
    /**
     * After this time a probe that has not answered gives its slot to another call. Its answer still counts.
     *
     * @default "2 minutes"
     */
    readonly lease?: Duration.Input | undefined
  } | undefined
}

/**
 * The settings of the production policy, and how its limits follow what the monitor sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveSettings extends O1PolicySettings, LimitOptions {}

/** What holds where settings do not say otherwise. */
export const defaults = {
  timeout: {
    none: "60 seconds",
    minimal: "60 seconds",
    low: "60 seconds",
    medium: "60 seconds",
    high: "240 seconds",
    xhigh: "240 seconds",
    max: "240 seconds"
  },
  onTimeout: "escalate",
  retries: 3,
  backoff: "1 second",
  throttledWait: "10 seconds",
  retryAfterCap: "2 minutes",
  total: "15 minutes",
  idle: "2 minutes",
  fruitless: 8,
  breaker: { failures: 5, open: "30 seconds", probes: 3, lease: "10 seconds" }
} as const
