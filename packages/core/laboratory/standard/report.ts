/** What the page and the terminal show. */
import type { Check, Measured, Plan, Report, Table } from "../../../../tools/laboratory/src/Experiment.ts"
import { summary } from "../../../../tools/laboratory/src/Seeds.ts"
import * as Plot from "../../src/plot/index.ts"
import { drawn, pictureOf } from "./pictures.ts"
import { half, type Job, objectives, Results, type Seeded, shown, signed } from "./results.ts"
import type { Found } from "./runs.ts"
import { type SweepName, sweepNames, sweepOf } from "./sweeps.ts"
import { type EventName, type WorldName, worlds } from "./worlds.ts"

/** Calls a minute, and what time pays, for the question who is starved. */
export const rates = [1, 3, 10, 30, 100, 300, 1000]
export const floors = [0, 2, 10, 60]

/** For the same question of a fleet whose processes make three calls a minute each. */
export const fleet = 5600
export const fleetFloors = ["0", "10"]

const worldNames = Object.keys(worlds) as ReadonlyArray<WorldName>

/** Where the values were measured, in order. */
const placesOf = (results: Results, sweep: SweepName) =>
  worldNames.filter((world) => world !== "thin" || sweepOf(sweep).thin === true).flatMap((world) =>
    sweepOf(sweep).events.flatMap((event) =>
      results.founds({ _tag: "Incident", world, event }).length === 0 ? [] : [{ world, event }]
    )
  )

const same = [["all", "all", "all", "as well", "", "as well"]]

/** What differs beyond the band, where values are near. */
const tableOf = (results: Results, sweep: SweepName): Table => {
  const { chosen, near: [less, more] } = sweepOf(sweep)
  const rows = placesOf(results, sweep).flatMap(({ event, world }) =>
    objectives.flatMap((objective) => {
      const differences = [less!, more!].map((value) => results.difference(world, event, sweep, value, objective))
      if (differences.every((difference) => difference === undefined || difference.is === "same")) return []
      const usual = results.summary({ _tag: "Incident", world, event }, objective)!
      const [below, above] = differences.map((difference) =>
        difference === undefined
          ? ""
          : difference.is === "same"
          ? "as well"
          : `${difference.is}: ${signed(objective, difference)}`
      )
      return [[world, event, objective, below!, shown(objective, usual.mean), above!]]
    })
  )
  return {
    columns: ["workload", "event", "", less!, `${chosen}, the default`, more!],
    rows: rows.length > 0 ? rows : same
  }
}

/** What a value is better and worse in, on which workloads. */
const judged = (results: Results, sweep: SweepName, value: string) => {
  const found = placesOf(results, sweep).flatMap(({ event, world }) =>
    objectives.flatMap((objective) => {
      const difference = results.difference(world, event, sweep, value, objective)
      return difference === undefined || difference.is === "same" ? [] : [{ world, is: difference.is }]
    })
  )
  const on = (is: "better" | "worse") =>
    worldNames.filter((world) => found.some((each) => each.is === is && each.world === world))
  return { sweep, value, better: on("better"), worse: on("worse") }
}

const verdicts = (results: Results) =>
  sweepNames.flatMap((sweep) => sweepOf(sweep).near.map((value) => judged(results, sweep, value)))

const verdictTable = (results: Results): Table => ({
  columns: ["setting", "default", "instead", "better at", "worse at"],
  rows: verdicts(results).map(({ better, sweep, value, worse }) => [
    sweepOf(sweep).title,
    sweepOf(sweep).chosen,
    value,
    better.join(", ") || "nothing",
    worse.join(", ") || "nothing"
  ])
})

const backlogJob = (sweep: SweepName, value: string, processes?: number): Job => ({
  _tag: "Backlog",
  sweep,
  value,
  ...processes === undefined ? {} : { processes }
})

const backlogTable = (results: Results): Table => {
  const row = (budget: string, job: Job) => {
    const found = results.summary(job, "recovery")
    if (found === undefined) return []
    const millis = `${Math.round(found.mean / 1000)}s ±${Math.round(half(found) / 1000)}s`
    return [[budget, found.mean >= never ? "never" : millis]]
  }
  const name = (sweep: SweepName, label: string) =>
    sweep === "funding" ? label : `${sweep === "tokens" ? "maxTokens" : "minPerMinute"} ${label}`
  return {
    columns: ["budget", "the database recovers after"],
    rows: [
      ...(["funding", "tokens", "floor"] as const).flatMap((sweep) =>
        sweepOf(sweep).values.flatMap(({ label }) => row(name(sweep, label), backlogJob(sweep, label)))
      ),
      ...fleetFloors.flatMap((floor) =>
        row(`minPerMinute ${floor}, in ${fleet.toLocaleString("en-US")} processes`, backlogJob("floor", floor, fleet))
      )
    ]
  }
}

/** The end of that run. */
const never = 210_000

const starvedJob = (perMinute: number, floor: number): Job => ({ _tag: "Starved", perMinute, floor })

const starvedPicture = (results: Results): string =>
  Plot.svg({
    title: "Calls that fail in the hour after an outage, while 5 % of the answers are failures",
    x: { label: "calls a minute", scale: "logarithmic", ticks: () => rates },
    panels: [{
      y: { label: "calls that fail", from: 0, format: (share: number) => `${(share * 100).toFixed(0)} %` },
      marks: floors.flatMap((floor) =>
        drawn(results, `minPerMinute ${floor}`, "lost", rates.map((at) => ({ at, job: starvedJob(at, floor) })))
      )
    }]
  })

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

const checksOf = (results: Results, quick: boolean): ReadonlyArray<Check> => {
  const mean = (job: Job, objective: keyof Found): number => results.summary(job, objective)?.mean ?? Number.NaN
  const incident = (world: WorldName, event: EventName): Job => ({ _tag: "Incident", world, event })
  const all = verdicts(results)
  // a workload that a setting makes no difference to has no say in it, and the thin one is no reason
  const felt = (sweep: SweepName) =>
    new Set(
      all.filter((each) => each.sweep === sweep).flatMap(({ better, worse }) => better.concat(worse))
        .filter((world) => world !== "thin")
    )
  const dominating = all.filter(({ better, sweep, worse }) => {
    const where = felt(sweep)
    return worse.length === 0 && where.size > 0 && [...where].every((world) => better.includes(world))
  })
  const starving = [0, 10].map((floor) => mean(starvedJob(1, floor), "lost"))
  const pays = [0, 10].map((floor) => mean(backlogJob("floor", String(floor)), "recovery") / 1000)
  const waits = "a hang, callers wait 1.5 s"
  const sent = mean(incident("busy", waits), "load")
  const [late, load] = (["recovery", "load"] as const).map((objective) =>
    results.difference("busy", "a long outage", "growth", "doubling to 5 min", objective)
  )
  const checks: ReadonlyArray<Check> = [
    {
      claim: "at a call a minute, an outage does not use up the retries: with minPerMinute 0 it does",
      holds: starving[0]! > 0.03 && starving[1]! < 0.005,
      found: `${percent(starving[1]!)} of the calls fail in the hour afterwards, ${percent(starving[0]!)} without it`
    },
    {
      claim: "what time pays for does not keep an overloaded database down",
      holds: pays[1]! < pays[0]! + 5,
      found: `recovers after ${pays[1]!.toFixed(0)}s, without it after ${pays[0]!.toFixed(0)}s`
    },
    {
      claim: "a callee that hangs opens the circuit although each caller gives up after 1.5 s",
      holds: sent < 0.9,
      found: `${sent.toFixed(2)} requests for each call at 100 a second`
    },
    {
      claim: "a time open that doubles to 5 minutes recovers later than one that doubles to 30 s, and sends no less",
      holds: late?.is === "worse" && load?.is === "same",
      found: `${late === undefined ? "?" : signed("recovery", late)} after an outage of 2 minutes`
    }
  ]
  if (quick) return checks
  const lasting = ["traffic, 20 %", "in flight, 20 %", "no budget"].map((value) =>
    mean(backlogJob("funding", value), "recovery")
  )
  const worst = Math.max(...rates.map((rate) => mean(starvedJob(rate, 10), "lost")))
  const parts = (["an outage", "a slow phase"] as const).map((event) => {
    const whole = results.founds({ ...incident("peak", event), fleet: 20 } as Job)[0]
    const part = summary(results.founds(incident("peak", event)).map(({ lost }) => lost))
    return whole === undefined ? Number.NaN : Math.abs(whole.lost - part.mean)
  })
  return [
    {
      claim:
        "no value next to a default is better than it beyond the band on all workloads that feel the setting, and worse in nothing",
      holds: dominating.length === 0,
      found: dominating.map(({ sweep, value }) => `${sweep} ${value}`).join(", ") || `none of ${all.length}`
    },
    ...checks,
    {
      claim: "traffic, calls in flight, and no budget at all keep an overloaded database down; tokens let it recover",
      holds: lasting.every((millis) => millis >= never) && mean(backlogJob("funding", "tokens"), "recovery") < never,
      found: `tokens after ${(mean(backlogJob("funding", "tokens"), "recovery") / 1000).toFixed(0)}s, the others never`
    },
    {
      claim:
        "no rate from a call a minute to 1,000 is starved after an outage: fewer than 1 % of the calls fail in the hour afterwards",
      holds: worst < 0.01,
      found: `${percent(worst)} at most`
    },
    {
      claim: "a twentieth of 10,000 calls a second stands for all of them",
      holds: parts.every((difference) => difference < 0.1),
      found: `twenty processes lose ${parts.map(percent).join(" and ")} more or less of the calls`
    }
  ]
}

export const report = (measured: ReadonlyArray<Measured<Seeded, Found>>, { quick }: Plan): Report => {
  const results = new Results(measured)
  return {
    tables: {
      verdicts: verdictTable(results),
      ...Object.fromEntries(sweepNames.map((name) => [name, tableOf(results, name)])),
      backlog: backlogTable(results)
    },
    plots: {
      ...Object.fromEntries(sweepNames.flatMap((name) => {
        const picture = pictureOf(results, name)
        return picture === undefined ? [] : [[name, picture]]
      })),
      starved: starvedPicture(results)
    },
    checks: checksOf(results, quick)
  }
}
