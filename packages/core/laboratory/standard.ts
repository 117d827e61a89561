import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { Pipelines, RetryBudget } from "../src/index.ts"
import { fleet, fleetFloors, floors, rates, report } from "./standard/report.ts"
import type { Job, Seeded } from "./standard/results.ts"
import { backlog, type Found, meet, starved } from "./standard/runs.ts"
import { stackOf, sweepNames, sweepOf, valueOf } from "./standard/sweeps.ts"
import { type EventName, isMet, type WorldName, worlds } from "./standard/worlds.ts"

/** Each value of each sweep in each event, and the defaults once for all sweeps. */
const incidents = (): ReadonlyArray<Job> => {
  const jobs = new Map<string, Job>()
  const add = (job: Job): void => void jobs.set(JSON.stringify(job), job)
  const all = Object.keys(worlds) as ReadonlyArray<WorldName>
  for (const sweep of sweepNames) {
    const { chosen, events, near, thin = false, values } = sweepOf(sweep)
    for (const world of all) {
      for (const event of world === "peak" ? events.slice(0, 2) : events) {
        if (!isMet(world, event) || (world === "thin" && !thin)) continue
        add({ _tag: "Incident", world, event })
        for (const { label: value } of values) {
          if (value !== chosen && (near.includes(value) || world !== "peak")) {
            add({ _tag: "Incident", world, event, sweep, value })
          }
        }
      }
    }
  }
  return [...jobs.values()]
}

/** For the budgets: what else they are judged by. */
const ofBudgets = (): ReadonlyArray<Job> => [
  ...sweepNames.flatMap((sweep) =>
    sweepOf(sweep).values.flatMap(({ budget, label: value }): ReadonlyArray<Job> =>
      budget === undefined ? [] : [{ _tag: "Backlog", sweep, value }]
    )
  ),
  // a fleet of many that are quiet
  ...fleetFloors.map((value): Job => ({ _tag: "Backlog", sweep: "floor", value, processes: fleet })),
  ...rates.flatMap((perMinute) => floors.map((floor): Job => ({ _tag: "Starved", perMinute, floor })))
]

/** What the claims of a quick run need. */
const quickly: ReadonlyArray<Job> = [
  ...[0, 10].flatMap((floor): ReadonlyArray<Job> => [
    { _tag: "Starved", perMinute: 1, floor },
    { _tag: "Backlog", sweep: "floor", value: String(floor) }
  ]),
  { _tag: "Incident", world: "busy", event: "a hang, callers wait 1.5 s" },
  { _tag: "Incident", world: "busy", event: "a long outage" },
  { _tag: "Incident", world: "busy", event: "a long outage", sweep: "growth", value: "doubling to 5 min" }
]

const alone = (recovery: number): Found => ({ lost: 0, load: 0, wait: 0, recovery })

export default Experiment.make<Seeded, Found>({
  name: "standard",
  title: "The defaults of Pipelines.makeStandard, and what it costs to be wrong by two",
  source: "our own; the order is that of .NET's standard resilience handler, the budget that of gRFC A6",
  jobs: ({ quick, seeds }) => {
    const cases = quick ? quickly : [...incidents(), ...ofBudgets()]
    const all = seeds.flatMap((seed) => cases.map((of) => ({ seed, of })))
    const whole = (
      event: EventName
    ) => ({ seed: seeds[0]!, of: { _tag: "Incident", world: "peak", event, fleet: 20 } } as const)
    return quick ? all : [...all, whole("an outage"), whole("a slow phase")]
  },
  measure: ({ of: job, seed }) => {
    switch (job._tag) {
      case "Starved":
        return {
          ...alone(0),
          lost: starved(
            job.perMinute,
            RetryBudget.makeUnsafe({ funding: RetryBudget.tokens({ minPerMinute: job.floor }) }),
            seed
          )
        }
      case "Backlog":
        return alone(backlog(valueOf(job.sweep, job.value).budget?.(), seed, job.processes))
      case "Incident": {
        const stack = job.sweep === undefined || job.value === undefined
          ? Pipelines.makeStandardUnsafe() :
          stackOf(valueOf(job.sweep, job.value))
        return meet(job.world, job.event, stack, seed, job.fleet)
      }
    }
  },
  report
})
