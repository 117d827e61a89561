/** What a metric is. Units are those of UCUM, as OpenTelemetry wants them: a word in braces counts things. */
export interface Definition<Label extends string = string> {
  readonly kind: "counter" | "gauge" | "histogram"
  readonly unit: string
  readonly description: string
  /** The names of its labels. */
  readonly labels: ReadonlyArray<Label>
}

const of =
  (kind: Definition["kind"]) =>
  <Label extends string>(unit: string, description: string, ...labels: ReadonlyArray<Label>): Definition<Label> => ({
    kind,
    unit,
    description,
    labels
  })

const counter = of("counter")
const gauge = of("gauge")
const seconds = <Label extends string>(description: string, ...labels: ReadonlyArray<Label>): Definition<Label> =>
  of("histogram")("s", description, ...labels)

/** Every metric of the policies. */
export const catalogue = {
  "resilience.calls": counter("{call}", "Calls that have ended, retries and waits included", "name", "outcome"),
  "resilience.call.duration": seconds("The time that calls took, retries and waits included", "name", "outcome"),
  "resilience.attempts": counter("{attempt}", "Attempts that have ended", "name", "attempt", "outcome"),
  "resilience.attempt.duration": seconds("The time that attempts took", "name", "outcome"),
  "resilience.retry.delay": seconds("The wait before another attempt", "name", "fault"),
  "resilience.retry.stops": counter("{attempt}", "Failed attempts that no other one follows", "name", "reason"),
  "resilience.rejections": counter("{call}", "Calls that a policy has refused", "policy", "name", "reason"),
  "resilience.wait.duration": seconds(
    "The time that calls waited for their turn, of those that had to",
    "policy",
    "name"
  ),
  "resilience.timeouts": counter("{call}", "Calls that a time limit has ended", "name", "phase"),
  "resilience.deadlines": counter(
    "{call}",
    "Work that has not ended at its deadline, or came to begin after it",
    "name",
    "began"
  ),
  "resilience.cleanup.defects": counter(
    "{defect}",
    "Defects in the clean-up of calls that nobody waits for",
    "policy",
    "name"
  ),
  "resilience.detached": gauge("{call}", "Calls left behind by a timeout, still running", "name"),
  "resilience.breaker.state": gauge("{breaker}", "Circuit breakers that are in a state", "name", "state"),
  "resilience.breaker.changes": counter("{change}", "Changes of the state of a circuit breaker", "name", "to"),
  "resilience.breaker.exceeded": counter("{time}", "How often a circuit that only counts would have opened", "name"),
  "resilience.bulkhead.in_use": gauge("{call}", "Calls that run in a bulkhead", "policy", "name"),
  "resilience.bulkhead.queued": gauge("{call}", "Calls that wait for a permit of a bulkhead", "policy", "name"),
  "resilience.limit": gauge("{call}", "Calls that may run at once", "policy", "name"),
  "resilience.limiter.mode": gauge(
    "{limiter}",
    "Rate limiters that go by their store, or by the share of their process",
    "name",
    "state"
  ),
  "resilience.limiter.changes": counter(
    "{change}",
    "How often a rate limiter has lost or found its store",
    "name",
    "to"
  ),
  "resilience.balancer.endpoints": gauge("{endpoint}", "Endpoints of a balancer that are in a state", "name", "state"),
  "resilience.balancer.changes": counter(
    "{change}",
    "Endpoints that a balancer has left out, and that came back",
    "name",
    "to"
  ),
  "resilience.hedges": counter("{call}", "Calls with more than one attempt at once", "name", "won"),
  "resilience.hedge.attempts": counter("{attempt}", "Attempts beside the first one of a call", "name", "because"),
  "resilience.budget.exhausted": counter(
    "{attempt}",
    "Attempts that were not made for want of budget",
    "policy",
    "name",
    "budget"
  ),
  "resilience.fallbacks": counter(
    "{call}",
    "Failed calls for which something else was given",
    "name",
    "given",
    "fault"
  ),
  "resilience.stale.age": seconds("The age of the values given for a failed call", "name"),
  "resilience.coalesced": counter(
    "{call}",
    "Calls that were not made, because one of the same key was in flight",
    "name"
  ),
  "resilience.chaos.injections": counter("{call}", "Calls into which chaos was injected", "name", "injected")
} satisfies Readonly<Record<string, Definition>>

export type Id = keyof typeof catalogue

/** The labels of a metric with their values. */
export type LabelsOf<I extends Id> = Readonly<Record<(typeof catalogue)[I]["labels"][number], string>>

/**
 * The name in Prometheus that a metric gets on every way there: OpenTelemetry's rules for Prometheus, which its Collector and Prometheus's own receiver follow, put the unit behind
 * the name, drop a unit in braces, and end a counter with `_total`.
 */
export const prometheusName = (id: string, { kind, unit }: Pick<Definition, "kind" | "unit">): string => {
  const name = id.replaceAll(/[^a-zA-Z0-9_:]/gu, "_")
  const united = unit === "s" ? `${name}_seconds` : name
  return kind === "counter" ? `${united}_total` : united
}
