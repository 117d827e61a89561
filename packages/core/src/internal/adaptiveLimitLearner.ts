import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Fault from "../Fault.ts"
import { type Algorithm, Window } from "../kernel/adaptiveLimit.ts"
import { Pool } from "../kernel/partitions.ts"
import type { Order, Overload } from "../kernel/queue.ts"
import { handOver, type Waiter } from "./bulkheadCall.ts"
import { emit } from "./emit.ts"
import { CurrentListener } from "./events.ts"
import type { AnyFiber } from "./primitive.ts"
import { now, wallNow } from "./time.ts"
import { interruptedByDeadline, owedSince } from "./turn.ts"

export interface Settings {
  readonly name: string | undefined
  /** Makes the algorithm, which knows nothing yet. */
  readonly begin: () => Algorithm
  /** as it is described */
  readonly follows: string
  readonly bounds: { readonly min: number; readonly max: number }
  readonly maxQueue: number
  /** in milliseconds */
  readonly maxWait: number
  readonly order: Order | undefined
  readonly overload: Overload | undefined
  readonly window: { readonly within: number; readonly minCalls: number; readonly dropRatio: number }
  readonly classify: Fault.Classify<any>
  readonly partitions: Readonly<Record<string, number>>
}

/** how long calls are given as long as nobody knows how long they take, as a circuit breaker gives them */
const unknownTime = 1000

/** A limit, its permits and what it has learnt from calls. */
export class Learner {
  readonly settings: Settings
  readonly algorithm: Algorithm
  readonly pool: Pool<Waiter>
  readonly window: Window

  constructor(settings: Settings) {
    const { maxQueue, order, overload, partitions } = settings
    const algorithm = settings.begin()
    this.settings = settings
    this.algorithm = algorithm
    this.window = new Window(settings.window)
    // those who are in no partition are guaranteed nothing
    this.pool = new Pool(algorithm.limit, [0, ...Object.values(partitions)], maxQueue, order ?? "fifo", overload)
  }

  /** The end of a call that began then, when so many ran. */
  record(fiber: AnyFiber, began: number, inUse: number, exit: Exit.Exit<unknown, unknown>): void {
    const { classify } = this.settings
    // a success costs no question that nobody asks
    const fault = exit._tag === "Success" && classify === Fault.of ? undefined : classify(exit, wallNow(fiber))
    const at = now(fiber)
    if (fault === undefined) this.learn(fiber, at, owedSince(fiber, began, at), inUse)
    else if (this.isDrop(fiber, at, began, fault)) this.learn(fiber, at, undefined, inUse)
  }

  /** A stream that had answered has failed. */
  recordLate(fiber: AnyFiber, inUse: number, exit: Exit.Exit<unknown, unknown>): void {
    if (isOverload(this.settings.classify(exit, wallNow(fiber)))) this.learn(fiber, now(fiber), undefined, inUse)
  }

  private isDrop(fiber: AnyFiber, at: number, began: number, fault: Fault.Fault): boolean {
    if (fault._tag !== "Interrupted") return isOverload(fault)
    // a call that a deadline has cut off, after the time that calls take, would have been a late one
    return interruptedByDeadline(fiber, at, began, this.window.average ?? unknownTime)
  }

  private learn(fiber: AnyFiber, at: number, time: number | undefined, inUse: number): void {
    const { algorithm } = this
    const from = algorithm.limit
    const sample = this.window.add(at, { time, inUse }, from)
    if (sample === undefined) return
    const random = fiber.getRef(Random.Random)
    algorithm.update(sample, () => random.nextDoubleUnsafe())
    const to = algorithm.limit
    if (from === to) return
    this.tell(fiber, from, to)
    this.pool.limit = to
    handOver(this.pool, at)
  }

  private tell(fiber: AnyFiber, from: number, to: number): void {
    const listener = fiber.getRef(CurrentListener)
    if (listener === undefined) return
    emit(fiber, listener, { _tag: "LimitChanged", policy: "adaptive-limit", name: this.settings.name, from, to })
  }
}

/** What the callee refuses or does not answer is too much for it. That it says no to a request, or that a program is wrong, tells nothing. */
export const isOverload = (fault: Fault.Fault | undefined): boolean =>
  fault?._tag === "Transient" || fault?._tag === "Throttled"
