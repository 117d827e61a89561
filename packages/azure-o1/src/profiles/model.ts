import type { NonEmptyReadonlyArray } from "effect/Array"
import type { ReasoningEffort, Role } from "../O1Request.ts"

/**
 * Chat Completions or Responses.
 *
 * @category models
 * @since 0.1.0
 */
export type Api = "chat" | "responses"

/**
 * What a model can be asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelProfile {
  readonly name: string
  /** How the name of a model of this kind begins, as the service tells it. */
  readonly models: ReadonlyArray<string>
  /** The APIs that serve it; the first is the one that is used if the configuration does not say. */
  readonly apis: NonEmptyReadonlyArray<Api>
  /** Whether it streams on Azure. `try`: one call asks, and what the service says is remembered for a while. */
  readonly streaming: "yes" | "no" | "try"
  /** Whether a response can be made in the background. One call asks, and what the service says is remembered for a while. */
  readonly background: boolean
  readonly roles: ReadonlyArray<Role>
  /** Whether it is known to reason: such a model has rules that others do not have. */
  readonly reasons: boolean
  /** The reasoning efforts that it knows; none means that it does not take the parameter. */
  readonly efforts: ReadonlyArray<ReasoningEffort>
  readonly tools: boolean
  /** Whether Chat Completions takes tools beside every effort, or only beside `none`; then the Responses API carries the call. */
  readonly chatTools: "always" | "without-reasoning"
  readonly parallelToolCalls: boolean
  readonly structuredOutput: boolean
  readonly images: boolean
  /** PDF as input. */
  readonly files: boolean
  readonly reasoningSummary: boolean
  /** Whether its reasoning is asked for in encrypted form where nothing is stored, so that it can be sent back. */
  readonly encryptedReasoning: boolean
  readonly verbosity: boolean
  /**
   * Whether it takes `temperature`, `topP`, `topLogprobs`, penalties and `logitBias`: always, with the effort `none` only, or
   * never.
   */
  readonly sampling: "always" | "without-reasoning" | "never"
  /** The most tokens of prompt and output together. */
  readonly contextTokens?: number | undefined
  /** The most tokens of output, reasoning included. */
  readonly outputTokens?: number | undefined
  /** What one unit of capacity allows in a minute. */
  readonly unit?: { readonly requests: number; readonly tokens: number } | undefined
  /** The day on which Azure retires it. */
  readonly retirement?: Retirement | undefined
}

/**
 * The day on which Azure is to retire a model, what is to take its place, and when Microsoft's page said so. Azure has moved such
 * days before: only the deployment itself and the management plane know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retirement {
  readonly date: string
  readonly replacement: string | undefined
  readonly told: string
}
