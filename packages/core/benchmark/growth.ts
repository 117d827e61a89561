import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { median, type Plan, ratioOf } from "./measure.ts"

/** What grows, by the title of its table. */
export const charts = {
  "in flight": "calls in flight together",
  "keys": "keys used in turn, each with a breaker of its own",
  "queue": "calls at once through a bulkhead with 10 permits, the others queue",
  "depth": "policies of one kind within one another, one call at a time",
  "children": "a caller with children of its own, one call at a time"
} as const

export type ChartName = keyof typeof charts

/** One line of a chart, as one process measures it. */
export interface Sampled {
  readonly chart: ChartName
  readonly line: string
  readonly ours: boolean
  readonly sizes: ReadonlyArray<number>
  /** Nanoseconds per call, for each size. */
  readonly ns: ReadonlyArray<number>
}

export interface Line extends Omit<Sampled, "ns"> {
  /** For each size, the median of the rounds. */
  readonly ns: ReadonlyArray<number>
  /** For each size. */
  readonly rounds: ReadonlyArray<ReadonlyArray<number>>
}

/** In a process of its own, because what has been in flight by the hundred thousand leaves a large heap. */
const grow = async ({ quick }: Plan): Promise<ReadonlyArray<Sampled>> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", join(import.meta.dirname, "grow.ts"), JSON.stringify({ quick })],
    { maxBuffer: 2 ** 24 }
  )
  return JSON.parse(stdout) as ReadonlyArray<Sampled>
}

// a round of this takes long
const mostRounds = 3

export const growAll = async (plan: Plan, tell: (progress: string) => void): Promise<ReadonlyArray<Line>> => {
  const rounds: Array<ReadonlyArray<Sampled>> = []
  const times = Math.min(plan.rounds, mostRounds)
  for (let round = 1; round <= times; round++) {
    tell(`growth, round ${round} of ${times}`)
    // oxlint-disable-next-line no-await-in-loop -- one process at a time has the machine to itself
    rounds.push(await grow(plan))
  }
  return rounds[0]!.map(({ chart, line, ours, sizes }, i) => {
    const ofSizes = sizes.map((_, size) => rounds.map((lines) => lines[i]!.ns[size]!))
    return { chart, line, ours, sizes, ns: ofSizes.map(median), rounds: ofSizes }
  })
}

/** One place of a chart. */
export interface Point {
  readonly chart: ChartName
  readonly line: string
  readonly size: number
}

const roundsAt = (lines: ReadonlyArray<Line> | undefined, { chart, line, size }: Point) => {
  const found = lines?.find((other) => other.chart === chart && other.line === line)
  return found?.rounds[found.sizes.indexOf(size)]
}

/** One point as a multiple of another, round by round. */
export const growth = (lines: ReadonlyArray<Line> | undefined, one: Point, other: Point): number | undefined => {
  const [ones, others] = [roundsAt(lines, one), roundsAt(lines, other)]
  return ones === undefined || others === undefined ? undefined : ratioOf(ones, others)
}
