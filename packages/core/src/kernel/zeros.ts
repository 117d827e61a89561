import type { Id, LabelsOf } from "./catalogue.ts"

/** A series of a metric, but for the policy's name. */
export interface Zero {
  readonly id: Id
  readonly labels: Readonly<Record<string, string>>
}

type Values<I extends Id> = Readonly<Partial<Record<Exclude<keyof LabelsOf<I>, "name">, ReadonlyArray<string>>>>

/** Every combination of the values. */
const each = <I extends Id>(id: I, values: Values<I>): ReadonlyArray<Zero> =>
  Object.entries<ReadonlyArray<string>>(values as Readonly<Record<string, ReadonlyArray<string>>>).reduce<
    ReadonlyArray<Zero>
  >(
    (zeros, [label, all]) =>
      zeros.flatMap((zero) => all.map((value) => ({ id, labels: { ...zero.labels, [label]: value } }))),
    [{ id, labels: {} }]
  )

const faults = ["transient", "throttled", "permanent", "rejected", "defect", "interrupted"]
const outcomes = ["success", ...faults]

const refused = (policy: string, ...reason: ReadonlyArray<string>): ReadonlyArray<Zero> =>
  each("resilience.rejections", { policy: [policy], reason })

/**
 * The counters that a policy of a kind has before anything has happened: an alert sees the first failure only if the series was there with zero before
 * it. A label whose values this library does not know, and a histogram, which has no least and no largest value before its first, begin with their first event.
 */
const zeros: Readonly<Record<string, ReadonlyArray<Zero>>> = {
  call: each("resilience.calls", { outcome: outcomes }),
  retry: [
    ...each("resilience.attempts", { attempt: ["1"], outcome: outcomes }),
    ...each("resilience.retry.stops", {
      reason: ["not-retryable", "exhausted", "retry-after-beyond-max", "deadline", "budget"]
    })
  ],
  timeout: [
    ...each("resilience.timeouts", { phase: ["attempt", "total", "first", "idle"] }),
    ...each("resilience.detached", {}),
    ...each("resilience.cleanup.defects", { policy: ["timeout"] })
  ],
  deadline: each("resilience.deadlines", { began: ["true", "false"] }),
  "circuit-breaker": [
    ...refused("circuit-breaker", "open"),
    ...each("resilience.breaker.changes", { to: ["Closed", "Open", "HalfOpen"] }),
    ...each("resilience.breaker.exceeded", {})
  ],
  bulkhead: refused("bulkhead", "full", "overload", "waited"),
  "adaptive-limit": refused("adaptive-limit", "full", "overload", "waited"),
  "rate-limiter": refused("rate-limiter", "cost", "wait", "deadline", "queue"),
  balancer: [
    ...refused("balancer", "empty", "excluded", "cooling"),
    ...each("resilience.balancer.changes", { to: ["ejected", "cooling", "available"] })
  ],
  "adaptive-throttle": refused("adaptive-throttle", "overload"),
  keyed: refused("keyed", "full"),
  hedge: [
    ...each("resilience.hedges", { won: ["true", "false"] }),
    ...each("resilience.hedge.attempts", { because: ["delay", "failure"] }),
    ...each("resilience.cleanup.defects", { policy: ["hedge"] })
  ],
  fallback: each("resilience.fallbacks", { given: ["alternative", "stale"], fault: faults }),
  coalesce: each("resilience.coalesced", {}),
  chaos: each("resilience.chaos.injections", {
    injected: ["latency", "fault", "defect", "outcome", "truncation", "stall"]
  })
}

/** Those of a policy by its kind; `timeout adaptive` is a `timeout`. */
export const zerosOf = (kind: string): ReadonlyArray<Zero> => zeros[kind.split(" ")[0]!] ?? []
