import * as Duration from "effect/Duration"
import { Compartment } from "../../internal/bulkhead.ts"
import { handOver } from "../../internal/bulkheadCall.ts"
import { BulkheadRejected } from "../../internal/errors.ts"
import { timerResolution } from "../../internal/time.ts"
import * as kernel from "../../kernel/bulkhead.ts"
import { type Criticality, rankOf } from "../../kernel/criticality.ts"
import type { Place } from "../../kernel/queue.ts"
import { Alarms } from "../internal/agenda.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { type Outcome, rejection } from "../internal/outcome.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

type Kind = "bulkhead" | "adaptive-limit"

interface Limits {
  readonly kind: Kind
  readonly name: string | undefined
  /** in milliseconds */
  readonly maxWait: number
}

/** Permits, and how calls wait for them. */
export class BulkheadLayer implements Layer {
  readonly kind: Kind
  readonly permits: kernel.Permits<BulkheadFrame>
  readonly name: string | undefined
  readonly maxWait: number
  readonly alarms: Alarms
  readonly world: World
  readonly inner: Layer

  constructor(
    { kind, maxWait, name }: Limits,
    permits: kernel.Permits<BulkheadFrame>,
    inner: Layer,
    { world }: Process
  ) {
    this.kind = kind
    this.permits = permits
    this.name = name
    this.maxWait = maxWait
    this.alarms = new Alarms(world.agenda, maxWait)
    this.world = world
    this.inner = inner
  }

  open(outer: Frame, call: Call): Frame {
    return new BulkheadFrame(this, outer, call)
  }

  /** Hands on what was given back. */
  giveBack(): void {
    const { permits, world } = this
    if (permits.leave()) handOver(permits, world.now)
  }

  reject(criticality: Criticality, reason: BulkheadRejected["reason"], waited: number): Outcome {
    const error = new BulkheadRejected({
      policyName: this.name,
      reason,
      waited: Duration.millis(Math.round(waited))
    })
    if (this.world.listens) {
      this.world.emit({
        _tag: "RejectedByBulkhead",
        policy: this.kind,
        name: this.name,
        criticality,
        reason,
        waited: error.waited
      })
    }
    return rejection(error)
  }
}

type State = "new" | "waiting" | "granted" | "full" | "overload" | "running" | "over"

export class BulkheadFrame extends Frame {
  private readonly layer: BulkheadLayer
  private inner: Frame | undefined = undefined
  private place: Place<BulkheadFrame> | undefined = undefined
  private state: State = "new"
  private since = 0
  private timed = false

  constructor(layer: BulkheadLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { permits, world } = this.layer
    if (permits.enter()) return this.run()
    if (permits.isFull(this.rank, world.now)) return this.reject("full", 0)
    this.queue()
  }

  private get rank(): number {
    return rankOf(this.call.criticality)
  }

  private queue(): void {
    const { alarms, maxWait, permits, world: { agenda } } = this.layer
    const at = agenda.now
    const left = this.deadline - at - timerResolution
    if (left <= 0) return this.reject("waited", 0)
    const { rank } = this
    for (let last = permits.displace(rank, at); last !== undefined; last = permits.displace(rank, at)) last.lost("full")
    this.place = permits.join(this, rank, at)
    this.state = "waiting"
    this.since = at
    this.waits(at)
    this.timed = left < maxWait
    if (this.timed) agenda.schedule(this, left)
    else if (maxWait < Infinity) alarms.add(this)
  }

  /** The permit is the call's from now on. The call goes on when what gave it the permit has ended. */
  granted(): void {
    this.leave("granted")
    this.layer.world.agenda.later(this)
  }

  lost(reason: "full" | "overload"): void {
    this.leave(reason)
    this.layer.world.agenda.later(this)
  }

  override wake(): void {
    const { kind, name, permits, world } = this.layer
    const waited = world.now - this.since
    switch (this.state) {
      case "granted":
        if (world.listens) {
          const { criticality } = this.call
          world.emit({ _tag: "WaitedForBulkhead", policy: kind, name, criticality, waited: Duration.millis(waited) })
        }
        return this.run()
      case "full":
      case "overload":
        return this.reject(this.state, waited)
      case "waiting":
        this.leave("over")
        permits.cancel(this.place!)
        return this.reject("waited", waited)
    }
  }

  private run(): void {
    this.state = "running"
    this.inner = this.layer.inner.open(this, this.call)
    this.inner.begin()
  }

  private reject(reason: BulkheadRejected["reason"], waited: number): void {
    this.state = "over"
    this.outer!.answered(this.layer.reject(this.call.criticality, reason, waited), this)
  }

  answered(outcome: Outcome): void {
    this.state = "over"
    this.layer.giveBack()
    this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    const { state } = this
    const { permits } = this.layer
    if (state === "waiting") {
      this.leave("over")
      permits.cancel(this.place!)
      return true
    }
    const queued = state === "running" ? this.inner!.cancel() : true
    this.state = "over"
    if (state !== "full" && state !== "overload") this.layer.giveBack()
    return queued
  }

  private leave(state: State): void {
    this.state = state
    if (this.timed) this.ticket = 0
    else this.layer.alarms.remove(this)
    this.goesOn(this.layer.world.now)
  }
}

export const bulkhead: SimulatedPolicy = ofClass(
  Compartment,
  (compartment) => (inner, process) => {
    const { order, overload, permits: { concurrency, maxQueue } } = compartment
    const permits = process.state(
      compartment,
      () => new kernel.Permits<BulkheadFrame>({ concurrency, maxQueue }, order ?? "fifo", overload)
    )
    return new BulkheadLayer(compartment, permits, inner, process)
  }
)
