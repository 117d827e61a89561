/**
 * Entra ID in the place of a key: anything of the shape of `@azure/identity`'s `TokenCredential` will do.
 *
 * A token is asked for when it is needed, kept until it is about to expire, and renewed before that; many calls at once ask
 * once. If a renewal fails while the old token is still good, the old one is used. A token that the service refuses is
 * renewed once.
 *
 * **Example** (A credential)
 *
 * ```ts
 * import { AzureO1, type Credential } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { Effect } from "effect"
 *
 * // with @azure/identity: new DefaultAzureCredential()
 * export const make = (credential: Credential.TokenCredential) =>
 *   AzureO1.make({ endpoint: "https://example.openai.azure.com", deployment: "o1", credential }).pipe(
 *     Effect.provide(AzureO1Node.layerHttpClient)
 *   )
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { O1AuthError, type O1Error } from "./O1Error.ts"
import * as errors from "./wire/errors.ts"

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
 * Which of Microsoft's clouds: the scopes of tokens differ.
 *
 * @category models
 * @since 0.1.0
 */
export type Cloud = "public" | "us-government" | "china"

const domains = {
  public: { cognitive: "cognitiveservices.azure.com", ai: "ai.azure.com", management: "management.azure.com" },
  "us-government": {
    cognitive: "cognitiveservices.azure.us",
    ai: "ai.azure.us",
    management: "management.usgovcloudapi.net"
  },
  china: { cognitive: "cognitiveservices.azure.cn", ai: "ai.azure.cn", management: "management.chinacloudapi.cn" }
} as const

/**
 * The scope of a token: the dated API versions and the v1 path have audiences of their own. Documented for the public cloud;
 * for the others it follows the same pattern, and the configuration's `scope` overrides it.
 *
 * @category getters
 * @since 0.1.0
 */
export const scopeOf = (cloud: Cloud, purpose: "v1" | "dated" | "management"): string => {
  const { ai, cognitive, management } = domains[cloud]
  return `https://${purpose === "v1" ? ai : purpose === "dated" ? cognitive : management}/.default`
}

/** Renewed this long before it expires, unless the token says when. */
const refreshBefore = 5 * 60_000

/** After a renewal that failed, the next one is not tried before this. */
const refreshPause = 30_000

/** No longer trusted this long before it expires: the clocks of two machines differ. */
const margin = 10_000

const failure = (cause: unknown): O1Error => {
  const network = errors.fromCause(cause, {})
  if (network._tag !== "O1ConnectionError" || network.code !== undefined) return network
  const detail = cause instanceof Error ? `${cause.name}: ${cause.message}`.slice(0, 500) : "it gave no token"
  return new O1AuthError({ kind: "unauthorized", detail: `The credential failed: ${detail}` })
}

/**
 * Tokens of one credential and scope.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tokens {
  /** A token that is good now. */
  readonly get: Effect.Effect<string, O1Error>
  /** Forgets a token that was refused, so that the next `get` asks for another; nothing happens if it is replaced already. */
  readonly refused: (token: string) => void
}

/**
 * Keeps the token of a credential, and renews it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokens = (credential: TokenCredential, scope: string): Tokens => {
  const gate = Semaphore.makeUnsafe(1)
  let current: AccessToken | undefined = undefined
  let triedAt = -Infinity

  const usable = (now: number): AccessToken | undefined =>
    current !== undefined && now < current.expiresOnTimestamp - margin ? current : undefined

  const due = (token: AccessToken, now: number): boolean =>
    now >= (token.refreshAfterTimestamp ?? token.expiresOnTimestamp - refreshBefore) && now >= triedAt + refreshPause

  const ask = Effect.tryPromise({
    try: (abortSignal) => credential.getToken(scope, { abortSignal }),
    catch: failure
  }).pipe(
    Effect.flatMap((token) =>
      token === null ? Effect.fail(failure(undefined)) : Effect.sync(() => {
        current = token
        return token.token
      })
    )
  )

  // whoever waited for the gate finds the token that the one before got
  const renew = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const old = usable(now)
    if (old === undefined) return ask
    if (!due(old, now)) return Effect.succeed(old.token)
    triedAt = now
    return Effect.orElseSucceed(ask, () => old.token)
  })

  return {
    get: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const token = usable(now)
      if (token === undefined) return gate.withPermits(1)(renew)
      if (!due(token, now)) return Effect.succeed(token.token)
      // one renews it; the others have no reason to wait
      return Effect.map(gate.withPermitsIfAvailable(1)(renew), Option.getOrElse(() => token.token))
    }),
    refused: (token) => {
      if (current?.token === token) current = undefined
    }
  }
}
