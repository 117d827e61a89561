import * as Duration from "effect/Duration"
import { RateLimiterRejected } from "../../internal/errors.ts"
import { Limiter } from "../../internal/rateLimiter.ts"
import { Limiting, Settling } from "../../internal/rateLimiterCalls.ts"
import type { Dimensions } from "../../internal/rateLimiterRules.ts"
import { timerResolution } from "../../internal/time.ts"
import { make, wholeMillis } from "../../kernel/allowance.ts"
import { type Criticality, rankOf } from "../../kernel/criticality.ts"
import * as kernel from "../../kernel/rateLimiter.ts"
import { Timed } from "../internal/agenda.ts"
import { type Call, Frame, type Layer, type Process, type World } from "../internal/frame.ts"
import { type Outcome, rejection } from "../internal/outcome.ts"
import type { SimulatedPolicy } from "./policy.ts"

/** The limiter of one process, which policies of several costs may share. */
class SimulatedLimiter {
  readonly kernel: kernel.Limiter<Waiter>
  readonly dimensions: Dimensions
  readonly name: string | undefined
  readonly maxWait: number
  readonly world: World
  private readonly maxQueue: number
  private pumping = false

  constructor({ dimensions, maxQueue, maxWait, name }: Limiter, world: World) {
    this.kernel = new kernel.Limiter(dimensions.rules.map(make))
    this.dimensions = dimensions
    this.name = name
    this.maxWait = maxWait
    this.maxQueue = maxQueue
    this.world = world
  }

  /** Why a call cannot go now and may not wait either, if so. */
  refusal(at: number, costs: kernel.Costs, deadline: number, criticality: Criticality): Outcome | undefined {
    const rank = rankOf(criticality)
    const forecast = this.kernel.forecast(at, costs, rank)
    const wait = wholeMillis(forecast.wait)
    const reason: RateLimiterRejected["reason"] | undefined = wait === Infinity
      ? "cost"
      : wait > this.maxWait
      ? "wait"
      : wait > deadline - at - timerResolution
      ? "deadline"
      : this.kernel.isFull(this.maxQueue, rank)
      ? "queue"
      : undefined
    return reason === undefined ? undefined : this.reject(criticality, reason, forecast)
  }

  /** Takes its place in the queue, which has room for it. */
  enqueue(at: number, waiter: Waiter): void {
    const needsPlace = this.kernel.waiting >= this.maxQueue && !this.kernel.goesAtOnce(at, waiter)
    const last = needsPlace ? this.kernel.displace(waiter.rank) : undefined
    const overtakes = this.kernel.enqueue(at, waiter)
    last?.refuse(this.reject(last.criticality, "queue", this.kernel.forecast(at, last.costs, last.rank)))
    if (overtakes) this.dismiss(at)
    this.pump()
  }

  reject(
    criticality: Criticality,
    reason: RateLimiterRejected["reason"],
    { dimension, wait }: kernel.Forecast
  ): Outcome {
    const error = new RateLimiterRejected({
      policyName: this.name,
      reason,
      dimension: this.dimensions.names[dimension]!,
      retryAfter: Duration.millis(wholeMillis(wait))
    })
    if (this.world.listens) {
      this.world.emit({
        _tag: "RejectedByRateLimiter",
        policy: "rate-limiter",
        name: this.name,
        criticality,
        reason,
        dimension: error.dimension,
        retryAfter: error.retryAfter
      })
    }
    return rejection(error)
  }

  /** Lets through every waiter that can go, and sets the timer of the one who is then first. */
  pump(): void {
    if (this.pumping) return
    this.pumping = true
    for (let { first } = this.kernel; first !== undefined; first = this.kernel.first) {
      const at = this.world.now
      const wait = this.kernel.next(at)
      if (wait > 0) {
        first.wakeAfter(at, wait)
        break
      }
      this.kernel.shift(at, first.marks)
      first.admit(at)
    }
    this.pumping = false
  }

  settle(ticket: kernel.Ticket, actual: kernel.Costs): void {
    const at = this.world.now
    const more = actual.some((cost, i) => cost > ticket.costs[i]!)
    this.kernel.settle(at, ticket, actual)
    if (more) this.dismiss(at)
    this.pump()
  }

  /** There is less room than there was: calls whose turn now comes too late are told so. */
  private dismiss(at: number): void {
    for (const { forecast, waiting } of this.kernel.overdue(at)) {
      const reason = forecast.wait === Infinity ? "cost" : at + forecast.wait > waiting.until ? "wait" : "deadline"
      waiting.refuse(this.reject(waiting.criticality, reason, forecast))
    }
  }
}

class LimiterLayer implements Layer {
  readonly limiter: SimulatedLimiter
  readonly policy: Limiting<Limiter>
  readonly inner: Layer

  constructor(policy: Limiting<Limiter>, inner: Layer, process: Process) {
    this.limiter = process.state(policy.limiter, () => new SimulatedLimiter(policy.limiter, process.world))
    this.policy = policy
    this.inner = inner
  }

  open(outer: Frame, call: Call): Frame {
    return new LimiterFrame(this, outer, call)
  }

  /** What the call has cost, if its result says so. */
  actual({ succeeded, value }: Outcome): kernel.Costs | undefined {
    if (!(succeeded && this.policy instanceof Settling)) return undefined
    const cost = this.policy.actual(value)
    return cost === undefined ? undefined : this.limiter.dimensions.costsOf(cost, this.policy.costs)
  }
}

class LimiterFrame extends Frame implements kernel.Ticket {
  readonly layer: LimiterLayer
  readonly costs: kernel.Costs
  readonly marks: Array<number> = []
  private inner: Frame | undefined = undefined
  private waiter: Waiter | undefined = undefined

  constructor(layer: LimiterLayer, outer: Frame, call: Call) {
    super(outer, call, outer.deadline)
    this.layer = layer
    this.costs = layer.policy.costs
  }

  begin(): void {
    const { costs, layer: { limiter }, marks } = this
    const at = limiter.world.now
    if (limiter.kernel.take(at, costs, marks)) return this.run()
    if (limiter.maxWait > 0) {
      limiter.pump()
      if (limiter.kernel.take(at, costs, marks)) return this.run()
    }
    const refusal = limiter.refusal(at, costs, this.deadline, this.call.criticality)
    if (refusal !== undefined) return this.refused(refusal)
    this.waits(at)
    this.waiter = new Waiter(limiter, this, at, this.deadline)
    limiter.enqueue(at, this.waiter)
  }

  admitted(): void {
    this.leave()
    this.run()
  }

  refused(outcome: Outcome): void {
    if (this.waiter !== undefined) this.leave()
    this.outer!.answered(outcome, this)
  }

  answered(outcome: Outcome): void {
    const actual = this.layer.actual(outcome)
    if (actual !== undefined) this.layer.limiter.settle(this, actual)
    this.outer!.answered(outcome, this)
  }

  cancel(): boolean {
    const { layer: { limiter }, waiter } = this
    if (waiter === undefined) return this.inner!.cancel()
    this.leave()
    limiter.kernel.remove(waiter)
    limiter.pump()
    return true
  }

  private run(): void {
    this.inner = this.layer.inner.open(this, this.call)
    this.inner.begin()
  }

  private leave(): void {
    this.waiter!.ticket = 0
    this.waiter = undefined
    this.goesOn(this.layer.limiter.world.now)
  }
}

/** A call in the queue. Only the first one's timer is set. */
class Waiter extends Timed implements kernel.Waiting {
  readonly costs: kernel.Costs
  readonly criticality: Criticality
  readonly rank: number
  readonly marks: Array<number>
  readonly latest: number
  readonly until: number
  before: Waiter | undefined = undefined
  behind: Waiter | undefined = undefined
  queued = false
  private readonly limiter: SimulatedLimiter
  private readonly frame: LimiterFrame
  private readonly since: number
  private wakesAt = Infinity

  constructor(limiter: SimulatedLimiter, frame: LimiterFrame, since: number, deadline: number) {
    super()
    this.limiter = limiter
    this.frame = frame
    this.costs = frame.costs
    this.criticality = frame.call.criticality
    this.rank = rankOf(this.criticality)
    this.marks = frame.marks
    this.since = since
    this.until = since + limiter.maxWait
    this.latest = Math.min(this.until, deadline - timerResolution)
  }

  /** A timer that is set too early looks again, so only one that is set too late is set anew. */
  wakeAfter(at: number, wait: number): void {
    if (at + wait > this.wakesAt - timerResolution) return
    this.wakesAt = at + wait
    this.limiter.world.agenda.schedule(this, wholeMillis(wait))
  }

  wake(): void {
    this.wakesAt = Infinity
    this.limiter.pump()
  }

  admit(at: number): void {
    const { criticality, limiter: { name, world } } = this
    if (world.listens) {
      const waited = Duration.millis(Math.round(at - this.since))
      world.emit({ _tag: "WaitedForRateLimiter", policy: "rate-limiter", name, criticality, waited })
    }
    this.frame.admitted()
  }

  refuse(outcome: Outcome): void {
    this.frame.refused(outcome)
  }
}

export const rateLimiter: SimulatedPolicy = {
  // a limiter whose state is elsewhere is one of another class
  is: (implementation) => implementation instanceof Limiting && implementation.limiter instanceof Limiter,
  of: (implementation) => (inner, process) => new LimiterLayer(implementation as Limiting<Limiter>, inner, process)
}
