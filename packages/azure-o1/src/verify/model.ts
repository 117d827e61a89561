import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { TokenCredential } from "../Credential.ts"

/** The order of a report. */
export const order = [
  "config",
  "endpoint",
  "dns",
  "tcp",
  "tls",
  "auth",
  "deployment",
  "model",
  "retirement",
  "streaming",
  "usage",
  "limits",
  "clock",
  "management",
  "provisioning",
  "lifecycle",
  "capabilities",
  "upgrade",
  "spillover"
] as const

/**
 * The checks. A report has its findings in this order.
 *
 * @category models
 * @since 0.1.0
 */
export const Check = Schema.Literals(order)

/**
 * @category models
 * @since 0.1.0
 */
export type Check = typeof Check.Type

/**
 * `fail`: calls will not succeed as things are. `warn`: they may not, or not for long. `skipped`: it could not be found out.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Literals(["pass", "warn", "fail", "skipped"])

/**
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * What a check found. A check can have several.
 *
 * @category models
 * @since 0.1.0
 */
export const Finding = Schema.Struct({
  check: Check,
  status: Status,
  /** The finding. */
  message: Schema.String,
  /** What to do next; `""` if nothing. */
  fix: Schema.String,
  /** For programs, and for support: ids, limits, what the service said. */
  details: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean]))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Finding = typeof Finding.Type

/**
 * @category models
 * @since 0.1.0
 */
export const Report = Schema.Struct({
  /** Nothing has failed. */
  ok: Schema.Boolean,
  findings: Schema.Array(Finding)
})

/**
 * @category models
 * @since 0.1.0
 */
export type Report = typeof Report.Type

/**
 * The way into Azure's management plane, which knows of the deployment what the API does not tell. Reader is enough.
 *
 * @category models
 * @since 0.1.0
 */
export interface Management {
  /** The id of the subscription. */
  readonly subscription: string
  readonly resourceGroup: string
  /** The name of the resource. */
  readonly account: string
  /**
   * What gives tokens for the management plane.
   *
   * @default that of the configuration
   */
  readonly credential?: TokenCredential | undefined
  /** A token instead of a credential, for example from `az account get-access-token`. */
  readonly token?: Redacted.Redacted | undefined
  /**
   * Where the management plane is.
   *
   * @default that of the configuration's cloud, for example `https://management.azure.com`
   */
  readonly endpoint?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How the deployment is asked. `none`: not at all. `cheap`: with one request that it has to refuse, which costs no tokens.
   * `real`: with a small question, which shows streaming, model and usage too, and costs some hundred tokens; where the
   * deployment may stream and does not, that is a second request.
   *
   * @default "cheap"
   */
  readonly probe?: "none" | "cheap" | "real" | undefined
  /**
   * The longest that verification takes.
   *
   * @default "30 seconds", "2 minutes" with probe `real`
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long before a model is retired there is a warning.
   *
   * @default "90 days"
   */
  readonly retirementWarning?: Duration.Input | undefined
  /** The size of a call as the program makes it, in tokens, to see whether the deployment's limits admit it at all. */
  readonly typicalRequest?: {
    readonly promptTokens?: number | undefined
    readonly maxCompletionTokens?: number | undefined
  } | undefined
  readonly management?: Management | undefined
}
