import process from "node:process"
import { parseArgs } from "node:util"

/** Says in one sentence what is wrong with the command line, and ends the program. */
export const refuse = (problem: string): never => {
  console.error(`${problem} (--help lists the options)`)
  return process.exit(1)
}

/** A number of an option, from `least` to `most`. */
export const numberOf = (name: string, value: string, least: number, most = Infinity): number => {
  const number = Number(value)
  const isWhole = most < Infinity || Number.isSafeInteger(number)
  if (value.trim() !== "" && isWhole && number >= least && number <= most) return number
  const allowed = most < Infinity ? `from ${least} to ${most}` : `an integer >= ${least}`
  return refuse(`--${name} must be ${allowed}, got "${value}"`)
}

interface Definitions {
  readonly [name: string]:
    | { readonly type: "string"; readonly default?: string }
    | { readonly type: "boolean"; readonly default: false }
}

/** The options of a program. `--help` prints the help, and an option that the program does not have ends it. */
export const read = <const D extends Definitions>(help: string, options: D) => {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    console.log(help)
    process.exit(0)
  }
  try {
    return parseArgs({ options }).values
  } catch (error) {
    // Node's advice that follows the first sentence does not apply here
    return refuse((error as Error).message.split(". ", 1)[0]!)
  }
}
