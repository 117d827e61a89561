/**
 * A client: a load, the policies around each call, and the server that is called.
 *
 * @since 0.1.0
 */
import type { Balancer } from "../Balancer.ts"
import { checkedOptions, integer, invalid } from "../internal/options.ts"
import { type Stack, stackOf, type Through } from "./internal/stack.ts"
import { type Target, targetOf } from "./internal/target.ts"
import type { Load } from "./Load.ts"
import type { Network } from "./Network.ts"
import type { Server } from "./Server.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * For the report.
   *
   * @default "client"
   */
  readonly name?: string | undefined
  readonly load: Load
  /** The server that is called, or a balancer whose endpoints are servers. */
  readonly to: Server | Balancer<Server>
  /**
   * The policies around each call, outermost first, or what `Policy.compose` and `Pipelines` have made of them. A run makes
   * policies of its own from their settings: it does not touch these.
   *
   * @default none
   */
  readonly through?: Through | undefined
  /**
   * For a balancer: the policies between it and the call of one server, outermost first. A policy that is made here, such as a
   * breaker, belongs to that server.
   *
   * @default none
   */
  readonly perServer?: ((server: Server) => Through) | undefined
  /**
   * How many processes call: each has its own instances of the policies, and makes its share of the calls.
   *
   * @default 1
   */
  readonly processes?: number | undefined
  /** @default none: no time passes */
  readonly network?: Network | undefined
  /**
   * For servers that serve the highest first.
   *
   * @default 0
   */
  readonly priority?: number | undefined
}

/**
 * A client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  readonly name: string
  readonly load: Load
  readonly to: Target<Server>
  readonly stack: Stack
  readonly processes: number
  readonly network: Network | undefined
  readonly priority: number
}

/**
 * Makes a client. A bad option, and a policy that a simulation does not know, throw a `RangeError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Client => {
  const where = "Client.make"
  const { load, name = "client", network, priority = 0, processes = 1, through } = checkedOptions(where, options)
  if (typeof name !== "string" || name === "") throw invalid(where, "name", name, "a name for the report")
  return {
    name,
    load,
    to: targetOf(where, options),
    stack: stackOf(where, through),
    processes: integer(where, "processes", processes, 1),
    network,
    priority: integer(where, "priority", priority, 0)
  }
}
