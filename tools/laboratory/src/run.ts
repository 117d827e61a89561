import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { wrap } from "../../../packages/core/benchmark/table.ts"
import type { Check, Measured, Report } from "./Experiment.ts"
import type { Located } from "./find.ts"
import type { Options } from "./options.ts"
import { inTerminal, plotFile, replaceTables } from "./page.ts"
import { runAll } from "./pool.ts"

/** Where a run reads and writes, and whom it tells. */
export interface Surroundings {
  /** The folder of the pages. */
  readonly pages: string
  readonly threads: number
  readonly columns: number
  readonly print: (text: string) => void
  readonly progress: (text: string) => void
}

interface Outcome {
  readonly name: string
  readonly title: string
  readonly source: string
  /** Of all threads together. */
  readonly seconds: number
  readonly tables: Report["tables"]
  readonly checks: ReadonlyArray<Check>
  /** Why it could not be run to its end, or does not fit its page. */
  readonly problems: ReadonlyArray<string>
  readonly measured: ReadonlyArray<Measured<unknown, unknown>>
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** Puts the report into the page, if `write` says so. Gives what does not fit. */
const publish = (name: string, { plots, tables }: Report, pages: string, write: boolean): ReadonlyArray<string> => {
  const file = join(pages, `${name}.md`)
  if (!existsSync(file)) return [`it has no page: ${file} is missing`]
  const page = readFileSync(file, "utf8")
  const { complaints, text } = replaceTables(page, tables)
  const files = Object.entries(plots).map(([plot, svg]) => [plotFile(name, plot), svg] as const)
  if (write) {
    if (text !== page) writeFileSync(file, text)
    for (const [plot, svg] of files) writeFileSync(join(pages, plot), svg.endsWith("\n") ? svg : `${svg}\n`)
  }
  return [...complaints, ...files.flatMap(([plot]) => page.includes(`(${plot})`) ? [] : [`does not show ${plot}`])]
    .map((complaint) => `its page ${complaint}`)
}

const told = ({ checks, problems, source, tables, title }: Outcome, columns: number): string => {
  const lines = [
    title,
    wrap(source, columns),
    ...Object.entries(tables).map(([name, table]) => `\n${inTerminal(name, table, columns)}`),
    "",
    ...checks.map(({ claim, found, holds }) =>
      wrap(`${claim}: ${found}`, columns, "         ").replace("         ", holds ? "holds    " : "MISSED   ")
    ),
    ...problems.map((problem) => wrap(problem, columns, "         ").replace("         ", "FAILED   "))
  ]
  return `${lines.join("\n")}\n`
}

/** Runs the experiments. Gives whether everything holds. */
export const run = async (
  located: ReadonlyArray<Located>,
  options: Options,
  { columns, pages, print, progress, threads }: Surroundings
): Promise<boolean> => {
  const begun = performance.now()
  const { quick, seeds } = options
  const plan = { quick, seeds }
  const planned = located.map(({ experiment, file }) => ({ experiment, file, jobs: experiment.jobs(plan) }))
  const tasks = planned.flatMap(({ file, jobs }, at) => jobs.map((job, index) => ({ file, job, at, index })))
  const states = planned.map(({ jobs }) => ({
    left: jobs.length,
    millis: 0,
    found: [] as Array<Measured<unknown, unknown>>,
    problems: new Set<string>()
  }))
  const outcomes: Array<Outcome> = []
  let done = 0

  const conclude = (at: number) => {
    const { experiment: { name, report, source, title } } = planned[at]!
    const { found, millis, problems } = states[at]!
    const seconds = millis / 1000
    const bare = { name, title, source, seconds, tables: {}, checks: [], measured: [] }
    const finish = (): Outcome => {
      if (problems.size > 0) return { ...bare, problems: [...problems] }
      try {
        const made = report(found, plan)
        const complaints = publish(name, made, pages, !quick)
        return { ...bare, tables: made.tables, checks: made.checks, problems: complaints, measured: found }
      } catch (error) {
        return { ...bare, problems: [`its report has failed: ${reasonOf(error)}`] }
      }
    }
    outcomes[at] = finish()
    progress(`${name}: ${planned[at]!.jobs.length} jobs in ${seconds.toFixed(1)} s of the processor`)
  }

  progress(`${tasks.length} jobs on ${threads} threads: ${located.map(({ experiment }) => experiment.name).join(", ")}`)
  for (const [at, { jobs }] of planned.entries()) if (jobs.length === 0) conclude(at)
  await runAll(tasks, threads, (i, answer) => {
    const { at, index, job } = tasks[i]!
    const state = states[at]!
    if ("failed" in answer) state.problems.add(`the job ${JSON.stringify(job)} has failed: ${answer.failed}`)
    else {
      state.found[index] = { job, found: answer.found }
      state.millis += answer.millis
    }
    state.left--
    done++
    if (state.left === 0) conclude(at)
    else if (done % 10 === 0) progress(`${done} of ${tasks.length} jobs`)
  })

  for (const outcome of outcomes) print(told(outcome, columns))
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...plan, experiments: outcomes }, null, 2)}\n`)
  }
  const checks = outcomes.flatMap(({ checks, name }) => checks.map((check) => ({ ...check, name })))
  const missed = checks.filter(({ holds }) => !holds)
  const failed = outcomes.filter(({ problems }) => problems.length > 0)
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  const good = missed.length === 0 && failed.length === 0
  const verdict = good
    ? `lab: all ${checks.length} claims of ${outcomes.length} experiments hold (${seconds} s)`
    : `lab: ${
      [
        ...missed.map(({ claim, name }) => `${name} misses "${claim}"`),
        ...failed.map(({ name, problems }) => `${name} has failed: ${problems[0]!}`)
      ].join("; ")
    } (${seconds} s)`
  print(wrap(verdict, columns))
  return good
}
