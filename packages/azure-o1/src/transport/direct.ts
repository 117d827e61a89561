import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Scope from "effect/Scope"

/** Sends one request as it is, without spans and redirects. Closing the scope cancels what is left of it. */
export type Direct = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError, Scope.Scope>

/** Where an HTTP client has a shorter way for those who need nothing else of it. One that was wrapped has none. */
const key = Symbol.for("@effect-resilience/azure-o1/Direct")

export const directOf = (client: HttpClient.HttpClient): Direct | undefined =>
  (client as { readonly [key]?: Direct })[key]

/** The same client, which has a shorter way as well. */
export const withDirect = (client: HttpClient.HttpClient, direct: Direct): HttpClient.HttpClient =>
  Object.defineProperty(client, key, { value: direct })
