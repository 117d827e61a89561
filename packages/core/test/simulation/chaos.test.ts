import { assert, describe, it } from "@effect/vitest"
import * as Chaos from "../../src/Chaos.ts"
import type * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import { Client, Load, Server, Simulation, Times } from "../../src/simulation/index.ts"

const run = (
  through: ReadonlyArray<Policy.Any>,
  chaos?: Simulation.Options["chaos"],
  options: Partial<Client.Options> = {}
) => {
  const to = Server.make({ name: "server", times: Times.constant("10 millis") })
  const client = Client.make({ load: Load.steady({ perSecond: 100 }), to, through, ...options })
  const { clients, servers } = Simulation.run({ clients: [client], duration: "20 seconds", chaos, seed: 3 })
  return { client: clients[0]!, server: servers[0]! }
}

const refused = Chaos.fault(() => "refused", { ratio: 0.3 })

describe("chaos in a simulation", () => {
  it("does nothing that is not switched on", () => {
    assert.strictEqual(run([refused]).client.success, 1)
    assert.strictEqual(run([refused], {}).client.success < 1, true)
  })

  it("hits the share of the calls that it should", () => {
    assert.closeTo(run([refused], {}).client.success, 0.7, 0.03)
    assert.closeTo(run([refused], { factor: 2 }).client.success, 0.4, 0.03)
    assert.strictEqual(run([refused], { factor: 0 }).client.success, 1)
  })

  it("hits the same calls with a seed, in each process", () => {
    const first = run([refused], { seed: "monday" })
    assert.deepStrictEqual(run([refused], { seed: "monday" }), first)
    // two processes take turns, and draw the same
    const { client } = run([refused], { seed: "monday" }, { processes: 2 })
    assert.strictEqual(client.failed % 2, 0)
  })

  it("keeps calls from the server, and is there for retries to be tried", () => {
    const { client, server } = run([Retry.make({ times: 9, after: () => 1 }), refused], {})
    assert.strictEqual(client.success, 1)
    assert.strictEqual(server.arrived, client.offered)
    assert.deepStrictEqual(run([refused], {}).client.failures, { Transient: run([refused], {}).client.failed })
  })

  it("refuses bad options", () => {
    assert.throws(() => run([], { factor: -1 }), /Simulation.run: factor/)
    assert.throws(() => run([], { seed: Number.NaN }), /Simulation.run: seed/)
  })
})
