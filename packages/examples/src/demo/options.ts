/** What a person asked for on the command line. */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { parseArgs } from "node:util"
import { acts } from "./acts/index.ts"

export interface Options {
  readonly help: boolean
  readonly fake: boolean
  readonly fast: boolean
  /** The numbers of the acts, from 1. */
  readonly chosen: ReadonlyArray<number>
  readonly prompt: Option.Option<string>
}

export const help = `npm start                      all acts, on a fake deployment
npm start -- --act 2           one of them
npm start -- "your question"   asks it in acts 1 and 2

${acts.map(({ title }, i) => `  act ${i + 1}        ${title}`).join("\n")}

  --act N      only this act; may be given more than once
  --fast       no pauses for the sake of the reader
  --fake       the fake deployment, whatever the environment says
  -h, --help   this text

Without environment nothing leaves this machine. With AZURE_OPENAI_ENDPOINT,
AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT set, that deployment is asked:
one call and one stream, which it charges for. Faults cannot be ordered there.`

const definitions = {
  help: { type: "boolean", short: "h" },
  fake: { type: "boolean" },
  fast: { type: "boolean" },
  act: { type: "string", multiple: true }
} as const

/** Options that npm has taken for its own, because no `--` stood before them. */
const swallowed = (env: NodeJS.ProcessEnv): string | undefined =>
  Object.keys(definitions).find((name) => name !== "help" && env[`npm_config_${name}`] !== undefined)

/** The options, or why they cannot be followed. Nothing that looks like an option is ever taken for a question. */
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> => {
  const kept = swallowed(env)
  if (kept !== undefined) return Result.fail(`npm took --${kept} for its own. Put -- before it: npm start -- --${kept}`)
  try {
    const { positionals, values } = parseArgs({ args: [...args], options: definitions, allowPositionals: true })
    const numbers = (values.act ?? []).map(Number)
    const bad = numbers.findIndex((number) => acts[number - 1] === undefined)
    if (bad >= 0) {
      return Result.fail(`There is no act ${JSON.stringify(values.act?.[bad])}: they are 1 to ${acts.length}.`)
    }
    const words = positionals.join(" ").trim()
    const chosen = numbers.length > 0 ? numbers : acts.map((_, i) => i + 1)
    if (words !== "" && chosen.every((number) => acts[number - 1]?.question === undefined)) {
      return Result.fail(`Act ${chosen.join(" and ")} asks no question, so yours would not be asked.`)
    }
    return Result.succeed({
      help: values.help === true,
      fake: values.fake === true,
      fast: values.fast === true,
      chosen,
      prompt: words === "" ? Option.none() : Option.some(words)
    })
  } catch (error) {
    // the rest of the message tells how to write a question that begins with a dash
    return Result.fail((error as Error).message.replace(/\. To specify.*/su, "."))
  }
}
