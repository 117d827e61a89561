/**
 * What the lint says, and how it is told what to say.
 *
 * @since 0.1.0
 */
import type { ModelProfile } from "../ModelProfile.ts"
import type { Message, O1Request } from "../O1Request.ts"

/**
 * A change that keeps the meaning of a request. `applyFixes` makes it.
 *
 * @category models
 * @since 0.1.0
 */
export type Edit =
  /** Replaces a range of the text of a message, which is `messageText` of it. */
  | {
    readonly _tag: "Replace"
    readonly message: number
    readonly start: number
    readonly end: number
    readonly text: string
  }
  | { readonly _tag: "SetRole"; readonly message: number; readonly role: "developer" | "user" }
  /** Puts a message before the others. */
  | { readonly _tag: "Insert"; readonly message: Message }
  /** Sets a field of the request, or takes it away. */
  | { readonly _tag: "Set"; readonly field: Exclude<keyof O1Request, "messages" | "extra">; readonly value: unknown }
  /** Takes a field of `extra` away. */
  | { readonly _tag: "RemoveExtra"; readonly field: string }

/**
 * How much a finding matters: an `error` makes the service refuse the request, a `warning` makes answers worse or calls
 * dearer, an `info` is worth knowing.
 *
 * @category models
 * @since 0.1.0
 */
export type Severity = "error" | "warning" | "info"

/**
 * What a rule can be set to; a number that is out of range throws a `RangeError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RuleSettings {
  /** "Think step by step": reasoning models do, and do it worse when told how. */
  readonly "chain-of-thought": {}
  /** Asking for the reasoning itself, which the service can refuse as `invalid_prompt`. */
  readonly "show-reasoning": {}
  readonly "few-shot-examples": {
    /** @default 3 */
    readonly max?: number | undefined
  }
  readonly "developer-and-system": {}
  /** Instructions for a model that takes none but the user's. */
  readonly "unsupported-role": {}
  /** A parameter that the profile forbids. */
  readonly "unsupported-parameter": {}
  /** Pasted data that nothing sets apart from the instructions. */
  readonly "undelimited-data": {
    /** Characters from which on it is said. @default 600 */
    readonly minCharacters?: number | undefined
  }
  readonly "duplicate-paragraph": {
    /** @default 12 */
    readonly minWords?: number | undefined
  }
  readonly "near-duplicate-paragraph": {
    /** @default 25 */
    readonly minWords?: number | undefined
    /** Share of the runs of four words that both have, of those that either has; 0.5 to 1. @default 0.7 */
    readonly similarity?: number | undefined
  }
  /** Blanks at line ends and empty lines beyond one. */
  readonly "excess-whitespace": {
    /** Tokens that must be saved in a message. @default 5 */
    readonly minTokens?: number | undefined
  }
  /** JSON with line breaks and indentation, which a model does not need. */
  readonly "pretty-json": {
    /** Tokens that must be saved. @default 10 */
    readonly minTokens?: number | undefined
  }
  /** Pasted context that outweighs everything else. */
  readonly "context-share": {
    /** 0 to 1. @default 0.8 */
    readonly share?: number | undefined
    /** Tokens of context from which on it is said. @default 8000 */
    readonly minTokens?: number | undefined
  }
  /** A time or an id in the instructions, after which nothing can be read from the prompt cache. */
  readonly "volatile-prefix": {
    /** Tokens from which on the service caches a prompt. @default 1024 */
    readonly minTokens?: number | undefined
  }
  /** Markdown is asked for, and the model leaves it out unless it is told `Formatting re-enabled`. */
  readonly "markdown-not-enabled": {}
  /** Little room for reasoning at a high effort. */
  readonly "output-budget": {
    /** @default 25000 */
    readonly minTokens?: number | undefined
  }
  readonly "tokens-per-minute": {}
  readonly "context-window": {}
}

/**
 * The name of a rule. Names are stable.
 *
 * @category models
 * @since 0.1.0
 */
export type RuleId = keyof RuleSettings

/**
 * @category models
 * @since 0.1.0
 */
export interface Finding {
  readonly rule: RuleId
  readonly severity: Severity
  /** The index of the message; `undefined` if it is about the request as a whole. */
  readonly message: number | undefined
  /** Where in the text of the message (`messageText`), in UTF-16 units; the end is exclusive. */
  readonly range: { readonly start: number; readonly end: number } | undefined
  readonly explanation: string
  readonly fix: {
    /** What to do. */
    readonly text: string
    /** What `applyFixes` does; empty if only the author can. */
    readonly edits: ReadonlyArray<Edit>
  }
  /** What the fix takes off the prompt, by the counter that was used; 0 if it is not known. */
  readonly tokensSaved: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LintOptions {
  /**
   * @default ModelProfile.o1
   */
  readonly profile?: ModelProfile | undefined
  /** Units of capacity of the deployment, at least 1: with the profile, the limit of tokens per minute. */
  readonly capacity?: number | undefined
  /** The limit itself, at least 1, where it is known. */
  readonly tokensPerMinute?: number | undefined
  /** `false` switches a rule off. */
  readonly rules?:
    | { readonly [R in RuleId]?: false | (RuleSettings[R] & { readonly severity?: Severity | undefined }) }
    | undefined
}
