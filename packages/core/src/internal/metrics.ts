import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Fault from "../Fault.ts"
import { attemptLabel, type Labels, lastAttempt, outcomeLabel } from "../kernel/labels.ts"
import type { Event } from "./events.ts"

/** What an exit is called in metrics and logs. */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>, wall: number): string => outcomeLabel(Fault.of(exit, wall))

/** Up to 17 minutes: a reasoning model takes its time. */
const boundaries = Metric.exponentialBoundaries({ start: 1, factor: 2, count: 22 })

/** Makes a metric, for {@link Series}. */
type Make = () => Metric.Metric<number, unknown>

/** Effect's exporters take the unit of a metric from its attributes. */
const millis = (id: string, description: string): Make => () =>
  Metric.histogram(id, { description, boundaries, attributes: { unit: "milliseconds" } })

const counter = (id: string, description: string): Make => () => Metric.counter(id, { description, incremental: true })

const calls = counter("resilience.calls", "Calls that have ended, retries and waits included")
const callDuration = millis("resilience.call.duration", "The time that calls took, retries and waits included")
const attempts = counter("resilience.attempts", "Attempts that have ended")
const attemptDuration = millis("resilience.attempt.duration", "The time that attempts took")
const retryDelay = millis("resilience.retry.delay", "The wait before another attempt")
const retryStops = counter("resilience.retry.stops", "Failed attempts that no other one follows")
const rejections = counter("resilience.rejections", "Calls that a policy has refused")
const waits = millis("resilience.wait.duration", "The time that calls waited for their turn, of those that had to")
const timeouts = counter("resilience.timeouts", "Calls that a time limit has ended")
const deadlines = counter("resilience.deadlines", "Work that has not ended at its deadline, or came to begin after it")
const cleanupDefects = counter("resilience.cleanup.defects", "Defects in the clean-up of calls that nobody waits for")
const detached: Make = () =>
  Metric.counter("resilience.detached", { description: "Calls left behind by a timeout, still running" })
const breakerChanges = counter("resilience.breaker.changes", "Changes of the state of a circuit breaker")
const breakerExceeded = counter("resilience.breaker.exceeded", "How often a circuit that only counts would have opened")
const hedges = counter("resilience.hedges", "Calls with more than one attempt at once")
const hedgeAttempts = counter("resilience.hedge.attempts", "Attempts beside the first one of a call")
const budgetExhausted = counter("resilience.budget.exhausted", "Attempts that were not made for want of budget")
const fallbacks = counter("resilience.fallbacks", "Failed calls for which something else was given")
const staleAge = millis("resilience.stale.age", "The age of the values given for a failed call")
const coalesced = counter("resilience.coalesced", "Calls that were not made, for one of the same key was under way")

type Attributes = Readonly<Record<string, string>>

/** Tells under which key a metric looks up its series: Effect has no other way to ask. */
class KeyFinder extends Map<string, any> {
  key = ""
  private readonly registry: Registry

  constructor(registry: Registry) {
    super()
    this.registry = registry
  }

  override get(key: string) {
    this.key = key
    return this.registry.get(key)
  }

  override set(key: string, value: any): this {
    this.registry.set(key, value)
    return this
  }
}

type Registry = Metric.MetricRegistry

/**
 * A metric with the values of its labels. Effect finds the series by two references and a string that it builds from the
 * labels; the string is kept here, and only the registry, which may have let go of the series, is asked each time.
 */
class Series {
  private readonly metric: Metric.Metric<number, unknown>
  private readonly context: Context.Context<never>
  private readonly registry: Registry
  private key: string | undefined = undefined

  constructor(make: Make, labels: Attributes, context: Context.Context<never>) {
    this.metric = make()
    this.registry = Context.get(context, Metric.MetricRegistry)
    const attributes = { ...Context.get(context, Metric.CurrentMetricAttributes), ...labels }
    this.context = Context.add(context, Metric.CurrentMetricAttributes, attributes)
  }

  update(input: number): void {
    const series = this.key === undefined ? undefined : this.registry.get(this.key)
    if (series === undefined) this.begin(input)
    else series.hooks.update(input, this.context)
  }

  private begin(input: number): void {
    const finder = new KeyFinder(this.registry)
    this.metric.updateUnsafe(input, Context.add(this.context, Metric.MetricRegistry, finder))
    this.key = finder.key
  }
}

/** Series by metric, and then by the values of one label after the other. */
class Branch {
  series: Series | undefined = undefined
  private readonly branches = new Map<unknown, Branch>()

  at(value: unknown): Branch {
    let branch = this.branches.get(value)
    if (branch === undefined) this.branches.set(value, branch = new Branch())
    return branch
  }
}

/** How many ended with an outcome, by the number that they had, and how long they took. */
interface Ended {
  readonly duration: Series
  readonly counts: Array<Series | undefined>
}

/** What every call tells, of one name: found without a look at all of its labels. */
class Endings {
  private readonly outcomes = new Map<string, Ended>()
  private readonly duration: (outcome: string) => Series
  private readonly count: (outcome: string, number: number) => Series

  constructor(duration: Endings["duration"], count: Endings["count"]) {
    this.duration = duration
    this.count = count
  }

  add(outcome: string, number: number, millis: number): void {
    let ended = this.outcomes.get(outcome)
    if (ended === undefined) this.outcomes.set(outcome, ended = { duration: this.duration(outcome), counts: [] })
    const count = ended.counts[number] ??= this.count(outcome, number)
    count.update(1)
    ended.duration.update(millis)
  }
}

/** Writes events into metrics. Labels are the kinds and names of policies and words of this library, never a key or a message. */
export class Meter {
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly labels: Labels
  private readonly metrics = new Branch()
  private readonly calls = new Map<string, Endings>()
  private readonly attempts = new Map<string, Endings>()

  constructor(context: Context.Context<never>, labels: Labels) {
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.labels = labels
  }

  readonly record = (event: Event): void => {
    const { policy } = event
    const name = this.labels.of(event.name)
    switch (event._tag) {
      case "CallEnded": {
        const { exit } = event
        const outcome = Exit.isSuccess(exit)
          ? outcomeLabel(undefined)
          : outcomeOf(exit, this.clock.currentTimeMillisUnsafe())
        return this.callsOf(name).add(outcome, 0, Duration.toMillis(event.duration))
      }
      case "AttemptStarted":
        return // counted when it has ended
      case "AttemptEnded":
        return this.attemptsOf(name).add(
          outcomeLabel(event.fault),
          Math.min(event.attempt, lastAttempt),
          Duration.toMillis(event.duration)
        )
      case "RetryScheduled":
        return this.time(retryDelay, event.delay, { name, fault: outcomeLabel(event.fault) })
      case "RetryStopped":
        return this.update(retryStops, 1, { name, reason: event.reason })
      case "RejectedByCircuit":
        return this.update(rejections, 1, { policy, name, reason: "open" })
      case "RejectedByKeyed":
        return this.update(rejections, 1, { policy, name, reason: "full" })
      case "RejectedByBulkhead":
      case "RejectedByRateLimiter":
        return this.update(rejections, 1, { policy, name, reason: event.reason })
      case "WaitedForBulkhead":
      case "WaitedForRateLimiter":
        return this.time(waits, event.waited, { policy, name })
      case "TimedOut":
        return this.update(timeouts, 1, { name, phase: event.phase })
      case "DeadlinePassed":
        return this.update(deadlines, 1, { name, began: String(event.began) })
      case "CleanupDied":
        return this.update(cleanupDefects, 1, { policy, name })
      case "CallDetached":
        return this.update(detached, 1, { name })
      case "DetachedEnded":
        return this.update(detached, -1, { name })
      case "CircuitChanged":
        return this.update(breakerChanges, 1, { name, to: event.to })
      case "CircuitExceeded":
        return this.update(breakerExceeded, 1, { name })
      case "HedgeStarted":
        return this.update(hedgeAttempts, 1, { name, because: event.because })
      case "HedgeSettled":
        return this.update(hedges, 1, { name, won: String(event.winner !== undefined && event.winner > 1) })
      case "BudgetExhausted":
        return this.update(budgetExhausted, 1, { policy, name, budget: this.labels.of(event.budget) })
      case "FallbackUsed":
        return this.update(fallbacks, 1, { name, given: "alternative", fault: outcomeLabel(event.fault) })
      case "StaleServed":
        this.update(fallbacks, 1, { name, given: "stale", fault: outcomeLabel(event.fault) })
        return this.time(staleAge, event.age, { name })
      case "Coalesced":
        return this.update(coalesced, 1, { name })
      default:
        event satisfies never
    }
  }

  private callsOf(name: string): Endings {
    let endings = this.calls.get(name)
    if (endings === undefined) {
      endings = new Endings(
        (outcome) => this.series(callDuration, { name, outcome }),
        (outcome) => this.series(calls, { name, outcome })
      )
      this.calls.set(name, endings)
    }
    return endings
  }

  private attemptsOf(name: string): Endings {
    let endings = this.attempts.get(name)
    if (endings === undefined) {
      endings = new Endings(
        (outcome) => this.series(attemptDuration, { name, outcome }),
        (outcome, attempt) => this.series(attempts, { name, attempt: attemptLabel(attempt), outcome })
      )
      this.attempts.set(name, endings)
    }
    return endings
  }

  private series(make: Make, labels: Attributes): Series {
    return new Series(make, labels, this.context)
  }

  /** The labels of a metric are the same ones everywhere, in the same order. */
  private update(make: Make, input: number, labels: Attributes): void {
    let branch = this.metrics.at(make)
    for (const label in labels) branch = branch.at(labels[label])
    branch.series ??= this.series(make, labels)
    branch.series.update(input)
  }

  private time(make: Make, duration: Duration.Duration, labels: Attributes): void {
    this.update(make, Duration.toMillis(duration), labels)
  }
}
