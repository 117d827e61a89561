// Runs a command of this workspace on a machine that may have only an old Node and npm.
import process from "node:process"
import { install, run, say } from "./workspace.mjs"

const [command, ...args] = process.argv.slice(2)
if (command === undefined || command === "--help") {
  say("node scripts/bootstrap.mjs COMMAND [ARGUMENT...]\n\nRuns a command of this workspace, and installs first what it needs.")
  process.exit(command === undefined ? 1 : 0)
}
const problem = await install()
if (problem !== undefined) say(problem)
process.exitCode = problem === undefined ? await run(command, args) : 1
