/**
 * State that many processes share in Redis: one rate limit for a fleet, and Effect's own shared circuit breaker as a policy.
 *
 * **Details**
 *
 * {@link rateLimiter} is a `RateLimiter` with its state in Redis. It decides what a limiter in one process would decide, from
 * all calls of all processes. Redis is a dependency like any other: if it does not answer within 50 milliseconds, the limiter
 * goes on by itself, with this process's share of the limit, until Redis answers again.
 *
 * {@link fromEffect} makes a policy of the `CircuitBreaker` of `effect/persistence`, whose state is in Redis too.
 *
 * This module may change in a minor version: it builds on unstable modules of Effect.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Breaker from "effect/persistence/CircuitBreaker"
import * as Redis from "effect/persistence/Redis"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Fault from "../Fault.ts"
import type { CircuitOpen } from "../internal/errors.ts"
import {
  callable,
  checkedOptions,
  duration,
  integer,
  invalid,
  oneOf,
  positiveMillis,
  showMillis,
  stringOption
} from "../internal/options.ts"
import { makeRateLimiter } from "../internal/rateLimiterMembers.ts"
import { settingsOf } from "../internal/rateLimiterOptions.ts"
import { Dimensions } from "../internal/rateLimiterRules.ts"
import { register } from "../internal/registry.ts"
import * as Policy from "../Policy.ts"
import type * as RateLimiter from "../RateLimiter.ts"
import { tellChanges, ThroughBreaker } from "./internal/fromEffect.ts"
import type { Mode } from "./internal/link.ts"
import { Member } from "./internal/member.ts"
import { reached } from "./internal/reached.ts"
import { Store } from "./internal/store.ts"

export type { Mode } from "./internal/link.ts"

/**
 * How a limit is shared, and how calls wait for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimiterOptions extends RateLimiter.Options {
  /** The name of the limit. All limiters of this name with the same store and `prefix` share one limit. */
  readonly name: string
  /**
   * How many processes share the limit, before the store has been asked: without a store this one takes 1/`processes` of
   * the limit. A store that has answered once has told the number.
   *
   * @default 1
   */
  readonly processes?: number | undefined
  /**
   * For so long a process may take permits ahead, and believe that there are none; at most 1 second. A few milliseconds turn thousands of round
   * trips a second into hundreds. In any span of a limit at most 5 % of it more may then go through, by all processes together.
   *
   * @default 0: every call asks
   */
  readonly ahead?: Duration.Input | undefined
  /**
   * How long an answer of the store may take.
   *
   * @default 50 milliseconds
   */
  readonly attempt?: Duration.Input | undefined
  /**
   * How a limit begins of which nobody knows: neither the store, which is young, nor a process that has lived through the loss of
   * its memory. `"empty"` counts all of it as used, for the store may have lost what it knew. A store is young until the longest
   * span of the limits has passed since it was first used. `"full"` is for a store that loses nothing.
   *
   * @default "empty"
   */
  readonly initial?: "empty" | "full" | undefined
  /**
   * What the keys in the store begin with.
   *
   * @default "effect-resilience"
   */
  readonly prefix?: string | undefined
}

/**
 * A rate limiter whose state is shared.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRateLimiter<D extends string = "calls"> extends RateLimiter.RateLimiter<D> {
  /** Whether the store is asked, or this process goes by its share; and how many processes share the limit. */
  readonly mode: Effect.Effect<Mode>
}

const where = "Shared.rateLimiter"

const nameOf = (name: unknown): string => {
  if (typeof name === "string" && name !== "") return name
  throw invalid(where, "name", name, "a string that is not empty: what has the same name shares a limit")
}

const aheadOf = (ahead: Duration.Input): number => {
  const millis = duration(where, "ahead", ahead)
  if (millis <= 1000) return millis
  throw invalid(where, "ahead", showMillis(millis), "a duration from 0 to 1 second")
}

const keysOf = (prefix: string, name: string, { names, rules }: Dimensions) => {
  const shape = names.map((dimension, i) => `${dimension}=${rules[i]!.kind}`)
  // the braces keep all keys of a prefix on one node of a cluster, as a script demands
  const key = `{${prefix}}:limiter:${name}`
  return { epoch: `{${prefix}}:epoch`, state: `${key}:${shape.join(",")}`, processes: `${key}:processes` }
}

/**
 * Makes a rate limiter whose state is in Redis. A bad option throws a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rateLimiter: {
  (
    options: RateLimiterOptions & { readonly limit: RateLimiter.Limit }
  ): Effect.Effect<SharedRateLimiter, never, Redis.Redis | Scope.Scope>
  <D extends string>(
    options: RateLimiterOptions & { readonly limits: { readonly [K in D]: RateLimiter.Limit } }
  ): Effect.Effect<SharedRateLimiter<D>, never, Redis.Redis | Scope.Scope>
} = (options: any): any => {
  const settings = settingsOf(where, options)
  const name = nameOf(settings.name)
  const dimensions = new Dimensions(settings.limits)
  const prefix = stringOption(where, "prefix", options.prefix) ?? "effect-resilience"
  const attempt = positiveMillis(where, "attempt", options.attempt ?? "50 millis")
  const member = {
    ...settings,
    name,
    ahead: aheadOf(options.ahead ?? 0),
    processes: integer(where, "processes", options.processes ?? 1, 1),
    empty: oneOf(where, "initial", options.initial ?? "empty", ["empty", "full"]) === "empty"
  }
  return Effect.gen(function*() {
    const redis = yield* Redis.Redis
    const id = (yield* Effect.all([Random.nextInt, Random.nextInt])).map((n) => Math.abs(n).toString(36)).join("-")
    const store = yield* Store.make(redis, {
      name: `${name} store`,
      attempt,
      keys: keysOf(prefix, name, dimensions)
    })
    const context = yield* Effect.context()
    const made = yield* Effect.acquireRelease(
      Effect.sync(() => new Member(context, store, id, member)),
      (made) => made.leave
    )
    yield* made.begin
    yield* Effect.withFiber((fiber) => {
      register(fiber, made.limiter, {
        kind: "rate-limiter",
        name,
        report: (limiter, fiber) => ({ ...limiter.stateOf(fiber), ...limiter.mode }),
        gauges: {
          "resilience.limiter.mode": {
            all: ["shared", "local"],
            count: (limiter, mode) => limiter.mode.mode === mode ? 1 : 0
          }
        }
      })
      return Effect.void
    })
    return Object.defineProperty(makeRateLimiter(made.limiter), "mode", { value: Effect.sync(() => made.limiter.mode) })
  })
}

/**
 * The Redis of a layer, for a program that also starts while its server is away. Clients like `NodeRedis.layer` fail if they
 * cannot connect when they are made. With this around it the layer is made in the background, and tried again every second; until it
 * is there each command fails at once, so that a limiter goes by its share, and a subscription waits. A program whose server is
 * there begins with it. A defect of the layer, such as an address that is none, is one of this layer too.
 *
 * **Example** (A program that starts without its Redis)
 *
 * ```ts
 * import { Shared } from "@effect-resilience/core/shared"
 * import { NodeRedis } from "@effect/platform-node"
 *
 * export const redis = Shared.layerRedis(NodeRedis.layer({ url: "redis://localhost:6379", disableOfflineQueue: true }))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedis: <E, R>(layer: Layer.Layer<Redis.Redis, E, R>) => Layer.Layer<Redis.Redis, never, R> = reached

/**
 * How Effect's circuit breaker is used.
 *
 * @category models
 * @since 0.1.0
 */
export interface BreakerOptions {
  /**
   * For errors, telemetry and {@link Policy.explain}.
   *
   * @default the key
   */
  readonly name?: string | undefined
  /**
   * What the outcome of a call means.
   *
   * @default Fault.of
   */
  readonly classify?: Fault.Classify<any> | undefined
}

/**
 * Effect's own circuit breaker, whose state may be in Redis, as a policy. What it does is Effect's: it opens after so many
 * failures in a row, or at a ratio of the last so many calls, and one probe at a time, from all processes, finds out whether the
 * callee works again. What a failure is, the errors and the events are those of this library. A stream's outcome is
 * that of its first element.
 *
 * If the breaker was made with `onStoreError: "fail"`, calls fail with its `CircuitBreakerError` while the store is away.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromEffect = (
  breaker: Breaker.CircuitBreaker,
  key: string,
  options: BreakerOptions = {}
): Effect.Effect<Policy.Policy<unknown, CircuitOpen | Breaker.CircuitBreakerError>, never, Scope.Scope> => {
  const where = "Shared.fromEffect"
  if (typeof key !== "string" || key === "") throw invalid(where, "key", key, "a string that is not empty")
  const { classify = Fault.of, name = key } = checkedOptions(where, options)
  callable(where, "classify", classify)
  const settings = { breaker, key, name, classify }
  const policy = Policy.make<unknown, CircuitOpen | Breaker.CircuitBreakerError>({
    info: { kind: "circuit-breaker", name, settings: { key, shared: true }, children: [] },
    effect: (self) => new ThroughBreaker(self, settings)
  })
  return Effect.as(tellChanges(settings), policy)
}
