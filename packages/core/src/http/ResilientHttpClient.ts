/**
 * Puts any policy around any `HttpClient`.
 *
 * **Details**
 *
 * The policy sees what HTTP hides from it: a status of 400 or more is a failure with its fault and its `Retry-After`, in
 * seconds, as a date, or as `retry-after-ms` and `x-ms-retry-after-ms`. After the last attempt the caller gets the response
 * as it is, as from any `HttpClient`; `failOnStatus` makes it an error.
 *
 * - `body: "buffer"` (the default): an attempt ends with the last byte of the body, so a retry covers a body that breaks, and
 *   a timeout one that stalls. A body of more than `maxBytes` is a permanent failure.
 * - `body: "stream"`: the policy's stream face is around head and body, the head its first element. Attempts end with the head;
 *   idle and total timeouts, the outcome that a circuit breaker records and the permit of a bulkhead are about the whole. It
 *   needs a `Scope`, which bounds the life of the response; a timeout around the request alone ends with the head. What the
 *   policy adds to the body is the `cause` of an `HttpClientError`, the only error that the type of a body has.
 * - `body: "headers"`: the policy ends with the head, and the body is the caller's.
 *
 * A request is sent again only if that is safe: its method is idempotent (RFC 9110 section 9.2.2), it has an
 * `Idempotency-Key`, `repeat` allows it, or nothing was sent because there was no connection. A request whose body is a
 * stream is sent once. The failure of a request that must not be sent again still counts for a circuit breaker; `Retry` gives
 * up at once and `Hedge` begins no second attempt. A policy of your own that asks for another attempt anyway gets a
 * `Rejected` failure, and the caller gets the failure before it.
 *
 * When an attempt is lost or interrupted, the client closes what the attempt opened. It reads the body of a failure, so that
 * the body holds no connection while a policy waits.
 *
 * **Gotchas**
 *
 * `fetch` follows redirects itself, so a refused connection may be the last hop's. If such a request must not be repeated,
 * let it fail on redirects.
 *
 * What this adds to `HttpClient.retryTransient` and `withCircuitBreaker`: any policy, the body, methods, a bound for
 * `Retry-After`, one count of attempts for statuses and errors.
 *
 * **Example** (Three answers, of which the last is good)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { ResilientHttpClient } from "@effect-resilience/core/http"
 * import { Effect, Schedule } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * const statuses = [503, 429, 200]
 * const service = HttpClient.make((request) =>
 *   Effect.sync(() => HttpClientResponse.fromWeb(request, new Response("hello", { status: statuses.shift()! })))
 * )
 *
 * const client = ResilientHttpClient.make(service, Retry.make({ schedule: Schedule.recurs(3) }))
 *
 * const text = client.get("http://service.test/").pipe(Effect.flatMap((response) => response.text))
 * await Effect.runPromise(text) // => "hello"
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Scope from "effect/Scope"
import { execute, policyArgument } from "../internal/http/resilientHttpClient.ts"
import { isFailed } from "../internal/http/response.ts"
import { executeStream } from "../internal/http/streamedBody.ts"
import { booleanOption, callable, checkedOptions, integer, invalid, oneOf } from "../internal/options.ts"
import { attemptHeader, criticalityHeader, deadlineHeader, isHeaderName } from "../kernel/http/headers.ts"
import type * as Policy from "../Policy.ts"

/**
 * What a policy sees of a response, and what may be sent again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * What the policy covers besides the head.
   *
   * @default "buffer"
   */
  readonly body?: "buffer" | "stream" | "headers" | undefined
  /**
   * The most bytes of a body that are held in memory: of any body with `"buffer"`, else of the body of a failure.
   *
   * @default 16 MiB (16_777_216)
   */
  readonly maxBytes?: number | undefined
  /**
   * The responses that the policy sees as failures.
   *
   * @default a status of 400 or more, or a `grpc-status` header other than 0
   */
  readonly isFailure?: ((response: HttpClientResponse.HttpClientResponse) => boolean) | undefined
  /**
   * Fails with a `StatusCodeError` when the last attempt's response is a failure, instead of giving it back.
   *
   * @default false
   */
  readonly failOnStatus?: boolean | undefined
  /**
   * Requests that may be sent again although their method is not idempotent and they have no `Idempotency-Key`.
   *
   * @default none
   */
  readonly repeat?: ((request: HttpClientRequest.HttpClientRequest) => boolean) | undefined
  /**
   * Sends the time left until the ambient `Deadline` with every attempt, in milliseconds: `true` as `x-deadline-ms`, or the
   * name of another header; `grpc-timeout` is written as gRPC reads it. One that the request has already is left as it is.
   *
   * When this time is over, a 504, a `DEADLINE_EXCEEDED`, a 503 without `Retry-After` or a connection that is cut is the
   * service's way of saying so: the caller gets the `TimeoutExceeded` or `DeadlineExceeded` of the policy that enforces the deadline.
   *
   * @default false
   */
  readonly sendDeadline?: boolean | string | undefined
  /**
   * Sends the number of the attempt with every attempt, counted from 1, retries and hedges in the order in which they begin:
   * `true` as `x-attempt-count`, or the name of another header (Envoy's is `x-envoy-attempt-count`).
   * `grpc-previous-rpc-attempts` counts the attempts before and is left out of the first, as gRFC A6 has it. One that the
   * request has already is left as it is.
   *
   * @default false
   */
  readonly sendAttempt?: boolean | string | undefined
  /**
   * Sends how much the call matters, its `Criticality`, with every attempt: `true` as `x-criticality`, or the name of another
   * header. One that the request has already is left as it is.
   *
   * @default false
   */
  readonly sendCriticality?: boolean | string | undefined
}

/**
 * A policy that depends on the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyFor<in E = never, out EFor = unknown, out RFor = unknown> {
  /**
   * The policy of this request, inside of the one for all requests: asked for once per request, so that `Retry` around it
   * repeats it. A policy that is made anew for every request remembers nothing: take one out of a `Keyed`, which is bounded by
   * `maxInstances`, by {@link hostOf} or another key. What it throws is a defect of the request.
   *
   * @default none
   */
  readonly policyFor?:
    | ((request: HttpClientRequest.HttpClientRequest) => Policy.Policy<E | HttpClientError.HttpClientError, EFor, RFor>)
    | undefined
}

const where = "ResilientHttpClient.make"

const headerOf = (option: string, value: boolean | string | undefined, usual: string): string | undefined => {
  if (value === undefined || value === false) return undefined
  if (value === true) return usual
  if (isHeaderName(value)) return value.toLowerCase()
  throw invalid(where, option, value, "a boolean or the name of a header")
}

const nothing = (): boolean => false

/**
 * The host that a request is for, with its port if that is not the usual one: the key of a policy per host. A URL that has
 * none gives `""`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const hostOf = (request: HttpClientRequest.HttpClientRequest): string => {
  const url = URL.parse(request.url)
  return url === null ? "" : url.host
}

/**
 * Makes a client whose every request goes through the policy. What it costs where nothing fails is the policy and, with
 * `"buffer"`, one copy of the body.
 *
 * **Example** (A payment is sent once, unless it has a key)
 *
 * ```ts import.meta.vitest
 * import { Retry } from "@effect-resilience/core"
 * import { ResilientHttpClient } from "@effect-resilience/core/http"
 * import { Effect, Schedule } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * let requests = 0
 * const service = HttpClient.make((request) =>
 *   Effect.sync(() => {
 *     requests++
 *     return HttpClientResponse.fromWeb(request, new Response(null, { status: 503 }))
 *   })
 * )
 * const client = ResilientHttpClient.make(service, Retry.make({ schedule: Schedule.recurs(3) }))
 *
 * const response = await Effect.runPromise(client.post("http://service.test/payments"))
 * response.status // => 503
 * requests // => 1
 *
 * await Effect.runPromise(client.post("http://service.test/payments", { headers: { "idempotency-key": "7f3a" } }))
 * requests // => 5
 * ```
 *
 * **Example** (A circuit breaker per host, inside of one retry for all of them)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, Keyed, Retry } from "@effect-resilience/core"
 * import { ResilientHttpClient } from "@effect-resilience/core/http"
 * import { Effect, Schedule } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * const service = HttpClient.make((request) =>
 *   Effect.sync(() => {
 *     const status = request.url.startsWith("http://bad.test/") ? 503 : 200
 *     return HttpClientResponse.fromWeb(request, new Response(null, { status }))
 *   })
 * )
 * const breakers = Keyed.makeUnsafe({
 *   lookup: (host: string) => CircuitBreaker.makeUnsafe({ name: host, trip: CircuitBreaker.consecutive(2) })
 * })
 * const client = ResilientHttpClient.make(service, Retry.make({ schedule: Schedule.recurs(3) }), {
 *   policyFor: (request) => breakers.for(ResilientHttpClient.hostOf(request))
 * })
 *
 * const failed = await Effect.runPromise(Effect.flip(client.get("http://bad.test/")))
 * failed._tag // => "CircuitOpen"
 * await Effect.runPromise(client.get("http://good.test/")).then(({ status }) => status) // => 200
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <E, R, EOut, RP, EFor = never, RFor = never>(
    client: HttpClient.HttpClient.With<E, R>,
    policy: Policy.Policy<E | NoInfer<EFor> | HttpClientError.HttpClientError, EOut, RP>,
    options: Options & PolicyFor<E, EFor, RFor> & { readonly body: "stream" }
  ): HttpClient.HttpClient.With<E | EFor | EOut | HttpClientError.HttpClientError, R | RP | RFor | Scope.Scope>
  <E, R, EOut, RP, EFor = never, RFor = never>(
    client: HttpClient.HttpClient.With<E, R>,
    policy: Policy.Policy<E | NoInfer<EFor> | HttpClientError.HttpClientError, EOut, RP>,
    options?: Options & PolicyFor<E, EFor, RFor> & { readonly body?: "buffer" | "headers" | undefined }
  ): HttpClient.HttpClient.With<E | EFor | EOut | HttpClientError.HttpClientError, R | RP | RFor>
} = (
  client: HttpClient.HttpClient.With<any, any>,
  policy: Policy.Policy<any, any, any>,
  options?: Options & PolicyFor<any, any, any>
): HttpClient.HttpClient.With<any, any> => {
  if (options !== undefined) checkedOptions(where, options)
  const body = oneOf(where, "body", options?.body ?? "buffer", ["buffer", "stream", "headers"])
  const run = (body === "stream" ? executeStream : execute)({
    client,
    policy: policyArgument(where, policy),
    policyFor: callable(where, "policyFor", options?.policyFor),
    body,
    maxBytes: integer(where, "maxBytes", options?.maxBytes ?? 16 * 1024 * 1024, 0),
    isFailure: callable(where, "isFailure", options?.isFailure) ?? isFailed,
    failOnStatus: booleanOption(where, "failOnStatus", options?.failOnStatus) ?? false,
    repeat: callable(where, "repeat", options?.repeat) ?? nothing,
    deadlineHeader: headerOf("sendDeadline", options?.sendDeadline, deadlineHeader),
    attemptHeader: headerOf("sendAttempt", options?.sendAttempt, attemptHeader),
    criticalityHeader: headerOf("sendCriticality", options?.sendCriticality, criticalityHeader)
  })
  return HttpClient.makeWith(Effect.flatMap(run), client.preprocess)
}
