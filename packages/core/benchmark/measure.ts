import { measure } from "mitata"
import { baseOf, type By, mapContenders, type PerContender, type Run } from "./contender.ts"

const sliceNanoseconds = 80_000_000

/** The groups that are measured, by the name that `--only` takes. */
export const groups = {
  asynchronous: "asynchronous callee",
  synchronous: "synchronous callee",
  rejections: "rejections",
  crowd: "1,000 calls at once",
  runPromise: "asynchronous callee, each call through Effect.runPromise",
  telemetry: "telemetry of retry > breaker > attempt",
  http: "HTTP client",
  elements: "stream of many asynchronous elements",
  streams: "stream of one asynchronous element",
  endpoints: "one of three endpoints"
} as const

export type GroupName = keyof typeof groups

export interface Case {
  readonly group: GroupName
  readonly subject: string
  readonly unit: "call" | "element" | "stream"
  readonly unitsPerRun: number
  readonly runs: PerContender<Run>
  /** What each uses for it. */
  readonly does: PerContender<string>
}

export interface Row {
  readonly group: GroupName
  readonly subject: string
  readonly unit: Case["unit"]
  readonly does: PerContender<string>
  /** Nanoseconds per unit, the median of the rounds. */
  readonly ns: PerContender<number>
  /** Ours as a multiple of another in the same round, the median of the rounds. */
  readonly ratios: PerContender<number>
  readonly rounds: PerContender<Rounds>
}

export type Rounds = ReadonlyArray<number>

/** The case of each group that the others are compared with. */
export const bareSubject = "bare"

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const at = (group: GroupName, subject: string) => (row: Pick<Row, "group" | "subject">): boolean =>
  row.group === group && row.subject === subject

export const rowOf = (rows: ReadonlyArray<Row>, group: GroupName, subject: string): Row | undefined =>
  rows.find(at(group, subject))

/** What somebody takes beyond the effect or the function without any policy, round by round. */
export const netOf = (rows: ReadonlyArray<Row>, group: GroupName, subject: string, by: By): Rounds | undefined => {
  const base = rowOf(rows, group, bareSubject)?.rounds[baseOf[by]]
  return base === undefined ? undefined : rowOf(rows, group, subject)?.rounds[by]?.map((ns, round) => ns - base[round]!)
}

/** The median of what one is as a multiple of the other, round by round. */
export const ratioOf = (one: Rounds, other: Rounds): number => median(one.map((ns, round) => ns / other[round]!))

const ratios = ({ ours, ...others }: PerContender<Rounds>): Row["ratios"] =>
  ours === undefined ? {} : mapContenders(others, (other) => ratioOf(ours, other))

export interface Plan {
  readonly rounds: number
  /** For seeing that it runs, not for what it says. */
  readonly quick: boolean
}

const measureOnce = async (
  { run, unitsPerRun }: { readonly run: Run; readonly unitsPerRun: number },
  { quick }: Plan
) => {
  // of the young generation: nobody pays for what the one before has left, and a full one would shrink it
  globalThis.gc!({ type: "minor" })
  // a run is many calls already, so no batches of runs
  const { p50 } = await measure(run, {
    ...quick ? { min_cpu_time: 1, min_samples: 1 } : { min_cpu_time: sliceNanoseconds },
    batch_threshold: 0,
    gc: false
  })
  return p50 / unitsPerRun
}

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
/**
 * Measures everything in each round, a short while each time: a disturbance of the machine then spoils a round of some
 * rows, not a row. The contenders of a row follow one another, so that they see the same machine; every other round goes
 * backwards, so that nobody is always the first.
 */
export const measureAll = async (
  cases: ReadonlyArray<Case>,
  plan: Plan,
  tell: (progress: string) => void
): Promise<ReadonlyArray<Row>> => {
  const measurements = cases.map(({ runs, unitsPerRun }) =>
    mapContenders(runs, (run) => ({ run, unitsPerRun, rounds: [] as Array<number> }))
  )
  const all = measurements.flatMap((row) => Object.values(row))
  tell("warming up")
  for (const { run } of all) await run()
  for (let round = 1; round <= plan.rounds; round++) {
    tell(`round ${round} of ${plan.rounds}`)
    for (const measurement of round % 2 === 1 ? all : all.toReversed()) {
      measurement.rounds.push(await measureOnce(measurement, plan))
    }
  }
  const roundsOf = (i: number): PerContender<Rounds> => mapContenders(measurements[i]!, ({ rounds }) => rounds)
  return cases.map(({ does, group, subject, unit }, i) => {
    const bare = roundsOf(cases.findIndex(at(group, bareSubject))).bare!
    const rounds = roundsOf(i)
    return {
      group,
      subject,
      unit,
      does,
      ns: mapContenders(rounds, median),
      ratios: ratios({ bare, ...rounds }),
      rounds
    }
  })
}
/* oxlint-enable no-await-in-loop */
