import type * as Result from "effect/Result"
import { closeSync, openSync } from "node:fs"
import { parseArgs } from "node:util"
import { integer, parsed, refuse } from "../../../packages/examples/src/support/arguments.ts"
import type { Plan } from "./Experiment.ts"

export interface Options extends Plan {
  /** The names of the experiments, all if there are none. */
  readonly only: ReadonlyArray<string>
  readonly json: string | undefined
  readonly help: boolean
}

export const help = `npm run lab [-- OPTION...]

Runs the experiments of docs/laboratory in virtual time, through the kernels
that run in production, and writes their tables and plots into the pages.
Everything takes less than ten minutes on two cores.

  --only A,B   these experiments only
  --seeds N    so many runs of each case (5; with --quick 2)
  --json FILE  all tables, checks and measurements as JSON
  --quick      fewer cases in less than a minute, and nothing is written
  --help       this text

The exit code is 1 if a claim does not hold.`

const names = ["only", "seeds", "json", "quick"]

/** Found out before minutes of measuring, not after. */
const writable = (file: string | undefined): string | undefined => {
  if (file === undefined) return undefined
  try {
    closeSync(openSync(file, "a"))
    return file
  } catch (error) {
    return refuse(`--json ${file} cannot be written: ${(error as NodeJS.ErrnoException).code}.`)
  }
}

/** The options, or one sentence on what is wrong with them. */
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> =>
  parsed("lab", names, env, () => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true, default: [] },
        seeds: { type: "string" },
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    })
    const many = integer("seeds", values.seeds, 1, 100) ?? (values.quick ? 2 : 5)
    return {
      only: values.only.flatMap((each) => each.split(",")),
      seeds: Array.from({ length: many }, (_, i) => i + 1),
      quick: values.quick,
      help: values.help,
      json: writable(values.json)
    }
  })
