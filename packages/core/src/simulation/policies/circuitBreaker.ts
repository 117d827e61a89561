import * as Duration from "effect/Duration"
import type * as Fault from "../../Fault.ts"
import { Breaker } from "../../internal/circuitBreaker.ts"
import { hintOf } from "../../internal/circuitBreakerRecorder.ts"
import { hangsAfterOf, type Options, rulesOf } from "../../internal/circuitBreakerRules.ts"
import { CircuitOpen } from "../../internal/errors.ts"
import { outcomeOf } from "../../internal/outcome.ts"
import { timerResolution } from "../../internal/time.ts"
import * as kernel from "../../kernel/circuitBreaker.ts"
import { type Call, type Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { type Outcome, rejection } from "../internal/outcome.ts"
import { faultOf } from "./faults.ts"
import { MeasuringFrame } from "./measuring.ts"
import { ofClass, type SimulatedPolicy } from "./policy.ts"

/** The breaker of one process, which the layers of all stacks that have it share. */
class Circuit {
  readonly kernel: kernel.Circuit
  readonly hangsAfter: number
  readonly options: Options
  private readonly world: World
  private exceeded = false

  constructor(options: Options, world: World) {
    this.kernel = new kernel.Circuit(rulesOf(options), options.initial)
    this.hangsAfter = hangsAfterOf(options)
    this.options = options
    this.world = world
  }

  admit(at: number): kernel.Permit | undefined {
    const from = this.kernel.state
    const permit = this.kernel.admit(at)
    this.settle(from)
    return permit
  }

  record(permit: kernel.Permit, outcome: kernel.Outcome, at: number, hint: number): void {
    const from = this.kernel.state
    this.kernel.record(permit, outcome, at, hint)
    this.settle(from)
  }

  reject(at: number): Outcome {
    const { state } = this.kernel
    const error = new CircuitOpen({
      policyName: this.options.name,
      state: state === "Isolated" || state === "HalfOpen" ? state : "Open",
      retryAfter: Duration.millis(Math.ceil(this.kernel.retryAfter(at)))
    })
    if (this.world.listens) {
      this.world.emit({
        _tag: "RejectedByCircuit",
        policy: "circuit-breaker",
        name: this.options.name,
        state: error.state,
        retryAfter: error.retryAfter
      })
    }
    return rejection(error)
  }

  private settle(from: kernel.State): void {
    const { kernel: { exceeded, state: to }, options: { name }, world } = this
    if (from !== to && world.listens) {
      world.emit({ _tag: "CircuitChanged", policy: "circuit-breaker", name, from, to })
    }
    if (this.exceeded === exceeded) return
    this.exceeded = exceeded
    if (exceeded && world.listens) world.emit({ _tag: "CircuitExceeded", policy: "circuit-breaker", name })
  }
}

class BreakerLayer implements Layer {
  readonly circuit: Circuit
  readonly world: World
  readonly inner: Layer

  constructor(breaker: Breaker, inner: Layer, process: Process) {
    this.world = process.world
    this.circuit = process.state(breaker, () => new Circuit(breaker.options, process.world))
    this.inner = inner
  }

  open(outer: Frame, call: Call): Frame {
    return new BreakerFrame(this, outer, call)
  }
}

class BreakerFrame extends MeasuringFrame {
  private readonly layer: BreakerLayer
  private permit: kernel.Permit | undefined = undefined
  private startedAt = 0
  private told = 0

  constructor(layer: BreakerLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
  }

  begin(): void {
    const { circuit, inner, world } = this.layer
    const at = this.startedAt = world.now
    this.permit = circuit.admit(at)
    if (this.permit === undefined) return this.outer!.answered(circuit.reject(at), this)
    this.inner = inner.open(this, this.call)
    this.inner.begin()
  }

  protected record(outcome: Outcome, queued: boolean): void {
    const { circuit, world: { now } } = this.layer
    const fault = faultOf(circuit.options, outcome, now)
    const failed = this.hung(fault, queued, now)
    circuit.record(this.permit!, failed ? "failure" : outcomeOf(fault), now, hintOf(fault))
  }

  /** A deadline has ended the call, and the callee has had its fair time. */
  private hung(fault: Fault.Fault | undefined, queued: boolean, at: number): boolean {
    if (fault?._tag !== "Interrupted" || queued) return false
    const { hangsAfter, options } = this.layer.circuit
    if (options.classify !== undefined || !this.isCut(at)) return false
    return at - this.startedAt - this.waited(at) + timerResolution >= hangsAfter
  }

  protected override paused(): void {
    this.layer.circuit.kernel.suspend(this.permit!)
  }

  protected override resumed(at: number): void {
    const waited = this.waited(at)
    this.layer.circuit.kernel.resume(this.permit!, waited - this.told)
    this.told = waited
  }
}

export const circuitBreaker: SimulatedPolicy = ofClass(
  Breaker,
  (breaker) => (inner, process) => new BreakerLayer(breaker, inner, process)
)
