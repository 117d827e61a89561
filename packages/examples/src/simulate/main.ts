/** What several stacks would do with your load: `npm run simulate -- --help` tells how to describe it. */
import * as Plot from "@effect-resilience/core/plot"
import { Forecast } from "@effect-resilience/core/simulation"
import { Result } from "effect"
import { appendFileSync, writeFileSync } from "node:fs"
import process from "node:process"
import { Unusable } from "./files.ts"
import { example, loadOf } from "./load.ts"
import { help, type Options, parse } from "./options.ts"
import { report, wrap } from "./report.ts"

const stop = (message: string): void => {
  process.stderr.write(`${message}\n`)
  process.exitCode = 2
}

/** A file that cannot be written is known before the work begins. */
const checkWritable = (file: string | undefined): void => {
  if (file === undefined) return
  try {
    appendFileSync(file, "")
  } catch (error) {
    throw new Unusable(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

/** One line that counts, where somebody looks at it. */
const progress = (made: number, all: number): void => {
  if (!process.stderr.isTTY) return
  process.stderr.write(made < all ? `\rrun ${made} of ${all}` : `\r${" ".repeat(24)}\r`)
}

const args = process.argv.slice(2)

/** Files and the number of seeds say nothing of a load. */
const asked = (options: Options): Options => {
  if (options.perSecond !== undefined || options.trace !== undefined || options.history !== undefined) return options
  const { json, plot, seeds } = options
  return { ...Result.getOrThrow(parse(example.split(" "), {})), json, plot, seeds }
}

const simulate = async (given: Options): Promise<void> => {
  const options = asked(given)
  checkWritable(options.json)
  checkWritable(options.plot)
  const load = await loadOf(options)
  if (options !== given) {
    console.log(`${wrap(`No load was given, so this is an example: npm run simulate -- ${example}`, "  ")}\n`)
  }
  const forecast = Forecast.run({ ...load.options, onRun: progress })
  console.log(report(forecast, load.notes))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(forecast, undefined, 2)}\n`)
  if (options.plot !== undefined) {
    writeFileSync(options.plot, Plot.svg(Forecast.picture(forecast, { title: "What each stack does with the load" })))
  }
  const best = Forecast.best(forecast)
  console.log(
    best.success === 0
      ? "simulate: no stack gets a call through"
      : `simulate: "${best.name}" does best of the stacks with a budget and a breaker`
  )
}

/** As an option of the command line. */
const told = (message: string): string =>
  message.replace("Forecast.run: ", "").replace("perSecond", "--rate").replace("outage.lasts", "--outage").replace(
    /^trace/u,
    "--trace"
  )

const parsed = parse(args, process.env)
if (Result.isFailure(parsed)) stop(`${parsed.failure} npm run simulate -- --help tells more.`)
else if (parsed.success.help) console.log(help)
else {
  try {
    await simulate(parsed.success)
  } catch (error) {
    // a load that is out of bounds
    if (error instanceof Unusable) stop(error.message)
    else if (error instanceof RangeError) stop(`${told(error.message)}.`)
    else throw error
  }
}
