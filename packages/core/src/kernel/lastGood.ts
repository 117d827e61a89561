/** The last good value per key, at most `capacity` of them. Times in milliseconds on a monotonic clock. */

interface Entry<A> {
  readonly value: A
  /** when the call began that brought it */
  readonly since: number
}

/** A map in the order of insertion. How keys are compared is the affair of whoever makes it. */
export interface Entries<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): unknown
  delete(key: K): unknown
  keys(): Iterable<K>
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
  /**
   * Since when the callee, or somebody who has changed it, says that there is no value: a slower, older answer does not bring
   * it back, though it may be the first one. As many as values, and beside them: what is gone takes no value's place.
   */
  private readonly gone: Entries<K, number>

  constructor(ttl: number, capacity: number, entries: <V>() => Entries<K, V> = () => new Map()) {
    this.ttl = ttl
    this.capacity = capacity
    this.entries = entries()
    this.gone = entries()
  }

  /** A call that began at `since` brought `value`. An answer that was asked for earlier than the one at hand is older news. */
  keep(key: K, value: A, since: number): void {
    if (this.isOlderNews(key, since)) return
    this.gone.delete(key)
    this.write(this.entries, key, { value, since })
  }

  /** There is no value any more: a call that began at `since` learnt it, or somebody said so then. */
  forget(key: K, since: number): void {
    if (this.isOlderNews(key, since)) return
    this.entries.delete(key)
    this.write(this.gone, key, since)
  }

  private isOlderNews(key: K, since: number): boolean {
    const known = this.entries.get(key)?.since ?? this.gone.get(key)
    return known !== undefined && known > since
  }

  private write<V>(entries: Entries<K, V>, key: K, value: V): void {
    entries.delete(key)
    if (entries.size >= this.capacity) {
      const [oldest] = entries.keys()
      entries.delete(oldest!)
    }
    entries.set(key, value)
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
    return { value: known.value, age }
  }

  /** How many values there are. */
  get size(): number {
    return this.entries.size
  }
}
