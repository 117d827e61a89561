import { Permits } from "./bulkhead.ts"
import type { Order, Overload } from "./queue.ts"

/** How many of a limit a partition is guaranteed: one at least, and the sum of all may be more than the limit. */
const guaranteedOf = (limit: number, share: number): number =>
  // a product such as 0.07 * 100 is a little more than it ought to be
  share === 0 ? 0 : Math.max(1, Math.ceil(limit * share - 1e-9))

/**
 * A limit that partitions share. As long as fewer calls run than the limit allows, all of them may run; beyond that, a partition has what it is
 * guaranteed. What one does not use is lent to the others, and comes back as their calls end.
 */
export class Pool<W> {
  readonly partitions: ReadonlyArray<Partition<W>>
  limit: number
  inUse = 0

  constructor(limit: number, shares: ReadonlyArray<number>, maxQueue: number, order: Order, overload?: Overload) {
    this.limit = limit
    this.partitions = shares.map((share) => new Partition(this, share, maxQueue, order, overload))
  }

  get queued(): number {
    return this.partitions.reduce((sum, { queued }) => sum + queued, 0)
  }

  /** A waiter that has a permit now: of the partition that has least of what it is guaranteed. */
  next(at: number): W | undefined {
    let least: Partition<W> | undefined
    for (const partition of this.partitions) {
      if (partition.queued === 0 || !partition.hasRoom) continue
      if (least === undefined || partition.load < least.load) least = partition
    }
    return least?.take(at)
  }

  stale(at: number): W | undefined {
    for (const partition of this.partitions) {
      const waiter = partition.drop(at)
      if (waiter !== undefined) return waiter
    }
    return undefined
  }
}

/** A partition of a {@link Pool}: its permits are those of the pool, the queue is its own. */
export class Partition<W> extends Permits<W> {
  private readonly pool: Pool<W>
  private readonly share: number

  constructor(pool: Pool<W>, share: number, maxQueue: number, order: Order, overload?: Overload) {
    super({ concurrency: pool.limit, maxQueue }, order, overload)
    this.pool = pool
    this.share = share
  }

  get guaranteed(): number {
    return guaranteedOf(this.pool.limit, this.share)
  }

  override get concurrency(): number {
    return this.pool.limit
  }

  get hasRoom(): boolean {
    return this.pool.inUse < this.pool.limit || this.inUse < this.guaranteed
  }

  /** What it would have with one call more, as a part of what it is guaranteed. */
  get load(): number {
    return (this.inUse + 1) / Math.max(1, this.guaranteed)
  }

  override enter(): boolean {
    if (!this.hasRoom) return false
    this.pool.inUse++
    this.held++
    return true
  }

  override leave(): boolean {
    this.pool.inUse--
    this.held--
    return this.pool.queued > 0
  }

  override next(at: number): W | undefined {
    return this.pool.next(at)
  }

  override stale(at: number): W | undefined {
    return this.pool.stale(at)
  }

  /** The waiter of its own that is next has a permit now. */
  take(at: number): W | undefined {
    return super.next(at)
  }

  /** A waiter of its own that has waited for too long. */
  drop(at: number): W | undefined {
    return super.stale(at)
  }
}
