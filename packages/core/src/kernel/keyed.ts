import { Linked, List } from "./list.ts"

/** What belongs to a key. */
export class Entry<out K, out V> extends Linked {
  readonly key: K
  readonly value: V
  /** calls under way */
  uses = 0
  /** when the last of them ended */
  idleSince = 0
  /** since when it has not been looked at */
  unseenSince = 0

  constructor(key: K, value: V) {
    super()
    this.key = key
    this.value = value
  }
}

/** How keys are compared is the affair of whoever holds the table. */
export interface Index<K, V> {
  get(key: K): Entry<K, V> | undefined
  set(key: K, entry: Entry<K, V>): void
  delete(key: K): void
  readonly size: number
}

export interface Rules<V> {
  /** nobody has used it for so long: it goes */
  readonly idle: number
  readonly max: number
  /** must not go although nobody uses it; `pressed`: there are more than `max` */
  readonly pinned: (value: V, now: number, pressed: boolean) => boolean
}

/**
 * Values by key, made when they are first asked for. There are no timers: what has been idle for too long goes when somebody
 * looks, at any key. What is in use never goes, so that a table grows beyond `max` while more than that are in use at once,
 * and shrinks as they end. Times in milliseconds on a monotonic clock.
 */
export class Table<in out K, in out V> {
  private readonly index: Index<K, V>
  private readonly rules: Rules<V>
  /** the least recently used one first; one that must not go counts as used when it is looked at */
  private readonly idle = new List<Entry<K, V>>()

  constructor(index: Index<K, V>, rules: Rules<V>) {
    this.index = index
    this.rules = rules
  }

  /** Given back by {@link release}, once. */
  acquire(key: K, now: number, make: (key: K) => V): Entry<K, V> {
    this.sweep(now)
    let entry = this.index.get(key)
    if (entry === undefined) {
      entry = new Entry(key, make(key))
      this.shrink(now, this.rules.max - 1)
      this.index.set(key, entry)
    } else if (entry.uses === 0) {
      this.idle.delete(entry)
    }
    entry.uses++
    return entry
  }

  release(entry: Entry<K, V>, now: number): void {
    if (--entry.uses > 0) return
    entry.idleSince = entry.unseenSince = now
    this.idle.push(entry)
    this.shrink(now, this.rules.max)
  }

  /** Lets go what has been idle for too long. */
  sweep(now: number): void {
    for (let entry = this.idle.first; entry !== undefined; entry = this.idle.first) {
      if (now - entry.unseenSince < this.rules.idle) return
      if (this.rules.pinned(entry.value, now, false)) {
        // looked at again after another while
        entry.unseenSince = now
        this.idle.push(entry)
      } else this.drop(entry)
    }
  }

  private shrink(now: number, to: number): void {
    for (let entry = this.idle.first; entry !== undefined && this.index.size > to;) {
      const next = this.idle.after(entry)
      if (!this.rules.pinned(entry.value, now, true)) this.drop(entry)
      entry = next
    }
  }

  private drop(entry: Entry<K, V>): void {
    this.idle.delete(entry)
    this.index.delete(entry.key)
  }
}
