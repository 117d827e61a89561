/** The measurements, and how a value compares with the default. */
import type { Measured } from "../../../../tools/laboratory/src/Experiment.ts"
import { type Summary, summary } from "../../../../tools/laboratory/src/Seeds.ts"
import * as Plot from "../../src/plot/index.ts"
import type { Found } from "./runs.ts"
import { type SweepName, sweepOf } from "./sweeps.ts"
import type { EventName, WorldName } from "./worlds.ts"

export type Job =
  | {
    readonly _tag: "Incident"
    readonly world: WorldName
    readonly event: EventName
    /** none: the defaults */
    readonly sweep?: SweepName
    readonly value?: string
    /** so many processes, and a callee for all of them */
    readonly fleet?: number
  }
  | { readonly _tag: "Backlog"; readonly sweep: SweepName; readonly value: string; readonly processes?: number }
  | { readonly _tag: "Starved"; readonly perMinute: number; readonly floor: number }

export interface Seeded {
  readonly seed: number
  readonly of: Job
}

export const objectives = ["lost", "load", "wait", "recovery"] as const satisfies ReadonlyArray<keyof Found>
export type Objective = typeof objectives[number]

/** How a difference is too small to matter to anybody, whatever the seeds say. */
const tooSmall = (objective: Objective, usual: number): number => {
  switch (objective) {
    case "lost":
    case "load":
      return 0.01
    case "wait":
      return Math.max(20, 0.02 * usual)
    case "recovery":
      return 1000
  }
}

/** The difference from the default with the same calls; `better` and `worse` are beyond the band. */
export interface Difference extends Summary {
  readonly is: "better" | "worse" | "same"
}

/** All that was measured, by job. */
export class Results {
  private readonly all = new Map<string, Array<Found>>()

  constructor(measured: ReadonlyArray<Measured<Seeded, Found>>) {
    for (const { found, job } of measured) {
      const key = keyOf(job.of)
      const founds = this.all.get(key)
      if (founds === undefined) this.all.set(key, [found])
      else founds.push(found)
    }
  }

  /** In the order of the seeds; none, if that was not measured. */
  founds(job: Job): ReadonlyArray<Found> {
    return this.all.get(keyOf(job)) ?? []
  }

  summary(job: Job, objective: Objective): Summary | undefined {
    const founds = this.founds(job)
    return founds.length === 0 ? undefined : summary(founds.map((found) => found[objective]))
  }

  /** The job of a value, which is that of all defaults where it is the default. */
  incident(world: WorldName, event: EventName, sweep: SweepName, value: string): Job {
    const usual = { _tag: "Incident", world, event } as const
    return value === sweepOf(sweep).chosen ? usual : { ...usual, sweep, value }
  }

  difference(
    world: WorldName,
    event: EventName,
    sweep: SweepName,
    value: string,
    objective: Objective
  ): Difference | undefined {
    const usual = this.founds({ _tag: "Incident", world, event })
    const other = this.founds(this.incident(world, event, sweep, value))
    if (usual.length === 0 || other.length !== usual.length) return undefined
    const found = summary(other.map((found, i) => found[objective] - usual[i]![objective]))
    const least = tooSmall(objective, summary(usual.map((found) => found[objective])).mean)
    const is = found.low > 0 && found.mean > least ? "worse" : found.high < 0 && found.mean < -least ? "better" : "same"
    return { ...found, is }
  }
}

const keyOf = (job: Job): string => JSON.stringify(Object.entries(job).toSorted(([a], [b]) => a < b ? -1 : 1))

export const half = ({ high, mean }: Summary): number => high - mean

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`

export const shown = (objective: Objective, value: number): string => {
  switch (objective) {
    case "lost":
      return percent(value)
    case "load":
      return value.toFixed(2)
    case "wait":
    case "recovery":
      return value < 0.5 ? "0s" : Plot.showDuration(value)
  }
}

export const signed = (objective: Objective, difference: Summary): string =>
  `${difference.mean < 0 ? "-" : "+"}${shown(objective, Math.abs(difference.mean))} ±${
    shown(objective, half(difference))
  }`
