/**
 * Answers how a program is doing, from the states of its policies in the `PolicyRegistry`: `up`, `degraded` or `down`, with reasons.
 *
 * **Example** (An open circuit)
 *
 * ```ts import.meta.vitest
 * import { CircuitBreaker, PolicyRegistry } from "@effect-resilience/core"
 * import { Health } from "@effect-resilience/core/http"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const payments = yield* CircuitBreaker.make({ name: "payments" })
 *   yield* payments.isolate
 *   const health = yield* Health.check()
 *   return yield* Effect.as(payments.close, health)
 * })
 *
 * const { reasons, status } = await Effect.runPromise(Effect.provide(program, PolicyRegistry.layer))
 * status // => "degraded"
 * reasons[0] // => { kind: "circuit-breaker", name: "payments", status: "down", reason: "isolated by hand", count: 1 }
 * ```
 *
 * **Details**
 *
 * | policy | degraded | down |
 * | --- | --- | --- |
 * | circuit breaker | half-open | open, isolated |
 * | balancer, pool | an endpoint rests | all endpoints have asked for a rest, or there is none |
 * | quota | calls wait for their turn | |
 * | rate limiter | a dimension is used up and calls wait; its store is away | |
 * | bulkhead, adaptive limit | all permits are taken, and the queue is full | |
 * | retry budget | used up | |
 * | one of your own | `status: "degraded"` in its state | `status: "down"` in its state; `reason` says why |
 *
 * The program is `down` if a critical policy is down, and `degraded` if any policy is not up. Critical are balancers and pools, which have
 * nothing else to ask, or those that `critical` names.
 *
 * The answer has no state, key, address or error in it: only kinds and names of policies, numbers and words of this library, and the `reason` of a
 * policy of your own. It costs one look at each named policy, and has at most one reason for each kind and name.
 *
 * **Gotchas**
 *
 * Do not restart a process for it: a liveness probe asks whether the process answers at all. As a readiness probe it takes a process out of service only
 * when it is `down`; where all processes share the cause, that takes all of them out.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { checkedOptions, invalid } from "../internal/options.ts"
import * as kernel from "../kernel/health.ts"
import { PolicyRegistry } from "../PolicyRegistry.ts"

/**
 * How a policy or a program is doing.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = kernel.Status

/**
 * Why a policy is not up.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = kernel.Reason

/**
 * How a program is doing, and why. Reasons that are `down` come first.
 *
 * @category models
 * @since 0.1.0
 */
export type Health = kernel.Health

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The names of the policies without which the program can do nothing: if one of them is down, the program is.
   *
   * @default every balancer and every pool
   */
  readonly critical?: ReadonlyArray<string> | undefined
}

const criticalOf = (where: string, options: Options): ((entry: kernel.Entry) => boolean) | undefined => {
  const { critical } = checkedOptions(where, options)
  if (critical === undefined) return undefined
  if (!Array.isArray(critical) || !critical.every((name) => typeof name === "string")) {
    throw invalid(where, "critical", critical, "an array of names of policies")
  }
  const names = new Set(critical)
  return ({ name }) => names.has(name)
}

const checkOf = (where: string, options: Options): Effect.Effect<Health, never, PolicyRegistry> => {
  const isCritical = criticalOf(where, options)
  return Effect.map(
    Effect.flatMap(PolicyRegistry, ({ snapshot }) => snapshot),
    (entries) => kernel.healthOf(entries, isCritical)
  )
}

/**
 * How the program is doing now.
 *
 * @category accessors
 * @since 0.1.0
 */
export const check = (options: Options = {}): Effect.Effect<Health, never, PolicyRegistry> =>
  checkOf("Health.check", options)

const responseOf = (where: string, options: Options) =>
  Effect.map(checkOf(where, options), (health) =>
    HttpServerResponse.jsonUnsafe(health, {
      status: health.status === "down" ? 503 : 200,
      headers: { "cache-control": "no-store" }
    }))

/**
 * The same as the answer to a request: 200, or 503 if the program is down, with the health as JSON.
 *
 * **Example** (The handler of a health endpoint)
 *
 * ```ts import.meta.vitest
 * import { Balancer, PolicyRegistry } from "@effect-resilience/core"
 * import { Health } from "@effect-resilience/core/http"
 * import { Effect } from "effect"
 * import { HttpEffect } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const hosts = yield* Balancer.make({ name: "hosts", endpoints: ["a.example", "b.example"] })
 *   const handler = HttpEffect.toWebHandler(Effect.provide(Health.response(), yield* Effect.context<PolicyRegistry.PolicyRegistry>()))
 *   const ask = Effect.promise(() => handler(new Request("http://service.test/health")))
 *   const statuses: Array<number> = []
 *   for (const host of ["a.example", "b.example"]) {
 *     yield* hosts.cool(host, "1 minute")
 *     statuses.push((yield* ask).status)
 *   }
 *   return statuses
 * })
 *
 * await Effect.runPromise(Effect.provide(program, PolicyRegistry.layer)) // => [200, 503]
 * ```
 *
 * @category http
 * @since 0.1.0
 */
export const response = (
  options: Options = {}
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, PolicyRegistry> => responseOf("Health.response", options)

/**
 * A route of it on an `HttpRouter`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = (
  options: Options & {
    /** @default "/health" */
    readonly path?: HttpRouter.PathInput | undefined
  } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | PolicyRegistry> => {
  const handler = responseOf("Health.layerHttp", options)
  const { path = "/health" } = options
  return Layer.effectDiscard(Effect.gen(function*() {
    const router = yield* HttpRouter.HttpRouter
    const registry = yield* PolicyRegistry
    yield* router.add("GET", path, Effect.provideService(handler, PolicyRegistry, registry))
  }))
}
