import type * as Exit from "effect/Exit"
import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { mean, summary } from "../../../tools/laboratory/src/Seeds.ts"
import * as AdaptiveThrottle from "../src/AdaptiveThrottle.ts"
import * as Fault from "../src/Fault.ts"
import * as Plot from "../src/plot/index.ts"
import { Client, Load, Report, Server, Simulation, Times } from "../src/simulation/index.ts"

/** A backend with ten workers, of 200 ms for an answer: 50 a second. Ten processes call it. */
const workers = 10
const perSecond = 50
const processes = 10

/** A backend whose queue is full refuses: to a throttle that is what 429 is. */
const classify = (exit: Exit.Exit<unknown, any>, at: number): Fault.Fault | undefined => {
  const fault = Fault.of(exit, at)
  return fault?._tag === "Transient" ? Fault.throttled() : fault
}

const throttles = {
  "no throttle": undefined,
  "K = 2": { factor: 2 },
  "K = 1.1": { factor: 1.1 },
  "K = 2, at most 90 %": { factor: 2, maxRatio: 0.9 },
  "K = 2, 30 s": { factor: 2, within: "30 seconds" }
} as const satisfies Record<string, AdaptiveThrottle.Options | undefined>

type Throttle = keyof typeof throttles
const all = Object.keys(throttles) as ReadonlyArray<Throttle>
const published = all.slice(0, 3)
/** what the formula lets through for each request that is accepted */
const factorOf = (throttle: Throttle): number => throttles[throttle]?.factor ?? Infinity

const loads = [1.2, 1.5, 2, 3, 5, 10]

type Scene = "overload" | "shortage" | "outage"

/** In seconds. Windows of two minutes are full when a steady overload is measured. */
const measured = { from: 240, until: 360 }
const trouble = { from: 120, until: 240 }
const watched = 1200
const step = 10

interface Job {
  readonly scene: Scene
  readonly throttle: Throttle
  /** times what the backend can do */
  readonly load: number
  readonly seed: number
}

interface Found {
  /** requests that the backend has refused for each that it has accepted */
  readonly refused: number
  /** answers per second */
  readonly accepted: number
  /** seconds until nine tenths of the calls succeed again, for five seconds in a row */
  readonly recovered: number | undefined
  /** calls per second that succeed, for each ten seconds */
  readonly goodput: ReadonlyArray<number>
}

const during = { from: trouble.from * 1000, until: trouble.until * 1000 }
const incidents: Readonly<Record<Scene, ReadonlyArray<Server.Incident>>> = {
  overload: [],
  shortage: [Server.capacity({ ...during, capacity: workers / 5 })],
  outage: [Server.errors({ ...during, ratio: 1, fault: Fault.throttled() })]
}

const total = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

const measure = ({ load, scene, seed, throttle }: Job): Found => {
  const options = throttles[throttle]
  const until = scene === "overload" ? measured.until : watched
  const report = Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond: load * perSecond }),
      to: Server.make({
        name: "backend",
        capacity: workers,
        times: Times.exponential(workers * 1000 / perSecond),
        queue: { limit: 5 * workers },
        incidents: incidents[scene]
      }),
      processes,
      through: options === undefined ? [] : [AdaptiveThrottle.makeUnsafe({ ...options, classify })]
    })],
    duration: until * 1000,
    interval: 1000,
    seed
  })
  const { refused, served } = report.servers[0]!.series
  const { succeeded } = report.clients[0]!.series
  const accepted = total(served.slice(measured.from, measured.until))
  const recovered = scene === "overload" ? undefined : Report.timeToRecover(report, { after: during.until })
  return {
    refused: total(refused.slice(measured.from, measured.until)) / accepted,
    accepted: accepted / (measured.until - measured.from),
    recovered: recovered === undefined ? undefined : recovered / 1000,
    goodput: Array.from({ length: until / step }, (_, i) => total(succeeded.slice(step * i, step * (i + 1))) / step)
  }
}

const scenesOf = (quick: boolean): ReadonlyArray<Omit<Job, "seed">> => {
  const troubled = (scene: Scene, throttle: Throttle) => ({ scene, throttle, load: 0.8 })
  return [
    ...published.flatMap((throttle) =>
      (quick ? [1.5, 5] : loads).map((load) => ({ scene: "overload" as const, throttle, load }))
    ),
    ...(quick ? [] : all.flatMap((throttle) => [troubled("shortage", throttle), troubled("outage", throttle)]))
  ]
}

/** How long it took with the seeds of one case. */
const recovery = (
  found: ReadonlyArray<Found>
): { readonly text: string; readonly least: number; readonly most: number } => {
  const seconds = found.map(({ recovered = Infinity }) => recovered).toSorted((a, b) => a - b)
  const show = (time: number) =>
    time < Infinity ? `${Math.round(time)} s` : `over ${(watched - trouble.until) / 60} min`
  const [least, most] = [seconds[0]!, seconds.at(-1)!]
  return { text: show(least) === show(most) ? show(least) : `${show(least)} to ${show(most)}`, least, most }
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

export default Experiment.make<Job, Found>({
  name: "throttling",
  title: "Adaptive throttling: what a backend that is overloaded still has to refuse",
  source: "Alejandro Forero Cuervo, \"Handling Overload\", Site Reliability Engineering (Google, 2016), chapter 21, " +
    "\"Client-Side Throttling\"",
  jobs: ({ quick, seeds }) => scenesOf(quick).flatMap((scene) => seeds.map((seed) => ({ ...scene, seed }))),
  measure,
  report: (measured, { quick }) => {
    const of = (scene: Scene, throttle: Throttle, load: number) =>
      measured.filter(({ job }) => job.scene === scene && job.throttle === throttle && job.load === load)
        .map(({ found }) => found)
    const refused = (throttle: Throttle, load: number) =>
      summary(of("overload", throttle, load).map(({ refused }) => refused))
    const heavy = quick ? [5] : [3, 5, 10]
    const seen = quick ? [1.5, 5] : loads
    const within = (throttle: Throttle, least: number, most: number) => {
      const ratios = heavy.map((load) => refused(throttle, load).mean)
      return {
        holds: ratios.every((ratio) => ratio >= least && ratio <= most),
        found: ratios.map((ratio) => ratio.toFixed(2)).join(", ") + ` at ${heavy.join(", ")} times its capacity`
      }
    }
    const accepted = published.flatMap((throttle) =>
      heavy.map((load) => mean(of("overload", throttle, load).map(({ accepted }) => accepted)) / perSecond)
    )
    const checks = [
      {
        claim: "with K = 2 the backend refuses about one request for each that it accepts",
        ...within("K = 2", 0.9, 1.1)
      },
      { claim: "with K = 1.1 it refuses about one for ten that it accepts", ...within("K = 1.1", 0.08, 0.13) },
      {
        claim: "a throttle takes no work away from the backend while the overload lasts",
        holds: accepted.every((share) => share > 0.97),
        found: `at least ${percent(Math.min(...accepted))} of what it can do`
      }
    ]
    const overload = {
      columns: ["load", ...published, "the book"],
      rows: seen.map((load) => [
        `${load} times`,
        ...published.map((throttle) => refused(throttle, load).mean.toFixed(2)),
        published.map((throttle) => (Math.min(load, factorOf(throttle)) - 1).toFixed(1)).join(", ")
      ])
    }
    const recoveryColumns = ["", "after a fifth of the capacity", "after an outage"]
    if (quick) return { tables: { overload, recovery: { columns: recoveryColumns, rows: [] } }, plots: {}, checks }

    const after = (scene: Scene, throttle: Throttle) => recovery(of(scene, throttle, 0.8))
    const goodput = (scene: Scene) =>
      all.map((name) => {
        const runs = of(scene, name, 0.8).map(({ goodput }) => goodput)
        return Plot.line({
          name,
          points: runs[0]!.map((_, i) => [(i + 0.5) * step * 1000, mean(runs.map((run) => run[i]!))])
        })
      })
    const span = (name: string) => Plot.span({ name, ...during, to: during.until })
    return {
      tables: {
        overload,
        recovery: {
          columns: recoveryColumns,
          rows: all.map((throttle) => [
            throttle,
            after("shortage", throttle).text,
            after("outage", throttle).text
          ])
        }
      },
      plots: {
        "": Plot.svg({
          title: "What the backend refuses for each request that it accepts",
          x: { label: "load, in times of what the backend can do", scale: "logarithmic", from: 1, ticks: () => loads },
          panels: [{
            y: {
              label: "refused for each accepted",
              scale: "logarithmic",
              from: 0.05,
              ticks: () => [0.1, 0.2, 0.5, 1, 2, 5, 10]
            },
            height: 280,
            marks: published.flatMap((name) => {
              const points = seen.map((load) => ({ load, ratio: refused(name, load) }))
              return [
                Plot.band({ name, points: points.map(({ load, ratio }) => [load, ratio.low, ratio.high]) }),
                Plot.line({ name, points: points.map(({ load, ratio }) => [load, ratio.mean]) })
              ]
            })
          }]
        }),
        recovery: Plot.svg({
          title: "How long a throttle remembers",
          x: Plot.duration({ label: "time since the start", to: watched * 1000 }),
          panels: [
            {
              y: { label: "calls per second that succeed" },
              height: 220,
              marks: [span("a fifth of the workers"), ...goodput("shortage")]
            },
            {
              y: { label: "calls per second that succeed" },
              height: 220,
              marks: [span("everything is refused"), ...goodput("outage")]
            }
          ]
        })
      },
      checks: [
        ...checks,
        {
          claim: "with K = 1.1 a throttle is later to notice that the backend has recovered",
          holds: after("shortage", "K = 1.1").least > after("shortage", "K = 2").most,
          found: `${after("shortage", "K = 1.1").text} against ${after("shortage", "K = 2").text}`
        },
        {
          claim: "after an outage, a bound of 90 % brings it back in less than half of the time",
          holds: 2 * after("outage", "K = 2, at most 90 %").most < after("outage", "K = 2").least,
          found: `${after("outage", "K = 2, at most 90 %").text} against ${after("outage", "K = 2").text}`
        }
      ]
    }
  }
})
