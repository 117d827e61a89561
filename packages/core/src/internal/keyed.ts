import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as kernel from "../kernel/keyed.ts"
import { emit } from "./emit.ts"
import { KeyedRejected } from "./errors.ts"
import { type AnyStream, closing, fromPull, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import * as frame from "./frame.ts"
import { KeyMap } from "./keyMap.ts"
import type * as Policy from "./model.ts"
import { checkedOptions, integer, invalid, positiveMillis } from "./options.ts"
import * as internal from "./policy.ts"
import type { AnyEffect, AnyFiber } from "./primitive.ts"
import { now } from "./time.ts"

export type AnyPolicy = Policy.Policy<any, any, any>
type KeyEntry<K> = kernel.Entry<K, AnyPolicy>

interface Options<K> {
  readonly name?: string | undefined
  readonly lookup: (key: K) => unknown
  readonly idleTimeToLive?: Duration.Input | undefined
  readonly maxInstances?: number | undefined
  readonly whenFull?: "share" | "reject" | undefined
}

interface Instance<K> {
  readonly key: K
  readonly policy: AnyPolicy
  readonly inUse: number
  readonly idle: Duration.Duration
  readonly shared: boolean
}

const where = "Keyed.make"
const noPolicy: ReadonlyArray<Policy.PolicyInfo> = []

/** A lookup that waits would wait within a synchronous turn, for ever: it is ended, and a defect of the call that asked. */
const runNow = (context: Context.Context<never>, made: Effect.Effect<AnyPolicy>): AnyPolicy => {
  try {
    return Effect.runSyncWith(context)(made)
  } catch (error) {
    if (Cause.isAsyncFiberError(error)) error.fiber.interruptUnsafe()
    throw error
  }
}

/** The instances of all keys. */
export class Pool<K> {
  readonly name: string | undefined
  readonly settings: Readonly<Record<string, unknown>>
  readonly lookup: (key: K) => AnyPolicy
  private readonly instances = new KeyMap<K, KeyEntry<K>>()
  private readonly table: kernel.Table<K, AnyPolicy>

  constructor(options: Options<K>, context: Context.Context<never>) {
    const { lookup, name, whenFull = "share" } = checkedOptions(where, options)
    const idle = positiveMillis(where, "idleTimeToLive", options.idleTimeToLive ?? "5 minutes", { infinite: true })
    const max = integer(where, "maxInstances", options.maxInstances ?? 1000, 1)
    if (typeof lookup !== "function") throw invalid(where, "lookup", lookup, "a function")
    if (whenFull !== "share" && whenFull !== "reject") {
      throw invalid(where, "whenFull", whenFull, "\"share\" or \"reject\"")
    }
    this.name = name
    this.settings = { idleTimeToLive: Duration.millis(idle), maxInstances: max, whenFull: options.whenFull }
    this.lookup = (key) => {
      const made = lookup(key) as AnyPolicy | Effect.Effect<AnyPolicy> // what it asks for, its callers have given
      return Effect.isEffect(made) ? runNow(context, made) : made
    }
    this.table = new kernel.Table(this.instances, {
      idle,
      max,
      whenFull,
      knowledge: internal.knowledgeOf,
      letGo: internal.letGo
    })
  }

  acquire(key: K, at: number): KeyEntry<K> | undefined {
    return this.table.acquire(key, at, this.lookup)
  }

  release(fiber: AnyFiber, entry: KeyEntry<K>): void {
    this.table.release(entry, now(fiber))
  }

  reject(fiber: AnyFiber): KeyedRejected {
    const listener = fiber.getRef(CurrentListener)
    if (listener !== undefined) emit(fiber, listener, { _tag: "RejectedByKeyed", policy: "keyed", name: this.name })
    return new KeyedRejected({ policyName: this.name })
  }

  /** The policy of a key, which is made once for as long as the key has an instance. */
  for(key: K): AnyPolicy {
    const entry = this.instances.get(key)
    if (entry === undefined) return internal.make(new ForKey(this, key))
    return entry.memo ??= internal.make(new ForKey(this, key))
  }

  /** The instance that a call would use now. */
  get(fiber: AnyFiber, key: K): AnyPolicy | KeyedRejected {
    const entry = this.acquire(key, now(fiber))
    if (entry === undefined) return this.reject(fiber)
    this.release(fiber, entry)
    return entry.value
  }

  entries(fiber: AnyFiber): ReadonlyArray<Instance<K>> {
    const at = now(fiber)
    this.table.sweep(at)
    const { overflow } = this.table
    const all = Array.from(this.instances.values())
    return [...all, ...overflow === undefined ? [] : [overflow]].map((entry) => ({
      key: entry.key,
      policy: entry.value,
      inUse: entry.uses,
      idle: Duration.millis(entry.uses > 0 ? 0 : at - entry.idleSince),
      shared: entry === overflow
    }))
  }
}

/** The policy of one key. */
export class ForKey<K> implements internal.Implementation {
  readonly pool: Pool<K>
  readonly key: K

  constructor(pool: Pool<K>, key: K) {
    this.pool = pool
    this.key = key
  }

  get info(): Policy.PolicyInfo {
    const { name, settings } = this.pool
    return { kind: "keyed", name, settings: { key: this.key, ...settings }, children: noPolicy }
  }

  effect(self: AnyEffect): AnyEffect {
    return new KeyedEffect(self, this.pool, this.key)
  }

  stream(self: AnyStream): AnyStream {
    const { key, pool } = this
    return fromPull((scope) =>
      Effect.suspend(() => {
        let entry: KeyEntry<K> | undefined
        const inner = Scope.makeUnsafe()
        const release = Effect.withFiber((fiber) => {
          if (entry !== undefined) pool.release(fiber, entry)
          return Effect.void
        })
        const opened = Effect.withFiber((fiber) => {
          entry = pool.acquire(key, now(fiber))
          return entry === undefined ? pool.reject(fiber) : open(entry.value.stream(self), inner)
        })
        return Effect.andThen(Scope.addFinalizerExit(scope, closing(inner, release)), opened)
      })
    )
  }
}

/** Gives an instance back. */
class UseFrame<K> extends frame.ExitFrame {
  declare private readonly pool: Pool<K>
  declare private readonly entry: KeyEntry<K>

  constructor(pool: Pool<K>, entry: KeyEntry<K>) {
    super()
    this.pool = pool
    this.entry = entry
  }

  protected succeeded(fiber: AnyFiber): void {
    this.pool.release(fiber, this.entry)
  }

  protected failed(fiber: AnyFiber): void {
    this.pool.release(fiber, this.entry)
  }
}

class KeyedEffect<K> extends frame.Stage {
  declare private readonly self: AnyEffect
  declare private readonly pool: Pool<K>
  declare private readonly key: K

  constructor(self: AnyEffect, pool: Pool<K>, key: K) {
    super()
    this.self = self
    this.pool = pool
    this.key = key
  }

  enter(fiber: AnyFiber, time: number): AnyEffect {
    const { key, pool, self } = this
    if (frame.supported()) {
      const at = time === frame.unread ? now(fiber) : time
      const used = pool.acquire(key, at)
      if (used === undefined) return pool.reject(fiber)
      frame.push(fiber, new UseFrame(pool, used))
      return frame.proceed(used.value(self), fiber, at)
    }
    let entry: KeyEntry<K> | undefined
    // the frame that gives the instance back is on the stack before it is taken
    return Effect.onExitPrimitive(
      Effect.withFiber((fiber) => {
        entry = pool.acquire(key, now(fiber))
        return entry === undefined ? pool.reject(fiber) : entry.value(self)
      }),
      () => {
        if (entry !== undefined) pool.release(Fiber.getCurrent()!, entry)
        return undefined
      }
    )
  }
}
