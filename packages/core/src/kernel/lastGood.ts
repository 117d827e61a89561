/** The last good value per key, at most `capacity` of them. Times in milliseconds on a monotonic clock. */
import { Linked, List } from "./list.ts"

/** The memory of a key. It stands in the list of values, or in the list of those that are gone. */
class Entry<K, A> extends Linked {
  readonly key: K
  /** when the call began that brought it */
  since: number
  value: A | undefined

  constructor(key: K, since: number) {
    super()
    this.key = key
    this.since = since
  }
}

/** Its maker decides how keys are compared. */
export interface Entries<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): unknown
  delete(key: K): unknown
}

export interface Found<A> {
  readonly value: A
  readonly age: number
}

export class LastGood<K, A> {
  private readonly timeToLive: number
  private readonly capacity: number
  private readonly entries: Entries<K, Entry<K, A>>
  /** the least recently written first, in both lists */
  private readonly values = new List<Entry<K, A>>()
  /**
   * The callee, or somebody who has changed it, says that there is no value: a slower, older answer does not bring it back,
   * though it may be the first one. As many as values, and beside them: what is gone takes no value's place.
   */
  private readonly gone = new List<Entry<K, A>>()

  constructor(timeToLive: number, capacity: number, entries: <V>() => Entries<K, V> = () => new Map()) {
    this.timeToLive = timeToLive
    this.capacity = capacity
    this.entries = entries()
  }

  /** A call that began at `since` brought `value`. */
  keep(key: K, value: A, since: number): void {
    this.write(this.values, key, value, since)
  }

  /** There is no value any more: a call that began at `since` learnt it, or somebody said so then. */
  forget(key: K, since: number): void {
    this.write(this.gone, key, undefined, since)
  }

  /** An answer that was asked for earlier than the one at hand is older news. */
  private write(list: List<Entry<K, A>>, key: K, value: A | undefined, since: number): void {
    let entry = this.entries.get(key)
    if (entry === undefined) this.entries.set(key, entry = new Entry(key, since))
    else if (entry.since > since) return
    entry.since = since
    entry.value = value
    list.push(entry)
    if (list.size > this.capacity) this.drop(list, list.first!)
  }

  private drop(list: List<Entry<K, A>>, entry: Entry<K, A>): void {
    list.delete(entry)
    this.entries.delete(entry.key)
  }

  /**
   * The value, if it is not older than the time to live. Its age counts from the moment when it was asked for, for that is
   * how old it may be (RFC 9111 section 4.2.3 counts the response's delay as well).
   */
  find(key: K, now: number): Found<A> | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined || !this.values.has(entry)) return undefined
    const age = now - entry.since
    if (age > this.timeToLive) {
      this.drop(this.values, entry)
      return undefined
    }
    return { value: entry.value!, age } // a value that stands in the list of values is one
  }

  /** How many values there are. */
  get size(): number {
    return this.values.size
  }
}
