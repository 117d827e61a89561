/**
 * Makes any policy a middleware of an HTTP server.
 *
 * **Details**
 *
 * The middleware answers requests that the policy refuses or cuts off. A handler's own failures stay as they are.
 *
 * | the policy fails with | answer |
 * | --- | --- |
 * | `RateLimiterRejected` | 429, with `Retry-After` where the limiter knows a time |
 * | `BulkheadRejected`, `CircuitOpen`, any other error with the fault `Rejected` | 503, likewise |
 * | `TimeoutExceeded`, `DeadlineExceeded` | 504, without `Retry-After`: nobody waits for it |
 * | anything else | none: it is the failure of the app |
 *
 * The policy sees a handler's answer of 400 or more, and a failure that becomes one, as a {@link RequestFailed} with the fault
 * of its status; a failure that states its own fault keeps it.
 *
 * **The caller's deadline.** The caller says how much time is left, in a header: `ResilientHttpClient` does with
 * `sendDeadline`, gRPC clients do with `grpc-timeout`. Time that is left needs no clocks that agree, where a point in time
 * would. A request that comes too late is answered at once. Any other is handled under a `Deadline` that everything inside
 * sees: a retry to the next service gives up in time, and a nested call passes on what is left. When the time is over, the
 * handler is interrupted. In a model of a server that has fallen behind (Bronson et al., Metastable Failures, HotOS 2021),
 * dropping such work is what lets it recover. `ServerPolicy.make(Policy.identity)` does this and nothing else.
 *
 * **How much a request matters.** The caller says it in a header: `ResilientHttpClient` does with `sendCriticality`. Everything
 * inside carries it as its `Criticality`: a bulkhead or an adaptive limit serves requests that matter more first, and when its queue
 * is full, turns away those that matter less. A caller cannot raise itself above `maxCriticality`.
 *
 * **Bodies that are streams.** The policy's stream face is around the response: its head is the first element. A permit is
 * held until the last byte is sent, a total timeout or the deadline ends with it, and a caller that leaves early is no
 * failure. What the policy does about attempts ends with the head.
 *
 * **Gotchas**
 *
 * Put it around the app, or into the router as a middleware, as the examples do. As the `middleware` argument of
 * `HttpServer.serve` it is around the sending as well, so there an attempt ends with the last byte; as that of
 * `HttpEffect.toWebHandler` it ends with the head, and a permit is not held for a body.
 *
 * A caller that goes away leaves the queue of a bulkhead or a limiter, wherever the middleware stands. Whether it interrupts a handler
 * that has begun is Effect's decision: that of a route, unless the route is `uninterruptible`, and no other.
 *
 * `Retry` and `Hedge` run the handler again, whatever its method is: they belong to the client's side. The time that a request
 * waited before the middleware saw it is not known here.
 *
 * **Example** (At most one request at a time)
 *
 * ```ts import.meta.vitest
 * import { Bulkhead } from "@effect-resilience/core"
 * import { ServerPolicy } from "@effect-resilience/core/http"
 * import { Effect } from "effect"
 * import { HttpEffect, HttpServerResponse } from "effect/http"
 *
 * const slow = Effect.delay(Effect.succeed(HttpServerResponse.text("done")), "20 millis")
 * const app = slow.pipe(ServerPolicy.make(Bulkhead.makeUnsafe({ concurrency: 1 })))
 * const handler = HttpEffect.toWebHandler(app)
 *
 * const ask = () => handler(new Request("http://service.test/")).then(({ status }) => status)
 * await Promise.all([ask(), ask()]) // => [200, 503]
 * ```
 *
 * **Example** (A handler that knows how long it has)
 *
 * ```ts import.meta.vitest
 * import { Deadline, Policy } from "@effect-resilience/core"
 * import { ServerPolicy } from "@effect-resilience/core/http"
 * import { Effect, Option } from "effect"
 * import { HttpEffect, HttpServerResponse } from "effect/http"
 *
 * const app = Effect.map(Deadline.remaining, (left) => HttpServerResponse.text(`bounded: ${Option.isSome(left)}`))
 * const handler = HttpEffect.toWebHandler(app.pipe(ServerPolicy.make(Policy.identity)))
 * const ask = (headers: Record<string, string>) => handler(new Request("http://service.test/", { headers }))
 *
 * await ask({}).then((response) => response.text()) // => "bounded: false"
 * await ask({ "x-deadline-ms": "2000" }).then((response) => response.text()) // => "bounded: true"
 * await ask({ "grpc-timeout": "0m" }).then((response) => response.status) // => 504
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { BulkheadRejected } from "../Bulkhead.ts"
import type { CircuitOpen } from "../CircuitBreaker.ts"
import type { Criticality } from "../Criticality.ts"
import * as Deadline from "../Deadline.ts"
import type * as Fault from "../Fault.ts"
import { policyArgument } from "../internal/http/resilientHttpClient.ts"
import * as internal from "../internal/http/serverPolicy.ts"
import { callable, checkedOptions, invalid, millisOf, oneOf, positiveMillis } from "../internal/options.ts"
import { criticalities, usual } from "../kernel/criticality.ts"
import { criticalityHeader, deadlineHeader, isHeaderName } from "../kernel/http/headers.ts"
import type * as Policy from "../Policy.ts"
import type { RateLimiterRejected } from "../RateLimiter.ts"
import type { TimeoutExceeded } from "../Timeout.ts"

/**
 * What a policy sees of a handler that has failed, or has answered with a failure. The caller gets the handler's own answer.
 *
 * @category errors
 * @since 0.1.0
 */
export interface RequestFailed extends Error, Fault.Classified {
  readonly _tag: "RequestFailed"
  /** The status of the answer. */
  readonly status: number
}

/**
 * Whether something is a {@link RequestFailed}.
 *
 * @category guards
 * @since 0.1.0
 */
export const isRequestFailed = (u: unknown): u is RequestFailed => u instanceof internal.RequestFailed

/**
 * The errors of a policy that the middleware answers.
 *
 * @category errors
 * @since 0.1.0
 */
export type Answered =
  | BulkheadRejected
  | CircuitOpen
  | Deadline.DeadlineExceeded
  | RateLimiterRejected
  | TimeoutExceeded

/**
 * Where the time that is left is read, and what is answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * What the policy covers besides the head: `"stream"` is a body that is a stream, to its last byte; `"headers"` nothing,
   * which costs less.
   *
   * @default "stream"
   */
  readonly body?: "stream" | "headers" | undefined
  /**
   * The headers that may say how many milliseconds are left, of which the first one that can be read counts. None takes no
   * deadline from anybody.
   *
   * @default ["x-deadline-ms", "grpc-timeout"]
   */
  readonly deadlineHeaders?: ReadonlyArray<string> | undefined
  /**
   * The headers that may say how much the request matters, of which the first one that can be read counts: its `Criticality`,
   * which everything inside carries along. None takes no word from anybody.
   *
   * @default ["x-criticality"]
   */
  readonly criticalityHeaders?: ReadonlyArray<string> | undefined
  /**
   * A request that says it matters more counts as this. One that says nothing is `critical`, if that is not more. A function tells
   * callers apart; what it throws is a defect of the request.
   *
   * @default "critical"
   */
  readonly maxCriticality?: Criticality | ((request: HttpServerRequest) => Criticality) | undefined
  /**
   * A caller with more time left counts as this, as in `Deadline.fromHeader`.
   *
   * @default "1 hour"
   */
  readonly maxRemaining?: Duration.Input | undefined
  /**
   * The least time that is worth starting with: a request with less is answered at once.
   *
   * @default 0
   */
  readonly minRemaining?: Duration.Input | undefined
  /**
   * The status of the answer to a request whose time is over.
   *
   * @default 504
   */
  readonly lateStatus?: 503 | 504 | undefined
  /**
   * The status of the answer to a request that the policy has rejected.
   *
   * @default 429 for a rate limiter, 503 for any other policy
   */
  readonly rejectedStatus?: 429 | 503 | undefined
  /**
   * The answers that the policy sees as failures.
   *
   * @default a status of 400 or more
   */
  readonly isFailure?: ((response: HttpServerResponse) => boolean) | undefined
}

/**
 * A policy that depends on the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyFor<out EFor = unknown, out RFor = unknown> {
  /**
   * The policy of this request, inside of the one for all requests: a limiter for each API key, say. A policy that is made anew for
   * every request remembers nothing: take one out of a `Keyed`, which is bounded by `maxInstances`. What it throws is a defect
   * of the request.
   *
   * @default none
   */
  readonly policyFor?: ((request: HttpServerRequest) => Policy.Policy<RequestFailed, EFor, RFor>) | undefined
}

const where = "ServerPolicy.make"

const headersOf = (option: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (Array.isArray(names) && names.every(isHeaderName)) return names.map((name) => name.toLowerCase())
  throw invalid(where, option, names, "an array of names of headers")
}

const mostOf = (most: Options["maxCriticality"] = usual): NonNullable<Options["maxCriticality"]> =>
  typeof most === "function" ? most : oneOf(where, "maxCriticality", most, criticalities)

const failed = ({ status }: HttpServerResponse): boolean => status >= 400

/**
 * Makes the middleware: of `HttpRouter`, or of any app. A header that cannot be read is no deadline. A bad option throws a
 * `RangeError`.
 *
 * **Example** (In a router, a rate for each caller)
 *
 * ```ts import.meta.vitest
 * import { Keyed, Policy, RateLimiter } from "@effect-resilience/core"
 * import { ServerPolicy } from "@effect-resilience/core/http"
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
 *
 * const limiters = Keyed.makeUnsafe({
 *   lookup: (caller: string) => RateLimiter.makeUnsafe({ name: caller, limit: RateLimiter.fixedWindow({ limit: 1, within: "1 hour" }) })
 * })
 * const limited = ServerPolicy.make(Policy.identity, {
 *   policyFor: (request) => limiters.for(request.headers["x-api-key"] ?? "")
 * })
 * const app = Layer.mergeAll(
 *   HttpRouter.add("GET", "/stock", HttpServerResponse.text("42")),
 *   HttpRouter.middleware(limited, { global: true })
 * )
 * const { dispose, handler } = HttpRouter.toWebHandler(app.pipe(Layer.provide(HttpServer.layerServices)), {
 *   disableLogger: true
 * })
 *
 * const ask = (key: string) =>
 *   handler(new Request("http://service.test/stock", { headers: { "x-api-key": key } })).then(({ headers, status }) => [
 *     status,
 *     headers.get("retry-after")
 *   ])
 * await ask("a") // => [200, null]
 * await ask("a") // => [429, "3600"]
 * await ask("b") // => [200, null]
 * await dispose()
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <EOut, RP, EFor = never, RFor = never>(
  policy: Policy.Policy<RequestFailed | NoInfer<EFor>, EOut, RP>,
  options: Options & PolicyFor<EFor, RFor> = {}
): <E, R>(
  app: Effect.Effect<HttpServerResponse, E, R>
) => Effect.Effect<
  HttpServerResponse,
  E | Exclude<EOut | EFor, Answered>,
  R | RP | RFor | HttpServerRequest | Scope.Scope
> => {
  const { minRemaining = 0 } = checkedOptions(where, options)
  const least = millisOf(minRemaining)
  if (!(least >= 0 && least < Infinity)) throw invalid(where, "minRemaining", minRemaining, "a finite duration >= 0")
  return internal.serve({
    policy: policyArgument(where, policy),
    policyFor: callable(where, "policyFor", options.policyFor),
    within: (millis) => Deadline.within(Duration.millis(millis)),
    body: oneOf(where, "body", options.body ?? "stream", ["stream", "headers"]),
    deadlineHeaders: headersOf("deadlineHeaders", options.deadlineHeaders ?? [deadlineHeader, "grpc-timeout"]),
    criticalityHeaders: headersOf("criticalityHeaders", options.criticalityHeaders ?? [criticalityHeader]),
    maxCriticality: mostOf(options.maxCriticality),
    maxRemaining: positiveMillis(where, "maxRemaining", options.maxRemaining ?? "1 hour"),
    minRemaining: least,
    lateStatus: oneOf(where, "lateStatus", options.lateStatus ?? 504, [503, 504]),
    rejectedStatus: options.rejectedStatus === undefined
      ? undefined
      : oneOf(where, "rejectedStatus", options.rejectedStatus, [429, 503]),
    isFailure: callable(where, "isFailure", options.isFailure) ?? failed
  })
}
