/** The last good value per key, at most `capacity` of them. Times in milliseconds on a monotonic clock. */

/**
 * What the callee said is gone, or somebody has changed. It stays as long as a value would, so that a slower, older answer
 * does not bring it back.
 */
const gone = Symbol("effect-resilience/gone")

interface Entry<A> {
  readonly value: A | typeof gone
  /** when the call began that brought it */
  readonly since: number
}

/** A map in the order of insertion. How keys are compared is the affair of whoever makes it. */
export interface Entries<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): unknown
  delete(key: K): unknown
  keys(): Iterable<K>
  values(): Iterable<V>
  readonly size: number
}

export interface Found<A> {
  readonly value: A
  readonly age: number
}

export class LastGood<K, A> {
  private readonly ttl: number
  private readonly capacity: number
  /** the least recently written first */
  private readonly entries: Entries<K, Entry<A>>

  constructor(ttl: number, capacity: number, entries: Entries<K, Entry<A>> = new Map()) {
    this.ttl = ttl
    this.capacity = capacity
    this.entries = entries
  }

  /** A call that began at `since` brought `value`. An answer that was asked for earlier than the one at hand is older news. */
  keep(key: K, value: A, since: number): void {
    const known = this.entries.get(key)
    if (known !== undefined) {
      if (known.since > since) return
      this.entries.delete(key)
    } else if (this.entries.size >= this.capacity) {
      const [oldest] = this.entries.keys()
      this.entries.delete(oldest!)
    }
    this.entries.set(key, { value, since })
  }

  /** There is no value any more: a call that began at `since` learnt it, or somebody said so then. */
  forget(key: K, since: number): void {
    const known = this.entries.get(key)
    if (known !== undefined && known.since <= since) this.entries.set(key, { value: gone, since })
  }

  /**
   * The value, if it is not older than the time to live. Its age counts from the moment when it was asked for, for that is
   * how old it may be (RFC 9111 section 4.2.3 counts the response's delay as well).
   */
  find(key: K, now: number): Found<A> | undefined {
    const known = this.entries.get(key)
    if (known === undefined) return undefined
    const age = now - known.since
    if (age > this.ttl) {
      this.entries.delete(key)
      return undefined
    }
    return known.value === gone ? undefined : { value: known.value, age }
  }

  /** How many values there are, what is gone left out. */
  get size(): number {
    let size = 0
    for (const { value } of this.entries.values()) if (value !== gone) size++
    return size
  }
}
