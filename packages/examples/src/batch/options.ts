/** What a person asked for on the command line. */
import { ReasoningEffort } from "@effect-resilience/azure-o1"
import * as Duration from "effect/Duration"
import type * as Result from "effect/Result"
import { parseArgs } from "node:util"
import { integer, parsed, refuse } from "../support/arguments.ts"
import { most } from "./pace.ts"

export interface Options {
  readonly help: boolean
  readonly fake: boolean
  /** Absent only with `fake`, which has prompts of its own. */
  readonly input: string | undefined
  readonly output: string | undefined
  readonly store: { readonly _tag: "Redis"; readonly url: string; readonly run: string | undefined } | {
    readonly _tag: "Journal"
    readonly file: string | undefined
  }
  readonly workers: number
  readonly concurrency: number | "auto"
  readonly effort: ReasoningEffort | undefined
  readonly maxTokens: number | undefined
  readonly leaseMillis: number
}

export const help = `npm run batch -- PROMPTS ANSWERS           journal in ANSWERS.journal
npm run batch -- PROMPTS ANSWERS --redis redis://127.0.0.1 --workers 3
npm run batch -- --fake                    some prompts, on a fake deployment

PROMPTS has a line {"id": "...", "prompt": "..."} for each prompt. ANSWERS gets
a line for each id. The same command goes on after a stop or a kill.

  --redis URL        keep the state in Redis instead of a journal
  --run NAME         the name of the state in Redis [the path of ANSWERS]
  --journal FILE     keep the state in this file [ANSWERS.journal]
  --workers N        so many processes, up to 32; more than 1 need --redis [1]
  --concurrency N    prompts in flight in each process, from 1 to ${most}, or auto:
                     as many as the quota lets through [auto]
  --effort EFFORT    ${ReasoningEffort.literals.slice(0, 4).join(", ")}, ... [the model's own]
  --max-tokens N     the most tokens of an answer, reasoning included
  --lease DURATION   how long Redis keeps a dead worker's prompts [15 seconds]
  --fake             a fake deployment on this machine, whatever is set
  -h, --help         this text

The deployment is that of AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and
AZURE_OPENAI_DEPLOYMENT. It charges for every answer.
Exit code: 0 all answered, 1 not all of them, 130 or 143 stopped.`

const definitions = {
  help: { type: "boolean", short: "h" },
  fake: { type: "boolean" },
  redis: { type: "string" },
  run: { type: "string" },
  journal: { type: "string" },
  workers: { type: "string" },
  concurrency: { type: "string" },
  effort: { type: "string" },
  "max-tokens": { type: "string" },
  lease: { type: "string" }
} as const

/** npm has a `--help` of its own. */
const ours = Object.keys(definitions).filter((name) => name !== "help")

const leaseOf = (text: string): number => {
  const duration = Duration.fromInput(text as Duration.Input) // anything that is none gives nothing
  const millis = duration._tag === "Some" ? Duration.toMillis(duration.value) : Number.NaN
  return millis >= 300 && millis <= 3_600_000
    ? millis
    : refuse(`--lease must be a duration from "300 millis" to "1 hour", got ${JSON.stringify(text)}.`)
}

const redisOf = (url: string): string =>
  URL.canParse(url) && /^rediss?:$/u.test(new URL(url).protocol)
    ? url
    : refuse("--redis must be an address like redis://127.0.0.1:6379.")

const follow = (args: ReadonlyArray<string>): Options => {
  const { positionals, values } = parseArgs({ args: [...args], options: definitions, allowPositionals: true })
  const [input, output, another] = positionals
  const fake = values.fake === true
  const help = values.help === true
  if (another !== undefined) refuse(`There are two files, PROMPTS and ANSWERS; ${JSON.stringify(another)} is one more.`)
  if (!help && input === undefined && !fake) refuse("Which prompts? npm run batch -- PROMPTS ANSWERS")
  if (!help && input !== undefined && output === undefined) refuse("Where to? npm run batch -- PROMPTS ANSWERS")
  if (values.redis !== undefined && values.journal !== undefined) refuse("Either --redis or --journal keeps the state.")
  if (values.run !== undefined && values.redis === undefined) refuse("--run is a name in Redis: it needs --redis.")
  if (values.run === "") refuse("--run must not be empty.")
  const workers = integer("workers", values.workers, 1, 32) ?? 1
  if (workers > 1 && values.redis === undefined) {
    refuse("A journal belongs to one worker: raise --concurrency, or take --redis.")
  }
  const effort = ReasoningEffort.literals.find((effort) => effort === values.effort)
  if (values.effort !== undefined && effort === undefined) {
    refuse(`--effort must be one of ${ReasoningEffort.literals.join(", ")}, got ${JSON.stringify(values.effort)}.`)
  }
  const { concurrency = "auto" } = values
  return {
    help,
    fake,
    input,
    output,
    store: values.redis === undefined
      ? { _tag: "Journal", file: values.journal }
      : { _tag: "Redis", url: redisOf(values.redis), run: values.run },
    workers,
    concurrency: concurrency === "auto" ? "auto" : integer("concurrency", concurrency, 1, most)!,
    effort,
    maxTokens: integer("max-tokens", values["max-tokens"], 1, 1_000_000),
    leaseMillis: leaseOf(values.lease ?? "15 seconds")
  }
}

/** The options, or in one sentence why they cannot be followed. */
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> =>
  parsed("batch", ours, env, () => follow(args))
