/**
 * The server's side of a deadline: does no work for a caller who no longer waits.
 *
 * **Details**
 *
 * The caller says how much time is left, in a header: `ResilientHttpClient` does with `sendDeadline`, gRPC clients do with
 * `grpc-timeout`. Time that is left needs no clocks that agree, where a point in time would. A request that comes too late is
 * answered at once; any other is handled under a `Deadline` that everything inside sees, so that a retry to the next service
 * gives up in time and a nested call passes on what is left. When the time is over the handler is interrupted.
 *
 * The answer has no `Retry-After`: nobody waits for it, and the next request has a time of its own. In a model of a server
 * that has fallen behind (Bronson et al., Metastable Failures, HotOS 2021), dropping such work is what lets it recover.
 *
 * **Gotchas**
 *
 * The time that a request waited before the middleware saw it is not known here. A body that is streamed after the
 * handler has returned its response is not interrupted; one that was given the handler's context still sees the deadline, and
 * needs `Deadline.without`.
 *
 * **Example** (A handler that knows how long it has)
 *
 * ```ts import.meta.vitest
 * import { Deadline } from "@effect-resilience/core"
 * import { DeadlineMiddleware } from "@effect-resilience/core/http"
 * import { Effect, Option } from "effect"
 * import { HttpEffect, HttpServerResponse } from "effect/http"
 *
 * const app = Effect.map(Deadline.remaining, (left) => HttpServerResponse.text(`bounded: ${Option.isSome(left)}`))
 * const handler = HttpEffect.toWebHandler(app, DeadlineMiddleware.make())
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
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { invalid, millisOf, positiveMillis } from "../internal/options.ts"
import { parse } from "../kernel/deadline.ts"
import { deadlineHeader } from "../kernel/http/headers.ts"
import * as Timeout from "../Timeout.ts"

/**
 * Where the time that is left is read, and what is answered when it is over.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The headers that may say how many milliseconds are left, of which the first one that can be read counts.
   *
   * @default ["x-deadline-ms", "grpc-timeout"]
   */
  readonly headers?: ReadonlyArray<string> | undefined
  /**
   * The longest that a caller is believed to wait, as in `Deadline.fromHeader`.
   *
   * @default "1 hour"
   */
  readonly maxRemaining?: Duration.Input | undefined
  /**
   * The status of the answer to a request whose time is over.
   *
   * @default 504
   */
  readonly status?: 503 | 504 | undefined
  /**
   * The least time that is worth starting with: a request with less is answered at once.
   *
   * @default 0
   */
  readonly minRemaining?: Duration.Input | undefined
}

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/**
 * Makes the middleware. A header that cannot be read is no deadline.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): <E, R>(app: App<E, R>) => App<E, R | HttpServerRequest> => {
  const where = "DeadlineMiddleware.make"
  const headers = (options.headers ?? [deadlineHeader, "grpc-timeout"]).map((header) => header.toLowerCase())
  const maxRemaining = positiveMillis(where, "maxRemaining", options.maxRemaining ?? "1 hour")
  const status = options.status ?? 504
  if (status !== 503 && status !== 504) throw invalid(where, "status", status, "503 or 504")
  const minRemaining = millisOf(options.minRemaining ?? 0)
  if (!(minRemaining >= 0 && minRemaining < Infinity)) {
    throw invalid(where, "minRemaining", options.minRemaining, "a finite duration >= 0")
  }
  const late = Effect.succeed(HttpServerResponse.empty({ status }))

  return (app) => {
    // a timeout of the handler's own stays the handler's: only what is not in this exit is ours
    const handled = Effect.exit(app)
    return Effect.flatMap(HttpServerRequest, (request) => {
      const remaining = headers
        .map((header) => request.headers[header])
        .map((value) => value === undefined ? undefined : parse(value, maxRemaining))
        .find((millis) => millis !== undefined)
      if (remaining === undefined) return app
      if (remaining <= 0 || remaining < minRemaining) return late
      return handled.pipe(
        Timeout.total(() => Duration.millis(remaining)),
        Effect.matchEffect({ onFailure: () => late, onSuccess: (exit) => exit })
      )
    })
  }
}
