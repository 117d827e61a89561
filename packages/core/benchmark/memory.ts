import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { baseOf } from "./contender.ts"
import type { Load, Weight } from "./load.ts"
import { median, type Plan, ratioOf } from "./measure.ts"
import { five, standard } from "./subjects.ts"

export interface Weighed extends Load, Weight {
  /** What the calls cost beyond those without a policy. */
  readonly overBare: number | undefined
  /** The time to make all of them, as a multiple of that for calls without a policy. */
  readonly startOverBare: number | undefined
}

const calls = 100_000
const callsOfPromises = 10_000
const instances = 1_000

/** Not more than 10,000 of cockatiel's without signals: they share one, and each costs more to start than the one before. */
const loads: ReadonlyArray<Load> = [
  { subject: "bare", by: "bare", count: calls },
  { subject: "bare", by: "promise", count: calls },
  { subject: "bare", by: "promise", count: callsOfPromises },
  { subject: five, by: "ours", count: calls },
  { subject: standard, by: "ours", count: calls },
  { subject: five, by: "effect", count: calls },
  { subject: five, by: "cockatiel", count: calls, signals: true },
  { subject: five, by: "cockatiel", count: callsOfPromises },
  { subject: five, by: "cockatielInEffect", count: calls },
  { subject: "idle breaker", by: "ours", count: instances },
  { subject: "idle breaker", by: "effect", count: instances },
  { subject: "idle breaker", by: "cockatiel", count: instances },
  { subject: "idle breaker", by: "opossum", count: instances },
  { subject: "idle key", by: "ours", count: instances },
  { subject: "idle key with a breaker", by: "ours", count: instances }
]

/** In a process of its own, so that no load finds the heap of another. */
const weigh = async (load: Load): Promise<Weight> => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    "--disable-warning=MaxListenersExceededWarning",
    join(import.meta.dirname, "weigh.ts"),
    JSON.stringify(load)
  ])
  return JSON.parse(stdout) as Weight
}

// weight varies little, and a round of this takes long
const mostRounds = 3

const tenth = (load: Load): Load => ({ ...load, count: load.count / 10 })

/** Of ours, and of what is taken off it. */
const few = loads.filter(({ by }) => by === "bare" || by === "ours").map(tenth)

/** The median of the rounds. */
export const weighAll = async (
  { quick, rounds }: Plan,
  tell: (progress: string) => void
): Promise<ReadonlyArray<Weighed>> => {
  const chosen = quick ? few : loads
  const weights = chosen.map((): Array<Weight> => [])
  const times = Math.min(rounds, mostRounds)
  for (let round = 1; round <= times; round++) {
    tell(`memory, round ${round} of ${times}`)
    // oxlint-disable-next-line no-await-in-loop -- one process at a time has the machine to itself
    for (const [i, load] of chosen.entries()) weights[i]!.push(await weigh(load))
  }
  const bareOfLoad = ({ by, count, subject }: Load): number | undefined => {
    if (subject !== five && subject !== standard) return undefined
    const found = chosen.findIndex((load) => load.subject === "bare" && load.by === baseOf[by] && load.count === count)
    return found === -1 ? undefined : found
  }
  const column = (i: number, of: keyof Weight) => weights[i]!.map((weight) => weight[of])
  const weighed = (load: Load, i: number): Weighed => {
    const bytes = median(column(i, "bytes"))
    const base = bareOfLoad(load)
    return {
      ...load,
      bytes,
      overBare: base === undefined ? undefined : bytes - median(column(base, "bytes")),
      millis: median(column(i, "millis")),
      startOverBare: base === undefined ? undefined : ratioOf(column(i, "millis"), column(base, "millis"))
    }
  }
  return chosen.map(weighed)
}
