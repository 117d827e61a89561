/**
 * The program with a way to die: `KILLS` has lines `step id`, at each of which its process kills itself once. Who is at work on
 * which prompt stands in `PIDS`, for those who kill from outside.
 */
import * as Effect from "effect/Effect"
import { openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { main } from "../../src/batch/program.ts"

const folder = process.env.PIDS ?? "."
const kills = new Set((process.env.KILLS ?? "").split("\n"))

/** Whether this is the first of all processes that comes here. */
const isFirst = (name: string): boolean => {
  try {
    openSync(join(folder, name), "wx")
    return true
  } catch {
    return false
  }
}

main(import.meta.filename, (step, id) =>
  Effect.sync(() => {
    if (step === "begun") writeFileSync(join(folder, `${id}.pid`), String(process.pid))
    if (kills.has(`${step} ${id}`) && isFirst(`${step}-${id}.killed`)) process.kill(process.pid, "SIGKILL")
  }))
