import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constFalse } from "effect/Function"
import type { O1AuthError } from "../O1Error.ts"
import type { TokenCredential, Tokens, TokensOptions } from "./model.ts"
import { failure, read, silent, type Token } from "./token.ts"

/** After a renewal that failed, or that brought nothing better, the next one is not tried before this. */
const pause = 30_000

const limitOf = ({ timeout = "30 seconds" }: TokensOptions): Duration.Duration => Duration.fromInputUnsafe(timeout)

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
  /** The last question was given up, so that nobody waits for the next one as long. */
  let isQuiet = false
  let pausedUntil = -Infinity
  let renewedUntil = -Infinity

  const known = (): ReadonlyArray<string> => current === undefined ? [] : [current.value]

  const settle = (self: Flight, outcome: Token | O1AuthError, fiber: Fiber.Fiber<unknown, unknown>): void => {
    // one that was given up has no say any more
    if (flight !== self) return
    flight = undefined
    isQuiet = false
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
    isQuiet = true
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
    fiber: Fiber.Fiber<unknown, unknown>,
    isCut: () => boolean
  ): Effect.Effect<string, O1AuthError> => {
    const left = self.startedAt + longest - now
    const patience = isQuiet ? longest / 10 : longest
    const goesOn = isQuiet
    self.waiting++
    return Deferred.await(self.answer).pipe(
      Effect.timeoutOrElse({
        duration: Duration.millis(Math.min(left, patience)),
        orElse: () => {
          if (left > patience) return Effect.fail(silent(Duration.millis(patience)))
          giveUp(self, fiber)
          return Deferred.await(self.answer)
        }
      }),
      Effect.onExit(() =>
        Effect.sync(() => {
          if (--self.waiting > 0 || flight !== self || goesOn || isCut()) return
          flight = undefined
          self.abort.abort()
        })
      )
    )
  }

  return {
    get: (isCut = constFalse) =>
      Effect.withFiber((fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        if (current === undefined || now >= current.endsAt) return wait(underWay(now, fiber), now, fiber, isCut)
        if (now >= current.renewAt && now >= pausedUntil) underWay(now, fiber)
        return Effect.succeed(current.value)
      }),
    another: (refused, isCut = constFalse) =>
      Effect.withFiber((fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        if (current !== undefined && current.value !== refused && now < current.endsAt) {
          return Effect.succeed(current.value)
        }
        if (now < renewedUntil) return Effect.undefined
        return Effect.map(wait(underWay(now, fiber), now, fiber, isCut), (token) => {
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
