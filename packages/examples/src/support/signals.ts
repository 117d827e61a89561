import type * as Runtime from "effect/Runtime"
import process from "node:process"

/** The signals that ask a program to end, and the exit code that says so: 128 and the signal's number. */
export const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

export const signals = ["SIGHUP", "SIGINT", "SIGTERM"] as const

/** For `NodeRuntime.runMain`, which hears no SIGHUP and exits alike for all: ends on each of the signals, with its code. */
export const teardownOnSignals = (fallback: Runtime.Teardown): Runtime.Teardown => {
  let code: number | undefined
  for (const signal of signals) process.on(signal, () => code ??= codes[signal])
  process.on("SIGHUP", () => process.emit("SIGINT"))
  return (exit, onExit) => fallback(exit, (usual) => onExit(code ?? usual))
}
