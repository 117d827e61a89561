import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { O1AuthError } from "../O1Error.ts"

/**
 * A token, as `@azure/identity` gives it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AccessToken {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresOnTimestamp: number
  /** Milliseconds since the epoch: from then on it should be renewed. */
  readonly refreshAfterTimestamp?: number | undefined
}

/**
 * What gives tokens, as `@azure/identity` has it.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenCredential {
  getToken(
    scopes: string | Array<string>,
    options?: { readonly abortSignal?: AbortSignal }
  ): Promise<AccessToken | null>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TokensOptions {
  /**
   * How long the credential may take to give a token; then all who wait for it get an `O1AuthError` of kind `credential`.
   *
   * @default "30 seconds"
   */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Tokens of one credential and scope.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tokens {
  /**
   * A token that is good now. A caller who is interrupted stops waiting. `isCut` tells whether the caller's own limit did
   * that; the caller may then come again, so the question goes on.
   */
  readonly get: (isCut?: () => boolean) => Effect.Effect<string, O1AuthError>
  /**
   * Another token after the service refused one. `undefined` if the credential has none, or has just been asked for one.
   */
  readonly another: (refused: string, isCut?: () => boolean) => Effect.Effect<string | undefined, O1AuthError>
}
