import { closeSync, openSync } from "node:fs"
import { parseArgs } from "node:util"

export interface Arguments {
  readonly rounds: number
  readonly memory: boolean
  readonly json: string | undefined
}

const roundsOf = (rounds: string): number => {
  const n = Number(rounds)
  if (Number.isSafeInteger(n) && n >= 1) return n
  throw new Error(`--rounds must be an integer >= 1, got "${rounds}"`)
}

/** Found out before minutes of measuring, not after. */
const writable = (file: string): string => {
  closeSync(openSync(file, "a"))
  return file
}

/** What is wrong with the arguments is thrown as an error of one line. */
export const parse = (args: ReadonlyArray<string>): Arguments => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "rounds": { type: "string", default: "5" },
        "no-memory": { type: "boolean", default: false },
        "json": { type: "string" }
      }
    })
    return {
      rounds: roundsOf(values.rounds),
      memory: !values["no-memory"],
      json: values.json === undefined ? undefined : writable(values.json)
    }
  } catch (error) {
    const [reason] = (error as Error).message.split(". ", 1) // Node's advice that follows does not apply here
    throw new Error(`${reason} (options: --rounds N, --no-memory, --json FILE)`, { cause: error })
  }
}
