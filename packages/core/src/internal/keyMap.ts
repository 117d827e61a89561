import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"

/**
 * A map whose keys are compared by Effect's `Equal`, as those of `Cache` and `RcMap` are: a key that is an object is the one that
 * was there first and is equal to it. In the order of insertion.
 */
export class KeyMap<K, V> {
  private readonly entries = new Map<K, V>()
  private readonly known = MutableHashMap.empty<K, K>()

  get size(): number {
    return this.entries.size
  }

  get(key: K): V | undefined {
    return this.entries.get(this.knownAs(key))
  }

  set(key: K, value: V): void {
    const known = this.knownAs(key)
    if (isObject(key) && known === key) MutableHashMap.set(this.known, key, key)
    this.entries.set(known, value)
  }

  delete(key: K): void {
    this.entries.delete(this.knownAs(key))
    if (isObject(key)) MutableHashMap.remove(this.known, key)
  }

  keys(): IterableIterator<K> {
    return this.entries.keys()
  }

  values(): IterableIterator<V> {
    return this.entries.values()
  }

  private knownAs(key: K): K {
    return isObject(key) ? Option.getOrElse(MutableHashMap.get(this.known, key), () => key) : key
  }
}

/** The key of an operator that was not asked for one, which no key of a user is equal to. */
export const ownKey = Symbol("effect-resilience/ownKey")

/** What else there is, a `Map` compares as `Equal` does. */
const isObject = (key: unknown): boolean => typeof key === "object" ? key !== null : typeof key === "function"
