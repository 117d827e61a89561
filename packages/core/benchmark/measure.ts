import { measure } from "mitata"
import { mapContenders, type PerContender, type Run } from "./contender.ts"

const sliceNanoseconds = 80_000_000

export const groups = {
  asynchronous: "asynchronous callee",
  synchronous: "synchronous callee",
  runPromise: "asynchronous callee, each call through Effect.runPromise",
  elements: "stream of many asynchronous elements",
  streams: "stream of one asynchronous element"
} as const

export type Group = (typeof groups)[keyof typeof groups]

export interface Case {
  readonly group: Group
  readonly subject: string
  readonly unit: "call" | "element" | "stream"
  readonly unitsPerRun: number
  readonly runs: PerContender<Run>
}

export interface Row {
  readonly group: Group
  readonly subject: string
  readonly unit: Case["unit"]
  /** Nanoseconds per unit, the median of the rounds. */
  readonly ns: PerContender<number>
  /** Ours as a multiple of another in the same round, the median of the rounds. */
  readonly ratios: PerContender<number>
  readonly rounds: PerContender<Rounds>
}

type Rounds = ReadonlyArray<number>

/** The case of each group that the others are compared with. */
export const bareSubject = "bare"

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const ratios = ({ ours, ...others }: PerContender<Rounds>): Row["ratios"] =>
  ours === undefined ? {} : mapContenders(others, (other) => median(ours.map((ns, round) => ns / other[round]!)))

const measureOnce = async ({ run, unitsPerRun }: { readonly run: Run; readonly unitsPerRun: number }) => {
  // a run is many calls already, so no batches of runs; a forced collection would shrink the young generation
  const { p50 } = await measure(run, { min_cpu_time: sliceNanoseconds, batch_threshold: 0, gc: false })
  return p50 / unitsPerRun
}

/* oxlint-disable no-await-in-loop -- nothing else may run while something is measured */
/**
 * Measures everything in each round, a short while each time: a disturbance of the machine then spoils a round of some
 * rows, not a row. The contenders of a row follow one another, so that they see the same machine.
 */
export const measureAll = async (
  cases: ReadonlyArray<Case>,
  rounds: number,
  tell: (progress: string) => void
): Promise<ReadonlyArray<Row>> => {
  const measurements = cases.map(({ runs, unitsPerRun }) =>
    mapContenders(runs, (run) => ({ run, unitsPerRun, rounds: [] as Array<number> }))
  )
  const all = measurements.flatMap((row) => Object.values(row))
  tell("warming up")
  for (const { run } of all) await run()
  for (let round = 1; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`)
    for (const measurement of all) measurement.rounds.push(await measureOnce(measurement))
  }
  const roundsOf = (i: number): PerContender<Rounds> => mapContenders(measurements[i]!, ({ rounds }) => rounds)
  return cases.map(({ group, subject, unit }, i) => {
    const bare = roundsOf(cases.findIndex((other) => other.group === group && other.subject === bareSubject)).bare!
    const rounds = roundsOf(i)
    return {
      group,
      subject,
      unit,
      ns: mapContenders(rounds, median),
      ratios: ratios({ bare, ...rounds }),
      rounds
    }
  })
}
/* oxlint-enable no-await-in-loop */
