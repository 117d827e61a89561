import * as Effect from "effect/Effect"
import * as EffectRandom from "effect/Random"
import type { Session } from "../../internal/chaos.ts"
import type * as Telemetry from "../../internal/events.ts"
import type { Client } from "../Client.ts"
import type { Network } from "../Network.ts"
import { BalancerLayer } from "../policies/balancer.ts"
import type { Server } from "../Server.ts"
import { Caller } from "./callers.ts"
import { type Layer, type Process, World } from "./frame.ts"
import type { Random } from "./random.ts"
import { ClientRecord, ServerRecord } from "./records.ts"
import type { Report } from "./reportModel.ts"
import { Edge } from "./request.ts"
import { Service } from "./service.ts"
import type { Target } from "./target.ts"

/** The options, checked. Times in milliseconds. */
interface Settings {
  readonly clients: ReadonlyArray<Client>
  readonly duration: number
  readonly interval: number
  readonly drain: number
  readonly seed: number
  readonly listener: ((event: Telemetry.Event, at: number) => void) | undefined
  readonly chaos?: (() => Session) | undefined
}

/** From a client, or from a server, to what it calls. */
interface Way {
  readonly to: Target<Server>
  readonly network: Network | undefined
}

/** The parts of one run, each made by the one that calls it. */
class Run {
  readonly world: World
  readonly duration: number
  readonly interval: number
  private readonly intervals: number
  private readonly services = new Map<Server, Service>()
  private readonly records: ReadonlyArray<readonly [Client, ClientRecord]>

  constructor(clients: ReadonlyArray<Client>, world: World, duration: number, interval: number) {
    this.world = world
    this.duration = duration
    this.interval = interval
    this.intervals = Math.ceil(duration / interval)
    this.records = clients.map((client) => [client, new ClientRecord(this.intervals, interval)])
    for (const [client, record] of this.records) {
      const edge = (process: Process): Layer => this.edgeOf(client, record, process)
      new Caller(world, client, record, duration, edge).start(client)
    }
  }

  private edgeOf(
    { network, to: { balancing, servers } }: Way,
    record: ClientRecord | undefined,
    process: Process
  ): Layer {
    const edges = servers.map(([server, stack]): Layer => {
      const edge = new Edge(this.serviceOf(server), network, record, process)
      return stack === undefined ? edge : stack(edge, process)
    })
    return balancing === undefined ? edges[0]! : new BalancerLayer(balancing, edges, process)
  }

  private serviceOf(server: Server): Service {
    let service = this.services.get(server)
    if (service === undefined) {
      service = new Service(
        this.world,
        server,
        new ServerRecord(this.intervals, this.interval),
        (process) => server.calls.map((call) => call.stack(this.edgeOf(call, undefined, process), process))
      )
      this.services.set(server, service)
    }
    return service
  }

  report(seed: number): Report {
    const { duration, interval } = this
    const clients = this.records.map(([{ name }, record]) => record.report(name))
    const offered = clients.reduce((sum, client) => sum + client.offered, 0)
    const servers = Array.from(
      this.services,
      ([{ capacity, name, tokens }, { record }]) =>
        record.report(name, { capacity, duration, offered, price: tokens?.price })
    )
    return { seed, duration, interval, events: this.world.agenda.events, clients, servers }
  }
}

/** Runs it, with these random numbers. */
export const runWith = (
  { chaos, clients, drain, duration, interval, listener, seed }: Settings,
  random: Random
): Report =>
  // in a fiber, for schedules that draw take their numbers from there
  Effect.runSync(Effect.provideService(
    Effect.sync(() => {
      const run = new Run(clients, new World(random, listener, chaos), duration, interval)
      run.world.agenda.run(duration + drain)
      return run.report(seed)
    }),
    EffectRandom.Random,
    random.stream("schedules")
  ))
