import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Arguments } from "./arguments.ts"
import type { Results } from "./targets.ts"

/** Turns off what rests on the runtime of Effect rather than on its public API. */
const variable = "EFFECT_RESILIENCE_FRAMES"

export const publicPathOnly = process.env[variable] === "off"

/** The same again in a process that uses only the public API of Effect. */
export const measurePublicPath = async ({ parts, quick, rounds }: Arguments): Promise<Results> => {
  const folder = await mkdtemp(join(tmpdir(), "benchmark-"))
  const json = join(folder, "results.json")
  const options = ["--rounds", `${rounds}`, ...quick ? ["--quick"] : [], ...parts.flatMap((part) => ["--only", part])]
  try {
    const child = spawn(
      process.execPath,
      ["--expose-gc", join(import.meta.dirname, "main.ts"), ...options, "--json", json],
      { env: { ...process.env, [variable]: "off" }, stdio: ["ignore", "ignore", "inherit"] }
    )
    const [code] = await once(child, "exit")
    if (code !== 0) throw new Error(`the run with ${variable}=off ended with ${String(code)}`)
    return JSON.parse(await readFile(json, "utf8")) as Results
  } finally {
    await rm(folder, { recursive: true })
  }
}
