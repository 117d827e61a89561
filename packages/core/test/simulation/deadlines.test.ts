import { assert, describe, it } from "@effect/vitest"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Retry from "../../src/Retry.ts"
import { Client, Load, Network, Server, Simulation, Times } from "../../src/simulation/index.ts"
import * as Timeout from "../../src/Timeout.ts"

const made = (options: Partial<Server.Options> = {}): Server.Server =>
  Server.make({ name: "server", times: Times.constant(80), deadlines: "obeyed", ...options })

const run = (to: Server.Server, calls: ReadonlyArray<number>, options: Partial<Client.Options> = {}) => {
  const client = Client.make({ load: Load.trace(calls), to, through: [Timeout.total(100)], ...options })
  const report = Simulation.run({ clients: [client], duration: "1 second" })
  const servers = Object.fromEntries(report.servers.map((server) => [server.name, server]))
  return { client: report.clients[0]!, servers, server: servers["server"]! }
}

const busy = ({ utilization }: { readonly utilization: number | null }): number => Math.round(utilization! * 1000)

describe("the deadline of a caller", () => {
  it("stops what a server has begun, and the next one gets its place", () => {
    const { client, server } = run(made({ capacity: 1 }), [1, 11, 21, 31])
    // from 1 to 81, to 111, to 121, to 131
    assert.strictEqual(client.succeeded, 1)
    assert.strictEqual(server.wasted, 3)
    assert.strictEqual(busy(server), 130)
  })

  it("is nothing to a server that ignores it", () => {
    const { server } = run(made({ capacity: 1, deadlines: "ignored" }), [1, 11, 21, 31])
    assert.strictEqual(server.wasted, 3)
    assert.strictEqual(busy(server), 320)
  })

  it("ends waits in the queue as well", () => {
    const to = made({ capacity: 1, times: Times.constant(300) })
    const patient = Client.make({ name: "patient", load: Load.trace([1]), to })
    const hasty = Client.make({ name: "hasty", load: Load.trace([2, 3]), to, through: [Timeout.total(100)] })
    const { clients, servers: [server] } = Simulation.run({ clients: [patient, hasty], duration: "1 second" })
    assert.deepStrictEqual(clients.map(({ succeeded }) => succeeded), [1, 0])
    assert.deepStrictEqual(server!.refused, { expired: 2 })
    assert.strictEqual(server!.wasted, 0)
    assert.strictEqual(busy(server!), 300)
  })

  it("goes over the network as what is left, in whole milliseconds, and counts from when it comes", () => {
    const network = Network.make({ delay: Times.constant(10) })
    const to = made({ capacity: 1, times: Times.constant(500) })
    const { server } = run(to, [1], { network, through: [Timeout.total(100.7)] })
    assert.strictEqual(busy(server), 100)
    assert.strictEqual(server.wasted, 1)
  })

  it("goes on to the servers behind, whose retries give up", () => {
    const behind = (deadlines: "ignored" | "obeyed") => {
      const back = made({ name: "back", times: Times.constant(20), errors: 1, deadlines })
      const through = [Retry.make({ times: 50, after: () => 10 })]
      return run(made({ times: Times.constant(30), deadlines, calls: [{ to: back, through }] }), [1]).servers
    }
    assert.strictEqual(behind("ignored")["back"]!.arrived, 51)
    // at 30 and 60; the next one would begin at 90, and end after 100
    const { back, server } = behind("obeyed")
    assert.isAtMost(back!.arrived, 3)
    assert.strictEqual(server!.wasted + server!.served, 1)
  })

  it("binds what the server calls also where that ignores it", () => {
    const back = made({ name: "back", times: Times.constant(60), deadlines: "ignored" })
    const { servers } = run(made({ calls: [{ to: back }, { to: back }] }), [1])
    assert.strictEqual(servers["back"]!.arrived, 1)
  })

  it("ends waits in front of the server", () => {
    const through = [Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 10 })]
    const { client, server } = run(made({ through, times: Times.constant(99) }), [1, 2, 3])
    assert.strictEqual(client.succeeded, 1)
    assert.strictEqual(server.wasted + (server.refused["expired"] ?? 0) + (server.refused["abandoned"] ?? 0), 2)
    assert.strictEqual(server.served, 1)
  })

  it("makes no server answer that is down", () => {
    const incidents = [Server.crash({ from: 50, until: 500, silent: true })]
    const { client, server } = run(made({ incidents }), [1], { through: [Deadline.within(100)] })
    assert.deepStrictEqual(client.failures, { DeadlineExceeded: 1 })
    assert.deepStrictEqual(server.refused, { crashed: 1 })
  })

  it("refuses what comes too late", () => {
    const network = Network.make({ delay: Times.constant(10) })
    const { client, server } = run(made(), [1], { network, through: [Timeout.total(0.5)] })
    assert.strictEqual(client.failed, 1)
    assert.deepStrictEqual(server.refused, { expired: 1 })
  })
})
