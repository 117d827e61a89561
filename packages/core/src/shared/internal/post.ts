import type { AnyFiber } from "../../internal/primitive.ts"
import type * as kernel from "../../kernel/rateLimiter.ts"
import type { Block } from "../kernel/block.ts"
import type { Caller } from "./caller.ts"
import type { Desk } from "./desk.ts"
import { Later } from "./later.ts"
import type { Link } from "./link.ts"
import type { Answer, Op } from "./protocol.ts"

/** so much is told at once */
const largestBatch = 400
/** A store that is lost is told no more than that when it is back: the oldest is forgotten first. */
const mostPending = 2000
/** A caller in the queue waits for as long as it takes. JSON has no infinity. */
const forever = 1e15

interface Batch {
  readonly ops: ReadonlyArray<Op>
  readonly callers: ReadonlyArray<Caller>
  /** where those of the callers begin */
  readonly from: number
  /** those who want to know how much is used */
  readonly looks: ReadonlyArray<() => void>
}

/** Collects what the store is asked and told. One exchange has all that has come up since the one before began. */
export class Post {
  private readonly fiber: AnyFiber
  private readonly link: Link
  private readonly desk: Desk
  private readonly block: Block | undefined
  private pending: Array<Op> = []
  private looking: Array<() => void> = []
  private sending = false
  private readonly expiry = new Later(() => this.giveBlockBack())

  constructor(fiber: AnyFiber, link: Link, desk: Desk, block: Block | undefined) {
    this.fiber = fiber
    this.link = link
    this.desk = desk
    this.block = block
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
    const batch = this.batch(this.desk.now)
    if (batch.ops.length === 0 && !this.link.owes && !this.link.news) return
    this.link.exchange(batch.ops, {
      answered: (answers) => this.answered(batch, answers),
      late: (answers) => this.late(batch, answers),
      failed: () => this.failed(batch)
    })
  }

  private batch(at: number): Batch {
    const ops = this.pending.splice(0, largestBatch)
    const from = ops.length
    const callers = this.desk.next(at)
    for (const { costs, latest, queued } of callers) {
      ops.push(["T", costs, queued ? forever : Math.min(forever, Math.max(0, latest - at))])
    }
    const ahead = callers.length === 0 ? undefined : this.block?.wanted(this.capacities, this.link.processes)
    if (ahead !== undefined) ops.push(["X", ahead])
    const looks = this.looking.splice(0)
    if (looks.length > 0) ops.push(["D"])
    return { ops, callers, from, looks }
  }

  private get capacities(): kernel.Costs {
    return this.desk.kernel.allowances.map(({ capacity }) => capacity)
  }

  private answered({ callers, from, looks, ops }: Batch, answers: ReadonlyArray<Answer>): void {
    const at = this.desk.now
    answers.forEach((answer, i) => {
      if (answer._tag === "Granted" && ops[i]![0] === "X") this.putBlock(at, answer)
    })
    if (looks.length > 0) this.desk.kernel.replace(this.link.mirror())
    const unwanted = this.desk.answered(at, callers.map((caller, i) => [caller, answers[from + i]!]))
    for (const { costs, marks } of unwanted) this.tell(["B", costs, marks])
    for (const look of looks) look()
    this.goOn()
  }

  /** This process knows something new. */
  goOn(): void {
    this.desk.goOn()
    const more = this.pending.length > 0 || this.looking.length > 0 || this.desk.hasNewcomers
    if (more || this.link.owes) this.wake()
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
    // whether it was done is not known: nothing is given back twice, and nothing goes uncharged
    for (const op of ops) if (op[0] === "S") this.owe(op[1], op[3])
    this.desk.unanswered(this.desk.now, callers)
    for (const look of looks) look()
    this.goOn()
  }

  /** The store is lost, or found again. */
  turn(): void {
    this.giveBlockBack()
    const { shared } = this.link
    this.desk.kernel.replace(shared ? this.link.mirror() : this.link.share())
    this.goOn()
    if (shared) return
    this.desk.decideNewcomers(this.desk.now)
    for (const look of this.looking.splice(0)) look()
  }

  private putBlock(at: number, lot: { readonly amounts: kernel.Costs; readonly marks: kernel.Costs }): void {
    const rest = this.block!.put(at, { amounts: [...lot.amounts], marks: lot.marks })
    if (rest !== undefined) this.pending.push(["B", rest.amounts, rest.marks])
    this.expiry.within(this.fiber, at, 2 * this.block!.ahead)
  }

  private giveBlockBack(): void {
    const rest = this.block?.drop()
    if (rest !== undefined) this.tell(["B", rest.amounts, rest.marks])
  }

  /** The store is told when it can be. */
  tell(...ops: ReadonlyArray<Op>): void {
    this.pending.push(...ops)
    if (this.pending.length > mostPending) this.pending.splice(0, ops.length)
    this.wake()
  }

  /** The difference is charged as soon as it can be. */
  owe(costs: kernel.Costs, actual: kernel.Costs): void {
    const more = actual.map((cost, i) => Math.max(0, cost - costs[i]!))
    if (!more.some((cost) => cost > 0)) return
    this.link.owe(more)
    this.wake()
  }

  /** Is told as soon as this process knows how much all have used, if there is a store to ask. */
  look(then: () => void): void {
    if (!this.link.shared) return then()
    this.looking.push(then)
    this.wake()
  }

  /** The store has still to be told this, at the end. */
  last(): ReadonlyArray<Op> {
    this.expiry.stop()
    this.giveBlockBack()
    return this.pending.splice(0)
  }
}
