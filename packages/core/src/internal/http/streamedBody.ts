import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../../Fault.ts"
import { CurrentDeadline } from "../deadline.ts"
import { type AnyPull, type AnyStream, fromPull, open } from "../establish.ts"
import type { AnyEffect } from "../primitive.ts"
import { Call, originalOf, type Settings } from "./resilientHttpClient.ts"
import { bodyError, bytesOf, cancel, HeldResponse } from "./response.ts"

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse

/**
 * The policy's stream face around head and body: the head is the first element, so what a policy does about the
 * establishment of a stream ends with the head, and what it does about the rest is about the body.
 */
export const executeStream = (settings: Settings) => (request: Request): AnyEffect =>
  Effect.withFiber((fiber) => {
    const call = new Call(settings, request, fiber)
    const scope = Scope.forkUnsafe(Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope))
    const elements: AnyStream = Stream.unwrap(Effect.suspend(() => {
      const body = new Body()
      return Effect.map(
        call.attempt((response) => Effect.as(Effect.addFinalizer(() => body.release(response)), response)),
        (response) => Stream.concat(Stream.succeed(response), body.of(response))
      )
    }))
    const { policy, policyFor } = settings
    const guarded = policy.stream(policyFor === undefined ? elements : policyFor(request).stream(elements))
    const head = Effect.flatMap(open(guarded, scope), (pull) =>
      Effect.map(
        Pull.catchDone(pull, () => Effect.die("a policy has swallowed the head of a response")),
        ([head, ...rest]) => new HeldResponse(head, bodyAfter(head, rest, pull, scope, fiber.context))
      ))
    const closed = Effect.onExitPrimitive(head, (exit) => Exit.isSuccess(exit) ? undefined : Scope.close(scope, exit))
    return call.settle(closed, fiber)
  })

/** The body of one attempt. If nobody opened it by the time its scope closes, its connection is still to be given back. */
class Body {
  private opened = false

  of(response: Response): AnyStream {
    return Stream.suspend(() => {
      this.opened = true
      return bytesOf(response)
    })
  }

  release(response: Response): Effect.Effect<void> {
    return Effect.suspend(() => this.opened ? Effect.void : cancel(response))
  }
}

const isBytes = (element: unknown): element is Uint8Array => element instanceof Uint8Array

/** What follows the head, once. Its end closes the scope that holds whatever the policy holds for the call. */
const bodyAfter = (
  head: Response,
  rest: ReadonlyArray<unknown>,
  pull: AnyPull,
  scope: Scope.Closeable,
  context: Context.Context<never>
): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> => {
  let read = false
  const seen = (error: unknown): HttpClientError.HttpClientError => {
    const original = originalOf(error)
    return HttpClientError.isHttpClientError(original)
      ? original
      : bodyError(head, original, Fault.ofError(original), "the policy has ended it")
  }
  const known: AnyPull = Effect.catchCause(
    pull,
    (cause) => Effect.failCause(Pull.isDoneCause(cause) ? cause : Cause.map(cause, seen))
  )
  // who has waited for the head has enforced the deadline up to there; from now on it is that of whoever reads
  const opened = Context.omit(CurrentDeadline)(context)
  const inContext: AnyPull = Effect.updateContext(
    known,
    (current: Context.Context<any>): Context.Context<any> => Context.merge(opened, current)
  )
  // a policy that may start again after the head shows another one
  const next = (elements: ReadonlyArray<unknown>): AnyPull => {
    const [first, ...others] = elements.filter(isBytes)
    return first === undefined ? Effect.flatMap(inContext, next) : Effect.succeed([first, ...others])
  }
  const begin = next(rest)
  return fromPull((consumer) =>
    Effect.suspend(() => {
      if (read) return Effect.succeed(Effect.fail(bodyError(head, undefined, Fault.permanent, "body was read before")))
      read = true
      let pulled = false
      return Effect.as(
        Scope.addFinalizerExit(consumer, (exit) => Scope.close(scope, exit)),
        Effect.suspend(() => {
          if (pulled) return Effect.flatMap(inContext, next)
          pulled = true
          return begin
        })
      )
    })
  ) as Stream.Stream<Uint8Array, HttpClientError.HttpClientError> // a pull in the context that it was opened in
}
