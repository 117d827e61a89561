import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type * as CircuitBreaker from "../CircuitBreaker.ts"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/circuitBreaker.ts"
import { rulesOf, settingsOf } from "./breakerRules.ts"
import { emit } from "./emit.ts"
import { CircuitOpen } from "./errors.ts"
import { type AnyStream, fromPull, open } from "./establish.ts"
import * as Telemetry from "./events.ts"
import type * as Policy from "./model.ts"
import type { Implementation } from "./policy.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now, wallNow } from "./time.ts"
import { hangs } from "./turn.ts"

type Subscriber = (change: CircuitBreaker.Change) => void
type Handler = (exit: Exit.Exit<any, any>) => undefined

const classifyDefault: Fault.Classify = Fault.of

/** What acts for a circuit: admits and records calls, and tells of its changes. */
export class Breaker implements Implementation {
  readonly circuit: kernel.Circuit
  private options: CircuitBreaker.Options
  private classify: Fault.Classify<any>
  private exceeded = false
  private subscribers: Set<Subscriber> | undefined = undefined
  private handler: Handler | undefined = undefined
  private handlerOf: kernel.Permit | undefined = undefined

  constructor(options: CircuitBreaker.Options) {
    this.options = options
    this.circuit = new kernel.Circuit(rulesOf(options), options.initial)
    this.classify = options.classify ?? classifyDefault
  }

  get name(): string | undefined {
    return this.options.name
  }

  get info(): Policy.PolicyInfo {
    return { kind: "circuit-breaker", name: this.name, settings: settingsOf(this.options), children: [] }
  }

  effect(self: AnyEffect): AnyEffect {
    return new BreakerEffect(self, this)
  }

  stream(self: AnyStream): AnyStream {
    return breakerStream(self, this)
  }

  pinned(at: number, pressed: boolean): boolean {
    return this.circuit.forced || (!pressed && this.circuit.state === "Open" && this.circuit.retryAfter(at) > 0)
  }

  reconfigure(changes: CircuitBreaker.Reconfiguration): void {
    const options = { ...this.options, ...changes }
    if (changes.halfOpen !== undefined) options.halfOpen = { ...this.options.halfOpen, ...changes.halfOpen }
    this.circuit.reconfigure(rulesOf(options))
    this.options = options
    this.classify = options.classify ?? classifyDefault
  }

  /** Tells of a change of state, if there was one. */
  settle(fiber: AnyFiber, from: kernel.State): void {
    const { circuit } = this
    const to = circuit.state
    if (from !== to) {
      this.subscribers?.forEach((subscriber) => subscriber({ from, to }))
      const listener = fiber.getRef(Telemetry.CurrentListener)
      if (listener !== undefined) {
        emit(listener, { _tag: "CircuitChanged", policy: "circuit-breaker", name: this.name, from, to })
      }
    }
    if (this.exceeded === circuit.exceeded) return
    this.exceeded = circuit.exceeded
    const listener = this.exceeded ? fiber.getRef(Telemetry.CurrentListener) : undefined
    if (listener !== undefined) emit(listener, { _tag: "CircuitExceeded", policy: "circuit-breaker", name: this.name })
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

  /** All calls with the shared permit of one generation share their exit handler. */
  get sharedHandler(): Handler {
    const { permit } = this.circuit
    if (this.handlerOf !== permit) {
      this.handlerOf = permit
      this.handler = (exit) => this.record(Fiber.getCurrent()!, permit, exit)
    }
    return this.handler!
  }

  record(fiber: AnyFiber, permit: kernel.Permit, exit: Exit.Exit<any, any>): undefined {
    const { circuit } = this
    const from = circuit.state
    if (Exit.isSuccess(exit) && this.classify === classifyDefault) {
      // what succeeds needs the time only where a rule asks for it, and it is what happens most
      circuit.record(permit, "success", circuit.timed || permit.startedAt !== undefined ? now(fiber) : 0)
    } else {
      const fault = this.faultOf(fiber, permit, exit)
      circuit.record(permit, this.outcomeOf(fiber, fault), now(fiber), hintOf(fault))
    }
    this.settle(fiber, from)
  }

  private faultOf(fiber: AnyFiber, permit: kernel.Permit, exit: Exit.Exit<any, any>): Fault.Fault | undefined {
    try {
      return this.classify(exit, wallNow(fiber))
    } catch (bug) {
      this.circuit.record(permit, "ignored", now(fiber))
      throw bug
    }
  }

  private outcomeOf(fiber: AnyFiber, fault: Fault.Fault | undefined): kernel.Outcome {
    switch (fault?._tag) {
      case undefined:
      case "Permanent":
        return "success"
      case "Transient":
      case "Defect":
        return "failure"
      case "Interrupted":
        return this.classify === classifyDefault && hangs(fiber, now(fiber)) ? "failure" : "ignored"
      case "Throttled":
      case "Rejected":
        return "ignored"
    }
  }

  reject(fiber: AnyFiber, at: number): CircuitOpen {
    const error = new CircuitOpen({
      policyName: this.name,
      retryAfter: Duration.millis(Math.ceil(this.circuit.retryAfter(at)))
    })
    const listener = fiber.getRef(Telemetry.CurrentListener)
    if (listener !== undefined) {
      emit(listener, {
        _tag: "RejectedByCircuit",
        policy: "circuit-breaker",
        name: this.name,
        retryAfter: error.retryAfter
      })
    }
    return error
  }
}

/** What the callee asked for. What another policy of this process asks its callers for is not a word of the callee. */
const hintOf = (fault: Fault.Fault | undefined): number => {
  if (fault?._tag !== "Transient" && fault?._tag !== "Throttled") return 0
  return fault.retryAfter === undefined ? 0 : Duration.toMillis(fault.retryAfter)
}

class BreakerEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly breaker: Breaker
  private handler: unknown = undefined
  private guarded: AnyEffect | undefined = undefined

  constructor(self: AnyEffect, breaker: Breaker) {
    super()
    this.self = self
    this.breaker = breaker
  }

  run(fiber: AnyFiber): AnyEffect {
    const { breaker, self } = this
    const { circuit } = breaker
    if (!circuit.shared) {
      const at = now(fiber)
      const from = circuit.state
      const state = circuit.look(at)
      breaker.settle(fiber, from)
      return state === "Open" || state === "Isolated" ? Effect.fail(breaker.reject(fiber, at)) : held(self, breaker)
    }
    // a shared permit holds nothing for a call, so that nothing is lost before the frame is on the stack
    const handler = breaker.sharedHandler
    if (this.handler !== handler) {
      this.handler = handler
      this.guarded = Effect.onExitPrimitive(self, handler)
    }
    return this.guarded!
  }
}

/** Such a call holds a permit of its own, so the frame that gives it back is on the stack before the permit is taken. */
const held = (self: AnyEffect, breaker: Breaker): AnyEffect => {
  let permit: kernel.Permit | undefined
  return Effect.onExitPrimitive(
    Effect.withFiber((fiber) => {
      const at = now(fiber)
      permit = breaker.change(fiber, (circuit) => circuit.admit(at))
      return permit === undefined ? breaker.reject(fiber, at) : self
    }),
    (exit) => permit === undefined ? undefined : breaker.record(Fiber.getCurrent()!, permit, exit)
  )
}

const breakerStream = (self: AnyStream, breaker: Breaker): AnyStream =>
  fromPull((scope) =>
    Effect.suspend(() => {
      let permit: kernel.Permit | undefined
      let answered = false
      const record = (fiber: AnyFiber, exit: Exit.Exit<any, any>): undefined => {
        if (permit === undefined) return
        const held = permit
        permit = undefined
        breaker.record(fiber, held, exit)
      }
      const onFailure = (exit: Exit.Exit<any, any>): undefined =>
        Exit.isSuccess(exit)
          ? undefined
          : record(Fiber.getCurrent()!, Pull.isDoneCause(exit.cause) ? Exit.void : exit)
      const onPull = (exit: Exit.Exit<any, any>): undefined => {
        if (Exit.isFailure(exit)) return onFailure(exit)
        if (answered) return
        answered = true
        if (permit?.startedAt === undefined) return
        const fiber = Fiber.getCurrent()!
        const held = permit
        permit = breaker.change(fiber, (circuit) => circuit.pass(held, now(fiber)))
      }

      const consumerStopped = Effect.withFiber((fiber) => {
        record(fiber, Exit.interrupt())
        return Effect.void
      })
      const admitted = Effect.withFiber((fiber) => {
        const at = now(fiber)
        permit = breaker.change(fiber, (circuit) => circuit.admit(at))
        if (permit === undefined) return breaker.reject(fiber, at)
        return Effect.map(
          Effect.onExitPrimitive(open(self, scope), onFailure),
          (pull) => Effect.onExitPrimitive(pull, onPull)
        )
      })
      return Effect.andThen(Scope.addFinalizer(scope, consumerStopped), admitted)
    })
  )
