import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/circuitBreaker.ts"
import type { Knowledge } from "../kernel/keyed.ts"
import { hangsAfterOf, type Options, rulesOf, settingsOf, states } from "./circuitBreakerRules.ts"
import { emit } from "./emit.ts"
import { CircuitOpen } from "./errors.ts"
import * as Telemetry from "./events.ts"
import { ExitFrame } from "./frame.ts"
import type * as Policy from "./model.ts"
import { outcomeOf } from "./outcome.ts"
import type { AnyFiber } from "./primitive.ts"
import { CurrentGauges, type Gauges, type GaugesOf } from "./registry.ts"
import { now, wallNow } from "./time.ts"
import { interruptedByDeadline, mayBeCut } from "./turn.ts"

interface Change {
  readonly from: kernel.State
  readonly to: kernel.State
}

type Subscriber = (change: Change) => void
type Handler = (exit: Exit.Exit<any, any>) => undefined

/** The state of a breaker, for metrics. */
export const gauges: GaugesOf<Recorder> = {
  "resilience.breaker.state": { all: states, count: ({ circuit }, state, at) => circuit.peek(at) === state ? 1 : 0 }
}

/** What acts for a circuit: admits and records calls, and tells of its changes. */
export class Recorder {
  readonly circuit: kernel.Circuit
  options: Options
  private hangsAfter: number
  private exceeded = false
  private measuredBy: Gauges | undefined = undefined
  private metIn: kernel.Permit | undefined = undefined
  private subscribers: Set<Subscriber> | undefined = undefined
  private handler: Handler | undefined = undefined
  private handlerOf: kernel.Permit | undefined = undefined
  private frame: CallFrame | undefined = undefined

  constructor(options: Options) {
    this.options = options
    this.circuit = new kernel.Circuit(rulesOf(options), options.initial)
    this.hangsAfter = hangsAfterOf(options)
  }

  get name(): string | undefined {
    return this.options.name
  }

  get info(): Policy.PolicyInfo {
    return { kind: "circuit-breaker", name: this.name, settings: settingsOf(this.options), children: [] }
  }

  knowledge(at: number): Knowledge {
    return this.circuit.knowledge(at)
  }

  reconfigure(changes: Options): void {
    const options = { ...this.options, ...changes }
    if (changes.halfOpen !== undefined) options.halfOpen = { ...this.options.halfOpen, ...changes.halfOpen }
    const hangsAfter = hangsAfterOf(options)
    this.circuit.reconfigure(rulesOf(options))
    this.options = options
    this.hangsAfter = hangsAfter
  }

  /** Enters the metrics of the first caller in each state, for a breaker that was made where nobody measures. */
  meet(fiber: AnyFiber): void {
    if (this.metIn === this.circuit.permit) return
    this.metIn = this.circuit.permit
    const gauging = this.name === undefined ? undefined : fiber.getRef(CurrentGauges)
    if (gauging === undefined || gauging === this.measuredBy) return
    this.measuredBy = gauging
    gauging.add<Recorder>(this, "circuit-breaker", this.name!, gauges)
  }

  /** It is let go: what it counted is not looked at any more. */
  letGo(): void {
    this.measuredBy?.remove(this)
    this.measuredBy = this.metIn = undefined
  }

  /** Tells of a change of state, if there was one. */
  settle(fiber: AnyFiber, from: kernel.State): void {
    const { circuit } = this
    const to = circuit.state
    if (from !== to) {
      this.meet(fiber)
      this.subscribers?.forEach((subscriber) => subscriber({ from, to }))
      const listener = fiber.getRef(Telemetry.CurrentListener)
      if (listener !== undefined) {
        emit(fiber, listener, { _tag: "CircuitChanged", policy: "circuit-breaker", name: this.name, from, to })
      }
    }
    if (this.exceeded === circuit.exceeded) return
    this.exceeded = circuit.exceeded
    const listener = this.exceeded ? fiber.getRef(Telemetry.CurrentListener) : undefined
    if (listener !== undefined) {
      emit(fiber, listener, { _tag: "CircuitExceeded", policy: "circuit-breaker", name: this.name })
    }
  }

  /** Does something to the circuit, and tells of the change that it made. */
  change<A>(fiber: AnyFiber, f: (circuit: kernel.Circuit) => A): A {
    const from = this.circuit.state
    const result = f(this.circuit)
    this.settle(fiber, from)
    return result
  }

  subscribe(subscriber: Subscriber): () => void {
    const subscribers = this.subscribers ??= new Set()
    subscribers.add(subscriber)
    return () => subscribers.delete(subscriber)
  }

  /** All calls with the shared permit of one generation share their exit handler, where nobody asks when a call began. */
  get sharedHandler(): Handler {
    const { permit } = this.circuit
    if (this.handlerOf !== permit) {
      this.handlerOf = permit
      this.handler = (exit) => this.record(Fiber.getCurrent()!, permit, exit, undefined)
    }
    return this.handler!
  }

  /** The same, on the stack of a fiber. */
  get sharedFrame(): CallFrame {
    const { permit } = this.circuit
    if (this.frame?.permit !== permit) this.frame = new CallFrame(this, permit, undefined)
    return this.frame
  }

  /** Whether it matters when a call begins in this fiber, for a deadline may end the call. */
  times(fiber: AnyFiber): boolean {
    return this.options.classify === undefined && mayBeCut(fiber)
  }

  /** When a call begins, for {@link record}. */
  begins(fiber: AnyFiber, at: number): number | undefined {
    return this.times(fiber) ? at : undefined
  }

  /** Lets a call through, or gives the error with which it is rejected. */
  admit(fiber: AnyFiber, at: number): kernel.Permit | CircuitOpen {
    this.meet(fiber)
    return this.change(fiber, (circuit) => circuit.admit(at)) ?? this.reject(fiber, at)
  }

  /**
   * The end of a call. `began` is when it was asked for an answer, where that matters.
   */
  record(fiber: AnyFiber, permit: kernel.Permit, exit: Exit.Exit<any, any>, began: number | undefined): undefined {
    if (!Exit.isSuccess(exit) || !this.recordsValue(fiber, permit, exit.value)) {
      this.recordEnd(fiber, permit, exit, began)
    }
  }

  /** A call that gave a value. */
  recordSuccess(fiber: AnyFiber, permit: kernel.Permit, value: unknown, began: number | undefined): void {
    const { circuit, options } = this
    if (options.classify !== undefined || options.result !== undefined) {
      return this.record(fiber, permit, Exit.succeed(value), began)
    }
    const from = circuit.state
    circuit.record(permit, "success", circuit.timed || permit.startedAt !== undefined ? now(fiber) : 0)
    this.settle(fiber, from)
  }

  /** The same, after {@link recordsValue} has been asked about the value. */
  recordEnd(fiber: AnyFiber, permit: kernel.Permit, exit: Exit.Exit<any, any>, began: number | undefined): undefined {
    const { circuit, options } = this
    const from = circuit.state
    if (Exit.isSuccess(exit) && (options.classify === undefined || options.result !== undefined)) {
      // what succeeds needs the time only where a rule asks for it, and it is what happens most
      circuit.record(permit, "success", circuit.timed || permit.startedAt !== undefined ? now(fiber) : 0)
    } else {
      const { classify = Fault.of } = options
      const fault = this.asking(fiber, permit, () => classify(exit, wallNow(fiber)))
      const at = now(fiber)
      const hung = fault?._tag === "Interrupted" && began !== undefined &&
        interruptedByDeadline(fiber, at, began, this.hangsAfter)
      circuit.record(permit, hung ? "failure" : outcomeOf(fault), at, hintOf(fault))
    }
    this.settle(fiber, from)
  }

  /** Whether a value that came back, the first element of a stream for example, is called a fault; then it has been counted. */
  recordsValue(fiber: AnyFiber, permit: kernel.Permit, value: unknown): boolean {
    const { result } = this.options
    const fault = result === undefined ? undefined : this.asking(fiber, permit, () => result(value))
    if (fault === undefined) return false
    this.change(fiber, (circuit) => circuit.record(permit, outcomeOf(fault), now(fiber), hintOf(fault)))
    return true
  }

  /** The call counts for nothing. */
  release(fiber: AnyFiber, permit: kernel.Permit): void {
    this.change(fiber, (circuit) => circuit.record(permit, "ignored", now(fiber)))
  }

  /** Asks a function of the user's. If that throws, the call counts for nothing. */
  private asking<A>(fiber: AnyFiber, permit: kernel.Permit, ask: () => A): A {
    try {
      return ask()
    } catch (bug) {
      this.release(fiber, permit)
      throw bug
    }
  }

  reject(fiber: AnyFiber, at: number): CircuitOpen {
    const { state } = this.circuit
    const error = new CircuitOpen({
      policyName: this.name,
      state: state === "Isolated" || state === "HalfOpen" ? state : "Open",
      retryAfter: Duration.millis(Math.ceil(this.circuit.retryAfter(at)))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      const { retryAfter, state } = error
      emit(fiber, listener, {
        _tag: "RejectedByCircuit",
        policy: "circuit-breaker",
        name: this.name,
        state,
        retryAfter
      })
    }
    return error
  }
}

/** Records a call in the frame that stands for it on the stack of a fiber. */
export class CallFrame extends ExitFrame {
  declare readonly permit: kernel.Permit
  declare protected readonly recorder: Recorder
  declare private readonly began: number | undefined

  constructor(recorder: Recorder, permit: kernel.Permit, began: number | undefined) {
    super()
    this.recorder = recorder
    this.permit = permit
    this.began = began
  }

  protected succeeded(fiber: AnyFiber, value: unknown): void {
    this.recorder.recordSuccess(fiber, this.permit, value, this.began)
  }

  protected failed(fiber: AnyFiber, exit: Exit.Exit<never, unknown>): void {
    this.recorder.record(fiber, this.permit, exit, this.began)
  }
}

/** What {@link CallFrame} is for a call that may be slow. It comes with the rule, so that breakers without one do not carry it. */
export interface SlowCalls {
  readonly push: (fiber: AnyFiber, recorder: Recorder, permit: kernel.Permit, began: number | undefined) => void
  /** Tells a permit of the call's own what the call waits for its turn inside. */
  readonly measured: <A>(
    self: Effect.Effect<A, any, any>,
    fiber: AnyFiber,
    circuit: kernel.Circuit,
    permit: kernel.Permit
  ) => Effect.Effect<A, any, any>
}

export const slowCallsOf = ({ slow }: kernel.Circuit, permit: kernel.Permit): SlowCalls | undefined =>
  // the constructor of the rule, `CircuitBreaker.slowRate`, has both
  permit.startedAt === undefined || slow === undefined ? undefined : slow as kernel.Circuit["slow"] & SlowCalls

export const isRejection = (admission: kernel.Permit | CircuitOpen): admission is CircuitOpen => "_tag" in admission

/** What the callee asked for. What another policy of this process asks its callers for is not a word of the callee. */
export const hintOf = (fault: Fault.Fault | undefined): number => {
  if (fault?._tag !== "Transient" && fault?._tag !== "Throttled") return 0
  return fault.retryAfter === undefined ? 0 : Duration.toMillis(fault.retryAfter)
}
