/**
 * An experiment of the laboratory: one file, `packages/core/laboratory/NAME.ts` or `packages/azure-o1/laboratory/NAME.ts`, with a page,
 * `docs/laboratory/NAME.md`. `npm run lab -- --only NAME` runs it.
 */

/** What a run asks for. */
export interface Plan {
  /** One run of each case for each of them. */
  readonly seeds: ReadonlyArray<number>
  /** A few seconds in all: fewer cases, shorter runs. */
  readonly quick: boolean
}

/** A number is shown with thousands separated, and at most two decimals. */
export interface Table {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string | number>>
}

/** Something that the experiment shows, and whether it does. */
export interface Check {
  readonly claim: string
  readonly holds: boolean
  /** The figures behind it. */
  readonly found: string
}

export interface Measured<Job, Found> {
  readonly job: Job
  readonly found: Found
}

export interface Report {
  /** Each by the name of its place in the page, between `<!-- lab:NAME -->` and `<!-- /lab -->`. */
  readonly tables: Readonly<Record<string, Table>>
  /** SVG documents: "" is `docs/laboratory/NAME.svg`, "x" is `NAME-x.svg`. */
  readonly plots: Readonly<Record<string, string>>
  readonly checks: ReadonlyArray<Check>
}

export interface Experiment<Job, Found> {
  /** That of its file and its page. */
  readonly name: string
  readonly title: string
  /** The publication that claims what it shows. */
  readonly source: string
  /** Plain data, usually one for each case and seed. They run on several threads. */
  readonly jobs: (plan: Plan) => ReadonlyArray<Job>
  /** Runs on a thread of its own: the same job gives the same plain data. */
  readonly measure: (job: Job) => Found
  /** What the page and the terminal show. Gets everything in the order of the jobs. */
  readonly report: (measured: ReadonlyArray<Measured<Job, Found>>, plan: Plan) => Report
}

/** Jobs and what they found are only looked at by the experiment itself. */
export type AnyExperiment = Experiment<any, any>

export const make = <Job, Found>(experiment: Experiment<Job, Found>): Experiment<Job, Found> => experiment
