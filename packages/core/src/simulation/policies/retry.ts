import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Fault from "../../Fault.ts"
import type { StopReason } from "../../internal/events.ts"
import { RetryPolicy } from "../../internal/retryPolicy.ts"
import type { Settings } from "../../internal/retryRun.ts"
import { Attempt } from "../../internal/tries.ts"
import * as kernel from "../../kernel/retry.ts"
import type { Budget } from "../../kernel/retryBudget.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { interrupted, type Outcome } from "../internal/outcome.ts"
import type { Random } from "../internal/random.ts"
import { budgetIn, Purse } from "./budget.ts"
import { type Delays, delaysOf } from "./delays.ts"
import { faultOf } from "./faults.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

class RetryLayer implements Layer {
  readonly settings: Settings
  readonly inner: Layer
  readonly world: World
  readonly random: Random
  readonly budget: Budget | undefined
  readonly remembers: boolean

  constructor({ settings }: RetryPolicy, inner: Layer, process: Process) {
    this.settings = settings
    this.inner = inner
    this.world = process.world
    this.random = process.random
    this.budget = budgetIn(process, settings.budget)
    this.remembers = process.remembers
  }

  open(outer: Frame, call: Call): Frame {
    return new RetryFrame(this, outer, call)
  }
}

/** One logical call: counts the attempts and decides after each, as `internal/retryRun.ts` does. */
class RetryFrame extends Frame {
  private readonly layer: RetryLayer
  private inner: Frame | undefined = undefined
  private attempt = 1
  private startedAt = 0
  private purse: Purse | undefined = undefined
  private tried: Attempt | undefined = undefined
  /** the schedules that have begun; each goes on from where it was */
  private delays: Map<object, Delays> | undefined = undefined

  constructor(layer: RetryLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { budget, remembers, world } = this.layer
    if (budget !== undefined) this.purse = new Purse(budget, world.now)
    if (remembers) this.tried = this.outer!.memory ?? new Attempt()
    this.next()
  }

  override get memory(): Attempt | undefined {
    return this.tried
  }

  private next(): void {
    const { inner, settings: { name }, world } = this.layer
    if (world.listens) {
      this.startedAt = world.now
      world.emit({ _tag: "AttemptStarted", policy: "retry", name, attempt: this.attempt })
    }
    this.inner = inner.open(this, this.call)
    this.inner.begin()
  }

  answered(outcome: Outcome): void {
    const { settings } = this.layer
    this.inner = undefined
    const fault = faultOf(settings, outcome, this.layer.world.now)
    this.tellEnded(outcome, fault)
    if (fault === undefined) return this.finish(outcome)
    const { random, world: { agenda } } = this.layer
    const counts = fault._tag === "Transient" || fault._tag === "Throttled"
    this.purse?.failed(counts)
    const isElsewhere = this.tried !== undefined && this.tried.mayGoElsewhere(agenda.now)
    const passes = settings.goesOn(fault) || (isElsewhere && fault._tag === "Rejected")
    const again = (outcome.succeeded || (outcome.typed && settings.accepts(outcome.value))) && passes
    if (!again) return this.stop(outcome, fault, "not-retryable")
    if (this.attempt > settings.times) return this.stop(outcome, fault, "exhausted")
    const scheduled = this.delaysFor(outcome, fault).next(agenda.now, outcome.value)
    if (scheduled === undefined) return this.stop(outcome, fault, "exhausted")
    const hint = isElsewhere ? undefined : Fault.retryAfter(fault)
    const delay = kernel.wait({
      scheduled: settings.after?.({
        attempt: this.attempt,
        fault,
        exit: outcome.exit,
        delay: Duration.millis(scheduled)
      }) ?? scheduled,
      hint: hint === undefined ? undefined : Duration.toMillis(hint),
      left: this.deadline - agenda.now,
      random: random.next()
    }, settings.hints)
    if (typeof delay === "string") return this.stop(outcome, fault, delay)
    if (!this.pay(counts)) return this.stop(outcome, fault, "budget")
    this.tellScheduled(outcome, fault, delay)
    this.attempt++
    if (delay <= 0) this.wake()
    else agenda.schedule(this, delay)
  }

  override wake(): void {
    this.purse?.goOn()
    this.tried = this.tried?.another()
    this.next()
  }

  cancel(): boolean {
    this.ticket = 0
    const { inner } = this
    let queued = false
    if (inner !== undefined) {
      queued = inner.cancel()
      this.tellEnded(interrupted, faultOf(this.layer.settings, interrupted, this.layer.world.now))
    }
    this.purse?.finish(this.layer.world.now, false)
    return queued
  }

  private delaysFor({ value }: Outcome, fault: Fault.Fault): Delays {
    const { random, settings: { schedule: fallback, schedules } } = this.layer
    const schedule = schedules === undefined ? fallback : kernel.choose(schedules, value, fault) ?? fallback
    this.delays ??= new Map()
    let delays = this.delays.get(schedule)
    if (delays === undefined) this.delays.set(schedule, delays = delaysOf(schedule, random))
    return delays
  }

  private pay(counts: boolean): boolean {
    const { settings: { budget, name }, world } = this.layer
    const paid = this.purse === undefined || this.purse.pay(world.now, counts)
    if (!paid && world.listens) {
      world.emit({ _tag: "BudgetExhausted", policy: "retry", name, budget: budget!.name, attempt: this.attempt })
    }
    return paid
  }

  private stop(outcome: Outcome, fault: Fault.Fault, reason: StopReason): void {
    const { settings: { name }, world } = this.layer
    this.purse?.giveUp()
    if (world.listens) {
      const { attempt } = this
      world.emit({
        _tag: "RetryStopped",
        policy: "retry",
        name,
        attempt,
        fault,
        cause: causeOf(outcome.exit),
        reason
      })
    }
    this.finish(outcome)
  }

  private finish(outcome: Outcome): void {
    this.purse?.finish(this.layer.world.now, outcome.succeeded)
    this.outer!.answered(outcome, this)
  }

  private tellEnded({ exit }: Outcome, fault: Fault.Fault | undefined): void {
    const { settings: { name }, world } = this.layer
    if (!world.listens) return
    const { attempt } = this
    const duration = Duration.millis(world.now - this.startedAt)
    world.emit({ _tag: "AttemptEnded", policy: "retry", name, attempt, duration, fault, exit })
  }

  private tellScheduled({ exit }: Outcome, fault: Fault.Fault, millis: number): void {
    const { settings: { name }, world } = this.layer
    if (!world.listens) return
    const { attempt } = this
    const delay = Duration.millis(millis)
    world.emit({ _tag: "RetryScheduled", policy: "retry", name, attempt, fault, cause: causeOf(exit), delay })
  }
}

/** A value that is a fault has none. */
const causeOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<unknown> =>
  Exit.isSuccess(exit) ? Cause.empty : exit.cause

export const retry: SimulatedPolicy = ofClass(
  RetryPolicy,
  (policy) => (inner, process) => new RetryLayer(policy, inner, process)
)
