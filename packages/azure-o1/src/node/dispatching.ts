/** Requests of this package on undici's dispatcher: no stream of Node's and no promise is between the socket and the reader. */
import type * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Scope from "effect/Scope"
import type { Direct } from "../transport/direct.ts"
import { Incoming, Response } from "./response.ts"

type Dispatcher = NodeHttpClient.Dispatcher["Service"]
type Options = Parameters<Dispatcher["dispatch"]>[0]

/** Sends, and resumes with the answer once its headers are here. */
const dispatch = (
  dispatcher: Dispatcher,
  request: HttpClientRequest.HttpClientRequest,
  options: Options,
  incoming: Incoming
): Effect.Effect<Response, HttpClientError.HttpClientError> =>
  Effect.callback((resume) => {
    let begun = false
    const failed = (cause: unknown): void => {
      const error = cause instanceof Error ? cause : new Error("The request could not be sent.", { cause })
      incoming.fail(error)
      if (begun) return
      resume(Effect.fail(
        new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause: error }) })
      ))
    }
    try {
      dispatcher.dispatch(options, {
        onRequestStart: (controller) => incoming.connected(controller),
        onResponseStart: (_, status, headers) => {
          // what is only informational is followed by the answer
          if (status < 200) return
          begun = true
          resume(Effect.succeed(new Response(request, status, Headers.fromInput(headers), incoming)))
        },
        onResponseData: (_, chunk) => incoming.add(chunk),
        onResponseEnd: () => incoming.end(),
        onResponseError: (_, error) => failed(error)
      })
    } catch (error) {
      failed(error)
    }
  })

/** The shorter way of a dispatcher. */
export const directly = (dispatcher: Dispatcher): Direct => {
  let last = { text: "", url: new URL("http://localhost") }
  return (request) =>
    Effect.suspend(() => {
      // the addresses of a deployment are few
      if (request.url !== last.text) last = { text: request.url, url: new URL(request.url) }
      const { body, headers, method } = request
      const { origin, pathname, search } = last.url
      const incoming = new Incoming()
      const options: Options = {
        method,
        origin,
        path: pathname + search,
        headers,
        body: body._tag === "Uint8Array" ? body.body : null,
        // the policy sets the limits
        headersTimeout: 0,
        bodyTimeout: 0
      }
      return Effect.andThen(
        Effect.flatMap(Scope.Scope, (scope) => Scope.addFinalizer(scope, Effect.sync(() => incoming.abort()))),
        dispatch(dispatcher, request, options, incoming)
      )
    })
}
