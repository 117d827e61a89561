import { assert, describe, it } from "@effect/vitest"
import * as Schedule from "effect/Schedule"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import type * as Policy from "../../src/Policy.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import { Client, Load, Network, Report, Server, Simulation, Times } from "../../src/simulation/index.ts"
import * as Timeout from "../../src/Timeout.ts"

/**
 * Bronson and others, "Metastable Failures in Distributed Systems" (HotOS 2021), section 2.1: a database for 300 requests a second, 280
 * offered, an outage of 10 s whose messages arrive together at its end, and one retry after a limit of a second. With all seeds the
 * seconds until it has recovered are about these.
 */
const limit = () => Timeout.attempt("1 second")
const again = (budget?: RetryBudget.Funding) =>
  Retry.make({
    schedule: Schedule.recurs(1),
    budget: budget === undefined ? undefined : RetryBudget.makeUnsafe({ funding: budget })
  })
const breaker = () =>
  CircuitBreaker.makeUnsafe({
    trip: CircuitBreaker.failureRate({ ratio: 0.5, minCalls: 20, within: "10 seconds" }),
    open: "5 seconds",
    halfOpen: { probes: 10 }
  })

const stacks: ReadonlyArray<readonly [string, () => ReadonlyArray<Policy.Any>, least: number, most: number]> = [
  ["no retry drains the backlog", () => [limit()], 100, 140],
  ["a retry keeps the server down", () => [again(), limit()], Infinity, Infinity],
  ["traffic pays for too much", () => [again(RetryBudget.traffic()), limit()], Infinity, Infinity],
  [
    "successes pay for nothing: as without a retry",
    () => [again(RetryBudget.tokens({ maxTokens: 10, minPerMinute: 0 })), limit()],
    100,
    140
  ],
  [
    "and what time pays in is too little to keep the server down",
    () => [again(RetryBudget.tokens()), limit()],
    100,
    140
  ],
  ["a breaker sheds the load, and retries do no harm", () => [again(), breaker(), limit()], 8, 15],
  ["a breaker without a retry", () => [breaker(), limit()], 4, 9]
]

const recovered = (through: ReadonlyArray<Policy.Any>, order: "fifo" | "lifo"): number => {
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond: 280 }),
      to: Server.make({ name: "database", capacity: 1, times: Times.constant(1000 / 300), queue: { order } }),
      network: Network.make({ outages: [{ from: "20 seconds", until: "30 seconds", backlog: "released" }] }),
      through
    })],
    duration: "200 seconds"
  })
  const millis = Report.timeToRecover(report, { after: "30 seconds" })
  return millis === undefined ? Infinity : millis / 1000
}

describe("a metastable failure", () => {
  for (const [name, through, least, most] of stacks) {
    it(name, () => {
      const seconds = recovered(through(), "fifo")
      assert.isAtLeast(seconds, least)
      assert.isAtMost(seconds, most)
    })
  }

  it("a server that serves the newest first has none", () => {
    assert.strictEqual(recovered([again(), limit()], "lifo"), 0)
  })
})
