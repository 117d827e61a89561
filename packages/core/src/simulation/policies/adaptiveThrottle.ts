import { settle, Throttler } from "../../internal/adaptiveThrottle.ts"
import { ThrottleRejected } from "../../internal/errors.ts"
import * as kernel from "../../kernel/adaptiveThrottle.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { interrupted, type Outcome, rejection } from "../internal/outcome.ts"
import type { Random } from "../internal/random.ts"
import { faultOf } from "./faults.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

class ThrottleLayer implements Layer {
  readonly throttler: Throttler
  readonly kernel: kernel.Throttle
  readonly world: World
  readonly inner: Layer
  private readonly random: Random

  constructor(throttler: Throttler, inner: Layer, process: Process) {
    this.throttler = throttler
    this.kernel = process.state(throttler, () => new kernel.Throttle(throttler.kernel.rules))
    this.world = process.world
    this.inner = inner
    this.random = process.random
  }

  open(outer: Frame, call: Call): Frame {
    return new ThrottleFrame(this, outer, call)
  }

  enter(at: number): kernel.Ticket | Outcome {
    const ratio = this.kernel.ratio(at)
    return this.kernel.enter(at, ratio === 0 ? 1 : this.random.next()) ?? this.reject(ratio)
  }

  private reject(ratio: number): Outcome {
    const { throttler: { name }, world } = this
    if (world.listens) world.emit({ _tag: "RejectedByThrottle", policy: "adaptive-throttle", name, ratio })
    return rejection(new ThrottleRejected({ policyName: name, ratio }))
  }
}

class ThrottleFrame extends Frame {
  private readonly layer: ThrottleLayer
  private inner: Frame | undefined = undefined
  private counted: kernel.Ticket = 0

  constructor(layer: ThrottleLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { inner, world } = this.layer
    const entered = this.layer.enter(world.now)
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
    const { kernel, throttler, world: { now } } = this.layer
    settle(kernel, now, this.counted, faultOf(throttler, outcome, now))
  }
}

export const adaptiveThrottle: SimulatedPolicy = ofClass(
  Throttler,
  (throttler) => (inner, process) => new ThrottleLayer(throttler, inner, process)
)
