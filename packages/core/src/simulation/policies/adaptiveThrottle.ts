import { settle, Throttler, Throttles } from "../../internal/adaptiveThrottle.ts"
import { ThrottleRejected } from "../../internal/errors.ts"
import type * as kernel from "../../kernel/adaptiveThrottle.ts"
import { type Criticality, rankOf } from "../../kernel/criticality.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { interrupted, type Outcome, rejection } from "../internal/outcome.ts"
import type { Random } from "../internal/random.ts"
import { faultOf } from "./faults.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

class ThrottleLayer implements Layer {
  readonly throttler: Throttler
  private readonly throttles: Throttles
  readonly world: World
  readonly inner: Layer
  private readonly random: Random

  constructor(throttler: Throttler, inner: Layer, process: Process) {
    this.throttler = throttler
    this.throttles = process.state(throttler, () => new Throttles(throttler.settings))
    this.world = process.world
    this.inner = inner
    this.random = process.random
  }

  open(outer: Frame, call: Call): Frame {
    return new ThrottleFrame(this, outer, call)
  }

  throttleOf({ criticality }: Call): kernel.Throttle {
    return this.throttles.of(rankOf(criticality))
  }

  enter(throttle: kernel.Throttle, { criticality }: Call): kernel.Ticket | Outcome {
    const at = this.world.now
    const ratio = throttle.ratio(at)
    return throttle.enter(at, ratio === 0 ? 1 : this.random.next()) ?? this.reject(criticality, ratio)
  }

  private reject(criticality: Criticality, ratio: number): Outcome {
    const { throttler: { settings: { name } }, world } = this
    if (world.listens) world.emit({ _tag: "RejectedByThrottle", policy: "adaptive-throttle", name, criticality, ratio })
    return rejection(new ThrottleRejected({ policyName: name, ratio }))
  }
}

class ThrottleFrame extends Frame {
  private readonly layer: ThrottleLayer
  private readonly throttle: kernel.Throttle
  private inner: Frame | undefined = undefined
  private counted: kernel.Ticket = 0

  constructor(layer: ThrottleLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
    this.throttle = layer.throttleOf(call)
  }

  begin(): void {
    const { inner } = this.layer
    const entered = this.layer.enter(this.throttle, this.call)
    if (typeof entered !== "number") return this.outer!.answered(entered, this)
    this.counted = entered
    this.inner = inner.open(this, this.call)
    this.inner.begin()
  }

  answered(outcome: Outcome): void {
    this.record(outcome)
    this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    const queued = this.inner!.cancel()
    this.record(interrupted)
    return queued
  }

  private record(outcome: Outcome): void {
    const { throttler: { settings }, world: { now } } = this.layer
    settle(this.throttle, now, this.counted, faultOf(settings, outcome, now))
  }
}

export const adaptiveThrottle: SimulatedPolicy = ofClass(
  Throttler,
  (throttler) => (inner, process) => new ThrottleLayer(throttler, inner, process)
)
