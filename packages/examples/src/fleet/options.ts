/** What a person asked for on the command line. */
import * as Result from "effect/Result"
import { parseArgs } from "node:util"

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

/** Options that npm has taken for its own, because no `--` stood before them. */
const swallowed = (env: NodeJS.ProcessEnv): string | undefined =>
  Object.keys(definitions).find((name) => name !== "help" && env[`npm_config_${name}`] !== undefined && name !== "json")

class Refused extends Error {}

const refuse = (message: string): never => {
  throw new Refused(message)
}

const integer = (name: string, text: string | undefined, least: number, largest: number): number | undefined => {
  if (text === undefined) return undefined
  const n = Number(text)
  return /^\d+$/u.test(text) && n >= least && n <= largest
    ? n
    : refuse(`--${name} must be an integer from ${least} to ${largest}, got ${JSON.stringify(text)}.`)
}

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
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> => {
  const kept = swallowed(env)
  if (kept !== undefined) {
    return Result.fail(`npm took --${kept} for its own. Put -- before it: npm run fleet -- --${kept}`)
  }
  try {
    return Result.succeed(follow(args))
  } catch (error) {
    if (error instanceof Refused || (error instanceof Error && "code" in error)) {
      // the rest of the message tells how to write a file that begins with a dash; not each has a full stop
      return Result.fail(error.message.replace(/(?:\.\s.*|\.?)$/su, "."))
    }
    throw error
  }
}
