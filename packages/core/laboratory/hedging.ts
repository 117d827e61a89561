import * as Duration from "effect/Duration"
import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { groupBy, type Summary, summary } from "../../../tools/laboratory/src/Seeds.ts"
import * as Hedge from "../src/Hedge.ts"
import { LearntDelay } from "../src/kernel/hedge.ts"
import * as Plot from "../src/plot/index.ts"
import * as RetryBudget from "../src/RetryBudget.ts"
import { Client, Load, Server, Simulation, Times } from "../src/simulation/index.ts"
import { Random } from "../src/simulation/internal/random.ts"
import type * as Telemetry from "../src/Telemetry.ts"

/** Two answers in a hundred have met something: a collection of garbage, a queue, a disk that was busy. */
const times = Times.mix([
  [0.98, Times.logNormal({ median: "10 millis", sigma: 0.4 })],
  [0.02, Times.uniform({ from: "300 millis", to: "2 seconds" })]
])

const perSecond = 200
const leaves = 100
/** The tail that is drawn: one call in so many takes longer. */
const tail = [
  1.1,
  1.25,
  1.5,
  2,
  3,
  5,
  7,
  10,
  14,
  17,
  20,
  25,
  30,
  40,
  45,
  55,
  60,
  70,
  100,
  150,
  200,
  300,
  500,
  700,
  1000
]
const window = 5000

const at = (sorted: ReadonlyArray<number>, share: number): number => sorted[Math.floor(share * sorted.length)]!

interface Latencies {
  readonly percentiles: ReadonlyArray<number>
  readonly tail: ReadonlyArray<number>
  /** Of a page that needs the answers of 100 leaves. */
  readonly page: { readonly median: number; readonly slow: number }
}

const latenciesOf = (all: ReadonlyArray<number>): Latencies => {
  const sorted = all.toSorted((a, b) => a - b)
  const pages = Array.from(
    { length: Math.floor(all.length / leaves) },
    (_, i) => Math.max(...all.slice(i * leaves, (i + 1) * leaves))
  ).toSorted((a, b) => a - b)
  return {
    percentiles: [0.5, 0.95, 0.99, 0.999].map((share) => at(sorted, share)),
    tail: tail.map((n) => at(sorted, 1 - 1 / n)),
    page: { median: at(pages, 0.5), slow: pages.filter((millis) => millis > 300).length / pages.length }
  }
}

/** Calls through the policy; the second half counts, when the delay has been learnt. */
const callThrough = (quantile: number | undefined, calls: number, seed: number) => {
  const millis: Array<number> = []
  let hedges = 0
  const half = calls / perSecond / 2 * 1000
  Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond }),
      to: Server.make({ name: "leaf", times }),
      through: quantile === undefined ? [] : [Hedge.makeUnsafe({ after: { quantile } })]
    })],
    duration: 2 * half,
    seed,
    listener: (event: Telemetry.Event, at) => {
      if (at < half) return
      if (event._tag === "HedgeStarted") hedges++
      if (event._tag === "CallEnded") millis.push(Duration.toMillis(event.duration))
    }
  })
  return { extra: hedges / millis.length, ...latenciesOf(millis) }
}

/** What a hedge tells its memory when the second answer comes first. */
const recordings = {
  "the time of the winner": (delay, answered) => [answered - delay, true],
  "the time until the answer": (_, answered) => [answered, true],
  "that the first takes longer": (_, answered) => [answered, false]
} as const satisfies Record<string, (delay: number, answered: number) => readonly [millis: number, known: boolean]>

type Recording = keyof typeof recordings
const ours: Recording = "that the first takes longer"

/** One call after the other, with the kernel of `Hedge`. Gives the share that was hedged, by windows. */
const record = (recording: Recording, calls: number, seed: number): ReadonlyArray<number> => {
  const random = new Random(seed)
  const learnt = new LearntDelay({ quantile: 0.95, min: 1, max: Infinity, warmup: 20, initial: Infinity })
  const hedged: Array<number> = []
  for (let i = 0; i < calls; i++) {
    const { delay } = learnt
    const first = times.draw(random, i)
    const isHedged = first > delay
    const answered = isHedged ? delay + times.draw(random, i) : Infinity
    if (first <= answered) learnt.add(first, true)
    else {
      const [millis, known] = recordings[recording](delay, answered)
      learnt.add(millis, known)
    }
    const at = Math.floor(i / window)
    hedged[at] = (hedged[at] ?? 0) + (isHedged ? 1 / window : 0)
  }
  return hedged
}

/** What goes wrong, and when it is looked at, in seconds. */
const troubles = [
  { name: "three times as slow, first second", from: 60, until: 61 },
  { name: "three times as slow, first 10 s", from: 60, until: 70 },
  { name: "half of the answers are failures", from: 90, until: 100 }
]

/** Gives the share that was hedged in each of the troubles. */
const troubled = (budget: boolean, seed: number): ReadonlyArray<number> => {
  const counts = troubles.map(() => ({ calls: 0, hedges: 0 }))
  Simulation.run({
    clients: [Client.make({
      load: Load.poisson({ perSecond }),
      to: Server.make({
        name: "leaf",
        times,
        incidents: [
          Server.slow({ from: 60_000, until: 70_000, factor: 3 }),
          Server.errors({ from: 90_000, until: 100_000, ratio: 0.5 })
        ]
      }),
      through: [Hedge.makeUnsafe({
        after: { quantile: 0.95 },
        budget: budget
          ? RetryBudget.makeUnsafe({ funding: RetryBudget.traffic({ ratio: 0.1, minPerSecond: 1 }) })
          : undefined
      })]
    })],
    duration: 100_000,
    seed,
    listener: (event: Telemetry.Event, at) => {
      for (const [i, { from, until }] of troubles.entries()) {
        if (at < 1000 * from || at > 1000 * until) continue
        if (event._tag === "HedgeStarted") counts[i]!.hedges++
        if (event._tag === "CallEnded") counts[i]!.calls++
      }
    }
  })
  return counts.map(({ calls, hedges }) => hedges / calls)
}

const quantiles = [undefined, 0.9, 0.95, 0.97, 0.99] as const

type Job =
  & { readonly seed: number }
  & (
    | { readonly what: "calls"; readonly quantile?: number | undefined; readonly calls: number }
    | { readonly what: "records"; readonly recording: Recording; readonly calls: number }
    | { readonly what: "troubles"; readonly budget: boolean }
  )

interface Found extends Partial<Latencies> {
  readonly extra: number
  readonly hedged?: ReadonlyArray<number>
}

const measure = (job: Job): Found => {
  switch (job.what) {
    case "calls":
      return callThrough(job.quantile, job.calls, job.seed)
    case "records": {
      const hedged = record(job.recording, job.calls, job.seed)
      const second = hedged.slice(hedged.length / 2)
      return { hedged, extra: second.reduce((sum, share) => sum + share, 0) / second.length }
    }
    case "troubles":
      return { extra: 0, hedged: troubled(job.budget, job.seed) }
  }
}

/** Without the seed, and without the number of calls. */
const keyOf = (job: object): string => JSON.stringify(job, ["what", "quantile", "recording", "budget"])

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`
const bound = ({ high, low, mean }: Summary): string => `${percent(mean, 2)} ± ${((high - low) * 50).toFixed(2)}`
const millis = (value: number): string =>
  `${value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 })} ms`
const nameOf = (quantile: number | undefined): string =>
  quantile === undefined ? "no hedge" : `after p${Math.round(quantile * 100)}`

export default Experiment.make<Job, Found>({
  name: "hedging",
  title: "Hedging: a second request after the 95th percentile",
  source: "Jeffrey Dean and Luiz André Barroso, \"The Tail at Scale\", CACM 56(2), February 2013, pages 74-80",
  jobs: ({ quick, seeds }) => {
    const calls = quick ? 20_000 : 200_000
    return seeds.flatMap((seed): ReadonlyArray<Job> => [
      ...quantiles.map((quantile) => ({ what: "calls", seed, quantile, calls } as const)),
      ...(Object.keys(recordings) as ReadonlyArray<Recording>)
        .map((recording) => ({ what: "records", seed, recording, calls: quick ? 40_000 : 100_000 } as const)),
      ...[false, true].map((budget) => ({ what: "troubles", seed, budget } as const))
    ])
  },
  measure,
  report: (measured) => {
    const cases = groupBy(measured, ({ job }) => keyOf(job))
    const of = (job: object) => cases.get(keyOf(job))!.map(({ found }) => found)
    const calls = quantiles.map((quantile) => {
      const all = of({ what: "calls", quantile })
      return {
        quantile,
        name: nameOf(quantile),
        extra: summary(all.map(({ extra }) => extra)),
        percentiles: all[0]!.percentiles!.map((_, i) => summary(all.map(({ percentiles }) => percentiles![i]!)).mean),
        tail: tail.map((_, i) => summary(all.map(({ tail }) => tail![i]!))),
        median: summary(all.map(({ page }) => page!.median)).mean,
        slow: summary(all.map(({ page }) => page!.slow)).mean
      }
    })
    const records = (Object.keys(recordings) as ReadonlyArray<Recording>).map((recording) => {
      const all = of({ what: "records", recording })
      return {
        recording,
        extra: summary(all.map(({ extra }) => extra)),
        windows: all[0]!.hedged!.map((_, i) => summary(all.map(({ hedged }) => hedged![i]! * 100)))
      }
    })
    const inTroubles = (budget: boolean): ReadonlyArray<Summary> => {
      const all = of({ what: "troubles", budget })
      return troubles.map((_, i) => summary(all.map(({ hedged }) => hedged![i]!)))
    }
    const free = inTroubles(false)
    const bounded = inTroubles(true)
    const [bare, p95, p99] = [0, 2, 4].map((i) => calls[i]!) as [typeof calls[0], typeof calls[0], typeof calls[0]]
    const [winners, right] = [records[0]!, records[2]!]
    const misses = calls.slice(1).map(({ extra, quantile }) => Math.abs(extra.mean - (1 - quantile!)))
    return {
      tables: {
        latency: {
          columns: ["hedge", "p50", "p95", "p99", "p99.9", "more requests"],
          rows: calls.map(({ extra, name, percentiles, quantile }) => [
            name,
            ...percentiles.map(millis),
            quantile === undefined ? "0 %" : bound(extra)
          ])
        },
        page: {
          columns: ["hedge", "median of a page", "pages over 300 ms"],
          rows: calls.map(({ median, name, slow }) => [name, millis(median), percent(slow)])
        },
        recorded: {
          columns: ["recorded when the second answer wins", "calls that are hedged"],
          rows: records.map((
            { extra, recording }
          ) => [recording === ours ? `${recording} (ours)` : recording, bound(extra)])
        },
        troubles: {
          columns: ["what happens", "hedged without a budget", "with a budget of 10 %"],
          rows: troubles.map(({ name }, i) => [name, percent(free[i]!.mean), percent(bounded[i]!.mean)])
        }
      },
      plots: {
        "": Plot.svg({
          title: "The tail of a service in which 2 % of the answers are slow",
          x: {
            label: "one call in so many takes longer",
            scale: "logarithmic",
            from: 1,
            to: 1000
          },
          panels: [{
            y: Plot.duration({ label: "time until the answer", scale: "logarithmic" }),
            height: 300,
            marks: calls.filter(({ quantile }) => quantile !== 0.97).flatMap(({ name, tail: all }) => [
              Plot.band({ name, points: all.map(({ high, low }, i) => [tail[i]!, low, high]) }),
              Plot.line({ name, points: all.map(({ mean }, i) => [tail[i]!, mean]) })
            ])
          }]
        }),
        drift: Plot.svg({
          title: "Calls that are hedged, by what the hedge records of a first attempt that was beaten",
          x: { label: "calls so far", from: 0 },
          panels: [{
            y: { label: "hedged, percent of the calls", from: 0 },
            height: 260,
            marks: records.flatMap(({ recording: name, windows }) => [
              Plot.band({ name, points: windows.map(({ high, low }, i) => [(i + 1) * window, low, high]) }),
              Plot.line({ name, points: windows.map(({ mean }, i) => [(i + 1) * window, mean]) })
            ])
          }]
        })
      },
      checks: [
        {
          claim: "a hedge after p95 sends 5 % more requests, within half a point",
          holds: Math.abs(p95.extra.mean - 0.05) < 0.005,
          found: bound(p95.extra)
        },
        {
          claim: "any other target is met within half a point as well",
          holds: misses.every((miss) => miss < 0.005),
          found: `${percent(Math.max(...misses), 2)} at most between p90 and p99`
        },
        {
          claim: "it takes 99.9 % of the calls more than ten times less time",
          holds: bare.percentiles[3]! > 10 * p95.percentiles[3]!,
          found: `${millis(bare.percentiles[3]!)} without, ${millis(p95.percentiles[3]!)} with`
        },
        {
          claim: "a hedge after a percentile that is itself slow, p99 where 2 % are, does not help",
          holds: p99.percentiles[3]! > bare.percentiles[3]! / 3,
          found: `${millis(p99.percentiles[3]!)} for 99.9 % of the calls`
        },
        {
          claim:
            "where 2 % of the leaves are slow, nearly each page of 100 leaves is; with the hedge less than 10 % are",
          holds: bare.slow > 0.8 && p95.slow < 0.1,
          found: `${percent(bare.slow)} without, ${percent(p95.slow)} with`
        },
        {
          claim: "a hedge that records the winner only hedges more than it should, by more than a point",
          holds: winners.extra.mean > 0.06,
          found: bound(winners.extra)
        },
        {
          claim: "a hedge that records that the first takes longer stays at 5 %, within half a point",
          holds: Math.abs(right.extra.mean - 0.05) < 0.005,
          found: bound(right.extra)
        },
        {
          claim:
            "when the service gets three times as slow, the delay follows within seconds: twice the hedges for 10 s at most",
          holds: free[1]!.mean < 0.1,
          found: `${percent(free[0]!.mean)} in the first second, ${percent(free[1]!.mean)} in the first 10`
        },
        {
          claim: "when half of the answers are failures, only a budget keeps the hedges at a tenth of the calls",
          holds: free[2]!.mean > 0.4 && bounded[2]!.mean < 0.12,
          found: `${percent(free[2]!.mean)} without, ${percent(bounded[2]!.mean)} with`
        }
      ]
    }
  }
})
