/**
 * What surrounds a call: total deadline > retry > circuit breaker > limits of the attempt.
 *
 * It starts from the call in `O1Call` and adds what real days need: limits that follow the reasoning effort and grow after a
 * timeout, jitter, the pauses that the service asks for, a circuit breaker per deployment, a deadline over all of it.
 *
 * **Details**
 *
 * After an attempt that took too long comes one with twice the time (60, 120, 240, 480 seconds), in the background if the
 * deployment has one: repeating the same limit only pays again. The limit of an attempt ends with its first content, of
 * `complete` as well. From then on a silence longer than `idle` ends the attempt. Neither ends a response that the service
 * keeps: the client asks for it until it has ended, until `total`, or until `fruitless` questions in a row brought nothing.
 *
 * The page `docs/laboratory/o1-policy.md` has the evidence for the defaults, and what it costs to set others.
 *
 * The circuit opens after five failures of the service or of the connection in a row. Our own limits, a 408, and a 504 that took more
 * than ten seconds count for nothing: five hard prompts must not open it. A stream is retried only before its first content.
 *
 * @since 0.1.0
 */
import * as Backoff from "@effect-resilience/core/Backoff"
import * as CircuitBreaker from "@effect-resilience/core/CircuitBreaker"
import * as Policy from "@effect-resilience/core/Policy"
import * as Retry from "@effect-resilience/core/Retry"
import * as Timeout from "@effect-resilience/core/Timeout"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { MonitorKey } from "./monitor/key.ts"
import type { CallOptions, ResumeOptions } from "./O1Client.ts"
import { O1Error, type O1RequestError } from "./O1Error.ts"
import type { O1Monitor } from "./O1Monitor.ts"
import { type O1Request, ReasoningEffort } from "./O1Request.ts"
import { breakerFault, cooldownWith, retryFault, toRejectedError, toTotalError } from "./policy/faults.ts"
import { type Limits, limitsOf, readingLimitsOf, saysLimits, validDuration } from "./policy/limits.ts"
import type { PolicyParts } from "./policy/parts.ts"
import { type Known, patient, reading } from "./policy/patient.ts"
import { plain, plainParts, unlimited } from "./policy/plain.ts"
import { type AdaptiveSettings, defaults, type O1PolicySettings } from "./policy/settings.ts"
import { isSlow, unknown } from "./transport/route.ts"

export type { AdaptiveSettings, O1PolicySettings, PolicyParts }

/** The limit of the first attempt as it was learned; `undefined` where the settings hold. */
type LimitFor = (
  request: O1Request,
  options: CallOptions & { readonly deployment: string }
) => Duration.Duration | undefined

const refuse = (error: O1Error): Policy.Policy<O1Error, O1Error> =>
  Policy.make({
    info: { kind: "refused", settings: {}, children: [] },
    effect: () => Effect.fail(error),
    stream: () => Stream.fail(error)
  })

/** Of what all deployments share, in events and metrics. */
const name = "azure-o1"

const totalOf = ({ total }: Pick<Limits, "total">): Policy.Policy<O1Error, O1Error> =>
  Policy.mapError(Timeout.total(total, { name }), Timeout.isTimeoutExceeded, toTotalError)

/** The circuit breaker of a deployment, and the policy that it is. */
interface Breaker {
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly policy: Policy.Policy<O1Error, O1Error>
}

/** `context` has the registry and the metrics in which the circuit breakers of the deployments are listed, if there are any. */
const make = (
  settings: O1PolicySettings,
  context: Context.Context<never>,
  limitFor: LimitFor = () => undefined
): O1Policy["Service"] => {
  const throttledWait = Duration.fromInputUnsafe(settings.throttledWait ?? defaults.throttledWait)
  const breakers = new Map<string, Breaker>()
  /** Failures that tell of a long prompt, or were told to another call, and nothing of the service. */
  const uncounted = new WeakSet<O1Error>()

  const makeBreaker = (where: Context.Context<never>, deployment: string): Breaker => {
    const breaker = Effect.runSyncWith(where)(CircuitBreaker.make({
      name: deployment,
      trip: CircuitBreaker.consecutive(settings.breaker?.failures ?? defaults.breaker.failures),
      open: settings.breaker?.open ?? defaults.breaker.open,
      halfOpen: {
        probes: settings.breaker?.probes ?? defaults.breaker.probes,
        lease: settings.breaker?.lease ?? defaults.breaker.lease
      },
      classify: breakerFault((error) => uncounted.has(error))
    }))
    return { breaker, policy: Policy.mapError(breaker, CircuitBreaker.isCircuitOpen, toRejectedError) }
  }

  const breakerOf = (deployment: string): Breaker => {
    const known = breakers.get(deployment)
    if (known !== undefined) return known
    const breaker = makeBreaker(context, deployment)
    breakers.set(deployment, breaker)
    return breaker
  }

  const another = ({ onTimeout }: Limits) => (error: O1Error): boolean => onTimeout !== "never" || !isSlow(error)

  const callOf = (limits: Limits, rejected: boolean): Policy.Policy<O1Error, O1Error> => {
    const retry = Retry.make({
      name,
      schedule: Schedule.max([
        Backoff.exponential({ base: settings.backoff ?? defaults.backoff, maxDelay: "Infinity" }),
        Schedule.recurs(limits.retries)
      ]),
      classify: retryFault(limits.restart, throttledWait),
      // what the service keeps is not asked of it a second time
      while: (error) => another(limits)(error) && error.resume === undefined,
      rejected: rejected ? true : undefined,
      commit: () => !limits.restart,
      retryAfter: { maxDelay: settings.retryAfterCap ?? defaults.retryAfterCap }
    })
    return Policy.compose(totalOf(limits), retry)
  }

  const shared = <A>(make: (limits: Limits) => A) => {
    const known = new WeakMap<Limits, A>()
    return (limits: Limits): A => {
      let made = known.get(limits)
      if (made === undefined) known.set(limits, made = make(limits))
      return made
    }
  }

  // nothing of these is one run's own, so that calls with the same limits share them
  const alone = shared((limits) => callOf(limits, false))
  const amongOthers = shared((limits) => callOf(limits, true))
  const patience = shared(patient)

  /** One run of a call: what is known of its attempts is its own, and each deployment's. */
  const runOf = (limits: Limits, { rejected = false }: { readonly rejected?: boolean } = {}) => {
    const routes = new Map<string, Known>()
    const attempt = (limits: Limits, deployment: string, breaker: Policy.Policy<O1Error, O1Error>) => {
      let known = routes.get(deployment)
      if (known === undefined) routes.set(deployment, known = { route: unknown })
      return Policy.compose(breaker, patience(limits)(known, uncounted))
    }
    return { call: rejected ? amongOthers(limits) : alone(limits), attempt, another: another(limits) }
  }

  const stackOf = (
    limits: Limits,
    deployment: string,
    breaker: Policy.Policy<O1Error, O1Error>
  ): Policy.Policy<O1Error, O1Error> => {
    const { attempt, call } = runOf(limits)
    return Policy.compose(call, attempt(limits, deployment, breaker))
  }

  // a bad setting shows when the layer is built, not at the first call
  for (const effort of ReasoningEffort.literals) {
    const limits = limitsOf(settings, effort, {})
    if (O1Error.is(limits)) throw new RangeError(`O1Policy: ${limits.detail}`)
    stackOf(limits, "settings", makeBreaker(Context.empty(), "settings").policy)
  }

  const usual = new Map<ReasoningEffort, Limits | O1RequestError>()

  const limitsFor = (
    request: O1Request,
    options: CallOptions & { readonly deployment: string }
  ): Limits | O1RequestError => {
    const effort = request.reasoningEffort ?? "medium"
    const learned = limitFor(request, options)
    if (learned !== undefined || saysLimits(options)) return limitsOf(settings, effort, options, learned)
    let limits = usual.get(effort)
    if (limits === undefined) usual.set(effort, limits = limitsOf(settings, effort, options))
    return limits
  }

  return {
    forRequest: (request, options) => {
      const { deployment } = options
      const limits = limitsFor(request, options)
      if (O1Error.is(limits)) return refuse(limits)
      const breaker = breakerOf(deployment).policy
      return Policy.make<O1Error, O1Error>({
        info: stackOf(limits, deployment, breaker).info,
        effect: (self) => Effect.suspend(() => stackOf(limits, deployment, breaker)(self)),
        stream: (self) => Stream.suspend(() => stackOf(limits, deployment, breaker).stream(self))
      })
    },
    parts: (request, { deployments, ...options }) => {
      const all = new Map<string, Limits>()
      for (const deployment of deployments) {
        const limits = limitsFor(request, { ...options, deployment })
        if (O1Error.is(limits)) return { ...unlimited, call: refuse(limits) }
        all.set(deployment, limits)
      }
      const longest = Array.from(all.values()).reduce((a, b) => Duration.isLessThan(a.total, b.total) ? b : a)
      const { another, attempt, call } = runOf(longest, { rejected: deployments.length > 1 })
      return {
        call,
        attempt: (deployment) => attempt(all.get(deployment) ?? longest, deployment, breakerOf(deployment).policy),
        another,
        cooldown: cooldownWith(throttledWait)
      }
    },
    forResume: (options) => {
      const limits = readingLimitsOf(settings, options)
      return O1Error.is(limits) ? refuse(limits) : Policy.compose(totalOf(limits), reading(limits))
    },
    breakerState: (deployment) => Effect.suspend(() => breakerOf(deployment).breaker.state)
  }
}

const makeAdaptive = (
  settings: AdaptiveSettings,
  context: Context.Context<never>,
  monitor: O1Monitor["Service"]
): O1Policy["Service"] => {
  const limitOf = monitor.limitsUnsafe("O1Policy", settings)
  return make(settings, context, ({ reasoningEffort }, { deployment, total }) => {
    const limit = limitOf(deployment, reasoningEffort)
    if (limit === undefined) return undefined
    const learned = Duration.millis(limit)
    // what was learned must not make a call impossible that was possible before
    const whole = total === undefined ? Option.none() : validDuration(total)
    return Option.match(whole, { onNone: () => learned, onSome: (whole) => Duration.min(learned, whole) })
  })
}

/**
 * @category services
 * @since 0.1.0
 */
export class O1Policy extends Context.Service<O1Policy, {
  /** The policy of one call. Bad options make it fail with an `O1RequestError` that names the option, before anything is sent. */
  readonly forRequest: (
    request: O1Request,
    options: CallOptions & { readonly deployment: string }
  ) => Policy.Policy<O1Error, O1Error>
  /**
   * The same in its parts, for one run of a call that may ask several deployments. With bad options `call` fails, before
   * anything is sent.
   */
  readonly parts: (
    request: O1Request,
    options: CallOptions & { readonly deployments: NonEmptyReadonlyArray<string> }
  ) => PolicyParts
  /** The policy for reading a response that the service keeps: the limit of the whole, and of fruitless questions. */
  readonly forResume: (options: ResumeOptions) => Policy.Policy<O1Error, O1Error>
  /** The state of a deployment's circuit breaker. */
  readonly breakerState: (deployment: string) => Effect.Effect<CircuitBreaker.State>
}>()("@effect-resilience/azure-o1/O1Policy") {
  /** The production policy with settings of your own. A bad setting is a defect that names it when the layer is built. */
  static readonly layerWith = (settings: O1PolicySettings): Layer.Layer<O1Policy> =>
    Layer.effect(O1Policy, Effect.map(Effect.context(), (context) => make(settings, context)))

  /** The production policy. */
  static readonly layer: Layer.Layer<O1Policy> = O1Policy.layerWith({})

  /**
   * The production policy, with limits that follow what the monitor sees. The first attempt may take 1.5 times the 99th
   * percentile of the answers of its deployment and effort, at least `floor` and at most `ceiling`; the later limits follow
   * from that. Until enough was seen, the settings hold. A call's own `timeout` always wins. A bad setting is a defect that
   * names it when the layer is built.
   */
  static readonly layerAdaptive = (settings: AdaptiveSettings = {}): Layer.Layer<O1Policy, never, O1Monitor> =>
    Layer.effect(
      O1Policy,
      Effect.gen(function*() {
        return makeAdaptive(settings, yield* Effect.context(), yield* MonitorKey)
      })
    )

  /** What holds where settings do not say otherwise. */
  static readonly defaults = defaults

  /**
   * The call as `O1Call` has it: 60 seconds, three retries, nothing else. The options of a call change nothing. There is no
   * circuit breaker, so `breakerState` is always closed.
   */
  static readonly layerPlain: Layer.Layer<O1Policy> = Layer.succeed(O1Policy, {
    forRequest: () => plain,
    // one deployment is called as O1Call says, whatever others were told
    parts: (_, { deployments }) => deployments.length > 1 ? plainParts : { ...plainParts, cooldown: () => undefined },
    forResume: () => Policy.identity,
    breakerState: () => Effect.succeed({ _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 })
  })
}
