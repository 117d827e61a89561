import { constVoid, identity } from "effect/Function"
import { NodeInspectSymbol } from "effect/Inspectable"
import type { AnyStream } from "./establish.ts"
import { type Policy, type PolicyInfo, TypeId } from "./model.ts"
import type { AnyEffect } from "./primitive.ts"

/** What a policy is made of. The function that users call holds one of these. */
export interface Implementation {
  readonly info: PolicyInfo
  effect(self: AnyEffect): AnyEffect
  stream(self: AnyStream): AnyStream
  /**
   * Whether it knows something that must not be forgotten although no call is under way. `pressed`: room is needed, so that
   * only what somebody decided by hand is worth keeping.
   */
  pinned?(at: number, pressed: boolean): boolean
}

const implementation = Symbol("effect-resilience/implementation")

interface Holder {
  readonly [implementation]: Implementation
}

function nameOf(this: Holder): string {
  return `Policy(${this[implementation].info.kind})`
}

const variance = { _EIn: constVoid, _EOut: identity, _R: identity }

/**
 * The prototype of policies. A function with a shared prototype costs a fraction of one with its own properties, which
 * is what a process with a circuit breaker per key pays for.
 */
export const PolicyProto: object = Object.create(Function.prototype, {
  [TypeId]: { value: variance },
  info: {
    get(this: Holder) {
      return this[implementation].info
    }
  },
  stream: {
    get(this: Holder) {
      const stream = (self: AnyStream) => this[implementation].stream(self)
      Object.defineProperty(this, "stream", { value: stream })
      return stream
    }
  },
  toString: { value: nameOf },
  [NodeInspectSymbol]: { value: nameOf }
})

/** Makes the function that users call; `proto` adds the members of a stateful policy. */
export const make = <P extends Policy<any, any, any>>(impl: Implementation, proto: object = PolicyProto): P => {
  const policy = (self: AnyEffect) => impl.effect(self)
  const made = Object.setPrototypeOf(policy, proto)
  made[implementation] = impl // defining it, for it not to be enumerable, would cost more than all the rest
  return made // the members come from the prototype, which a type cannot follow
}

/** What {@link make} was given, for the members that a stateful policy's prototype adds. */
export const implementationOf = <I extends Implementation>(policy: unknown): I =>
  (policy as Holder)[implementation] as I

export const pinned = (policy: unknown, at: number, pressed: boolean): boolean =>
  implementationOf(policy).pinned?.(at, pressed) ?? false
