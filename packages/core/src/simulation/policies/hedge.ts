import * as Duration from "effect/Duration"
import type * as Fault from "../../Fault.ts"
import { Hedging } from "../../internal/hedging.ts"
import { RaceWaits } from "../../internal/raceWaits.ts"
import { timerResolution } from "../../internal/time.ts"
import { Attempt as Tried } from "../../internal/tries.ts"
import { Waits } from "../../internal/waits.ts"
import { LearntDelay } from "../../kernel/hedge.ts"
import type { Budget, Grant } from "../../kernel/retryBudget.ts"
import { Alarms } from "../internal/agenda.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import type { Outcome } from "../internal/outcome.ts"
import { budgetIn } from "./budget.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

class HedgeLayer implements Layer {
  readonly hedging: Hedging
  readonly inner: Layer
  readonly world: World
  readonly budget: Budget | undefined
  readonly learnt: LearntDelay | undefined
  readonly alarms: Alarms | undefined
  readonly remembers: boolean

  constructor(hedging: Hedging, inner: Layer, process: Process) {
    const { learnt, shared } = hedging
    this.hedging = hedging
    this.inner = inner
    this.world = process.world
    this.remembers = process.remembers
    this.budget = budgetIn(process, shared)
    this.learnt = learnt === undefined ? undefined : process.state(hedging, () => new LearntDelay(learnt.rules))
    this.alarms = learnt === undefined ? new Alarms(process.world.agenda, hedging.delay) : undefined
  }

  get delay(): number {
    return this.learnt === undefined ? this.hedging.delay : this.learnt.delay
  }

  open(outer: Frame, call: Call): Frame {
    return new HedgeFrame(this, outer, call)
  }

  faultOf(outcome: Outcome): Fault.Fault | undefined {
    return this.hedging.ofValue(outcome.exit, this.world.now)
  }
}

/** The callee has answered, or there is a bug, or it has ended itself: the race is over. */
const isFinal = ({ _tag }: Fault.Fault): boolean => _tag === "Permanent" || _tag === "Defect" || _tag === "Interrupted"

/** The race of one call, as in `internal/hedge.ts`. */
class HedgeFrame extends Frame {
  readonly layer: HedgeLayer
  private readonly running = new Set<Attempt>()
  private startedAt = 0
  private begun = 0
  private over = false
  /** no further attempt is begun; those in flight are left alone */
  private complete = false
  private first: Outcome | undefined = undefined
  /** when all attempts wait for their turn */
  readonly waiting = new RaceWaits(() => ({ begin: (at) => super.waits(at), end: (at) => super.goesOn(at) }))
  /** what the first attempt has waited for its turn */
  private readonly waited: Waits | undefined
  private readonly tried: Tried | undefined

  constructor(layer: HedgeLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
    this.tried = layer.remembers ? outer.memory ?? new Tried() : undefined
    this.waited = layer.learnt === undefined ? undefined : new Waits(undefined)
  }

  begin(): void {
    const { budget, world } = this.layer
    this.startedAt = world.now
    budget?.begin(this.startedAt)
    this.start(undefined)
    this.awaitNext()
  }

  private get mayBegin(): boolean {
    return !this.over && !this.complete && this.begun <= this.layer.hedging.max
  }

  private get isInTime(): boolean {
    return this.deadline > this.layer.world.now
  }

  private awaitNext(): void {
    const { agenda } = this.layer.world
    const { delay } = this.layer
    if (delay <= 0) {
      while (this.mayBegin && this.isInTime) this.another("delay", false)
    }
    this.disarm()
    if (!this.mayBegin || delay <= 0) return
    if (delay < this.deadline - agenda.now) this.arm(delay)
  }

  override wake(): void {
    if (!this.mayBegin || !this.isInTime) return
    const { world: { now } } = this.layer
    const left = this.leftOf(now)
    if (left > timerResolution) {
      if (left < this.deadline - now) this.layer.world.agenda.schedule(this, left)
      return
    }
    this.another("delay", false)
    this.awaitNext()
  }

  /** As long as the first attempt waits for its turn, a delay that is learnt from calls which have theirs stands. */
  private leftOf(at: number): number {
    const queued = this.begun === 1 && this.waited !== undefined ? this.waited.waited(at) : 0
    return queued === 0 ? 0 : this.startedAt + queued + this.layer.delay - at
  }

  private another(because: "delay" | "failure", paid: boolean): void {
    const { budget, hedging: { budgetName, name }, world } = this.layer
    const grant = budget?.grant(world.now, paid)
    if (budget !== undefined && grant === undefined) {
      this.complete = true
      if (world.listens) {
        world.emit({ _tag: "BudgetExhausted", policy: "hedge", name, budget: budgetName, attempt: this.begun })
      }
      return
    }
    if (world.listens) {
      const attempt = this.begun + 1
      const elapsed = Duration.millis(world.now - this.startedAt)
      world.emit({ _tag: "HedgeStarted", policy: "hedge", name, attempt, because, elapsed })
    }
    this.start(grant)
  }

  private start(grant: Grant | undefined): void {
    const n = ++this.begun
    const attempt = new Attempt(this, n, grant, n === 1 ? this.tried : this.tried?.another())
    this.running.add(attempt)
    this.waiting.began(this.layer.world.now)
    attempt.begin()
  }

  ended(attempt: Attempt, outcome: Outcome): void {
    const { budget, world } = this.layer
    this.running.delete(attempt)
    this.waiting.ended(world.now)
    if (attempt.grant !== undefined) budget!.release()
    if (this.over) return
    if (attempt.n === 1) this.first = outcome
    const fault = this.layer.faultOf(outcome)
    if (attempt.n === 1) this.learn(fault === undefined)
    if (fault === undefined) return this.settle(outcome, attempt.n)
    if (isFinal(fault)) return this.settle(outcome, undefined)
    this.failed(fault)
  }

  /** What one server cannot do now, or a policy that stands for it refuses, another one may do. */
  private passesElsewhere({ _tag }: Fault.Fault): boolean {
    const passes = _tag === "Transient" || _tag === "Throttled" || _tag === "Rejected"
    return passes && this.tried !== undefined && this.tried.mayGoElsewhere(this.layer.world.now)
  }

  /** Another attempt may do better, now or later. */
  private failed(fault: Fault.Fault): void {
    const counts = fault._tag === "Transient" || fault._tag === "Throttled"
    if (counts) this.layer.budget?.fail()
    const goesOn = fault._tag === "Transient" && fault.retryAfter === undefined
    if (!goesOn && !this.passesElsewhere(fault)) this.complete = true
    this.disarm()
    if (this.mayBegin && this.isInTime) {
      this.another("failure", counts)
      if (this.layer.delay > 0) this.awaitNext()
    }
    if (!this.over && this.running.size === 0) this.settle(this.first!, undefined)
  }

  private settle(outcome: Outcome, winner: number | undefined): void {
    const { budget, hedging: { name }, world } = this.layer
    this.end()
    if (winner !== undefined) budget?.succeed()
    budget?.end()
    if (world.listens && this.begun > 1) {
      const duration = Duration.millis(world.now - this.startedAt)
      world.emit({ _tag: "HedgeSettled", policy: "hedge", name, attempts: this.begun, winner, duration })
    }
    this.outer!.answered(outcome, this)
  }

  answered(): void {}

  cancel(): boolean {
    const queued = this.end()
    this.layer.budget?.end()
    return queued
  }

  /** Ends the race. Gives whether all attempts still waited for their turn. */
  private end(): boolean {
    this.over = true
    this.disarm()
    if (this.first === undefined) this.learn(false)
    this.waiting.settled(this.layer.world.now)
    let queued = this.running.size > 0
    for (const attempt of Array.from(this.running)) {
      queued = attempt.cancel() && queued
      if (attempt.grant !== undefined) this.layer.budget!.release()
    }
    this.running.clear()
    return queued
  }

  private learn(answered: boolean): void {
    const { learnt, world: { now } } = this.layer
    if (learnt !== undefined) learnt.add(now - this.startedAt - this.waited!.waited(now), answered)
  }

  private arm(delay: number): void {
    if (this.layer.alarms === undefined) this.layer.world.agenda.schedule(this, delay)
    else if (delay < Infinity) this.layer.alarms.add(this)
  }

  private disarm(): void {
    if (this.layer.alarms === undefined) this.ticket = 0
    else this.layer.alarms.remove(this)
  }

  firstWaits(at: number): void {
    this.waited?.begin(at)
  }

  firstGoesOn(at: number): void {
    this.waited?.end(at)
  }
}

/** One of several attempts at once. */
class Attempt extends Frame {
  readonly n: number
  readonly grant: Grant | undefined
  private readonly tried: Tried | undefined
  private readonly race: HedgeFrame
  private inner: Frame | undefined = undefined

  constructor(race: HedgeFrame, n: number, grant: Grant | undefined, tried: Tried | undefined) {
    super(race, race.call, race.deadline)
    this.tried = tried
    this.race = race
    this.n = n
    this.grant = grant
  }

  override get memory(): Tried | undefined {
    return this.tried
  }

  begin(): void {
    this.inner = this.race.layer.inner.open(this, this.call)
    this.inner.begin()
  }

  answered(outcome: Outcome): void {
    this.race.ended(this, outcome)
  }

  cancel(): boolean {
    return this.inner!.cancel()
  }

  override waits(at: number): void {
    if (this.n === 1) this.race.firstWaits(at)
    this.race.waiting.paused(at)
  }

  override goesOn(at: number): void {
    if (this.n === 1) this.race.firstGoesOn(at)
    this.race.waiting.resumed(at)
  }
}

export const hedge: SimulatedPolicy = ofClass(
  Hedging,
  (hedging) => (inner, process) => new HedgeLayer(hedging, inner, process)
)
