import { CountWindow, TimeWindow, type Window } from "./window.ts"

/** When a closed circuit opens. Every comparison is `>=`. */
export type Trip =
  | { readonly kind: "consecutive"; readonly failures: number }
  | {
    readonly kind: "failure-rate"
    readonly ratio: number
    readonly minimumThroughput: number
    /** the last so many calls, or the calls of the last so many milliseconds */
    readonly over: { readonly calls: number } | { readonly millis: number }
  }

export interface Rules {
  readonly trip: Trip
  /** how long the n-th opening in a row lasts; n counts from 1 */
  readonly openFor: (opening: number) => number
  /** how many calls a half-open circuit lets through */
  readonly probes: number
  /** how many of them have to succeed */
  readonly required: number
  /** a probe that has not answered by then no longer holds its slot */
  readonly lease: number
}

export type State = "Closed" | "Open" | "HalfOpen" | "Isolated"
export type Outcome = "success" | "failure" | "ignored"

/** An admission. What a call reports counts only while the generation of its permit is the current one. */
export interface Permit {
  readonly generation: number
  /** holds one of the slots of a half-open circuit until then */
  readonly leasedUntil: number | undefined
}

export interface Snapshot {
  readonly state: State
  readonly consecutiveFailures: number
  readonly calls: number
  readonly failures: number
  readonly retryAfter: number
  readonly openings: number
  readonly probing: number
  readonly succeeded: number
}

/** shared: a process may hold thousands of circuits, and few of them probe */
const none: ReadonlyArray<Permit> = []

/**
 * The state machine, without timers: an open circuit becomes half-open when somebody looks after its time. Times in
 * milliseconds on a monotonic clock.
 */
export class Circuit {
  private readonly rules: Rules
  private readonly window: Window | undefined
  private current: State = "Closed"
  /** The permit of every call that a closed circuit lets through. */
  permit: Permit = { generation: 0, leasedUntil: undefined }
  private consecutiveFailures = 0
  private openUntil = 0
  /** openings since the circuit last closed */
  private openings = 0
  private probing: ReadonlyArray<Permit> = none
  private succeeded = 0
  private failed = 0

  constructor(rules: Rules) {
    this.rules = rules
    this.window = rules.trip.kind === "consecutive"
      ? undefined
      : "calls" in rules.trip.over
      ? new CountWindow(rules.trip.over.calls)
      : new TimeWindow(rules.trip.over.millis)
  }

  get state(): State {
    return this.current
  }

  /** Whether a success has to be recorded with its time. */
  get timed(): boolean {
    return this.window instanceof TimeWindow
  }

  /** The state now: an open circuit whose time is up is half-open. */
  look(now: number): State {
    if (this.current === "Open" && now >= this.openUntil) this.enter("HalfOpen")
    return this.current
  }

  /** Lets a call through, or not. A permit is given back by {@link record}, once. */
  admit(now: number): Permit | undefined {
    switch (this.look(now)) {
      case "Closed":
        return this.permit
      case "Open":
      case "Isolated":
        return undefined
      case "HalfOpen": {
        this.probing = this.probing.filter((permit) => permit.leasedUntil! > now)
        if (this.probing.length + this.succeeded + this.failed >= this.rules.probes) return undefined
        const permit: Permit = { ...this.permit, leasedUntil: now + this.rules.lease }
        this.probing = [...this.probing, permit]
        return permit
      }
    }
  }

  /** How long a rejected caller had better wait. */
  retryAfter(now: number): number {
    if (this.current === "Isolated") return Infinity
    const at = this.current === "Open"
      ? this.openUntil
      : this.probing.reduce((earliest, { leasedUntil }) => Math.min(earliest, leasedUntil!), Infinity)
    return at === Infinity ? 0 : Math.max(0, at - now)
  }

  record(permit: Permit, outcome: Outcome, now: number): void {
    if (permit.generation !== this.permit.generation) return
    if (this.current === "HalfOpen") this.recordProbe(permit, outcome, now)
    else if (outcome !== "ignored") this.recordCall(outcome === "failure", now)
  }

  /**
   * A probe has answered well although its call goes on, as a stream does. Gives the permit under which the end of the call
   * is recorded: its failure still counts.
   */
  pass(permit: Permit, now: number): Permit {
    if (permit.generation !== this.permit.generation) return permit
    this.record(permit, "success", now)
    return this.permit
  }

  private recordProbe(permit: Permit, outcome: Outcome, now: number): void {
    this.probing = this.probing.filter((other) => other !== permit)
    if (outcome === "failure") {
      this.failed++
      if (this.failed > this.rules.probes - this.rules.required) this.open(now)
    } else if (outcome === "success" && permit.leasedUntil !== undefined) {
      this.succeeded++
      if (this.succeeded >= this.rules.required) this.reset()
    }
  }

  private recordCall(failed: boolean, now: number): void {
    this.consecutiveFailures = failed ? this.consecutiveFailures + 1 : 0
    this.window?.record(now, failed)
    if (this.trips()) this.open(now)
  }

  private trips(): boolean {
    const { trip } = this.rules
    if (trip.kind === "consecutive") return this.consecutiveFailures >= trip.failures
    const { calls, failures } = this.window!
    return calls >= trip.minimumThroughput && failures >= trip.ratio * calls
  }

  private open(now: number): void {
    this.enter("Open")
    this.openings++
    this.openUntil = now + this.rules.openFor(this.openings)
  }

  /** Rejects every call until {@link close} or {@link reset}. */
  isolate(): void {
    this.enter("Isolated")
  }

  /** Closed, with an empty window. If it opens again, it stays open for as long as if it had not been closed. */
  close(): void {
    this.enter("Closed")
  }

  /** As new. */
  reset(): void {
    this.enter("Closed")
    this.openings = 0
  }

  snapshot(now: number): Snapshot {
    const state = this.look(now)
    this.window?.age(now)
    return {
      state,
      consecutiveFailures: this.consecutiveFailures,
      calls: this.window?.calls ?? 0,
      failures: this.window?.failures ?? 0,
      retryAfter: this.retryAfter(now),
      openings: this.openings,
      probing: this.probing.length,
      succeeded: this.succeeded
    }
  }

  private enter(state: State): void {
    this.current = state
    this.permit = { generation: this.permit.generation + 1, leasedUntil: undefined }
    this.consecutiveFailures = 0
    this.window?.clear()
    this.probing = none
    this.succeeded = this.failed = 0
  }
}
