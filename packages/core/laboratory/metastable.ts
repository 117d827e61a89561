import type * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { mean, summary } from "../../../tools/laboratory/src/Seeds.ts"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"
import * as Fault from "../src/Fault.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Plot from "../src/plot/index.ts"
import type * as Policy from "../src/Policy.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Client, Load, Network, Report, Server, Simulation, Times } from "../src/simulation/index.ts"
import * as Timeout from "../src/Timeout.ts"

/** Of the paper: requests per second. */
const capacity = 300
const offered = 280
/** In seconds. */
const outage = { from: 20, until: 30 }
const watched = 260
const sweptFor = 230

const attempt = () => Timeout.attempt("1 second")
const again = (funding?: RetryBudget.Funding) =>
  Retry.make({
    schedule: Schedule.recurs(1),
    budget: funding === undefined ? undefined : RetryBudget.makeUnsafe({ funding })
  })
const breaker = (open = 5, probes = 10) =>
  CircuitBreaker.makeUnsafe({
    trip: CircuitBreaker.failureRate({ ratio: 0.5, minCalls: 20, within: "10 seconds" }),
    open: open * 1000,
    halfOpen: { probes }
  })

/** For a throttle that takes a timeout for a refusal. */
const overloaded = (exit: Exit.Exit<unknown, any>, at: number): Fault.Fault | undefined => {
  const fault = Fault.of(exit, at)
  return fault?._tag === "Transient" ? Fault.throttled() : fault
}

interface Stack {
  readonly through: () => ReadonlyArray<Policy.Any>
  readonly queue?: { readonly order?: "lifo"; readonly limit?: number; readonly dropsExpired?: boolean }
}

const stacks = {
  "no retry": { through: () => [attempt()] },
  "one retry": { through: () => [again(), attempt()] },
  "budget, a fifth of the traffic": { through: () => [again(RetryBudget.traffic()), attempt()] },
  "budget, a fifth of what is in flight": { through: () => [again(RetryBudget.inFlight()), attempt()] },
  "budget, a tenth of the successes": {
    through: () => [again(RetryBudget.tokens({ maxTokens: 10, minPerMinute: 0 })), attempt()]
  },
  "budget, the default": { through: () => [again(RetryBudget.tokens()), attempt()] },
  "breaker, no retry": { through: () => [breaker(), attempt()] },
  "breaker and retry": { through: () => [again(), breaker(), attempt()] },
  "the same with the defaults": { through: () => [again(), CircuitBreaker.makeUnsafe(), attempt()] },
  "Pipelines.standard": { through: () => [Pipelines.makeStandardUnsafe({ attempt: "1 second" })] },
  "bulkhead of 100, and retry": { through: () => [again(), Bulkhead.makeUnsafe({ concurrency: 100 }), attempt()] },
  "AdaptiveLimit, and retry": { through: () => [again(), AdaptiveLimit.makeUnsafe(), attempt()] },
  "AdaptiveThrottle, and retry": {
    through: () => [again(), AdaptiveThrottle.makeUnsafe({ classify: overloaded }), attempt()]
  },
  "server drops what is late": { through: () => [again(), Timeout.total("1 second")], queue: { dropsExpired: true } },
  "the same, one deadline for both attempts": {
    through: () => [Timeout.total("1 second"), again(), attempt()],
    queue: { dropsExpired: true }
  },
  "server refuses beyond 300": { through: () => [again(), attempt()], queue: { limit: 300 } },
  "server serves the newest first": { through: () => [again(), attempt()], queue: { order: "lifo" } }
} as const satisfies Record<string, Stack>

type Name = keyof typeof stacks
const names = Object.keys(stacks) as ReadonlyArray<Name>

/** Of these we know the load from which on they never recover, or none. */
const loads = {
  "no retry": [60, 100, 135, 160, 200, 220, 235, 250, 265, 280],
  "one retry": [60, 100, 120, 135, 140, 160, 220],
  "budget, a fifth of the traffic": [60, 100, 135, 160, 200, 220, 230, 250, 280],
  "breaker and retry": [60, 100, 135, 160, 200, 220, 235, 250, 265, 280]
} as const satisfies Partial<Record<Name, ReadonlyArray<number>>>
const swept = Object.keys(loads) as ReadonlyArray<keyof typeof loads>

const opens = [1, 2, 5, 10, 20, 30]
const probes = [1, 10, 100]

type Job =
  & { readonly seed: number; readonly load: number; readonly seconds: number }
  & ({ readonly stack: Name } | { readonly open: number; readonly probes: number })

interface Found {
  /** seconds from the end of the outage until nine tenths of the calls succeed, five seconds in a row */
  readonly recovered: number | undefined
  /** calls per second that succeed, for each second */
  readonly goodput: ReadonlyArray<number>
  /** requests per second at the database from half a minute after the outage on, for a minute */
  readonly arrived: number
}

const measure = (job: Job): Found => {
  const { queue, through }: Stack = "stack" in job
    ? stacks[job.stack]
    : { through: () => [again(), breaker(job.open, job.probes), attempt()] }
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond: job.load }),
      to: Server.make({ name: "database", capacity: 1, times: Times.constant(1000 / capacity), queue }),
      network: Network.make({
        outages: [{ from: outage.from * 1000, until: outage.until * 1000, backlog: "released" }]
      }),
      through: through()
    })],
    duration: job.seconds * 1000,
    drain: "10 seconds",
    interval: 1000,
    seed: job.seed
  })
  const recovered = Report.timeToRecover(report, { after: outage.until * 1000 })
  return {
    recovered: recovered === undefined ? undefined : recovered / 1000,
    goodput: report.clients[0]!.series.succeeded.slice(0, watched),
    arrived: mean(report.servers[0]!.series.arrived.slice(outage.until + 30, outage.until + 90))
  }
}

const jobsOf = (seeds: ReadonlyArray<number>, quick: boolean): ReadonlyArray<Job> => {
  if (quick) return names.map((stack) => ({ stack, load: offered, seconds: 180, seed: seeds[0]! }))
  const each = <A>(all: ReadonlyArray<A>, of: (one: A, seed: number) => Job) =>
    all.flatMap((one) => seeds.map((seed) => of(one, seed)))
  return [
    ...each(names, (stack, seed) => ({ stack, load: offered, seconds: watched, seed })),
    // at the load of the paper they have been run above
    ...swept.flatMap((stack) =>
      each(loads[stack].filter((load) => load !== offered), (load, seed) => ({ stack, load, seconds: sweptFor, seed }))
    ),
    ...opens.flatMap((open) => each(probes, (probes, seed) => ({ open, probes, load: offered, seconds: 120, seed })))
  ]
}

interface Recovery {
  readonly text: string
  /** in seconds, `Infinity` where it has not recovered */
  readonly least: number
  readonly most: number
  readonly mean: number
}

const recoveryOf = (found: ReadonlyArray<Found>): Recovery => {
  const seconds = found.map(({ recovered = Infinity }) => recovered).toSorted((a, b) => a - b)
  const [least, most] = [seconds[0]!, seconds.at(-1)!]
  const show = (time: number) => time < Infinity ? `${time}` : "never"
  return { text: least === most ? show(least) : `${show(least)} to ${show(most)}`, least, most, mean: mean(seconds) }
}

const per = (counts: ReadonlyArray<number>): string => Math.round(mean(counts)).toLocaleString("en-US")

export default Experiment.make<Job, Found>({
  name: "metastable",
  title: "Metastable failure: a service that stays down when its trouble is over",
  source: "Nathan Bronson, Abutalib Aghayev, Aleksey Charapko, Timothy Zhu, \"Metastable Failures in Distributed " +
    "Systems\", HotOS 2021, section 2.1",
  jobs: ({ quick, seeds }) => jobsOf(seeds, quick),
  measure,
  report: (measured, { quick }) => {
    const at = (stack: Name, load: number = offered) =>
      measured.filter(({ job }) => "stack" in job && job.stack === stack && job.load === load).map(({ found }) => found)
    const recovery = (stack: Name, load?: number) => recoveryOf(at(stack, load))
    const later = (stack: Name) =>
      mean(at(stack).map(({ goodput }) => mean(goodput.slice(outage.until + 30, outage.until + 90))))
    const all = (some: ReadonlyArray<Name>, holds: (recovery: Recovery) => boolean) => ({
      holds: some.every((stack) => holds(recovery(stack))),
      found: some.map((stack) => `${stack} ${recovery(stack).text}`).join("; ")
    })
    const drained = recovery("no retry").mean
    const expected = (offered * (outage.until - outage.from) - capacity) / (capacity - offered)
    const sent = mean(at("one retry").map(({ arrived }) => arrived))
    const checks = [
      {
        claim: "without a retry the backlog drains at what the database has to spare: 125 s",
        holds: Math.abs(drained / expected - 1) < 0.1,
        found: `${Math.round(drained)} s`
      },
      {
        claim: "with one retry it never recovers: twice the requests, and no goodput",
        holds: recovery("one retry").least === Infinity && Math.abs(sent / (2 * offered) - 1) < 0.03 &&
          later("one retry") < 1,
        found: `${Math.round(sent)} requests and ${Math.round(later("one retry"))} successes a second`
      },
      {
        claim: "a budget that traffic pays for does not rescue it",
        ...all(
          ["budget, a fifth of the traffic", "budget, a fifth of what is in flight"],
          ({ least }) => least === Infinity
        )
      },
      {
        claim: "with a budget that successes pay for it recovers as without a retry",
        ...all(
          ["budget, a tenth of the successes", "budget, the default"],
          ({ mean }) => Math.abs(mean / drained - 1) < 0.1
        )
      },
      {
        claim: "behind a breaker it recovers within 15 seconds, with a retry or without",
        ...all(["breaker, no retry", "breaker and retry"], ({ most }) => most <= 15)
      },
      {
        claim: "behind a limit on the calls in flight it recovers within 15 seconds, with a retry",
        ...all(["bulkhead of 100, and retry", "AdaptiveLimit, and retry"], ({ most }) => most <= 15)
      },
      {
        claim: "a server that refuses what is too much, or serves the newest first, recovers within two seconds",
        ...all(["server refuses beyond 300", "server serves the newest first"], ({ most }) => most <= 2)
      }
    ]
    const stackTable = {
      columns: ["", "recovers after, s", "succeed, per second", "requests, per second"],
      rows: names.map((stack) => [
        stack,
        recovery(stack).text,
        Math.round(later(stack)),
        per(at(stack).map(({ arrived }) => arrived))
      ])
    }
    const sweepColumns = ["open, s", ...probes.map((n) => n === 1 ? "1 probe" : `${n} probes`)]
    if (quick) return { tables: { stacks: stackTable, sweep: { columns: sweepColumns, rows: [] } }, plots: {}, checks }

    const threshold = (stack: keyof typeof loads, below: number, above: number, theory: string) => ({
      claim: `${stack}: it recovers below a load of ${theory} requests a second, and never above`,
      holds: recovery(stack, below).most < Infinity && recovery(stack, above).least === Infinity,
      found: `at ${below} after ${recovery(stack, below).text} s, at ${above} ${recovery(stack, above).text}`
    })
    const shown = [
      "no retry",
      "one retry",
      "budget, a fifth of the traffic",
      "breaker and retry",
      "server drops what is late",
      "server serves the newest first"
    ] as const satisfies ReadonlyArray<Name>
    const sweep = (open: number, probes: number) =>
      recoveryOf(
        measured.filter(({ job }) => "open" in job && job.open === open && job.probes === probes).map(({ found }) =>
          found
        )
      )
    return {
      tables: {
        stacks: stackTable,
        sweep: {
          columns: sweepColumns,
          rows: opens.map((open) => [open, ...probes.map((probes) => sweep(open, probes).text)])
        }
      },
      plots: {
        "": Plot.svg({
          title: "A database after an outage of ten seconds",
          x: Plot.duration({ label: "time since the start", to: 200_000 }),
          panels: [{
            y: { label: "calls per second that succeed" },
            height: 280,
            marks: [
              Plot.span({ name: "the network is down", from: outage.from * 1000, to: outage.until * 1000 }),
              ...shown.map((name) => {
                const runs = at(name).map(({ goodput }) => goodput)
                return Plot.line({
                  name,
                  points: Array.from(
                    { length: 200 },
                    (_, i): Plot.Point => [(i + 0.5) * 1000, mean(runs.map((run) => run[i]!))]
                  )
                })
              })
            ]
          }]
        }),
        load: Plot.svg({
          title: "Until a database for 300 requests a second has recovered",
          x: { label: "calls per second that are offered", from: 50, to: 320 },
          panels: [{
            y: Plot.duration({ label: "from the end of the outage", to: 200_000 }),
            height: 280,
            marks: [
              Plot.rule({ name: "300 / 2", at: 150, kind: "limit" }),
              Plot.rule({ name: "(300 - 10) / 1.2", at: 290 / 1.2, kind: "limit" }),
              ...swept.flatMap((name) => {
                const times = loads[name].map((load) => ({
                  load,
                  millis: summary(at(name, load).map(({ recovered = Number.NaN }) => recovered * 1000))
                }))
                return [
                  Plot.band({
                    name,
                    points: times.map(({ load, millis: { high, low } }) => [load, Math.max(0, low), high])
                  }),
                  Plot.line({ name, points: times.map(({ load, millis }) => [load, millis.mean]) })
                ]
              })
            ]
          }]
        })
      },
      checks: [
        ...checks,
        threshold("one retry", 140, 160, "150"),
        threshold("budget, a fifth of the traffic", 230, 250, "242"),
        {
          claim: "it makes little difference how long the breaker is open, and none how many probes it sends",
          holds: opens.every((open) =>
            probes.every((probes) =>
              sweep(open, probes).most <= 30 && sweep(open, probes).mean < 1.2 * sweep(open, 1).mean + 1
            )
          ),
          found: `${Math.min(...opens.map((open) => sweep(open, 1).least))} to ${
            Math.max(...opens.map((open) => sweep(open, 1).most))
          } s from ${opens[0]} to ${opens.at(-1)} s open`
        }
      ]
    }
  }
})
