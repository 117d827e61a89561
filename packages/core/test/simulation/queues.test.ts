import { assert, describe, it } from "@effect/vitest"
import { Client, Load, Server, Simulation, Times } from "../../src/simulation/index.ts"

const seeds = [1, 2, 3, 4, 5]

/** Milliseconds in the queue, and the share of the places that are busy, each as the mean over the seeds. */
const measured = (perSecond: number, times: Times.Times, capacity: number, seconds = 400) => {
  const runs = seeds.map((seed) => {
    const { servers } = Simulation.run({
      clients: [
        Client.make({ load: Load.poisson({ perSecond }), to: Server.make({ name: "queue", times, capacity }) })
      ],
      duration: `${seconds} seconds`,
      seed
    })
    return servers[0]!
  })
  const mean = (of: (server: typeof runs[number]) => number): number =>
    runs.reduce((sum, run) => sum + of(run), 0) / runs.length
  return { waited: mean(({ waited }) => waited.mean), busy: mean(({ utilization }) => utilization!) }
}

const factorial = (n: number): number => n <= 1 ? 1 : n * factorial(n - 1)

/** Erlang C: the share of the calls that wait. */
const erlangC = (servers: number, load: number): number => {
  const last = load ** servers / factorial(servers) * servers / (servers - load)
  const others = Array.from({ length: servers }, (_, n) => load ** n / factorial(n)).reduce((a, b) => a + b, 0)
  return last / (others + last)
}

describe("queues that have a formula", () => {
  for (const [perSecond, capacity, seconds] of [[50, 1, 400], [80, 1, 600], [250, 4, 100], [900, 10, 60]] as const) {
    it(`M/M/${capacity} at ${perSecond} calls a second of 10 ms each`, () => {
      const load = perSecond * 0.01
      const expected = erlangC(capacity, load) * 10 / (capacity - load)
      const { busy, waited } = measured(perSecond, Times.exponential("10 millis"), capacity, seconds)
      assert.closeTo(busy, load / capacity, 0.02)
      assert.closeTo(waited / expected, 1, 0.08)
    })
  }

  // Pollaczek and Khinchine: the wait is that of M/M/1 times (1 + v) / 2, where v is the squared coefficient of variation
  const sigma = 0.8
  const services: ReadonlyArray<readonly [string, Times.Times, number]> = [
    ["constant", Times.constant("10 millis"), 0],
    ["uniform", Times.uniform({ from: 0, to: "20 millis" }), 1 / 3],
    [
      "log-normal",
      Times.logNormal({ median: 10 / Math.exp(sigma ** 2 / 2), sigma }),
      Math.exp(sigma ** 2) - 1
    ],
    ["Pareto", Times.pareto({ min: 10 * 3 / 4, shape: 4 }), 1 / 8]
  ]
  for (const [name, times, variation] of services) {
    it(`M/G/1 with a service that is ${name}`, () => {
      const expected = 0.7 / (1 - 0.7) * 10 * (1 + variation) / 2
      const { busy, waited } = measured(70, times, 1)
      assert.closeTo(times.mean, 10, 0.001)
      assert.closeTo(busy, 0.7, 0.02)
      assert.closeTo(waited / expected, 1, 0.08)
    })
  }

  it("a closed loop obeys Little's law", () => {
    const { clients } = Simulation.run({
      clients: [Client.make({
        load: Load.closed({ users: 20, think: Times.exponential("100 millis") }),
        to: Server.make({ name: "queue", times: Times.exponential("10 millis"), capacity: 1 })
      })],
      duration: "200 seconds"
    })
    const { latency, succeeded } = clients[0]!
    assert.closeTo(succeeded / 200 * (100 + latency.mean) / 1000, 20, 0.3)
  })
})
