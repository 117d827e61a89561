import { closeSync, openSync } from "node:fs"
import { parseArgs } from "node:util"
import { type GroupName, groups, type Plan } from "./measure.ts"

/** What `--only` takes. */
export type Part = GroupName | "growth" | "memory"

export interface Arguments extends Plan {
  readonly parts: ReadonlyArray<Part>
  /** Once more with what rests on the runtime of Effect turned off, beside the first. */
  readonly bothPaths: boolean
  readonly json: string | undefined
  readonly markdown: string | undefined
}

const allParts: ReadonlyArray<Part> = [...Object.keys(groups) as ReadonlyArray<GroupName>, "growth", "memory"]

const roundsOf = (rounds: string): number => {
  const n = Number(rounds)
  if (Number.isSafeInteger(n) && n >= 1) return n
  throw new Error(`--rounds must be an integer >= 1, got "${rounds}"`)
}

const partOf = (name: string): Part => {
  const part = allParts.find((part) => part === name)
  if (part === undefined) throw new Error(`--only must be one of ${allParts.join(", ")}; got "${name}"`)
  return part
}

/** Found out before minutes of measuring, not after. */
const writable = (file: string | undefined): string | undefined => {
  if (file !== undefined) closeSync(openSync(file, "a"))
  return file
}

/** What the benchmark is asked for. */
export const help = `npm run bench [-- OPTION...]

Measures what the policies cost beside Effect's own, cockatiel, opossum and
p-retry. Five rounds take about ten minutes; progress goes to standard error.

  --rounds N        so many rounds; the median of them counts (5)
  --quick           short rounds, to see that it runs: the figures say little
  --only NAME       one part; may be given more than once:
                    ${allParts.slice(0, 5).join(", ")},
                    ${allParts.slice(5, 9).join(", ")},
                    ${allParts.slice(9).join(", ")}
  --no-memory       without the heap of calls in flight
  --both-paths      once more with the public API of Effect only
  --json FILE       the results as JSON
  --markdown FILE   writes the tables between the marks of that page`

const usage = "options: --rounds N, --quick, --only NAME, --no-memory, --both-paths, --json FILE, --markdown FILE"

/** Bad arguments are thrown as an error of one line. */
export const parse = (args: ReadonlyArray<string>): Arguments => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "rounds": { type: "string", default: "5" },
        "quick": { type: "boolean", default: false },
        "only": { type: "string", multiple: true },
        "no-memory": { type: "boolean", default: false },
        "both-paths": { type: "boolean", default: false },
        "json": { type: "string" },
        "markdown": { type: "string" }
      }
    })
    const parts = values.only?.map(partOf) ?? allParts
    return {
      rounds: roundsOf(values.rounds),
      quick: values.quick,
      parts: values["no-memory"] ? parts.filter((part) => part !== "memory") : parts,
      bothPaths: values["both-paths"],
      json: writable(values.json),
      markdown: writable(values.markdown)
    }
  } catch (error) {
    const [reason] = (error as Error).message.split(". ", 1) // Node's advice that follows does not apply here
    throw new Error(`${reason} (${usage})`, { cause: error })
  }
}
