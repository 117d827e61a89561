/**
 * What surrounds a call: total deadline > retry > circuit breaker > attempt timeout.
 *
 * It starts from the sentence in `O1Call` and adds what real days need: limits that follow the reasoning effort and grow
 * after a timeout, jitter, the pauses that the service asks for, a circuit breaker per deployment, a deadline over all of it.
 *
 * **Details**
 *
 * An attempt that timed out is followed by one with twice the time (60, 120, 240, 480 seconds): repeating the same limit only
 * pays again. The circuit opens after five server, connection or idle failures in a row; attempt and total timeouts count for
 * nothing, for five hard prompts must not open it. A stream is retried only before its first content; after that a silence
 * longer than `idle` ends it.
 *
 * @since 0.1.0
 */
import { Backoff, CircuitBreaker, Fault, Histogram, Policy, Retry, Timeout } from "@effect-resilience/core"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { limitFrom, type LimitOptions, limitRules } from "./monitor/limit.ts"
import * as O1Call from "./O1Call.ts"
import type { CallOptions } from "./O1Client.ts"
import { O1Error, O1RejectedError, O1RequestError, O1TimeoutError } from "./O1Error.ts"
import { O1Monitor } from "./O1Monitor.ts"
import { type O1Request, ReasoningEffort } from "./O1Request.ts"
import { AfterTimeout } from "./transport/call.ts"

/**
 * The settings of the production policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface O1PolicySettings {
  /**
   * The limit of the first attempt by reasoning effort; `medium` where a request does not say.
   *
   * @default up to medium "60 seconds", high "120 seconds", above "240 seconds"
   */
  readonly timeout?: { readonly [E in ReasoningEffort]?: Duration.Input | undefined } | undefined
  /**
   * What follows an attempt that timed out.
   *
   * @default "escalate"
   */
  readonly onTimeout?: "escalate" | "same" | "never" | undefined
  /** @default 3 */
  readonly retries?: number | undefined
  /**
   * The first delay between attempts; it doubles, with full jitter.
   *
   * @default "1 second"
   */
  readonly backoff?: Duration.Input | undefined
  /**
   * The least wait after a 429 that does not say how long: Azure's request windows last up to 10 seconds.
   *
   * @default "10 seconds"
   */
  readonly throttledWait?: Duration.Input | undefined
  /**
   * The longest pause that the service may ask for. A longer one, and Azure asks for a whole day at times, fails at once.
   *
   * @default "2 minutes"
   */
  readonly retryAfterCap?: Duration.Input | undefined
  /**
   * The limit of the whole call.
   *
   * @default "15 minutes"
   */
  readonly total?: Duration.Input | undefined
  /**
   * The longest silence within an answer.
   *
   * @default "2 minutes"
   */
  readonly idle?: Duration.Input | undefined
  readonly breaker?: {
    /**
     * Failures in a row that open the circuit.
     *
     * @default 5
     */
    readonly failures?: number | undefined
    /** @default "30 seconds" */
    readonly open?: Duration.Input | undefined
    /** @default 3 */
    readonly probes?: number | undefined
  } | undefined
}

/**
 * The settings of the production policy, and how its limits follow what the monitor sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveSettings extends O1PolicySettings, LimitOptions {}

const defaults = {
  timeout: {
    none: "60 seconds",
    minimal: "60 seconds",
    low: "60 seconds",
    medium: "60 seconds",
    high: "120 seconds",
    xhigh: "240 seconds",
    max: "240 seconds"
  },
  onTimeout: "escalate",
  retries: 3,
  backoff: "1 second",
  throttledWait: "10 seconds",
  retryAfterCap: "2 minutes",
  total: "15 minutes",
  idle: "2 minutes",
  breaker: { failures: 5, open: "30 seconds", probes: 3 }
} as const

/**
 * The policy of one run of a call in its parts, for a client that may ask several deployments in one attempt of the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyParts {
  /** Around all of it: the deadline and the retries. A deployment whose circuit is open is waited for as well. */
  readonly call: Policy.Policy<O1Error, O1Error>
  /** Around what is asked of one deployment: its circuit breaker, and the limit, which grows with every timeout of the run. */
  readonly attempt: (deployment: string) => Policy.Policy<O1Error, O1Error>
  /** Whether anything may follow this failure. */
  readonly another: (error: O1Error) => boolean
  /**
   * How long a deployment that failed like this is to be left alone, by every call; `undefined` for not at all. It is waited for
   * only where the error has a `retryAfter` to say so.
   */
  readonly cooldown: (error: O1Error) => Duration.Duration | undefined
}

interface Limits {
  readonly timeout: Duration.Duration
  readonly total: Duration.Duration
  readonly retries: number
  readonly onTimeout: "escalate" | "same" | "never"
  readonly restart: boolean
}

const validDuration = (input: Duration.Input): Option.Option<Duration.Duration> =>
  Option.filter(Duration.fromInput(input), (duration) => Duration.isPositive(duration) && Duration.isFinite(duration))

/** The limit of the first attempt as it was learned; `undefined` where the settings hold. */
type LimitFor = (
  request: O1Request,
  options: CallOptions & { readonly deployment: string }
) => Duration.Duration | undefined

/** How a call's limits come from its options, its effort and the settings; or what is wrong with them. */
const limitsOf = (
  settings: O1PolicySettings,
  effort: ReasoningEffort,
  options: CallOptions,
  learned?: Duration.Duration
): Limits | O1RequestError => {
  const bad = (option: string, value: unknown, allowed: string): O1RequestError =>
    new O1RequestError({ kind: "invalid", param: option, detail: `${option} must be ${allowed}, got ${String(value)}` })

  const asked = options.timeout ?? learned ?? settings.timeout?.[effort] ?? defaults.timeout[effort]
  const timeout = validDuration(asked)
  if (Option.isNone(timeout)) return bad("timeout", asked, "a finite duration > 0")
  const whole = options.total ?? settings.total ?? defaults.total
  const total = validDuration(whole)
  if (Option.isNone(total)) return bad("total", whole, "a finite duration > 0")
  const tooShort = Duration.isLessThan(total.value, timeout.value)
  if (tooShort && options.total !== undefined) {
    return bad("total", Duration.format(total.value), `at least the timeout, ${Duration.format(timeout.value)}`)
  }
  const retries = options.retries ?? settings.retries ?? defaults.retries
  if (!Number.isSafeInteger(retries) || retries < 0) return bad("retries", retries, "an integer >= 0")
  const onTimeout = options.onTimeout ?? settings.onTimeout ?? defaults.onTimeout
  if (onTimeout !== "escalate" && onTimeout !== "same" && onTimeout !== "never") {
    return bad("onTimeout", onTimeout, "\"escalate\", \"same\" or \"never\"")
  }
  return {
    timeout: timeout.value,
    total: tooShort ? timeout.value : total.value,
    retries,
    onTimeout,
    restart: options.onBreak === "restart"
  }
}

const isAttemptTimeout = (error: O1Error): boolean => error._tag === "O1TimeoutError" && error.kind === "attempt"

/** Permanent once there is content; but not for the breaker, nor where the answer may begin anew. */
const isBrokenAnswer = ({ _tag, shouldRetry }: O1Error): boolean =>
  _tag === "O1ProtocolError" && shouldRetry === undefined

const timeoutKinds = { attempt: "attempt", first: "attempt", idle: "idle", total: "total" } as const

const toTimeoutError = ({ limit, phase }: Timeout.TimeoutExceeded): O1TimeoutError =>
  new O1TimeoutError({ kind: timeoutKinds[phase], limit })

const toRejectedError = ({ retryAfter }: CircuitBreaker.CircuitOpen): O1RejectedError =>
  new O1RejectedError({ kind: "circuit-open", retryAfter })

/** Timeouts that tell of a hard prompt, or of an impatient caller, and nothing of the service. */
const ownTimeouts: ReadonlySet<O1TimeoutError["kind"]> = new Set(["attempt", "first", "headers", "total", "service"])

const breakerFault: Fault.Classify<O1Error> = (exit, now) => {
  const error = Exit.findErrorOption(exit)
  if (Option.isNone(error)) return Fault.of(exit, now)
  if (error.value._tag === "O1TimeoutError" && ownTimeouts.has(error.value.kind)) return Fault.interrupted
  if (isBrokenAnswer(error.value)) return Fault.transient()
  // the service has answered, even where another attempt is worth it
  return error.value._tag === "O1OutputLimitError" ? Fault.permanent : Fault.of(exit, now)
}

const refuse = (error: O1Error): Policy.Policy<O1Error, O1Error> =>
  Policy.make({
    info: { kind: "refused", settings: {}, children: [] },
    effect: () => Effect.fail(error),
    stream: () => Stream.fail(error)
  })

/** How long a deployment asks to be left alone. A used-up quota is as good as throttling, where it says how long. */
const cooldownWith =
  (throttledWait: Duration.Duration | undefined) => (error: O1Error): Duration.Duration | undefined => {
    if (error._tag === "O1RateLimitError" && error.kind === "quota") return error.retryAfter
    const fault = error[Fault.TypeId]
    switch (fault._tag) {
      case "Throttled":
        return fault.retryAfter ?? throttledWait
      case "Transient":
        return fault.retryAfter
      default:
        return undefined
    }
  }

/** The parts without any limit. */
const unlimited: PolicyParts = {
  call: Policy.identity,
  attempt: () => Policy.identity,
  another: () => true,
  cooldown: cooldownWith(undefined)
}

/** Tells the transport when silence has become a danger, so that it takes the way that silence does not harm. */
const routed = (afterTimeout: () => boolean): Policy.Policy<O1Error> =>
  Policy.make({
    info: { kind: "route", settings: { afterTimeout: "background" }, children: [] },
    effect: (self) => Effect.suspend(() => afterTimeout() ? Effect.provideService(self, AfterTimeout, true) : self),
    stream: (self) => Stream.suspend(() => afterTimeout() ? Stream.provideService(self, AfterTimeout, true) : self)
  })

const make = (settings: O1PolicySettings, limitFor: LimitFor = () => undefined): O1Policy["Service"] => {
  const throttledWait = Duration.fromInputUnsafe(settings.throttledWait ?? defaults.throttledWait)
  const breakers = new Map<string, CircuitBreaker.CircuitBreaker>()

  const makeBreaker = (deployment: string): CircuitBreaker.CircuitBreaker =>
    CircuitBreaker.makeUnsafe({
      name: deployment,
      trip: CircuitBreaker.consecutive(settings.breaker?.failures ?? defaults.breaker.failures),
      open: settings.breaker?.open ?? defaults.breaker.open,
      halfOpen: {
        probes: settings.breaker?.probes ?? defaults.breaker.probes,
        // a probe is a call that may take minutes
        lease: "2 minutes"
      },
      classify: breakerFault
    })

  const breakerOf = (deployment: string): CircuitBreaker.CircuitBreaker => {
    const known = breakers.get(deployment)
    if (known !== undefined) return known
    const breaker = makeBreaker(deployment)
    breakers.set(deployment, breaker)
    return breaker
  }

  const retryFault = (restart: boolean): Fault.Classify<O1Error> => (exit, now) => {
    const fault = restart && Option.exists(Exit.findErrorOption(exit), isBrokenAnswer)
      ? Fault.transient()
      : Fault.of(exit, now)
    return fault?._tag === "Throttled" && fault.retryAfter === undefined
      ? Fault.throttled({ retryAfter: throttledWait })
      : fault
  }

  /** One run of a call: how often an attempt timed out is its own, whichever deployment it was. */
  const runOf = (limits: Limits, { rejected }: { readonly rejected?: boolean } = {}) => {
    let timeouts = 0
    const another = (error: O1Error): boolean => limits.onTimeout !== "never" || !isAttemptTimeout(error)
    const retry = Retry.make({
      schedule: Schedule.max([
        Backoff.exponential({ base: settings.backoff ?? defaults.backoff, maxDelay: "Infinity" }),
        Schedule.recurs(limits.retries)
      ]),
      classify: retryFault(limits.restart),
      while: another,
      rejected,
      commit: () => !limits.restart,
      retryAfter: { maxDelay: settings.retryAfterCap ?? defaults.retryAfterCap }
    })
    const call = Policy.compose(
      Policy.mapError(Timeout.total(limits.total), Timeout.isTimeoutExceeded, toTimeoutError),
      retry
    )
    const attempt = ({ onTimeout, timeout }: Limits, breaker: CircuitBreaker.CircuitBreaker) =>
      Policy.compose(
        Policy.mapError(breaker, CircuitBreaker.isCircuitOpen, toRejectedError),
        Policy.mapError(
          Timeout.phases({
            first: () => onTimeout === "escalate" ? Duration.times(timeout, 2 ** timeouts) : timeout,
            idle: settings.idle ?? defaults.idle
          }),
          Timeout.isTimeoutExceeded,
          (error) => {
            if (error.phase === "first") timeouts++
            return toTimeoutError(error)
          }
        ),
        routed(() => timeouts > 0 && onTimeout === "escalate")
      )
    return { call, attempt, another }
  }

  const stackOf = (limits: Limits, breaker: CircuitBreaker.CircuitBreaker): Policy.Policy<O1Error, O1Error> => {
    const { attempt, call } = runOf(limits)
    return Policy.compose(call, attempt(limits, breaker))
  }

  // a bad setting shows when the layer is built, not at the first call
  for (const effort of ReasoningEffort.literals) {
    const limits = limitsOf(settings, effort, {})
    if (O1Error.is(limits)) throw new RangeError(`O1Policy: ${limits.detail}`)
    stackOf(limits, makeBreaker("settings"))
  }

  const limitsFor = (
    request: O1Request,
    options: CallOptions & { readonly deployment: string }
  ): Limits | O1RequestError =>
    limitsOf(settings, request.reasoningEffort ?? "medium", options, limitFor(request, options))

  return {
    forRequest: (request, options) => {
      const { deployment } = options
      const limits = limitsFor(request, options)
      if (O1Error.is(limits)) return refuse(limits)
      const breaker = breakerOf(deployment)
      return Policy.make<O1Error, O1Error>({
        info: stackOf(limits, breaker).info,
        effect: (self) => Effect.suspend(() => stackOf(limits, breaker)(self)),
        stream: (self) => Stream.suspend(() => stackOf(limits, breaker).stream(self))
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
      const { another, attempt, call } = runOf(longest, { rejected: true })
      return {
        call,
        attempt: (deployment) => attempt(all.get(deployment) ?? longest, breakerOf(deployment)),
        another,
        cooldown: cooldownWith(throttledWait)
      }
    },
    breakerState: (deployment) => Effect.suspend(() => breakerOf(deployment).state)
  }
}

const makeAdaptive = (settings: AdaptiveSettings, monitor: O1Monitor["Service"]): O1Policy["Service"] => {
  const rules = limitRules("O1Policy", settings)
  return make(settings, ({ reasoningEffort }, { deployment, total }) => {
    const attempts = monitor.attemptsUnsafe(deployment, reasoningEffort)
    const limit = attempts === undefined ? undefined : limitFrom(Histogram.fromData(attempts), rules)
    if (limit === undefined) return undefined
    const learned = Duration.millis(limit.millis)
    // what was learned must not make a call impossible that was possible before
    const whole = total === undefined ? Option.none() : validDuration(total)
    return Option.match(whole, { onNone: () => learned, onSome: (whole) => Duration.min(learned, whole) })
  })
}

const plain: Policy.Policy<O1Error, O1Error> = Policy.make({
  info: { kind: "O1Call", settings: {}, children: [] },
  effect: O1Call.call
})

const plainParts: PolicyParts = {
  ...unlimited,
  call: Policy.make({
    info: { kind: "O1Call", settings: {}, children: [] },
    effect: Effect.retry({ schedule: O1Call.schedule, while: O1Error.isTransient })
  }),
  attempt: () =>
    Policy.make<O1Error, O1Error>({
      info: { kind: "timeout", settings: {}, children: [] },
      effect: Effect.timeoutOrElse({
        duration: "60 seconds",
        orElse: () => Effect.fail(O1TimeoutError.attempt("60 seconds"))
      })
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
   * The same in its parts, for one run of a call that may ask several deployments. Of bad options `call` fails, before anything
   * is sent.
   */
  readonly parts: (
    request: O1Request,
    options: CallOptions & { readonly deployments: NonEmptyReadonlyArray<string> }
  ) => PolicyParts
  /** What the circuit breaker of a deployment is doing. */
  readonly breakerState: (deployment: string) => Effect.Effect<CircuitBreaker.State>
}>()("@effect-resilience/azure-o1/O1Policy") {
  /** The production policy with settings of your own. A bad setting is a defect that names it when the layer is built. */
  static readonly layerWith = (settings: O1PolicySettings): Layer.Layer<O1Policy> =>
    Layer.sync(O1Policy, () => make(settings))

  /** The production policy. */
  static readonly layer: Layer.Layer<O1Policy> = O1Policy.layerWith({})

  /**
   * The production policy, with limits that follow what the monitor sees: the first attempt may take 1.5 times the 99th
   * percentile of the answers of its deployment and effort, at least `floor` and at most `ceiling`, and the later ones follow
   * from it. Until enough was seen the settings hold; a call's own `timeout` always wins. A bad setting is a defect that names
   * it when the layer is built.
   */
  static readonly layerAdaptive = (settings: AdaptiveSettings = {}): Layer.Layer<O1Policy, never, O1Monitor> =>
    Layer.effect(O1Policy, Effect.map(O1Monitor, (monitor) => makeAdaptive(settings, monitor)))

  /** What holds where settings do not say otherwise. */
  static readonly defaults = defaults

  /**
   * The call as `O1Call` has it: 60 seconds, three retries, nothing else. The options of a call change nothing, and there is
   * no circuit breaker, so that it is always closed.
   */
  static readonly layerPlain: Layer.Layer<O1Policy> = Layer.succeed(O1Policy, {
    forRequest: () => plain,
    parts: () => plainParts,
    breakerState: () => Effect.succeed({ _tag: "Closed", calls: 0, failures: 0, consecutiveFailures: 0 })
  })
}
