/**
 * Keeps the calls of a program within the quota of its deployments: a call waits for its turn, where the service would refuse it.
 *
 * Azure charges a request when it admits it: one request, and as many tokens as it estimates for the prompt, plus the largest output
 * that the request allows. The quota counts in the same way, so that a 429 is the exception. It learns the limits, and what others
 * use of them, from the `x-ratelimit-*` headers.
 *
 * **Details**
 *
 * It stands around each attempt: the wait counts for the `total` of a call, and not for the limit of its attempt. A stream tells of
 * the wait with `Waiting { phase: "quota" }`. A request that is larger than the minute fails at once, and so does one for which the
 * hour has no tokens left.
 *
 * Calls wait in one queue per caller ({@link O1Quota.as}); each caller gets a share of the quota by its weight (start-time fair
 * queueing, Goyal, Vin and Cheng 1996, over the limit that a call takes most of).
 *
 * **Example** (A request that could never be admitted)
 *
 * ```ts import.meta.vitest
 * import { AzureO1, O1Error, O1Transport, user } from "@effect-resilience/azure-o1"
 * import { O1Quota } from "@effect-resilience/azure-o1/quota"
 * import { AzureO1Test } from "@effect-resilience/azure-o1/testing"
 * import { Effect, Layer } from "effect"
 *
 * const wire = AzureO1Test.transport([AzureO1Test.answer("42")])
 * const layer = AzureO1.layerServices.pipe(
 *   Layer.provideMerge(O1Quota.layer({ tokensPerMinute: 60_000 })),
 *   Layer.provide(Layer.succeed(O1Transport, wire))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const o1 = yield* AzureO1
 *   const ask = (maxCompletionTokens: number) => o1.complete({ messages: [user("Why?")], maxCompletionTokens })
 *   const { text } = yield* ask(10_000)
 *   const error = yield* Effect.flip(ask(90_000))
 *   const { spent } = yield* (yield* O1Quota).state
 *   return [text, O1Error.label(error), spent, (yield* wire.calls).length]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, layer)) // => ["42", "O1RateLimitError/request-exceeds-limit", 30, 1]
 * ```
 *
 * @since 0.1.0
 */
import * as Policy from "@effect-resilience/core/Policy"
import * as PolicyRegistry from "@effect-resilience/core/PolicyRegistry"
import * as RateLimiter from "@effect-resilience/core/RateLimiter"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { O1Policy, type O1PolicySettings } from "../O1Policy.ts"
import type { O1Request } from "../O1Request.ts"
import { costOf, estimateByCharacters } from "./cost.ts"
import { Deployment } from "./deployment.ts"
import { measure, measureHour } from "./gauges.ts"
import { Hour, hourLimit, hourName } from "./hour.ts"
import { metered } from "./metered.ts"
import { bad, ceilingOf, durationOf, integerOf, limitsIn, weightOf } from "./options.ts"
import { hourReportOf, reportOf } from "./report.ts"

/**
 * The limits of a deployment. The quota learns a limit that is left out from the first answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface QuotaLimits {
  /** An integer, at least 1. */
  readonly requestsPerMinute?: number | undefined
  /** An integer, at least 1. */
  readonly tokensPerMinute?: number | undefined
}

/**
 * Makes the limiter of a deployment, by its name, or the one of the hour, whose name is {@link O1Quota.hour}. `limits` are what the
 * limiter is to keep to.
 *
 * @category models
 * @since 0.1.0
 */
export type MakeLimiter<R = never> = <D extends string>(
  name: string,
  limits: { readonly [K in D]: RateLimiter.Limit }
) => Effect.Effect<RateLimiter.RateLimiter<D>, never, R>

/**
 * @category models
 * @since 0.1.0
 */
export interface QuotaOptions<R = never> extends QuotaLimits {
  /** Limits of deployments by name, instead of those for all. */
  readonly deployments?: { readonly [name: string]: QuotaLimits } | undefined
  /**
   * The most tokens that all deployments together may take in an hour, by their true usage. An integer, at least 1.
   *
   * @default no ceiling
   */
  readonly tokensPerHour?: number | undefined
  /**
   * How long a call may wait for its turn.
   *
   * @default until its deadline
   */
  readonly maxWait?: Duration.Input | undefined
  /**
   * How many calls may wait for one deployment.
   *
   * @default 1000
   */
  readonly maxQueue?: number | undefined
  /**
   * The output that is charged for a request without `maxCompletionTokens`.
   *
   * @default 0: the service does not say what it charges
   */
  readonly outputTokens?: number | undefined
  /**
   * The tokens of a prompt, as the service estimates them.
   *
   * @default a token for four characters, and the usual price of pictures and files
   */
  readonly estimate?: ((request: O1Request) => number) | undefined
  /**
   * Makes the limiters. Several processes share one quota through limiters with shared state.
   *
   * @default a limiter of this process
   */
  readonly limiter?: MakeLimiter<R> | undefined
}

/**
 * A deployment's quota as it is now; `undefined` where nothing is known.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeploymentQuota {
  readonly limits: { readonly requests: number | undefined; readonly tokens: number | undefined }
  /** The rest of the minute. */
  readonly remaining: { readonly requests: number | undefined; readonly tokens: number | undefined }
  /** How many calls wait, by caller. */
  readonly waiting: { readonly [caller: string]: number }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface QuotaState {
  readonly deployments: { readonly [name: string]: DeploymentQuota }
  /** The tokens of the last hour: true usage, and estimates where a call is under way or has not told. */
  readonly spent: number
  /** How many there may be; `undefined` without a ceiling. */
  readonly tokensPerHour: number | undefined
}

const localLimiter: MakeLimiter = (_, limits) => Effect.sync(() => RateLimiter.makeUnsafe({ limits }))

const make = <R>(options: QuotaOptions<R>) =>
  Effect.gen(function*() {
    const configured = limitsIn(options)
    const others = new Map(
      Object.entries(options.deployments ?? {}).map((
        [name, limits]
      ) => [name, limitsIn(limits, `deployments.${name}.`)])
    )
    const tokensPerHour = ceilingOf(options.tokensPerHour)
    const maxWait = durationOf("maxWait", options.maxWait)
    const maxQueue = integerOf("maxQueue", options.maxQueue, 1000, 1)
    const outputTokens = integerOf("outputTokens", options.outputTokens, 0, 0)
    const { estimate = estimateByCharacters, limiter = localLimiter } = options
    if (typeof estimate !== "function") throw bad("estimate", estimate, "a function")
    if (typeof limiter !== "function") throw bad("limiter", limiter, "a function")

    const context = yield* Effect.context<R | Scope.Scope>()
    const makeLimiter: MakeLimiter = (name, limits) => Effect.provideContext(limiter(name, limits), context)
    // without a ceiling nothing is limited that processes could share: the sum is this one's
    const makeHour = tokensPerHour === undefined ? localLimiter : makeLimiter
    const hour = new Hour(yield* makeHour(hourName, hourLimit(tokensPerHour)), tokensPerHour)
    const registry = Context.getOrUndefined(context as Context.Context<never>, PolicyRegistry.PolicyRegistry)

    registry?.register(hour, (hour, fiber) => hourReportOf(hour as Hour, fiber))

    const measured: Array<() => void> = [measureHour(hour, context)]
    yield* Effect.addFinalizer(() => Effect.sync(() => measured.forEach((end) => end())))

    const deployments = new Map<string, Deployment>()
    const deployment = (name: string): Deployment => {
      let known = deployments.get(name)
      if (known !== undefined) return known
      known = new Deployment({
        name,
        configured: others.get(name) ?? configured,
        maxWait,
        maxQueue,
        makeLimiter,
        isShared: options.limiter !== undefined,
        context
      })
      deployments.set(name, known)
      registry?.register(known, (known, fiber) => reportOf(known as Deployment, fiber))
      measured.push(measure(known, context))
      return known
    }
    const quotas = {
      deployment,
      hour,
      caller: Effect.map(O1Quota.Caller, ({ key, weight }) => ({ key, weight: weightOf(weight) })),
      costOf: (request: O1Request) => costOf(request, { estimate, outputTokens })
    }

    const service: O1Quota["Service"] = {
      state: Effect.gen(function*() {
        const states: Record<string, DeploymentQuota> = {}
        for (const [name, known] of deployments) {
          const remaining = yield* known.limited.remaining
          states[name] = { limits: known.limited.limits, remaining, waiting: known.queue.byCaller() }
        }
        return { deployments: states, spent: yield* hour.spent, tokensPerHour }
      }),
      wait: (name, request) =>
        Effect.flatMap(
          quotas.caller,
          (caller) =>
            Effect.map(deployment(name).forecast(caller, quotas.costOf(request)), (millis) => Duration.millis(millis))
        )
    }
    return { service, quotas }
  })

/**
 * @category services
 * @since 0.1.0
 */
export class O1Quota extends Context.Service<O1Quota, {
  /** The rest of the minute, the callers that wait, and the tokens that were spent. */
  readonly state: Effect.Effect<QuotaState>
  /**
   * How long a call of this caller would wait for its turn, as far as is known: zero if there is room, infinite if it is larger than
   * the minute.
   */
  readonly wait: (deployment: string, request: O1Request) => Effect.Effect<Duration.Duration>
}>()("@effect-resilience/azure-o1/quota/O1Quota") {
  /** Whose calls these are, and their weight against those of others [1]. {@link O1Quota.as} sets it. */
  static readonly Caller = Context.Reference<{ readonly key: string; readonly weight?: number | undefined }>(
    "@effect-resilience/azure-o1/quota/Caller",
    { defaultValue: () => ({ key: "default" }) }
  )

  /** The name of the limiter of the hour, in {@link QuotaOptions.limiter} and in the `PolicyRegistry`. */
  static readonly hour = hourName

  /**
   * Says whose calls these are. While several callers wait, each gets a share of the quota by its weight, whatever the number and
   * the size of its calls.
   */
  static readonly as = (
    key: string,
    options: {
      /** @default 1 */
      readonly weight?: number | undefined
    } = {}
  ): Policy.Policy => {
    const caller = { key, weight: weightOf(options.weight) }
    return Policy.make({
      info: { kind: "quota-caller", name: key, settings: { weight: caller.weight }, children: [] },
      effect: Effect.provideService(O1Quota.Caller, caller),
      stream: Stream.provideService(O1Quota.Caller, caller)
    })
  }

  /** Puts the quota around the attempts of whatever policy there is. A bad option is a defect that names it. */
  static readonly layerServices = <R = never>(
    options: QuotaOptions<R> = {}
  ): Layer.Layer<O1Policy | O1Quota, never, O1Policy | Exclude<R, Scope.Scope>> =>
    Layer.effectContext(Effect.gen(function*() {
      const policies = yield* O1Policy
      const { quotas, service } = yield* make(options)
      return Context.make(O1Quota, service).pipe(Context.add(O1Policy, metered(policies, quotas)))
    })) as Layer.Layer<O1Policy | O1Quota, never, O1Policy | Exclude<R, Scope.Scope>>

  /** The production policy, with the quota around its attempts. */
  static readonly layer = <R = never>(
    options: QuotaOptions<R> & {
      /** The settings of the policy. */
      readonly policy?: O1PolicySettings | undefined
    } = {}
  ): Layer.Layer<O1Policy | O1Quota, never, Exclude<R, Scope.Scope>> =>
    Layer.provide(O1Quota.layerServices(options), O1Policy.layerWith(options.policy ?? {})) as Layer.Layer<
      O1Policy | O1Quota,
      never,
      Exclude<R, Scope.Scope>
    >
}
