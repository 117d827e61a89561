import { counted, forced, type Knowledge, nothing, owed } from "./keyed.ts"
import { Held, type Permit } from "./permit.ts"
import { type Gauge, gauge, type Slow, slowOf, type Trips } from "./trip.ts"
import type { UnderWay } from "./underWay.ts"

export type { Permit } from "./permit.ts"

export interface Rules {
  /** a closed circuit opens when one of them is met; at most one of them is a slow rate */
  readonly trips: Trips
  /** how long an opening lasts, or the n-th in a row of a circuit; n counts from 1 */
  readonly openFor: number | ((opening: number, circuit: object) => number)
  /** the longest opening that the callee can ask for; 0 if it is not asked */
  readonly hintCap: number
  /** how many calls a half-open circuit lets through */
  readonly probes: number
  /** how many of them have to succeed */
  readonly required: number
  /** a probe that has not answered by then no longer holds its slot */
  readonly lease: number
}

/** What somebody decided, and only somebody ends. */
export type Forced = "Isolated" | "MetricsOnly" | "Disabled"
export type State = "Closed" | "Open" | "HalfOpen" | Forced
/** What a call that was throttled says: the callee is well, and had better not be called now. */
export type Outcome = "success" | "failure" | "throttled" | "ignored"

export interface Snapshot {
  readonly state: State
  readonly consecutiveFailures: number
  readonly calls: number
  readonly failures: number
  /** `undefined` without a rule about slow calls */
  readonly slow: number | undefined
  /** calls under way that are slow already */
  readonly overdue: number
  readonly retryAfter: number
  readonly openings: number
  readonly probing: number
  readonly succeeded: number
  /** a rule is met, in a circuit that only counts */
  readonly exceeded: boolean
}

/** shared: a process may hold thousands of circuits, and few of them probe */
const none: ReadonlyArray<Permit> = []

const permitOf = (generation: number): Permit => ({ generation, leasedUntil: undefined, startedAt: undefined })

/**
 * The state machine, without timers: an open circuit becomes half-open, and a call that has not answered becomes a slow
 * one, when somebody looks after its time. Times in milliseconds on a monotonic clock.
 */
export class Circuit {
  private rules: Rules
  private gauge: Gauge
  private consecutiveFailures = 0
  /** the rule about slow calls */
  slow: Slow | undefined
  private underWay: UnderWay | undefined = undefined
  private current: State
  private readonly initial: State
  /** The permit that all calls share of which nothing has to be remembered, and whether there are any others. */
  permit: Permit = permitOf(0)
  shared = true
  /** A rule is met, in a circuit that only counts. */
  exceeded = false
  /** not known of a circuit that was made open, until somebody looks */
  private openUntil: number | undefined = undefined
  /** openings since the circuit last closed */
  private openings = 0
  private probing: ReadonlyArray<Permit> = none
  private succeeded = 0
  private failed = 0

  constructor(rules: Rules, initial: State = "Closed") {
    this.rules = rules
    this.gauge = gauge(rules.trips)
    this.slow = slowOf(rules.trips)
    this.current = this.initial = initial
    this.shared = this.sharesPermit()
  }

  get state(): State {
    return this.current
  }

  /** Whether a success has to be recorded with its time. */
  get timed(): boolean {
    return this.underWay !== undefined || this.gauge.timed
  }

  /** What a new circuit in its place would not know. */
  knowledge(now: number): Knowledge {
    this.gauge.age(now)
    switch (this.current) {
      case "Isolated":
      case "MetricsOnly":
      case "Disabled":
        if (this.current !== this.initial) return forced
        break
      case "Open":
        if (this.openUntil !== undefined && this.openUntil > now) return owed
    }
    const counts = this.current !== this.initial || this.openings > 0 || this.consecutiveFailures > 0 ||
      this.gauge.noted
    return counts ? counted : nothing
  }

  /** Goes on with other rules: state, permits and what is in windows of the same span stay as they are. */
  reconfigure(rules: Rules): void {
    this.rules = rules
    this.gauge = gauge(rules.trips, this.gauge)
    this.slow = slowOf(rules.trips)
    if (this.slow === undefined) this.underWay = undefined
    // half-open, the decision is left to a probe: counts that would have decided leave no slot, and nothing would come after
    this.succeeded = Math.min(this.succeeded, rules.required - 1)
    this.failed = Math.min(this.failed, rules.probes - rules.required)
    this.shared = this.sharesPermit()
  }

  /** What {@link look} would find, without the change. */
  peek(now: number): State {
    if (this.current === "Open") return this.openUntil !== undefined && now >= this.openUntil ? "HalfOpen" : "Open"
    if (this.current !== "Closed" || this.underWay === undefined) return this.current
    const overdue = this.underWay.lateAt(now, this.slow!.after)
    if (overdue === 0) return "Closed"
    this.gauge.age(now)
    return this.gauge.met(this.consecutiveFailures, overdue) ? "Open" : "Closed"
  }

  /** The state now: an open circuit whose time is up is half-open, one with too many overdue calls is open. */
  look(now: number): State {
    if (this.current === "Open") {
      if (this.openUntil === undefined) this.open(now, 0)
      if (now >= this.openUntil!) this.enter("HalfOpen")
    } else if (this.noticed(now)) {
      this.gauge.age(now)
      this.judge(now, 0)
    }
    return this.current
  }

  /** Lets a call through, or not. A permit is given back by {@link record}, once. */
  admit(now: number): Permit | undefined {
    switch (this.look(now)) {
      case "Closed":
      case "MetricsOnly":
      case "Disabled":
        return this.shared ? this.permit : this.watched(now)
      case "Open":
      case "Isolated":
        return undefined
      case "HalfOpen": {
        this.probing = this.probing.filter((permit) => permit.leasedUntil! > now)
        if (this.probing.length + this.succeeded + this.failed >= this.rules.probes) return undefined
        const permit = new Held(this.permit.generation, now, now + this.rules.lease)
        this.probing = [...this.probing, permit]
        return permit
      }
    }
  }

  /**
   * How long a rejected caller had better wait. While a half-open circuit probes nobody knows: a probe answers when it does,
   * and its lease is far longer than that.
   */
  retryAfter(now: number): number {
    if (this.current === "Isolated") return Infinity
    return this.current === "Open" && this.openUntil !== undefined ? Math.max(0, this.openUntil - now) : 0
  }

  /** The end of a call, and the pause that the callee asked for with it. */
  record(permit: Permit, outcome: Outcome, now: number, hint = 0): void {
    if (permit.generation !== this.permit.generation) return
    this.underWay?.end(permit)
    switch (this.current) {
      case "HalfOpen":
        return this.recordProbe(permit, outcome, now, hint)
      case "Closed":
      case "MetricsOnly":
        return this.recordCall(permit, outcome, now, hint)
    }
  }

  /**
   * A call has answered well although it goes on, as a stream does. A probe has thereby passed; a call that was in time will
   * not be slow. Gives the permit under which the end of the call is recorded: its failure still counts.
   */
  pass(permit: Permit, now: number): Permit {
    if (permit.generation !== this.permit.generation) return permit
    if (permit.leasedUntil !== undefined) {
      this.record(permit, "success", now)
      return this.permit
    }
    if (this.isSlow(permit, now)) return permit
    this.underWay?.end(permit)
    return this.permit
  }

  /** The call waits for its turn in a queue of this process: that is nobody's slowness, and it does not become a slow one. */
  suspend(permit: Permit): void {
    if (permit instanceof Held) this.underWay?.suspend(permit)
  }

  /** It waits no longer, and has waited for so long. */
  resume(permit: Permit, waited: number): void {
    if (!(permit instanceof Held)) return
    permit.startedAt += waited
    if (permit.generation === this.permit.generation) this.underWay?.resume(permit)
  }

  private recordProbe(permit: Permit, outcome: Outcome, now: number, hint: number): void {
    this.probing = this.probing.filter((other) => other !== permit)
    if (outcome === "ignored") return
    // not let go on with the next caller: a throttled callee had better not be called by everybody
    if (outcome === "throttled") this.pause(now, hint)
    else if (outcome === "failure" || this.isSlow(permit, now)) {
      // counted only if it does not decide: an opening that throws leaves a slot for another probe
      if (this.failed < this.rules.probes - this.rules.required) this.failed++
      else this.open(now, hint)
    } else if (permit.leasedUntil !== undefined) {
      this.succeeded++
      if (this.succeeded >= this.rules.required) {
        this.enter("Closed")
        this.openings = 0
      }
    }
  }

  private recordCall(permit: Permit, outcome: Outcome, now: number, hint: number): void {
    if (outcome === "throttled" && hint > 0 && this.rules.hintCap > 0 && this.current === "Closed") {
      this.pause(now, hint)
    }
    if (outcome === "throttled" || outcome === "ignored") return
    const failed = outcome === "failure"
    this.consecutiveFailures = failed ? this.consecutiveFailures + 1 : 0
    this.gauge.record(now, failed, this.isSlow(permit, now))
    this.noticed(now)
    this.judge(now, hint)
  }

  private isSlow(permit: Permit, now: number): boolean {
    return permit.startedAt !== undefined && this.slow !== undefined && now - permit.startedAt >= this.slow.after
  }

  /** Lets a call through that becomes a slow one if it does not answer. */
  /** Whether there are calls under way that are slow already. */
  private noticed(now: number): boolean {
    return this.underWay !== undefined && this.underWay.notice(now, this.slow!.after)
  }

  private watched(now: number): Permit {
    const permit = new Held(this.permit.generation, now, undefined)
    this.underWay ??= this.slow!.watch()
    this.underWay.inTime.push(permit)
    return permit
  }

  private judge(now: number, hint: number): void {
    const met = this.gauge.met(this.consecutiveFailures, this.underWay === undefined ? 0 : this.underWay.overdue.size)
    if (this.current === "MetricsOnly") this.exceeded = met
    else if (met) this.open(now, hint)
  }

  private open(now: number, atLeast: number): void {
    // the delays are a user's own, and may throw: then the circuit stays as it is
    const millis = Math.max(this.configured(this.openings + 1), this.asked(atLeast))
    this.enter("Open")
    this.openings++
    this.openUntil = now + millis
  }

  /** The callee is well and asked for a pause: no opening that makes the next one longer. */
  private pause(now: number, hint: number): void {
    const millis = this.asked(hint) || this.configured(Math.max(1, this.openings))
    this.enter("Open")
    this.openUntil = now + millis
  }

  private configured(opening: number): number {
    const { openFor } = this.rules
    return typeof openFor === "number" ? openFor : openFor(opening, this)
  }

  /** A callee that says never does not say how long; 0. */
  private asked(hint: number): number {
    return hint === Infinity ? 0 : Math.min(hint, this.rules.hintCap)
  }

  /** Opens it as if a rule were met; for so long, if that is said. */
  openNow(now: number, millis: number | undefined): void {
    this.open(now, 0)
    if (millis !== undefined) this.openUntil = now + millis
  }

  /** A state that lasts until {@link close}, {@link reset} or {@link openNow}. */
  force(state: Forced): void {
    this.enter(state)
  }

  /** Closed, with an empty window. If it opens again, it stays open for as long as if it had not been closed. */
  close(): void {
    this.enter("Closed")
  }

  /** As new. */
  reset(): void {
    this.enter(this.initial)
    this.openings = 0
    this.openUntil = undefined
  }

  snapshot(now: number): Snapshot {
    const state = this.look(now)
    this.gauge.age(now)
    // what only counts is not over with when a rule is met: it may no longer be
    if (state === "MetricsOnly") this.judge(now, 0)
    const window = this.gauge.shown
    return {
      state,
      consecutiveFailures: this.consecutiveFailures,
      calls: window?.calls ?? 0,
      failures: window?.failures ?? 0,
      slow: this.slow === undefined ? undefined : window?.slow,
      overdue: this.underWay?.overdue.size ?? 0,
      retryAfter: this.retryAfter(now),
      openings: this.openings,
      probing: this.probing.length,
      succeeded: this.succeeded,
      exceeded: this.exceeded
    }
  }

  private enter(state: State): void {
    this.current = state
    this.permit = permitOf(this.permit.generation + 1)
    this.shared = this.sharesPermit()
    this.exceeded = false
    this.consecutiveFailures = 0
    this.gauge.clear()
    this.underWay = undefined
    this.probing = none
    this.succeeded = this.failed = 0
  }

  private sharesPermit(): boolean {
    switch (this.current) {
      case "Closed":
      case "MetricsOnly":
        return this.slow === undefined
      case "Disabled":
        return true
      default:
        return false
    }
  }
}
