import { Linked, List } from "./list.ts"

/** What an instance knows that a new one in its place would not. More is a greater number. */
export type Knowledge = 0 | 1 | 2 | 3

export const nothing = 0
/** Failures so far, for example: it need not outlive its idle time, but does not go for the sake of another key. */
export const counted = 1
/** A circuit is open, a quota is used up: it outlives its idle time, and ends by itself. */
export const owed = 2
/** Somebody has decided it by hand. */
export const forced = 3

/** What belongs to a key. */
export class Entry<out K, out V> extends Linked {
  readonly key: K
  readonly value: V
  /** it was made although the table was full */
  readonly late: boolean
  /** calls under way */
  uses = 0
  /** when the last of them ended */
  idleSince = 0
  /** since when it has not been looked at */
  unseenSince = 0
  /** whatever the holder of the table keeps with it */
  memo: V | undefined = undefined
  /** it knew something when it was looked at, and has not been used to the end since */
  knows = false

  constructor(key: K, value: V, late: boolean) {
    super()
    this.key = key
    this.value = value
    this.late = late
  }
}

/** The holder of the table decides how keys are compared. */
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
  /** what a new key gets when everything there is knows something */
  readonly whenFull: "share" | "reject"
  readonly knowledge: (value: V, now: number) => Knowledge
  /** it is no longer the value of a key */
  readonly letGo: (value: V) => void
}

/** so many of those that know something are looked at again when room is needed */
const looks = 8

/**
 * Values by key, made when they are first asked for. There are no timers: what has been idle for too long goes when somebody
 * looks, at any key. An instance in use never goes, so that a table grows beyond `max` while more than that are in use at once,
 * and shrinks as they end. What knows something does not go to make room: a caller who may choose keys could make a table
 * forget with them. When `max` entries know something, new keys share one value or get none. Times in milliseconds on a
 * monotonic clock.
 */
export class Table<in out K, in out V> {
  private readonly index: Index<K, V>
  private readonly rules: Rules<V>
  /** not in use and not looked at since, the least recently used one first */
  private readonly idle = new List<Entry<K, V>>()
  /** not in use, and known to know something; the one that was not looked at for longest first */
  private readonly kept = new List<Entry<K, V>>()
  /** how many know something, those in use included */
  private knowing = 0
  /** what new keys share when there is no room for them */
  private shared: Entry<K, V> | undefined = undefined

  constructor(index: Index<K, V>, rules: Rules<V>) {
    this.index = index
    this.rules = rules
  }

  /** What keys share that have found no room. */
  get overflow(): Entry<K, V> | undefined {
    return this.shared
  }

  /** Given back by {@link release}, once. Nothing, if there is no room for a new key. */
  acquire(key: K, now: number, make: (key: K) => V): Entry<K, V> | undefined {
    this.sweep(now)
    const known = this.index.get(key)
    if (known !== undefined) return this.use(known)
    const { max, whenFull } = this.rules
    const late = this.index.size >= max && this.spare(now) === undefined
    if (late && this.knowing >= max) {
      return whenFull === "share" ? this.use(this.shared ?? this.share(key, make(key))) : undefined
    }
    const entry = new Entry(key, make(key), late)
    // what makes a value may have asked for it
    const meanwhile = this.index.get(key)
    if (meanwhile !== undefined) return this.use(meanwhile)
    this.shrink(now, max - 1)
    this.index.set(key, entry)
    return this.use(entry)
  }

  release(entry: Entry<K, V>, now: number): void {
    if (--entry.uses > 0) return
    entry.idleSince = entry.unseenSince = now
    if (entry === this.shared) return
    this.forget(entry)
    this.idle.push(entry)
    if (this.index.size <= this.rules.max) return
    this.shrink(now, this.rules.max)
    // of a crowd that came all at once, those know nothing that the others do not need the room for
    const crowded = this.knowing > this.rules.max && entry.late && this.kept.has(entry)
    if (crowded && this.rules.knowledge(entry.value, now) < forced) this.drop(entry)
  }

  /** Lets go what has been idle for too long. */
  sweep(now: number): void {
    for (let entry = this.idle.first; entry !== undefined && this.isStale(entry, now); entry = this.idle.first) {
      this.look(entry, now)
    }
    for (let entry = this.kept.first; entry !== undefined && this.isStale(entry, now); entry = this.kept.first) {
      this.look(entry, now)
    }
    const { shared } = this
    if (shared === undefined || shared.uses > 0 || !this.isStale(shared, now)) return
    if (this.isSpare(shared, now)) {
      this.shared = undefined
      this.rules.letGo(shared.value)
    } else shared.unseenSince = now
  }

  private isStale(entry: Entry<K, V>, now: number): boolean {
    return now - entry.unseenSince >= this.rules.idle
  }

  /** Lets go one that has been idle for too long, or looks at it again after another while. */
  private look(entry: Entry<K, V>, now: number): void {
    if (this.isSpare(entry, now)) this.drop(entry)
    else this.keep(entry, now)
  }

  private isSpare(entry: Entry<K, V>, now: number): boolean {
    const knowledge = this.rules.knowledge(entry.value, now)
    return knowledge === nothing || (knowledge === counted && now - entry.idleSince >= this.rules.idle)
  }

  private share(key: K, value: V): Entry<K, V> {
    return this.shared ??= new Entry(key, value, true)
  }

  private use(entry: Entry<K, V>): Entry<K, V> {
    if (entry.uses++ === 0) entry.list?.delete(entry)
    return entry
  }

  private shrink(now: number, to: number): void {
    while (this.index.size > to) {
      const entry = this.spare(now)
      if (entry === undefined) return
      this.drop(entry)
    }
  }

  /** One that may go. Each that may not is passed over once, and of those that were passed over a few are looked at again. */
  private spare(now: number): Entry<K, V> | undefined {
    for (let entry = this.idle.first; entry !== undefined; entry = this.idle.first) {
      if (this.isSpare(entry, now)) return entry
      this.keep(entry, now)
    }
    for (let left = Math.min(looks, this.kept.size); left > 0; left--) {
      const entry = this.kept.first!
      if (this.isSpare(entry, now)) return entry
      this.keep(entry, now)
    }
    return undefined
  }

  private keep(entry: Entry<K, V>, now: number): void {
    entry.unseenSince = now
    if (!entry.knows) this.knowing++
    entry.knows = true
    this.kept.push(entry)
  }

  private forget(entry: Entry<K, V>): void {
    if (entry.knows) this.knowing--
    entry.knows = false
  }

  private drop(entry: Entry<K, V>): void {
    this.forget(entry)
    entry.list?.delete(entry)
    this.index.delete(entry.key)
    this.rules.letGo(entry.value)
  }
}
