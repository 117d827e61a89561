import * as Predicate from "effect/Predicate"
import type { Balancer } from "../../Balancer.ts"
import { type Balancing, balancings } from "../../internal/balancer.ts"
import { callable, invalid } from "../../internal/options.ts"
import { type Stack, stackOf, type Through } from "./stack.ts"

/** Whom somebody calls, checked. */
export interface Target<in out S> {
  /** nothing where there is one server */
  readonly balancing: Balancing<S> | undefined
  /** each with the policies between the balancer and its own call; those of a balancer in its order */
  readonly servers: ReadonlyArray<readonly [server: S, stack: Stack | undefined]>
}

interface Options<S> {
  readonly to: S | Balancer<S>
  readonly perServer?: ((server: S) => Through) | undefined
}

const isServer = (value: unknown): boolean => Predicate.hasProperty(value, "times")

export const targetOf = <S>(where: string, { perServer, to }: Options<S>): Target<S> => {
  callable(where, "perServer", perServer)
  const balancing: Balancing<S> | undefined = balancings.get(to as object) // a map of objects, which both are
  if (balancing === undefined) {
    if (!isServer(to)) throw invalid(where, "to", to, "a server, or a balancer of servers")
    if (perServer !== undefined) throw invalid(where, "perServer", "a function", "left out where no balancer is called")
    return { balancing, servers: [[to as S, undefined]] } // no balancer
  }
  const servers = balancing.endpoints.described.map(({ endpoint, key }) => {
    if (!isServer(endpoint)) throw invalid(where, `the endpoint ${key} of to`, endpoint, "a server")
    return [endpoint, perServer && stackOf(where, perServer(endpoint))] as const
  })
  return { balancing, servers }
}
