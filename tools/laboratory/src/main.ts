/** The laboratory: `npm run lab -- --help` tells what it does. */
import * as Result from "effect/Result"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { find } from "./find.ts"
import { help, parse } from "./options.ts"
import { run } from "./run.ts"

const root = join(import.meta.dirname, "..", "..", "..")

const main = async (): Promise<number> => {
  const parsed = parse(process.argv.slice(2), process.env)
  if (Result.isFailure(parsed)) {
    process.stderr.write(`lab: ${parsed.failure}\n`)
    return 1
  }
  const options = parsed.success
  if (options.help) {
    process.stdout.write(`${help}\n`)
    return 0
  }
  const all = await find(root, "packages/{core,azure-o1}/laboratory")
  const names = all.map(({ experiment: { name } }) => name)
  const unknown = options.only.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    process.stderr.write(`lab: --only takes ${names.join(", ")}, got ${JSON.stringify(unknown)}.\n`)
    return 1
  }
  const chosen = options.only.length === 0 ? all : all.filter(({ experiment: { name } }) => options.only.includes(name))
  const good = await run(chosen, options, {
    pages: join(root, "docs", "laboratory"),
    threads: availableParallelism(),
    columns: Math.max(process.stdout.columns || 80, 40),
    print: (text) => process.stdout.write(`${text}\n`),
    progress: (text) => process.stderr.write(`lab: ${text}\n`)
  })
  return good ? 0 : 1
}

process.exitCode = await main()
