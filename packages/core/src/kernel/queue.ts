import { criticalities } from "./criticality.ts"
import { Linked, List } from "./list.ts"

/** Which of the waiters that matter as much is next: the one that has waited longest, the one that came last, or by the load the one or the other. */
export type Order = "fifo" | "lifo" | "adaptive"

/** When an adaptive queue is overloaded, in milliseconds. */
export interface Overload {
  /** a wait of no more than this is a good one */
  readonly target: number
  /** so long nobody has had a good wait */
  readonly interval: number
}

/** What RFC 8289 recommends, and "Fail at Scale" (ACM Queue 13.8, 2015) as well. */
export const usualOverload: Overload = { target: 5, interval: 100 }

/** A place in a queue. */
export class Place<W> extends Linked {
  readonly waiter: W
  readonly rank: number
  readonly since: number

  constructor(waiter: W, rank: number, since: number) {
    super()
    this.waiter = waiter
    this.rank = rank
    this.since = since
  }
}

/** Those who matter as much: the one that has waited longest is the first. */
class Line<W> extends List<Place<W>> {
  /** when it was empty, or somebody had a good wait */
  well = 0
}

/**
 * Those who wait, the most critical first. Calls that matter less do not slow those that matter more, so each criticality has
 * a line of its own, and is overloaded by itself.
 *
 * An adaptive line is first in, first out, as long as it goes well: it becomes empty, or the wait of somebody who is served is no longer
 * than `target`. After an `interval` in which neither happened it is overloaded until it is empty. The newest is then served
 * first, and a waiter that has waited for longer than `target` is dropped when somebody is served. The sign of overload is CoDel's
 * (RFC 8289, section 4.2). What comes of it is that of Facebook's adaptive LIFO ("Fail at Scale"): to drop one call at a time, as CoDel does, tells a TCP sender to
 * slow down, and callers know nothing of it. Their end of overload is an empty queue as well, because the wait of the newest says
 * nothing about the rest.
 */
export class Queue<W> {
  size = 0
  private readonly lines = criticalities.map(() => new Line<W>())
  private readonly order: Order
  private readonly overload: Overload

  constructor(order: Order, overload: Overload = usualOverload) {
    this.order = order
    this.overload = overload
  }

  /** Enters at the end of the line of `rank`. */
  push(waiter: W, rank: number, at: number): Place<W> {
    const line = this.lines[rank]!
    if (line.size === 0) line.well = at
    const place = new Place(waiter, rank, at)
    line.push(place)
    this.size++
    return place
  }

  /** Leaves. Nothing happens to one that is no longer in it. */
  delete(place: Place<W>): void {
    if (this.lines[place.rank]!.delete(place)) this.size--
  }

  /** Takes the one out whose turn it is. */
  shift(at: number): W | undefined {
    for (const line of this.lines) {
      if (line.size === 0) continue
      const newest = this.newestFirst(line, at)
      const place = newest ? line.last! : line.first!
      if (!newest && at - place.since <= this.overload.target) line.well = at
      this.delete(place)
      return place.waiter
    }
    return undefined
  }

  /** Takes one out who has waited for too long in an overloaded line. */
  stale(at: number): W | undefined {
    if (this.order !== "adaptive" || this.size === 0) return undefined
    for (const line of this.lines) {
      const oldest = line.first
      if (oldest === undefined || at - oldest.since <= this.overload.target || !this.overloaded(line, at)) continue
      this.delete(oldest)
      return oldest.waiter
    }
    return undefined
  }

  /** Takes the one out whose turn is last, if that is after the turn of a newcomer of this rank. */
  pop(rank: number, at: number): W | undefined {
    for (let lowest = this.lines.length - 1; lowest >= rank; lowest--) {
      const line = this.lines[lowest]!
      if (line.size === 0) continue
      const newestFirst = this.newestFirst(line, at)
      // in its own line it would come after everybody
      if (lowest === rank && !newestFirst) return undefined
      const place = newestFirst ? line.first! : line.last!
      this.delete(place)
      return place.waiter
    }
    return undefined
  }

  /** Whether a newcomer of this rank would be the last whose turn it is. */
  isLast(rank: number, at: number): boolean {
    const own = this.lines[rank]!
    if (own.size > 0 && this.newestFirst(own, at)) return false
    return this.lines.every((line, other) => other <= rank || line.size === 0)
  }

  private newestFirst(line: Line<W>, at: number): boolean {
    return this.order === "adaptive" ? this.overloaded(line, at) : this.order === "lifo"
  }

  private overloaded(line: Line<W>, at: number): boolean {
    return at - line.well >= this.overload.interval
  }
}
