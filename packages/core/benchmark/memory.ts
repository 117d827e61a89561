import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Load, Weight } from "./load.ts"
import { median } from "./measure.ts"

export interface Weighed extends Load, Weight {
  /** What the calls cost beyond those without a policy. */
  readonly overBare: number | undefined
}

const stack = "total > retry > breaker > attempt"

const bareFiber: Load = { subject: "bare", by: "bare", count: 100_000 }
const barePromise: Load = { subject: "bare", by: "promise", count: 10_000 }

/** Not more than 10,000 of cockatiel's: each costs more to start than the one before. */
const loads: ReadonlyArray<Load> = [
  bareFiber,
  barePromise,
  { subject: stack, by: "ours", count: 100_000 },
  { subject: stack, by: "effect", count: 100_000 },
  { subject: stack, by: "cockatiel", count: 10_000 },
  { subject: "idle breaker", by: "ours", count: 1_000 },
  { subject: "idle breaker", by: "effect", count: 1_000 },
  { subject: "idle breaker", by: "cockatiel", count: 1_000 },
  { subject: "idle breaker", by: "opossum", count: 1_000 }
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

/** The median of the rounds. */
export const weighAll = async (
  rounds: number,
  tell: (progress: string) => void
): Promise<ReadonlyArray<Weighed>> => {
  const weights = loads.map((): Array<Weight> => [])
  const times = Math.min(rounds, mostRounds)
  for (let round = 1; round <= times; round++) {
    tell(`memory, round ${round} of ${times}`)
    // oxlint-disable-next-line no-await-in-loop -- one process at a time has the machine to itself
    for (const [i, load] of loads.entries()) weights[i]!.push(await weigh(load))
  }
  const bytesOf = (load: Load): number => median(weights[loads.indexOf(load)]!.map(({ bytes }) => bytes))
  const weighed = (load: Load, i: number): Weighed => {
    const without = load.subject === stack ? load.by === "cockatiel" ? barePromise : bareFiber : undefined
    return {
      ...load,
      bytes: bytesOf(load),
      overBare: without === undefined ? undefined : bytesOf(load) - bytesOf(without),
      millis: median(weights[i]!.map(({ millis }) => millis))
    }
  }
  return loads.map(weighed)
}
