import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fault from "../../Fault.ts"
import type { AnyStream } from "../establish.ts"
import type { AnyEffect } from "../primitive.ts"
import { bodyOf, type Opened, openMessage } from "./message.ts"
import { afterDeadline, Call, originalOf, type Settings } from "./resilientHttpClient.ts"
import { bodyError, bytesOf, cancel, HeldResponse } from "./response.ts"

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse

/** The policy's stream face around head and body. */
export const executeStream = (settings: Settings) => (request: Request): AnyEffect =>
  Effect.withFiber((fiber) => {
    const call = new Call(settings, request, fiber)
    const scope = Scope.forkUnsafe(Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope))
    const elements: AnyStream = Stream.unwrap(Effect.suspend(() => {
      const body = new Body()
      return Effect.map(
        call.attempt((response, deadline) => {
          body.deadline = deadline
          return Effect.as(Effect.addFinalizer(() => body.release(response)), response)
        }),
        (response) => Stream.concat(Stream.succeed(response), body.of(response))
      )
    }))
    const { policy, policyFor } = settings
    const guarded = policy.stream(policyFor === undefined ? elements : policyFor(request).stream(elements))
    const answered = openMessage<Response>(guarded, scope, (opened) => {
      const { head } = opened
      const twice = () => bodyError(head, undefined, Fault.permanent, "body was read before")
      return Effect.succeed(
        new HeldResponse(head, bodyOf<HttpClientError.HttpClientError>(known(opened), scope, fiber.context, twice))
      )
    })
    return call.settle(answered, fiber)
  })

/** The body of one attempt. If nobody opened it by the time its scope closes, its connection is still to be given back. */
class Body {
  deadline = Infinity
  private opened = false

  of(response: Response): AnyStream {
    return Stream.suspend(() => {
      this.opened = true
      const { deadline } = this
      const bytes = bytesOf(response)
      return deadline === Infinity
        ? bytes
        : Stream.catch(bytes, (error) => Stream.fromEffect(afterDeadline(error, deadline)))
    })
  }

  release(response: Response): Effect.Effect<void> {
    return Effect.suspend(() => this.opened ? Effect.void : cancel(response))
  }
}

/** The type of a body knows one error: any other is its cause. */
const known = (opened: Opened<Response>): Opened<Response> => {
  const seen = (error: unknown): HttpClientError.HttpClientError => {
    const original = originalOf(error)
    return HttpClientError.isHttpClientError(original)
      ? original
      : bodyError(opened.head, original, Fault.ofError(original), "the policy has ended it")
  }
  const pull = Effect.catchCause(
    opened.pull,
    (cause) => Effect.failCause(Pull.isDoneCause(cause) ? cause : Cause.map(cause, seen))
  )
  return { ...opened, pull }
}
