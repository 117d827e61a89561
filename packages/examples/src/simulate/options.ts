/** What a person asked for on the command line. */
import { Duration, Option, type Result } from "effect"
import { parseArgs } from "node:util"
import { integer, parsed, refuse } from "../support/arguments.ts"

/** A load and a service, as far as they were given. Times in milliseconds. */
export interface Options {
  readonly help: boolean
  readonly history: string | undefined
  readonly trace: string | undefined
  readonly perSecond: number | undefined
  /** By percentile, rising. */
  readonly percentiles: ReadonlyArray<readonly [percentile: number, millis: number]>
  readonly deployments: number | undefined
  readonly capacity: number | undefined
  readonly errors: number | undefined
  readonly requestsPerMinute: number | undefined
  readonly tokensPerMinute: number | undefined
  readonly prompt: number | undefined
  readonly answer: number | undefined
  readonly maxAnswer: number | undefined
  /** Money for a million tokens of prompts, and of answers. */
  readonly price: readonly [prompt: number, answer: number] | undefined
  readonly outage: number | undefined
  readonly kind: "down" | "silent" | "slow" | undefined
  readonly hit: number | undefined
  readonly processes: number | undefined
  readonly patience: number | undefined
  readonly seeds: number | undefined
  readonly plot: string | undefined
  readonly json: string | undefined
}

export const help = `npm run simulate -- OPTION...

Runs your load through several stacks in virtual time, side by side, and says
which settings follow. Nothing is called. Without options it shows an example.

The load
  --rate N          calls: 20 or 20/s, 90/min, 500/h
  --trace FILE      instead: when calls came, one time in each line
  --history FILE    instead: what the monitor of azure-o1 kept; it also says
                    how long answers take, how many fail, and their tokens
How long a request takes
  --p50 80ms        also --p90, --p95, --p99, --p999: ms, s, min
The service
  --deployments N   how many share the calls [1]
  --capacity N      requests that a deployment serves at once [no end]
  --errors 2%       the share of the answers that are errors [0]
  --outage 30s      a deployment is out for so long; without it none is
  --kind down       of the outage: down, silent, or slow (ten times)
  --hit N           how many deployments it hits [1]
Quota of a deployment, and tokens
  --rpm N           requests per minute
  --tpm N           tokens per minute
  --prompt N        tokens of a prompt
  --answer N        tokens of an answer, reasoning included
  --max-answer N    the most that a request asks for: the quota charges it
  --price 15/60     money for a million tokens of prompts and of answers
The callers
  --processes N     each has breakers, budgets and limits of its own [1]
  --patience 30s    an answer that comes later is none
The report
  --seeds N         runs of each stack, from 2 to 100 [3 to 50, by cost]
  --plot FILE       draws the runs as SVG
  --json FILE       writes all figures as JSON
  -h, --help        this text

It ends within a minute. Exit code: 0, or 2 if it could not run.`

const strings = [
  "history",
  "trace",
  "rate",
  "p50",
  "p90",
  "p95",
  "p99",
  "p999",
  "deployments",
  "capacity",
  "errors",
  "outage",
  "kind",
  "hit",
  "rpm",
  "tpm",
  "prompt",
  "answer",
  "max-answer",
  "price",
  "processes",
  "patience",
  "seeds",
  "plot",
  "json"
] as const

type Name = typeof strings[number]

const definitions = {
  ...Object.fromEntries(strings.map((name) => [name, { type: "string" as const }])),
  help: { type: "boolean" as const, short: "h" }
}

/** npm has a `--help` of its own, and a `--json`. */
const ours = strings.filter((name) => name !== "json")

const wrong = (name: Name, allowed: string, text: string): never =>
  refuse(`--${name} must be ${allowed}, got ${JSON.stringify(text)}.`)

const fileOf = (name: Name, text: string | undefined): string | undefined =>
  text === "" ? refuse(`--${name} must be the name of a file.`) : text

const units: Readonly<Record<string, string>> = { ms: "millis", s: "seconds", min: "minutes", h: "hours" }

const longest = 24 * 3_600_000

const time = (name: Name, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|min|h)$/u.exec(text) ?? []
  const millis = amount === undefined
    ? undefined
    : Duration.fromInput(`${Number(amount)} ${units[unit!]}` as Duration.Input)
  const found = millis === undefined ? 0 : Option.match(millis, { onNone: () => 0, onSome: Duration.toMillis })
  return found > 0 && found <= longest ? found : wrong(name, "a time such as 80ms, 2s, 5min or 1h, at most a day", text)
}

const seconds: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 }

const rateOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(?:\/(s|min|h))?$/u.exec(text) ?? []
  const rate = Number(amount) / seconds[unit]!
  return rate >= 1e-5 && rate <= 1e6
    ? rate
    : wrong("rate", "calls per time such as 20/s, 90/min or 500/h, at most a million a second", text)
}

const share = (name: Name, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const [, amount, percent] = /^(\d+(?:\.\d+)?) ?(%?)$/u.exec(text) ?? []
  const found = Number(amount) / (percent === "%" ? 100 : 1)
  return found >= 0 && found <= 1 ? found : wrong(name, "a share such as 2% or 0.02", text)
}

const priceOf = (text: string | undefined): Options["price"] => {
  if (text === undefined) return undefined
  const [, prompt, answer] = /^(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)$/u.exec(text) ?? []
  return answer === undefined
    ? wrong("price", "two prices of a million tokens, such as 15/60", text)
    : [Number(prompt), Number(answer)]
}

const kinds = ["down", "silent", "slow"] as const

const kindOf = (text: string | undefined): Options["kind"] =>
  text === undefined ? undefined : kinds.find((kind) => kind === text) ?? wrong("kind", "down, silent or slow", text)

const percentiles = [["p50", 50], ["p90", 90], ["p95", 95], ["p99", 99], ["p999", 99.9]] as const

const percentilesOf = (values: Partial<Record<Name, string>>): Options["percentiles"] => {
  const given = percentiles.flatMap(([name, percentile]) => {
    const millis = time(name, values[name])
    return millis === undefined ? [] : [{ name, percentile, millis }]
  })
  given.forEach(({ millis, name }, i) => {
    const before = given[i - 1]
    if (before !== undefined && millis < before.millis) {
      refuse(`--${name} must be at least --${before.name}, got ${values[name]} and ${values[before.name]}.`)
    }
  })
  return given.map(({ millis, percentile }) => [percentile, millis])
}

const follow = (args: ReadonlyArray<string>): Options => {
  // `parseArgs` knows the names of its definitions only where they are written out
  const { values } = parseArgs({ args: [...args], options: definitions }) as {
    readonly values: Partial<Record<Name, string>> & { readonly help?: boolean }
  }
  const count = (name: Name, most: number, least = 1): number | undefined => integer(name, values[name], least, most)
  const loads = (["rate", "trace", "history"] as const).filter((name) => values[name] !== undefined)
  if (values.rate !== undefined && values.trace !== undefined) refuse(`Give --rate or --trace, not both.`)
  const options: Options = {
    help: values.help === true,
    history: fileOf("history", values.history),
    trace: fileOf("trace", values.trace),
    perSecond: rateOf(values.rate),
    percentiles: percentilesOf(values),
    deployments: count("deployments", 100),
    capacity: count("capacity", 1e7),
    errors: share("errors", values.errors),
    requestsPerMinute: count("rpm", 1e9),
    tokensPerMinute: count("tpm", 1e12),
    prompt: count("prompt", 1e7),
    answer: count("answer", 1e7),
    maxAnswer: count("max-answer", 1e7),
    price: priceOf(values.price),
    outage: time("outage", values.outage),
    kind: kindOf(values.kind),
    hit: count("hit", 100),
    processes: count("processes", 1000),
    patience: time("patience", values.patience),
    seeds: count("seeds", 100, 2),
    plot: fileOf("plot", values.plot),
    json: fileOf("json", values.json)
  }
  if (options.help) return options
  const tokens = ["tpm", "price"].find((name) => values[name as Name] !== undefined)
  const known = options.history !== undefined || (options.prompt !== undefined && options.answer !== undefined)
  if (tokens !== undefined && !known) refuse(`--${tokens} needs --prompt and --answer: how many tokens has a request?`)
  if (options.maxAnswer !== undefined && options.maxAnswer < (options.answer ?? 0)) {
    refuse(`--max-answer must be at least --answer, got ${options.maxAnswer} and ${options.answer}.`)
  }
  const alone = (["kind", "hit"] as const).find((name) => values[name] !== undefined)
  if (alone !== undefined && options.outage === undefined) refuse(`--${alone} needs --outage: how long does it last?`)
  if ((options.hit ?? 1) > (options.deployments ?? 1)) {
    refuse(`--hit must be at most --deployments, got ${options.hit} and ${options.deployments ?? 1}.`)
  }
  if (args.length > 0 && options.history === undefined) {
    const given = Object.keys(values).some((name) => !["plot", "json", "seeds"].includes(name))
    if (given && loads.length === 0) refuse("Give the load: --rate, --trace or --history.")
    if (given && options.percentiles.length === 0) {
      refuse("Give the times: --p50 at least, how long does a request take?")
    }
  }
  return options
}

/** The options, or in one sentence why they cannot be followed. */
export const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Result.Result<Options, string> =>
  parsed("simulate", ours, env, () => follow(args))
