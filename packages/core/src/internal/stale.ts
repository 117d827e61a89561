import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as Fault from "../Fault.ts"
import * as kernel from "../kernel/lastGood.ts"
import { emit } from "./emit.ts"
import { type AnyStream, fromPull, open } from "./establish.ts"
import { CurrentListener } from "./events.ts"
import { recoverStream } from "./fallback.ts"
import { KeyMap } from "./keyMap.ts"
import type { PolicyInfo } from "./model.ts"
import { type AnyEffect, type AnyFiber, Primitive } from "./primitive.ts"
import { now, wallNow } from "./time.ts"

/** A value that is served instead of a failure. */
interface Stale {
  readonly value: any
  readonly age: Duration.Duration
  readonly cause: Cause.Cause<unknown>
}

export interface Settings {
  readonly name: string | undefined
  /** in milliseconds */
  readonly timeToLive: number
  readonly capacity: number
  readonly maxElements: number
  readonly as: ((stale: Stale) => unknown) | undefined
  readonly classify: Fault.Classify<any> | undefined
}

/** Remembers the last good value per key, of effects and of streams. */
export class Memory {
  readonly info: PolicyInfo
  readonly maxElements: number
  readonly values: kernel.LastGood<unknown, unknown>
  readonly streams: kernel.LastGood<unknown, ReadonlyArray<unknown>>
  private readonly name: string | undefined
  private readonly as: (stale: Stale) => unknown
  private readonly classify: Fault.Classify<any>

  constructor({ as, capacity, classify, maxElements, name, timeToLive }: Settings) {
    this.maxElements = maxElements
    this.values = new kernel.LastGood(timeToLive, capacity, <V>() => new KeyMap<unknown, V>())
    this.streams = new kernel.LastGood(timeToLive, capacity, <V>() => new KeyMap<unknown, V>())
    this.name = name
    this.as = as ?? ((stale) => stale.value)
    this.classify = classify ?? Fault.of
    this.info = {
      kind: "fallback stale",
      name,
      settings: { timeToLive: Duration.millis(timeToLive), capacity },
      children: []
    }
  }

  get size(): number {
    return this.values.size + this.streams.size
  }

  forget(key: unknown, at: number): void {
    this.values.forget(key, at)
    this.streams.forget(key, at)
  }

  /**
   * The value to give instead of a failure of a call that began at `since`. A permanent failure is an answer: there is no
   * such value any more, and it must not come back with the next failure that passes.
   */
  recall<A>(
    fiber: AnyFiber,
    store: kernel.LastGood<unknown, A>,
    key: unknown,
    since: number,
    cause: Cause.Cause<unknown>
  ): { readonly value: A; readonly show: (value: unknown) => unknown } | undefined {
    const fault = this.classify(Exit.failCause(cause), wallNow(fiber))
    switch (fault?._tag) {
      case "Permanent":
        store.forget(key, since)
        return undefined
      case "Transient":
      case "Throttled":
      case "Rejected": {
        const found = store.find(key, now(fiber))
        if (found === undefined) return undefined
        const age = Duration.millis(found.age)
        const listener = fiber.getRef(CurrentListener)
        if (listener !== undefined) {
          emit(fiber, listener, { _tag: "StaleServed", policy: "fallback", name: this.name, fault, cause, age })
        }
        return { value: found.value, show: (value) => this.as({ value, age, cause }) }
      }
      default:
        return undefined
    }
  }
}

export class StaleEffect extends Primitive {
  private readonly self: AnyEffect
  private readonly memory: Memory
  private readonly key: unknown

  constructor(self: AnyEffect, memory: Memory, key: unknown) {
    super()
    this.self = self
    this.memory = memory
    this.key = key
  }

  run(fiber: AnyFiber): AnyEffect {
    const { key, memory } = this
    const since = now(fiber)
    return Effect.matchCauseEffect(this.self, {
      onSuccess: (value) => {
        memory.values.keep(key, value, since)
        return Effect.succeed(value)
      },
      onFailure: (cause) => {
        const found = memory.recall(fiber, memory.values, key, since, cause)
        return found === undefined ? Effect.failCause(cause) : Effect.succeed(found.show(found.value))
      }
    })
  }
}

export const staleStream = (self: AnyStream, memory: Memory, key: unknown): AnyStream =>
  fromPull((scope) =>
    Effect.withFiber((fiber) => {
      const since = now(fiber)
      let seen: Array<unknown> | undefined = []
      const watched = Stream.transformPull(self, (pull) =>
        Effect.succeed(Effect.onExitPrimitive(pull, (exit) => {
          if (seen === undefined) return undefined
          if (Exit.isSuccess(exit)) {
            if (seen.length + exit.value.length > memory.maxElements) seen = undefined
            else for (const element of exit.value) seen.push(element)
          } else if (Pull.isDoneCause(exit.cause)) {
            memory.streams.keep(key, seen, since)
          }
          return undefined
        })))
      return open(
        recoverStream(watched, (cause) =>
          Effect.withFiber((fiber) => {
            const found = memory.recall(fiber, memory.streams, key, since, cause)
            return found === undefined
              ? Effect.failCause(cause)
              : Effect.succeed(Stream.fromIterable(found.value.map(found.show)))
          })),
        scope
      )
    })
  )
