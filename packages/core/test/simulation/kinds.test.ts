import { assert, describe, it } from "@effect/vitest"
import * as Bulkhead from "../../src/Bulkhead.ts"
import * as Fault from "../../src/Fault.ts"
import * as Plot from "../../src/plot/index.ts"
import * as RateLimiter from "../../src/RateLimiter.ts"
import * as Retry from "../../src/Retry.ts"
import { Client, Load, Network, Report, Server, Simulation, Times } from "../../src/simulation/index.ts"
import { Random } from "../../src/simulation/internal/random.ts"
import * as Timeout from "../../src/Timeout.ts"
import { run, server, sum } from "./support.ts"

describe("Times", () => {
  const kinds: { readonly [K in Exclude<keyof typeof Times, "script">]: Times.Times } = {
    constant: Times.constant("10 millis"),
    exponential: Times.exponential("10 millis"),
    uniform: Times.uniform({ from: "5 millis", to: "15 millis" }),
    normal: Times.normal({ mean: "10 millis", deviation: "2 millis" }),
    logNormal: Times.logNormal({ median: "8 millis", p99: "50 millis" }),
    pareto: Times.pareto({ min: "3 millis", shape: 3 }),
    fromHistory: Times.fromHistory([1, 2, 3, "4 millis", 90]),
    fromPercentiles: Times.fromPercentiles([[0, 1], [50, 10], [99, 100], [100, "1 second"]]),
    mix: Times.mix([[3, Times.constant(5)], [1, Times.constant(25)]]),
    sum: Times.sum(Times.constant(3), Times.exponential(4))
  }
  for (const [name, times] of Object.entries(kinds)) {
    it(`${name} has the mean that it tells, and no time is negative`, () => {
      const random = new Random(3)
      const drawn = Array.from({ length: 200_000 }, (_, i) => times.draw(random, i + 1))
      assert.isTrue(drawn.every((time) => time >= 0))
      assert.closeTo(sum(drawn) / drawn.length / times.mean, 1, 0.02)
    })
  }

  it("script gives one after the other, and then the last one", () => {
    const times = Times.script([1, "2 millis", 3])
    assert.deepStrictEqual([1, 2, 3, 4, 99].map((number) => times.draw(new Random(1), number)), [1, 2, 3, 3, 3])
  })

  it("percentiles are met", () => {
    const random = new Random(1)
    const { fromPercentiles, logNormal } = kinds
    const share = (times: Times.Times, most: number): number => {
      const drawn = Array.from({ length: 100_000 }, (_, i) => times.draw(random, i + 1))
      return drawn.filter((time) => time <= most).length / drawn.length
    }
    assert.closeTo(share(fromPercentiles, 10), 0.5, 0.005)
    assert.closeTo(share(fromPercentiles, 100), 0.99, 0.002)
    assert.closeTo(share(logNormal, 8), 0.5, 0.005)
    assert.closeTo(share(logNormal, 50), 0.99, 0.002)
  })

  it("refuses what makes no sense, and names it", () => {
    const bad: ReadonlyArray<readonly [string, () => unknown]> = [
      ["time", () => Times.constant(-1)],
      ["mean", () => Times.exponential(0)],
      ["to", () => Times.uniform({ from: 2, to: 1 })],
      ["p99", () => Times.logNormal({ median: 2, p99: 1 })],
      ["shape", () => Times.pareto({ min: 1, shape: 0 })],
      ["measured", () => Times.fromHistory([])],
      ["percentiles", () => Times.fromPercentiles([[50, 10], [40, 20]])],
      ["percentile", () => Times.fromPercentiles([[101, 10]])],
      ["parts", () => Times.mix([])],
      ["all", () => Times.script([])]
    ]
    for (const [option, make] of bad) assert.throws(make, RangeError, option)
  })
})

describe("Load", () => {
  const perMinute: { readonly [name: string]: readonly [Load.Load, calls: number, within: number] } = {
    poisson: [Load.poisson({ perSecond: 50 }), 3000, 150],
    varying: [Load.varying({ perSecond: (at) => at < 30_000 ? 0 : 100, most: 100 }), 3000, 150],
    diurnal: [Load.diurnal({ from: 0, to: 100, period: "1 minute" }), 3000, 150],
    steady: [Load.steady({ perSecond: 50 }), 2999, 1],
    bursts: [Load.bursts({ calls: 500, every: "10 seconds" }), 3000, 0],
    trace: [Load.trace([0, 0, 1.5, 70_000]), 3, 0],
    together: [Load.together(Load.steady({ perSecond: 10 }), Load.bursts({ calls: 7, every: "1 hour" })), 606, 1],
    closed: [Load.closed({ users: 10, think: Times.constant("90 millis"), calls: 50 }), 500, 0]
  }
  for (const [name, [load, calls, within]] of Object.entries(perMinute)) {
    it(`${name} brings as many calls as it says`, () => {
      assert.closeTo(run({ client: { load } }).client.offered, calls, within)
    })
  }

  it("changes over time as it says", () => {
    const halves = (load: Load.Load): number => {
      const { offered } = run({ client: { load } }).client.series
      return sum(offered, 0, 30) / sum(offered)
    }
    assert.strictEqual(halves(perMinute["varying"]![0]), 0)
    assert.closeTo(halves(Load.diurnal({ from: 10, to: 100, period: "2 minutes" })), 0.24, 0.03)
  })

  it("a user who waits for a slow answer calls less", () => {
    const calls = (millis: number): number =>
      run({
        client: { load: Load.closed({ users: 10, think: Times.constant("100 millis"), ramp: 0 }) },
        server: { times: Times.constant(millis) }
      }).client.offered
    assert.deepStrictEqual([calls(0), calls(100), calls(900)], [6000, 3000, 600])
  })

  it("refuses what makes no sense, and names it", () => {
    const think = Times.constant(1)
    const bad: ReadonlyArray<readonly [string, () => unknown]> = [
      ["perSecond", () => Load.poisson({ perSecond: 0 })],
      ["most", () => Load.varying({ perSecond: () => 1, most: 0 })],
      ["to", () => Load.diurnal({ from: 2, to: 1 })],
      ["calls", () => Load.bursts({ calls: 0, every: 1 })],
      ["times", () => Load.trace([2, 1])],
      ["loads", () => Load.together(Load.closed({ users: 1, think }))],
      ["users", () => Load.closed({ users: 0, think })]
    ]
    for (const [option, make] of bad) assert.throws(make, RangeError, option)
  })
})

describe("Server", () => {
  // one request each 10 ms, of which each takes 20 ms: the queue grows by one each 20 ms
  const busy = Load.steady({ perSecond: 100 })
  const overloaded = { times: Times.constant("20 millis"), capacity: 1 }
  const second = { duration: "1 second" } as const

  it("serves so many at once, and the rest waits", () => {
    const { client, server } = run({ client: { load: busy }, server: overloaded, ...second })
    assert.deepInclude(client, { offered: 99, succeeded: 99 })
    assert.strictEqual(server.waited.max, 980)
    assert.strictEqual(Math.max(...server.series.inService), 1)
    assert.closeTo(server.utilization!, 0.99, 0.001)
  })

  it("refuses what its queue has no room for", () => {
    const { client, server } = run({
      client: { load: busy },
      server: { ...overloaded, queue: { limit: 5 } },
      ...second
    })
    assert.strictEqual(Math.max(...server.series.queue), 5)
    assert.deepStrictEqual(client.failures, server.refused)
    assert.closeTo(client.failed, 45, 2)
  })

  it("serves the newest first, if it is told so", () => {
    const p50 = (order: "fifo" | "lifo") =>
      run({ client: { load: busy }, server: { ...overloaded, queue: { order } }, ...second }).client.latency.p50
    assert.isAbove(p50("fifo"), 400)
    assert.isBelow(p50("lifo"), 60)
  })

  it("serves the highest priority first", () => {
    const one = server({ ...overloaded, queue: { order: "priority" } })
    const client = (name: string, priority: number) =>
      Client.make({ name, priority, to: one, load: Load.steady({ perSecond: 40 }) })
    const { clients } = Simulation.run({ clients: [client("low", 0), client("high", 3)], duration: "5 seconds" })
    assert.isBelow(clients[1]!.latency.max, 45)
    assert.isAbove(clients[0]!.latency.max, 1000)
  })

  for (
    const [abandoned, least, most] of [["served", 90, 99], ["dropped", 1, 60], ["stopped", 60, 99]] as const
  ) {
    it(`works for callers who have gone, or does not: ${abandoned}`, () => {
      const { server } = run({
        client: { load: busy, through: Timeout.total("50 millis") },
        server: { ...overloaded, abandoned },
        ...second
      })
      assert.isAtLeast(server.wasted, least)
      assert.isAtMost(server.wasted, most)
      assert.isAtMost(server.utilization!, 1)
    })
  }

  it("drops what has expired when its turn comes", () => {
    const { server } = run({
      client: { load: busy, through: Timeout.total("50 millis") },
      server: { ...overloaded, queue: { dropsExpired: true } },
      ...second
    })
    assert.isAbove(server.refused["expired"]!, 30)
    assert.isBelow(server.wasted, 60)
  })

  it("fails a share of the answers, with the fault that it is told", () => {
    assert.closeTo(run({ server: { errors: 0.25 } }).client.success, 0.75, 0.02)
    const { client } = run({
      client: { through: Retry.make() },
      server: { incidents: [Server.errors({ from: 0, until: "1 hour", ratio: 1, fault: Fault.permanent })] }
    })
    assert.strictEqual(client.attempts, client.offered)
    assert.deepStrictEqual(client.failures, { error: client.offered })
  })

  it("has incidents, and gets over them", () => {
    const from = "10 seconds"
    const until = "20 seconds"
    const during = (incident: Server.Incident, server: object = {}) => {
      const { client } = run({
        client: { load: Load.steady({ perSecond: 100 }) },
        server: { ...server, incidents: [incident] }
      })
      const { failed, p50 } = client.series
      assert.strictEqual(sum(failed, 0, 9) + sum(failed, 21), 0)
      assert.closeTo(p50[5]!, 10, 0.3)
      return { client, p50: p50[15], failed: sum(failed) }
    }
    assert.closeTo(during(Server.slow({ from, until, factor: 5 })).p50!, 50, 1)
    assert.closeTo(during(Server.crash({ from, until })).failed, 1000, 2)
    assert.closeTo(during(Server.crash({ from, until, silent: true })).client.unfinished, 1000, 2)
    assert.closeTo(during(Server.errors({ from, until, ratio: 0.5 })).failed, 500, 60)
    assert.isAbove(
      during(Server.capacity({ from, until, capacity: 1 }), { capacity: 8, times: Times.constant(10.1) }).p50!,
      10
    )
  })

  it("collapses under load", () => {
    const at = (perSecond: number) =>
      run({
        client: { load: Load.poisson({ perSecond }) },
        server: { capacity: 10, collapse: { above: 10, factor: 0.2 }, queue: { limit: 100 } }
      }).client.succeeded
    assert.isBelow(at(1500), at(500) / 2)
  })

  it("has a quota of requests, and of tokens that are charged when a request comes", () => {
    const tokens = {
      prompt: Times.constant(400),
      completion: Times.constant(300),
      maxCompletion: 600,
      price: { prompt: 1, completion: 2 }
    }
    const load = Load.steady({ perSecond: 2 })
    const byRequests =
      run({ client: { load }, server: { quota: { requestsPerMinute: 60 } }, duration: "10 minutes" }).client
    assert.closeTo(byRequests.succeeded, 600, 10)
    const { client, server } = run({
      client: { load },
      server: { tokens, quota: { tokensPerMinute: 30_000 } },
      duration: "10 minutes"
    })
    assert.closeTo(client.succeeded, 300, 30)
    assert.deepStrictEqual(server.tokens, { prompt: client.succeeded * 400, completion: client.succeeded * 300 })
    assert.closeTo(server.money, client.succeeded * (400 + 2 * 300) / 1e6, 1e-9)
    // whoever waits for as long as it is told does not get refused again
    const limiter = RateLimiter.makeUnsafe({
      limits: { tokens: RateLimiter.fixedWindow({ limit: 30_000, within: "1 minute" }) },
      maxWait: "1 hour"
    })
    const patient = run({
      client: { load: Load.steady({ perSecond: 0.4 }), through: limiter.cost({ tokens: 1000 }) },
      server: { tokens, quota: { tokensPerMinute: 30_000 } },
      duration: "10 minutes"
    }).client
    assert.strictEqual(patient.success, 1)
  })

  it("calls the servers behind it through stacks of their own, and fails with them", () => {
    const behind = server({ name: "behind", errors: 0.3 })
    const middle = server({
      name: "middle",
      calls: [{
        to: behind,
        through: [Retry.make({ times: 1 })],
        network: Network.make({ delay: Times.constant("5 millis") })
      }]
    })
    const { clients, servers } = Simulation.run({
      clients: [Client.make({ load: Load.poisson({ perSecond: 100 }), to: middle })],
      duration: "1 minute"
    })
    assert.closeTo(clients[0]!.success, 0.91, 0.02)
    assert.deepStrictEqual(Object.keys(clients[0]!.failures), ["error"])
    const [one, two] = ["middle", "behind"].map((name) => servers.find((server) => server.name === name)!)
    assert.strictEqual(one!.amplification, 1)
    assert.closeTo(two!.amplification, 1.3, 0.03)
    // 10 ms of its own, and 20 ms behind
    assert.closeTo(clients[0]!.latency.p50, 30, 1)
  })

  it("sheds load by the policies in front of it, in each of its processes", () => {
    const { client, server } = run({
      client: { load: Load.steady({ perSecond: 300 }) },
      server: { times: Times.constant("20 millis"), through: Bulkhead.makeUnsafe({ concurrency: 2 }), processes: 2 },
      duration: "10 seconds"
    })
    assert.closeTo(client.succeeded, 2000, 400)
    assert.deepStrictEqual(Object.keys(client.failures), ["BulkheadRejected"])
    assert.strictEqual(Math.max(...server.series.inService), 4)
  })

  it("answers as somebody else decides", () => {
    const answers = () => {
      let well = 0
      return ({ number }: Server.Served) => number % 4 === 0 ? Fault.permanent : void well++
    }
    const { client } = run({ client: { load: Load.bursts({ calls: 100, every: "1 hour" }) }, server: { answers } })
    assert.deepInclude(client, { succeeded: 75, failed: 25 })
  })
})

describe("Network", () => {
  const load = Load.steady({ perSecond: 100 })

  it("takes its time each way", () => {
    const { client } = run({ client: { load, network: Network.make({ delay: Times.constant("15 millis") }) } })
    assert.closeTo(client.latency.p50, 40, 1)
  })

  it("loses messages each way, and nobody learns of it", () => {
    const { client } = run({ client: { load, network: Network.make({ loss: 0.1 }) } })
    assert.closeTo(client.unfinished / client.offered, 0.19, 0.02)
  })

  for (const [backlog, lost] of [["lost", 1000], ["released", 0]] as const) {
    it(`has an outage whose messages are ${backlog}`, () => {
      const outages = [{ from: "10 seconds", until: "20 seconds", backlog }] as const
      const { client, server } = run({ client: { load, network: Network.make({ outages }) } })
      assert.closeTo(client.unfinished, lost, 2)
      assert.strictEqual(sum(server.series.arrived, 11, 20), 0)
      assert.closeTo(server.series.arrived[20]!, lost === 0 ? 1100 : 100, 2)
    })
  }
})

describe("Report", () => {
  const outage = { incidents: [Server.crash({ from: "10 seconds", until: "20 seconds" })] }
  const { report } = run({ server: outage })

  it("tells when a client has recovered", () => {
    assert.isBelow(Report.timeToRecover(report, { after: "20 seconds" })!, 1001)
    assert.isUndefined(Report.timeToRecover(report, { after: "58 seconds" }))
    assert.isUndefined(Report.timeToRecover(run({ server: { errors: 1 } }).report, { after: "1 second" }))
    assert.isUndefined(Report.timeToRecover(report, { after: "20 seconds", client: "nobody" }))
  })

  it("is plain data, a table that fits a terminal, and a picture", () => {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(report)), report)
    const table = Report.table(report)
    assert.isTrue(table.split("\n").every((line) => line.length <= 80))
    assert.match(table, /8[23]\.\d %/)
    const svg = Plot.svg(Report.picture(report, {
      title: "an outage",
      marks: [Plot.span({ name: "it is down", from: 10_000, to: 20_000 })]
    }))
    for (const word of ["an outage", "it is down", "offered", "succeeded", "p99"]) assert.include(svg, word)
  })
})
