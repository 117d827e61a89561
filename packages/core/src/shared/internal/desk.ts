import type * as Effect from "effect/Effect"
import type { AnyFiber } from "../../internal/primitive.ts"
import { now } from "../../internal/time.ts"
import { isInTime, wholeMillis } from "../../kernel/allowance.ts"
import * as kernel from "../../kernel/rateLimiter.ts"
import type { Block } from "../kernel/block.ts"
import type { Caller, Grantor } from "./caller.ts"
import { Later } from "./later.ts"
import type { Link } from "./link.ts"
import type { Answer } from "./protocol.ts"

/** so many are asked for at once */
const largestBatch = 400
const longestQueue = 200
/** A caller that waits asks again after so many milliseconds at the latest: another process may have given back. */
const patience = 1000

/** A permit that nobody wants any more. */
export interface Unwanted {
  readonly costs: kernel.Costs
  readonly marks: kernel.Costs
}

/**
 * Callers and their queue. While the store is there it alone lets calls through; the kernel mirrors what it has said, and keeps the
 * queue. While it is away the kernel lets them through, by the share of this process. The queue is the same, so nobody loses a
 * place.
 */
export class Desk {
  readonly kernel: kernel.Limiter<Caller>
  private readonly fiber: AnyFiber
  private readonly link: Link
  private readonly block: Block | undefined
  private readonly maxQueue: number
  /** There is somebody to ask for. */
  private readonly ask: () => void
  private newcomers: Array<Caller> = []
  /** there is room for the first in the queue, as far as is known */
  private due = false
  private pumping = false
  /** Until then nobody need be asked that there is no room. */
  private fullUntil = -Infinity
  private readonly poll = new Later(() => this.lookAgain())

  constructor(
    fiber: AnyFiber,
    link: Link,
    { ask, block, maxQueue }: {
      readonly block: Block | undefined
      readonly maxQueue: number
      readonly ask: () => void
    }
  ) {
    this.fiber = fiber
    this.link = link
    this.block = block
    this.maxQueue = maxQueue
    this.ask = ask
    this.kernel = new kernel.Limiter(link.share())
  }

  time(fiber: AnyFiber): number {
    return this.kernel.time(now(fiber))
  }

  get now(): number {
    return this.time(this.fiber)
  }

  get grantor(): Grantor {
    return this.link.shared ? "store" : this.link.losses
  }

  /** The marks, where nobody has to be asked. */
  atOnce(at: number, costs: kernel.Costs): kernel.Costs | undefined {
    if (!this.link.shared) {
      const marks: Array<number> = []
      return this.kernel.take(at, costs, marks) ? marks : undefined
    }
    if (this.block === undefined || this.kernel.first !== undefined || this.newcomers.length > 0) return undefined
    this.block.need(at, costs)
    return this.block.take(at, costs)
  }

  join(at: number, caller: Caller): Effect.Effect<void> | void {
    if (this.link.shared && this.kernel.first === undefined && !this.isFull(at, caller)) {
      this.newcomers.push(caller)
      this.ask()
    } else this.decide(at, caller)
    return caller.done ? undefined : caller.cleanup
  }

  private isFull(at: number, { costs, rank }: Caller): boolean {
    return at < this.fullUntil && this.kernel.forecast(at, costs, rank).wait > 0
  }

  /** Goes by what is known here. */
  private decide(at: number, caller: Caller): void {
    const marks = this.link.shared ? undefined : this.atOnce(at, caller.costs)
    if (marks !== undefined) return caller.grant(at, marks, this.grantor)
    const forecast = this.kernel.forecast(at, caller.costs, caller.rank)
    if (forecast.wait === Infinity || !isInTime(at + forecast.wait, caller.latest)) caller.refuse(forecast)
    else if (this.kernel.isFull(this.maxQueue, caller.rank)) caller.refuseBecause("queue", forecast)
    else {
      this.enqueue(at, caller)
      this.pump()
    }
  }

  private enqueue(at: number, caller: Caller): void {
    caller.waited = true
    const last = this.kernel.waiting >= this.maxQueue ? this.kernel.displace(caller.rank) : undefined
    const overtakes = this.kernel.enqueue(at, caller)
    last?.refuseBecause("queue", this.kernel.forecast(at, last.costs, last.rank))
    if (overtakes) this.dismiss(at)
  }

  remove(caller: Caller): void {
    this.kernel.remove(caller)
    this.pump()
  }

  /** Sees to it that the first in the queue goes when it can. */
  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    for (let { first } = this.kernel; first !== undefined; first = this.kernel.first) {
      const at = this.now
      const wait = wholeMillis(this.kernel.next(at))
      if (wait > 0) {
        const pause = this.link.shared ? Math.min(Math.max(wait, this.block?.ahead ?? 0), patience) : wait
        this.poll.within(this.fiber, at, pause)
        break
      }
      if (this.link.shared) {
        this.lookAgain()
        break
      }
      const marks: Array<number> = []
      this.kernel.shift(at, marks)
      first.grant(at, marks, this.link.losses)
    }
    this.pumping = false
  }

  private lookAgain(): void {
    if (!this.link.shared) return this.pump()
    this.due = this.kernel.first !== undefined
    if (this.due) this.ask()
  }

  get hasNewcomers(): boolean {
    return this.newcomers.length > 0
  }

  /** The callers to ask for now. Newcomers come after the queue, so as long as there is one they join it. */
  next(at: number): ReadonlyArray<Caller> {
    const callers: Array<Caller> = []
    if (this.kernel.first === undefined) {
      return this.newcomers.splice(0, largestBatch).filter(({ done }) => !done)
    }
    this.decideNewcomers(at)
    let caller = this.due ? this.kernel.first : undefined
    for (; caller !== undefined && callers.length < longestQueue; caller = caller.behind) callers.push(caller)
    this.due = false
    return callers
  }

  decideNewcomers(at: number): void {
    for (const caller of this.newcomers.splice(0)) if (!caller.done) this.decide(at, caller)
  }

  /** The store has answered for these. Gives what it has granted and nobody wants any more. */
  answered(at: number, callers: ReadonlyArray<readonly [Caller, Answer]>): ReadonlyArray<Unwanted> {
    const unwanted: Array<Unwanted> = []
    const rest = callers.filter(([, { _tag }]) => _tag !== "Granted")
    for (const [caller, { _tag }] of callers) if (_tag === "Granted" && caller.queued) this.kernel.remove(caller)
    if (rest.length > 0 || this.kernel.first !== undefined) this.kernel.replace(this.link.mirror())
    if (rest.length > 0) this.fullUntil = at + (this.block?.ahead ?? 0)
    for (const [caller, answer] of rest) if (!caller.done) this.refusedOrWaits(at, caller, answer)
    // last, for these go on at once, and may come again
    for (const [caller, answer] of callers) {
      if (answer._tag !== "Granted") continue
      if (caller.done) unwanted.push({ costs: caller.costs, marks: answer.marks })
      else caller.grant(at, answer.marks, "store")
    }
    return unwanted
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

  /** The store has not answered for these, and is away now. */
  unanswered(at: number, callers: ReadonlyArray<Caller>): void {
    for (const caller of callers) if (!caller.done && !caller.queued) this.decide(at, caller)
  }

  /** This process knows something new: whose turn now comes too late is told so. */
  goOn(): void {
    this.dismiss(this.now)
    this.pump()
  }

  private dismiss(at: number): void {
    for (const { forecast, waiting } of this.kernel.overdue(at)) waiting.refuse(forecast)
  }
}
