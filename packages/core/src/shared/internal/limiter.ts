import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PolicyInfo } from "../../internal/model.ts"
import type { AnyEffect, AnyFiber } from "../../internal/primitive.ts"
import type * as calls from "../../internal/rateLimiterCalls.ts"
import type { Settings } from "../../internal/rateLimiterOptions.ts"
import { type Change, Dimensions, type Limit, ruleOf } from "../../internal/rateLimiterRules.ts"
import { now } from "../../internal/time.ts"
import { wholeMillis } from "../../kernel/allowance.ts"
import type { Knowledge } from "../../kernel/keyed.ts"
import { nothing, owed } from "../../kernel/keyed.ts"
import * as kernel from "../../kernel/rateLimiter.ts"
import { Block } from "../kernel/block.ts"
import { Caller, Charged, type Grantor, type Host } from "./caller.ts"
import { Later } from "./later.ts"
import type { Link, Mode } from "./link.ts"
import type { Answer, Op } from "./protocol.ts"

/** so much is asked at once */
const largestBatch = 400
const longestQueue = 200
/** What cannot be told to a store that is lost is forgotten from here on, the oldest first. */
const mostPending = 2000
/** A caller that waits asks again after so many milliseconds at the latest: another process may have given back. */
const patience = 1000
/** A caller in the queue waits for as long as it takes. */
const forever = 1e15

interface Batch {
  readonly ops: Array<Op>
  readonly callers: Array<Caller>
  /** where those of the callers begin */
  readonly from: number
  /** those who want to know how much is used */
  readonly looks: ReadonlyArray<() => void>
}

/**
 * Callers, their queue, and what is asked for them. While the store is there it alone lets calls through; the kernel mirrors
 * what it has said and keeps the queue. While it is away the kernel lets them through, by the share of this process. The queue is
 * the same, so nobody loses a place.
 */
export class SharedLimiter implements calls.Limiter, Host {
  readonly name: string
  readonly dimensions: Dimensions
  readonly maxWait: number
  readonly kernel: kernel.Limiter<Caller>
  private readonly maxQueue: number
  private readonly link: Link
  private readonly fiber: AnyFiber
  private readonly block: Block | undefined
  private asks: Array<Caller> = []
  private pending: Array<Op> = []
  private looking: Array<() => void> = []
  /** there is room for the first in the queue, as far as is known */
  private due = false
  private sending = false
  private pumping = false
  /** Until then nobody need be asked that there is no room. */
  private fullUntil = -Infinity
  private readonly poll = new Later(() => this.pump())
  private readonly expiry = new Later(() => this.giveBlockBack())

  constructor(
    fiber: AnyFiber,
    { ahead, limits, maxQueue, maxWait, name }: Settings & { readonly name: string; readonly ahead: number },
    link: Link
  ) {
    this.fiber = fiber
    this.name = name
    this.maxWait = maxWait
    this.maxQueue = maxQueue
    this.dimensions = new Dimensions(limits)
    this.block = ahead === 0 ? undefined : new Block(ahead)
    this.link = link
    this.kernel = new kernel.Limiter(this.link.share())
  }

  get mode(): Mode {
    return this.link.mode
  }

  get settings(): PolicyInfo["settings"] {
    const waits = this.maxWait > 0
    return {
      ...this.dimensions.settings,
      maxWait: waits ? Duration.millis(this.maxWait) : undefined,
      maxQueue: waits ? this.maxQueue : undefined,
      ahead: this.block && Duration.millis(this.block.ahead)
    }
  }

  time(fiber: AnyFiber): number {
    return this.kernel.time(now(fiber))
  }

  private get now(): number {
    return this.time(this.fiber)
  }

  enter(fiber: AnyFiber, costs: kernel.Costs, self: AnyEffect | undefined): AnyEffect {
    const at = this.time(fiber)
    const marks = this.atOnce(at, costs)
    if (marks !== undefined) return self ?? Effect.succeed(new Charged(this, costs, marks, this.grantor))
    const turn: AnyEffect = Effect.callback((resume) => this.join(fiber, costs, resume))
    return self === undefined ? turn : Effect.andThen(turn, self)
  }

  private get grantor(): Grantor {
    return this.link.shared ? "store" : this.link.losses
  }

  /** The marks, where nobody has to be asked. */
  private atOnce(at: number, costs: kernel.Costs): ReadonlyArray<number> | undefined {
    if (!this.link.shared) {
      const marks: Array<number> = []
      return this.kernel.take(at, costs, marks) ? marks : undefined
    }
    if (this.block === undefined || this.kernel.first !== undefined || this.asks.length > 0) return undefined
    this.block.need(at, costs)
    return this.block.take(at, costs)
  }

  private join(fiber: AnyFiber, costs: kernel.Costs, resume: (effect: AnyEffect) => void): Effect.Effect<void> | void {
    const at = this.time(fiber)
    const caller = new Caller(this, fiber, costs, at, resume)
    if (this.link.shared && this.kernel.first === undefined && !this.isFull(at, costs)) {
      this.asks.push(caller)
      this.wake()
    } else this.decide(at, caller)
    return caller.done ? undefined : caller.cleanup
  }

  private isFull(at: number, costs: kernel.Costs): boolean {
    return at < this.fullUntil && this.kernel.forecast(at, costs).wait > 0
  }

  /** Goes by what is known here. */
  private decide(at: number, caller: Caller): void {
    const marks = this.link.shared ? undefined : this.atOnce(at, caller.costs)
    if (marks !== undefined) return caller.grant(at, marks, this.grantor)
    const forecast = this.kernel.forecast(at, caller.costs)
    if (forecast.wait === Infinity || at + wholeMillis(forecast.wait) > caller.latest) caller.refuse(forecast)
    else if (this.kernel.waiting >= this.maxQueue) caller.refuseBecause("queue", forecast)
    else {
      this.enqueue(at, caller)
      this.pump()
    }
  }

  private enqueue(at: number, caller: Caller): void {
    caller.waited = true
    this.kernel.enqueue(at, caller)
  }

  /** Sees to it that the first in the queue goes when it can. */
  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    for (let { first } = this.kernel; first !== undefined; first = this.kernel.first) {
      const at = this.now
      const wait = wholeMillis(this.kernel.next(at))
      if (wait > 0) {
        this.poll.within(this.fiber, at, Math.min(Math.max(wait, this.block?.ahead ?? 0), patience))
        break
      }
      if (this.link.shared) {
        this.due = true
        this.wake()
        break
      }
      const marks: Array<number> = []
      this.kernel.shift(at, marks)
      first.grant(at, marks, this.link.losses)
    }
    this.pumping = false
  }

  /** Asks what there is to ask, with everything that comes in this turn of the host's loop. */
  wake(): void {
    if (this.sending || this.link.busy || !this.link.shared) return
    this.sending = true
    queueMicrotask(this.send)
  }

  private readonly send = (): void => {
    this.sending = false
    if (this.link.busy || !this.link.shared) return
    const batch = this.batch(this.now)
    if (batch.ops.length === 0 && !this.link.owes && !this.link.news) return
    this.link.exchange(batch.ops, {
      answered: (answers) => this.answered(batch, answers),
      late: (answers) => this.late(batch, answers),
      failed: () => this.failed(batch)
    })
  }

  private batch(at: number): Batch {
    const ops = this.pending.splice(0, largestBatch)
    const callers: Array<Caller> = []
    const from = ops.length
    if (this.kernel.first === undefined) {
      callers.push(...this.asks.splice(0, largestBatch).filter(({ done }) => !done))
      for (const { costs, latest } of callers) ops.push(["T", costs, Math.max(0, latest - at)])
    } else {
      for (const caller of this.asks.splice(0)) if (!caller.done) this.decide(at, caller)
      for (let caller = this.due ? this.kernel.first : undefined; caller && callers.length < longestQueue;) {
        callers.push(caller)
        ops.push(["T", caller.costs, forever])
        caller = caller.behind
      }
      this.due = false
    }
    const ahead = callers.length === 0 ? undefined : this.block?.wanted(this.capacities, this.link.processes)
    if (ahead !== undefined) ops.push(["X", ahead])
    const looks = this.looking.splice(0)
    if (looks.length > 0) ops.push(["D"])
    return { ops, callers, from, looks }
  }

  private get capacities(): kernel.Costs {
    return this.kernel.allowances.map(({ capacity }) => capacity)
  }

  private answered({ callers, from, looks, ops }: Batch, answers: ReadonlyArray<Answer>): void {
    const at = this.now
    const granted: Array<[Caller, ReadonlyArray<number>]> = []
    const rest: Array<[Caller, Answer]> = []
    callers.forEach((caller, i) => {
      const answer = answers[from + i]!
      if (answer._tag !== "Granted") rest.push([caller, answer])
      else if (caller.done) this.pending.push(["B", caller.costs, answer.marks])
      else {
        this.kernel.remove(caller)
        granted.push([caller, answer.marks])
      }
    })
    answers.forEach((answer, i) => {
      if (answer._tag === "Granted" && ops[i]![0] === "X") this.putBlock(at, answer)
    })
    if (rest.length > 0 || this.kernel.first !== undefined || looks.length > 0) {
      this.kernel.replace(this.link.mirror())
    }
    if (rest.length > 0) this.fullUntil = at + (this.block?.ahead ?? 0)
    for (const [caller, answer] of rest) if (!caller.done) this.refusedOrWaits(at, caller, answer)
    for (const [caller, marks] of granted) {
      if (caller.done) this.pending.push(["B", caller.costs, marks])
      else caller.grant(at, marks, "store")
    }
    for (const look of looks) look()
    this.goOn()
  }

  private refusedOrWaits(at: number, caller: Caller, answer: Answer): void {
    if (answer._tag === "Refused") {
      this.kernel.remove(caller)
      caller.refuse(answer)
    } else if (!caller.queued) {
      if (answer._tag === "Waits") this.enqueue(at, caller)
      else this.decide(at, caller)
    }
  }

  /** This process knows something new. */
  private goOn(): void {
    const at = this.now
    for (const { forecast, waiting } of this.kernel.overdue(at)) waiting.refuse(forecast)
    this.pump()
    if (this.pending.length > 0 || this.asks.length > 0 || this.looking.length > 0 || this.link.owes) this.wake()
  }

  /** Nobody waits for these any more. */
  private late({ callers, from, ops }: Batch, answers: ReadonlyArray<Answer>): void {
    answers.forEach((answer, i) => {
      if (answer._tag !== "Granted") return
      const amounts = ops[i]![0] === "X" ? answer.amounts : callers[i - from]!.costs
      this.tell(["B", amounts, answer.marks])
    })
  }

  private failed({ callers, looks, ops }: Batch): void {
    const at = this.now
    // whether it was done is not known: nothing is given back twice, and nothing goes uncharged
    for (const op of ops) if (op[0] === "S") this.owe(op[1], op[3])
    for (const caller of callers) if (!caller.done && !caller.queued) this.decide(at, caller)
    for (const look of looks) look()
    this.goOn()
  }

  /** The store is lost, or found again. */
  turn(): void {
    this.giveBlockBack()
    this.kernel.replace(this.link.shared ? this.link.mirror() : this.link.share())
    this.goOn()
    if (!this.link.shared) this.askNobody()
  }

  private askNobody(): void {
    const at = this.now
    for (const caller of this.asks.splice(0)) if (!caller.done) this.decide(at, caller)
    for (const look of this.looking.splice(0)) look()
  }

  private putBlock(
    at: number,
    { amounts, marks }: { readonly amounts: kernel.Costs; readonly marks: kernel.Costs }
  ): void {
    const rest = this.block!.put(at, { amounts: [...amounts], marks })
    if (rest !== undefined) this.pending.push(["B", rest.amounts, rest.marks])
    this.expiry.within(this.fiber, at, 2 * this.block!.ahead)
  }

  private giveBlockBack(): void {
    const rest = this.block?.drop()
    if (rest !== undefined) this.tell(["B", rest.amounts, rest.marks])
  }

  /** The store is told when it can be. */
  tell(op: Op): void {
    if (this.pending.length === mostPending) this.pending.shift()
    this.pending.push(op)
    this.wake()
  }

  remove(caller: Caller): void {
    this.kernel.remove(caller)
    this.pump()
  }

  settle(fiber: AnyFiber, { by, costs, marks }: Charged, actual: kernel.Costs): void {
    const at = this.time(fiber)
    if (by === "store") this.tell(["S", costs, marks, actual])
    else if (!this.link.shared && by === this.link.losses) {
      this.kernel.settle(at, { costs, marks }, actual)
      this.goOn()
    } else this.owe(costs, actual)
  }

  /** The difference is charged as soon as it can be. */
  private owe(costs: kernel.Costs, actual: kernel.Costs): void {
    const more = actual.map((cost, i) => Math.max(0, cost - costs[i]!))
    if (!more.some((cost) => cost > 0)) return
    this.link.owe(more)
    this.wake()
  }

  get state(): Effect.Effect<calls.State> {
    return Effect.andThen(this.look, Effect.withFiber((fiber) => Effect.succeed(this.stateOf(fiber))))
  }

  /** Asks the store how much is used, if there is one to ask. */
  private get look(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (!this.link.shared) return resume(Effect.void)
      this.looking.push(() => resume(Effect.void))
      this.wake()
    })
  }

  stateOf(fiber: AnyFiber): calls.State {
    const at = this.time(fiber)
    const { allowances, waiting } = this.kernel
    const limits = this.dimensions.record((i) => {
      const { capacity } = allowances[i]!
      return { available: allowances[i]!.available(at), capacity }
    })
    return { waiting, limits }
  }

  change(changes: ReadonlyArray<Change>): Effect.Effect<void> {
    return Effect.suspend(() => {
      for (const change of changes) this.dimensions.adopt(change)
      this.link.adopt(this.now, this.dimensions.all)
      if (!this.link.shared) this.goOn()
      return this.look
    })
  }

  /** Others have changed the limits. */
  follow(limits: ReadonlyArray<Limit>): void {
    limits.forEach((limit, dimension) => this.dimensions.adopt({ dimension, limit, rule: ruleOf(limit) }))
    this.kernel.replace(this.link.mirror())
  }

  /** The store keeps what it knows when this limiter is let go. */
  knowledge(): Knowledge {
    return this.link.shared ? nothing : owed
  }

  /** The store has still to be told this, at the end. */
  last(): ReadonlyArray<Op> {
    this.expiry.stop()
    this.giveBlockBack()
    return this.pending.splice(0)
  }
}
