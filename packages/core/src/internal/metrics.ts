import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Fault from "../Fault.ts"
import { catalogue, type Id, type LabelsOf } from "../kernel/catalogue.ts"
import { attemptLabel, type Labels, lastAttempt, outcomeLabel } from "../kernel/labels.ts"
import { zerosOf } from "../kernel/zeros.ts"
import type { Event } from "./events.ts"
import { type Attributes, Branch, Series } from "./series.ts"

/** What an exit is called in metrics and logs. */
export const outcomeOf = (exit: Exit.Exit<unknown, unknown>, wall: number): string => outcomeLabel(Fault.of(exit, wall))

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

  add(outcome: string, number: number, seconds: number): void {
    let ended = this.outcomes.get(outcome)
    if (ended === undefined) this.outcomes.set(outcome, ended = { duration: this.duration(outcome), counts: [] })
    const count = ended.counts[number] ??= this.count(outcome, number)
    count.add(1)
    ended.duration.add(seconds)
  }
}

type Named<I extends Id> = LabelsOf<I> & { readonly name: string }

/** Writes events into metrics. Labels are the kinds and names of policies and words of this library, never a key or a message. */
export class Meter {
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly labels: Labels
  private readonly metrics = new Branch()
  private readonly calls = new Map<string, Endings>()
  private readonly attempts = new Map<string, Endings>()
  private readonly begun = new Branch()

  constructor(context: Context.Context<never>, labels: Labels) {
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
    this.labels = labels
  }

  /** A policy of this kind and name is there: its counters begin with zero. */
  readonly begin = (kind: string, name: string | undefined): void => this.beginAs(kind, this.labels.of(name))

  readonly record = (event: Event): void => {
    const { policy } = event
    const name = this.labels.of(event.name)
    switch (event._tag) {
      case "CallEnded": {
        const { exit } = event
        const outcome = Exit.isSuccess(exit)
          ? outcomeLabel(undefined)
          : outcomeOf(exit, this.clock.currentTimeMillisUnsafe())
        return this.callsOf(policy, name).add(outcome, 0, Duration.toSeconds(event.duration))
      }
      case "AttemptStarted":
        return // counted when it has ended
      case "LimitChanged":
        return // a gauge, which is looked at
      case "AttemptEnded":
        return this.attemptsOf(policy, name).add(
          outcomeLabel(event.fault),
          Math.min(event.attempt, lastAttempt),
          Duration.toSeconds(event.duration)
        )
      case "RetryScheduled":
        return this.time(policy, "resilience.retry.delay", event.delay, { name, fault: outcomeLabel(event.fault) })
      case "RetryStopped":
        return this.update(policy, "resilience.retry.stops", 1, { name, reason: event.reason })
      case "RejectedByCircuit":
        return this.update(policy, "resilience.rejections", 1, { policy, name, reason: "open" })
      case "RejectedByThrottle":
        return this.update(policy, "resilience.rejections", 1, { policy, name, reason: "overload" })
      case "RejectedByKeyed":
        return this.update(policy, "resilience.rejections", 1, { policy, name, reason: "full" })
      case "RejectedByBulkhead":
      case "RejectedByRateLimiter":
      case "RejectedByBalancer":
        return this.update(policy, "resilience.rejections", 1, { policy, name, reason: event.reason })
      case "WaitedForBulkhead":
      case "WaitedForRateLimiter":
        return this.time(policy, "resilience.wait.duration", event.waited, { policy, name })
      case "TimedOut":
        return this.update(policy, "resilience.timeouts", 1, { name, phase: event.phase })
      case "DeadlinePassed":
        return this.update(policy, "resilience.deadlines", 1, { name, began: String(event.began) })
      case "CleanupDied":
        return this.update(policy, "resilience.cleanup.defects", 1, { policy, name })
      case "CallDetached":
        return this.update(policy, "resilience.detached", 1, { name })
      case "DetachedEnded":
        return this.update(policy, "resilience.detached", -1, { name })
      case "CircuitChanged":
        return this.update(policy, "resilience.breaker.changes", 1, { name, to: event.to })
      case "CircuitExceeded":
        return this.update(policy, "resilience.breaker.exceeded", 1, { name })
      case "EndpointEjected":
        return this.update(policy, "resilience.balancer.changes", 1, { name, to: "ejected" })
      case "EndpointCooling":
        return this.update(policy, "resilience.balancer.changes", 1, { name, to: "cooling" })
      case "EndpointReturned":
        return this.update(policy, "resilience.balancer.changes", 1, { name, to: "available" })
      case "HedgeStarted":
        return this.update(policy, "resilience.hedge.attempts", 1, { name, because: event.because })
      case "HedgeSettled":
        return this.update(policy, "resilience.hedges", 1, {
          name,
          won: String(event.winner !== undefined && event.winner > 1)
        })
      case "BudgetExhausted":
        return this.update(policy, "resilience.budget.exhausted", 1, {
          policy,
          name,
          budget: this.labels.of(event.budget)
        })
      case "FallbackUsed":
        return this.update(policy, "resilience.fallbacks", 1, {
          name,
          given: "alternative",
          fault: outcomeLabel(event.fault)
        })
      case "StaleServed":
        this.update(policy, "resilience.fallbacks", 1, { name, given: "stale", fault: outcomeLabel(event.fault) })
        return this.time(policy, "resilience.stale.age", event.age, { name })
      case "Coalesced":
        return this.update(policy, "resilience.coalesced", 1, { name })
      case "ChaosInjected":
        return this.update(policy, "resilience.chaos.injections", 1, { name, injected: event.injected })
      case "LimiterModeChanged":
        return this.update(policy, "resilience.limiter.changes", 1, { name, to: event.mode })
      default:
        event satisfies never
    }
  }

  private callsOf(policy: Event["policy"], name: string): Endings {
    let endings = this.calls.get(name)
    if (endings === undefined) {
      this.beginAs(policy, name)
      endings = new Endings(
        (outcome) => this.series("resilience.call.duration", { name, outcome }),
        (outcome) => this.series("resilience.calls", { name, outcome })
      )
      this.calls.set(name, endings)
    }
    return endings
  }

  private attemptsOf(policy: Event["policy"], name: string): Endings {
    let endings = this.attempts.get(name)
    if (endings === undefined) {
      this.beginAs(policy, name)
      endings = new Endings(
        (outcome) => this.series("resilience.attempt.duration", { name, outcome }),
        (outcome, attempt) => this.series("resilience.attempts", { name, attempt: attemptLabel(attempt), outcome })
      )
      this.attempts.set(name, endings)
    }
    return endings
  }

  private beginAs(kind: string, name: string): void {
    const begun = this.begun.at(kind).at(name)
    if (begun.seen) return
    begun.seen = true
    for (const { id, labels } of zerosOf(kind)) this.seriesAt(id, { ...labels, name }).add(0)
  }

  private series<I extends Id>(id: I, labels: LabelsOf<I>): Series {
    return new Series(id, labels, this.context)
  }

  private branchOf(id: Id, labels: Attributes): Branch {
    const { labels: names } = catalogue[id]
    let branch = this.metrics.at(id)
    for (let i = 0; i < names.length; i++) branch = branch.at(labels[names[i]!])
    return branch
  }

  private seriesAt(id: Id, labels: Attributes): Series {
    const inOrder = (): Attributes => Object.fromEntries(catalogue[id].labels.map((name) => [name, labels[name]!]))
    return this.branchOf(id, labels).series ??= new Series(id, inOrder(), this.context)
  }

  private update<I extends Id>(policy: Event["policy"], id: I, input: number, labels: Named<I>): void {
    const known = this.branchOf(id, labels).series
    if (known !== undefined) return known.add(input)
    this.beginAs(policy, labels.name)
    this.seriesAt(id, labels).add(input)
  }

  private time<I extends Id>(policy: Event["policy"], id: I, duration: Duration.Duration, labels: Named<I>): void {
    this.update(policy, id, Duration.toSeconds(duration), labels)
  }
}
