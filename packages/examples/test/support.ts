import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of this package as a person would, in an environment of its own. */
export const run = (
  program: string,
  options: {
    readonly args?: ReadonlyArray<string>
    readonly env?: Record<string, string>
    /** Reads no more than the beginning, as `head` does. */
    readonly beginning?: boolean
  } = {}
): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    const file = fileURLToPath(new URL(`../src/${program}`, import.meta.url))
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("AZURE_OPENAI_"))
    )
    const child = spawn(process.execPath, [file, ...options.args ?? []], { env: { ...inherited, ...options.env } })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text
      if (options.beginning === true) child.stdout.destroy()
    })
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill())
  })
