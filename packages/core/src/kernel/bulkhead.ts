/** Who is next when a permit is free: the one who has waited longest, or the one who came last. */
export type Order = "fifo" | "lifo"

export interface Limits {
  /** how many calls run at once */
  readonly concurrency: number
  /** how many calls wait */
  readonly queue: number
}

/** A place in the queue. Its links are the queue's own. */
export interface Place<W> {
  readonly waiter: W
  readonly queued: boolean
}

class Node<W> implements Place<W> {
  readonly waiter: W
  older: Node<W> | undefined
  newer: Node<W> | undefined = undefined
  queued = true

  constructor(waiter: W, older: Node<W> | undefined) {
    this.waiter = waiter
    this.older = older
  }
}

/**
 * Permits and the queue for them. Permits are handed over: whoever gives one back, or adds some, is told which waiters have
 * them now. So there is never a free permit while somebody waits, and a newcomer has nothing to overtake a waiter with.
 */
export class Permits<W> {
  private limits: Limits
  private readonly order: Order
  private oldest: Node<W> | undefined = undefined
  private newest: Node<W> | undefined = undefined
  private held = 0
  private waiting = 0

  constructor(limits: Limits, order: Order) {
    this.limits = limits
    this.order = order
  }

  get concurrency(): number {
    return this.limits.concurrency
  }

  get queue(): number {
    return this.limits.queue
  }

  /** Permits that are held, more than `concurrency` for a while after that was lowered. */
  get inUse(): number {
    return this.held
  }

  /** Waiters, more than `queue` for a while after that was lowered. */
  get queued(): number {
    return this.waiting
  }

  /** Takes a permit, if one is free. */
  enter(): boolean {
    if (this.held >= this.limits.concurrency) return false
    this.held++
    return true
  }

  /** Gives a permit back. The waiter that has it now, if there is one. */
  leave(): W | undefined {
    this.held--
    return this.grant()
  }

  /** Whether a newcomer who finds no permit is turned away. */
  get full(): boolean {
    return this.waiting >= this.limits.queue && (this.order === "fifo" || this.limits.queue === 0)
  }

  /** Takes a place in the queue of one that is not {@link full}, after {@link displace} has made room. */
  join(waiter: W): Place<W> {
    const node = new Node(waiter, this.newest)
    if (this.newest === undefined) this.oldest = node
    else this.newest.newer = node
    this.newest = node
    this.waiting++
    return node
  }

  /**
   * Last in, first out, whoever has waited longest is the least likely to be waited for: it gives its place to a newcomer, as
   * in .NET's `QueueProcessingOrder.NewestFirst`. Gives one waiter that has lost its place, and has to be called until it
   * gives none.
   */
  displace(): W | undefined {
    if (this.full || this.waiting < this.limits.queue) return undefined
    const node = this.oldest!
    this.unlink(node)
    return node.waiter
  }

  /** Leaves the queue. Nothing happens to a waiter that is no longer in it. */
  cancel(place: Place<W>): void {
    if (place.queued) this.unlink(place as Node<W>)
  }

  /**
   * Changes the limits, and gives the waiters that have a permit now. Neither a running call nor a waiter is turned away: what
   * is above a lower limit goes down as calls end.
   */
  resize(limits: Partial<Limits>): ReadonlyArray<W> {
    this.limits = { ...this.limits, ...limits }
    const granted: Array<W> = []
    for (let waiter = this.grant(); waiter !== undefined; waiter = this.grant()) granted.push(waiter)
    return granted
  }

  private grant(): W | undefined {
    const next = this.order === "fifo" ? this.oldest : this.newest
    if (next === undefined || !this.enter()) return undefined
    this.unlink(next)
    return next.waiter
  }

  private unlink(node: Node<W>): void {
    const { newer, older } = node
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    node.older = node.newer = undefined
    node.queued = false
    this.waiting--
  }
}
