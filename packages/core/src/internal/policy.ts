import { constVoid, identity } from "effect/Function"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Predicate from "effect/Predicate"
import { type Knowledge, nothing } from "../kernel/keyed.ts"
import type { AnyStream } from "./establish.ts"
import { type Policy, type PolicyInfo, TypeId } from "./model.ts"
import type { AnyEffect } from "./primitive.ts"

/** What a policy is made of. The function that users call holds one of these. */
export interface Implementation {
  readonly info: PolicyInfo
  /** What its state belongs to, where that is not this: a cost of a limiter is the limiter's. */
  readonly instance?: object
  /** The policies that it is made of, outermost first. */
  readonly parts?: ReadonlyArray<unknown>
  effect(self: AnyEffect): AnyEffect
  stream(self: AnyStream): AnyStream
  /** It is let go: from now on nobody asks about it. */
  letGo?(): void
  /** What it knows although no call is under way. Without it, nothing. */
  knowledge?(at: number): Knowledge
}

const implementation = Symbol("effect-resilience/implementation")

interface Holder {
  readonly [implementation]: Implementation
}

function nameOf(this: Holder): string {
  return `Policy(${this[implementation].info.kind})`
}

/** Whose each description is; a description of limits that can be changed is made anew each time. */
const instances = new WeakMap<PolicyInfo, object>()

/** What the state of a policy that is described belongs to; none for a description that a user has put together. */
export const instanceOf = (info: PolicyInfo): object | undefined => instances.get(info)

const variance = { _EIn: constVoid, _EOut: identity, _R: identity }

/**
 * The prototype of policies. A function with a shared prototype costs a fraction of one with its own properties, which
 * is what a process with a circuit breaker per key pays for.
 */
export const PolicyProto: object = Object.create(Function.prototype, {
  [TypeId]: { value: variance },
  info: {
    get(this: Holder) {
      const impl = this[implementation]
      const { info } = impl
      if (!instances.has(info)) instances.set(info, impl.instance ?? impl)
      return info
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

/** Whether {@link make} made it. */
export const isPolicy = (u: unknown): boolean => Predicate.hasProperty(u, TypeId)

/** What {@link make} was given, for the members that a stateful policy's prototype adds. */
export const implementationOf = <I extends Implementation>(policy: unknown): I =>
  (policy as Holder)[implementation] as I

export const letGo = (policy: unknown): void => implementationOf(policy).letGo?.()

export const knowledgeOf = (policy: unknown, at: number): Knowledge =>
  implementationOf(policy).knowledge?.(at) ?? nothing

/** A stack knows what the one of its policies knows that knows most. */
export const knowledgeOfAll = (policies: ReadonlyArray<unknown>, at: number): Knowledge =>
  policies.reduce<Knowledge>((most, policy) => {
    const knowledge = knowledgeOf(policy, at)
    return knowledge > most ? knowledge : most
  }, nothing)
