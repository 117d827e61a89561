import * as Experiment from "../../../tools/laboratory/src/Experiment.ts"
import { groupBy, mean, type Summary, summary } from "../../../tools/laboratory/src/Seeds.ts"
import * as backoff from "../src/kernel/backoff.ts"
import * as Plot from "../src/plot/index.ts"
import { Agenda, Timed } from "../src/simulation/internal/agenda.ts"
import { normal, Random } from "../src/simulation/internal/random.ts"

// of the article's program, in milliseconds
const base = 5
const cap = 2000
const network = { mean: 10, deviation: 2 }

/** The program of the article doubles the base before the first delay, our kernel after it. */
const growth = backoff.exponential(2 * base, 2)

const kinds = {
  "none": () => new backoff.Jittered(backoff.constant(0), backoff.none, cap),
  "exponential": () => new backoff.Jittered(growth, backoff.none, cap),
  "equal": () => new backoff.Jittered(growth, backoff.equal, cap),
  "full": () => new backoff.Jittered(growth, backoff.full, cap),
  "decorrelated": () => new backoff.Decorrelated(base, cap)
} as const satisfies Record<string, () => backoff.Sequence>

type Kind = keyof typeof kinds
const kindNames = Object.keys(kinds) as ReadonlyArray<Kind>

/** The runs of a case with one seed, of which the mean counts. */
const repetitions = 20

/** A row with a version. A write succeeds if the version is the one that was read. */
interface Row {
  version: number
  writes: number
}

const hop = (random: Random): number => Math.abs(network.mean + network.deviation * normal(random))

/** Reads and writes until one write has succeeded. */
class Client extends Timed {
  private readonly agenda: Agenda
  private readonly row: Row
  private readonly delays: backoff.Sequence
  private readonly random: Random
  private step: "reads" | "has read" | "writes" | "has written" = "reads"
  private read = 0
  private wrote = false

  constructor(agenda: Agenda, row: Row, delays: backoff.Sequence, random: Random) {
    super()
    this.agenda = agenda
    this.row = row
    this.delays = delays
    this.random = random
  }

  begin(): void {
    this.next("reads", 0)
  }

  private next(step: typeof this.step, pause: number): void {
    this.step = step
    this.agenda.schedule(this, pause + hop(this.random))
  }

  wake(): void {
    const { random, row } = this
    switch (this.step) {
      case "reads":
        this.read = row.version
        return this.next("has read", 0)
      case "has read":
        return this.next("writes", 0)
      case "writes":
        row.writes++
        this.wrote = this.read === row.version
        if (this.wrote) row.version++
        return this.next("has written", 0)
      case "has written":
        if (!this.wrote) this.next("reads", this.delays.next(random.next()))
    }
  }
}

interface Found {
  /** until the last client has written */
  readonly millis: number
  readonly calls: number
}

const contend = (kind: Kind, clients: number, random: Random): Found => {
  const agenda = new Agenda()
  const row = { version: 0, writes: 0 }
  for (let i = 0; i < clients; i++) new Client(agenda, row, kinds[kind](), random).begin()
  agenda.run(Infinity)
  return { millis: agenda.now, calls: row.writes }
}

interface Job {
  readonly seed: number
  readonly clients: number
}

/** Theirs: their program, run with Python 3, 100 repetitions. Completion in milliseconds, and calls. */
const published: Readonly<Record<number, Readonly<Record<Kind, readonly [number, number]>>>> = {
  10: {
    "none": [382, 51],
    "exponential": [3649, 51],
    "equal": [740, 42],
    "full": [474, 39],
    "decorrelated": [434, 38]
  },
  50: {
    "none": [1140, 686],
    "exponential": [37_115, 628],
    "equal": [4262, 347],
    "full": [2953, 332],
    "decorrelated": [2190, 375]
  },
  100: {
    "none": [2026, 2424],
    "exponential": [63_494, 1852],
    "equal": [6570, 811],
    "full": [4980, 797],
    "decorrelated": [4644, 1006]
  },
  150: {
    "none": [2874, 5138],
    "exponential": [84_708, 3525],
    "equal": [8199, 1324],
    "full": [6414, 1319],
    "decorrelated": [6394, 1763]
  },
  190: {
    "none": [3540, 8011],
    "exponential": [100_663, 5160],
    "equal": [9444, 1759],
    "full": [7493, 1772],
    "decorrelated": [8026, 2437]
  }
}

const times = (a: number, b: number): string => `${(a / b).toFixed(1)}x`

export default Experiment.make<Job, Readonly<Record<Kind, Found>>>({
  name: "jitter",
  title: "Jitter: a crowd that comes back at different times",
  source: "Marc Brooker, \"Exponential Backoff And Jitter\", AWS Architecture Blog, March 2015, and its program " +
    "aws-samples/aws-arch-backoff-simulator",
  jobs: ({ quick, seeds }) =>
    seeds.flatMap((seed) =>
      (quick ? [10, 50, 100, 190] : Array.from({ length: 19 }, (_, i) => 10 * (i + 1)))
        .map((clients) => ({ seed, clients }))
    ),
  measure: ({ clients, seed }) => {
    const random = new Random(seed).stream(String(clients))
    const of = (kind: Kind): Found => {
      const runs = Array.from({ length: repetitions }, () => contend(kind, clients, random))
      return { millis: mean(runs.map(({ millis }) => millis)), calls: mean(runs.map(({ calls }) => calls)) }
    }
    return Object.fromEntries(kindNames.map((kind) => [kind, of(kind)])) as Record<Kind, Found>
  },
  report: (measured) => {
    const cases = [...groupBy(measured, ({ job }) => String(job.clients)).values()].map((group) => ({
      clients: group[0]!.job.clients,
      of: (kind: Kind, what: keyof Found): Summary => summary(group.map(({ found }) => found[kind][what]))
    }))
    const figures = (what: keyof Found, at: 0 | 1) => ({
      columns: ["clients", "", ...kindNames],
      rows: cases.filter(({ clients }) => clients in published).flatMap(({ clients, of }) => [
        [String(clients), "ours", ...kindNames.map((kind) => Math.round(of(kind, what).mean))],
        ["", "theirs", ...kindNames.map((kind) => published[clients]![kind][at])]
      ])
    })
    const lines = (what: keyof Found) =>
      kindNames.flatMap((name) => {
        const each = cases.map(({ clients, of }) => ({ clients, ...of(name, what) }))
        return [
          Plot.band({ name, points: each.map(({ clients, high, low }) => [clients, low, high]) }),
          Plot.line({ name, points: each.map(({ clients, mean }) => [clients, mean]) })
        ]
      })
    const ratios = (from: number, over: (of: typeof cases[number]["of"]) => number) =>
      cases.filter(({ clients }) => clients >= from).map(({ of }) => over(of))
    const ordered = cases.filter(({ of }) =>
      of("full", "millis").mean < of("equal", "millis").mean &&
      of("equal", "millis").mean < of("exponential", "millis").mean
    )
    const near = ratios(100, (of) => Math.abs(of("full", "calls").mean / of("equal", "calls").mean - 1))
    const more = ratios(100, (of) => of("decorrelated", "calls").mean / of("full", "calls").mean)
    const last = cases.at(-1)!
    const saved = last.of("none", "calls").mean / last.of("full", "calls").mean
    const slower = ratios(50, (of) => of("exponential", "millis").mean / of("full", "millis").mean)
    const apart = (what: keyof Found, at: 0 | 1): number =>
      Math.max(
        ...cases.filter(({ clients }) => clients in published).flatMap(({ clients, of }) =>
          kindNames.map((kind) => Math.abs(of(kind, what).mean / published[clients]![kind][at] - 1))
        )
      )
    const percent = (share: number) => `${(share * 100).toFixed(1)} %`
    return {
      tables: { time: figures("millis", 0), calls: figures("calls", 1) },
      plots: {
        "": Plot.svg({
          title: "A crowd that writes one row, by how it backs off",
          x: { label: "clients that contend", from: 0 },
          panels: [
            {
              y: Plot.duration({ label: "until all have written", scale: "logarithmic" }),
              height: 240,
              marks: lines("millis")
            },
            { y: { label: "writes that were sent", from: 0 }, height: 240, marks: lines("calls") }
          ]
        })
      },
      checks: [
        {
          claim: "full is faster than equal, and equal than exponential without jitter, at every number of clients",
          holds: ordered.length === cases.length,
          found: `at ${ordered.length} of ${cases.length}`
        },
        {
          claim: "from 100 clients full and equal send the same number of calls within 3 %",
          holds: near.every((difference) => difference < 0.03),
          found: `${percent(Math.max(...near))} at most`
        },
        {
          claim: "from 100 clients decorrelated sends a quarter to two fifths more calls than full",
          holds: more.every((ratio) => ratio > 1.2 && ratio < 1.45),
          found: `${Math.min(...more).toFixed(2)} to ${Math.max(...more).toFixed(2)} times as many`
        },
        {
          claim: "full sends less than a quarter of the calls that are sent without any backoff, in the largest crowd",
          holds: saved > 4,
          found: `${times(saved, 1)} fewer at ${last.clients} clients`
        },
        {
          claim: "from 50 clients exponential without jitter takes more than ten times as long as full",
          holds: slower.every((ratio) => ratio > 10),
          found: `${times(Math.min(...slower), 1)} to ${times(Math.max(...slower), 1)}`
        },
        {
          claim: "our figures are those of the article's program: calls within 5 %, times within 15 %",
          holds: apart("calls", 1) < 0.05 && apart("millis", 0) < 0.15,
          found: `${percent(apart("calls", 1))} and ${percent(apart("millis", 0))} apart at most`
        }
      ]
    }
  }
})
