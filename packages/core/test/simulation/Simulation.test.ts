import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as Backoff from "../../src/Backoff.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as HedgingPipeline from "../../src/HedgingPipeline.ts"
import * as Pipelines from "../../src/Pipelines.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import { Client, Load, Network, Server, Simulation, Times } from "../../src/simulation/index.ts"
import * as Timeout from "../../src/Timeout.ts"
import { run, server } from "./support.ts"

const storm = {
  times: Times.pareto({ min: "3 millis", shape: 1.5, max: "5 seconds" }),
  capacity: 4,
  queue: { limit: 200 },
  errors: 0.02,
  incidents: [
    Server.slow({ from: "5 seconds", until: "8 seconds", factor: 20 }),
    Server.crash({ from: "12 seconds", until: "15 seconds" }),
    Server.crash({ from: "20 seconds", until: "21 seconds", silent: true }),
    Server.capacity({ from: "25 seconds", until: "30 seconds", capacity: 1 })
  ]
}

const five = () => {
  const budget = RetryBudget.makeUnsafe()
  return [
    Timeout.total("2 seconds"),
    Retry.make({ times: 3, budget }),
    CircuitBreaker.makeUnsafe({ open: Schedule.jittered(Schedule.exponential("1 second")) }),
    Bulkhead.makeUnsafe({ concurrency: 20, maxQueue: 40, maxWait: "500 millis" }),
    Timeout.attempt("600 millis")
  ]
}

const stacks: ReadonlyArray<readonly [string, () => ReadonlyArray<Policy.Any>]> = [
  ["no policy", () => []],
  ["the five", five],
  ["a limiter and a hedge", () => [
    Timeout.total("3 seconds"),
    RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 90, within: "1 second" }), maxWait: "1 second" }),
    Hedge.makeUnsafe({ after: { quantile: 0.9 }, maxHedges: 2, budget: RetryBudget.makeUnsafe() })
  ]],
  ["a limit that adapts", () => [
    Timeout.total("3 seconds"),
    AdaptiveLimit.makeUnsafe({ initialConcurrency: 5, within: "200 millis", maxQueue: 20, maxWait: "1 second" })
  ]],
  ["a pipeline", () => [Pipelines.makeStandardUnsafe({ total: "3 seconds", name: "standard" })]],
  ["a pipeline with hedges", () => [HedgingPipeline.makeUnsafe({ total: "3 seconds" })]],
  ["a composition", () => [Policy.compose(Timeout.total("1 second"), Policy.identity, Retry.make())]]
]

const networks: ReadonlyArray<readonly [string, Network.Network | undefined]> = [
  ["no network", undefined],
  [
    "a bad network",
    Network.make({
      delay: Times.uniform({ from: "1 millis", to: "9 millis" }),
      loss: 0.01,
      outages: [{ from: "40 seconds", until: "41 seconds", backlog: "released" }, {
        from: "45 seconds",
        until: "46 seconds"
      }]
    })
  ]
]

const loads: ReadonlyArray<readonly [string, Load.Load]> = [
  ["open", Load.poisson({ perSecond: 100 })],
  ["closed", Load.closed({ users: 100, think: Times.exponential("1 second") })]
]

const abandonment = ["served", "dropped", "stopped"] as const

describe("Simulation", () => {
  describe("every call ends once, and nothing stays behind", () => {
    for (const [load, ofLoad] of loads) {
      for (const [network, ofNetwork] of networks) {
        for (const [stack, ofStack] of stacks) {
          it(`${load}, ${network}, ${stack}`, () => {
            abandonment.forEach((abandoned, i) => {
              const { client, server } = run({
                client: { load: ofLoad, network: ofNetwork, through: ofStack(), processes: 3 },
                server: { ...storm, abandoned },
                seed: i + 1
              })
              assert.isAbove(client.offered, 1000)
              assert.strictEqual(client.succeeded + client.failed + client.unfinished, client.offered)
              const failures = Object.values(client.failures).reduce((a, b) => a + b, 0)
              assert.strictEqual(failures, client.failed)
              // who has a total limit always gets an answer
              if (stack !== "no policy") assert.strictEqual(client.unfinished, 0)
              const refused = Object.values(server.refused).reduce((a, b) => a + b, 0)
              const lost = ofNetwork === undefined ? 0 : 0.05 * client.attempts
              assert.closeTo(server.arrived, client.attempts, lost)
              assert.isAtMost(server.served + server.wasted + refused, server.arrived)
            })
          })
        }
      }
    }
  })

  it("gives the same report for the same seed, and another one for another", () => {
    for (const [, ofStack] of stacks) {
      const report = (seed: number) =>
        JSON.stringify(run({ client: { through: ofStack() }, server: storm, seed }).report)
      assert.strictEqual(report(7), report(7))
      assert.notStrictEqual(report(7), report(8))
    }
  })

  it("does not touch the policies that it is given", () =>
    Effect.gen(function*() {
      const breaker = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1 hour" })
      const options = { client: { through: breaker, load: Load.steady({ perSecond: 20 }) }, server: { errors: 1 } }
      const { client } = run(options)
      assert.strictEqual(client.attempts, 1)
      assert.strictEqual((yield* breaker.state)._tag, "Closed")
      assert.deepStrictEqual(run(options).client, client)
    }).pipe(Effect.runPromise))

  it("offers the same load to whatever stack there is", () => {
    const offered = stacks.map(([, ofStack]) =>
      run({ client: { through: ofStack() }, server: storm }).client.series.offered
    )
    for (const one of offered) assert.deepStrictEqual(one, offered[0])
  })

  it("gives each process policies of its own", () => {
    const through = CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(1), open: "1 hour" })
    const load = Load.steady({ perSecond: 20 })
    assert.strictEqual(run({ client: { through, load, processes: 7 }, server: { errors: 1 } }).client.attempts, 7)
  })

  it("shares what stands twice in a process", () => {
    const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 10, minPerMinute: 0 }) })
    const retry = () => Retry.make({ schedule: Backoff.constant({ base: 1 }), times: 1, budget })
    const one = run({ client: { through: [retry()] }, server: { errors: 1 } }).client
    const two = run({ client: { through: [retry(), Policy.identity] }, server: { errors: 1 } }).client
    assert.deepStrictEqual(two, one)
    // four failures may be followed by another attempt, and then the tokens are gone
    assert.isBelow(one.attempts, one.offered + 10)
  })

  it("counts what does not end as unfinished", () => {
    const { client } = run({
      client: { load: Load.steady({ perSecond: 1 }) },
      server: { times: Times.constant(Infinity) }
    })
    assert.deepInclude(client, { offered: 59, succeeded: 0, failed: 0, unfinished: 59 })
  })

  it("refuses a policy that it does not know, and says where it is", () => {
    const unknown = [
      Policy.make({
        info: { kind: "mine", settings: {}, children: [] },
        effect: (self) => self,
        stream: (self) => self
      }),
      Policy.compose(Timeout.total("1 second"), Policy.mapError(Retry.make(), (_): _ is never => false, (e) => e))
    ]
    for (const through of unknown) {
      assert.throws(
        () => Client.make({ load: Load.poisson({ perSecond: 1 }), to: server(), through }),
        RangeError,
        "through must be policies that a simulation knows"
      )
    }
    assert.throws(
      () => Client.make({ load: Load.poisson({ perSecond: 1 }), to: server(), through: {} as any }), // not a policy at all
      RangeError
    )
  })

  it("refuses a run without clients, and clients of one name", () => {
    const client = Client.make({ load: Load.poisson({ perSecond: 1 }), to: server() })
    assert.throws(() => Simulation.run({ clients: [], duration: "1 second" }), RangeError, "clients")
    assert.throws(
      () => Simulation.run({ clients: [client, client], duration: "1 second" }),
      RangeError,
      "different names"
    )
    assert.throws(() => Simulation.run({ clients: [client], duration: 0 }), RangeError, "duration")
  })
})
