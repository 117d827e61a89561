/**
 * A laboratory in virtual time: clients call servers through the policies of production, and a minute of a fleet is over in a moment.
 *
 * **Example** (What a retry does to a server that is down for ten seconds)
 *
 * ```ts import.meta.vitest
 * import { Retry, Timeout } from "@effect-resilience/core"
 * import { Client, Load, Server, Simulation, Times } from "@effect-resilience/core/simulation"
 *
 * const database = Server.make({
 *   name: "database",
 *   times: Times.exponential("5 millis"),
 *   incidents: [Server.crash({ from: "20 seconds", until: "30 seconds" })]
 * })
 * const client = Client.make({
 *   load: Load.poisson({ perSecond: 100 }),
 *   to: database,
 *   through: [Timeout.total("2 seconds"), Retry.make({ times: 3 })]
 * })
 * const { clients } = Simulation.run({ clients: [client], duration: "1 minute", seed: 1 })
 * clients[0]!.amplification > 1.3 // => true
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { sessionOf } from "../internal/chaos.ts"
import type * as Telemetry from "../internal/events.ts"
import { callable, checkedOptions, integer, invalid, positiveMillis } from "../internal/options.ts"
import type { Client } from "./Client.ts"
import { Random } from "./internal/random.ts"
import { runWith } from "./internal/run.ts"
import type { Report } from "./Report.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** At least one; their servers, and those behind them, are part of the run. */
  readonly clients: ReadonlyArray<Client>
  /** The time in which calls begin. */
  readonly duration: Duration.Input
  /**
   * The same seed gives the same run. Of two runs with one seed that differ in their policies only, the calls come at the same times.
   *
   * @default 1
   */
  readonly seed?: number | undefined
  /**
   * The time that the report counts together.
   *
   * @default a second, or a 600th of the duration if that is longer
   */
  readonly interval?: Duration.Input | undefined
  /**
   * How long the run goes on after the last call has begun. Calls that have not ended by then are unfinished.
   *
   * @default "10 minutes"
   */
  readonly drain?: Duration.Input | undefined
  /**
   * Switches on the `Chaos` that stands in stacks, as `Chaos.layer` does in production; without it, that does nothing. With a `seed`, the same
   * calls of each process are hit in every run, whatever the seed of the run; `factor` multiplies all ratios.
   *
   * @default none
   */
  readonly chaos?: { readonly seed?: string | number | undefined; readonly factor?: number | undefined } | undefined
  /**
   * Is told what the policies tell in production, with the time in milliseconds since the start.
   *
   * @default nobody
   */
  readonly listener?: ((event: Telemetry.Event, at: number) => void) | undefined
}

const second = 1000

/**
 * Runs it, and gives what was counted. It is pure: the same options give the same report. A bad option throws a `RangeError`.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (options: Options): Report => {
  const where = "Simulation.run"
  const { clients, listener, seed = 1 } = checkedOptions(where, options)
  if (clients.length === 0) throw invalid(where, "clients", "none", "at least one client")
  const names = clients.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw invalid(where, "clients", twice, "clients of different names")
  callable(where, "listener", listener)
  const duration = positiveMillis(where, "duration", options.duration)
  const interval = options.interval === undefined
    ? Math.max(second, duration / 600)
    : positiveMillis(where, "interval", options.interval)
  const drain = positiveMillis(where, "drain", options.drain ?? "10 minutes", { infinite: true })
  const session = options.chaos === undefined ? undefined : sessionOf(where, options.chaos)
  const chaos = session && (() => session(0))
  const random = new Random(integer(where, "seed", seed, 0))
  return runWith({ clients, duration, interval, drain, seed, listener, chaos }, random)
}
