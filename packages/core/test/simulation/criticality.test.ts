import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as AdaptiveLimit from "../../src/AdaptiveLimit.ts"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Criticality from "../../src/Criticality.ts"
import { nowOn } from "../../src/internal/time.ts"
import type * as Policy from "../../src/Policy.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import { Client, Load, Server, Simulation, Times } from "../../src/simulation/index.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as Timeout from "../../src/Timeout.ts"

const policies = {
  "a fair bulkhead": () => Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 4, maxWait: 131 }),
  "a bulkhead, the newest first": () => Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 4, order: "lifo" }),
  "an adaptive bulkhead": () =>
    Bulkhead.makeUnsafe({ concurrency: 2, maxQueue: 6, order: "adaptive", overload: { target: 20.5, interval: 90.5 } }),
  "a limiter": () =>
    RateLimiter.makeUnsafe({ limit: RateLimiter.gcra({ limit: 25, within: 1000 }), maxWait: 150, maxQueue: 3 }),
  "an adaptive limit": () => AdaptiveLimit.makeUnsafe({ initialConcurrency: 2, maxConcurrency: 3, maxQueue: 4 })
}

/** What a policy tells, and when; the test clock counts nanoseconds. */
const plain = (event: Telemetry.Event, at: number): ReadonlyArray<unknown> => [
  Math.round(at * 1000) / 1000,
  ...Object.values(event).map((value) => Duration.isDuration(value) ? Math.round(Duration.toMillis(value)) : value)
]

// so that no two things happen at one time, whose order would be nobody's
const times = [31.137, 53.311, 17.063, 44.787]
/** sixty calls, 13 ms apart, of all four in no order */
const calls = Array.from({ length: 60 }, (_, i) => ({
  at: 1 + i * 13,
  criticality: Criticality.all[i * 97 % 7 % 4]!
}))

const simulated = (policy: Policy.Any): ReadonlyArray<unknown> => {
  const told: Array<unknown> = []
  const server = Server.make({ name: "callee", times: Times.script(times), through: [policy] })
  Simulation.run({
    clients: Criticality.all.map((criticality) =>
      Client.make({
        name: criticality,
        load: Load.trace(calls.filter((call) => call.criticality === criticality).map(({ at }) => at)),
        to: server,
        through: [Criticality.as(criticality)]
      })
    ),
    duration: 60_000,
    listener: (event, at) => event._tag === "CallEnded" || told.push(plain(event, at))
  })
  return told
}

const produced = (policy: Policy.Policy<unknown, unknown>): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.gen(function*() {
    const told: Array<unknown> = []
    let number = 0
    const callee = Effect.suspend(() => Effect.sleep(times[Math.min(number++, times.length - 1)]!))
    const listen = Telemetry.listen((event, context) =>
      void told.push(plain(event, nowOn(Context.get(context, Clock.Clock))))
    )
    const call = (criticality: Criticality.Criticality) => callee.pipe(policy, listen, Criticality.as(criticality))
    yield* Effect.forEach(
      calls,
      ({ at, criticality }) =>
        Effect.forkChild(Effect.andThen(Effect.sleep(at), Effect.exit(call(criticality))), { startImmediately: true })
    )
    yield* TestClock.adjust("1 minute")
    return told
  })

/** Served of the calls of each criticality, at a server that is asked twice as often as it can answer. */
const served = (options: Partial<Bulkhead.Options>, says: boolean, seed: number): ReadonlyArray<number> => {
  const perSecond = [10, 60, 60, 70]
  const bulkhead = Bulkhead.makeUnsafe({ concurrency: 10, maxQueue: 200, ...options })
  const to = Server.make({ name: "server", capacity: 10, times: Times.exponential(100), through: [bulkhead] })
  const clients = Criticality.all.map((name, i) =>
    Client.make({
      name,
      load: Load.poisson({ perSecond: perSecond[i]! }),
      to,
      through: [Timeout.total("1 second"), Criticality.as(says ? name : "critical")]
    })
  )
  return Simulation.run({ clients, duration: "30 seconds", seed }).clients.map(({ success }) => success)
}

describe("twice the load that a server can take", () => {
  const adaptive = { order: "adaptive", overload: { target: 50, interval: 500 } } as const
  for (const seed of [1, 2, 3]) {
    it(`seed ${seed}: who matters is served, and with an adaptive queue nothing is served in vain`, () => {
      const fair = served({}, false, seed)
      const newest = served(adaptive, false, seed)
      const byCriticality = served({}, true, seed)
      const both = served(adaptive, true, seed)
      assert.isTrue(fair.every((share) => share < 0.2), "nearly everybody has waited for too long")
      assert.isTrue(newest.every((share) => share > 0.4 && share < 0.6), "half of everybody")
      for (const shares of [byCriticality, both]) {
        assert.isAbove(shares[0]!, 0.99)
        assert.isAbove(shares[1]!, 0.98)
        assert.isBelow(shares[3]!, shares[2]!)
      }
      assert.isAbove(both[2]!, byCriticality[2]! + 0.1)
    })
  }
})

describe("calls that matter more or less, at one server: a simulation tells the same as production", () => {
  for (const [name, make] of Object.entries(policies)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const expected = yield* produced(make())
        assert.isAbove(expected.length, 20)
        assert.deepStrictEqual(simulated(make()), expected)
      }))
  }
})
