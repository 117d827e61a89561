import { type Order, type Overload, type Place, Queue } from "./queue.ts"

export interface Limits {
  /** how many calls run at once */
  readonly concurrency: number
  /** how many calls wait */
  readonly maxQueue: number
}

/**
 * Permits and the queue for them. Permits are handed over: a caller that gives one back, or adds some, asks at once which waiters have
 * them now. So there is never a free permit while somebody waits, and a newcomer has nothing to overtake a waiter with.
 */
export class Permits<W> {
  private limits: Limits
  protected readonly queue: Queue<W>
  protected held = 0
  /** somebody who waited has been served since {@link stale} was asked */
  private served = false

  constructor(limits: Limits, order: Order, overload?: Overload) {
    this.limits = limits
    this.queue = new Queue(order, overload)
  }

  get concurrency(): number {
    return this.limits.concurrency
  }

  get maxQueue(): number {
    return this.limits.maxQueue
  }

  /** Permits that are held, more than `concurrency` for a while after that was lowered. */
  get inUse(): number {
    return this.held
  }

  /** Waiters, more than `maxQueue` for a while after that was lowered. */
  get queued(): number {
    return this.queue.size
  }

  /** Takes a permit, if one is free. */
  enter(): boolean {
    if (this.held >= this.limits.concurrency) return false
    this.held++
    return true
  }

  /** Gives a permit back. Whether somebody waits: then {@link next} has to be asked. */
  leave(): boolean {
    this.held--
    return this.queued > 0
  }

  /** A waiter that has a permit now. Has to be asked until there is none. */
  next(at: number): W | undefined {
    if (this.queued === 0 || !this.enter()) return undefined
    this.served = true
    return this.queue.shift(at)
  }

  /**
   * After {@link next}: a waiter that has lost its place, because it has waited for too long while another one was served. Has to be
   * asked until there is none. Where nobody was served, as under a limit that was lowered, the next permit would find nobody.
   */
  stale(at: number): W | undefined {
    if (!this.served) return undefined
    const waiter = this.queue.stale(at)
    this.served = waiter !== undefined
    return waiter
  }

  /** Whether a newcomer of this rank who finds no permit is turned away. */
  isFull(rank: number, at: number): boolean {
    const { maxQueue } = this.limits
    return this.queued >= maxQueue && (maxQueue === 0 || this.queue.isLast(rank, at))
  }

  /** Takes a place in a queue that is not {@link isFull}, after {@link displace} has made room. */
  join(waiter: W, rank: number, at: number): Place<W> {
    return this.queue.push(waiter, rank, at)
  }

  /**
   * A waiter whose turn comes last gives its place to a newcomer whose turn is before: the least critical, and last in, first out the
   * one that has waited longest, as in .NET's `QueueProcessingOrder.NewestFirst`. Gives one waiter that has lost its place, and
   * has to be asked until there is none.
   */
  displace(rank: number, at: number): W | undefined {
    return this.queued < this.limits.maxQueue ? undefined : this.queue.pop(rank, at)
  }

  /** Leaves the queue. Nothing happens to a waiter that is no longer in it. */
  cancel(place: Place<W>): void {
    this.queue.delete(place)
  }

  /**
   * Changes the limits; {@link next} then has to be asked. Neither a running call nor a waiter is turned away: what is above
   * a lower limit goes down as calls end.
   */
  resize(limits: Partial<Limits>): void {
    this.limits = { ...this.limits, ...limits }
  }
}
