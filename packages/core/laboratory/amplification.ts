import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { groupBy, type Summary, summary } from "../../../tools/laboratory/src/Seeds.ts"
import * as Backoff from "../src/Backoff.ts"
import * as Pipelines from "../src/Pipelines.ts"
import * as Plot from "../src/plot/index.ts"
import * as Retry from "../src/Retry.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Client, Load, Report, Server, Simulation, Times } from "../src/simulation/index.ts"
import * as Timeout from "../src/Timeout.ts"

type Through = NonNullable<Client.Options["through"]>

/** Around the calls of the client, of the frontend, and of the backend. */
type Layers = readonly [client: Through, frontend: Through, backend: Through]

/** A caller gives up after the one that it calls has. */
const limits = ["12 seconds", "3 seconds", "500 millis"] as const

const schedule = Backoff.exponential({ base: "50 millis", maxDelay: "1 second" })
const retry = (funding?: RetryBudget.Funding) =>
  Retry.make({
    times: 3,
    schedule,
    ...funding === undefined ? {} : { budget: RetryBudget.makeUnsafe({ funding }) }
  })

/** Three retries where it says so, and the same limits for all. */
const layers = (retries: readonly [boolean, boolean, boolean], funding?: RetryBudget.Funding): Layers => {
  const of = (i: 0 | 1 | 2): Through => [...retries[i] ? [retry(funding)] : [], Timeout.attempt(limits[i])]
  return [of(0), of(1), of(2)]
}

const each = [true, true, true] as const

const stacks = {
  "no retries": () => layers([false, false, false]),
  "at the client": () => layers([true, false, false]),
  "next to the database": () => layers([false, false, true]),
  "next to it, budget of a tenth": () =>
    layers([false, false, true], RetryBudget.traffic({ ratio: 0.1, minPerSecond: 1 })),
  "at each layer": () => layers(each),
  "at each, budgets of traffic": () => layers(each, RetryBudget.traffic({ ratio: 0.2, minPerSecond: 1 })),
  "at each, budgets of tokens": () => layers(each, RetryBudget.tokens()),
  "Pipelines.standard at each": () => {
    const standard = () => Pipelines.makeStandardUnsafe()
    return [standard(), standard(), standard()] as const
  }
} as const satisfies Record<string, () => Layers>

type Stack = keyof typeof stacks
const stackNames = Object.keys(stacks) as ReadonlyArray<Stack>

const singles = ["at the client", "next to the database"] as const
const retrying = stackNames.filter((stack) => stack !== "no retries")
const drawn = [
  "no retries",
  "next to the database",
  "at each layer",
  "at each, budgets of traffic",
  "Pipelines.standard at each"
] as const satisfies ReadonlyArray<Stack>

const perSecond = 50
/** In seconds. */
const outage = { from: 60, until: 90 }
/** Of the plot, in seconds: where it begins, and what a point counts together. */
const drawnFrom = 30
const step = 3

const scenarios = {
  /** The database refuses everything at once, all the time. */
  down: { incidents: [Server.crash({ from: 0, until: "1 day" })] },
  /** For half a minute all of its answers are failures, each of which takes as long as an answer. */
  outage: { incidents: [Server.errors({ from: outage.from * 1000, until: outage.until * 1000, ratio: 1 })] },
  /** One in a hundred of its answers is a failure. */
  day: { errors: 0.01 }
} as const satisfies Record<string, Partial<Server.Options>>

type Scenario = keyof typeof scenarios
const scenarioNames = Object.keys(scenarios) as ReadonlyArray<Scenario>

interface Job {
  readonly seed: number
  readonly scenario: Scenario
  readonly stack: Stack
  readonly seconds: number
}

interface Found {
  readonly amplification: number
  readonly failed: number
  readonly calls: number
  /** of the outage: seconds after its end, `null` if there is no recovery */
  readonly recovered: number | null
  readonly requests: ReadonlyArray<number>
  readonly answered: ReadonlyArray<number>
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((all, value) => all + value, 0)

const measure = ({ scenario, seconds, seed, stack }: Job): Found => {
  const [atClient, atFrontend, atBackend] = stacks[stack]()
  const database = Server.make({
    name: "database",
    capacity: 5,
    times: Times.constant("10 millis"),
    ...scenarios[scenario]
  })
  const backend = Server.make({
    name: "backend",
    times: Times.constant("1 millis"),
    calls: [{ to: database, through: atBackend }]
  })
  const frontend = Server.make({
    name: "frontend",
    times: Times.constant("1 millis"),
    calls: [{ to: backend, through: atFrontend }]
  })
  const report = Simulation.run({
    clients: [Client.make({ load: Load.poisson({ perSecond }), to: frontend, through: atClient })],
    duration: seconds * 1000,
    interval: "1 second",
    seed
  })
  const client = report.clients[0]!
  const { arrived, series: { arrived: requests } } = report.servers.find(({ name }) => name === "database")!
  const during = (series: ReadonlyArray<number>) => sum(series.slice(outage.from, outage.until))
  const recovered = Report.timeToRecover(report, { after: outage.until * 1000 })
  return {
    amplification: scenario === "outage"
      ? during(requests) / during(client.series.offered)
      : arrived / client.offered,
    failed: client.failed + client.unfinished,
    calls: client.offered,
    recovered: recovered === undefined ? null : recovered / 1000,
    requests: scenario === "outage" ? requests.slice(0, seconds) : [],
    answered: scenario === "outage" ? client.series.succeeded.slice(0, seconds) : []
  }
}

export default Experiment.make<Job, Found>({
  name: "amplification",
  title: "Amplification: retries through three layers",
  source: "Site Reliability Engineering, chapter 22, \"Addressing Cascading Failures\", O'Reilly 2016; Marc Brooker, " +
    "\"Timeouts, retries, and backoff with jitter\", Amazon Builders' Library, 2019",
  jobs: ({ quick, seeds }) => {
    const seconds = { down: quick ? 10 : 60, outage: quick ? 110 : 200, day: quick ? 100 : 300 } as const
    return seeds.flatMap((seed) =>
      scenarioNames.flatMap((scenario) =>
        stackNames.map((stack) => ({ seed, scenario, stack, seconds: seconds[scenario] }))
      )
    )
  },
  measure,
  report: (measured) => {
    const cases = groupBy(measured, ({ job }) => `${job.scenario} ${job.stack}`)
    const of = (scenario: Scenario, stack: Stack) => cases.get(`${scenario} ${stack}`)!.map(({ found }) => found)
    const requests = (scenario: Scenario, stack: Stack): Summary =>
      summary(of(scenario, stack).map(({ amplification }) => amplification))
    const backAfter = (stack: Stack): number =>
      Math.max(...of("outage", stack).map(({ recovered }) => recovered ?? Infinity))
    const failed = (stack: Stack): number => summary(of("day", stack).map(({ calls, failed }) => failed / calls)).mean
    const found = (scenario: Scenario, stack: Stack): string => requests(scenario, stack).mean.toFixed(2)
    const shownAfter = (stack: Stack): string =>
      backAfter(stack) === Infinity ? "never" : `${backAfter(stack).toFixed(0)} s`
    const lines = (what: "requests" | "answered") =>
      drawn.flatMap((name) => {
        const all = of("outage", name)
        const points = all[0]!.requests.flatMap((_, at) => {
          if (at < drawnFrom || at % step > 0) return []
          const rates = all.map((one) => sum(one[what].slice(at, at + step)) / one[what].slice(at, at + step).length)
          return [{ at: at * 1000, ...summary(rates) }]
        })
        return [
          Plot.band({ name, points: points.map(({ at, high, low }) => [at, Math.max(0, low), high]) }),
          Plot.line({ name, points: points.map(({ at, mean }) => [at, mean]) })
        ]
      })
    const failing = Plot.span({ name: "all answers are failures", from: outage.from * 1000, to: outage.until * 1000 })
    return {
      tables: {
        stacks: {
          columns: ["retries", "down", "outage", "back after", "failed"],
          rows: stackNames.map((stack) => [
            stack,
            found("down", stack),
            found("outage", stack),
            shownAfter(stack),
            `${(failed(stack) * 100).toFixed(2)} %`
          ])
        }
      },
      plots: {
        "": Plot.svg({
          title: "Half a minute without a database, by where the retries are",
          x: Plot.duration({ label: "time since the start", from: drawnFrom * 1000 }),
          panels: [
            {
              y: { label: "requests per second", scale: "logarithmic", from: 1 },
              height: 220,
              marks: [failing, ...lines("requests")]
            },
            {
              y: { label: "calls answered per second", from: 0 },
              height: 160,
              marks: [{ ...failing, name: "" }, ...lines("answered")]
            }
          ]
        })
      },
      checks: [
        {
          claim: "three retries at each of three layers make 64 requests of a call that fails",
          holds: Math.abs(requests("down", "at each layer").mean - 64) < 0.5,
          found: found("down", "at each layer")
        },
        {
          claim: "three retries at one layer, whichever, make 4",
          holds: singles.every((stack) => Math.abs(requests("down", stack).mean - 4) < 0.05),
          found: singles.map((stack) => found("down", stack)).join(" and ")
        },
        {
          claim: "with a budget of a tenth of the calls, one layer makes 1.1",
          holds: Math.abs(requests("outage", "next to it, budget of a tenth").mean - 1.1) < 0.06,
          found: found("outage", "next to it, budget of a tenth")
        },
        {
          claim: "retries at one layer do as much for the calls of a usual day as retries at each",
          holds: failed("no retries") > 0.008 && retrying.every((stack) => failed(stack) < 0.0005),
          found: `${(failed("no retries") * 100).toFixed(2)} % fail without, ${
            (Math.max(...retrying.map(failed)) * 100).toFixed(2)
          } % at most with`
        },
        {
          claim: "after an outage, retries at each layer keep the service down, and retries at one layer do not",
          holds: backAfter("at each layer") === Infinity && singles.every((stack) => backAfter(stack) <= 5),
          found: `${shownAfter("at each layer")}, against ${singles.map(shownAfter).join(" and ")}`
        },
        {
          claim: "budgets of a fifth of the traffic still multiply, to 1.2 x 1.2 x 1.2",
          holds: Math.abs(requests("outage", "at each, budgets of traffic").mean - 1.2 ** 3) < 0.15,
          found: found("outage", "at each, budgets of traffic")
        },
        {
          claim: "budgets of tokens nearly end the retries in an outage",
          holds: requests("outage", "at each, budgets of tokens").mean < 1.2,
          found: found("outage", "at each, budgets of tokens")
        },
        {
          claim:
            "Pipelines.standard at each layer sends the database less than without retries, and is back within 30 s",
          holds: requests("outage", "Pipelines.standard at each").mean < 1 &&
            backAfter("Pipelines.standard at each") < 30,
          found: `${found("outage", "Pipelines.standard at each")}, ${shownAfter("Pipelines.standard at each")}`
        }
      ]
    }
  }
})
