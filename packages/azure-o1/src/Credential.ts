/**
 * Entra ID instead of a key: anything of the shape of `@azure/identity`'s `TokenCredential` will do.
 *
 * The client keeps a token until it is about to expire. The first call that finds it due has it renewed in the background, and goes on
 * with the old token, as all others do. While there is no token, all callers wait for one question to the credential, and share
 * its answer, a failure too. Everything that goes wrong here is an `O1AuthError` of kind `credential`: it says nothing of the
 * deployment, and counts neither for its circuit breaker nor for its cooldown. A token that the service refuses is renewed
 * once.
 *
 * **Example** (A client that lives with its scope)
 *
 * ```ts import.meta.vitest
 * import { type Credential, user } from "@effect-resilience/azure-o1"
 * import * as AzureO1Node from "@effect-resilience/azure-o1/node"
 * import { FakeAzure } from "@effect-resilience/azure-o1/testing"
 * import { Effect } from "effect"
 *
 * const program = (endpoint: string, credential: Credential.TokenCredential) =>
 *   Effect.gen(function*() {
 *     const o1 = yield* AzureO1Node.make({ endpoint, deployment: "o1", credential })
 *     const { text } = yield* o1.complete({ messages: [user("What is 6 x 7?")] })
 *     return text
 *   }).pipe(Effect.scoped)
 *
 * // with @azure/identity: new DefaultAzureCredential()
 * const credential = { getToken: () => Promise.resolve({ token: "good", expiresOnTimestamp: Infinity }) }
 * const test = Effect.flatMap(FakeAzure, ({ url }) => program(url, credential))
 * await Effect.runPromise(Effect.provide(test, FakeAzure.layer({ tokens: ["good"] }))) // => "Hello, world."
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { failure, read, silent, type Token } from "./credential/token.ts"
import type { O1AuthError } from "./O1Error.ts"

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

/** After a renewal that failed, or that brought nothing better, the next one is not tried before this. */
const pause = 30_000

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

const limitOf = ({ timeout = "30 seconds" }: TokensOptions): Duration.Duration => Duration.fromInputUnsafe(timeout)

/**
 * Tokens of one credential and scope.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tokens {
  /** A token that is good now. */
  readonly get: Effect.Effect<string, O1AuthError>
  /**
   * After a token that the service refused: another one that is worth a try, or `undefined` where the credential has none, or
   * has just been asked for one.
   */
  readonly another: (refused: string) => Effect.Effect<string | undefined, O1AuthError>
}

/** One question to the credential, and everybody who waits for the answer. */
interface Flight {
  readonly startedAt: number
  readonly answer: Deferred.Deferred<string, O1AuthError>
  readonly abort: AbortController
  waiting: number
}

/**
 * Keeps the token of a credential, and renews it. A question to the credential belongs to nobody: who asked first may leave, and
 * the others get the answer. Only when nobody waits any more and there is no token to go on with, it is aborted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tokens = (credential: TokenCredential, scope: string, options: TokensOptions = {}): Tokens => {
  const limit = limitOf(options)
  const longest = Duration.toMillis(limit)
  let current: Token | undefined = undefined
  let flight: Flight | undefined = undefined
  let pausedUntil = -Infinity
  let renewedUntil = -Infinity

  const known = (): ReadonlyArray<string> => current === undefined ? [] : [current.value]

  const settle = (self: Flight, outcome: Token | O1AuthError, fiber: Fiber.Fiber<unknown, unknown>): void => {
    // one that was given up has no say any more
    if (flight !== self) return
    flight = undefined
    if (!("value" in outcome)) {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      pausedUntil = now + pause
      if (current !== undefined && now < current.endsAt) tell(fiber, outcome)
      Deferred.doneUnsafe(self.answer, Exit.fail(outcome))
      return
    }
    current = outcome
    Deferred.doneUnsafe(self.answer, Exit.succeed(outcome.value))
  }

  const ask = (now: number, fiber: Fiber.Fiber<unknown, unknown>): Flight => {
    const self: Flight = {
      startedAt: now,
      answer: Deferred.makeUnsafe(),
      abort: new AbortController(),
      waiting: 0
    }
    flight = self
    const asked = async (): Promise<unknown> => credential.getToken(scope, { abortSignal: self.abort.signal })
    asked().then(
      (given) => settle(self, read(given), fiber),
      (cause: unknown) => settle(self, failure(cause, known()), fiber)
    )
    return self
  }

  const giveUp = (self: Flight, fiber: Fiber.Fiber<unknown, unknown>): void => {
    settle(self, silent(limit), fiber)
    self.abort.abort()
  }

  /** The question that is under way, or a new one; one that takes too long is given up. */
  const underWay = (now: number, fiber: Fiber.Fiber<unknown, unknown>): Flight => {
    if (flight !== undefined && now >= flight.startedAt + longest) giveUp(flight, fiber)
    return flight ?? ask(now, fiber)
  }

  const wait = (
    self: Flight,
    now: number,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<string, O1AuthError> => {
    self.waiting++
    return Deferred.await(self.answer).pipe(
      Effect.timeoutOrElse({
        duration: Duration.millis(self.startedAt + longest - now),
        orElse: () => {
          giveUp(self, fiber)
          return Deferred.await(self.answer)
        }
      }),
      Effect.onExit(() =>
        Effect.sync(() => {
          if (--self.waiting > 0 || flight !== self) return
          flight = undefined
          self.abort.abort()
        })
      )
    )
  }

  return {
    get: Effect.withFiber((fiber) => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      if (current === undefined || now >= current.endsAt) return wait(underWay(now, fiber), now, fiber)
      if (now >= current.renewAt && now >= pausedUntil) underWay(now, fiber)
      return Effect.succeed(current.value)
    }),
    another: (refused) =>
      Effect.withFiber((fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        if (current !== undefined && current.value !== refused && now < current.endsAt) {
          return Effect.succeed(current.value)
        }
        if (now < renewedUntil) return Effect.undefined
        return Effect.map(wait(underWay(now, fiber), now, fiber), (token) => {
          renewedUntil = now + pause
          return token === refused ? undefined : token
        })
      })
  }
}

/** A renewal in the background has no caller that would hear of its failure. */
const tell = (fiber: Fiber.Fiber<unknown, unknown>, { detail }: O1AuthError): void => {
  Effect.runForkWith(fiber.context)(
    Effect.logWarning(`A token could not be renewed; the old one is used while it is good. ${detail}`)
  )
}

const shared = new WeakMap<TokenCredential, Map<string, Tokens>>()

/** The tokens of a credential are the same for all of its deployments, and asked for once. */
export const sharedTokens = (credential: TokenCredential, scope: string, options: TokensOptions = {}): Tokens => {
  const ofCredential = shared.get(credential) ?? new Map<string, Tokens>()
  shared.set(credential, ofCredential)
  const key = `${Duration.toMillis(limitOf(options))} ${scope}`
  const found = ofCredential.get(key) ?? tokens(credential, scope, options)
  ofCredential.set(key, found)
  return found
}
