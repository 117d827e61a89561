import { Linked, List } from "./list.ts"

/** The next waiter when a permit is free: the one who has waited longest, or the one who came last. */
export type Order = "fifo" | "lifo"

export interface Limits {
  /** how many calls run at once */
  readonly concurrency: number
  /** how many calls wait */
  readonly maxQueue: number
}

/** A place in the queue. */
export class Place<W> extends Linked {
  readonly waiter: W

  constructor(waiter: W) {
    super()
    this.waiter = waiter
  }
}

/**
 * Permits and the queue for them. Permits are handed over: the caller that gives one back, or adds some, is told which waiters have
 * them now. So there is never a free permit while somebody waits, and a newcomer has nothing to overtake a waiter with.
 */
export class Permits<W> {
  private limits: Limits
  private readonly order: Order
  /** the waiter that has waited longest is the first */
  private readonly places = new List<Place<W>>()
  protected held = 0

  constructor(limits: Limits, order: Order) {
    this.limits = limits
    this.order = order
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
    return this.places.size
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
    return this.queued >= this.limits.maxQueue && (this.order === "fifo" || this.limits.maxQueue === 0)
  }

  /** Takes a place in the queue of one that is not {@link full}, after {@link displace} has made room. */
  join(waiter: W): Place<W> {
    const place = new Place(waiter)
    this.places.push(place)
    return place
  }

  /**
   * Last in, first out, the waiter that has waited longest is the least likely to be waited for: it gives its place to a newcomer, as
   * in .NET's `QueueProcessingOrder.NewestFirst`. Gives one waiter that has lost its place, and has to be called until it
   * gives none.
   */
  displace(): W | undefined {
    if (this.full || this.queued < this.limits.maxQueue) return undefined
    const oldest = this.places.first!
    this.places.delete(oldest)
    return oldest.waiter
  }

  /** Leaves the queue. Nothing happens to a waiter that is no longer in it. */
  cancel(place: Place<W>): void {
    this.places.delete(place)
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

  protected grant(): W | undefined {
    const next = this.order === "fifo" ? this.places.first : this.places.last
    if (next === undefined || !this.enter()) return undefined
    this.places.delete(next)
    return next.waiter
  }
}
