import { assert, describe, it } from "@effect/vitest"
import * as Balancer from "../../src/Balancer.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Coalesce from "../../src/Coalesce.ts"
import * as Retry from "../../src/Retry.ts"
import { Client, Load, Server, Simulation, Times } from "../../src/simulation/index.ts"

const key = ({ name }: Server.Server): string => name

const made = (name: string, options: Partial<Server.Options> = {}): Server.Server =>
  Server.make({ name, times: Times.exponential("20 millis"), ...options })

const run = (options: Partial<Client.Options> & Pick<Client.Options, "to">) => {
  const client = Client.make({ load: Load.poisson({ perSecond: 100 }), ...options })
  const { clients, servers } = Simulation.run({ clients: [client], duration: "1 minute" })
  return { client: clients[0]!, arrived: Object.fromEntries(servers.map(({ arrived, name }) => [name, arrived])) }
}

describe("a client of several servers", () => {
  const a = made("a")
  const b = made("b")

  it("sends each its part of the calls", () => {
    const endpoints = [a, b, made("c", { times: Times.exponential("60 millis") })]
    const { arrived, client } = run({ to: Balancer.makeUnsafe({ endpoints, key }) })
    assert.strictEqual(client.success, 1)
    assert.strictEqual(arrived["a"]! + arrived["b"]! + arrived["c"]!, client.attempts)
    assert.closeTo(arrived["a"]! / arrived["b"]!, 1, 0.15)
    assert.isBelow(arrived["c"]!, 0.5 * arrived["a"]!)
  })

  it("leaves out the one that is down, and comes back to it", () => {
    const down = made("b", { incidents: [Server.crash({ from: "10 seconds", until: "20 seconds" })] })
    const to = Balancer.makeUnsafe({ endpoints: [a, down], key, ejection: { duration: "5 seconds" } })
    const through = [Retry.make({ times: 1, after: () => 0 })]
    const { arrived, client } = run({ to, through })
    assert.isAbove(client.success, 0.999)
    assert.isBelow(arrived["b"]!, 0.8 * arrived["a"]!)
    assert.isAbove(arrived["b"]!, 0.3 * arrived["a"]!)
  })

  it("has a balancer in each process", () => {
    const { arrived } = run({ to: Balancer.makeUnsafe({ endpoints: [a, b], key, choose: "in-order" }), processes: 3 })
    assert.strictEqual(arrived["b"], 0)
  })

  it("has policies for each server", () => {
    const bad = made("b", { errors: 1 })
    const to = Balancer.makeUnsafe({ endpoints: [a, bad], key, ejection: false })
    const breaker = (): CircuitBreaker.CircuitBreaker =>
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "10 minutes" })
    const apart = run({ to, perServer: breaker })
    assert.isBelow(apart.arrived["b"]!, 30)
    assert.isAbove(apart.arrived["a"]!, 1000)
    // one for both opens for both
    const shared = breaker()
    assert.isBelow(run({ to, perServer: () => shared }).arrived["a"]!, 300)
  })

  it("may be a server itself", () => {
    const front = made("front", { calls: [{ to: Balancer.makeUnsafe({ endpoints: [a, b], key }) }] })
    const { arrived, client } = run({ to: front })
    assert.strictEqual(arrived["a"]! + arrived["b"]!, client.offered)
  })

  it("is given the balancer alone, which stays as it is", () => {
    const to = Balancer.makeUnsafe({ endpoints: [made("a", { errors: 1 }), b], key })
    const first = run({ to })
    assert.deepStrictEqual(run({ to }), first)
  })

  it("is refused where something else is called, and says what", () => {
    const load = Load.poisson({ perSecond: 1 })
    const strings = Balancer.makeUnsafe({ endpoints: ["a", "b"] })
    const servers = Balancer.makeUnsafe({ endpoints: [a, b], key })
    assert.throws(() => Client.make({ load, to: strings as never }), /the endpoint a of to.*a server/)
    assert.throws(() => Client.make({ load, to: {} as never }), /to must be a server, or a balancer of servers/)
    assert.throws(() => Client.make({ load, to: a, perServer: () => [] }), /perServer.*no balancer/)
    assert.throws(
      () => Client.make({ load, to: servers, perServer: () => [Coalesce.makeUnsafe() as never] }),
      /through/
    )
  })
})
