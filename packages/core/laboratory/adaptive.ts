import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { mean } from "../../../tools/laboratory/src/Seeds.ts"
import * as AdaptiveLimit from "../src/AdaptiveLimit.ts"
import * as Bulkhead from "../src/Bulkhead.ts"
import * as Plot from "../src/plot/index.ts"
import type * as Policy from "../src/Policy.ts"
import { Client, Load, Server, Simulation, Times } from "../src/simulation/index.ts"

/** A worker needs so long for a request on average, in milliseconds. */
const service = 100

/** In seconds, at the end of each phase, from a minute after the step on: what a limit has settled at. */
const settled = 15
/** Times what the backend can do at best. */
const overload = 1.5
const tolerance = 0.15

interface Algorithm {
  readonly make: (options: { readonly initialConcurrency?: number; readonly within: number }) => Policy.Any
  /** what the backend does with a request for which it has no worker */
  readonly full: "refuses" | "queues"
}

const adaptive = (algorithm: AdaptiveLimit.Algorithm): Algorithm["make"] => (options) =>
  AdaptiveLimit.makeUnsafe({ algorithm, ...options })

const algorithms = {
  "aimd": { make: adaptive(AdaptiveLimit.aimd()), full: "refuses" },
  "vegas": { make: adaptive(AdaptiveLimit.vegas()), full: "queues" },
  "gradient2": { make: adaptive(AdaptiveLimit.gradient2()), full: "queues" },
  "fixed at 50": { make: () => Bulkhead.makeUnsafe({ concurrency: 50 }), full: "queues" },
  "aimd, it queues": { make: adaptive(AdaptiveLimit.aimd()), full: "queues" },
  "vegas, it refuses": { make: adaptive(AdaptiveLimit.vegas()), full: "refuses" },
  "gradient2, it refuses": { make: adaptive(AdaptiveLimit.gradient2()), full: "refuses" }
} as const satisfies Record<string, Algorithm>

type Name = keyof typeof algorithms
const all = Object.keys(algorithms) as ReadonlyArray<Name>
const followers = ["aimd", "vegas", "gradient2"] as const satisfies ReadonlyArray<Name>
const shown = [...followers, "fixed at 50"] as const satisfies ReadonlyArray<Name>

/** So many workers, for so many seconds. */
type Phase = readonly [workers: number, seconds: number]

const stairs = {
  up: [[50, 120], [80, 75], [50, 75]],
  down: [[100, 180], [60, 75], [100, 75]],
  double: [[50, 120], [100, 75], [50, 75]],
  small: [[20, 60], [10, 75], [20, 75]],
  large: [[100, 60], [200, 75]],
  constant: [[50, 600]]
} as const satisfies Record<string, ReadonlyArray<Phase>>

type Stairs = keyof typeof stairs
/** where a limit has to follow */
const steps = ["up", "down", "double"] as const satisfies ReadonlyArray<Stairs>

const windows = [1000, 250]

interface Job {
  readonly algorithm: Name
  readonly stairs: Stairs
  /** of a window of the limit, in milliseconds */
  readonly within: number
  /** the limit at the start; the default, if there is none */
  readonly start?: number
  readonly seed: number
}

interface Found {
  /** the average limit of each second */
  readonly limits: ReadonlyArray<number>
  /** calls per second that succeed */
  readonly goodput: ReadonlyArray<number>
}

/** The average of a value that changes now and then, for each second. */
const averages = (
  changes: ReadonlyArray<readonly [at: number, value: number]>,
  seconds: number
): ReadonlyArray<number> => {
  const sums = Array.from({ length: seconds }, () => 0)
  changes.forEach(([from, value], i) => {
    const until = Math.min(changes[i + 1]?.[0] ?? Infinity, seconds * 1000)
    for (let at = from; at < until;) {
      const second = Math.floor(at / 1000)
      const next = Math.min((second + 1) * 1000, until)
      sums[second]! += value * (next - at) / 1000
      at = next
    }
  })
  return sums
}

interface Turn {
  readonly workers: number
  readonly from: number
  readonly until: number
}

const turnsOf = (phases: ReadonlyArray<Phase>): ReadonlyArray<Turn> => {
  let from = 0
  return phases.map(([workers, seconds]) => ({ workers, from, until: from += seconds }))
}

const measure = ({ algorithm, seed, stairs: name, start, within }: Job): Found => {
  const { full, make } = algorithms[algorithm]
  const turns = turnsOf(stairs[name])
  const seconds = turns.at(-1)!.until
  const first = turns[0]!.workers
  const changes: Array<readonly [number, number]> = [[0, algorithm === "fixed at 50" ? 50 : start ?? 20]]
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond: overload * Math.max(...turns.map(({ workers }) => workers)) * 1000 / service }),
      to: Server.make({
        name: "backend",
        capacity: first,
        times: Times.exponential(service),
        queue: full === "queues" ? {} : { limit: 0 },
        incidents: turns.filter(({ workers }) => workers !== first).map(({ from, until, workers }) =>
          Server.capacity({ from: from * 1000, until: until * 1000, capacity: workers })
        )
      }),
      through: [make({ within, ...start === undefined ? {} : { initialConcurrency: start } })]
    })],
    duration: seconds * 1000,
    interval: 1000,
    seed,
    listener: (event, at) => {
      if (event._tag === "LimitChanged") changes.push([at, event.to])
    }
  })
  return { limits: averages(changes, seconds), goodput: report.clients[0]!.series.succeeded.slice(0, seconds) }
}

const casesOf = (quick: boolean): ReadonlyArray<Omit<Job, "seed">> => {
  const each = (some: ReadonlyArray<Name>, stairs: Stairs, within = 1000) =>
    some.map((algorithm) => ({ algorithm, stairs, within }))
  if (quick) return each(shown, "up")
  return [
    ...each(all, "up"),
    ...each(followers, "down"),
    ...each(followers, "double"),
    ...each(all.filter((name) => name !== "fixed at 50"), "small"),
    ...windows.flatMap((within) => each(followers, "large", within).map((one) => Object.assign(one, { start: 100 }))),
    ...each(followers, "constant")
  ]
}

const times = (n: number): string => n.toFixed(2)
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

/** The first second of a turn from which on the limit stays within the tolerance, on average of five seconds. */
const settlesAfter = (limits: ReadonlyArray<number>, { from, until, workers }: Turn): number => {
  let after = 0
  for (let second = from; second + 5 <= until; second++) {
    const near = Math.abs(mean(limits.slice(second, second + 5)) / workers - 1) <= tolerance
    if (!near) after = second + 1 - from
  }
  return from + after + 5 > until ? Infinity : after
}

export default Experiment.make<Job, Found>({
  name: "adaptive",
  title: "Adaptive concurrency: a limit that follows what the backend can do",
  source:
    "Eran Landau, William Thurston, Tim Bozarth, \"Performance Under Load\", Netflix Technology Blog, March 2018, and " +
    "Netflix/concurrency-limits",
  jobs: ({ quick, seeds }) =>
    casesOf(quick).flatMap((one) => (quick ? seeds.slice(0, 1) : seeds).map((seed) => Object.assign({ seed }, one))),
  measure,
  report: (measured, { quick }) => {
    const of = (algorithm: Name, name: Stairs, within = 1000) =>
      measured.filter(({ job }) => job.algorithm === algorithm && job.stairs === name && job.within === within)
        .map(({ found }) => found)
    /** what each seed has settled at, in times of the workers that there are */
    const at = (algorithm: Name, name: Stairs, turn: Turn, what: keyof Found = "limits", within = 1000) => {
      const best = what === "limits" ? turn.workers : turn.workers * 1000 / service
      return of(algorithm, name, within).map((found) =>
        mean(found[what].slice(turn.until - settled, turn.until)) / best
      )
    }
    const after = (name: Stairs) => turnsOf(stairs[name]).slice(1)
    const followed = quick ? ["up"] as const : steps
    const settles = (algorithm: Name) =>
      followed.flatMap((name) => after(name).map((turn) => at(algorithm, name, turn)))
    const range = (values: ReadonlyArray<number>) => {
      const [least, most] = [times(Math.min(...values)), times(Math.max(...values))]
      return least === most ? least : `${least} to ${most}`
    }
    const near = (ratio: number) => Math.abs(ratio - 1) <= tolerance
    const within = (algorithm: Name) => {
      const ratios = settles(algorithm).flat()
      return { holds: ratios.every(near), found: `${range(ratios)} times the workers` }
    }
    const used = followers.map((algorithm) =>
      mean(followed.flatMap((name) => after(name).flatMap((turn) => at(algorithm, name, turn, "goodput"))))
    )
    const [grown] = after("up")
    const unused = mean(at("fixed at 50", "up", grown!, "goodput"))
    const checks = [
      { claim: "aimd is within 15 % of the workers within a minute of each step, with each seed", ...within("aimd") },
      { claim: "vegas is within 15 % of the workers within a minute of each step, with each seed", ...within("vegas") },
      {
        claim: "a limit that follows uses what the backend can do, one that is fixed does not",
        holds: used.every((share) => share > 0.9) && unused < 0.7,
        found: `${followers.map((name, i) => `${name} ${percent(used[i]!)}`).join(", ")}, fixed at 50 of 80 ${
          percent(unused)
        }`
      }
    ]
    const row = (algorithm: Name, name: Stairs) => {
      const turns = after(name)
      const { full } = algorithms[algorithm]
      return [
        algorithm.split(",")[0]!,
        full,
        [turnsOf(stairs[name])[0]!, ...turns].map(({ workers }) => workers).join(", "),
        ...turns.flatMap((
          turn
        ) => [range(at(algorithm, name, turn)), percent(mean(at(algorithm, name, turn, "goodput")))])
      ]
    }
    const columns = [
      "limit",
      "the backend",
      "workers",
      "limit after the first step",
      "used",
      "after the second",
      "used"
    ]
    const table = (rows: ReadonlyArray<ReadonlyArray<string>>) => ({ columns, rows })
    const large = { columns: ["limit", ...windows.map((millis) => `windows of ${millis} ms`)] }
    const drift = { columns: ["limit", "after 2 min", "after 10 min"] }
    if (quick) {
      return {
        tables: {
          steps: table(shown.map((algorithm) => row(algorithm, "up"))),
          others: table([]),
          large: { ...large, rows: [] },
          drift: { ...drift, rows: [] }
        },
        plots: {},
        checks
      }
    }

    const ofGradient2 = followed.flatMap((name) =>
      after(name).map((turn) => ({ workers: turn.workers, ratio: mean(at("gradient2", name, turn)) }))
    )
    const gradients = (holds: (workers: number) => boolean) =>
      ofGradient2.filter(({ workers }) => holds(workers)).map(({ ratio }) => ratio)
    const [many, few] = [gradients((workers) => workers >= 60), gradients((workers) => workers < 60)]
    const [doubled] = after("large")
    const reached = (algorithm: Name, millis: number) => at(algorithm, "large", doubled!, "limits", millis)
    const small = after("small").flatMap((turn) =>
      (["vegas", "gradient2"] as const).map((algorithm) => mean(at(algorithm, "small", turn)))
    )
    const minutes = (algorithm: Name, until: number) => mean(at(algorithm, "constant", { workers: 50, from: 0, until }))
    const creep = (algorithm: Name) => minutes(algorithm, 600) / minutes(algorithm, 120)
    const seconds = turnsOf(stairs.up).at(-1)!.until
    const series = (what: keyof Found) =>
      shown.map((name) => {
        const runs = of(name, "up").map((found) => found[what])
        return Plot.line({
          name,
          points: Array.from({ length: seconds }, (_, i): Plot.Point => [
            (i + 0.5) * 1000,
            mean(runs.map((run) => run[i]!))
          ])
        })
      })
    const truth = (per: number) =>
      Plot.line({
        name: "what the backend can do",
        steps: true,
        points: [
          ...turnsOf(stairs.up).map(({ from, workers }): Plot.Point => [from * 1000, workers * per]),
          [seconds * 1000, turnsOf(stairs.up).at(-1)!.workers * per]
        ]
      })
    return {
      tables: {
        steps: table([
          ...shown.map((algorithm) => row(algorithm, "up")),
          ...followers.map((algorithm) => row(algorithm, "down")),
          ...followers.map((algorithm) => row(algorithm, "double"))
        ]),
        others: table([
          ...all.slice(shown.length).map((algorithm) => row(algorithm, "up")),
          ...all.filter((name) => name !== "fixed at 50").map((algorithm) => row(algorithm, "small"))
        ]),
        large: {
          ...large,
          rows: followers.map((algorithm) => [
            algorithm,
            ...windows.map((millis) => {
              const ratios = reached(algorithm, millis)
              const after = of(algorithm, "large", millis).map(({ limits }) => settlesAfter(limits, doubled!))
              const slowest = Math.max(...after)
              return `${range(ratios)}${slowest < Infinity ? `, within 15 % after ${slowest} s` : ""}`
            })
          ])
        },
        drift: {
          ...drift,
          rows: followers.map((algorithm) => [
            algorithm,
            times(minutes(algorithm, 120)),
            times(minutes(algorithm, 600))
          ])
        }
      },
      plots: {
        "": Plot.svg({
          title: "A backend that has 50 workers, then 80, then 50",
          x: Plot.duration({ label: "time since the start", to: seconds * 1000 }),
          panels: [
            { y: { label: "calls at once" }, height: 260, marks: [truth(1), ...series("limits")] },
            {
              y: { label: "calls per second that succeed" },
              height: 220,
              marks: [truth(1000 / service), ...series("goodput")]
            }
          ]
        })
      },
      checks: [
        ...checks,
        {
          claim: "gradient2 is within 15 % with 60 workers and more, and within 20 % with 50, on average of the seeds",
          holds: many.every(near) && few.every((ratio) => Math.abs(ratio - 1) <= 0.2),
          found: `${range(many)} and ${range(few)} times the workers; single runs ${range(settles("gradient2").flat())}`
        },
        {
          claim:
            "aimd and gradient2 do not reach 200 workers from 100 in a minute with windows of a second, and do with a quarter of that",
          holds: (["aimd", "gradient2"] as const).every((algorithm) =>
            !near(mean(reached(algorithm, 1000))) && near(mean(reached(algorithm, 250)))
          ),
          found: (["aimd", "gradient2"] as const).map((algorithm) =>
            `${algorithm} ${windows.map((millis) => times(mean(reached(algorithm, millis)))).join(" and ")}`
          ).join(", ")
        },
        {
          claim: "with 10 or 20 workers vegas and gradient2 settle more than 15 % too high",
          holds: small.every((ratio) => ratio > 1 + tolerance),
          found: `${range(small)} times the workers`
        },
        {
          claim: "behind a backend that is always full gradient2 creeps up, and the others do not",
          holds: creep("gradient2") > 1.05 &&
            (["aimd", "vegas"] as const).every((name) => Math.abs(creep(name) - 1) < 0.05),
          found: followers.map((name) => `${name} ${times(creep(name))} times`).join(", ") + " in eight minutes"
        }
      ]
    }
  }
})
