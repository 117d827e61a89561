import * as Predicate from "effect/Predicate"
import { ForKey, type Pool } from "../../internal/keyed.ts"
import { KeyMap } from "../../internal/keyMap.ts"
import { invalid } from "../../internal/options.ts"
import * as internal from "../../internal/policy.ts"
import type { Any } from "../../Policy.ts"
import { simulated } from "../policies/index.ts"
import type { Layer, Process } from "./frame.ts"

/** A policy, or several, the outermost first. */
export type Through = Any | ReadonlyArray<Any>

/** What each `Keyed` has made for simulations. An instance is a model here: each process has a state of its own for it. */
const instances = new WeakMap<Pool<unknown>, KeyMap<unknown, Any>>()

const instanceOf = ({ key, pool }: ForKey<unknown>): Any => {
  let made = instances.get(pool)
  if (made === undefined) instances.set(pool, made = new KeyMap())
  let policy = made.get(key)
  if (policy === undefined) made.set(key, policy = pool.lookup(key))
  return policy
}

/** What implements a stack's policies, outermost first. */
const partsOf = (policy: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(policy)) return policy.flatMap(partsOf)
  if (!internal.isPolicy(policy)) return [policy]
  const implementation = internal.implementationOf<internal.Implementation>(policy)
  if (implementation instanceof ForKey) return partsOf(instanceOf(implementation))
  if (implementation.info.kind === "identity") return []
  return implementation.parts === undefined ? [implementation] : implementation.parts.flatMap(partsOf)
}

/** Makes the layers of a stack in a process. */
export type Stack = (inner: Layer, process: Process) => Layer

/** The stack in which the very kernels decide. A policy that a simulation does not know throws a `RangeError`. */
export const stackOf = (where: string, through: Through | undefined): Stack => {
  const makers = through === undefined ? [] : partsOf(through).map((part) => {
    const policy = simulated.find(({ is }) => is(part))
    if (policy !== undefined) return policy.of(part)
    const shown = Predicate.hasProperty(part, "info") && Predicate.hasProperty(part.info, "kind")
      ? part.info.kind
      : part
    throw invalid(where, "through", shown, "policies that a simulation knows (docs/simulation.md has the list)")
  })
  return (inner, process) => makers.reduceRight((layer, make) => make(layer, process), inner)
}
