/** What a person asked for on the command line. */
import type * as Result from "effect/Result"
import { parseArgs } from "node:util"
import { integer, parsed, refuse } from "../support/arguments.ts"

export interface Options {
  readonly help: boolean
  readonly seconds: number
  /** Calls per second of the whole fleet. */
  readonly rate: number
  readonly seed: number
  readonly json: string | undefined
  readonly plot: string | undefined
}

export const help = `npm run fleet

Three processes serve calls from three fake deployments within one quota, which
they share through Redis. A region fails, another one is squeezed, Redis comes
back with an empty memory, and a process is killed. The report says what
happened to the calls, and the last line is a verdict.

  --seconds N    how long the load lasts, from 20 to 600 [60]
  --rate N       calls per second, from 1 to 15 [12]
  --seed N       another seed gives other calls [1]
  --json FILE    writes the report as JSON
  --plot FILE    draws the minute as SVG
  -h, --help     this text

Nothing leaves this machine. It needs redis-server on the PATH.
Exit code: 0 all is as promised, 1 not all, 2 it could not run.`

const definitions = {
  help: { type: "boolean", short: "h" },
  seconds: { type: "string" },
  rate: { type: "string" },
  seed: { type: "string" },
  json: { type: "string" },
  plot: { type: "string" }
} as const

/** npm has a `--help` of its own, and a `--json`. */
const ours = Object.keys(definitions).filter((name) => name !== "help" && name !== "json")

const fileOf = (name: string, text: string | undefined): string | undefined =>
  text === "" ? refuse(`--${name} must be the name of a file.`) : text

const follow = (args: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({ args: [...args], options: definitions })
  return {
    help: values.help === true,
    seconds: integer("seconds", values.seconds, 20, 600) ?? 60,
    rate: integer("rate", values.rate, 1, 15) ?? 12,
    seed: integer("seed", values.seed, 0, 2 ** 31) ?? 1,
    json: fileOf("json", values.json),
    plot: fileOf("plot", values.plot)
  }
}

/** The options, or in one sentence why they cannot be followed. */
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> =>
  parsed("fleet", ours, env, () => follow(args))
