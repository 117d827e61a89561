import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../../src/AdaptiveThrottle.ts"
import * as Backoff from "../../src/Backoff.ts"
import * as Balancer from "../../src/Balancer.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Chaos from "../../src/Chaos.ts"
import * as CircuitBreaker from "../../src/CircuitBreaker.ts"
import * as Criticality from "../../src/Criticality.ts"
import * as Deadline from "../../src/Deadline.ts"
import * as Fault from "../../src/Fault.ts"
import * as Hedge from "../../src/Hedge.ts"
import * as Keyed from "../../src/Keyed.ts"
import * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import * as RetryBudget from "../../src/RetryBudget.ts"
import { Server } from "../../src/simulation/index.ts"
import * as Timeout from "../../src/Timeout.ts"
import {
  type Answer,
  difference,
  produced,
  type Script,
  serversOf,
  type Several,
  simulated,
  type Through
} from "./twin.ts"

const every = (millis: number, n: number, from = 1): ReadonlyArray<number> =>
  Array.from({ length: n }, (_, i) => from + i * millis)

/** n calls, 9 ms apart, at the beginning of each period */
const bursts = (millis: number, times: number, n: number): ReadonlyArray<number> =>
  every(millis, times).flatMap((from) => every(9, n, from))

const again = (times: number, requests: Script["requests"]): Script["requests"] =>
  Array.from({ length: times }, () => requests).flat()

const spaced = (millis: number) => Schedule.spaced(millis)

interface Case {
  readonly name: string
  readonly script: Script
  /** made anew for each of the two */
  readonly through: () => Through
  /** for several servers, in the script by their names */
  readonly to?: (servers: ReadonlyArray<Server.Server>) => Several["to"]
  /** made once for each server */
  readonly perServer?: (server: Server.Server) => Through
}

/** used by one case only: both runs begin with none of them */
const breakers = Keyed.makeUnsafe({
  lookup: ({ name }: { readonly name: string }) =>
    CircuitBreaker.makeUnsafe({ name, trip: CircuitBreaker.consecutive(name === "both" ? 4 : 2), open: 110 })
})

const key = ({ name }: Server.Server): string => name

const severalOf = ({ perServer = () => [], script, to }: Case): Several | undefined => {
  if (to === undefined) return undefined
  const servers = serversOf(script)
  const made = new Map(servers.map((server) => [server, perServer(server)]))
  return { to: to(servers), perServer: (server) => made.get(server)! }
}

const cases: ReadonlyArray<Case> = [
  {
    name: "an attempt that takes too long, and a total that ends the last wait",
    script: { calls: [1], requests: [[200, "ok"], [30, "error"], [200, "ok"]] },
    through: () => [Timeout.total(450), Retry.make({ schedule: spaced(40), times: 5 }), Timeout.attempt(150)]
  },
  {
    name: "a tie between a limit and a call",
    script: { calls: [1, 500], requests: [[100, "ok"], [100, "error"]] },
    through: () => [Timeout.attempt(100)]
  },
  {
    name: "a retry that would come after the deadline",
    script: { calls: [1], requests: [[30, "error"]] },
    through: () => [Timeout.total(100), Retry.make({ schedule: spaced(90) })]
  },
  {
    name: "an attempt that is ended by the total",
    script: { calls: [1], requests: [[30, "error"], [Infinity, "ok"]] },
    through: () => [Timeout.total(500), Retry.make({ schedule: spaced(20) })]
  },
  {
    name: "what is not retried",
    script: { calls: [1, 101, 201], requests: [[10, "bad"], [10, "die"], [10, "error"], [10, "bad"]] },
    through: () => [Retry.make({ schedule: spaced(20), times: 3 })]
  },
  {
    name: "a pause that the callee asks for, and one that is too long",
    script: { calls: [1, 1001], requests: [[10, "busy"], [10, "ok"], [10, "busy"]] },
    through: () => [Retry.make({ schedule: spaced(5), times: 1, retryAfter: { maxDelay: 70 } })]
  },
  {
    name: "a retry at once",
    script: { calls: [1], requests: [[10, "error"]] },
    through: () => [Retry.make({ schedule: Schedule.recurs(2) })]
  },
  {
    name: "a budget of tokens that runs out",
    script: { calls: every(50, 12), requests: [[10, "error"]] },
    through: () => {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ maxTokens: 8, minPerMinute: 60 }) })
      return [Retry.make({ schedule: spaced(7), times: 2, budget })]
    }
  },
  {
    name: "a budget by traffic, and a total that ends waits",
    script: { calls: every(20, 20), requests: [[10, "error"], [10, "error"], [30, "ok"], [15, "error"]] },
    through: () => {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ within: 200, minPerSecond: 10 }) })
      return [Timeout.total(60), Retry.make({ schedule: spaced(25), times: 2, budget })]
    }
  },
  {
    name: "a budget of calls in flight",
    script: { calls: every(5, 20), requests: [[22, "error"], [13, "ok"], [31, "error"]] },
    through: () => {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.inFlight({ ratio: 0.2, minAttempts: 2 }) })
      return [Retry.make({ schedule: spaced(11), times: 2, budget })]
    }
  },
  {
    name: "a breaker that opens, probes, opens for longer and closes",
    script: {
      calls: every(50, 60),
      requests: [...every(1, 8).map((n): readonly [number, Answer] => [n + 3, "error"]), [12, "ok"]]
    },
    through: () => [CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(3), open: 200 })]
  },
  {
    name: "a breaker whose calls hang until the deadline, and are ended before it is fair",
    script: { calls: every(100, 40), requests: [[Infinity, "ok"]] },
    through: () => [
      Timeout.total(330),
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2), open: 700, hangsAfter: 300 })
    ]
  },
  {
    name: "an attempt limit outside of a breaker says nothing about the callee",
    script: { calls: every(100, 10), requests: [[Infinity, "ok"]] },
    through: () => [
      Timeout.attempt(330),
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(2), hangsAfter: 300 })
    ]
  },
  {
    name: "a slow rate, with a wait inside that is nobody's slowness",
    script: { calls: every(13, 30), requests: [[37, "ok"], [130, "ok"], [41, "ok"]] },
    through: () => [
      CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.slowRate({ after: 100, ratio: 0.3, minCalls: 5, within: "1 minute" }),
        open: 150
      }),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 4 })
    ]
  },
  {
    name: "a bulkhead that is full, and whose queue is waited in for too long",
    script: { calls: every(7, 30), requests: [[50, "ok"], [81, "error"]] },
    through: () => [Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 3, maxWait: 60 })]
  },
  {
    name: "a bulkhead whose newest waiter goes first",
    script: { calls: every(7, 30), requests: [[50, "ok"], [81, "error"]] },
    through: () => [Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 3, maxWait: 160, order: "lifo" })]
  },
  {
    name: "a bulkhead that is overloaded, and is not any more",
    script: { calls: [...every(7, 30), ...every(40, 30, 400)], requests: [[25, "ok"], [31, "error"]] },
    through: () => [
      Bulkhead.makeUnsafe({
        concurrency: 2,
        maxQueue: 5,
        order: "adaptive",
        overload: { target: 15, interval: 60 }
      })
    ]
  },
  {
    name: "calls that matter less",
    script: { calls: every(7, 30), requests: [[50, "ok"], [81, "error"]] },
    through: () => [
      Criticality.as("critical-plus"),
      Criticality.atMost("sheddable-plus"),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 3, maxWait: 160 })
    ]
  },
  {
    name: "a total that ends waits in a bulkhead",
    script: { calls: every(7, 20), requests: [[95, "ok"]] },
    through: () => [Timeout.total(150), Bulkhead.makeUnsafe({ concurrency: 1, maxQueue: 30 })]
  },
  {
    name: "a limiter that refuses",
    script: { calls: every(11, 30), requests: [[5, "ok"]] },
    through: () => [RateLimiter.makeUnsafe({ limit: RateLimiter.tokenBucket({ limit: 4, within: 100 }) })]
  },
  {
    name: "a limiter whose queue has a bound, and a deadline outside",
    script: { calls: every(9, 40), requests: [[5, "ok"]] },
    through: () => [
      Timeout.total(100),
      RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 20, within: 1000 }), maxWait: 300, maxQueue: 3 })
    ]
  },
  {
    name: "a limiter by windows",
    script: { calls: every(9, 40), requests: [[5, "ok"]] },
    through:
      () => [RateLimiter.makeUnsafe({ limit: RateLimiter.slidingWindow({ limit: 5, within: 100 }), maxWait: 80 })]
  },
  {
    name: "a hedge after a delay, and after a failure",
    script: {
      calls: every(100, 8),
      requests: [[80, "ok"], [13, "ok"], [30, "error"], [20, "ok"], [90, "error"], [60, "error"], [7, "bad"]]
    },
    through: () => [Hedge.makeUnsafe({ after: 40, maxHedges: 2 })]
  },
  {
    name: "all hedges at once",
    script: { calls: every(100, 4), requests: [[30, "error"], [20, "error"], [25, "ok"], [9, "ok"]] },
    through: () => [Hedge.makeUnsafe({ after: 0, maxHedges: 2 })]
  },
  {
    name: "a hedge with a delay that is learnt, and a budget",
    script: {
      calls: every(31, 60),
      requests: Array.from({ length: 80 }, (_, i): readonly [number, Answer] => [i % 7 === 0 ? 97 : 11 + i % 5, "ok"])
    },
    through: () => {
      const budget = RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ ratio: 0.1, minPerSecond: 0 }) })
      return [Hedge.makeUnsafe({ after: { quantile: 0.8, minCalls: 10 }, budget })]
    }
  },
  {
    name: "a hedge that waits for its turn",
    script: { calls: every(21, 40), requests: [[33, "ok"], [29, "ok"], [71, "ok"]] },
    through: () => [
      Hedge.makeUnsafe({ after: { quantile: 0.5, minCalls: 5, initialDelay: 25 } }),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 20 })
    ]
  },
  {
    name: "an adaptive limit, a wait that does not count, and a deadline that cuts",
    script: {
      calls: every(23, 90),
      requests: Array.from(
        { length: 120 },
        (_, i): readonly [number, Answer] => [i % 11 === 0 ? 407 : 21 + i % 9, "ok"]
      )
    },
    through: () => [
      Timeout.total(380),
      Timeout.makeAdaptiveUnsafe({ minLimit: 20, maxLimit: 300, minCalls: 10, quantile: 0.8, within: 500 }),
      Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 20 })
    ]
  },
  ...[AdaptiveLimit.aimd(), AdaptiveLimit.vegas(), AdaptiveLimit.gradient2()].map((algorithm): Case => ({
    name: `a limit that adapts: ${algorithm.description}`,
    script: {
      calls: every(7, 400),
      requests: Array.from(
        { length: 500 },
        (
          _,
          i
        ): readonly [number, Answer] => [31 + (i > 150 && i < 300 ? 90 : 0) + i % 13, i % 40 === 0 ? "error" : "ok"]
      )
    },
    through: () => {
      const limit = AdaptiveLimit.makeUnsafe({
        algorithm,
        initialConcurrency: 5,
        within: 100,
        minCalls: 5,
        dropRatio: 0.05,
        maxQueue: 4
      })
      return [Timeout.total(110), limit]
    }
  })),
  {
    name: "a throttle in front of a callee that refuses, recovers, and is slow",
    script: {
      calls: bursts(700, 12, 30),
      requests: Array.from(
        { length: 360 },
        (_, i): readonly [number, Answer] => i < 40 || i % 3 === 0 ? [11, "busy"] : [i % 7 === 0 ? 190 : 13, "ok"]
      )
    },
    through: () => [
      Timeout.total(150),
      AdaptiveThrottle.makeUnsafe({ name: "throttle", factor: 1.1, within: 400, minCalls: 5, maxRatio: 0.9 })
    ]
  },
  {
    name: "a throttle takes back what was refused on this side",
    script: {
      calls: bursts(500, 12, 25),
      requests: [...every(1, 60).map((n): readonly [number, Answer] => [31, n % 3 === 0 ? "error" : "busy"]), [
        27,
        "ok"
      ]]
    },
    through: () => [
      AdaptiveThrottle.makeUnsafe({ factor: 1.2, within: 300, classify: (exit) => Fault.of(exit) }),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 1, maxWait: 20 })
    ]
  },
  {
    name: "a balancer, of whose servers one fails and is left out, and a retry that goes elsewhere",
    script: {
      draw: "in order",
      calls: bursts(400, 10, 20),
      requests: [...again(20, [[31, "error"], [27, "error"], [31, "die"]]), [12, "ok"]],
      more: {
        second: again(90, [[12, "ok"], [17, "ok"], [12, "error"], [8, "ok"], [70, "ok"]]),
        third: again(90, [[23, "ok"], [11, "ok"], [9, "bad"], [15, "error"]])
      }
    },
    through: () => [Retry.make({ schedule: spaced(5), times: 2 })],
    to: (endpoints) =>
      Balancer.makeUnsafe({
        name: "balancer",
        endpoints,
        key,
        slowStart: 300,
        ejection: { failures: 3, minCalls: 10, ratio: 0.4, duration: 700, maxDuration: 1500, maxRatio: 0.7 }
      })
  },
  {
    name: "a balancer in order, of servers that ask for a pause, until there is none",
    script: {
      draw: "in order",
      calls: every(13, 60),
      requests: again(30, [[9, "ok"], [21, "busy"]]),
      more: { second: again(30, [[11, "ok"], [8, "busy"], [8, "busy"], [12, "ok"]]) }
    },
    through: () => [Retry.make({ schedule: spaced(3), times: 3, rejected: true })],
    to: (endpoints) => Balancer.makeUnsafe({ endpoints, key, choose: "in-order", maxCooldown: 60, slowStart: 0 })
  },
  {
    name:
      "a balancer by priority and weight, whose endpoints hang until the deadline, each behind a breaker and a bulkhead",
    script: {
      draw: "in order",
      calls: bursts(300, 12, 22),
      requests: again(90, [[15, "ok"], [Infinity, "ok"], [19, "ok"], [Infinity, "ok"], [28, "error"]]),
      more: {
        second: again(90, [[90, "ok"], [14, "error"], [22, "ok"]]),
        third: again(90, [[40, "busy"], [33, "ok"], [Infinity, "ok"]])
      }
    },
    through: () => [Timeout.total(180), Retry.make({ schedule: spaced(9), times: 2 })],
    to: (endpoints) =>
      Balancer.makeUnsafe({
        endpoints,
        key,
        priority: ({ name }) => name === "third" ? 1 : 0,
        weight: ({ name }) => name === "callee" ? 3 : 1,
        hangsAfter: 100,
        slowStart: 150,
        ejection: { failures: 2, duration: 200 }
      }),
    perServer: () => [
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(4), open: 90, hangsAfter: 100 }),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 4, maxWait: 50 })
    ]
  },
  {
    name: "hedges to another server, by a balancer",
    script: {
      draw: "in order",
      calls: every(60, 30),
      requests: again(20, [[12, "ok"], [95, "ok"], [14, "error"], [80, "busy"]]),
      more: {
        second: again(20, [[90, "ok"], [11, "ok"], [20, "error"]]),
        third: again(20, [[50, "busy"], [18, "ok"], [75, "ok"]])
      }
    },
    through: () => [Retry.make({ schedule: spaced(9), times: 1 }), Hedge.makeUnsafe({ after: 25, maxHedges: 2 })],
    to: (endpoints) => Balancer.makeUnsafe({ endpoints, key, cooldown: 50, slowStart: 100 }),
    perServer: () => [Timeout.attempt(85)]
  },
  {
    name: "deadlines, the earlier of which counts, and one that has passed before it begins",
    script: { calls: every(100, 6), requests: [[30, "error"], [20, "ok"], [60, "ok"], [Infinity, "ok"]] },
    through: () => [
      Deadline.within(90, { name: "outer" }),
      Retry.make({ schedule: spaced(15), times: 3, rejected: true }),
      Deadline.within(55),
      Timeout.attempt(70)
    ]
  },
  {
    name: "a deadline that has passed at once, and one that never does",
    script: { calls: [1, 5], requests: [[30, "ok"]] },
    through: () => [Deadline.within("Infinity"), Retry.make({ times: 1, rejected: true }), Deadline.within(0)]
  },
  {
    name: "a breaker, a bulkhead and a limiter within a deadline",
    script: { calls: every(14, 60), requests: [[30, "ok"], [Infinity, "ok"], [41, "error"]] },
    through: () => [
      Deadline.within(120, { name: "handler" }),
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(3), open: 80, hangsAfter: 50 }),
      Bulkhead.makeUnsafe({ concurrency: 3, maxQueue: 5 }),
      RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 30, within: 1000 }), maxWait: 60 })
    ]
  },
  {
    name: "chaos that is switched on, with a seed",
    script: {
      calls: every(20, 120),
      requests: [[12, "ok"], [19, "ok"], [15, "error"], [11, "ok"]],
      chaos: { seed: "monday", factor: 0.9 }
    },
    through: () => [
      Timeout.total(400),
      Retry.make({ schedule: spaced(10), times: 3 }),
      CircuitBreaker.makeUnsafe({
        trip: CircuitBreaker.failureRate({ ratio: 0.6, minCalls: 10, within: 500 }),
        open: 100
      }),
      Bulkhead.makeUnsafe({ concurrency: 4, maxQueue: 6 }),
      Timeout.attempt(90),
      Chaos.latency((draw) => 200 * draw, { name: "slow", ratio: 0.3 }),
      Chaos.latency(7, { ratio: 0.2, during: Chaos.ramp({ duration: 1000 }) }),
      Chaos.fault(() => new Server.ServerFailed({ server: "chaos", reason: "error", fault: Fault.transient() }), {
        ratio: 0.2,
        during: Chaos.window({ after: 300, duration: 400, every: 1000 })
      }),
      Chaos.fault(() => "plain", { name: "plain", ratio: 0.03 }),
      Chaos.defect(() => new Error("bug"), { ratio: 0.05 }),
      Chaos.stall({ ratio: 0.1 }),
      Chaos.truncate({ ratio: 0.5 })
    ]
  },
  {
    name: "chaos that the random numbers of the calls decide, and a wait of nothing",
    script: { draw: "in order", calls: every(30, 60), requests: [[12, "ok"], [19, "error"]], chaos: {} },
    through: () => [
      Retry.make({ schedule: spaced(10), times: 2 }),
      Chaos.latency(0, { ratio: 0.3 }),
      Chaos.latency("Infinity", { name: "never", ratio: 0.05 }),
      Chaos.fault(() => new Error("no tag"), { ratio: 0.3 })
    ]
  },
  {
    name: "chaos that nobody has switched on",
    script: { calls: every(30, 3), requests: [[12, "ok"]] },
    through: () => [Retry.make(), Chaos.stall({ ratio: 1 })]
  },
  {
    name: "a limiter and a breaker by key, which two policies of a stack share, behind a balancer",
    script: {
      draw: "in order",
      calls: every(17, 90),
      requests: again(40, [[9, "ok"], [30, "error"], [21, "error"]]),
      more: { second: again(60, [[11, "error"], [80, "ok"], [12, "ok"], [12, "error"]]) }
    },
    through: () => {
      const limiters = Keyed.makeUnsafe({
        lookup: (key: string) =>
          RateLimiter.makeUnsafe({ name: key, limit: RateLimiter.gcra({ limit: 30, within: 1000 }), maxWait: 40 })
      })
      return [limiters.for("tenant"), Retry.make({ schedule: spaced(7), times: 2 }), limiters.for("tenant")]
    },
    to: (endpoints) => Balancer.makeUnsafe({ endpoints, key, ejection: false, slowStart: 0 }),
    perServer: ({ name }) => [
      breakers.for({ name }),
      Policy.compose(breakers.for({ name: "both" }), Timeout.attempt(60))
    ]
  },
  {
    name: "schedules by tags, delays that are computed, and jitter",
    script: {
      calls: every(200, 12),
      requests: [[10, "error"], [10, "error"], [15, "busy"], [10, "error"], [20, "ok"]]
    },
    through: () => [
      Retry.make({
        schedules: {
          Throttled: Schedule.jittered(Schedule.exponential(31)),
          ServerFailed: Backoff.decorrelated({ base: 7 })
        },
        after: ({ attempt }) => attempt === 3 ? 99 : undefined,
        times: 4
      })
    ]
  },
  {
    name: "the default backoff, rejections that are retried, and a breaker with several rules",
    script: { calls: every(37, 60), requests: [[12, "error"], [12, "error"], [9, "ok"], [80, "die"]] },
    through: () => [
      Retry.make({ rejected: true }),
      CircuitBreaker.makeUnsafe({
        trip: [CircuitBreaker.failureRate({ ratio: 0.4, minCalls: 5, within: 300 }), CircuitBreaker.consecutive(7)],
        open: Schedule.exponential(60),
        halfOpen: { probes: 2, ratio: 0.5 },
        retryAfter: {}
      })
    ]
  },
  {
    name: "one adaptive limit that stands twice learns from its own cuts wherever it stands",
    script: { calls: every(1.2, 12), requests: [[1.4, "ok"], [2.7, "error"]] },
    through: () => {
      const limit = Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 34, quantile: 0.25, minCalls: 1, within: 50 })
      return [limit, limit]
    }
  },
  {
    name: "a call that comes when the window has turned, before the timer of the one that waits",
    script: {
      calls: [1.172, 42.344, 43.516, 53.688, 75.859, 101.031, 119.203],
      requests: [[1.36, "error"]]
    },
    through: () => [RateLimiter.makeUnsafe({ limit: RateLimiter.fixedWindow({ limit: 4, within: 118 }), maxWait: 19 })]
  },
  {
    name: "hedges that wait for their turn while the callee has the first attempt",
    script: {
      calls: [1.1, 5.3, 32.5, 39.7, 41.9, 159, 164.2, 190.4, 191.6, 203.8],
      requests: [[17.3, "ok"], [33.7, "busy"]]
    },
    through: () => [
      AdaptiveLimit.makeUnsafe({
        algorithm: AdaptiveLimit.vegas({ alpha: 1, beta: 2 }),
        initialConcurrency: 3,
        maxConcurrency: 8,
        within: 1,
        minCalls: 1,
        dropRatio: 1,
        maxQueue: 2,
        maxWait: 23
      }),
      Hedge.makeUnsafe({ after: 0, maxHedges: 2 }),
      Timeout.attempt(112),
      Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 2, maxWait: 85 })
    ]
  },
  {
    name: "a limit of the first phase that ends a call just before the deadline: that is no deadline then",
    script: { calls: [1.2, 2.3, 3.5, 4.7, 5.9, 7, 12.2], requests: [[1.4, "ok"], [8.7, "busy"]] },
    through: () => [
      Timeout.phases({ first: 8, total: 9 }),
      Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 9, quantile: 0.5, factor: 1.1, minCalls: 1 })
    ]
  },
  {
    name: "a callee that interrupts itself in the last moment before a deadline",
    script: {
      calls: [1.172, 2.344, 3.516, 4.688, 5.859, 6.031, 23.203, 24.375, 41.547],
      requests: [[34.359, "gone"], [17.719, "ok"], [1.078, "gone"], [Infinity, "error"]]
    },
    through: () => [
      Timeout.total(35),
      Timeout.makeAdaptiveUnsafe({ minLimit: 1, maxLimit: 35, quantile: 0.25, factor: 1.1, minCalls: 1, within: 50 })
    ]
  },
  {
    name: "the five",
    script: {
      calls: every(17, 80),
      requests: [[20, "ok"], [41, "error"], [310, "ok"], [33, "error"], [12, "busy"], [27, "error"], [58, "error"], [
        35,
        "ok"
      ]]
    },
    through: () => [
      Timeout.total(900),
      Retry.make({ schedule: spaced(33), times: 3 }),
      CircuitBreaker.makeUnsafe({ trip: CircuitBreaker.consecutive(4), open: 230 }),
      Bulkhead.makeUnsafe({ concurrency: 4, maxQueue: 6, maxWait: 90 }),
      Timeout.attempt(200)
    ]
  }
]

describe("a simulation tells the same as production under the test clock", () => {
  for (const one of cases) {
    it.effect(one.name, () =>
      Effect.gen(function*() {
        const { script } = one
        const policies = one.through()
        const several = severalOf(one)
        const expected = yield* Effect.scoped(produced(script, policies, several))
        assert.isNotEmpty(expected)
        assert.strictEqual(difference(simulated(script, policies, several), expected), undefined)
      }))
  }
})
